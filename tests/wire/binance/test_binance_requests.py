"""Intents in, exact bytes out: commands by REST and by the order socket, and everything that is asked."""

from __future__ import annotations

import hashlib
import hmac
from decimal import Decimal

import msgspec
import pytest

from nexustrader.constants import (
    DataType,
    ExchangeType,
    InstrumentType,
    OrderSide,
    OrderType,
    PositionSide,
    TimeInForce,
)
from nexustrader.domain import events as ev
from nexustrader.domain.instrument import Instrument
from nexustrader.error import Denied, KlineSupportedError, OrderError, SubscriptionError
from nexustrader.exchange.binance import VENUE, BinanceAccountType
from nexustrader.exchange.binance.build import OWN_PARAMS
from nexustrader.market.subscriptions import Stream
from nexustrader.venue.spec import Request, Security

NOW_MS = 1754000000123
SPOT, USD_M = BinanceAccountType.SPOT, BinanceAccountType.USD_M_FUTURE
BTC = Instrument(
    symbol="BTCUSDT.BINANCE", venue_symbol="BTCUSDT", exchange=ExchangeType.BINANCE, type=InstrumentType.SPOT,
    base="BTC", quote="USDT", settle="USDT", tick=Decimal("0.1"), lot=Decimal("0.001"),
    maker=Decimal(0), taker=Decimal(0),
)  # fmt: skip

BUILDERS = {
    ev.Submit: VENUE.order_request,
    ev.Cancel: VENUE.cancel_request,
    ev.Amend: VENUE.amend_request,
    ev.CancelAll: VENUE.cancel_all_request,
}


def submit(**changes) -> ev.Submit:
    fields = {
        "oid": "1",
        "account": "binance:SPOT",
        "symbol": "x",
        "side": OrderSide.BUY,
        "type": OrderType.LIMIT,
        "amount": Decimal("0.01"),
        "price": Decimal("61800"),
        "timestamp": NOW_MS,
    }
    return ev.Submit(**fields | changes)


def test_commands_become_exact_rest_requests(cases, spot, perp, signer):
    for case in cases("commands"):
        account_type = BinanceAccountType[case["account_type"]]
        command = msgspec.convert(case["command"], ev.Command)
        instrument = spot if account_type is SPOT else perp
        request = BUILDERS[type(command)](account_type, instrument, command)
        target, headers, body = VENUE.sign_request(request, signer, NOW_MS)
        assert target == case["target"], case["name"]
        assert (request.method, request.weight, request.orders, body) == (
            case["method"], case["weight"], case["orders"], b"",
        ), case["name"]  # fmt: skip
        assert headers == {"X-MBX-APIKEY": signer.api_key}


def test_commands_become_exact_socket_frames(cases, spot, perp, signer):
    for case in cases("frames"):
        account_type = BinanceAccountType[case["account_type"]]
        command = msgspec.convert(case["command"], ev.Submit | ev.Cancel | ev.Amend)
        instrument = spot if account_type is SPOT else perp
        frame = VENUE.order_frame(account_type, instrument, command, "17", signer, NOW_MS)
        assert frame.decode() == case["frame"], case["name"]


def test_the_user_subscription_is_signed(signer, secret):
    frame = msgspec.json.decode(VENUE.user_subscribe_frame("u3", signer, NOW_MS))
    params = frame["params"]
    payload = f"apiKey={signer.api_key}&recvWindow=5000&timestamp={NOW_MS}"
    expected = hmac.new(secret.encode(), payload.encode(), hashlib.sha256).hexdigest()
    assert frame["id"] == "u3"
    assert frame["method"] == "userDataStream.subscribe.signature"
    assert params == {
        "apiKey": signer.api_key, "recvWindow": 5000, "timestamp": NOW_MS, "signature": expected
    }  # fmt: skip


