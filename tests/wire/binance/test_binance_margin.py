"""Cross and isolated margin: spot instruments, the calls of margin, private events by tokens."""

from __future__ import annotations

from decimal import Decimal

import msgspec
import pytest

from nexustrader.constants import DataType, OrderSide, OrderType
from nexustrader.domain import events as ev
from nexustrader.domain.events import EventKind
from nexustrader.error import Denied, OrderError, WireError
from nexustrader.exchange.binance import VENUE, BinanceAccountType
from nexustrader.market.subscriptions import Stream
from nexustrader.venue.spec import Request, Security

CROSS, ISOLATED = BinanceAccountType.MARGIN, BinanceAccountType.ISOLATED_MARGIN
PORTFOLIO = BinanceAccountType.PORTFOLIO_MARGIN
NOW_MS = 1754000000500
OID = "17540000001230010042"


def submit(**changes) -> ev.Submit:
    fields = {
        "oid": OID, "account": "binance:MARGIN", "symbol": "BTCUSDT.BINANCE", "side": OrderSide.BUY,
        "type": OrderType.LIMIT, "amount": Decimal("0.01"), "price": Decimal(61800), "timestamp": 1,
    }  # fmt: skip
    return ev.Submit(**fields | changes)


def target(request: Request, signer) -> tuple[str, str]:
    path = VENUE.sign_request(request, signer, NOW_MS)[0]
    return request.method, path.partition("&recvWindow")[0]


def test_a_cross_order_goes_to_the_margin_calls(spot, signer):
    request = VENUE.order_request(CROSS, spot, submit())
    assert target(request, signer) == (
        "POST",
        (
            "/sapi/v1/margin/order?symbol=BTCUSDT&side=BUY&quantity=0.01&newClientOrderId=17540000001230010042"
            "&newOrderRespType=FULL&type=LIMIT&timeInForce=GTC&price=61800"
        ),
    )
    assert (request.weight, request.orders, request.security) == (1, 6, Security.SIGNED)


@pytest.mark.parametrize("effect", ["MARGIN_BUY", "AUTO_BORROW_REPAY"])
def test_an_order_that_may_borrow_takes_many_places(effect, spot):
    request = VENUE.order_request(CROSS, spot, submit(params={"sideEffectType": effect}))
    assert request.params[-1] == ("sideEffectType", effect)
    assert request.orders == 1_500
    repaying = VENUE.order_request(CROSS, spot, submit(params={"sideEffectType": "AUTO_REPAY"}))
    assert repaying.orders == 6


def test_every_call_about_isolated_orders_says_so(spot, signer):
    cancel = ev.Cancel(oid=OID, eid="28", account="a", symbol=spot.symbol, timestamp=1)
    every = ev.CancelAll(account="a", symbol=spot.symbol, timestamp=1)
    requests = [
        VENUE.order_request(ISOLATED, spot, submit()),
        VENUE.cancel_request(ISOLATED, spot, cancel),
        VENUE.cancel_all_request(ISOLATED, spot, every),
        *VENUE.query_order_requests(ISOLATED, spot, OID, None),
        *VENUE.open_orders_requests(ISOLATED, spot),
        VENUE.fills_request(ISOLATED, spot, "28"),
        VENUE.fills_since_request(ISOLATED, spot, 5),
    ]
    assert all(request.params[:2] == (("symbol", "BTCUSDT"), ("isIsolated", "TRUE")) for request in requests)
    assert [f"{request.method} {request.path}" for request in requests] == [
        "POST /sapi/v1/margin/order",
        "DELETE /sapi/v1/margin/order",
        "DELETE /sapi/v1/margin/openOrders",
        "GET /sapi/v1/margin/order",
        "GET /sapi/v1/margin/openOrders",
        "GET /sapi/v1/margin/myTrades",
        "GET /sapi/v1/margin/myTrades",
    ]
    assert [request.weight for request in requests] == [1, 10, 1, 10, 10, 10, 10]
    with pytest.raises(OrderError, match="isIsolated"):
        VENUE.order_request(ISOLATED, spot, submit(params={"isIsolated": "FALSE"}))


