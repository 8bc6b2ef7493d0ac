"""Commands (what we want) and events (what happened): the only things that move an order.

All are frozen and JSON-serialisable, because the journal holds exactly these and a restart replays them.
Times are integer milliseconds since the epoch; money is Decimal, in base units (never in contracts).
"""

from __future__ import annotations

from decimal import Decimal
from enum import Enum

import msgspec

from nexustrader.constants import OrderSide, OrderType, PositionSide, TimeInForce, TradingState, TriggerType
from nexustrader.domain.outcome import CommandKind, Conclusion, Route

ParamValue = str | int | float | bool


class _Record(msgspec.Struct, frozen=True, kw_only=True, gc=False, tag_field="record"):
    """Base of everything the journal may hold.

    `untold`: how many notices of facts before this record the strategy had not been given when it was written.
    """

    untold: int = 0


class Submit(_Record, tag="submit", frozen=True, kw_only=True, omit_defaults=True):
    """Intent to create one order. `oid` is our client id, journalled before the first byte leaves."""

    oid: str
    account: str
    symbol: str
    side: OrderSide
    type: OrderType
    amount: Decimal
    price: Decimal | None = None
    time_in_force: TimeInForce = TimeInForce.GTC
    trigger_price: Decimal | None = None  # a triggered order waits until the price of `trigger_type` is there
    trigger_type: TriggerType = TriggerType.LAST_PRICE
    reduce_only: bool = False
    position_side: PositionSide | None = None
    route: Route = Route.REST
    ws_fallback: bool = True
    attempt: int = 1
    client_oid: str | None = None  # the user's own id, where it differs from what the venue accepts
    idempotency_key: str | None = None
    params: dict[str, ParamValue] = {}  # passed to the venue's request as they are
    timestamp: int


class Cancel(_Record, tag="cancel", frozen=True, kw_only=True, omit_defaults=True):
    """Intent to cancel one order of ours."""

    oid: str
    account: str
    symbol: str
    eid: str | None = None
    route: Route = Route.REST
    ws_fallback: bool = True
    attempt: int = 1  # tells the cancels of one order apart
    is_triggered: bool = False  # the order was created as one that waits for a price
    params: dict[str, ParamValue] = {}
    timestamp: int


class Amend(_Record, tag="amend", frozen=True, kw_only=True, omit_defaults=True):
    """Intent to change price and/or total amount of a live order, keeping its ids."""

    oid: str
    account: str
    symbol: str
    side: OrderSide
    price: Decimal | None = None
    amount: Decimal | None = None
    eid: str | None = None
    params: dict[str, ParamValue] = {}
    timestamp: int


class CancelAll(_Record, tag="cancel_all", frozen=True, kw_only=True, omit_defaults=True):
    """Intent to cancel every open order of one symbol; `oids` are those we knew to be open."""

    account: str
    symbol: str
    oids: tuple[str, ...] = ()
    timestamp: int


Command = Submit | Cancel | Amend | CancelAll


class Fill(msgspec.Struct, frozen=True, kw_only=True, gc=False, omit_defaults=True):
    """One execution. `trade_id` is unique per venue and symbol; `fee` is positive when paid, negative when earned."""

    trade_id: str
    price: Decimal
    amount: Decimal
    fee: Decimal = Decimal(0)
    fee_currency: str | None = None
    is_maker: bool = False
    timestamp: int


class EventKind(str, Enum):
    """What an order event says."""

    ACKED = "acked"  # the venue took the request; its engine has not spoken yet
    ACCEPTED = "accepted"  # live on the book (also after a trigger)
    FILLED = "filled"  # one execution, or a cumulative amount that grew; partial or complete
    CANCELED = "canceled"
    EXPIRED = "expired"
    REJECTED = "rejected"  # definite refusal of the create, by us or by the venue
    NOT_SENT = "not_sent"  # the create never left this process and will not be retried
    UNKNOWN = "unknown"  # the create may or may not have arrived
    ABSENT = "absent"  # the create never arrived: concluded from several negatives
    VANISHED = "vanished"  # it was there, and the venue knows it no longer: concluded from several negatives
    CANCEL_SENT = "cancel_sent"
    CANCEL_ACKED = "cancel_acked"
    CANCEL_REJECTED = "cancel_rejected"  # the order itself stays as it was
    AMENDED = "amended"
    AMEND_REJECTED = "amend_rejected"  # the order itself stays as it was


