"""Parts of a page: markup out of text, fewer points that look the same, numbers for people."""

from __future__ import annotations

import json
import math

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from nexustrader.backtest.report_html import Cell, Column, Markup, element, embedded, number, span, table
from nexustrader.backtest.report_series import candles, every, kept, rounded
from nexustrader.constants import KlineInterval
from nexustrader.data.bars import build_bars

EVIL = '"><script>alert(1)</script>'


# -- markup ----------------------------------------------------------------------------------------------------


def test_text_attributes_and_cells_are_escaped_and_markup_is_not() -> None:
    made = element("p", EVIL, Markup("<b>x</b>"), title=EVIL, data_value=EVIL)
    assert made.count("<script") == 0
    assert made.count('"') == 4
    assert "<b>x</b>" in made
    cell = Cell(EVIL, EVIL, EVIL, EVIL, EVIL)
    assert "<script" not in table([Column(EVIL), Column(EVIL, is_number=True)], [[EVIL, cell]], label=EVIL)


def test_embedded_json_cannot_end_its_script_and_is_the_same_json() -> None:
    value = {EVIL: [EVIL, "<!--", "\u2028", 1.5, None]}
    text = embedded(value)
    assert not set("<>&\u2028") & set(text)
    assert json.loads(text) == value


# -- fewer points ----------------------------------------------------------------------------------------------


def test_no_peak_and_neither_end_of_a_long_curve_is_lost() -> None:
    values = np.zeros(100_000)
    values[[12_345, 12_400]] = 7.0, -9.0
    values[0], values[-1] = 1.0, 2.0
    places = kept(values, 500)
    assert {0, 12_345, 12_400, 99_999} <= set(places.tolist())
    assert len(places) <= 502
    assert (np.diff(places) > 0).all()


@given(st.integers(1, 300), st.integers(2, 50))
def test_kept_points_are_places_in_order(length: int, count: int) -> None:
    values = np.sin(np.arange(length) * 1.7)
    places = kept(values, count)
    assert len(places) <= max(count + 2, 2)
    assert places[0] == 0
    assert places[-1] == length - 1
    assert values[places].max() == values.max()
    assert len(every(length, count)) == min(length, count)


@given(st.integers(1, 200), st.integers(1, 50))
def test_candles_have_the_open_extremes_and_close_of_their_bars(length: int, count: int) -> None:
    draw = np.random.default_rng(length)
    close = 100 + draw.normal(0, 1, length)
    columns = {"start": 60_000 * (1 + np.arange(length)), "open": close, "close": close}
    columns |= {"high": close + draw.random(length), "low": close - draw.random(length)}
    bars = build_bars(columns, "BTCUSDT.BINANCE", "the test", interval=KlineInterval.MINUTE_1)
    made = candles(bars, count)
    assert len(made.start) <= count
    assert made.merged == math.ceil(length / count)
    for place, first in enumerate(range(0, length, made.merged)):
        rows = slice(first, first + made.merged)
        assert made.start[place] == bars.start[first]
        assert made.open[place] == bars.open[first]
        assert made.high[place] == bars.high[rows].max()
        assert made.low[place] == bars.low[rows].min()
        assert made.close[place] == bars.close[rows][-1]


def test_numbers_lose_the_digits_that_nobody_sees() -> None:
    assert rounded(np.array([123456.789, math.nan, -0.04])) == [123456.8, None, -0.0]
    assert rounded(np.array([0.000012345678])) == [0.00001234568]
    assert rounded(np.array([0.0, math.inf])) == [0.0, None]


# -- for people ------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("value", "unit", "text"),
    [
        (0.12345, "percent", "12.35 %"),
        (-0.000123, "percent", "−0.0123 %"),
        (123.4, "percent", "12,340 %"),
        (1234.0, "count", "1,234"),
        (-1234.5, "money", "−1,234.50"),
        (0.00012345, "money", "0.0001234"),
        (1.005, "ratio", "1.00"),
        (math.nan, "ratio", "–"),
        (math.inf, "ratio", "∞"),
        (-math.inf, "money", "−∞"),
    ],
)
def test_a_number_reads_as_its_unit(value: float, unit: str, text: str) -> None:
    assert number(value, unit) == text


@pytest.mark.parametrize(
    ("ms", "text"),
    [
        (500, "0.5 s"),
        (60_000, "1 min"),
        (3_600_000, "1 h"),
        (5_400_000, "1 h 30 min"),
        (90_000_000, "1 d 1 h"),
        (86_460_000, "1 d"),
        (4e12, "46,296 d 7 h"),
    ],
)
def test_a_length_of_time_has_its_two_largest_units(ms: float, text: str) -> None:
    assert span(ms) == text
