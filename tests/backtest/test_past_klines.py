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
