from __future__ import annotations

import asyncio
from collections.abc import Coroutine
from datetime import UTC, datetime, timedelta
from typing import Any
from zoneinfo import ZoneInfo

import apscheduler.triggers.cron
import apscheduler.triggers.date
import apscheduler.triggers.interval
import pytest
from apscheduler.triggers.cron import CronTrigger

from nexustrader.kernel.clock import LiveClock, VirtualClock, datetime_to_ns
from nexustrader.kernel.entropy import Entropy
from nexustrader.kernel.scheduler import Scheduler

BEGIN = datetime(2025, 3, 10, 12, 0, 0, 250_000, tzinfo=UTC)


class World:
    """A virtual clock, a scheduler on it, and what the jobs did."""

    def __init__(self, begin: datetime = BEGIN) -> None:
        self.clock = VirtualClock(datetime_to_ns(begin, UTC))
        self.errors: list[tuple[str, Exception]] = []
        self.spawned: list[tuple[str, Coroutine[Any, Any, Any]]] = []
        self.runs: list[datetime] = []
        self.scheduler = Scheduler(
            self.clock,
            on_error=lambda name, exc: self.errors.append((name, exc)),
            spawn=lambda coro, name: self.spawned.append((name, coro)),
            entropy=Entropy(1),
        )
        self.scheduler.start()

    def note(self) -> None:
        self.runs.append(self.clock.utc_now())

    def advance(self, **duration: float) -> None:
        self.clock.advance_to(datetime_to_ns(self.clock.utc_now() + timedelta(**duration), UTC))

    def run_spawned(self) -> None:
        """Runs each spawned coroutine to its end; none of them really waits."""
        while self.spawned:
            with pytest.raises(StopIteration):
                self.spawned.pop(0)[1].send(None)


@pytest.fixture
def world() -> World:
    return World()


@pytest.fixture(autouse=True)
def no_system_time(monkeypatch: pytest.MonkeyPatch) -> None:
    """APScheduler's modules get a `datetime` that refuses to tell the time."""

    class Timeless(datetime):
        @classmethod
        def now(cls, tz: Any = None) -> Timeless:
            raise AssertionError("a trigger read the system's clock")

    for module in (apscheduler.triggers.interval, apscheduler.triggers.date):
        monkeypatch.setattr(module, "datetime", Timeless)


def seconds_after_begin(world: World) -> list[float]:
    return [(run - BEGIN).total_seconds() for run in world.runs]


# -- triggers ----------------------------------------------------------------------------------------------


def test_interval_runs_first_one_interval_from_now(world: World) -> None:
    world.scheduler.add(world.note, "interval", seconds=10)
    world.advance(seconds=35)
    assert seconds_after_begin(world) == [10, 20, 30]


def test_interval_is_the_default_trigger(world: World) -> None:
    world.scheduler.add(world.note, minutes=1, seconds=30)
    world.advance(minutes=3)
    assert seconds_after_begin(world) == [90, 180]


def test_interval_with_bounds(world: World) -> None:
    start, end = BEGIN + timedelta(seconds=3), BEGIN + timedelta(seconds=13)
    world.scheduler.add(world.note, "interval", seconds=5, start_date=start, end_date=end)
    world.advance(minutes=5)
    assert seconds_after_begin(world) == [3, 8, 13]
    assert world.scheduler.jobs == []


def test_interval_with_a_past_start_joins_its_schedule(world: World) -> None:
    world.scheduler.add(world.note, "interval", seconds=60, start_date=BEGIN - timedelta(seconds=90))
    world.advance(seconds=100)
    assert seconds_after_begin(world) == [30, 90]


def test_fractional_interval_does_not_drift(world: World) -> None:
    world.scheduler.add(world.note, "interval", seconds=0.1)
    world.advance(minutes=10)
    assert len(world.runs) == 6000
    assert world.runs[-1] - BEGIN == timedelta(minutes=10)


def test_cron_in_utc_under_virtual_time(world: World) -> None:
    world.scheduler.add(world.note, "cron", minute="*/15", second=30)
    world.advance(minutes=40)
    assert [run.strftime("%H:%M:%S") for run in world.runs] == ["12:00:30", "12:15:30", "12:30:30"]


def test_date_runs_once(world: World) -> None:
    job = world.scheduler.add(world.note, "date", run_date=BEGIN + timedelta(hours=1))
    assert job.next_run_time == BEGIN + timedelta(hours=1)
    world.advance(days=2)
    assert seconds_after_begin(world) == [3600]
    assert job.next_run_time is None
    assert world.scheduler.jobs == []


