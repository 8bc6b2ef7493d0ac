"""The catalogue end to end: files in, DuckDB, polars, pandas and backtests out."""

from __future__ import annotations

from pathlib import Path

import duckdb
import pandas as pd
import polars as pl
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from catalog_setup import DAY_MS, MINUTE_MS, PERP, SPOT, T0, T0_NS, kline_lines, rows_of, trade, write

from nexustrader.backtest import Backtest
from nexustrader.backtest.inputs import bars_of
from nexustrader.config import BasicConfig, Config, MockConnectorConfig
from nexustrader.constants import ExchangeType, KlineInterval
from nexustrader.data.catalog import Catalog
from nexustrader.data.kinds import KINDS, QUOTE, TRADE, kind_of
from nexustrader.error import DataError
from nexustrader.exchange import BinanceAccountType
from nexustrader.schema import Kline
from nexustrader.strategy import Strategy


@pytest.fixture
def catalog(tmp_path: Path) -> Catalog:
    """Two days of minutes, without 3 of the second day, and with one row twice."""
    lines = kline_lines(0, 1_500)
    del lines[1_450:1_453]
    lines.append(lines[-1])
    found = Catalog(tmp_path / "catalog")
    found.import_file(write(tmp_path / "BTCUSDT-1m.csv.gz", lines), PERP)
    return found


def test_klines_of_a_file_come_back_as_bars_with_what_is_wrong_with_them(catalog: Catalog) -> None:
    bars = catalog.bars(PERP, "1m")
    assert (len(bars), bars.symbol, bars.interval) == (1_497, PERP, KlineInterval.MINUTE_1)
    assert (bars.start[0], bars.start[-1]) == (T0, T0 + 1_499 * MINUTE_MS)
    assert bars.quote_volume is not None
    assert bars.taker_volume is not None
    assert (bars.quote_volume[0], bars.taker_volume[0]) == (350.0, 1.5)
    notes = bars.notes
    assert notes.sources == ("BTCUSDT-1m.csv.gz",)
    assert (notes.rows, notes.gaps, notes.missing, notes.duplicates, notes.out_of_order) == (
        1_497,
        1,
        3,
        1,
        0,
    )


def test_notes_are_those_of_the_span_that_is_read(catalog: Catalog, tmp_path: Path) -> None:
    catalog.import_file(write(tmp_path / "later.csv", kline_lines(5_000, 10)[::-1]), PERP)
    assert catalog.bars(PERP, "1m", end=T0 + DAY_MS).notes.out_of_order == 0
    later = catalog.bars(PERP, "1m", start="2024-01-04").notes
    assert (later.sources, later.out_of_order, later.duplicates, later.gaps) == (("later.csv",), 9, 0, 0)


def test_a_day_is_a_file_in_hive_folders(catalog: Catalog) -> None:
    series = catalog.root / "venue=binance" / "type=kline_1m" / f"symbol={PERP}"
    found = sorted(str(path.relative_to(series)) for path in series.rglob("*") if path.is_file())
    assert found == ["date=2024-01-01/data.parquet", "date=2024-01-02/data.parquet", "manifest.json"]


def test_duckdb_reads_the_folders_as_columns(catalog: Catalog) -> None:
    catalog.write(SPOT, "trade", rows_of(TRADE, [trade(0, "1"), trade(1, "2", price=3.0)]))
    found = duckdb.sql(
        f"SELECT venue, symbol, date::text, count(*), max(high), min(time_ns) "
        f"FROM read_parquet('{catalog.root}/*/type=kline_1m/**/*.parquet', hive_partitioning=true) "
        "GROUP BY ALL ORDER BY 3"
    ).fetchall()
    assert found == [
        ("binance", PERP, "2024-01-01", 1_440, 101.5, T0_NS),
        ("binance", PERP, "2024-01-02", 57, 101.5, T0_NS + DAY_MS * 1_000_000),
    ]
    types = duckdb.sql(
        f"SELECT type, count(*), sum(size * side) FROM read_parquet('{catalog.root}/**/*.parquet', "
        "hive_partitioning=true, union_by_name=true) GROUP BY type ORDER BY type"
    ).fetchall()
    assert types == [("kline_1m", 1_497, None), ("trade", 2, 2.0)]


