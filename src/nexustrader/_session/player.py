"""Feeds a core with a recorded session and compares what it decides with what was decided then."""

from __future__ import annotations

import asyncio
import hashlib
from collections import Counter, deque
from collections.abc import Callable, Iterator
from functools import partial
from pathlib import Path
from typing import Any, TypeVar
from zoneinfo import ZoneInfo

import msgspec

from nexustrader._engine.core import EngineCore
from nexustrader._engine.entries import ENTRIES
from nexustrader._engine.requests import ThreadedRequests
from nexustrader._engine.routing import Account, account_key
from nexustrader._session import records
from nexustrader._session.difference import Difference, shown, shown_inner
from nexustrader._session.failures import error_of
from nexustrader._session.file import Kept, Session
from nexustrader._session.playing import (
    Gate,
    Key,
    PlayedBlocking,
    PlayedClock,
    PlayedLoop,
    PlayedMarket,
    PlayedPort,
)
from nexustrader._session.records import (
    DECISIONS,
    AccountAdded,
    Answer,
    Called,
    Data,
    Decided,
    Decision,
    Fact,
    Fired,
    Inner,
    Input,
    InVain,
    Market,
    Outcome,
    Outsider,
    Params,
    Refused,
    Replayed,
    ReplayedPart,
    Reply,
    Start,
    Status,
    Step,
    Stopped,
    Stray,
    Unwritten,
)
from nexustrader._session.tape import (
    Args,
    Desk,
    Questions,
    Steps,
    Tape,
    TapedJournal,
    args_of,
)
from nexustrader.config import Config, LogConfig
from nexustrader.constants import DataType, ParamBackend
from nexustrader.domain import events as ev
from nexustrader.domain.snapshot import Entry, join
from nexustrader.domain.stream import Stream
from nexustrader.error import JournalError, NexusTraderError, OutcomeUnknown, StrategyBuildError
from nexustrader.kernel.clock import VirtualClock
from nexustrader.kernel.entropy import Entropy
from nexustrader.kernel.log import get_logger, setup_logging
from nexustrader.persistence.params import Params as Store
from nexustrader.persistence.params import decode_value

INPUTS_SHOWN = 5  # before the one in which the first difference is

_log = get_logger("Session")

T = TypeVar("T")


class Report(msgspec.Struct, frozen=True, kw_only=True):
    """What a replay has found. `decisions` and `trace_hash` are those of the recording up to where it was compared."""

    start: Start
    inputs: int
    decisions: int
    trace_hash: str
    difference: Difference | None
    is_complete: bool  # False: the process died, or still runs; its last input was left out
    ended_early: str | None  # why the recording ended before the run did
    outsiders: (
        int  # orders of the program's own threads and raw callbacks: taken as recorded, not decided anew
    )
    strays: int  # what else happened outside of every input, and is left out


def replay(path: Path, config: Config, log_config: LogConfig | None = None) -> Report:
    """Run a session again with this program. What it logs has the times of the session; nothing if not configured.

    Raises DataError for a file that is no session or is damaged, and StrategyBuildError for another program.
    """
    session = Session(path)
    _require_same_program(session.start, config)
    player = Player(session, config)
    setup_logging(log_config or LogConfig(level_stdout="OFF"), player.clock)
    return player.play()


def _require_same_program(start: Start, config: Config) -> None:
    name = type(config.strategy).__qualname__
    for what, then, now in (
        ("strategy", start.strategy, name),
        ("strategy_id", start.strategy_id, config.strategy_id),
        ("user_id", start.user_id, config.user_id),
    ):
        if then != now:
            raise StrategyBuildError(
                f"the session is one of {what} {then!r}, and this program has {now!r}; give the program that was "
                "recorded"
            )


