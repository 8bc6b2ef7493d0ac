"""Strikes that overlap: each hook does its own part, removes itself, and leaves the others alone."""

from __future__ import annotations

import asyncio
from collections.abc import Iterator

import pytest

from nexustrader.chaos import strikes
from nexustrader.chaos.network import Pipe, Process
from nexustrader.chaos.plan import Plan
from nexustrader.chaos.run import Run
from nexustrader.domain import events as ev
from nexustrader.kernel.entropy import Entropy

CREATE = b'{"method":"order.place"}'
RECORD = ev.Delivered(timestamp=1)


@pytest.fixture
def run() -> Iterator[Run]:
    run = Run(Plan(seed=1))
    yield run
    run.loop.close()


def test_hooks_of_one_send_are_all_called_and_the_spent_ones_leave_the_others(run: Run) -> None:
    seen: list[bytes] = []
    run.network.before_send.append(seen.append)
    strikes.cut_after_send(run, Entropy(1))
    strikes.kill_at_send(run, Entropy(2))
    strikes.cut_after_send(run, Entropy(3))
    run.network.count_send(b"a query")
    assert run.fired == {"kill_at_send": 1}
    run.network.count_send(CREATE)
    assert run.fired == {"kill_at_send": 1, "cut_after_send": 2}
    run.network.count_send(CREATE)
    assert seen == [b"a query", CREATE, CREATE]
    assert len(run.network.before_send) == 1


def test_hooks_of_the_disk_each_count_for_themselves(run: Run) -> None:
    for seed in range(6):
        strikes.kill_at_append(run, Entropy(seed))
    for _ in range(12):
        for hook in (*run.disk.before_append, *run.disk.after_append):
            hook(RECORD)
    assert run.fired == {"kill_at_append": 6}
    assert not run.disk.before_append
    assert not run.disk.after_append


def test_windows_on_frames_end_each_at_its_own_time(run: Run) -> None:
    pipe = Pipe(run.network, Process(), lambda _frame: None)
    strikes.lose_replies(run, Entropy(1))  # for 9 to 20 seconds
    strikes.repeat_frames(run, Entropy(1))  # for 6
    run.loop.run_until_complete(asyncio.sleep(8))
    assert run.network.become(pipe, b"news") == []
    run.loop.run_until_complete(asyncio.sleep(13))
    assert run.network.become(pipe, b"news") == [(0.0, b"news")]
    assert not run.network.frame_changes


def test_what_two_windows_make_of_a_frame_adds_up(run: Run) -> None:
    pipe = Pipe(run.network, Process(), lambda _frame: None)
    run.network.frame_changes.append(lambda _pipe, frame: [(0.0, frame), (2.0, frame + b"'")])
    run.network.frame_changes.append(lambda _pipe, frame: [(1.0, frame)])
    assert run.network.become(pipe, b"news") == [(1.0, b"news"), (3.0, b"news'")]
