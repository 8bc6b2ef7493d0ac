"""An emulator in a process of its own, for demos and `run --emulate`: started, found, and sure to end with us."""

from __future__ import annotations

import os
import selectors
import subprocess
import sys
from collections.abc import Sequence
from pathlib import Path
from types import TracebackType
from typing import Self

from nexustrader.emulator.handover import Handover
from nexustrader.error import EngineBuildError
from nexustrader.kernel.entropy import Entropy

PROGRAM = ("-m", "nexustrader.cli.main", "emulate")
READY = " listening on "
START_S_MAX = 30.0
STOP_S_MAX = 5.0


class EmulatorProcess:
    """A running emulator. Use `start`, and `stop` or a `with` block; it dies when this process does."""

    def __init__(self, process: subprocess.Popen[str], url: str, handover: Handover) -> None:
        self.url = url
        self.api_key = handover.api_key or ""
        self.secret = handover.secret or ""
        self.token = handover.token or ""
        self._process = process

    def __repr__(self) -> str:
        return f"EmulatorProcess(url={self.url!r}, pid={self._process.pid}, api_key=***, secret=***)"

    @classmethod
    def start(
        cls,
        venue: str = "binance",
        port: int = 0,
        data: Path | str | Sequence[Path | str] | None = None,
        speed: float = 1.0,
        seed: int = 1,
        *,
        start: str = "subscription",
        market: str = "synthetic",
        limit_factor: int = 1,
    ) -> Self:
        """Starts an emulator and returns when it listens.

        Secrets are made up here and reach it through its environment, never through its arguments. Raises
        EngineBuildError when it does not come up.
        """
        handover = Handover.throw_away(Entropy())
        files = [data] if isinstance(data, (str, Path)) else list(data or ())
        command = [sys.executable, *PROGRAM, venue, "--port", str(port), "--speed", str(speed)]
        command += ["--seed", str(seed), "--start", start, "--market", market, "--with-parent"]
        command += ["--limit-factor", str(limit_factor)]
        for file in files:
            command += ["--data", str(file)]
        process = subprocess.Popen(
            command,
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            text=True,
            env={**os.environ, **handover.environment()},
            start_new_session=True,  # Ctrl-C is the parent's: it still has orders to cancel here
        )
        try:
            url = _wait_until_ready(process, venue)
        except EngineBuildError:
            _end(process)
            raise
        return cls(process, url, handover)

    @property
    def pid(self) -> int:
        """The child's process id."""
        return self._process.pid

    @property
    def running(self) -> bool:
        """True until it ended."""
        return self._process.poll() is None

    def stop(self) -> None:
        """Ends it; kills it if it does not end by itself."""
        _end(self._process)

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.stop()


def _wait_until_ready(process: subprocess.Popen[str], venue: str) -> str:
    """The URL in the child's first line. Raises EngineBuildError when that does not come."""
    assert process.stdout is not None
    with selectors.DefaultSelector() as selector:
        selector.register(process.stdout, selectors.EVENT_READ)
        is_heard = bool(selector.select(START_S_MAX))
    line = process.stdout.readline() if is_heard else ""
    _, found, url = line.strip().partition(READY)
    if not found:
        how = "ended while it started" if is_heard else f"was not up after {START_S_MAX:.0f} s"
        raise EngineBuildError(f"the emulator of {venue} {how}; run `nexustrader emulate {venue}` to see why")
    return url


def _end(process: subprocess.Popen[str]) -> None:
    for pipe in (process.stdin, process.stdout):
        if pipe is not None:
            pipe.close()
    if process.poll() is None:
        process.terminate()
        try:
            process.wait(STOP_S_MAX)
        except subprocess.TimeoutExpired:
            process.kill()
            process.wait()
