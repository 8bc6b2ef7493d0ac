"""Fewer points that look the same: what a chart keeps of a million bars."""

from __future__ import annotations

import math
from itertools import pairwise
from typing import NamedTuple

import numpy as np

from nexustrader.data.bars import Bars, Floats, Ints

DIGITS = 7  # significant ones, of the largest value of a series


def kept(values: Floats, count: int) -> Ints:
    """Places to draw: all up to `count`, else both ends and the extremes of equal parts, so that no peak is lost."""
    if len(values) <= count:
        return np.arange(len(values), dtype=np.int64)
    edges = np.linspace(0, len(values), max(1, count // 2) + 1).astype(np.int64)
    places = [np.array([0, len(values) - 1], dtype=np.int64)]
    for first, end in pairwise(edges.tolist()):
        part = values[first:end]
        places.append(first + np.array([np.argmin(part), np.argmax(part)], dtype=np.int64))
    return np.unique(np.concatenate(places))


def every(length: int, count: int) -> Ints:
    """At most `count` places in even steps."""
    return np.unique(np.linspace(0, length - 1, min(length, count)).astype(np.int64))


def rounded(values: Floats) -> list[float | None]:
    """Numbers without digits that nobody sees; None for what is not a number."""
    finite = values[np.isfinite(values)]
    largest = float(np.abs(finite).max(initial=0.0))
    decimals = DIGITS - 1 - math.floor(math.log10(largest)) if largest else 0
    return [value if math.isfinite(value) else None for value in np.round(values, decimals).tolist()]


class Candles(NamedTuple):
    """Bars for a chart; each holds `merged` of them."""

    start: Ints
    open: Floats
    high: Floats
    low: Floats
    close: Floats
    merged: int


def candles(bars: Bars, count: int) -> Candles:
    """At most `count` candles, each of equally many bars but for the last: open, extremes and close are exact."""
    merged = math.ceil(len(bars) / count)
    first = np.arange(0, len(bars), merged)
    last = np.append(first[1:], len(bars)) - 1
    return Candles(
        start=bars.start[first],
        open=bars.open[first],
        high=np.asarray(np.maximum.reduceat(bars.high, first), dtype=np.float64),
        low=np.asarray(np.minimum.reduceat(bars.low, first), dtype=np.float64),
        close=bars.close[last],
        merged=merged,
    )
