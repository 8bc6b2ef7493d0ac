"""User events as faults see them: what they are about, and what a changed venue might send in their place."""

from __future__ import annotations

from collections.abc import Callable, Mapping

from nexustrader.emulator.orders.user_feed import NEW_FIELDS, UNHEARD_OF

Body = dict[str, object]


def about(event: Body) -> Mapping[str, str | None]:
    """Name, symbol, client id and step of an event."""
    order = event.get("o") if isinstance(event.get("o"), dict) else event
    assert isinstance(order, dict)
    return {
        "on": str(event["e"]),
        "symbol": order.get("s"),
        # A cancel on spot has an id of its own, and the order's beside it.
        "client_id": order.get("C") or order.get("c") or order.get("caid"),
        "step": order.get("x") or order.get("X"),
    }


def alter(how: str, event: Body, now_ms: int) -> list[Body]:
    """The events that are told in the place of one."""
    return _ALTERED[how](event, now_ms)


def _with_new_fields(event: Body, _: int) -> list[Body]:
    order = event.get("o")
    if isinstance(order, dict):
        return [{**event, **NEW_FIELDS, "o": {**order, **NEW_FIELDS}}]
    return [{**event, **NEW_FIELDS}]


def _with_unknown_type(event: Body, now_ms: int) -> list[Body]:
    return [{"e": UNHEARD_OF, "E": now_ms, "o": 1, "a": [None]}, event]


def _with_unknown_enum(event: Body, _: int) -> list[Body]:
    order = event.get("o")
    if isinstance(order, dict):
        return [{**event, "o": {**order, "x": UNHEARD_OF, "X": UNHEARD_OF}}]
    return [{**event, "x": UNHEARD_OF, "X": UNHEARD_OF}]


_ALTERED: dict[str, Callable[[Body, int], list[Body]]] = {
    "new_fields": _with_new_fields,
    "unknown_type": _with_unknown_type,
    "unknown_enum": _with_unknown_enum,
}
