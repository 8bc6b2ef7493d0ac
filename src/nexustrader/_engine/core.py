"""The part of an engine that is the same in every world: orders, risk, cache, portfolio, strategy.

A world adds three things: a clock, venue and market ports, and a journal.
"""

from __future__ import annotations

import asyncio
import contextlib
from collections import deque
from collections.abc import Callable, Coroutine, Mapping
from typing import TYPE_CHECKING, Any, TypeVar

import msgspec

from nexustrader._engine.entries import Tape, entry
from nexustrader._engine.routing import Accounts, account_key
from nexustrader._strategy.runtime import Desk, Params, Requests, Runtime
from nexustrader.config import Config, MockConnectorConfig
from nexustrader.constants import DataType, ParamBackend
from nexustrader.domain import events as ev
from nexustrader.domain.ids import OidGenerator, shard_of
from nexustrader.domain.instrument import Instrument
from nexustrader.domain.order import OrderState
from nexustrader.domain.order_effects import FillDelta, Notice
from nexustrader.domain.snapshot import Snapshot
from nexustrader.error import NexusTraderError, StrategyBuildError
from nexustrader.execution import snapshot as snapshots
from nexustrader.execution.ems import ExecutionManager
from nexustrader.execution.executions import MissingExecutions
from nexustrader.execution.health import Health
from nexustrader.execution.oms import CLOSED_ORDERS_MAX, News, OrderManager
from nexustrader.execution.reconciler import Reconciler
from nexustrader.indicator.manager import Ask, IndicatorManager
from nexustrader.kernel.bus import MessageBus
from nexustrader.kernel.log import get_logger
from nexustrader.kernel.ports import Journal, VenuePort
from nexustrader.kernel.scheduler import Scheduler
from nexustrader.market.cache import Cache
from nexustrader.market.data import MarketData, StreamPort
from nexustrader.market.hub import MarketHub
from nexustrader.portfolio.portfolio import Portfolio, key_of
from nexustrader.risk.gate import AMENDMENTS, SECTION, Gate
from nexustrader.strategy import Strategy

if TYPE_CHECKING:
    from nexustrader.sim.exchange import SimExchange

ENDPOINTS: Mapping[Notice, str] = {
    Notice.PENDING: "pending",
    Notice.ACCEPTED: "accepted",
    Notice.AMENDED: "accepted",
    Notice.PARTIALLY_FILLED: "partially_filled",
    Notice.FILLED: "filled",
    Notice.CANCELING: "canceling",
    Notice.CANCELED: "canceled",
    Notice.EXPIRED: "expired",
    Notice.FAILED: "failed",
    Notice.CANCEL_FAILED: "cancel_failed",
}

POSITION_SETTLE_MS = 2_000
BALANCE = "balance"  # the one endpoint that is not about an order
MARK_DELIVERED_AFTER_MS = 100  # a process that dies within this time of a callback may tell it again
HANDLER_ERRORS_LOGGED_MAX = 100  # of each handler; after that every time their number has doubled

Fact = TypeVar("Fact", ev.CommandResult, ev.OrderEvent, ev.BalanceEvent, ev.PositionEvent)
Spawn = Callable[[Coroutine[Any, Any, None], str], object]

_log = get_logger("Engine")


