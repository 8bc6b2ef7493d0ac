"""What a simulated venue is told: the account, the venue around it, and what outlives a restart."""

from __future__ import annotations

from collections.abc import Mapping
from decimal import Decimal
from typing import Protocol

import msgspec

from nexustrader.constants import InstrumentType
from nexustrader.error import OrderError
from nexustrader.sim.convert import KINDS

LATENCY_MS_MAX = 60_000


class SimSettings(msgspec.Struct, frozen=True, kw_only=True):
    """The account and the venue around it. Fees are fractions; None means the instrument's own.

    `kinds`: what the account may trade. An order larger than the quantity at the touch takes the rest
    `ticks_behind_touch` behind it. Order and trade ids count up from `first_id`. Every `update_interval_s` open
    positions are told anew with their unrealised profit. Raises OrderError for what is impossible.
    """

    balances: Mapping[str, Decimal]
    kinds: frozenset[InstrumentType] = frozenset(KINDS)
    leverage: Decimal = Decimal(1)
    maker_fee: Decimal | None = None
    taker_fee: Decimal | None = None
    latency_ms: int = 0
    update_interval_s: float | None = None
    ticks_behind_touch: int = 1
    first_id: int = 1

    def __post_init__(self) -> None:
        if not 0 <= self.latency_ms <= LATENCY_MS_MAX:
            raise OrderError(f"latency is {self.latency_ms} ms, choose 0 to {LATENCY_MS_MAX}")
        if not (self.leverage.is_finite() and self.leverage > 0):
            raise OrderError(f"leverage is {self.leverage}, choose more than 0")
        if self.ticks_behind_touch < 0:
            raise OrderError(f"ticks_behind_touch is {self.ticks_behind_touch}, choose 0 or more")


class SavedAccount(msgspec.Struct, frozen=True):
    """What outlives a restart: wallets by asset, and (signed amount, entry price) by symbol."""

    balances: dict[str, Decimal] = {}
    positions: dict[str, tuple[Decimal, Decimal]] = {}


class Keeper(Protocol):
    """Keeps an account between runs. `load` returns None where nothing was kept."""

    def load(self) -> SavedAccount | None: ...
    def save(self, account: SavedAccount) -> None: ...
