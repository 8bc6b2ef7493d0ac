"""Files of venues and vendors: each layout as it is served, in the catalogue's columns; what is bad is named by row."""

from __future__ import annotations

import zipfile
from pathlib import Path
from typing import Any

import polars as pl
import pytest
from catalog_setup import KLINE, PERP, SPOT, T0, T0_NS, kline_lines, write

from nexustrader.data.catalog import Catalog
from nexustrader.data.kinds import TRADE, kind_of
from nexustrader.data.readers import text
from nexustrader.data.readers.detect import read_file
from nexustrader.data.readers.text import blocks
from nexustrader.data.readers.wish import Wish
from nexustrader.error import DataError

MS, US = 1_000_000, 1_000


def rows(path: Path, symbol: str = PERP, **wish: Any) -> tuple[str, list[dict[str, Any]]]:
    """The kind, and the rows without their numbers and what is null."""
    chunks = list(read_file(path, Wish(symbol, **wish)))
    kinds = {chunk.kind.name for chunk in chunks}
    assert len(kinds) == 1
    found = pl.concat([chunk.frame for chunk in chunks]).drop("row").to_dicts()
    return kinds.pop(), [{name: value for name, value in row.items() if value is not None} for row in found]


KLINE_ROW = {
    "open": 100.0, "high": 101.5, "low": 99.5, "close": 100.5, "volume": 3.5, "quote_volume": 350.0, "trades": 10,
    "taker_volume": 1.5, "taker_quote_volume": 150.0,
}  # fmt: skip
KLINE_HEADER = (
    "open_time,open,high,low,close,volume,close_time,quote_volume,count,taker_buy_volume,"
    "taker_buy_quote_volume,ignore"
)


@pytest.mark.parametrize("scale", [1, 1_000])
@pytest.mark.parametrize("has_header", [False, True])
@pytest.mark.parametrize("name", ["a.csv", "a.csv.gz", "BTCUSDT-1m-2025-01-01.zip"])
def test_binance_klines(tmp_path: Path, scale: int, has_header: bool, name: str) -> None:
    header = [KLINE_HEADER] if has_header else []
    kind, found = rows(write(tmp_path / name, [*header, *kline_lines(0, 2, scale=scale)]))
    assert kind == "kline_1m"
    closes = [T0_NS + (place + 1) * 60_000 * MS - (MS if scale == 1 else US) for place in (0, 1)]
    assert found == [
        {"time_ns": T0_NS + place * 60_000 * MS, "close_ns": closes[place], **KLINE_ROW} for place in (0, 1)
    ]


@pytest.mark.parametrize(("name", "step_ms"), [("1s", 1_000), ("1h", 3_600_000), ("1d", 86_400_000)])
def test_the_interval_is_told_from_the_first_bar(tmp_path: Path, name: str, step_ms: int) -> None:
    line = KLINE.format(start=T0, end=T0 + step_ms - 1, close=100.5)
    assert rows(write(tmp_path / "a.csv", [line]))[0] == f"kline_{name}"


def test_bars_without_closing_time_have_the_interval_of_their_least_distance(tmp_path: Path) -> None:
    header = "timestamp,open,high,low,close,volume"
    lines = [header, *(f"{T0 + place * 300_000},1,2,1,2,5" for place in (4, 0, 1))]
    assert rows(write(tmp_path / "a.csv", lines))[0] == "kline_5m"
    lone = write(tmp_path / "b.csv", lines[:2])
    with pytest.raises(
        DataError, match=r"b\.csv: the length of its bars cannot be told .*--kind, such as kline_1m"
    ):
        rows(lone)
    assert rows(lone, kind=kind_of("kline_15m"))[0] == "kline_15m"


TRADE_ROW = {"time_ns": T0_NS, "id": "77", "price": 2.5, "size": 4.0, "side": -1}


