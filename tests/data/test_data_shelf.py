"""Columns that are too long to be held are the same as those that are."""

from __future__ import annotations

import pickle
from pathlib import Path
from typing import Any

import numpy as np
import polars as pl
import pytest

from nexustrader.data import catalog as catalogs
from nexustrader.data.bars import COLUMNS, build_bars
from nexustrader.data.catalog import Catalog
from nexustrader.data.shelf import Shelf
from nexustrader.error import DataError

SYMBOL = "BTCUSDT-PERP.BINANCE"
START_MS = 1_704_067_200_000
COUNT = 5_000


def columns(count: int = COUNT) -> dict[str, Any]:
    close = 100.0 + np.arange(count) % 7
    prices = {"open": close, "high": close + 1, "low": close - 1, "close": close}
    return {"start": START_MS + 60_000 * np.arange(count), **prices, "volume": close * 3}


def parts(table: dict[str, Any], rows: int) -> list[dict[str, Any]]:
    return [{n: c[low : low + rows] for n, c in table.items()} for low in range(0, COUNT, rows)]


@pytest.mark.parametrize("rows_held_max", [0, COUNT // 2, COUNT])
def test_what_is_put_on_a_shelf_is_read_from_it_before_and_after_a_release(rows_held_max: int) -> None:
    table, shelf = columns(), Shelf(rows_held_max)
    for part in parts(table, 700):
        shelf.add(part)
    found = shelf.columns({name: column.dtype for name, column in table.items()})
    for _ in range(2):
        for name, column in table.items():
            assert np.array_equal(found[name], column)
        shelf.release()
    assert shelf.rows == COUNT


def test_bars_of_a_catalogue_are_the_same_on_a_shelf_and_travel(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    table = columns()
    frame = pl.DataFrame(
        {"time_ns": table.pop("start") * 1_000_000, **table, "quote_volume": table["volume"]}
    )
    catalog = Catalog(tmp_path / "data")
    catalog.write(SYMBOL, "kline_1m", frame)
    held = catalog.bars(SYMBOL, "1m")
    monkeypatch.setattr(catalogs, "Shelf", lambda: Shelf(0))
    shelved = catalog.bars(SYMBOL, "1m")
    for bars in (shelved, pickle.loads(pickle.dumps(shelved))):
        assert list(bars.klines()) == list(held.klines())
        assert bars.notes == held.notes
    assert held.taker_volume is shelved.taker_volume is None
    assert not shelved.close.flags.writeable


def test_columns_in_order_are_not_copied_and_others_are_put_in_order() -> None:
    table = columns()
    bars = build_bars(table, SYMBOL, "the test")
    assert all(np.shares_memory(getattr(bars, name), table[name]) for name in COLUMNS[:6])
    turned = build_bars({name: column[::-1].copy() for name, column in table.items()}, SYMBOL, "the test")
    assert list(turned.klines()) == list(bars.klines())
    assert turned.notes.out_of_order == COUNT - 1


def test_the_row_to_blame_is_counted_from_the_first_of_all(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("nexustrader.data.bars.ROWS_PER_SPAN", 64)
    table = columns()
    table["low"][3_000] = -1
    with pytest.raises(DataError, match="row 3001 has no usable low"):
        build_bars(table, SYMBOL, "the test")
