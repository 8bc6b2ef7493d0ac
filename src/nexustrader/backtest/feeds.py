"""What a backtest plays: recorded quotes, trades and bars, each in the order of its own times.

A feed plays its events as long as none of another feed is earlier. Each event finds the clock at its own time, with all
timers before it run; it moves the simulated venues first, and whoever listens is told of it afterwards.
"""

from __future__ import annotations

from collections.abc import Callable, Collection, Iterator, Mapping, Sequence
from heapq import merge
from itertools import groupby
from operator import attrgetter
from typing import Generic, Protocol, TypeVar

from nexustrader.backtest.replay import ReplayMarket, Wanted
from nexustrader.backtest.skipping import (
    FOREVER_NS,
    ROWS_AT_ONCE_MAX,
    ROWS_WORTHWHILE,
    Patience,
    Scale,
    Sight,
    Skipper,
    first_outside,
    sight_of_quotes,
    sight_of_trades,
    untouched,
)
from nexustrader.constants import DataType
from nexustrader.data.bars import Bars
from nexustrader.data.ticks import Quotes, Ticks, Trades
from nexustrader.kernel.clock import NS_PER_MS, VirtualClock
from nexustrader.schema import BookL1, Kline, Trade
from nexustrader.sim.exchange import SimExchange
from nexustrader.sim.quoted import Trail
from nexustrader.sim.ticks import POINTS, Tick, bar_ticks, trade_tick

EVENTS_AT_ONCE_MAX = 4_096  # until the world looks at its progress

T = TypeVar("T")

_closing = attrgetter("timestamp")


class Stage:
    """What events act upon. `is_stopped` ends the run before its next event; `played_ms` is the latest close told.

    `leave_rest` gives the venues what a feed has told of and not given them yet.
    """

    skips = True  # ticks that touch nothing are passed over; without it the same comes out, only later

    def __init__(
        self, clock: VirtualClock, market: ReplayMarket, venues: Mapping[str, SimExchange], start_ms: int
    ) -> None:
        self.clock = clock
        self.market = market
        self.venues = venues
        self.is_stopped = False
        self.played_ms = start_ms
        self.bars_played = 0
        self.ticks_at_once = EVENTS_AT_ONCE_MAX
        self.leave_rest: Callable[[], None] = _nothing_is_left

    def settle(self) -> None:
        """Give the venues the ticks that they have not been given yet: before they are asked for anything."""
        self.leave_rest()


class Feed(Protocol):
    """`next_ns`: time of the next event; None at the end."""

    next_ns: int | None

    def play(self, until_ns: int) -> int:
        """Play the next event and those behind it up to a time; returns how many bars or ticks have ended."""


def play_all(feeds: Sequence[Feed], stage: Stage, on_played: Callable[[int], object]) -> None:
    """Play all feeds to their ends in one order of time; among equal times the earlier feed goes first."""
    skipper = Skipper(feeds if stage.skips else (), stage.clock)
    while not stage.is_stopped:
        if skipped := skipper.skip():
            on_played(skipped)
        stage.ticks_at_once = skipper.patience or EVENTS_AT_ONCE_MAX
        waiting = [(feed.next_ns, place) for place, feed in enumerate(feeds) if feed.next_ns is not None]
        if not waiting:
            return
        _, place = min(waiting)
        others = [when_ns - (other < place) for when_ns, other in waiting if other != place]
        played = feeds[place].play(min(others, default=FOREVER_NS))
        skipper.note_played(played)
        on_played(played)


