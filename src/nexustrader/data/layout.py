"""Where things are in a catalogue: venue=…/type=…/symbol=…/date=…/data.parquet, and a manifest a series."""

from __future__ import annotations

import re
from pathlib import Path
from typing import NamedTuple

from nexustrader.constants import ExchangeType
from nexustrader.data.kinds import Kind, kind_of
from nexustrader.data.manifest import MANIFEST
from nexustrader.error import DataError
from nexustrader.schema import InstrumentId

FILE = "data.parquet"
DATE = re.compile(r"date=(\d{4}-\d{2}-\d{2})")
SAFE = re.compile(r"[A-Za-z0-9][A-Za-z0-9._-]*")


class Series(NamedTuple):
    """One kind of data of one symbol."""

    kind: Kind
    symbol: str
    exchange: ExchangeType

    @classmethod
    def of(cls, kind: Kind, symbol: str) -> Series:
        """Raises DataError for a symbol that names no venue."""
        try:
            exchange = InstrumentId.from_str(symbol).exchange
        except ValueError as error:
            raise DataError(str(error)) from error
        if not SAFE.fullmatch(symbol):
            raise DataError(f"symbol {symbol!r} cannot name a folder; write it as BTCUSDT-PERP.BINANCE")
        return cls(kind, symbol, exchange)

    @property
    def folder(self) -> Path:
        return Path(f"venue={self.exchange.value}", f"type={self.kind.name}", f"symbol={self.symbol}")

    @property
    def manifest(self) -> Path:
        return self.folder / MANIFEST

    def file(self, date: str) -> Path:
        """The file of a day (2024-01-31)."""
        return self.folder / f"date={date}" / FILE


def series_in(root: Path) -> list[Series]:
    """Every series of a catalogue, in order of venue, type and symbol. Raises DataError for a type it does not know."""
    found = []
    for folder in sorted(root.glob("venue=*/type=*/symbol=*")):
        kind, symbol = (part.partition("=")[2] for part in folder.parts[-2:])
        try:
            series = Series.of(kind_of(kind), symbol)
        except DataError as error:
            raise DataError(
                f"{folder} is none of a catalogue that this program knows ({error}); update nexustrader, or move the "
                "folder away"
            ) from error
        if folder != root / series.folder:
            raise DataError(
                f"{folder} is not where {symbol} belongs, which is {series.folder}; move it there"
            )
        found.append(series)
    return found


def files_in(root: Path, series: Series) -> dict[str, Path]:
    """The files of a series by day, in order."""
    found = {}
    for path in sorted((root / series.folder).glob(f"date=*/{FILE}")):
        match = DATE.fullmatch(path.parent.name)
        if match:
            found[match[1]] = path
    return found