@pytest.mark.parametrize(
    "lines",
    [
        ["77,2.50,4.000,10.0,{ms},true"],
        ["id,price,qty,quote_qty,time,is_buyer_maker", "77,2.50,4.000,10.0,{ms},true"],
        ["77,2.50000000,4.00000000,10.0,{ms},True,True"],
        ["77,2.50000000,4.00000000,10.0,{us},True,True"],
    ],
)
def test_binance_trades_with_and_without_header_in_ms_and_us(tmp_path: Path, lines: list[str]) -> None:
    filled = [line.format(ms=T0, us=T0 * 1_000) for line in lines]
    assert rows(write(tmp_path / "BTCUSDT-trades-2025-01-01.zip", filled)) == ("trade", [TRADE_ROW])


@pytest.mark.parametrize(
    "lines",
    [
        ["77,2.50,4.000,100,103,{ms},true"],
        [
            "agg_trade_id,price,quantity,first_trade_id,last_trade_id,transact_time,is_buyer_maker",
            "77,2.50,4.000,100,103,{ms},true",
        ],
        ["77,2.50000000,4.00000000,100,103,{us},True,True"],
    ],
)
def test_binance_agg_trades(tmp_path: Path, lines: list[str]) -> None:
    filled = [line.format(ms=T0, us=T0 * 1_000) for line in lines]
    expected = TRADE_ROW | {"first_trade_id": 100, "last_trade_id": 103}
    assert rows(write(tmp_path / "a.csv", filled)) == ("agg_trade", [expected])


TICKER_HEADER = (
    "update_id,best_bid_price,best_bid_qty,best_ask_price,best_ask_qty,transaction_time,event_time"
)


@pytest.mark.parametrize("header", [[], [TICKER_HEADER]])
def test_binance_book_ticker(tmp_path: Path, header: list[str]) -> None:
    found = rows(write(tmp_path / "a.zip", [*header, f"5,1.5,2,1.6,3,{T0},{T0 + 4}"]))
    quote = {"time_ns": T0_NS, "id": 5, "bid": 1.5, "bid_size": 2.0, "ask": 1.6, "ask_size": 3.0}
    assert found == ("quote", [quote])


def test_funding_rates(tmp_path: Path) -> None:
    vision = ["calc_time,funding_interval_hours,last_funding_rate", f"{T0},8,-0.0001"]
    expected = {"time_ns": T0_NS, "rate": -0.0001}
    assert rows(write(tmp_path / "a.csv", vision)) == ("funding", [expected | {"interval_hours": 8}])
    other = ["timestamp,symbol,funding_rate", f"{T0},BTCUSDT,-0.0001"]
    assert rows(write(tmp_path / "b.csv", other)) == ("funding", [expected])


def test_bybit_trades_have_seconds_with_a_fraction_and_ids_that_are_text(tmp_path: Path) -> None:
    header = (
        "timestamp,symbol,side,size,price,tickDirection,trdMatchID,grossValue,homeNotional,foreignNotional"
    )
    lines = [
        header,
        f"{T0 // 1_000}.1234,BTCUSDT,Sell,4.0,2.5,ZeroPlusTick,c-1,1.0,4.0,10.0",
        f"{T0 // 1_000 + 1},BTCUSDT,Buy,4.0,2.5,ZeroPlusTick,c-2,1.0,4.0,10.0",
    ]
    assert rows(write(tmp_path / "BTCUSDT2024-01-01.csv.gz", lines)) == (
        "trade",
        [
            TRADE_ROW | {"time_ns": T0_NS + 123_400 * US, "id": "c-1"},
            TRADE_ROW | {"time_ns": T0_NS + 1_000 * MS, "id": "c-2", "side": 1},
        ],
    )


def test_bybit_spot_trades_have_no_ids_worth_keeping(tmp_path: Path) -> None:
    lines = ["id,timestamp,price,volume,side,rpi", f"1,{T0},2.5,4,sell,0", f"2,{T0},2.5,4,sell,0"]
    expected = {name: value for name, value in TRADE_ROW.items() if name != "id"}
    file = write(tmp_path / "BTCUSDT_2024-01-01.csv.gz", lines)
    assert rows(file, "BTCUSDT.BYBIT") == ("trade", [expected, expected])
    catalog = Catalog(tmp_path / "c")
    assert [catalog.import_file(file, "BTCUSDT.BYBIT")[0].added for _ in range(2)] == [2, 0]


