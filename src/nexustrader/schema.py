"""Public structs: market data, orders, balances, positions, markets and symbols.

Prices and sizes of market data are float; money and quantities of orders, balances and positions are Decimal,
in base units. All timestamps are integer milliseconds since the epoch.
"""

# ruff: noqa: N815 — BaseMarket and Ticker carry the field names of a ccxt market, which users read

from __future__ import annotations

from collections.abc import Iterable
from decimal import Decimal
from functools import lru_cache
from typing import TYPE_CHECKING, Any

import msgspec

from nexustrader.constants import (
    AlgoOrderStatus,
    ExchangeType,
    InstrumentType,
    KlineInterval,
    OptionType,
    OrderSide,
    OrderStatus,
    OrderType,
    PositionSide,
    TimeInForce,
)

if TYPE_CHECKING:
    import pandas as pd

ZERO = Decimal(0)


# -- market data ---------------------------------------------------------------------------------------------


class BookL1(msgspec.Struct, frozen=True, gc=False):
    """Best bid and ask."""

    exchange: ExchangeType
    symbol: str
    bid: float
    ask: float
    bid_size: float
    ask_size: float
    timestamp: int

    @property
    def mid(self) -> float:
        return (self.bid + self.ask) / 2

    @property
    def spread(self) -> float:
        return self.ask - self.bid

    @property
    def weighted_mid(self) -> float:
        """Mid weighted by the opposite sizes; the plain mid when both sizes are 0 (a feed without sizes)."""
        total = self.bid_size + self.ask_size
        if total == 0:
            return self.mid
        return (self.bid * self.ask_size + self.ask * self.bid_size) / total


class BookOrderData(msgspec.Struct, frozen=True, gc=False):
    """One level of a book."""

    price: float
    size: float


class BookL2(msgspec.Struct, frozen=True, gc=False):
    """Levels of a book: bids descending, asks ascending.

    `ok` is False in the cache while the book cannot be known: a gap, a crossed book, silence, a lost connection.
    The levels are then the last that were known. No callback is given such a book.
    """

    exchange: ExchangeType
    symbol: str
    bids: list[BookOrderData]
    asks: list[BookOrderData]
    timestamp: int
    ok: bool = True


class Trade(msgspec.Struct, frozen=True, gc=False):
    """One public trade; `side` is the taker's."""

    exchange: ExchangeType
    side: OrderSide
    symbol: str
    price: float
    size: float
    timestamp: int


class Kline(msgspec.Struct, frozen=True, kw_only=True, gc=False):
    """One bar. `start` is its opening time, `timestamp` the event's; `confirm` is True once it is closed."""

    exchange: ExchangeType
    symbol: str
    interval: KlineInterval
    open: float
    high: float
    low: float
    close: float
    volume: float | None = None
    buy_volume: float | None = None
    quote_volume: float | None = None
    taker_volume: float | None = None
    taker_quote_volume: float | None = None
    turnover: float | None = None
    start: int
    timestamp: int
    confirm: bool


class MarkPrice(msgspec.Struct, frozen=True, gc=False):
    """Mark price of a derivative."""

    exchange: ExchangeType
    symbol: str
    price: float
    timestamp: int


class IndexPrice(msgspec.Struct, frozen=True, gc=False):
    """Index price under a derivative."""

    exchange: ExchangeType
    symbol: str
    price: float
    timestamp: int


class FundingRate(msgspec.Struct, frozen=True, gc=False):
    """Funding rate as a fraction, due at `next_funding_time`."""

    exchange: ExchangeType
    symbol: str
    rate: float
    timestamp: int
    next_funding_time: int


class Ticker(msgspec.Struct, kw_only=True, gc=False):
    """Last price and 24 h volume. `volumeCcy` is in quote for spot and linear, in base for inverse."""

    exchange: ExchangeType
    symbol: str
    last_price: float
    timestamp: int
    volume: float
    volumeCcy: float


# -- orders --------------------------------------------------------------------------------------------------


