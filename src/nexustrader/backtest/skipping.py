"""Ticks that nobody hears of and that touch nothing are passed over, many at a time, on their columns.

A tick has to be played by itself when somebody listens to it, when its prices come to those of a resting order, or
when they may liquidate a position. Of all others this stays: the last quote and, in the book of a symbol with resting
orders, the levels that no later quote removed. What is passed over ends before the next timer, the next event of any
other feed, and the next tick that has to be played. So the world is, at every event that is played, as if all had been.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from typing import NamedTuple, Protocol, runtime_checkable

import numpy as np

from nexustrader.data.bars import Floats
from nexustrader.data.ticks import Quotes, Trades
from nexustrader.kernel.clock import VirtualClock
from nexustrader.sim.exchange import SimExchange
from nexustrader.sim.liquidation import EVERYWHERE, Bounds
from nexustrader.sim.quoted import NO_ASK
from nexustrader.sim.types import Level

FOREVER_NS = 1 << 62
ROWS_AT_ONCE_MAX = 1 << 17  # bounds what the columns that are made on the way take
ROWS_PER_LOOK_FIRST, ROWS_PER_LOOK_MAX = 1 << 8, 1 << 15
ROWS_WORTHWHILE = 64  # fewer are played about as fast
ROWS_PATIENCE_MAX = 256
NEAR_TICKS = 0.75  # what is further from an order is not rounded to its price


Scale = tuple[float, float]  # tick and lot of a symbol


class Timed(Protocol):
    """`next_ns`: time of the next event; None at the end."""

    next_ns: int | None


@runtime_checkable
class Skippable(Timed, Protocol):
    """A feed of ticks that can be passed over."""

    @property
    def is_heard(self) -> bool:
        """True while somebody listens, so that every tick has to be played."""

    def quiet_until(self, end_ns: int) -> int:
        """The time, at most `end_ns`, before which no tick touches anything."""

    def pass_to(self, end_ns: int) -> int:
        """Passes over all ticks before a time; returns how many."""


class Patience:
    """How many ticks are to be played one by one before the next attempt at more: twice as many with each vain one."""

    def __init__(self) -> None:
        self.rows = 0
        self.done = 0  # by the latest attempt
        self._wait = 1

    def tried(self, done: int) -> bool:
        """An attempt came so far; True if that was anything."""
        self._wait = 1 if done >= ROWS_WORTHWHILE else min(2 * self._wait, ROWS_PATIENCE_MAX)
        self.rows, self.done = self._wait, done
        return done > 0


class Skipper:
    """Passes over ticks of all feeds together.

    `patience` is how many ticks are to be played before the next attempt; None while there is nothing that could be
    passed over.
    """

    def __init__(self, feeds: Sequence[Timed], clock: VirtualClock) -> None:
        self._feeds = feeds
        self._skippable = [feed for feed in feeds if isinstance(feed, Skippable)]
        self._clock = clock
        self._attempts = Patience()
        self.patience: int | None = 0

    def skip(self) -> int:
        """Returns how many ticks were passed over."""
        if self.patience:
            return 0
        quiet = [feed for feed in self._skippable if feed.next_ns is not None and not feed.is_heard]
        self._attempts.tried(self._pass_over(quiet))
        self.patience = self._attempts.rows if quiet else None
        return self._attempts.done

    def note_played(self, ticks: int) -> None:
        """So many ticks were played one by one."""
        if self.patience is not None:
            self.patience = max(0, self.patience - ticks)

    def _pass_over(self, quiet: Sequence[Skippable]) -> int:
        if not quiet:
            return 0
        others = (feed.next_ns for feed in self._feeds if feed not in quiet)
        ends = [when_ns for when_ns in (self._clock.next_ns(), *others) if when_ns is not None]
        end_ns = min(ends, default=FOREVER_NS)
        for feed in quiet:
            end_ns = feed.quiet_until(end_ns)
        return sum(feed.pass_to(end_ns) for feed in quiet)


def untouched(venues: Iterable[SimExchange], symbol: str, reach: float) -> Bounds:
    """Prices between which a tick touches nothing at any venue, if it moves the touch by so many ticks at most."""
    low, high = EVERYWHERE
    for venue in venues:
        bounds = venue.untouched(symbol, reach)
        low, high = max(low, bounds.low), min(high, bounds.high)
    return Bounds(low, high)


def first_outside(sight: Sight, start: int, stop: int, within: Bounds) -> int:
    """The first row, from `start` up to `stop`, whose prices are not all within the bounds; `stop` if there is none."""
    if within == EVERYWHERE:
        return stop
    size = ROWS_PER_LOOK_FIRST
    while start < stop:
        end = min(start + size, stop)
        low, high = sight.prices(slice(start, end))
        is_outside = (low <= within.low) | (high >= within.high)
        place = int(is_outside.argmax())
        if is_outside[place]:
            return start + place
        start, size = end, min(4 * size, ROWS_PER_LOOK_MAX)
    return stop


class Touches(NamedTuple):
    """Columns of best bids and asks. A price of 0 says that the side is empty."""

    bid: Floats
    bid_size: Floats
    ask: Floats
    ask_size: Floats
    tick: float
    lot: float

    def trail(self) -> tuple[list[Level], list[Level]]:
        """What has to be told of all rows but the last: bids and asks, in order of time."""
        ask = np.where(self.ask > 0, self.ask, NO_ASK * self.tick)
        return (
            _staying(self.bid, self.bid_size, self.tick, self.lot),
            _staying(-ask, np.where(self.ask > 0, self.ask_size, 0), self.tick, self.lot),
        )


@dataclass(frozen=True, slots=True, kw_only=True)
class Sight:
    """The lowest and the highest prices of rows, how much further they may reach, and the touches that they make."""

    prices: Callable[[slice], tuple[Floats, Floats]]
    reach_ticks: float
    touches: Callable[[slice], Touches]


def sight_of_quotes(quotes: Quotes, scale: Scale) -> Sight:
    """Quotes: where nobody asks, the bid is the highest price."""
    bid, ask = quotes.bid, quotes.ask

    def touches(rows: slice) -> Touches:
        return Touches(bid[rows], quotes.bid_size[rows], ask[rows], quotes.ask_size[rows], *scale)

    def prices(rows: slice) -> tuple[Floats, Floats]:
        return bid[rows], np.maximum(bid[rows], ask[rows])

    return Sight(prices=prices, reach_ticks=NEAR_TICKS, touches=touches)


def sight_of_trades(trades: Trades, scale: Scale, *, has_quotes: bool) -> Sight:
    """Trades; without quotes a side of the touch may be one tick away from the price, as `sim.ticks.Tick` has it."""
    price, size = trades.price, trades.size
    tick, lot = scale

    def touches(rows: slice) -> Touches:
        bid = np.rint(price[rows] / tick) - trades.is_buy[rows]
        return Touches(bid, size[rows], bid + 1, size[rows], 1, lot)

    def prices(rows: slice) -> tuple[Floats, Floats]:
        # Without quotes they are marks as well, and those are on the grid: a price between two ticks may reach further.
        marks = price[rows] if has_quotes else np.rint(price[rows] / tick) * tick
        return marks, marks

    return Sight(prices=prices, reach_ticks=NEAR_TICKS if has_quotes else NEAR_TICKS + 1, touches=touches)


def _staying(rank: Floats, size: Floats, tick: float, lot: float) -> list[Level]:
    """Levels of one side that rows before the last leave behind, where a higher `rank` is a better price.

    A quote removes what is better, so a level stays if all later ones are better. The worst level of all may be an old
    one of which an order took something, which comes back when any row tells another quantity: such a row goes first.
    """
    worst = np.minimum.accumulate(rank[::-1])[::-1]  # of each row and those behind it
    staying = np.flatnonzero(rank[:-1] < worst[1:])
    near = np.flatnonzero(rank <= worst[0] + tick)
    old = near[np.rint(rank[near] / tick) == np.rint(worst[0] / tick)]
    others = old[np.rint(size[old] / lot) != np.rint(size[old[-1]] / lot)]
    rows = np.append(others[-1:], staying)
    price = np.abs(np.rint(rank[rows] / tick))
    lots = np.where(price % NO_ASK > 0, np.maximum(1, np.rint(size[rows] / lot)), 0)
    return list(zip(price.astype(np.int64).tolist(), lots.astype(np.int64).tolist(), strict=True))
