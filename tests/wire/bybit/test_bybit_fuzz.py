"""Whatever arrives, a parser returns or raises WireError: never anything else."""

from __future__ import annotations

from collections.abc import Callable
from decimal import Decimal
from typing import Any

import msgspec
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

import damage
from nexustrader.constants import DataType, ExchangeType, InstrumentType, OrderSide, OrderType
from nexustrader.domain import events as ev
from nexustrader.domain.instrument import Instrument
from nexustrader.error import WireError
from nexustrader.exchange.bybit import VENUE, BybitAccountType
from nexustrader.market.subscriptions import Stream

A = BybitAccountType
PERP = Instrument(
    symbol="BTCUSDT-PERP.BYBIT", venue_symbol="BTCUSDT", exchange=ExchangeType.BYBIT, type=InstrumentType.LINEAR,
    base="BTC", quote="USDT", settle="USDT", tick=Decimal("0.1"), lot=Decimal("0.001"), maker=Decimal(0),
    taker=Decimal(0),
)  # fmt: skip
OPTION = msgspec.structs.replace(PERP, type=InstrumentType.OPTION)
SUBMIT = ev.Submit(
    oid="1", account="a", symbol="x", side=OrderSide.BUY, type=OrderType.LIMIT, amount=Decimal(1), timestamp=1
)
COMMANDS: list[ev.Command] = [SUBMIT, ev.CancelAll(account="a", symbol="x", timestamp=1)]
STREAMS = [
    (PERP, Stream(DataType.BOOKL1, "s")),
    (PERP, Stream(DataType.BOOKL2, "s", "5")),
    (PERP, Stream(DataType.TRADE, "s")),
    (PERP, Stream(DataType.KLINE, "s", "1m")),
    (PERP, Stream(DataType.FUNDING_RATE, "s")),
    (OPTION, Stream(DataType.BOOKL1, "s")),
]

# -- one valid message of each kind, to be damaged -------------------------------------------------------

_ORDER = {
    "category": "linear", "symbol": "BTCUSDT", "orderId": "v1", "orderLinkId": "c1", "side": "Buy",
    "orderStatus": "Cancelled", "cancelType": "UNKNOWN", "rejectReason": "EC_NoError", "timeInForce": "PostOnly",
    "price": "69000", "qty": "0.01", "avgPrice": "", "cumExecQty": "0.005", "cumExecValue": "345",
    "orderType": "Limit", "stopOrderType": "Stop", "triggerDirection": 1, "reduceOnly": False, "marketUnit": "",
    "createdTime": "1700000000000", "updatedTime": "1700000000005",
}  # fmt: skip
_EXECUTION = {
    "category": "linear", "symbol": "BTCUSDT", "orderId": "v1", "orderLinkId": "", "side": "Buy", "execId": "e1",
    "execPrice": "69000", "execQty": "0.004", "execType": "Trade", "execTime": "1700000000010", "execFee": "0.15",
    "feeCurrency": "", "isMaker": True, "seq": 7, "orderType": "Market", "orderQty": "1", "orderPrice": "2",
}  # fmt: skip
_POSITION = {
    "category": "linear", "symbol": "BTCUSDT", "side": "Sell", "size": "0.006", "positionIdx": 0,
    "entryPrice": "96423.3", "avgPrice": "1", "unrealisedPnl": "-0.52",
}  # fmt: skip
_WALLET = {"coin": [{"coin": "USDT", "walletBalance": "1200", "spotBorrow": "200", "locked": "50"}]}
_SYMBOL = {
    "symbol": "BTCUSDT", "contractType": "LinearFutures", "status": "Trading", "baseCoin": "BTC",
    "quoteCoin": "USDT", "settleCoin": "USDT", "launchTime": "1", "deliveryTime": "1740000000000",
    "priceFilter": {"minPrice": "0.10", "maxPrice": "1", "tickSize": "0.10"},
    "lotSizeFilter": {"maxOrderQty": "1190", "minOrderQty": "0.001", "qtyStep": "0.001", "minNotionalValue": ""},
}  # fmt: skip
_BAR = {
    "start": 1, "end": 2, "interval": "1", "open": "1", "close": "1", "high": "1", "low": "1", "volume": "1",
    "turnover": "1", "confirm": True, "timestamp": 3,
}  # fmt: skip
_TICKER = {
    "symbol": "BTCUSDT", "markPrice": "100", "indexPrice": "101", "fundingRate": "-0.1", "nextFundingTime": "5",
    "bidPrice": "1", "bidSize": "2", "askPrice": "3", "askSize": "4",
}  # fmt: skip


