"""A book kept from a snapshot and the changes that follow it. Pure: what a fault asks for is said, not done.

While the state is OK, the book is the venue's at the update `last`, within what the snapshot covered. A change that
does not follow on the one before, a crossed book, or a market that has left the snapshot's range ends that at once.
"""

from __future__ import annotations

from bisect import bisect_left
from collections import deque
from collections.abc import Sequence
from enum import Enum
from itertools import pairwise
from math import inf

import msgspec

from nexustrader.schema import BookOrderData

CHANGES_HELD_MAX = 2_000

Levels = Sequence[tuple[float, float]]  # (price, size); in a change, size 0 removes the level


class BookRule(msgspec.Struct, frozen=True, kw_only=True):
    """How one venue's stream of changes makes a book."""

    levels: int  # shown, a side
    by_request: bool  # snapshots are asked for; else the stream begins with one and may bring others
    exact: bool  # a change begins where the one before it ended; else it may begin earlier
    snapshot_levels: int | None = None  # a side, at most; None: all that the stream keeps
    refresh_below: int = 0  # with fewer left on a side of what the snapshot covers, another is fetched


class BookChange(msgspec.Struct, frozen=True, gc=False):
    """Levels that changed after the update `after`, up to the update `last`; or all levels as of `last`."""

    after: int
    last: int
    bids: Levels
    asks: Levels
    timestamp: int  # ms
    is_snapshot: bool = False


class BookState(Enum):
    WAITING = "waiting"  # for its first snapshot
    OK = "ok"
    BROKEN = "broken"


class Todo(Enum):
    """What a change asks of whoever keeps the book."""

    NOTHING = "nothing"
    SHOW = "show"  # the book is good, and new
    FETCH = "fetch"  # a snapshot has to be asked for
    SUBSCRIBE_ANEW = "subscribe anew"  # the stream has to begin again with a snapshot


class _Side:
    """One side. Keys ascend from worst to best, so that what changes most is at the lists' cheap end."""

    __slots__ = ("_entries", "_sign", "keys", "worst")

    def __init__(self, sign: int) -> None:
        self._sign = sign  # 1 for bids, -1 for asks: a key is the price with this sign
        self.keys: list[float] = []
        self._entries: list[BookOrderData] = []
        self.worst = -inf  # beyond it nothing is known, so nothing is kept

    def replace(self, levels: Levels, levels_max: int | None) -> None:
        kept = {self._sign * price: BookOrderData(price, size) for price, size in levels if size}
        self.keys = sorted(kept)
        self._entries = [kept[key] for key in self.keys]
        is_cut = levels_max is not None and len(kept) >= levels_max
        self.worst = self.keys[0] if is_cut else -inf

    def change(self, levels: Levels) -> None:
        keys, entries, sign, worst = self.keys, self._entries, self._sign, self.worst
        for price, size in levels:
            key = sign * price
            if key < worst:
                continue
            at = bisect_left(keys, key)
            is_known = at < len(keys) and keys[at] == key
            if not size:
                if is_known:
                    del keys[at], entries[at]
            elif is_known:
                entries[at] = BookOrderData(price, size)
            else:
                keys.insert(at, key)
                entries.insert(at, BookOrderData(price, size))

    def covers(self, levels: int) -> bool:
        """Whether the best `levels` are certain, or all there are."""
        return self.worst == -inf or len(self.keys) >= levels

    def is_thin(self, below: int) -> bool:
        """Whether what the snapshot covers of this side will soon be used up."""
        return len(self.keys) < below and self.worst != -inf

    def best(self, levels: int) -> list[BookOrderData]:
        return self._entries[: -levels - 1 : -1]

    def check(self) -> None:
        assert all(a < b for a, b in pairwise(self.keys)), "keys are not in order"
        assert [self._sign * entry.price for entry in self._entries] == self.keys, "keys and levels differ"
        assert all(entry.size for entry in self._entries), "an empty level is kept"


