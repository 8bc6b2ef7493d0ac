"""Where the used part of a limit is counted: in this process, or in a file that all processes of a user share.

A venue counts requests by address, so two programs on one host use up one limit. The file holds, for each limit, the
window and what was used of it, and until when the venue wants silence. It is locked for the few reads and writes of
one call; a process that dies in between leaves the lock to the next.
"""

from __future__ import annotations

import contextlib
import hashlib
import mmap
import os
import struct
import tempfile
import threading
from collections.abc import Iterator
from pathlib import Path
from typing import Protocol

from nexustrader.kernel.log import get_logger

try:
    import fcntl
except ImportError:  # Windows has no such locks: every process counts for itself there
    fcntl = None  # type: ignore[assignment]  # its absence is asked for below

_PAIR = struct.Struct("<qq")
_PRIVATE = 0o700

_log = get_logger("Limits")


class Counts(Protocol):
    """What was used of each limit in its current window, and the end of a ban."""

    def used(self, index: int, window: int) -> int: ...
    def add(self, index: int, window: int, cost: int) -> None: ...
    def put(self, index: int, window: int, used: int) -> None: ...
    def ban_until(self, wall_ms: int) -> None: ...
    def banned_until(self) -> int:
        """The end of a ban that another process was told of, by the clock on the wall; 0 when there was none."""


class OwnCounts:
    """For this process alone."""

    def __init__(self, size: int) -> None:
        self._windows = [0] * size
        self._used = [0] * size

    def used(self, index: int, window: int) -> int:
        return self._used[index] if self._windows[index] == window else 0

    def add(self, index: int, window: int, cost: int) -> None:
        self.put(index, window, self.used(index, window) + cost)

    def put(self, index: int, window: int, used: int) -> None:
        self._windows[index] = window
        self._used[index] = used

    def ban_until(self, wall_ms: int) -> None:
        """Nobody else has to know."""

    def banned_until(self) -> int:
        return 0


class SharedCounts:
    """For all processes that open the same path. Raises OSError when it cannot be shared."""

    def __init__(self, path: Path, size: int) -> None:
        if fcntl is None:
            raise OSError("this system has no locks on files")
        descriptor = os.open(path, os.O_RDWR | os.O_CREAT, 0o600)
        try:
            length = _PAIR.size * (size + 1)
            if os.fstat(descriptor).st_size < length:
                os.truncate(descriptor, length)
            self._memory = mmap.mmap(descriptor, length)
        except OSError:
            os.close(descriptor)
            raise
        self._descriptor = descriptor
        self._threads = threading.Lock()  # the file's lock does not tell threads of one process apart
        self._ban_at = _PAIR.size * size

    def used(self, index: int, window: int) -> int:
        with self._locked():
            return self._read(index, window)

    def add(self, index: int, window: int, cost: int) -> None:
        with self._locked():
            _PAIR.pack_into(self._memory, index * _PAIR.size, window, self._read(index, window) + cost)

    def put(self, index: int, window: int, used: int) -> None:
        with self._locked():
            _PAIR.pack_into(self._memory, index * _PAIR.size, window, used)

    def ban_until(self, wall_ms: int) -> None:
        with self._locked():
            _PAIR.pack_into(self._memory, self._ban_at, max(wall_ms, self._ban()), 0)

    def banned_until(self) -> int:
        return (
            self._ban()
        )  # eight bytes at a multiple of eight: whole without the lock, and asked for every order

    def close(self) -> None:
        self._memory.close()
        os.close(self._descriptor)

    def _read(self, index: int, window: int) -> int:
        known, used = _PAIR.unpack_from(self._memory, index * _PAIR.size)
        return int(used) if known == window else 0

    def _ban(self) -> int:
        return int(_PAIR.unpack_from(self._memory, self._ban_at)[0])

    @contextlib.contextmanager
    def _locked(self) -> Iterator[None]:
        with self._threads:
            fcntl.flock(self._descriptor, fcntl.LOCK_EX)
            try:
                yield
            finally:
                fcntl.flock(self._descriptor, fcntl.LOCK_UN)


def counts_for(name: str, size: int) -> Counts:
    """Counts that all programs of this user on this host share under `name`; else this process's own, and says why."""
    folder = Path(tempfile.gettempdir()) / f"nexustrader-{getattr(os, 'getuid', int)()}"
    try:
        folder.mkdir(mode=_PRIVATE, exist_ok=True)
        found = folder.lstat()
        if found.st_uid != getattr(os, "getuid", int)() or found.st_mode & 0o077:
            raise OSError(f"{folder} is open to others")
        return SharedCounts(folder / f"limits-{hashlib.sha256(name.encode()).hexdigest()[:16]}-{size}", size)
    except OSError as error:
        _log.warning(f"limits are counted for this program alone, others on this host are not seen: {error}")
        return OwnCounts(size)
