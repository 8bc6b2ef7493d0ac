"""Messages as venues send them: Bybit's order book files and recorded frames of Binance's streams."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import polars as pl
import pytest
from catalog_setup import PERP, SPOT, T0, T0_NS, write, zipped

from nexustrader.data.catalog import Catalog
from nexustrader.data.kinds import QUOTE
from nexustrader.data.readers import bybit_book
from nexustrader.data.readers.detect import read_file
from nexustrader.data.readers.wish import Wish
from nexustrader.error import DataError

MS = 1_000_000
LOCAL = T0_NS - 1_234_567


def rows(path: Path, symbol: str, **wish: Any) -> dict[str, list[dict[str, Any]]]:
    found: dict[str, list[dict[str, Any]]] = {}
    for chunk in read_file(path, Wish(symbol, **wish)):
        found.setdefault(chunk.kind.name, []).extend(chunk.frame.drop("row").to_dicts())
    return found


def bybit(kind: str, update_id: int, bids: list[tuple[str, str]], asks: list[tuple[str, str]]) -> str:
    data = {"s": "BTCUSDT", "b": bids, "a": asks, "u": update_id, "seq": 9}
    message = {"topic": "orderbook.500.BTCUSDT", "type": kind, "ts": T0 + 3, "data": data, "cts": T0}
    return json.dumps(message)


BYBIT = [
    bybit("snapshot", 5, [("1.5", "2")], [("1.6", "3")]),
    bybit("delta", 6, [], [("1.6", "0")]),
    bybit("delta", 9, [("1.4", "1")], []),
]


def test_bybit_books_are_snapshot_and_deltas_at_the_time_of_the_engine(tmp_path: Path) -> None:
    file = tmp_path / "2024-01-01_BTCUSDT_ob500.data.zip"
    file.write_bytes(zipped("2024-01-01_BTCUSDT_ob500.data", "\r\n".join(BYBIT).encode()))
    found = rows(file, "BTCUSDT-PERP.BYBIT")["book_delta"]
    level = {"time_ns": T0_NS, "local_ns": None}
    first = {"id": 5, "previous_id": None, "is_snapshot": True}
    assert found == [
        {**level, **first, "side": 1, "price": 1.5, "size": 2.0},
        {**level, **first, "side": -1, "price": 1.6, "size": 3.0},
        {**level, "id": 6, "previous_id": 5, "is_snapshot": False, "side": -1, "price": 1.6, "size": 0.0},
        {**level, "id": 9, "previous_id": 8, "is_snapshot": False, "side": 1, "price": 1.4, "size": 1.0},
    ]
    done = Catalog(tmp_path / "c").import_file(file, "BTCUSDT-PERP.BYBIT")[0]
    assert done.manifest.gap_count(done.series.kind) == 1


@pytest.mark.parametrize("line", ["{", '{"topic":"x"}', BYBIT[1].replace('"1.6"', '"dear"')])
def test_a_bad_book_message_is_named_by_row(tmp_path: Path, line: str) -> None:
    file = write(tmp_path / "a.data", [*BYBIT, line])
    with pytest.raises(DataError, match=r"a\.data, row 4 is no order book message"):
        rows(file, "BTCUSDT-PERP.BYBIT")
    with pytest.raises(DataError, match=r"a\.data is of BTCUSDT, not of ETHUSDT\.BYBIT"):
        rows(write(tmp_path / "a.data", BYBIT), "ETHUSDT.BYBIT")


def test_books_come_in_chunks_of_a_bounded_number_of_rows(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(bybit_book, "ROWS_PER_CHUNK", 10)
    file = write(tmp_path / "a.data", BYBIT * 30)
    sizes = [len(chunk.frame) for chunk in read_file(file, Wish("BTCUSDT.BYBIT"))]
    assert max(sizes) <= 11
    assert sum(sizes) == 4 * 30


def frame(stream: str, local: int, **data: object) -> str:
    return f"{local} {json.dumps({'stream': stream, 'data': {'s': 'BTCUSDT', **data}})}"


BAR = {
    "t": T0, "T": T0 + 59_999, "s": "BTCUSDT", "i": "1m", "f": 1, "L": 9, "o": "1", "c": "2", "h": "3", "l": "0.5",
    "v": "4", "n": 9, "x": True, "q": "5", "V": "6", "Q": "7", "B": "0",
}  # fmt: skip
FUTURES = [
    frame(
        "btcusdt@depth@0ms", LOCAL, e="depthUpdate", E=T0 + 1, T=T0, U=7, u=9, pu=6,
        b=[["1.5", "2"]], a=[["1.6", "0"]],
    ),
    f'{LOCAL + 1} {{"lastUpdateId":9,"E":{T0 + 2},"T":{T0 + 1},"bids":[["1.5","2"]],"asks":[]}}',
    frame(
        "btcusdt@bookTicker", LOCAL + 2, e="bookTicker", u=10, b="1.5", B="2", a="1.6", A="3", T=T0 + 2, E=T0 + 3
    ),
    frame("btcusdt@trade", LOCAL + 3, e="trade", E=T0 + 3, T=T0 + 2, t=77, p="2.5", q="4", X="MARKET", m=True),
    frame("btcusdt@trade", LOCAL + 3, e="trade", E=T0 + 3, T=T0 + 2, t=78, p="0", q="0", X="NA", m=False),
    frame("btcusdt@aggTrade", LOCAL + 4, e="aggTrade", E=T0 + 3, T=T0 + 2, a=5, f=77, l=79, p="2.5", q="4", m=False),
    frame("btcusdt@kline_1m", LOCAL + 5, e="kline", E=T0 + 3, k=BAR | {"x": False}),
    frame("ethusdt@trade", LOCAL + 6, s="ETHUSDT", e="trade", E=T0, T=T0, t=1, p="1", q="1", m=True),
]  # fmt: skip


def test_frames_of_futures_become_rows_of_their_kinds(tmp_path: Path) -> None:
    found = rows(write(tmp_path / "a.gz", FUTURES), PERP)
    assert found == {
        "book_delta": [
            {
                "time_ns": T0_NS, "local_ns": LOCAL, "id": 9, "previous_id": 6, "is_snapshot": False,
                "side": side, "price": price, "size": size,
            }
            for side, price, size in ((1, 1.5, 2.0), (-1, 1.6, 0.0))
        ]
        + [
            {
                "time_ns": T0_NS + MS, "local_ns": LOCAL + 1, "id": 9, "previous_id": None, "is_snapshot": True,
                "side": 1, "price": 1.5, "size": 2.0,
            }
        ],
        "quote": [
            {
                "time_ns": T0_NS + 2 * MS, "local_ns": LOCAL + 2, "id": 10,
                "bid": 1.5, "bid_size": 2.0, "ask": 1.6, "ask_size": 3.0,
            }
        ],
        "trade": [
            {"time_ns": T0_NS + 2 * MS, "local_ns": LOCAL + 3, "id": "77", "price": 2.5, "size": 4.0, "side": -1}
        ],
        "agg_trade": [
            {
                "time_ns": T0_NS + 2 * MS, "local_ns": LOCAL + 4, "id": "5", "price": 2.5, "size": 4.0, "side": 1,
                "first_trade_id": 77, "last_trade_id": 79,
            }
        ],
    }  # fmt: skip


def test_on_spot_what_has_no_time_gets_the_local_one_and_a_snapshot_that_of_the_frame_before(
    tmp_path: Path,
) -> None:
    lines = [
        frame("btcusdt@depth@100ms", LOCAL, e="depthUpdate", E=T0, U=7, u=9, b=[["1.5", "2"]], a=[]),
        frame("btcusdt@bookTicker", LOCAL + 1, u=10, b="1.5", B="2", a="1.6", A="3"),
        f'{LOCAL + 2} {{"lastUpdateId":9,"bids":[["1.5","2"]],"asks":[]}}',
    ]
    found = rows(write(tmp_path / "a.gz", lines), SPOT)
    delta, snapshot = found["book_delta"]
    assert (delta["time_ns"], delta["previous_id"]) == (T0_NS, 6)
    assert (snapshot["time_ns"], snapshot["local_ns"], snapshot["is_snapshot"]) == (T0_NS, LOCAL + 2, True)
    assert found["quote"][0]["time_ns"] == LOCAL + 1


def test_bars_are_kept_when_they_have_closed(tmp_path: Path) -> None:
    lines = [
        frame("btcusdt@kline_1m", LOCAL, e="kline", E=T0 + 60_001, k=BAR | {"x": is_closed})
        for is_closed in (False, True)
    ]
    assert rows(write(tmp_path / "a.gz", lines), PERP) == {
        "kline_1m": [
            {
                "time_ns": T0_NS, "open": 1.0, "high": 3.0, "low": 0.5, "close": 2.0, "volume": 4.0,
                "quote_volume": 5.0, "taker_volume": 6.0, "taker_quote_volume": 7.0, "trades": 9,
            }
        ]
    }  # fmt: skip


@pytest.mark.parametrize(
    ("data", "time_ns"),
    [
        (
            {"e": "depthUpdate", "E": T0 + 1, "T": T0, "U": 7, "u": 9, "pu": 6, "b": [["1.5", "2"]], "a": []},
            T0_NS,
        ),
        ({"s": "", "lastUpdateId": 9, "bids": [["1.5", "2"]], "asks": []}, LOCAL),
    ],
)
def test_a_book_of_a_few_levels_is_a_snapshot(tmp_path: Path, data: dict[str, Any], time_ns: int) -> None:
    found = rows(write(tmp_path / "a.gz", [frame("btcusdt@depth20@100ms", LOCAL, **data)]), PERP)
    assert found == {
        "book_delta": [
            {
                "time_ns": time_ns, "local_ns": LOCAL, "id": 9, "previous_id": None, "is_snapshot": True,
                "side": 1, "price": 1.5, "size": 2.0,
            }
        ]
    }  # fmt: skip


def test_one_kind_or_another_symbol_can_be_wished(tmp_path: Path) -> None:
    file = write(tmp_path / "a.gz", FUTURES)
    assert set(rows(file, PERP, kind=QUOTE)) == {"quote"}
    assert rows(file, "ETHUSDT-PERP.BINANCE").keys() == {"book_delta", "trade"}
    with pytest.raises(DataError, match=r"a\.gz is of BTCUSDT, ETHUSDT, not of SOLUSDT\.BINANCE"):
        rows(file, "SOLUSDT.BINANCE")


@pytest.mark.parametrize(
    "line",
    [
        "17040672000000000000 {",
        "x {}",
        frame("b", LOCAL, e="trade", T=T0, t=1, p="dear", q="1"),
        frame("b", LOCAL, e="depthUpdate", E=T0, U=1, u=2, b="", a=[]),
        frame("b", LOCAL, e="trade", T="noon"),
    ],
)
def test_a_bad_frame_is_named_by_row_and_nothing_is_imported(tmp_path: Path, line: str) -> None:
    catalog = Catalog(tmp_path / "c")
    with pytest.raises(DataError, match=r"a\.gz, row 9 is no recorded frame"):
        catalog.import_file(write(tmp_path / "a.gz", [*FUTURES, line]), PERP)
    assert not list(catalog.root.rglob("*.parquet"))


# -- what was really recorded ------------------------------------------------------------------------------------


@pytest.mark.slow
@pytest.mark.parametrize(
    ("product", "symbol", "counts"),
    [
        ("usdm", PERP, {"book_delta": 445_521, "quote": 66_089, "trade": 21_313}),
        ("spot", SPOT, {"book_delta": 126_090, "quote": 28_040, "trade": 9_757}),
    ],
)
def test_recorded_sessions_of_binance(
    testdata: Path, tmp_path: Path, product: str, symbol: str, counts: dict[str, int]
) -> None:
    file = testdata / "marketdata" / "rawws" / "binance" / f"{product}_btcusdt_20240808.gz"
    catalog = Catalog(tmp_path)
    done = {one.series.kind.name: one for one in catalog.import_file(file, symbol)}
    assert {name: one.added for name, one in done.items()} == counts
    assert all(one.manifest.gap_count(one.series.kind) == 0 for one in done.values())
    assert not list(catalog.check())
    quotes = catalog.scan(symbol, "quote").select((pl.col("bid") < pl.col("ask")).all()).collect()
    assert quotes.item()


class Book:
    """A book kept as the documents say: a snapshot, then every event that goes on from it."""

    def __init__(self) -> None:
        self.levels: dict[int, dict[float, float]] = {1: {}, -1: {}}
        self.known: int | None = None
        self.snapshot: int | None = None
        self.breaks = 0

    def apply(self, event: pl.DataFrame) -> bool:
        """True if the event is now in the book."""
        update_id, previous, is_snapshot = event.row(0)[2:5]
        if is_snapshot:
            self.levels = {1: {}, -1: {}}
            self.known = self.snapshot = update_id
        elif self.known is None or update_id <= self.known:
            return False
        else:
            goes_on = previous == self.known or (self.known == self.snapshot and previous < self.known)
            self.breaks += not goes_on
            self.known = update_id
        for side, price, size in event.select("side", "price", "size").iter_rows():
            self.levels[side][price] = size
            if not size:
                del self.levels[side][price]
        return not is_snapshot


@pytest.mark.slow
@pytest.mark.parametrize(("product", "symbol", "count"), [("usdm", PERP, 6_545), ("spot", SPOT, 3_449)])
def test_the_book_that_is_made_of_deltas_has_the_recorded_best_prices(
    testdata: Path, tmp_path: Path, product: str, symbol: str, count: int
) -> None:
    catalog = Catalog(tmp_path)
    catalog.import_file(
        testdata / "marketdata" / "rawws" / "binance" / f"{product}_btcusdt_20240808.gz", symbol
    )
    quotes = catalog.read(symbol, "quote").select("id", "bid", "ask").rows()
    book, place, compared = Book(), 0, 0
    for frame_ in catalog.frames(symbol, "book_delta"):
        for _, event in frame_.group_by("time_ns", "id", "is_snapshot", maintain_order=True):
            if not book.apply(event):
                continue
            while place + 1 < len(quotes) and quotes[place + 1][0] <= (book.known or 0):
                place += 1
            if quotes[0][0] <= (book.known or 0) and place + 1 < len(quotes):
                assert (max(book.levels[1]), min(book.levels[-1])) == quotes[place][1:]
                compared += 1
    assert (compared, book.breaks) == (count, 0)


def test_recorded_books_of_bybit(testdata: Path, tmp_path: Path) -> None:
    file = testdata / "marketdata" / "l2" / "xrpusdt-ob500.data.zip"
    done = Catalog(tmp_path).import_file(file, "XRPUSDT-PERP.BYBIT")[0]
    assert (done.added, done.source.out_of_order, done.manifest.gap_count(done.series.kind)) == (3_966, 0, 0)


@pytest.mark.parametrize(
    ("name", "symbol", "venue_symbol", "kind", "count"),
    [
        ("binance-futures_book_snapshot_5_BTCUSDT", PERP, None, "book_delta", 100),
        ("binance-futures_book_snapshot_25_BTCUSDT", PERP, None, "book_delta", 500),
        ("bitmex_trades_XBTUSD", PERP, "XBTUSD", "trade", 10),
        ("deribit_incremental_book_L2_BTC-PERPETUAL", PERP, "BTC-PERPETUAL", "book_delta", 15),
        ("huobi-dm-swap_quotes_BTC-USD", "BTCUSD.OKX", None, "quote", 10),
    ],
)
def test_recorded_files_of_tardis(
    testdata: Path, tmp_path: Path, name: str, symbol: str, venue_symbol: str | None, kind: str, count: int
) -> None:
    file = testdata / "marketdata" / "l2" / f"{name}.csv"
    done = Catalog(tmp_path).import_file(file, symbol, venue_symbol=venue_symbol)[0]
    assert (done.series.kind.name, done.added) == (kind, count)
    assert Catalog(tmp_path).read(symbol, kind)["local_ns"].null_count() == 0


@pytest.mark.slow
def test_recorded_klines_and_funding(testdata: Path, tmp_path: Path) -> None:
    folder, catalog = testdata / "marketdata", Catalog(tmp_path)
    day = catalog.import_file(folder / "klines" / "binance_vision" / "BTCUSDT-1m-2024-01-11.zip", SPOT)[0]
    assert (day.series.kind.name, day.added, day.changed_days) == ("kline_1m", 1_440, 1)
    month = catalog.import_file(folder / "klines" / "binance_spot" / "BTCUSDT-1m-2024-01.csv.gz", SPOT)[0]
    assert (month.added, month.changed_days) == (44_640 - 1_440, 30)
    bars = catalog.bars(SPOT, "1m")
    assert (len(bars), bars.notes.gaps) == (44_640, 0)
    funding = catalog.import_file(folder / "funding" / "BTCUSDT-funding-2026.csv", PERP)[0]
    assert (funding.series.kind.name, funding.added) == ("funding", 200)
