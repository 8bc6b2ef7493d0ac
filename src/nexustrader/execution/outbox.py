"""What the strategy is still to be told: one thing at a time, in order, and nothing before it has started."""

from __future__ import annotations

from collections import deque
from collections.abc import Callable
from typing import Any

from nexustrader.kernel.ports import Clock

MARK_DELAY_NS = 100_000_000  # within this of a crash something may be told twice, see `execution.oms`

Send = Callable[[str, Any], None]


class Outbox:
    """Between those who know and the strategy. Holds everything until `open`.

    What a callback brings about is told when it has returned.
    """

    def __init__(self, clock: Clock, send: Send) -> None:
        self._clock = clock
        self._send = send
        self._waiting: deque[tuple[str, Any, bool]] = deque()
        self._notices = 0  # of those that wait
        self._is_telling = True

    def put(self, endpoint: str, message: Any, *, is_notice: bool = False) -> None:
        """Tell now, or when it is its turn. `is_notice`: it is about an order, and must not get lost in a crash."""
        self._waiting.append((endpoint, message, is_notice))
        self._notices += is_notice
        if not self._is_telling:
            self.open()

    def open(self) -> None:
        """Tell all that waits, and from now on whatever comes."""
        self._is_telling = True
        try:
            while self._waiting:
                endpoint, message, is_notice = self._waiting.popleft()
                self._notices -= is_notice  # what the callback does shows that it was told
                self._send(endpoint, message)
        finally:
            self._is_telling = False

    def untold(self) -> int:
        """How many notices about orders wait."""
        return self._notices

    def later(self, call: Callable[[], None]) -> object:
        """Call back in a short while."""
        return self._clock.call_at(self._clock.timestamp_ns() + MARK_DELAY_NS, call)
