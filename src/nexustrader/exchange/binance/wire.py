"""Messages as on the wire, as far as they are read: unknown keys are skipped, wrong values refuse a message.

Prices and sizes of market data decode straight to float (correctly rounded); money of orders and accounts is
Decimal. Numbers must be finite and of a plausible size; identifiers are exact 64-bit integers. Where the
venue has one thing under two names, the fields carry the longer one, and `rename` the one on the wire.
"""

# ruff: noqa: N815, E741 — fields carry the venue's own names

from __future__ import annotations

from decimal import Decimal
from typing import Annotated, ClassVar, Generic

import msgspec

from nexustrader.venue.wire import Id, Money, Ms, Px, Rate, T

Digits = Annotated[str, msgspec.Meta(pattern=r"^\d{1,19}\Z")]  # an id as margin answers may write it


class Head(msgspec.Struct):
    """What tells frames apart, in any of the envelopes: combined stream, order socket, bare."""

    e: str | None = None
    fs: str = ""  # the product line of a portfolio margin event
    stream: str | None = None
    data: msgspec.Raw = msgspec.Raw(b"")
    event: msgspec.Raw = msgspec.Raw(b"")


# -- market streams -------------------------------------------------------------------------------------


class Frame(msgspec.Struct, Generic[T], gc=False):
    """Combined-stream envelope."""

    data: T


class BookTicker(msgspec.Struct, gc=False):
    b: Px
    B: Px
    a: Px
    A: Px
    T: Ms = 0  # futures only


class Trade(msgspec.Struct, gc=False):
    """`trade` of spot and `aggTrade` of futures."""

    p: Px
    q: Px
    T: Ms
    m: bool


class Level(msgspec.Struct, array_like=True, gc=False):
    price: Px
    size: Px


class SpotDepth(msgspec.Struct, gc=False):
    """Partial depth of spot; names neither symbol nor time."""

    bids: list[Level]
    asks: list[Level]
    time: Ms = 0


class Depth(msgspec.Struct, gc=False, rename={"bids": "b", "asks": "a", "time": "T"}):
    """Partial depth of futures."""

    bids: list[Level]
    asks: list[Level]
    time: Ms


PriceSize = tuple[Px, Px]


class SpotDiff(msgspec.Struct, gc=False, rename={"bids": "b", "asks": "a", "time": "E"}):
    """Changes of a spot book: ids count on without holes."""

    U: Id
    u: Id
    bids: list[PriceSize]
    asks: list[PriceSize]
    time: Ms

    @property
    def after(self) -> int:
        return self.U - 1


class Diff(msgspec.Struct, gc=False, rename={"after": "pu", "bids": "b", "asks": "a", "time": "T"}):
    """Changes of a futures book: each frame names the last id of the one before."""

    after: Id
    u: Id
    bids: list[PriceSize]
    asks: list[PriceSize]
    time: Ms


class DepthSnapshot(msgspec.Struct, gc=False, rename={"time": "T"}):
    """A book that was asked for; on spot without a time."""

    lastUpdateId: Id
    bids: list[PriceSize]
    asks: list[PriceSize]
    time: Ms = 0


class Candle(msgspec.Struct, gc=False):
    t: Ms
    o: Px
    h: Px
    l: Px
    c: Px
    v: Px
    q: Px
    V: Px
    Q: Px
    x: bool


class Kline(msgspec.Struct, gc=False):
    E: Ms
    k: Candle


class MarkPrice(msgspec.Struct, gc=False):
    E: Ms
    p: Px
    i: Px
    r: Rate = ""
    T: Ms = 0


# -- public REST ----------------------------------------------------------------------------------------


class ServerTime(msgspec.Struct):
    serverTime: Ms


class KlineRow(msgspec.Struct, array_like=True, gc=False):
    open_time: Ms
    open: Px
    high: Px
    low: Px
    close: Px
    volume: Px
    close_time: Ms
    quote_volume: Px
    trades: int
    taker_volume: Px
    taker_quote_volume: Px


class Ticker24h(msgspec.Struct):
    lastPrice: Px
    volume: Px
    closeTime: Ms
    quoteVolume: Px | None = None
    baseVolume: Px | None = None  # COIN-M


