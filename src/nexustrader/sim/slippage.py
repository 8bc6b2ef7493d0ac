"""How much worse than the touch an order that takes is executed. Pure; every rounding is to the user's disadvantage.

Prices are in ticks, quantities in lots. A limit order is never executed beyond its limit.
"""

from __future__ import annotations

import math

import msgspec

from nexustrader.error import OrderError
from nexustrader.sim.types import Side

BPS = 10_000
_ROUNDING = 1e-9  # what floating point may add to a whole number of ticks


class TicksBehind(msgspec.Struct, frozen=True):
    """What the touch holds is executed at the touch, the rest of the order so many ticks behind it."""

    ticks: int = 1

    def __post_init__(self) -> None:
        if self.ticks < 0:
            raise OrderError(f"ticks_behind_touch is {self.ticks}, choose 0 or more")

    @property
    def behind(self) -> int:
        """Ticks behind the touch at which there is enough for any order."""
        return self.ticks

    def slip(self, price: int, lots: int, volume: int) -> int:
        """Ticks by which the whole order is executed worse."""
        del price, lots, volume
        return 0

    def describe(self) -> str:
        """What is assumed, in a sentence."""
        return (
            f"An order larger than the touch fills the rest {self.ticks} tick(s) behind it; orders do not "
            "move the market"
        )


class FixedBps(msgspec.Struct, frozen=True):
    """The whole order is executed so many hundredths of a percent worse than it would be otherwise."""

    bps: float

    def __post_init__(self) -> None:
        if not 0 <= self.bps < BPS:
            raise OrderError(f"FixedBps(bps={self.bps}) is impossible, choose 0 to {BPS}: 5 is 0.05 %")

    @property
    def behind(self) -> int:
        return 1

    def slip(self, price: int, lots: int, volume: int) -> int:
        del lots, volume
        return _up(price * self.bps / BPS)

    def describe(self) -> str:
        return (
            f"An order that takes is executed {self.bps:g} basis points worse than the touch, rounded up to ticks, and "
            "what the touch does not hold another tick behind"
        )


class SquareRootImpact(msgspec.Struct, frozen=True):
    """The whole order moves the price by `coefficient` x sqrt(its amount / the volume of the bar) of the price.

    `coefficient` is what an order as large as the bar's volume costs: 0.01 for a hundredth of the price. Where there
    are no bars, what the touch holds stands for the volume.
    """

    coefficient: float

    def __post_init__(self) -> None:
        if not 0 <= self.coefficient < 1:
            raise OrderError(
                f"SquareRootImpact(coefficient={self.coefficient}) is impossible, choose 0 to 1: 0.01 is one percent "
                "for an order as large as the volume of its bar"
            )

    @property
    def behind(self) -> int:
        return 1

    def slip(self, price: int, lots: int, volume: int) -> int:
        return _up(price * self.coefficient * math.sqrt(lots / max(1, volume)))

    def describe(self) -> str:
        return (
            f"An order that takes moves the price by {self.coefficient:g} x sqrt(amount / volume of the bar) of it, "
            "rounded up to ticks, and the market forgets it at once"
        )


Slippage = TicksBehind | FixedBps | SquareRootImpact


def slipped(price: int, side: Side, ticks: int, limit: int | None) -> int:
    """The price after so many ticks to the order's disadvantage: not beyond its limit, and not below one tick."""
    worse = price + side * ticks
    if limit is not None:
        worse = min(worse, limit) if side is Side.BUY else max(worse, limit)
    return max(1, worse)


def _up(ticks: float) -> int:
    return math.ceil(ticks - _ROUNDING)
