"""Cross and isolated margin, emulated: the spot market under accounts of their own, loans, listen tokens."""

from __future__ import annotations

from decimal import Decimal
from typing import Any

import pytest
from memory_venue import MemorySocket, MemoryVenue, steps

ORDER = "/sapi/v1/margin/order"


@pytest.fixture
def venue() -> MemoryVenue:
    return MemoryVenue()


def order(venue: MemoryVenue, side: str, quantity: str, price: str | None = None, **more: object) -> Any:
    kind = {"type": "MARKET"} if price is None else {"type": "LIMIT", "timeInForce": "GTC", "price": price}
    return venue.call("POST", ORDER, symbol="BTCUSDT", side=side, quantity=quantity, **{**kind, **more})


def owned(venue: MemoryVenue, asset: str) -> dict[str, str]:
    rows: list[dict[str, str]] = venue.call("GET", "/sapi/v1/margin/account").body["userAssets"]
    return next(row for row in rows if row["asset"] == asset)


def listen(venue: MemoryVenue, **which: object) -> tuple[MemorySocket, dict[str, Any]]:
    token = venue.call("POST", "/sapi/v1/userListenToken", **which).body["token"]
    socket = venue.socket("/ws-api/v3")
    return socket, say_token(socket, token)


def say_token(socket: MemorySocket, token: str) -> dict[str, Any]:
    socket.say({"id": 1, "method": "userDataStream.subscribe.listenToken", "params": {"listenToken": token}})
    reply: dict[str, Any] = socket.take()[-1]
    return reply


def test_orders_of_margin_and_spot_meet_in_one_market_and_know_nothing_of_each_other(
    venue: MemoryVenue,
) -> None:
    placed = order(venue, "BUY", "0.01", "59000", newClientOrderId="m").body
    assert (placed["status"], placed["isIsolated"]) == ("NEW", False)
    assert venue.call("GET", "/api/v3/order", symbol="BTCUSDT", origClientOrderId="m").code == -2013
    isolated = venue.call("GET", ORDER, symbol="BTCUSDT", origClientOrderId="m", isIsolated="TRUE")
    assert isolated.code == -2013
    (row,) = venue.call("GET", "/sapi/v1/margin/openOrders", symbol="BTCUSDT").body
    assert (row["clientOrderId"], row["isIsolated"]) == ("m", False)
    assert Decimal(owned(venue, "USDT")["locked"]) == 590
    venue.move("58000.0", "58000.1")
    (trade,) = venue.call("GET", "/sapi/v1/margin/myTrades", symbol="BTCUSDT").body
    assert (trade["orderId"], trade["isMaker"]) == (placed["orderId"], True)


def test_an_isolated_order_takes_the_money_of_its_pair(venue: MemoryVenue) -> None:
    placed = order(venue, "BUY", "0.01", isIsolated="TRUE", newOrderRespType="FULL").body
    assert (placed["status"], placed["isIsolated"]) == ("FILLED", True)
    pairs = {
        row["symbol"]: row for row in venue.call("GET", "/sapi/v1/margin/isolated/account").body["assets"]
    }
    assert Decimal(pairs["BTCUSDT"]["baseAsset"]["free"]) > 0
    assert Decimal(pairs["ETHUSDT"]["quoteAsset"]["free"]) == 10_000
    assert Decimal(owned(venue, "USDT")["free"]) == 100_000
    assert order(venue, "BUY", "1", isIsolated="TRUE").code == -2010


def test_what_is_missing_is_borrowed_and_paid_back(venue: MemoryVenue) -> None:
    assert order(venue, "BUY", "2", "59000").body["code"] == -2010
    borrowed = order(venue, "BUY", "2", "59000", sideEffectType="MARGIN_BUY").body
    assert (borrowed["marginBuyBorrowAsset"], Decimal(borrowed["marginBuyBorrowAmount"])) == ("USDT", 18_000)
    assert Decimal(owned(venue, "USDT")["borrowed"]) == 18_000
    venue.call("DELETE", ORDER, symbol="BTCUSDT", orderId=borrowed["orderId"])
    order(venue, "SELL", "0.1", sideEffectType="AUTO_REPAY")
    row = owned(venue, "USDT")
    assert Decimal(row["borrowed"]) == 0
    assert Decimal(row["netAsset"]) == Decimal(row["free"])
    assert order(venue, "SELL", "50", "60500", sideEffectType="MARGIN_BUY").code == -3006
    assert order(venue, "BUY", "1", "59000", sideEffectType="SOMETHING").code == -1102


