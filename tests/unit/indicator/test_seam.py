"""Where history and live klines meet."""

from __future__ import annotations

from collections.abc import Sequence

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from nexustrader.constants import ExchangeType, KlineInterval
from nexustrader.indicator import seam as seams
from nexustrader.indicator.seam import Seam
from nexustrader.schema import Kline

MINUTE_MS = 60_000
OPEN, CLOSED = False, True


def bar(number: int, confirm: bool = CLOSED, close: float = 1.0) -> Kline:
    """The bar of a minute; an open one may have any close."""
    start = number * MINUTE_MS
    return Kline(
        exchange=ExchangeType.BINANCE,
        symbol="BTCUSDT.BINANCE",
        interval=KlineInterval.MINUTE_1,
        open=1.0,
        high=9.0,
        low=0.5,
        close=close,
        start=start,
        timestamp=start + MINUTE_MS,
        confirm=confirm,
    )


def bars(first: int, last: int) -> list[Kline]:
    return [bar(number) for number in range(first, last + 1)]


def told(klines: Sequence[Kline]) -> list[tuple[int, bool]]:
    return [(kline.start // MINUTE_MS, kline.confirm) for kline in klines]


def closed(*numbers: int) -> list[tuple[int, bool]]:
    return [(number, CLOSED) for number in numbers]


def seam_at(last: int, period: int = 3) -> Seam:
    """One that has been given the bars up to `last`."""
    seam = Seam(KlineInterval.MINUTE_1, period)
    seam.answer(bars(last - period, last))
    return seam


def test_history_is_the_last_bars_that_have_closed() -> None:
    seam = Seam(KlineInterval.MINUTE_1, 3)
    assert told(seam.answer([*bars(1, 5), bar(6, OPEN)])) == closed(3, 4, 5)
    assert not seam.is_asking


def test_the_first_live_kline_after_the_warm_up_is_given() -> None:
    seam = seam_at(5)
    assert seam.admit(bar(6, OPEN))
    assert seam.admit(bar(6))
    assert seam.admit(bar(7))


def test_a_bar_that_history_had_is_not_given_again() -> None:
    seam = seam_at(5)
    assert not seam.admit(bar(5))
    assert not seam.admit(bar(4, OPEN))
    assert not seam.is_asking


def test_what_comes_meanwhile_is_given_after_the_history() -> None:
    seam = Seam(KlineInterval.MINUTE_1, 3)
    live = [bar(5), bar(6, OPEN, 2.0), bar(6, CLOSED), bar(7, OPEN, 2.0), bar(7, OPEN, 3.0)]
    assert not any(seam.admit(kline) for kline in live)
    given = seam.answer([*bars(1, 5), bar(6, OPEN)])
    assert told(given) == [*closed(3, 4, 5, 6), (7, OPEN)]
    assert given[-1].close == 3.0
    assert not seam.is_asking


def test_a_closed_bar_that_was_kept_is_not_opened_again() -> None:
    seam = Seam(KlineInterval.MINUTE_1, 3)
    for kline in (bar(6), bar(6, OPEN, 2.0)):
        seam.admit(kline)
    assert told(seam.answer(bars(1, 5))) == closed(3, 4, 5, 6)


def test_a_bar_that_closed_before_the_subscription_was_live_is_asked_for() -> None:
    seam = seam_at(5)  # 6 closed while nobody listened
    assert not seam.admit(bar(7, OPEN))
    assert seam.is_asking
    assert seam.bars_wanted(7 * MINUTE_MS + 1) >= 3
    assert told(seam.answer([*bars(4, 6), bar(7, OPEN)])) == [*closed(6), (7, OPEN)]
    assert not seam.is_asking


def test_an_answer_that_does_not_reach_what_was_kept_is_not_the_last_word() -> None:
    seam = Seam(KlineInterval.MINUTE_1, 3)
    seam.admit(bar(7, OPEN))
    assert told(seam.answer([*bars(1, 5), bar(6, OPEN)])) == closed(3, 4, 5)
    assert seam.is_asking
    assert told(seam.answer([*bars(5, 6), bar(7, OPEN)])) == [*closed(6), (7, OPEN)]


def test_a_bar_that_the_venue_does_not_have_is_passed_over() -> None:
    seam = seam_at(5)
    seam.admit(bar(8))
    assert told(seam.answer([*bars(3, 5), bar(8)])) == closed(8)
    assert not seam.is_asking


def test_an_open_bar_with_another_behind_it_is_closed_whatever_our_clock_says() -> None:
    seam = Seam(KlineInterval.MINUTE_1, 3)
    assert told(seam.answer([bar(4), bar(5, OPEN), bar(6, OPEN)])) == closed(4, 5)


def test_without_history_live_klines_begin_the_line() -> None:
    seam = Seam(KlineInterval.MINUTE_1, 3)
    assert seam.answer([]) == []
    assert seam.admit(bar(3, OPEN))
    assert not seam.admit(bar(4, OPEN))  # the end of 3 was missed
    assert told(seam.answer([bar(3), bar(4, OPEN)])) == [*closed(3), (4, OPEN)]


def test_giving_up_gives_what_was_kept() -> None:
    seam = seam_at(5)
    for kline in (bar(8), bar(10, OPEN)):
        seam.admit(kline)
    assert told(seam.give_up()) == [*closed(8), (10, OPEN)]
    assert not seam.is_asking
    assert seam.give_up() == []


def test_an_answer_that_nobody_waits_for_gives_nothing() -> None:
    assert seam_at(5).answer(bars(4, 9)) == []


def test_a_restart_wants_everything_again() -> None:
    seam = seam_at(5)
    seam.restart()
    assert seam.is_asking
    assert told(seam.answer(bars(1, 5))) == closed(3, 4, 5)


def test_a_gap_of_years_is_not_asked_for_as_a_whole() -> None:
    assert seam_at(5).bars_wanted(10**12) == seams.GAP_BARS_MAX


def test_what_is_kept_is_bounded(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(seams, "KEPT_BARS_MAX", 2)
    seam = Seam(KlineInterval.MINUTE_1, 3)
    for kline in bars(1, 4):
        seam.admit(kline)
    assert told(seam.give_up()) == closed(3, 4)


def test_a_month_may_have_31_days() -> None:
    day_ms = 86_400_000
    seam = Seam(KlineInterval.MONTH_1, 1)
    january, february, april = (bar(days * day_ms // MINUTE_MS) for days in (0, 31, 90))
    seam.answer([january])
    assert seam.admit(february)
    assert not seam.admit(april)


# -- any order of things -----------------------------------------------------------------------------------

STEPS = st.lists(
    st.one_of(
        st.tuples(st.just("pass"), st.integers(1, 40_000)),
        st.tuples(st.just("lose"), st.integers(1, 5)),
        st.tuples(st.just("ask"), st.just(0)),
        st.tuples(st.just("fail"), st.just(0)),
        st.tuples(st.just("answer"), st.integers(0, 30_000)),
    ),
    max_size=60,
)


class World:
    """A venue whose clock goes on, a stream that may lose what it tells, and answers that take a while."""

    def __init__(self, period: int) -> None:
        self.now_ms = 20 * MINUTE_MS + 17_000
        self.period = period
        self.seam = Seam(KlineInterval.MINUTE_1, period)
        self.given: list[Kline] = []
        self.lost = 0
        self.asked: list[list[Kline]] = []

    def row(self, number: int, now_ms: int) -> Kline:
        is_closed = (number + 1) * MINUTE_MS <= now_ms
        # The close of an open bar gives away when it was read; that of a closed one is its number.
        return bar(number, is_closed, float(number) if is_closed else -float(now_ms))

    def tell(self, kline: Kline) -> None:
        if self.lost:
            self.lost -= 1
        elif self.seam.admit(kline):
            self.given.append(kline)

    def go_on(self, step_ms: int) -> None:
        before, self.now_ms = self.now_ms, self.now_ms + step_ms
        for number in range(before // MINUTE_MS, self.now_ms // MINUTE_MS):
            self.tell(self.row(number, self.now_ms))
        self.tell(self.row(self.now_ms // MINUTE_MS, self.now_ms))

    def ask(self) -> None:
        if self.seam.is_asking:
            newest = self.now_ms // MINUTE_MS
            wanted = self.seam.bars_wanted(self.now_ms)
            self.asked.append([self.row(n, self.now_ms) for n in range(newest - wanted + 1, newest + 1)])

    def answer(self) -> None:
        if self.asked:
            self.given += self.seam.answer(self.asked.pop(0))


@given(STEPS, st.integers(1, 5))
@settings(max_examples=400, deadline=None)
def test_every_closed_bar_is_given_once_and_in_order(steps: list[tuple[str, int]], period: int) -> None:
    world = World(period)
    for what, how in steps:
        if what == "lose":
            world.lost = how
        elif what == "pass":
            world.go_on(how)
        elif what == "ask":
            world.ask()
        elif what == "fail":
            world.asked = world.asked[1:]
        else:
            world.go_on(how) if how else None
            world.answer()
    world.lost = 0
    world.asked.clear()
    for _ in range(3):
        world.go_on(MINUTE_MS)
        world.ask()
        world.answer()
    sure = [kline.start // MINUTE_MS for kline in world.given if kline.confirm]
    assert sure == list(range(sure[0], world.now_ms // MINUTE_MS))
    assert len(sure) >= period
    assert all(kline.close == kline.start // MINUTE_MS for kline in world.given if kline.confirm)
    starts = [kline.start for kline in world.given]
    assert starts == sorted(starts)
