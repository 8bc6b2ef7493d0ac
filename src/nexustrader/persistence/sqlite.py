"""The journal in an SQLite file: what makes "never lose an order" true when the process is killed.

A record is in the file's write-ahead log when `append` returns. By default that survives the death of the
process (synchronous=NORMAL); `durability="power"` also survives power loss and costs an fsync a record.
SQLite takes an appended row over or not at all; damage that happens later is found by checksums and
numbering, and never half read.
"""

from __future__ import annotations

import os
import sqlite3
import threading
from collections.abc import Iterable, Iterator, Mapping
from pathlib import Path
from typing import Any, Literal, NoReturn

from nexustrader.domain import events as ev
from nexustrader.error import JournalError
from nexustrader.kernel.log import get_logger
from nexustrader.kernel.ports import Clock
from nexustrader.kernel.private_files import make_private_folder
from nexustrader.persistence import layout
from nexustrader.persistence.files import create_private_file
from nexustrader.persistence.lock import WriterLock
from nexustrader.persistence.params import Params
from nexustrader.persistence.records import RECORD_VERSION, checksum, decode, encode

_log = get_logger("Journal")

Durability = Literal["process", "power"]
Row = tuple[Any, Any, Any, Any]  # seq, version, crc, body: of any type when damaged

BUSY_TIMEOUT_MS = 500  # how long a write waits for another strategy that writes to the same file
# A record makes a page dirty, and the log takes whole pages: small ones cost less an append.
PAGE_BYTES = 1024
WAL_SIZE_MAX = 16 << 20  # bytes to which the log is cut when it starts over
APPENDS_PER_CHECKPOINT_MAX = 10_000  # 10 to 20 MB of log: the last resort when nobody calls `checkpoint`

_SYNCHRONOUS: Mapping[Durability, str] = {"process": "NORMAL", "power": "FULL"}

_AFTER_DAMAGE = (
    "Stop, keep a copy of the file and restore a backup; or move the file away and start with an empty "
    "journal: open orders and positions are then taken from the venue, but earlier fills are not told again"
)
_ADVICE: Mapping[int, str] = {
    sqlite3.SQLITE_BUSY: "another program holds the database: end its transaction",
    sqlite3.SQLITE_LOCKED: "another program holds the database: end its transaction",
    sqlite3.SQLITE_FULL: "the disk is full: free some space",
    sqlite3.SQLITE_READONLY: "the file or its disk is read-only: make it writable",
    sqlite3.SQLITE_PERM: "the file may not be opened: check its owner and mode",
    sqlite3.SQLITE_CANTOPEN: "the file cannot be opened: check its path, owner and mode",
    sqlite3.SQLITE_IOERR: "the disk failed or is full: check it",
    sqlite3.SQLITE_CORRUPT: f"the file is damaged. {_AFTER_DAMAGE}",
    sqlite3.SQLITE_NOTADB: f"the file is no SQLite database, or its beginning is damaged. {_AFTER_DAMAGE}",
}
# After these the same connection can go on; after any other it is opened anew.
_PASSING = frozenset({sqlite3.SQLITE_BUSY, sqlite3.SQLITE_LOCKED, sqlite3.SQLITE_FULL})


