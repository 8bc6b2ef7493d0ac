"""Merging: whatever the files overlap and however their rows are ordered, each row is there once, in order."""

from __future__ import annotations

import tempfile
import weakref
from collections import Counter
from collections.abc import Iterator, Sequence
from itertools import pairwise
from pathlib import Path
from typing import Any

import numpy as np
import polars as pl
import pyarrow as pa
import pytest
from catalog_setup import DAY_MS, PERP, T0_NS, rows_of, trade
from hypothesis import given, settings
from hypothesis import strategies as st

from nexustrader.data import files, importing
from nexustrader.data.catalog import Catalog
from nexustrader.data.files import RowWriter
from nexustrader.data.importing import Origin, import_chunks
from nexustrader.data.kinds import BOOK_DELTA, NS_PER_MS, TRADE
from nexustrader.data.merging import NEW, OLD, Run, in_order, merge
from nexustrader.data.rows import Chunk

Row = dict[str, Any]
# Few times and few values, so that rows meet: two days, ids that repeat, and rows without id that are alike.
ROWS = st.builds(
    trade,
    st.sampled_from([0, 1, 2, 3, DAY_MS - 1, DAY_MS, DAY_MS + 1]),
    st.one_of(st.none(), st.sampled_from(["1", "2", "10", "x"])),
    price=st.sampled_from([1.0, 2.0]),
)
FILES = st.lists(st.lists(ROWS, min_size=1, max_size=12), min_size=1, max_size=4)


def import_rows(root: Path, rows: Sequence[Row], name: str, size: int) -> importing.Imported:
    chunks = (Chunk(TRADE, rows_of(TRADE, rows[place : place + size])) for place in range(0, len(rows), size))
    return import_chunks(root, PERP, chunks, Origin(name, name))[0]


def alike(row: Row) -> tuple[object, ...]:
    return tuple(row.get(name) for name in TRADE.names)


