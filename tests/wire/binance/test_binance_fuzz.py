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
from nexustrader.exchange.binance import VENUE, BinanceAccountType
from nexustrader.market.subscriptions import Stream

TYPES = [member for member in BinanceAccountType if not (member.is_mock or member.is_testnet)]
PUBLIC = [member for member in TYPES if not member.is_portfolio_margin]
ISOLATED = BinanceAccountType.ISOLATED_MARGIN
PERP = Instrument(
    symbol="BTCUSDT-PERP.BINANCE", venue_symbol="BTCUSDT", exchange=ExchangeType.BINANCE,
    type=InstrumentType.LINEAR, base="BTC", quote="USDT", settle="USDT", tick=Decimal("0.1"),
    lot=Decimal("0.001"), maker=Decimal(0), taker=Decimal(0),
)  # fmt: skip
SUBMIT = ev.Submit(
    oid="1", account="a", symbol="x", side=OrderSide.BUY, type=OrderType.LIMIT, amount=Decimal(1), timestamp=1
)
COMMANDS: list[ev.Command] = [
    SUBMIT,
    ev.Cancel(oid="1", account="a", symbol="x", timestamp=1),
    ev.Amend(oid="1", account="a", symbol="x", side=OrderSide.BUY, timestamp=1),
    ev.CancelAll(account="a", symbol="x", timestamp=1),
]
STREAMS = [
    Stream(DataType.BOOKL1, "s"),
    Stream(DataType.BOOKL2, "s", "5"),
    Stream(DataType.TRADE, "s"),
    Stream(DataType.KLINE, "s", "1m"),
    Stream(DataType.FUNDING_RATE, "s"),
]

# -- one valid message of each kind, to be damaged -------------------------------------------------------

