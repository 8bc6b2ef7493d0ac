"""The journal in an SQLite file: what makes "never lose an order" true when the process is killed.

A record is in the file's write-ahead log when `append` returns. By default that survives the death of the
process (synchronous=NORMAL); `durability="power"` also survives power loss and costs an fsync a record.
SQLite takes an appended row over or not at all; damage that happens later is found by checksums and
numbering, and never half read. `rotate` keeps the file small: a snapshot of the state takes the place of the rows
before it, which are archived.
"""

from __future__ import annotations

import os
import sqlite3
import threading
from collections.abc import Iterable, Iterator, Mapping
from contextlib import ExitStack
from pathlib import Path
from typing import Any, Literal, NoReturn

from nexustrader.domain import events as ev
from nexustrader.domain.snapshot import Entry, Snapshot
from nexustrader.error import JournalError
from nexustrader.kernel.log import get_logger
from nexustrader.kernel.ports import Clock
from nexustrader.kernel.private_files import make_private_folder
from nexustrader.persistence import layout
from nexustrader.persistence.files import create_private_file
from nexustrader.persistence.lock import WriterLock, lock_accounts
from nexustrader.persistence.params import Params
from nexustrader.persistence.reading import Reader, is_sound
from nexustrader.persistence.records import RECORD_VERSION, checksum, encode
from nexustrader.persistence.rotation import rotation
from nexustrader.persistence.segments import open_segment, segment_path
from nexustrader.persistence.tail import Copy

_log = get_logger("Journal")

Durability = Literal["process", "power"]

