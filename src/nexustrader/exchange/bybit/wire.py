"""Messages as on the wire, as far as they are read: unknown keys are skipped, wrong values refuse a message.

Nearly every number is text, and "" (sometimes null) stands for none. Money keeps its text until it is used, in a
form that is known to be a finite number of a plausible size; prices and sizes of market data decode to float.
"""

# ruff: noqa: N815 — fields carry the venue's own names

from __future__ import annotations

from decimal import Decimal
from typing import Annotated, Generic, Literal, TypeAlias

import msgspec

from nexustrader.venue.wire import Ms, Px, T

Name: TypeAlias = Annotated[str, msgspec.Meta(max_length=200)]
Num: TypeAlias = Annotated[
    str, msgspec.Meta(pattern=r"^(-?[0-9]{1,30}(\.[0-9]{0,30})?(e-?[0-9])?)?\Z", max_length=70)
]
Amount: TypeAlias = Annotated[str, msgspec.Meta(pattern=r"^[0-9]{1,30}(\.[0-9]{0,30})?\Z", max_length=61)]
Side: TypeAlias = Literal["Buy", "Sell"]
Stamp: TypeAlias = Annotated[str, msgspec.Meta(pattern=r"^[0-9]{0,13}\Z", max_length=13)]


def number(text: str | None) -> Decimal | None:
    """The number; None where the venue has none."""
    return Decimal(text) if text else None


def positive(text: str | None) -> Decimal | None:
    """The number, or None where the venue writes 0 or "" for none."""
    value = Decimal(text) if text else None
    return value if value is not None and value > 0 else None


def millis(text: str) -> int:
    """The moment; 0 where the venue has none."""
    return int(text) if text else 0


# -- sockets --------------------------------------------------------------------------------------------


class BatchEnd(msgspec.Struct):
    code: int
    msg: str = ""


class BatchEnds(msgspec.Struct, rename={"rows": "list"}):
    rows: list[BatchEnd]


class BatchMade(msgspec.Struct, rename={"rows": "list"}):
    rows: list[msgspec.Raw]


class Batch(msgspec.Struct):
    """The answer to several creates: two lists of one length."""

    result: BatchMade
    retExtInfo: BatchEnds


class Head(msgspec.Struct):
    """What tells frames apart, on each of the sockets: data have a topic, acks and pongs an operation."""

    topic: Name | None = None
    op: Name = ""
    type: Name = ""
    success: bool | None = None
    retCode: int | None = None
    ret_msg: str | None = None
    retMsg: str | None = None
    req_id: Name | None = None
    reqId: Name | None = None
    creationTime: Ms = 0
    header: dict[str, str] | None = None
    data: msgspec.Raw = msgspec.Raw(b"")


class Topics(msgspec.Struct):
    """What became of a subscription to options."""

    failTopics: list[Name] = []


# -- market streams -------------------------------------------------------------------------------------


class Frame(msgspec.Struct, Generic[T], gc=False):
    """Envelope of market data. `cts` is the matching engine's time, where there is one."""

    topic: str
    ts: Ms
    data: T
    type: str = ""
    cts: Ms = 0


PriceSize = tuple[Px, Px]


class Book(msgspec.Struct, gc=False):
    """A snapshot, or the levels that changed; `u` counts the changes of one topic."""

    s: str
    b: list[PriceSize]
    a: list[PriceSize]
    u: Ms
    seq: Ms = 0


class Trade(msgspec.Struct, gc=False):
    T: Ms
    s: str
    S: Side
    v: Px
    p: Px


class Candle(msgspec.Struct, gc=False):
    start: Ms
    end: Ms
    open: Px
    high: Px
    low: Px
    close: Px
    volume: Px
    turnover: Px
    confirm: bool
    timestamp: Ms


class Ticker(msgspec.Struct, gc=False):
    """What is read of a ticker, of any category; a delta holds only what has changed."""

    symbol: str
    markPrice: Num | None = None
    indexPrice: Num | None = None
    fundingRate: Num | None = None
    nextFundingTime: Stamp | None = None
    bidPrice: Num | None = None  # this and the next three: options only
    bidSize: Num | None = None
    askPrice: Num | None = None
    askSize: Num | None = None


# -- REST -----------------------------------------------------------------------------------------------


