"""One run: an engine and a venue on one virtual loop, faults for a while, peace, and then the questions."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Iterator
from functools import partial
from typing import Any

import msgspec

from nexustrader._engine.routing import account_key
from nexustrader.chaos import checkers
from nexustrader.chaos.book_truth import BookTruth
from nexustrader.chaos.faults import FAULTS
from nexustrader.chaos.history import History, Life, Telling
from nexustrader.chaos.loop import LoopClock, SeededLoop
from nexustrader.chaos.network import Network, Process, Weather
from nexustrader.chaos.plan import Outcome, Plan
from nexustrader.chaos.process import Disk, MemoryWorld
from nexustrader.chaos.programs import config_of
from nexustrader.chaos.truth import Truth
from nexustrader.chaos.venue_strikes import LAG_MS_MAX, NATIVE
from nexustrader.chaos.venues import VENUES
from nexustrader.chaos.workload import POSITION_LIMIT, RandomTrader
from nexustrader.config import Config
from nexustrader.constants import DataType
from nexustrader.domain.ids import shard_of
from nexustrader.engine import Engine
from nexustrader.error import NexusTraderError
from nexustrader.kernel.entropy import Entropy

BOOT_S = 3.0
# When after the last fault is asked whether all is known again. Nothing is asked before the venue's horizon for an
# order under way has passed; what is wrong at the last is a violation (a ban alone lasts 60 s).
HEAL_PAUSES_S = (15.0, *[5.0] * 45)
SILENCE_PAUSE_S = 60.0
PAUSES_OF_TRADING_MAX = 20
END_S_MAX = 30.0
RESTART_S = 2.0
STRIKES_MAX = 4
RECORDS_MAX = (30, 100, 100_000)  # how long a journal may become before a snapshot takes its place
WRONG_CLOCK = "F36"  # each process then has an error of its own, from the beginning
CLOCK_OFFSETS_S = (-300.0, -5.0, -1.0, 0.0, 1.0, 5.0, 300.0)
USER_CODE_RAISES = "F42"
DISK_IS_FULL = "F40"  # what cannot be journalled is not taken in
POSITION_MADE_BY_OTHERS = frozenset({"F14", "F44", "F45"})  # overfills, trades by hand, liquidations
BURIAL_ROUNDS_MAX = 20  # what is cancelled may begin something else, to end in order


class Run:
    """The parts of one run, for faults to take hold of."""

    def __init__(self, plan: Plan, *, with_trace: bool = False) -> None:
        self.plan = plan
        self.entropy = Entropy(plan.seed)
        self.loop = SeededLoop(self.entropy.child("schedule") if plan.with_schedule else None)
        self.history = History(self.loop.time)
        if with_trace:
            self.history.trace = []
        self.fired: dict[str, int] = {}
        self.disk = Disk(self.entropy.child("disk").choice(RECORDS_MAX))
        venue_clock = LoopClock(self.loop)
        self.side = VENUES[plan.venue]
        self.venue, self.service = self.side.build(plan.seed, LAG_MS_MAX, venue_clock, self.entropy)
        self.network = Network(
            self.loop, self.service, venue_clock, self.entropy.child("network"), self.history
        )
        self.network.on_met = self.fire
        self.book = BookTruth(self.venue.products[plan.market].markets[NATIVE]) if plan.with_book else None
        self.healed_after_s = 0.0
        self.engine: Engine | None = None
        self.world: MemoryWorld | None = None
        self.life: Life | None = None
        self.truths: dict[str, Truth] = {}  # by account
        self._engine_task: asyncio.Task[None] | None = None
        self._stopping: Engine | None = None  # asked to end
        self._dead: set[asyncio.Task[Any]] = set()  # what killed processes were doing
        self._own: set[asyncio.Task[Any]] = set()
        self._processes = 0
        self._faults: list[asyncio.TimerHandle] = []

    # -- processes -------------------------------------------------------------------------------------------

    @property
    def core(self) -> Any:
        assert self.engine is not None
        return self.engine._core  # noqa: SLF001  # the checkers compare what the engine holds with the venue

    def boot(self) -> None:
        """Start a process: the first one, or one after a kill, over the same disk."""
        number = self._processes
        self._processes += 1
        config = config_of(self.plan, self.entropy.child(f"strategy {number}"))
        entropy = self.entropy.child(f"process {number}")
        offset_s = entropy.choice(CLOCK_OFFSETS_S) if WRONG_CLOCK in self.plan.faults else 0.0
        self.world = MemoryWorld(self.loop, self.network, self.disk, entropy, offset_s)
        self.engine = engine = Engine(config, world=self.world)
        self.life = life = self.history.begin_life()
        life.is_whole = not self.disk.rotated_at
        core = self.core
        if not self.truths:
            self.truths = self._truths(config)
            self.network.before_send.append(checkers.write_ahead(self.disk.intents, self.history.violate))
            self.history.on_step = self._step_checker()
        process = self.world.process

        health = core.oms.watch

        def watch(before: Any, event: Any, applied: Any) -> None:
            health(before, event, applied)
            if process.is_alive:
                self.history.on_fact(life, before, event, applied)

        restore = core.restore

        def restored() -> int:
            open_orders: int = restore()
            life.is_restoring = False
            return open_orders

        run_start = core.run_start

        def started() -> None:
            life.has_started = True
            run_start()

        def on_told(endpoint: str, message: Any) -> None:
            if process.is_alive and endpoint in checkers.ORDER_ENDPOINTS:
                oid = core.oms.resolve(str(message.oid))  # the user may have a name of his own for it
                order = msgspec.structs.replace(message, oid=oid)
                life.told.append(Telling(self.loop.time(), endpoint, order))

        if self.book is not None:
            self._watch_book(self.book, core, process)
        core.on_told = on_told
        core.oms.watch = watch
        core.restore = restored
        core.run_start = started
        self._engine_task = self.loop.create_task(engine.run(), name="engine")
        self._engine_task.add_done_callback(partial(self._on_end, engine, life))

    def _watch_book(self, truth: BookTruth, core: Any, process: Process) -> None:
        """I11: before any callback sees a datum, the book in the cache is right or is said to be bad."""

        def on_datum(_datum: object) -> None:
            for text in truth.check(core.cache.bookl2(self._symbol)) if process.is_alive else ():
                self.history.violate(text)

        for kind in (DataType.BOOKL1, DataType.BOOKL2):
            core.bus.subscribe(kind.value, on_datum, first=True)

    @property
    def _symbol(self) -> str:
        return f"{NATIVE}{self.side.suffixes[self.plan.market]}"

    def _on_end(self, engine: Engine, life: Life, task: asyncio.Task[None]) -> None:
        """A process that could not even start is started again, as its supervisor would; any other must not end."""
        error = None if task.cancelled() else task.exception()
        if self.engine is not engine or (error is None and self._stopping is engine):
            return
        self._note_defects(engine)
        if error is None:
            self.history.violate("I18: the engine has ended by itself")
            return
        if life.has_started or not isinstance(error, NexusTraderError):
            self.history.violate(f"I18: the engine has ended: {error!r}")
        self.engine = None
        self.loop.call_later(RESTART_S, self._boot_if_down)

    def _truths(self, config: Config) -> dict[str, Truth]:
        account = next(iter(self.venue.accounts.by_name.values()))
        shard = shard_of(config.strategy_id, config.user_id)
        side, truths = self.side, {}
        for connector in config.private_conn_config.get(side.exchange, ()):
            product = side.product_of(connector.account_type, self.plan.market)
            key = account_key(side.exchange, connector.account_type, connector.account)
            truths[key] = Truth(self.venue.products[product], side.suffixes[product], account, shard)
        return truths

    def _step_checker(self) -> Callable[..., None]:
        ended = checkers.step_checker(self.truths, self.history)
        if (
            self.plan.program is not None
            or self.plan.market != self.venue.main_product
            or POSITION_MADE_BY_OTHERS & {*self.plan.faults}
        ):
            return ended
        (truth,) = self.truths.values()

        def on_step(before: Any, event: Any, after: Any) -> None:
            ended(before, event, after)
            for text in checkers.check_position_limit(truth, NATIVE, POSITION_LIMIT):
                self.history.violate(text)

        return on_step

    def kill(self) -> None:
        """kill -9: nothing of the process reaches the outside any more, and nothing is tidied up."""
        assert self.world is not None
        if self.engine is not None:
            self._note_defects(self.engine)
        if self.life is not None:
            self.life.killed_at_s = self.loop.time()
        self.world.process.kill()
        self.history.note("kill", b"")
        for task in self.loop.tasks():
            if task not in self._own:
                self._dead.add(task)
                task.cancel()
        self.engine = None

    def _defects(self, engine: Engine) -> Iterator[str]:
        """What one process has found to be wrong with itself so far."""
        core: Any = engine._core  # noqa: SLF001  # as `core`
        yield from core.health.violations
        manager = engine._task_manager  # noqa: SLF001  # as `core`
        if manager.dead_count:
            yield f"I18: {manager.dead_count} tasks of the engine have died"
        if core.user_errors and self.plan.program is None and USER_CODE_RAISES not in self.plan.faults:
            yield f"I18: the strategy's callbacks raised {core.user_errors} times"
        if core.facts_failed and DISK_IS_FULL not in self.plan.faults:
            yield f"I18: {core.facts_failed} facts could not be taken in"

    def _note_defects(self, engine: Engine) -> None:
        for text in self._defects(engine):
            self.history.violate(text)

    def _on_loop_error(self, _loop: asyncio.AbstractEventLoop, context: dict[str, Any]) -> None:
        """What nobody else hears of. A dead process may fail at anything, and so may a future of the harness."""
        if self.engine is None or context.get("task") in self._dead:
            return
        if "handle" in context or "task" in context:
            what = context.get("exception") or context.get("message")
            self.history.violate(f"I18: a callback of the loop raised: {what!r}")

    # -- the run ---------------------------------------------------------------------------------------------

    def go(self) -> Outcome:
        """Run it to its end. Raises what the harness itself gets wrong; what the engine does is in the outcome."""
        asyncio.set_event_loop(self.loop)
        self.loop.set_exception_handler(self._on_loop_error)
        try:
            self.loop.run_until_complete(self.loop.create_task(self._go()))
            return self._outcome()
        finally:
            self._bury()

    def own(self, work: Any) -> asyncio.Task[Any]:
        """A task of the harness: it outlives the processes."""
        task = self.loop.create_task(work)
        self._own.add(task)
        return task

    async def _go(self) -> None:
        self._own.add(asyncio.current_task())  # type: ignore[arg-type]  # called inside a task
        self.venue.start()
        if self.plan.program is None:
            self._hold_other_markets()
        self.boot()
        await asyncio.sleep(BOOT_S)
        await self.trade()
        self.heal()
        await self._settle()
        await self._end()
        self.venue.stop()

    def _hold_other_markets(self) -> None:
        """The markets that nobody looks at stand still: most of a run's work is to move them."""
        for (product, symbol), source in self.venue.sources.items():
            if (product, symbol) != (self.plan.market, NATIVE):
                source.hold()

    async def trade(self) -> None:
        """The strategy trades while faults strike."""
        for name in self.plan.faults:
            entropy = self.entropy.child(f"fault {name}")
            for _ in range(entropy.randint(1, STRIKES_MAX)):
                strike = entropy.choice(FAULTS[name].strikes)
                at_s = entropy.random() * self.plan.trading_s * 0.8
                self.later(at_s, partial(strike, self, entropy))
        await asyncio.sleep(self.plan.trading_s)

    def fire(self, form: str) -> None:
        """A strike has met something."""
        self.fired[form] = self.fired.get(form, 0) + 1
        self.history.note("fault", form.encode())

    def later(self, seconds: float, call: Callable[[], object]) -> None:
        """Part of a fault, after a while; nothing of it outlives the healing."""
        self._faults.append(self.loop.call_later(seconds, call))

    def soon(self, call: Callable[[], object]) -> None:
        """When the current callback has returned."""
        self.loop.call_soon(call)

    def kill_and_restart(self, after_s: float) -> None:
        """kill -9, and a new process a while later."""
        if self.engine is None:
            return
        self.kill()
        self.loop.call_later(RESTART_S + after_s, self._boot_if_down)

    def _boot_if_down(self) -> None:
        if self.engine is None:
            self.boot()

    def stop_and_restart(self, after_s: float) -> None:
        """An orderly end while orders are under way, and a new process after it."""
        engine, task = self.engine, self._engine_task
        if engine is None or task is None:
            return
        self._stopping = engine
        engine.dispose()

        def ended(_task: object) -> None:
            if self.engine is engine:
                self._note_defects(engine)
                self.engine = None
                self.loop.call_later(RESTART_S + after_s, self._boot_if_down)

        task.add_done_callback(ended)

    def act(self, what: str) -> None:
        """Let the suite's own workload do one thing now."""
        if self.engine is None or self.life is None or not self.life.has_started:
            return
        strategy = self.core.config.strategy
        if isinstance(strategy, RandomTrader) and strategy.is_trading:
            strategy.act(what)

    def note_foreign_cancel(self) -> None:
        """Whatever strangers have open may end now by somebody else's doing than ours."""
        for truth in self.truths.values():
            self.history.cancelled_by_others.update(r.client_id for r in truth.foreign() if r.is_open)

    @property
    def core_or_none(self) -> Any:
        """The engine's core while a process is up."""
        return None if self.engine is None else self.core

    def heal(self) -> None:
        """No fault any more; a process that is down is started."""
        for handle in self._faults:
            handle.cancel()
        self.network.weather = Weather()
        del self.network.before_send[1:]  # the first is the checker of every send
        self.network.frame_changes.clear()
        self.disk.before_append.clear()
        self.disk.after_append.clear()
        self.venue.faults.clear()
        self.disk.is_full = False
        if self.engine is None:
            self.boot()
        strategy: Any = self.core.config.strategy
        if hasattr(strategy, "wind_down"):
            strategy.wind_down()

    async def _settle(self) -> None:
        """Peace: within HEAL_PAUSES_S all has to be known and equal. What stays wrong is a violation."""
        healed_s = self.loop.time()
        wrong: list[str] = []
        silences = round(self.side.silence_s / SILENCE_PAUSE_S)
        for number, pause_s in enumerate((*HEAL_PAUSES_S, *[SILENCE_PAUSE_S] * silences)):
            if number == PAUSES_OF_TRADING_MAX and self.engine is not None:
                # A strategy that never rests always has something under way; whoever wants to compare has to stop it.
                self.core.ems.close("the run is at its end: no new order is sent")
            await asyncio.sleep(pause_s)
            wrong = list(self._violations())
            if not wrong:
                break
        for text in wrong:
            self.history.violate(text)
        self.healed_after_s = self.loop.time() - healed_s

    def _violations(self) -> Iterator[str]:
        life = self.life
        assert life is not None
        if self.engine is None or not life.has_started:
            yield "I18: the engine is not running"
            return
        if self._engine_task is None or self._engine_task.done():
            yield "I18: the engine has ended by itself"
        yield from checkers.check_lives(self.history, self.truths.values())
        has_lost_records = bool(self.disk.failed_writes)  # what could not be journalled is not in the journal
        yield from checkers.check_told(self.history, self.core, has_lost_records=has_lost_records)
        if life.is_whole:
            yield from checkers.check_fills(self.history, life, self.core)
        if not has_lost_records:
            yield from checkers.check_told_again(self.history)
            yield from checkers.check_replay(self.disk.journal, self.core, self.truths)
        yield from checkers.check_restated(self.disk.restated, self.truths)
        for account, truth in self.truths.items():
            yield from checkers.check_venue_orders(truth, self.history)
            yield from checkers.check_known(self.core, truth, account)
            yield from checkers.check_converged(self.core, truth, account)
        if self.book is not None:
            yield from self.book.check_at_end(self.core.cache.bookl2(self._symbol))
        for wrong in self.venue.check_invariants():
            yield f"I7: {wrong}"
        yield from self._defects(self.engine)
        if self.core.ems.is_waiting:
            yield "I18: commands are still waiting for their results"

    async def _end(self) -> None:
        """An orderly end: the engine cancels what is open and says what is left."""
        if self.engine is None or self._engine_task is None:
            return
        self._stopping = self.engine
        self.engine.dispose()
        await asyncio.wait({self._engine_task}, timeout=END_S_MAX)
        if not self._engine_task.done():
            self.history.violate("I18: the engine did not end when it was asked to")
        self._note_defects(self.engine)
        for truth in self.truths.values():
            for text in checkers.check_venue_orders(truth, self.history):
                self.history.violate(text)

    def _outcome(self) -> Outcome:
        records = [record for truth in self.truths.values() for record in truth.ours()]
        return Outcome(
            plan=self.plan,
            violations=tuple(self.history.violations),
            fired=dict(sorted((self.fired | self.venue.faults.fired).items())),
            digest=self.history.digest(),
            orders=len(records),
            fills=sum(len(record.executions) for record in records),
            processes=self._processes,
            virtual_s=self.loop.time(),
            healed_after_s=self.healed_after_s,
            trace=tuple(self.history.trace or ()),
        )

    def _bury(self) -> None:
        """Let go of what dead processes left waiting."""
        self.loop.set_exception_handler(lambda _loop, _context: None)
        for _ in range(BURIAL_ROUNDS_MAX):
            tasks = self.loop.tasks()
            if not tasks:
                break
            for task in tasks:
                task.cancel()
            self.loop.run_until_complete(asyncio.sleep(0))
        self.loop.close()
        asyncio.set_event_loop(None)
