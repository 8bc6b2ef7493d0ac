"""One side of a book, twice: the market's own quantities, and the users' resting orders.

Both hold prices as *ranks*, side × price: the higher the rank the better, for bids and asks alike, so one
piece of code serves both sides. A bid rank b and an ask rank a cross when a + b >= 0.
"""

from __future__ import annotations

from bisect import bisect_left, insort
from collections.abc import Iterable, Iterator, Sequence

from nexustrader.error import OrderError
from nexustrader.sim.types import Level, SimOrder


class ExternalSide:
    """The market's quantity per rank, as last told, less what users have taken of it since.

    Telling a level the quantity it already has is no news: what was taken stays taken. Any other quantity
    makes the level fresh. So replaying the same snapshot twice changes nothing.
    """

    __slots__ = ("_ranks", "_taken", "_told")

    def __init__(self) -> None:
        self._ranks: list[int] = []  # ascending: the best is last
        self._told: dict[int, int] = {}
        self._taken: dict[int, int] = {}

    def set(self, rank: int, lots: int) -> None:
        """Sets the absolute quantity of one level; 0 removes it."""
        told = self._told
        known = told.get(rank)
        if known == lots:
            return
        if lots < 0:
            raise OrderError(f"external level {abs(rank)} cannot hold {lots} lots, correct the feed")
        if self._taken:
            self._taken.pop(rank, None)
        if lots:
            if known is None:
                insort(self._ranks, rank)
            told[rank] = lots
        elif known is not None:
            del told[rank]
            del self._ranks[bisect_left(self._ranks, rank)]

    def set_top(self, rank: int, lots: int) -> None:
        """Sets the best level and drops what was better; 0 lots leaves only what is worse."""
        ranks = self._ranks
        while ranks and ranks[-1] > rank:
            gone = ranks.pop()
            del self._told[gone]
            self._taken.pop(gone, None)
        self.set(rank, lots)

    def replace(self, levels: Iterable[tuple[int, int]]) -> None:
        """Replaces every level by these (rank, lots)."""
        before, taken = self._told, self._taken
        self._ranks, self._told, self._taken = [], {}, {}
        for rank, lots in levels:
            self.set(rank, lots)
        self._taken = {rank: lots for rank, lots in taken.items() if self._told.get(rank) == before[rank]}

    def load(self, levels: Iterable[Sequence[int]]) -> None:
        """Takes over levels (rank, told, taken), worst first, as they are."""
        for rank, told, taken in levels:
            self._ranks.append(rank)
            self._told[rank] = told
            if taken:
                self._taken[rank] = taken

    def take(self, rank: int, lots: int) -> None:
        """Remembers that a user took so much of the level."""
        self._taken[rank] = self._taken.get(rank, 0) + lots

    def available(self, rank: int) -> int:
        """What users can still take at this rank."""
        return self._told.get(rank, 0) - self._taken.get(rank, 0)

    def touch(self) -> int | None:
        """The best rank as told, taken or not."""
        return self._ranks[-1] if self._ranks else None

    def told_best(self) -> Level:
        """The best level as told, taken or not; price and lots 0 on an empty side."""
        ranks = self._ranks
        return (abs(ranks[-1]), self._told[ranks[-1]]) if ranks else (0, 0)

    def told(self, count: int) -> list[Level]:
        """The best levels as told, best first."""
        return [(abs(rank), self._told[rank]) for rank in self._ranks[: -count - 1 : -1]]

    def best(self) -> int | None:
        """The best rank at which something is available, or None."""
        if not self._taken:
            return self.touch()
        return next(self.best_first(), None)

    def best_first(self) -> Iterator[int]:
        """Ranks at which something is available, best first."""
        return (rank for rank in reversed(self._ranks) if self.available(rank))

    def state(self) -> list[tuple[int, int, int]]:
        """(price, told, taken) of every level, best first."""
        return [(abs(rank), self._told[rank], self._taken.get(rank, 0)) for rank in reversed(self._ranks)]

    def check(self) -> list[str]:
        """What is wrong inside, as texts."""
        wrong = []
        if self._ranks != sorted(self._told):
            wrong.append(f"external ranks {self._ranks} do not index the levels {sorted(self._told)}")
        wrong += [
            f"external level {abs(rank)} holds {lots} lots" for rank, lots in self._told.items() if lots <= 0
        ]
        wrong += [
            f"{lots} lots taken of {self._told.get(rank, 0)} at external level {abs(rank)}"
            for rank, lots in self._taken.items()
            if not 0 < lots <= self._told.get(rank, 0)
        ]
        return wrong


class UserSide:
    """Users' resting orders of one side: per rank a queue in order of arrival."""

    __slots__ = ("_queues", "_ranks")

    def __init__(self) -> None:
        self._ranks: list[int] = []  # ascending: the best is last
        self._queues: dict[int, list[SimOrder]] = {}

    def join(self, rank: int, order: SimOrder) -> None:
        """Puts the order last at its rank."""
        queue = self._queues.get(rank)
        if queue is None:
            insort(self._ranks, rank)
            self._queues[rank] = [order]
        else:
            queue.append(order)

    def leave(self, rank: int, order: SimOrder) -> None:
        """Takes the order out of its queue."""
        queue = self._queues[rank]
        del queue[next(place for place, resting in enumerate(queue) if resting is order)]
        if not queue:
            del self._queues[rank]
            del self._ranks[bisect_left(self._ranks, rank)]

    @property
    def is_empty(self) -> bool:
        """True while no order rests here."""
        return not self._ranks

    def best(self) -> int | None:
        """The best rank at which an order rests, or None."""
        return self._ranks[-1] if self._ranks else None

    def best_first(self) -> Iterator[int]:
        """Ranks at which orders rest, best first."""
        return reversed(self._ranks)

    def at(self, rank: int) -> tuple[SimOrder, ...]:
        """Orders at this rank, first come first."""
        return tuple(self._queues.get(rank, ()))

    def lots(self, rank: int) -> int:
        """Lots that rest at this rank."""
        return sum(order.remaining for order in self._queues.get(rank, ()))

    def __iter__(self) -> Iterator[SimOrder]:
        """Orders by price and time."""
        return (order for rank in reversed(self._ranks) for order in self._queues[rank])

    def check(self) -> list[str]:
        """What is wrong inside, as texts."""
        if self._ranks != sorted(self._queues) or not all(self._queues.values()):
            return [f"user ranks {self._ranks} do not index the queues {sorted(self._queues)}"]
        return []


def depth(external: ExternalSide, users: UserSide, count: int) -> list[Level]:
    """The best `count` levels, market and users together, best first."""
    ranks = sorted({*external.best_first(), *users.best_first()}, reverse=True)[:count]
    return [(abs(rank), external.available(rank) + users.lots(rank)) for rank in ranks]