def expected(files_given: Sequence[Sequence[Row]]) -> Counter[tuple[object, ...]]:
    """The model: the last word on every (ms, id), and rows without id as often as the file that has them most."""
    named: dict[tuple[int, str], Row] = {}
    nameless: Counter[tuple[object, ...]] = Counter()
    for rows in files_given:
        named |= {(row["time_ns"] // NS_PER_MS, row["id"]): row for row in rows if row["id"] is not None}
        nameless |= Counter(alike(row) for row in rows if row["id"] is None)
    return nameless + Counter(alike(row) for row in named.values())


@pytest.mark.slow
@settings(max_examples=15)
@given(given_files=FILES, size=st.integers(1, 5))
def test_a_catalogue_holds_what_its_files_say_once_and_in_order(
    given_files: list[list[Row]], size: int
) -> None:
    with tempfile.TemporaryDirectory() as folder:
        root = Path(folder)
        for number, rows in enumerate(given_files):
            before = Catalog(root).read(PERP, "trade").height if number else 0
            done = import_rows(root, rows, str(number), size)
            times = [row["time_ns"] for row in rows]
            assert done.source.out_of_order == sum(later < earlier for earlier, later in pairwise(times))
            assert done.source.duplicates == len(rows) - sum(expected([rows]).values())
            assert done.added == Catalog(root).read(PERP, "trade").height - before
        found = Catalog(root).read(PERP, "trade")
        assert Counter(found.iter_rows()) == expected(given_files)
        assert found["time_ns"].is_sorted()
        assert not list(Catalog(root).check())
        again = [import_rows(root, rows, str(number), size) for number, rows in enumerate(given_files[-1:])]
        assert [one.added for one in again] == [0]


@pytest.mark.slow
@settings(max_examples=8)
@given(
    order=st.permutations(range(12)),
    cuts=st.lists(st.tuples(st.integers(0, 11), st.integers(1, 12)), min_size=1, max_size=3),
)
def test_the_order_of_imports_does_not_matter_where_files_agree(
    order: list[int], cuts: list[tuple[int, int]]
) -> None:
    rows = [trade(place // 3 * DAY_MS // 3 + place, str(place)) for place in order]
    parts = [rows, *(rows[low : low + count] for low, count in cuts)]
    with tempfile.TemporaryDirectory() as folder:
        roots = [Path(folder, name) for name in ("forth", "back")]
        for root, sequence in zip(roots, (parts, parts[::-1]), strict=True):
            for number, part in enumerate(sequence):
                import_rows(root, part, str(number), 4)
        forth, back = (Catalog(root).read(PERP, "trade") for root in roots)
    assert forth.equals(back)
    assert forth["id"].cast(pl.Int64).to_list() == list(range(12))


def run(path: Path, rows: Sequence[Row], source: int) -> Run:
    with RowWriter(path, TRADE) as writer:
        writer.write(in_order(TRADE, rows_of(TRADE, rows)))
    return Run(path, source)


def test_spans_are_bounded_by_what_is_loaded_and_do_not_overlap(tmp_path: Path) -> None:
    runs = [
        run(tmp_path / "a", [trade(ms, str(ms)) for ms in range(0, 200, 2)], OLD),
        run(tmp_path / "b", [trade(ms, str(ms)) for ms in range(1, 200, 2)], NEW),
    ]
    spans = list(merge(TRADE, runs, rows=10))
    assert max(len(span.frame) for span in spans) <= 20
    assert len(spans) >= 10
    assert pl.concat([span.frame for span in spans])["id"].to_list() == [str(ms) for ms in range(200)]
    assert sum(len(span.before) for span in spans) == 100


def test_a_millisecond_longer_than_what_is_loaded_is_one_span(tmp_path: Path) -> None:
    rows = [trade(0, "0"), *(trade(1, str(place)) for place in range(1, 30)), trade(2, "30")]
    runs = [run(tmp_path / "a", rows, OLD), run(tmp_path / "b", rows[5:], NEW)]
    spans = list(merge(TRADE, runs, rows=4))
    assert [len(span.frame) for span in spans if len(span.frame) > 5] == [29]
    assert pl.concat([span.frame for span in spans])["id"].to_list() == [str(place) for place in range(31)]


def test_times_of_finer_units_are_the_same_row_within_a_millisecond(tmp_path: Path) -> None:
    catalog = Catalog(tmp_path)
    catalog.write(PERP, "trade", rows_of(TRADE, [trade(5, "1"), trade(5, "2")]))
    finer = rows_of(TRADE, [trade(5, "1"), trade(5, "2")]).with_columns(pl.col("time_ns") + 123_000)
    catalog.write(PERP, "trade", finer)
    assert catalog.read(PERP, "trade")["time_ns"].to_list() == [T0_NS + 5_123_000] * 2


def test_levels_of_a_book_are_told_apart_by_side_price_and_snapshot(tmp_path: Path) -> None:
    def level(side: int, price: float, size: float, *, is_snapshot: bool = False) -> Row:
        return {
            "time_ns": T0_NS,
            "id": 7,
            "previous_id": 6,
            "is_snapshot": is_snapshot,
            "side": side,
            "price": price,
            "size": size,
        }

    rows = [level(1, 1.0, 5.0), level(-1, 1.0, 6.0), level(1, 2.0, 7.0), level(1, 1.0, 8.0, is_snapshot=True)]
    catalog = Catalog(tmp_path)
    assert catalog.write(PERP, "book_delta", rows_of(BOOK_DELTA, rows)).added == 4
    assert catalog.write(PERP, "book_delta", rows_of(BOOK_DELTA, rows[1:])).changed_days == 0


def test_ids_are_ordered_as_numbers_within_one_time(tmp_path: Path) -> None:
    catalog = Catalog(tmp_path)
    catalog.write(PERP, "trade", rows_of(TRADE, [trade(1, "10"), trade(1, "9"), trade(0, "11")]))
    assert catalog.read(PERP, "trade")["id"].to_list() == ["11", "9", "10"]


def test_rows_of_one_time_are_in_the_order_in_which_they_were_received(tmp_path: Path) -> None:
    catalog = Catalog(tmp_path)
    for places in ((3, 0), (2, 1)):
        rows = [trade(1, None, size=float(place)) | {"local_ns": T0_NS + place} for place in places]
        catalog.write(PERP, "trade", rows_of(TRADE, rows))
    assert catalog.read(PERP, "trade")["size"].to_list() == [0.0, 1.0, 2.0, 3.0]


def test_many_runs_of_a_day_are_joined_on_the_way(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(importing, "RUNS_PER_DAY_MAX", 3)
    rows = [trade(ms, str(ms)) for ms in reversed(range(40))]
    done = import_rows(tmp_path, [*rows, *rows], "backwards", 2)
    assert (done.added, done.source.duplicates) == (40, 40)
    assert Catalog(tmp_path).read(PERP, "trade")["id"].cast(pl.Int64).to_list() == list(range(40))


def test_reading_a_file_keeps_nothing_of_what_it_has_given(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(files, "ROWS_PER_GROUP", 5_000)
    noise = np.random.default_rng(1).random(5_000 * 40) + 1
    rows = pl.DataFrame({"time_ns": T0_NS + np.arange(len(noise)), "price": noise, "size": noise})
    Catalog(tmp_path).write(
        PERP, "trade", rows.with_columns(pl.lit(1).alias("side"), pl.lit(None).alias("id"))
    )
    path = next(tmp_path.rglob("*.parquet"))
    before, most, read = pa.total_allocated_bytes(), 0, 0
    for frame in files.batches(path, TRADE, 1_000):
        read += len(frame)
        del frame
        most = max(most, pa.total_allocated_bytes() - before)
    assert read == len(noise)
    assert most < path.stat().st_size / 4


@pytest.mark.parametrize("is_backwards", [False, True])
def test_an_import_holds_few_of_the_chunks_of_its_source(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, is_backwards: bool
) -> None:
    monkeypatch.setattr(files, "ROWS_PER_GROUP", 100)
    alive: list[weakref.ref[pl.DataFrame]] = []
    on_disk: list[int] = []
    most = 0

    def chunks() -> Iterator[Chunk]:
        nonlocal most
        numbers = range(60)
        for number in reversed(numbers) if is_backwards else numbers:
            frame = rows_of(
                TRADE, [trade(number * 50 + place, str(number * 50 + place)) for place in range(50)]
            )
            alive.append(weakref.ref(frame))
            yield Chunk(TRADE, frame)
            del frame
            most = max(most, sum(one() is not None for one in alive))
            on_disk.append(sum(path.stat().st_size for path in (tmp_path / ".staging").rglob("trade-*")))

    assert import_chunks(tmp_path, PERP, chunks(), Origin("many", ""))[0].added == 3_000
    assert most <= 3
    assert on_disk[50] > 2 * on_disk[20] > 4 * on_disk[8] > 0  # its rows are on disk long before it ends


@pytest.mark.skipif(not Path("/proc/self/fd").is_dir(), reason="the system does not list open files")
def test_an_import_of_many_days_has_few_files_open(tmp_path: Path) -> None:
    open_files: list[int] = []

    def chunks() -> Iterator[Chunk]:
        for day in range(40):
            yield Chunk(
                TRADE, rows_of(TRADE, [trade(day * DAY_MS, str(day)), trade((day + 1) * DAY_MS, f"{day}b")])
            )
            open_files.append(len(list(Path("/proc/self/fd").iterdir())))

    assert import_chunks(tmp_path, PERP, chunks(), Origin("many", ""))[0].added == 80
    assert max(open_files) - open_files[0] <= importing.OPEN_RUNS_MAX
