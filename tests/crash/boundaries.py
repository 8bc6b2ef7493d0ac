"""The places at which a process may die, counted as it passes them, and what strikes at one of them.

A boundary is named by its kind and its number among those of its kind, such as "after append Submit #3": kinds keep
their numbers where the network lets two sockets speak in another order.
"""

from __future__ import annotations

import asyncio
import os
import re
import signal
import sqlite3
import threading
from collections import Counter
from collections.abc import Callable, Mapping
from typing import Any
from urllib.parse import urlsplit

import aiohttp

from nexustrader._engine.storage import DeferredJournal
from nexustrader._engine.world import LiveWorld
from nexustrader.config import Config
from nexustrader.venue.transport import Connection, HttpAnswer, NetworkTransport, OnFrame

METHOD = re.compile(rb'"method"\s*:\s*"([\w./]+)"')
EVENT = re.compile(rb'"e"\s*:\s*"(\w+)"')
STRATEGY_ID, USER_ID = "crash", "child"
# What a statement does and to what. To die at one that only reads is to die before the next one.
WRITES = re.compile(
    rf"\s*(?:(BEGIN|COMMIT|ROLLBACK|ATTACH|DETACH)|PRAGMA (wal_checkpoint)|(CREATE|ALTER|DROP|INSERT|UPDATE|DELETE).*?"
    rf"{STRATEGY_ID}_{USER_ID}_(\w+))",
    re.DOTALL,
)

# One signal or several at once, by the name that a plan gives it.
STRIKES: Mapping[str, tuple[signal.Signals, ...]] = {
    "kill": (signal.SIGKILL,),
    "term": (signal.SIGTERM,),
    "int twice": (signal.SIGINT, signal.SIGINT),
}


class Wire:
    """Counts boundaries; at the one named `at` the process gets the signals of `strike`."""

    def __init__(
        self, at: str | None = None, strike: str = "kill", before: Callable[[], None] = lambda: None
    ) -> None:
        self.passed: list[str] = []
        self.here = threading.local()  # `is_appending`, in the thread that is
        self._at = at
        self._signals = STRIKES[strike]
        self._before = before
        self._counts: Counter[str] = Counter()

    def __call__(self, kind: str) -> None:
        self._counts[kind] += 1
        name = f"{kind} #{self._counts[kind]}"
        self.passed.append(name)
        if name == self._at:
            self._before()
            for number in self._signals:
                os.kill(os.getpid(), number)

    def soon(self, kind: str) -> None:
        """Once the loop has given what is queued to the kernel."""
        asyncio.get_running_loop().call_soon(self, kind)


class WiredJournal:
    """A journal whose writes are boundaries."""

    def __init__(self, journal: Any, wire: Wire) -> None:
        self._journal = journal
        self._wire = wire

    def __getattr__(self, name: str) -> Any:
        return getattr(self._journal, name)

    def append(self, record: Any) -> int:
        return self._passing("append", type(record).__name__, self._journal.append, record)

    def append_many(self, records: Any) -> int:
        return self._passing("append", "many", self._journal.append_many, records)

    def rotate(self, snapshot: Any) -> Any:
        return self._passing("rotate", "", self._journal.rotate, snapshot)

    def checkpoint(self) -> Any:
        return self._passing("checkpoint", "", self._journal.checkpoint)

    def _passing(self, what: str, about: str, call: Callable[..., Any], *arguments: Any) -> Any:
        kind = f"{what} {about}".rstrip()
        self._wire(f"before {kind}")
        self._wire.here.is_appending = what == "append"
        try:
            result = call(*arguments)
        finally:
            self._wire.here.is_appending = False
        self._wire(f"after {kind}")
        return result


class _WiredSlot:
    """Stands where the engine's journal is opened, and wires what is put there."""

    def __init__(self, slot: DeferredJournal, wire: Wire) -> None:
        self._slot = slot
        self._wire = wire
        self.opened: Any = None

    def __getattr__(self, name: str) -> Any:
        return getattr(self._slot, name)

    def use(self, journal: Any) -> None:
        self.opened = WiredJournal(journal, self._wire)
        self._slot.use(self.opened)


class _WiredConnection:
    def __init__(self, connection: Connection, wire: Wire) -> None:
        self._connection = connection
        self._wire = wire

    def __getattr__(self, name: str) -> Any:
        return getattr(self._connection, name)

    def send(self, payload: bytes) -> None:
        kind = _name(METHOD, payload)
        self._wire(f"before send {kind}")
        self._connection.send(payload)
        self._wire(f"after send {kind}")
        self._wire.soon(f"left {kind}")


class WiredTransport(NetworkTransport):
    """Real sockets; what goes and what comes are boundaries."""

    def __init__(self, wire: Wire) -> None:
        super().__init__()
        self._wire = wire

    def _http(self) -> aiohttp.ClientSession:
        session = super()._http()
        if not session.trace_configs:
            trace = aiohttp.TraceConfig()
            trace.on_request_headers_sent.append(self._on_sent)
            trace.freeze()
            session.trace_configs.append(trace)
        return session

    async def _on_sent(self, _session: object, _context: object, sent: Any) -> None:
        self._wire.soon(f"left {sent.method} {sent.url.path}")

    async def request(
        self, method: str, url: str, headers: Mapping[str, str], body: bytes, timeout_ms: int
    ) -> HttpAnswer:
        kind = f"{method} {urlsplit(url).path}"
        self._wire(f"before send {kind}")
        answer = await super().request(method, url, headers, body, timeout_ms)
        self._wire(f"answer {kind}")
        return answer

    async def connect(self, url: str, on_frame: OnFrame) -> Connection:
        def wired(raw: bytes) -> None:
            self._wire(f"frame {_name(EVENT, raw)}")
            on_frame(raw)

        return _WiredConnection(await super().connect(url, wired), self._wire)  # type: ignore[return-value]


class CrashWorld(LiveWorld):
    """The live world with a wire along its sockets, its journal and its database."""

    def __init__(self, wire: Wire) -> None:
        super().__init__()
        self.transport = WiredTransport(wire)
        self.journal: Any = None
        self._wire = wire

    def open_storage(self, config: Config, journal: DeferredJournal, fingerprints: Mapping[str, str]) -> None:
        slot = _WiredSlot(journal, self._wire)
        super().open_storage(config, slot, fingerprints)  # type: ignore[arg-type]  # stands in for it
        self.journal = slot.opened


def wire_sqlite(wire: Wire) -> None:
    """Make a boundary of every statement that writes, in every database that this process opens from now on."""
    connect = sqlite3.connect

    def wired(*arguments: Any, **options: Any) -> sqlite3.Connection:
        connection = connect(*arguments, **options)
        connection.set_trace_callback(on_statement)
        return connection

    def on_statement(statement: str) -> None:
        found = WRITES.match(statement)
        if found is not None and not getattr(wire.here, "is_appending", False):
            wire("sql " + " ".join(part for part in found.groups() if part))

    sqlite3.connect = wired  # type: ignore[assignment]


def _name(pattern: re.Pattern[bytes], raw: bytes) -> str:
    found = pattern.search(raw)
    return found[1].decode() if found is not None else "reply"
