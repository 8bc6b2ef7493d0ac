"""What a request is, whichever way it came: a named operation with its security, its price and its handler."""

from __future__ import annotations

from collections.abc import Callable, Mapping

import msgspec

from nexustrader.emulator.binance.accounts import Account
from nexustrader.emulator.binance.product import Product

NONE = "none"
KEY = "key"  # the key header only
SIGNED = "signed"  # key, timestamp and signature

Params = Mapping[str, str]


class Call(msgspec.Struct, frozen=True, kw_only=True):
    """One request, checked as far as its operation's security goes."""

    product: Product
    params: Params
    now_ms: int
    account: Account | None = None

    @property
    def owner(self) -> Account:
        """The account that asks; only for operations that need a key."""
        assert self.account is not None
        return self.account


class Operation(msgspec.Struct, frozen=True, kw_only=True):
    """One thing the venue does on request.

    `name` is what faults call it. `is_order` counts against the order limits; `free` returns the weight when the
    request succeeds (spot orders).
    """

    name: str
    handler: Callable[[Call], object]
    security: str = NONE
    weight: int | Callable[[Params], int] = 1
    is_order: bool = False
    free: bool = False

    def weight_of(self, params: Params) -> int:
        """The request's weight."""
        return self.weight if isinstance(self.weight, int) else self.weight(params)
