"""What Binance declares: limits, paths, weights, and how spot and USD-M differ. Data, and one look-up."""

from __future__ import annotations

from collections.abc import Mapping
from typing import NamedTuple

import msgspec

from nexustrader.constants import (
    AccountType,
    DataType,
    ExchangeType,
    InstrumentType,
    KlineInterval,
    OrderType,
)
from nexustrader.error import EngineBuildError
from nexustrader.exchange.binance.constants import BinanceAccountType
from nexustrader.exchange.binance.errors import ERRORS
from nexustrader.venue.local_book import BookRule
from nexustrader.venue.spec import RateLimit, Request, Security, VenueSpec

EXCHANGE = ExchangeType.BINANCE
RECV_WINDOW_MS = 5_000
PROCESSING_MS_MAX = 10_000  # the venue gives up on its own backend after this
QUERY_LAG_MS_MAX = 10_000  # answers come from copies that follow the matching engine at a distance
INTERVAL_LETTERS_MS: Mapping[str, int] = {"S": 1_000, "M": 60_000, "H": 3_600_000, "D": 86_400_000}
BOOK_DEPTHS = ("5", "10", "20")  # streamed whole
LOCAL_BOOK_LEVELS = 50  # kept here from a snapshot and its changes
BOOK_LEVELS = (*BOOK_DEPTHS, str(LOCAL_BOOK_LEVELS))
SNAPSHOT_LEVELS = 1_000
FILLS_PAGE = 1_000

SPEC = VenueSpec(
    exchange=EXCHANGE,
    errors=ERRORS,
    recv_window_ms=RECV_WINDOW_MS,
    ack_timeout_ms=5_000,
    absence_horizon_ms=RECV_WINDOW_MS + PROCESSING_MS_MAX + QUERY_LAG_MS_MAX,
    query_lag_ms_max=QUERY_LAG_MS_MAX,
    subscribe_batch=50,
    subscribe_gap_ms=500,
    streams_per_socket=200,
    listen_key_keepalive_ms=1_200_000,
    topic_prefix=b'{"stream":"',
)


class Channel(NamedTuple):
    """A market stream: the route that carries it, and its name with a place for the detail."""

    route: str
    name: str


class Product(msgspec.Struct, frozen=True, kw_only=True):
    """What differs between spot and USD-M. Calls without parameters are complete requests."""

    instrument_type: InstrumentType
    is_futures: bool
    limits: tuple[RateLimit, ...]
    root: str
    fees: tuple[str, str]  # maker and taker of an account without discounts; the real ones are per account
    # asking
    server_time: Request
    exchange_info: Request
    balances: Request
    positions: Request | None = None
    position_mode: Request | None = None
    listen_key: Request | None = None
    book_rule: BookRule
    depth_weight: int  # of a snapshot with SNAPSHOT_LEVELS
    ticker_weight: int
    klines_weights: tuple[tuple[int, int], ...]  # (highest limit, weight), ascending
    query_weight: int
    open_orders_weights: tuple[int, int]  # of one symbol, of all
    fills: str
    fills_weights: tuple[int, int]  # of one order, of all
    # market streams
    channels: Mapping[DataType, Channel]
    intervals: frozenset[str]
    # commands
    order_types: Mapping[str, OrderType]  # the venue's word -> ours
    post_only: Mapping[str, str]  # parameters that make an order post-only
    response_type: str
    order_weight: int
    cancel_all: str


_INTERVALS = frozenset(interval.value for interval in KlineInterval if interval.seconds)


def _book_rule(*, exact: bool) -> BookRule:
    return BookRule(
        levels=LOCAL_BOOK_LEVELS,
        by_request=True,
        exact=exact,
        snapshot_levels=SNAPSHOT_LEVELS,
        refresh_below=SNAPSHOT_LEVELS // 4,
    )


_MARK_PRICE = Channel("/market/stream", "markPrice@1s")  # carries index price and funding rate too