def test_frames_of_polars_and_pandas_go_in_and_come_out(tmp_path: Path) -> None:
    rows = rows_of(TRADE, [trade(0, "1"), trade(DAY_MS, "2"), trade(2 * DAY_MS, "3", side=-1)])
    catalog, other = Catalog(tmp_path / "a"), Catalog(tmp_path / "b")
    catalog.write(PERP, "trade", rows)
    other.write(PERP, "trade", pd.DataFrame(rows.to_pandas()))
    assert catalog.read(PERP, "trade").equals(rows)
    assert other.read(PERP, "trade").to_pandas()["side"].tolist() == [1, 1, -1]
    lazy = catalog.scan(PERP, "trade", start=T0 + 1).select(pl.col("size").sum()).collect()
    assert lazy.item() == 2.0


def test_start_is_included_and_end_is_not(tmp_path: Path) -> None:
    catalog = Catalog(tmp_path)
    catalog.write(PERP, "trade", rows_of(TRADE, [trade(ms, str(ms)) for ms in (0, 1, 2, DAY_MS, DAY_MS + 1)]))

    def ids(start: object, end: object) -> list[str]:
        return catalog.read(PERP, "trade", start, end)["id"].to_list()  # type: ignore[arg-type]  # as users write it

    assert ids(T0 + 1, T0 + DAY_MS) == ["1", "2"]
    assert ids("2024-01-02", None) == [str(DAY_MS), str(DAY_MS + 1)]
    assert ids(None, "2024-01-01") == []
    assert catalog.scan(PERP, "trade", None, "2024-01-01").collect().schema == TRADE.schema


def test_a_series_is_read_in_frames_of_a_bounded_number_of_rows(tmp_path: Path) -> None:
    catalog = Catalog(tmp_path)
    catalog.write(PERP, "trade", rows_of(TRADE, [trade(ms, str(ms)) for ms in range(25)]))
    frames = list(catalog.frames(PERP, "trade", rows=10))
    assert max(len(frame) for frame in frames) <= 11
    assert pl.concat(frames)["id"].to_list() == [str(ms) for ms in range(25)]


def test_what_happened_at_one_time_is_in_one_frame(tmp_path: Path) -> None:
    catalog = Catalog(tmp_path)
    times = [0, 0, 1, 1, 1, 1, 1, 1, 2, 3, 3, 3]
    catalog.write(PERP, "trade", rows_of(TRADE, [trade(ms, str(number)) for number, ms in enumerate(times)]))
    for rows in range(1, 13):
        frames = list(catalog.frames(PERP, "trade", rows=rows))
        assert sum(frame["time_ns"].n_unique() for frame in frames) == 4
        assert pl.concat(frames)["id"].to_list() == [str(number) for number in range(12)]


class Counter(Strategy):
    def __init__(self, symbol: str) -> None:
        super().__init__()
        self.wanted = symbol
        self.seen: list[int] = []
        self.before: list[int] = []

    def on_start(self) -> None:
        self.subscribe_kline(self.wanted, KlineInterval.MINUTE_1)
        asked = self.request_klines(self.wanted, KlineInterval.MINUTE_1, limit=3)
        self.before = [kline.start for kline in asked]

    def on_kline(self, kline: Kline) -> None:
        self.seen.append(kline.start)


def config(strategy: Strategy) -> Config:
    mock = MockConnectorConfig({"USDT": 10_000}, BinanceAccountType.LINEAR_MOCK)
    return Config(
        strategy_id="test",
        user_id="user",
        strategy=strategy,
        basic_config={ExchangeType.BINANCE: BasicConfig()},
        public_conn_config={},
        private_conn_config={ExchangeType.BINANCE: [mock]},
    )


