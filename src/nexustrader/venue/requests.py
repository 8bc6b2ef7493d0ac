"""Which reply belongs to which request, and what happens when none comes: the one place for it."""

from __future__ import annotations

from collections import deque
from collections.abc import Callable
from typing import Generic, TypeVar

from nexustrader.kernel.ports import Clock, TimerHandle

T = TypeVar("T")

LATE_MAX = 10_000  # requests whose time was up and whose reply would still be known


class PendingRequests(Generic[T]):
    """Requests under way on one socket, each with the same time allowed.

    One timer serves all of them: they time out in the order in which they were added. A reply that comes after
    that is a reply all the same: `take_late` says whom it answers, until the socket is gone.
    """

    def __init__(self, clock: Clock, timeout_ms: int, on_timeout: Callable[[T], None]) -> None:
        self._clock = clock
        self._timeout_ns = timeout_ms * 1_000_000
        self._on_timeout = on_timeout
        self._pending: dict[str, T] = {}
        self._late: dict[str, T] = {}  # oldest first
        self._deadlines: deque[tuple[int, str]] = deque()
        self._timer: TimerHandle | None = None

    def add(self, request_id: str, item: T) -> None:
        """Remember `item` until its reply, the timeout or a disconnect."""
        self._pending[request_id] = item
        deadline = self._clock.timestamp_ns() + self._timeout_ns
        self._deadlines.append((deadline, request_id))
        if self._timer is None:
            self._timer = self._clock.call_at(deadline, self._sweep)

    def take(self, request_id: str) -> T | None:
        """The item this reply answers; None when it is not (or no longer) waited for."""
        return self._pending.pop(request_id, None)

    def take_late(self, request_id: str) -> T | None:
        """The item this reply would have answered in time; once."""
        return self._late.pop(request_id, None)

    def take_all(self) -> list[T]:
        """Everything still waiting, for when the socket is gone."""
        items = list(self._pending.values())
        self._pending.clear()
        self._late.clear()
        self._deadlines.clear()
        if self._timer is not None:
            self._timer.cancel()
            self._timer = None
        return items

    def __len__(self) -> int:
        return len(self._pending)

    def _sweep(self) -> None:
        self._timer = None
        now = self._clock.timestamp_ns()
        while self._deadlines and self._deadlines[0][0] <= now:
            _, request_id = self._deadlines.popleft()
            item = self._pending.pop(request_id, None)
            if item is not None:
                self._keep_late(request_id, item)
                self._on_timeout(item)
        while self._deadlines and self._deadlines[0][1] not in self._pending:
            self._deadlines.popleft()  # answered in time
        if self._deadlines and self._timer is None:
            self._timer = self._clock.call_at(self._deadlines[0][0], self._sweep)

    def _keep_late(self, request_id: str, item: T) -> None:
        self._late[request_id] = item
        if len(self._late) > LATE_MAX:
            del self._late[next(iter(self._late))]