class EngineCore:
    """Built once per engine; the `VenueSink` of every venue port.

    `tape` hears of all that goes in, once it is set; `desk` takes the strategy's orders in the place of `ems`.
    One that is not `is_restartable` spares itself the proof of what was told.
    """

    tape: Tape | None = None
    desk: Desk | None = None

    def __init__(
        self,
        config: Config,
        clock: Any,
        journal: Journal,
        *,
        spawn: Spawn,
        closed_orders_max: float = CLOSED_ORDERS_MAX,
        is_restartable: bool = True,
    ) -> None:
        _require_strategy(config)
        self.config = config
        self.clock = clock
        self._spawn = spawn
        self._journal = journal
        self.bus = MessageBus(on_error=self._on_handler_error)
        self.cache = Cache()
        self.hub = MarketHub(self.bus, self.cache)
        self.instruments: dict[str, Instrument] = {}
        self.accounts = Accounts(self.instruments)
        self.portfolio = Portfolio(self.cache, self.instruments, self._on_balance_change)
        shard = shard_of(config.strategy_id, config.user_id)
        self.oms = OrderManager(
            journal,
            self.cache,
            shard,
            tell=self._notify,
            on_fill=self._on_fill,
            untold=lambda: self._untold_of_orders,
            hears=self._hears,
            later=self._later if is_restartable else None,
            adopt_foreign=config.reconcile.foreign_orders == "adopt",
            closed_orders_max=closed_orders_max,
        )
        self.gate = Gate(
            config.risk, clock, journal, self.cache, self.portfolio, self.instruments, self.oms.open_orders
        )
        self.ids = OidGenerator(shard)
        self.ems = self._make_ems(config)
        self.reconciler = self._make_reconciler(spawn)
        self.ems.set_resolver(self.reconciler)
        self.ems.set_gate(self.gate)
        self.executions = MissingExecutions(self.oms, spawn=spawn)
        self.health = Health()
        self.oms.on_sum, self.oms.watch = self.executions.note, self.health.on_fact
        self.market = MarketData(self.bus, clock.timestamp, self._stream_port)
        self.scheduler = Scheduler(clock, spawn=spawn, on_error=self._on_job_error)
        self._stream_ports: dict[str, StreamPort] = {}
        self._untold: deque[tuple[str, Any]] = deque()
        self._heard: set[str] = set()  # endpoints for which the strategy has a callback of its own
        self._untold_of_orders = 0  # how many of these are of orders: asked for by every record
        self._is_telling = True  # nothing is told before `on_start` has run
        self.on_told: Callable[[str, Any], None] | None = None  # hears all that is told, before the strategy
        self.user_errors = 0
        self.facts_failed = 0  # how many could not be taken in
        self._raised: dict[str, int] = {}
        self.mocks: dict[str, SimExchange] = {}

    def _make_ems(self, config: Config) -> ExecutionManager:
        return ExecutionManager(
            self.clock,
            self.cache,
            self.oms,
            self.ids,
            self.instruments,
            tell=self._tell_ws_result,
            is_alone=config.reconcile.foreign_orders == "none",
        )

    def _make_reconciler(self, spawn: Spawn) -> Reconciler:
        return Reconciler(
            self.clock,
            self.cache,
            self.oms,
            self.portfolio,
            spawn=spawn,
            publish=self.bus.publish,
            tell_ws_result=self.ems.tell_ws_result,
            tell_refused=self.ems.tell_refused,
            interval_s=self.config.reconcile.interval_s,
            unknown_quarantine_ms=self.config.risk.unknown_quarantine_ms,
            quarantine=self.gate.quarantine,
            release=self.gate.release,
        )

    def bind_strategy(
        self,
        requests: Requests,
        params: Mapping[ParamBackend, Params],
        stop: Callable[[], None],
        *,
        ask: Ask | None = None,
    ) -> None:
        """Make the strategy part of this engine. `ask` runs questions of indicators; a task if it is None."""
        indicators = IndicatorManager(
            self.bus, self.clock, self.market, requests, ask=self._spawn if ask is None else ask
        )
        self.config.strategy._bind(  # noqa: SLF001  # the engine is the one caller of the strategy's binding
            Runtime(
                clock=self.clock,
                cache=self.cache,
                bus=self.bus,
                heard=self._heard,
                ems=self.desk or self.ems,
                oms=self.oms,
                reconciler=self.reconciler,
                market=self.market,
                indicators=indicators,
                instruments=self.instruments,
                scheduler=self.scheduler,
                requests=requests,
                params=params,
                route=self.accounts.route,
                stop=stop,
                gate=self.gate,
            )
        )

    def add_market(self, instruments: Mapping[str, Instrument], port: StreamPort | None) -> None:
        """Know instruments, and where their data comes from (None: from nowhere)."""
        if self.tape is not None:
            port = self.tape.streams(instruments, port)
        self.instruments.update(instruments)
        if port is not None:
            self._stream_ports.update(dict.fromkeys(instruments, port))

    def _stream_port(self, symbol: str) -> StreamPort | None:
        return self._stream_ports.get(symbol)

    def add_account(self, port: VenuePort) -> None:
        """Let an account's port report here and take commands."""
        self._attach(port if self.tape is None else self.tape.account(port))

    def _attach(self, port: VenuePort) -> None:
        port.attach(self)
        self.ems.add_port(port)
        self.reconciler.add_port(port)
        self.executions.add_port(port)

    @entry
    def add_mock(self, key: str, *, store: Params) -> None:
        """Make the simulated account that is configured under this key. It is part of the core: no port to outside."""
        from nexustrader.sim.mock import build_mock

        connector = next(
            one
            for exchange, connectors in self.config.private_conn_config.items()
            for one in connectors
            if isinstance(one, MockConnectorConfig)
            and account_key(exchange, one.account_type, one.account) == key
        )
        self.mocks[key] = mock = build_mock(
            key,
            connector,
            self.instruments,
            self.clock,
            bus=self.bus,
            market=self.market,
            store=store,
        )
        self._attach(mock)

    @entry
    def start_mock(self, key: str) -> None:
        """Let a simulated account take over what an earlier run left."""
        with contextlib.suppress(StopIteration):
            self.mocks[key].start().send(None)  # it never waits

    @property
    def deliver(self) -> Mapping[DataType, Callable[[Any], None]]:
        """What decoders call with public data."""
        return self.hub.deliver if self.tape is None else self.tape.deliver(self.hub.deliver)

    @entry
    def renew_instruments(self, text: str) -> None:
        """Instruments have changed while we run. `text`: those that did, as JSON."""
        changed = msgspec.json.decode(text, type=list[Instrument])
        self.instruments.update((one.symbol, one) for one in changed)

    @entry
    def restore(self) -> int:
        """Fold the journal back into orders, positions and ids; returns how many orders may still be open."""
        replayed = self.gate.observed(self._journal.replay())
        still_open = snapshots.restore(replayed, self.oms, self.portfolio, self.cache)
        last_oid = self.oms.last_oid()
        if last_oid is not None:
            self.ids.start_above(last_oid)  # the machine's clock may have been set back since
        now_ms = self.clock.timestamp_ms()
        self.oms.record_start(self.ids.next(now_ms), now_ms)
        return still_open

    def snapshot(self, last_seq: int) -> Snapshot | None:
        """What a restart needs of the records 1 to `last_seq`, the newest.

        None while the strategy has not been told of all of them: then they are needed themselves.
        """
        if not self.oms.is_all_told:
            return None
        return snapshots.take(
            self.oms,
            self.portfolio,
            self.cache,
            seq=last_seq,
            timestamp_ms=self.clock.timestamp_ms(),
            sections={SECTION: self.gate.section(), AMENDMENTS: self.gate.amendments()},
        )

    @entry
    def start_up(self, account: str) -> asyncio.Task[None]:
        """Begin to bring an account in line with its venue; see `Reconciler.start_up`."""
        return asyncio.ensure_future(self.reconciler.start_up(account))

    @entry
    def watch(self, account: str) -> None:
        """Compare an account with its venue as a matter of routine from now on."""
        self.reconciler.watch(account)

    @entry
    def note_executions(self) -> None:
        """See to the executions that an earlier run did not get to know."""
        self.executions.note_all()

    # -- the sink of every venue port ------------------------------------------------------------------------

    def on_result(self, result: ev.CommandResult) -> None:
        self._take_in(self.ems.on_result, result)

    def on_order_event(self, event: ev.OrderEvent) -> None:
        self._take_in(self.oms.apply, event)

    def on_balance(self, event: ev.BalanceEvent) -> None:
        self._take_in(self.portfolio.on_balance, event)

    def on_position(self, event: ev.PositionEvent) -> None:
        self._take_in(self._on_position, event)

    def _take_in(self, take: Callable[[Fact], None], fact: Fact) -> None:
        """Hand one fact to who keeps it. One that cannot be taken in costs no other, and the venue is asked instead."""
        try:
            take(fact)
        except Exception:  # tidy: ok — in a port it would cost the rest of the message, or the connection
            _log.exception(f"{fact} could not be taken in; asking the venue")
            self.facts_failed += 1
            self.reconciler.on_status(fact.account, "resync_needed")

    def _on_position(self, event: ev.PositionEvent) -> None:
        self.portfolio.on_position(event)
        if self.portfolio.disagrees(*key_of(event)):
            # Race: the venue's word on a position may arrive before the fill that made it. Only a difference that
            # stays is one.
            due = self.clock.timestamp_ns() + POSITION_SETTLE_MS * 1_000_000
            self.clock.call_at(due, lambda: self._check_position(event))

    def _check_position(self, event: ev.PositionEvent) -> None:
        if self.portfolio.disagrees(*key_of(event)):
            self.reconciler.on_status(event.account, "resync_needed")

    def on_status(self, account: str, event: str) -> None:
        self.reconciler.on_status(account, event)

    # -- telling the strategy --------------------------------------------------------------------------------

    def _notify(self, news: News) -> None:
        """What one fact has to say of an order, in this order."""
        told = [
            (endpoint, order) for notice, order in news if (endpoint := ENDPOINTS.get(notice)) is not None
        ]
        self._untold.extend(told)
        self._untold_of_orders += len(told)
        if not self._is_telling:
            self._tell_all()

    def _hears(self, notice: Notice) -> bool:
        """True when somebody looks at what is told of it."""
        return self.on_told is not None or ENDPOINTS.get(notice) in self._heard

    def _on_fill(self, order: OrderState, delta: FillDelta) -> None:
        self.portfolio.on_fill(order, delta)
        self.gate.on_fill()

    def _on_balance_change(self, balance: Any) -> None:
        self._untold.append((BALANCE, balance))
        if not self._is_telling:
            self._tell_all()

    def _tell_all(self) -> None:
        """Tell the strategy, one thing at a time: what a callback brings about is told when it has returned."""
        self._is_telling = True
        try:
            while self._untold:
                endpoint, message = self._untold.popleft()
                self._untold_of_orders -= endpoint != BALANCE
                if message is None:  # nobody hears of it
                    continue
                if self.on_told is not None:
                    self.on_told(endpoint, message)
                self.bus.send(endpoint, message)
        finally:
            self._is_telling = False

    def _later(self, call: Callable[[], None]) -> None:
        self.clock.call_at(self.clock.timestamp_ns() + MARK_DELIVERED_AFTER_MS * 1_000_000, call)

    def _tell_ws_result(self, result: dict[str, Any]) -> None:
        self.bus.publish("ws_order_request_result", result)

    # -- user errors -----------------------------------------------------------------------------------------

    def on_user_error(self, where: str) -> None:
        """One more exception of the strategy's own code: counted, and followed by what `RiskConfig` says."""
        self.user_errors += 1
        self.gate.on_user_error(where)

    def _on_handler_error(self, topic: str, handler: Any, message: Any, error: Exception) -> None:
        name = getattr(handler, "__qualname__", repr(handler))
        self.on_user_error(name)
        self._raised[name] = times = self._raised.get(name, 0) + 1
        if times <= HANDLER_ERRORS_LOGGED_MAX or times & (times - 1) == 0:
            _log.exception(f"{name} raised on {topic} {message}; trading goes on ({times})", exc=error)

    def _on_job_error(self, name: str, error: BaseException) -> None:
        self.on_user_error(f"the scheduled {name}")
        _log.exception(f"the scheduled {name} raised; it runs again at its next time", exc=error)

    @entry
    def run_start(self) -> None:
        """Call `on_start`, after what the strategy asked for in its constructor; then tell what happened before."""
        self.gate.start()
        strategy = self.config.strategy
        self._guard("on_start", strategy._run_early)  # noqa: SLF001  # see bind_strategy
        self._guard("on_start", strategy.on_start)
        self._tell_all()

    @entry
    def start_jobs(self) -> None:
        """Begin what is scheduled."""
        self.scheduler.start()

    @entry
    def run_stop(self) -> None:
        """Call `on_stop`, and end what runs by time."""
        self._guard("on_stop", self.config.strategy.on_stop)
        self.gate.stop()

    @entry
    def stop_jobs(self) -> None:
        """End what is scheduled."""
        self.scheduler.stop()

    @entry
    def close_orders(self, reason: str) -> None:
        """Send no new order from now on."""
        self.ems.close(reason)

    @entry
    def cancel_open_orders(self) -> None:
        """Ask for the end of every open order of ours."""
        for account, symbol in sorted({(s.account, s.symbol) for s in self.oms.open_orders()}):
            try:
                self.ems.cancel_all(account, symbol)
            except NexusTraderError as error:
                _log.error(f"{account} {symbol}: orders could not be cancelled: {error}")

    def _guard(self, name: str, call: Callable[[], object]) -> None:
        try:
            call()
        except Exception as error:  # tidy: ok — one user error does not stop the house
            self.on_user_error(name)
            _log.exception(f"{name} raised; trading goes on", exc=error)


def _require_strategy(config: Config) -> None:
    if not isinstance(config.strategy, Strategy):
        raise StrategyBuildError(
            f"Config.strategy must be an instance of a Strategy subclass, got {config.strategy!r}"
        )
