"""The recorded order book of one symbol (L2): every change of a level, read a part at a time.

A row tells what one price holds from now on; a size of 0 removes it. Rows that changed at one moment are one update, of
which nothing can be seen half done. An update may be a snapshot: it takes the place of the whole book.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field, replace
from typing import Any, NamedTuple, Protocol

import numpy as np
from numpy.typing import NDArray

from nexustrader.constants import KlineInterval
from nexustrader.data.bars import Bars, DataNotes, Floats, Ints, Table
from nexustrader.data.ticks import NS_PER_MS, Flags, amount, checked
from nexustrader.error import DataError

ROWS_PER_PART = 1 << 16
BID, ASK = 1, -1
COLUMNS = ("time_ns", "side", "price", "size", "is_snapshot", "is_last")
FOREVER_NS = 1 << 62


class DepthRows(NamedTuple):
    """Whole updates in order of time, one row a level: `side` is 1 of bids and -1 of asks, `is_last` ends an update."""

    time_ns: Ints
    side: NDArray[np.int8]
    price: Floats
    size: Floats
    is_snapshot: Flags
    is_last: Flags

    @property
    def length(self) -> int:
        """How many rows there are."""
        return len(self.time_ns)

    def cut(self, rows: slice) -> DepthRows:
        """Some of the rows."""
        columns: Any = (column[rows] for column in self)
        return DepthRows(*columns)

    def runs(self) -> Iterator[DepthRows]:
        """The rows in parts: updates that follow each other, or one snapshot."""
        ends = np.flatnonzero(self.is_last) + 1
        is_snapshot = self.is_snapshot[ends - 1]
        borders = np.flatnonzero(is_snapshot[1:] | is_snapshot[:-1]) + 1
        low = 0
        for high in (*ends[borders - 1].tolist(), self.length):
            if high > low:
                yield self.cut(slice(low, high))
            low = high


class DepthSource(Protocol):
    """Where the rows come from."""

    def parts(self, start_ns: int, end_ns: int, rows_max: int) -> Iterator[DepthRows]:
        """The rows before `end_ns`, about so many at a time, from the last snapshot on that is not after `start_ns`.

        Without such a snapshot from the first one on, since what comes before changes a book that is not known; where
        there is none at all, from the first row on.
        """

    def count(self, start_ns: int, end_ns: int) -> int:
        """How many rows are of these times."""


@dataclass(frozen=True, slots=True, eq=False, kw_only=True)
class Depth:
    """Changes of the book of one symbol. What comes before `start_ns` makes the book that is there at the beginning."""

    symbol: str
    source: DepthSource
    start_ns: int = 0
    end_ns: int = FOREVER_NS
    rows_per_part: int = ROWS_PER_PART
    notes: DataNotes = field(default_factory=DataNotes)

    def __len__(self) -> int:
        return self.source.count(self.start_ns, self.end_ns)

    def between(self, start_ms: int | None, end_ms: int | None) -> Depth:
        """The rows from `start_ms` on and before `end_ms`."""
        start_ns = 0 if start_ms is None else start_ms * NS_PER_MS
        end_ns = FOREVER_NS if end_ms is None else end_ms * NS_PER_MS
        return replace(self, start_ns=max(start_ns, self.start_ns), end_ns=min(end_ns, self.end_ns))

    def parts(self) -> Iterator[DepthRows]:
        """The rows in parts of bounded size, those before the beginning that make the book first."""
        return self.source.parts(self.start_ns, self.end_ns, self.rows_per_part)

    def bars(self, interval: KlineInterval) -> Bars:
        """Bars of the middle of the touch after each update; there is no volume in books.

        Moments at which a side is empty are passed over. Raises DataError when one always is.
        """
        from nexustrader.sim.kernel.touches import TouchReader  # compiled code is loaded where it is used

        reader, step_ns = TouchReader(), interval.milliseconds * NS_PER_MS
        made = _Bars(step_ns)
        for part in self.parts():
            for run in part.runs():
                bid, ask = reader.read(run)
                times = run.time_ns[run.is_last]
                is_whole = (bid > 0) & (ask > 0) & (times >= self.start_ns)
                made.add(times[is_whole], (bid[is_whole] + ask[is_whole]) / 2)
        if not made.parts:
            raise DataError(
                f"no bar of {self.symbol} can be made of its book: it never has a bid and an ask at once"
            )
        columns: dict[str, Any] = made.columns()
        start = columns.pop("start") * interval.milliseconds
        volume = np.zeros(len(start))
        return Bars(
            symbol=self.symbol, interval=interval, start=start, volume=volume, notes=self.notes, **columns
        )


@dataclass(frozen=True, slots=True, eq=False)
class HeldDepth:
    """Rows that are in memory."""

    rows: DepthRows

    def parts(self, start_ns: int, end_ns: int, rows_max: int) -> Iterator[DepthRows]:
        rows, low = self.rows, self._begin(start_ns)
        high = int(np.searchsorted(rows.time_ns, end_ns, "left"))
        ends = np.flatnonzero(rows.is_last[:high]) + 1
        while low < high:
            place = int(np.searchsorted(ends, min(low + rows_max, high), "left"))
            end = int(ends[place])
            yield rows.cut(slice(low, end))
            low = end

    def _begin(self, start_ns: int) -> int:
        before = int(np.searchsorted(self.rows.time_ns, start_ns, "right"))
        snapshots = np.flatnonzero(self.rows.is_snapshot)
        if not len(snapshots):
            return 0
        latest = max(0, int(snapshots.searchsorted(before)) - 1)
        return int(np.append([0], np.flatnonzero(self.rows.is_last[: snapshots[latest]]) + 1)[-1])

    def count(self, start_ns: int, end_ns: int) -> int:
        low, high = np.searchsorted(self.rows.time_ns, [start_ns, end_ns], "left")
        return max(0, int(high - low))


def build_depth(table: Table, symbol: str, source: str) -> Depth:
    """Depth from columns named time_ns, side, price and size, and is_snapshot and is_last where they are told.

    Without `is_snapshot` nothing is a snapshot. Without `is_last` an update ends where the time changes, or where a
    snapshot begins or ends. Raises DataError with the first bad row.
    """
    checks: Mapping[str, Callable[[Table], Flags]] = {
        "the side must be 1 (bid) or -1 (ask)": lambda t: np.abs(t["side"]) == 1,
        "the price must be finite and above 0": lambda t: amount(t["price"]) & (t["price"] > 0),
        "the size must be finite and not negative": lambda t: amount(t["size"]),
        "an update goes on in the next row, which must have its time and be of the same snapshot": _is_whole,
    }
    columns, notes = checked(_with_updates(table), COLUMNS, checks, symbol, source)
    columns["side"] = columns["side"].astype(np.int8)
    return Depth(symbol=symbol, source=HeldDepth(DepthRows(**columns)), notes=notes)


def _with_updates(table: Table) -> Table:
    """The table with the columns that need not be given."""
    if "time_ns" not in table or ("is_snapshot" in table and "is_last" in table):
        return table
    count = len(table["time_ns"])
    is_snapshot = np.asarray(table.get("is_snapshot", np.zeros(count, np.bool_)))
    is_last = table.get("is_last")
    if is_last is None:
        is_last = ~_goes_on(np.asarray(table["time_ns"]), is_snapshot)
    return {**table, "is_snapshot": is_snapshot, "is_last": np.asarray(is_last)}


def _is_whole(table: Table) -> Flags:
    return np.asarray(table["is_last"] | _goes_on(table["time_ns"], table["is_snapshot"]))


def _goes_on(*columns: NDArray[Any]) -> Flags:
    """Where the next row is equal in all columns."""
    goes_on = np.zeros(len(columns[0]), np.bool_)
    goes_on[:-1] = np.logical_and.reduce([column[1:] == column[:-1] for column in columns])
    return goes_on


class _Bars:
    """Bars made of prices that come in parts."""

    def __init__(self, step_ns: int) -> None:
        self.parts: list[dict[str, NDArray[Any]]] = []
        self._step_ns = step_ns

    def add(self, time_ns: Ints, price: Floats) -> None:
        if not len(price):
            return
        bucket = time_ns // self._step_ns
        first = np.flatnonzero(np.append([True], np.diff(bucket) != 0))
        made: dict[str, NDArray[Any]] = {
            "start": bucket[first],
            "open": price[first],
            "high": np.maximum.reduceat(price, first),
            "low": np.minimum.reduceat(price, first),
            "close": price[np.append(first[1:], len(price)) - 1],
        }
        before = self.parts[-1] if self.parts else None
        if before is not None and before["start"][-1] == made["start"][0]:
            before["high"][-1] = max(before["high"][-1], made["high"][0])
            before["low"][-1] = min(before["low"][-1], made["low"][0])
            before["close"][-1] = made["close"][0]
            made = {name: column[1:] for name, column in made.items()}
        if len(made["start"]):
            self.parts.append(made)

    def columns(self) -> dict[str, NDArray[Any]]:
        return {name: np.concatenate([part[name] for part in self.parts]) for name in self.parts[0]}