def test_okx_trades(tmp_path: Path) -> None:
    new = ["instrument_name,trade_id,side,price,size,created_time", f"BTC-USDT-SWAP,77,sell,2.5,4.0,{T0}"]
    old = ["trade_id/id,side/way,size/amount,price/price,created_time/time", f"77,sell,4.0,2.5,{T0}"]
    for lines in (new, old):
        assert rows(write(tmp_path / "a.csv", lines), "BTCUSDT-PERP.OKX") == ("trade", [TRADE_ROW])
    assert rows(tmp_path / "a.csv", "BTCUSDT-PERP.OKX", contract_size=0.01)[1][0]["size"] == 0.04


@pytest.mark.parametrize(
    ("name", "symbol", "volume"),
    [("BTC-USDT", "BTCUSDT.OKX", 7.0), ("BTC-USDT-SWAP", "BTCUSDT-PERP.OKX", 8.0)],
)
def test_okx_candles_have_their_volume_in_base_and_closed_ones_count(
    tmp_path: Path, name: str, symbol: str, volume: float
) -> None:
    lines = [
        "instrument_name,open,high,low,close,vol,vol_ccy,vol_quote,open_time,confirm",
        f"{name},2,3,1,2,7,8,9,{T0},1",
        f"{name},2,3,1,2,7,8,9,{T0 + 60_000},1",
        f"{name},2,3,1,2,7,8,9,{T0 + 120_000},0",
    ]
    kind, found = rows(write(tmp_path / "a.csv", lines), symbol)
    assert (kind, len(found)) == ("kline_1m", 2)
    assert found[0] == {
        "time_ns": T0_NS, "open": 2.0, "high": 3.0, "low": 1.0, "close": 2.0, "volume": volume, "quote_volume": 9.0,
    }  # fmt: skip


TIMES = {"time_ns": T0_NS + 5 * US, "local_ns": T0_NS + 9 * US}
TARDIS = f"binance-futures,BTCUSDT,{T0 * 1_000 + 5},{T0 * 1_000 + 9}"
TARDIS_HEADER = "exchange,symbol,timestamp,local_timestamp"


def test_tardis_trades_may_not_know_the_side_nor_have_an_id(tmp_path: Path) -> None:
    lines = [f"{TARDIS_HEADER},id,side,price,amount", f"{TARDIS},77,sell,2.5,4", f"{TARDIS},,unknown,2.5,4"]
    expected = TRADE_ROW | TIMES
    nameless = {name: value for name, value in expected.items() if name != "id"} | {"side": 0}
    assert rows(write(tmp_path / "a.csv.gz", lines)) == ("trade", [expected, nameless])


def test_tardis_quotes_with_one_side_are_none(tmp_path: Path) -> None:
    lines = [
        f"{TARDIS_HEADER},ask_amount,ask_price,bid_price,bid_amount",
        f"{TARDIS},3,1.6,1.5,2",
        f"{TARDIS},,,1.5,2",
    ]
    quote = {**TIMES, "bid": 1.5, "bid_size": 2.0, "ask": 1.6, "ask_size": 3.0}
    assert rows(write(tmp_path / "a.csv", lines)) == ("quote", [quote])


def test_tardis_books(tmp_path: Path) -> None:
    lines = [
        f"{TARDIS_HEADER},is_snapshot,side,price,amount",
        f"{TARDIS},true,ask,2.5,4",
        f"{TARDIS},false,bid,2.5,0",
    ]
    level = {**TIMES, "price": 2.5}
    assert rows(write(tmp_path / "a.csv", lines)) == (
        "book_delta",
        [
            level | {"is_snapshot": True, "side": -1, "size": 4.0},
            level | {"is_snapshot": False, "side": 1, "size": 0.0},
        ],
    )