@pytest.mark.parametrize("given", ["catalog", "path", "text", "by symbol", "by symbol in a list"])
def test_a_backtest_takes_a_catalogue_and_reports_its_gaps(catalog: Catalog, given: str) -> None:
    data = {
        "catalog": catalog,
        "path": catalog.root,
        "text": str(catalog.root),
        "by symbol": {PERP: catalog},
        "by symbol in a list": {PERP: [catalog.root]},
    }[given]
    strategy = Counter(PERP)
    result = Backtest(config(strategy), data, start="2024-01-02").run()
    assert len(strategy.seen) == 57
    assert strategy.before == [T0 + (1_440 - back) * MINUTE_MS for back in (3, 2, 1)]
    assert result.data[PERP].missing == 3
    assert any("1 gaps with 3 bars missing" in text for text in result.assumptions)
    assert any("1 repeated bars" in text for text in result.assumptions)


def test_a_backtest_takes_the_finest_interval_that_all_symbols_have(catalog: Catalog, tmp_path: Path) -> None:
    hours = [f"{T0 + place * 3_600_000},1,2,1,2,5" for place in range(30)]
    header = "open_time,open,high,low,close,volume"
    for symbol in (PERP, SPOT):
        catalog.import_file(write(tmp_path / f"{symbol}.csv", [header, *hours]), symbol)
    assert {name: bars.interval.value for name, bars in bars_of(catalog, None).items()} == {
        SPOT: "1h",
        PERP: "1h",
    }
    assert bars_of(catalog, PERP)[PERP].interval.value == "1m"
    assert bars_of(catalog, None)[PERP].quote_volume is None
    catalog.import_file(write(tmp_path / "e.csv", kline_lines(0, 3)), "ETHUSDT.BINANCE")
    with pytest.raises(DataError, match="no interval is held of all symbols"):
        bars_of(catalog, None)


def test_quotes_and_trades_come_as_ticks_with_the_gaps_of_their_span(tmp_path: Path) -> None:
    catalog = Catalog(tmp_path)
    rows = [trade(0, "1"), trade(1, "2", side=-1), trade(2, "5", side=0), trade(3, "9"), trade(3, "9")]
    catalog.write(PERP, "trade", rows_of(TRADE, rows), source="mine")
    found = catalog.trades(PERP)
    assert (found.is_buy.tolist(), found.price.tolist()) == ([True, False, True], [1.0, 1.0, 1.0])
    assert (found.time_ns - T0_NS).tolist() == [0, 1_000_000, 3_000_000]
    assert (found.notes.sources, found.notes.duplicates, found.notes.gaps, found.notes.missing) == (
        ("mine",),
        1,
        2,
        5,
    )
    assert catalog.trades(PERP, end=T0 + 2).notes.gaps == 0
    quote = {"time_ns": T0_NS, "bid": 1.0, "bid_size": 2.0, "ask": 3.0, "ask_size": 4.0}
    catalog.write(PERP, "quote", rows_of(QUOTE, [quote]))
    quotes = catalog.quotes(PERP)
    assert [column[0] for column in (quotes.bid, quotes.bid_size, quotes.ask, quotes.ask_size)] == [
        1.0,
        2.0,
        3.0,
        4.0,
    ]
    with pytest.raises(DataError, match=r"holds no trade of .* between 2025-01-01 and None"):
        catalog.trades(PERP, start="2025-01-01")


def test_what_is_not_there_is_told_with_what_is(catalog: Catalog, tmp_path: Path) -> None:
    with pytest.raises(DataError, match=f"holds no trade of {PERP}; it holds {PERP} kline_1m"):
        catalog.read(PERP, "trade")
    with pytest.raises(DataError, match=r"no klines of ETHUSDT\.BINANCE"):
        bars_of(catalog, "ETHUSDT.BINANCE")
    with pytest.raises(DataError, match=r"holds no kline_1m .* between 2025-01-01 and None"):
        catalog.bars(PERP, "1m", start="2025-01-01")
    with pytest.raises(DataError, match=r"there is no catalogue at .*nexustrader data import"):
        Catalog(tmp_path / "nowhere").series()
    with pytest.raises(DataError, match=r"no kind of data; give one of trade, .*kline_1m"):
        catalog.read(PERP, "tick")
    with pytest.raises(DataError, match="must hold exactly one"):
        catalog.read("BTCUSDT", "trade")
    with pytest.raises(DataError, match="'kline_7m' is no kind of data"):
        catalog.bars(PERP, "7m")


