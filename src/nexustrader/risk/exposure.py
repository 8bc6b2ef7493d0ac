"""The worst case: how far a position can go, whichever of the open orders fill, in whichever sequence.

An order counts in full until it has ended, whether the venue has confirmed it or not. What a reduce-only order can do
is exact and not merely bounded: the venue lets it go no further than flat.
"""

from __future__ import annotations

from collections.abc import Iterable
from decimal import Decimal
from typing import NamedTuple

_ZERO = Decimal(0)


class Exposure(NamedTuple):
    """The lowest and the highest signed amount that a position can come to. Short is negative."""

    low: Decimal
    high: Decimal


class OpenAmount(NamedTuple):
    """What is left to fill of one order."""

    is_buy: bool
    amount: Decimal
    reduce_only: bool


class Totals(NamedTuple):
    """What is left to fill of all open orders of one position, by what they can do."""

    buys: Decimal = _ZERO
    sells: Decimal = _ZERO
    reducing_buys: Decimal = _ZERO
    reducing_sells: Decimal = _ZERO

    def plus(self, order: OpenAmount) -> Totals:
        """These and one more."""
        return totals((order,), self)


NOTHING_OPEN = Totals()


def totals(orders: Iterable[OpenAmount], start: Totals = NOTHING_OPEN) -> Totals:
    """Sum up, from `start` on."""
    buys, sells, reducing_buys, reducing_sells = start
    for is_buy, amount, reduce_only in orders:
        if is_buy:
            if reduce_only:
                reducing_buys += amount
            else:
                buys += amount
        elif reduce_only:
            reducing_sells += amount
        else:
            sells += amount
    return Totals(buys, sells, reducing_buys, reducing_sells)


def worst_case(position: Decimal, open_orders: Totals) -> Exposure:
    """The bounds of a position while orders are open. Each is reached by some sequence of fills."""
    # Reduce-only buys may fill first and lift a short from which the other buys then start, but only up to flat.
    lifted = position if position >= 0 else min(_ZERO, position + open_orders.reducing_buys)
    lowered = position if position <= 0 else max(_ZERO, position - open_orders.reducing_sells)
    return Exposure(low=lowered - open_orders.sells, high=lifted + open_orders.buys)
