"""An asyncio loop whose time jumps to the next timer: seconds of waiting cost nothing."""

from __future__ import annotations

import asyncio
import selectors
from collections.abc import Callable, Coroutine
from datetime import UTC, datetime
from typing import Any

START_MS = 1_700_000_000_000


class _JumpingSelector(selectors.DefaultSelector):
    """Never waits: it moves the loop's time on instead."""

    loop: VirtualTimeLoop

    def select(self, timeout: float | None = None) -> list[Any]:
        if timeout is None:
            raise RuntimeError("virtual time stands still: everything waits and no timer is set")
        if timeout > 0:
            self.loop.now += timeout
        return super().select(0)


class VirtualTimeLoop(asyncio.SelectorEventLoop):
    def __init__(self) -> None:
        self.now = 0.0
        selector = _JumpingSelector()
        selector.loop = self
        super().__init__(selector)

    def time(self) -> float:
        return self.now


class LoopClock:
    """Engine time that is the loop's time."""

    def __init__(self, loop: asyncio.AbstractEventLoop, start_ms: int = START_MS) -> None:
        self._loop = loop
        self._start_ns = start_ms * 1_000_000

    def timestamp_ns(self) -> int:
        return self._start_ns + round(self._loop.time() * 1e9)

    def timestamp_ms(self) -> int:
        return self.timestamp_ns() // 1_000_000

    def monotonic_ms(self) -> int:
        return round(self._loop.time() * 1000)

    def timestamp(self) -> float:
        return self.timestamp_ns() / 1e9

    def utc_now(self) -> datetime:
        return datetime.fromtimestamp(self.timestamp(), UTC)

    def call_soon(self, func: Callable[[], object]) -> asyncio.Handle:
        return self._loop.call_soon(func)

    def call_at(self, when_ns: int, func: Callable[[], object]) -> asyncio.TimerHandle:
        return self._loop.call_at((when_ns - self._start_ns) / 1e9, func)


def run_virtual(work: Callable[[LoopClock], Coroutine[Any, Any, Any]]) -> Any:
    """Run `work(clock)` in virtual time."""
    loop = VirtualTimeLoop()
    try:
        asyncio.set_event_loop(loop)
        return loop.run_until_complete(work(LoopClock(loop)))
    finally:
        for task in asyncio.all_tasks(loop):
            task.cancel()
        loop.run_until_complete(asyncio.sleep(0))
        loop.close()
        asyncio.set_event_loop(None)