def test_tardis_snapshots_become_a_row_a_level_and_shallow_books_fewer(tmp_path: Path) -> None:
    levels = ",".join(
        f"asks[{place}].price,asks[{place}].amount,bids[{place}].price,bids[{place}].amount"
        for place in (0, 1)
    )
    lines = [f"{TARDIS_HEADER},{levels}", f"{TARDIS},3,30,2,20,4,40,1,10", f"{TARDIS},3,31,2,21,,,,"]
    kind, found = rows(write(tmp_path / "a.csv", lines))
    assert kind == "book_delta"
    assert [(row["side"], row["price"], row["size"]) for row in found] == [
        (-1, 3.0, 30.0), (1, 2.0, 20.0), (-1, 4.0, 40.0), (1, 1.0, 10.0), (-1, 3.0, 31.0), (1, 2.0, 21.0),
    ]  # fmt: skip
    assert all(row["is_snapshot"] for row in found)


# -- what is refused ---------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("row", "old", "new", "reason"),
    [
        (3, ",2.50,", ",x,", "row 3 has no usable price"),
        (3, ",2.50,", ",-1,", "row 3 has no usable price"),
        (2, ",4.000,", ",,", "row 2 has no usable size"),
        (2, ",4.000,", ",nan,", "row 2 has no usable size"),
        (2, ",4.000,", ",-4,", "row 2 has no usable size"),
        (3, "true", "perhaps", "row 3 has no usable side"),
        (4, str(T0), "noon", "row 4 has no usable time_ns"),
        (4, str(T0), "", "row 4 has no usable time_ns"),
        (4, ",true", ",true,1", "row 4 has 7 columns instead of 6"),
        (4, ",10.0,", "\n", "row 4 has no usable time_ns"),
        (4, "77,2.50,4.000,10.0", "", "row 4 has no usable"),
    ],
)
@pytest.mark.parametrize("block_bytes", [40, 1 << 20])
def test_a_bad_row_is_named_with_its_file_wherever_the_file_is_cut(
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    row: int,
    old: str,
    new: str,
    reason: str,
    block_bytes: int,
) -> None:
    monkeypatch.setattr(text, "BLOCK_BYTES", block_bytes)
    lines = ["id,price,qty,quote_qty,time,is_buyer_maker", *[f"77,2.50,4.000,10.0,{T0},true"] * 4]
    assert old in lines[row - 1]
    lines[row - 1] = lines[row - 1].replace(old, new)
    catalog = Catalog(tmp_path / "c")
    with pytest.raises(DataError, match=rf"bad\.csv, {reason}"):
        catalog.import_file(write(tmp_path / "bad.csv", lines), PERP)
    assert not list(catalog.root.rglob("*.parquet"))


def test_bars_that_contradict_themselves_are_named_by_row(tmp_path: Path) -> None:
    catalog, lines = Catalog(tmp_path / "c"), kline_lines(0, 4)
    lines[2] = lines[2].replace(",100.5,", ",102.5,")
    with pytest.raises(DataError, match=r"a\.csv, row 3 has open or close outside low to high"):
        catalog.import_file(write(tmp_path / "a.csv", lines), PERP)
    lines = kline_lines(0, 4)
    lines[1] = lines[1].replace(str(T0 + 60_000), str(T0 + 61_000))
    with pytest.raises(DataError, match=r"b\.csv, row 2 does not open on the 1m grid"):
        catalog.import_file(write(tmp_path / "b.csv", lines), PERP)


def test_a_file_of_no_known_layout_is_refused_with_those_that_are(tmp_path: Path) -> None:
    for lines in (["a,b,c", "1,2,3"], ["1,2,3"], ["hello"]):
        file = write(tmp_path / "a.csv", lines)
        with pytest.raises(
            DataError, match=r"a\.csv begins with '.*', which is no layout .*Tardis quotes, .*klines"
        ):
            read_file(file, Wish(PERP))
    with pytest.raises(DataError, match="holds klines, not trade; leave --kind away"):
        read_file(write(tmp_path / "k.csv", kline_lines(0, 3)), Wish(PERP, TRADE))


def test_packed_files_that_are_damaged_are_refused(tmp_path: Path) -> None:
    whole = write(tmp_path / "a.zip", kline_lines(0, 500)).read_bytes()
    (tmp_path / "b.zip").write_bytes(whole[:300])
    with pytest.raises(DataError, match=r"b\.zip cannot be read: .*fetch the file again"):
        rows(tmp_path / "b.zip")
    (tmp_path / "c.zip").write_bytes(whole[:150] + bytes([whole[150] ^ 255]) + whole[151:])
    with pytest.raises(DataError, match=r"c\.zip cannot be read beyond row 1"):
        rows(tmp_path / "c.zip")


