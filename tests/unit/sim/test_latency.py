"""Delays of messages: models, and the promise that none overtakes another."""

from __future__ import annotations

from decimal import Decimal
from typing import Any

import pytest
from exchange_setup import BUY, LIMIT, MARKET, START_MS, Bench
from hypothesis import given
from hypothesis import strategies as st

from nexustrader.domain import events as ev
from nexustrader.error import OrderError
from nexustrader.kernel.clock import NS_PER_MS, VirtualClock
from nexustrader.kernel.entropy import Entropy
from nexustrader.sim.latency import (
    ConstantDelay,
    Lane,
    Latency,
    LogNormalDelay,
    RecordedDelay,
    SampledDelay,
)
from nexustrader.sim.settings import Assumptions

RECORDED = RecordedDelay(((START_MS, 10.0), (START_MS + 1_000, 40.0), (START_MS + 2_000, 5.0)))


def quoted(latency: Latency, **settings: Any) -> Bench:
    bench = Bench(assumed=Assumptions(latency=latency), **settings)
    bench.quote(100.0, 100.1)
    return bench


def test_a_recorded_delay_is_the_last_one_before_the_message() -> None:
    draw = Entropy(0)
    times = [START_MS - 5, START_MS, START_MS + 999, START_MS + 1_000, START_MS + 9_999]
    assert [RECORDED.ms_at(time, draw) for time in times] == [10, 10, 10, 40, 5]


def test_drawn_delays_follow_the_seed_and_stay_below_their_ceiling() -> None:
    for delay in (SampledDelay((1.0, 2.0, 7.5)), LogNormalDelay(median_ms=20, sigma=2, ceiling_ms=100)):
        first, again, other = ([delay.ms_at(0, draw) for _ in range(200)] for draw in map(Entropy, (1, 1, 2)))
        assert first == again != other
        assert max(first) <= delay.max_ms
        assert len(set(first)) > 2
    median = sorted(LogNormalDelay(median_ms=20).ms_at(0, draw) for draw in [Entropy(3)] for _ in range(999))
    assert median[500] == pytest.approx(20, rel=0.1)


@given(st.lists(st.tuples(st.integers(0, 30), st.integers(0, 50)), max_size=60), st.integers(0, 5))
def test_messages_arrive_in_the_order_in_which_they_were_sent(
    sends: list[tuple[int, int]], seed: int
) -> None:
    clock = VirtualClock(0)
    lane = Lane(clock, Entropy(seed))
    arrived: list[tuple[int, int]] = []
    for number, (pause, delay) in enumerate(sends):
        clock.advance_to(clock.timestamp_ns() + pause * NS_PER_MS)
        before = len(arrived)
        lane.send(ConstantDelay(delay), lambda n=number: arrived.append((n, clock.timestamp_ms())))
        assert len(arrived) == before  # never within the call
    clock.advance_to(10**12)
    assert [number for number, _ in arrived] == list(range(len(sends)))
    sent = 0
    for (_, at), (pause, delay) in zip(arrived, sends, strict=True):
        sent += pause
        assert at >= sent + delay


def test_a_message_sent_at_the_very_arrival_of_another_waits_its_turn() -> None:
    clock = VirtualClock(0)
    lane, arrived = Lane(clock, Entropy(0)), []
    clock.call_at(5 * NS_PER_MS, lambda: lane.send(ConstantDelay(0), lambda: arrived.append("second")))
    lane.send(ConstantDelay(5), lambda: arrived.append("first"))
    clock.advance_to(10 * NS_PER_MS)
    assert arrived == ["first", "second"]


def test_a_cancel_may_be_slower_than_an_order_and_an_order_behind_it_waits() -> None:
    bench = quoted(Latency(entry=10, cancel=50))
    resting = bench.order(BUY, LIMIT, "1", "99")
    bench.pass_ms(10)
    bench.cancel(resting)
    later = bench.order(BUY, MARKET, "1")
    bench.pass_ms(49)
    assert bench.kinds(resting) == ["accepted"]
    assert bench.facts(later) == []
    bench.pass_ms(1)
    assert bench.kinds(resting) == ["accepted", "canceled"]
    assert bench.kinds(later) == ["accepted", "filled"]


def test_the_answer_takes_its_time_and_the_facts_keep_their_order_and_their_time() -> None:
    bench = quoted(Latency(entry=10, reply=30))
    oid = bench.order(BUY, MARKET, "1")
    bench.pass_ms(39)
    assert bench.take() == []
    bench.pass_ms(1)
    result, accepted, filled, balance, position = bench.take()
    assert result.oid == accepted.oid == filled.oid == oid
    assert {one.timestamp for one in (result, accepted, filled, balance, position)} == {START_MS + 10}
    assert bench.venue.ledger.position_lots("BTCUSDT-PERP.BINANCE") == 1_000


def test_what_is_drawn_depends_on_the_seed_and_on_nothing_else() -> None:
    def history(seed: int) -> list[Any]:
        bench = quoted(Latency(entry=SampledDelay((1, 5, 9)), reply=LogNormalDelay(median_ms=7)), seed=seed)
        heard = []
        for _ in range(20):
            bench.order(BUY, MARKET, "0.01")
            bench.pass_ms(3)
            heard.append(len(bench.listener.heard))
        return [heard, bench.listener.heard]

    assert history(1) == history(1)
    assert history(1)[0] != history(2)[0]


@pytest.mark.parametrize(
    ("build", "says"),
    [
        (lambda: ConstantDelay(-1), "choose 0 to 60000"),
        (lambda: Latency(entry=99_999).ways, "choose 0 to 60000"),
        (lambda: SampledDelay(()), "no time to draw from"),
        (lambda: SampledDelay((1, float("nan"))), "choose 0 to 60000"),
        (lambda: LogNormalDelay(median_ms=10, sigma=9), "sigma of 0 to 5"),
        (lambda: LogNormalDelay(median_ms=10, ceiling_ms=5), "up to the ceiling"),
        (lambda: RecordedDelay(()), "pairs of"),
        (lambda: RecordedDelay(((5, 1.0), (4, 1.0))), "sorted by time"),
    ],
)
def test_delays_that_are_none_are_refused(build: Any, says: str) -> None:
    with pytest.raises(OrderError, match=says):
        build()


def test_a_latency_says_what_it_is_and_how_long_at_most() -> None:
    latency = Latency(entry=RECORDED, cancel=SampledDelay((1, 2)), reply=3, feed=4)
    text = "\n".join(latency.describe())
    for words in (
        "3 times, 5 to 40 ms",
        "a cancel takes one of 2 sampled times",
        "an answer takes 3 ms",
        "Market data",
    ):
        assert words in text
    assert (latency.there_ms_max, latency.round_trip_ms_max) == (40, 43)
    assert "Market data" not in "\n".join(Latency().describe())


def test_an_order_is_looked_for_as_long_as_it_may_be_under_way() -> None:
    assert quoted(Latency(entry=10, cancel=70, reply=500)).venue.absence_horizon_ms == 70


def test_facts_have_the_time_at_the_venue() -> None:
    bench = quoted(Latency(reply=RECORDED))
    oid = bench.order(BUY, MARKET, "1")
    bench.pass_ms(10)
    assert [event.timestamp for event in bench.facts(oid)] == [START_MS, START_MS]
    assert isinstance(bench.listener.heard[0], ev.CommandResult)
    assert bench.free("USDT") == 10_000 - Decimal("0.05005")
