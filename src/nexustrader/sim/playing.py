"""Playing market events up to the next that somebody has to hear of: the terms, and the plain way of doing it."""

from __future__ import annotations

from collections.abc import Sequence
from typing import NamedTuple

from nexustrader.sim.kernel.columns import ASK, BID, BUYER, MORE, QUOTE, SELLER
from nexustrader.sim.kernel.layout import AT_CHANGE, AT_END, AT_HEARD, AT_TIME, AT_WATCHED
from nexustrader.sim.matching import MatchingEngine
from nexustrader.sim.types import Level, MatchEvent, Side, Touch

Row = tuple[int, int, int, int, int, int]
"""An event, as `kernel.columns.EVENT` has it."""

_TRADES = {BUYER: Side.BUY, SELLER: Side.SELL}


class Watch(NamedTuple):
    """Stops a play after a quote or an update.

    `touch`: where the touch is another one; None to leave that. `low`, `high`: where bid + ask, in ticks, is at these
    bounds or outside of them; twice the one side there is, if the other is empty.
    """

    touch: Touch | None = None
    low: int = -(1 << 62)
    high: int = 1 << 62

    def is_met(self, touch: Touch) -> bool:
        """True when a play stops at this touch."""
        if self.touch is not None and touch != self.touch:
            return True
        if touch.is_empty:
            return False
        both = touch.bid + touch.ask if touch.bid_lots and touch.ask_lots else 2 * max(touch.bid, touch.ask)
        return both <= self.low or both >= self.high


class Played(NamedTuple):
    """How far a play came. `why`: AT_END, AT_TIME, AT_HEARD, AT_CHANGE (an order was reported) or AT_WATCHED."""

    next: int
    events: list[MatchEvent]
    why: int


def play(
    engine: MatchingEngine,
    rows: Sequence[Row],
    start: int,
    end: int,
    until_ns: int,
    listened: int = 0,
    watch: Watch | None = None,
) -> Played:
    """As `KernelEngine.play`, with the plain engine: the events from number `start` on, before number `end`."""
    number = start
    while number < end:
        time_ns, kind, price, lots, price_2, lots_2 = rows[number]
        if time_ns >= until_ns:
            return Played(number, [], AT_TIME)
        if kind in _TRADES:
            number += 1
            events = engine.public_trade(price, lots, _TRADES[kind])
        elif kind == QUOTE:
            number += 1
            events = engine.set_top(price, lots, price_2, lots_2)
        else:
            number, sides = _update(rows, number)
            events = engine.set_levels(*sides)
            kind = rows[number - 1][1]
        if events:
            return Played(number, events, AT_CHANGE)
        if listened >> kind & 1:
            return Played(number, [], AT_HEARD)
        if watch is not None and kind not in _TRADES and watch.is_met(engine.told_touch()):
            return Played(number, [], AT_WATCHED)
    return Played(end, [], AT_END)


def _update(rows: Sequence[Row], number: int) -> tuple[int, tuple[list[Level], list[Level]]]:
    """The bids and asks of the update that begins with this row, and the number of the row behind it."""
    sides: dict[int, list[Level]] = {BID: [], ASK: []}
    while True:
        _, kind, price, lots, _, _ = rows[number]
        sides[kind & (MORE - 1)].append((price, lots))
        number += 1
        if not kind & MORE:
            return number, (sides[BID], sides[ASK])