def test_the_next_page_of_isolated_fills_is_asked_of_the_same_account(spot):
    first = VENUE.fills_since_request(ISOLATED, spot, 5)
    row = {"id": 9, "orderId": 28, "symbol": "BTCUSDT", "price": "1", "qty": "1", "time": 7, "isMaker": False}
    page = VENUE.next_page(first, msgspec.json.encode([row] * 1_000))
    assert page is not None
    assert page.params == (
        ("symbol", "BTCUSDT"), ("isIsolated", "TRUE"), ("fromId", "10"), ("limit", "1000"),
    )  # fmt: skip


def test_isolated_orders_are_listed_by_symbol_only():
    assert VENUE.open_orders_requests(ISOLATED, None) == ()
    assert VENUE.open_orders_requests(CROSS, None) == (
        Request("GET", "/sapi/v1/margin/openOrders", (), Security.SIGNED, 10),
    )


def test_margin_takes_neither_reduce_only_nor_amendments(spot):
    with pytest.raises(OrderError, match="no positions"):
        VENUE.order_request(CROSS, spot, submit(reduce_only=True))
    amend = ev.Amend(
        oid=OID, account="a", symbol="x", side=OrderSide.BUY, price=Decimal(1), amount=Decimal(1), timestamp=1
    )
    with pytest.raises(OrderError, match="cancel it and create"):
        VENUE.amend_request(CROSS, spot, amend)
    assert VENUE.positions_requests(CROSS) == ()
    assert VENUE.position_mode_request(CROSS) is None
    assert VENUE.dead_man_request(CROSS, "BTCUSDT", 1) is None


def test_its_public_data_are_those_of_spot(spot):
    assert VENUE.stream_topic(CROSS, Stream(DataType.TRADE, "s"), spot) == ("/stream", "btcusdt@trade")
    assert VENUE.klines_request(CROSS, spot, "1m", 5, None, None).path == "/api/v3/klines"
    assert VENUE.server_time_request(ISOLATED) == Request("GET", "/api/v3/time")


# -- tokens -----------------------------------------------------------------------------------------------

PAIRS = {
    "assets": [
        {
            "symbol": symbol, "enabled": enabled,
            "baseAsset": {"asset": symbol[:3], "free": "1", "locked": "0.5", "borrowed": "0"},
            "quoteAsset": {"asset": "USDT", "free": free, "locked": "0", "borrowed": "10"},
        }
        for symbol, enabled, free in (("BTCUSDT", True, "100"), ("ETHUSDT", True, "30"), ("XRPUSDT", False, "0"))
    ],
    "totalAssetOfBtc": "1",
}  # fmt: skip
TOKEN = Request("POST", "/sapi/v1/userListenToken", (), Security.KEY)


def test_the_cross_account_has_one_token_and_the_isolated_one_for_each_pair_that_is_in_use():
    assert VENUE.listen_token_requests(CROSS, b'{"userAssets":[]}') == (TOKEN,)
    requests = VENUE.listen_token_requests(ISOLATED, msgspec.json.encode(PAIRS))
    assert [request.params for request in requests] == [
        (("symbol", "BTCUSDT"), ("isIsolated", "true")),
        (("symbol", "ETHUSDT"), ("isIsolated", "true")),
    ]
    assert VENUE.parse_listen_token(b'{"token":"6xXx+/=","expirationTime":1758792204196}') == "6xXx+/="
    with pytest.raises(WireError):
        VENUE.parse_listen_token(b'{"token":""}')
    assert VENUE.listen_token_frame("u1", "6xXx") == (
        b'{"id":"u1","method":"userDataStream.subscribe.listenToken","params":{"listenToken":"6xXx"}}'
    )
    with pytest.raises(Denied, match="no listen keys"):
        VENUE.listen_key_request(CROSS, keepalive=False)


