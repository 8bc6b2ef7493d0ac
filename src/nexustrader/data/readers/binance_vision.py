"""Klines in the files that Binance Vision serves, and in csv files whose header says what is what.

Spot files have no header; those of futures have one, and so may files that were made elsewhere. Times are in
milliseconds, in newer spot files in microseconds.
"""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

from nexustrader.constants import KlineInterval
from nexustrader.data.bars import Bars, build_bars, join_bars
from nexustrader.data.readers.csv import read_numbers
from nexustrader.data.readers.names import BINANCE_KLINE_NAMES, canonical
from nexustrader.error import DataError

COLUMNS = BINANCE_KLINE_NAMES[:-1]  # the last one says "ignore"


def read_klines(
    paths: str | Path | Sequence[str | Path], symbol: str, interval: KlineInterval | None = None
) -> Bars:
    """The bars of one or several files (csv, csv.gz, zip), joined in order of time.

    Raises DataError naming the file and the row.
    """
    files = [paths] if isinstance(paths, str | Path) else list(paths)
    if not files:
        raise DataError(f"no file is given for {symbol}")
    return join_bars([_read_file(Path(file), symbol, interval) for file in files])


def _read_file(path: Path, symbol: str, interval: KlineInterval | None) -> Bars:
    table = read_numbers(path, COLUMNS)
    return build_bars(
        canonical(table.columns),
        symbol,
        path.name,
        interval=interval,
        first_row=table.first_row,
        seen=f"its first line is {table.head}",
    )
