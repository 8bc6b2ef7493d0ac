"""Tasks and threads of one engine: nothing dies silently, everything ends within a time."""

from __future__ import annotations

import asyncio
import signal
import threading
import time
from collections.abc import Callable, Coroutine
from types import FrameType
from typing import Any, TypeVar

from nexustrader.error import OutcomeUnknown
from nexustrader.kernel.log import get_logger

CANCEL_TIMEOUT_S = 5.0
LOOP_BLOCKED_AFTER_S = 1.0  # a loop that has not taken up a signal within this is blocked by user code
THREAD_JOIN_TIMEOUT_S = 5.0

_log = get_logger("TaskManager")

T = TypeVar("T")
OnDead = Callable[[str, BaseException], object]


class TaskManager:
    """The tasks of one event loop, and the wish to shut down.

    `on_dead(name, exception)` hears of every task that ended by an exception; without it they are logged.
    `dead_count` counts them. Cancelled tasks and those that return are not dead.
    """

    def __init__(self, loop: asyncio.AbstractEventLoop, on_dead: OnDead | None = None) -> None:
        self.on_dead = on_dead
        self.dead_count = 0
        self._loop = loop
        self._tasks: dict[asyncio.Task[Any], None] = {}  # in the order of their beginning, on every machine
        self._shutdown_event = asyncio.Event()
        self._hurry_event = asyncio.Event()
        self._signal_count = 0
        self._first_signal_s = 0.0
        self._previous_handlers: dict[signal.Signals, Any] = {}

    # -- tasks --------------------------------------------------------------------------------------------

    def create_task(self, coro: Coroutine[Any, Any, T], name: str | None = None) -> asyncio.Task[T]:
        """Runs `coro` on the loop and holds it until it ends. Engine's thread only."""
        task = self._loop.create_task(coro, name=name)
        self._tasks[task] = None
        task.add_done_callback(self._on_done)
        return task

    @property
    def task_names(self) -> list[str]:
        """Names of the tasks that have not ended."""
        return sorted(task.get_name() for task in self._tasks)

    def _on_done(self, task: asyncio.Task[Any]) -> None:
        self._tasks.pop(task, None)
        exc = None if task.cancelled() else task.exception()
        if exc is None:
            return
        self.dead_count += 1
        if self.on_dead is None:
            _log.error(f"task {task.get_name()!r} died", exc=exc)
        else:
            self.on_dead(task.get_name(), exc)

    async def cancel_all(self, timeout_s: float = CANCEL_TIMEOUT_S) -> list[str]:
        """Cancels every task but the caller's own and waits for them, at most `timeout_s`.

        Returns the names of those that did not end. A hurry (the second signal) ends the wait at once.
        """
        begun = [task for task in self._tasks if task is not asyncio.current_task()]
        for task in begun:
            task.cancel()
        pending = set(begun)
        hurry = self._loop.create_task(self._hurry_event.wait())
        deadline_s = self._loop.time() + timeout_s
        try:
            while pending and not hurry.done() and self._loop.time() < deadline_s:
                done, _ = await asyncio.wait(
                    {*pending, hurry},
                    timeout=deadline_s - self._loop.time(),
                    return_when=asyncio.FIRST_COMPLETED,
                )
                pending -= done
        finally:
            hurry.cancel()
        return sorted(task.get_name() for task in pending)

    # -- shutdown -----------------------------------------------------------------------------------------

    @property
    def is_hurried(self) -> bool:
        """Whether shutdown was asked for more than once: clean-up that may be skipped should be."""
        return self._hurry_event.is_set()

    def request_shutdown(self) -> None:
        """Ends `wait`. Any thread; also before the loop runs. Does nothing once the loop is closed."""
        self._set_from_anywhere(self._shutdown_event)

    async def wait(self) -> None:
        """Returns when shutdown was requested."""
        await self._shutdown_event.wait()

    def install_signal_handlers(self) -> bool:
        """Makes SIGINT and SIGTERM request shutdown; a second one hurries it.

        Returns False, and changes nothing, off the main thread: only there may Python handle signals. A
        signal after the first raises KeyboardInterrupt in whatever runs if the loop has not taken up the
        first one for a second, because user code blocks it; so does every signal after the second.
        """
        if threading.current_thread() is not threading.main_thread():
            return False
        for number in (signal.SIGINT, signal.SIGTERM):
            previous = signal.signal(number, self._on_signal)
            self._previous_handlers.setdefault(number, previous)
        return True

    def restore_signal_handlers(self) -> None:
        """Puts back the handlers that were there before."""
        while self._previous_handlers:
            number, previous = self._previous_handlers.popitem()
            signal.signal(number, previous)

    def _on_signal(self, _number: int, _frame: FrameType | None) -> None:
        # Race: this runs between any two bytecodes of the main thread, so it only leaves a note for the loop.
        self._signal_count += 1
        if self._signal_count == 1:
            self._first_signal_s = time.monotonic()
            self.request_shutdown()
            return
        self._set_from_anywhere(self._hurry_event)
        waited_s = time.monotonic() - self._first_signal_s
        is_blocked = not self._shutdown_event.is_set() and waited_s >= LOOP_BLOCKED_AFTER_S
        if is_blocked or self._signal_count > 2:
            raise KeyboardInterrupt

    def _set_from_anywhere(self, event: asyncio.Event) -> None:
        if not self._loop.is_closed():
            self._loop.call_soon_threadsafe(event.set)