def test_date_as_text_is_in_the_clocks_timezone(world: World) -> None:
    job = world.scheduler.add(world.note, "date", run_date="2025-03-11 08:00:00")
    assert job.next_run_time == datetime(2025, 3, 11, 8, tzinfo=UTC)


def test_date_without_a_date_runs_now(world: World) -> None:
    world.scheduler.add(world.note, "date")
    world.advance(seconds=0)
    assert seconds_after_begin(world) == [0]


@pytest.mark.parametrize(("late_s", "runs"), [(0.5, 1), (1.5, 0)])
def test_date_that_is_past_runs_only_when_barely_so(world: World, late_s: float, runs: int) -> None:
    world.scheduler.add(world.note, "date", run_date=BEGIN - timedelta(seconds=late_s))
    world.advance(seconds=5)
    assert len(world.runs) == runs


def test_trigger_object_is_used_as_it_is(world: World) -> None:
    world.scheduler.add(world.note, CronTrigger(hour=13, minute=0, timezone="UTC"))
    world.advance(hours=2)
    assert [run.hour for run in world.runs] == [13]
    with pytest.raises(TypeError, match="takes no further arguments"):
        world.scheduler.add(world.note, CronTrigger(hour=13), minute=5)


# -- summer time -------------------------------------------------------------------------------------------


def test_cron_keeps_its_wall_clock_hour_across_summer_time() -> None:
    world = World(datetime(2025, 3, 28, 12, tzinfo=UTC))
    world.scheduler.add(world.note, "cron", hour=9, minute=0, timezone="Europe/Berlin")
    world.advance(days=4)
    assert [run.strftime("%d %H:%M") for run in world.runs] == [
        "29 08:00",
        "30 07:00",
        "31 07:00",
        "01 07:00",
    ]


def test_cron_of_an_hour_that_comes_twice_runs_hourly_without_a_gap() -> None:
    world = World(datetime(2025, 10, 25, 22, 30, tzinfo=UTC))
    world.scheduler.add(world.note, "cron", minute=0, timezone=ZoneInfo("Europe/Berlin"))
    world.advance(hours=5)
    assert [run.hour for run in world.runs] == [23, 0, 1, 2, 3]


def test_interval_is_elapsed_time_across_summer_time() -> None:
    world = World(datetime(2025, 3, 29, 12, tzinfo=UTC))
    world.scheduler.add(world.note, "interval", days=1, timezone="Europe/Berlin")
    world.advance(days=2)
    assert [run.hour for run in world.runs] == [12, 12]


# -- life of a job -----------------------------------------------------------------------------------------


def test_job_added_before_start_begins_at_start(world: World) -> None:
    world.scheduler.stop()
    job = world.scheduler.add(world.note, "interval", seconds=10)
    assert job.next_run_time is None
    world.advance(seconds=25)
    world.scheduler.start()
    world.scheduler.start()
    world.advance(seconds=10)
    assert seconds_after_begin(world) == [35]


def test_stop_ends_all_runs_and_start_begins_anew(world: World) -> None:
    world.scheduler.add(world.note, "interval", seconds=10)
    world.advance(seconds=15)
    world.scheduler.stop()
    world.advance(seconds=100)
    assert world.clock.next_ns() is None
    world.scheduler.start()
    world.advance(seconds=10)
    assert seconds_after_begin(world) == [10, 125]


def test_cancelled_job_does_not_run_again(world: World) -> None:
    def once() -> None:
        world.note()
        job.cancel()

    job = world.scheduler.add(once, "interval", seconds=1)
    world.advance(seconds=10)
    job.cancel()
    assert seconds_after_begin(world) == [1]
    assert world.scheduler.jobs == []


def test_missed_runs_are_coalesced_into_one(world: World) -> None:
    world.scheduler.add(world.note, "interval", seconds=1)
    world.scheduler.add(world.note, "cron", second="*/2")
    world.clock.set_time(world.clock.timestamp_ns() + 5_500_000_000)
    world.advance(seconds=1)
    assert seconds_after_begin(world) == [5.5, 5.5, 5.75, 6]


def test_blocked_until_a_scheduled_time_is_one_run_and_not_two(world: World) -> None:
    world.scheduler.add(world.note, "interval", seconds=1)
    world.clock.set_time(world.clock.timestamp_ns() + 5_000_000_000)
    world.advance(seconds=1)
    assert seconds_after_begin(world) == [5, 6]


def test_two_jobs_at_one_time_run_in_the_order_added(world: World) -> None:
    seen: list[str] = []
    for name in ("a", "b", "c"):
        world.scheduler.add(seen.append, "interval", seconds=1, args=[name])
    world.advance(seconds=2)
    assert seen == ["a", "b", "c", "a", "b", "c"]


