"""`Catalog`: market data in Parquet files, one a day, in folders that DuckDB, polars and pandas understand.

Catalog("data").import_file("BTCUSDT-1m-2024-01.zip", "BTCUSDT.BINANCE")
Backtest(config, data=Catalog("data"), symbol="BTCUSDT.BINANCE")
duckdb.sql("SELECT … FROM read_parquet('data/*/type=kline_1m/**/*.parquet', hive_partitioning=true)")
"""

from __future__ import annotations

import hashlib
import io
from collections.abc import Callable, Iterator
from dataclasses import replace
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import msgspec
import numpy as np
import polars as pl

from nexustrader.constants import KlineInterval
from nexustrader.data.bars import COLUMNS, OPTIONAL, Bars, DataNotes, build_bars
from nexustrader.data.checking import Fault, check_series, leftovers
from nexustrader.data.depth import Depth
from nexustrader.data.depth_stored import StoredDepth
from nexustrader.data.files import ROWS_PER_BATCH, batches
from nexustrader.data.importing import Imported, Origin, import_chunks, sha256_of
from nexustrader.data.kinds import (
    BOOK_DELTA,
    BUY,
    KLINE_PREFIX,
    NS_PER_DAY,
    NS_PER_MS,
    QUOTE,
    TIME,
    TRADE,
    UNKNOWN_SIDE,
    Kind,
    kind_of,
)
from nexustrader.data.layout import Series, files_in, series_in
from nexustrader.data.manifest import Manifest, read_manifest
from nexustrader.data.moments import Moment, to_ms
from nexustrader.data.readers.detect import read_file
from nexustrader.data.readers.wish import Wish
from nexustrader.data.rows import Chunk
from nexustrader.data.shelf import Shelf
from nexustrader.data.ticks import Quotes, Trades, build_quotes, build_trades
from nexustrader.error import DataError

Progress = Callable[[int], None]


