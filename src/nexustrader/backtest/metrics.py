"""Figures of a series of daily returns, of trades and of an equity curve: pure functions of columns.

Returns are fractions (0.01 for one per cent), one a day; a year has 365 of them, because these markets never close.
What is not defined (no returns, a spread of zero) is nan, never an error. The risk-free rate is taken as zero.
"""

from __future__ import annotations

import math
from statistics import NormalDist
from typing import NamedTuple

import numpy as np

from nexustrader.data.bars import Floats, Ints

DAY_MS = 86_400_000
DAYS_PER_YEAR = 365
CONFIDENCE = 0.95  # of value at risk and of what lies beyond it
NAN = math.nan

_NORMAL = NormalDist()


class Daily(NamedTuple):
    """Daily returns: `days` counts from the epoch (UTC), `opening` is the equity before the first of them."""

    days: Ints
    returns: Floats
    opening: float


def daily(times: Ints, values: Floats) -> Daily:
    """Equity (ms, amounts) resampled at UTC midnight, as returns of every day from the first to the last.

    A day's closing equity is the last known one at the midnight that ends it; the first day begins with the first
    value, the last one ends with the last. A day without a value has a return of 0, one that begins without equity
    has nan, and so have all after it.
    """
    first, last = int(times[0]) // DAY_MS, max(int(times[0]), int(times[-1]) - 1) // DAY_MS
    days = np.arange(first, last + 1, dtype=np.int64)
    place = np.searchsorted(times, (days + 1) * DAY_MS, side="right") - 1
    closings = np.concatenate([values[:1], values[place]])
    begun = np.where(closings[:-1] > 0, closings[:-1], NAN)
    returns = closings[1:] / begun - 1
    ruined = np.maximum.accumulate(np.isnan(returns))
    return Daily(days, np.where(ruined, NAN, returns), float(values[0]))


# -- growth ----------------------------------------------------------------------------------------------------


def total_return(returns: Floats) -> float:
    """Product of (1 + r), less 1."""
    return float(np.prod(1 + returns)) - 1


def cagr(returns: Floats, periods: int = DAYS_PER_YEAR) -> float:
    """Growth a year, compounded: (1 + total return) ^ (periods / n) - 1."""
    growth = 1 + total_return(returns)
    return _power(growth, periods / len(returns)) - 1 if growth >= 0 and len(returns) else NAN


def mean_return(returns: Floats) -> float:
    """Geometric mean: (1 + total return) ^ (1 / n) - 1."""
    return cagr(returns, 1)


def best(returns: Floats) -> float:
    """The largest."""
    return float(returns.max()) if len(returns) else NAN


def worst(returns: Floats) -> float:
    """The smallest."""
    return float(returns.min()) if len(returns) else NAN


# -- spread ----------------------------------------------------------------------------------------------------


def volatility(returns: Floats, periods: int = DAYS_PER_YEAR) -> float:
    """Standard deviation (n - 1), times sqrt(periods)."""
    return _deviation(returns) * math.sqrt(periods)


def skew(returns: Floats) -> float:
    """Adjusted Fisher-Pearson skewness, G1 = m3 / m2^1.5 * sqrt(n (n - 1)) / (n - 2)."""
    n, second, third, _ = _moments(returns)
    if n < 3:
        return NAN
    return third / second**1.5 * math.sqrt(n * (n - 1)) / (n - 2) if second else 0.0


def kurtosis(returns: Floats) -> float:
    """Excess kurtosis, without bias: G2 = (n - 1) ((n + 1) g2 + 6) / ((n - 2) (n - 3)), g2 = m4 / m2^2 - 3."""
    n, second, _, fourth = _moments(returns)
    if n < 4:
        return NAN
    return (n - 1) * ((n + 1) * (fourth / second**2 - 3) + 6) / ((n - 2) * (n - 3)) if second else 0.0


