"""A queue in which those behind you cancel more often than those ahead, the more so the nearer you are to the front.

The model is the power function of the probabilistic queue models documented by hftbacktest
(https://hftbacktest.readthedocs.io/en/latest/order_fill.html, "Queue Models"): of the lots that left the level without
a trade, the share f(back) / (f(back) + f(front)) left behind the order, with f(x) = x ** power and the lots ahead and
behind it as front and back. Of what would have left behind it and was not there, the rest left ahead.

What this one does otherwise: lots are whole, so what is ahead is rounded up; it never is below zero; trades are taken
off before front and back are measured, not only off the difference.
"""

from __future__ import annotations

import math

import msgspec

from nexustrader.error import OrderError

POWER_MAX = 16


def power_ahead(ahead: int, before: int, now: int, power: int) -> int:
    """`QueueModel.ahead` for a power. Plain arithmetic, so that both engines run this very function."""
    if now >= before or ahead >= before:
        return min(ahead, now)
    back, gone = before - ahead, before - now
    odds = ahead / back
    share = 1.0
    for _ in range(power):
        share *= odds
    behind = gone / (1.0 + share)
    left = ahead - (gone - behind) + min(0.0, back - behind)
    return min(now, max(0, math.ceil(left)))


class PowerQueue(msgspec.Struct, frozen=True):
    """Cancels are shared between ahead and behind by a power of the place in the queue.

    Power 1 shares them in proportion; the higher it is, the more of them stand on the longer side. Raises OrderError
    for a power that is not a whole number from 1 to POWER_MAX.
    """

    power: int = 2

    def __post_init__(self) -> None:
        if self.power not in range(1, POWER_MAX + 1):
            raise OrderError(
                f"the power of a queue is {self.power}, choose a whole number from 1 to {POWER_MAX}"
            )

    def ahead(self, ahead: int, before: int, now: int) -> int:
        return power_ahead(ahead, before, now, self.power)

    def describe(self) -> str:
        return (
            f"those who cancel stood behind it by the share back^{self.power} / (back^{self.power} + "
            f"front^{self.power}), of the lots behind and before it"
        )
