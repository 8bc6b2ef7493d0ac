"""COIN-M: inverse contracts. Amounts count contracts, fees and profit are in the base coin."""

from __future__ import annotations

from decimal import Decimal

import msgspec
import pytest

from nexustrader.constants import DataType, ExchangeType, InstrumentType, OrderSide, OrderType
from nexustrader.domain import events as ev
from nexustrader.domain.events import EventKind, Source
from nexustrader.domain.instrument import Instrument, notional
from nexustrader.error import WireError
from nexustrader.exchange.binance import VENUE, BinanceAccountType
from nexustrader.market.subscriptions import Stream
from nexustrader.venue.spec import Request, Security

COIN_M = BinanceAccountType.COIN_M_FUTURE
NOW_MS = 1754000000500
OID = "17540000001230010042"


def contract(venue_symbol: str, symbol: str) -> Instrument:
    return Instrument(
        symbol=symbol, venue_symbol=venue_symbol, exchange=ExchangeType.BINANCE, type=InstrumentType.INVERSE,
        base="BTC", quote="USD", settle="BTC", tick=Decimal("0.1"), lot=Decimal(1), contract_size=Decimal(100),
        maker=Decimal("0.0001"), taker=Decimal("0.0005"),
    )  # fmt: skip


PERP = contract("BTCUSD_PERP", "BTCUSD-PERP.BINANCE")
DATED = contract("BTCUSD_260925", "BTCUSD-260925.BINANCE")
resolve = {VENUE.key_of(i): i for i in (PERP, DATED)}.get

SUBMIT = ev.Submit(
    oid=OID, account="binance:COIN_M_FUTURE", symbol=PERP.symbol, side=OrderSide.SELL, type=OrderType.LIMIT,
    amount=Decimal(7), price=Decimal("61800.5"), reduce_only=True, timestamp=1,
)  # fmt: skip


def target(request: Request, signer) -> tuple[str, str]:
    path = VENUE.sign_request(request, signer, NOW_MS)[0]
    return request.method, path.partition("&recvWindow")[0]


def test_commands_go_to_the_coin_margined_calls(signer):
    assert target(VENUE.order_request(COIN_M, PERP, SUBMIT), signer) == (
        "POST",
        (
            "/dapi/v1/order?symbol=BTCUSD_PERP&side=SELL&quantity=7&newClientOrderId=17540000001230010042"
            "&newOrderRespType=RESULT&type=LIMIT&timeInForce=GTC&price=61800.5&reduceOnly=true"
        ),
    )
    cancel = ev.Cancel(oid=OID, account="a", symbol=DATED.symbol, timestamp=1)
    assert target(VENUE.cancel_request(COIN_M, DATED, cancel), signer) == (
        "DELETE", "/dapi/v1/order?symbol=BTCUSD_260925&origClientOrderId=17540000001230010042",
    )  # fmt: skip
    amend = ev.Amend(
        oid=OID, account="a", symbol=PERP.symbol, side=OrderSide.SELL, price=Decimal(1), amount=Decimal(2),
        timestamp=1,
    )  # fmt: skip
    assert target(VENUE.amend_request(COIN_M, PERP, amend), signer) == (
        "PUT",
        "/dapi/v1/order?symbol=BTCUSD_PERP&origClientOrderId=17540000001230010042&side=SELL&quantity=2&price=1",
    )
    every = ev.CancelAll(account="a", symbol=PERP.symbol, timestamp=1)
    assert target(VENUE.cancel_all_request(COIN_M, PERP, every), signer) == (
        "DELETE", "/dapi/v1/allOpenOrders?symbol=BTCUSD_PERP",
    )  # fmt: skip


def test_the_order_socket_takes_contracts(signer):
    frame = msgspec.json.decode(VENUE.order_frame(COIN_M, PERP, SUBMIT, "9", signer, NOW_MS))
    assert (frame["id"], frame["method"]) == ("9", "order.place")
    sent = frame["params"]
    assert (sent["symbol"], sent["quantity"], sent["price"]) == ("BTCUSD_PERP", "7", "61800.5")


@pytest.mark.parametrize(
    ("request_", "expected"),
    [
        (VENUE.server_time_request(COIN_M), Request("GET", "/dapi/v1/time")),
        (VENUE.instruments_requests(COIN_M), (Request("GET", "/dapi/v1/exchangeInfo"),)),
        (VENUE.balances_request(COIN_M), Request("GET", "/dapi/v1/balance", (), Security.SIGNED, 1)),
        (VENUE.positions_requests(COIN_M), (Request("GET", "/dapi/v1/positionRisk", (), Security.SIGNED, 1),)),
        (
            VENUE.position_mode_request(COIN_M),
            Request("GET", "/dapi/v1/positionSide/dual", (), Security.SIGNED, 30),
        ),
        (
            VENUE.open_orders_requests(COIN_M, None),
            (
                Request("GET", "/dapi/v1/openOrders", (), Security.SIGNED, 40),
                Request("GET", "/dapi/v1/openAlgoOrders", (), Security.SIGNED, 40),
            ),
        ),
        (
            VENUE.fills_request(COIN_M, PERP, "5"),
            Request(
                "GET", "/dapi/v1/userTrades", (("symbol", "BTCUSD_PERP"), ("orderId", "5")), Security.SIGNED, 5
            ),
        ),
        (VENUE.listen_key_request(COIN_M, keepalive=True), Request("PUT", "/dapi/v1/listenKey", (), Security.KEY)),
        (VENUE.listen_key_route(COIN_M, "k"), "/ws/k"),
        (
            VENUE.dead_man_request(COIN_M, "BTCUSD_PERP", 60_000),
            Request(
                "POST", "/dapi/v1/countdownCancelAll",
                (("symbol", "BTCUSD_PERP"), ("countdownTime", "60000")), Security.SIGNED, 10,
            ),
        ),
    ],
)  # fmt: skip
def test_questions_go_to_the_coin_margined_calls(request_, expected):
    assert request_ == expected


