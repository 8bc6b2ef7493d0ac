"""Reads a journal, or an archived segment of one, out of an SQLite connection. Nothing damaged is half read."""

from __future__ import annotations

import sqlite3
from collections.abc import Iterator, Sequence
from typing import Any

from nexustrader.domain import events as ev
from nexustrader.domain.snapshot import Snapshot, join
from nexustrader.error import JournalError
from nexustrader.persistence import layout
from nexustrader.persistence.records import checksum, decode, decode_part, part_checksum

Row = tuple[Any, Any, Any, Any]  # seq, version, crc, body: of any type when damaged
Part = tuple[Any, Any, Any, Any, Any]  # part, parts, version, crc, body


class Reader:
    """The tables of one strategy and user. Methods raise sqlite3.Error when the file cannot be read."""

    def __init__(self, connection: sqlite3.Connection, prefix: str) -> None:
        self._connection = connection
        self._prefix = prefix

    def query(self, statement: str, values: tuple[Any, ...] = ()) -> sqlite3.Cursor:
        return self._connection.execute(statement.format(p=self._prefix), values)

    def snapshot_seq(self) -> int:
        """The record up to which a snapshot takes the place of the rows; 0 without one. Raises JournalError."""
        row = self.query(layout.READ_SNAPSHOT_SEQ).fetchone()
        seq = None if row is None else row[0]
        if not isinstance(seq, int) or seq < 0:
            raise JournalError(f"the journal's header is damaged: snapshot_seq is {seq!r}; restore a backup")
        return seq

    def snapshot(self, seq: int) -> Snapshot | None:
        """The snapshot of that number; None when it is missing or damaged. JournalError for a newer version's."""
        return joined(seq, self.query(layout.READ_PARTS, (seq,)).fetchall())

    def has_part(self, seq: int, part: int, parts: int) -> bool:
        """Whether one part of a snapshot is there and sound. Raises JournalError when it cannot be decoded."""
        row = self.query(layout.READ_PART, (seq, part)).fetchone()
        if row is None or not _is_sound_part(seq, part, parts, row):
            return False
        decode_part(row[2], row[4])
        return True

    def last_row(self, above: int) -> Row | None:
        """The newest row above a number, sound or not."""
        row: Row | None = self.query(layout.READ_LAST, (above,)).fetchone()
        return row

    def first_unsound(self, above: int, upto: int) -> int | None:
        """The first number in (above, upto] whose row is damaged or missing."""
        expected = above
        for row in self.query(layout.READ_ROWS, (above, upto)):
            expected += 1
            if row[0] != expected or not is_sound(row):
                return expected
        return None if expected == upto else expected + 1

    def records(self, above: int, upto: int) -> Iterator[tuple[int, ev.Record]]:
        """The records in (above, upto] with their numbers. Raises JournalError for one that cannot be read."""
        for seq, version, _, body in self.query(layout.READ_ROWS, (above, upto)):
            yield seq, decode(version, body)


def is_sound(row: Row) -> bool:
    """Whether a row is what was written there."""
    seq, version, crc, body = row
    return isinstance(version, int) and isinstance(body, bytes) and crc == checksum(seq, version, body)


def joined(seq: int, parts: Sequence[Part]) -> Snapshot | None:
    """The snapshot of these stored parts; None when one is missing or damaged. JournalError for a newer version's."""
    sound = [_is_sound_part(seq, n, len(parts), part) for n, part in enumerate(parts)]
    if not parts or not all(sound):
        return None
    return join([decode_part(version, body) for _, _, version, _, body in parts])


def _is_sound_part(seq: int, expected: int, count: int, row: Part) -> bool:
    part, parts, version, crc, body = row
    return (
        (part, parts) == (expected, count)
        and isinstance(version, int)
        and isinstance(body, bytes)
        and crc == part_checksum(seq, part, parts, version, body)
    )