class Filter(Money):
    """Any filter; each type uses some of the fields."""

    filterType: str
    minPrice: Decimal | None = None
    maxPrice: Decimal | None = None
    tickSize: Decimal | None = None
    minQty: Decimal | None = None
    maxQty: Decimal | None = None
    stepSize: Decimal | None = None
    minNotional: Decimal | None = None
    maxNotional: Decimal | None = None
    notional: Decimal | None = None
    applyToMarket: bool = True
    applyMinToMarket: bool = True
    applyMaxToMarket: bool = False


class SymbolRow(msgspec.Struct):
    """One symbol of any product."""

    symbol: str
    baseAsset: str
    quoteAsset: str
    filters: list[Filter]
    status: str | None = None
    contractStatus: str | None = None  # COIN-M
    contractSize: Annotated[int, msgspec.Meta(gt=0, le=10**9)] = 1  # COIN-M, in quote
    isSpotTradingAllowed: bool = True
    marginAsset: str | None = None
    deliveryDate: Ms = 0
    onboardDate: Ms = 0


class ExchangeInfo(msgspec.Struct):
    symbols: list[msgspec.Raw]


class ListenToken(msgspec.Struct):
    token: Annotated[str, msgspec.Meta(min_length=1, max_length=4_096)]


class ListenKey(msgspec.Struct):
    listenKey: Annotated[str, msgspec.Meta(pattern=r"^[A-Za-z0-9_-]{1,256}\Z")]  # it becomes part of a URL


# -- orders and account by REST or order socket ---------------------------------------------------------


class OrderFill(Money):
    price: Decimal
    qty: Decimal
    tradeId: Id | None = None  # portfolio margin leaves it out
    commission: Decimal = Decimal(0)
    commissionAsset: str | None = None
    maker: ClassVar[bool] = False  # what a create executes at once, it takes


class TradeRow(Money, rename={"tradeId": "id"}):
    """`myTrades` of spot, `userTrades` of futures."""

    tradeId: Id
    orderId: Id
    symbol: str
    price: Decimal
    qty: Decimal
    time: Ms
    commission: Decimal = Decimal(0)
    commissionAsset: str | None = None
    isMaker: bool | None = None  # spot
    maker: bool = False  # futures


class OrderReply(Money):
    """An order in a reply to a command or query, of either product. Which keys come depends on the call."""

    symbol: str = ""
    orderId: Id | Digits | None = None
    clientOrderId: str = ""
    origClientOrderId: str = ""
    status: str = ""
    side: str = ""
    type: str = ""
    timeInForce: str = ""
    price: Decimal | None = None
    origQty: Decimal | None = None
    executedQty: Decimal | None = None
    avgPrice: Decimal | None = None
    cummulativeQuoteQty: Decimal | None = None
    cumQuote: Decimal | None = None
    cumBase: Decimal | None = None  # COIN-M
    stopPrice: Decimal | None = None
    reduceOnly: bool | None = None  # futures
    positionSide: str = "BOTH"
    expiryReason: str | None = None
    time: Ms = 0
    transactTime: Ms = 0
    updateTime: Ms = 0
    fills: tuple[OrderFill, ...] = ()
    orderReports: tuple[OrderReply, ...] = ()  # of an order list, when all orders are cancelled
    code: int | str | None = None  # a setting call answers with a code instead of an order


class SpotBalance(Money):
    asset: str
    free: Decimal
    locked: Decimal


class IsolatedPair(msgspec.Struct):
    symbol: str
    baseAsset: SpotBalance
    quoteAsset: SpotBalance
    enabled: bool = True


class SpotAccount(msgspec.Struct):
    """Spot, cross margin or isolated margin: each has one of these."""

    balances: list[SpotBalance] | None = None
    userAssets: list[SpotBalance] | None = None
    assets: list[IsolatedPair] | None = None


class FuturesBalance(Money):
    """Futures have one wallet, portfolio margin has three."""

    asset: str
    balance: Decimal | None = None
    crossMarginFree: Decimal | None = None
    crossMarginLocked: Decimal | None = None
    umWalletBalance: Decimal | None = None
    cmWalletBalance: Decimal | None = None


class PositionRow(Money):
    symbol: str
    positionAmt: Decimal
    entryPrice: Decimal
    unRealizedProfit: Decimal = Decimal(0)
    positionSide: str = "BOTH"


class PositionMode(msgspec.Struct):
    dualSidePosition: bool


# -- user events ----------------------------------------------------------------------------------------


