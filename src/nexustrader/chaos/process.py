"""One process of an engine in the chaos world: its time, its way out, and the disk that outlives it."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Coroutine, Iterator, Mapping
from typing import Any, TypeVar

from nexustrader._engine.requests import Blocking
from nexustrader._engine.storage import DeferredJournal
from nexustrader.chaos.loop import LoopClock
from nexustrader.chaos.network import ADDRESS, MemoryTransport, Network, Process, call_each
from nexustrader.config import Config
from nexustrader.domain import events as ev
from nexustrader.domain.snapshot import Snapshot
from nexustrader.emulator.rest import SEND, RestCall
from nexustrader.error import JournalError, NotSent, OutcomeUnknown
from nexustrader.kernel.clock import Call
from nexustrader.kernel.entropy import Entropy
from nexustrader.kernel.ports import TimerHandle
from nexustrader.persistence.memory import MemoryJournal
from nexustrader.venue.transport import HttpAnswer, OnFrame, Transport

T = TypeVar("T")


class Disk:
    """What is left of a process when it is killed: the journal. `is_full` lets every write fail.

    `records_max`: after so many records a snapshot takes their place.
    """

    def __init__(self, records_max: int) -> None:
        self.journal = MemoryJournal()
        self.records_max = records_max
        self.rotated_at = 0  # number of the record that the snapshot stands for
        self.is_full = False
        self.failed_writes = 0
        self.appends = 0
        self.intents: dict[str, ev.Submit] = {}  # by oid: what is durable before anything leaves
        self.restated: list[
            ev.PositionEvent
        ] = []  # where the venue's word took the place of what fills add up to
        self.before_append: list[Callable[[ev.Record], None]] = []
        self.after_append: list[Callable[[ev.Record], None]] = []


class DiskJournal:
    """The journal as one process holds it. A dead process writes nothing any more."""

    def __init__(self, disk: Disk, process: Process) -> None:
        self._disk = disk
        self._process = process
        self.params = disk.journal.params

    def append(self, record: ev.Record) -> int:
        disk = self._disk
        call_each(disk.before_append, record)
        if not self._process.is_alive:
            raise JournalError("the process is dead; nothing was written")
        if disk.is_full:
            disk.failed_writes += 1
            raise JournalError("the disk is full: free some space")
        seq = disk.journal.append(record)
        disk.appends += 1
        if isinstance(record, ev.Submit):
            disk.intents[record.oid] = record
        elif isinstance(record, ev.PositionEvent):
            disk.restated.append(record)
        call_each(disk.after_append, record)
        return seq

    def append_many(self, records: list[ev.Record]) -> int:
        """One write: all of them, or none."""
        if self._disk.is_full or not self._process.is_alive:
            return self.append(records[0])
        seq = self._disk.journal.last_seq
        for record in records:
            seq = self.append(record)
        return seq

    def replay(self) -> Iterator[Any]:
        return self._disk.journal.replay()

    @property
    def is_full(self) -> bool:
        """True when it is time to rotate."""
        return self.last_seq - self._disk.rotated_at >= self._disk.records_max

    @property
    def last_seq(self) -> int:
        return self._disk.journal.last_seq

    def rotate(self, snapshot: Snapshot) -> None:
        disk = self._disk
        if disk.is_full or not self._process.is_alive:
            raise JournalError("the disk is full or the process dead; nothing was rotated")
        disk.journal.rotate(snapshot)
        disk.rotated_at = snapshot.seq

    def checkpoint(self) -> int:
        return 0

    def close(self) -> None:
        """The disk stays."""


class ProcessClock(LoopClock):
    """The clock of one process: what it had scheduled dies with it."""

    def __init__(self, loop: asyncio.AbstractEventLoop, process: Process, offset_s: float) -> None:
        super().__init__(loop, offset_s)
        self._process = process

    def call_soon(self, func: Call) -> TimerHandle:
        return super().call_soon(self._while_alive(func))

    def call_at(self, when_ns: int, func: Call) -> TimerHandle:
        return super().call_at(when_ns, self._while_alive(func))

    def _while_alive(self, func: Call) -> Call:
        process = self._process
        return lambda: func() if process.is_alive else None


class InlineAnswers:
    """Blocking questions under virtual time: the venue answers at once, and no time passes."""

    def run(self, coro: Coroutine[Any, Any, T], timeout_s: float) -> T:
        try:
            coro.send(None)
        except StopIteration as done:
            value: T = done.value
            return value
        coro.close()
        raise OutcomeUnknown(
            f"no answer within {timeout_s} s: the question would have to wait for virtual time"
        )

    def stop(self) -> None:
        """Nothing runs between questions."""


class _DirectTransport:
    """HTTP without a crossing, for questions that are asked while the engine's thread waits."""

    def __init__(self, network: Network) -> None:
        self._network = network

    @property
    def in_use(self) -> bool:
        return False

    async def request(
        self, method: str, url: str, headers: Mapping[str, str], body: bytes, timeout_ms: int
    ) -> HttpAnswer:
        if self._network.weather.refuses:
            raise NotSent("no connection to the venue: refused")
        lower = {name.lower(): value for name, value in headers.items()}
        path = "/" + url.split("://", 1)[1].partition("/")[2]
        call = RestCall(method=method, raw_path=path, headers=lower, body=body, address=ADDRESS)
        reply = self._network.service.rest(call)
        if reply.delivery.kind != SEND:
            raise OutcomeUnknown(f"{method}: no answer within {timeout_ms} ms")
        return HttpAnswer(reply.status, {k.lower(): v for k, v in reply.headers.items()}, reply.body)

    async def connect(self, url: str, on_frame: OnFrame) -> Any:  # noqa: ARG002  # the port's signature
        raise NotSent("blocking questions use no socket")

    async def close(self) -> None:
        """Nothing is held open."""


class MemoryWorld:
    """The `World` of one process: virtual time, the network in memory, a disk that outlives it."""

    has_process = False
    has_files = False
    checkpoint_interval_s = 4.0

    def __init__(
        self,
        loop: asyncio.AbstractEventLoop,
        network: Network,
        disk: Disk,
        entropy: Entropy,
        clock_offset_s: float = 0.0,
    ) -> None:
        self.loop = loop
        self.entropy = entropy
        self.process = Process()
        self.clock = ProcessClock(loop, self.process, clock_offset_s)
        self.disk = disk
        self.transport: Transport = MemoryTransport(network, self.process)
        self.io: Blocking = InlineAnswers()
        self.io_transport: Transport = _DirectTransport(network)

    def open_storage(
        self,
        _config: Config,
        journal: DeferredJournal,
        _fingerprints: Mapping[str, str],
    ) -> None:
        store = DiskJournal(self.disk, self.process)
        journal.use(store)
        journal.params.use(store.params)

    async def offload(self, work: Callable[[], object]) -> None:
        work()

    def close(self) -> None:
        """The loop and the disk outlive the process."""
