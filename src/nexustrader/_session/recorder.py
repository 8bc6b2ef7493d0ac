"""Records the session of a live engine: everything that goes into its core, and what the core decides.

While an input runs, the core's clock stands still at the time at which it began: a replay reads the same. Time that
an answer took goes by with the answer. Ports, sockets and signatures have the true clock.

Trading never depends on the recording: when the file cannot be written any more, it ends and the run goes on.
"""

from __future__ import annotations

import asyncio
import hashlib
import os
import platform
from collections import deque
from collections.abc import Callable, Coroutine, Iterator, Mapping
from importlib import metadata
from pathlib import Path
from typing import Any, TypeVar

import msgspec

from nexustrader._engine.core import EngineCore
from nexustrader._engine.requests import Blocking, ThreadedRequests
from nexustrader._session import records
from nexustrader._session.difference import command_text
from nexustrader._session.failures import failure_of
from nexustrader._session.file import SessionWriter
from nexustrader._session.recording import (
    RecordingBlocking,
    RecordingClock,
    RecordingPort,
    RecordingStreams,
)
from nexustrader._session.records import (
    DECISIONS,
    AccountAdded,
    Answer,
    Called,
    Data,
    Decided,
    Decision,
    End,
    Input,
    InVain,
    Market,
    Outcome,
    Outsider,
    Params,
    Part,
    Refused,
    Replayed,
    ReplayedPart,
    Reply,
    Start,
    Step,
    Stopped,
    Stray,
    Unwritten,
    What,
)
from nexustrader._session.tape import Args, Desk, Questions, Steps, Tape, TapedJournal, asking_of
from nexustrader.config import Config
from nexustrader.constants import DataType
from nexustrader.domain import events as ev
from nexustrader.domain.instrument import Instrument
from nexustrader.domain.snapshot import Entry, Snapshot, split
from nexustrader.domain.stream import Stream
from nexustrader.error import JournalError, NexusTraderError
from nexustrader.kernel.clock import NS_PER_S
from nexustrader.kernel.entropy import Entropy
from nexustrader.kernel.log import get_logger
from nexustrader.kernel.ports import Journal, VenuePort
from nexustrader.market.data import StreamPort
from nexustrader.persistence.params import encode_value

INSTRUMENTS_PER_PART = 200
FLUSH_INTERVAL_NS = NS_PER_S  # a killed process loses no more of its session than this

_log = get_logger("Session")

T = TypeVar("T")
Call = Callable[[], object]


class _Outside:
    """While it is entered, what happens is not the core's doing: a port is at work."""

    def __init__(self, recorder: Recorder) -> None:
        self._recorder = recorder

    def __enter__(self) -> None:
        self._recorder.depth_outside += 1

    def __exit__(self, *_: object) -> None:
        self._recorder.depth_outside -= 1


