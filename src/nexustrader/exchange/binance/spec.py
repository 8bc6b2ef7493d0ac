"""What Binance declares: limits, paths, weights, and how its products and accounts differ. Data only."""

from __future__ import annotations

from collections.abc import Mapping
from typing import NamedTuple

import msgspec
from msgspec.structs import replace

from nexustrader.constants import (
    AccountType,
    DataType,
    ExchangeType,
    InstrumentType,
    KlineInterval,
    OrderType,
)
from nexustrader.exchange.binance.constants import BinanceAccountType
from nexustrader.exchange.binance.errors import ERRORS
from nexustrader.venue.local_book import BookRule
from nexustrader.venue.spec import RateLimit, Request, Security, UserStreamKind, VenueSpec

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


class AlgoPaths(NamedTuple):
    """Where futures orders wait for a price."""

    order: str  # creates and cancels
    query: str
    open: str


class Product(msgspec.Struct, frozen=True, kw_only=True):
    """What is traded in one way: its public data, and commands and questions about orders."""

    instrument_type: InstrumentType
    is_futures: bool
    fees: tuple[str, str]  # maker and taker of an account without discounts; the real ones are per account
    # public data
    data: str  # the path that public calls begin with
    info_weight: int
    book_rule: BookRule
    depth_weight: int  # of a snapshot with SNAPSHOT_LEVELS
    ticker_weight: int
    klines_weights: tuple[tuple[int, int], ...]  # (highest limit, weight), ascending
    channels: Mapping[DataType, Channel]
    intervals: frozenset[str]
    # commands
    root: str  # the path that calls about orders begin with
    order_types: Mapping[str, OrderType]  # the venue's word -> ours
    post_only: Mapping[str, str]  # parameters that make an order post-only
    response_type: str
    order_weight: int
    batch_max: int = 1  # creates in one request
    order_places: int = 1  # that a create takes in the order-count limit ...
    places_by_effect: Mapping[str, int] = {}  # ... and with one of these `sideEffectType`
    cancel_weight: int = 1
    cancel_all: str
    cancel_all_weight: int = 1
    # questions about orders
    scope: tuple[tuple[str, str], ...] = ()  # parameters of every call about orders
    query_weight: int
    open_orders_weights: tuple[int, int | None]  # of one symbol, of all; None: only by symbol
    fills: str
    fills_weights: tuple[int, int]  # of one order, of all
    fills_by_order: bool = True
    algo: AlgoPaths | None = None


class Account(msgspec.Struct, frozen=True, kw_only=True):
    """What differs between account types. Calls without parameters are complete requests.

    `products` by the name that events give them ("fs"); events without one mean the first.
    """

    products: Mapping[str, Product]
    limits: tuple[RateLimit, ...]
    server_time: Request
    balances: Request
    positions: tuple[Request, ...] = ()
    position_mode: Request | None = None
    dead_man: str | None = None
    stream: UserStreamKind
    listen: Request | None = None  # fetches a listen key or token
    listen_route: str = ""
    public_types: tuple[AccountType, ...] = ()  # whose public data show the instruments; () means its own
    has_parted_wallets: bool = False  # an asset lies in several, and events do not say in which


_INTERVALS = frozenset(interval.value for interval in KlineInterval if interval.seconds)


def _book_rule(*, exact: bool) -> BookRule:
    return BookRule(
        levels=LOCAL_BOOK_LEVELS,
        by_request=True,
        exact=exact,
        snapshot_levels=SNAPSHOT_LEVELS,
        refresh_below=SNAPSHOT_LEVELS // 4,
    )


def _signed(path: str, weight: int, *params: tuple[str, str]) -> Request:
    return Request("GET", path, params, Security.SIGNED, weight)


# -- products -------------------------------------------------------------------------------------------

