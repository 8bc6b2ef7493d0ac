"""How closely an account is followed, and what orders of others on it mean, as a program configures it."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal, get_args

from nexustrader._config_checks import number, one_of

RECONCILE_INTERVAL_S = 60.0
ForeignOrders = Literal["ignore", "adopt", "none"]


@dataclass(frozen=True)
class ReconcileConfig:
    """How accounts are kept in line with their venues.

    interval_s: how often orders, balances and positions are compared with the venue's as a matter of routine. None:
        only at the start, after a reconnect, and where something is in doubt.
    foreign_orders: what orders mean that neither this strategy nor an earlier run of it has made. "ignore": they are
        left alone, and their fills count in the positions. "adopt": they are shown and told of like ours besides.
        "none": there are none, so `cancel_all_orders` may use the venue's own call, which would end them too.
        Whatever is said here, no order of others is ever cancelled or amended by itself.
    Raises ValueError or TypeError naming the field.
    """

    interval_s: float | None = RECONCILE_INTERVAL_S
    foreign_orders: ForeignOrders = "ignore"

    def __post_init__(self) -> None:
        if self.interval_s is not None:
            number(self, "interval_s", above=0)
        one_of(self, "foreign_orders", get_args(ForeignOrders))
