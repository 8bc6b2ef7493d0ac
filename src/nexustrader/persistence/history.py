"""All that is left of the journals in a database file and its archived segments, for reading only.

Works beside a running engine, on a damaged journal (what cannot be read is named and left out), and on formats that
are older.
"""

from __future__ import annotations

import sqlite3
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import NamedTuple

import msgspec

from nexustrader.domain import events as ev
from nexustrader.domain.snapshot import Snapshot
from nexustrader.error import JournalError
from nexustrader.persistence import layout
from nexustrader.persistence.reading import Reader, is_sound
from nexustrader.persistence.records import decode
from nexustrader.persistence.segments import open_segment, segments

SEQ_MAX = 2**63 - 1


class Unreadable(msgspec.Struct, frozen=True):
    """Something that cannot be read."""

    where: str
    why: str


class Line(NamedTuple):
    """One entry and its number; a snapshot's is that of the last record before it."""

    seq: int
    entry: ev.Record | Snapshot | Unreadable


class Archive(NamedTuple):
    """One strategy's journal. Valid while its database is open."""

    database: Path
    prefix: str
    strategy_id: str
    user_id: str
    connection: sqlite3.Connection

    def lines(self) -> Iterator[Line]:
        """Everything from the oldest segment on, each record once. Raises sqlite3.Error for the database itself."""
        reader = Reader(self.connection, self.prefix)
        reader.query("BEGIN")  # what the engine adds from here on, or archives, is not seen
        try:
            snapshot_seq = _snapshot_seq(reader)
            reached = 0
            for segment in segments(self.database, self.prefix):
                try:
                    with open_segment(segment.path, self.prefix) as archived:
                        for line in _chapter(archived, _snapshot_seq(archived), reached, segment.path.name):
                            yield line
                            reached = line.seq
                except (sqlite3.Error, JournalError) as exc:
                    yield Line(reached, Unreadable(segment.path.name, str(exc)))
            yield from _chapter(reader, snapshot_seq, reached, self.database.name)
        finally:
            reader.query("ROLLBACK")


def _chapter(reader: Reader, snapshot_seq: int, reached: int, where: str) -> Iterator[Line]:
    """A snapshot and the rows after it, as far as they are new; rows before it that were not swept away as well."""
    for row in reader.query(layout.READ_ROWS, (reached, snapshot_seq)):
        yield _line(row, where)
    if snapshot_seq and reached <= snapshot_seq:
        snapshot = reader.snapshot(snapshot_seq)
        damaged = Unreadable(where, f"the snapshot of record {snapshot_seq} is damaged or missing")
        yield Line(snapshot_seq, snapshot or damaged)
    for row in reader.query(layout.READ_ROWS, (max(snapshot_seq, reached), SEQ_MAX)):
        yield _line(row, where)


def _line(row: tuple[int, int, int, bytes], where: str) -> Line:
    seq, version, _, body = row
    if not is_sound(row):
        return Line(seq, Unreadable(where, f"record {seq} is damaged"))
    try:
        return Line(seq, decode(version, body))
    except JournalError as exc:
        return Line(seq, Unreadable(where, f"record {seq}: {exc}"))


def _snapshot_seq(reader: Reader) -> int:
    (version,) = reader.query("SELECT format FROM {p}_header").fetchone()
    return reader.snapshot_seq() if version >= 2 else 0


@contextmanager
def open_archives(database: Path) -> Iterator[list[Archive]]:
    """The journals in a file. Raises JournalError when there is no such file or it cannot be read."""
    if not database.is_file():
        raise JournalError(f"there is no journal at {database}; name the database file with --db")
    try:
        connection = _connect(database)
        try:
            yield list(_archives(connection, database))
        finally:
            connection.close()
    except sqlite3.Error as exc:
        raise JournalError(f"the journal {database} cannot be read: {exc}") from exc


def _connect(database: Path) -> sqlite3.Connection:
    uri = f"{database.absolute().as_uri()}?mode=ro"
    connection = sqlite3.connect(uri, uri=True, isolation_level=None)
    try:
        connection.execute("SELECT count(*) FROM sqlite_master").fetchone()
    except sqlite3.OperationalError:
        connection.close()
        if database.with_name(f"{database.name}-wal").exists():
            raise
        # In a folder that cannot be written SQLite makes no index of the log; without a log none is needed.
        connection = sqlite3.connect(f"{uri}&immutable=1", uri=True, isolation_level=None)
    return connection


def _archives(connection: sqlite3.Connection, database: Path) -> Iterator[Archive]:
    tables = connection.execute(
        "SELECT name FROM sqlite_master WHERE type = 'table' ORDER BY name"
    ).fetchall()
    for (name,) in tables:
        prefix = name.removesuffix("_header")
        if prefix == name or not layout.is_prefix(prefix):
            continue
        header = connection.execute(
            f"SELECT strategy_id, user_id, format FROM {prefix}_header"  # noqa: S608  # checked by the grammar
        ).fetchone()
        if header is None:
            continue
        strategy_id, user_id, version = header
        layout.check_format(version)
        yield Archive(database, prefix, strategy_id, user_id, connection)