_ORDER = {
    "symbol": "BTCUSDT", "orderId": 28, "clientOrderId": "a", "origClientOrderId": "b", "price": "61800.0",
    "origQty": "0.02", "executedQty": "0.01", "avgPrice": "61800", "cummulativeQuoteQty": "618", "status": "EXPIRED",
    "timeInForce": "IOC", "type": "LIMIT", "side": "BUY", "time": 5, "updateTime": 6, "reduceOnly": False,
    "fills": [{"price": "1", "qty": "2", "commission": "0", "commissionAsset": "BNB", "tradeId": 5}],
}  # fmt: skip
_EVENT = {
    "s": "BTCUSDT", "c": "a", "S": "BUY", "o": "LIMIT", "f": "GTC", "q": "1", "p": "2", "x": "TRADE",
    "X": "FILLED", "i": 5, "T": 6, "l": "1", "z": "1", "L": "2", "n": "0.1", "N": "BNB", "t": 7, "m": True,
    "Z": "2", "C": "", "r": "NONE", "ap": "2", "R": False, "er": "0",
}  # fmt: skip
_BAR = {
    "t": 1,
    "T": 2,
    "o": "1",
    "c": "1",
    "h": "1",
    "l": "1",
    "v": "1",
    "q": "1",
    "V": "1",
    "Q": "1",
    "x": True,
}
_FILTERS = [
    {"filterType": "PRICE_FILTER", "minPrice": "1", "maxPrice": "2", "tickSize": "0.1"},
    {"filterType": "LOT_SIZE", "minQty": "1", "maxQty": "2", "stepSize": "0.1"},
    {"filterType": "NOTIONAL", "minNotional": "5.0", "applyMinToMarket": True},
]
_HELD = {"asset": "A", "free": "1", "locked": "2", "borrowed": "0"}
VALID: list[Any] = [
    {"stream": "a@bookTicker", "data": {"b": "1", "B": "2", "a": "3", "A": "4", "T": 5}},
    {"stream": "a@depth5@100ms", "data": {"T": 5, "b": [["1", "2"]], "a": [], "bids": [["1", "2"]], "asks": []}},
    {"stream": "a@trade", "data": {"p": "1", "q": "2", "T": 5, "m": True}},
    {"stream": "a@kline_1m", "data": {"E": 5, "k": _BAR}},
    {"stream": "a@markPrice@1s", "data": {"E": 5, "p": "1", "i": "2", "r": "0.1", "T": 6}},
    {"subscriptionId": 0, "event": {"e": "executionReport", **_EVENT}},
    {"e": "ORDER_TRADE_UPDATE", "E": 1, "T": 1, "o": _EVENT},
    {"e": "ACCOUNT_UPDATE", "E": 1, "T": 1, "a": {
        "m": "ORDER", "B": [{"a": "BNB", "wb": "1"}], "P": [{"s": "X", "pa": "1", "ep": "2", "up": "3", "ps": "LONG"}],
    }},
    {"e": "outboundAccountPosition", "E": 1, "u": 1, "B": [{"a": "BNB", "f": "1", "l": "2"}]},
    {"id": "1", "status": 200, "result": _ORDER, "rateLimits": []},
    {"id": None, "status": 429, "error": {"code": -1003, "msg": "x", "data": {"serverTime": 1, "retryAfter": 2}}},
    {"code": -2010, "msg": "Duplicate order sent."},
    _ORDER,
    [_ORDER, {"orderReports": [_ORDER]}],
    [{"id": 5, "orderId": 6, "symbol": "X", "price": "1", "qty": "2", "time": 7, "commission": "0", "maker": True}],
    {"symbols": [{"symbol": "X", "status": "TRADING", "baseAsset": "A", "quoteAsset": "B", "filters": _FILTERS}]},
    [[1, "1", "1", "1", "1", "1", 2, "1", 3, "1", "1", "0"]],
    {"lastPrice": "1", "volume": "1", "quoteVolume": "1", "closeTime": 5},
    {"serverTime": 5},
    {"balances": [{"asset": "A", "free": "1", "locked": "2"}]},
    [{"asset": "A", "balance": "1"}],
    [{"symbol": "X", "positionAmt": "1", "entryPrice": "2", "unRealizedProfit": "3", "positionSide": "BOTH"}],
    {"dualSidePosition": True},
    {"listenKey": "abc"},
    {"token": "a+b/c=", "expirationTime": 5},
    _ORDER | {"avgPrice": "0", "cummulativeQuoteQty": None, "cumBase": "0.5", "orderId": "28"},
    {"e": "ORDER_TRADE_UPDATE", "fs": "CM", "E": 1, "T": 1, "o": _EVENT},
    {"symbols": [{"symbol": "X_PERP", "contractStatus": "TRADING", "contractSize": 100, "baseAsset": "X",
                  "quoteAsset": "USD", "marginAsset": "X", "filters": _FILTERS}]},
    [{"lastPrice": "1", "volume": "1", "baseVolume": "1", "closeTime": 5}],
    {"userAssets": [_HELD]},
    {"assets": [{"symbol": "AB", "baseAsset": _HELD, "quoteAsset": _HELD, "enabled": True}]},
    [{"asset": "A", "crossMarginFree": "1", "crossMarginLocked": "2", "umWalletBalance": "3", "cmWalletBalance": "4"}],
]  # fmt: skip

# -- what is thrown at them ------------------------------------------------------------------------------


def resolve(symbol: str) -> Instrument | None:
    return PERP if symbol.startswith("BTCUSDT") else None


def decoders() -> list[tuple[str, Callable[[bytes], object]]]:
    deliver = {kind: (lambda _item: None) for kind in DataType}
    return [
        (
            f"{account_type.name} {stream.kind.name}",
            VENUE.decoder(account_type, stream, PERP, deliver, lambda: 1),
        )
        for account_type in TYPES
        for stream in STREAMS
        if not (account_type.is_spot_or_margin and stream.kind is DataType.FUNDING_RATE)
    ]


def replies() -> list[tuple[str, Callable[[bytes], object]]]:
    return [
        (
            f"reply to {type(command).__name__} {account_type.name}",
            lambda raw, a=account_type, c=command: VENUE.parse_order_reply(a, PERP, c, raw, 1),
        )
        for account_type in TYPES
        for command in COMMANDS
    ]


