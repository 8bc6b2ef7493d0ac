"""Rows from csv files: what a layout makes of their columns, with the line that is to blame for what it cannot use."""

from __future__ import annotations

import io
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field
from pathlib import Path

import polars as pl

from nexustrader.data.kinds import BUY, NS_PER_MS, SELL, TIME, UNKNOWN_SIDE, Kind, kline_kind
from nexustrader.data.kinds import INTERVALS as INTERVALS_BY_NAME
from nexustrader.data.readers.names import MS_MAX, SECONDS_MAX, US_MAX
from nexustrader.data.readers.text import Block, blocks
from nexustrader.data.readers.wish import Wish
from nexustrader.data.rows import ROW, Chunk
from nexustrader.error import DataError

INTERVALS = {interval.nanoseconds: interval for interval in INTERVALS_BY_NAME.values()}
CLOSE = "close_ns"  # of a bar, where the file has it; tells the interval


@dataclass(frozen=True, slots=True)
class Layout:
    """How a kind of file is read. The columns of the kind are made of its text columns by `columns`.

    needs: names that tell the header of such a file. sizes: the columns that are in contracts where the venue counts
    contracts. keep: which rows count. spread: makes several rows of one. A kind of None is klines.
    """

    name: str
    kind: Kind | None
    needs: frozenset[str]
    columns: Mapping[str, pl.Expr]
    optional: Mapping[str, tuple[str, pl.Expr]] = field(
        default_factory=dict
    )  # name: needed text column, what of it
    sizes: tuple[str, ...] = ()
    symbol: str | None = None
    keep: pl.Expr | None = None
    spread: Callable[[pl.DataFrame], pl.DataFrame] | None = None


# -- what the text of a column means -----------------------------------------------------------------------------


def number(name: str) -> pl.Expr:
    return pl.col(name).cast(pl.Float64, strict=False)


def whole(name: str) -> pl.Expr:
    return pl.col(name).cast(pl.Int64, strict=False)


def time(name: str) -> pl.Expr:
    """A time in s, ms, us or ns, told by its size, as ns; seconds may have a fraction, which is kept to the us."""
    value = whole(name)
    with_fraction = (number(name) * 1e6).round().cast(pl.Int64, strict=False) * 1_000
    return (
        pl.when(value.is_null() | pl.col(name).str.contains(".", literal=True))
        .then(with_fraction)
        .when(value < SECONDS_MAX)
        .then(value * 1_000 * NS_PER_MS)
        .when(value < MS_MAX)
        .then(value * NS_PER_MS)
        .when(value < US_MAX)
        .then(value * 1_000)
        .otherwise(value)
    )


def one_of(name: str, meanings: Mapping[str, int]) -> pl.Expr:
    """A word as a number; null for any other word."""
    return pl.col(name).str.to_lowercase().replace_strict(meanings, default=None, return_dtype=pl.Int8)


def taker(name: str) -> pl.Expr:
    return one_of(name, {"buy": BUY, "sell": SELL, "unknown": UNKNOWN_SIDE})


def taker_of_maker(name: str) -> pl.Expr:
    """The taker's side where the file says whether the buyer was the maker."""
    return one_of(name, {"true": SELL, "1": SELL, "false": BUY, "0": BUY})


def book_side(name: str) -> pl.Expr:
    return one_of(name, {"bid": BUY, "buy": BUY, "ask": SELL, "sell": SELL})


def flag(name: str) -> pl.Expr:
    return one_of(name, {"true": 1, "1": 1, "false": 0, "0": 0}).cast(pl.Boolean)


# -- reading -----------------------------------------------------------------------------------------------------


def read_table(
    path: Path,
    layout: Layout,
    names: list[str],
    wish: Wish,
    progress: Callable[[int], None] | None = None,
    *,
    has_header: bool,
) -> Iterator[Chunk]:
    """The rows of the wished symbol. `names` are those of the file's columns. Raises DataError."""
    kind, seen, found = layout.kind, set[str](), False
    for block in blocks(path, progress):
        frame = _parse(path, block, names, skip=1 if has_header and block.first_row == 1 else 0)
        if layout.symbol is not None and layout.symbol in names:
            held = frame[layout.symbol].drop_nulls().unique().to_list()
            seen.update(held)
            frame = frame.filter(pl.col(layout.symbol).is_in([name for name in held if wish.is_meant(name)]))
        if layout.keep is not None:
            frame = frame.filter(layout.keep)
        if not len(frame):
            continue
        found = True
        rows = _rows(frame, layout, names, wish.contract_size)
        if kind is None:
            kind = wish.kind or kline_kind(INTERVALS[_step_ns(path, rows)])
        yield Chunk(kind, rows)
    if not found and seen and not any(wish.is_meant(name) for name in seen):
        raise wish.nothing_found(path, seen)


def _rows(frame: pl.DataFrame, layout: Layout, names: list[str], contract_size: float) -> pl.DataFrame:
    if layout.spread is not None:
        frame = layout.spread(frame)
    columns = dict(layout.columns)
    columns |= {name: made for name, (needed, made) in layout.optional.items() if needed in names}
    for name in layout.sizes if contract_size != 1 else ():
        if name in columns:
            columns[name] = columns[name] * contract_size
    return frame.select(pl.col(ROW), *(made.alias(name) for name, made in columns.items()))


def _parse(path: Path, block: Block, names: list[str], skip: int) -> pl.DataFrame:
    """The lines as text columns and the number of each line."""
    # A header of our own says how many columns there are, however few the first line has.
    header = ",".join(str(place) for place in range(len(names))).encode() + b"\n"
    content = block.content[block.content.find(b"\n") + 1 :] if skip else block.content
    try:
        frame = pl.read_csv(io.BytesIO(header + content), infer_schema=False, encoding="utf8-lossy")
        frame.columns = names
    except pl.exceptions.PolarsError as error:
        raise DataError(_blame(path, block, len(names), str(error))) from None
    return frame.with_row_index(ROW, block.first_row + skip)


def _blame(path: Path, block: Block, width: int, problem: str) -> str:
    """The first line that has too many columns."""
    for row, line in enumerate(block.content.decode("utf-8", "replace").splitlines(), block.first_row):
        if line.count(",") + 1 > width:
            return f"{path.name}, row {row} has {line.count(',') + 1} columns instead of {width}; correct or remove it"
    return f"{path.name}, in the rows from {block.first_row} on: {problem.splitlines()[0]}"


def _step_ns(path: Path, rows: pl.DataFrame) -> int:
    """The length of the bars: from a bar's opening to its close, else the least distance of two bars."""
    step: int | None = None
    if CLOSE in rows.columns and rows[CLOSE][0] is not None and rows[TIME][0] is not None:
        length = int(rows[CLOSE][0]) - int(rows[TIME][0])
        step = -(-length // NS_PER_MS) * NS_PER_MS  # closes are written as the last ms or us of the bar
        step += NS_PER_MS if step % (1_000 * NS_PER_MS) else 0
    else:
        distances = rows[TIME].diff().abs().drop_nulls()
        least = distances.filter(distances > 0).min()
        step = int(least) if isinstance(least, int) else None
    if step not in INTERVALS:
        raise DataError(
            f"{path.name}: the length of its bars cannot be told ({step or 0} ns); say it with --kind, such as kline_1m"
        )
    return step
