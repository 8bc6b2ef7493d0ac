"""What trading asks of a venue: its filters, its refusals, its words; and how it tells accounts of their orders."""

from __future__ import annotations

from decimal import Decimal
from typing import Literal, Protocol

from nexustrader.emulator.errors import VenueError
from nexustrader.emulator.market.listing import Listing
from nexustrader.emulator.market.market import Market
from nexustrader.emulator.orders.accounts import Account
from nexustrader.emulator.orders.records import Execution, OrderRecord
from nexustrader.emulator.orders.request import OrderRequest, Trigger
from nexustrader.sim.types import RejectReason, Side, SimOrder, Status

MoneyCause = Literal["liquidation", "funding", "transfer"]


class Rules(Protocol):
    """The rules of one product. `client_ids_for_ever`: an id may not come back, not even after its order's end.

    `first_held_id`: orders that wait for a trigger have ids of their own, no funds are asked of them until then, and
    what cannot be entered then is rejected. None: they are orders like others all the time.
    """

    first_order_id: int
    first_held_id: int | None
    client_ids_for_ever: bool

    def check(self, request: OrderRequest, market: Market, open_orders: int) -> None:
        """Raises VenueError when the order breaks a filter; `open_orders` counts the account's in this market."""

    def check_amendment(self, record: OrderRecord, market: Market, price: Decimal, amount: Decimal) -> None:
        """Raises VenueError when the order may not get this price and total."""

    def rejection(self, reason: RejectReason) -> VenueError | None:
        """The refusal of what the core rejects at entry; None to take the order and end it at once."""

    def no_lots(self) -> VenueError:
        """The refusal of an amount that is less than one lot."""

    def no_funds(self) -> VenueError:
        """The refusal of what the account cannot pay for."""

    def would_trigger(self, trigger: Trigger, now: Decimal) -> VenueError:
        """The refusal of a trigger whose price is there already; `now` is the price that it looks at."""

    def duplicate(self) -> VenueError:
        """The refusal of a client id that is in use."""

    def unknown_order(self) -> VenueError:
        """The refusal to cancel what is not open."""

    def end_status(self, record: OrderRecord, order: SimOrder, reason: str) -> Status:
        """The status by which the venue calls the end of an order that it had taken."""

    def order_name(self, number: int) -> str:
        """The venue's id of an order, as its wire writes it."""

    def fill_name(self, symbol: str, fill: Execution) -> str:
        """The venue's id of an execution, as its wire writes it."""

    def plain_order(
        self, listing: Listing, side: Side, amount: Decimal, price: Decimal | None, client_id: str
    ) -> OrderRequest:
        """A limit order, or without a price one at the market, as a user makes it by hand."""


class Voice(Protocol):
    """Tells an account each step in the life of its orders, and what else changes its money."""

    def accepted(self, account: Account, market: Market, record: OrderRecord) -> None: ...
    def traded(self, account: Account, market: Market, record: OrderRecord, execution: Execution) -> None: ...
    def canceled(
        self, account: Account, market: Market, record: OrderRecord, cancel_id: str | None
    ) -> None: ...
    def expired(self, account: Account, market: Market, record: OrderRecord) -> None: ...
    def amended(self, account: Account, market: Market, record: OrderRecord) -> None: ...
    def released(self, account: Account, market: Market, record: OrderRecord) -> None:
        """Its trigger came; what that made of it is told next. Not held any more, unless `refusal` says why."""

    def money_moved(
        self, account: Account, cause: MoneyCause, asset: str, change: Decimal, market: Market | None = None
    ) -> None: ...
