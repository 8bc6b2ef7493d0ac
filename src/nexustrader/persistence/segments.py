"""Archived parts of a journal: files of their own beside the database, private, and only so many of them.

A segment holds the rows that a snapshot made superfluous, and the snapshot before them: it can be read alone.
`<database>.<prefix>.segment-<n>.db` ends with record n.
"""

from __future__ import annotations

import os
import re
import sqlite3
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import NamedTuple

from nexustrader.persistence import layout
from nexustrader.persistence.files import create_private_file
from nexustrader.persistence.reading import Reader

SEGMENTS_MAX = 8  # newer ones push the oldest out
UNFINISHED = ".unfinished"


class Segment(NamedTuple):
    """One file; `last_seq` is the number of its last record."""

    last_seq: int
    path: Path


def segment_path(database: Path, prefix: str, last_seq: int) -> Path:
    return database.with_name(f"{database.name}.{prefix}.segment-{last_seq}.db")


def segments(database: Path, prefix: str) -> list[Segment]:
    """The finished segments of one strategy and user, oldest first."""
    name = re.compile(rf"{re.escape(database.name)}\.{prefix}\.segment-([0-9]{{1,19}})\.db")
    found = [(name.fullmatch(path.name), path) for path in database.parent.iterdir()]
    return sorted(Segment(int(match[1]), path) for match, path in found if match)


def write_segment(
    connection: sqlite3.Connection, database: Path, prefix: str, above: int, last_seq: int
) -> Path:
    """Copy the snapshot `above` and the rows in (above, last_seq] into a new segment, durably.

    The file has its name only when it is complete. Raises sqlite3.Error and OSError; then nothing is left.
    """
    path = segment_path(database, prefix, last_seq)
    unfinished = path.with_name(path.name + UNFINISHED)
    create_private_file(unfinished)
    try:
        _copy(connection, unfinished, prefix, above, last_seq)
        _sync(unfinished)
        unfinished.rename(path)
        _sync(path.parent)
    except (sqlite3.Error, OSError):
        unfinished.unlink(missing_ok=True)
        raise
    return path


def _copy(connection: sqlite3.Connection, target: Path, prefix: str, above: int, last_seq: int) -> None:
    connection.execute("ATTACH ? AS segment", (f"{target.absolute().as_uri()}?mode=rw",))
    try:
        connection.execute("PRAGMA segment.journal_mode=MEMORY")  # a torn file never gets its name
        connection.execute("PRAGMA segment.synchronous=FULL")
        connection.execute("BEGIN")  # deferred: of the journal itself it only reads
        for statement in layout.SEGMENT_TABLES:
            connection.execute(statement.format(p=f"segment.{prefix}"))
        for statement, values in (
            (layout.COPY_HEADER, ()),
            (layout.COPY_PARTS, (above,)),
            (layout.COPY_ROWS, (above, last_seq)),
        ):
            connection.execute(statement.format(p=prefix), values)
        connection.execute("COMMIT")
    finally:
        if connection.in_transaction:
            connection.rollback()
        connection.execute("DETACH segment")


def _sync(path: Path) -> None:
    descriptor = os.open(path, os.O_RDONLY | os.O_CLOEXEC)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)


@contextmanager
def open_segment(path: Path, prefix: str) -> Iterator[Reader]:
    """Read a segment. Raises sqlite3.Error when the file is missing or no database."""
    connection = sqlite3.connect(f"{path.absolute().as_uri()}?mode=ro&immutable=1", uri=True)
    try:
        yield Reader(connection, prefix)
    finally:
        connection.close()


def remove_segments(database: Path, prefix: str, snapshot_seq: int, kept_max: int = SEGMENTS_MAX) -> None:
    """Delete the oldest beyond `kept_max`, those that an interrupted rotation left, and unfinished files."""
    known = segments(database, prefix)
    orphans = [segment for segment in known if segment.last_seq > snapshot_seq]
    finished = [segment for segment in known if segment.last_seq <= snapshot_seq]
    for segment in orphans + finished[: max(len(finished) - kept_max, 0)]:
        segment.path.unlink(missing_ok=True)
    for path in database.parent.glob(f"*{UNFINISHED}"):
        if path.name.startswith(f"{database.name}.{prefix}.segment-"):
            path.unlink(missing_ok=True)
