"""The event loop of a virtual run (a backtest, a replay): asyncio's tasks and timers on virtual time, and nothing else.

A coroutine may sleep, wait for events, gather and time out, all without a second passing. There is no network, no
thread and no process: what needs one raises and says so.
"""

# ruff: noqa: SLF001 — a loop that is driven from outside sets the running loop and runs handles, as asyncio's own do

from __future__ import annotations

import asyncio
from collections.abc import Callable, Coroutine, Iterator
from contextlib import contextmanager
from contextvars import Context
from typing import TYPE_CHECKING, Any, NoReturn, TypeVar, TypeVarTuple

from nexustrader.error import NexusTraderError
from nexustrader.kernel.clock import NS_PER_S, VirtualClock

if TYPE_CHECKING:
    from concurrent.futures import Executor

T = TypeVar("T")
Ts = TypeVarTuple("Ts")
OnError = Callable[[str, BaseException], object]


class VirtualLoop(asyncio.BaseEventLoop):
    """Tasks and timers run as calls on `clock`. `on_error(name, exception)` hears of what nobody awaits.

    `run` names the kind of run in messages.
    """

    def __init__(self, clock: VirtualClock, on_error: OnError, run: str = "a backtest") -> None:
        super().__init__()
        self._clock = clock
        self._on_error = on_error
        self._kind = run
        self._tasks: dict[asyncio.Task[Any], None] = {}  # in order of birth: a set has none

    @contextmanager
    def running(self) -> Iterator[None]:
        """While active this is the running loop of the thread, in the place of one that may run around it.

        Closed afterwards.
        """
        outer = asyncio._get_running_loop()
        asyncio._set_running_loop(self)
        try:
            yield
        finally:
            asyncio._set_running_loop(outer)
            self.close()

    def spawn(self, work: Coroutine[Any, Any, Any], name: str) -> asyncio.Task[Any]:
        """Runs `work` as a task that is held until it ends."""
        task = self.create_task(work, name=name)
        self._tasks[task] = None
        task.add_done_callback(self._on_done)
        return task

    def _on_done(self, task: asyncio.Task[Any]) -> None:
        self._tasks.pop(task, None)
        if not task.cancelled() and (error := task.exception()) is not None:
            self._on_error(task.get_name(), error)

    def cancel_all(self) -> None:
        """Ends every task that is still waiting."""
        for task in list(self._tasks):
            task.cancel()
        self._clock.run_soon()

    # -- what moves tasks and timers ---------------------------------------------------------------------------

    def time(self) -> float:
        return self._clock.timestamp()

    def call_soon(
        self, callback: Callable[[*Ts], object], *args: *Ts, context: Context | None = None
    ) -> asyncio.Handle:
        handle = asyncio.Handle(callback, args, self, context)
        self._clock.call_soon(lambda: _run(handle))
        return handle

    def call_later(
        self, delay: float, callback: Callable[[*Ts], object], *args: *Ts, context: Context | None = None
    ) -> asyncio.TimerHandle:
        return self._timer(self._clock.timestamp_ns() + round(delay * NS_PER_S), callback, args, context)

    def call_at(
        self, when: float, callback: Callable[[*Ts], object], *args: *Ts, context: Context | None = None
    ) -> asyncio.TimerHandle:
        return self._timer(round(when * NS_PER_S), callback, args, context)

    def _timer(
        self, due_ns: int, callback: Callable[..., object], args: Any, context: Context | None
    ) -> asyncio.TimerHandle:
        handle = asyncio.TimerHandle(due_ns / NS_PER_S, callback, args, self, context)
        self._clock.call_at(due_ns, lambda: _run(handle))
        return handle

    def _timer_handle_cancelled(self, handle: asyncio.TimerHandle) -> None:
        """A cancelled timer stays on the clock and does nothing when it is due."""

    def call_exception_handler(self, context: dict[str, Any]) -> None:
        error = context.get("exception") or NexusTraderError(str(context.get("message")))
        self._on_error("callback", error)

    # -- what a virtual run cannot have ---------------------------------------------------------------------------

    def call_soon_threadsafe(
        self, callback: Callable[[*Ts], object], *args: *Ts, context: Context | None = None
    ) -> asyncio.Handle:
        del callback, args, context
        self._refuse("calls from another thread")

    def run_in_executor(
        self, executor: Executor | None, func: Callable[[*Ts], T], *args: *Ts
    ) -> asyncio.Future[T]:
        del executor, func, args
        self._refuse("threads and no network")  # names are looked up, and files read, in an executor

    def run_forever(self) -> None:
        self._refuse("loop of its own to run; it is driven by the bars")

    def _refuse(self, what: str) -> NoReturn:
        raise NexusTraderError(
            f"{self._kind} has no {what}: time is virtual, and a run must give the same result every time. "
            "Use the strategy's own requests, or keep this code out of it"
        )


def _run(handle: asyncio.Handle) -> None:
    if not handle.cancelled():
        handle._run()
