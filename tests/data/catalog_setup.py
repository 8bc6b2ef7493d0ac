"""Rows, files and catalogues for the tests of market data."""

from __future__ import annotations

import gzip
import io
import zipfile
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import polars as pl

from nexustrader.data.kinds import NS_PER_MS, Kind

PERP, SPOT = "BTCUSDT-PERP.BINANCE", "BTCUSDT.BINANCE"
T0 = 1_704_067_200_000  # 2024-01-01 in ms
T0_NS = T0 * NS_PER_MS
MINUTE_MS = 60_000
DAY_MS = 86_400_000
KLINE = "{start},100.0,101.5,99.5,{close},3.5,{end},350.0,10,1.5,150.0,0"


def kline_lines(first: int, count: int, *, scale: int = 1, close: float = 100.5) -> list[str]:
    """Lines of Binance Vision of so many minutes, from the one with the number `first`."""
    return [
        KLINE.format(
            start=(T0 + place * MINUTE_MS) * scale,
            end=(T0 + (place + 1) * MINUTE_MS) * scale - 1,
            close=close,
        )
        for place in range(first, first + count)
    ]


def write(path: Path, lines: Sequence[str]) -> Path:
    """A text file, packed as its name says."""
    text = ("\n".join(lines) + "\n").encode() if lines else b""
    if path.suffix == ".gz":
        path.write_bytes(gzip.compress(text, mtime=0))
    elif path.suffix == ".zip":
        path.write_bytes(zipped(path.stem + ".csv", text))
    else:
        path.write_bytes(text)
    return path


def zipped(name: str, content: bytes) -> bytes:
    buffer = io.BytesIO()
    with zipfile.ZipFile(buffer, "w", zipfile.ZIP_DEFLATED) as archive:
        archive.writestr(zipfile.ZipInfo(name), content)
    return buffer.getvalue()


def rows_of(kind: Kind, rows: Sequence[dict[str, Any]]) -> pl.DataFrame:
    """A frame in the columns of the kind; what a row does not say is null."""
    return pl.DataFrame([{name: row.get(name) for name in kind.names} for row in rows], schema=kind.schema)


def trade(
    ms: int, trade_id: str | None, *, price: float = 1.0, size: float = 1.0, side: int = 1
) -> dict[str, Any]:
    return {"time_ns": T0_NS + ms * NS_PER_MS, "id": trade_id, "price": price, "size": size, "side": side}


def files_under(root: Path) -> dict[str, bytes]:
    """Every file of a catalogue but its lock, by its place."""
    return {
        str(path.relative_to(root)): path.read_bytes()
        for path in sorted(root.rglob("*"))
        if path.is_file() and path.name != ".lock"
    }
