from __future__ import annotations

import asyncio
import time
from collections.abc import Callable, Iterator
from datetime import UTC, datetime, timedelta, timezone

import pytest
import uvloop
from hypothesis import given
from hypothesis import strategies as st

from nexustrader.kernel import clock as clock_module
from nexustrader.kernel.clock import (
    CANCELLED_KEPT_MAX,
    EngineClock,
    LiveClock,
    TimeEvent,
    TimerQueue,
    VirtualClock,
    datetime_to_ns,
    ns_to_datetime,
)
from nexustrader.kernel.ports import Clock, TimerHandle

S = 1_000_000_000
MS = 1_000_000
START_NS = 1_700_000_000 * S


class Source:
    """A time source that a test moves."""

    def __init__(self, now_ns: int) -> None:
        self.now_ns = now_ns

    def __call__(self) -> int:
        return self.now_ns


# -- both clocks -------------------------------------------------------------------------------------------


@pytest.mark.parametrize("clock", [LiveClock(), VirtualClock(START_NS + 123_456_789)])
def test_readings_agree(clock: EngineClock) -> None:
    satisfies_the_port: Clock = clock
    before_ns = clock.timestamp_ns()
    assert abs(satisfies_the_port.timestamp() - before_ns / S) < 0.1
    assert 0 <= clock.timestamp_ms() - before_ns // MS < 100
    now = clock.utc_now()
    assert now.tzinfo is UTC
    assert 0 <= datetime_to_ns(now, UTC) - before_ns // 1000 * 1000 < 100 * MS


@given(us=st.integers(min_value=0, max_value=4_000_000_000_000_000))
def test_datetime_conversion_is_exact_to_the_microsecond(us: int) -> None:
    assert datetime_to_ns(ns_to_datetime(us * 1000 + 999), UTC) == us * 1000


def test_naive_datetime_is_read_in_the_default_timezone() -> None:
    plus_two = timezone(timedelta(hours=2))
    assert datetime_to_ns(datetime(1970, 1, 1, 2), plus_two) == 0  # noqa: DTZ001 — a naive one is the point
    assert datetime_to_ns(datetime(1970, 1, 1, 2, tzinfo=UTC), plus_two) == 7200 * S


# -- VirtualClock: order -----------------------------------------------------------------------------------


def test_timers_run_in_time_order_and_see_their_own_time() -> None:
    clock = VirtualClock()
    seen: list[tuple[str, int]] = []

    def note(name: str) -> Callable[[], None]:
        return lambda: seen.append((name, clock.timestamp_ns()))

    clock.call_at(30, note("c"))
    clock.call_at(10, note("a"))
    clock.call_at(10, note("b"))
    clock.call_at(31, note("d"))
    clock.advance_to(30)
    assert seen == [("a", 10), ("b", 10), ("c", 30)]
    assert clock.timestamp_ns() == 30
    assert clock.next_ns() == 31


def test_call_soon_runs_before_the_next_timer_of_the_same_instant() -> None:
    clock = VirtualClock()
    seen: list[str] = []

    def first() -> None:
        seen.append("first")
        clock.call_soon(lambda: seen.append("soon"))

    clock.call_at(10, first)
    clock.call_at(10, lambda: seen.append("second"))
    clock.advance_to(10)
    assert seen == ["first", "soon", "second"]


def test_run_soon_drains_without_moving_time() -> None:
    clock = VirtualClock(5)
    seen: list[int] = []
    clock.call_soon(lambda: clock.call_soon(lambda: seen.append(clock.timestamp_ns())))
    clock.call_at(5, lambda: seen.append(-1))
    assert clock.next_ns() == 5
    clock.run_soon()
    assert seen == [5]


def test_a_call_is_due_from_its_time_on_unless_it_is_cancelled() -> None:
    clock = VirtualClock(5)
    assert not clock.has_due(100)
    timer = clock.call_at(10, lambda: None)
    assert (clock.has_due(9), clock.has_due(10)) == (False, True)
    timer.cancel()
    assert not clock.has_due(100)
    clock.call_soon(lambda: None)
    assert clock.has_due(5)