SPOT = Product(
    instrument_type=InstrumentType.SPOT,
    is_futures=False,
    limits=(
        RateLimit("weight", 60_000, 6_000),
        RateLimit("orders", 10_000, 100),
        RateLimit("orders", 86_400_000, 200_000),
    ),
    root="/api/v3",
    fees=("0.001", "0.001"),
    server_time=Request("GET", "/api/v3/time"),
    exchange_info=Request("GET", "/api/v3/exchangeInfo", weight=20),
    balances=Request("GET", "/api/v3/account", (("omitZeroBalances", "true"),), Security.SIGNED, 20),
    book_rule=_book_rule(exact=False),
    depth_weight=50,
    ticker_weight=2,
    klines_weights=((1_000, 2),),
    query_weight=4,
    open_orders_weights=(6, 80),
    fills="myTrades",
    fills_weights=(5, 20),
    channels={
        DataType.BOOKL1: Channel("/stream", "bookTicker"),
        DataType.BOOKL2: Channel("/stream", "depth{}@100ms"),
        DataType.TRADE: Channel("/stream", "trade"),
        DataType.KLINE: Channel("/stream", "kline_{}"),
    },
    intervals=_INTERVALS,
    order_types={
        "LIMIT": OrderType.LIMIT,
        "MARKET": OrderType.MARKET,
        "LIMIT_MAKER": OrderType.POST_ONLY,
        "STOP_LOSS": OrderType.STOP_LOSS_MARKET,
        "STOP_LOSS_LIMIT": OrderType.STOP_LOSS_LIMIT,
        "TAKE_PROFIT": OrderType.TAKE_PROFIT_MARKET,
        "TAKE_PROFIT_LIMIT": OrderType.TAKE_PROFIT_LIMIT,
    },
    post_only={"type": "LIMIT_MAKER"},
    response_type="FULL",  # brings the fills with their trade ids, so the stream's copies are known as such
    order_weight=1,
    cancel_all="openOrders",
)

USD_M = Product(
    instrument_type=InstrumentType.LINEAR,
    is_futures=True,
    limits=(
        RateLimit("weight", 60_000, 2_400),
        RateLimit("orders", 10_000, 300),
        RateLimit("orders", 60_000, 1_200),
    ),
    root="/fapi/v1",
    fees=("0.0002", "0.0005"),
    server_time=Request("GET", "/fapi/v1/time"),
    exchange_info=Request("GET", "/fapi/v1/exchangeInfo"),
    balances=Request("GET", "/fapi/v3/balance", security=Security.SIGNED, weight=5),
    positions=Request("GET", "/fapi/v3/positionRisk", security=Security.SIGNED, weight=5),
    position_mode=Request("GET", "/fapi/v1/positionSide/dual", security=Security.SIGNED, weight=30),
    listen_key=Request("POST", "/fapi/v1/listenKey", security=Security.KEY),
    book_rule=_book_rule(exact=True),
    depth_weight=20,
    ticker_weight=1,
    klines_weights=((99, 1), (499, 2), (1_000, 5), (1_500, 10)),
    query_weight=1,
    open_orders_weights=(1, 40),
    fills="userTrades",
    fills_weights=(5, 5),
    channels={
        DataType.BOOKL1: Channel("/public/stream", "bookTicker"),
        DataType.BOOKL2: Channel("/public/stream", "depth{}@100ms"),
        DataType.TRADE: Channel("/market/stream", "aggTrade"),  # the only documented stream of trades
        DataType.KLINE: Channel("/market/stream", "kline_{}"),
        DataType.MARK_PRICE: _MARK_PRICE,
        DataType.INDEX_PRICE: _MARK_PRICE,
        DataType.FUNDING_RATE: _MARK_PRICE,
    },
    intervals=_INTERVALS - {"1s"},
    order_types={
        "LIMIT": OrderType.LIMIT,
        "MARKET": OrderType.MARKET,
        "STOP": OrderType.STOP_LOSS_LIMIT,
        "STOP_MARKET": OrderType.STOP_LOSS_MARKET,
        "TAKE_PROFIT": OrderType.TAKE_PROFIT_LIMIT,
        "TAKE_PROFIT_MARKET": OrderType.TAKE_PROFIT_MARKET,
    },
    post_only={"type": "LIMIT", "timeInForce": "GTX"},
    response_type="RESULT",  # final for MARKET, IOC and FOK; trade ids come by the stream only
    order_weight=0,
    cancel_all="allOpenOrders",
)

PRODUCTS: Mapping[AccountType, Product] = {
    BinanceAccountType.SPOT: SPOT,
    BinanceAccountType.SPOT_TESTNET: SPOT,
    BinanceAccountType.USD_M_FUTURE: USD_M,
    BinanceAccountType.USD_M_FUTURE_TESTNET: USD_M,
}


def product_of(account_type: AccountType) -> Product:
    """The product behind an account type. Raises EngineBuildError for one that no connector trades."""
    try:
        return PRODUCTS[account_type]
    except KeyError:
        known = ", ".join(member.value for member in PRODUCTS)
        raise EngineBuildError(
            f"there is no connector for Binance {account_type.value} yet; use one of {known}"
        ) from None
