"""Windows of request limits, aligned to the clock."""

from __future__ import annotations


class Count:
    """What is used of one limit in the window that runs."""

    __slots__ = ("used", "window")

    def __init__(self) -> None:
        self.window = -1
        self.used = 0

    def at(self, length_ms: int, now_ms: int) -> int:
        """What is used in the window of `now_ms`."""
        window = now_ms // length_ms
        if window != self.window:
            self.window, self.used = window, 0
        return self.used
