"""What columns of bars are called in the wild, and the units of their times."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import numpy as np
from numpy.typing import NDArray

from nexustrader.data.bars import Ints

ALIASES: Mapping[str, tuple[str, ...]] = {
    "start": ("start", "open_time", "timestamp", "time", "datetime", "date"),
    "open": ("open",),
    "high": ("high",),
    "low": ("low",),
    "close": ("close",),
    "volume": ("volume", "base_volume"),
    "close_time": ("close_time", "end"),
    "quote_volume": ("quote_volume", "quote_asset_volume", "turnover"),
    "taker_volume": (
        "taker_volume",
        "taker_buy_volume",
        "taker_buy_base_volume",
        "taker_buy_base_asset_volume",
    ),
    "taker_quote_volume": ("taker_quote_volume", "taker_buy_quote_volume", "taker_buy_quote_asset_volume"),
}
BINANCE_KLINE_NAMES = (
    "open_time",
    "open",
    "high",
    "low",
    "close",
    "volume",
    "close_time",
    "quote_volume",
    "count",
    "taker_buy_volume",
    "taker_buy_quote_volume",
    "ignore",
)
"""The columns of Binance's klines, whose files often come without a header."""
TIMES = ("start", "close_time")
# A time in seconds, milliseconds, microseconds or nanoseconds is told by its size: these end in the years 5138.
SECONDS_MAX, MS_MAX, US_MAX = 10**11, 10**14, 10**17


def canonical(columns: Mapping[str, NDArray[Any]]) -> dict[str, NDArray[Any]]:
    """The columns that bars are made of, under their names here and with times in milliseconds."""
    found = {}
    for name, aliases in ALIASES.items():
        alias = next((alias for alias in aliases if alias in columns), None)
        if alias is not None:
            found[name] = to_ms(columns[alias]) if name in TIMES else columns[alias]
    return found


def to_ms(times: NDArray[Any]) -> Ints:
    """Times of any of the four units, or datetimes, as milliseconds. NaN becomes the smallest integer.

    Nanoseconds are rounded: as a float, which a csv column may have been, they are not exact.
    """
    if np.issubdtype(times.dtype, np.datetime64):
        return times.astype("datetime64[ms]").astype(np.int64)
    with np.errstate(invalid="ignore"):
        whole = np.asarray(times).astype(np.int64)
    scaled = np.where(whole < SECONDS_MAX, whole * 1_000, whole)
    return np.asarray(
        np.where(
            whole >= US_MAX, (whole + 500_000) // 1_000_000, np.where(whole >= MS_MAX, whole // 1_000, scaled)
        ),
        dtype=np.int64,
    )
