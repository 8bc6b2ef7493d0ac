"""The journal of a backtest: every record is encoded as any journal would, hashed, and then forgotten.

Commands alone are kept: they are what the strategy decided.
"""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Iterator
from typing import NamedTuple

from nexustrader.domain import events as ev
from nexustrader.persistence.records import encode

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

    def append(self, record: ev.Record) -> int:
        """Take one record; returns its number, from 1. Raises JournalError for what cannot be journalled."""
        body = encode(record)
        self._hash.update(b"%d:" % len(body))
        self._hash.update(body)
        self._count += 1
        if isinstance(record, Command):
            self.decisions.append(Decision(self._played_ms(), record))
        return self._count

    def trace_hash(self) -> str:
        """Hash of all records so far."""
        return self._hash.hexdigest()

    def replay(self) -> Iterator[ev.Record]:
        """Nothing: a backtest never restarts."""
        return iter(())

    def close(self) -> None:
        """Nothing is held open."""
