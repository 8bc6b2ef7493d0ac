"""The loop under virtual time: time jumps, task steps are permuted by the seed, callbacks keep their order."""

from __future__ import annotations

import asyncio
import itertools
from collections.abc import Coroutine
from functools import partial
from typing import Any

import pytest

from nexustrader.chaos.loop import LoopClock, SeededLoop
from nexustrader.kernel.clock import NS_PER_S
from nexustrader.kernel.entropy import Entropy


def run(work: Coroutine[Any, Any, Any], seed: int | None = None) -> Any:
    loop = SeededLoop(None if seed is None else Entropy(seed))
    try:
        return loop.run_until_complete(work)
    finally:
        loop.close()


async def arrivals(count: int = 8) -> list[int]:
    seen: list[int] = []
    gate = asyncio.Event()

    async def wait(number: int) -> None:
        await gate.wait()
        seen.append(number)

    tasks = [asyncio.ensure_future(wait(number)) for number in range(count)]
    await asyncio.sleep(1)
    gate.set()
    await asyncio.gather(*tasks)
    return seen


def test_an_hour_of_sleep_takes_no_time_and_moves_the_loop_by_an_hour() -> None:
    async def work() -> float:
        loop = asyncio.get_running_loop()
        began = loop.time()
        await asyncio.sleep(3600)
        return loop.time() - began

    assert run(work()) == pytest.approx(3600)


def test_without_a_seed_tasks_run_in_the_order_of_asyncio() -> None:
    assert run(arrivals()) == list(range(8))


def test_seeds_permute_the_tasks_that_are_ready_together_and_the_same_seed_does_it_alike() -> None:
    orders = {seed: tuple(run(arrivals(), seed)) for seed in range(12)}
    assert len(set(orders.values())) > 6
    assert all(sorted(order) == list(range(8)) for order in orders.values())
    assert all(tuple(run(arrivals(), seed)) == order for seed, order in orders.items())


def test_plain_callbacks_keep_their_order_whatever_the_seed() -> None:
    async def work() -> list[int]:
        seen: list[int] = []
        loop = asyncio.get_running_loop()
        others = [asyncio.ensure_future(asyncio.sleep(0)) for _ in range(5)]
        for number in range(10):
            loop.call_soon(seen.append, number)
        await asyncio.gather(*others)
        await asyncio.sleep(0.1)
        return seen

    assert all(run(work(), seed) == list(range(10)) for seed in range(20))


def test_a_loop_that_waits_for_nothing_says_so_instead_of_hanging() -> None:
    with pytest.raises(RuntimeError, match="virtual time stands still"):
        run(asyncio.Event().wait())


def test_a_clock_follows_a_step_forward_and_goes_on_evenly_when_it_is_set_back() -> None:
    async def work() -> list[int]:
        clock = LoopClock(asyncio.get_running_loop(), offset_s=-2.0)
        readings = [clock.timestamp_ms()]
        for seconds in (-300.0, 5.0):
            clock.step(seconds)
            await asyncio.sleep(1)
            readings.append(clock.timestamp_ms())
        return [later - earlier for earlier, later in itertools.pairwise(readings)]

    assert run(work()) == [1_000, 6_000]


def test_a_step_forward_calls_what_is_due_by_then_and_leaves_the_rest_at_its_time() -> None:
    async def work() -> list[tuple[str, float]]:
        loop = asyncio.get_running_loop()
        clock = LoopClock(loop)
        seen: list[tuple[str, float]] = []

        def note(name: str) -> None:
            seen.append((name, loop.time()))

        began_ns = clock.timestamp_ns()
        for name, after_s in (("late", 12), ("second", 3), ("first", 2)):
            clock.call_at(began_ns + after_s * NS_PER_S, partial(note, name))
        clock.call_at(began_ns + NS_PER_S, partial(note, "never")).cancel()
        clock.step(10.0)
        await asyncio.sleep(20)
        return seen

    assert run(work()) == [
        ("first", pytest.approx(0)),
        ("second", pytest.approx(0)),
        ("late", pytest.approx(2)),
    ]


def test_a_blocked_loop_lets_time_pass_without_running_anything() -> None:
    async def work() -> float:
        loop = asyncio.get_running_loop()
        assert isinstance(loop, SeededLoop)
        seen: list[float] = []
        loop.call_later(1.0, lambda: seen.append(loop.time()))
        loop.block(5.0)
        await asyncio.sleep(0.1)
        return seen[0]

    assert run(work()) == pytest.approx(5.0)
