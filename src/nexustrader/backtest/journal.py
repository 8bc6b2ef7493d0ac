"""The journal of a backtest: every record is encoded as any journal would, hashed, and then forgotten."""

from __future__ import annotations

import hashlib
from collections.abc import Iterator

from nexustrader.domain import events as ev
from nexustrader.persistence.records import encode


class TraceJournal:
    """Remembers a run by its hash alone: equal for equal commands and facts in equal order, in any process."""

    def __init__(self) -> None:
        self._hash = hashlib.blake2b(digest_size=16)
        self._count = 0

    def append(self, record: ev.Record) -> int:
        """Take one record; returns its number, from 1. Raises JournalError for what cannot be journalled."""
        body = encode(record)
        self._hash.update(b"%d:" % len(body))
        self._hash.update(body)
        self._count += 1
        return self._count

    def trace_hash(self) -> str:
        """Hash of all records so far."""
        return self._hash.hexdigest()

    def replay(self) -> Iterator[ev.Record]:
        """Nothing: a backtest never restarts."""
        return iter(())

    def close(self) -> None:
        """Nothing is held open."""