def value_at_risk(returns: Floats, confidence: float = CONFIDENCE) -> float:
    """The (1 - confidence) quantile of a normal distribution with the mean and deviation of the returns."""
    return _mean(returns) + _deviation(returns) * _NORMAL.inv_cdf(1 - confidence)


def expected_shortfall(returns: Floats, confidence: float = CONFIDENCE) -> float:
    """Mean of that normal distribution below its value at risk (CVaR)."""
    tail = 1 - confidence
    return _mean(returns) - _deviation(returns) * _NORMAL.pdf(_NORMAL.inv_cdf(tail)) / tail


def historical_value_at_risk(returns: Floats, confidence: float = CONFIDENCE) -> float:
    """The (1 - confidence) quantile of the returns themselves, between two of them in proportion."""
    return float(np.quantile(returns, 1 - confidence)) if len(returns) else NAN


def historical_shortfall(returns: Floats, confidence: float = CONFIDENCE) -> float:
    """Mean of the returns at or below the historical value at risk."""
    return _mean(returns[returns <= historical_value_at_risk(returns, confidence)])


def tail_ratio(returns: Floats, confidence: float = CONFIDENCE) -> float:
    """The upper quantile over the lower one, without sign: above 1 the good days are the larger ones."""
    if not len(returns):
        return NAN
    lower, upper = np.quantile(returns, [1 - confidence, confidence])
    return abs(float(upper / lower)) if lower else NAN


# -- drawdown --------------------------------------------------------------------------------------------------


class Drawdown(NamedTuple):
    """A time under water: places of its first day, its deepest and its last; `depth` is negative."""

    first: int
    valley: int
    last: int
    depth: float
    is_over: bool

    @property
    def length(self) -> int:
        """Days under water."""
        return self.last - self.first + 1


def underwater(returns: Floats) -> Floats:
    """How far below its height so far the capital is after each day: at most 0."""
    capital = np.cumprod(1 + returns)
    return capital / np.maximum.accumulate(np.maximum(capital, 1.0)) - 1


def max_drawdown(returns: Floats) -> float:
    """The deepest point under water, at most 0."""
    return float(underwater(returns).min(initial=0.0))


def drawdowns(returns: Floats) -> list[Drawdown]:
    """All times under water, the deepest first."""
    depths = underwater(returns)
    edges = np.diff(np.concatenate([[False], depths < 0, [False]]).astype(np.int8))
    found = []
    for first, end in zip(np.flatnonzero(edges == 1), np.flatnonzero(edges == -1), strict=True):
        valley = int(first + np.argmin(depths[first:end]))
        found.append(
            Drawdown(int(first), valley, int(end) - 1, float(depths[valley]), bool(end < len(depths)))
        )
    return sorted(found, key=lambda drawdown: drawdown.depth)


def longest_drawdown(returns: Floats) -> float:
    """Days of the longest time under water, ended or not."""
    return float(max((drawdown.length for drawdown in drawdowns(returns)), default=0))


def ulcer_index(returns: Floats) -> float:
    """Root of the sum of squared depths over n - 1."""
    return (
        math.sqrt(float(np.sum(underwater(returns) ** 2)) / (len(returns) - 1)) if len(returns) > 1 else NAN
    )


# -- ratios ----------------------------------------------------------------------------------------------------


def sharpe(returns: Floats, periods: int = DAYS_PER_YEAR) -> float:
    """Mean over standard deviation, times sqrt(periods)."""
    return _over(_mean(returns), _deviation(returns)) * math.sqrt(periods)


def sortino(returns: Floats, periods: int = DAYS_PER_YEAR) -> float:
    """Mean over downside deviation, times sqrt(periods); the latter is sqrt(sum of squared losses / n)."""
    if not len(returns):
        return NAN
    downside = math.sqrt(float(np.sum(np.minimum(returns, 0.0) ** 2)) / len(returns))
    return _over(_mean(returns), downside) * math.sqrt(periods)


def calmar(returns: Floats, periods: int = DAYS_PER_YEAR) -> float:
    """CAGR over the depth of the deepest drawdown."""
    return _over(cagr(returns, periods), -max_drawdown(returns))


