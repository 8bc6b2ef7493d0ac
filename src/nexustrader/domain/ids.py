"""Client order ids: 20 digits that sort by time and say which shard made them.

13 digits of milliseconds, 3 of sequence, 4 of shard. The shard belongs to one (strategy, user), so that after
a crash an order found at the venue is recognised as ours without any database.
"""

from __future__ import annotations

import hashlib
from typing import NamedTuple

SHARD_MAX = 9999
_SEQUENCES_PER_MS = 1000
_UNRECORDED_MS = 1000
_TIMESTAMP_MS_MAX = 10**13 - 1
_LENGTH = 20


class DecodedOid(NamedTuple):
    """What an id of ours says."""

    timestamp_ms: int
    sequence: int
    shard: int


class OidGenerator:
    """Makes strictly increasing ids for one shard (1..9999). Raises ValueError for another shard."""

    __slots__ = ("_last", "_suffix", "shard")

    def __init__(self, shard: int) -> None:
        if not 1 <= shard <= SHARD_MAX:
            raise ValueError(f"shard {shard} is out of range: give 1..{SHARD_MAX}, as ids.shard_of does")
        self.shard = shard
        self._suffix = f"{shard:04d}"
        self._last = -1

    def start_above(self, last: str) -> None:
        """Make only ids well above `last`, the newest on record of an earlier run.

        The orders that were refused before they were on record have taken ids above it: a second's worth of ids is
        left to them. Raises ValueError when `last` is no id of ours.
        """
        decoded = decode(last)
        taken_ms = decoded.timestamp_ms + _UNRECORDED_MS
        self._last = max(self._last, taken_ms * _SEQUENCES_PER_MS + decoded.sequence)

    def next(self, now_ms: int) -> str:
        """Return a new id, above all earlier ones even when the clock stands still or steps back.

        More than 1000 ids in one millisecond borrow from the next one; nothing waits.
        """
        if not 0 <= now_ms <= _TIMESTAMP_MS_MAX:
            raise ValueError(
                f"time {now_ms} is not in milliseconds since the epoch: give 0..{_TIMESTAMP_MS_MAX}"
            )
        self._last = max(now_ms * _SEQUENCES_PER_MS, self._last + 1)
        return f"{self._last:016d}{self._suffix}"


def decode(oid: str) -> DecodedOid:
    """Take an id of ours apart. Raises ValueError when it is not one."""
    if len(oid) != _LENGTH or not (oid.isascii() and oid.isdigit()) or oid[16:] == "0000":
        raise ValueError(
            f"order id {oid!r} was not made here: expected {_LENGTH} digits, the last four 0001..9999"
        )
    return DecodedOid(timestamp_ms=int(oid[:13]), sequence=int(oid[13:16]), shard=int(oid[16:]))


def is_ours(oid: str, shard: int) -> bool:
    """Return True when this shard made the id; never raises."""
    try:
        return decode(oid).shard == shard
    except ValueError:
        return False


def shard_of(strategy_id: str, user_id: str) -> int:
    """Return the shard (1..9999) of a strategy and user: the same in every process and on every machine."""
    digest = hashlib.sha256(f"{strategy_id}\x00{user_id}".encode()).digest()
    return int.from_bytes(digest[:8], "big") % SHARD_MAX + 1