def test_a_refused_order_borrows_nothing(venue: MemoryVenue) -> None:
    reply = order(
        venue, "BUY", "2", "61000", type="LIMIT_MAKER", timeInForce=None, sideEffectType="MARGIN_BUY"
    )
    assert reply.code == -2010
    assert Decimal(owned(venue, "USDT")["borrowed"]) == 0
    assert Decimal(owned(venue, "USDT")["free"]) == 100_000


@pytest.mark.parametrize(
    ("method", "path", "params", "code"),
    [
        (
            "POST",
            ORDER,
            {"side": "BUY", "type": "MARKET", "quantity": "0.000001", "symbol": "BTCUSDT"},
            -1013,
        ),
        ("POST", ORDER, {"side": "BUY", "type": "STOP", "quantity": "1", "symbol": "BTCUSDT"}, -1116),
        ("DELETE", ORDER, {"symbol": "BTCUSDT", "orderId": 1}, -2011),
        ("DELETE", "/sapi/v1/margin/openOrders", {"symbol": "BTCUSDT"}, -2011),
        ("GET", "/sapi/v1/margin/openOrders", {"isIsolated": "TRUE"}, -1102),
        ("GET", ORDER, {"symbol": "XUSDT", "orderId": 1, "isIsolated": "TRUE"}, -3003),
        ("POST", "/sapi/v1/userListenToken", {"isIsolated": "true"}, -1102),
        ("POST", "/sapi/v1/userListenToken", {"validity": 90_000_000}, -1102),
    ],
)
def test_what_breaks_a_rule_is_refused_with_its_code(
    venue: MemoryVenue, method: str, path: str, params: dict[str, object], code: int
) -> None:
    assert venue.call(method, path, **params).code == code


def test_signatures_are_checked_and_limits_counted_in_pools_of_their_own(venue: MemoryVenue) -> None:
    assert venue.call("GET", "/sapi/v1/margin/account", signed=False).code in (-1102, -2014)
    headers = venue.call("GET", "/sapi/v1/margin/account").headers
    assert headers["X-SAPI-USED-IP-WEIGHT-1M"] == "20"
    spot = venue.call("GET", "/api/v3/time", signed=False).headers
    assert spot["X-MBX-USED-WEIGHT-1M"] == "1"
    assert order(venue, "BUY", "0.01", "59000").headers["X-MBX-ORDER-COUNT-10S"] == "1"


def test_a_token_opens_the_events_of_its_account_alone(venue: MemoryVenue) -> None:
    cross, reply = listen(venue)
    assert reply["result"]["subscriptionId"] == 0
    pair, _ = listen(venue, isIsolated="true", symbol="BTCUSDT")
    order(venue, "BUY", "0.01")
    assert steps(cross.take()) == ["NEW", "TRADE"]
    assert pair.take() == []
    order(venue, "BUY", "0.01", isIsolated="TRUE")
    told = pair.take()
    assert steps(told) == ["NEW", "TRADE"]
    assert told[-1]["event"]["e"] == "outboundAccountPosition"
    assert cross.take() == []


def test_a_token_ends_unless_a_new_one_prolongs_it(venue: MemoryVenue) -> None:
    socket, _ = listen(venue, validity=60_000)
    venue.wait(50_000)
    token = venue.call("POST", "/sapi/v1/userListenToken", validity=60_000).body["token"]
    again = say_token(socket, token)
    assert again["result"]["subscriptionId"] == 0
    venue.wait(20_000)
    assert socket.take() == []
    venue.wait(60_000)
    assert [frame["event"]["e"] for frame in socket.take()] == ["eventStreamTerminated"]
    assert say_token(socket, token)["error"]["code"] == -1209
    assert say_token(socket, "guessed")["error"]["code"] == -1209
