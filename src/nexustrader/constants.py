"""Vocabulary of the public surface: enums, the status table, and readers of the settings.

Light on purpose (everything imports it): on import nothing is read or created but what `settings` says.
"""

from __future__ import annotations

import sys
from enum import Enum
from typing import Literal, NotRequired, TypedDict

from nexustrader._server_settings import get_postgresql_config, get_redis_config
from nexustrader._settings import settings

__all__ = [
    "BACKEND_LITERAL",
    "STATUS_TRANSITIONS",
    "AccountType",
    "AlgoOrderStatus",
    "BookLevel",
    "ConfigType",
    "DataType",
    "EventType",
    "ExchangeType",
    "InstrumentType",
    "IntervalType",
    "KlineInterval",
    "LogColor",
    "OptionType",
    "OrderSide",
    "OrderStatus",
    "OrderType",
    "ParamBackend",
    "PositionSide",
    "RateLimiter",
    "RateLimiterSync",
    "StorageType",
    "SubmitType",
    "TimeInForce",
    "TradingState",
    "TriggerType",
    "WsOrderResultType",
    "get_postgresql_config",
    "get_redis_config",
    "is_sphinx_build",
    "settings",
]

IntervalType = Literal[
    "1s", "1m", "3m", "5m", "15m", "30m", "1h", "2h", "4h", "6h", "8h", "12h", "1d", "3d", "1w", "1M"
]
BACKEND_LITERAL = Literal["memory", "redis"]


class ConfigType(TypedDict):
    """Credentials of one venue in the shape that ccxt takes."""

    apiKey: str
    secret: str
    exchange_id: str
    sandbox: bool
    password: NotRequired[str]


class RateLimiter:
    """Marks a venue's asynchronous rate limiter."""


class RateLimiterSync:
    """Marks a venue's synchronous rate limiter."""


def is_sphinx_build() -> bool:
    """Return True while the documentation is being built."""
    return "sphinx" in sys.modules


class LogColor(Enum):
    """ANSI colours of log messages."""

    NORMAL = ""
    GREEN = "\033[92m"
    BLUE = "\033[94m"
    MAGENTA = "\033[95m"
    CYAN = "\033[96m"
    YELLOW = "\033[1;33m"
    RED = "\033[1;31m"


class BookLevel(Enum):
    """Depth of a book subscription."""

    L5 = "5"
    L10 = "10"
    L20 = "20"
    L50 = "50"


class KlineInterval(Enum):
    """Length of a bar. A month counts 30 days; VOLUME bars have no length and count 0."""

    SECOND_1 = "1s"
    MINUTE_1 = "1m"
    MINUTE_3 = "3m"
    MINUTE_5 = "5m"
    MINUTE_15 = "15m"
    MINUTE_30 = "30m"
    HOUR_1 = "1h"
    HOUR_2 = "2h"
    HOUR_4 = "4h"
    HOUR_6 = "6h"
    HOUR_8 = "8h"
    HOUR_12 = "12h"
    DAY_1 = "1d"
    DAY_3 = "3d"
    WEEK_1 = "1w"
    MONTH_1 = "1M"
    VOLUME = "volume"

    @property
    def seconds(self) -> int:
        return 0 if self is KlineInterval.VOLUME else int(self.value[:-1]) * _UNIT_SECONDS[self.value[-1]]

    @property
    def milliseconds(self) -> int:
        return self.seconds * 1_000

    @property
    def microseconds(self) -> int:
        return self.seconds * 1_000_000

    @property
    def nanoseconds(self) -> int:
        return self.seconds * 1_000_000_000


_UNIT_SECONDS = {"s": 1, "m": 60, "h": 3_600, "d": 86_400, "w": 604_800, "M": 2_592_000}


class SubmitType(Enum):
    """What an order submission asks for."""

    CREATE = 0
    CANCEL = 1
    TWAP = 2
    CANCEL_TWAP = 3
    VWAP = 4
    CANCEL_VWAP = 5
    TAKE_PROFIT_AND_STOP_LOSS = 6
    MODIFY = 7
    CANCEL_ALL = 8
    BATCH = 9
    CREATE_WS = 10
    CANCEL_WS = 11


class EventType(Enum):
    """Kind of a market data event."""

    BOOKL1 = 0
    TRADE = 1
    KLINE = 2
    MARK_PRICE = 3
    FUNDING_RATE = 4
    INDEX_PRICE = 5


class AlgoOrderStatus(Enum):
    """Status of an algorithmic order."""

    RUNNING = "RUNNING"
    CANCELING = "CANCELING"
    FINISHED = "FINISHED"
    CANCELED = "CANCELED"
    FAILED = "FAILED"