class IoThread:
    """A daemon thread with an event loop of its own, for blocking questions from the engine's thread.

    The engine's loop is blocked while `run` waits, so the answer must come by another loop: this one.
    Started at the first `run`.
    """

    def __init__(self, name: str = "nexustrader-io") -> None:
        self._name = name
        self._lock = threading.Lock()
        self._loop: asyncio.AbstractEventLoop | None = None
        self._thread: threading.Thread | None = None
        self._is_stopped = False

    def run(self, coro: Coroutine[Any, Any, T], timeout_s: float) -> T:
        """Runs `coro` on the thread and returns its result, or raises its exception.

        Raises OutcomeUnknown when there is no answer within `timeout_s`; the coroutine is then cancelled.
        Raises RuntimeError after `stop`, and on the thread itself, where waiting would be for ever.
        """
        try:
            future = asyncio.run_coroutine_threadsafe(coro, self._started_loop())
        except RuntimeError:
            coro.close()
            raise
        try:
            return future.result(timeout_s)
        except TimeoutError:
            if future.done() and not future.cancelled():
                raise  # the coroutine's own timeout error, not ours
            raise OutcomeUnknown(
                f"no answer to {coro} within {timeout_s} s; it may have been carried out: ask for the state "
                "before repeating it"
            ) from None
        finally:
            future.cancel()

    def stop(self, timeout_s: float = THREAD_JOIN_TIMEOUT_S) -> bool:
        """Cancels what runs and joins the thread; may be repeated. False when it did not end in time."""
        with self._lock:
            self._is_stopped = True
            loop, thread = self._loop, self._thread
        if loop is None or thread is None:
            return True
        if not loop.is_closed():
            loop.call_soon_threadsafe(loop.stop)
        thread.join(timeout_s)
        return not thread.is_alive()

    def _started_loop(self) -> asyncio.AbstractEventLoop:
        with self._lock:
            if self._is_stopped:
                raise RuntimeError(f"thread {self._name!r} is stopped; blocking requests end with the engine")
            if self._thread is threading.current_thread():
                raise RuntimeError(f"a blocking request on {self._name!r} would wait for itself; await it")
            if self._loop is None:
                self._loop = asyncio.new_event_loop()
                self._thread = threading.Thread(
                    target=_serve, args=(self._loop,), name=self._name, daemon=True
                )
                self._thread.start()
            return self._loop


def _serve(loop: asyncio.AbstractEventLoop) -> None:
    asyncio.set_event_loop(loop)
    try:
        loop.run_forever()
        tasks = asyncio.all_tasks(loop)
        for task in tasks:
            task.cancel()
        loop.run_until_complete(asyncio.gather(*tasks, return_exceptions=True))
    finally:
        loop.close()