@pytest.mark.parametrize(
    ("account_type", "changes", "words"),
    [
        (SPOT, {"price": None}, "needs a price"),
        (USD_M, {"price": None, "type": OrderType.POST_ONLY}, "needs a price"),
        (SPOT, {"type": OrderType.POST_ONLY, "time_in_force": TimeInForce.IOC}, "rests on the book"),
        (SPOT, {"reduce_only": True}, "spot has no positions"),
        (SPOT, {"position_side": PositionSide.LONG}, "spot has no positions"),
        (USD_M, {"position_side": PositionSide.FLAT}, "LONG or SHORT"),
        (USD_M, {"position_side": PositionSide.LONG, "reduce_only": True}, "BUY opens a LONG"),
    ],
)
def test_orders_that_cannot_be_sent_as_they_are_are_denied(account_type, changes, words, spot, signer):
    with pytest.raises(OrderError, match=words):
        VENUE.order_request(account_type, spot, submit(**changes))
    with pytest.raises(OrderError, match=words):
        VENUE.order_frame(account_type, spot, submit(**changes), "1", signer, NOW_MS)


@pytest.mark.parametrize("name", sorted(OWN_PARAMS))
def test_what_the_engine_sets_cannot_be_passed_on(name, perp):
    with pytest.raises(OrderError, match=name):
        VENUE.order_request(USD_M, perp, submit(params={name: "x"}))
    with pytest.raises(OrderError, match=name):
        VENUE.cancel_request(
            USD_M, perp, ev.Cancel(oid="1", account="a", symbol="x", params={name: "x"}, timestamp=1)
        )


def amend(**changes) -> ev.Amend:
    fields = {"oid": "1", "account": "a", "symbol": "x", "side": OrderSide.BUY, "timestamp": NOW_MS}
    return ev.Amend(**fields | changes)


def test_amending_needs_both_values_and_futures(spot, perp):
    both = {"price": Decimal(1), "amount": Decimal(1)}
    with pytest.raises(OrderError, match="cancel it and create"):
        VENUE.amend_request(SPOT, spot, amend(**both))
    for name, value in both.items():
        with pytest.raises(OrderError, match="both price and amount"):
            VENUE.amend_request(USD_M, perp, amend(**{name: value}))


# -- queries ---------------------------------------------------------------------------------------------

TRADE = {"id": 28, "orderId": 7, "symbol": "BTCUSDT", "price": "1", "qty": "1", "time": 5}
PAGE = msgspec.json.encode([TRADE] * 1_000)


def test_an_answer_that_is_not_a_full_page_is_whole():
    first = VENUE.fills_since_request(USD_M, BTC, 1_700_000_000_000)
    assert VENUE.next_page(first, msgspec.json.encode([TRADE] * 999)) is None
    assert VENUE.next_page(VENUE.fills_request(USD_M, BTC, "28"), PAGE) is None