class Catalog:
    """The data in one folder. Several processes may read it while one writes.

    What is imported is there whole or not at all. Times are given as ms, datetime or ISO text and given back as
    `time_ns`; `start` is included, `end` is not. Raises DataError for whatever cannot be used.
    """

    def __init__(self, path: str | Path) -> None:
        self.root = Path(path)

    def __repr__(self) -> str:
        return f"Catalog({str(self.root)!r})"

    # -- what is there -----------------------------------------------------------------------------------------

    def series(self) -> list[Series]:
        """Every series in it, in order of venue, type and symbol."""
        if not self.root.is_dir():
            raise DataError(
                f"there is no catalogue at {self.root}; make one with: nexustrader data import FILES --symbol … "
                f"--catalog {self.root}"
            )
        return series_in(self.root)

    def manifest(self, symbol: str, kind: str) -> Manifest:
        """Where the rows of a series come from, and what is wrong with them."""
        return self._manifest(self._known(symbol, kind))

    def _manifest(self, series: Series) -> Manifest:
        found = read_manifest(self.root / series.folder)
        if found is None:
            raise DataError(
                f"{series.symbol} {series.kind.name} has no manifest in {self.root}; import its files again"
            )
        return found

    def _known(self, symbol: str, kind: str) -> Series:
        wanted = Series.of(kind_of(kind), symbol)
        everything = self.series()
        if wanted not in everything:
            held = ", ".join(f"{one.symbol} {one.kind.name}" for one in everything) or "nothing"
            raise DataError(f"{self.root} holds no {kind} of {symbol}; it holds {held}")
        return wanted

    # -- reading -----------------------------------------------------------------------------------------------

    def frames(
        self, symbol: str, kind: str, start: Moment = None, end: Moment = None, rows: int = ROWS_PER_BATCH
    ) -> Iterator[pl.DataFrame]:
        """The rows in order of time, about `rows` at once, so that a series larger than memory can be read.

        What happened at one time is in one frame: an event of a book is never cut.
        """
        series = self._known(symbol, kind)
        low, high = _bounds(start, end)
        for path in self._files(series, low, high):
            for frame in _whole_moments(batches(path, series.kind, rows)):
                part = frame.filter((pl.col(TIME) >= low) & (pl.col(TIME) < high))
                if len(part):
                    yield part

    def read(self, symbol: str, kind: str, start: Moment = None, end: Moment = None) -> pl.DataFrame:
        """The rows as one polars frame (`.to_pandas()` makes a pandas one of it)."""
        frames = list(self.frames(symbol, kind, start, end))
        return pl.concat(frames) if frames else pl.DataFrame(schema=kind_of(kind).schema)

    def scan(self, symbol: str, kind: str, start: Moment = None, end: Moment = None) -> pl.LazyFrame:
        """The rows as a lazy polars frame, which reads only what is asked of it."""
        low, high = _bounds(start, end)
        files = list(self._files(self._known(symbol, kind), low, high))
        if not files:
            return pl.LazyFrame(schema=kind_of(kind).schema)
        lazy = pl.scan_parquet(files, hive_partitioning=False)
        return lazy.filter((pl.col(TIME) >= low) & (pl.col(TIME) < high))

    def _files(self, series: Series, low: int, high: int) -> Iterator[Path]:
        first, last = _date(low), _date(high - 1)
        for date, path in files_in(self.root, series).items():
            if first <= date <= last:
                yield path

    def check(self, progress: Progress | None = None) -> Iterator[Fault]:
        """Read everything again and tell what is wrong. Gaps are no fault: the manifests have them."""
        yield from leftovers(self.root)
        for series in self.series():
            yield from check_series(self.root, series, progress)

    # -- for backtests -----------------------------------------------------------------------------------------

    def bars(
        self, symbol: str, interval: KlineInterval | str, start: Moment = None, end: Moment = None
    ) -> Bars:
        """The bars of a symbol. Their notes tell the gaps, and what was out of order or repeated in the sources."""
        text = interval.value if isinstance(interval, KlineInterval) else interval
        kind = kind_of(f"{KLINE_PREFIX}{text}")
        shelf, types = Shelf(), dict.fromkeys(COLUMNS, np.float64) | {"start": np.int64}
        for frame in self.frames(symbol, kind.name, start, end):
            part = {name: frame[name].to_numpy() for name in COLUMNS if name != "start"}
            shelf.add({"start": frame[TIME].to_numpy() // NS_PER_MS, **part})
            for name in [name for name in types if name in OPTIONAL and frame[name].null_count()]:
                del types[name]
        if not shelf.rows:
            raise self._nothing(symbol, kind.name, start, end)
        table, release = shelf.columns(types), shelf.release
        bars = build_bars(table, symbol, str(self.root), interval=kind.interval, release=release)
        low, high = int(bars.start[0]) * NS_PER_MS, int(bars.start[-1]) * NS_PER_MS
        return replace(bars, notes=self._notes(symbol, kind.name, low, high, bars.notes))

    def quotes(self, symbol: str, start: Moment = None, end: Moment = None) -> Quotes:
        """The best bids and asks of a symbol, with notes as those of bars."""
        frame = self._some(symbol, QUOTE.name, start, end)
        table = {name: frame[name].to_numpy() for name in Quotes.columns()}
        quotes = build_quotes(table, symbol, str(self.root))
        return replace(quotes, notes=self._notes(symbol, QUOTE.name, *_ends(frame), quotes.notes))

    def trades(self, symbol: str, start: Moment = None, end: Moment = None, kind: str = TRADE.name) -> Trades:
        """The trades of a symbol (or its agg_trade) whose takers are known, with notes as those of bars."""
        frame = self._some(symbol, kind, start, end).filter(pl.col("side") != UNKNOWN_SIDE)
        table = {name: frame[name].to_numpy() for name in (TIME, "price", "size")}
        table["is_buy"] = (frame["side"] == BUY).to_numpy()
        trades = build_trades(table, symbol, str(self.root))
        return replace(trades, notes=self._notes(symbol, kind, *_ends(frame), trades.notes))

    def depth(self, symbol: str, start: Moment = None, end: Moment = None) -> Depth:
        """The book of a symbol, with notes as those of bars. It is read from the files as it is played.

        What comes before `start` is read from the last snapshot on, for the book that is there at the beginning.
        """
        self._known(symbol, BOOK_DELTA.name)
        source = StoredDepth(self.root, symbol)
        found = Depth(symbol=symbol, source=source).between(to_ms(start), to_ms(end))
        rows = len(found)
        if not rows:
            raise self._nothing(symbol, BOOK_DELTA.name, start, end)
        first, last = source.ends()
        notes = DataNotes(sources=(str(self.root),), rows=rows)
        low, high = max(first, found.start_ns), min(last, found.end_ns)
        return replace(found, notes=self._notes(symbol, BOOK_DELTA.name, low, high, notes))

    def _some(self, symbol: str, kind: str, start: Moment, end: Moment) -> pl.DataFrame:
        frame = self.read(symbol, kind, start, end)
        if not len(frame):
            raise self._nothing(symbol, kind, start, end)
        return frame

    def _nothing(self, symbol: str, kind: str, start: Moment, end: Moment) -> DataError:
        return DataError(f"{self.root} holds no {kind} of {symbol} between {start} and {end}")

    def _notes(self, symbol: str, kind: str, low: int, high: int, notes: DataNotes) -> DataNotes:
        """What the manifest knows of the rows between two times. Of bars the gaps are counted already."""
        manifest = self.manifest(symbol, kind)
        sources = [one for one in manifest.sources if one.first_ns <= high and low <= one.last_ns]
        gaps = [gap for gap in manifest.gaps(kind_of(kind)) if low <= gap.after_ns and gap.before_ns <= high]
        is_bars = bool(kind_of(kind).step_ns)
        return msgspec.structs.replace(
            notes,
            sources=tuple(one.name for one in sources) or notes.sources,
            out_of_order=sum(one.out_of_order for one in sources),
            duplicates=sum(one.duplicates for one in sources),
            gaps=notes.gaps if is_bars else len(gaps),
            missing=notes.missing if is_bars else sum(gap.missing or 0 for gap in gaps),
        )

    def history(self, symbol: str | None = None) -> dict[str, Bars]:
        """Bars by symbol for a backtest: of one symbol or of all, of the finest interval that each of them has."""
        kinds: dict[str, dict[int, Kind]] = {}
        for series in self.series():
            if series.kind.step_ns and symbol in (None, series.symbol):
                kinds.setdefault(series.symbol, {})[series.kind.step_ns] = series.kind
        if not kinds:
            raise DataError(f"{self.root} holds no klines{f' of {symbol}' if symbol else ''}; import some")
        steps = set.intersection(*(set(found) for found in kinds.values()))
        if not steps:
            held = ", ".join(f"{name} {one.name}" for name, found in kinds.items() for one in found.values())
            raise DataError(
                f"no interval is held of all symbols of {self.root}, which has {held}; pass symbol="
            )
        found = {}
        for name, held_kinds in kinds.items():
            interval = held_kinds[min(steps)].interval
            assert interval is not None
            found[name] = self.bars(name, interval)
        return found

    def longer(self, symbol: str, than: KlineInterval) -> list[Bars]:
        """The bars of every interval longer than one, but for months, which differ in length."""
        longer = (
            series.kind.interval
            for series in self.series()
            if series.symbol == symbol and series.kind.interval not in (None, KlineInterval.MONTH_1)
        )
        return [self.bars(symbol, one) for one in longer if one.milliseconds > than.milliseconds]

    # -- writing -----------------------------------------------------------------------------------------------

    def import_file(
        self,
        path: str | Path,
        symbol: str,
        *,
        kind: str | None = None,
        venue_symbol: str | None = None,
        contract_size: float = 1.0,
        progress: Progress | None = None,
    ) -> list[Imported]:
        """Read a file of a venue, or of a vendor, into the catalogue; its format is told from its content.

        kind: what it holds, where that cannot be told. venue_symbol: the name that the file has for the symbol, where
        it is another; rows of other symbols are left out. contract_size: what to multiply sizes with, so that they
        are in base units. `progress(bytes read)` is called now and then. Doing it twice changes nothing.
        """
        file = Path(path)
        if not file.is_file():
            raise DataError(f"{file} does not exist; check the path")
        wish = Wish(symbol, kind_of(kind) if kind else None, venue_symbol, contract_size)
        origin = Origin(file.name, sha256_of(file))
        return import_chunks(self.root, symbol, read_file(file, wish, progress), origin)

    def write(self, symbol: str, kind: str, frame: Any, source: str = "frame") -> Imported:
        """Put the rows of a polars or pandas frame, in the columns of the kind, into the catalogue."""
        rows = frame if isinstance(frame, pl.DataFrame) else pl.from_pandas(frame)
        buffer = io.BytesIO()
        rows.write_ipc_stream(buffer)
        origin = Origin(source, hashlib.sha256(buffer.getbuffer()).hexdigest())
        return import_chunks(self.root, symbol, [Chunk(kind_of(kind), rows)], origin)[0]


def _ends(frame: pl.DataFrame) -> tuple[int, int]:
    """The first and the last time; 0 when there are no rows."""
    return int(frame[TIME].head(1).sum()), int(frame[TIME].tail(1).sum())


def _whole_moments(frames: Iterator[pl.DataFrame]) -> Iterator[pl.DataFrame]:
    """The same rows in frames that end where a time ends."""
    held: list[pl.DataFrame] = []
    for frame in frames:
        is_last = pl.col(TIME) == frame[TIME][-1]
        done = frame.filter(~is_last)
        if len(done):
            yield pl.concat([*held, done])
            held = []
        held.append(frame.filter(is_last))
    if held:
        yield pl.concat(held)


def _bounds(start: Moment, end: Moment) -> tuple[int, int]:
    """The times in ns; of the last day that has a date if there is no end."""
    start_ms, end_ms = to_ms(start), to_ms(end)
    low = 0 if start_ms is None else max(0, start_ms * NS_PER_MS)
    high = (1 << 62) if end_ms is None else max(1, end_ms * NS_PER_MS)
    return low, high


def _date(time_ns: int) -> str:
    return datetime.fromtimestamp(time_ns // NS_PER_DAY * 86_400, UTC).date().isoformat()
