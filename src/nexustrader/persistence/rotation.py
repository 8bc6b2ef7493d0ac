"""Puts a snapshot in the place of the rows before it, in steps of which each leaves a whole journal.

Until one small transaction has changed the header, the old snapshot and all rows are the journal; from then on
the new one and the rows above it are. What a kill leaves of either is swept away by the next rotation. No step
holds the database for long: the engine appends in between.
"""

from __future__ import annotations

import sqlite3
from collections.abc import Iterator
from pathlib import Path

from nexustrader.domain.snapshot import Snapshot, encode, split
from nexustrader.error import JournalError
from nexustrader.persistence import layout
from nexustrader.persistence.reading import Reader
from nexustrader.persistence.records import SNAPSHOT_VERSION, part_checksum
from nexustrader.persistence.segments import remove_segments, write_segment

ROWS_DELETED_AT_ONCE_MAX = 100
PARTS_DELETED_AT_ONCE_MAX = 1


def rotation(
    connection: sqlite3.Connection, database: Path, prefix: str, snapshot: Snapshot
) -> Iterator[int]:
    """Do one step at a time; gives after each the number of the snapshot that counts.

    Raises JournalError for a snapshot that does not fit the journal, sqlite3.Error and OSError when something
    cannot be written; the journal is whole all the same.
    """
    reader = Reader(connection, prefix)
    in_force = reader.snapshot_seq()
    last = reader.last_row(in_force)
    if last is None or not in_force < snapshot.seq <= last[0]:
        raise JournalError(
            f"a snapshot of record {snapshot.seq} does not fit the journal, which goes from record "
            f"{in_force} to {in_force if last is None else last[0]}; take a new one"
        )
    yield from _sweep(reader, database, prefix, in_force)
    write_segment(connection, database, prefix, in_force, snapshot.seq)
    yield in_force
    parts = split(snapshot)
    for number, part in enumerate(parts):
        body = encode(part)
        crc = part_checksum(snapshot.seq, number, len(parts), SNAPSHOT_VERSION, body)
        reader.query(layout.WRITE_PART, (snapshot.seq, number, len(parts), SNAPSHOT_VERSION, crc, body))
        if not reader.has_part(snapshot.seq, number, len(parts)):
            raise JournalError(f"the snapshot of record {snapshot.seq} cannot be read back; check the disk")
        yield in_force
    reader.query(layout.SET_SNAPSHOT_SEQ, (snapshot.seq,))
    yield snapshot.seq
    yield from _sweep(reader, database, prefix, snapshot.seq)


def _sweep(reader: Reader, database: Path, prefix: str, in_force: int) -> Iterator[int]:
    """Delete what does not count any more, and the segments that are too many."""
    for statement, limit in (
        (layout.DELETE_OLD_ROWS, ROWS_DELETED_AT_ONCE_MAX),
        (layout.DELETE_OLD_PARTS, PARTS_DELETED_AT_ONCE_MAX),
    ):
        while reader.query(statement, (in_force, limit)).rowcount:
            yield in_force
    remove_segments(database, prefix, in_force)
    yield in_force
