"""The simulator's vocabulary: instruments, orders and events in integer ticks and lots.

Prices are integer multiples of the tick, amounts integer multiples of the lot, so matching is exact and fast.
Decimals appear only where an instrument converts.
"""

from __future__ import annotations

import copy
from decimal import Decimal
from enum import IntEnum
from typing import Literal, NamedTuple

import msgspec

from nexustrader.error import OrderError
from nexustrader.sim.money import MONEY

Kind = Literal["spot", "linear", "inverse"]
OrderKind = Literal["limit", "market"]
TimeInForce = Literal["GTC", "IOC", "FOK"]
Status = Literal["NEW", "PARTIALLY_FILLED", "FILLED", "CANCELED", "EXPIRED", "REJECTED"]
SelfTradePrevention = Literal["NONE", "EXPIRE_MAKER", "EXPIRE_TAKER", "EXPIRE_BOTH"]
CancelReason = Literal["USER", "AMEND", "POST_ONLY", "LIQUIDATION"]
ExpireReason = Literal["IOC", "FOK", "STP", "REDUCE_ONLY", "NO_LIQUIDITY"]
RejectReason = Literal["POST_ONLY", "FOK", "REDUCE_ONLY"]

Level = tuple[int, int]
"""(price in ticks, quantity in lots)."""


class Touch(NamedTuple):
    """Best bid and ask of the market as it told them, in ticks and lots; both 0 where a side is empty."""

    bid: int = 0
    bid_lots: int = 0
    ask: int = 0
    ask_lots: int = 0

    @property
    def is_empty(self) -> bool:
        """True when nobody bids and nobody asks."""
        return not (self.bid_lots or self.ask_lots)

    def against(self, side: Side) -> tuple[int, int]:
        """Price and lots that an order of this side would meet."""
        return (self.ask, self.ask_lots) if side is Side.BUY else (self.bid, self.bid_lots)


VALUE_QUANTUM = Decimal("1e-16")
"""Grid of an inverse contract's value in base, which is a quotient: rounded half-even to 16 places."""


class Side(IntEnum):
    """Side of an order, and the sign of what it does to a position."""

    BUY = 1
    SELL = -1

    @property
    def opposite(self) -> Side:
        return Side.SELL if self is Side.BUY else Side.BUY


class SimInstrument(msgspec.Struct, frozen=True, kw_only=True):
    """What the simulator knows of one symbol. Fees and margins are fractions; a negative fee is a rebate.

    `contract_size` is what one unit of amount stands for: quote units if inverse, base units otherwise.
    """

    symbol: str
    kind: Kind
    tick: Decimal
    lot: Decimal
    base: str
    quote: str
    settle: str
    contract_size: Decimal = Decimal(1)
    maker_fee: Decimal = Decimal("0.0002")
    taker_fee: Decimal = Decimal("0.0005")
    max_leverage: int = 125
    maint_margin: Decimal = Decimal("0.004")

    def __post_init__(self) -> None:
        if min(self.tick, self.lot, self.contract_size) <= 0:
            raise OrderError(
                f"{self.symbol}: tick, lot and contract size must be above zero, correct the instrument"
            )

    def to_ticks(self, price: Decimal) -> int:
        """Price in ticks, exactly. Raises OrderError off the grid."""
        return _on_grid(price, self.tick, self.symbol, "price", "tick")

    def to_lots(self, amount: Decimal) -> int:
        """Amount in lots, exactly. Raises OrderError off the grid."""
        return _on_grid(amount, self.lot, self.symbol, "amount", "lot")

    def nearest_ticks(self, price: float) -> int:
        """Price of market data (a float) in ticks, to the nearest."""
        return round(price / float(self.tick))

    def nearest_lots(self, amount: float) -> int:
        """Quantity of market data (a float) in lots, to the nearest."""
        return round(amount / float(self.lot))

    def price(self, ticks: int) -> Decimal:
        """Price of so many ticks, exactly."""
        return self.tick * ticks

    def amount(self, lots: int) -> Decimal:
        """Amount of so many lots, exactly."""
        return self.lot * lots

    def value(self, lots: int, price: Decimal) -> Decimal:
        """Value of so many (signed) lots: in quote, exact; for inverse in base, on VALUE_QUANTUM."""
        size = MONEY.multiply(self.contract_size * self.lot, lots)
        if self.kind == "inverse":
            return MONEY.divide(size, price).quantize(VALUE_QUANTUM, context=MONEY)
        return MONEY.multiply(size, price)


class SimOrder(msgspec.Struct, kw_only=True):
    """One order of a user. The engine that accepted it owns and changes it; events carry snapshots.

    `lots` is the total, `filled` the executed part, `cost_ticks` the sum of price × lots of its executions,
    `queue_ahead` the external lots before it at its price while it rests; `queue_seen` is what the level held when the
    queue was last looked at, `queue_passed` what traded there since. `symbol` is set by the engine.
    `position_side` is BOTH in one-way mode, LONG or SHORT in hedge mode.
    """

    order_id: int
    account: str
    side: Side
    lots: int
    kind: OrderKind = "limit"
    price: int | None = None
    client_id: str = ""
    filled: int = 0
    tif: TimeInForce = "GTC"
    post_only: bool = False
    reduce_only: bool = False
    position_side: str = "BOTH"
    timestamp_ms: int = 0
    status: Status = "NEW"
    cost_ticks: int = 0
    queue_ahead: int = 0
    queue_seen: int = 0
    queue_passed: int = 0
    self_trade: SelfTradePrevention = "EXPIRE_MAKER"
    symbol: str = ""

    @property
    def remaining(self) -> int:
        """Lots not yet executed."""
        return self.lots - self.filled

    @property
    def is_open(self) -> bool:
        """True while it can still execute."""
        return self.status in ("NEW", "PARTIALLY_FILLED")

    def snapshot(self) -> SimOrder:
        """A copy of the order as it is now."""
        return copy.copy(self)


class _Event(msgspec.Struct, frozen=True):
    """Base of what an engine reports. `order` is a snapshot taken right after the event."""

    order: SimOrder


class Accepted(_Event, frozen=True):
    """The order passed the entry checks; immediate executions follow, the rest of a GTC limit order rests."""


class Traded(_Event, frozen=True):
    """One execution. Both users of a trade get the same `trade_id`; `counterparty` None is the market."""

    price_ticks: int
    lots: int
    is_maker: bool
    trade_id: int
    counterparty: str | None = None


class Canceled(_Event, frozen=True):
    """The order was taken off the book on request, or by its own amendment."""

    reason: CancelReason = "USER"


class Expired(_Event, frozen=True):
    """The venue ended the order after accepting it; what was filled stays filled."""

    reason: ExpireReason


class Rejected(_Event, frozen=True):
    """The order was refused at entry; it never was in the book."""

    reason: RejectReason


class Amended(_Event, frozen=True):
    """Price or total changed; the place in the queue is lost. Executions at the new price follow."""


MatchEvent = Accepted | Traded | Canceled | Expired | Rejected | Amended


def _on_grid(value: Decimal, step: Decimal, symbol: str, what: str, grid: str) -> int:
    steps, rest = divmod(value, step)
    if rest:
        raise OrderError(
            f"{what} {value} of {symbol} is not a multiple of the {grid} {step}: quantise it first"
        )
    return int(steps)
