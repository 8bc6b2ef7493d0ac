"""Imports: all or nothing, twice is once, and what a process that dies leaves behind."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path

import polars as pl
import pytest
from catalog_setup import DAY_MS, PERP, SPOT, T0, files_under, kline_lines, rows_of, trade, write

from nexustrader.data.catalog import Catalog
from nexustrader.data.kinds import TRADE
from nexustrader.data.staging import Staging
from nexustrader.error import DataError

TWO_DAYS = 2 * 1_440


def test_a_file_twice_changes_nothing(tmp_path: Path) -> None:
    lines = kline_lines(0, TWO_DAYS)
    catalog, file = Catalog(tmp_path / "c"), write(tmp_path / "a.csv", [*lines, lines[5]])
    first = catalog.import_file(file, PERP)[0]
    before = files_under(catalog.root)
    again = catalog.import_file(file, PERP)[0]
    assert (first.added, first.changed_days, first.source.duplicates) == (TWO_DAYS, 2, 1)
    assert (again.added, again.changed_days, again.source.duplicates) == (0, 0, 1)
    assert files_under(catalog.root) == before


def test_files_that_overlap_merge_whatever_their_order(tmp_path: Path) -> None:
    a = write(tmp_path / "a.csv", kline_lines(0, 2_000))
    b = write(tmp_path / "b.csv", kline_lines(1_000, 2_000))
    one, other = Catalog(tmp_path / "one"), Catalog(tmp_path / "other")
    assert [one.import_file(file, PERP)[0].added for file in (a, b)] == [2_000, 1_000]
    assert [other.import_file(file, PERP)[0].added for file in (b, a)] == [2_000, 1_000]
    assert one.read(PERP, "kline_1m").equals(other.read(PERP, "kline_1m"))
    assert len(one.read(PERP, "kline_1m")) == 3_000
    assert one.manifest(PERP, "kline_1m").duplicates == 0


def test_the_later_import_has_the_last_word_on_a_bar(tmp_path: Path) -> None:
    catalog = Catalog(tmp_path / "c")
    catalog.import_file(write(tmp_path / "a.csv", kline_lines(0, 5)), PERP)
    done = catalog.import_file(
        write(tmp_path / "b.csv", kline_lines(2, 1, close=101.0)), PERP, kind="kline_1m"
    )
    assert (done[0].added, done[0].changed_days) == (0, 1)
    assert catalog.read(PERP, "kline_1m")["close"].to_list() == [100.5, 100.5, 101.0, 100.5, 100.5]


@pytest.mark.parametrize("place", ["last row", "cut short"])
def test_a_corrupt_file_leaves_the_catalogue_as_it_was(tmp_path: Path, place: str) -> None:
    catalog = Catalog(tmp_path / "c")
    catalog.import_file(write(tmp_path / "good.csv", kline_lines(0, 100)), PERP)
    before = files_under(catalog.root)
    lines = kline_lines(50, TWO_DAYS)
    if place == "last row":
        lines[-1] = lines[-1].replace(",99.5,", ",-99.5,")
        bad, reason = write(tmp_path / "bad.csv", lines), rf"bad\.csv, row {TWO_DAYS} has no usable low"
    else:
        bad, reason = write(tmp_path / "bad.csv.gz", lines), r"bad\.csv\.gz cannot be read beyond row \d+"
        bad.write_bytes(bad.read_bytes()[:-4_000])
    with pytest.raises(DataError, match=reason):
        catalog.import_file(bad, PERP)
    assert files_under(catalog.root) == before
    assert not (catalog.root / ".staging").exists()


def test_an_import_with_nothing_in_it_is_refused(tmp_path: Path) -> None:
    catalog = Catalog(tmp_path / "c")
    with pytest.raises(DataError, match="is empty"):
        catalog.import_file(write(tmp_path / "a.csv", []), PERP)
    header = "open_time,open,high,low,close,volume"
    with pytest.raises(DataError, match=f"holds no rows of {PERP}"):
        catalog.import_file(write(tmp_path / "b.csv", [header]), PERP)
    with pytest.raises(DataError, match="does not exist"):
        catalog.import_file(tmp_path / "none.csv", PERP)


def test_a_frame_that_lacks_a_column_or_has_text_is_refused_by_row(tmp_path: Path) -> None:
    catalog = Catalog(tmp_path)
    rows = rows_of(TRADE, [trade(0, "1"), trade(1, "2")])
    with pytest.raises(DataError, match="my trades, row 1 has no usable price"):
        catalog.write(PERP, "trade", rows.drop("price"), source="my trades")
    wrong = rows.with_columns(pl.when(pl.col("id") == "2").then(-1.0).otherwise(1.0).alias("size"))
    with pytest.raises(DataError, match="my trades, row 2 has no usable size"):
        catalog.write(PERP, "trade", wrong, source="my trades")
    with pytest.raises(DataError, match="does not hold trade rows"):
        catalog.write(PERP, "trade", rows.with_columns(pl.lit("x").alias("price")), source="my trades")
    with pytest.raises(DataError, match="my trades, row 1 has no usable time_ns"):
        catalog.write(PERP, "trade", pl.DataFrame({"something": ["else"]}), source="my trades")
    assert catalog.series() == []


def test_one_process_writes_at_a_time(tmp_path: Path) -> None:
    file = write(tmp_path / "a.csv", kline_lines(0, 5))
    with (
        Staging(tmp_path / "c"),
        pytest.raises(DataError, match=r"process \d+ already writes into the catalogue"),
    ):
        Catalog(tmp_path / "c").import_file(file, PERP)
    assert Catalog(tmp_path / "c").import_file(file, PERP)[0].added == 5


def test_a_place_that_is_no_folder_is_refused(tmp_path: Path) -> None:
    file = write(tmp_path / "a.csv", kline_lines(0, 5))
    with pytest.raises(DataError, match="cannot be written"):
        Catalog(file).import_file(file, PERP)


# A process that dies at a given step of an import: nothing of it is caught, nothing is cleaned up.
DYING = """
import os, sys
from pathlib import Path
from nexustrader.data.catalog import Catalog

