"""One writer per journal and account, enforced by the operating system and released by it when the process dies."""

from __future__ import annotations

import contextlib
import fcntl
import hashlib
import os
import stat
import tempfile
from pathlib import Path

from nexustrader.domain.ids import shard_of
from nexustrader.error import JournalError, JournalLockedError
from nexustrader.kernel.private_files import make_private_folder, open_private
from nexustrader.persistence.layout import Owner

RUNTIME_FOLDER = "NEXUSTRADER_RUNTIME_DIR"  # the variable that names another folder for the locks of accounts


class WriterLock:
    """An exclusive lock on a file that says who holds it.

    The file stays when the lock is released: removing it would let two processes lock two files of one name.
    `reason` tells the other one what is held, and ends with what to do. Raises JournalLockedError, with the
    holder's process id, when another holds the lock (also in this process).
    """

    def __init__(self, path: Path, reason: str = "") -> None:
        self.path = path
        self._descriptor: int | None = open_private(path, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC)
        try:
            fcntl.flock(self._descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError as exc:
            # Race: the holder writes its id after it has locked, so that the file may be empty for a moment.
            holder = os.pread(self._descriptor, 32, 0).decode("ascii", "replace").strip() or "unknown"
            self._close()
            reason = reason or (
                f"trades with this journal ({path}); stop it, or use another strategy_id or user_id"
            )
            raise JournalLockedError(f"process {holder} already {reason}") from exc
        except OSError as exc:
            self._close()
            raise JournalError(
                f"{path} cannot be locked: {exc}; the journal must be on a local file system"
            ) from exc
        os.ftruncate(self._descriptor, 0)
        os.pwrite(self._descriptor, f"{os.getpid()}\n".encode(), 0)

    def refresh(self) -> None:
        """Keep the file from looking forgotten: folders for temporary files are swept by age."""
        if self._descriptor is not None:
            with contextlib.suppress(OSError):  # a courtesy to ourselves, and no reason to stop
                os.utime(self._descriptor)

    def release(self) -> None:
        """Lets another writer in; may be repeated."""
        self._close()

    def _close(self) -> None:
        if self._descriptor is not None:
            os.close(self._descriptor)
            self._descriptor = None


def lock_accounts(owner: Owner) -> list[WriterLock]:
    """Lock every account of `owner` for its order ids, in whichever file its journal is; all or none.

    Engines may share an account as long as each can tell its own orders by their ids. Raises JournalLockedError
    when another engine of this user on this machine makes ids of the same kind, JournalError when the folder of the
    locks cannot be used.
    """
    locks: list[WriterLock] = []
    try:
        folder = _runtime_folder() if owner.fingerprints else Path()
        for name, account in sorted(_lock_names(owner).items()):
            reason = (
                f"trades account {account} with order ids of the same kind, from another database file or strategy; "
                "stop it, or use another strategy_id or user_id"
            )
            locks.append(WriterLock(folder / name, reason))
    except (JournalError, OSError) as exc:
        for lock in locks:
            lock.release()
        if isinstance(exc, OSError):
            raise JournalError(
                f"accounts cannot be locked: {exc}; name a folder of your own in {RUNTIME_FOLDER}"
            ) from exc
        raise
    return locks


def _lock_names(owner: Owner) -> dict[str, str]:
    """File name -> account. One account at the venue has one name, however often and under what name it is used."""
    shard = shard_of(owner.strategy_id, owner.user_id)
    names = {}
    for account, fingerprint in owner.fingerprints.items():
        product = ":".join(account.split(":")[:2])
        digest = hashlib.sha256(f"{fingerprint} {product} {shard}".encode()).hexdigest()
        names[f"{digest[:32]}.lock"] = account
    return names


def _runtime_folder() -> Path:
    """The same for every process of a user, however it was started. Others must not be able to put files there."""
    named = os.environ.get(RUNTIME_FOLDER)
    folder = Path(named) if named else Path(tempfile.gettempdir()) / f"nexustrader-{os.geteuid()}"
    make_private_folder(folder)
    status = folder.lstat()
    if not stat.S_ISDIR(status.st_mode) or status.st_uid != os.geteuid() or status.st_mode & 0o022:
        raise JournalError(
            f"{folder} is not a folder that only you can write to, so accounts cannot be locked there; remove it, "
            f"or name another in {RUNTIME_FOLDER}"
        )
    return folder