class Order(msgspec.Struct, gc=False):
    """Snapshot of one order. Changing it changes nothing in the engine.

    `fee` is positive when paid, negative when earned, in `fee_currency`. `filled`, `cum_cost`, `average` and
    `fee` are totals; `last_filled`, `last_filled_price` and `cost` belong to the latest execution.
    """

    exchange: ExchangeType
    symbol: str
    status: OrderStatus
    oid: str | None = None
    eid: str | None = None
    amount: Decimal | None = None
    filled: Decimal | None = None
    timestamp: int | None = None
    type: OrderType | None = None
    side: OrderSide | None = None
    time_in_force: TimeInForce | None = None
    price: float | None = None
    trigger_price: float | None = None
    average: float | None = None
    last_filled_price: float | None = None
    last_filled: Decimal | None = None
    remaining: Decimal | None = None
    fee: Decimal | None = None
    fee_currency: str | None = None
    cost: Decimal | None = None
    cum_cost: Decimal | None = None
    reduce_only: bool | None = None
    position_side: PositionSide | None = None
    reason: str | None = None
    recovered: bool = False  # told after a restart: it happened, or had still to be told, before

    @property
    def uuid(self) -> str | None:
        """Alias of `oid`."""
        return self.oid

    @property
    def id(self) -> str | None:
        """Alias of `oid`."""
        return self.oid

    @property
    def avg_price(self) -> float | None:
        """Alias of `average`."""
        return self.average

    @property
    def success(self) -> bool:
        """False for a snapshot that tells of a failure."""
        return self.status not in (OrderStatus.FAILED, OrderStatus.CANCEL_FAILED)

    @property
    def is_failed(self) -> bool:
        return self.status is OrderStatus.FAILED

    @property
    def is_filled(self) -> bool:
        return self.status is OrderStatus.FILLED

    @property
    def is_pending(self) -> bool:
        return self.status is OrderStatus.PENDING

    @property
    def is_accepted(self) -> bool:
        return self.status is OrderStatus.ACCEPTED

    @property
    def is_partially_filled(self) -> bool:
        return self.status is OrderStatus.PARTIALLY_FILLED

    @property
    def is_partially_canceled(self) -> bool:
        return self.status is OrderStatus.CANCELED and self.filled is not None and self.filled > 0

    @property
    def is_canceled(self) -> bool:
        return self.status is OrderStatus.CANCELED

    @property
    def is_closed(self) -> bool:
        """True when this snapshot tells of an end.

        A snapshot with CANCEL_FAILED is only told to the strategy: the order itself stays open.
        """
        return self.status in _CLOSED

    @property
    def is_opened(self) -> bool:
        return self.status in _OPENED

    @property
    def on_flight(self) -> bool:
        return self.status in (OrderStatus.PENDING, OrderStatus.CANCELING)

    @property
    def is_buy(self) -> bool:
        return self.side is OrderSide.BUY

    @property
    def is_sell(self) -> bool:
        return self.side is OrderSide.SELL

    @property
    def is_maker(self) -> bool:
        return self.type is OrderType.LIMIT

    @property
    def is_taker(self) -> bool:
        return self.type is OrderType.MARKET

    @property
    def is_post_only(self) -> bool:
        return self.type is OrderType.POST_ONLY


_CLOSED = frozenset(
    {
        OrderStatus.FILLED,
        OrderStatus.CANCELED,
        OrderStatus.EXPIRED,
        OrderStatus.CANCEL_FAILED,
        OrderStatus.FAILED,
    }
)
_OPENED = frozenset(
    {OrderStatus.PENDING, OrderStatus.CANCELING, OrderStatus.PARTIALLY_FILLED, OrderStatus.ACCEPTED}
)


class AlgoOrder(msgspec.Struct, kw_only=True):
    """An order that is worked in slices; `orders` lists the oids of the slices."""

    symbol: str
    oid: str
    side: OrderSide
    amount: Decimal | None = None
    duration: float
    wait: float
    status: AlgoOrderStatus
    exchange: ExchangeType
    timestamp: int
    orders: list[str] = []
    position_side: PositionSide | None = None
    filled: Decimal | None = None
    cost: Decimal | None = None
    average: float | None = None

    @property
    def uuid(self) -> str:
        """Alias of `oid`."""
        return self.oid

    @property
    def success(self) -> bool:
        return self.status is not AlgoOrderStatus.FAILED

    @property
    def is_running(self) -> bool:
        return self.status is AlgoOrderStatus.RUNNING

    @property
    def is_finished(self) -> bool:
        return self.status is AlgoOrderStatus.FINISHED

    @property
    def is_canceled(self) -> bool:
        return self.status is AlgoOrderStatus.CANCELED

    @property
    def is_failed(self) -> bool:
        return self.status is AlgoOrderStatus.FAILED

    @property
    def is_closed(self) -> bool:
        return not self.is_opened

    @property
    def is_opened(self) -> bool:
        return self.status in (AlgoOrderStatus.RUNNING, AlgoOrderStatus.CANCELING)


