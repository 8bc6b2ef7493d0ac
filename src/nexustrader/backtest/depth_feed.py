"""A recorded order book, and the trades of its symbol, as a backtest plays them.

Between two things that somebody has to hear of, updates and trades are played by the venue's engine alone, at native
speed. What is heard of ends such a stretch: a timer, an event of another feed, an order that changed, a price that may
liquidate, and whatever the strategy has subscribed to. So the world is as if every row had been played by itself.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import NamedTuple

import numpy as np

from nexustrader.backtest.feeds import Stage
from nexustrader.backtest.skipping import FOREVER_NS, Scale
from nexustrader.constants import DataType, OrderSide
from nexustrader.data.bars import Ints
from nexustrader.data.depth import BID, Depth, DepthRows
from nexustrader.data.ticks import Trades
from nexustrader.domain.instrument import Instrument
from nexustrader.kernel.clock import NS_PER_MS
from nexustrader.schema import InstrumentId, Trade
from nexustrader.sim.booked import BookedMarket
from nexustrader.sim.convert import to_sim_instrument
from nexustrader.sim.exchange import SimExchange
from nexustrader.sim.kernel import columns
from nexustrader.sim.kernel.columns import ASK, BUYER, MORE, SELLER, Events
from nexustrader.sim.liquidation import EVERYWHERE
from nexustrader.sim.playing import Watch
from nexustrader.sim.types import Level, MatchEvent, Touch

ROWS_AT_ONCE_MAX = 1 << 16  # until the world looks at its progress
TRADE_BITS = 1 << BUYER | 1 << SELLER
LEVEL_BITS = 1 << columns.BID | 1 << ASK


Driven = tuple[SimExchange | None, BookedMarket]
"""A market that a book drives, and the venue that it is of."""


def market_of_nobody(instrument: Instrument) -> BookedMarket:
    """A market for a book that is only listened to."""
    from nexustrader.sim.kernel.engine import KernelEngine

    return BookedMarket(instrument, KernelEngine(to_sim_instrument(instrument)))


class Stretch(NamedTuple):
    """Updates and trades to be played, or one snapshot (bids and asks). `first_trade`: number of its first trade."""

    events: Events
    snapshot: tuple[list[Level], list[Level]] | None
    first_trade: int

    def time_ns(self, place: int) -> int:
        return int(self.events.rows["time_ns"][place])


class DepthFeed:
    """Updates of one symbol's book, and its trades; of one moment, trades come first.

    `markets` are those of the accounts that trade it. Where there are several, each update is played by itself, since
    what happens in one of them may be heard of before the next one in the other.
    """

    def __init__(
        self,
        stage: Stage,
        depth: Depth,
        trades: Trades | None,
        scale: Scale,
        markets: Sequence[Driven],
    ) -> None:
        self._stage = stage
        self._symbol = symbol = depth.symbol
        self._trades = trades
        self._markets = markets
        self._touch_wanted = stage.market.wanted(symbol, DataType.BOOKL1)
        self._trades_wanted = stage.market.wanted(symbol, DataType.TRADE)
        self._levels_wanted = stage.market.levels_wanted(symbol)
        self._touch_told = Touch()
        self._safe, self._guard = EVERYWHERE, markets[0][1].watch(EVERYWHERE, None)
        self._stretches = stretches(depth, trades, scale)
        self._stretch: Stretch | None = None
        self._place = 0  # of the next event in it
        self.next_ns: int | None = None
        self._go_on()
        self._lead_in(max(depth.start_ns, stage.played_ms * NS_PER_MS))

    # -- playing -------------------------------------------------------------------------------------------------

    def play(self, until_ns: int) -> int:
        stage, played = self._stage, 0
        while (now_ns := self.next_ns) is not None and now_ns <= until_ns:
            if played >= ROWS_AT_ONCE_MAX or stage.is_stopped:
                break
            stage.clock.step_to(now_ns)
            due_ns = stage.clock.next_ns()
            played += self._play(until_ns + 1 if due_ns is None else min(until_ns + 1, due_ns))
            stage.clock.run_soon()
        return played

    def _play(self, end_ns: int) -> int:
        """Plays the next event and those behind it that nobody hears of, up to a time; returns how many rows."""
        stretch, begin = self._stretch, self._place
        assert stretch is not None
        if stretch.snapshot is not None:
            heard = [market.set_book(*stretch.snapshot) for _, market in self._markets]
            self._place = stretch.events.count
        elif len(self._markets) == 1:
            heard = [self._play_on(stretch.events, end_ns)]
        else:
            heard = self._play_one(stretch.events)
        last = self._place - 1
        now_ns, kind = stretch.time_ns(last), int(stretch.events.rows["kind"][last])
        self._stage.clock.step_to(now_ns)
        for (venue, market), events in zip(self._markets, heard, strict=True):
            if venue is not None and (events or market.safe is not EVERYWHERE):
                venue.on_played(market, events)
        self._tell(stretch, last, kind, now_ns // NS_PER_MS)
        rows = self._place - begin
        self._go_on()
        return rows

    def _play_on(self, events: Events, end_ns: int) -> list[MatchEvent]:
        venue, market = self._markets[0]
        safe = EVERYWHERE if venue is None else venue.safe_prices(market)
        listened = (TRADE_BITS if self._trades_wanted.is_on else 0) | (
            LEVEL_BITS if self._levels_wanted else 0
        )
        if safe is not self._safe:
            self._safe, self._guard = safe, market.watch(safe, None)
        _, low, high = watch = self._guard
        if self._touch_wanted.is_on:
            watch = Watch(self._touch_told, low, high)
        self._place, heard, _ = market.play(events, self._place, end_ns, listened, events.count, watch)
        return heard

    def _play_one(self, events: Events) -> list[list[MatchEvent]]:
        kinds, end = events.rows["kind"], self._place
        while kinds[end] & MORE:
            end += 1
        begin, self._place = self._place, end + 1
        every = self._markets[0][1].watch(EVERYWHERE, None)
        return [
            market.play(events, begin, FOREVER_NS, 0, self._place, every).events
            for _, market in self._markets
        ]

    def _tell(self, stretch: Stretch, place: int, kind: int, now_ms: int) -> None:
        """Tells those who listen of the last event that was played."""
        market, symbol = self._stage.market, self._symbol
        if kind in (BUYER, SELLER):
            if self._trades_wanted.is_on:
                market.deliver_trade(self._trade(stretch, place, now_ms))
            return
        book = self._markets[0][1]
        if self._touch_wanted.is_on and (touch := book.told_touch()) != self._touch_told:
            self._touch_told = touch
            if not touch.is_empty:
                market.on_book(symbol, touch, now_ms)
        if self._levels_wanted:
            market.on_levels(symbol, *book.told_levels(max(self._levels_wanted)), now_ms)

    def _trade(self, stretch: Stretch, place: int, now_ms: int) -> Trade:
        trades, before = self._trades, stretch.events.rows["kind"][:place]
        assert trades is not None
        number = stretch.first_trade + int(np.count_nonzero((before == BUYER) | (before == SELLER)))
        side = OrderSide.BUY if trades.is_buy[number] else OrderSide.SELL
        exchange = InstrumentId.from_str(self._symbol).exchange
        price, size = float(trades.price[number]), float(trades.size[number])
        return Trade(exchange, side, self._symbol, price, size, now_ms)

    # -- going on ------------------------------------------------------------------------------------------------

    def _go_on(self) -> None:
        """To the next event, if need be in the next stretch."""
        if self._stretch is None or self._place == self._stretch.events.count:
            self._stretch, self._place = next(self._stretches, None), 0
        self.next_ns = None if self._stretch is None else self._stretch.time_ns(self._place)

    def _lead_in(self, start_ns: int) -> None:
        """Makes the book that is there at the beginning."""
        while self._stretch is not None and self.next_ns is not None and self.next_ns < start_ns:
            events = self._stretch.events
            for _, market in self._markets:
                if self._stretch.snapshot is not None:
                    market.set_book(*self._stretch.snapshot)
                    end = events.count
                else:
                    every = market.watch(EVERYWHERE, None)
                    end = market.play(events, self._place, start_ns, 0, events.count, every).next
            self._place = end
            self._go_on()


# -- rows of a part as events of an engine -----------------------------------------------------------------------


def stretches(depth: Depth, trades: Trades | None, scale: Scale) -> Iterator[Stretch]:
    """What is to be played, in order: prices in ticks, sizes in lots. It is made part by part."""
    reader = _Trades(trades, scale)
    for part in depth.parts():
        for run in part.runs():
            first = reader.place
            if not run.is_snapshot[-1]:
                yield Stretch(_merged(reader.up_to(int(run.time_ns[-1])), _events(run, scale)), None, first)
                continue
            before = reader.up_to(int(run.time_ns[-1]))
            if before is not None:
                yield Stretch(before, None, first)
            yield Stretch(_events(run, scale), _book(run, scale), reader.place)
    first, rest = reader.place, reader.up_to(FOREVER_NS)
    if rest is not None:
        yield Stretch(rest, None, first)


class _Trades:
    """Hands out trades by time. `place` is the number of the next one."""

    def __init__(self, trades: Trades | None, scale: Scale) -> None:
        self._trades = trades
        self._tick, self._lot = scale
        self.place = 0

    def up_to(self, time_ns: int) -> Events | None:
        """Those that are left of this time or before; None if there are none."""
        trades = self._trades
        if trades is None:
            return None
        begin = self.place
        self.place = end = begin + int(trades.time_ns[begin:].searchsorted(time_ns, "right"))
        if begin == end:
            return None
        rows = slice(begin, end)
        return columns.trades(
            trades.time_ns[rows],
            columns.nearest(trades.price[rows], self._tick),
            columns.nearest(trades.size[rows], self._lot),
            trades.is_buy[rows],
        )


def _merged(trades: Events | None, updates: Events) -> Events:
    return updates if trades is None else columns.merge((trades, updates))


def _events(run: DepthRows, scale: Scale) -> Events:
    price, lots = _ticks_and_lots(run, scale)
    return columns.deltas(run.time_ns, price, lots, run.side == BID, run.is_last)


def _ticks_and_lots(run: DepthRows, scale: Scale) -> tuple[Ints, Ints]:
    """What holds anything holds a lot at least."""
    tick, lot = scale
    return columns.nearest(run.price, tick), np.maximum(columns.nearest(run.size, lot), run.size > 0)


def _book(run: DepthRows, scale: Scale) -> tuple[list[Level], list[Level]]:
    price, lots = _ticks_and_lots(run, scale)
    bids, asks = (
        list(zip(price[side].tolist(), lots[side].tolist(), strict=True))
        for side in (run.side == BID, run.side != BID)
    )
    return bids, asks