def omega(returns: Floats) -> float:
    """Sum of gains over sum of losses."""
    return _over(_gains(returns), _losses(returns))


def gain_to_pain(returns: Floats) -> float:
    """Sum of returns over sum of losses."""
    return _over(float(np.sum(returns)), _losses(returns))


def probabilistic_sharpe(returns: Floats) -> float:
    """Probability that the true Sharpe ratio is above 0, given length, skew and kurtosis (Bailey, Lopez de Prado)."""
    ratio, n = sharpe(returns, 1), len(returns)
    if n < 4 or math.isnan(ratio):
        return NAN
    spread = (1 - skew(returns) * ratio + (kurtosis(returns) + 2) / 4 * ratio**2) / (n - 1)
    return _NORMAL.cdf(ratio / math.sqrt(spread)) if spread > 0 else NAN


# -- wins and losses, of days (returns) or of trades (profits) ---------------------------------------------------


def win_rate(gains: Floats) -> float:
    """Part of those above 0 among those that are not 0."""
    return _over(float(np.count_nonzero(gains > 0)), float(np.count_nonzero(gains)))


def profit_factor(gains: Floats) -> float:
    """Sum of gains over sum of losses; infinite without a loss, nan without either."""
    if not _losses(gains):
        return math.inf if _gains(gains) else NAN
    return _gains(gains) / _losses(gains)


def payoff_ratio(gains: Floats) -> float:
    """Mean gain over mean loss, without sign."""
    return _over(mean_gain(gains), -mean_loss(gains))


def kelly(gains: Floats) -> float:
    """Kelly's fraction for a bet with this win rate p and payoff ratio b: (b p - (1 - p)) / b."""
    odds, rate = payoff_ratio(gains), win_rate(gains)
    return _over(odds * rate - (1 - rate), odds)


def expectancy(gains: Floats) -> float:
    """Mean of all."""
    return _mean(gains)


def mean_gain(gains: Floats) -> float:
    """Mean of those above 0."""
    return _mean(gains[gains > 0])


def mean_loss(gains: Floats) -> float:
    """Mean of those below 0, negative."""
    return _mean(gains[gains < 0])


def longest_wins(gains: Floats) -> float:
    """The most in a row that are above 0."""
    return _longest(gains > 0)


def longest_losses(gains: Floats) -> float:
    """The most in a row that are below 0."""
    return _longest(gains < 0)


# -- parts -----------------------------------------------------------------------------------------------------


def _mean(values: Floats) -> float:
    return float(np.mean(values)) if len(values) else NAN


def _deviation(values: Floats) -> float:
    """With n - 1; equal values have none, whatever rounding leaves of it."""
    if len(values) < 2:
        return NAN
    return float(np.std(values, ddof=1)) if np.ptp(values) else 0.0


def _moments(values: Floats) -> tuple[int, float, float, float]:
    """Count and central moments; equal values have none."""
    if not len(values) or not np.ptp(values):
        return len(values), 0.0, 0.0, 0.0
    off = values - np.mean(values)
    return len(values), float(np.mean(off**2)), float(np.mean(off**3)), float(np.mean(off**4))


def _gains(values: Floats) -> float:
    return float(np.sum(values[values > 0]))


def _losses(values: Floats) -> float:
    return -float(np.sum(values[values < 0]))


def _longest(flags: np.ndarray[tuple[int], np.dtype[np.bool_]]) -> float:
    edges = np.diff(np.concatenate([[False], flags, [False]]).astype(np.int8))
    lengths = np.flatnonzero(edges == -1) - np.flatnonzero(edges == 1)
    return float(lengths.max(initial=0))


def _power(base: float, exponent: float) -> float:
    try:
        return float(base**exponent)
    except OverflowError:  # a day's luck, continued for a year
        return math.inf


def _over(numerator: float, denominator: float) -> float:
    return numerator / denominator if denominator else NAN
