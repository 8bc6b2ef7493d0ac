"""Longer bars out of shorter ones, for all of the data at once."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import numpy as np

from nexustrader.constants import KlineInterval
from nexustrader.data.bars import OPTIONAL, Bars, Floats, Ints
from nexustrader.error import KlineSupportedError

DAY_MS = 86_400_000
WEEK_OFFSET_MS = 4 * DAY_MS  # the epoch was a Thursday, weeks begin on Mondays


def aggregate(bars: Bars, interval: KlineInterval) -> Bars:
    """Bars of `interval`, aligned as venues align them (UTC, weeks from Monday), complete ones only.

    A gap inside one is passed over. Raises KlineSupportedError for intervals that do not consist of whole bars.
    """
    if interval is bars.interval:
        return bars
    step = interval.milliseconds
    if interval is KlineInterval.MONTH_1 or step <= bars.step_ms or step % bars.step_ms:
        raise KlineSupportedError(
            f"{interval.value} klines cannot be made of the {bars.interval.value} bars of {bars.symbol}; "
            f"subscribe a multiple of {bars.interval.value} up to 1w, or give finer data"
        )
    offset = WEEK_OFFSET_MS if interval is KlineInterval.WEEK_1 else 0
    bucket = (bars.start - offset) // step * step + offset
    first = np.flatnonzero(np.append([True], np.diff(bucket) != 0))
    last = np.append(first[1:], len(bars)) - 1
    whole = (bars.start[first] == bucket[first]) & (bars.start[last] + bars.step_ms == bucket[first] + step)
    # Only at the ends of the data is a part unknown; elsewhere nothing was traded in it, or a gap is to blame.
    whole[1:-1] = True
    optional: dict[str, Any] = {name: _sum(getattr(bars, name), first, whole) for name in OPTIONAL}
    return replace(
        bars,
        interval=interval,
        start=_ints(bucket[first][whole]),
        open=bars.open[first][whole],
        high=_floats(np.maximum.reduceat(bars.high, first)[whole]),
        low=_floats(np.minimum.reduceat(bars.low, first)[whole]),
        close=bars.close[last][whole],
        volume=_floats(np.add.reduceat(bars.volume, first)[whole]),
        **optional,
    )


def _sum(
    column: Floats | None, first: Ints, whole: np.ndarray[tuple[int], np.dtype[np.bool_]]
) -> Floats | None:
    return None if column is None else _floats(np.add.reduceat(column, first)[whole])


def _ints(column: Ints) -> Ints:
    return np.asarray(column, dtype=np.int64)


def _floats(column: Floats) -> Floats:
    return np.asarray(column, dtype=np.float64)