def test_folders_that_are_none_of_a_catalogue_are_told_by_name(catalog: Catalog) -> None:
    folder = catalog.root / "venue=binance" / "type=candle" / f"symbol={PERP}"
    folder.mkdir(parents=True)
    with pytest.raises(
        DataError, match=r"type=candle/symbol=.* is none of a catalogue that this program knows"
    ):
        catalog.series()
    folder.rename(catalog.root / "venue=binance" / "type=kline_1m" / "symbol=BTCUSDT.OKX")
    with pytest.raises(DataError, match=r"is not where BTCUSDT\.OKX belongs"):
        catalog.series()
    with pytest.raises(DataError, match="cannot name a folder"):
        catalog.write("x/BTCUSDT.BINANCE", "trade", rows_of(TRADE, [trade(0, "1")]))


def _rewrite(path: Path, metadata: dict[bytes, bytes] | None) -> None:
    table = pq.read_table(path, partitioning=None)
    pq.write_table(table.replace_schema_metadata(metadata), path)


def test_a_file_of_a_newer_version_is_refused_with_what_to_do(catalog: Catalog) -> None:
    path = next(catalog.root.rglob("date=2024-01-01/data.parquet"))
    _rewrite(path, {b"nexustrader.type": b"kline_1m", b"nexustrader.version": b"2"})
    with pytest.raises(
        DataError, match="version 2 of kline_1m, this program reads up to 1; update nexustrader"
    ):
        catalog.read(PERP, "kline_1m")


def test_a_file_that_is_not_ours_is_refused(catalog: Catalog) -> None:
    path = next(catalog.root.rglob("date=2024-01-01/data.parquet"))
    _rewrite(path, None)
    with pytest.raises(DataError, match="holds rows of unknown type instead of kline_1m"):
        catalog.read(PERP, "kline_1m")
    pq.write_table(pa.table({"a": [1]}, metadata=kind_of("kline_1m").arrow_schema.metadata), path)
    with pytest.raises(DataError, match=r"data\.parquet does not have the columns of kline_1m version 1"):
        catalog.read(PERP, "kline_1m")
    path.write_bytes(path.read_bytes()[:-5])
    with pytest.raises(DataError, match=r"data\.parquet cannot be read: .*import the data of that day again"):
        catalog.read(PERP, "kline_1m")


def test_a_manifest_of_a_newer_version_is_refused_with_what_to_do(catalog: Catalog) -> None:
    path = next(catalog.root.rglob("manifest.json"))
    path.write_text(path.read_text().replace('"version": 1', '"version": 2'))
    with pytest.raises(DataError, match="has version 2, this program reads up to 1; update nexustrader"):
        catalog.bars(PERP, "1m")
    path.write_text("{")
    with pytest.raises(DataError, match=r"manifest\.json cannot be read"):
        catalog.bars(PERP, "1m")
    path.unlink()
    with pytest.raises(DataError, match=f"{PERP} kline_1m has no manifest in .*; import its files again"):
        catalog.bars(PERP, "1m")


@pytest.mark.parametrize("name", [*KINDS, "kline_1h"])
def test_every_kind_has_its_schema_and_version_in_its_files(name: str, tmp_path: Path) -> None:
    kind = kind_of(name)
    values = {
        pl.Int64: T0_NS,
        pl.Float64: 1.0,
        pl.Int8: 1,
        pl.String: "7",
        pl.Boolean: False,
    }
    row = {column.name: values[column.type] for column in kind.columns}
    Catalog(tmp_path).write(PERP, name, rows_of(kind, [row]))
    path = next(tmp_path.rglob("*.parquet"))
    schema = pq.read_schema(path)
    assert schema.equals(kind.arrow_schema)
    assert schema.metadata == {b"nexustrader.type": name.encode(), b"nexustrader.version": b"1"}
    assert Catalog(tmp_path).read(PERP, name).to_dicts() == [row]