class BatchOrder(msgspec.Struct, kw_only=True):
    """One order of a batch, as `Strategy.create_batch_orders` takes it."""

    symbol: str
    side: OrderSide
    type: OrderType
    amount: Decimal
    price: Decimal | None = None
    time_in_force: TimeInForce = TimeInForce.GTC
    reduce_only: bool = False
    kwargs: dict[str, Any] = {}


# -- account -------------------------------------------------------------------------------------------------


class Balance(msgspec.Struct, gc=False):
    """Free and locked amount of one asset."""

    asset: str
    free: Decimal = ZERO
    locked: Decimal = ZERO

    @property
    def total(self) -> Decimal:
        return self.free + self.locked


class AccountBalance(msgspec.Struct):
    """Balances of one account, by asset."""

    balances: dict[str, Balance] = {}

    @property
    def balance_total(self) -> dict[str, Decimal]:
        return {asset: balance.total for asset, balance in self.balances.items()}

    @property
    def balance_free(self) -> dict[str, Decimal]:
        return {asset: balance.free for asset, balance in self.balances.items()}

    @property
    def balance_locked(self) -> dict[str, Decimal]:
        return {asset: balance.locked for asset, balance in self.balances.items()}


class Position(msgspec.Struct, gc=False):
    """Position of one symbol. `signed_amount` is positive when long; entry price in quote."""

    symbol: str
    exchange: ExchangeType
    signed_amount: Decimal = ZERO
    entry_price: float = 0
    side: PositionSide | None = None
    unrealized_pnl: float = 0
    realized_pnl: float = 0

    @property
    def amount(self) -> Decimal:
        return abs(self.signed_amount)

    @property
    def is_opened(self) -> bool:
        return self.signed_amount != 0

    @property
    def is_closed(self) -> bool:
        return self.signed_amount == 0

    @property
    def is_long(self) -> bool:
        return self.side is PositionSide.LONG

    @property
    def is_short(self) -> bool:
        return self.side is PositionSide.SHORT


# -- markets -------------------------------------------------------------------------------------------------


class Precision(msgspec.Struct, gc=False):
    """Step sizes (not numbers of digits)."""

    amount: float
    price: float
    cost: float | None = None
    base: float | None = None
    quote: float | None = None


class LimitMinMax(msgspec.Struct, gc=False):
    """A range; None is unbounded."""

    min: float | None = None
    max: float | None = None


class Limit(msgspec.Struct, gc=False):
    """Ranges of what an order may ask for."""

    leverage: LimitMinMax | None = None
    amount: LimitMinMax | None = None
    price: LimitMinMax | None = None
    cost: LimitMinMax | None = None
    market: LimitMinMax | None = None


class MarginMode(msgspec.Struct, gc=False):
    """Margin modes that a market offers."""

    isolated: bool | None = None
    cross: bool | None = None


class BaseMarket(msgspec.Struct, kw_only=True):
    """One market in the shape of a ccxt market. `symbol` is ours, `id` the venue's."""

    id: str
    lowercaseId: str | None = None
    symbol: str
    base: str
    quote: str
    settle: str | None = None
    baseId: str
    quoteId: str
    settleId: str | None = None
    type: InstrumentType
    spot: bool
    margin: bool | None = None
    swap: bool
    future: bool
    option: bool
    index: bool | None
    active: bool
    contract: bool
    linear: bool | None = None
    inverse: bool | None = None
    subType: InstrumentType | None = None
    taker: float
    maker: float
    contractSize: float | None = None
    expiry: int | None = None
    expiryDatetime: str | None = None
    strike: float | None = None
    optionType: OptionType | None = None
    precision: Precision
    limits: Limit
    marginModes: MarginMode
    created: int | None = None
    tierBased: bool | None = None
    percentage: bool | None = None


# -- symbols -------------------------------------------------------------------------------------------------

# A contract is inverse when it is quoted in the dollar itself, not in a coin worth one. Most such coins
# (USDT and USDC among them) do not end in "USD"; these do:
USD_STABLECOINS = ("FDUSD", "BUSD", "TUSD", "PYUSD", "RLUSD")
# and these bases, followed by "USD", only look as if they were quoted in one (shorter ones need no entry).
BASES_LIKE_STABLECOINS = frozenset({"SHIB", "1000SHIB", "IOST", "DENT"})
_BASE_LENGTH_MIN = 3  # "BTC" + "BUSD" is a pair; "BN" + "BUSD" is BNB against the dollar