class SqliteJournal:
    """The journal of one strategy and user in the database file `path`.

    The file and its directory are created private. Only one journal may be open for a strategy and user. All
    methods belong to one thread, except `checkpoint`. `append` raises JournalError while the file cannot be
    written, and works again when it can. `params` are the strategy's parameters, kept in the same file.

    Raises JournalLockedError when another engine has the journal open, JournalError when it is another
    account's (`fingerprints`: account -> `layout.account_fingerprint` of its key), another version's, or
    damaged.
    """

    def __init__(
        self,
        path: str | os.PathLike[str],
        strategy_id: str,
        user_id: str,
        fingerprints: Mapping[str, str],
        clock: Clock,
        *,
        durability: Durability = "process",
        busy_timeout_ms: int = BUSY_TIMEOUT_MS,
    ) -> None:
        self.path = Path(path)
        self._owner = layout.Owner(strategy_id, user_id, dict(fingerprints))
        self._prefix = layout.safe_table_name(f"{strategy_id}_{user_id}")
        self._append_sql = layout.APPEND.format(p=self._prefix)
        self._clock = clock
        self._synchronous = _SYNCHRONOUS[durability]
        self._busy_timeout_ms = busy_timeout_ms
        self._checkpoint_lock = threading.Lock()
        self._last_seq = 0
        self._appends = 0  # since the last checkpoint
        self._is_closed = False
        self._is_suspect = False  # the connection has to be opened anew before it is used
        self._connection: sqlite3.Connection | None = None
        try:
            make_private_folder(self.path.parent)
            self._lock = WriterLock(self.path.with_name(f"{self.path.name}.{self._prefix}.lock"))
        except OSError as exc:
            raise JournalError(f"the journal {self.path} cannot be created: {exc}; check the path") from exc
        try:
            create_private_file(self.path)
            self._identity = self._file_identity()
            self._last_seq = self._open()
            rows = self._query(layout.READ_PARAMS).fetchall()
            self.params = Params(dict(rows), self._save_param)
        except (OSError, sqlite3.Error) as exc:
            self._release()
            raise JournalError(self._explain(exc)) from exc
        except JournalError:
            self._release()
            raise

    @property
    def last_seq(self) -> int:
        """The number of the newest record; 0 when there is none."""
        return self._last_seq

    def append(self, record: ev.Record) -> int:
        """Adds one record and returns its number, from 1, once it is durable. Raises JournalError."""
        body = encode(record)
        if self._is_suspect:
            self._reopen()
        seq = self._last_seq + 1
        try:
            self._execute(self._append_sql, (seq, RECORD_VERSION, checksum(seq, RECORD_VERSION, body), body))
        except sqlite3.Error as exc:
            self._fail(exc)
        self._last_seq = seq
        self._appends += 1
        if self._appends >= APPENDS_PER_CHECKPOINT_MAX:
            self._shorten_log()
        return seq

    def append_many(self, records: Iterable[ev.Record]) -> int:
        """Adds all records or none, in one transaction; returns the newest's number. Raises JournalError."""
        bodies = [encode(record) for record in records]
        if self._is_suspect:
            self._reopen()
        rows = [
            (seq, RECORD_VERSION, checksum(seq, RECORD_VERSION, body), body)
            for seq, body in enumerate(bodies, self._last_seq + 1)
        ]
        if rows:
            self._in_transaction([(self._append_sql, row) for row in rows])
            self._last_seq += len(rows)
            self._appends += len(rows)
            if self._appends >= APPENDS_PER_CHECKPOINT_MAX:
                self._shorten_log()
        return self._last_seq

    def replay(self) -> Iterator[ev.Record]:
        """The records appended so far, oldest first. Checks all of them before it gives the first.

        Raises JournalError when one is damaged or missing: then none was given.
        """
        if self._is_suspect:
            self._reopen()
        last_seq = self._last_seq
        try:
            expected = 0
            for row in self._query(layout.READ_ALL, (last_seq,)):
                expected += 1
                if row[0] != expected or not _is_sound(row):
                    raise JournalError(self._damage(expected))
            if expected != last_seq:
                raise JournalError(self._damage(expected + 1))
            for _, version, _, body in self._query(layout.READ_ALL, (last_seq,)):
                yield decode(version, body)
        except sqlite3.Error as exc:
            self._fail(exc)

    def checkpoint(self) -> int:
        """Moves the log into the database file; returns the size of the log file in bytes. Any thread.

        Takes milliseconds (two fsyncs) and does not hold up `append` in another thread: call it on a timer,
        off the engine's thread. Raises JournalError, also when the file was moved away or replaced.
        """
        with self._checkpoint_lock:
            if self._is_closed:
                return 0
            self._require_in_place()
            try:
                connection = self._connect()
                try:
                    connection.execute("PRAGMA wal_checkpoint(PASSIVE)").fetchone()
                finally:
                    connection.close()
            except sqlite3.Error as exc:
                raise JournalError(self._explain(exc)) from exc
            self._appends = 0
            log = self.path.with_name(f"{self.path.name}-wal")
            return log.stat().st_size if log.exists() else 0

    def close(self) -> None:
        """Saves changed parameters, closes the file and lets another engine in. May be repeated."""
        if self._is_closed:
            return
        try:
            self.params.flush()
        finally:
            with self._checkpoint_lock:
                self._is_closed = self._is_suspect = True
                self._release()

    def __enter__(self) -> SqliteJournal:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    # -- connection ---------------------------------------------------------------------------------------

    def _connect(self) -> sqlite3.Connection:
        return sqlite3.connect(
            f"{self.path.absolute().as_uri()}?mode=rw",  # never creates a file, which would not be private
            uri=True,
            timeout=self._busy_timeout_ms / 1000,
            isolation_level=None,
            check_same_thread=False,
        )

    def _open(self) -> int:
        """Opens and checks the file; returns the last record's number."""
        connection = self._connection = self._connect()
        self._execute = connection.cursor().execute
        connection.execute(f"PRAGMA page_size={PAGE_BYTES}")  # counts for a new file only
        (mode,) = connection.execute("PRAGMA journal_mode=WAL").fetchone()
        if mode != "wal":
            raise JournalError(f"the disk of {self.path} allows journal mode {mode!r} only; use a local disk")
        connection.execute(f"PRAGMA synchronous={self._synchronous}")
        connection.execute("PRAGMA wal_autocheckpoint=0")
        connection.execute(f"PRAGMA journal_size_limit={WAL_SIZE_MAX}")
        layout.prepare(connection, self._prefix, self._owner, self._clock.timestamp_ms())
        return self._sound_tail()

    def _reopen(self) -> None:
        """After a failure: a new connection, which must know all that was recorded before."""
        if self._is_closed:
            raise JournalError(f"the journal {self.path} is closed; nothing was recorded")
        self._require_in_place()
        self._drop_connection()
        try:
            last_seq = self._open()
        except sqlite3.Error as exc:
            self._fail(exc)
        if last_seq < self._last_seq:
            raise JournalError(self._damage(self._last_seq))
        # It may be greater: an append that failed, as the caller was told, can still have reached the file.
        self._last_seq = last_seq
        self._is_suspect = False
        _log.info(f"the journal {self.path} can be written again")

    def _drop_connection(self) -> None:
        if self._connection is not None:
            self._connection.close()
            self._connection = None

    def _release(self) -> None:
        self._drop_connection()
        self._lock.release()

    def _file_identity(self) -> tuple[int, int]:
        stat = self.path.stat()
        return stat.st_dev, stat.st_ino

    def _require_in_place(self) -> None:
        """SQLite would go on writing to a file that was moved or deleted, and a restart would not find it."""
        try:
            is_in_place = self._file_identity() == self._identity
        except OSError:
            is_in_place = False
        if not is_in_place:
            self._is_suspect = True
            raise JournalError(
                f"the journal {self.path} was moved, deleted or replaced while in use; put it back, or stop"
            )

    # -- reading and writing ------------------------------------------------------------------------------

    def _query(self, statement: str, values: tuple[Any, ...] = ()) -> sqlite3.Cursor:
        assert self._connection is not None
        return self._connection.execute(statement.format(p=self._prefix), values)

    def _in_transaction(self, steps: Iterable[tuple[str, tuple[Any, ...]]]) -> None:
        assert self._connection is not None
        try:
            self._execute("BEGIN IMMEDIATE")
            for statement, values in steps:
                self._execute(statement, values)
            self._execute("COMMIT")
        except sqlite3.Error as exc:
            self._fail(exc)
        finally:
            # An open transaction would swallow every later append, whatever ended this one.
            if self._connection.in_transaction:
                self._connection.rollback()

    def _shorten_log(self) -> None:
        self._appends = 0
        try:
            self.checkpoint()
        except JournalError as exc:
            _log.warning(f"the journal's log could not be shortened: {exc}")

    def _save_param(self, name: str, text: str | None) -> None:
        if self._is_suspect:
            self._reopen()
        try:
            if text is None:
                self._query(layout.DELETE_PARAM, (name,))
            else:
                self._query(layout.WRITE_PARAM, (name, text, self._clock.timestamp_ms()))
        except sqlite3.Error as exc:
            self._fail(exc)

    # -- damage -------------------------------------------------------------------------------------------

    def _sound_tail(self) -> int:
        """The last record's number. A damaged one is put aside, but only one: the next must be sound."""
        row = self._query(layout.READ_LAST).fetchone()
        if row is not None and not _is_sound(row):
            _log.warning(
                f"journal {self.path}: the last record ({row[0]}) is damaged and is put into table "
                f"{self._prefix}_quarantine; what it said is taken from the venue"
            )
            self._in_transaction(
                [
                    (layout.QUARANTINE.format(p=self._prefix), (self._clock.timestamp_ms(), row[0])),
                    (layout.DELETE.format(p=self._prefix), (row[0],)),
                ]
            )
            row = self._query(layout.READ_LAST).fetchone()
            if row is not None and not _is_sound(row):
                raise JournalError(self._damage(row[0]))
        return 0 if row is None else int(row[0])

    def _damage(self, seq: int) -> str:
        return f"journal {self.path}: record {seq} is damaged or missing; nothing was read. {_AFTER_DAMAGE}"

    def _fail(self, exc: sqlite3.Error) -> NoReturn:
        self._is_suspect = self._is_suspect or _primary_code(exc) not in _PASSING
        raise JournalError(self._explain(exc)) from exc

    def _explain(self, exc: Exception) -> str:
        advice = _ADVICE.get(_primary_code(exc), "check the file and its disk")
        return f"the journal {self.path} cannot be used: {exc}; {advice}"


def _is_sound(row: Row) -> bool:
    seq, version, crc, body = row
    return isinstance(version, int) and isinstance(body, bytes) and crc == checksum(seq, version, body)


def _primary_code(exc: Exception) -> int:
    """SQLite's error class: the low byte of its extended code."""
    return getattr(exc, "sqlite_errorcode", 0) & 0xFF