def _answer(*rows: Any, category: str = "linear") -> dict[str, Any]:
    result = {"category": category, "list": list(rows), "nextPageCursor": "a%3A1"}
    return {"retCode": 0, "retMsg": "OK", "result": result, "retExtInfo": {}, "time": 5}


def _push(topic: str, *rows: Any) -> dict[str, Any]:
    return {"topic": topic, "id": "x", "creationTime": 1, "data": list(rows)}


_BOOK = {"s": "BTCUSDT", "b": [["1", "2"]], "a": [["3", "4"]], "u": 5, "seq": 6}
VALID: list[Any] = [
    {"topic": "orderbook.1.BTCUSDT", "type": "snapshot", "ts": 1, "data": _BOOK, "cts": 2},
    {
        "topic": "publicTrade.BTCUSDT", "type": "snapshot", "ts": 1,
        "data": [{"T": 1, "s": "BTCUSDT", "S": "Buy", "v": "1", "p": "2"}],
    },
    {"topic": "kline.1.BTCUSDT", "data": [_BAR], "ts": 1, "type": "snapshot"},
    {"topic": "tickers.BTCUSDT", "type": "snapshot", "data": _TICKER, "cs": 1, "ts": 1},
    _push("order", _ORDER),
    _push("execution", _EXECUTION),
    _push("position", _POSITION),
    _push("wallet", _WALLET),
    {"success": False, "ret_msg": "no", "op": "auth", "conn_id": "c", "req_id": "u1"},
    {"success": False, "data": {"failTopics": ["x"], "successTopics": []}, "type": "COMMAND_RESP"},
    {
        "reqId": "1-2", "retCode": 10006, "retMsg": "x", "op": "order.create", "data": {"orderId": "v1"},
        "header": {"X-Bapi-Limit-Reset-Timestamp": "5", "Timenow": "4"},
    },
    {"retCode": 10003, "retMsg": "Too many sessions", "result": {}, "time": 5},
    {"retCode": 0, "result": {"orderId": "v1", "orderLinkId": "c1"}, "time": 1},
    _answer(_ORDER),
    _answer(_EXECUTION),
    _answer(_POSITION),
    _answer(_WALLET),
    _answer(_SYMBOL),
    _answer(_SYMBOL | {"symbol": "BTCUSDH25"}, category="inverse"),
    _answer(["1738368000000", "1", "1", "1", "1", "1", "0"]),
    _answer({"symbol": "BTCUSDT", "lastPrice": "1", "volume24h": "1", "turnover24h": "1"}),
    {"retCode": 0, "result": {"timeSecond": "1", "timeNano": "1000000000"}, "time": 1},
]  # fmt: skip

# -- what is thrown at them ------------------------------------------------------------------------------


def resolve(key: str) -> Instrument | None:
    return PERP if key == "linear:BTCUSDT" else None


def decoders() -> list[tuple[str, Callable[[bytes], object]]]:
    deliver = {kind: (lambda _item: None) for kind in DataType}
    return [
        (f"{each.type.name} {stream.kind.name}", VENUE.decoder(A.LINEAR, stream, each, deliver, lambda: 1))
        for each, stream in STREAMS
    ]


REQUEST = VENUE.fills_since_request(A.LINEAR, PERP, 0)

