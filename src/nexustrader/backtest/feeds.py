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
from nexustrader.constants import DataType
from nexustrader.data.bars import Bars
from nexustrader.data.ticks import Quotes, Trades
from nexustrader.kernel.clock import NS_PER_MS, VirtualClock
from nexustrader.schema import Kline, Trade
from nexustrader.sim.exchange import SimExchange
from nexustrader.sim.ticks import POINTS, Tick, bar_ticks, trade_tick

EVENTS_AT_ONCE_MAX = 4_096  # until the world looks at its progress
FOREVER_NS = 1 << 62

T = TypeVar("T")
Scale = tuple[float, float]  # tick and lot of a symbol

_closing = attrgetter("timestamp")


class Stage:
    """What events act upon. `is_stopped` ends the run before its next event; `played_ms` is the latest close told."""

    def __init__(
        self, clock: VirtualClock, market: ReplayMarket, venues: Mapping[str, SimExchange], start_ms: int
    ) -> None:
        self.clock = clock
        self.market = market
        self.venues = venues
        self.is_stopped = False
        self.played_ms = start_ms
        self.bars_played = 0


class Feed(Protocol):
    """`next_ns`: time of the next event; None at the end."""

    next_ns: int | None

    def play(self, until_ns: int) -> int:
        """Play the next event and those behind it up to a time; returns how many bars or ticks have ended."""


def play_all(feeds: Sequence[Feed], stage: Stage, on_played: Callable[[int], object]) -> None:
    """Play all feeds to their ends in one order of time; among equal times the earlier feed goes first."""
    while not stage.is_stopped:
        waiting = [(feed.next_ns, place) for place, feed in enumerate(feeds) if feed.next_ns is not None]
        if not waiting:
            return
        _, place = min(waiting)
        others = [when_ns - (other < place) for when_ns, other in waiting if other != place]
        on_played(feeds[place].play(min(others, default=FOREVER_NS)))


class TickFeed(Generic[T]):
    """Quotes or trades of one symbol, one by one. `move` are the venues' ways to take one in."""

    def __init__(
        self,
        stage: Stage,
        rows: Iterator[tuple[int, T]],
        move: Sequence[Callable[[T], None]],
        tell: Callable[[T], None],
        wanted: Wanted,
    ) -> None:
        self._stage = stage
        self._rows = rows
        self._move = move
        self._tell = tell
        self._wanted = wanted
        self._next = next(rows, None)
        self.next_ns = None if self._next is None else self._next[0]

    def play(self, until_ns: int) -> int:
        stage, move, tell, wanted, rows = self._stage, self._move, self._tell, self._wanted, self._rows
        step_to, run_soon = stage.clock.step_to, stage.clock.run_soon
        played, row = 0, self._next
        while row is not None:
            now_ns, event = row
            if now_ns > until_ns or played == EVENTS_AT_ONCE_MAX or stage.is_stopped:
                break
            step_to(now_ns)
            for take in move:
                take(event)
            if wanted.is_on:
                tell(event)
            run_soon()
            played += 1
            row = next(rows, None)
        self._next = row
        self.next_ns = None if row is None else row[0]
        return played


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
        self._closing, self._paths, self._place = closing, [], 0
        self._driving = driving = [kline for kline in closing if kline.symbol in self._driven]
        self.next_ns = (closing[0].start if driving else closing[0].timestamp) * NS_PER_MS

    def _is_quiet(self, until_ns: int) -> bool:
        """True when nothing can happen to anybody before the close."""
        close_ns = self._closing[0].timestamp * NS_PER_MS
        due_ns = self._stage.clock.next_ns()
        if close_ns > until_ns or (due_ns is not None and due_ns <= close_ns):
            return False
        if self._stage.market.has_tick_listeners:
            return False
        for venue in self._stage.venues.values():
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

    def _close(self, moving: Sequence[Kline]) -> int:
        """The word about the close, after the new quotes of those bars that were not walked."""
        stage, closing = self._stage, self._closing
        close_ms = closing[0].timestamp
        stage.clock.step_to(close_ms * NS_PER_MS)
        for venue in stage.venues.values():
            for kline in moving:
                venue.on_bar(kline)
        for kline in closing:
            stage.market.on_close(kline)
        stage.clock.run_soon()
        stage.played_ms = close_ms
        stage.bars_played += len(closing)
        self._begin_next()
        return len(closing)


def quote_feed(stage: Stage, quotes: Quotes) -> Feed:
    """Quotes move the venues, and are what strategies are told."""
    market = stage.market
    return TickFeed(
        stage,
        quotes.books(),
        [venue.on_bookl1 for venue in stage.venues.values()],
        market.deliver_book,
        market.wanted(quotes.symbol, DataType.BOOKL1),
    )


def trade_feed(stage: Stage, trades: Trades, scale: Scale, *, has_quotes: bool) -> Feed:
    """Trades fill orders that rest. Without quotes they make the touch as well, as the points of a bar do."""
    market, symbol = stage.market, trades.symbol
    venues = stage.venues.values()
    wanted = market.wanted(symbol, DataType.TRADE)
    if has_quotes:
        return TickFeed(
            stage, trades.trades(), [venue.on_trade for venue in venues], market.deliver_trade, wanted
        )
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

    return TickFeed(stage, trades.trades(), [move], tell, Wanted(is_on=True))


def _closings(bars: Mapping[str, Bars]) -> Iterator[list[Kline]]:
    """Bars by the time at which they close."""
    series = [one.klines() for one in bars.values()]
    if len(series) == 1:
        return ([kline] for kline in series[0])
    return (list(group) for _, group in groupby(merge(*series, key=_closing), key=_closing))
