"""The venue's own record of orders and executions, kept for its whole run, in the exact numbers of the wire."""

from __future__ import annotations

from collections.abc import Mapping
from decimal import Decimal

import msgspec

from nexustrader.emulator.market.listing import Listing
from nexustrader.emulator.orders.request import Trigger
from nexustrader.sim.types import SimOrder

ZERO = Decimal(0)
CLOSE_OUT = "LIQUIDATION"  # type of the venue's own orders against an account


class Execution(msgspec.Struct, frozen=True, kw_only=True):
    """One fill of one order. `fee` is positive when paid; `realized` is the profit it closed (futures)."""

    trade_id: int
    price: Decimal
    amount: Decimal
    fee: Decimal
    fee_asset: str
    is_maker: bool
    realized: Decimal = ZERO
    timestamp_ms: int

    @property
    def quote_amount(self) -> Decimal:
        """Price x amount, exactly."""
        return self.price * self.amount


class OrderRecord(msgspec.Struct, kw_only=True):
    """One order as the venue tells it. `sim` is the matching core's latest snapshot of it.

    `type`, `tif` and `stp` are the venue's words; `terms` are fields that only its encoders read.
    """

    listing: Listing
    account: str
    sim: SimOrder
    type: str
    tif: str
    client_id: str
    stp: str
    quote_amount: Decimal = ZERO
    created_ms: int
    updated_ms: int
    executions: list[Execution] = []
    expiry_reason: str | None = None
    cancel_reason: str | None = None
    modifications: int = 0
    trigger: Trigger | None = None
    is_held: bool = False  # it waits, or waited to its end, for its trigger
    held_id: int = 0  # its id until the trigger, where it gets another then
    refusal: str | None = None  # why its trigger came to nothing
    terms: Mapping[str, str] = {}

    @property
    def order_id(self) -> int:
        """The venue's id."""
        return self.sim.order_id

    @property
    def key(self) -> int:
        """The id that it has had since its making."""
        return self.held_id or self.order_id

    @property
    def is_apart(self) -> bool:
        """True of a held order where such are not yet orders like others."""
        return self.is_held and self.held_id != 0

    @property
    def symbol(self) -> str:
        """The venue's symbol."""
        return self.listing.symbol

    @property
    def price(self) -> Decimal:
        """Limit price; zero for market orders."""
        return ZERO if self.sim.price is None else self.listing.tick * self.sim.price

    @property
    def amount(self) -> Decimal:
        """Total amount."""
        return self.listing.lot * self.sim.lots

    @property
    def filled(self) -> Decimal:
        """Executed amount."""
        return self.listing.lot * self.sim.filled

    @property
    def cost(self) -> Decimal:
        """Sum of price x amount of the executions."""
        return self.listing.tick * self.listing.lot * self.sim.cost_ticks

    @property
    def average(self) -> Decimal:
        """Average price of the executions, zero without any."""
        return self.cost / self.filled if self.sim.filled else ZERO

    @property
    def status(self) -> str:
        """Status in the words of this record; the venue's own are its encoders' matter."""
        prevented = self.expiry_reason == "STP" and self.sim.status == "EXPIRED"
        return "EXPIRED_IN_MATCH" if prevented else self.sim.status

    @property
    def is_open(self) -> bool:
        """True while it can still execute."""
        return self.sim.is_open
