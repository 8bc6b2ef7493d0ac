"""Every figure of a report as data: its key in JSON, its name, its unit, its formula, and the function behind it.

docs/metrics.md holds the same table.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping
from typing import NamedTuple

import numpy as np

from nexustrader.backtest import metrics as m
from nexustrader.backtest.result import BacktestResult
from nexustrader.constants import PositionSide
from nexustrader.data.bars import Floats, Ints

HOUR_MS = 3_600_000


class Sample(NamedTuple):
    """What figures are reckoned of. Money is in the result's currency; what is settled otherwise is left out.

    equity, net and gross exposure: at the opening and at the close of every bar. profits: of closed trades, after
    fees. traded: value of all fills.
    """

    daily: m.Daily
    times: Ints
    equity: Floats
    net: Floats
    gross: Floats
    profits: Floats
    held_ms: Floats
    longs: int
    traded: float
    fees: float
    funding: float
    fills: int

    @property
    def returns(self) -> Floats:
        """Of each day."""
        return self.daily.returns

    @property
    def years(self) -> float:
        return len(self.returns) / m.DAYS_PER_YEAR

    @property
    def leverage(self) -> Floats:
        """Gross exposure over equity, where there is some."""
        return np.divide(self.gross, self.equity, out=np.zeros(len(self.gross)), where=self.equity > 0)


def sample_of(result: BacktestResult) -> Sample:
    """The columns behind a result."""
    trades = [trade for trade in result.closed_trades if trade.settle == result.currency]
    fills = [fill for fill in result.fills if fill.settle == result.currency]
    times, equity = result.equity.times, result.equity.values
    return Sample(
        daily=m.daily(times, equity),
        times=times,
        equity=equity,
        net=result.exposure.net,
        gross=result.exposure.gross,
        profits=np.array([float(trade.profit) for trade in trades]),
        held_ms=np.array([trade.closed_ms - trade.opened_ms for trade in trades], dtype=np.float64),
        longs=sum(trade.side is PositionSide.LONG for trade in trades),
        traded=float(sum(fill.value for fill in fills)),
        fees=float(sum(fill.fee_value for fill in fills)),
        funding=float(result.funding),
        fills=len(fills),
    )


# -- by month --------------------------------------------------------------------------------------------------


def monthly_returns(daily: m.Daily) -> dict[tuple[int, int], float]:
    """Compounded return of every month that has a day, by (year, month)."""
    months = daily.days.astype("datetime64[D]").astype("datetime64[M]").astype(np.int64)
    return {
        (1970 + int(month) // 12, 1 + int(month) % 12): m.total_return(daily.returns[months == month])
        for month in np.unique(months)
    }


def yearly_returns(daily: m.Daily) -> dict[int, float]:
    """Compounded return of every year that has a day."""
    years = daily.days.astype("datetime64[D]").astype("datetime64[Y]").astype(np.int64) + 1970
    return {int(year): m.total_return(daily.returns[years == year]) for year in np.unique(years)}


def _months(sample: Sample) -> Floats:
    return np.array(list(monthly_returns(sample.daily).values()))


# -- the table -------------------------------------------------------------------------------------------------


class Measure(NamedTuple):
    """One figure. `unit`: percent (a fraction, shown as per cent), ratio, days, hours, count or money."""

    key: str
    name: str
    unit: str
    formula: str
    of: Callable[[Sample], float]


def _of_returns(key: str, name: str, unit: str, formula: str, function: Callable[[Floats], float]) -> Measure:
    return Measure(key, name, unit, formula, lambda sample: function(sample.returns))


def _of_profits(key: str, name: str, unit: str, formula: str, function: Callable[[Floats], float]) -> Measure:
    return Measure(key, name, unit, formula, lambda sample: function(sample.profits))


def _mean(values: Floats) -> float:
    return float(values.mean()) if len(values) else math.nan


def _over(numerator: float, denominator: float) -> float:
    return numerator / denominator if denominator else math.nan


def _deepest(sample: Sample) -> float:
    heights = np.maximum.accumulate(sample.equity)
    falls = np.divide(sample.equity, heights, out=np.ones(len(heights)), where=heights > 0) - 1
    return float(falls.min(initial=0.0))


GROUPS: Mapping[str, tuple[Measure, ...]] = {
    "Return": (
        Measure(
            "total_return",
            "Total return",
            "percent",
            "last equity / first equity - 1",
            lambda s: _over(float(s.equity[-1]), float(s.equity[0])) - 1,
        ),
        _of_returns(
            "cagr", "Growth a year (CAGR)", "percent", "(1 + total return) ^ (365 / days) - 1", m.cagr
        ),
        _of_returns(
            "mean_return", "Mean day", "percent", "(1 + total return) ^ (1 / days) - 1", m.mean_return
        ),
        _of_returns("best_day", "Best day", "percent", "max(r)", m.best),
        _of_returns("worst_day", "Worst day", "percent", "min(r)", m.worst),
        Measure(
            "best_month", "Best month", "percent", "max of compounded months", lambda s: m.best(_months(s))
        ),
        Measure(
            "worst_month", "Worst month", "percent", "min of compounded months", lambda s: m.worst(_months(s))
        ),
        _of_returns("days_won", "Days won", "percent", "days with r > 0 / days with r != 0", m.win_rate),
    ),
    "Risk": (
        _of_returns("volatility", "Volatility a year", "percent", "std(r) * sqrt(365)", m.volatility),
        Measure(
            "max_drawdown", "Max drawdown", "percent", "min(equity / highest so far - 1), by bar", _deepest
        ),
        _of_returns(
            "max_drawdown_daily",
            "Max drawdown, by day",
            "percent",
            "the same of daily equity",
            m.max_drawdown,
        ),
        _of_returns(
            "longest_drawdown",
            "Longest under water",
            "days",
            "most days in a row below the highest so far",
            m.longest_drawdown,
        ),
        _of_returns(
            "ulcer_index", "Ulcer index", "percent", "sqrt(sum(drawdown^2) / (n - 1))", m.ulcer_index
        ),
        _of_returns("value_at_risk", "VaR 95 %", "percent", "mean(r) - 1.645 std(r)", m.value_at_risk),
        _of_returns(
            "expected_shortfall", "CVaR 95 %", "percent", "mean(r) - 2.063 std(r)", m.expected_shortfall
        ),
        _of_returns(
            "historical_value_at_risk",
            "VaR 95 %, historical",
            "percent",
            "5 % quantile of r",
            m.historical_value_at_risk,
        ),
        _of_returns(
            "historical_shortfall",
            "CVaR 95 %, historical",
            "percent",
            "mean of r at or below that quantile",
            m.historical_shortfall,
        ),
        _of_returns("skew", "Skewness", "ratio", "adjusted Fisher-Pearson G1", m.skew),
        _of_returns(
            "kurtosis", "Excess kurtosis", "ratio", "unbiased G2; 0 for a normal distribution", m.kurtosis
        ),
    ),
    "Return for risk": (
        _of_returns("sharpe", "Sharpe ratio", "ratio", "mean(r) / std(r) * sqrt(365)", m.sharpe),
        _of_returns(
            "probabilistic_sharpe",
            "Probability that Sharpe > 0",
            "percent",
            "Phi(SR sqrt(n - 1) / sqrt(1 - skew SR + (kurtosis + 2) / 4 SR^2)), SR of a day",
            m.probabilistic_sharpe,
        ),
        _of_returns(
            "sortino", "Sortino ratio", "ratio", "mean(r) / sqrt(sum(min(r, 0)^2) / n) * sqrt(365)", m.sortino
        ),
        _of_returns("calmar", "Calmar ratio", "ratio", "CAGR / depth of the max drawdown by day", m.calmar),
        _of_returns("omega", "Omega ratio", "ratio", "sum of gains / sum of losses, of days", m.omega),
        _of_returns("gain_to_pain", "Gain to pain", "ratio", "sum(r) / sum of losses", m.gain_to_pain),
        _of_returns(
            "tail_ratio", "Tail ratio", "ratio", "abs(95 % quantile / 5 % quantile) of r", m.tail_ratio
        ),
    ),
    "Trades": (
        Measure(
            "trades", "Closed trades", "count", "positions that went flat", lambda s: float(len(s.profits))
        ),
        Measure(
            "long_trades",
            "Long trades",
            "percent",
            "long / all",
            lambda s: _over(s.longs, float(len(s.profits))),
        ),
        Measure(
            "win_rate",
            "Win rate",
            "percent",
            "trades with profit > 0 / trades",
            lambda s: _over(float(np.count_nonzero(s.profits > 0)), float(len(s.profits))),
        ),
        _of_profits(
            "profit_factor", "Profit factor", "ratio", "sum of profits / sum of losses", m.profit_factor
        ),
        _of_profits("payoff_ratio", "Payoff ratio", "ratio", "mean profit / mean loss", m.payoff_ratio),
        _of_profits("expectancy", "Expectancy", "money", "mean profit of a trade", m.expectancy),
        _of_profits("mean_gain", "Mean profit", "money", "mean of profits > 0", m.mean_gain),
        _of_profits("mean_loss", "Mean loss", "money", "mean of profits < 0", m.mean_loss),
        _of_profits("best_trade", "Best trade", "money", "max(profit)", m.best),
        _of_profits("worst_trade", "Worst trade", "money", "min(profit)", m.worst),
        _of_profits("longest_wins", "Wins in a row", "count", "the most", m.longest_wins),
        _of_profits("longest_losses", "Losses in a row", "count", "the most", m.longest_losses),
        _of_profits(
            "kelly", "Kelly fraction", "percent", "(b p - (1 - p)) / b, p win rate, b payoff", m.kelly
        ),
        Measure(
            "held_hours",
            "Mean time held",
            "hours",
            "mean(close - open)",
            lambda s: _mean(s.held_ms) / HOUR_MS,
        ),
    ),
    "Activity": (
        Measure(
            "time_in_market",
            "Time in the market",
            "percent",
            "bars that close with an exposure / bars",
            lambda s: _mean((s.gross[1:] > 0).astype(np.float64)),
        ),
        Measure(
            "mean_leverage",
            "Mean exposure",
            "percent",
            "mean(gross / equity)",
            lambda s: _mean(s.leverage[1:]),
        ),
        Measure(
            "max_leverage",
            "Largest exposure",
            "percent",
            "max(gross / equity)",
            lambda s: float(s.leverage.max(initial=0.0)),
        ),
        Measure("fills", "Fills", "count", "executions", lambda s: float(s.fills)),
        Measure("traded", "Value traded", "money", "sum of the values of fills", lambda s: s.traded),
        Measure(
            "turnover",
            "Turnover",
            "ratio",
            "value traded / mean equity",
            lambda s: _over(s.traded, _mean(s.equity)),
        ),
        Measure(
            "turnover_a_year",
            "Turnover a year",
            "ratio",
            "turnover * 365 / days",
            lambda s: _over(_over(s.traded, _mean(s.equity)), s.years),
        ),
        Measure("fees", "Fees", "money", "sum of fees, at the price of their fill", lambda s: s.fees),
        Measure(
            "fee_rate",
            "Fees / value traded",
            "percent",
            "fees / value traded",
            lambda s: _over(s.fees, s.traded),
        ),
        Measure("funding", "Funding", "money", "funding received, less paid", lambda s: s.funding),
    ),
}

MEASURES: tuple[Measure, ...] = tuple(measure for group in GROUPS.values() for measure in group)


def measured(sample: Sample) -> dict[str, float]:
    """Every figure by its key; nan where it is not defined."""
    with np.errstate(all="ignore"):
        return {measure.key: float(measure.of(sample)) for measure in MEASURES}