class Recorder(Tape):
    """One for one engine. `now_ns` and `monotonic_ms` are what the core's clock reads while an input runs.

    Between inputs `now_ns` is None.
    """

    def __init__(
        self, path: Path, clock: Any, loop: asyncio.AbstractEventLoop, entropy: Entropy, journal: Journal
    ) -> None:
        super().__init__()
        self.now_ns: int | None = None
        self.monotonic_ms = 0
        self.depth_outside = 0
        self.outside = _Outside(self)
        self.clock = RecordingClock(clock, self)
        self.journal = TapedJournal(self)
        self._path = path
        self._true_clock = clock
        self._loop = loop
        self._chance = entropy.child("session").randint(0, 2**62)
        self._run_journal = journal
        self._writer: SessionWriter | None = None
        self._deferred: deque[tuple[What, Call]] = deque()
        self._inputs = 0
        self._writes = 0  # of the journal, within the present input
        self._question = ""
        self._asked: dict[str, int] = {}
        self._hash = hashlib.blake2b(digest_size=16)
        self._flushed_ns = 0
        self._has_decided = False  # since the last flush

    @property
    def is_inside(self) -> bool:
        """True while the core itself is at work."""
        return self.now_ns is not None and not self.depth_outside

    # -- life ------------------------------------------------------------------------------------------------

    def bind(self, core: EngineCore) -> None:
        """Become the tape of a core, before its strategy is bound."""
        core.tape = self
        core.desk = Desk(core.ems, self)
        core.scheduler.entropy = Entropy(self._chance)

    def open(self, config: Config) -> None:
        """Create the file. Raises EngineBuildError."""
        self._writer = SessionWriter(self._path)
        self._flushed_ns = self._true_clock.timestamp_ns()
        self._loop.set_task_factory(self._make_task)
        hash_seed = os.environ.get("PYTHONHASHSEED", "")
        self._write(
            Start(
                at_ns=self._flushed_ns,
                strategy=type(config.strategy).__qualname__,
                strategy_id=config.strategy_id,
                user_id=config.user_id,
                timezone=str(self.clock.timezone),
                chance=self._chance,
                hash_seed=hash_seed if hash_seed.isdigit() else None,
                version=metadata.version("nexustrader"),
                python=platform.python_version(),
            )
        )
        _log.info(f"the session is recorded to {self._writer.path}")

    def close(self, reason: str | None = None) -> None:
        """End the recording; the run may go on. Does nothing when it has ended."""
        writer, self._writer = self._writer, None
        if writer is None:
            return
        end = End(self._inputs, self.decisions, self._hash.hexdigest(), reason)
        try:
            writer.close(records.encode(end))
        except OSError as error:
            _log.error(f"{writer.path}: the end of the session could not be written: {error}")
            return
        _log.info(
            f"{writer.path}: {self._inputs:,} inputs, {self.decisions:,} decisions (hash {end.trace_hash})"
        )

    def _write(self, part: Part) -> bytes:
        """Keep a part; the file must never cost the run anything but itself."""
        writer = self._writer
        if writer is None:
            return b""
        try:
            body = records.encode(part)
            if writer.write(body):
                return body
            reason = "the file has reached its greatest size"
        except (OSError, msgspec.MsgspecError, TypeError, ValueError, OverflowError) as error:
            reason = f"{type(error).__name__}: {error}"
        _log.error(f"{writer.path}: the recording ends here, the run goes on: {reason}")
        self.close(reason)
        return b""

    # -- inputs ----------------------------------------------------------------------------------------------

    def call(self, name: str, args: Args, call: Callable[[], T]) -> T:
        """A call of the engine to its core; one that the core makes itself is no input."""
        if self.now_ns is not None:
            return call()
        return self._run(Called(name, tuple(str(arg) for arg in args)), call)

    def arrive(self, what: What, call: Call) -> None:
        """Something from outside."""
        if self.now_ns is not None:
            # Race: a port may answer while it is given a command. That is an input of its own, in its turn; soon, and
            # not at once, for the answer to it may bring about the next.
            self._deferred.append((what, call))
            self._true_clock.call_soon(self._run_deferred)
            return
        if self._deferred:
            self._run_deferred()
        self._run(what, call)

    def _run_deferred(self) -> None:
        for _ in range(len(self._deferred)):
            self._run(*self._deferred.popleft())

    def _run(self, what: What, call: Callable[[], T]) -> T:
        self._begin(what)
        try:
            return call()
        finally:
            self._end()

    def _begin(self, what: What) -> None:
        self.now_ns = now_ns = self._true_clock.timestamp_ns()
        self.monotonic_ms = monotonic_ms = self._true_clock.monotonic_ms()
        self._inputs += 1
        self._writes = 0
        self._write(Input(now_ns, monotonic_ms, self._loop.time(), what))

    def _end(self) -> None:
        now_ns, self.now_ns = self.now_ns, None
        assert now_ns is not None
        if self._has_decided or now_ns - self._flushed_ns >= FLUSH_INTERVAL_NS:
            self._flushed_ns, self._has_decided = now_ns, False
            if self._writer is not None:
                try:
                    self._writer.flush()
                except OSError as error:
                    _log.error(f"{self._writer.path}: the recording ends here, the run goes on: {error}")
                    self.close(str(error))

    def deliver(
        self, deliver: Mapping[DataType, Callable[[Any], None]]
    ) -> dict[DataType, Callable[[Any], None]]:
        """The same functions, each call of which is an input."""
        return {kind: self._recorded(kind.value, take) for kind, take in deliver.items()}

    def _recorded(self, kind: str, take: Callable[[Any], None]) -> Callable[[Any], None]:
        def recorded(datum: Any) -> None:
            data = Data(kind, datum)  # encoded by what it is
            if self.now_ns is not None or self._deferred:
                self.arrive(data, lambda: take(datum))
                return
            self._begin(data)
            try:
                take(datum)
            finally:
                self._end()

        return recorded

    def params(self, values: Mapping[str, Any]) -> None:
        """What the strategy's parameters are at the start."""
        self._run(Params({name: encode_value(value) for name, value in values.items()}), _nothing)

    # -- ports -----------------------------------------------------------------------------------------------

    def streams(self, instruments: Mapping[str, Instrument], port: StreamPort | None) -> StreamPort | None:
        known = tuple(instruments.values())
        for start in range(0, len(known), INSTRUMENTS_PER_PART):
            some = known[start : start + INSTRUMENTS_PER_PART]
            self._run(Market(some, port is not None), _nothing)
        return None if port is None else RecordingStreams(port, self)

    def account(self, port: VenuePort) -> VenuePort:
        self._run(AccountAdded(port.account, port.absence_horizon_ms, port.query_lag_ms), _nothing)
        return RecordingPort(port, self)

    def blocking(self, io: Blocking) -> Blocking:
        """`io` for the questions of the strategy."""
        return RecordingBlocking(io, self)

    def requests(self, requests: ThreadedRequests) -> Questions:
        """The questions themselves."""
        return Questions(requests, self)

    def refuse(self, stream: Stream, error: NexusTraderError) -> None:
        """A subscription has failed."""
        self._note(Refused(stream, failure_of(error)))

    async def inquire(self, kind: str, account: str, work: Coroutine[Any, Any, T]) -> T:
        """The answer of a port to a task of the core: an input of its own."""
        label = f"{kind} {account}"
        if not self.is_inside:
            self.arrive(Stray(label), _nothing)
            return await work
        self._asked[label] = number = self._asked.get(label, 0) + 1
        with self.outside:
            asking = asyncio.ensure_future(work)
        answer: asyncio.Future[T] = self._loop.create_future()

        def done(task: asyncio.Task[T]) -> None:
            if answer.done():
                if not task.cancelled():
                    task.exception()  # nobody waits for it any more
            elif task.cancelled():
                answer.cancel()
            else:
                self._reply(f"{label}#{number}", kind.partition(" ")[0], task, answer)

        asking.add_done_callback(done)
        try:
            return await answer
        except asyncio.CancelledError:
            asking.cancel()
            raise

    def _reply(self, question: str, kind: str, task: asyncio.Task[T], answer: asyncio.Future[T]) -> None:
        error = task.exception()
        if error is not None:
            failed = Outcome(kind, failure=failure_of(error))
            self.arrive(Reply(question, failed), lambda: answer.set_exception(error))
        else:
            value = task.result()
            self.arrive(Reply(question, Outcome(kind, records.raw(value))), lambda: answer.set_result(value))

    # -- within an input -------------------------------------------------------------------------------------

    def _note(self, part: records.Inner) -> None:
        if self.now_ns is None:
            return
        body = self._write(part)
        if isinstance(part, DECISIONS):
            self.decisions += 1
            self._has_decided = True
            self._hash.update(b"%d:%d:" % (self._inputs, len(body)))
            self._hash.update(body)

    def decide(self, record: Decided) -> None:
        if self.now_ns is None:
            self._run(Stray(command_text(record)), _nothing)
        else:
            self._note(Decision(record))

    def ask_in_vain(self, what: InVain) -> None:
        self._note(what)

    def stop(self, stop: Callable[[], None]) -> Callable[[], None]:
        """`stop` for the strategy."""

        def stopped() -> None:
            self._note(Stopped())
            stop()

        return stopped

    def ask(self, verb: str, args: Args, call: Callable[[], T]) -> T:
        def asked() -> T:
            return self.asked(verb, args, call)

        return asked() if self.now_ns is not None else self._run(Outsider(asking_of(verb, args)), asked)

    def write(self, record: ev.Record) -> int:
        self._writes += 1
        try:
            return self._run_journal.append(record)
        except JournalError as error:
            self._note(Unwritten(self._writes, str(error)))
            raise

    def replay(self) -> Iterator[Entry]:
        for entry in self._run_journal.replay():
            if isinstance(entry, Snapshot):
                for part in split(entry):
                    self._note(ReplayedPart(part))
            else:
                self._note(Replayed(entry))
            yield entry

    def put(self, question: str) -> None:
        self._question = question

    def block(self, io: Blocking, work: Coroutine[Any, Any, T], timeout_s: float) -> T:
        """Wait for an answer; the core's time goes on when it is there."""
        if not self.is_inside:
            return io.run(work, timeout_s)
        kind = self._question.partition(" ")[0]
        try:
            with self.outside:
                value = io.run(work, timeout_s)
        except Exception as error:  # tidy: ok — re-raised: whatever it is, it is the answer
            self._answer(Outcome(kind, failure=failure_of(error)))
            raise
        self._answer(Outcome(kind, records.raw(value)))
        return value

    def _answer(self, outcome: Outcome) -> None:
        self.now_ns = now_ns = self._true_clock.timestamp_ns()
        self.monotonic_ms = self._true_clock.monotonic_ms()
        self._note(Answer(now_ns, self.monotonic_ms, self._question, outcome))

    # -- tasks -----------------------------------------------------------------------------------------------

    def _make_task(self, loop: asyncio.AbstractEventLoop, work: Any, **kwargs: Any) -> asyncio.Task[Any]:
        return asyncio.Task(Steps(work, self) if self.is_inside else work, loop=loop, **kwargs)

    def step(self, task: Steps, thrown: str | None, call: Callable[[], Any]) -> Any:
        return call() if self.now_ns is not None else self._run(Step(task.name, thrown), call)


def _nothing() -> None: ...