BUSY_TIMEOUT_MS = 500  # how long a write waits for another strategy that writes to the same file
# A record makes a page dirty, and the log takes whole pages: small ones cost less an append.
PAGE_BYTES = 1024
WAL_SIZE_MAX = 16 << 20  # bytes to which the log is cut when it starts over
APPENDS_PER_CHECKPOINT_MAX = 10_000  # 10 to 20 MB of log: the last resort when nobody calls `checkpoint`
RECORDS_MAX = 50_000  # from here on `is_full` asks for a rotation; a start replays so many in about a second
ROTATION_BUSY_TIMEOUT_MS = 10_000  # an engine that appends without a pause leaves few moments to others
ROTATION_PAUSE_S = 0.01  # between two steps: the engine's appends come first

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

    The file and its directory are created private. Only one journal may be open for a strategy and user, and for
    these ids and an account, in whichever file. All methods belong to one thread, except `checkpoint` and `rotate`.
    `append` raises JournalError while the file cannot be written, and works again when it can. `params` are the
    strategy's parameters, kept in the same file.

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
        self._checkpoint_lock = threading.Lock()  # held by a checkpoint or a rotation
        self._closing = threading.Event()
        self._last_seq = 0
        self._snapshot_seq = 0
        self._appends = 0  # since the last checkpoint
        self._is_closed = False
        self._is_suspect = False  # the connection has to be opened anew before it is used
        self._connection: sqlite3.Connection | None = None
        try:
            make_private_folder(self.path.parent)
            self._locks = [WriterLock(self.path.with_name(f"{self.path.name}.{self._prefix}.lock"))]
        except OSError as exc:
            raise JournalError(f"the journal {self.path} cannot be created: {exc}; check the path") from exc
        try:
            self._locks += lock_accounts(self._owner)
            create_private_file(self.path)
            self._identity = self._file_identity()
            self._last_seq = self._open()
            self.params = self._read_params()
        except (OSError, sqlite3.Error) as exc:
            self._release()
            raise JournalError(self._explain(exc)) from exc
        except JournalError:
            self._release()
            raise

    @property
    def prefix(self) -> str:
        """The beginning of the names of its tables."""
        return self._prefix

    @property
    def last_seq(self) -> int:
        """The number of the newest record; 0 when there is none."""
        return self._last_seq

    @property
    def is_full(self) -> bool:
        """True when `rotate` should be called: the file has as many records as it is meant to have."""
        return self._last_seq - self._snapshot_seq >= RECORDS_MAX

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

    def replay(self) -> Iterator[Entry]:
        """A snapshot, once there is one, and the records after it. Checks all of them before it gives the first.

        A damaged snapshot is made good from the newest segment. Raises JournalError when a record is damaged or
        missing: then none was given.
        """
        if self._is_suspect:
            self._reopen()
        assert self._connection is not None
        last_seq, reader = self._last_seq, Reader(self._connection, self._prefix)
        try:
            with ExitStack() as stack:
                above = reader.snapshot_seq()
                chapters = [(reader, above, last_seq)]
                snapshot = reader.snapshot(above) if above else None
                if above and snapshot is None:
                    archive, base = self._open_archive(stack, above)
                    chapters.insert(0, (archive, base, above))
                    snapshot = archive.snapshot(base) if base else None
                    if base and snapshot is None:
                        raise JournalError(self._damage(base))
                for chapter, start, end in chapters:
                    unsound = chapter.first_unsound(start, end)
                    if unsound is not None:
                        raise JournalError(self._damage(unsound))
                if snapshot is not None:
                    yield snapshot
                for chapter, start, end in chapters:
                    for _, record in chapter.records(start, end):
                        yield record
        except sqlite3.Error as exc:
            self._fail(exc)

    def _open_archive(self, stack: ExitStack, snapshot_seq: int) -> tuple[Reader, int]:
        """The segment that a damaged snapshot was made of, and the number of the snapshot in it."""
        path = segment_path(self.path, self._prefix, snapshot_seq)
        try:
            archive = stack.enter_context(open_segment(path, self._prefix))
            base = archive.snapshot_seq()
        except sqlite3.Error as exc:
            raise JournalError(
                f"{self._damage(snapshot_seq, 'the snapshot of record')} {path} could not take its place: {exc}"
            ) from exc
        _log.warning(
            f"journal {self.path}: the snapshot of record {snapshot_seq} is damaged or missing; the state is made "
            f"anew from {path.name}, and the next rotation writes a new snapshot"
        )
        return archive, base

    def checkpoint(self) -> int:
        """Moves the log into the database file; returns the size of the log file in bytes. Any thread.

        Takes milliseconds (two fsyncs) and does not hold up `append` in another thread: call it on a timer,
        off the engine's thread. Raises JournalError, also when the file was moved away or replaced.
        """
        with self._checkpoint_lock:
            return self._checkpoint()

    def _checkpoint(self) -> int:
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
        for lock in self._locks:
            lock.refresh()
        log = self.path.with_name(f"{self.path.name}-wal")
        return log.stat().st_size if log.exists() else 0

    def rotate(self, snapshot: Snapshot) -> None:
        """Let `snapshot`, taken on the engine's thread at `last_seq`, stand for the records up to there. Any thread.

        They are archived in a segment file. Takes seconds for a long journal and does not hold up `append` in
        another thread: call it off the engine's thread. Whatever ends it, the journal is whole. Raises JournalError.
        """
        with self._checkpoint_lock:
            if self._is_closed:
                return
            self._require_in_place()
            try:
                connection = self._connect(ROTATION_BUSY_TIMEOUT_MS)
                try:
                    for in_force in rotation(connection, self.path, self._prefix, snapshot):
                        self._snapshot_seq = in_force
                        if self._closing.wait(ROTATION_PAUSE_S):
                            return  # what is left to delete is deleted by the next rotation
                finally:
                    connection.close()
            except (OSError, sqlite3.Error) as exc:
                raise JournalError(self._explain(exc)) from exc

    def adopt(self, copy: Copy) -> int:
        """Take over what a mirror knows and this file does not, before anything is appended; returns how many records.

        Of an empty journal everything is taken, of another one the rows that its end lacks, or a later snapshot and
        the rows after it. All or nothing. Raises JournalError.
        """
        steps: list[tuple[str, tuple[Any, ...]]] = []
        if copy.snapshot_seq > self._last_seq or not self._last_seq:
            steps += [(layout.CLEAR_ROWS, ()), (layout.CLEAR_PARTS, ()), (layout.SET_LIFE, (copy.life,))]
            steps += [(layout.WRITE_PART, (copy.snapshot_seq, *part)) for part in copy.parts]
            steps += [(layout.SET_SNAPSHOT_SEQ, (copy.snapshot_seq,))]
            if not self._last_seq and not self.params.all():
                steps += [(layout.WRITE_PARAM, (key, *kept)) for key, kept in copy.params.items()]
        start = max(self._last_seq, copy.snapshot_seq)
        rows = [row for row in copy.rows if row[0] > start]
        if rows and rows[0][0] != start + 1:
            raise JournalError(
                f"record {start + 1} is missing in the copy that should go on there; nothing was taken"
            )
        before = self._last_seq
        steps += [(layout.APPEND, row) for row in rows]
        self._in_transaction([(statement.format(p=self._prefix), values) for statement, values in steps])
        self._last_seq = self._sound_tail()
        self.params = self._read_params()
        return self._last_seq - before

    def close(self) -> None:
        """Saves changed parameters, closes the file and lets another engine in. May be repeated."""
        if self._is_closed:
            return
        self._closing.set()
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

    def _connect(self, busy_timeout_ms: int | None = None) -> sqlite3.Connection:
        return sqlite3.connect(
            f"{self.path.absolute().as_uri()}?mode=rw",  # never creates a file, which would not be private
            uri=True,
            timeout=(self._busy_timeout_ms if busy_timeout_ms is None else busy_timeout_ms) / 1000,
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
        for lock in self._locks:
            lock.release()

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

    def _read_params(self) -> Params:
        return Params(dict(self._query(layout.READ_PARAMS).fetchall()), self._save_param)

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
        if not self._checkpoint_lock.acquire(blocking=False):
            return  # a rotation is under way, and must not hold up an append
        try:
            self._checkpoint()
        except JournalError as exc:
            _log.warning(f"the journal's log could not be shortened: {exc}")
        finally:
            self._checkpoint_lock.release()

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
        assert self._connection is not None
        reader = Reader(self._connection, self._prefix)
        self._snapshot_seq = above = reader.snapshot_seq()
        row = reader.last_row(above)
        if row is not None and not is_sound(row):
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
            row = reader.last_row(above)
            if row is not None and not is_sound(row):
                raise JournalError(self._damage(row[0]))
        return above if row is None else int(row[0])

    def _damage(self, seq: int, what: str = "record") -> str:
        return f"journal {self.path}: {what} {seq} is damaged or missing; nothing was read. {_AFTER_DAMAGE}"

    def _fail(self, exc: sqlite3.Error) -> NoReturn:
        self._is_suspect = self._is_suspect or _primary_code(exc) not in _PASSING
        raise JournalError(self._explain(exc)) from exc

    def _explain(self, exc: Exception) -> str:
        advice = _ADVICE.get(_primary_code(exc), "check the file and its disk")
        return f"the journal {self.path} cannot be used: {exc}; {advice}"


def _primary_code(exc: Exception) -> int:
    """SQLite's error class: the low byte of its extended code."""
    return getattr(exc, "sqlite_errorcode", 0) & 0xFF
