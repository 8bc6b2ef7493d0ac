"""Recorded quotes and trades of one symbol, in columns: checked once when they are made, then only read.

Rows out of order are sorted, stably: what happened at one moment stays in the order in which it was recorded. How many
were is in `notes`, because a result is worth no more than its data.
"""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field, replace
from itertools import repeat
from typing import Any, Self

import numpy as np
from numpy.typing import NDArray

from nexustrader.constants import KlineInterval, OrderSide
from nexustrader.data.bars import Bars, DataNotes, Floats, Ints, Table
from nexustrader.error import DataError
from nexustrader.schema import BookL1, InstrumentId, Trade

NS_PER_MS = 1_000_000
ROWS_PER_CHUNK_FIRST, ROWS_PER_CHUNK = 32, 8_192  # few at first: they may be all that is read
Flags = NDArray[np.bool_]


@dataclass(frozen=True, slots=True, eq=False, kw_only=True)
class Ticks(ABC):
    """What quotes and trades have in common: rows by `time_ns`, ascending, of one symbol."""

    symbol: str
    time_ns: Ints
    notes: DataNotes = field(default_factory=DataNotes)

    def __len__(self) -> int:
        return len(self.time_ns)

    def between(self, start_ms: int | None, end_ms: int | None) -> Self:
        """The rows from `start_ms` on and before `end_ms`."""
        low = 0 if start_ms is None else int(np.searchsorted(self.time_ns, start_ms * NS_PER_MS, "left"))
        high = len(self) if end_ms is None else int(np.searchsorted(self.time_ns, end_ms * NS_PER_MS, "left"))
        return self._rows(slice(low, max(low, high)))

    def _rows(self, rows: slice) -> Self:
        columns: dict[str, Any] = {name: getattr(self, name)[rows] for name in self.columns()}
        return replace(self, **columns)

    @abstractmethod
    def bars(self, interval: KlineInterval) -> Bars:
        """Bars made of the rows. Raises DataError when there is no price in them."""

    @classmethod
    def columns(cls) -> tuple[str, ...]:
        """Names of the columns, the time first."""
        return tuple(name for name in cls.__dataclass_fields__ if name not in ("symbol", "notes"))

    def _chunks(self, start: int, *columns: NDArray[Any]) -> Iterator[tuple[list[Any], ...]]:
        low, size = start, ROWS_PER_CHUNK_FIRST
        while low < len(self):
            yield tuple(column[low : low + size].tolist() for column in (self.time_ns, *columns))
            low, size = low + size, min(4 * size, ROWS_PER_CHUNK)