@pytest.mark.parametrize(
    ("request_", "expected"),
    [
        (VENUE.server_time_request(SPOT), Request("GET", "/api/v3/time")),
        (VENUE.server_time_request(USD_M), Request("GET", "/fapi/v1/time")),
        (VENUE.instruments_requests(SPOT), (Request("GET", "/api/v3/exchangeInfo", weight=20),)),
        (VENUE.instruments_requests(USD_M), (Request("GET", "/fapi/v1/exchangeInfo"),)),
        (
            VENUE.ticker_request(SPOT, BTC),
            Request("GET", "/api/v3/ticker/24hr", (("symbol", "BTCUSDT"),), weight=2),
        ),
        (
            VENUE.query_order_requests(SPOT, BTC, "17", None)[0],
            Request(
                "GET",
                "/api/v3/order",
                (("symbol", "BTCUSDT"), ("origClientOrderId", "17")),
                Security.SIGNED,
                4,
            ),
        ),
        (
            VENUE.query_order_requests(USD_M, BTC, "17", "28")[0],
            Request("GET", "/fapi/v1/order", (("symbol", "BTCUSDT"), ("orderId", "28")), Security.SIGNED, 1),
        ),
        (
            VENUE.open_orders_requests(SPOT, None)[0],
            Request("GET", "/api/v3/openOrders", (), Security.SIGNED, 80),
        ),
        (
            VENUE.open_orders_requests(USD_M, BTC)[0],
            Request("GET", "/fapi/v1/openOrders", (("symbol", "BTCUSDT"),), Security.SIGNED, 1),
        ),
        (
            VENUE.fills_request(SPOT, BTC, "28"),
            Request(
                "GET", "/api/v3/myTrades", (("symbol", "BTCUSDT"), ("orderId", "28")), Security.SIGNED, 5
            ),
        ),
        (
            VENUE.fills_request(USD_M, BTC, "28"),
            Request(
                "GET", "/fapi/v1/userTrades", (("symbol", "BTCUSDT"), ("orderId", "28")), Security.SIGNED, 5
            ),
        ),
        (
            VENUE.fills_since_request(SPOT, BTC, 1_700_000_000_000),
            Request(
                "GET",
                "/api/v3/myTrades",
                (("symbol", "BTCUSDT"), ("startTime", "1700000000000"), ("limit", "1000")),
                Security.SIGNED,
                20,
            ),
        ),
        (
            VENUE.next_page(VENUE.fills_since_request(USD_M, BTC, 1_700_000_000_000), PAGE),
            Request(
                "GET",
                "/fapi/v1/userTrades",
                (("symbol", "BTCUSDT"), ("fromId", "29"), ("limit", "1000")),
                Security.SIGNED,
                5,
            ),
        ),
        (
            VENUE.balances_request(SPOT),
            Request("GET", "/api/v3/account", (("omitZeroBalances", "true"),), Security.SIGNED, 20),
        ),
        (VENUE.balances_request(USD_M), Request("GET", "/fapi/v3/balance", (), Security.SIGNED, 5)),
        (VENUE.positions_requests(SPOT), ()),
        (VENUE.positions_requests(USD_M), (Request("GET", "/fapi/v3/positionRisk", (), Security.SIGNED, 5),)),
        (VENUE.position_mode_request(SPOT), None),
        (
            VENUE.position_mode_request(USD_M),
            Request("GET", "/fapi/v1/positionSide/dual", (), Security.SIGNED, 30),
        ),
        (VENUE.dead_man_request(SPOT, "BTCUSDT", 120_000), None),
        (
            VENUE.dead_man_request(USD_M, "BTCUSDT", 120_000),
            Request(
                "POST",
                "/fapi/v1/countdownCancelAll",
                (("symbol", "BTCUSDT"), ("countdownTime", "120000")),
                Security.SIGNED,
                10,
            ),
        ),
        (
            VENUE.listen_key_request(USD_M, keepalive=False),
            Request("POST", "/fapi/v1/listenKey", (), Security.KEY),
        ),
        (
            VENUE.listen_key_request(USD_M, keepalive=True),
            Request("PUT", "/fapi/v1/listenKey", (), Security.KEY),
        ),
    ],
)
def test_queries_ask_the_documented_calls_at_the_documented_weight(request_, expected):
    assert request_ == expected


def test_spot_has_no_listen_key():
    for call in (
        lambda: VENUE.listen_key_request(SPOT, keepalive=True),
        lambda: VENUE.listen_key_route(SPOT, "k"),
    ):
        with pytest.raises(Denied, match="order socket"):
            call()
    assert VENUE.listen_key_route(USD_M, "k") == "/private/ws/k"


