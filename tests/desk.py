"""A venue that does what the test says, and the execution stack over it in virtual time."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Coroutine, Sequence
from decimal import Decimal
from typing import Any

import msgspec

from nexustrader.constants import ExchangeType, InstrumentType, OrderSide, OrderType
from nexustrader.domain import events as ev
from nexustrader.domain.ids import OidGenerator
from nexustrader.domain.instrument import Instrument
from nexustrader.domain.order import OrderState
from nexustrader.domain.order_effects import UNTOLD_NOTICES
from nexustrader.domain.outcome import CommandKind, Conclusion, Route
from nexustrader.domain.setting import Setting
from nexustrader.error import JournalError, OutcomeUnknown
from nexustrader.execution.ems import ExecutionManager
from nexustrader.execution.oms import News, OrderManager
from nexustrader.execution.reconciler import Reconciler
from nexustrader.execution.request import OrderRequest
from nexustrader.market.cache import Cache
from nexustrader.persistence.memory import MemoryJournal
from nexustrader.portfolio.portfolio import Portfolio
from nexustrader.risk.gate import Gate
from nexustrader.risk.limits import RiskConfig
from nexustrader.schema import Order
from virtual_time import LoopClock, run_virtual

SYMBOL = "BTCUSDT-PERP.BINANCE"
ACCOUNT = "binance:USD_M_FUTURE"
SHARD = 42
BTC = Instrument(
    symbol=SYMBOL,
    venue_symbol="BTCUSDT",
    exchange=ExchangeType.BINANCE,
    type=InstrumentType.LINEAR,
    base="BTC",
    quote="USDT",
    settle="USDT",
    tick=Decimal("0.1"),
    lot=Decimal("0.001"),
    min_amount=Decimal("0.001"),
    max_amount=Decimal(100),
    min_price=Decimal("0.1"),
    max_price=Decimal(1_000_000),
    min_notional=Decimal(5),
    reduce_only_exempt_from_notional=True,
    maker=Decimal("0.0002"),
    taker=Decimal("0.0005"),
)


class ScriptedVenue:
    """Records commands; answers only what the test tells it to."""

    account = ACCOUNT
    absence_horizon_ms = 10_000
    query_lag_ms = 0

    def __init__(self, clock: LoopClock) -> None:
        self.clock = clock
        self.sink: Any = None
        self.commands: list[ev.Command] = []
        self.on_command: Callable[[ev.Command], None] | None = None
        self.orders: dict[str, ev.OrderEvent] = {}
        self.fills: dict[str, list[ev.OrderEvent]] = {}
        self.balances: list[ev.BalanceEvent] = []
        self.positions: list[ev.PositionEvent] = []
        self.unreachable = False
        self.fault: Exception | None = None  # raised by every query
        self.on_query: Callable[[str], None] | None = None
        self.queries = 0
        self.renewals: list[str] = []

    def attach(self, sink: Any) -> None:
        self.sink = sink

    async def start(self) -> None: ...
    async def stop(self) -> None: ...

    def renew(self, reason: str) -> None:
        self.renewals.append(reason)

    def _take(self, command: ev.Command) -> None:
        self.commands.append(command)
        if self.on_command is not None:
            self.on_command(command)

    submit = cancel = amend = cancel_all = _take

    def result(
        self,
        command: ev.Command,
        conclusion: Conclusion,
        *,
        reason: str | None = None,
        events: Any = (),
        is_late: bool = False,
    ) -> None:
        kinds = {
            ev.Submit: CommandKind.CREATE,
            ev.Cancel: CommandKind.CANCEL,
            ev.Amend: CommandKind.AMEND,
            ev.CancelAll: CommandKind.CANCEL_ALL,
        }
        self.sink.on_result(
            ev.CommandResult(
                kind=kinds[type(command)],
                conclusion=conclusion,
                oid=getattr(command, "oid", ""),
                symbol=command.symbol,
                account=ACCOUNT,
                timestamp=self.clock.timestamp_ms(),
                route=getattr(command, "route", Route.REST),
                attempt=getattr(command, "attempt", 1),
                is_late=is_late,
                reason=reason,
                events=tuple(events),
            )
        )

    def event(
        self, oid: str, kind: ev.EventKind, source: ev.Source = ev.Source.STREAM, **more: Any
    ) -> ev.OrderEvent:
        return ev.OrderEvent(
            oid=oid,
            kind=kind,
            source=source,
            timestamp=self.clock.timestamp_ms(),
            account=ACCOUNT,
            symbol=SYMBOL,
            **more,
        )

    def _asked(self, what: str) -> None:
        self.queries += 1
        if self.on_query is not None:
            self.on_query(what)
        if self.fault is not None:
            raise self.fault
        if self.unreachable:
            raise OutcomeUnknown("the venue cannot be reached")

    async def query_order(self, symbol: str, oid: str, eid: str | None) -> ev.OrderEvent | None:
        self._asked("order")
        return self.orders.get(oid)

    async def query_fills(self, symbol: str, oid: str, eid: str | None) -> list[ev.OrderEvent]:
        self._asked("fills")
        return self.fills.get(oid, [])

    async def query_fills_since(self, symbol: str, since_ms: int) -> list[ev.OrderEvent]:
        self._asked("past fills")
        fills = [fill for fills in self.fills.values() for fill in fills]
        return [
            msgspec.structs.replace(fill, oid="")
            for fill in fills
            if fill.timestamp >= since_ms and fill.symbol == symbol
        ]

    async def query_open_orders(self, symbol: str | None = None) -> list[ev.OrderEvent]:
        self._asked("open orders")
        return [e for e in self.orders.values() if e.kind is ev.EventKind.ACCEPTED]

    async def query_balances(self) -> list[ev.BalanceEvent]:
        self._asked("balances")
        return self.balances

    async def query_positions(self) -> list[ev.PositionEvent]:
        self._asked("positions")
        return self.positions

    def submit_batch(self, commands: Sequence[ev.Submit]) -> None:
        for command in commands:
            self.submit(command)

    async def change(self, setting: Setting) -> None:
        self._asked(f"setting {setting}")


class FullDisk(MemoryJournal):
    """A journal that cannot be written while `full`."""

    full = False

    def append(self, record: ev.Record) -> int:
        if self.full:
            raise JournalError("the disk is full; free some space")
        return super().append(record)


class Desk:
    """Execution, order book of record, reconciler and portfolio over one scripted venue; with `risk` a gate."""

    def __init__(
        self,
        clock: LoopClock,
        journal: Any = None,
        risk: RiskConfig | None = None,
        *,
        is_alone: bool = False,
        adopt_foreign: bool = False,
        interval_s: float | None = None,
    ) -> None:
        self.clock = clock
        self.quarantined: dict[str, str] = {}
        self.journal = journal if journal is not None else MemoryJournal()
        self.told: list[tuple[str, Order]] = []
        self.is_held = False  # while true, what is told waits, as it does before `on_start`
        self.waiting: list[tuple[str, Order]] = []
        self.on_tell: Callable[[str], object] | None = None  # what the strategy does when it is told
        self.ws_results: list[dict[str, Any]] = []
        self.published: list[tuple[str, Any]] = []
        self.cache = Cache()
        instruments = {SYMBOL: BTC}
        self.portfolio = Portfolio(self.cache, instruments, lambda _b: None)
        self.oms = OrderManager(
            self.journal,
            self.cache,
            SHARD,
            tell=self._tell,
            on_fill=self.portfolio.on_fill,
            untold=lambda: len(self.waiting),
            later=lambda call: clock.call_at(clock.timestamp_ns() + 100_000_000, call),
            adopt_foreign=adopt_foreign,
        )
        self.ems = ExecutionManager(
            clock,
            self.cache,
            self.oms,
            OidGenerator(SHARD),
            instruments,
            tell=self.ws_results.append,
            is_alone=is_alone,
        )
        self.tasks: set[asyncio.Task[None]] = set()
        self.reconciler = Reconciler(
            clock,
            self.cache,
            self.oms,
            self.portfolio,
            spawn=self._spawn,
            publish=lambda topic, message: self.published.append((topic, message)),
            tell_ws_result=self.ems.tell_ws_result,
            tell_refused=self.ems.tell_refused,
            interval_s=interval_s,
            quarantine=self.quarantined.__setitem__,
            release=self.quarantined.pop,
        )
        self.ems.set_resolver(self.reconciler)
        self.gate: Gate | None = None
        if risk is not None:
            self.gate = Gate(
                risk, clock, self.journal, self.cache, self.portfolio, instruments, self.oms.open_orders
            )
            self.ems.set_gate(self.gate)
        self.venue = ScriptedVenue(clock)
        self.venue.attach(self)
        self.ems.add_port(self.venue)
        self.reconciler.add_port(self.venue)

    def _spawn(self, work: Any, name: str) -> None:
        task = asyncio.get_running_loop().create_task(work, name=name)
        self.tasks.add(task)
        task.add_done_callback(self.tasks.discard)

    def _tell(self, news: News) -> None:
        for notice, order in news:
            if notice in UNTOLD_NOTICES:
                self.told.append((notice.value, order))
            else:
                self.waiting.append((notice.value, order))
        if not self.is_held:
            self.tell_waiting()

    def tell_waiting(self) -> None:
        """One after the other; what a callback brings about is told when it has returned."""
        self.is_held = True
        while self.waiting:
            told = self.waiting.pop(0)
            self.told.append(told)
            if self.on_tell is not None:
                self.on_tell(told[0])
        self.is_held = False

    def hold(self, amount: str) -> None:
        """What the venue's list of positions says from now on."""
        self.venue.positions = [
            ev.PositionEvent(
                account=ACCOUNT,
                symbol=SYMBOL,
                signed_amount=Decimal(amount),
                entry_price=Decimal(30_000),
                timestamp=self.clock.timestamp_ms(),
                snapshot=True,
            )
        ]

    # the sink
    def on_result(self, result: ev.CommandResult) -> None:
        self.ems.on_result(result)

    def on_order_event(self, event: ev.OrderEvent) -> None:
        self.oms.apply(event)

    def on_balance(self, event: ev.BalanceEvent) -> None:
        self.portfolio.on_balance(event)

    def on_position(self, event: ev.PositionEvent) -> None:
        self.portfolio.on_position(event)

    def on_status(self, account: str, event: str) -> None:
        self.reconciler.on_status(account, event)

    # what a test says
    def create(self, **changes: Any) -> str:
        fields: dict[str, Any] = {
            "symbol": SYMBOL,
            "side": OrderSide.BUY,
            "type": OrderType.LIMIT,
            "amount": Decimal("0.01"),
            "price": Decimal(30_000),
            "route": Route.WS,
        }
        return self.ems.create(ACCOUNT, OrderRequest(**(fields | changes)))

    def cancel(self, oid: str, route: Route = Route.WS, *, ws_fallback: bool = True) -> str:
        return self.ems.cancel(SYMBOL, oid, route, ws_fallback=ws_fallback, params={})

    def state(self, oid: str) -> OrderState:
        found = self.oms.get(oid)
        assert found is not None
        return found

    @property
    def names(self) -> list[str]:
        return [name for name, _ in self.told]

    async def settle(self) -> None:
        """Let calls that are due now run."""
        for _ in range(5):
            await asyncio.sleep(0)


def desk_test(test: Callable[[Desk], Coroutine[Any, Any, None]]) -> Callable[[], None]:
    """Run an async test on a desk in virtual time."""

    def run() -> None:
        run_virtual(lambda clock: test(Desk(clock)))

    run.__name__, run.__doc__ = test.__name__, test.__doc__
    return run


async def live(desk: Desk, **changes: Any) -> str:
    """An order that rests at the venue; what was told so far is forgotten."""
    oid = desk.create(**changes)
    desk.venue.result(desk.venue.commands[-1], Conclusion.ACCEPTED)
    desk.on_order_event(desk.venue.event(desk.state(oid).oid, ev.EventKind.ACCEPTED, eid="7"))
    desk.told.clear()
    return oid
