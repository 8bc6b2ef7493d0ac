"""Engine time: one clock per engine, live or virtual, never backwards.

Both clocks hold their timers in one `TimerQueue` (time order, first in first out among equals) and share the
named repeating timers of user code. They differ in what moves time: the operating system, or `advance_to`.
Everything here belongs to the engine's thread, except the `timestamp*` readings, which any thread may take.
"""

from __future__ import annotations

import asyncio
import heapq
import time
from abc import ABC, abstractmethod
from collections import deque
from collections.abc import Callable
from datetime import UTC, datetime, timedelta, tzinfo

import msgspec
from tzlocal import get_localzone

from nexustrader.kernel.log import get_logger
from nexustrader.kernel.ports import TimerHandle

NS_PER_S = 1_000_000_000
NS_PER_MS = 1_000_000
NS_PER_US = 1_000
REANCHOR_INTERVAL_NS = NS_PER_S  # a wall clock set forward, or a resumed laptop, is noticed within this
CANCELLED_KEPT_MAX = 64  # cancelled timers may fill the heap to this many before it is swept
CALLS_PER_INSTANT_MAX = 1_000_000  # more calls than this without time moving is a loop, not work

_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
_ONE_US = timedelta(microseconds=1)

_log = get_logger("Clock")

Call = Callable[[], object]


class TimeEvent(msgspec.Struct, frozen=True):
    """One firing of a named timer: `ts_event` is when it was due, `ts_init` when it ran. Nanoseconds."""

    name: str
    ts_event: int
    ts_init: int


TimerCallback = Callable[[TimeEvent], object]
ReportError = Callable[[str, Exception], object]


def datetime_to_ns(when: datetime, default_timezone: tzinfo) -> int:
    """Nanoseconds since the epoch, exact to the microsecond; a naive datetime is in `default_timezone`."""
    aware = when if when.tzinfo is not None else when.replace(tzinfo=default_timezone)
    return (aware - _EPOCH) // _ONE_US * NS_PER_US


