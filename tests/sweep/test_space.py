"""Parameters as they are written on a command line, and the points of a grid."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from nexustrader.backtest.sweeps import Choices, Span, grid, parse_axis
from nexustrader.error import StrategyBuildError


@pytest.mark.parametrize(
    ("text", "axis"),
    [
        ("fast=5,10,20", Choices((5, 10, 20))),
        ("fast=0.1,2", Choices((0.1, 2))),
        ("mode=maker,taker", Choices(("maker", "taker"))),
        ("hedge=true,False", Choices((True, False))),
        ("slow=20:60:20", Choices((20, 40, 60))),
        ("slow=20:59:20", Choices((20, 40))),
        ("edge=0.1:0.5:0.1", Choices((0.1, 0.2, 0.3, 0.4, 0.5))),
        ("slow=20..60", Span(20, 60)),
        ("edge=0.5..2", Span(0.5, 2.0)),
        ("edge=-1..1", Span(-1, 1)),
    ],
)
def test_an_axis_is_read_as_it_is_meant(text: str, axis: object) -> None:
    assert parse_axis(text) == (text.partition("=")[0], axis)


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("fast", "is no parameter"),
        ("fast=", "is no parameter"),
        ("2fast=1", "is no parameter"),
        ("fast=1..x", "'x' in 'fast=1..x' is no number"),
        ("fast=5..5", "is empty"),
        ("fast=nan..5", "is no number"),
        ("fast=1:9:0", "has no values"),
        ("fast=9:1:1", "has no values"),
        ("fast=0:1:0.0000001", "has more than"),
    ],
)
def test_what_cannot_be_read_is_said(text: str, words: str) -> None:
    with pytest.raises(StrategyBuildError, match=words):
        parse_axis(text)


@given(
    st.dictionaries(
        st.sampled_from("abcd"), st.lists(st.integers(), min_size=1, max_size=4, unique=True), min_size=1
    )
)
def test_a_grid_has_every_combination_once(values: dict[str, list[int]]) -> None:
    points = list(grid({name: Choices(tuple(each)) for name, each in values.items()}))
    expected = 1
    for each in values.values():
        expected *= len(each)
    assert len(points) == len({tuple(sorted(point.items())) for point in points}) == expected
    assert all(point[name] in values[name] for point in points for name in point)


def test_the_last_axis_varies_fastest() -> None:
    assert list(grid({"a": Choices((1, 2)), "b": Choices((3, 4))})) == [
        {"a": 1, "b": 3},
        {"a": 1, "b": 4},
        {"a": 2, "b": 3},
        {"a": 2, "b": 4},
    ]


def test_a_span_has_no_points_and_a_grid_has_its_bounds() -> None:
    with pytest.raises(StrategyBuildError, match="slow is a span"):
        grid({"slow": Span(1, 2)})
    many = Choices(tuple(range(1_001)))
    with pytest.raises(StrategyBuildError, match=r"1,002,001 points"):
        grid({"a": many, "b": many})