def test_cancelled_calls_do_not_run() -> None:
    clock = VirtualClock()
    handles: list[TimerHandle] = [
        clock.call_at(10, lambda: pytest.fail("cancelled timer ran")),
        clock.call_soon(lambda: pytest.fail("cancelled call ran")),
    ]
    for handle in handles * 2:
        handle.cancel()
    assert clock.next_ns() is None or clock.next_ns() == 0
    clock.advance_to(20)
    assert clock.next_ns() is None


def test_timer_may_cancel_another_one_due_at_the_same_time() -> None:
    clock = VirtualClock()
    clock.call_at(10, lambda: later.cancel())
    later = clock.call_at(10, lambda: pytest.fail("cancelled timer ran"))
    clock.advance_to(10)


def test_cancelling_after_the_call_is_harmless() -> None:
    clock = VirtualClock()
    handles = [clock.call_at(10, lambda: None) for _ in range(CANCELLED_KEPT_MAX * 3)]
    clock.call_at(20, lambda: None)
    clock.advance_to(10)
    for handle in handles:
        handle.cancel()
    assert len(clock._timers) == 1
    assert clock.next_ns() == 20


def test_time_never_goes_backwards() -> None:
    clock = VirtualClock(100)
    clock.set_time(50)
    assert clock.timestamp_ns() == 100
    clock.advance_to(60)
    assert clock.timestamp_ns() == 100
    clock.set_time(200)
    assert clock.timestamp_ns() == 200


def test_timer_set_for_the_past_runs_now() -> None:
    clock = VirtualClock(100)
    seen: list[int] = []
    clock.call_at(10, lambda: seen.append(clock.timestamp_ns()))
    clock.advance_to(90)
    assert seen == [100]


def test_exception_leaves_advance_and_the_rest_stays_scheduled() -> None:
    clock = VirtualClock()
    seen: list[int] = []
    clock.call_at(10, lambda: 1 / 0)
    clock.call_at(10, lambda: seen.append(clock.timestamp_ns()))
    with pytest.raises(ZeroDivisionError):
        clock.advance_to(20)
    clock.advance_to(20)
    assert seen == [10]


def test_callback_may_advance_the_clock_itself() -> None:
    clock = VirtualClock()
    seen: list[tuple[str, int]] = []

    def outer() -> None:
        clock.advance_to(25)
        seen.append(("outer", clock.timestamp_ns()))

    clock.call_at(10, outer)
    clock.call_at(20, lambda: seen.append(("inner", clock.timestamp_ns())))
    clock.call_at(30, lambda: seen.append(("after", clock.timestamp_ns())))
    clock.advance_to(40)
    assert seen == [("inner", 20), ("outer", 25), ("after", 30)]