def ns_to_datetime(ns: int) -> datetime:
    """UTC datetime, rounded down to the microsecond."""
    return _EPOCH + timedelta(microseconds=ns // NS_PER_US)


class Timer:
    """One scheduled call. `cancel` may come at any time, also twice, also after the call."""

    __slots__ = ("_queue", "func")

    def __init__(self, func: Call, queue: TimerQueue | None) -> None:
        self.func: Call | None = func
        self._queue = queue

    def take(self) -> Call | None:
        """The function to call, at most once; None when cancelled or taken."""
        func, self.func = self.func, None
        return func

    def cancel(self) -> None:
        if self.take() is not None and self._queue is not None:
            self._queue.note_cancelled()


class TimerQueue:
    """Timers in time order, first in first out among equals. Memory stays within twice the live timers."""

    def __init__(self) -> None:
        self._heap: list[tuple[int, int, Timer]] = []
        self._cancelled = 0
        self.pushed = 0  # how many timers ever; also the tie-break among equal times

    def push(self, when_ns: int, func: Call) -> Timer:
        timer = Timer(func, self)
        self.pushed += 1
        heapq.heappush(self._heap, (when_ns, self.pushed, timer))
        return timer

    def note_cancelled(self) -> None:
        self._cancelled += 1
        if self._cancelled > CANCELLED_KEPT_MAX and self._cancelled * 2 > len(self._heap):
            self._heap = [entry for entry in self._heap if entry[2].func is not None]
            heapq.heapify(self._heap)
            self._cancelled = 0

    def next_ns(self) -> int | None:
        """When the earliest live timer is due."""
        while self._heap:
            when_ns, _, timer = self._heap[0]
            if timer.func is not None:
                return when_ns
            heapq.heappop(self._heap)
            self._cancelled -= 1
        return None

    def has_due(self, ns: int) -> bool:
        """True when a timer may be due by then; a cancelled one counts too."""
        return bool(self._heap) and self._heap[0][0] <= ns

    def pop_due(self, now_ns: int, pushed_max: int) -> Call | None:
        """The next call due at `now_ns` among the first `pushed_max` timers ever pushed."""
        when_ns = self.next_ns()
        if when_ns is None or when_ns > now_ns or self._heap[0][1] > pushed_max:
            return None
        return heapq.heappop(self._heap)[2].take()

    def __len__(self) -> int:
        return len(self._heap) - self._cancelled


class _RepeatingTimer:
    """A named timer on an absolute schedule: first + k x interval, whatever the callbacks take."""

    __slots__ = ("callback", "handle", "interval_ns", "name", "next_ns", "stop_ns")

    def __init__(
        self, name: str, interval_ns: int, next_ns: int, stop_ns: int | None, callback: TimerCallback
    ) -> None:
        self.name = name
        self.interval_ns = interval_ns
        self.next_ns = next_ns
        self.stop_ns = stop_ns
        self.callback = callback
        self.handle: TimerHandle | None = None

    def latest_due(self, now_ns: int) -> int:
        """The last scheduled time not after `now_ns` or the stop: what was missed before it is coalesced."""
        limit_ns = now_ns if self.stop_ns is None else min(now_ns, self.stop_ns)
        return self.next_ns + max(0, limit_ns - self.next_ns) // self.interval_ns * self.interval_ns


class EngineClock(ABC):
    """What both clocks share: derived readings and the named timers of user code.

    `timezone` is how naive datetimes are read and the scheduler's default: local for the live clock, UTC
    under virtual time, so that a virtual run gives the same result on every machine.
    """

    timezone: tzinfo

    def __init__(self, on_error: ReportError | None) -> None:
        self.on_error = on_error
        self._named: dict[str, _RepeatingTimer] = {}

    @abstractmethod
    def timestamp_ns(self) -> int:
        """Nanoseconds since the epoch; never less than an earlier reading."""

    @abstractmethod
    def timestamp_ms(self) -> int:
        """Milliseconds since the epoch, rounded down."""

    @abstractmethod
    def call_soon(self, func: Call) -> TimerHandle:
        """Calls `func` once, after the current callback returns."""

    @abstractmethod
    def call_at(self, when_ns: int, func: Call) -> TimerHandle:
        """Calls `func` once when the clock reads `when_ns` or later, never earlier."""

    def monotonic_ms(self) -> int:
        """Milliseconds that really pass. Engine time itself, unless a clock can be set from outside."""
        return self.timestamp_ms()

    def timestamp(self) -> float:
        """Seconds since the epoch."""
        return self.timestamp_ns() / NS_PER_S

    def utc_now(self) -> datetime:
        """The time as an aware UTC datetime."""
        return ns_to_datetime(self.timestamp_ns())

    # -- named timers -------------------------------------------------------------------------------------

    def set_timer(
        self,
        name: str,
        interval: timedelta,
        start_time: datetime | None = None,
        stop_time: datetime | None = None,
        callback: TimerCallback | None = None,
    ) -> None:
        """Calls `callback(TimeEvent)` at `start_time` and every `interval` from it, the last at `stop_time`.

        The schedule is absolute: slow callbacks do not shift it. Without `start_time` the first call comes
        one interval from now; a start in the past joins the schedule at its next time. A timer of the same
        name is replaced. Calls missed while the thread was blocked are coalesced into one, for the latest
        time missed. An exception in the callback is reported and the timer goes on.

        Raises ValueError for a non-positive interval, TypeError without a callback.
        """
        if callback is None:
            raise TypeError(f"timer {name!r} has no callback; pass callback=<function of one TimeEvent>")
        interval_ns = interval // _ONE_US * NS_PER_US
        if interval_ns <= 0:
            raise ValueError(f"timer {name!r} has interval {interval}; it must be at least one microsecond")
        self.cancel_timer(name)
        now_ns = self.timestamp_ns()
        first_ns = now_ns + interval_ns
        if start_time is not None:
            start_ns = datetime_to_ns(start_time, self.timezone)
            missed = max(0, -((start_ns - now_ns) // interval_ns))
            first_ns = start_ns + missed * interval_ns
        stop_ns = None if stop_time is None else datetime_to_ns(stop_time, self.timezone)
        self._named[name] = timer = _RepeatingTimer(name, interval_ns, first_ns, stop_ns, callback)
        self._schedule(timer)

    def cancel_timer(self, name: str) -> None:
        """Stops the timer of this name; an unknown name is no error."""
        timer = self._named.pop(name, None)
        if timer is not None and timer.handle is not None:
            timer.handle.cancel()

    def cancel_timers(self) -> None:
        """Stops all named timers."""
        for name in self.timer_names:
            self.cancel_timer(name)

    def next_time_ns(self, name: str) -> int:
        """When the timer of this name is due next. Raises KeyError when there is none."""
        if name not in self._named:
            raise KeyError(f"no timer is named {name!r}; active timers: {list(self._named)}")
        return self._named[name].next_ns

    @property
    def timer_names(self) -> list[str]:
        """Names of the active timers, oldest first."""
        return list(self._named)

    def _schedule(self, timer: _RepeatingTimer) -> None:
        if timer.stop_ns is not None and timer.next_ns > timer.stop_ns:
            del self._named[timer.name]
            return
        timer.handle = self.call_at(timer.next_ns, lambda: self._fire(timer))

    def _fire(self, timer: _RepeatingTimer) -> None:
        now_ns = self.timestamp_ns()
        event = TimeEvent(timer.name, timer.latest_due(now_ns), now_ns)
        timer.next_ns = event.ts_event + timer.interval_ns
        # Rescheduled before the call, so that the callback itself may cancel or replace its timer.
        self._schedule(timer)
        try:
            timer.callback(event)
        except Exception as exc:  # tidy: ok — user code; reported, and the timer goes on
            self._report(timer.name, exc)

    def _report(self, name: str, exc: Exception) -> None:
        if self.on_error is not None:
            self.on_error(name, exc)
        else:
            _log.error(f"timer {name!r} raised; it goes on", exc=exc)


class LiveClock(EngineClock):
    """Real time: the wall clock read once, then the monotonic clock added to it.

    A wall clock that is set back is ignored; one that is set forward (or a machine that was asleep) moves
    engine time forward within a second. Timers fire on the event loop given by `attach`, at millisecond
    resolution and never early; those set before `attach` wait for it. `wall_ns` and `monotonic_ns` are the
    two time sources. Exceptions in `call_soon` and `call_at` functions go to the loop's exception handler.
    """

    def __init__(
        self,
        loop: asyncio.AbstractEventLoop | None = None,
        *,
        on_error: ReportError | None = None,
        wall_ns: Callable[[], int] = time.time_ns,
        monotonic_ns: Callable[[], int] = time.monotonic_ns,
    ) -> None:
        super().__init__(on_error)
        self.timezone = get_localzone()
        self._wall_ns = wall_ns
        self._monotonic_ns = monotonic_ns
        self._offset_ns = wall_ns() - monotonic_ns()
        self._timers = TimerQueue()
        self._loop: asyncio.AbstractEventLoop | None = None
        self._wake_handle: asyncio.TimerHandle | None = None
        self._wake_ns = 0
        self._watch_due_ns = 0
        if loop is not None:
            self.attach(loop)

    def timestamp_ns(self) -> int:
        return self._offset_ns + self._monotonic_ns()

    def timestamp_ms(self) -> int:
        return (self._offset_ns + self._monotonic_ns()) // NS_PER_MS

    def monotonic_ms(self) -> int:
        return self._monotonic_ns() // NS_PER_MS

    def attach(self, loop: asyncio.AbstractEventLoop) -> None:
        """Fires timers on `loop` from now on; replaces an earlier loop."""
        self.detach()
        self._loop = loop
        self._watch_wall_clock()
        self._arm(loop)

    def detach(self) -> None:
        """Leaves the loop; timers that are set wait for the next `attach`."""
        if self._wake_handle is not None:
            self._wake_handle.cancel()
        self._wake_handle = None
        self._loop = None

    def reanchor(self) -> int:
        """Moves engine time forward to the wall clock if that is ahead. Returns the step in nanoseconds."""
        # Race: a pause between the two readings must not count as a step forward. The wall clock is read
        # first, so that a pause makes the offset too small, which is ignored, and never too large.
        wall_ns = self._wall_ns()
        step_ns = max(0, wall_ns - self._monotonic_ns() - self._offset_ns)
        self._offset_ns += step_ns
        return step_ns

    def call_soon(self, func: Call) -> TimerHandle:
        if self._loop is None:
            return self.call_at(self.timestamp_ns(), func)
        return self._loop.call_soon(func)

    def call_at(self, when_ns: int, func: Call) -> TimerHandle:
        timer = self._timers.push(when_ns, func)
        if self._loop is not None and (self._wake_handle is None or when_ns < self._wake_ns):
            self._arm(self._loop)
        return timer

    def _watch_wall_clock(self) -> None:
        if self.timestamp_ns() >= self._watch_due_ns:
            self.reanchor()
            self._watch_due_ns = self.timestamp_ns() + REANCHOR_INTERVAL_NS

    def _arm(self, loop: asyncio.AbstractEventLoop) -> None:
        """Sets one loop timer for the earliest of ours, rounded up to a millisecond: loops may fire early."""
        if self._wake_handle is not None:
            self._wake_handle.cancel()
        next_ns = self._timers.next_ns()
        self._wake_ns = self._watch_due_ns if next_ns is None else min(next_ns, self._watch_due_ns)
        delay_ms = max(0, -((self.timestamp_ns() - self._wake_ns) // NS_PER_MS))
        self._wake_handle = loop.call_later(delay_ms / 1000, self._wake)

    def _wake(self) -> None:
        self._wake_handle = None
        self._watch_wall_clock()
        now_ns, pushed_max = self.timestamp_ns(), self._timers.pushed
        try:
            while (func := self._timers.pop_due(now_ns, pushed_max)) is not None:
                self._call(func)
        finally:
            if self._loop is not None:
                self._arm(self._loop)

    def _call(self, func: Call) -> None:
        try:
            func()
        except Exception as exc:  # tidy: ok — reported to the loop; the other timers must still fire
            if self._loop is not None:
                self._loop.call_exception_handler(
                    {"message": f"a timer function raised: {func!r}", "exception": exc}
                )


class VirtualClock(EngineClock):
    """Time that moves only when told to: same calls, same order, on every machine.

    `advance_to` runs all that is due on the way. Callbacks may schedule, cancel and advance further. An
    exception in a `call_soon` or `call_at` function leaves `advance_to`; what was scheduled behind it stays.
    """

    def __init__(self, start_ns: int = 0, *, on_error: ReportError | None = None) -> None:
        super().__init__(on_error)
        self.timezone = UTC
        self._now_ns = start_ns
        self._timers = TimerQueue()
        self._soon: deque[Timer] = deque()

    def timestamp_ns(self) -> int:
        return self._now_ns

    def timestamp_ms(self) -> int:
        return self._now_ns // NS_PER_MS

    def call_soon(self, func: Call) -> TimerHandle:
        timer = Timer(func, None)
        self._soon.append(timer)
        return timer

    def call_at(self, when_ns: int, func: Call) -> TimerHandle:
        return self._timers.push(when_ns, func)

    def next_ns(self) -> int | None:
        """When the next call is due (now, for calls made by `call_soon`); None when nothing is scheduled."""
        if self._soon:
            return self._now_ns
        return self._timers.next_ns()

    def has_due(self, ns: int) -> bool:
        """True when a call is due by then."""
        if not self._soon and not self._timers.has_due(ns):
            return False
        due_ns = self.next_ns()
        return due_ns is not None and due_ns <= ns

    def step_to(self, ns: int) -> None:
        """As `advance_to`, and cheap while nothing is due."""
        if self._soon or self._timers.has_due(ns):
            self.advance_to(ns)
        elif ns > self._now_ns:
            self._now_ns = ns

    def glide_to(self, ns: int) -> bool:
        """As `step_to` while nothing is due; else nothing is done, and False is returned."""
        if self._soon or self._timers.has_due(ns):
            return False
        self._now_ns = max(self._now_ns, ns)
        return True

    def set_time(self, ns: int) -> None:
        """Moves time without running anything; a time in the past leaves the clock as it is."""
        self._now_ns = max(self._now_ns, ns)

    def run_soon(self) -> None:
        """Runs what `call_soon` holds, and what that adds, without moving time.

        Raises RuntimeError when the calls keep adding calls without end.
        """
        budget = CALLS_PER_INSTANT_MAX
        while self._soon:
            func = self._soon.popleft().take()
            if func is not None:
                func()
            budget -= 1
            if budget == 0:
                raise RuntimeError(self._stalled())

    def advance_to(self, ns: int) -> None:
        """Runs everything due up to and including `ns`, in time order, then reads `ns`.

        Calls made by `call_soon` run before the next timer. A time in the past runs only what is due now.

        Raises RuntimeError when calls keep scheduling calls at one instant without end.
        """
        self.run_soon()
        budget = CALLS_PER_INSTANT_MAX
        while (when_ns := self._timers.next_ns()) is not None and when_ns <= max(ns, self._now_ns):
            if when_ns > self._now_ns:
                self._now_ns = when_ns
                budget = CALLS_PER_INSTANT_MAX
            func = self._timers.pop_due(when_ns, self._timers.pushed)
            if func is not None:
                func()
            self.run_soon()
            budget -= 1
            if budget == 0:
                raise RuntimeError(self._stalled())
        self.set_time(ns)

    def _stalled(self) -> str:
        return (
            f"virtual time stands at {self._now_ns} ns: {CALLS_PER_INSTANT_MAX:,} calls ran without it "
            "moving; find the callback that schedules itself for the present"
        )