class Player(Tape):
    """One replay of one session."""

    def __init__(self, session: Session, config: Config) -> None:
        super().__init__()
        start = session.start
        self._session = session
        self._firings, self._recorded_tasks = _ahead(session)
        self.clock = PlayedClock(ZoneInfo(start.timezone), start.at_ns, self._firings)
        self._loop_clock = VirtualClock(start.at_ns)
        self._loop = PlayedLoop(self._loop_clock, self._on_task_error, "a replay")
        self._loop.set_task_factory(self._make_task)
        self._core = core = EngineCore(config, self.clock, TapedJournal(self), spawn=self._loop.spawn)
        core.desk = self._desk = Desk(core.ems, self)
        core.scheduler.entropy = Entropy(start.chance)
        self._market = PlayedMarket(self._refuse, self.inquire)
        self._io_market: dict[str, Any] = {}
        self._io_venues: dict[str, Any] = {}
        self._store = Store()
        requests = ThreadedRequests(PlayedBlocking(self._answer), core.oms, self._io_market, self._io_venues)
        core.bind_strategy(
            Questions(requests, self), {ParamBackend.MEMORY: self._store}, partial(self._note, Stopped())
        )
        setattr(config.strategy, "wait", _no_wait)  # noqa: B010  # nobody waits for a time that is past
        self._gates: dict[str, Gate] = {}
        self._asked: dict[str, int] = {}
        self._awaited: dict[str, asyncio.Future[Any]] = {}
        self._question = ""
        self._number = 0
        self._input: Input | None = None
        self._inner: deque[Kept] = deque()
        self._before: deque[str] = deque(maxlen=INPUTS_SHOWN)
        self._writes = 0
        self._hash = hashlib.blake2b(digest_size=16)
        self._outsiders = self._strays = 0
        self._difference: Difference | None = None

    # -- the run ---------------------------------------------------------------------------------------------

    def play(self) -> Report:
        """Feed input after input until one is answered otherwise than it was."""
        with self._loop.running():
            for number, (one, inner) in enumerate(self._session.inputs(), 1):
                self._number = number
                self._play(one, inner)
                if self._difference is not None:
                    break
            self._end_tasks()
        end = self._session.end
        return Report(
            start=self._session.start,
            inputs=self._number,
            decisions=self.decisions,
            trace_hash=self._hash.hexdigest(),
            difference=self._difference,
            is_complete=self._session.is_complete or self._difference is not None,
            ended_early=None if end is None else end.reason,
            outsiders=self._outsiders,
            strays=self._strays,
        )

    def _end_tasks(self) -> None:
        self._recorded_tasks = frozenset()  # nothing is held any more
        for task in asyncio.all_tasks(self._loop):
            task.cancel()
        self._loop_clock.run_soon()

    def _play(self, one: Input, inner: list[Kept]) -> None:
        self._run_own(one)
        self._input, self._inner, self._writes = one, deque(inner), 0
        self.clock.read(one.at_ns, one.monotonic_ms)
        self._loop.now_s = one.loop_s
        self._loop_clock.advance_to(one.at_ns)
        try:
            self._feed(one.what)
        except SystemExit:
            _log.debug("a callback has called sys.exit(), as it did in the session")
        self._loop_clock.run_soon()
        if self._inner:
            self._differ(shown_inner(self._inner[0].part), "nothing")
        self._before.append(shown(self._number, one))
        self._input = None

    def _run_own(self, ahead: Input) -> None:
        """Timers that the session does not have: they show their decisions at their time."""
        while self._difference is None and (own := self.clock.take_own(ahead.at_ns)) is not None:
            key, call = own
            self.clock.now_ns = max(self.clock.now_ns, key.due_ns)
            fired = Fired(f"{key.label}, which is not in the session", key.due_ns, key.is_soon)
            clock = self.clock
            self._input = Input(clock.now_ns, clock.steady_ms, self._loop.now_s, fired)
            self._inner = deque()
            self._fire(call)

    def _feed(self, what: records.What) -> None:
        core = self._core
        match what:
            case Data(kind, datum):
                core.hub.deliver[DataType(kind)](records.decode_body(kind, datum))
            case Fact(event):
                self._take_fact(event)
            case Status(account, event):
                core.on_status(account, event)
            case Fired():
                self._feed_firing(what)
            case Step(task, thrown):
                self._feed_step(task, thrown)
            case Reply(question, outcome):
                self._feed_reply(question, outcome)
            case Called(name, args):
                self._call(name, args)
            case Market(instruments, has_streams):
                known = {instrument.symbol: instrument for instrument in instruments}
                core.add_market(known, self._market if has_streams else None)
                self._io_market.update(dict.fromkeys(known, self._market))
            case AccountAdded(key, horizon_ms, lag_ms):
                self._know_account(key)
                port = PlayedPort(key, horizon_ms, lag_ms, self)
                core.add_account(port)
                self._io_venues[key] = port
            case Params(values):
                for name, text in values.items():
                    self._store.set(name, decode_value(text))
            case Outsider(asking):
                self._take_as_given(asking)
            case Stray():
                self._strays += 1

    def _take_fact(self, event: records.Event) -> None:
        core = self._core
        if isinstance(event, ev.CommandResult):
            core.on_result(event)
        elif isinstance(event, ev.OrderEvent):
            core.on_order_event(event)
        elif isinstance(event, ev.BalanceEvent):
            core.on_balance(event)
        else:
            core.on_position(event)

    def _call(self, name: str, args: tuple[str, ...]) -> None:
        if name not in ENTRIES:
            self._differ(f"the engine called {name}", "no such call")
            return
        if name == "add_mock":
            self._know_account(args[0])
            self._core.add_mock(args[0], store=self._store)
            self._io_venues[args[0]] = self._core.mocks[args[0]]
        else:
            getattr(self._core, name)(*args)

    def _know_account(self, key: str) -> None:
        """Raises StrategyBuildError for an account that the program does not have."""
        for exchange, connectors in self._core.config.private_conn_config.items():
            for one in connectors:
                if account_key(exchange, one.account_type, one.account) == key:
                    self._core.accounts.add(Account(key, exchange, one.account_type, one.account))
                    return
        raise StrategyBuildError(
            f"the session has the account {key}, and this program has no connector for it; give the program that "
            "was recorded"
        )

    def _feed_firing(self, fired: Fired) -> None:
        if fired.is_foreign:
            self._strays += 1
            return
        call = self.clock.take(Key(fired.label, fired.due_ns, fired.is_soon))
        if call is None:
            self._differ("it was set, and fired", "it is not set")
        else:
            self._fire(call)

    def _fire(self, call: Callable[[], object]) -> None:
        try:
            call()
        except Exception as error:  # tidy: ok — as the clock of a live engine does
            _log.exception("a timer raised; the replay goes on", exc=error)

    def _take_as_given(self, asking: records.Asking) -> None:
        self._outsiders += 1
        try:
            args = args_of(asking)
        except msgspec.MsgspecError:
            self._strays += 1
            return
        try:
            self.asked(asking.verb, args, partial(self._desk.carry_out, asking.verb, args))
        except NexusTraderError as error:
            _log.debug(f"an order from outside was refused, as in the session: {error}")

    # -- comparing -------------------------------------------------------------------------------------------

    def _differ(self, then: str, now: str) -> None:
        """The first difference is kept."""
        if self._difference is None and self._input is not None:
            self._difference = Difference(
                number=self._number,
                at_ns=self._input.at_ns,
                what=shown(self._number, self._input),
                then=then,
                now=now,
                before=tuple(self._before),
            )

    def _note(self, part: Inner) -> None:
        """Something is decided: it has to be what was decided then."""
        if self._input is None or self._difference is not None:
            return
        body = records.encode(part)
        expected = self._inner[0] if self._inner else None
        if expected is None or expected.body != body:
            then = "nothing more" if expected is None else shown_inner(expected.part)
            self._differ(then, shown_inner(part))
            return
        self._inner.popleft()
        if isinstance(part, DECISIONS):
            self.decisions += 1
            self._hash.update(b"%d:%d:" % (self._number, len(body)))
            self._hash.update(body)

    def decide(self, record: Decided) -> None:
        self._note(Decision(record))

    def ask_in_vain(self, what: InVain) -> None:
        self._note(what)

    def ask(self, verb: str, args: Args, call: Callable[[], T]) -> T:
        if self._input is None:
            raise NexusTraderError(
                f"{verb} outside of every callback: in a replay the session's own such orders are taken instead"
            )
        return self.asked(verb, args, call)

    def write(self, record: ev.Record) -> int:
        del record  # nothing is journalled; what the session's journal could not write fails again
        self._writes += 1
        part = self._peek()
        if isinstance(part, Unwritten) and part.number == self._writes:
            self._inner.popleft()
            raise JournalError(part.message)
        return self._writes

    def replay(self) -> Iterator[Entry]:
        while isinstance(self._peek(), ReplayedPart | Replayed):
            parts = []
            while isinstance(part := self._peek(), ReplayedPart):
                parts.append(part.part)
                self._inner.popleft()
            if parts:
                yield join(parts)
            if isinstance(part := self._peek(), Replayed):
                self._inner.popleft()
                yield part.record

    def _peek(self) -> Inner | None:
        return self._inner[0].part if self._inner else None

    # -- answers ---------------------------------------------------------------------------------------------

    def _refuse(self, stream: Stream) -> None:
        part = self._peek()
        if isinstance(part, Refused) and part.stream == stream:
            self._inner.popleft()
            raise error_of(part.failure)

    def put(self, question: str) -> None:
        self._question = question

    def _answer(self) -> Any:
        part = self._peek()
        if not isinstance(part, Answer) or part.question != self._question:
            then = "nothing more" if part is None else shown_inner(part)
            self._differ(then, f"asks for {self._question}")
            raise OutcomeUnknown(f"the session has no answer to {self._question}")
        self._inner.popleft()
        self.clock.read(part.at_ns, part.monotonic_ms)
        return _result(part.outcome)

    async def inquire(self, kind: str, account: str) -> Any:
        """What a port answers to a task of the core, when the session has come to it."""
        label = f"{kind} {account}"
        self._asked[label] = number = self._asked.get(label, 0) + 1
        self._awaited[f"{label}#{number}"] = answer = self._loop.create_future()
        return await answer

    def _feed_reply(self, question: str, outcome: Outcome) -> None:
        answer = self._awaited.pop(question, None)
        if answer is None:
            self._differ(f"{question} was asked for", "it is not asked for")
        elif not answer.done():
            try:
                answer.set_result(_result(outcome))
            except Exception as error:  # tidy: ok — whatever the port raised then is raised again
                answer.set_exception(error)

    # -- tasks -----------------------------------------------------------------------------------------------

    def _make_task(self, loop: asyncio.AbstractEventLoop, work: Any, **kwargs: Any) -> asyncio.Task[Any]:
        steps = Steps(work, self)
        self._gates[steps.name] = gate = Gate(loop)
        gate.task = task = asyncio.Task(steps, loop=loop, **kwargs)
        return task

    def step(self, task: Steps, thrown: str | None, call: Callable[[], Any]) -> Any:
        if task.name not in self._recorded_tasks:
            return call()
        return self._gates[task.name].hold(thrown, call)

    def _feed_step(self, name: str, thrown: str | None) -> None:
        gate = self._gates.get(name)
        if gate is None:
            self._differ("it went on", "there is no such task")
            return
        while not gate.is_waiting and (due_ns := self._loop_clock.next_ns()) is not None:
            # The loop of the session counted a sleep from the beginning of its turn, which is before its input.
            self._loop_clock.advance_to(due_ns)
        if thrown == asyncio.CancelledError.__name__ != gate.thrown and gate.task is not None:
            gate.task.cancel()
            self._loop_clock.run_soon()
        if gate.is_waiting:
            gate.open()
        else:
            self._differ("it went on", "it waits for something that is not in the session")

    def _on_task_error(self, name: str, error: BaseException) -> None:
        _log.error(f"task {name!r} ended by an error: {error}", exc=error)


def _result(outcome: Outcome) -> Any:
    """The value; raises what was raised in its place."""
    if outcome.failure is not None:
        raise error_of(outcome.failure)
    return records.decode_body(outcome.kind, outcome.body)


def _ahead(session: Session) -> tuple[Counter[Key], frozenset[str]]:
    """Every firing of a timer that the session holds, and every task that took a step."""
    firings: Counter[Key] = Counter()
    tasks: set[str] = set()
    for one, _ in session.inputs():
        what = one.what
        if isinstance(what, Fired) and not what.is_foreign:
            firings[Key(what.label, what.due_ns, what.is_soon)] += 1
        elif isinstance(what, Step):
            tasks.add(what.task)
    return firings, frozenset(tasks)


def _no_wait(seconds: float) -> None: ...
