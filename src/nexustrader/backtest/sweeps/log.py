"""The file of a sweep: a line for each run as soon as it is there, so that a sweep goes on where it was ended."""

from __future__ import annotations

import os
from pathlib import Path
from types import TracebackType
from typing import Self

import msgspec

from nexustrader.backtest.sweeps.trial import Trial
from nexustrader.error import DataError

VERSION = 1


class Head(msgspec.Struct, frozen=True):
    """What a sweep is of: `identity` differs with the program, the data and the settings."""

    version: int
    identity: str


class SweepLog:
    """Appends trials to a file. `done` has those of earlier runs of the same sweep, by key, the latest of each.

    Raises DataError for a file of another sweep, or one that is damaged elsewhere than at its end: what a process
    that was killed had begun to write is dropped.
    """

    def __init__(self, path: Path, identity: str) -> None:
        self.path = path
        self.done: dict[str, Trial] = {}
        kept = self._read(identity) if path.exists() else 0
        path.parent.mkdir(parents=True, exist_ok=True)
        self._file = path.open("ab")
        self._file.truncate(kept)
        if not kept:
            self._write(msgspec.json.encode(Head(VERSION, identity)))

    def _read(self, identity: str) -> int:
        """Take in what the file holds; returns how many bytes of it are whole."""
        data = self.path.read_bytes()
        whole = data.rfind(b"\n") + 1
        lines = data[:whole].splitlines()
        if not lines:
            return 0
        try:
            head = msgspec.json.decode(lines[0], type=Head)
        except msgspec.MsgspecError as error:
            raise DataError(f"{self.path} is not the file of a sweep: {error}; name another file") from None
        if head != Head(VERSION, identity):
            raise DataError(
                f"{self.path} holds a sweep of another program, other data or other settings; name another file, or "
                "remove this one"
            )
        for number, line in enumerate(lines[1:], start=2):
            try:
                trial = msgspec.json.decode(line, type=Trial)
            except msgspec.MsgspecError as error:
                raise DataError(
                    f"{self.path}, line {number}: {error}; remove the line, its run is repeated"
                ) from None
            self.done[trial.key] = trial
        return whole

    def add(self, trial: Trial) -> None:
        """Write down one run. It is on the disk when this returns."""
        self.done[trial.key] = trial
        self._write(msgspec.json.encode(trial))

    def _write(self, line: bytes) -> None:
        self._file.write(line + b"\n")
        self._file.flush()
        os.fsync(self._file.fileno())

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._file.close()
