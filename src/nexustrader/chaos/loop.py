"""An asyncio loop under virtual time, whose schedule is drawn by a seed.

Time jumps to the next timer when nothing is ready, so an hour of waiting costs nothing. asyncio runs what is ready in
the order in which it became so; real programs meet other orders, because sockets and the operating system decide. Here
the steps of tasks that are ready together are permuted. Plain callbacks keep their order among themselves: asyncio
promises it, and code may rely on it.
"""

from __future__ import annotations

import asyncio
import itertools
import selectors
import weakref
from datetime import UTC
from typing import Any

from nexustrader.kernel.clock import NS_PER_MS, NS_PER_S, Call, EngineClock
from nexustrader.kernel.entropy import Entropy
from nexustrader.kernel.ports import TimerHandle

START_MS = 1_700_000_000_000


class _NoSockets(selectors.DefaultSelector):
    """Knows the loop's own self-pipe, waits for nothing, and moves the loop's time on instead."""

    now = 0.0

    def select(self, timeout: float | None = None) -> list[tuple[selectors.SelectorKey, int]]:
        if timeout is None:
            raise RuntimeError("virtual time stands still: everything waits and no timer is set")
        if timeout > 0:
            self.now += timeout
        return []


class SeededLoop(asyncio.SelectorEventLoop):
    """`entropy` draws the schedule; without one the order is asyncio's own."""

    def __init__(self, entropy: Entropy | None = None) -> None:
        self._time = _NoSockets()
        self._entropy = entropy
        self.steps = 0  # turns of the loop so far
        self._begun = itertools.count()
        self._numbers: weakref.WeakKeyDictionary[asyncio.Task[Any], int] = weakref.WeakKeyDictionary()
        super().__init__(self._time)
        self.set_task_factory(self._make_task)

    def _make_task(self, _loop: Any, work: Any, **options: Any) -> asyncio.Task[Any]:
        task: asyncio.Task[Any] = asyncio.Task(work, loop=self, **options)
        self._numbers[task] = next(self._begun)
        return task

    def tasks(self) -> list[asyncio.Task[Any]]:
        """What runs, in the order of its beginning. asyncio's own set is in the order of memory addresses."""
        # A recorder of sessions makes tasks of its own, which have no number.
        return sorted(asyncio.all_tasks(self), key=lambda task: self._numbers.get(task, -1))

    def time(self) -> float:
        return self._time.now

    def block(self, seconds: float) -> None:
        """Time passes and nothing runs, as if a callback took that long."""
        self._time.now += seconds

    def _run_once(self) -> None:
        self.steps += 1
        ready: Any = self._ready  # type: ignore[attr-defined]  # asyncio has no public way to its ready queue
        if self._entropy is not None and len(ready) > 1:
            _permute(ready, self._entropy)
        super()._run_once()  # type: ignore[misc]  # the one turn that `run_forever` repeats


def _permute(ready: Any, entropy: Entropy) -> None:
    """Shuffle the task steps among the places of the queue; callbacks stay in sequence."""
    steps = [handle for handle in ready if _is_step(handle)]
    if not steps:
        return
    others = [handle for handle in ready if not _is_step(handle)]
    entropy.shuffle(steps)
    ready.clear()
    while steps or others:
        source = steps if entropy.random() * (len(steps) + len(others)) < len(steps) else others
        ready.append(source.pop(0))


def _is_step(handle: Any) -> bool:
    """True for a handle that resumes a task."""
    return isinstance(getattr(handle._callback, "__self__", None), asyncio.Task)  # noqa: SLF001  # as above


class LoopClock(EngineClock):
    """Engine time that is the loop's, `offset_s` away from the truth.

    `step` is what a time server does. As the live clock, it follows a step forward, and what is due by then is called
    at once; it goes on evenly when the machine's clock is set back. (The live clock looks once a second. What an engine
    hears of a step is that look, so here it is the step itself.)
    """

    def __init__(
        self, loop: asyncio.AbstractEventLoop, offset_s: float = 0.0, start_ms: int = START_MS
    ) -> None:
        super().__init__(None)
        self.timezone = UTC
        self._loop = loop
        self._start_ns = start_ms * NS_PER_MS + round(offset_s * NS_PER_S)
        self._pending: dict[_Timer, None] = {}

    def step(self, seconds: float) -> None:
        """The machine's clock is set forward or back."""
        self._start_ns += max(0, round(seconds * NS_PER_S))
        for timer in self._pending:
            self._arm(timer)

    def timestamp_ns(self) -> int:
        return self._start_ns + round(self._loop.time() * NS_PER_S)

    def timestamp_ms(self) -> int:
        return self.timestamp_ns() // NS_PER_MS

    def monotonic_ms(self) -> int:
        return round(self._loop.time() * 1000)

    def attach(self, loop: asyncio.AbstractEventLoop) -> None:
        """The loop is this clock's from the beginning."""

    def call_soon(self, func: Call) -> TimerHandle:
        return self._loop.call_soon(func)

    def call_at(self, when_ns: int, func: Call) -> TimerHandle:
        timer = _Timer(when_ns, func, self._pending)
        self._arm(timer)
        return timer

    def _arm(self, timer: _Timer) -> None:
        timer.arm(self._loop, (timer.when_ns - self._start_ns) / NS_PER_S)


class _Timer:
    """A call at a time of a clock; where that is on the loop changes when the clock is set."""

    def __init__(self, when_ns: int, func: Call, pending: dict[_Timer, None]) -> None:
        self.when_ns = when_ns
        self._func = func
        self._pending = pending
        self._handle: asyncio.TimerHandle | None = None
        pending[self] = None

    def arm(self, loop: asyncio.AbstractEventLoop, at_s: float) -> None:
        if self._handle is not None:
            self._handle.cancel()
        self._handle = loop.call_at(at_s, self._call)

    def cancel(self) -> None:
        if self._handle is not None:
            self._handle.cancel()
        self._pending.pop(self, None)

    def _call(self) -> None:
        del self._pending[self]
        self._func()
