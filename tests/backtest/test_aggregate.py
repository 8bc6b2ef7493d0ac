"""Longer bars out of shorter ones."""

from __future__ import annotations

import numpy as np
import pytest
from backtest_setup import MINUTE_MS, PERP, T0

from nexustrader.backtest.aggregate import aggregate
from nexustrader.constants import KlineInterval
from nexustrader.data.bars import Bars, build_bars
from nexustrader.error import KlineSupportedError

HOUR_MS, DAY_MS = 60 * MINUTE_MS, 24 * 60 * MINUTE_MS


def bars_at(starts: list[int], interval: KlineInterval = KlineInterval.MINUTE_1) -> Bars:
    """Bars whose price is their place in the list."""
    prices = np.arange(1.0, len(starts) + 1)
    table = dict.fromkeys(("open", "high", "low", "close", "volume"), prices)
    return build_bars({"start": T0 + np.array(starts), **table}, PERP, "the test", interval=interval)


def test_only_whole_bars_are_made() -> None:
    bars = bars_at([n * MINUTE_MS for n in range(3, 17)])
    longer = aggregate(bars, KlineInterval.MINUTE_5)
    assert ((longer.start - T0) // MINUTE_MS).tolist() == [5, 10]
    assert longer.open.tolist() == [3.0, 8.0]
    assert longer.high.tolist() == [7.0, 12.0]
    assert longer.low.tolist() == [3.0, 8.0]
    assert longer.close.tolist() == [7.0, 12.0]
    assert longer.volume.tolist() == [25.0, 50.0]


def test_a_gap_inside_is_passed_over() -> None:
    longer = aggregate(
        bars_at([n * MINUTE_MS for n in (0, 1, 2, 3, 4, 6, 10, 11, 12, 13, 14)]), KlineInterval.MINUTE_5
    )
    assert ((longer.start - T0) // MINUTE_MS).tolist() == [0, 5, 10]
    assert (longer.open[1], longer.close[1], longer.volume[1]) == (6.0, 6.0, 6.0)


def test_weeks_begin_on_mondays() -> None:
    days = bars_at([n * DAY_MS for n in range(10)], KlineInterval.DAY_1)  # T0 is a Monday
    longer = aggregate(days, KlineInterval.WEEK_1)
    assert ((longer.start - T0) // DAY_MS).tolist() == [0]
    assert longer.volume.tolist() == [28.0]


def test_its_own_interval_is_the_data_itself() -> None:
    bars = bars_at([0, MINUTE_MS])
    assert aggregate(bars, KlineInterval.MINUTE_1) is bars


@pytest.mark.parametrize(
    ("own", "wanted"),
    [
        (KlineInterval.MINUTE_3, KlineInterval.MINUTE_5),
        (KlineInterval.MINUTE_5, KlineInterval.MINUTE_1),
        (KlineInterval.MINUTE_1, KlineInterval.MONTH_1),
        (KlineInterval.MINUTE_1, KlineInterval.VOLUME),
    ],
)
def test_what_does_not_consist_of_whole_bars_is_refused(own: KlineInterval, wanted: KlineInterval) -> None:
    with pytest.raises(KlineSupportedError, match=f"{wanted.value} klines cannot be made"):
        aggregate(bars_at([0], own), wanted)