class OrderStatus(Enum):
    """Public status of an order. The inner table in `domain.order_state` is richer and maps down to these."""

    INITIALIZED = "INITIALIZED"
    FAILED = "FAILED"
    CANCEL_FAILED = "CANCEL_FAILED"
    PENDING = "PENDING"
    CANCELING = "CANCELING"
    ACCEPTED = "ACCEPTED"
    PARTIALLY_FILLED = "PARTIALLY_FILLED"
    FILLED = "FILLED"
    CANCELED = "CANCELED"
    EXPIRED = "EXPIRED"


class ExchangeType(Enum):
    """Venues."""

    BINANCE = "binance"
    OKX = "okx"
    BYBIT = "bybit"
    HYPERLIQUID = "hyperliquid"
    BITGET = "bitget"
    BYBIT_TRADFI = "bybit_tradfi"


class AccountType(Enum):
    """Base of every venue's own account enum, without members. Members are told apart by their names."""

    @property
    def is_testnet(self) -> bool:
        """True for accounts that hold no real money at the venue (testnet and demo)."""
        return self.name.endswith(("TESTNET", "DEMO"))

    @property
    def is_mock(self) -> bool:
        return self.name.endswith("_MOCK")

    @property
    def is_linear_mock(self) -> bool:
        return self.name == "LINEAR_MOCK"

    @property
    def is_inverse_mock(self) -> bool:
        return self.name == "INVERSE_MOCK"

    @property
    def is_spot_mock(self) -> bool:
        return self.name == "SPOT_MOCK"


class OrderType(Enum):
    """Kind of an order."""

    MARKET = "MARKET"
    LIMIT = "LIMIT"
    TAKE_PROFIT_MARKET = "TAKE_PROFIT_MARKET"
    TAKE_PROFIT_LIMIT = "TAKE_PROFIT_LIMIT"
    STOP_LOSS_MARKET = "STOP_LOSS_MARKET"
    STOP_LOSS_LIMIT = "STOP_LOSS_LIMIT"
    POST_ONLY = "POST_ONLY"

    is_market: (
        bool  # MARKET and the triggered markets; an attribute, because the order path asks several times
    )
    is_triggered: bool  # waits at the venue until a price is reached

    def __init__(self, value: str) -> None:
        self.is_market = value.endswith("MARKET")
        self.is_triggered = value.startswith(("TAKE_PROFIT", "STOP_LOSS"))

    @property
    def is_take_profit(self) -> bool:
        return self in (OrderType.TAKE_PROFIT_MARKET, OrderType.TAKE_PROFIT_LIMIT)

    @property
    def is_stop_loss(self) -> bool:
        return self in (OrderType.STOP_LOSS_MARKET, OrderType.STOP_LOSS_LIMIT)

    @property
    def is_limit(self) -> bool:
        """True for LIMIT and the triggered limits, not for POST_ONLY."""
        return self in (OrderType.LIMIT, OrderType.TAKE_PROFIT_LIMIT, OrderType.STOP_LOSS_LIMIT)

    @property
    def is_post_only(self) -> bool:
        return self is OrderType.POST_ONLY


class TriggerType(Enum):
    """Price that sets off a triggered order."""

    LAST_PRICE = "LAST_PRICE"
    MARK_PRICE = "MARK_PRICE"
    INDEX_PRICE = "INDEX_PRICE"


class OrderSide(Enum):
    """Direction of an order or trade."""

    BUY = "BUY"
    SELL = "SELL"

    @property
    def is_buy(self) -> bool:
        return self is OrderSide.BUY

    @property
    def is_sell(self) -> bool:
        return self is OrderSide.SELL


class TimeInForce(Enum):
    """How long an order stays."""

    GTC = "GTC"
    IOC = "IOC"
    FOK = "FOK"


class PositionSide(Enum):
    """Side of a position."""

    LONG = "LONG"
    SHORT = "SHORT"
    FLAT = "FLAT"

    @property
    def is_long(self) -> bool:
        return self is PositionSide.LONG

    @property
    def is_short(self) -> bool:
        return self is PositionSide.SHORT

    @property
    def is_flat(self) -> bool:
        return self is PositionSide.FLAT


class InstrumentType(Enum):
    """Kind of an instrument."""

    SPOT = "spot"
    MARGIN = "margin"
    FUTURE = "future"
    OPTION = "option"
    SWAP = "swap"
    LINEAR = "linear"
    INVERSE = "inverse"


class OptionType(Enum):
    """Right of an option."""

    CALL = "call"
    PUT = "put"


class DataType(Enum):
    """Kind of a market data stream."""

    BOOKL1 = "bookl1"
    BOOKL2 = "bookl2"
    TRADE = "trade"
    KLINE = "kline"
    VOLUME_KLINE = "volume_kline"
    MARK_PRICE = "mark_price"
    FUNDING_RATE = "funding_rate"
    INDEX_PRICE = "index_price"