SPOT = Product(
    instrument_type=InstrumentType.SPOT,
    is_futures=False,
    fees=("0.001", "0.001"),
    data="/api/v3",
    info_weight=20,
    book_rule=_book_rule(exact=False),
    depth_weight=50,
    ticker_weight=2,
    klines_weights=((1_000, 2),),
    channels={
        DataType.BOOKL1: Channel("/stream", "bookTicker"),
        DataType.BOOKL2: Channel("/stream", "depth{}@100ms"),
        DataType.TRADE: Channel("/stream", "trade"),
        DataType.KLINE: Channel("/stream", "kline_{}"),
    },
    intervals=_INTERVALS,
    root="/api/v3",
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
    query_weight=4,
    open_orders_weights=(6, 80),
    fills="myTrades",
    fills_weights=(5, 20),
)

CROSS = replace(
    SPOT,
    root="/sapi/v1/margin",
    order_places=6,
    places_by_effect={"MARGIN_BUY": 1_500, "AUTO_BORROW_REPAY": 1_500},
    cancel_weight=10,
    query_weight=10,
    open_orders_weights=(10, 10),
    fills_weights=(10, 10),
)

ISOLATED = replace(CROSS, scope=(("isIsolated", "TRUE"),), open_orders_weights=(10, None))

_MARK_PRICE = Channel("/market/stream", "markPrice@1s")  # carries index price and funding rate too

USD_M = Product(
    instrument_type=InstrumentType.LINEAR,
    is_futures=True,
    fees=("0.0002", "0.0005"),
    data="/fapi/v1",
    info_weight=1,
    book_rule=_book_rule(exact=True),
    depth_weight=20,
    ticker_weight=1,
    klines_weights=((99, 1), (499, 2), (1_000, 5), (1_500, 10)),
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
    root="/fapi/v1",
    order_types={
        "LIMIT": OrderType.LIMIT,
        "MARKET": OrderType.MARKET,
        "STOP": OrderType.STOP_LOSS_LIMIT,
        "STOP_MARKET": OrderType.STOP_LOSS_MARKET,
        "TAKE_PROFIT": OrderType.TAKE_PROFIT_LIMIT,
        "TAKE_PROFIT_MARKET": OrderType.TAKE_PROFIT_MARKET,
    },
    post_only={"type": "LIMIT", "timeInForce": "GTX"},
    batch_max=5,
    response_type="RESULT",  # final for MARKET, IOC and FOK; trade ids come by the stream only
    order_weight=0,
    cancel_all="allOpenOrders",
    query_weight=1,
    open_orders_weights=(1, 40),
    fills="userTrades",
    fills_weights=(5, 5),
    algo=AlgoPaths("/fapi/v1/algoOrder", "/fapi/v1/algoOrder", "/fapi/v1/openAlgoOrders"),
)

COIN_M = replace(
    USD_M,
    instrument_type=InstrumentType.INVERSE,
    fees=("0.0001", "0.0005"),
    data="/dapi/v1",
    channels={kind: Channel("/stream", channel.name) for kind, channel in USD_M.channels.items()},
    root="/dapi/v1",
    algo=AlgoPaths("/dapi/v1/algoOrder", "/dapi/v1/algoOrder", "/dapi/v1/openAlgoOrders"),
)

PM_MARGIN = replace(
    SPOT,
    root="/papi/v1/margin",
    cancel_weight=2,
    cancel_all="allOpenOrders",
    cancel_all_weight=5,
    query_weight=10,
    open_orders_weights=(5, None),
    fills_weights=(5, 5),
)

PM_UM = replace(
    USD_M,
    root="/papi/v1/um",
    order_weight=1,
    batch_max=1,
    fills_by_order=False,
    algo=AlgoPaths("/papi/v1/um/algo/order", "/papi/v1/um/algo/algoOrder", "/papi/v1/um/algo/openAlgoOrders"),
)

PM_CM = replace(
    COIN_M,
    root="/papi/v1/cm",
    order_weight=1,
    batch_max=1,
    fills_weights=(20, 20),
    fills_by_order=False,
    algo=None,
)

# -- accounts -------------------------------------------------------------------------------------------

_SPOT = Account(
    products={"": SPOT},
    limits=(
        RateLimit("weight", 60_000, 6_000),
        RateLimit("orders", 10_000, 100),
        RateLimit("orders", 86_400_000, 200_000),
    ),
    server_time=Request("GET", "/api/v3/time"),
    balances=_signed("/api/v3/account", 20, ("omitZeroBalances", "true")),
    stream=UserStreamKind.TRADE_SOCKET,
)

