"""Margin, as pure functions of values in the settlement asset: what a position needs, and where it ends."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from decimal import Decimal
from itertools import pairwise
from typing import Literal, NamedTuple

import msgspec

from nexustrader.domain.instrument import to_plain
from nexustrader.error import OrderError
from nexustrader.sim.money import exact
from nexustrader.sim.position import PRICE_QUANTUM, Position
from nexustrader.sim.types import SimInstrument

ZERO = Decimal(0)

MarginMode = Literal["cross", "isolated"]


class MaintenanceTier(NamedTuple):
    """The rate of the part of a position's value that lies above `value`, up to the next tier."""

    value: Decimal
    rate: Decimal


Tiers = Sequence[MaintenanceTier]


class Margin(msgspec.Struct, frozen=True, kw_only=True):
    """How positions are secured, and when they are closed.

    mode: all positions of a settlement asset by its whole wallet, or each by the margin it was opened with. tiers:
    rates of maintenance by value in the settlement asset, of all symbols but those in `tiers_of`; none: the
    instrument's own rate. liquidation_fee: fraction of the closed value. With `liquidates=False` nothing is ever
    closed. Raises OrderError for tiers that do not begin at 0 or do not rise, and for rates that are none.
    """

    mode: MarginMode = "cross"
    tiers: tuple[MaintenanceTier, ...] = ()
    tiers_of: Mapping[str, tuple[MaintenanceTier, ...]] = {}
    liquidation_fee: Decimal = Decimal("0.0125")
    liquidates: bool = True

    def __post_init__(self) -> None:
        if self.mode not in ("cross", "isolated"):
            raise OrderError(f"Margin(mode={self.mode!r}) is unknown; give 'cross' or 'isolated'")
        if not 0 <= self.liquidation_fee < 1:
            raise OrderError(f"Margin(liquidation_fee={self.liquidation_fee}) is none; give 0 to 1")
        for tiers in (self.tiers, *self.tiers_of.values()):
            rising = all(a.value < b.value and a.rate <= b.rate for a, b in pairwise(tiers))
            if tiers and not (tiers[0].value == 0 and rising and all(0 < tier.rate < 1 for tier in tiers)):
                raise OrderError(
                    f"maintenance tiers {[(str(v), str(r)) for v, r in tiers]} are none; the first begins at 0, values "
                    "and rates rise, rates lie between 0 and 1"
                )

    def of(self, instrument: SimInstrument) -> Tiers:
        """The tiers of one instrument."""
        given = self.tiers_of.get(instrument.symbol, self.tiers)
        return given or (MaintenanceTier(ZERO, instrument.maint_margin),)

    def describe(self) -> str:
        """What is assumed of liquidations, in a sentence."""
        if not self.liquidates:
            return "Positions are never liquidated, whatever they lose"
        lost = "the wallet" if self.mode == "cross" else "the margin of the position"
        rates = (
            "by the tiers given"
            if self.tiers or self.tiers_of
            else "0.4 % of the value unless the instrument says otherwise"
        )
        return (
            f"When equity no longer exceeds the maintenance margin ({rates}) at any point of a bar, open orders are "
            f"cancelled and the position is closed at the price at which {lost} is used up, or at the market where "
            f"that is worse, for a fee of {to_plain(self.liquidation_fee)} of the value; the venue bears the rest"
        )


@exact
def initial_margin(position_value: Decimal, buys: Decimal, sells: Decimal, leverage: Decimal) -> Decimal:
    """Margin of a position and the open orders around it, whose values are >= 0.

    It covers the largest value that the position reaches if all buys, or all sells, execute: an order that
    only closes costs nothing.
    """
    exposure = max(abs(position_value), abs(position_value + buys), abs(position_value - sells))
    return exposure / leverage


@exact
def maintenance_margin(position_value: Decimal, rate: Decimal | Tiers) -> Decimal:
    """Equity below which the position is liquidated; with tiers, each part of the value at its own rate."""
    value = abs(position_value)
    if isinstance(rate, Decimal):
        return value * rate
    held = value * rate[0].rate
    for lower, upper in pairwise(rate):
        held += max(ZERO, value - upper.value) * (upper.rate - lower.rate)
    return held


@exact
def price_at(
    position: Position, instrument: SimInstrument, cushion: Decimal, rate: Decimal = ZERO
) -> Decimal | None:
    """Mark price at which equity is `rate` × the position's value, exactly; None when no positive price is.

    `cushion` is what else covers the position: wallet, plus profit and less maintenance of all others. With a rate of
    0 it is the price of bankruptcy.
    Linear: cushion + size × mark - cost = rate × |size| × mark. Inverse: cushion + cost - size / mark =
    rate × |size| / mark, with the size in quote and cost and cushion in base.
    """
    size = instrument.contract_size * instrument.lot * position.lots
    held = abs(size) * rate
    if instrument.kind == "inverse":
        numerator, denominator = size + held, cushion + position.cost
    else:
        numerator, denominator = position.cost - cushion, size - held
    if position.lots == 0 or numerator * denominator <= 0:
        return None
    return numerator / denominator


@exact
def liquidation_price(
    position: Position, instrument: SimInstrument, cushion: Decimal, tiers: Tiers | None = None
) -> Decimal | None:
    """Mark price at which equity meets the maintenance margin; None when no positive price does.

    `cushion` is as for `price_at`. Without tiers the instrument's own rate applies.
    """
    steps = tiers or (MaintenanceTier(ZERO, instrument.maint_margin),)
    spared = ZERO  # what the lower rates of the lower tiers save
    for place, tier in enumerate(steps):
        if place:
            spared += tier.value * (tier.rate - steps[place - 1].rate)
        price = price_at(position, instrument, cushion + spared, tier.rate)
        if price is None:
            continue
        value = abs(instrument.value(position.lots, price))
        if value >= tier.value and (place + 1 == len(steps) or value <= steps[place + 1].value):
            return price.quantize(PRICE_QUANTUM)
    return None