class Source(str, Enum):
    """Who said it. A query's answer may be older than the stream; `domain.order.apply` never goes backwards."""

    LOCAL = "local"
    ACK = "ack"
    STREAM = "stream"
    QUERY = "query"


class OrderEvent(_Record, tag="event", frozen=True, kw_only=True, omit_defaults=True):
    """One fact about one order. `filled` and `average` are the venue's cumulative words; `fill` is one execution."""

    oid: str
    kind: EventKind
    source: Source
    timestamp: int
    account: str = ""
    symbol: str = ""
    eid: str | None = None
    filled: Decimal | None = None
    average: Decimal | None = None
    fill: Fill | None = None
    price: Decimal | None = None  # the price now in force (amendments, adopted orders)
    amount: Decimal | None = None  # the total amount now in force
    reason: str | None = None
    code: str | None = None  # the venue's own error code, as text
    # What is needed to adopt an order that we did not create in this run:
    side: OrderSide | None = None
    type: OrderType | None = None
    time_in_force: TimeInForce | None = None
    reduce_only: bool | None = None
    trigger_price: Decimal | None = None
    position_side: PositionSide | None = None  # in hedge mode only


class CommandResult(_Record, tag="result", frozen=True, kw_only=True, omit_defaults=True):
    """How one command ended; exactly one follows every command given to a venue port.

    One more follows, marked as late, when the venue's reply comes after its time was up and UNKNOWN was concluded.
    """

    kind: CommandKind
    conclusion: Conclusion
    oid: str
    symbol: str
    account: str
    timestamp: int
    route: Route = Route.REST
    attempt: int = 1  # of the create or cancel that it concludes
    is_late: bool = False
    reason: str | None = None
    code: str | None = None
    events: tuple[OrderEvent, ...] = ()  # facts that the reply itself carried (REST replies hold the order)
    retry_after_ms: int | None = None


class BalanceEvent(_Record, tag="balance", frozen=True, kw_only=True, omit_defaults=True):
    """Absolute free and locked amount of one asset in one wallet of an account, as the venue states them."""

    account: str
    asset: str
    wallet: str = ""  # where an asset lies in several, their sum is its balance
    free: Decimal
    locked: Decimal = Decimal(0)
    timestamp: int
    cause: str | None = None

    @property
    def place(self) -> str:
        """The asset, and in which wallet where there are several."""
        return f"{self.asset} ({self.wallet})" if self.wallet else self.asset


class PositionEvent(_Record, tag="position", frozen=True, kw_only=True, omit_defaults=True):
    """The venue's own word on one position. Signed amount: positive is long. Entry price in quote."""

    account: str
    symbol: str
    signed_amount: Decimal
    entry_price: Decimal
    unrealized_pnl: Decimal = Decimal(0)
    position_side: PositionSide | None = None  # None in one-way mode
    timestamp: int
    snapshot: bool = False  # True when it came from a query, not from a stream


class RiskEvent(_Record, tag="risk", frozen=True, kw_only=True, omit_defaults=True):
    """What the risk gate lets through from now on, and what it measures losses from. The latest one counts."""

    state: TradingState
    reason: str
    timestamp: int
    day: int | None = None  # the UTC day of `day_opening`, in days since the epoch
    day_opening: Decimal | None = None  # profit when the day began
    peak: Decimal | None = None  # the highest profit since losses are measured


class Delivered(_Record, tag="delivered", frozen=True, kw_only=True, omit_defaults=True):
    """Says nothing but what every record says: the strategy has been told of all before it, but for `untold`."""

    timestamp: int


class Started(_Record, tag="started", frozen=True, kw_only=True, omit_defaults=True):
    """A run has begun, and gives client ids above `oid` only.

    Orders that are refused here are not journalled. Without this record a run after the clock was set back could give
    the id of one to another order.
    """

    oid: str
    timestamp: int


Record = (
    Submit
    | Cancel
    | Amend
    | CancelAll
    | OrderEvent
    | CommandResult
    | BalanceEvent
    | PositionEvent
    | RiskEvent
    | Delivered
    | Started
)