@pytest.mark.parametrize(
    ("stream", "topic"),
    [
        (Stream(DataType.BOOKL1, "s"), "btcusd_perp@bookTicker"),
        (Stream(DataType.BOOKL2, "s", "10"), "btcusd_perp@depth10@100ms"),
        (Stream(DataType.TRADE, "s"), "btcusd_perp@aggTrade"),
        (Stream(DataType.KLINE, "s", "1m"), "btcusd_perp@kline_1m"),
        (Stream(DataType.FUNDING_RATE, "s"), "btcusd_perp@markPrice@1s"),
    ],
)
def test_its_streams_come_without_routes(stream, topic):
    assert VENUE.stream_topic(COIN_M, stream, PERP) == ("/stream", topic)


def test_instruments_of_the_recording_count_contracts_of_so_many_dollars(testdata):
    body = (testdata / "wire/binance/samples/exchangeinfo/coinm_2025.json").read_bytes()
    instruments, problems = VENUE.parse_instruments(COIN_M, body)
    assert problems == ()
    by_symbol = {i.symbol: i for i in instruments}
    bitcoin = by_symbol["BTCUSD-PERP.BINANCE"]
    assert (bitcoin.type, bitcoin.base, bitcoin.quote, bitcoin.settle) == (
        InstrumentType.INVERSE, "BTC", "USD", "BTC",
    )  # fmt: skip
    assert (bitcoin.contract_size, bitcoin.lot, bitcoin.tick) == (Decimal(100), Decimal(1), Decimal("0.1"))
    assert bitcoin.expiry_ms is None
    assert notional(bitcoin, Decimal(3), Decimal(61_800)) == 300
    assert by_symbol["ETHUSD-PERP.BINANCE"].contract_size == 10
    assert "GALAUSD-PERP.BINANCE" not in by_symbol, "it is being delivered"


def test_dated_contracts_have_an_expiry(testdata):
    body = (testdata / "wire/binance/samples/exchangeinfo/coinm_2021_with_delivery.json").read_bytes()
    instruments, problems = VENUE.parse_instruments(COIN_M, body)
    assert problems == ()
    dated = {i.symbol: i.expiry_ms for i in instruments if i.expiry_ms is not None}
    assert dated["BTCUSD-210924.BINANCE"] == 1632470400000
    assert all("-PERP" not in symbol for symbol in dated)


def test_a_row_without_a_status_is_told_and_left_out():
    row = {"symbol": "BTCUSD_PERP", "baseAsset": "BTC", "quoteAsset": "USD", "filters": []}
    instruments, problems = VENUE.parse_instruments(COIN_M, msgspec.json.encode({"symbols": [row]}))
    assert instruments == []
    assert "BTCUSD_PERP has no status" in problems[0]


def test_the_ticker_is_a_list_with_the_turnover_in_base(testdata):
    answers = msgspec.json.decode((testdata / "wire/binance/samples/rest_recorded_coinm.json").read_bytes())
    ticker = VENUE.parse_ticker(PERP, msgspec.json.encode(answers["GET /dapi/v1/ticker/24hr"]))
    assert (ticker.last_price, ticker.volume, ticker.volumeCcy) == (11571.1, 524192.0, 4536.69234186)
    for body in (b"[]", b'[{"lastPrice":"1","volume":"1","closeTime":1}]'):
        with pytest.raises(WireError, match="no ticker of BTCUSD-PERP"):
            VENUE.parse_ticker(PERP, body)


# -- facts ------------------------------------------------------------------------------------------------

ORDER = {
    "symbol": "BTCUSD_PERP", "pair": "BTCUSD", "orderId": 28, "clientOrderId": OID, "price": "61800.5",
    "origQty": "7", "executedQty": "4", "cumBase": "0.0065", "status": "PARTIALLY_FILLED", "timeInForce": "GTC",
    "type": "LIMIT", "side": "SELL", "reduceOnly": True, "updateTime": 9,
}  # fmt: skip