@pytest.mark.parametrize("schedule", ["call_soon", "call_at"])
def test_endless_work_at_one_instant_is_an_error(schedule: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(clock_module, "CALLS_PER_INSTANT_MAX", 100)
    clock = VirtualClock()

    def again() -> None:
        if schedule == "call_soon":
            clock.call_soon(again)
        else:
            clock.call_at(0, again)

    again()
    with pytest.raises(RuntimeError, match="virtual time stands at 0 ns"):
        clock.advance_to(1)


@given(
    plan=st.lists(st.tuples(st.integers(0, 20), st.booleans(), st.integers(0, 5)), max_size=40),
    steps=st.lists(st.integers(0, 30), max_size=6),
)
def test_any_plan_runs_as_a_stable_sort_would(plan: list[tuple[int, bool, int]], steps: list[int]) -> None:
    """Each item: when, cancelled?, and a follow-up scheduled so much later by the callback (0: none)."""
    clock = VirtualClock()
    seen: list[tuple[int, int]] = []

    def run(index: int, follow_up: int) -> None:
        seen.append((clock.timestamp_ns(), index))
        if follow_up:
            clock.call_at(clock.timestamp_ns() + follow_up, lambda: run(index, 0))

    for index, (when, is_cancelled, follow_up) in enumerate(plan):
        handle = clock.call_at(when, lambda index=index, follow_up=follow_up: run(index, follow_up))  # type: ignore[misc]  # lambda defaults
        if is_cancelled:
            handle.cancel()
    for step in steps:
        clock.advance_to(step)
    clock.advance_to(100)
    firsts = [(when, index) for index, (when, is_cancelled, _) in enumerate(plan) if not is_cancelled]
    follow_ups = [(when + plan[index][2], index) for when, index in firsts if plan[index][2]]
    assert sorted(seen) == sorted(firsts + follow_ups)
    assert [when for when, _ in seen] == sorted(when for when, _ in seen)
    own = [entry for entry in seen if entry in firsts and plan[entry[1]][2] == 0]
    assert own == sorted(own)


def test_cancelled_timers_do_not_pile_up() -> None:
    queue = TimerQueue()
    keep = [queue.push(10**9, lambda: None) for _ in range(10)]
    for when in range(5000):
        queue.push(when, lambda: None).cancel()
    assert len(queue) == len(keep)
    assert len(queue._heap) <= 2 * (len(keep) + CANCELLED_KEPT_MAX)


# -- named timers ------------------------------------------------------------------------------------------


@pytest.fixture
def clock() -> VirtualClock:
    return VirtualClock(START_NS)


def at(seconds: float) -> datetime:
    return ns_to_datetime(START_NS + int(seconds * S))


def test_timer_repeats_on_an_absolute_schedule(clock: VirtualClock) -> None:
    events: list[TimeEvent] = []

    def slow(event: TimeEvent) -> None:
        events.append(event)
        clock.set_time(clock.timestamp_ns() + 300 * MS)

    clock.set_timer("bars", timedelta(seconds=1), callback=slow)
    assert clock.next_time_ns("bars") == START_NS + S
    clock.advance_to(START_NS + 3 * S)
    assert [event.ts_event for event in events] == [START_NS + second * S for second in (1, 2, 3)]
    assert {event.name for event in events} == {"bars"}
    assert all(event.ts_init == event.ts_event for event in events)


def test_start_and_stop_bound_the_firings(clock: VirtualClock) -> None:
    seen: list[int] = []
    clock.set_timer("t", timedelta(seconds=2), at(5), at(9), lambda event: seen.append(event.ts_event))
    clock.advance_to(START_NS + 60 * S)
    assert [(ns - START_NS) / S for ns in seen] == [5, 7, 9]
    assert clock.timer_names == []


def test_start_in_the_past_joins_the_schedule(clock: VirtualClock) -> None:
    seen: list[int] = []
    clock.set_timer("t", timedelta(seconds=10), at(-25), None, lambda event: seen.append(event.ts_event))
    assert clock.next_time_ns("t") == START_NS + 5 * S
    clock.set_timer("now", timedelta(seconds=10), at(-20), None, lambda event: None)
    assert clock.next_time_ns("now") == START_NS


def test_timer_whose_stop_is_past_never_fires(clock: VirtualClock) -> None:
    clock.set_timer(
        "t", timedelta(seconds=1), None, at(0.5), lambda event: pytest.fail("fired after its stop")
    )
    clock.advance_to(START_NS + 5 * S)
    assert clock.timer_names == []


def test_naive_times_are_utc_under_virtual_time(clock: VirtualClock) -> None:
    clock.set_timer("t", timedelta(days=1), at(5).replace(tzinfo=None), None, lambda event: None)
    assert clock.next_time_ns("t") == START_NS + 5 * S


def test_same_name_replaces_the_timer(clock: VirtualClock) -> None:
    seen: list[str] = []
    clock.set_timer("t", timedelta(seconds=1), callback=lambda event: seen.append("old"))
    clock.set_timer("t", timedelta(seconds=2), callback=lambda event: seen.append("new"))
    clock.advance_to(START_NS + 4 * S)
    assert seen == ["new", "new"]


def test_timer_may_cancel_or_replace_itself(clock: VirtualClock) -> None:
    seen: list[str] = []

    def replace(event: TimeEvent) -> None:
        seen.append("first")
        clock.set_timer("t", timedelta(seconds=3), callback=stop)

    def stop(event: TimeEvent) -> None:
        seen.append("second")
        clock.cancel_timer("t")

    clock.set_timer("t", timedelta(seconds=1), callback=replace)
    clock.advance_to(START_NS + 60 * S)
    assert seen == ["first", "second"]


def test_cancel_is_silent_about_unknown_names_and_next_time_is_not(clock: VirtualClock) -> None:
    clock.cancel_timer("nothing")
    clock.set_timer("t", timedelta(seconds=1), callback=lambda event: None)
    clock.cancel_timers()
    with pytest.raises(KeyError, match="no timer is named 't'"):
        clock.next_time_ns("t")


def test_exception_in_a_callback_is_reported_and_the_timer_goes_on() -> None:
    reports: list[tuple[str, Exception]] = []
    clock = VirtualClock(START_NS, on_error=lambda name, exc: reports.append((name, exc)))
    clock.set_timer("t", timedelta(seconds=1), callback=lambda event: 1 / 0)
    clock.advance_to(START_NS + 2 * S)
    assert [name for name, _ in reports] == ["t", "t"]
    assert isinstance(reports[0][1], ZeroDivisionError)


def test_missed_firings_coalesce_into_the_latest(clock: VirtualClock) -> None:
    events: list[TimeEvent] = []
    clock.set_timer("t", timedelta(seconds=1), callback=events.append)
    clock.set_time(START_NS + 4 * S + 500 * MS)
    clock.advance_to(START_NS + 5 * S)
    assert [(event.ts_event - START_NS) / S for event in events] == [4, 5]
    assert events[0].ts_init == START_NS + 4 * S + 500 * MS


def test_unusable_timers_are_refused(clock: VirtualClock) -> None:
    with pytest.raises(ValueError, match="at least one microsecond"):
        clock.set_timer("t", timedelta(0), callback=lambda event: None)
    with pytest.raises(TypeError, match="no callback"):
        clock.set_timer("t", timedelta(seconds=1))
    assert clock.timer_names == []


# -- LiveClock ---------------------------------------------------------------------------------------------


def test_live_clock_starts_at_the_wall_clock() -> None:
    assert abs(LiveClock().timestamp_ns() - time.time_ns()) < 50 * MS


def test_wall_clock_set_back_is_ignored() -> None:
    wall, monotonic = Source(START_NS), Source(7 * S)
    clock = LiveClock(wall_ns=wall, monotonic_ns=monotonic)
    wall.now_ns -= 300 * S
    monotonic.now_ns += S
    assert clock.reanchor() == 0
    assert clock.timestamp_ns() == START_NS + S


def test_wall_clock_set_forward_moves_engine_time() -> None:
    wall, monotonic = Source(START_NS), Source(7 * S)
    clock = LiveClock(wall_ns=wall, monotonic_ns=monotonic)
    wall.now_ns += 61 * S
    monotonic.now_ns += S
    assert clock.timestamp_ns() == START_NS + S
    assert clock.reanchor() == 60 * S
    assert clock.timestamp_ms() == (START_NS + 61 * S) // MS


@given(moves=st.lists(st.tuples(st.integers(-(10**12), 10**12), st.integers(0, 10**10)), max_size=30))
def test_engine_time_is_monotone_whatever_the_wall_clock_does(moves: list[tuple[int, int]]) -> None:
    wall, monotonic = Source(START_NS), Source(0)
    clock = LiveClock(wall_ns=wall, monotonic_ns=monotonic)
    previous_ns = clock.timestamp_ns()
    for wall_step, elapsed in moves:
        wall.now_ns += wall_step
        monotonic.now_ns += elapsed
        clock.reanchor()
        now_ns = clock.timestamp_ns()
        assert now_ns >= previous_ns + elapsed
        assert now_ns >= wall.now_ns
        previous_ns = now_ns


@pytest.fixture(params=[asyncio.new_event_loop, uvloop.new_event_loop], ids=["asyncio", "uvloop"])
def loop(request: pytest.FixtureRequest) -> Iterator[asyncio.AbstractEventLoop]:
    loop = request.param()
    yield loop
    loop.close()


def run_for(loop: asyncio.AbstractEventLoop, seconds: float) -> None:
    loop.run_until_complete(asyncio.sleep(seconds))


def run_until(loop: asyncio.AbstractEventLoop, is_done: Callable[[], bool]) -> None:
    """Runs the loop for as long as it takes: how fast a busy machine is must not decide a test."""

    async def poll() -> None:
        while not is_done():
            await asyncio.sleep(0.001)

    loop.run_until_complete(asyncio.wait_for(poll(), timeout=20))


def test_live_timers_run_in_order_and_never_early(loop: asyncio.AbstractEventLoop) -> None:
    clock = LiveClock(loop)
    start_ns = clock.timestamp_ns()
    seen: list[tuple[int, int]] = []
    for delay_ms in (20, 5, 5, 12):
        due_ns = start_ns + delay_ms * MS + 300_000
        clock.call_at(due_ns, lambda due_ns=due_ns: seen.append((due_ns, clock.timestamp_ns())))  # type: ignore[misc]  # lambda defaults
    run_until(loop, lambda: len(seen) == 4)
    clock.detach()
    assert [due_ns for due_ns, _ in seen] == sorted(due_ns for due_ns, _ in seen)
    assert all(due_ns <= ran_ns for due_ns, ran_ns in seen)


def test_live_timer_wakes_the_loop_once_and_does_not_spin(
    loop: asyncio.AbstractEventLoop, monkeypatch: pytest.MonkeyPatch
) -> None:
    clock = LiveClock(loop)
    arm = clock._arm
    armed: list[int] = []

    def count_and_arm(on: asyncio.AbstractEventLoop) -> None:
        armed.append(clock.timestamp_ns())
        arm(on)

    monkeypatch.setattr(clock, "_arm", count_and_arm)
    ran: list[int] = []
    clock.call_at(clock.timestamp_ns() + 10_900_000, lambda: ran.append(clock.timestamp_ns()))
    run_until(loop, lambda: bool(ran))
    clock.detach()
    assert len(armed) <= 4


def test_timers_set_before_the_loop_wait_for_it(loop: asyncio.AbstractEventLoop) -> None:
    clock = LiveClock()
    seen: list[str] = []
    clock.call_soon(lambda: seen.append("soon"))
    clock.call_at(clock.timestamp_ns() + MS, lambda: seen.append("timer"))
    clock.attach(loop)
    run_until(loop, lambda: len(seen) == 2)
    clock.detach()
    assert seen == ["soon", "timer"]


def test_live_timer_set_for_the_past_runs_once_and_may_set_another(loop: asyncio.AbstractEventLoop) -> None:
    clock = LiveClock(loop)
    count = 0

    def again() -> None:
        nonlocal count
        count += 1
        clock.call_at(0, again)

    clock.call_at(0, again)
    clock.call_soon(lambda: None)
    run_until(loop, lambda: count >= 2)  # ends: the loop is not starved by a timer that is always due
    clock.detach()


def test_exception_in_a_live_timer_reaches_the_loop_and_others_fire(loop: asyncio.AbstractEventLoop) -> None:
    clock = LiveClock(loop)
    contexts: list[dict[str, object]] = []
    loop.set_exception_handler(lambda _, context: contexts.append(context))
    seen: list[int] = []
    due_ns = clock.timestamp_ns() + MS
    clock.call_at(due_ns, lambda: 1 / 0)
    clock.call_at(due_ns, lambda: seen.append(1))
    run_until(loop, lambda: seen == [1])
    clock.detach()
    assert isinstance(contexts[0]["exception"], ZeroDivisionError)


def test_live_named_timer_repeats_and_stops(loop: asyncio.AbstractEventLoop) -> None:
    clock = LiveClock(loop)
    events: list[TimeEvent] = []

    def callback(event: TimeEvent) -> None:
        events.append(event)
        if len(events) == 3:
            clock.cancel_timer("t")

    clock.set_timer("t", timedelta(milliseconds=5), callback=callback)
    run_until(loop, lambda: len(events) == 3)
    run_for(loop, 0.02)
    clock.detach()
    assert len(events) == 3
    assert len({(event.ts_event - events[0].ts_event) % (5 * MS) for event in events}) == 1


def test_timers_come_at_once_after_the_wall_clock_jumped_forward(
    loop: asyncio.AbstractEventLoop, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(clock_module, "REANCHOR_INTERVAL_NS", 5 * MS)
    shift_ns = 0
    clock = LiveClock(loop, wall_ns=lambda: time.time_ns() + shift_ns)
    seen: list[str] = []
    clock.call_at(clock.timestamp_ns() + 3600 * S, lambda: seen.append("an hour later"))
    run_for(loop, 0.01)
    assert seen == []
    shift_ns = 3600 * S
    run_until(loop, lambda: seen == ["an hour later"])
    clock.detach()


def test_detached_clock_keeps_its_timers_for_the_next_loop(loop: asyncio.AbstractEventLoop) -> None:
    clock = LiveClock(loop)
    seen: list[int] = []
    clock.call_at(clock.timestamp_ns() + MS, lambda: seen.append(1))
    clock.detach()
    run_for(loop, 0.01)
    assert seen == []
    clock.attach(loop)
    run_until(loop, lambda: seen == [1])
    clock.detach()
