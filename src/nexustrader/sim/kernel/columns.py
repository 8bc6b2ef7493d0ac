"""Market events of one symbol as columns: builders, a merge in order of time, and what makes a row impossible.

A quote uses both prices (bid and ask); everything else uses the first. Several levels that changed at one moment are
one update: all its rows but the last have MORE added to their kind.
"""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

import numpy as np
import numpy.typing as npt

from nexustrader.error import DataError
from nexustrader.sim.kernel.layout import LOTS_MAX as LOTS_LIMIT
from nexustrader.sim.kernel.layout import PRICE_MAX

QUOTE, BUYER, SELLER, BID, ASK = range(
    5
)  # best bid and ask; trade led by a buyer, by a seller; level of the bids, asks
MORE = 8

EVENT = np.dtype(
    [
        ("time_ns", np.int64),
        ("kind", np.int64),
        ("price", np.int64),  # ticks
        ("lots", np.int64),
        ("price_2", np.int64),
        ("lots_2", np.int64),
    ]
)
TIME_NS, KIND, PRICE, LOTS, PRICE_2, LOTS_2 = range(6)
CELLS = 6

Ints = npt.NDArray[np.int64]
Floats = npt.NDArray[np.float64]


class Events:
    """Checked rows of EVENT in order of time. Do not change them: what reads them relies on the check.

    Raises DataError, naming the row, for times that go back, prices that are not above zero (an empty side of a quote
    may have any), negative lots, unknown kinds, and an update that does not end at the time at which it began.
    """

    __slots__ = ("cells", "count", "rows")

    def __init__(self, rows: npt.NDArray[Any]) -> None:
        self.rows = np.require(np.asarray(rows, EVENT), EVENT, ["C_CONTIGUOUS", "WRITEABLE"])
        _check(self.rows)
        self.count = len(self.rows)
        self.cells: Any = self.rows.view(np.int64)  # as compiled functions take them


def quotes(time_ns: Ints, bid: Ints, bid_lots: Ints, ask: Ints, ask_lots: Ints) -> Events:
    """Best bids and asks. 0 lots: none on that side."""
    rows = _rows(time_ns, np.full(len(time_ns), QUOTE), bid, bid_lots)
    rows["price_2"], rows["lots_2"] = ask, ask_lots
    return Events(rows)


def trades(time_ns: Ints, price: Ints, lots: Ints, is_buyer: npt.NDArray[np.bool_]) -> Events:
    """Public trades; `is_buyer` tells who led."""
    return Events(_rows(time_ns, np.where(is_buyer, BUYER, SELLER), price, lots))


def deltas(
    time_ns: Ints,
    price: Ints,
    lots: Ints,
    is_bid: npt.NDArray[np.bool_],
    is_last: npt.NDArray[np.bool_] | None = None,
) -> Events:
    """Levels as absolute quantities, 0 removes one. `is_last` ends an update; None: where the time changes."""
    kind = np.where(is_bid, BID, ASK)
    if is_last is None:
        kind[:-1] += MORE * (time_ns[1:] == time_ns[:-1])
    else:
        kind += MORE * ~is_last
    return Events(_rows(time_ns, kind, price, lots))


def merge(parts: Iterable[Events]) -> Events:
    """All events in order of time; at equal times, those of an earlier part first."""
    rows = np.concatenate([part.rows for part in parts])
    return Events(rows[np.argsort(rows["time_ns"], kind="stable")])


def nearest(values: Floats, step: float) -> Ints:
    """Prices in ticks, or amounts in lots, to the nearest."""
    return np.rint(values / step).astype(np.int64)


def _rows(time_ns: Ints, kind: Ints, price: Ints, lots: Ints) -> npt.NDArray[Any]:
    rows = np.zeros(len(time_ns), EVENT)
    rows["time_ns"], rows["kind"], rows["price"], rows["lots"] = time_ns, kind, price, lots
    return rows


def _check(rows: npt.NDArray[Any]) -> None:
    time_ns, kind = rows["time_ns"], rows["kind"]
    _refuse(rows, np.diff(time_ns, prepend=time_ns[:1]) < 0, "is earlier than the one before: sort by time")
    is_level = (kind & ~MORE == BID) | (kind & ~MORE == ASK)
    _refuse(rows, ~((kind >= QUOTE) & (kind <= SELLER) | is_level), "is of an unknown kind")
    for price, lots in (("price", "lots"), ("price_2", "lots_2")):
        _refuse(
            rows,
            (rows[lots] < 0) | (rows[lots] > LOTS_LIMIT),
            "has impossible lots: drop it, or correct the feed",
        )
        is_used = (kind == QUOTE) & (rows[lots] > 0) | (kind != QUOTE) & (price == "price")
        is_outside = (rows[price] <= 0) & is_used | (np.abs(rows[price]) > PRICE_MAX)
        _refuse(rows, is_outside, "has an impossible price: drop it, or correct the feed")
    goes_on = kind & MORE != 0
    ends = np.ones(len(rows), np.bool_)
    ends[:-1] = (time_ns[1:] != time_ns[:-1]) | ~is_level[1:]
    _refuse(
        rows,
        goes_on & ends,
        "begins an update that does not go on: it needs the rest of its levels behind it",
    )


def _refuse(rows: npt.NDArray[Any], is_wrong: npt.NDArray[np.bool_], what: str) -> None:
    if is_wrong.any():
        row = int(np.argmax(is_wrong))
        told = ", ".join(f"{name}={rows[name][row]}" for name in rows.dtype.names or ())
        raise DataError(f"row {row} of the market events ({told}) {what}")
