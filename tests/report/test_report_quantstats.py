"""Figures equal those of quantstats to 1e-9 wherever both define them, on random series and on real days."""

from __future__ import annotations

import warnings
from collections.abc import Callable, Iterator, Mapping
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
import pytest

from nexustrader.backtest import metrics as m
from nexustrader.data.readers.binance_vision import read_klines

Returns = Any

pytestmark = [pytest.mark.slow, pytest.mark.filterwarnings("ignore")]  # those of pandas inside quantstats


class Theirs(NamedTuple):
    """quantstats, which is imported only where it is needed, because that takes seconds."""

    series: Callable[[Returns], Any]
    figures: Mapping[str, Callable[[Any], float]]
    underwater: Callable[[Any], Any]


@pytest.fixture(scope="module")
def theirs() -> Theirs:
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        import pandas as pd
        import quantstats
    stats = quantstats.stats

    def series(returns: Returns) -> Any:
        return pd.Series(returns, index=pd.date_range("2023-01-01", periods=len(returns), freq="D"))

    def longest_drawdown(returns: Any) -> float:
        depths = stats.to_drawdown_series(returns)
        # It passes over a time under water that begins with the first day: here another day goes before it.
        before = pd.Series([0.0], [depths.index[0] - pd.Timedelta(days=1)])
        details = stats.drawdown_details(pd.concat([before, depths]))
        return float(details["days"].max()) if len(details) else 0.0

    return Theirs(series, _figures(stats) | {"longest_drawdown": longest_drawdown}, stats.to_drawdown_series)


def _figures(stats: Any) -> dict[str, Callable[[Any], float]]:
    """Ours by name; theirs by what they call it."""
    return {
        "total_return": stats.comp,
        "cagr": lambda r: stats.cagr(r, periods=365),
        "mean_return": stats.expected_return,
        "best": stats.best,
        "worst": stats.worst,
        "volatility": lambda r: stats.volatility(r, periods=365),
        "skew": stats.skew,
        "kurtosis": stats.kurtosis,
        "value_at_risk": stats.value_at_risk,
        "expected_shortfall": stats.conditional_value_at_risk,
        "historical_shortfall": lambda r: stats.conditional_value_at_risk(r, method="historical"),
        "tail_ratio": stats.tail_ratio,
        "max_drawdown": stats.max_drawdown,
        "ulcer_index": stats.ulcer_index,
        "sharpe": lambda r: stats.sharpe(r, periods=365),
        "probabilistic_sharpe": stats.probabilistic_sharpe_ratio,
        "sortino": lambda r: stats.sortino(r, periods=365),
        "calmar": lambda r: stats.calmar(r, periods=365),
        "omega": lambda r: stats.omega(r, periods=365),
        "gain_to_pain": stats.gain_to_pain_ratio,
        "win_rate": stats.win_rate,
        "profit_factor": stats.profit_factor,
        "payoff_ratio": stats.payoff_ratio,
        "kelly": stats.kelly_criterion,
        "expectancy": lambda r: r.mean(),
        "mean_gain": stats.avg_win,
        "mean_loss": stats.avg_loss,
        "longest_wins": stats.consecutive_wins,
        "longest_losses": stats.consecutive_losses,
    }


def assert_equal(returns: Returns, theirs: Theirs) -> None:
    given_to_both = theirs.series(returns)
    for name, figure in theirs.figures.items():
        ours = getattr(m, name)(returns)
        assert ours == pytest.approx(figure(given_to_both), rel=1e-9, abs=1e-9), name
    assert m.underwater(returns) == pytest.approx(theirs.underwater(given_to_both).to_numpy(), abs=1e-9)


def random_series() -> Iterator[Returns]:
    for seed in range(40):
        draw = np.random.default_rng(seed)
        returns = draw.standard_t(4, int(draw.integers(30, 800))) * 0.02 + draw.normal(0, 0.002)
        yield np.where(draw.random(len(returns)) < 0.1, 0.0, np.maximum(returns, -0.5))


def test_random_series_have_the_figures_of_quantstats(theirs: Theirs) -> None:
    for returns in random_series():
        assert_equal(returns, theirs)


@pytest.mark.parametrize("name", ["BTCUSDT-1h", "ETHUSDT-1h", "SOLUSDT-1h"])
def test_real_days_have_the_figures_of_quantstats(testdata: Path, theirs: Theirs, name: str) -> None:
    bars = read_klines(testdata / f"marketdata/klines/binance_usdm/{name}.csv.gz", "BTCUSDT-PERP.BINANCE")
    times, values = np.append(bars.start[:1], bars.start + bars.step_ms), np.append(bars.open[:1], bars.close)
    daily = m.daily(times, values)
    assert len(daily.returns) > 180
    assert_equal(daily.returns, theirs)
