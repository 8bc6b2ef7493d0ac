"""A local copy of the venue's limits, corrected by what its headers say. Pure: time arrives as an argument.

Windows are aligned to the clock (`now_ms`). A ban lasts a while that really passes (`monotonic_ms`): a clock that is
set must not end it early.
"""

from __future__ import annotations

import math
from collections.abc import Iterable

from nexustrader.venue.counts import Counts, OwnCounts
from nexustrader.venue.spec import RateLimit

WEIGHT = "weight"
BAN_MS_MAX = 3 * 86_400_000
HEADROOM = 0.95  # we stop asking before the venue has to refuse: a refusal counts against us


class RateLimiter:
    """Counts what was used in each clock-aligned window of each pool. `counts`: where, this process by default.

    Only the weight of requests is counted there: it is the address's, while orders are the account's.
    """

    def __init__(self, limits: Iterable[RateLimit], counts: Counts | None = None) -> None:
        self._limits = tuple(limits)
        own = OwnCounts(len(self._limits))
        self._shared = own if counts is None else counts
        self._counts = [self._shared if limit.pool == WEIGHT else own for limit in self._limits]
        self._banned_until_ms: int | None = None  # monotonic

    def wait_ms(self, pool: str, cost: int, now_ms: int) -> int:
        """How long to wait until `cost` fits into every window of `pool`; 0 when it fits now."""
        wait = 0
        for index, limit in enumerate(self._limits):
            if limit.pool != pool:
                continue
            window = now_ms // limit.interval_ms
            used = self._counts[index].used(index, window)
            # What is larger than a whole window has to go in one of its own.
            if used and used + cost > limit.limit * HEADROOM:
                wait = max(wait, (window + 1) * limit.interval_ms - now_ms)
        return wait

    def spend(self, pool: str, cost: int, now_ms: int) -> None:
        """Count `cost` against every window of `pool`."""
        for index, limit in enumerate(self._limits):
            if limit.pool == pool:
                self._counts[index].add(index, now_ms // limit.interval_ms, cost)

    def observe(self, pool: str, interval_ms: int, used: int, now_ms: int) -> None:
        """Take over the venue's own count: other programs may share the limit."""
        for index, limit in enumerate(self._limits):
            if limit.pool == pool and limit.interval_ms == interval_ms:
                self._counts[index].put(index, now_ms // interval_ms, used)

    def ban(self, for_ms: int, monotonic_ms: int, now_ms: int) -> None:
        """The venue told us to be silent for so long. A ban never shortens another."""
        self._banned_until_ms = monotonic_ms + max(for_ms, self._own_ban_ms(monotonic_ms))
        self._shared.ban_until(now_ms + for_ms)

    def banned_ms(self, monotonic_ms: int, now_ms: int) -> int:
        """How much longer the venue wants silence of this host."""
        others = self._shared.banned_until() - now_ms
        # The clock was set back. A ban cut to the longest one would move along with the clock, and never end.
        others = others if others <= BAN_MS_MAX else 0
        return max(0, self._own_ban_ms(monotonic_ms), others)

    def _own_ban_ms(self, monotonic_ms: int) -> int:
        return 0 if self._banned_until_ms is None else max(0, self._banned_until_ms - monotonic_ms)


class Pace:
    """Spreads requests of one kind so that they take at most `share` of a pool, after a first burst."""

    def __init__(self, limits: Iterable[RateLimit], pool: str, share: float, burst_ms: int) -> None:
        self._ms_per_unit = max(
            (limit.interval_ms / (limit.limit * share) for limit in limits if limit.pool == pool), default=0.0
        )
        self._burst_ms = burst_ms
        self._owed_until_ms = 0.0

    def take(self, cost: int, now_ms: int) -> int:
        """Count one request, and say how long it has to wait."""
        begin_ms = max(self._owed_until_ms, now_ms)
        self._owed_until_ms = begin_ms + cost * self._ms_per_unit
        return max(0, math.ceil(begin_ms - now_ms - self._burst_ms))
