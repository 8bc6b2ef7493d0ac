"""The order book of a symbol in a catalogue, read from its files a part at a time."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

import polars as pl

from nexustrader.data.depth import FOREVER_NS, DepthRows
from nexustrader.data.kinds import BOOK_DELTA, ID, LOCAL, NS_PER_MS, SNAPSHOT, TIME

if TYPE_CHECKING:
    from nexustrader.data.catalog import Catalog

EVENT = (TIME, LOCAL, ID, SNAPSHOT)  # rows that are equal in these are one update


@dataclass(frozen=True, slots=True)
class StoredDepth:
    """What the catalogue has of a book, as one keeps it: updates older than the snapshot before them are left out.

    So is what comes before the first snapshot, since it changes a book that is not known. A book without any snapshot
    begins empty.
    """

    root: Path
    symbol: str

    def parts(self, start_ns: int, end_ns: int, rows_max: int) -> Iterator[DepthRows]:
        low, high = self._begin(start_ns), min(end_ns, FOREVER_NS)
        latest: int | None = None  # id of the last snapshot
        frames = self._catalog.frames(
            self.symbol, BOOK_DELTA.name, low // NS_PER_MS, -(-high // NS_PER_MS), rows=rows_max
        )
        for frame in frames:
            within = frame.filter((pl.col(TIME) >= low) & (pl.col(TIME) < high))
            kept, latest = _current(within, latest)
            if len(kept):
                yield _rows(kept)

    def count(self, start_ns: int, end_ns: int) -> int:
        within = (pl.col(TIME) >= start_ns) & (pl.col(TIME) < end_ns)
        return int(self._scan().filter(within).select(pl.len()).collect().item())

    def ends(self) -> tuple[int, int]:
        """The times of the first and the last row."""
        first, last = (
            self._scan().select(pl.col(TIME).min().alias("a"), pl.col(TIME).max().alias("b")).collect().row(0)
        )
        return int(first), int(last)

    def _begin(self, start_ns: int) -> int:
        """The last snapshot that is not later, else the first one, else the first row."""
        times = self._scan().filter(pl.col(SNAPSHOT)).select(TIME)
        before = times.filter(pl.col(TIME) <= start_ns).max().collect().item()
        found = times.min().collect().item() if before is None else before
        return 0 if found is None else int(found)

    def _scan(self) -> pl.LazyFrame:
        return self._catalog.scan(self.symbol, BOOK_DELTA.name)

    @property
    def _catalog(self) -> Catalog:
        from nexustrader.data.catalog import Catalog

        return Catalog(self.root)


def _current(frame: pl.DataFrame, latest: int | None) -> tuple[pl.DataFrame, int | None]:
    """The rows without updates that the snapshot before them has already, and the id of the last snapshot."""
    snapshot = pl.when(pl.col(SNAPSHOT)).then(pl.col(ID))
    known = frame.with_columns(snapshot.forward_fill().fill_null(pl.lit(latest, pl.Int64)).alias("latest"))
    if not len(known):
        return known, latest
    is_old = (~pl.col(SNAPSHOT) & (pl.col(ID) <= pl.col("latest"))).fill_null(value=False)
    return known.filter(~is_old), known["latest"][-1]


def _rows(frame: pl.DataFrame) -> DepthRows:
    goes_on: Any = pl.all_horizontal(pl.col(name).eq_missing(pl.col(name).shift(-1)) for name in EVENT)
    is_last = frame.select(~goes_on).to_series().to_numpy().copy()
    is_last[-1] = True
    columns: Any = (frame[name].to_numpy() for name in (TIME, "side", "price", "size", SNAPSHOT))
    return DepthRows(*[*columns, is_last])
