"""What differs between the worlds an engine may run in: time, chance, the way out, and where the journal is.

The live world has a real clock, sockets, a second thread for blocking questions, and files. The chaos world
(`chaos/`) has virtual time and a network in memory. The engine is the same in both.
"""

from __future__ import annotations

import asyncio
import sys
from collections.abc import Callable, Mapping
from typing import Any, Protocol

from nexustrader._engine.requests import Blocking
from nexustrader._engine.storage import DeferredJournal, open_storage
from nexustrader.config import Config
from nexustrader.kernel.clock import LiveClock
from nexustrader.kernel.entropy import Entropy
from nexustrader.kernel.tasks import IoThread
from nexustrader.venue.transport import NetworkTransport, Transport


class World(Protocol):
    """One place to run in. `start` of an engine runs `loop`, and `dispose` closes the world."""

    loop: asyncio.AbstractEventLoop
    clock: Any  # LiveClock, or a clock of the same kind under virtual time
    entropy: Entropy
    transport: Transport
    io: Blocking
    io_transport: Transport
    has_files: bool  # whether what is worth keeping from run to run may be kept in files
    has_process: bool  # whether signals and the log of the whole process are the engine's
    checkpoint_interval_s: float  # how often the journal is tidied up

    def open_storage(
        self, config: Config, journal: DeferredJournal, fingerprints: Mapping[str, str], /
    ) -> None: ...
    async def offload(self, work: Callable[[], object]) -> None:
        """Do what waits for a disk without holding up the loop."""

    def close(self) -> None: ...


class LiveWorld:
    """Real time, real sockets, real files."""

    has_process = True
    has_files = True
    checkpoint_interval_s = 30.0

    def __init__(self) -> None:
        self.loop = _new_loop()
        asyncio.set_event_loop(self.loop)
        self.clock = LiveClock(self.loop)
        self.entropy = Entropy()
        self.transport: Transport = NetworkTransport()
        self.io: Blocking = IoThread()
        self.io_transport: Transport = NetworkTransport()

    def open_storage(self, config: Config, journal: DeferredJournal, fingerprints: Mapping[str, str]) -> None:
        open_storage(config, journal, fingerprints, self.clock)

    async def offload(self, work: Callable[[], object]) -> None:
        await asyncio.to_thread(work)

    def close(self) -> None:
        self.io.stop()
        if not self.loop.is_closed():
            self.loop.run_until_complete(self.loop.shutdown_asyncgens())
            self.loop.close()
        asyncio.set_event_loop(None)


def _new_loop() -> asyncio.AbstractEventLoop:
    if sys.platform == "win32":
        return asyncio.SelectorEventLoop()
    import uvloop

    return uvloop.new_event_loop()
