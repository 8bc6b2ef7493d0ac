"""Order books that a catalogue holds, read a part at a time and played."""

from __future__ import annotations

import pickle
from pathlib import Path
from typing import Any

import numpy as np
import polars as pl
import pytest

from nexustrader.data.catalog import Catalog
from nexustrader.data.depth import DepthRows
from nexustrader.error import DataError
from nexustrader.sim.kernel.touches import TouchReader

SYMBOL = "BTCUSDT-PERP.BINANCE"
BEGIN_NS = 1_700_000_000_000_000_000
pytestmark = pytest.mark.timeout(600)  # the first test that plays natively may have to compile the kernel


def catalog(folder: Path, rows: list[tuple[int, int | None, bool, int, float, float]]) -> Catalog:
    """From (ms after the beginning, id, whether of a snapshot, side, price, size)."""
    columns = ("ms", "id", "is_snapshot", "side", "price", "size")
    frame = pl.DataFrame(rows, schema=columns, orient="row")
    made = Catalog(folder)
    made.write(
        SYMBOL,
        "book_delta",
        frame.select(
            (BEGIN_NS + pl.col("ms") * 1_000_000).alias("time_ns"),
            pl.lit(None, pl.Int64).alias("local_ns"),
            pl.col("id").cast(pl.Int64),
            pl.lit(None, pl.Int64).alias("previous_id"),
            "is_snapshot",
            pl.col("side").cast(pl.Int8),
            "price",
            "size",
        ),
    )
    return made


def all_of(parts: Any) -> list[tuple[Any, ...]]:
    rows = DepthRows(*(np.concatenate(columns) for columns in zip(*parts, strict=True)))
    return [tuple(row) for row in zip(*(column.tolist() for column in rows), strict=True)]


SNAPSHOT = [(20, 100, True, 1, 99.0, 1.0), (20, 100, True, -1, 101.0, 1.0)]


def test_what_the_snapshot_has_already_and_what_comes_before_it_is_left_out(tmp_path: Path) -> None:
    rows = [
        (10, 98, False, 1, 98.0, 1.0),
        *SNAPSHOT,
        (30, 99, False, 1, 99.0, 7.0),
        (40, 101, False, 1, 99.0, 2.0),
        (40, 101, False, 1, 98.5, 2.0),
        (40, 102, False, -1, 101.0, 3.0),
    ]
    found = all_of(catalog(tmp_path, rows).depth(SYMBOL).parts())
    assert [(row[2], row[3], row[4], row[5]) for row in found] == [
        (99.0, 1.0, True, False),
        (101.0, 1.0, True, True),
        (99.0, 2.0, False, False),
        (98.5, 2.0, False, True),
        (101.0, 3.0, False, True),
    ]


def test_a_later_beginning_reads_from_the_last_snapshot_on(tmp_path: Path) -> None:
    second = [(50, 200, True, 1, 90.0, 1.0), (50, 200, True, -1, 91.0, 1.0)]
    rows = [*SNAPSHOT, (30, 150, False, 1, 99.0, 2.0), *second, (60, 250, False, 1, 90.0, 2.0)]
    made = catalog(tmp_path, rows)
    begin_ms = BEGIN_NS // 1_000_000
    later = made.depth(SYMBOL, start=begin_ms + 55)
    assert [row[2] for row in all_of(later.parts())] == [90.0, 91.0, 90.0]
    assert len(later) == 1
    assert [row[2] for row in all_of(made.depth(SYMBOL, end=begin_ms + 40).parts())] == [99.0, 101.0, 99.0]
    with pytest.raises(DataError, match="holds no book_delta"):
        made.depth(SYMBOL, start=begin_ms + 500)


def test_a_book_without_snapshots_begins_empty_and_parts_are_whole_updates(tmp_path: Path) -> None:
    rows = [(n // 3, n // 3, False, 1 if n % 2 else -1, 100.0 + n, 1.0) for n in range(300)]
    depth = catalog(tmp_path, rows).depth(SYMBOL)
    whole = all_of(depth.parts())
    assert len(whole) == len(depth) == 300
    assert sum(row[5] for row in whole) == 100
    for rows_max in (1, 7, 64):
        parts = list(depth.source.parts(0, 1 << 62, rows_max))
        assert all_of(parts) == whole
        assert all(part.is_last[-1] for part in parts)


def test_it_can_be_sent_to_another_process(tmp_path: Path) -> None:
    depth = catalog(tmp_path, [(n, n, False, 1, 100.0, 1.0 + n) for n in range(9)]).depth(SYMBOL)
    assert all_of(pickle.loads(pickle.dumps(depth)).parts()) == all_of(depth.parts())


def test_the_recorded_book_has_the_touch_that_the_venue_told_beside_it(
    testdata: Path, tmp_path: Path
) -> None:
    made = Catalog(tmp_path)
    made.import_file(testdata / "marketdata/rawws/binance/usdm_btcusdt_20240808.gz", SYMBOL)
    quotes, depth, reader = made.quotes(SYMBOL), made.depth(SYMBOL), TouchReader()
    told = set(zip(quotes.bid.tolist(), quotes.ask.tolist(), strict=True))
    touches = [
        touch
        for part in depth.parts()
        for run in part.runs()
        for touch in zip(*(side.tolist() for side in reader.read(run)), strict=True)
    ]
    assert len(touches) > 6_000
    assert all(bid < ask for bid, ask in touches)
    # Both streams are of one book, but a depth update tells of a span of changes of which the best quote told each.
    assert sum(touch in told for touch in touches) > 0.999 * len(touches)