class TickFeed(Generic[T]):
    """Quotes or trades of one symbol, one by one or passed over. `rows` gives them from a number on.

    `move` are the venues' ways to take one in, `tell` is called while one of `wanted` is on. `sight` is what is looked
    at before ticks are passed over, `leave` gives the venues the last of these and what the others leave behind it.
    Ticks that are heard of and touch nothing are told of, and left to the venues together.
    """

    def __init__(
        self,
        stage: Stage,
        ticks: Ticks,
        rows: Callable[[int], Iterator[tuple[int, T]]],
        move: Sequence[Callable[[T], None]],
        tell: Callable[[T], None],
        wanted: Sequence[Wanted],
        sight: Sight,
        leave: Callable[[T, Trail], None] | None = None,
    ) -> None:
        self._stage = stage
        self._symbol = ticks.symbol
        self._time_ns = ticks.time_ns
        self._rows_from = rows
        self._move = move
        self._tell = tell
        self._wanted = wanted
        self._sight = sight
        self._leave = leave
        self._place = 0  # of the next row
        self._glides = Patience()
        self._begin(rows(0))

    def _begin(self, rows: Iterator[tuple[int, T]]) -> None:
        self._rows = rows
        self._next = next(rows, None)
        self.next_ns = None if self._next is None else self._next[0]

    @property
    def is_heard(self) -> bool:
        return any(wanted.is_on for wanted in self._wanted)

    def play(self, until_ns: int) -> int:
        stage = self._stage
        if not (stage.skips and self.is_heard):
            return self._walk(until_ns, stage.ticks_at_once)
        if not self._glides.rows and self._glides.tried(self._glide(until_ns)):
            return self._glides.done
        played = self._walk(until_ns, self._glides.rows)
        self._glides.rows -= played
        return played

    def _walk(self, until_ns: int, count_max: int) -> int:
        """Plays one tick after the other."""
        stage, move, tell, rows = self._stage, self._move, self._tell, self._rows
        step_to, run_soon = stage.clock.step_to, stage.clock.run_soon
        first, *more = self._wanted
        played, row = 0, self._next
        while row is not None:
            now_ns, event = row
            if now_ns > until_ns or played == count_max or stage.is_stopped:
                break
            step_to(now_ns)
            for take in move:
                take(event)
            if first.is_on or (more and self.is_heard):
                tell(event)
            run_soon()
            played += 1
            row = next(rows, None)
        self._next = row
        self.next_ns = None if row is None else row[0]
        self._place += played
        return played

    def _glide(self, until_ns: int) -> int:
        """Tells of ticks that touch nothing, up to what is due in between; returns how many."""
        stage, rows, row, tell = self._stage, self._rows, self._next, self._tell
        glide_to = stage.clock.glide_to
        first, *more = self._wanted
        place = left = self._place
        stop = self._first_touching(until_ns + 1, EVENTS_AT_ONCE_MAX)
        if stop - place < ROWS_WORTHWHILE:
            return 0

        def leave_rest() -> None:
            nonlocal left
            if left < place and self._leave is not None:
                self._leave(event, self._sight.touches(slice(left, place)).trail)
            left = place

        stage.leave_rest = leave_rest
        while row is not None and place < stop and (first.is_on or more) and not stage.is_stopped:
            if not glide_to(row[0]):
                break
            place += 1
            event = row[1]
            tell(event)
            row = next(rows, None)
        leave_rest()
        stage.leave_rest = _nothing_is_left
        stage.clock.run_soon()
        glided, self._place = place - self._place, place
        self._next = row
        self.next_ns = None if row is None else row[0]
        return glided

    def _first_touching(self, end_ns: int, rows_max: int) -> int:
        """The first row that has to be played by itself, or is at this time or later, or so many rows away."""
        sight, start = self._sight, self._place
        stop = start + int(self._time_ns[start : start + rows_max].searchsorted(end_ns))
        within = untouched(self._stage.venues.values(), self._symbol, sight.reach_ticks)
        return first_outside(sight, start, stop, within)

    def quiet_until(self, end_ns: int) -> int:
        if self.next_ns is None or self.next_ns >= end_ns:
            return end_ns
        place = self._first_touching(end_ns, ROWS_AT_ONCE_MAX)
        return min(end_ns, int(self._time_ns[place])) if place < len(self._time_ns) else end_ns

    def pass_to(self, end_ns: int) -> int:
        if self.next_ns is None or self.next_ns >= end_ns:
            return 0
        start = self._place
        self._place = stop = start + int(self._time_ns[start:].searchsorted(end_ns))
        rows = self._rows_from(stop - 1)
        now_ns, last = next(rows)
        if self._leave is not None:
            self._leave(last, self._sight.touches(slice(start, stop)).trail)
        self._stage.clock.step_to(now_ns)
        self._begin(rows)
        return stop - start


def _nothing_is_left() -> None: ...


