"""Sorted runs of rows in Parquet files, and their merge: in order of time, each row once, in bounded memory.

A run is what one source brought in order. The merge takes from every run what lies before the earliest end of what
is loaded, so that it holds a few row groups of each run, whatever the runs' length.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import NamedTuple

import polars as pl

from nexustrader.data.files import ROWS_PER_BATCH, batches
from nexustrader.data.kinds import ID, LOCAL, NS_PER_MS, TIME, Kind

_MS = "_ms"
_PLACE = "_place"
_SOURCE = "_source"
OLD, NEW = 0, 1  # what the catalogue holds, and what is imported


class Run(NamedTuple):
    """Rows in order of time. Those of one `source` may be told apart by number; the later source has the last word."""

    path: Path
    source: int


class Merged(NamedTuple):
    """The rows of one span of time. `before` are those that source 0 had there, `own` counts what source 1 has."""

    frame: pl.DataFrame
    before: pl.DataFrame
    own: int


def merge(kind: Kind, runs: Sequence[Run], rows: int = ROWS_PER_BATCH) -> Iterator[Merged]:
    """The rows of all runs in order of time, in spans that do not overlap, each row once.

    Of each run it holds about `rows` rows, and more only where more are of one millisecond.
    """
    cursors = [_Cursor(run, kind, rows) for run in runs]
    while True:
        for cursor in cursors:
            cursor.load()
        if all(cursor.is_empty for cursor in cursors):
            return
        ends = [cursor.last_ms for cursor in cursors if not cursor.is_exhausted]
        taken: dict[int, list[pl.DataFrame]] = {}
        for cursor in cursors:
            frame = cursor.take(min(ends) if ends else None)
            if len(frame):
                taken.setdefault(cursor.source, []).append(frame)
        if not taken:  # one moment fills all that is loaded of a run
            for cursor in cursors:
                cursor.load_more(min(ends))
            continue
        yield _merged(kind, {source: pl.concat(frames) for source, frames in sorted(taken.items())})


def _merged(kind: Kind, sources: Mapping[int, pl.DataFrame]) -> Merged:
    frame = distinct(kind, list(sources.values()))
    before = sources.get(OLD, pl.DataFrame(schema=kind.schema))
    own = len(frame) if OLD not in sources else len(distinct(kind, [sources[NEW]])) if NEW in sources else 0
    return Merged(frame, before, own)


class _Cursor:
    """What is loaded of one run."""

    def __init__(self, run: Run, kind: Kind, rows: int) -> None:
        self.source = run.source
        self.is_exhausted = False
        self._left = batches(run.path, kind, rows)
        self._frame: pl.DataFrame | None = None

    @property
    def is_empty(self) -> bool:
        return self._frame is None or not len(self._frame)

    @property
    def last_ms(self) -> int:
        assert self._frame is not None
        return int(self._frame[TIME][-1]) // NS_PER_MS

    def load(self) -> None:
        """Have rows, unless there are none left."""
        while self.is_empty and not self.is_exhausted:
            self._extend()

    def load_more(self, up_to_ms: int) -> None:
        """Have more rows than now if the last one is of this millisecond."""
        if not self.is_exhausted and self.last_ms == up_to_ms:
            self._extend()

    def _extend(self) -> None:
        more = next(self._left, None)
        if more is None:
            self.is_exhausted = True
        else:
            self._frame = more if self._frame is None else pl.concat([self._frame, more])

    def take(self, end_ms: int | None) -> pl.DataFrame:
        """The loaded rows before a millisecond; all if None."""
        frame = pl.DataFrame() if self._frame is None else self._frame
        if end_ms is None or not len(frame):
            self._frame = None
            return frame
        count = int(frame[TIME].search_sorted(end_ms * NS_PER_MS, "left"))
        self._frame = frame[count:]
        return frame[:count]


def distinct(kind: Kind, sources: Sequence[pl.DataFrame]) -> pl.DataFrame:
    """The rows of several sources, oldest first, in order: each once, the last word counting.

    Rows that nothing identifies are kept as often as the source has them that has them most often.
    """
    parts = [frame.with_columns(pl.lit(number).alias(_SOURCE)) for number, frame in enumerate(sources)]
    rows = pl.concat(parts).with_row_index(_PLACE).with_columns((pl.col(TIME) // NS_PER_MS).alias(_MS))
    if not kind.has_id:
        return _in_order(kind, rows.unique([_MS, *kind.key], keep="last", maintain_order=True))
    named = rows.filter(pl.col(ID).is_not_null())
    kept = named.unique([_MS, *kind.key], keep="last", maintain_order=True)
    if len(named) < len(rows):
        nameless = rows.filter(pl.col(ID).is_null())
        number = pl.int_range(pl.len()).over(_SOURCE, *kind.names).alias("_number")
        alike = nameless.with_columns(number).unique(
            [*kind.names, "_number"], keep="first", maintain_order=True
        )
        kept = pl.concat([kept, alike.select(kept.columns)])
    return _in_order(kind, kept)


def in_order(kind: Kind, frame: pl.DataFrame) -> pl.DataFrame:
    """The rows in the order in which they are stored: by time, then as the venue numbers them, then as they came."""
    return _in_order(kind, frame.with_row_index(_PLACE))


def _in_order(kind: Kind, rows: pl.DataFrame) -> pl.DataFrame:
    by = [pl.col(TIME)]
    if kind.has_id:
        by.append(pl.col(ID).cast(pl.Int64, strict=False))
    if LOCAL in kind.schema:
        by.append(pl.col(LOCAL))
    return rows.sort([*by, pl.col(_PLACE)], nulls_last=True).select(kind.names)
