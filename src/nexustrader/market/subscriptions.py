"""Which market data streams are wanted, and by how many."""

from __future__ import annotations

from collections.abc import Iterator

from nexustrader.domain.stream import Stream

__all__ = ["DesiredStreams", "Stream"]


class DesiredStreams:
    """Reference count per stream: many subscribers, one wire subscription.

    `add` and `drop` return True when the wire has to change.
    """

    def __init__(self) -> None:
        self._counts: dict[Stream, int] = {}

    def add(self, stream: Stream) -> bool:
        count = self._counts.get(stream, 0)
        self._counts[stream] = count + 1
        return count == 0

    def drop(self, stream: Stream) -> bool:
        """Raises KeyError for a stream that nobody wants."""
        count = self._counts[stream] - 1
        if count:
            self._counts[stream] = count
            return False
        del self._counts[stream]
        return True

    def __contains__(self, stream: object) -> bool:
        return stream in self._counts

    def __iter__(self) -> Iterator[Stream]:
        return iter(tuple(self._counts))

    def __len__(self) -> int:
        return len(self._counts)