class BarFeed:
    """Bars of all symbols, by the time at which they close.

    Symbols in `driven` have nothing finer: their bars move the venues. What listens decides how finely one is played.
    As long as nobody wants the book or the trades, no order rests and nothing happens before the close, only the close
    matters; else the bar is walked point by point. The bars of other symbols are only told of.
    """

    def __init__(
        self, stage: Stage, bars: Mapping[str, Bars], driven: Collection[str], scales: Mapping[str, Scale]
    ) -> None:
        self._stage = stage
        self._driven = frozenset(driven)
        self._scales = scales
        self._rows = _closings(bars)
        self._closing: list[Kline] = []
        self._driving: list[Kline] = []  # those of the closing bars that move the venues
        self._paths: list[tuple[Kline, tuple[Tick, ...]]] = []  # while the bars are walked
        self._place = 0  # of the next point on them
        self.next_ns: int | None = None
        self._drives_all = self._driven.issuperset(bars)
        self._begin_next()

    def play(self, until_ns: int) -> int:
        stage, played = self._stage, 0
        while (now_ns := self.next_ns) is not None and now_ns <= until_ns:
            if played >= EVENTS_AT_ONCE_MAX or stage.is_stopped:
                break
            if self._paths and self._place < POINTS:
                self._walk(now_ns)
            elif self._paths:
                played += self._close(())
            elif not self._driving or self._is_quiet(until_ns):
                played += self._close(self._driving)
            else:
                self._paths = [
                    (kline, bar_ticks(kline, *self._scales[kline.symbol])) for kline in self._driving
                ]
                self._walk(now_ns)
        return played

    def _begin_next(self) -> None:
        closing = next(self._rows, None)
        if closing is None:
            self.next_ns = None
            return
        self._closing, self._place = closing, 0
        if self._paths:
            self._paths = []
        driving = closing if self._drives_all else [one for one in closing if one.symbol in self._driven]
        self._driving = driving
        self.next_ns = (closing[0].start if driving else closing[0].timestamp) * NS_PER_MS

    def _is_quiet(self, until_ns: int) -> bool:
        """True when nothing can happen to anybody before the close."""
        close_ns = self._closing[0].timestamp * NS_PER_MS
        stage = self._stage
        if close_ns > until_ns or stage.market.has_tick_listeners or stage.clock.has_due(close_ns):
            return False
        for venue in stage.venues.values():
            for kline in self._driving:
                if venue.minds(kline):
                    return False
        return True

    def _walk(self, now_ns: int) -> None:
        """One point of the bars: open, two extremes, and the close just before it is told."""
        stage, place = self._stage, self._place
        stage.clock.step_to(now_ns)
        for kline, ticks in self._paths:
            for venue in stage.venues.values():
                venue.on_tick(kline.symbol, ticks[place])
        for kline, ticks in self._paths:
            stage.market.on_tick(kline.symbol, ticks[place], now_ns // NS_PER_MS)
        stage.clock.run_soon()
        self._place = place = place + 1
        start_ms, close_ms = self._closing[0].start, self._closing[0].timestamp
        step_ms = close_ms - start_ms
        next_ms = start_ms + min(place * step_ms // (POINTS - 1), step_ms - 1) if place < POINTS else close_ms
        self.next_ns = next_ms * NS_PER_MS

    def _close(self, quiet: Sequence[Kline]) -> int:
        """The word about the close, after the new quotes of those bars that were not walked."""
        stage, closing = self._stage, self._closing
        close_ms = closing[0].timestamp
        stage.clock.step_to(close_ms * NS_PER_MS)
        for venue in stage.venues.values():
            for kline in quiet:
                venue.on_bar(kline)
        for kline in closing:
            stage.market.on_close(kline)
        stage.clock.run_soon()
        stage.played_ms = close_ms
        stage.bars_played += len(closing)
        self._begin_next()
        return len(closing)


def quote_feed(stage: Stage, quotes: Quotes, scale: Scale) -> Feed:
    """Quotes move the venues, and are what strategies are told."""
    market, symbol, venues = stage.market, quotes.symbol, stage.venues.values()

    def leave(book: BookL1, trail: Trail) -> None:
        for venue in venues:
            venue.pass_over(symbol, book, trail)

    return TickFeed(
        stage,
        quotes,
        quotes.books,
        [venue.on_bookl1 for venue in venues],
        market.deliver_book,
        [market.wanted(symbol, DataType.BOOKL1)],
        sight_of_quotes(quotes, scale),
        leave,
    )


def trade_feed(stage: Stage, trades: Trades, scale: Scale, *, has_quotes: bool) -> Feed:
    """Trades fill orders that rest. Without quotes they make the touch as well, as the points of a bar do."""
    market, symbol, venues = stage.market, trades.symbol, stage.venues.values()
    wanted = market.wanted(symbol, DataType.TRADE)
    sight = sight_of_trades(trades, scale, has_quotes=has_quotes)
    if has_quotes:
        moves = [venue.on_trade for venue in venues]
        return TickFeed(stage, trades, trades.trades, moves, market.deliver_trade, [wanted], sight)
    book_wanted = market.wanted(symbol, DataType.BOOKL1)

    def move(trade: Trade) -> None:
        tick = trade_tick(trade, *scale)
        for venue in venues:
            venue.on_tick(symbol, tick)

    def tell(trade: Trade) -> None:
        if wanted.is_on:
            market.deliver_trade(trade)
        if book_wanted.is_on:
            market.on_touch(symbol, trade_tick(trade, *scale), trade.timestamp)

    def leave(trade: Trade, trail: Trail) -> None:
        tick = trade_tick(trade, *scale)
        for venue in venues:
            venue.pass_over(symbol, tick, trail)

    return TickFeed(stage, trades, trades.trades, [move], tell, [wanted, book_wanted], sight, leave)


def _closings(bars: Mapping[str, Bars]) -> Iterator[list[Kline]]:
    """Bars by the time at which they close."""
    series = [one.klines() for one in bars.values()]
    if len(series) == 1:
        return ([kline] for kline in series[0])
    return (list(group) for _, group in groupby(merge(*series, key=_closing), key=_closing))