class LocalBook:
    """The book of one stream. `reason` says why it is not OK.

    `is_thin`: the market nears the end of what the snapshot covers, so another should be fetched although it is OK.
    """

    def __init__(self, rule: BookRule) -> None:
        self.rule = rule
        self.state = BookState.WAITING
        self.reason = ""
        self.last = 0
        self.timestamp = 0
        self.is_thin = False
        self._bids = _Side(1)
        self._asks = _Side(-1)
        self._is_linked = False  # a change has followed the snapshot
        self._held: deque[BookChange] = deque(maxlen=CHANGES_HELD_MAX)  # for the snapshot that is to come

    def restart(self, reason: str) -> None:
        """The stream begins anew: nothing that it brought before counts."""
        self.state = BookState.WAITING
        self.reason = reason
        self.is_thin = False
        self._held.clear()

    def view(self) -> tuple[list[BookOrderData], list[BookOrderData]]:
        """The best levels: bids descending, asks ascending. Only good while the state is OK."""
        levels = self.rule.levels
        return self._bids.best(levels), self._asks.best(levels)

    def take(self, change: BookChange) -> Todo:
        """Take in what the venue sent next, snapshot or change."""
        if change.is_snapshot:
            return self._begin(change)
        if self.state is not BookState.OK:
            return self._hold(change)
        return self._follow(change)

    def check(self) -> None:
        """Raise AssertionError when the inside is not as it has to be."""
        self._bids.check()
        self._asks.check()
        assert self.state is not BookState.OK or not self._fault(), "a faulty book is called good"

    # -- without a book --------------------------------------------------------------------------------------

    def _hold(self, change: BookChange) -> Todo:
        if not self.rule.by_request:
            return Todo.NOTHING  # the stream's next snapshot comes after it
        self._held.append(change)
        # From the first change on, a snapshot that is asked for can be joined by what the stream brings.
        return Todo.FETCH if self.state is BookState.WAITING and len(self._held) == 1 else Todo.NOTHING

    def _begin(self, snapshot: BookChange) -> Todo:
        rule = self.rule
        if self.is_thin and self._held[0].after > snapshot.last:
            return Todo.NOTHING  # older than what is known, and the book is good as it is
        self._bids.replace(snapshot.bids, rule.snapshot_levels)
        self._asks.replace(snapshot.asks, rule.snapshot_levels)
        self.last, self.timestamp = snapshot.last, snapshot.timestamp
        self._is_linked = self.is_thin = False
        self.state = BookState.OK
        held = tuple(self._held)
        self._held.clear()
        if fault := self._fault():
            return self._break(f"a snapshot is bad: {fault}", held)
        for at, change in enumerate(held):
            if self._follow(change) is self._remedy:
                self._held.extend(held[at + 1 :])
                return self._remedy
        return Todo.SHOW

    # -- with a book -----------------------------------------------------------------------------------------

    def _follow(self, change: BookChange) -> Todo:
        last = self.last
        if change.last <= last:
            if self.rule.by_request or change.last == last:
                return Todo.NOTHING  # contained already
            return self._break(f"update {change.last} came after {last}", (change,))
        if change.after != last and (change.after > last or (self.rule.exact and self._is_linked)):
            return self._break(f"update {change.last} follows {change.after}, but {last} is known", (change,))
        self._bids.change(change.bids)
        self._asks.change(change.asks)
        self.last, self.timestamp = change.last, change.timestamp
        self._is_linked = True
        if fault := self._fault():
            return self._break(f"update {change.last}: {fault}", (change,))
        below = self.rule.refresh_below
        if self.is_thin or self._bids.is_thin(below) or self._asks.is_thin(below):
            self.is_thin = True
            self._held.append(change)
        return Todo.SHOW

    def _fault(self) -> str:
        """What is wrong with the levels; empty when nothing is."""
        bids, asks, levels = self._bids, self._asks, self.rule.levels
        if bids.keys and asks.keys and bids.keys[-1] >= -asks.keys[-1]:
            return f"the best bid {bids.keys[-1]} is not below the best ask {-asks.keys[-1]}"
        if not (bids.covers(levels) and asks.covers(levels)):
            return "the market has left what the snapshot covers"
        return ""

    def _break(self, reason: str, held: Sequence[BookChange]) -> Todo:
        self.state = BookState.BROKEN
        self.reason = reason
        self.is_thin = False
        if self.rule.by_request:
            self._held.extend(held)  # a snapshot that is older than these must not pass for the newest
        return self._remedy

    @property
    def _remedy(self) -> Todo:
        return Todo.FETCH if self.rule.by_request else Todo.SUBSCRIBE_ANEW
