"""Recorded data played by the clock: what is due is processed in slices, so that others get their turn."""

from __future__ import annotations

import logging
from abc import ABC, abstractmethod
from collections.abc import Iterator
from typing import ClassVar, Generic, TypeVar

from nexustrader.error import DataError
from nexustrader.kernel.ports import Clock, TimerHandle

_log = logging.getLogger(__name__)

T = TypeVar("T")


class Playback(ABC, Generic[T]):
    """Plays dated items once, `speed` times as fast as they are dated; 0 is as fast as possible.

    A recording that turns out to be damaged ends there: `finished`, and `damage` says what is wrong with it. Raises
    DataError, naming the recording, for a negative speed.
    """

    slice_items_max: ClassVar[int]  # items processed before others get their turn

    def __init__(self, name: object, clock: Clock, speed: float) -> None:
        if speed < 0:
            raise DataError(f"speed {speed} of {name} is negative; give 1 for real time, 0 for no pauses")
        self.finished = False
        self.damage: str | None = None
        self._clock = clock
        self._speed = speed
        self._left: Iterator[tuple[int, T]] | None = None
        self._next: tuple[int, T] | None = None
        self._first_ns = 0
        self._started_ns = 0
        self._timer: TimerHandle | None = None

    @abstractmethod
    def _items(self) -> Iterator[tuple[int, T]]:
        """Every item in order, with its time in ns."""

    @abstractmethod
    def _process(self, item: T) -> None: ...

    @property
    def started(self) -> bool:
        """True once it plays or has played."""
        return self._left is not None

    def start(self) -> None:
        """Begins to play; once only."""
        if self._left is None:
            self._left = self._items()
            self._started_ns = self._clock.timestamp_ns()
            self._next = self._take(self._left)
            self._first_ns = self._next[0] if self._next is not None else 0
            self._timer = self._clock.call_soon(self._play)

    def stop(self) -> None:
        """Stops playing."""
        if self._timer is not None:
            self._timer.cancel()
            self._timer = None

    def hold(self) -> None:
        """A recording is not moved by hand: it goes on."""

    def _play(self) -> None:
        """Processes what is due, in slices, then waits for the next item."""
        assert self._left is not None
        left = self.slice_items_max
        now_ns = self._clock.timestamp_ns()
        while self._next is not None and left and self._due_ns(self._next[0]) <= now_ns:
            self._process(self._next[1])
            self._next = self._take(self._left)
            left -= 1
        if self._next is None:
            self.finished = True
            self._timer = None
        elif left:
            self._timer = self._clock.call_at(self._due_ns(self._next[0]), self._play)
        else:
            self._timer = self._clock.call_soon(self._play)

    def _take(self, items: Iterator[tuple[int, T]]) -> tuple[int, T] | None:
        try:
            return next(items, None)
        except DataError as error:
            self.damage = str(error)
            _log.error("the replay ends early: %s", error)
            return None

    def _due_ns(self, item_ns: int) -> int:
        if self._speed == 0:
            return 0
        return self._started_ns + int((item_ns - self._first_ns) / self._speed)
