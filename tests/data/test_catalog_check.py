"""`check`: what can happen to the files of a catalogue is told with its place and the remedy."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path

import polars as pl
import pyarrow.parquet as pq
import pytest
from catalog_setup import DAY_MS, PERP, T0_NS, rows_of, trade

from nexustrader.data.catalog import Catalog
from nexustrader.data.kinds import TRADE

DAYS = ("2024-01-01", "2024-01-02")


@pytest.fixture
def catalog(tmp_path: Path) -> Catalog:
    found = Catalog(tmp_path)
    found.write(
        PERP,
        "trade",
        rows_of(TRADE, [trade(day * DAY_MS + ms, f"{day}{ms}") for day in (0, 1) for ms in (0, 1)]),
    )
    return found


def day_file(catalog: Catalog, day: str = DAYS[1]) -> Path:
    return next(catalog.root.rglob(f"date={day}/data.parquet"))


def test_what_is_whole_has_no_faults_and_is_read_to_the_last_byte(catalog: Catalog) -> None:
    told = list[int]()
    assert list(catalog.check(told.append)) == []
    assert told == [day_file(catalog, day).stat().st_size for day in DAYS]


def _cut(path: Path) -> None:
    path.write_bytes(path.read_bytes()[:-20])


def _flip(path: Path) -> None:
    """One byte of the first page, whose checksum tells."""
    column = pq.read_metadata(path).row_group(0).column(0)
    place = column.data_page_offset + column.total_compressed_size - 1
    content = path.read_bytes()
    path.write_bytes(content[:place] + bytes([content[place] ^ 255]) + content[place + 1 :])


def _rewrite(path: Path, frame: pl.DataFrame, rows_per_group: int = 100) -> None:
    table = frame.to_arrow().cast(TRADE.arrow_schema)
    pq.write_table(table, path, row_group_size=rows_per_group)


DAY2 = T0_NS + DAY_MS * 1_000_000


@pytest.mark.parametrize(
    ("harm", "reason"),
    [
        (Path.unlink, "is missing; import the data of that day again"),
        (_cut, "cannot be read"),
        (_flip, "cannot be read"),
        (
            lambda path: _rewrite(path, rows_of(TRADE, [trade(DAY_MS, "10")])),
            "has 1 rows, the manifest says 2",
        ),
        (
            lambda path: _rewrite(
                path, rows_of(TRADE, [trade(DAY_MS, "10"), trade(DAY_MS + 1, "11", price=9.0)])
            ),
            "was changed after it was imported",
        ),
        (
            lambda path: _rewrite(path, rows_of(TRADE, [trade(0, "10")])),
            "has rows of other days than 2024-01-02",
        ),
        (
            lambda path: _rewrite(path, rows_of(TRADE, [trade(DAY_MS + 1, "11"), trade(DAY_MS, "10")])),
            "has rows out of order",
        ),
        (
            lambda path: _rewrite(path, rows_of(TRADE, [trade(DAY_MS + 1, "11"), trade(DAY_MS, "10")]), 1),
            "has rows out of order",
        ),
        (
            lambda path: _rewrite(path, rows_of(TRADE, [trade(DAY_MS, "10", price=-1.0)])),
            "has values of price that cannot be used",
        ),
    ],
)
def test_harm_to_a_file_is_found(catalog: Catalog, harm: Callable[[Path], None], reason: str) -> None:
    path = day_file(catalog)
    harm(path)
    faults = list(catalog.check())
    assert [fault.path for fault in faults] == [path]
    assert reason in faults[0].what
    assert "import" in faults[0].what


def test_manifests_are_checked_too(catalog: Catalog) -> None:
    manifest = next(catalog.root.rglob("manifest.json"))
    text = manifest.read_text()
    facts = json.loads(text)
    del facts["days"][DAYS[0]]
    manifest.write_text(json.dumps(facts))
    assert [fault.what.partition(";")[0] for fault in catalog.check()] == ["is not in the manifest"]
    manifest.write_text(text.replace('"gap_count": 0', '"gap_count": 5'))
    assert {fault.what.partition(";")[0] for fault in catalog.check()} == {"does not agree with the manifest"}
    manifest.write_text("{")
    assert ["cannot be read" in fault.what for fault in catalog.check()] == [True]
    manifest.unlink()
    assert [fault.what for fault in catalog.check()] == ["has no manifest; import its files again"]


def test_what_an_import_left_is_told(catalog: Catalog) -> None:
    (catalog.root / ".staging").mkdir()
    assert ["was cut short" in fault.what for fault in catalog.check()] == [True]