PARSERS: list[tuple[str, Callable[[bytes], object]]] = [
    ("topic_of", VENUE.topic_of),
    ("control_problem", VENUE.control_problem),
    ("parse_ws_reply", VENUE.parse_ws_reply),
    *decoders(),
    *replies(),
    *[(f"user {a.name}", lambda raw, a=a: VENUE.parse_user_event(a, "x", resolve, raw)) for a in TYPES],
    *[(f"orders {a.name}", lambda raw, a=a: VENUE.parse_orders(a, "x", resolve, raw)) for a in TYPES],
    *[(f"fills {a.name}", lambda raw, a=a: VENUE.parse_fills(a, "x", "1", resolve, raw)) for a in TYPES],
    *[(f"instruments {a.name}", lambda raw, a=a: VENUE.parse_instruments(a, raw)) for a in PUBLIC],
    ("klines", lambda raw: VENUE.parse_klines(PERP, "1m", raw, 1)),
    ("ticker", lambda raw: VENUE.parse_ticker(PERP, raw)),
    ("server time", VENUE.parse_server_time),
    ("balances", lambda raw: VENUE.parse_balances("x", raw, 1)),
    ("positions", lambda raw: VENUE.parse_positions("x", resolve, raw, 1)),
    ("hedge mode", VENUE.parse_is_hedge_mode),
    ("listen key", VENUE.parse_listen_key),
    ("listen token", VENUE.parse_listen_token),
    ("listen token requests", lambda raw: VENUE.listen_token_requests(ISOLATED, raw)),
]


@st.composite
def damaged(draw: st.DrawFn) -> bytes:
    return next(damage.damaged(VALID, damage.STRANGE, draw(st.integers(0, 2**32)), 1))


def assert_returns_or_refuses(raw: bytes) -> None:
    for name, parse in PARSERS:
        try:
            result = parse(raw)
            if isinstance(result, list | tuple):
                msgspec.json.encode([item for item in result if isinstance(item, ev.OrderEvent)])
        except WireError:
            continue
        except Exception as error:  # tidy: ok — the property is exactly that nothing else is raised
            pytest.fail(f"{name} raised {type(error).__name__}: {error} for {raw!r}")
    for status in (200, 400, 503):
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
            if result != () and result != []:
                accepted.add(name)
    assert accepted >= {name for name, _ in PARSERS}


@settings(max_examples=150, deadline=None)
@given(st.binary(max_size=200))
def test_random_bytes(raw):
    assert_returns_or_refuses(raw)


@settings(max_examples=150, deadline=None)
@given(damaged())
def test_damaged_messages(raw):
    assert_returns_or_refuses(raw)


@pytest.mark.slow
@pytest.mark.timeout(3_600)
def test_damaged_messages_at_length():
    """`NEXUSTRADER_FUZZ_FRAMES` says how many."""
    for raw in damage.damaged(VALID, damage.STRANGE, 2, damage.FRAMES):
        assert_returns_or_refuses(raw)


@pytest.mark.parametrize("opening", [b"[", b'{"e":', b'{"data":', b'{"a":['])
def test_deep_nesting_ends_in_an_error_and_not_in_a_crash(opening):
    assert_returns_or_refuses(opening * 50_000)


@pytest.mark.slow
def test_a_mistake_of_every_single_field_is_survived():
    for raw in damage.mistakes(VALID, damage.STRANGE):
        assert_returns_or_refuses(raw)


@given(
    status=st.integers(100, 599),
    headers=st.dictionaries(
        st.sampled_from(
            ["retry-after", "x-mbx-used-weight-1m", "x-mbx-order-count-10s", "x-mbx-used-weight-"]
        )
        | st.text(max_size=20),
        st.text(max_size=20) | st.integers().map(str),
        max_size=4,
    ),
    body=st.binary(max_size=100) | damaged(),
)
@settings(max_examples=40, deadline=None)
def test_a_rest_reply_is_always_classified(status, headers, body):
    reply = VENUE.parse_rest_reply(status, headers, body, 1_754_000_000_000)
    assert reply.ok is (200 <= status < 300 and reply.ok)
    assert reply.retry_after_ms is None or 0 <= reply.retry_after_ms <= 604_800_000
    assert len(reply.message) <= 400
    for _pool, interval_ms, used in VENUE.used_limits(headers):
        assert interval_ms >= 0
        assert used >= 0