class InstrumentId(msgspec.Struct, frozen=True, gc=False):
    """What a symbol says: `BTCUSDT-PERP.BINANCE` has id `BTCUSDT-PERP`, exchange BINANCE, type LINEAR."""

    id: str
    symbol: str
    exchange: ExchangeType
    type: InstrumentType

    @classmethod
    def from_str(cls, symbol: str) -> InstrumentId:
        """Parse `{base}{quote}[-PERP|-{expiry}[-{strike}-C|P]].{EXCHANGE}`.

        Raises ValueError saying what is wrong and what is expected.
        """
        return _parse_symbol(symbol)

    @property
    def is_spot(self) -> bool:
        return self.type is InstrumentType.SPOT

    @property
    def is_linear(self) -> bool:
        return self.type is InstrumentType.LINEAR

    @property
    def is_inverse(self) -> bool:
        return self.type is InstrumentType.INVERSE


@lru_cache(maxsize=8192)
def _parse_symbol(symbol: str) -> InstrumentId:
    expected = "expected e.g. BTCUSDT.BINANCE (spot), BTCUSDT-PERP.BINANCE or BTCUSDT-250926.BINANCE (dated)"
    name, _, suffix = symbol.partition(".")
    if not name or not suffix or "." in suffix:
        raise ValueError(
            f"symbol {symbol!r} must hold exactly one '.', between instrument and venue; {expected}"
        )
    try:
        exchange = ExchangeType(suffix.lower())
    except ValueError:
        venues = ", ".join(member.name for member in ExchangeType)
        raise ValueError(
            f"symbol {symbol!r} names no known venue; the part after '.' is one of {venues}"
        ) from None
    pair, *tail = name.split("-")
    is_option = len(tail) == 3 and tail[-1] in ("C", "P")
    if (len(tail) > 1 and not is_option) or not pair or "" in tail:
        raise ValueError(f"symbol {symbol!r} may hold one '-', before PERP or an expiry; {expected}")
    if not tail:
        kind = InstrumentType.SPOT
    elif is_option:
        kind = InstrumentType.OPTION
    elif pair.endswith("USD") and not _is_quoted_in_stablecoin(pair):
        kind = InstrumentType.INVERSE
    else:
        kind = InstrumentType.LINEAR
    return InstrumentId(id=name, symbol=str(symbol), exchange=exchange, type=kind)


def _is_quoted_in_stablecoin(pair: str) -> bool:
    if pair.removesuffix("USD") in BASES_LIKE_STABLECOINS:
        return False
    return any(pair.endswith(coin) and len(pair) - len(coin) >= _BASE_LENGTH_MIN for coin in USD_STABLECOINS)


class Symbol(str):
    """A symbol as text that also answers for its parts; a malformed one raises ValueError when asked."""

    __slots__ = ()

    @property
    def instrument_id(self) -> InstrumentId:
        return InstrumentId.from_str(str(self))

    @property
    def id(self) -> str:
        return self.instrument_id.id

    @property
    def exchange(self) -> ExchangeType:
        return self.instrument_id.exchange

    @property
    def type(self) -> InstrumentType:
        return self.instrument_id.type

    @property
    def is_spot(self) -> bool:
        return self.instrument_id.is_spot

    @property
    def is_linear(self) -> bool:
        return self.instrument_id.is_linear

    @property
    def is_inverse(self) -> bool:
        return self.instrument_id.is_inverse


class KlineList(list[Kline]):
    """A list of bars that can be had sorted (`values`) or as a pandas data frame (`df`)."""

    DEFAULT_FIELDS = ("timestamp", "symbol", "open", "high", "low", "close", "volume", "confirm")

    def __init__(self, klines: Iterable[Kline] = (), fields: list[str] | None = None) -> None:
        super().__init__(klines)
        self.fields = list(fields) if fields else list(self.DEFAULT_FIELDS)

    @property
    def values(self) -> list[Kline]:
        """The bars in order of their `timestamp`."""
        return sorted(self, key=lambda kline: kline.timestamp)

    @property
    def df(self) -> pd.DataFrame:
        """The bars as a data frame: "timestamp" is the bar's start in ms, the index `date` the same in UTC.

        Raises ImportError naming the extra to install when pandas is absent.
        """
        try:
            import pandas as pd
        except ImportError as exc:
            raise ImportError(
                "KlineList.df needs pandas, which is not installed: install nexustrader with the extra "
                "'backtest', or pandas itself"
            ) from exc
        rows = sorted(self, key=lambda kline: kline.start)
        columns = {
            field: [kline.start if field == "timestamp" else getattr(kline, field) for kline in rows]
            for field in self.fields
        }
        index = pd.to_datetime([kline.start for kline in rows], unit="ms", utc=True)
        return pd.DataFrame(columns, index=pd.DatetimeIndex(index, name="date"), columns=self.fields)
