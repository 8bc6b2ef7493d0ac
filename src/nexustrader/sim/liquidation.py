"""When a position is liquidated, and at what price: pure decisions. `Upkeep` carries them out."""

from __future__ import annotations

import math
from decimal import ROUND_CEILING, ROUND_FLOOR, Decimal
from typing import NamedTuple

from nexustrader.sim.margin import price_at
from nexustrader.sim.money import exact
from nexustrader.sim.position import Position
from nexustrader.sim.types import SimInstrument

_CAUTION = 1 - 1e-9  # for what floating point loses


class Bounds(NamedTuple):
    """Prices within which nothing can be liquidated: above `low` and below `high`."""

    low: float = -math.inf
    high: float = math.inf

    def hold(self, low: float, high: float) -> bool:
        """True when everything between two prices lies within."""
        return self.low < low and high < self.high


EVERYWHERE = Bounds()
NOWHERE = Bounds(math.inf, -math.inf)
"""Every price has to be looked at."""


def bounds(
    position: Position, instrument: SimInstrument, mark: Decimal, share: Decimal, rate_max: Decimal
) -> Bounds:
    """Prices at which this position has not yet lost its share of what can be lost, seen from the mark.

    `rate_max` is the highest rate of maintenance that its value can reach. While every position that one wallet
    secures is within the bounds of an even share, the account cannot be below maintenance.
    """
    size = float(abs(instrument.contract_size * instrument.lot * position.lots))
    now, loss = float(mark), float(share) / (size * (1 + float(rate_max))) * _CAUTION
    if loss <= 0:
        return NOWHERE
    is_long = position.lots > 0
    if instrument.kind != "inverse":
        return Bounds(low=now - loss) if is_long else Bounds(high=now + loss)
    if is_long:
        return Bounds(low=1 / (1 / now + loss))
    return Bounds(high=1 / (1 / now - loss)) if 1 / now > loss else EVERYWHERE


@exact
def closing_ticks(position: Position, instrument: SimInstrument, cushion: Decimal, mark: Decimal) -> int:
    """The price at which a liquidated position is closed: that of bankruptcy or the mark, whichever is worse.

    `cushion` is what covers the position besides its own profit. Rounded to the tick against the position.
    """
    bankrupt = price_at(position, instrument, cushion)
    is_long = position.lots > 0
    worst = mark if bankrupt is None else min(bankrupt, mark) if is_long else max(bankrupt, mark)
    rounding = ROUND_FLOOR if is_long else ROUND_CEILING
    return max(1, int((worst / instrument.tick).to_integral_value(rounding)))
