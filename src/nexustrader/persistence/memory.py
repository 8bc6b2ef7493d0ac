"""A journal for backtests and tests: the same promises as the file, except that it ends with the process."""

from __future__ import annotations

from collections.abc import Iterable, Iterator

from nexustrader.domain import events as ev
from nexustrader.error import JournalError
from nexustrader.persistence.params import Params
from nexustrader.persistence.records import RECORD_VERSION, decode, encode


class MemoryJournal:
    """Keeps the encoded records, so that what cannot be journalled is refused here as well."""

    def __init__(self) -> None:
        self.params = Params()
        self._bodies: list[bytes] = []
        self._is_closed = False

    @property
    def last_seq(self) -> int:
        """The number of the newest record; 0 when there is none."""
        return len(self._bodies)

    def append(self, record: ev.Record) -> int:
        """Adds one record and returns its number, from 1. Raises JournalError."""
        return self.append_many((record,))

    def append_many(self, records: Iterable[ev.Record]) -> int:
        """Adds all records or, when one is refused, none. Returns the number of the newest."""
        if self._is_closed:
            raise JournalError("the journal is closed; nothing was written")
        self._bodies.extend([encode(record) for record in records])
        return self.last_seq

    def replay(self) -> Iterator[ev.Record]:
        """The records appended so far, oldest first."""
        for body in self._bodies[:]:
            yield decode(RECORD_VERSION, body)

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
