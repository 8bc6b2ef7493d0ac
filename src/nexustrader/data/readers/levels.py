"""Book events as rows, one a level, collected until there are enough of them for a chunk."""

from __future__ import annotations

from collections.abc import Iterable, Sequence

import polars as pl

from nexustrader.data.kinds import BOOK_DELTA, BUY, ID, LOCAL, PREVIOUS, SELL, SNAPSHOT, TIME
from nexustrader.data.rows import ROW

Levels = Iterable[Sequence[str]]
ROWS_PER_CHUNK = 100_000


class RowBuffer:
    """Rows in columns, as lists."""

    def __init__(self, names: Sequence[str], schema: pl.Schema) -> None:
        self._schema = {ROW: pl.Int64(), **{name: schema[name] for name in names}}
        self._rows: list[tuple[object, ...]] = []

    def __len__(self) -> int:
        return len(self._rows)

    def add(self, *values: object) -> None:
        """One row: its line in the file, then the columns."""
        self._rows.append(values)

    def take(self) -> pl.DataFrame:
        """The rows so far, which are then gone from here."""
        rows, self._rows = self._rows, []
        return pl.DataFrame(rows, schema=self._schema, orient="row")


class BookRows(RowBuffer):
    """Levels of books."""

    def __init__(self) -> None:
        super().__init__((TIME, LOCAL, ID, PREVIOUS, SNAPSHOT, "side", "price", "size"), BOOK_DELTA.schema)

    def add_event(
        self,
        row: int,
        time_ns: int,
        local_ns: int | None,
        update_id: int | None,
        previous_id: int | None,
        bids: Levels,
        asks: Levels,
        *,
        is_snapshot: bool,
        contract_size: float,
    ) -> None:
        """One event, with prices and sizes as text. Raises ValueError for a level that is no pair of numbers."""
        for side, levels in ((BUY, bids), (SELL, asks)):
            for price, size in levels:
                self.add(
                    row,
                    time_ns,
                    local_ns,
                    update_id,
                    previous_id,
                    is_snapshot,
                    side,
                    float(price),
                    float(size) * contract_size,
                )
