from __future__ import annotations

import asyncio
import os
import signal
import subprocess
import sys
import textwrap
import threading
import time
from collections.abc import Iterator

import pytest
from loguru import logger

from nexustrader.error import OutcomeUnknown
from nexustrader.kernel.tasks import IoThread, TaskManager


async def for_ever() -> None:
    await asyncio.Event().wait()


async def fail() -> None:
    raise ZeroDivisionError


# -- tasks -------------------------------------------------------------------------------------------------


async def test_result_of_a_task_is_available_and_the_task_forgotten() -> None:
    async def answer() -> int:
        return 42

    manager = TaskManager(asyncio.get_running_loop())
    task = manager.create_task(answer(), "answer")
    assert manager.task_names == ["answer"]
    assert await task == 42
    await asyncio.sleep(0)
    assert manager.task_names == []
    assert manager.dead_count == 0


async def test_dead_task_is_told() -> None:
    dead: list[tuple[str, BaseException]] = []
    manager = TaskManager(asyncio.get_running_loop(), on_dead=lambda name, exc: dead.append((name, exc)))
    task = manager.create_task(fail(), "reader")
    await asyncio.wait([task])
    await asyncio.sleep(0)
    assert [(name, type(exc)) for name, exc in dead] == [("reader", ZeroDivisionError)]
    assert manager.dead_count == 1


async def test_dead_task_is_logged_when_nobody_listens() -> None:
    lines: list[str] = []
    sink = logger.add(lines.append, format="{message}")
    manager = TaskManager(asyncio.get_running_loop())
    await asyncio.wait([manager.create_task(fail(), "reader")])
    await asyncio.sleep(0)
    logger.remove(sink)
    assert "task 'reader' died" in lines[0]
    assert "ZeroDivisionError" in lines[0]


async def test_cancelled_task_is_not_dead() -> None:
    manager = TaskManager(asyncio.get_running_loop(), on_dead=lambda name, exc: pytest.fail(name))
    manager.create_task(for_ever(), "a")
    manager.create_task(for_ever(), "b")
    await asyncio.sleep(0)
    assert await manager.cancel_all() == []
    assert manager.task_names == []


async def test_cancel_all_spares_the_task_that_calls_it() -> None:
    manager = TaskManager(asyncio.get_running_loop())
    manager.create_task(for_ever(), "other")
    assert await manager.create_task(manager.cancel_all(), "closer") == []


async def stubborn(released: asyncio.Event) -> None:
    while not released.is_set():
        try:
            await released.wait()
        except asyncio.CancelledError:
            continue


async def test_cancel_all_gives_up_at_its_time_cap_and_names_the_stubborn() -> None:
    manager = TaskManager(asyncio.get_running_loop())
    released = asyncio.Event()
    task = manager.create_task(stubborn(released), "stubborn")
    manager.create_task(for_ever(), "obedient")
    await asyncio.sleep(0)
    assert await manager.cancel_all(timeout_s=0.02) == ["stubborn"]
    released.set()
    await task


async def test_hurry_ends_the_wait_of_cancel_all() -> None:
    manager = TaskManager(asyncio.get_running_loop())
    released = asyncio.Event()
    task = manager.create_task(stubborn(released), "stubborn")
    await asyncio.sleep(0)
    manager._on_signal(signal.SIGINT, None)
    manager._on_signal(signal.SIGINT, None)
    assert await manager.cancel_all(timeout_s=60) == ["stubborn"]
    assert manager.is_hurried
    released.set()
    await task


# -- shutdown ----------------------------------------------------------------------------------------------


async def test_wait_ends_when_shutdown_is_requested_from_another_thread() -> None:
    manager = TaskManager(asyncio.get_running_loop())
    threading.Timer(0.01, manager.request_shutdown).start()
    await asyncio.wait_for(manager.wait(), timeout=5)
    assert manager._shutdown_event.is_set()
    assert not manager.is_hurried


def test_request_before_the_loop_runs_is_kept_and_after_it_ignored() -> None:
    loop = asyncio.new_event_loop()
    manager = TaskManager(loop)
    manager.request_shutdown()
    loop.run_until_complete(asyncio.wait_for(manager.wait(), timeout=5))
    loop.close()
    manager.request_shutdown()


async def test_signal_handlers_are_refused_off_the_main_thread() -> None:
    manager = TaskManager(asyncio.get_running_loop())
    before = signal.getsignal(signal.SIGINT)
    assert await asyncio.to_thread(manager.install_signal_handlers) is False
    assert signal.getsignal(signal.SIGINT) is before


async def test_signal_handlers_are_put_back() -> None:
    manager = TaskManager(asyncio.get_running_loop())
    before = signal.getsignal(signal.SIGINT), signal.getsignal(signal.SIGTERM)
    assert manager.install_signal_handlers()
    assert manager.install_signal_handlers()
    assert signal.getsignal(signal.SIGTERM) == manager._on_signal
    manager.restore_signal_handlers()
    manager.restore_signal_handlers()
    assert (signal.getsignal(signal.SIGINT), signal.getsignal(signal.SIGTERM)) == before


