"""User messages as faults see them: what they are about, and what a changed venue might send in their place."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

from nexustrader.emulator.orders.user_feed import NEW_FIELDS, UNHEARD_OF

Body = dict[str, Any]

# The step that a status tells, in the words of faults.
_STEPS = {
    "New": "NEW",
    "Untriggered": "NEW",
    "PartiallyFilled": "TRADE",
    "Filled": "TRADE",
    "Cancelled": "CANCELED",
    "Deactivated": "CANCELED",
    "PartiallyFilledCanceled": "CANCELED",
}


def about(event: Body) -> Mapping[str, str | None]:
    """Name, category, symbol, client id and step of a message."""
    row = event["data"][0]
    topic = event["topic"]
    found = {"on": topic, "symbol": row.get("symbol"), "client_id": row.get("orderLinkId")}
    if "category" in row:
        found["product"] = row["category"]
    found["step"] = "TRADE" if topic == "execution" else _STEPS.get(row.get("orderStatus", ""))
    return found


def alter(how: str, event: Body, now_ms: int) -> list[Body]:
    """The messages that are told in the place of one."""
    return _ALTERED[how](event, now_ms)


def _with_new_fields(event: Body, _: int) -> list[Body]:
    return [{**event, **NEW_FIELDS, "data": [{**row, **NEW_FIELDS} for row in event["data"]]}]


def _with_unknown_type(event: Body, now_ms: int) -> list[Body]:
    return [{"id": "0", "topic": UNHEARD_OF, "creationTime": now_ms, "data": [{"a": None}]}, event]


def _with_unknown_enum(event: Body, _: int) -> list[Body]:
    names = {"orderStatus", "execType"}
    rows = [
        {name: UNHEARD_OF if name in names else value for name, value in row.items()} for row in event["data"]
    ]
    return [{**event, "data": rows}]


_ALTERED: dict[str, Callable[[Body, int], list[Body]]] = {
    "new_fields": _with_new_fields,
    "unknown_type": _with_unknown_type,
    "unknown_enum": _with_unknown_enum,
}