# -- facts ------------------------------------------------------------------------------------------------


def test_balances_of_the_cross_account():
    body = {
        "userAssets": [{"asset": "BTC", "free": "0.4", "locked": "0.1", "borrowed": "0.2", "netAsset": "0.3"}]
    }
    (balance,) = VENUE.parse_balances("a", msgspec.json.encode(body), 4)
    assert (balance.asset, balance.free, balance.locked) == ("BTC", Decimal("0.4"), Decimal("0.1"))


def test_balances_of_isolated_pairs_lie_in_a_wallet_each():
    balances = VENUE.parse_balances("a", msgspec.json.encode(PAIRS), 4)
    assert [(b.asset, b.wallet, b.free, b.locked) for b in balances[:4]] == [
        ("BTC", "BTCUSDT", 1, Decimal("0.5")),
        ("USDT", "BTCUSDT", 100, 0),
        ("ETH", "ETHUSDT", 1, Decimal("0.5")),
        ("USDT", "ETHUSDT", 30, 0),
    ]


@pytest.mark.parametrize("body", [b"{}", b'{"totalAssetOfBtc":"1"}', b'[{"asset":"A"}]'])
def test_an_account_without_balances_is_no_answer(body):
    with pytest.raises(WireError):
        VENUE.parse_balances("a", body, 4)


def test_an_event_of_an_isolated_pair_does_not_say_whose_wallet_it_was(resolve_spot):
    event = {"e": "outboundAccountPosition", "E": 5, "u": 4, "B": [{"a": "USDT", "f": "1", "l": "0"}]}
    raw = msgspec.json.encode({"subscriptionId": 1, "event": event})
    assert VENUE.parse_user_event(ISOLATED, "a", resolve_spot, raw) == ("balance_update",)
    (balance,) = VENUE.parse_user_event(CROSS, "a", resolve_spot, raw)
    assert (balance.asset, balance.free, balance.wallet) == ("USDT", 1, "")


def test_order_ids_of_margin_answers_may_be_text(spot):
    body = {
        "symbol": "BTCUSDT", "orderId": "28", "origClientOrderId": OID, "clientOrderId": "x", "price": "1",
        "origQty": "10", "executedQty": "8", "cummulativeQuoteQty": "8", "status": "CANCELED",
        "timeInForce": "GTC", "type": "LIMIT", "side": "SELL", "isIsolated": True,
    }  # fmt: skip
    cancel = ev.Cancel(oid=OID, account="a", symbol=spot.symbol, timestamp=1)
    (event,) = VENUE.parse_order_reply(ISOLATED, spot, cancel, msgspec.json.encode(body), NOW_MS)
    assert (event.kind, event.eid, event.filled, event.timestamp) == (EventKind.CANCELED, "28", 8, NOW_MS)
    with pytest.raises(WireError):
        VENUE.parse_order_reply(ISOLATED, spot, cancel, msgspec.json.encode(body | {"orderId": "x"}), NOW_MS)


def test_executions_without_an_id_are_told_as_a_total(spot):
    """The stream tells each of them with its id: told here, they would count twice."""
    body = {
        "symbol": "BTCUSDT", "orderId": 28, "clientOrderId": OID, "transactTime": 9, "price": "0",
        "origQty": "0.01", "executedQty": "0.01", "cummulativeQuoteQty": "618", "status": "FILLED",
        "timeInForce": "GTC", "type": "MARKET", "side": "BUY",
        "fills": [{"price": "61800", "qty": "0.01", "commission": "0.6", "commissionAsset": "USDT"}],
    }  # fmt: skip
    events = VENUE.parse_order_reply(
        PORTFOLIO, spot, submit(type=OrderType.MARKET), msgspec.json.encode(body), NOW_MS
    )
    assert [(e.kind, e.fill, e.filled) for e in events] == [
        (EventKind.ACKED, None, None),
        (EventKind.FILLED, None, Decimal("0.01")),
    ]
    assert events[1].average == 61800
