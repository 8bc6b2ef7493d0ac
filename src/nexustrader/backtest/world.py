"""The world of a backtest: the engine's own core on virtual time, simulated venues, and bars that are played to both.

What listens decides how finely a bar is played. As long as nobody wants the book or the trades, no order rests and
nothing is due before the close, only the close matters; else the bar is walked point by point.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Iterator, Mapping
from heapq import merge
from itertools import groupby
from operator import attrgetter
from typing import Any

from nexustrader._engine.core import EngineCore
from nexustrader._engine.routing import Account
from nexustrader.backtest.journal import TraceJournal
from nexustrader.backtest.recorder import Recorder
from nexustrader.backtest.replay import ReplayMarket, ReplayRequests, no_data
from nexustrader.config import Config
from nexustrader.constants import ParamBackend
from nexustrader.data.bars import Bars
from nexustrader.domain.instrument import Instrument
from nexustrader.kernel.clock import NS_PER_MS, VirtualClock
from nexustrader.kernel.entropy import Entropy
from nexustrader.kernel.log import get_logger
from nexustrader.kernel.ports import VenuePort
from nexustrader.kernel.virtual_loop import VirtualLoop
from nexustrader.market.data import MarketData, StreamPort
from nexustrader.persistence.params import Params
from nexustrader.schema import Kline
from nexustrader.sim.convert import to_sim_instrument
from nexustrader.sim.exchange import SimExchange
from nexustrader.sim.settings import SimSettings
from nexustrader.sim.ticks import POINTS, bar_ticks

BARS_PER_PROGRESS = 4_096
USER_ERRORS_LOGGED_MAX = 10
SETTLE_MS = 10_000  # how long after the last bar commands and confirmations may still be under way

Progress = Callable[[int], object]

_log = get_logger("Backtest")
_closing = attrgetter("timestamp")


class World:
    """One run. `history` may reach back before `bars`, which are the ones that are played."""

    def __init__(
        self,
        config: Config,
        bars: Mapping[str, Bars],
        history: Mapping[str, Bars],
        instruments: Mapping[str, Instrument],
        accounts: Mapping[Account, SimSettings],
        seed: int,
    ) -> None:
        self.bars = bars
        self.start_ms = min(int(one.start[0]) for one in bars.values())
        self.end_ms = self.start_ms
        self.clock = VirtualClock(self.start_ms * NS_PER_MS, on_error=self._on_timer_error)
        self.loop = VirtualLoop(self.clock, self._on_task_error)
        self.journal = TraceJournal()
        self.recorder = Recorder()
        self.core = EngineCore(
            config, self.clock, self.journal, spawn=self.loop.spawn, closed_orders_max=math.inf
        )
        self.market = ReplayMarket(self.clock, self.core.hub, history, instruments)
        self.venues: dict[str, SimExchange] = {}
        self.bars_played = 0
        self._is_stopped = False
        self._scales = {s: (float(i.tick), float(i.lot)) for s, i in instruments.items()}
        self._build(history, instruments, accounts, Entropy(seed))

    def _build(
        self,
        history: Mapping[str, Bars],
        instruments: Mapping[str, Instrument],
        accounts: Mapping[Account, SimSettings],
        entropy: Entropy,
    ) -> None:
        core = self.core
        core.bus.on_error = _limited(core.bus.on_error, USER_ERRORS_LOGGED_MAX, core)
        core.scheduler.entropy = entropy.child("scheduler")
        core.add_market(instruments, self.market)

        def port_of(symbol: str) -> StreamPort:
            if symbol not in history:
                raise no_data(symbol, history)
            return self.market

        core.market = MarketData(core.bus, self.clock.timestamp, port_of)
        for account, settings in accounts.items():
            venue = SimExchange(
                account.key, core.instruments, self.clock, settings, observe=self.recorder.on_fill
            )
            core.accounts.add(account)
            core.add_account(venue)
            self.recorder.add_account(venue.ledger)
            self.venues[account.key] = venue
        for instrument in instruments.values():
            self.recorder.add_instrument(to_sim_instrument(instrument))
        ports: dict[str, VenuePort] = dict(self.venues)
        core.bind_strategy(
            ReplayRequests(self.clock, core.oms, history, ports),
            {ParamBackend.MEMORY: Params()},
            self._stop,
        )

    # -- the run -----------------------------------------------------------------------------------------------

    def run(self, progress: Progress | None = None) -> None:
        """Plays every bar, from `on_start` to `on_stop`."""
        with self.loop.running():
            self._start()
            for closing in self._closings():
                self._play(closing)
                self.bars_played += len(closing)
                if progress is not None and self.bars_played % BARS_PER_PROGRESS < len(closing):
                    progress(self.bars_played)
                if self._is_stopped:
                    break
            self._finish()
        if progress is not None:
            progress(self.bars_played)

    def _start(self) -> None:
        for key, venue in self.venues.items():
            self.loop.spawn(venue.start(), f"start of {key}")
            self.loop.spawn(self.core.reconciler.start_up(key), f"start-up of {key}")
        self.clock.run_soon()
        self.core.run_start()
        self.core.scheduler.start()
        self.clock.run_soon()

    def _closings(self) -> Iterator[list[Kline]]:
        """Bars by the time at which they close."""
        series = [one.klines() for one in self.bars.values()]
        if len(series) == 1:
            return ([kline] for kline in series[0])
        return (list(group) for _, group in groupby(merge(*series, key=_closing), key=_closing))

    def _play(self, closing: list[Kline]) -> None:
        """Bars that close together: what happened inside, the new quotes, then the word about the close."""
        clock = self.clock
        close_ms = closing[0].timestamp
        close_ns = close_ms * NS_PER_MS
        due_ns = clock.next_ns()
        if (due_ns is None or due_ns > close_ns) and self._is_quiet(closing):
            clock.set_time(close_ns)
            for venue in self.venues.values():
                for kline in closing:
                    venue.on_bar(kline)
        else:
            self._walk(closing)
            clock.advance_to(close_ns)
        for kline in closing:
            self.market.on_close(kline)
        clock.run_soon()
        self.end_ms = close_ms

    def _is_quiet(self, closing: list[Kline]) -> bool:
        if self.market.has_tick_listeners:
            return False
        for venue in self.venues.values():
            for kline in closing:
                if venue.has_open_order(kline.symbol):
                    return False
        return True

    def _walk(self, closing: list[Kline]) -> None:
        """The points of the bars, each at its time: open, two extremes, and the close just before it is told."""
        paths = [(kline, bar_ticks(kline, *self._scales[kline.symbol])) for kline in closing]
        start_ms = closing[0].start
        step_ms = closing[0].timestamp - start_ms
        for place in range(POINTS):
            now_ms = start_ms + min(place * step_ms // (POINTS - 1), step_ms - 1)
            self.clock.advance_to(now_ms * NS_PER_MS)
            for kline, ticks in paths:
                for venue in self.venues.values():
                    venue.on_tick(kline.symbol, ticks[place])
            for kline, ticks in paths:
                self.market.on_tick(kline, ticks[place], now_ms)

    def _finish(self) -> None:
        core = self.core
        core.run_stop()
        core.ems.close("the backtest has ended")
        if core.config.exit_after_cancel:
            for account, symbol in sorted({(s.account, s.symbol) for s in core.oms.open_orders()}):
                core.ems.cancel_all(account, symbol)
        core.scheduler.stop()
        self.clock.cancel_timers()
        latency_ms = max((venue.settings.latency_ms for venue in self.venues.values()), default=0)
        self.clock.advance_to(self.clock.timestamp_ns() + (SETTLE_MS + latency_ms) * NS_PER_MS)
        self.loop.cancel_all()

    def _stop(self) -> None:
        self._is_stopped = True

    # -- errors of the strategy --------------------------------------------------------------------------------

    def _on_timer_error(self, name: str, error: Exception) -> None:
        self.core.on_user_error(f"the timer {name}")
        _log.exception(f"the timer {name} raised; it goes on", exc=error)

    def _on_task_error(self, name: str, error: BaseException) -> None:
        self.core.user_errors += 1
        _log.exception(f"{name!r} ended by an error; the run goes on", exc=error)


def _limited(report: Any, count_max: int, core: EngineCore) -> Any:
    """Reports the first errors in full and only counts the others: the same fault may come with every bar."""

    def limited(topic: str, handler: Any, message: Any, error: Exception) -> None:
        if core.user_errors < count_max:
            report(topic, handler, message, error)
        else:
            core.user_errors += 1

    return limited
