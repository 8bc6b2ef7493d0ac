"""Work in the background, by name."""

from __future__ import annotations

import asyncio
import gc
import warnings
from typing import Any

from nexustrader.execution.errands import Errands
from virtual_time import LoopClock, run_virtual


def test_an_errand_that_is_cancelled_before_it_began_leaves_nothing_that_nobody_awaits() -> None:
    done: list[str] = []

    async def work() -> None:
        done.append("work")

    async def main(_clock: LoopClock) -> None:
        tasks: list[asyncio.Task[Any]] = []
        errands = Errands(lambda coro, name: tasks.append(asyncio.ensure_future(coro)))
        errands.begin("doubt", "1", work)
        errands.begin("doubt", "1", work)
        assert len(tasks) == 1
        tasks[0].cancel()
        await asyncio.gather(*tasks, return_exceptions=True)

    with warnings.catch_warnings():
        warnings.simplefilter("error")
        run_virtual(main)
        gc.collect()
    assert done == []


def test_the_same_errand_may_begin_again_once_it_has_ended() -> None:
    done: list[str] = []

    async def work() -> None:
        done.append("work")

    async def main(_clock: LoopClock) -> None:
        errands = Errands(lambda coro, name: asyncio.ensure_future(coro))
        for _ in range(2):
            errands.begin("doubt", "1", work)
            assert errands.is_busy("doubt", "1")
            await asyncio.sleep(0.01)
            assert not errands.is_busy("doubt", "1")

    run_virtual(main)
    assert done == ["work", "work"]
