"""The public side of a backtest: recorded bars as the streams and the answers that a venue would give, up to now."""

from __future__ import annotations

from collections.abc import Coroutine, Iterator, Mapping
from decimal import Decimal
from typing import Any, TypeVar

import numpy as np

from nexustrader.backtest.aggregate import aggregate
from nexustrader.constants import DataType, KlineInterval, OrderSide
from nexustrader.data.bars import Bars
from nexustrader.domain.instrument import Instrument
from nexustrader.error import InstrumentError, OutcomeUnknown
from nexustrader.execution.oms import OrderManager
from nexustrader.kernel.clock import VirtualClock
from nexustrader.kernel.ports import VenuePort
from nexustrader.market.hub import MarketHub
from nexustrader.market.subscriptions import Stream
from nexustrader.schema import BookL1, Kline, Order, Ticker, Trade
from nexustrader.sim.latency import Delay, Lane, delayed
from nexustrader.sim.ticks import Tick
from nexustrader.sim.types import Side

KLINES_PER_REQUEST = 500  # when neither a limit nor a beginning is asked for
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

    __slots__ = ("digits", "exchange", "lot", "lot_digits", "step", "wanted")

    def __init__(self, instrument: Instrument) -> None:
        self.exchange = instrument.exchange
        self.step = float(instrument.tick)
        self.lot = float(instrument.lot)
        self.digits = _digits(instrument.tick)
        self.lot_digits = _digits(instrument.lot)
        self.wanted = {kind: Wanted() for kind in TICK_KINDS}


class ReplayMarket:
    """Delivers to the hub what is subscribed: the data's own klines, longer ones, and the ticks made of them.

    `undelivered` lists subscriptions for which there are no data. `news` is the way that data take, with its delay.
    """

    def __init__(
        self,
        clock: VirtualClock,
        hub: MarketHub,
        history: Mapping[str, Bars],
        instruments: Mapping[str, Instrument],
        news: tuple[Lane, Delay] | None = None,
    ) -> None:
        self._clock = clock
        deliver = hub.deliver
        if news is not None:
            deliver = {kind: delayed(*news, call) for kind, call in deliver.items()}
        self._deliver_kline = deliver[DataType.KLINE]
        self.deliver_book = deliver[DataType.BOOKL1]
        self.deliver_trade = deliver[DataType.TRADE]
        self._history = history
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
        else:
            self.undelivered[stream] = None

    def _subscribe_klines(self, symbol: str, interval: KlineInterval) -> None:
        bars = self._history[symbol]
        if interval is bars.interval:
            self._direct.add(symbol)
            return
        longer = aggregate(bars, interval)
        ahead = longer.between(self._clock.timestamp_ms() - longer.step_ms + 1, None)
        self._longer.setdefault(symbol, {})[interval] = _Later(ahead.klines())

    def unsubscribe(self, stream: Stream) -> None:
        symbol = stream.symbol
        if stream.kind in TICK_KINDS:
            self._want_ticks(stream, wanted=False)
        elif stream.kind is DataType.KLINE:
            interval = KlineInterval(stream.detail)
            if interval is self._history[symbol].interval:
                self._direct.discard(symbol)
            self._longer.get(symbol, {}).pop(interval, None)

    def _want_ticks(self, stream: Stream, *, wanted: bool) -> None:
        self.wanted(stream.symbol, stream.kind).is_on = wanted
        self.has_tick_listeners = any(
            one.is_on for ticker in self._tickers.values() for one in ticker.wanted.values()
        )

    def wanted(self, symbol: str, kind: DataType) -> Wanted:
        """Follows whether anybody wants quotes or trades of a symbol."""
        return self._tickers[symbol].wanted[kind]

    def on_close(self, kline: Kline) -> None:
        """A bar of the data has closed: it and the longer ones that end with it are delivered."""
        symbol = kline.symbol
        if symbol in self._direct:
            self._deliver_kline(kline)
        longer = self._longer.get(symbol)
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
    """Answers from the data and the simulated venues, at once. Nothing later than now is ever in them."""

    def __init__(
        self,
        clock: VirtualClock,
        oms: OrderManager,
        history: Mapping[str, Bars],
        venues: Mapping[str, VenuePort],
    ) -> None:
        self._clock = clock
        self._oms = oms
        self._history = history
        self._venues = venues
        self._aggregated: dict[tuple[str, KlineInterval], Bars] = {}

    def klines(
        self,
        symbol: str,
        interval: KlineInterval,
        limit: int | None,
        start_ms: int | None,
        end_ms: int | None,
    ) -> list[Kline]:
        """The last `limit` klines of the range that have closed, oldest first; also from before the run."""
        bars = self._bars(symbol, interval)
        closed_by = self._clock.timestamp_ms()
        if end_ms is not None:
            closed_by = min(closed_by, end_ms + bars.step_ms)  # a range is one of opening times
        found = bars.between(start_ms, closed_by)
        if limit is None and start_ms is None:
            limit = KLINES_PER_REQUEST
        if limit is not None:
            found = found.last(limit, closed_by)
        return list(found.klines())

    def ticker(self, symbol: str) -> Ticker:
        """Last close and the volume of the last 24 hours. Raises OutcomeUnknown before the first close."""
        bars = self._bars(symbol, self._own(symbol).interval)
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
        answer = at_once(self._venues[account].query_order(symbol, self._oms.resolve(oid), eid))
        if answer is None:
            return None
        self._oms.apply(answer)
        known = self._oms.get(oid)
        return self._oms.snapshot(known) if known is not None else None

    def open_orders(self, account: str, symbol: str) -> list[Order]:
        answers = at_once(self._venues[account].query_open_orders(symbol))
        states = [self._oms.get(answer.oid) for answer in answers]
        return [self._oms.snapshot(state) for state in states if state is not None]

    def _own(self, symbol: str) -> Bars:
        bars = self._history.get(symbol)
        if bars is None:
            raise no_data(symbol, self._history)
        return bars

    def _bars(self, symbol: str, interval: KlineInterval) -> Bars:
        own = self._own(symbol)
        key = (symbol, interval)
        if key not in self._aggregated:
            self._aggregated[key] = aggregate(own, interval)
        return self._aggregated[key]


def at_once(work: Coroutine[Any, Any, T]) -> T:
    """The result of a coroutine that never waits, as the queries of a simulated venue are."""
    try:
        work.send(None)
    except StopIteration as end:
        result: T = end.value
        return result
    work.close()
    raise AssertionError("a simulated venue answers without waiting")


def no_data(symbol: str, history: Mapping[str, Bars]) -> InstrumentError:
    """The error for a symbol that this backtest knows nothing of."""
    return InstrumentError(
        f"this backtest has no data of {symbol}; it has {', '.join(sorted(history))}. Add the symbol to the data"
    )


def _digits(step: Decimal) -> int:
    """Decimals that a multiple of the step has."""
    return max(0, -int(step.normalize().as_tuple().exponent))
