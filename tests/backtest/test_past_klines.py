"""Klines that a strategy asks for in a backtest: all data given answer, up to now."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import polars as pl
import pytest
from backtest_setup import MINUTE_MS, PERP, T0, Recording, config, flat_bars, run

from indicators import Sma
from nexustrader.backtest import Backtest, Bars
from nexustrader.backtest.lookahead import check_lookahead
from nexustrader.constants import DataType, KlineInterval
from nexustrader.data.bars import build_bars
from nexustrader.data.catalog import Catalog

CLOSES = [100.0 + number for number in range(30)]
MINUTES = flat_bars(CLOSES)
M5 = KlineInterval.MINUTE_5
FIVE_MS = 5 * MINUTE_MS
HOUR_MS = 60 * MINUTE_MS


def fives(first: int, count: int) -> Bars:
    """Bars of five minutes, the first one so many of them after the first minute; each close is its number."""
    close = 500.0 + np.arange(first, first + count)
    table = dict.fromkeys(("open", "high", "low", "close"), close)
    return build_bars(
        {"start": T0 + FIVE_MS * np.arange(first, first + count), **table, "volume": np.ones(count)},
        PERP,
        "long ago",
        interval=M5,
    )


class Asking(Recording):
    """Asks at every close of five minutes."""

    def __init__(self) -> None:
        super().__init__()
        self.sma = Sma(6, M5)
        self.answers: list[list[tuple[int, float]]] = []
        self.first: float | None = None

    def on_start(self) -> None:
        self.subscribe_kline(PERP, M5)
        self.register_indicator(PERP, self.sma, DataType.KLINE)
        self.first = self.sma.value

    def on_kline(self, kline: Any) -> None:
        super().on_kline(kline)
        klines = self.request_klines(PERP, M5, limit=4)
        self.answers.append([((one.start - T0) // FIVE_MS, one.close) for one in klines])


def catalog(path: Path, *parts: Bars) -> Catalog:
    found = Catalog(path)
    for bars in parts:
        columns = ("open", "high", "low", "close", "volume")
        table = {"time_ns": bars.start * 1_000_000, **{name: getattr(bars, name) for name in columns}}
        found.write(PERP, f"kline_{bars.interval.value}", pl.DataFrame(table))
    return found


@pytest.mark.parametrize("kind", ["catalogue", "list", "by symbol"])
def test_longer_bars_answer_where_the_played_ones_do_not_reach(kind: str, tmp_path: Path) -> None:
    longer = fives(-8, 20)  # into the future too
    data: Any = {"catalogue": catalog(tmp_path / "c", MINUTES, longer), "list": [MINUTES, longer]}.get(
        kind, {PERP: [longer, MINUTES]}
    )
    strategy = Asking()
    run(strategy, data, start=T0 + FIVE_MS)
    assert strategy.first == (sum(500.0 + n for n in range(-5, 0)) + 104.0) / 6
    # What is played counts for its own time, and nothing is known of what has not closed.
    assert strategy.answers[0] == [(-2, 498.0), (-1, 499.0), (0, 104.0), (1, 109.0)]
    assert strategy.answers[-1] == [(2, 114.0), (3, 119.0), (4, 124.0), (5, 129.0)]
    assert [kline.close for kline in strategy.klines] == [109.0, 114.0, 119.0, 124.0, 129.0]


def test_a_sweep_and_a_look_ahead_check_are_given_them_too(tmp_path: Path) -> None:
    whole = Backtest(config(Asking()), catalog(tmp_path / "c", MINUTES, fives(-8, 20)), T0 + FIVE_MS)
    strategy = Asking()
    run(strategy, whole.sources.data(), start=T0 + FIVE_MS)
    assert strategy.answers[0][:2] == [(-2, 498.0), (-1, 499.0)]

    made: list[Asking] = []

    def build(**changes: Any) -> Backtest:
        made.append(Asking())
        return Backtest(
            config(made[-1]), **{"data": [MINUTES, fives(-8, 20)], "start": T0 + FIVE_MS} | changes
        )

    assert check_lookahead(build, cuts=2).differences == ()
    assert len(made) == 3
    assert all(one.first == made[0].first for one in made)


def test_bars_from_before_the_start_answer_and_those_after_now_do_not() -> None:
    class Early(Recording):
        def on_start(self) -> None:
            klines = self.request_klines(PERP, KlineInterval.MINUTE_1, start_time=T0, end_time=T0 + 10**12)
            self.note(f"{len(klines)} {klines[-1].close}")

    strategy = Early()
    run(strategy, MINUTES, start=T0 + 7 * MINUTE_MS, end=T0 + 9 * MINUTE_MS)
    assert strategy.heard == [("7 106.0", 7 * MINUTE_MS)]


def test_months_of_a_catalogue_answer_nothing(tmp_path: Path) -> None:
    held = catalog(tmp_path / "c", MINUTES)
    months = [1_696_118_400_000, 1_698_796_800_000, 1_701_388_800_000]
    prices = dict.fromkeys(("open", "high", "low", "close"), [100.0] * 3)
    table = {"time_ns": [one * 1_000_000 for one in months], **prices, "volume": [1.0] * 3}
    held.write(PERP, "kline_1M", pl.DataFrame(table))
    assert held.longer(PERP, KlineInterval.MINUTE_1) == []


def hours(interval: KlineInterval, first: int, count: int, price: float = 100.0, off_ms: int = 0) -> Bars:
    prices = dict.fromkeys(("open", "high", "low", "close"), price + np.arange(count))
    start = T0 + off_ms + interval.milliseconds * np.arange(first, first + count)
    table = {"start": start, **prices, "volume": np.ones(count)}
    return build_bars(table, PERP, "the test", interval=interval)


class AskingFor(Recording):
    """Remembers the latest answer, as opening hours and closes."""

    def __init__(self, interval: KlineInterval) -> None:
        super().__init__()
        self.interval = interval
        self.answer: list[tuple[int, float]] = []

    def on_start(self) -> None:
        self.subscribe_kline(PERP, KlineInterval.HOUR_4)

    def on_kline(self, kline: Any) -> None:
        found = self.request_klines(PERP, self.interval, limit=3)
        self.answer = [((one.start - T0) // HOUR_MS, one.close) for one in found]


def test_given_bars_that_cannot_be_made_answer_alone() -> None:
    strategy = AskingFor(KlineInterval.HOUR_6)
    run(strategy, [hours(KlineInterval.HOUR_4, 0, 12), hours(KlineInterval.HOUR_6, -8, 16)])
    assert [hour for hour, _ in strategy.answer] == [30, 36, 42]


def test_given_bars_of_another_grid_are_refused_when_they_are_asked_for() -> None:
    strategy = AskingFor(KlineInterval.DAY_1)
    daily = hours(KlineInterval.DAY_1, -8, 12, off_ms=-8 * HOUR_MS)
    result = run(strategy, [hours(KlineInterval.HOUR_4, 0, 12), daily])
    assert (result.user_errors, strategy.answer) == (12, [])


def test_a_whole_bar_that_is_given_goes_before_one_made_around_a_gap() -> None:
    strategy = AskingFor(KlineInterval.DAY_1)
    fine = hours(KlineInterval.HOUR_4, 0, 48)
    holed = fine.where(~np.isin(np.arange(48), range(27, 30)))
    run(strategy, [holed, hours(KlineInterval.DAY_1, 0, 8, price=500.0)], end=T0 + 6 * 24 * HOUR_MS)
    assert strategy.answer == [(72, 123.0), (96, 504.0), (120, 135.0)]
