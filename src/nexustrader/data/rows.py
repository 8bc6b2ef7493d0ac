"""Rows as one source gives them: checked against their kind, with the row of the source that is to blame."""

from __future__ import annotations

from collections.abc import Iterator
from typing import NamedTuple

import polars as pl

from nexustrader.constants import KlineInterval
from nexustrader.data.kinds import TIME, Kind
from nexustrader.error import DataError

ROW = "row"  # the line of the file that a row comes from; not stored


class Chunk(NamedTuple):
    """Rows of one kind in the order of their source, few enough to be held. `frame` has the column `row` if known."""

    kind: Kind
    frame: pl.DataFrame


Chunks = Iterator[Chunk]


def checked(chunk: Chunk, source: str) -> pl.DataFrame:
    """The rows with exactly the columns of their kind; those that may be empty need not be given.

    Raises DataError naming `source`, the row and the column.
    """
    kind, frame = chunk
    row = frame[ROW] if ROW in frame.columns else pl.int_range(1, len(frame) + 1, eager=True)
    missing = [name for name in kind.names if name not in frame.columns]
    try:
        typed = frame.select(
            pl.lit(None, column.type).alias(column.name)
            if column.name in missing
            else pl.col(column.name).cast(column.type)
            for column in kind.columns
        )
    except pl.exceptions.PolarsError as error:
        first_line = str(error).splitlines()[0]
        raise DataError(
            f"{source} does not hold {kind.name} rows: {first_line}; convert the columns"
        ) from None
    if len(typed) != len(frame):  # a frame of literals has one row
        typed = typed.clear(len(frame))
    usable = [column.is_usable(pl.col(column.name)).alias(column.name) for column in kind.columns]
    if not typed.select(pl.all_horizontal(usable).all()).item():
        for column in typed.select(usable):
            _refuse(column, row, source, f"has no usable {column.name}")
    if kind.step_ns:
        _check_bars(kind, typed, row, source)
    return typed


def _check_bars(kind: Kind, frame: pl.DataFrame, row: pl.Series, source: str) -> None:
    body = pl.min_horizontal("open", "close"), pl.max_horizontal("open", "close")
    is_inside = frame.select((pl.col("low") <= body[0]) & (body[1] <= pl.col("high"))).to_series()
    _refuse(is_inside, row, source, "has open or close outside low to high")
    assert kind.interval is not None
    # Some venues begin a day at another hour than 0 (UTC), so that only the distance to the first row is known.
    on_grid = frame.select((pl.col(TIME) - pl.col(TIME).first()) % kind.step_ns == 0).to_series()
    if kind.interval is not KlineInterval.MONTH_1:
        _refuse(on_grid, row, source, f"does not open on the {kind.interval.value} grid")


def _refuse(usable: pl.Series, row: pl.Series, source: str, what: str) -> None:
    if len(usable) == len(row) and not usable.all():
        raise DataError(f"{source}, row {row[(~usable).arg_max() or 0]} {what}; correct or remove the row")
