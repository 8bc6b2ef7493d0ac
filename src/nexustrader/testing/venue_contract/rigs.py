"""Where a contract runs: on a network in memory under virtual time, or over sockets on this machine.

Both hold one emulated venue, and give every engine that is started a world of its own over one disk.
"""

from __future__ import annotations

import asyncio
from abc import ABC, abstractmethod
from collections.abc import Callable, Coroutine, Mapping
from typing import Any

from nexustrader._engine.requests import Blocking
from nexustrader._engine.storage import DeferredJournal
from nexustrader._engine.world import World
from nexustrader.chaos.history import History
from nexustrader.chaos.loop import LoopClock, SeededLoop
from nexustrader.chaos.network import Network, Process
from nexustrader.chaos.process import Disk, DiskJournal, MemoryWorld
from nexustrader.config import Config
from nexustrader.kernel.clock import LiveClock
from nexustrader.kernel.entropy import Entropy
from nexustrader.kernel.ports import Clock
from nexustrader.kernel.tasks import IoThread
from nexustrader.testing.venue_contract.emulated import EmulatedVenue
from nexustrader.venue.transport import NetworkTransport, Transport

RECORDS_MAX = 100_000
NS_PER_MS = 1_000_000
BURIAL_ROUNDS_MAX = 20

Emulate = Callable[[Clock, Entropy], EmulatedVenue]


class Rig(ABC):
    """One venue and what joins engines to it. `origin` is where it is served; None for its own addresses."""

    is_virtual: bool
    origin: str | None = None
    venue: EmulatedVenue
    loop: asyncio.AbstractEventLoop

    def __init__(self) -> None:
        self.disk = Disk(RECORDS_MAX)
        self.process = Process()

    @abstractmethod
    def world(self, clock_offset_ms: int) -> World:
        """Where the next engine runs; its clock differs from the venue's by so much."""

    @abstractmethod
    def step_clock(self, ms: int) -> None:
        """The clock of the machine that the engine runs on is set forward."""

    @abstractmethod
    async def begin(self) -> None: ...
    @abstractmethod
    async def end(self) -> None: ...
    def kill(self) -> None:
        """Nothing of the running engine reaches disk or venue any more."""
        self.process.kill()

    def run(self, work: Coroutine[Any, Any, None]) -> None:
        """Run one test to its end."""
        asyncio.set_event_loop(self.loop)
        try:
            self.loop.run_until_complete(self._run(work))
        finally:
            self._bury()
            asyncio.set_event_loop(None)

    async def _run(self, work: Coroutine[Any, Any, None]) -> None:
        await self.begin()
        try:
            await work
        finally:
            await self.end()

    def _bury(self) -> None:
        """Let go of what killed engines left waiting."""
        for _ in range(BURIAL_ROUNDS_MAX):
            left = asyncio.all_tasks(self.loop)
            if not left:
                break
            for task in left:
                task.cancel()
            self.loop.run_until_complete(asyncio.sleep(0))
        self.loop.run_until_complete(self.loop.shutdown_asyncgens())
        self.loop.close()


class MemoryRig(Rig):
    """No sockets, no waiting: an hour of the venue's time takes no time."""

    is_virtual = True

    def __init__(self, emulate: Emulate, seed: int = 1) -> None:
        super().__init__()
        loop = SeededLoop(None)
        self.loop = loop
        self._entropy = Entropy(seed)
        clock = LoopClock(loop)
        self.venue = emulate(clock, self._entropy.child("venue"))
        self.network = Network(
            loop, self.venue.service, clock, self._entropy.child("network"), History(loop.time)
        )
        self._clock: LoopClock | None = None

    def world(self, clock_offset_ms: int) -> World:
        entropy = self._entropy.child("process")
        world = MemoryWorld(self.loop, self.network, self.disk, entropy, clock_offset_ms / 1000)
        self.process, self._clock = world.process, world.clock
        return world

    def step_clock(self, ms: int) -> None:
        assert self._clock is not None
        self._clock.step(ms / 1000)

    async def begin(self) -> None:
        self.venue.start()

    async def end(self) -> None:
        self.venue.stop()


class LoopbackRig(Rig):
    """Sockets of this machine, in real time."""

    is_virtual = False

    def __init__(self, emulate: Emulate, seed: int = 1) -> None:
        super().__init__()
        self.loop = asyncio.new_event_loop()
        self._entropy = Entropy(seed)
        self._venue_clock = LiveClock()
        self.venue = emulate(self._venue_clock, self._entropy.child("venue"))
        self._wall_ns = 0
        self._clock: LiveClock | None = None

    def world(self, clock_offset_ms: int) -> World:
        true = self._venue_clock
        offset_ns = [clock_offset_ms * NS_PER_MS]
        clock = LiveClock(self.loop, wall_ns=lambda: true.timestamp_ns() + offset_ns[0])
        self._offset_ns, self._clock = offset_ns, clock
        world = LoopbackWorld(self.loop, clock, self._entropy.child("process"), self.disk)
        self.process = world.process
        return world

    def step_clock(self, ms: int) -> None:
        assert self._clock is not None
        self._offset_ns[0] += ms * NS_PER_MS
        self._clock.reanchor()

    async def begin(self) -> None:
        self._venue_clock.attach(self.loop)
        self.origin = await self.venue.serve()
        self.venue.start()

    async def end(self) -> None:
        await self.venue.close()
        self._venue_clock.detach()
        if self._clock is not None:
            self._clock.detach()


class LoopbackWorld:
    """The `World` of one engine on loopback: real time and sockets, and a disk that outlives it."""

    has_process = False
    has_files = False
    checkpoint_interval_s = 30.0

    def __init__(
        self, loop: asyncio.AbstractEventLoop, clock: LiveClock, entropy: Entropy, disk: Disk
    ) -> None:
        self.loop = loop
        self.clock = clock
        self.entropy = entropy
        self.process = Process()
        self.disk = disk
        self.transport: Transport = NetworkTransport()
        self.io: Blocking = IoThread()
        self.io_transport: Transport = NetworkTransport()

    def open_storage(
        self, _config: Config, journal: DeferredJournal, _fingerprints: Mapping[str, str]
    ) -> None:
        store = DiskJournal(self.disk, self.process)
        journal.use(store)
        journal.params.use(store.params)

    async def offload(self, work: Callable[[], object]) -> None:
        work()

    def close(self) -> None:
        self.clock.detach()
        self.io.stop()


TRANSPORTS: Mapping[str, Callable[[Emulate], Rig]] = {"memory": MemoryRig, "loopback": LoopbackRig}
