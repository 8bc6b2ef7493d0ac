"""What a request is, whichever way it came: a named operation with its security, its price and its handler."""

from __future__ import annotations

from collections.abc import Callable, Mapping

import msgspec

from nexustrader.emulator.binance.limits import Limiter
from nexustrader.emulator.binance.product import BinanceProduct
from nexustrader.emulator.faults import HANDLING, Fault
from nexustrader.emulator.orders.accounts import Account
from nexustrader.emulator.orders.past import Past
from nexustrader.emulator.orders.trading import Trading

NONE = "none"
KEY = "key"  # the key header only
SIGNED = "signed"  # key, timestamp and signature

Params = Mapping[str, str]


class Call(msgspec.Struct, frozen=True, kw_only=True):
    """One request, checked as far as its operation's security goes."""

    product: BinanceProduct
    params: Params
    now_ms: int
    account: Account | None = None
    limiter: Limiter
    about: Mapping[str, str | None] = {}
    past: Past | None = None  # what queries see instead of the present

    @property
    def owner(self) -> Account:
        """The account that asks; only for operations that need a key."""
        assert self.account is not None
        return self.account

    @property
    def orders(self) -> Trading | Past:
        """The orders as a query sees them."""
        return self.past or self.product.trading

    def strike(self, action: str, **more: str | None) -> Fault | None:
        """The fault of this name that strikes the request while it is handled; None for none."""
        return self.product.faults.take(HANDLING, (action,), **{**self.about, **more})


class Operation(msgspec.Struct, frozen=True, kw_only=True):
    """One thing the venue does on request.

    `name` is what faults call it. `is_order` counts against the order limits; `free` returns the weight when the
    request succeeds (spot orders). `product` is the one meant where a path could mean several.
    """

    name: str
    handler: Callable[[Call], object]
    security: str = NONE
    weight: int | Callable[[Params], int] = 1
    is_order: bool = False
    free: bool = False
    product: str = ""

    def weight_of(self, params: Params) -> int:
        """The request's weight."""
        return self.weight if isinstance(self.weight, int) else self.weight(params)
