"""Gaps, told from the venue's numbering: within a day, between days, and across the spans of an import."""

from __future__ import annotations

from itertools import pairwise
from pathlib import Path
from typing import Any

import polars as pl
import pytest
from catalog_setup import DAY_MS, PERP, T0_NS, kline_lines, rows_of, trade, write
from hypothesis import given
from hypothesis import strategies as st

from nexustrader.data.catalog import Catalog
from nexustrader.data.gaps import GAPS_LISTED_MAX, DayScan
from nexustrader.data.kinds import AGG_TRADE, BOOK_DELTA, FUNDING, NS_PER_MS, QUOTE, TRADE, Kind
from nexustrader.data.manifest import Manifest


def gaps(manifest: Manifest, kind: Kind) -> list[tuple[int, int, int | None]]:
    """After and before in ms since the first day, and what is missing."""
    return [
        ((gap.after_ns - T0_NS) // NS_PER_MS, (gap.before_ns - T0_NS) // NS_PER_MS, gap.missing)
        for gap in manifest.gaps(kind)
    ]


def test_bars_that_are_missing_are_counted_within_and_between_days(tmp_path: Path) -> None:
    lines = kline_lines(0, 4 * 1_440)
    kept = [*lines[:10], *lines[12:1_435], *lines[3 * 1_440 + 5 :]]
    done = Catalog(tmp_path / "c").import_file(write(tmp_path / "a.csv", kept), PERP)[0]
    minute = 60_000
    assert gaps(done.manifest, done.series.kind) == [
        (9 * minute, 12 * minute, 2),
        (1_434 * minute, 3 * DAY_MS + 5 * minute, 5 + 2 * 1_440 + 5),
    ]
    assert done.manifest.gap_count(done.series.kind) == 2


def test_a_gap_that_is_filled_is_gone(tmp_path: Path) -> None:
    lines, catalog = kline_lines(0, 2_000), Catalog(tmp_path / "c")
    catalog.import_file(write(tmp_path / "a.csv", [*lines[:10], *lines[1_900:]]), PERP)
    done = catalog.import_file(write(tmp_path / "b.csv", lines[5:1_950]), PERP)[0]
    assert gaps(done.manifest, done.series.kind) == []


def test_trades_of_a_venue_that_numbers_them_show_what_is_missing(tmp_path: Path) -> None:
    rows = rows_of(TRADE, [trade(0, "7"), trade(1, "8"), trade(1, "11"), trade(DAY_MS, "13")])
    found = Catalog(tmp_path).write(PERP, "trade", rows).manifest
    assert gaps(found, TRADE) == [(1, 1, 2), (1, DAY_MS, 1)]


def test_ids_of_other_venues_tell_nothing_but_days_without_rows_do(tmp_path: Path) -> None:
    rows = rows_of(TRADE, [trade(0, "7"), trade(1, "900"), trade(DAY_MS, "5000"), trade(3 * DAY_MS, "x")])
    found = Catalog(tmp_path).write("BTCUSDT-PERP.BYBIT", "trade", rows).manifest
    assert gaps(found, TRADE) == [(DAY_MS, 3 * DAY_MS, None)]


def test_aggregates_are_joined_by_the_trades_in_them(tmp_path: Path) -> None:
    def aggregate(ms: int, first: int, last: int) -> dict[str, Any]:
        return trade(ms, str(ms)) | {"first_trade_id": first, "last_trade_id": last}

    rows = [aggregate(0, 5, 9), aggregate(1, 10, 10), aggregate(2, 14, 20), aggregate(3, 21, 22)]
    found = Catalog(tmp_path).write(PERP, "agg_trade", rows_of(AGG_TRADE, rows)).manifest
    assert gaps(found, AGG_TRADE) == [(1, 2, 3)]


def book(ms: int, update_id: int, previous: int | None, *, levels: int = 2) -> list[dict[str, Any]]:
    """The levels of an event; a snapshot without `previous`."""
    return [
        {
            "time_ns": T0_NS + ms * NS_PER_MS,
            "id": update_id,
            "previous_id": previous,
            "is_snapshot": previous is None,
            "side": 1,
            "price": 1.0 + place,
            "size": 1.0,
        }
        for place in range(levels)
    ]


@pytest.mark.parametrize(
    ("events", "expected"),
    [
        ([(0, 5, 4), (1, 9, 5), (2, 12, 9)], []),
        ([(0, 5, 4), (1, 9, 7)], [(0, 1, None)]),
        # A snapshot between two updates that follow each other, with an id of its own among theirs.
        ([(0, 5, 4), (1, 7, None), (2, 9, 5)], []),
        # Updates go on from a snapshot, whose ids may begin anew.
        ([(0, 500, 499), (1, 1, None), (2, 2, 1)], []),
        ([(0, 5, 4), (1, 7, None), (2, 8, 7)], []),
        ([(0, 5, None), (1, 6, 5), (2, 8, 7)], [(1, 2, None)]),
        # A second connection says again what was said.
        ([(0, 5, 4), (1, 9, 5), (2, 7, 5), (3, 11, 9)], []),
        ([(0, 5, 4), (DAY_MS, 9, 5)], []),
        ([(0, 5, 4), (DAY_MS, 9, 6)], [(0, DAY_MS, None)]),
        ([(0, 5, None), (DAY_MS, 6, 5)], []),
        # A snapshot at the end of a day, or at the beginning of the next, from which updates go on.
        ([(0, 5, 4), (1, 7, None), (DAY_MS, 8, 7)], []),
        ([(0, 5, 4), (DAY_MS, 7, None), (DAY_MS + 1, 8, 7)], []),
        ([(0, 5, 4), (DAY_MS, 7, None), (DAY_MS + 1, 9, 6)], [(0, DAY_MS, None)]),
    ],
)
def test_book_updates_name_the_one_before(
    tmp_path: Path, events: list[tuple[int, int, int | None]], expected: list[tuple[int, int, int | None]]
) -> None:
    rows = [level for event in events for level in book(*event)]
    found = Catalog(tmp_path).write(PERP, "book_delta", rows_of(BOOK_DELTA, rows)).manifest
    assert gaps(found, BOOK_DELTA) == expected


def test_funding_is_due_in_its_interval_give_or_take_a_moment(tmp_path: Path) -> None:
    hour = 3_600_000
    times = [0, 8 * hour + 7, 16 * hour - 3, 32 * hour + 1]
    rows = [{"time_ns": T0_NS + ms * NS_PER_MS, "rate": -0.0001, "interval_hours": 8} for ms in times]
    found = Catalog(tmp_path).write(PERP, "funding", rows_of(FUNDING, rows)).manifest
    assert gaps(found, FUNDING) == [(16 * hour - 3, 32 * hour + 1, 1)]
    rows = [row | {"interval_hours": None} for row in rows]
    found = Catalog(tmp_path / "b").write(PERP, "funding", rows_of(FUNDING, rows)).manifest
    assert gaps(found, FUNDING) == []


def test_quotes_show_days_only(tmp_path: Path) -> None:
    rows = [
        {
            "time_ns": T0_NS + day * DAY_MS * NS_PER_MS,
            "id": 10 * day,
            "bid": 1.0,
            "bid_size": 1.0,
            "ask": 2.0,
            "ask_size": 0.0,
        }
        for day in (0, 1, 4)
    ]
    found = Catalog(tmp_path).write(PERP, "quote", rows_of(QUOTE, rows)).manifest
    assert gaps(found, QUOTE) == [(DAY_MS, 4 * DAY_MS, None)]


def test_all_gaps_are_counted_and_the_first_are_listed() -> None:
    count = GAPS_LISTED_MAX + 10
    scan = DayScan(TRADE, is_numbered=True)
    scan.feed(rows_of(TRADE, [trade(place, str(2 * place)) for place in range(count + 1)]))
    facts = scan.facts()
    assert (facts.gap_count, facts.missing, len(facts.gaps)) == (count, count, GAPS_LISTED_MAX)


EVENTS = st.lists(st.tuples(st.integers(0, 3), st.booleans(), st.integers(1, 3)), min_size=1, max_size=20)


@pytest.mark.slow
@given(EVENTS, st.lists(st.integers(1, 6), min_size=1, max_size=10))
def test_facts_do_not_depend_on_how_rows_are_cut(
    events: list[tuple[int, bool, int]], cuts: list[int]
) -> None:
    rows: list[dict[str, Any]] = []
    update_id = 10
    for place, (skipped, is_snapshot, levels) in enumerate(events):
        previous = update_id + skipped
        update_id = previous + 1
        rows += book(place, update_id, None if is_snapshot else previous, levels=levels)
    frame = rows_of(BOOK_DELTA, rows)
    whole, parts = (DayScan(BOOK_DELTA, is_numbered=True) for _ in range(2))
    whole.feed(frame)
    bounds = [0]
    for cut in cuts:
        bounds.append(min(len(events), bounds[-1] + cut))
    bounds.append(len(events))
    times = pl.col("time_ns") - T0_NS
    for low, high in pairwise(bounds):  # an event is never cut, as a merge does not cut a ms
        parts.feed(frame.filter((times >= low * NS_PER_MS) & (times < high * NS_PER_MS)))
    assert parts.facts() == whole.facts()
