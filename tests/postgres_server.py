"""A PostgreSQL server of the suite's own, on a Unix socket and on loopback, and a wire to it that can be cut."""

from __future__ import annotations

import asyncio
import contextlib
import os
import pwd
import shutil
import socket
import subprocess
import tempfile
from collections.abc import Iterator
from pathlib import Path
from typing import Any

WORDS = "as an unprivileged user"
STARTED_WITHIN_S = 30


def find_program(name: str) -> str | None:
    """Debian keeps the server's programs out of the path."""
    places = sorted(Path("/usr/lib/postgresql").glob("*/bin"), key=lambda p: int(p.parent.name), reverse=True)
    return next(
        (found for found in (shutil.which(name, path=str(p)) for p in places) if found), shutil.which(name)
    )


class Server:
    """A running cluster in `folder`."""

    def __init__(self, folder: Path, programs: dict[str, str], user: str | None) -> None:
        self.folder = folder
        self._programs = programs
        self._user = user
        with socket.socket() as probe:
            probe.bind(("127.0.0.1", 0))
            self.port: int = probe.getsockname()[1]
        self.call("initdb", "-A", "trust", "-U", "nexus", "-E", "UTF8", "--no-sync")
        self.start()

    def call(self, program: str, *arguments: str) -> None:
        subprocess.run(
            [self._programs[program], "-D", str(self.folder / "data"), *arguments],
            check=True,
            capture_output=True,
            user=self._user,
            cwd=self.folder,
            timeout=STARTED_WITHIN_S,
            env={"PATH": os.environ["PATH"], "LC_ALL": "C.UTF-8"},
        )

    def start(self) -> None:
        options = (
            f"-c listen_addresses=127.0.0.1 -c port={self.port} -c unix_socket_directories={self.folder} "
            "-c fsync=off -c log_destination=stderr"
        )
        self.call("pg_ctl", "-w", "-l", str(self.folder / "log"), "-o", options, "start")

    def stop(self) -> None:
        """At once, as a power failure does."""
        self.call("pg_ctl", "-w", "-m", "immediate", "stop")


@contextlib.contextmanager
def running_server() -> Iterator[Server | str]:
    """A server; or, when this machine has none, the reason."""
    programs = {name: find_program(name) for name in ("initdb", "pg_ctl")}
    missing = [name for name, found in programs.items() if found is None]
    if missing:
        yield f"PostgreSQL is not installed ({', '.join(missing)} not found)"
        return
    user = None
    if os.geteuid() == 0:  # the server refuses to run as root
        names = {entry.pw_name for entry in pwd.getpwall()}
        user = next((name for name in ("postgres", "nobody") if name in names), None)
        if user is None:
            yield "PostgreSQL refuses to run as root, and there is no user postgres or nobody"
            return
    folder = Path(tempfile.mkdtemp(prefix="nexustrader-pg-"))
    try:
        if user is not None:
            shutil.chown(folder, user)
        server = Server(folder, {name: str(found) for name, found in programs.items()}, user)
        try:
            yield server
        finally:
            server.stop()
    finally:
        shutil.rmtree(folder, ignore_errors=True)


class Wire:
    """A TCP relay to the server: it can hold everything back, or hang up and refuse."""

    def __init__(self, port: int) -> None:
        self._target = port
        self._listener: Any = None
        self._writers: set[asyncio.StreamWriter] = set()
        self._flows = asyncio.Event()
        self._flows.set()
        self.port = 0
        self.connections = 0

    async def listen(self) -> None:
        self._listener = await asyncio.start_server(self._relay, "127.0.0.1", self.port)
        self.port = self._listener.sockets[0].getsockname()[1]

    async def cut(self) -> None:
        """Hang up on everybody and refuse new connections."""
        if self._listener is not None:
            self._listener.close()
            self._listener = None
        for writer in self._writers:
            writer.transport.abort()
        await asyncio.sleep(0)

    def hold(self) -> None:
        """Let nothing through: the server seems to have fallen asleep."""
        self._flows.clear()

    def release(self) -> None:
        self._flows.set()

    async def _relay(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        self.connections += 1
        try:
            there = await asyncio.open_connection("127.0.0.1", self._target)
        except OSError:
            writer.transport.abort()
            return
        ends = {writer, there[1]}
        self._writers |= ends
        try:
            await asyncio.gather(self._pump(reader, there[1]), self._pump(there[0], writer))
        finally:
            self._writers -= ends
            for end in ends:
                end.transport.abort()

    async def _pump(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        with contextlib.suppress(OSError, asyncio.IncompleteReadError):
            while data := await reader.read(1 << 16):
                await self._flows.wait()
                writer.write(data)
                await writer.drain()
        writer.transport.abort()