@dataclass(frozen=True, slots=True, eq=False, kw_only=True)
class Quotes(Ticks):
    """Best bid and ask after every change. A price of 0 says that the side is empty."""

    bid: Floats
    ask: Floats
    bid_size: Floats
    ask_size: Floats

    def books(self, start: int = 0) -> Iterator[tuple[int, BookL1]]:
        """The rows from number `start` on with their time in ns, oldest first."""
        exchange, symbol = InstrumentId.from_str(self.symbol).exchange, self.symbol
        for times, *columns in self._chunks(start, self.bid, self.ask, self.bid_size, self.ask_size):
            stamps = (time // NS_PER_MS for time in times)
            yield from zip(
                times, map(BookL1, repeat(exchange), repeat(symbol), *columns, stamps), strict=False
            )

    def bars(self, interval: KlineInterval) -> Bars:
        """Bars of the middle; there is no volume in quotes. Moments at which a side is empty are passed over."""
        whole = (self.bid > 0) & (self.ask > 0)
        middle = (self.bid[whole] + self.ask[whole]) / 2
        return _bars(self, interval, self.time_ns[whole], middle, np.zeros(len(middle)))


@dataclass(frozen=True, slots=True, eq=False, kw_only=True)
class Trades(Ticks):
    """Public trades; `is_buy` says that the taker bought."""

    price: Floats
    size: Floats
    is_buy: Flags

    def trades(self, start: int = 0) -> Iterator[tuple[int, Trade]]:
        """The rows from number `start` on with their time in ns, oldest first."""
        exchange, symbol = InstrumentId.from_str(self.symbol).exchange, self.symbol
        for times, prices, sizes, buys in self._chunks(start, self.price, self.size, self.is_buy):
            sides = (OrderSide.BUY if buy else OrderSide.SELL for buy in buys)
            stamps = (time // NS_PER_MS for time in times)
            made = map(Trade, repeat(exchange), sides, repeat(symbol), prices, sizes, stamps)
            yield from zip(times, made, strict=False)

    def bars(self, interval: KlineInterval) -> Bars:
        """Bars of what was traded. A bar without a trade does not exist."""
        return _bars(self, interval, self.time_ns, self.price, self.size)


def build_quotes(table: Table, symbol: str, source: str) -> Quotes:
    """Quotes from columns named time_ns, bid, ask, bid_size and ask_size. Raises DataError with the first bad row."""
    checks: Mapping[str, Callable[[Table], Flags]] = {
        "bid and ask must be finite and not negative": lambda t: amount(t["bid"]) & amount(t["ask"]),
        "one side at least must have a price": lambda t: (t["bid"] > 0) | (t["ask"] > 0),
        "sizes must be finite and not negative": lambda t: amount(t["bid_size"]) & amount(t["ask_size"]),
        "bid must be below ask": lambda t: (t["bid"] < t["ask"]) | (t["bid"] <= 0) | (t["ask"] <= 0),
    }
    columns, notes = checked(table, Quotes.columns(), checks, symbol, source)
    return Quotes(symbol=symbol, notes=notes, **columns)


def build_trades(table: Table, symbol: str, source: str) -> Trades:
    """Trades from columns named time_ns, price, size and is_buy. Raises DataError with the first bad row."""
    checks: Mapping[str, Callable[[Table], Flags]] = {
        "the price must be finite and above 0": lambda t: amount(t["price"]) & (t["price"] > 0),
        "the size must be finite and not negative": lambda t: amount(t["size"]),
    }
    columns, notes = checked(table, Trades.columns(), checks, symbol, source)
    return Trades(symbol=symbol, notes=notes, **columns)


def amount(column: NDArray[Any]) -> Flags:
    """Where a value is finite and not negative."""
    return np.asarray(np.isfinite(column) & (column >= 0))


def checked(
    table: Table,
    names: tuple[str, ...],
    checks: Mapping[str, Callable[[Table], Flags]],
    symbol: str,
    source: str,
) -> tuple[dict[str, Any], DataNotes]:
    """The named columns in order of time, the first, with notes. Raises DataError with the first row that is wrong."""
    missing = [name for name in names if name not in table]
    if missing:
        raise DataError(
            f"{source} of {symbol} lacks the columns {', '.join(missing)}; it has {', '.join(table)}"
        )
    columns: dict[str, Any] = {name: np.ascontiguousarray(table[name]) for name in names}
    times = columns["time_ns"] = columns["time_ns"].astype(np.int64)
    if not len(times):
        raise DataError(f"{source} of {symbol} has no rows")
    for name in names[1:]:
        columns[name] = columns[name].astype(np.bool_ if name.startswith("is_") else np.float64)
    for rule, check in checks.items():
        wrong = np.flatnonzero(~check(columns))
        if len(wrong):
            raise DataError(
                f"{source} of {symbol}, row {int(wrong[0]) + 1}: {rule}; mend or remove the row "
                f"({len(wrong)} of {len(times)} rows are wrong)"
            )
    out_of_order = int(np.count_nonzero(np.diff(times) < 0))
    if out_of_order:
        order = np.argsort(times, kind="stable")
        columns = {name: column[order] for name, column in columns.items()}
    return columns, DataNotes(sources=(source,), rows=len(times), out_of_order=out_of_order)


def _bars(ticks: Ticks, interval: KlineInterval, time_ns: Ints, price: Floats, size: Floats) -> Bars:
    step_ns = interval.milliseconds * NS_PER_MS
    bucket = time_ns // step_ns
    first = np.flatnonzero(np.append([True], np.diff(bucket) != 0)) if len(bucket) else np.zeros(0, np.int64)
    last = np.append(first[1:], len(bucket)) - 1 if len(bucket) else first
    if not len(first):
        raise DataError(f"no bar of {ticks.symbol} can be made of its ticks: there is no price in them")
    return Bars(
        symbol=ticks.symbol,
        interval=interval,
        start=np.asarray(bucket[first] * interval.milliseconds, dtype=np.int64),
        open=price[first],
        high=np.asarray(np.maximum.reduceat(price, first), dtype=np.float64),
        low=np.asarray(np.minimum.reduceat(price, first), dtype=np.float64),
        close=price[last],
        volume=np.asarray(np.add.reduceat(size, first), dtype=np.float64),
        notes=ticks.notes,
    )
