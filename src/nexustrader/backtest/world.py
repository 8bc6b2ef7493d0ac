"""The world of a backtest: the engine's own core on virtual time, simulated venues, and data played to both."""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping
from functools import partial
from typing import Any

from nexustrader._engine.core import EngineCore
from nexustrader._engine.routing import Account
from nexustrader.backtest.depth_feed import DepthFeed, Driven, market_of_nobody
from nexustrader.backtest.feeds import BarFeed, Feed, Stage, play_all, quote_feed, trade_feed
from nexustrader.backtest.journal import TraceJournal
from nexustrader.backtest.past import Past, no_data
from nexustrader.backtest.recorder import Recorder
from nexustrader.backtest.replay import ReplayMarket, ReplayRequests, at_once
from nexustrader.backtest.sources import Sources
from nexustrader.config import Config
from nexustrader.constants import ParamBackend
from nexustrader.data.bars import Bars
from nexustrader.data.depth import Depth
from nexustrader.data.ticks import Trades
from nexustrader.domain.instrument import Instrument
from nexustrader.kernel.clock import NS_PER_MS, VirtualClock
from nexustrader.kernel.entropy import Entropy
from nexustrader.kernel.log import get_logger
from nexustrader.kernel.ports import VenuePort
from nexustrader.kernel.virtual_loop import VirtualLoop
from nexustrader.market.data import MarketData, StreamPort
from nexustrader.persistence.params import Params
from nexustrader.sim.convert import to_sim_instrument
from nexustrader.sim.exchange import SimExchange
from nexustrader.sim.latency import NO_DELAY, Lane
from nexustrader.sim.settings import SimSettings

USER_ERRORS_LOGGED_MAX = 10
SETTLE_MS = 10_000  # how long after the last bar commands and confirmations may still be under way

Progress = Callable[[int], object]

_log = get_logger("Backtest")


class World:
    """One run."""

    def __init__(
        self,
        config: Config,
        sources: Sources,
        instruments: Mapping[str, Instrument],
        accounts: Mapping[Account, SimSettings],
        seed: int,
    ) -> None:
        self.sources = sources
        self.start_ms = min(int(one.start[0]) for one in sources.bars.values())
        self.clock = VirtualClock(self.start_ms * NS_PER_MS, on_error=self._on_timer_error)
        self.loop = VirtualLoop(self.clock, self._on_task_error)
        self.journal = TraceJournal(lambda: self.stage.played_ms)
        self.recorder = Recorder()
        self.core = EngineCore(
            config,
            self.clock,
            self.journal,
            spawn=self.loop.spawn,
            closed_orders_max=math.inf,
            is_restartable=False,
        )
        feeds = [one.latency.ways.feed for one in accounts.values()]
        feed = max(feeds, key=lambda delay: delay.max_ms, default=NO_DELAY)
        news = (Lane(self.clock, Entropy(seed).child("feed")), feed) if feed.max_ms else None
        self._past = Past(self.clock, sources.history, sources.longer)
        self.market = ReplayMarket(self.clock, self.core.hub, self._past, instruments, news, sources.depths)
        self.venues: dict[str, SimExchange] = {}
        self.stage = Stage(self.clock, self.market, self.venues, self.start_ms)
        self.played = 0  # bars and ticks
        self._scales = {s: (float(i.tick), float(i.lot)) for s, i in instruments.items()}
        self._build(sources.history, instruments, accounts, Entropy(seed))

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
                account.key,
                core.instruments,
                self.clock,
                settings,
                observe=self.recorder.on_fill,
                observe_entry=self.recorder.on_entry,
                booked=self.sources.depths,
            )
            core.accounts.add(account)
            core.add_account(venue)
            schedule = settings.assumed.fees
            self.recorder.add_account(venue.ledger, None if schedule is None else schedule.discount)
            self.venues[account.key] = venue
        for instrument in instruments.values():
            self.recorder.add_instrument(to_sim_instrument(instrument))
        ports: dict[str, VenuePort] = dict(self.venues)
        core.bind_strategy(
            ReplayRequests(self.clock, core.oms, self._past, ports, self.stage.settle),
            {ParamBackend.MEMORY: Params()},
            self._stop,
            ask=lambda question, _: at_once(question),
        )

    # -- the run -----------------------------------------------------------------------------------------------

    def run(self, progress: Progress | None = None) -> None:
        """Plays every bar, from `on_start` to `on_stop`."""
        with self.loop.running():
            self._start()
            play_all(self._feeds(), self.stage, partial(self._on_played, progress))
            self._finish()

    def _feeds(self) -> list[Feed]:
        """Among events of one moment trades come first, then quotes, and the word about a close last."""
        stage, bars = self.stage, self.sources.bars
        quotes, trades, depths = self.sources.quotes, self.sources.trades, self.sources.depths
        driven = bars.keys() - quotes.keys() - trades.keys() - depths.keys()
        return [
            *(
                trade_feed(stage, one, self._scales[symbol], has_quotes=symbol in quotes)
                for symbol, one in trades.items()
                if symbol not in depths
            ),
            *(quote_feed(stage, one, self._scales[symbol]) for symbol, one in quotes.items()),
            *(self._depth_feed(one, trades.get(symbol)) for symbol, one in depths.items()),
            BarFeed(stage, bars, driven, self._scales),
        ]

    def _depth_feed(self, depth: Depth, trades: Trades | None) -> Feed:
        """A book drives the markets of all accounts that trade its symbol, or else one of nobody."""
        symbol = depth.symbol
        found = [(venue, venue.book_of(symbol)) for venue in self.venues.values()]
        markets: list[Driven] = [(venue, market) for venue, market in found if market is not None]
        if not markets:
            markets = [(None, market_of_nobody(self.core.instruments[symbol]))]
        return DepthFeed(self.stage, depth, trades, self._scales[symbol], markets)

    def _on_played(self, progress: Progress | None, count: int) -> None:
        self.played += count
        if progress is not None:
            progress(self.played)

    def _start(self) -> None:
        for key, venue in self.venues.items():
            self.loop.spawn(venue.start(), f"start of {key}")
            self.loop.spawn(self.core.reconciler.start_up(key), f"start-up of {key}")
        self.clock.run_soon()
        self.core.run_start()
        self.core.scheduler.start()
        self.clock.run_soon()

    def _finish(self) -> None:
        core = self.core
        core.run_stop()
        core.ems.close("the backtest has ended")
        if core.config.exit_after_cancel:
            for account, symbol in sorted({(s.account, s.symbol) for s in core.oms.open_orders()}):
                core.ems.cancel_all(account, symbol)
        core.scheduler.stop()
        self.clock.cancel_timers()
        latency_ms = max(
            (venue.settings.latency.round_trip_ms_max for venue in self.venues.values()), default=0
        )
        self.clock.advance_to(self.clock.timestamp_ns() + (SETTLE_MS + latency_ms) * NS_PER_MS)
        self.loop.cancel_all()

    def _stop(self) -> None:
        self.stage.is_stopped = True

    @property
    def end_ms(self) -> int:
        """The latest close that was told."""
        return self.stage.played_ms

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