@pytest.mark.parametrize(
    ("account_type", "limit", "sent", "weight"),
    [
        (SPOT, None, "1000", 2),
        (SPOT, 5_000, "1000", 2),
        (SPOT, 7, "7", 2),
        (USD_M, 99, "99", 1),
        (USD_M, 100, "100", 2),
        (USD_M, 500, "500", 5),
        (USD_M, 1_001, "1001", 10),
        (USD_M, None, "1500", 10),
        (USD_M, 0, "1", 1),
    ],
)
def test_a_page_of_klines_is_capped_and_weighed(account_type, limit, sent, weight):
    request = VENUE.klines_request(account_type, BTC, "1m", limit, 5, 9)
    assert request.params == (
        ("symbol", "BTCUSDT"), ("interval", "1m"), ("limit", sent), ("startTime", "5"), ("endTime", "9")
    )  # fmt: skip
    assert request.weight == weight


# -- subscriptions ---------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("account_type", "stream", "expected"),
    [
        (SPOT, Stream(DataType.BOOKL1, "s"), ("/stream", "btcusdt@bookTicker")),
        (SPOT, Stream(DataType.BOOKL2, "s", "20"), ("/stream", "btcusdt@depth20@100ms")),
        (SPOT, Stream(DataType.TRADE, "s"), ("/stream", "btcusdt@trade")),
        (SPOT, Stream(DataType.KLINE, "s", "1s"), ("/stream", "btcusdt@kline_1s")),
        (USD_M, Stream(DataType.BOOKL1, "s"), ("/public/stream", "btcusdt@bookTicker")),
        (USD_M, Stream(DataType.BOOKL2, "s", "5"), ("/public/stream", "btcusdt@depth5@100ms")),
        (USD_M, Stream(DataType.TRADE, "s"), ("/market/stream", "btcusdt@aggTrade")),
        (USD_M, Stream(DataType.KLINE, "s", "1M"), ("/market/stream", "btcusdt@kline_1M")),
        (USD_M, Stream(DataType.MARK_PRICE, "s"), ("/market/stream", "btcusdt@markPrice@1s")),
        (USD_M, Stream(DataType.INDEX_PRICE, "s"), ("/market/stream", "btcusdt@markPrice@1s")),
        (USD_M, Stream(DataType.FUNDING_RATE, "s"), ("/market/stream", "btcusdt@markPrice@1s")),
    ],
)
def test_a_stream_has_its_route_and_topic(account_type, stream, expected, spot):
    assert VENUE.stream_topic(account_type, stream, spot) == expected


@pytest.mark.parametrize(
    ("account_type", "stream", "error"),
    [
        (SPOT, Stream(DataType.MARK_PRICE, "s"), SubscriptionError),
        (SPOT, Stream(DataType.FUNDING_RATE, "s"), SubscriptionError),
        (USD_M, Stream(DataType.VOLUME_KLINE, "s", "1"), SubscriptionError),
        (USD_M, Stream(DataType.BOOKL2, "s", "7"), SubscriptionError),
        (USD_M, Stream(DataType.BOOKL2, "s"), SubscriptionError),
        (USD_M, Stream(DataType.KLINE, "s", "1s"), KlineSupportedError),
        (SPOT, Stream(DataType.KLINE, "s", "volume"), KlineSupportedError),
    ],
)
def test_what_the_venue_does_not_stream_is_refused(account_type, stream, error, spot):
    with pytest.raises(error):
        VENUE.stream_topic(account_type, stream, spot)
    if stream.kind is DataType.KLINE:
        with pytest.raises(error):
            VENUE.klines_request(account_type, BTC, stream.detail, None, None, None)


def test_subscriptions_are_sent_as_documented():
    assert VENUE.subscribe_frame(["btcusdt@trade", "ethusdt@trade"], 3, subscribe=True) == (
        b'{"method":"SUBSCRIBE","params":["btcusdt@trade","ethusdt@trade"],"id":3}'
    )
    assert VENUE.subscribe_frame(["btcusdt@trade"], 4, subscribe=False) == (
        b'{"method":"UNSUBSCRIBE","params":["btcusdt@trade"],"id":4}'
    )
