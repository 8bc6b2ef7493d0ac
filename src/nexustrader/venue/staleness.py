"""Data that has stopped coming although its socket is alive, and data that comes too late to be called fresh."""

from __future__ import annotations

from collections.abc import Collection, Iterable

STALE_MS_MAX = 60_000
PATIENCE_MS_MAX = 3_600_000


class Silences:
    """Which topics of one socket have been silent for too long.

    A topic without trades is silent for a good reason, so each time that it is begun anew in vain it is given twice
    as long, up to an hour.
    """

    def __init__(self, stale_ms_max: int) -> None:
        self._stale_ms_max = stale_ms_max
        self._heard_at: dict[bytes, int] = {}
        self._patience_ms: dict[bytes, int] = {}
        self.silent: dict[bytes, None] = {}

    def restart(self) -> None:
        """The socket is new: every topic has its time again."""
        self._heard_at.clear()

    def forget(self, topic: bytes) -> None:
        """Nobody wants this topic any more."""
        for known in (self._heard_at, self._patience_ms, self.silent):
            known.pop(topic, None)

    def look(
        self, now_ms: int, wanted: Iterable[bytes], heard: Collection[bytes]
    ) -> tuple[list[bytes], list[bytes]]:
        """`heard`: what has come since the last look. Returns what is to be begun anew, and what is back."""
        overdue: list[bytes] = []
        back: list[bytes] = []
        for topic in wanted:
            if topic in heard:
                self._heard_at[topic] = now_ms
                self._patience_ms.pop(topic, None)
                if topic in self.silent:
                    del self.silent[topic]
                    back.append(topic)
                continue
            patience_ms = self._patience_ms.get(topic, self._stale_ms_max)
            if now_ms - self._heard_at.setdefault(topic, now_ms) >= patience_ms:
                self._heard_at[topic] = now_ms
                self._patience_ms[topic] = min(2 * patience_ms, PATIENCE_MS_MAX)
                self.silent[topic] = None
                overdue.append(topic)
        return overdue, back
