"""Bars from files, frames and klines: what is read, what is counted, and what is refused by file and row."""

from __future__ import annotations

import gzip
import zipfile
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pandas as pd
import polars as pl
import pytest

from nexustrader.constants import KlineInterval
from nexustrader.data.bars import Bars, build_bars, join_bars
from nexustrader.data.readers import csv as csv_reader
from nexustrader.data.readers.binance_vision import read_klines
from nexustrader.data.readers.frames import from_frame, from_klines
from nexustrader.error import DataError

SYMBOL = "BTCUSDT-PERP.BINANCE"
T0 = 1_704_067_200_000
VISION = "{start},100.0,101.5,99.5,{close},3.5,{end},350.0,10,1.5,150.0,0"
HEADER = (
    "open_time,open,high,low,close,volume,close_time,quote_volume,count,taker_buy_volume,taker_buy_quote_volume,"
    "ignore"
)


def rows(count: int, *, scale: int = 1, step: int = 60_000) -> list[str]:
    return [
        VISION.format(
            start=(T0 + place * step) * scale, end=(T0 + (place + 1) * step) * scale - 1, close=100.5
        )
        for place in range(count)
    ]


def write(path: Path, lines: list[str]) -> Path:
    path.write_text("\n".join(lines) + "\n")
    return path


def test_a_file_without_header_is_read_as_binance_vision_has_it(tmp_path: Path) -> None:
    bars = read_klines(write(tmp_path / "a.csv", rows(3)), SYMBOL)
    assert (len(bars), bars.interval, bars.symbol) == (3, KlineInterval.MINUTE_1, SYMBOL)
    kline = list(bars.klines())[1]
    assert (kline.start, kline.timestamp, kline.confirm) == (T0 + 60_000, T0 + 120_000, True)
    assert (kline.open, kline.high, kline.low, kline.close, kline.volume) == (100.0, 101.5, 99.5, 100.5, 3.5)
    assert (kline.quote_volume, kline.taker_volume, kline.taker_quote_volume) == (350.0, 1.5, 150.0)


def test_a_header_says_what_is_what_and_blanks_and_order_do_not_matter(tmp_path: Path) -> None:
    lines = ["Volume,Open,High,Low,Close,Open Time", f"2,1,3,0.5,2,{T0}", f"4,2,3,1,2,{T0 + 3_600_000}"]
    bars = read_klines(write(tmp_path / "a.csv", lines), SYMBOL)
    assert (bars.interval, bars.volume.tolist()) == (KlineInterval.HOUR_1, [2.0, 4.0])
    assert bars.quote_volume is None


@pytest.mark.parametrize("scale", [1, 1_000, 1_000_000])
def test_times_may_be_in_ms_us_or_ns(tmp_path: Path, scale: int) -> None:
    bars = read_klines(
        write(tmp_path / "a.csv", [HEADER, *rows(4, scale=scale)]), SYMBOL, KlineInterval.MINUTE_1
    )
    assert bars.start.tolist() == [T0 + place * 60_000 for place in range(4)]


def _plain(path: Path, text: str) -> Path:
    path.write_text(text)
    return path


def _gzipped(path: Path, text: str) -> Path:
    file = path.with_suffix(".csv.gz")
    file.write_bytes(gzip.compress(text.encode()))
    return file


def _zipped(path: Path, text: str) -> Path:
    file = path.with_suffix(".zip")
    with zipfile.ZipFile(file, "w") as archive:
        archive.writestr("inside.csv", text)
    return file


@pytest.mark.parametrize("pack", [_plain, _gzipped, _zipped])
def test_files_may_be_plain_gzipped_or_zipped(tmp_path: Path, pack: Callable[[Path, str], Path]) -> None:
    assert len(read_klines(pack(tmp_path / "a.csv", "\n".join(rows(3))), SYMBOL)) == 3


