"""What a journalled record leaves out means what it always meant: older journals are read with it."""

from __future__ import annotations

from decimal import Decimal
from typing import Any

import msgspec
import pytest

from nexustrader.constants import TradingState
from nexustrader.domain import events as ev
from nexustrader.domain.outcome import CommandKind, Conclusion, Route

ORDER: dict[str, Any] = {
    "oid": "1",
    "account": "binance:SPOT",
    "symbol": "BTCUSDT.BINANCE",
    "side": "BUY",
    "type": "LIMIT",
    "amount": "1",
    "timestamp": 1,
}
EVENT = {"oid": "1", "kind": "filled", "source": "stream", "timestamp": 1}
FILL = {"trade_id": "9", "price": "5", "amount": "1", "timestamp": 1}
RESULT = {**ORDER, "kind": CommandKind.CREATE.value, "conclusion": Conclusion.ACCEPTED.value}
SENT = {"route": Route.REST, "attempt": 1}
LEFT_TO_THE_USER = {"ws_fallback": True, "params": {}}


def read(tag: str, fields: dict[str, Any]) -> Any:
    return msgspec.json.decode(msgspec.json.encode({"record": tag, **fields}), type=ev.Record)


@pytest.mark.parametrize(
    ("tag", "fields", "meant"),
    [
        ("submit", ORDER, {**SENT, **LEFT_TO_THE_USER, "untold": 0, "reduce_only": False, "price": None}),
        ("cancel", ORDER, {**SENT, **LEFT_TO_THE_USER, "eid": None}),
        ("amend", ORDER, {"price": None, "eid": None, "params": {}}),
        ("cancel_all", ORDER, {"oids": ()}),
        ("event", EVENT, {"account": "", "symbol": "", "filled": None, "fill": None, "reduce_only": None}),
        ("result", RESULT, {**SENT, "is_late": False, "events": (), "retry_after_ms": None}),
        (
            "balance",
            {"account": "a", "asset": "USDT", "free": "1", "timestamp": 1},
            {"locked": Decimal(0), "cause": None},
        ),
        (
            "position",
            {"account": "a", "symbol": "s", "signed_amount": "1", "entry_price": "2", "timestamp": 1},
            {"unrealized_pnl": Decimal(0), "position_side": None, "snapshot": False},
        ),
        (
            "risk",
            {"state": TradingState.HALTED.value, "reason": "stop", "timestamp": 1},
            {"day": None, "day_opening": None, "peak": None},
        ),
        ("delivered", {"timestamp": 1}, {"untold": 0}),
        ("started", {"oid": "1", "timestamp": 1}, {"untold": 0}),
    ],
)
def test_what_a_record_does_not_say_is(tag: str, fields: dict[str, Any], meant: dict[str, Any]) -> None:
    record = read(tag, fields)
    assert {name: getattr(record, name) for name in meant} == meant


def test_parameters_for_the_venue_are_read_as_what_they_were() -> None:
    params = {"text": "x", "whole": 1, "broken": 1.5, "flag": True}
    assert read("submit", {**ORDER, "params": params}).params == params


def test_a_fill_that_names_no_fee_was_free_and_took_from_the_book() -> None:
    fill = read("event", {**EVENT, "fill": FILL}).fill
    assert (fill.fee, fill.fee_currency, fill.is_maker) == (Decimal(0), None, False)
