"""Order books from columns: what is refused, and where an update ends."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest

from nexustrader.data.depth import build_depth
from nexustrader.error import DataError

PERP = "BTCUSDT-PERP.BINANCE"

GOOD = {"time_ns": [1, 1, 2], "side": [1, -1, 1], "price": [9.0, 10.0, 9.0], "size": [1.0, 1.0, 0.0]}


@pytest.mark.parametrize(
    ("changes", "says"),
    [
        ({"side": [1, 0, 1]}, "row 2: the side must be 1 .bid. or -1 .ask."),
        ({"price": [9.0, 10.0, 0.0]}, "row 3: the price must be finite and above 0"),
        ({"size": [1.0, float("nan"), 0.0]}, "row 2: the size must be finite and not negative"),
        ({"is_last": [True, False, True]}, "row 2: an update goes on in the next row"),
        ({"is_last": [False, True, False]}, "row 3: an update goes on in the next row"),
        ({"is_last": [False, True, True], "is_snapshot": [True, False, False]}, "row 1: an update goes on"),
        ({"time_ns": [], "side": [], "price": [], "size": []}, "has no rows"),
    ],
)
def test_a_bad_row_is_named(changes: dict[str, Any], says: str) -> None:
    table = {name: np.array(column) for name, column in (GOOD | changes).items()}
    with pytest.raises(DataError, match=says):
        build_depth(table, PERP, "the test")


def test_missing_columns_are_named_and_updates_end_where_the_time_changes() -> None:
    table = {name: np.array(column) for name, column in GOOD.items()}
    (part,) = build_depth(table, PERP, "the test").parts()
    assert part.is_last.tolist() == [False, True, True]
    assert not part.is_snapshot.any()
    del table["side"]
    with pytest.raises(DataError, match="lacks the columns side"):
        build_depth(table, PERP, "the test")


def test_rows_out_of_order_are_sorted_and_counted() -> None:
    table = {name: np.array(column)[::-1] for name, column in GOOD.items()}
    book = build_depth(table, PERP, "the test")
    assert book.notes.out_of_order == 1
    assert [one.tolist() for one in next(book.parts())[:2]] == [[1, 1, 2], [-1, 1, 1]]