_EVENT_LETTERS = {
    "symbol": "s",
    "clientOrderId": "c",
    "side": "S",
    "type": "o",
    "timeInForce": "f",
    "origQty": "q",
    "price": "p",
    "execution": "x",
    "status": "X",
    "orderId": "i",
    "time": "T",
    "lastQty": "l",
    "executedQty": "z",
    "lastPrice": "L",
    "commission": "n",
    "commissionAsset": "N",
    "tradeId": "t",
    "maker": "m",
}


class ExecutionReport(
    Money,
    rename=_EVENT_LETTERS
    | {"cummulativeQuoteQty": "Z", "origClientOrderId": "C", "reject": "r", "expiry": "eR", "stopPrice": "P"},
):
    symbol: str
    clientOrderId: str
    side: str
    type: str
    timeInForce: str
    origQty: Decimal
    price: Decimal
    execution: str
    status: str
    orderId: Id
    time: Ms
    lastQty: Decimal
    executedQty: Decimal
    lastPrice: Decimal
    commission: Decimal = Decimal(0)
    commissionAsset: str | None = None
    tradeId: Id = -1
    maker: bool = False
    cummulativeQuoteQty: Decimal | None = None
    origClientOrderId: str | None = None
    reject: str = "NONE"
    stopPrice: Decimal | None = None
    expiry: str | int | None = None
    avgPrice: ClassVar[Decimal | None] = None
    cumQuote: ClassVar[Decimal | None] = None
    cumBase: ClassVar[Decimal | None] = None
    reduceOnly: ClassVar[bool | None] = None
    positionSide: ClassVar[str] = "BOTH"


class FuturesOrder(
    Money,
    rename=_EVENT_LETTERS
    | {"avgPrice": "ap", "reduceOnly": "R", "expiry": "er", "stopPrice": "sp", "positionSide": "ps"},
):
    symbol: str
    clientOrderId: str
    side: str
    type: str
    timeInForce: str
    origQty: Decimal
    price: Decimal
    execution: str
    status: str
    orderId: Id
    time: Ms
    lastQty: Decimal
    executedQty: Decimal
    lastPrice: Decimal
    commission: Decimal = Decimal(0)
    commissionAsset: str | None = None
    tradeId: Id = 0
    maker: bool = False
    avgPrice: Decimal | None = None
    reduceOnly: bool | None = None
    stopPrice: Decimal | None = None
    positionSide: str = "BOTH"
    expiry: str | int | None = None
    cummulativeQuoteQty: ClassVar[Decimal | None] = None
    cumQuote: ClassVar[Decimal | None] = None
    cumBase: ClassVar[Decimal | None] = None


class OrderTradeUpdate(msgspec.Struct):
    o: FuturesOrder


class SpotAsset(Money):
    a: str
    f: Decimal
    l: Decimal


class AccountPosition(msgspec.Struct):
    E: Ms
    B: list[SpotAsset]
    u: Ms = 0


class FuturesAsset(Money):
    a: str
    wb: Decimal


class FuturesPosition(
    Money,
    rename={
        "symbol": "s",
        "positionAmt": "pa",
        "entryPrice": "ep",
        "unRealizedProfit": "up",
        "positionSide": "ps",
    },
):
    symbol: str
    positionAmt: Decimal
    entryPrice: Decimal
    unRealizedProfit: Decimal = Decimal(0)
    positionSide: str = "BOTH"


class AccountChange(msgspec.Struct):
    m: str = ""
    B: list[FuturesAsset] = []
    P: list[FuturesPosition] = []


class AccountUpdate(msgspec.Struct):
    E: Ms
    a: AccountChange
    T: Ms = 0


# -- replies --------------------------------------------------------------------------------------------


class Complaint(msgspec.Struct):
    """`{"code", "msg"}` of an error, or of a setting call that succeeded."""

    code: int | str | None = None
    msg: str | None = None


class LimitData(msgspec.Struct):
    serverTime: Ms = 0
    retryAfter: Ms = 0


class WsError(msgspec.Struct):
    code: int | str | None = None
    msg: str | None = None
    data: msgspec.Raw = msgspec.Raw(b"")


class WsEnvelope(msgspec.Struct):
    """A reply of the order socket, or of a market socket to (un)subscribing."""

    id: int | str | msgspec.UnsetType | None = msgspec.UNSET
    status: int | None = None
    result: msgspec.Raw = msgspec.Raw(b"")
    error: msgspec.Raw = msgspec.Raw(b"")
    code: int | str | None = None
    msg: str | None = None