_FUTURES_LIMITS = (  # USD-M and COIN-M count together
    RateLimit("weight", 60_000, 2_400),
    RateLimit("orders", 10_000, 300),
    RateLimit("orders", 60_000, 1_200),
)

_USD_M = Account(
    products={"UM": USD_M},
    limits=_FUTURES_LIMITS,
    server_time=Request("GET", "/fapi/v1/time"),
    balances=_signed("/fapi/v3/balance", 5),
    positions=(_signed("/fapi/v3/positionRisk", 5),),
    position_mode=_signed("/fapi/v1/positionSide/dual", 30),
    dead_man="/fapi/v1/countdownCancelAll",
    stream=UserStreamKind.LISTEN_KEY,
    listen=Request("POST", "/fapi/v1/listenKey", security=Security.KEY),
    listen_route="/private/ws/",
)

_COIN_M = Account(
    products={"CM": COIN_M},
    limits=_FUTURES_LIMITS,
    server_time=Request("GET", "/dapi/v1/time"),
    balances=_signed("/dapi/v1/balance", 1),
    positions=(_signed("/dapi/v1/positionRisk", 1),),
    position_mode=_signed("/dapi/v1/positionSide/dual", 30),
    dead_man="/dapi/v1/countdownCancelAll",
    stream=UserStreamKind.LISTEN_KEY,
    listen=Request("POST", "/dapi/v1/listenKey", security=Security.KEY),
    listen_route="/ws/",
)

_CROSS = Account(
    products={"": CROSS},
    limits=(  # the venue counts each call apart, and orders by their weight: here is one count of each
        RateLimit("weight", 60_000, 12_000),
        RateLimit("orders", 60_000, 180_000),
    ),
    server_time=_SPOT.server_time,
    balances=_signed("/sapi/v1/margin/account", 10),
    stream=UserStreamKind.LISTEN_TOKEN,
    listen=Request("POST", "/sapi/v1/userListenToken", security=Security.KEY),
    public_types=(BinanceAccountType.SPOT,),
)

_ISOLATED = replace(
    _CROSS,
    products={"": ISOLATED},
    balances=_signed("/sapi/v1/margin/isolated/account", 10),
    has_parted_wallets=True,
)

_PORTFOLIO = Account(
    products={"": PM_MARGIN, "UM": PM_UM, "CM": PM_CM},
    limits=(RateLimit("weight", 60_000, 6_000), RateLimit("orders", 60_000, 1_200)),
    server_time=Request("GET", "/fapi/v1/time"),
    balances=_signed("/papi/v1/balance", 20),
    positions=(_signed("/papi/v1/um/positionRisk", 5), _signed("/papi/v1/cm/positionRisk", 1)),
    position_mode=_signed("/papi/v1/um/positionSide/dual", 30),
    stream=UserStreamKind.LISTEN_KEY,
    listen=Request("POST", "/papi/v1/listenKey", security=Security.KEY),
    listen_route="/ws/",
    public_types=(
        BinanceAccountType.SPOT,
        BinanceAccountType.USD_M_FUTURE,
        BinanceAccountType.COIN_M_FUTURE,
    ),
)

ACCOUNTS: Mapping[AccountType, Account] = {
    BinanceAccountType.SPOT: _SPOT,
    BinanceAccountType.SPOT_TESTNET: _SPOT,
    BinanceAccountType.MARGIN: _CROSS,
    BinanceAccountType.ISOLATED_MARGIN: _ISOLATED,
    BinanceAccountType.USD_M_FUTURE: _USD_M,
    BinanceAccountType.USD_M_FUTURE_TESTNET: _USD_M,
    BinanceAccountType.COIN_M_FUTURE: _COIN_M,
    BinanceAccountType.COIN_M_FUTURE_TESTNET: _COIN_M,
    BinanceAccountType.PORTFOLIO_MARGIN: _PORTFOLIO,
}