PROGRAM = """
import asyncio, sys, time
import uvloop
from nexustrader.kernel.tasks import TaskManager

loop = {loop}()
manager = TaskManager(loop)
manager.install_signal_handlers()

async def main():
    print("ready", flush=True)
    {body}

try:
    loop.run_until_complete(main())
except KeyboardInterrupt:
    print("interrupted")
"""

GRACEFUL = "await manager.wait(); print('shutdown, hurried:', manager.is_hurried)"
SLOW_CLEANUP = (
    "await manager.wait(); print('cleaning', flush=True); await manager._hurry_event.wait(); print('hurried')"
)
BLOCKED = "\n    while True: time.sleep(0.01)"


@pytest.fixture(params=["asyncio.new_event_loop", "uvloop.new_event_loop"])
def loop_factory(request: pytest.FixtureRequest) -> str:
    return str(request.param)


class Child:
    """A Python process that runs PROGRAM; its output line by line."""

    def __init__(self, loop_factory: str, body: str) -> None:
        program = textwrap.dedent(PROGRAM).format(loop=loop_factory, body=body)
        self.process = subprocess.Popen([sys.executable, "-c", program], stdout=subprocess.PIPE, text=True)
        assert self.line() == "ready"

    def line(self) -> str:
        assert self.process.stdout is not None
        return self.process.stdout.readline().strip()

    def end(self) -> int:
        assert self.process.stdout is not None
        self.process.stdout.close()
        return self.process.wait(timeout=20)


@pytest.mark.slow
@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
def test_one_signal_asks_for_a_graceful_end(loop_factory: str, number: signal.Signals) -> None:
    child = Child(loop_factory, GRACEFUL)
    child.process.send_signal(number)
    assert child.line() == "shutdown, hurried: False"
    assert child.end() == 0


@pytest.mark.slow
def test_second_signal_hurries(loop_factory: str) -> None:
    child = Child(loop_factory, SLOW_CLEANUP)
    child.process.send_signal(signal.SIGINT)
    assert child.line() == "cleaning"
    child.process.send_signal(signal.SIGINT)
    assert child.line() == "hurried"
    assert child.end() == 0


@pytest.mark.slow
def test_second_signal_breaks_into_user_code_that_blocks_the_loop(loop_factory: str) -> None:
    child = Child(loop_factory, BLOCKED)
    child.process.send_signal(signal.SIGINT)
    time.sleep(1.5)
    child.process.send_signal(signal.SIGINT)
    assert child.line() == "interrupted"
    assert child.end() == 0


# -- IoThread ----------------------------------------------------------------------------------------------


@pytest.fixture
def io() -> Iterator[IoThread]:
    thread = IoThread("test-io")
    yield thread
    assert thread.stop()


def test_result_comes_from_the_other_thread(io: IoThread) -> None:
    async def where() -> str:
        await asyncio.sleep(0)
        return threading.current_thread().name

    assert io.run(where(), timeout_s=5) == "test-io"


async def test_blocking_request_works_while_the_calling_loop_is_blocked(io: IoThread) -> None:
    assert io.run(asyncio.sleep(0.001, "answer"), timeout_s=5) == "answer"


def test_thread_starts_at_the_first_request_only() -> None:
    thread = IoThread("lazy-io")
    assert "lazy-io" not in [other.name for other in threading.enumerate()]
    assert thread.stop()


def test_exception_of_the_coroutine_is_raised_to_the_caller(io: IoThread) -> None:
    with pytest.raises(ZeroDivisionError):
        io.run(fail(), timeout_s=5)


def test_no_answer_in_time_is_an_unknown_outcome_and_cancels(io: IoThread) -> None:
    cancelled = threading.Event()

    async def slow() -> None:
        try:
            await for_ever()
        finally:
            cancelled.set()

    with pytest.raises(OutcomeUnknown, match=r"slow.* within 0.01 s; it may have been carried out"):
        io.run(slow(), timeout_s=0.01)
    assert cancelled.wait(5)


def test_timeout_error_of_the_coroutine_itself_is_passed_on(io: IoThread) -> None:
    async def own_timeout() -> None:
        raise TimeoutError("mine")

    with pytest.raises(TimeoutError, match="mine"):
        io.run(own_timeout(), timeout_s=5)


def test_blocking_request_on_the_thread_itself_is_refused(io: IoThread) -> None:
    async def nested() -> None:
        io.run(asyncio.sleep(0), timeout_s=5)

    with pytest.raises(RuntimeError, match="would wait for itself"):
        io.run(nested(), timeout_s=5)


def test_stop_cancels_what_runs_and_refuses_what_comes() -> None:
    io = IoThread()
    outcomes: list[str] = []

    def ask() -> None:
        try:
            io.run(for_ever(), timeout_s=30)
        except BaseException as exc:
            outcomes.append(type(exc).__name__)

    caller = threading.Thread(target=ask)
    io.run(asyncio.sleep(0), timeout_s=5)
    caller.start()
    while not [task for task in asyncio.all_tasks(io._loop) if "for_ever" in repr(task)]:
        os.sched_yield()
    assert io.stop()
    assert io.stop()
    caller.join(5)
    assert outcomes == ["CancelledError"]
    with pytest.raises(RuntimeError, match="is stopped"):
        io.run(for_ever(), timeout_s=1)
