"""Bars from what a program holds already: a polars or pandas data frame, or klines."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

from nexustrader.constants import KlineInterval
from nexustrader.data.bars import Bars, build_bars, join_bars
from nexustrader.data.readers.names import canonical
from nexustrader.error import DataError
from nexustrader.schema import Kline

COLUMNS_SHOWN_MAX = 20  # in a message


def from_frame(frame: Any, symbol: str, interval: KlineInterval | None = None) -> Bars:
    """Bars from a data frame with columns such as timestamp (ms or datetime), open, high, low, close, volume.

    A pandas frame may have its times as a DatetimeIndex. Raises DataError naming the row.
    """
    columns = {str(name).strip().lower().replace(" ", "_"): _array(frame[name]) for name in frame.columns}
    index = getattr(frame, "index", None)
    if index is not None and np.issubdtype((times := _array(index)).dtype, np.datetime64):
        columns.setdefault("start", times)
    source = f"the {type(frame).__module__.split('.')[0]} frame of {symbol}"
    seen = f"it has {', '.join(list(columns)[:COLUMNS_SHOWN_MAX]) or 'none'}"
    try:
        return build_bars(canonical(columns), symbol, source, interval=interval, seen=seen)
    except (TypeError, ValueError) as error:
        raise DataError(
            f"{source} has text where numbers or times belong ({error}); convert the column"
        ) from error


def _array(column: Any) -> NDArray[Any]:
    """A column's values; times with a timezone in UTC."""
    if getattr(column.dtype, "tz", None) is not None:
        return np.asarray(column.to_numpy(dtype="datetime64[ns]"))
    return np.asarray(column)


def from_klines(klines: Sequence[Kline]) -> dict[str, Bars]:
    """Bars by symbol from closed klines; open ones are left out. Raises DataError."""
    by_key: dict[tuple[str, KlineInterval], list[Kline]] = {}
    for kline in klines:
        if kline.confirm:
            by_key.setdefault((kline.symbol, kline.interval), []).append(kline)
    if not by_key:
        raise DataError("there is no closed kline among those given")
    found: dict[str, Bars] = {}
    for (symbol, interval), rows in by_key.items():
        columns = {
            name: np.array([getattr(row, name) for row in rows])
            for name in ("start", "open", "high", "low", "close")
        }
        columns["volume"] = np.array([row.volume or 0.0 for row in rows])
        bars = build_bars(columns, symbol, f"the klines of {symbol}", interval=interval)
        found[symbol] = join_bars([found[symbol], bars]) if symbol in found else bars
    return found
