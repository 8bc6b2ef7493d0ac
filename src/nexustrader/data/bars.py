"""Recorded bars of one symbol, in columns: checked once when they are made, then only read.

Rows out of order are sorted, repeated ones dropped and missing ones left out; each is counted in `notes`, because a
result is worth no more than its data.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from itertools import repeat
from typing import Any, Protocol, runtime_checkable

import msgspec
import numpy as np
from numpy.typing import NDArray

from nexustrader.constants import KlineInterval
from nexustrader.data.shelf import Release, keep
from nexustrader.error import DataError
from nexustrader.schema import InstrumentId, Kline

Floats = NDArray[np.float64]
Ints = NDArray[np.int64]
Table = Mapping[str, NDArray[Any]]

ROWS_PER_CHUNK = 8_192
ROWS_PER_SPAN = 1 << 16  # that are reckoned with at once, so that no temporary column is as long as the data
PRICES = ("open", "high", "low", "close")
OPTIONAL = ("quote_volume", "taker_volume", "taker_quote_volume")
COLUMNS = ("start", *PRICES, "volume", *OPTIONAL)
INTERVALS: Mapping[int, KlineInterval] = {
    interval.milliseconds: interval for interval in KlineInterval if interval.milliseconds
}


class DataNotes(msgspec.Struct, frozen=True, kw_only=True):
    """What the data is made of and what is wrong with it. `missing` counts the bars that gaps leave out."""

    sources: tuple[str, ...] = ()
    rows: int = 0
    out_of_order: int = 0
    duplicates: int = 0
    gaps: int = 0
    missing: int = 0


@dataclass(frozen=True, slots=True, eq=False)
class Bars:
    """Bars in order of `start` (ms), one a row. Prices and volumes are floats, as the public schema has them.

    `release` gives memory back after all or many rows have been read, where the columns are not held.
    """

    symbol: str
    interval: KlineInterval
    start: Ints
    open: Floats
    high: Floats
    low: Floats
    close: Floats
    volume: Floats
    quote_volume: Floats | None = None
    taker_volume: Floats | None = None
    taker_quote_volume: Floats | None = None
    notes: DataNotes = field(default_factory=DataNotes)
    release: Release = keep

    def __len__(self) -> int:
        return len(self.start)

    @property
    def step_ms(self) -> int:
        """Length of a bar."""
        return self.interval.milliseconds

    def between(self, start_ms: int | None, end_ms: int | None) -> Bars:
        """The bars that open at `start_ms` or later and have closed by `end_ms`."""
        low = 0 if start_ms is None else int(np.searchsorted(self.start, start_ms, "left"))
        last_start = None if end_ms is None else end_ms - self.step_ms
        high = len(self) if last_start is None else int(np.searchsorted(self.start, last_start, "right"))
        return self._rows(slice(low, max(low, high)))

    def last(self, count: int, closed_by_ms: int) -> Bars:
        """The last `count` bars that have closed by a time."""
        high = int(np.searchsorted(self.start, closed_by_ms - self.step_ms, "right"))
        return self._rows(slice(max(0, high - count), high))

    def where(self, rows: NDArray[np.bool_]) -> Bars:
        """The bars that are marked."""
        return self._rows(rows)

    def _rows(self, rows: slice | NDArray[np.bool_]) -> Bars:
        columns: dict[str, Any] = {
            name: None if (column := getattr(self, name)) is None else column[rows] for name in COLUMNS
        }
        return replace(self, **columns)

    def klines(self) -> Iterator[Kline]:
        """The bars as closed klines, oldest first; each is dated at its close."""
        exchange, interval, step_ms = InstrumentId.from_str(self.symbol).exchange, self.interval, self.step_ms
        for low in range(0, len(self), ROWS_PER_CHUNK):
            rows = slice(low, low + ROWS_PER_CHUNK)
            needed = (self.start, self.open, self.high, self.low, self.close, self.volume)
            optional = (getattr(self, name) for name in OPTIONAL)
            columns = [
                *(column[rows].tolist() for column in needed),
                *(repeat(None) if column is None else column[rows].tolist() for column in optional),
            ]
            self.release()
            for start, open_, high, low_, close, volume, quote, taker, taker_quote in zip(
                *columns,
                strict=False,  # `repeat` has no end
            ):
                yield Kline(
                    exchange=exchange,
                    symbol=self.symbol,
                    interval=interval,
                    open=open_,
                    high=high,
                    low=low_,
                    close=close,
                    volume=volume,
                    quote_volume=quote,
                    taker_volume=taker,
                    taker_quote_volume=taker_quote,
                    start=start,
                    timestamp=start + step_ms,
                    confirm=True,
                )


@runtime_checkable
class BarSource(Protocol):
    """Something that knows which bars it has, such as a catalogue."""

    def history(self, symbol: str | None = None) -> dict[str, Bars]: ...
    def longer(self, symbol: str, than: KlineInterval) -> list[Bars]:
        """The bars of every longer interval."""


def build_bars(
    table: Table,
    symbol: str,
    source: str,
    *,
    interval: KlineInterval | None = None,
    first_row: int = 1,
    seen: str | None = None,
    release: Release = keep,
) -> Bars:
    """Bars from columns named start (ms), open, high, low, close, volume and, if there, the optional ones.

    Columns that are in order and of the right type are not copied: do not change them afterwards. Without `interval`
    it is read off the times. Raises DataError naming `source` and the first bad row, where the first row has the number
    `first_row`, or telling what was `seen` in the place of a missing column.
    """
    missing = [name for name in ("start", *PRICES) if name not in table]
    if missing:
        raise DataError(
            f"{source} has no column {', '.join(missing)}; {seen or f'it has {list(table)}'}. "
            "Name the columns open_time, open, high, low, close and volume"
        )
    start = np.asarray(table["start"], dtype=np.int64)
    if not len(start):
        raise DataError(f"{source} holds no bars")
    prices = {name: _floats(table[name]) for name in PRICES}
    volume = _floats(table["volume"]) if "volume" in table else np.zeros(len(start))
    step_ms = interval.milliseconds if interval is not None else 0
    for rows in spans(len(start), release):
        row = first_row + rows.start
        _refuse_row(start[rows] <= 0, source, row, "has no usable time")
        _check_values({name: column[rows] for name, column in prices.items()}, volume[rows], source, row)
    step_ms = step_ms or _step_ms(table, start, source)
    found = interval or INTERVALS.get(step_ms)
    if found is None:
        raise DataError(f"{source} has bars of {step_ms} ms; no interval has that length")
    for rows in spans(len(start), release):
        is_off = (start[rows] - start[0]) % step_ms != 0
        _refuse_row(is_off, source, first_row + rows.start, f"does not open on the {found.value} grid")
    optional = {name: _floats(table[name]) for name in OPTIONAL if name in table}
    notes = DataNotes(sources=(source,))
    return join_bars(
        [Bars(symbol, found, start, **prices, volume=volume, **optional, notes=notes, release=release)]
    )


def join_bars(parts: Sequence[Bars]) -> Bars:
    """One series of several: in order of time, the later part's word counting where two have the same bar.

    Raises DataError when symbols or intervals differ.
    """
    first = parts[0]
    for part in parts[1:]:
        if (part.symbol, part.interval) != (first.symbol, first.interval):
            raise DataError(
                f"{', '.join(part.notes.sources)} has {part.symbol} {part.interval.value} bars, "
                f"{', '.join(first.notes.sources)} has {first.symbol} {first.interval.value}; give them apart"
            )
    start = _whole([part.start for part in parts])
    order = _order(start)
    kept = start if order is None else start[order]
    gaps, missing = _gaps(kept, first.step_ms)
    known = Counter[str]()
    for part in parts:
        known.update(out_of_order=part.notes.out_of_order, duplicates=part.notes.duplicates)
    if order is not None:
        known.update(
            out_of_order=int(np.count_nonzero(np.diff(start) < 0)), duplicates=len(start) - len(kept)
        )
    notes = DataNotes(
        sources=tuple(source for part in parts for source in part.notes.sources),
        rows=len(kept),
        out_of_order=known["out_of_order"],
        duplicates=known["duplicates"],
        gaps=gaps,
        missing=missing,
    )
    columns: dict[str, Any] = {}
    for name in (*PRICES, "volume", *OPTIONAL):
        column = [getattr(part, name) for part in parts]
        if any(one is None for one in column):
            columns[name] = None
        else:
            columns[name] = _whole(column) if order is None else _whole(column)[order]
    release = first.release if len(parts) == 1 and order is None else keep
    return Bars(first.symbol, first.interval, kept, **columns, notes=notes, release=release)


def spans(count: int, release: Release = keep) -> Iterator[slice]:
    """Rows some at a time, given back after each of them."""
    for low in range(0, count, ROWS_PER_SPAN):
        yield slice(low, min(low + ROWS_PER_SPAN, count))
        release()


def _whole(parts: Sequence[NDArray[Any]]) -> NDArray[Any]:
    return parts[0] if len(parts) == 1 else np.concatenate(parts)


def _order(start: Ints) -> Ints | None:
    """The rows to take, the last word of equal times; None when they are in order as they are."""
    if bool((start[1:] > start[:-1]).all()):
        return None
    order: Ints = np.argsort(start, kind="stable")
    is_last_word = np.append(np.diff(start[order]) != 0, [True])
    return np.asarray(order[is_last_word])


def _gaps(start: Ints, step_ms: int) -> tuple[int, int]:
    """How many gaps there are, and the bars that are missing in them."""
    gaps = missing = 0
    for rows in spans(len(start)):
        steps = np.diff(start[rows.start : rows.stop + 1]) // step_ms
        gaps += int(np.count_nonzero(steps > 1))
        missing += int(np.sum(steps - 1))
    return gaps, missing


def _floats(column: NDArray[Any]) -> Floats:
    return np.asarray(column, dtype=np.float64)


def _check_values(prices: Mapping[str, Floats], volume: Floats, source: str, first_row: int) -> None:
    for name, column in prices.items():
        _refuse_row(~(np.isfinite(column) & (column > 0)), source, first_row, f"has no usable {name}")
    _refuse_row(~(np.isfinite(volume) & (volume >= 0)), source, first_row, "has no usable volume")
    low, high = prices["low"], prices["high"]
    inside = (low <= np.minimum(prices["open"], prices["close"])) & (
        np.maximum(prices["open"], prices["close"]) <= high
    )
    _refuse_row(~inside, source, first_row, "has open or close outside low to high")


def _refuse_row(bad: NDArray[np.bool_], source: str, first_row: int, what: str) -> None:
    if bad.any():
        row = first_row + int(np.argmax(bad))
        raise DataError(f"{source}, row {row} {what}; correct or remove the row")


def _step_ms(table: Table, start: Ints, source: str) -> int:
    if "close_time" in table:
        return int(np.asarray(table["close_time"], dtype=np.int64)[0] - start[0]) + 1
    least = 0
    for rows in spans(len(start)):
        steps = np.abs(np.diff(start[rows.start : rows.stop + 1]))
        steps = steps[steps > 0]
        if len(steps):
            least = min(least or int(steps.min()), int(steps.min()))
    if not least:
        raise DataError(f"{source} holds one bar, from which no interval can be read; give interval=")
    return least
