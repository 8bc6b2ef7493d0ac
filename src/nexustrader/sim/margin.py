"""Cross margin, as pure functions of values in the settlement asset."""

from __future__ import annotations

from decimal import Decimal

from nexustrader.sim.money import exact
from nexustrader.sim.position import PRICE_QUANTUM, Position
from nexustrader.sim.types import SimInstrument


@exact
def initial_margin(position_value: Decimal, buys: Decimal, sells: Decimal, leverage: Decimal) -> Decimal:
    """Margin of a position and the open orders around it, whose values are >= 0.

    It covers the largest value that the position reaches if all buys, or all sells, execute: an order that
    only closes costs nothing.
    """
    exposure = max(abs(position_value), abs(position_value + buys), abs(position_value - sells))
    return exposure / leverage


@exact
def maintenance_margin(position_value: Decimal, rate: Decimal) -> Decimal:
    """Equity below which the position is liquidated."""
    return abs(position_value) * rate


@exact
def liquidation_price(position: Position, instrument: SimInstrument, cushion: Decimal) -> Decimal | None:
    """Mark price at which equity meets the maintenance margin; None when no positive price does.

    `cushion` is what else covers the position: wallet, plus profit and less maintenance of all others.
    Linear: cushion + size × mark - cost = rate × |size| × mark. Inverse: cushion + cost - size / mark =
    rate × |size| / mark, with the size in quote and cost and cushion in base.
    """
    size = instrument.contract_size * instrument.lot * position.lots
    held = maintenance_margin(size, instrument.maint_margin)
    if instrument.kind == "inverse":
        numerator, denominator = size + held, cushion + position.cost
    else:
        numerator, denominator = position.cost - cushion, size - held
    if position.lots == 0 or numerator * denominator <= 0:
        return None
    return (numerator / denominator).quantize(PRICE_QUANTUM)