PARSERS: list[tuple[str, Callable[[bytes], object]]] = [
    ("topic_of", VENUE.topic_of),
    ("control_problem", VENUE.control_problem),
    ("parse_ws_reply", VENUE.parse_ws_reply),
    *decoders(),
    *[
        (f"reply to {type(c).__name__}", lambda raw, c=c: VENUE.parse_order_reply(A.LINEAR, PERP, c, raw, 1))
        for c in COMMANDS
    ],
    *[
        (f"user {a.name}", lambda raw, a=a: VENUE.parse_user_event(a, "x", resolve, raw))
        for a in (A.UNIFIED, A.LINEAR)
    ],
    ("orders", lambda raw: VENUE.parse_orders(A.UNIFIED, "x", resolve, raw)),
    ("fills", lambda raw: VENUE.parse_fills(A.UNIFIED, "x", "1", resolve, raw)),
    *[
        (f"instruments {a.name}", lambda raw, a=a: VENUE.parse_instruments(a, raw))
        for a in (A.LINEAR, A.INVERSE)
    ],
    ("klines", lambda raw: VENUE.parse_klines(PERP, "1M", raw, 1)),
    ("ticker", lambda raw: VENUE.parse_ticker(PERP, raw)),
    ("server time", VENUE.parse_server_time),
    ("balances", lambda raw: VENUE.parse_balances("x", raw, 1)),
    ("positions", lambda raw: VENUE.parse_positions("x", resolve, raw, 1)),
    ("hedge mode", VENUE.parse_is_hedge_mode),
    ("next page", lambda raw: VENUE.next_page(REQUEST, raw)),
]

STRANGE = [*damage.STRANGE, "Untriggered", "Rejected", "spot"]


def assert_returns_or_refuses(raw: bytes) -> None:
    for name, parse in PARSERS:
        try:
            parse(raw)
        except WireError:
            continue
        except Exception as error:  # tidy: ok — the property is exactly that nothing else is raised
            pytest.fail(f"{name} raised {type(error).__name__}: {error} for {raw!r}")
    for status in (200, 403):
        VENUE.parse_rest_reply(status, {}, raw, 1)


def test_the_valid_messages_are_read_by_their_own_parser():
    """Else the damage below would start from messages that nobody reads."""
    accepted = set()
    for message in VALID:
        for name, parse in PARSERS:
            try:
                result = parse(msgspec.json.encode(message))
            except WireError:
                continue
            if result not in ((), [], ([], ())):
                accepted.add(name)
    assert accepted >= {name for name, _ in PARSERS} - {"reply to CancelAll"}


@settings(max_examples=100, deadline=None)
@given(st.binary(max_size=200))
def test_random_bytes(raw):
    assert_returns_or_refuses(raw)


def test_damaged_messages():
    for raw in damage.damaged(VALID, STRANGE, 1, 300):
        assert_returns_or_refuses(raw)


@pytest.mark.slow
@pytest.mark.timeout(3_600)
def test_damaged_messages_at_length():
    """`NEXUSTRADER_FUZZ_FRAMES` says how many."""
    for raw in damage.damaged(VALID, STRANGE, 2, damage.FRAMES):
        assert_returns_or_refuses(raw)


@pytest.mark.parametrize("opening", [b"[", b'{"topic":', b'{"data":', b'{"result":['])
def test_deep_nesting_ends_in_an_error_and_not_in_a_crash(opening):
    assert_returns_or_refuses(opening * 50_000)


@pytest.mark.slow
def test_a_mistake_of_every_single_field_is_survived():
    for raw in damage.mistakes(VALID, STRANGE):
        assert_returns_or_refuses(raw)


@given(
    status=st.integers(100, 599),
    headers=st.dictionaries(
        st.sampled_from(["x-bapi-limit-reset-timestamp", "X-Bapi-Limit-Reset-Timestamp", "timenow"]),
        st.sampled_from(["", "x", "-1", "1754000000500", "9" * 15, "9" * 40, "١٢", "1.5"]),
        max_size=3,
    ),
    code=st.sampled_from([0, 10006, 10003, 170222, 999999]),
)
@settings(max_examples=60, deadline=None)
def test_a_rest_reply_is_always_classified(status, headers, code):
    reply = VENUE.parse_rest_reply(status, headers, msgspec.json.encode({"retCode": code}), 1_754_000_000_000)
    assert reply.ok is (200 <= status < 300 and code == 0)
    assert reply.retry_after_ms is None or 0 <= reply.retry_after_ms <= 3_600_000