step, left = sys.argv[1], int(sys.argv[2])
real = getattr(Path, step)

def dying(self, *arguments):
    global left
    if ".staging" in str(self):
        if left == 0:
            os._exit(9)
        left -= 1
    return real(self, *arguments)

setattr(Path, step, dying)
Catalog(sys.argv[3]).import_file(sys.argv[4], sys.argv[5])
"""


@pytest.mark.slow
@pytest.mark.parametrize(
    ("step", "count", "is_there"),
    [("touch", 0, False), ("replace", 0, True), ("replace", 1, True), ("replace", 2, True)],
)
def test_a_process_that_dies_has_imported_all_or_nothing(
    tmp_path: Path, step: str, count: int, is_there: bool
) -> None:
    catalog, file = Catalog(tmp_path / "c"), write(tmp_path / "a.csv", kline_lines(0, TWO_DAYS))
    whole = Catalog(tmp_path / "whole")
    whole.import_file(file, PERP)
    command = [
        sys.executable,
        "-W",
        "ignore",
        "-c",
        DYING,
        step,
        str(count),
        str(catalog.root),
        str(file),
        PERP,
    ]
    assert subprocess.run(command, check=False, timeout=60).returncode == 9
    assert (catalog.root / ".staging").exists()
    assert not list((catalog.root / ".staging").rglob("*.parquet"))  # what is not yet there is not found
    assert len(list(catalog.root.glob("venue=*/**/data.parquet"))) == (count if is_there else 0)
    assert not list(catalog.root.glob("venue=*/**/manifest.json"))
    catalog.write(SPOT, "trade", rows_of(TRADE, [trade(0, "1")]))
    assert not (catalog.root / ".staging").exists()
    left = {name: content for name, content in files_under(catalog.root).items() if PERP in name}
    assert left == (files_under(whole.root) if is_there else {})


def test_the_manifest_says_where_rows_come_from(tmp_path: Path) -> None:
    catalog = Catalog(tmp_path / "c")
    lines = kline_lines(0, 10)
    catalog.import_file(write(tmp_path / "a.csv", [lines[3], *lines]), PERP)
    catalog.import_file(write(tmp_path / "b.csv", kline_lines(1_440, 10)), PERP)
    path = catalog.root / "venue=binance" / "type=kline_1m" / f"symbol={PERP}" / "manifest.json"
    text = json.loads(path.read_text())
    assert [
        (one["name"], one["rows"], one["out_of_order"], one["duplicates"]) for one in text["sources"]
    ] == [
        ("a.csv", 11, 1, 1),
        ("b.csv", 10, 0, 0),
    ]
    assert [(day, facts["rows"]) for day, facts in text["days"].items()] == [
        ("2024-01-01", 10),
        ("2024-01-02", 10),
    ]
    assert len(text["sources"][0]["sha256"]) == 64


def test_a_lost_day_comes_back_by_importing_its_file_again(tmp_path: Path) -> None:
    catalog, file = Catalog(tmp_path / "c"), write(tmp_path / "a.csv", kline_lines(0, TWO_DAYS))
    catalog.import_file(file, PERP)
    before = files_under(catalog.root)
    next(catalog.root.rglob("date=2024-01-02/data.parquet")).unlink()
    assert catalog.import_file(file, PERP)[0].added == 1_440
    assert files_under(catalog.root) == before


def test_a_lost_manifest_comes_back_by_importing_the_files_again(tmp_path: Path) -> None:
    catalog, file = Catalog(tmp_path / "c"), write(tmp_path / "a.csv", kline_lines(0, TWO_DAYS))
    catalog.import_file(file, PERP)
    before = files_under(catalog.root)
    next(catalog.root.rglob("manifest.json")).unlink()
    assert catalog.import_file(file, PERP)[0].changed_days == 0
    assert files_under(catalog.root) == before


def test_progress_is_told_in_bytes_of_the_file(tmp_path: Path) -> None:
    file, told = write(tmp_path / "a.csv.gz", kline_lines(0, TWO_DAYS)), list[int]()
    Catalog(tmp_path / "c").import_file(file, PERP, progress=told.append)
    assert told[-1] == file.stat().st_size
    assert told == sorted(told)


def test_a_series_spread_over_many_days_in_any_order_is_sorted(tmp_path: Path) -> None:
    days = [7, 3, 9, 1, 8, 2, 6, 0, 5, 4]
    rows = [trade(day * DAY_MS + place, f"{day}-{place}") for place in range(3) for day in days]
    catalog = Catalog(tmp_path)
    catalog.write(PERP, "trade", rows_of(TRADE, rows))
    found = catalog.read(PERP, "trade")
    assert found["id"].to_list() == [f"{day}-{place}" for day in range(10) for place in range(3)]
    assert catalog.manifest(PERP, "trade").days.keys() == {f"2024-01-{day + 1:02}" for day in range(10)}
    assert found["time_ns"][0] == T0 * 1_000_000
