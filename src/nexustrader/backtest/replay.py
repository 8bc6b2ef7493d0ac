"""The public side of a backtest: recorded bars as the streams and the answers that a venue would give, up to now."""

from __future__ import annotations

from collections.abc import Callable, Collection, Coroutine, Iterator, Mapping, Sequence
from decimal import Decimal
from typing import Any, TypeVar

import numpy as np

from nexustrader.backtest.past import Past
from nexustrader.constants import DataType, KlineInterval, OrderSide
from nexustrader.domain.instrument import Instrument
from nexustrader.domain.setting import Setting
from nexustrader.error import OutcomeUnknown
from nexustrader.execution.oms import OrderManager
from nexustrader.kernel.clock import VirtualClock
from nexustrader.kernel.ports import VenuePort
from nexustrader.market.hub import MarketHub
from nexustrader.market.subscriptions import Stream
from nexustrader.schema import BookL1, BookL2, BookOrderData, Kline, Order, Ticker, Trade
from nexustrader.sim.latency import Delay, Lane, delayed
from nexustrader.sim.ticks import Tick
from nexustrader.sim.types import Level, Side, Touch

DAY_MS = 86_400_000
TICK_KINDS = frozenset({DataType.BOOKL1, DataType.TRADE})

T = TypeVar("T")


class _Later:
    """Klines of one longer interval, handed out when their time has come."""

    def __init__(self, klines: Iterator[Kline]) -> None:
        self._klines = klines
        self._next = next(klines, None)

    def due(self, now_ms: int) -> Iterator[Kline]:
        """Those that have closed by now and were not handed out before."""
        while self._next is not None and self._next.timestamp <= now_ms:
            kline, self._next = self._next, next(self._klines, None)
            yield kline


class Wanted:
    """Whether anybody listens to one kind of data of one symbol."""

    __slots__ = ("is_on",)

    def __init__(self, *, is_on: bool = False) -> None:
        self.is_on = is_on


class _Ticker:
    """Who wants the ticks of a symbol, and how ticks and lots become prices and sizes."""

    __slots__ = ("digits", "exchange", "levels", "lot", "lot_digits", "step", "wanted")

    def __init__(self, instrument: Instrument) -> None:
        self.exchange = instrument.exchange
        self.step = float(instrument.tick)
        self.lot = float(instrument.lot)
        self.digits = _digits(instrument.tick)
        self.lot_digits = _digits(instrument.lot)
        self.wanted = {kind: Wanted() for kind in TICK_KINDS}
        self.levels: list[int] = []  # how many of them are wanted, one number a subscription

    def price(self, ticks: int) -> float:
        return round(ticks * self.step, self.digits)

    def size(self, lots: int) -> float:
        return round(lots * self.lot, self.lot_digits)