def test_files_are_joined_in_order_of_time_and_what_is_odd_is_counted(tmp_path: Path) -> None:
    lines = rows(10)
    late = write(tmp_path / "late.csv", [lines[7], lines[6], lines[9]])
    early = write(tmp_path / "early.csv", [*lines[:3], lines[2], lines[6]])
    bars = read_klines([late, early], SYMBOL)
    assert ((bars.start - T0) // 60_000).tolist() == [0, 1, 2, 6, 7, 9]
    notes = bars.notes
    assert notes.sources == ("late.csv", "early.csv")
    assert (notes.rows, notes.duplicates, notes.out_of_order) == (6, 2, 2)
    assert (notes.gaps, notes.missing) == (2, 4)


def test_of_two_words_on_one_bar_the_later_counts(tmp_path: Path) -> None:
    first, second = rows(1)[0], rows(1)[0].replace("100.5", "101.0")
    bars = read_klines(write(tmp_path / "a.csv", [first, second]), SYMBOL, KlineInterval.MINUTE_1)
    assert bars.close.tolist() == [101.0]


@pytest.mark.parametrize(
    ("row", "text", "reason"),
    [
        (3, rows(3)[2].replace("99.5", "x"), "row 3: 'x' is not a number"),
        (3, rows(3)[2] + ",1,2", "row 3 has 14 columns instead of 12"),
        (3, f"{T0 + 120_000},1,2", "row 3 has no usable low"),
        (2, rows(2)[1].replace("100.0", ""), "row 2 has no usable open"),
        (2, rows(2)[1].replace("100.5", "nan"), "row 2"),
        (2, rows(2)[1].replace(",100.5,", ",-1,"), "row 2 has no usable close"),
        (2, rows(2)[1].replace(",3.5,", ",-3.5,"), "row 2 has no usable volume"),
        (2, rows(2)[1].replace("100.5", "102.0"), "row 2 has open or close outside low to high"),
        (2, rows(2)[1].replace(str(T0 + 60_000), str(T0 + 61_000)), "row 2 does not open on the 1m grid"),
        (2, rows(2)[1].replace(str(T0 + 60_000), ""), "row 2"),
    ],
)
@pytest.mark.parametrize("with_header", [False, True])
def test_a_bad_row_is_named_with_its_file(
    tmp_path: Path, row: int, text: str, reason: str, with_header: bool
) -> None:
    lines = rows(4)
    lines[row - 1] = text
    if with_header:
        lines.insert(0, HEADER)
        reason = reason.replace(f"row {row}", f"row {row + 1}")
    with pytest.raises(DataError, match=reason) as caught:
        read_klines(write(tmp_path / "bad.csv", lines), SYMBOL)
    assert "bad.csv" in str(caught.value)


def test_unusable_files_are_refused_by_name(tmp_path: Path) -> None:
    with pytest.raises(DataError, match=r"gone\.csv does not exist"):
        read_klines(tmp_path / "gone.csv", SYMBOL)
    with pytest.raises(DataError, match=r"a\.csv is empty"):
        read_klines(write(tmp_path / "a.csv", []), SYMBOL)
    with pytest.raises(DataError, match="no bars"):
        read_klines(write(tmp_path / "h.csv", [HEADER]), SYMBOL)
    with pytest.raises(DataError, match=r"c\.csv has 2 columns"):
        read_klines(write(tmp_path / "c.csv", ["1,2"]), SYMBOL)
    with pytest.raises(DataError, match=r"n\.csv has no column high"):
        read_klines(write(tmp_path / "n.csv", ["start,open,low,close", f"{T0},1,1,1"]), SYMBOL)
    (tmp_path / "b.csv.gz").write_bytes(gzip.compress(b"1,2,3")[:-6])
    with pytest.raises(DataError, match=r"b\.csv\.gz cannot be read"):
        read_klines(tmp_path / "b.csv.gz", SYMBOL)
    (tmp_path / "b.zip").write_bytes(b"no zip")
    with pytest.raises(DataError, match=r"b\.zip cannot be read"):
        read_klines(tmp_path / "b.zip", SYMBOL)
    with zipfile.ZipFile(tmp_path / "two.zip", "w") as archive:
        archive.writestr("a.csv", "1")
        archive.writestr("b.csv", "1")
    with pytest.raises(DataError, match="it holds 2"):
        read_klines(tmp_path / "two.zip", SYMBOL)
    with pytest.raises(DataError, match="no file is given"):
        read_klines([], SYMBOL)


def test_a_file_that_unpacks_to_too_much_is_refused(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(csv_reader, "FILE_SIZE_MAX", 100)
    with pytest.raises(DataError, match="more than 100 bytes"):
        read_klines(_gzipped(tmp_path / "a.csv", "\n".join(rows(3))), SYMBOL)


def test_lengths_that_are_no_interval_are_refused(tmp_path: Path) -> None:
    with pytest.raises(DataError, match="bars of 61000 ms"):
        read_klines(write(tmp_path / "a.csv", rows(3, step=61_000)), SYMBOL)
    lone = ["start,open,high,low,close", f"{T0},1,1,1,1"]
    with pytest.raises(DataError, match="one bar"):
        read_klines(write(tmp_path / "b.csv", lone), SYMBOL)
    assert len(read_klines(tmp_path / "b.csv", SYMBOL, KlineInterval.HOUR_1)) == 1


def test_different_bars_are_not_joined(tmp_path: Path) -> None:
    minute = read_klines(write(tmp_path / "a.csv", rows(3)), SYMBOL)
    hour = read_klines(write(tmp_path / "b.csv", rows(3, step=3_600_000)), SYMBOL)
    with pytest.raises(DataError, match="give them apart"):
        join_bars([minute, hour])


# -- frames and klines -----------------------------------------------------------------------------------------

COLUMNS = {
    "timestamp": [T0, T0 + 60_000],
    "open": [1.0, 2.0],
    "high": [2.0, 3.0],
    "low": [1.0, 2.0],
    "close": [2.0, 3.0],
    "volume": [5.0, 6.0],
}


def test_polars_and_pandas_frames_give_the_same_bars() -> None:
    frame = pd.DataFrame(COLUMNS)
    indexed = frame.drop(columns="timestamp").set_index(
        pd.to_datetime(frame["timestamp"], unit="ms", utc=True)
    )
    dated = pl.DataFrame(COLUMNS).with_columns(pl.from_epoch("timestamp", time_unit="ms"))
    for given in (pl.DataFrame(COLUMNS), frame, indexed, dated):
        bars = from_frame(given, SYMBOL)
        assert bars.start.tolist() == COLUMNS["timestamp"]
        assert bars.close.tolist() == COLUMNS["close"]


def test_a_bad_frame_is_named() -> None:
    with pytest.raises(DataError, match=f"polars frame of {SYMBOL}, row 2 has no usable close"):
        from_frame(pl.DataFrame({**COLUMNS, "close": [2.0, None]}), SYMBOL)


@pytest.mark.parametrize("column", ["timestamp", "open", "volume"])
def test_text_in_a_frame_is_refused_with_the_remedy(column: str) -> None:
    frame = pl.DataFrame(COLUMNS).with_columns(pl.lit("2024-01-01").alias(column))
    with pytest.raises(DataError, match=r"frame of BTCUSDT-PERP\.BINANCE has text .* convert the column"):
        from_frame(frame, SYMBOL)


def test_klines_become_bars_again() -> None:
    bars = from_frame(pl.DataFrame(COLUMNS), SYMBOL)
    klines = list(bars.klines())
    assert list(from_klines(klines)[SYMBOL].klines()) == klines
    with pytest.raises(DataError, match="no closed kline"):
        from_klines([])


# -- reading ranges --------------------------------------------------------------------------------------------


def minutes(count: int) -> Bars:
    prices = np.arange(1.0, count + 1)
    table = dict.fromkeys(("open", "high", "low", "close", "volume"), prices)
    return build_bars({"start": T0 + 60_000 * np.arange(count), **table}, SYMBOL, "test")


def test_between_takes_bars_that_open_and_close_within() -> None:
    bars = minutes(5)
    assert bars.between(T0 + 1, None).close.tolist() == [2.0, 3.0, 4.0, 5.0]
    assert bars.between(T0, T0 + 120_000).close.tolist() == [1.0, 2.0]
    assert bars.between(T0, T0 + 119_999).close.tolist() == [1.0]
    assert len(bars.between(T0 + 600_000, T0)) == 0


def test_last_takes_what_has_closed() -> None:
    bars = minutes(5)
    assert bars.last(2, T0 + 180_000).close.tolist() == [2.0, 3.0]
    assert bars.last(2, T0 + 179_999).close.tolist() == [1.0, 2.0]
    assert bars.last(9, T0 + 60_000).close.tolist() == [1.0]
    assert len(bars.last(2, T0)) == 0


def test_recorded_files_are_read(testdata: Path) -> None:
    folder = testdata / "marketdata" / "klines"
    day = read_klines(folder / "binance_vision" / "BTCUSDT-1m-2024-01-11.zip", SYMBOL)
    assert (len(day), day.interval, day.notes.gaps) == (1_440, KlineInterval.MINUTE_1, 0)
    futures = read_klines(folder / "binance_usdm" / "BTCUSDT-1h.csv.gz", SYMBOL)
    assert (len(futures), futures.interval) == (4_500, KlineInterval.HOUR_1)
