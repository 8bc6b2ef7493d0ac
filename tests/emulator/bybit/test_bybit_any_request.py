"""Whatever is sent to the emulated Bybit, it answers in the venue's own form."""

from __future__ import annotations

import json
from typing import Any

import pytest
from bybit_client import MemoryBybit
from hypothesis import given, settings
from hypothesis import strategies as st

from nexustrader.emulator.bybit.handlers.operations import REST, TRADE
from nexustrader.emulator.bybit.venue import BybitSettings
from nexustrader.emulator.venue import STILL

SETTINGS = BybitSettings(market=STILL, limit_factor=100_000, message_order="before")
VALUES = (
    "", "0", "-1", "1", "1.5", "1e9", "NaN", "9" * 20, "9" * 400, "٣", "null", "true", "Buy", "Sell", "Limit",
    "Market", "linear", "spot", "inverse", "option", "BTCUSDT", "BTCUSD", "BTC-25JUN27-60000-C-USDT", "USDT", "BTC",
    "UNIFIED", "GTC", "FOK", "PostOnly", "59000", "0.01", "60500", "2", "3", "x", "page%3D1", "60", "D",
    "1780000000000", "StopOrder", "LastPrice", "quoteCoin", "00000000-0000-0000-0000-000000000000",
)  # fmt: skip
NAMES = (
    "category", "symbol", "side", "orderType", "qty", "price", "timeInForce", "orderLinkId", "orderId", "positionIdx",
    "reduceOnly", "closeOnTrigger", "triggerPrice", "triggerDirection", "triggerBy", "marketUnit", "orderFilter",
    "settleCoin", "baseCoin", "limit", "cursor", "startTime", "endTime", "start", "end", "interval", "openOnly",
    "accountType", "coin", "mode", "buyLeverage", "sellLeverage", "setMarginMode", "status", "orderStatus", "smpType",
)  # fmt: skip
GOOD = {
    "category": "linear",
    "symbol": "BTCUSDT",
    "side": "Buy",
    "orderType": "Limit",
    "qty": "0.01",
    "price": "59000",
    "interval": "1",
    "accountType": "UNIFIED",
    "settleCoin": "USDT",
}

changes = st.dictionaries(st.sampled_from(NAMES), st.sampled_from(VALUES), max_size=4)
routes = st.sampled_from(sorted(REST))
json_values = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=5),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=5), inner, max_size=3),
    max_leaves=6,
)


def check_reply(reply: Any) -> None:
    body = reply.body
    assert reply.status == 200
    assert set(body) == {"retCode", "retMsg", "result", "retExtInfo", "time"}
    assert isinstance(body["retCode"], int)


@pytest.mark.slow
@settings(max_examples=300, deadline=None)
@given(st.lists(st.tuples(routes, changes), min_size=1, max_size=8))
def test_every_request_has_an_answer(requests: list[tuple[tuple[str, str], dict[str, str]]]) -> None:
    world = MemoryBybit(SETTINGS)
    for (method, path), change in requests:
        params = {**GOOD, **change}
        name = path.removeprefix("/v5/")
        if "batch" in name:
            reply = world.post(name, category=params["category"], request=[params, change])
        else:
            reply = world.get(name, **params) if method == "GET" else world.post(name, **params)
        check_reply(reply)
    assert not world.venue.check_invariants()


@pytest.mark.slow
@settings(max_examples=200, deadline=None)
@given(st.sampled_from(["public/spot", "public/linear", "public/option", "private", "trade"]), json_values)
def test_every_frame_leaves_the_socket_alive_or_closed(path: str, value: Any) -> None:
    world = MemoryBybit(SETTINGS)
    socket = world.socket(path)
    if path != "trade":
        for op in ("subscribe", "unsubscribe", "auth", "ping"):
            socket.say({"op": op, "args": value})
    else:
        socket.auth()
        for op in TRADE:
            now = str(world.clock.timestamp_ms())
            socket.say({"op": op, "args": [value], "header": {"X-BAPI-TIMESTAMP": now}, "reqId": op})
    socket.say(json.dumps(value))
    assert socket.frames
    for frame in socket.take():
        assert isinstance(frame, dict)
