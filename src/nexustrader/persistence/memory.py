"""A journal for tests and for worlds in memory: the file's promises, except that it ends with the process."""

from __future__ import annotations

from collections.abc import Iterable, Iterator

from nexustrader.domain import events as ev
from nexustrader.domain.snapshot import Entry, Snapshot, encode, join, split
from nexustrader.error import JournalError
from nexustrader.persistence import records
from nexustrader.persistence.params import Params
from nexustrader.persistence.records import RECORD_VERSION, SNAPSHOT_VERSION, decode, decode_part

RECORDS_MAX = 50_000


class MemoryJournal:
    """Keeps the encoded records, so that what cannot be journalled is refused here as well."""

    def __init__(self) -> None:
        self.params = Params()
        self._bodies: list[bytes] = []
        self._parts: list[bytes] = []  # of the snapshot before them
        self._snapshot_seq = 0
        self._is_closed = False

    @property
    def last_seq(self) -> int:
        """The number of the newest record; 0 when there is none."""
        return self._snapshot_seq + len(self._bodies)

    @property
    def is_full(self) -> bool:
        """True when `rotate` should be called."""
        return len(self._bodies) >= RECORDS_MAX

    def append(self, record: ev.Record) -> int:
        """Adds one record and returns its number, from 1. Raises JournalError."""
        return self.append_many((record,))

    def append_many(self, new: Iterable[ev.Record]) -> int:
        """Adds all records or, when one is refused, none. Returns the number of the newest."""
        if self._is_closed:
            raise JournalError("the journal is closed; nothing was written")
        self._bodies.extend([records.encode(record) for record in new])
        return self.last_seq

    def replay(self) -> Iterator[Entry]:
        """The snapshot, if there is one, and the records appended since, oldest first."""
        bodies = self._bodies[:]
        if self._parts:
            yield join([decode_part(SNAPSHOT_VERSION, part) for part in self._parts])
        for body in bodies:
            yield decode(RECORD_VERSION, body)

    def rotate(self, snapshot: Snapshot) -> None:
        """Let `snapshot` stand for the records up to its number. Raises JournalError when it does not fit."""
        if not self._snapshot_seq < snapshot.seq <= self.last_seq:
            raise JournalError(
                f"a snapshot of record {snapshot.seq} does not fit the journal, which goes from record "
                f"{self._snapshot_seq} to {self.last_seq}; take a new one"
            )
        self._parts = [encode(part) for part in split(snapshot)]
        del self._bodies[: snapshot.seq - self._snapshot_seq]
        self._snapshot_seq = snapshot.seq

    def checkpoint(self) -> int:
        """Does nothing; a file has its log folded in here."""
        return 0

    def close(self) -> None:
        """Refuses further records; may be repeated."""
        self._is_closed = True

    def __enter__(self) -> MemoryJournal:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()
