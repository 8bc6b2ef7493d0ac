"""What a request is, whichever way it came: a named operation with its security and its handler."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import TYPE_CHECKING, NamedTuple, cast

import msgspec

from nexustrader.emulator.bybit.accounts import AccountView, BybitAccount
from nexustrader.emulator.bybit.categories import LINEAR
from nexustrader.emulator.bybit.errors import bad
from nexustrader.emulator.bybit.handlers import params as read
from nexustrader.emulator.bybit.handlers.params import Params
from nexustrader.emulator.bybit.product import BybitProduct
from nexustrader.emulator.faults import HANDLING, Fault
from nexustrader.emulator.market.market import Market
from nexustrader.emulator.orders.accounts import Account
from nexustrader.emulator.orders.past import Past
from nexustrader.emulator.orders.trading import Trading

if TYPE_CHECKING:
    from nexustrader.emulator.bybit.venue import BybitVenue  # whose service makes the calls

Body = dict[str, object]


class Answered(NamedTuple):
    """A result with something in retExtInfo."""

    result: Body
    ext: Body


class Call(msgspec.Struct, frozen=True, kw_only=True):
    """One request, checked as far as its operation's security goes. `items` are the orders of a batch."""

    venue: BybitVenue
    params: Params
    items: Sequence[Params] = ()
    now_ms: int
    account: Account | None = None
    about: Mapping[str, str | None] = {}
    past: Past | None = None  # what queries see instead of the present

    @property
    def owner(self) -> BybitAccount:
        """The account that asks; only for operations that need a key."""
        assert self.account is not None
        return cast("BybitAccount", self.account)

    @property
    def product(self) -> BybitProduct:
        """The category that is meant. Raises BybitError 10001."""
        return self.venue.products[read.category(self.params)]

    @property
    def market(self) -> Market:
        """The market that is meant. Raises BybitError 10001."""
        market = self.product.markets.get(read.required(self.params, "symbol"))
        if market is None:
            raise bad("symbol invalid")
        return market

    @property
    def view(self) -> AccountView:
        """Positions and coins of the account that asks."""
        return AccountView(self.owner, self.venue.markets())

    def orders(self, product: BybitProduct) -> Trading | Past:
        """The orders of a category as a query sees them."""
        return product.trading if self.past is None else self.past.of(product.name)

    def strike(self, action: str, **more: str | None) -> Fault | None:
        """The fault of this name that strikes the request while it is handled; None for none."""
        return self.venue.faults.take(HANDLING, (action,), **{**self.about, **more})


class Operation(msgspec.Struct, frozen=True, kw_only=True):
    """One thing the venue does on request; `name` is what faults and limits call it."""

    name: str | Callable[[Params], str]
    handler: Callable[[Call], object]
    signed: bool = True

    def name_of(self, params: Params) -> str:
        """What faults call the request."""
        return self.name if isinstance(self.name, str) else self.name(params)


def about_of(operation: Operation, params: Params, route: str) -> dict[str, str | None]:
    """What faults ask of a request. What is of no category counts as the main one's."""
    return {
        "on": operation.name_of(params),
        "route": route,
        "product": params.get("category") or LINEAR,
        "symbol": params.get("symbol"),
        "client_id": params.get("orderLinkId"),
    }
