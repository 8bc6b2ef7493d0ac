"""What a mirror reads of a journal that an engine is writing: raw rows, over a connection of its own."""

from __future__ import annotations

import sqlite3
import threading
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import msgspec

from nexustrader.persistence import layout
from nexustrader.persistence.reading import Part, Reader, Row, is_sound
from nexustrader.persistence.segments import open_segment, segments

BATCH_ROWS_MAX = 500
BATCH_BYTES_MAX = 4 << 20


class Head(msgspec.Struct, frozen=True):
    """How far a journal is. `life` tells it from an earlier one of the same owner: the time of its creation."""

    life: int
    owner: layout.Owner
    snapshot_seq: int
    last_seq: int


class Copy(msgspec.Struct, frozen=True):
    """What a mirror knows of a journal: a snapshot (no parts: none is needed) and the rows after it, all sound."""

    life: int
    snapshot_seq: int
    parts: list[Part]
    rows: list[Row]
    params: dict[str, tuple[str, int]]  # text, time


class Tail:
    """One strategy's journal, for reading. Any thread, one at a time. Methods raise sqlite3.Error and JournalError."""

    def __init__(self, database: Path, prefix: str) -> None:
        self.database = database
        self.prefix = prefix
        self._connection: sqlite3.Connection | None = None
        self._lock = threading.Lock()  # a task that is cancelled closes it while a thread may still read

    def head(self) -> Head:
        with self._lock:
            reader = self._reader()
            row = reader.query(layout.READ_HEADER).fetchone()
            (life,) = reader.query(layout.READ_LIFE).fetchone()
            above = reader.snapshot_seq()
            last = reader.last_row(above)
        return Head(life, layout.read_header(row)[1], above, above if last is None else int(last[0]))

    def rows(self, above: int) -> list[Row]:
        """The next rows after number `above`, archived or not, without a gap; none when the next is not there."""
        for found in self._found(above, layout.READ_NEXT, (above, BATCH_ROWS_MAX)):
            rows: list[Row] = []
            size = 0
            for row in found:
                if row[0] != above + 1 + len(rows) or not is_sound(row) or size > BATCH_BYTES_MAX:
                    break
                rows.append(row)
                size += len(row[3])
            if rows:
                return rows
        return []

    def checksums(self, first: int, last: int) -> dict[int, int]:
        """Checksum by number of the rows that are still there, archived or not."""
        known: dict[int, int] = {}
        for found in self._found(first - 1, layout.READ_CHECKSUMS, (first, last)):
            known.update(found)
        return known

    def parts(self, seq: int) -> list[Part]:
        """The parts of a snapshot as they are stored."""
        with self._lock:
            return self._reader().query(layout.READ_PARTS, (seq,)).fetchall()

    def params(self) -> dict[str, tuple[str, int]]:
        """Text and time of every parameter."""
        with self._lock:
            rows = self._reader().query(layout.READ_PARAM_ROWS).fetchall()
        return {key: (value, timestamp) for key, value, timestamp in rows}

    def close(self) -> None:
        with self._lock:
            if self._connection is not None:
                self._connection.close()
                self._connection = None

    def _found(self, above: int, statement: str, values: tuple[int, ...]) -> Iterator[list[Any]]:
        """What the database finds, then what each segment with rows after `above` does."""
        with self._lock:
            found = self._reader().query(statement, values).fetchall()
        yield found
        for segment in segments(self.database, self.prefix):
            if segment.last_seq > above:
                try:
                    with open_segment(segment.path, self.prefix) as reader:
                        found = reader.query(statement, values).fetchall()
                except sqlite3.Error:
                    continue  # damaged, or removed meanwhile
                yield found

    def _reader(self) -> Reader:
        if self._connection is None:
            uri = f"{self.database.absolute().as_uri()}?mode=ro"
            self._connection = sqlite3.connect(uri, uri=True, isolation_level=None, check_same_thread=False)
        return Reader(self._connection, self.prefix)
