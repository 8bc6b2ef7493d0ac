"""The journal of a backtest: every record is encoded as any journal would, hashed, and then forgotten.

Commands alone are kept: they are what the strategy decided. Whatever may hold a value of the user's is checked at once;
facts come from the simulated venue, and are encoded many at a time.
"""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Iterator
from typing import NamedTuple

from nexustrader.domain import events as ev
from nexustrader.persistence.records import encode, encode_lines

RECORDS_AT_ONCE = 256

FromVenue = ev.OrderEvent | ev.PositionEvent
Command = ev.Submit | ev.Cancel | ev.CancelAll | ev.Amend


class Decision(NamedTuple):
    """A command, and up to which close (ms) bars had been played to the end before it was given."""

    played_ms: int
    command: Command


class TraceJournal:
    """Remembers a run by its hash: equal for equal commands and facts in equal order, in any process.

    `played_ms` tells up to which close the bars have been played.
    """

    def __init__(self, played_ms: Callable[[], int] = lambda: 0) -> None:
        self.decisions: list[Decision] = []
        self._played_ms = played_ms
        self._hash = hashlib.blake2b(digest_size=16)
        self._count = 0
        self._waiting: list[ev.Record] = []  # to be hashed

    def append(self, record: ev.Record) -> int:
        """Take one record; returns its number, from 1. Raises JournalError for what cannot be journalled."""
        if not isinstance(record, FromVenue):
            encode(record)
        if isinstance(record, Command):
            self.decisions.append(Decision(self._played_ms(), record))
        self._waiting.append(record)
        self._count += 1
        if len(self._waiting) == RECORDS_AT_ONCE:
            self._hash_waiting()
        return self._count

    def _hash_waiting(self) -> None:
        self._hash.update(encode_lines(self._waiting))
        self._waiting.clear()

    def trace_hash(self) -> str:
        """Hash of all records so far."""
        self._hash_waiting()
        return self._hash.hexdigest()

    def replay(self) -> Iterator[ev.Record]:
        """Nothing: a backtest never restarts."""
        return iter(())

    def close(self) -> None:
        """Nothing is held open."""
