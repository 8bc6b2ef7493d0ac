"""Gaps in a series, told from the venue's own numbering of its events: bars by their time, trades by their ids, book
updates by the id that each names as the one before.

A kind without numbering (quotes, trades whose ids are text) shows only days that are missing altogether.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from itertools import pairwise

import msgspec
import polars as pl

from nexustrader.data.kinds import ID, NS_PER_DAY, PREVIOUS, SNAPSHOT, TIME, Kind

GAPS_LISTED_MAX = 1_000  # of one day; all are counted


class Gap(msgspec.Struct, frozen=True, kw_only=True):
    """Something is missing between two times; `missing` counts the rows where the venue numbers them."""

    after_ns: int
    before_ns: int
    missing: int | None = None


class DayFacts(msgspec.Struct, frozen=True, kw_only=True):
    """What is known of one day's file. The ids say how it joins the days beside it."""

    rows: int
    first_ns: int
    last_ns: int
    first_previous_id: int | None = None
    last_ids: tuple[int, ...] = ()
    gap_count: int = 0
    missing: int = 0
    gaps: tuple[Gap, ...] = ()
    bytes: int = 0
    sha256: str = ""


class DayScan:
    """Collects the facts of a day from its rows in order, some at a time. `is_numbered` False: ids tell nothing."""

    def __init__(self, kind: Kind, *, is_numbered: bool) -> None:
        self._kind = kind
        self._links = kind.links if is_numbered else None
        self._rows = 0
        self._first_ns = self._last_ns = 0
        self._first_previous_id: int | None = None
        self._has_update = False
        self._carry: pl.DataFrame | None = None
        self._gap_count = self._missing = 0
        self._gaps: list[Gap] = []

    def feed(self, frame: pl.DataFrame) -> None:
        """Take the next rows."""
        if not len(frame):
            return
        if not self._rows:
            self._first_ns = int(frame[TIME][0])
        self._rows += len(frame)
        self._last_ns = int(frame[TIME][-1])
        if self._links is None:
            return
        chain = _chain(frame, self._links)
        carried = 0 if self._carry is None else len(self._carry)
        chain = _events(chain if self._carry is None else pl.concat([self._carry, chain]))
        self._find_first(chain)
        self._collect(chain.slice(carried))
        if len(chain):
            last = chain.tail(1)
            reached = chain.filter((pl.col("epoch") == last["epoch"][0]) & ~pl.col(SNAPSHOT))
            furthest = reached.filter(pl.col(ID) == pl.col(ID).max()).tail(1)
            kept = last if furthest.equals(last) else pl.concat([furthest, last])
            self._carry = kept.select(TIME, ID, PREVIOUS, SNAPSHOT)

    def _find_first(self, chain: pl.DataFrame) -> None:
        """What the first update of the day follows, unless it follows a snapshot of the same day."""
        first = chain.filter(~pl.col(SNAPSHOT)).head(1)
        if self._has_update or not len(first):
            return
        self._has_update = True
        previous, event = first[PREVIOUS][0], first["event"][0]
        self._first_previous_id = None if previous == event else previous

    def _collect(self, events: pl.DataFrame) -> None:
        """A gap is where an event names one before it that is further on than all that were there."""
        found = events.filter(
            ~pl.col(SNAPSHOT) & (pl.col(PREVIOUS) > pl.col("reached")) & (pl.col(PREVIOUS) != pl.col("event"))
        ).select("after", TIME, (pl.col(PREVIOUS) - pl.col("reached")).alias("missing"))
        self._gap_count += len(found)
        if self._kind.is_countable:
            self._missing += int(found["missing"].sum())
        for after, before, missing in found.head(max(0, GAPS_LISTED_MAX - len(self._gaps))).iter_rows():
            self._gaps.append(
                Gap(after_ns=after, before_ns=before, missing=missing if self._kind.is_countable else None)
            )

    def facts(self) -> DayFacts:
        """What was found; `bytes` and `sha256` are the file's to say."""
        last_ids = () if self._carry is None else tuple(int(value) for value in self._carry[ID])
        return DayFacts(
            rows=self._rows,
            first_ns=self._first_ns,
            last_ns=self._last_ns,
            first_previous_id=self._first_previous_id,
            last_ids=last_ids,
            gap_count=self._gap_count,
            missing=self._missing,
            gaps=tuple(self._gaps),
        )


def _chain(frame: pl.DataFrame, links: tuple[pl.Expr, pl.Expr]) -> pl.DataFrame:
    """The time of each row, its id, the id before it, and whether it is of a snapshot."""
    snapshot = pl.col(SNAPSHOT) if SNAPSHOT in frame.columns else pl.lit(value=False)
    return frame.select(
        pl.col(TIME), links[0].alias(ID), links[1].alias(PREVIOUS), snapshot.alias(SNAPSHOT)
    ).filter(pl.col(ID).is_not_null())


def _events(chain: pl.DataFrame) -> pl.DataFrame:
    """One row an event, with the `event` before it and its time (`after`), and the id that updates had `reached`.

    A snapshot with a lower id than that begins a new `epoch`, for the venue counts anew.
    """
    is_new = (pl.col(ID) != pl.col(ID).shift(1)) | (pl.col(SNAPSHOT) != pl.col(SNAPSHOT).shift(1))
    update = pl.when(~pl.col(SNAPSHOT)).then(pl.col(ID))
    reached = update.cum_max().forward_fill()
    return (
        chain.filter(is_new.fill_null(value=True))
        .with_columns(
            pl.col(TIME).shift(1).alias("after"),
            pl.col(ID).shift(1).alias("event"),
            (pl.col(SNAPSHOT) & (pl.col(ID) < reached.shift(1)))
            .fill_null(value=False)
            .cum_sum()
            .alias("epoch"),
        )
        .with_columns(reached.over("epoch").alias("furthest"))
        .with_columns(pl.col("furthest").shift(1).over("epoch").alias("reached"))
    )


def seams(kind: Kind, days: Mapping[str, DayFacts]) -> Iterable[Gap]:
    """Gaps between days, which are given in order."""
    facts = list(days.values())
    for left, right in pairwise(facts):
        if right.first_previous_id is not None and left.last_ids:
            missing = right.first_previous_id - left.last_ids[0]
            if missing <= 0 or right.first_previous_id in left.last_ids:
                continue
        elif right.first_ns // NS_PER_DAY - left.last_ns // NS_PER_DAY > 1:
            missing = 0
        else:
            continue
        is_counted = kind.is_countable and missing > 0
        yield Gap(after_ns=left.last_ns, before_ns=right.first_ns, missing=missing if is_counted else None)