def test_the_average_follows_from_the_cost_in_base():
    (event,) = VENUE.parse_orders(COIN_M, "a", resolve, msgspec.json.encode(ORDER))
    assert (event.symbol, event.kind, event.filled) == ("BTCUSD-PERP.BINANCE", EventKind.FILLED, 4)
    assert event.average == Decimal(400) / Decimal("0.0065")
    (told,) = VENUE.parse_orders(COIN_M, "a", resolve, msgspec.json.encode(ORDER | {"avgPrice": "61538.4"}))
    assert told.average == Decimal("61538.4")
    (unknown,) = VENUE.parse_orders(COIN_M, "a", lambda _: None, msgspec.json.encode(ORDER))
    assert (unknown.symbol, unknown.average) == ("BTCUSD-PERP.BINANCE", None)


def test_a_reply_since_the_averages_went_is_read():
    reply = {k: v for k, v in ORDER.items() if k != "cumBase"} | {
        "cumQty": "4",
        "executedQty": "0",
        "status": "NEW",
    }
    events = VENUE.parse_order_reply(COIN_M, PERP, SUBMIT, msgspec.json.encode(reply), NOW_MS)
    assert [event.kind for event in events] == [EventKind.ACKED, EventKind.ACCEPTED]
    assert events[1].amount == 7


def test_executions_without_a_price_are_left_to_the_stream():
    """A guessed price would be told to the strategy, and of inverse contracts it could not be put right later."""
    reply = {k: v for k, v in ORDER.items() if k != "cumBase"} | {"status": "FILLED", "executedQty": "7"}
    (acked,) = VENUE.parse_order_reply(COIN_M, PERP, SUBMIT, msgspec.json.encode(reply), NOW_MS)
    assert (acked.kind, acked.eid, acked.filled) == (EventKind.ACKED, "28", None)
    priced = reply | {"avgPrice": "61800"}
    events = VENUE.parse_order_reply(COIN_M, PERP, SUBMIT, msgspec.json.encode(priced), NOW_MS)
    assert [(event.kind, event.filled) for event in events] == [
        (EventKind.ACKED, None),
        (EventKind.FILLED, 7),
    ]


def test_fills_are_in_contracts_and_their_fees_in_coin():
    row = {
        "symbol": "BTCUSD_260925", "id": 6, "orderId": 28, "pair": "BTCUSD", "side": "SELL", "price": "8800",
        "qty": "1", "baseQty": "0.01136364", "commission": "0.00000454", "commissionAsset": "BTC", "time": 3,
        "maker": True,
    }  # fmt: skip
    (event,) = VENUE.parse_fills(COIN_M, "a", OID, resolve, msgspec.json.encode([row]))
    assert (event.symbol, event.eid, event.source) == ("BTCUSD-260925.BINANCE", "28", Source.QUERY)
    assert event.fill == ev.Fill(
        trade_id="6", price=Decimal(8800), amount=Decimal(1), timestamp=3, fee=Decimal("0.00000454"),
        fee_currency="BTC", is_maker=True,
    )  # fmt: skip


def test_a_streamed_fill_is_in_contracts():
    order = {
        "s": "BTCUSD_PERP", "c": OID, "S": "BUY", "o": "LIMIT", "f": "GTC", "q": "7", "p": "61800", "ap": "61790",
        "x": "TRADE", "X": "PARTIALLY_FILLED", "i": 28, "l": "4", "z": "4", "L": "61790", "n": "0.000003",
        "N": "BTC", "T": 8, "t": 5, "m": False, "R": False, "ps": "BOTH", "ma": "BTC",
    }  # fmt: skip
    frame = {"e": "ORDER_TRADE_UPDATE", "E": 9, "T": 8, "i": "SfsR", "o": order}
    (event,) = VENUE.parse_user_event(COIN_M, "a", resolve, msgspec.json.encode(frame))
    assert (event.symbol, event.filled, event.average) == ("BTCUSD-PERP.BINANCE", 4, Decimal(61790))
    assert (event.fill.amount, event.fill.fee, event.fill.fee_currency) == (4, Decimal("0.000003"), "BTC")


def test_events_of_another_product_line_are_another_accounts():
    frame = {
        "e": "ACCOUNT_UPDATE",
        "E": 9,
        "T": 8,
        "fs": "UM",
        "a": {"B": [{"a": "USDT", "wb": "1"}], "P": []},
    }
    assert VENUE.parse_user_event(COIN_M, "a", resolve, msgspec.json.encode(frame)) == ()
    mine = VENUE.parse_user_event(COIN_M, "a", resolve, msgspec.json.encode(frame | {"fs": "CM"}))
    assert [(fact.asset, fact.wallet) for fact in mine] == [("USDT", "")]


def test_positions_and_balances_are_in_contracts_and_coins():
    rows = [
        {"symbol": "BTCUSD_PERP", "positionAmt": "-5", "entryPrice": "61000.1", "unRealizedProfit": "0.0001"}
    ]
    (position,) = VENUE.parse_positions("a", resolve, msgspec.json.encode(rows), 4)
    assert (position.symbol, position.signed_amount, position.entry_price) == (
        "BTCUSD-PERP.BINANCE", -5, Decimal("61000.1"),
    )  # fmt: skip
    (balance,) = VENUE.parse_balances("a", b'[{"asset":"BTC","balance":"0.0025"}]', 4)
    assert (balance.asset, balance.free, balance.wallet) == ("BTC", Decimal("0.0025"), "")
