"""One writer per journal, enforced by the operating system and released by it when the process dies."""

from __future__ import annotations

import fcntl
import os
from pathlib import Path

from nexustrader.error import JournalError, JournalLockedError
from nexustrader.kernel.private_files import open_private


class WriterLock:
    """An exclusive lock on a file that says who holds it.

    The file stays when the lock is released: removing it would let two processes lock two files of one name.
    Raises JournalLockedError, with the holder's process id, when another holds the lock (also in this
    process).
    """

    def __init__(self, path: Path) -> None:
        self.path = path
        self._descriptor: int | None = open_private(path, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC)
        try:
            fcntl.flock(self._descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError as exc:
            # Race: the holder writes its id after it has locked, so that the file may be empty for a moment.
            holder = os.pread(self._descriptor, 32, 0).decode("ascii", "replace").strip() or "unknown"
            self._close()
            raise JournalLockedError(
                f"process {holder} already trades with this journal ({path}); stop it, or use another "
                "strategy_id or user_id"
            ) from exc
        except OSError as exc:
            self._close()
            raise JournalError(
                f"{path} cannot be locked: {exc}; the journal must be on a local file system"
            ) from exc
        os.ftruncate(self._descriptor, 0)
        os.pwrite(self._descriptor, f"{os.getpid()}\n".encode(), 0)

    def release(self) -> None:
        """Lets another writer in; may be repeated."""
        self._close()

    def _close(self) -> None:
        if self._descriptor is not None:
            os.close(self._descriptor)
            self._descriptor = None