class ReplayMarket:
    """Delivers to the hub what is subscribed: the data's own klines, longer ones, and the ticks made of them.

    `undelivered` lists subscriptions for which there are no data. `news` is the way that data take, with its delay. Of
    symbols in `booked` the levels are known.
    """

    def __init__(
        self,
        clock: VirtualClock,
        hub: MarketHub,
        past: Past,
        instruments: Mapping[str, Instrument],
        news: tuple[Lane, Delay] | None = None,
        booked: Collection[str] = (),
    ) -> None:
        self._clock = clock
        self._booked = frozenset(booked)
        deliver = hub.deliver
        if news is not None:
            deliver = {kind: delayed(*news, call) for kind, call in deliver.items()}
        self._deliver_kline = deliver[DataType.KLINE]
        self.deliver_book = deliver[DataType.BOOKL1]
        self._deliver_levels = deliver[DataType.BOOKL2]
        self.deliver_trade = deliver[DataType.TRADE]
        self._past = past
        self._tickers = {symbol: _Ticker(instrument) for symbol, instrument in instruments.items()}
        self._longer: dict[str, dict[KlineInterval, _Later]] = {}
        self._direct: set[str] = set()
        self.has_tick_listeners = False  # anybody wants the book or the trades of any symbol
        self.undelivered: dict[Stream, None] = {}

    def subscribe(self, stream: Stream) -> None:
        """Want this stream. Raises KlineSupportedError for klines that the data cannot give."""
        symbol = stream.symbol
        if stream.kind in TICK_KINDS:
            self._want_ticks(stream, wanted=True)
        elif stream.kind is DataType.KLINE:
            self._subscribe_klines(symbol, KlineInterval(stream.detail))
        elif stream.kind is DataType.BOOKL2 and symbol in self._booked:
            self.levels_wanted(symbol).append(int(stream.detail))
        else:
            self.undelivered[stream] = None

    def _subscribe_klines(self, symbol: str, interval: KlineInterval) -> None:
        if interval is self._past.own(symbol).interval:
            self._direct.add(symbol)
            return
        longer = self._past.bars(symbol, interval)
        ahead = longer.between(self._clock.timestamp_ms() - longer.step_ms + 1, None)
        self._longer.setdefault(symbol, {})[interval] = _Later(ahead.klines())

    def unsubscribe(self, stream: Stream) -> None:
        symbol = stream.symbol
        if stream.kind in TICK_KINDS:
            self._want_ticks(stream, wanted=False)
        elif stream.kind is DataType.BOOKL2 and symbol in self._booked:
            self.levels_wanted(symbol).remove(int(stream.detail))
        elif stream.kind is DataType.KLINE:
            interval = KlineInterval(stream.detail)
            if interval is self._past.own(symbol).interval:
                self._direct.discard(symbol)
            self._longer.get(symbol, {}).pop(interval, None)

    async def request_klines(
        self, symbol: str, interval: str, limit: int | None, start_ms: int | None, end_ms: int | None
    ) -> list[Kline]:
        """As `Past.klines`; it never waits."""
        return self._past.klines(symbol, KlineInterval(interval), limit, start_ms, end_ms)

    def _want_ticks(self, stream: Stream, *, wanted: bool) -> None:
        self.wanted(stream.symbol, stream.kind).is_on = wanted
        self.has_tick_listeners = any(
            one.is_on for ticker in self._tickers.values() for one in ticker.wanted.values()
        )

    def wanted(self, symbol: str, kind: DataType) -> Wanted:
        """Follows whether anybody wants quotes or trades of a symbol."""
        return self._tickers[symbol].wanted[kind]

    def levels_wanted(self, symbol: str) -> list[int]:
        """How many levels of a symbol's book are wanted, one number a subscription. Follows what is subscribed."""
        return self._tickers[symbol].levels

    def on_book(self, symbol: str, touch: Touch, now_ms: int) -> None:
        """A touch of a book, to those who want it. A price of 0 says that the side is empty."""
        ticker = self._tickers[symbol]
        low, high = ticker.price(touch.bid), ticker.price(touch.ask)
        sizes = ticker.size(touch.bid_lots), ticker.size(touch.ask_lots)
        self.deliver_book(BookL1(ticker.exchange, symbol, low, high, *sizes, now_ms))

    def on_levels(self, symbol: str, bids: Sequence[Level], asks: Sequence[Level], now_ms: int) -> None:
        """The best levels of a book, best first, to all that want some: each gets as many as it wants."""
        ticker = self._tickers[symbol]
        sides = [
            [BookOrderData(ticker.price(ticks), ticker.size(lots)) for ticks, lots in side]
            for side in (bids, asks)
        ]
        for count in list(ticker.levels):
            low, high = (side[:count] for side in sides)
            self._deliver_levels(BookL2(ticker.exchange, symbol, low, high, now_ms))

    def on_close(self, kline: Kline) -> None:
        """A bar of the data has closed: it and the longer ones that end with it are delivered."""
        symbol = kline.symbol
        if symbol in self._direct:
            self._deliver_kline(kline)
        longer = self._longer.get(symbol) if self._longer else None
        if longer:
            for later in list(longer.values()):
                for closed in later.due(kline.timestamp):
                    self._deliver_kline(closed)

    def on_tick(self, symbol: str, tick: Tick, now_ms: int) -> None:
        """A point of a bar: the quote that it leaves and the trade that led to it, to those who want them."""
        ticker = self._tickers[symbol]
        size = round(tick.touch_lots * ticker.lot, ticker.lot_digits)
        if ticker.wanted[DataType.TRADE].is_on and tick.lots:
            side = OrderSide.BUY if tick.aggressor is Side.BUY else OrderSide.SELL
            price = round(tick.price * ticker.step, ticker.digits)
            self.deliver_trade(Trade(ticker.exchange, side, symbol, price, size, now_ms))
        if ticker.wanted[DataType.BOOKL1].is_on:
            self.on_touch(symbol, tick, now_ms)

    def on_touch(self, symbol: str, tick: Tick, now_ms: int) -> None:
        """The quote alone."""
        ticker = self._tickers[symbol]
        size = round(tick.touch_lots * ticker.lot, ticker.lot_digits)
        low = round(tick.bid * ticker.step, ticker.digits)
        high = round(tick.ask * ticker.step, ticker.digits)
        self.deliver_book(BookL1(ticker.exchange, symbol, low, high, size, size, now_ms))


