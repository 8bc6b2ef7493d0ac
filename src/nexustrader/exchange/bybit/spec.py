"""What Bybit declares: limits, topics, intervals, and how its four categories differ. Data, and look-ups."""

from __future__ import annotations

from collections.abc import Mapping

import msgspec

from nexustrader.constants import AccountType, DataType, ExchangeType, InstrumentType
from nexustrader.domain.instrument import Instrument
from nexustrader.error import EngineBuildError, WireError
from nexustrader.exchange.bybit.constants import BybitAccountType
from nexustrader.exchange.bybit.errors import ERRORS
from nexustrader.venue.spec import RateLimit, VenueSpec

EXCHANGE = ExchangeType.BYBIT
RECV_WINDOW_MS = 5_000
PROCESSING_MS_MAX = 10_000  # accepted, and not yet seen by the matching engine
QUERY_LAG_MS_MAX = 5_000
DAY_MS = 86_400_000
FILLS_WINDOW_MS = 7 * DAY_MS  # the longest stretch of executions that one question may cover

SPEC = VenueSpec(
    exchange=EXCHANGE,
    errors=ERRORS,
    client_id_unique_forever=True,
    recv_window_ms=RECV_WINDOW_MS,
    ack_timeout_ms=5_000,
    absence_horizon_ms=RECV_WINDOW_MS + PROCESSING_MS_MAX + QUERY_LAG_MS_MAX,
    query_lag_ms_max=QUERY_LAG_MS_MAX,
    subscribe_batch=10,  # what spot takes at once
    subscribe_gap_ms=100,
    streams_per_socket=200,  # the names of all topics of a socket together have 21,000 characters at most
    topic_prefix=b'{"topic":"',
    ping_frame=b'{"op":"ping"}',
    ping_interval_ms=20_000,
)


class Product(msgspec.Struct, frozen=True, kw_only=True):
    """What differs between the categories."""

    category: str
    instrument_type: InstrumentType
    orders_per_s: int
    batch_max: int = 20  # creates in one request
    fees: tuple[str, str]  # maker and taker of an account without discounts; the real ones are per account
    topics: Mapping[DataType, str]
    intervals: Mapping[str, str]  # ours -> the venue's
    depths: Mapping[str, str]  # levels of a book -> the depth of the topic that it is cut from
    settles: tuple[str, ...] = ("",)  # what a question about all symbols has to name, one after the other

    @property
    def pool(self) -> str:
        return f"orders:{self.category}"


_INTERVALS: Mapping[str, str] = {
    "1m": "1", "3m": "3", "5m": "5", "15m": "15", "30m": "30", "1h": "60", "2h": "120", "4h": "240", "6h": "360",
    "12h": "720", "1d": "D", "1w": "W", "1M": "M",
}  # fmt: skip
_DEPTHS = dict.fromkeys(("5", "10", "20", "50"), "50")
_TICKER = "tickers.{symbol}"
_TOPICS: Mapping[DataType, str] = {
    DataType.BOOKL1: "orderbook.1.{symbol}",
    DataType.BOOKL2: "orderbook.{detail}.{symbol}",
    DataType.TRADE: "publicTrade.{symbol}",
    DataType.KLINE: "kline.{detail}.{symbol}",
}
_FUTURES_TOPICS: Mapping[DataType, str] = {
    **_TOPICS,
    DataType.MARK_PRICE: _TICKER,
    DataType.INDEX_PRICE: _TICKER,
    DataType.FUNDING_RATE: _TICKER,
}

SPOT = Product(
    category="spot",
    instrument_type=InstrumentType.SPOT,
    orders_per_s=20,
    batch_max=10,
    fees=("0.001", "0.001"),
    topics=_TOPICS,
    intervals=_INTERVALS,
    depths=_DEPTHS,
)
LINEAR = Product(
    category="linear",
    instrument_type=InstrumentType.LINEAR,
    orders_per_s=10,
    fees=("0.0002", "0.00055"),
    topics=_FUTURES_TOPICS,
    intervals=_INTERVALS,
    depths=_DEPTHS,
    settles=("USDT", "USDC"),
)
INVERSE = Product(
    category="inverse",
    instrument_type=InstrumentType.INVERSE,
    orders_per_s=10,
    fees=("0.0002", "0.00055"),
    topics=_FUTURES_TOPICS,
    intervals=_INTERVALS,
    depths=_DEPTHS,
)
OPTION = Product(
    category="option",
    instrument_type=InstrumentType.OPTION,
    orders_per_s=10,
    fees=("0.0002", "0.0003"),
    topics={
        DataType.BOOKL1: _TICKER,  # there is no book of one level
        DataType.BOOKL2: "orderbook.{detail}.{symbol}",
        DataType.TRADE: "publicTrade.{base}",
        DataType.MARK_PRICE: _TICKER,
        DataType.INDEX_PRICE: _TICKER,
    },
    intervals={},
    depths={"5": "25", "10": "25", "20": "25", "50": "100"},
)
OPTION_BASES = ("BTC", "ETH", "SOL", "XRP", "DOGE", "MNT")  # each has a list of its own

PRODUCTS = (SPOT, LINEAR, INVERSE, OPTION)
BY_CATEGORY: Mapping[str, Product] = {product.category: product for product in PRODUCTS}
_BY_TYPE: Mapping[InstrumentType, Product] = {product.instrument_type: product for product in PRODUCTS}

_Traded = Mapping[AccountType, tuple[Product, ...]]
_LIVE: _Traded = {BybitAccountType[product.category.upper()]: (product,) for product in PRODUCTS}
_TESTNET: _Traded = {
    BybitAccountType[f"{product.category.upper()}_TESTNET"]: (product,) for product in PRODUCTS
}

PUBLIC_TYPES: Mapping[AccountType, tuple[AccountType, ...]] = {
    BybitAccountType.UNIFIED: tuple(_LIVE),
    BybitAccountType.UNIFIED_DEMO: tuple(_LIVE),
    BybitAccountType.UNIFIED_TESTNET: tuple(_TESTNET),
}
_TRADED: _Traded = {**dict.fromkeys(PUBLIC_TYPES, PRODUCTS), **_LIVE, **_TESTNET}


def products_of(account_type: AccountType) -> tuple[Product, ...]:
    """What an account trades. Raises EngineBuildError for a type that no connector serves."""
    try:
        return _TRADED[account_type]
    except KeyError:
        known = ", ".join(member.value for member in _TRADED)
        raise EngineBuildError(
            f"there is no connector for Bybit {account_type.value}; use one of {known}"
        ) from None


def product_asked(account_type: AccountType, category: str) -> Product:
    """The product of an answer, which names its category unless the account has but one. Raises WireError."""
    products = products_of(account_type)
    named = [product for product in products if product.category == category]
    if len(named or products) != 1 or (category and not named):
        raise WireError(
            f"an answer of the category {category!r} was not asked for. Nothing is concluded from it"
        )
    return (named or products)[0]


def product_of(instrument: Instrument) -> Product:
    return _BY_TYPE[instrument.type]


def key_of(instrument: Instrument) -> str:
    """Category and symbol: symbols repeat between categories."""
    return f"{product_of(instrument).category}:{instrument.venue_symbol}"


def rate_limits(account_type: AccountType) -> tuple[RateLimit, ...]:
    """Of the IP, and of creates in each category; cancels and amendments have room of their own.

    One account has all categories, whichever part of it a type names: so the limits are the same for all types.
    """
    products_of(account_type)
    creates = (RateLimit(product.pool, 1_000, product.orders_per_s) for product in PRODUCTS)
    return (RateLimit("weight", 5_000, 600), *creates)