class StorageType(Enum):
    """Where state is kept."""

    SQLITE = "sqlite"
    POSTGRESQL = "postgresql"


class ParamBackend(Enum):
    """Where strategy parameters are kept."""

    MEMORY = "memory"
    REDIS = "redis"


class WsOrderResultType(str, Enum):
    """Outcome of a WebSocket order request that was not a plain ACK."""

    REQUEST_NOT_SENT = "REQUEST_NOT_SENT"
    ACK_REJECTED = "ACK_REJECTED"
    ACK_TIMEOUT = "ACK_TIMEOUT"
    ACK_TIMEOUT_CONFIRMED = "ACK_TIMEOUT_CONFIRMED"


class TradingState(str, Enum):
    """What the risk gate lets through."""

    ACTIVE = "ACTIVE"  # every order within the limits
    REDUCING = "REDUCING"  # only orders that reduce a position
    HALTED = "HALTED"  # only cancels


# Allowed next public statuses, as a strategy may see them. CANCEL_FAILED is told as an event and never kept:
# afterwards the row of the status that the order returns to applies.
STATUS_TRANSITIONS: dict[OrderStatus, list[OrderStatus]] = {
    OrderStatus.INITIALIZED: [
        OrderStatus.PENDING,
        OrderStatus.ACCEPTED,  # the stream may overtake the ACK
        OrderStatus.PARTIALLY_FILLED,
        OrderStatus.FILLED,
        OrderStatus.CANCELING,
        OrderStatus.CANCELED,
        OrderStatus.EXPIRED,
        OrderStatus.CANCEL_FAILED,
        OrderStatus.FAILED,
    ],
    OrderStatus.PENDING: [
        OrderStatus.PENDING,
        OrderStatus.CANCELED,
        OrderStatus.CANCELING,
        OrderStatus.ACCEPTED,
        OrderStatus.PARTIALLY_FILLED,
        OrderStatus.FILLED,
        OrderStatus.EXPIRED,  # an IOC, FOK or post-only order may be killed at entry, before any ACCEPTED
        OrderStatus.CANCEL_FAILED,
        OrderStatus.FAILED,
    ],
    OrderStatus.ACCEPTED: [
        OrderStatus.ACCEPTED,
        OrderStatus.PARTIALLY_FILLED,
        OrderStatus.FILLED,
        OrderStatus.CANCELING,
        OrderStatus.CANCELED,
        OrderStatus.EXPIRED,
        OrderStatus.CANCEL_FAILED,
        OrderStatus.FAILED,  # the venue may take its word back, e.g. when its margin check comes last
    ],
    OrderStatus.PARTIALLY_FILLED: [
        OrderStatus.ACCEPTED,
        OrderStatus.PARTIALLY_FILLED,
        OrderStatus.FILLED,
        OrderStatus.CANCELING,
        OrderStatus.CANCELED,
        OrderStatus.EXPIRED,
        OrderStatus.CANCEL_FAILED,
    ],
    OrderStatus.CANCELING: [
        OrderStatus.CANCELED,
        OrderStatus.PARTIALLY_FILLED,
        OrderStatus.FILLED,
        OrderStatus.CANCEL_FAILED,  # a refused cancel leaves the order as live as it was
        OrderStatus.ACCEPTED,
        OrderStatus.PENDING,
        OrderStatus.EXPIRED,  # the venue's own end may win over our cancel
        OrderStatus.FAILED,  # a create that never arrived may have a cancel under way
    ],
    OrderStatus.CANCEL_FAILED: [
        OrderStatus.ACCEPTED,  # the order lives on, so everything that befalls a live order may follow
        OrderStatus.PENDING,
        OrderStatus.PARTIALLY_FILLED,
        OrderStatus.FILLED,
        OrderStatus.CANCELING,
        OrderStatus.CANCELED,
        OrderStatus.EXPIRED,
        OrderStatus.CANCEL_FAILED,
    ],
    OrderStatus.FILLED: [
        OrderStatus.PARTIALLY_FILLED,  # the amount was enlarged before the fill, but we hear of it after it
    ],
    OrderStatus.CANCELED: [
        OrderStatus.FILLED,  # a fill made before the cancel may be told after it
        OrderStatus.ACCEPTED,  # resurrection: the venue had denied it, so its end was concluded, and yet it is there
        OrderStatus.CANCELING,
        OrderStatus.PARTIALLY_FILLED,
    ],
    OrderStatus.EXPIRED: [OrderStatus.FILLED],
    OrderStatus.FAILED: [
        OrderStatus.PENDING,  # resurrection: concluded absent, and yet the venue has it
        OrderStatus.ACCEPTED,
        OrderStatus.CANCELING,
        OrderStatus.PARTIALLY_FILLED,
        OrderStatus.FILLED,
        OrderStatus.CANCELED,
        OrderStatus.EXPIRED,
    ],
}
