"""Starts crash children quickly: a process that has imported everything already, and forks for each of them.

As a program (`python fork_server.py`) it is that process: one JSON line in for each child, and out one line when a
child was started and one when it ended. As a module it is the parent's side of that.
"""

from __future__ import annotations

import asyncio
import os
import selectors
import signal
import sys
import tempfile
import traceback
from pathlib import Path
from types import TracebackType
from typing import Any, NoReturn, Self

import msgspec

Message = dict[str, Any]


class Child:
    """One child: what it says, and how it ends."""

    def __init__(self) -> None:
        self.said: asyncio.Queue[Message | None] = asyncio.Queue()  # None when the line is closed
        self.code: asyncio.Future[int] = asyncio.get_running_loop().create_future()  # negative: the signal
        self.pid = 0
        self.writer: asyncio.StreamWriter | None = None

    def answer(self, text: str) -> None:
        assert self.writer is not None
        self.writer.write(f"{text}\n".encode())

    def kill(self) -> None:
        if self.pid and not self.code.done():
            os.kill(self.pid, signal.SIGKILL)


class ForkServer:
    """The parent's side. Use it in an `async with` block; children that still run at its end are killed."""

    def __init__(self) -> None:
        self._children: dict[int, Child] = {}
        self._lives = 0

    async def __aenter__(self) -> Self:
        self._folder = tempfile.TemporaryDirectory(prefix="crash-")  # short: a socket's path is bounded
        self._path = str(Path(self._folder.name) / "report")
        self._listener = await asyncio.start_unix_server(self._on_child, self._path)
        self._process = await asyncio.create_subprocess_exec(
            sys.executable,
            "-W",
            "ignore",
            __file__,
            stdin=asyncio.subprocess.PIPE,
            stdout=asyncio.subprocess.PIPE,
        )
        self._reading = asyncio.create_task(self._read())
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        for child in self._children.values():
            child.kill()
        assert self._process.stdin is not None
        self._process.stdin.close()
        await self._process.wait()
        await self._reading
        self._listener.close()
        await self._listener.wait_closed()
        self._folder.cleanup()

    def start(self, **spec: Any) -> Child:
        """Start a child with this `crash_child.Spec`; `life` and `report` are given here."""
        self._lives += 1
        child = self._children[self._lives] = Child()
        line = msgspec.json.encode({"life": self._lives, "report": self._path, **spec})
        assert self._process.stdin is not None
        self._process.stdin.write(line + b"\n")
        return child

    async def _read(self) -> None:
        assert self._process.stdout is not None
        async for line in self._process.stdout:
            message = msgspec.json.decode(line)
            child = self._children[message["life"]]
            if "pid" in message:
                child.pid = message["pid"]
            elif not child.code.done():
                child.code.set_result(os.waitstatus_to_exitcode(message["status"]))

    async def _on_child(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        hello = msgspec.json.decode(await reader.readline())
        child = self._children[hello["life"]]
        child.writer = writer
        try:
            async for line in reader:
                child.said.put_nowait(msgspec.json.decode(line))
        except (ConnectionError, msgspec.DecodeError):
            pass  # it died; what it had not said whole it has not said
        finally:
            child.said.put_nowait(None)
            writer.close()


# -- the server ---------------------------------------------------------------------------------------------------


def serve() -> None:
    """Fork for every line of standard input, until it ends."""
    import crash_child  # everything that a child needs is imported once, here

    wakeup, signalled = os.pipe()
    os.set_blocking(signalled, False)
    signal.signal(signal.SIGCHLD, lambda _number, _frame: None)
    signal.set_wakeup_fd(signalled)
    lives: dict[int, int] = {}
    pending = b""
    with selectors.DefaultSelector() as selector:
        selector.register(0, selectors.EVENT_READ)
        selector.register(wakeup, selectors.EVENT_READ)
        while True:
            for key, _ in selector.select():
                data = os.read(key.fd, 65_536)
                if key.fd == wakeup:
                    _reap(lives)
                    continue
                if not data:
                    return
                *lines, pending = (pending + data).split(b"\n")
                for line in lines:
                    spec = msgspec.json.decode(line, type=crash_child.Spec)
                    pid = os.fork()
                    if pid == 0:
                        signal.set_wakeup_fd(-1)
                        signal.signal(signal.SIGCHLD, signal.SIG_DFL)
                        _be_child(spec, crash_child)
                    lives[pid] = spec.life
                    _tell(life=spec.life, pid=pid)


def _reap(lives: dict[int, int]) -> None:
    while lives:
        pid, status = os.waitpid(-1, os.WNOHANG)
        if pid == 0:
            return
        _tell(life=lives.pop(pid), status=status)


def _tell(**message: int) -> None:
    os.write(1, msgspec.json.encode(message) + b"\n")


def _be_child(spec: Any, crash_child: Any) -> NoReturn:
    """Never back to the server's loop: its descriptors are the parent's."""
    code = 1
    try:
        log = os.open(crash_child.log_path(spec), os.O_WRONLY | os.O_CREAT | os.O_APPEND, 0o600)
        os.dup2(os.open(os.devnull, os.O_RDONLY), 0)
        os.dup2(log, 1)
        os.dup2(log, 2)
        crash_child.run(spec)
        code = 0
    except BaseException:  # tidy: ok — whatever it is, it is said in the log and ends this process
        traceback.print_exc()
    finally:
        sys.stdout.flush()
        sys.stderr.flush()
        os._exit(code)


if __name__ == "__main__":
    serve()