class Envelope(msgspec.Struct):
    """What every answer says: 0 is yes. On the order socket, and in the acks of other sockets, too."""

    retCode: int
    retMsg: str | None = None
    time: Ms = 0


class Answer(msgspec.Struct, Generic[T]):
    result: T
    time: Ms = 0


class Listing(msgspec.Struct, Generic[T], rename={"rows": "list"}):
    """Rows and perhaps more pages; `category` is that of the question."""

    rows: list[T]
    category: Name = ""
    nextPageCursor: Annotated[str, msgspec.Meta(max_length=2_000)] | None = None


class ServerTime(msgspec.Struct):
    timeNano: Annotated[str, msgspec.Meta(pattern=r"^[0-9]{1,20}\Z", max_length=20)]


class KlineRow(msgspec.Struct, array_like=True, gc=False):
    start: Annotated[int, msgspec.Meta(ge=0, lt=10**13)]
    open: Px
    high: Px
    low: Px
    close: Px
    volume: Px
    turnover: Px


class Ticker24h(msgspec.Struct):
    symbol: Name
    lastPrice: Px
    volume24h: Px
    turnover24h: Px


class PriceFilter(msgspec.Struct):
    tickSize: Num
    minPrice: Num | None = None
    maxPrice: Num | None = None


class LotFilter(msgspec.Struct):
    """Spot has a precision and amounts of quote, the others steps; each uses some of the fields."""

    qtyStep: Num | None = None
    basePrecision: Num | None = None
    minOrderQty: Num | None = None
    maxOrderQty: Num | None = None
    maxMktOrderQty: Num | None = None
    maxLimitOrderQty: Num | None = None
    maxMarketOrderQty: Num | None = None
    minNotionalValue: Num | None = None
    minOrderAmt: Num | None = None


class SymbolRow(msgspec.Struct):
    symbol: Name
    status: Name
    baseCoin: Name
    quoteCoin: Name
    priceFilter: PriceFilter
    lotSizeFilter: LotFilter
    settleCoin: Name = ""
    contractType: Name = ""
    optionsType: Name = ""
    launchTime: Stamp = ""
    deliveryTime: Stamp = ""


# -- orders and account ---------------------------------------------------------------------------------


class Ids(msgspec.Struct):
    orderId: Name = ""
    orderLinkId: Name = ""


class Ack(msgspec.Struct):
    """The reply to a create, an amendment or a cancel: by REST in `result`, on the order socket in `data`."""

    result: Ids | None = None
    data: Ids | None = None


class Order(msgspec.Struct):
    """An order by stream or query. Queries leave out the category: it is that of the question."""

    symbol: Name
    orderId: Name
    orderStatus: Name
    side: Name
    qty: Num
    category: Name = ""
    orderLinkId: Name | None = None
    orderType: Name = ""
    timeInForce: Name = ""
    price: Num | None = None
    avgPrice: Num | None = None
    cumExecQty: Num | None = None
    cumExecValue: Num | None = None
    marketUnit: Name | None = None
    stopOrderType: Name | None = None
    cancelType: Name | None = None
    rejectReason: Name | None = None
    reduceOnly: bool | None = None
    positionIdx: int = 0
    triggerPrice: Num | None = None
    triggerDirection: int = 0
    createdTime: Stamp = ""
    updatedTime: Stamp = ""


class Execution(msgspec.Struct):
    """One execution by stream or query."""

    symbol: Name
    orderId: Name
    execId: Name
    execPrice: Amount
    execQty: Amount
    execTime: Stamp
    side: Name
    execType: Name = "Trade"
    category: Name = ""
    orderLinkId: Name | None = None
    orderType: Name = ""
    orderQty: Num | None = None
    orderPrice: Num | None = None
    execFee: Num | None = None
    feeCurrency: Name | None = None
    isMaker: bool = False
    seq: Ms = 0


class Position(msgspec.Struct):
    """A position: the stream calls its price `entryPrice`, the query `avgPrice`."""

    symbol: Name
    side: Name | None
    size: Num
    positionIdx: int
    category: Name = ""
    entryPrice: Num | None = None
    avgPrice: Num | None = None
    unrealisedPnl: Num | None = None


class Coin(msgspec.Struct):
    coin: Name
    walletBalance: Num
    locked: Num | None = None
    spotBorrow: Num | None = None


class Wallet(msgspec.Struct):
    coin: list[Coin]