def test_arguments_reach_the_function(world: World) -> None:
    seen: list[tuple[Any, ...]] = []
    world.scheduler.add(
        lambda *args, **kwargs: seen.append((args, kwargs)), seconds=1, args=(1, 2), kwargs={"x": 3}
    )
    world.advance(seconds=1)
    assert seen == [((1, 2), {"x": 3})]


def test_id_in_use_is_refused_unless_replaced(world: World) -> None:
    world.scheduler.add(world.note, seconds=1, id="rebalance")
    with pytest.raises(ValueError, match="'rebalance' is in use"):
        world.scheduler.add(world.note, seconds=2, id="rebalance")
    world.scheduler.add(world.note, seconds=4, id="rebalance", replace_existing=True)
    world.advance(seconds=4)
    assert seconds_after_begin(world) == [4]


def test_jitter_delays_each_run_and_is_seeded() -> None:
    def delays() -> list[float]:
        world = World()
        world.scheduler.add(world.note, seconds=10, jitter=2)
        world.advance(minutes=5)
        return [run % 10 for run in seconds_after_begin(world)]

    first = delays()
    assert first == delays()
    assert len(set(first)) > 10
    assert all(0 <= delay < 2 for delay in first)


# -- functions ---------------------------------------------------------------------------------------------


def test_exception_is_reported_and_the_job_goes_on(world: World) -> None:
    def broken() -> None:
        raise ZeroDivisionError

    world.scheduler.add(broken, seconds=1, name="hedge")
    world.advance(seconds=2)
    assert [(name, type(exc)) for name, exc in world.errors] == [("hedge", ZeroDivisionError)] * 2


def test_async_function_is_spawned_under_the_jobs_name(world: World) -> None:
    async def work(value: int) -> None:
        world.runs.append(BEGIN + timedelta(seconds=value))
        if value == 2:
            raise ValueError("broken")

    world.scheduler.add(work, seconds=1, args=[1], name="one")
    world.scheduler.add(work, seconds=1, args=[2], name="two")
    world.advance(seconds=1)
    assert [name for name, _ in world.spawned] == ["one", "two"]
    world.run_spawned()
    assert seconds_after_begin(world) == [1, 2]
    assert [name for name, _ in world.errors] == ["two"]


def test_async_run_is_left_out_while_the_one_before_goes_on(world: World) -> None:
    async def slow() -> None:
        world.note()

    job = world.scheduler.add(slow, seconds=1)
    world.advance(seconds=3)
    assert len(world.spawned) == 1
    assert job.skipped_count == 2
    world.run_spawned()
    world.advance(seconds=1)
    assert len(world.spawned) == 1
    world.run_spawned()


def test_async_function_without_a_spawner_is_reported(world: World) -> None:
    async def work() -> None: ...

    world.scheduler.spawn = None
    world.scheduler.add(work, seconds=1)
    world.advance(seconds=1)
    assert "given no spawn function" in str(world.errors[0][1])


@pytest.mark.parametrize(
    ("trigger", "arguments", "error", "message"),
    [
        ("weekly", {}, ValueError, "unknown trigger 'weekly'"),
        ("interval", {"fortnights": 1}, TypeError, "fortnights"),
        ("interval", {"seconds": -5}, ValueError, "must be positive"),
        ("cron", {"hour": "25"}, ValueError, "25"),
    ],
)
def test_unusable_arguments_are_refused_where_they_are_written(
    world: World, trigger: str, arguments: dict[str, Any], error: type[Exception], message: str
) -> None:
    with pytest.raises(error, match=message):
        world.scheduler.add(world.note, trigger, **arguments)
    assert world.scheduler.jobs == []


def test_live_scheduler_runs_on_the_loop() -> None:
    loop = asyncio.new_event_loop()
    clock = LiveClock(loop)
    runs: list[int] = []
    scheduler = Scheduler(clock, on_error=lambda name, exc: pytest.fail(f"{name}: {exc}"))
    scheduler.add(lambda: runs.append(clock.timestamp_ns()), "interval", seconds=0.005)
    scheduler.add(lambda: runs.append(-1), "cron", second="*", id="cron").cancel()
    scheduler.start()

    async def some_runs() -> None:
        while len(runs) < 3:
            await asyncio.sleep(0.001)

    loop.run_until_complete(asyncio.wait_for(some_runs(), timeout=20))
    scheduler.stop()
    clock.detach()
    loop.close()
    assert -1 not in runs