def test_a_zip_holds_one_file_whatever_an_archiver_adds(tmp_path: Path) -> None:
    file = tmp_path / "a.zip"
    with zipfile.ZipFile(file, "w") as archive:
        archive.writestr("folder/", "")
        archive.writestr("folder/a.csv", "\n".join(kline_lines(0, 2)))
        archive.writestr("__MACOSX/folder/._a.csv", "noise")
    assert len(rows(file)[1]) == 2
    with zipfile.ZipFile(file, "a") as archive:
        archive.writestr("folder/b.csv", "")
    with pytest.raises(DataError, match=r"a\.zip must hold one file, it holds 2; unpack it"):
        rows(file)


# -- which symbol ------------------------------------------------------------------------------------------------


def test_rows_of_other_symbols_are_left_out(tmp_path: Path) -> None:
    other = TARDIS.replace("BTCUSDT", "ETHUSDT")
    lines = [f"{TARDIS_HEADER},id,side,price,amount", f"{other},1,sell,2.5,4", f"{TARDIS},2,sell,2.5,4"]
    file = write(tmp_path / "a.csv", lines)
    assert [row["id"] for row in rows(file)[1]] == ["2"]
    assert [row["id"] for row in rows(file, "ETHUSDT-PERP.BINANCE")[1]] == ["1"]
    with pytest.raises(
        DataError, match=r"a\.csv is of BTCUSDT, ETHUSDT, not of SOLUSDT\.BINANCE; .*--venue-symbol"
    ):
        rows(file, "SOLUSDT.BINANCE")
    assert [row["id"] for row in rows(file, "SOLUSDT.BINANCE", venue_symbol="ETHUSDT")[1]] == ["1"]


@pytest.mark.parametrize(
    ("symbol", "name", "is_meant"),
    [
        ("BTCUSDT-PERP.OKX", "BTC-USDT-SWAP", True),
        ("BTCUSD-PERP.BINANCE", "BTCUSD_PERP", True),
        ("BTCUSDT-250926.BINANCE", "BTCUSDT_250926", True),
        ("BTCUSDT-250926.BINANCE", "BTCUSDT", False),
        (SPOT, "BTCUSDC", False),
    ],
)
def test_spellings_of_a_symbol(symbol: str, name: str, is_meant: bool) -> None:
    assert Wish(symbol).is_meant(name) is is_meant


# -- in bounded memory -------------------------------------------------------------------------------------------


def test_a_file_is_read_in_blocks_of_whole_lines(tmp_path: Path) -> None:
    lines = [f"{number},{'x' * (number % 7)}" for number in range(200)]
    for name in ("a.csv", "a.csv.gz", "a.zip"):
        found = list(blocks(write(tmp_path / name, lines), block_bytes=64))
        assert max(len(block.content) for block in found) <= 64 + max(map(len, lines)) + 1
        assert len(found) > 20
        assert b"".join(block.content for block in found).decode().splitlines() == lines
        assert [block.content.decode().splitlines()[0] for block in found] == [
            lines[block.first_row - 1] for block in found
        ]


def test_the_last_line_needs_no_end_and_a_byte_order_mark_is_no_text(tmp_path: Path) -> None:
    (tmp_path / "a.csv").write_bytes(b"\xef\xbb\xbf1\n2")
    assert [block.content for block in blocks(tmp_path / "a.csv", block_bytes=4)] == [b"1\n", b"2"]


def test_chunks_come_one_by_one_as_the_file_is_read(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(text, "BLOCK_BYTES", 1_000)
    file, told = write(tmp_path / "a.csv", kline_lines(0, 1_000)), list[int]()
    chunks = read_file(file, Wish(PERP), told.append)
    assert len(next(chunks).frame) < 20
    assert told[-1] <= 2_000
    assert sum(len(chunk.frame) for chunk in chunks) > 980