class ReplayRequests:
    """Answers from the data and the simulated venues, at once. Nothing later than now is ever in them.

    `settle` is called before a venue is asked.
    """

    def __init__(
        self,
        clock: VirtualClock,
        oms: OrderManager,
        past: Past,
        venues: Mapping[str, VenuePort],
        settle: Callable[[], None],
    ) -> None:
        self._clock = clock
        self._oms = oms
        self._past = past
        self._venues = venues
        self._settle = settle

    def klines(
        self,
        symbol: str,
        interval: KlineInterval,
        limit: int | None,
        start_ms: int | None,
        end_ms: int | None,
        timeout_s: float = 0.0,
    ) -> list[Kline]:
        """The last `limit` klines of the range that have closed, oldest first; also from before the run."""
        del timeout_s  # no time passes
        return self._past.klines(symbol, interval, limit, start_ms, end_ms)

    def ticker(self, symbol: str) -> Ticker:
        """Last close and the volume of the last 24 hours. Raises OutcomeUnknown before the first close."""
        bars = self._past.own(symbol)
        now_ms = self._clock.timestamp_ms()
        day = bars.between(now_ms - DAY_MS, now_ms)
        last = bars.last(1, now_ms)
        if not len(last):
            raise OutcomeUnknown(f"no bar of {symbol} has closed yet, so there is no ticker")
        kline = next(last.klines())
        quote = day.volume * day.close if day.quote_volume is None else day.quote_volume
        return Ticker(
            exchange=kline.exchange,
            symbol=symbol,
            last_price=kline.close,
            timestamp=kline.timestamp,
            volume=float(np.sum(day.volume)),
            volumeCcy=float(np.sum(quote)),
        )

    def order(self, account: str, symbol: str, oid: str) -> Order | None:
        state = self._oms.get(oid)
        eid = state.eid if state is not None else None
        self._settle()
        answer = at_once(self._venues[account].query_order(symbol, self._oms.resolve(oid), eid))
        if answer is None:
            return None
        self._oms.apply(answer)
        known = self._oms.get(oid)
        return self._oms.snapshot(known) if known is not None else None

    def open_orders(self, account: str, symbol: str) -> list[Order]:
        self._settle()
        answers = at_once(self._venues[account].query_open_orders(symbol))
        states = [self._oms.get(answer.oid) for answer in answers]
        return [self._oms.snapshot(state) for state in states if state is not None]

    def change(self, account: str, setting: Setting) -> None:
        at_once(self._venues[account].change(setting))


def at_once(work: Coroutine[Any, Any, T]) -> T:
    """The result of a coroutine that never waits, as the queries of a simulated venue are."""
    try:
        work.send(None)
    except StopIteration as end:
        result: T = end.value
        return result
    work.close()
    raise AssertionError("a simulated venue answers without waiting")


def _digits(step: Decimal) -> int:
    """Decimals that a multiple of the step has."""
    return max(0, -int(step.normalize().as_tuple().exponent))
