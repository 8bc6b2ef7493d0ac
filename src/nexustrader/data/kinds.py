"""The kinds of data that a catalogue holds: their columns, what identifies a row, and how a gap is told.

Every kind has `time_ns`, the venue's time of the event (of a kline: its opening), in ns since 1970 (UTC). Rows of what
a stream brings have `local_ns` too, the receiver's time where it is known. Prices and sizes are float64. The first
change of a kind's columns raises its version, which is written into every file.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from functools import cached_property, lru_cache
from typing import Any

import polars as pl
import pyarrow as pa

from nexustrader.constants import KlineInterval
from nexustrader.error import DataError

TIME, LOCAL, ID, PREVIOUS, SNAPSHOT = "time_ns", "local_ns", "id", "previous_id", "is_snapshot"
NS_PER_MS = 1_000_000
NS_PER_HOUR = 3_600_000_000_000
NS_PER_DAY = 24 * NS_PER_HOUR
BUY, SELL, UNKNOWN_SIDE = 1, -1, 0  # of a trade the taker; of a book BUY is bid, SELL ask
VERSION = 1
KLINE_PREFIX = "kline_"
KEY_TYPE, KEY_VERSION = b"nexustrader.type", b"nexustrader.version"  # in a Parquet file's metadata
TIME_NS_MAX = 2**62  # the year 2116; what is later is a wrong unit

ARROW_TYPES: Mapping[Any, Any] = {
    pl.Int64: pa.int64(),
    pl.Int8: pa.int8(),
    pl.Float64: pa.float64(),
    pl.String: pa.string(),
    pl.Boolean: pa.bool_(),
}


def _anything(_: pl.Expr) -> pl.Expr:
    return pl.lit(value=True)


def _time(column: pl.Expr) -> pl.Expr:
    return column.is_not_null() & (column > 0) & (column < TIME_NS_MAX)


def _positive(column: pl.Expr) -> pl.Expr:
    return column.is_not_null() & column.is_finite() & (column > 0)


def _amount(column: pl.Expr) -> pl.Expr:
    return column.is_not_null() & column.is_finite() & (column >= 0)


def _finite(column: pl.Expr) -> pl.Expr:
    return column.is_not_null() & column.is_finite()


def _amount_if_given(column: pl.Expr) -> pl.Expr:
    return column.is_null() | (column.is_finite() & (column >= 0))


def _book_side(column: pl.Expr) -> pl.Expr:
    return column.is_in([BUY, SELL]).fill_null(value=False)


def _taker_side(column: pl.Expr) -> pl.Expr:
    return column.is_in([BUY, SELL, UNKNOWN_SIDE]).fill_null(value=False)


@dataclass(frozen=True, slots=True)
class Column:
    """One column and which of its values can be used."""

    name: str
    type: type[pl.DataType]
    is_usable: Callable[[pl.Expr], pl.Expr] = _anything


@dataclass(frozen=True, eq=False)
class Kind:
    """One type of data: `name` stands in the folder type=… . There is one object a kind.

    Rows with the same `key` (the time in whole ms) are one row, of which the last word counts. Where the kind has an
    id and a row has none, only equal rows are the same, and those of one file are told apart by their number.
    `links` gives the rows' place in the venue's sequence, from which gaps are told; None: nothing can be told.
    `is_countable` says that ids follow each other by one, so that what is missing can be counted.
    """

    name: str
    columns: tuple[Column, ...]
    key: tuple[str, ...] = (ID,)
    links: tuple[pl.Expr, pl.Expr] | None = None  # id and previous id
    is_countable: bool = False
    step_ns: int = 0
    version: int = VERSION

    @cached_property
    def names(self) -> list[str]:
        return [column.name for column in self.columns]

    @property
    def has_id(self) -> bool:
        return ID in self.key

    @cached_property
    def schema(self) -> pl.Schema:
        return pl.Schema({column.name: column.type for column in self.columns})

    @cached_property
    def arrow_schema(self) -> Any:
        """The schema of a file, with the kind and its version in the metadata."""
        fields = [pa.field(column.name, ARROW_TYPES[column.type]) for column in self.columns]
        return pa.schema(fields, {KEY_TYPE: self.name.encode(), KEY_VERSION: str(self.version).encode()})

    @cached_property
    def interval(self) -> KlineInterval | None:
        """The length of the bars, for klines."""
        return KlineInterval(self.name.removeprefix(KLINE_PREFIX)) if self.step_ns else None


_TIMES = (Column(TIME, pl.Int64, _time), Column(LOCAL, pl.Int64))
_PRICE, _SIZE = Column("price", pl.Float64, _positive), Column("size", pl.Float64, _amount)

_KLINE = (
    Column(TIME, pl.Int64, _time),
    *(Column(name, pl.Float64, _positive) for name in ("open", "high", "low", "close")),
    Column("volume", pl.Float64, _amount),
    *(
        Column(name, pl.Float64, _amount_if_given)
        for name in ("quote_volume", "taker_volume", "taker_quote_volume")
    ),
    Column("trades", pl.Int64),
)
_NUMBER = pl.col(ID).cast(pl.Int64, strict=False)

TRADE = Kind(
    "trade",
    (*_TIMES, Column(ID, pl.String), _PRICE, _SIZE, Column("side", pl.Int8, _taker_side)),
    links=(_NUMBER, _NUMBER - 1),
    is_countable=True,
)
AGG_TRADE = Kind(
    "agg_trade",
    (*TRADE.columns, Column("first_trade_id", pl.Int64), Column("last_trade_id", pl.Int64)),
    links=(pl.col("last_trade_id"), pl.col("first_trade_id") - 1),
    is_countable=True,
)
QUOTE = Kind(
    "quote",
    (
        *_TIMES,
        Column(ID, pl.Int64),
        Column("bid", pl.Float64, _positive),
        Column("bid_size", pl.Float64, _amount),
        Column("ask", pl.Float64, _positive),
        Column("ask_size", pl.Float64, _amount),
    ),
)
BOOK_DELTA = Kind(
    "book_delta",
    (
        *_TIMES,
        Column(ID, pl.Int64),
        Column(PREVIOUS, pl.Int64),
        Column(SNAPSHOT, pl.Boolean, lambda column: column.is_not_null()),
        Column("side", pl.Int8, _book_side),
        _PRICE,
        _SIZE,
    ),
    key=(ID, SNAPSHOT, "side", "price"),
    links=(pl.col(ID), pl.col(PREVIOUS)),
)
_PERIOD = pl.col("interval_hours") * NS_PER_HOUR
_PERIODS = (pl.col(TIME) / _PERIOD).round().cast(pl.Int64, strict=False)
FUNDING = Kind(
    "funding",
    (
        Column(TIME, pl.Int64, _time),
        Column("rate", pl.Float64, _finite),
        Column("interval_hours", pl.Int64),
    ),
    key=(),
    links=(_PERIODS, _PERIODS - 1),
    is_countable=True,
)
KINDS = {kind.name: kind for kind in (TRADE, AGG_TRADE, QUOTE, BOOK_DELTA, FUNDING)}
INTERVALS = {interval.value: interval for interval in KlineInterval if interval.milliseconds}


def kind_of(name: str) -> Kind:
    """The kind with this name, such as trade or kline_1m. Raises DataError listing them all."""
    if name in KINDS:
        return KINDS[name]
    interval = INTERVALS.get(name.removeprefix(KLINE_PREFIX))
    if not name.startswith(KLINE_PREFIX) or interval is None:
        raise DataError(
            f"{name!r} is no kind of data; give one of {', '.join(KINDS)}, or {KLINE_PREFIX} with an interval, such as "
            f"{KLINE_PREFIX}1m"
        )
    return kline_kind(interval)


@lru_cache(maxsize=len(KlineInterval))
def kline_kind(interval: KlineInterval) -> Kind:
    """The kind of bars of this length."""
    step_ns = interval.nanoseconds
    place = pl.col(TIME) // step_ns
    # Months differ in length, so that the place of a bar tells nothing about the one before.
    links = None if interval is KlineInterval.MONTH_1 else (place, place - 1)
    name = f"{KLINE_PREFIX}{interval.value}"
    return Kind(name, _KLINE, key=(), links=links, is_countable=True, step_ns=step_ns)
