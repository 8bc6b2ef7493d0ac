"""Days out of a curve, and what figures are where they are not defined."""

from __future__ import annotations

import math
from collections.abc import Callable
from datetime import UTC, datetime
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from hypothesis import given
from hypothesis import strategies as st

from nexustrader.backtest import metrics as m
from nexustrader.data.bars import Floats
from nexustrader.data.readers.binance_vision import read_klines

FIGURES: tuple[Callable[[Floats], float], ...] = (
    m.total_return,
    m.cagr,
    m.mean_return,
    m.best,
    m.worst,
    m.volatility,
    m.skew,
    m.kurtosis,
    m.value_at_risk,
    m.expected_shortfall,
    m.historical_shortfall,
    m.tail_ratio,
    m.max_drawdown,
    m.longest_drawdown,
    m.ulcer_index,
    m.sharpe,
    m.probabilistic_sharpe,
    m.sortino,
    m.calmar,
    m.omega,
    m.gain_to_pain,
    m.win_rate,
    m.profit_factor,
    m.payoff_ratio,
    m.kelly,
    m.expectancy,
    m.mean_gain,
    m.mean_loss,
    m.longest_wins,
    m.longest_losses,
    m.historical_value_at_risk,
)


# -- days out of a curve ---------------------------------------------------------------------------------------


def test_the_days_of_a_curve_are_those_of_pandas(testdata: Path) -> None:
    path = testdata / "marketdata/klines/binance_spot/BTCUSDT-1m-2024-01.csv.gz"
    bars = read_klines(path, "BTCUSDT.BINANCE")
    times, values = np.append(bars.start[:1], bars.start + bars.step_ms), np.append(bars.open[:1], bars.close)
    daily = m.daily(times, values)
    resampled = pd.Series(values, pd.to_datetime(times, unit="ms")).resample("D", closed="right").last()
    assert len(daily.returns) == 31
    assert daily.returns == pytest.approx(resampled.pct_change().dropna().to_numpy(), rel=1e-12)


def at(text: str) -> int:
    return int(datetime.fromisoformat(text).replace(tzinfo=UTC).timestamp() * 1000)


def test_a_day_ends_with_the_value_at_midnight() -> None:
    times = np.array(
        [at("2024-01-01T06:00"), at("2024-01-02"), at("2024-01-02T00:01"), at("2024-01-03T12:00")]
    )
    daily = m.daily(times, np.array([100.0, 110.0, 55.0, 121.0]))
    assert daily.days.tolist() == [19723, 19724, 19725]
    assert daily.returns == pytest.approx([0.1, -0.5, 1.2])
    assert daily.opening == 100.0


def test_a_day_without_a_value_has_no_return() -> None:
    daily = m.daily(
        np.array([at("2024-01-01"), at("2024-01-02"), at("2024-01-05")]), np.array([1.0, 2.0, 3.0])
    )
    assert daily.returns.tolist() == [1.0, 0.0, 0.0, 0.5]


def test_returns_end_where_the_equity_is_gone() -> None:
    times = np.array([at(f"2024-01-0{day}") for day in range(1, 6)])
    daily = m.daily(times, np.array([100.0, 50.0, -10.0, 20.0, 30.0]))
    assert daily.returns[:2] == pytest.approx([-0.5, -1.2])
    assert np.isnan(daily.returns[2:]).all()
    assert math.isnan(m.cagr(daily.returns[:2]))


def test_a_single_moment_is_a_day() -> None:
    assert m.daily(np.array([at("2024-01-01")]), np.array([7.0])).returns.tolist() == [0.0]


@given(st.lists(st.floats(10, 1e5), min_size=2, max_size=50), st.integers(60_000, 40_000_000))
def test_days_compound_to_the_whole(values: list[float], step_ms: int) -> None:
    times = at("2024-01-01") + step_ms * np.arange(len(values))
    daily = m.daily(times, np.array(values))
    assert 1 + m.total_return(daily.returns) == pytest.approx(values[-1] / values[0], rel=1e-9)


# -- what is not defined ---------------------------------------------------------------------------------------


@pytest.mark.parametrize("returns", [[], [0.01], [0.0] * 5, [0.01] * 5])
def test_what_is_not_defined_is_nan_and_never_an_error(returns: list[float]) -> None:
    for figure in FIGURES:
        assert isinstance(figure(np.array(returns)), float), figure


def test_ratios_without_a_denominator_are_not_defined() -> None:
    rising = np.array([0.01, 0.02, 0.0])
    for ratio in (m.sortino, m.calmar, m.omega, m.gain_to_pain, m.payoff_ratio):
        assert math.isnan(ratio(rising)), ratio
    assert math.isnan(m.sharpe(np.full(10, 0.3)))  # whose spread is not quite 0 in floats
    assert m.profit_factor(rising) == math.inf
    assert math.isnan(m.profit_factor(np.zeros(2)))


def test_growth_without_bounds_is_infinite() -> None:
    assert m.cagr(np.array([50.0])) == math.inf


def test_drawdowns_are_told_apart_and_the_deepest_comes_first() -> None:
    found = m.drawdowns(np.array([0.1, -0.1, 0.2, -0.05, -0.5, 0.1]))
    assert [(d.first, d.valley, d.last, d.is_over) for d in found] == [(3, 4, 5, False), (1, 1, 1, True)]
    assert found[0].depth == pytest.approx(-0.525)
    assert m.longest_drawdown(np.array([0.1, -0.1, 0.2, -0.05, -0.5, 0.1])) == 3
