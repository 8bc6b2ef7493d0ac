"""Queries answered wrongly: from the past, or with rows too few or too many."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Protocol

from nexustrader.emulator.errors import VenueError
from nexustrader.emulator.faults import QUERIES, READ, FaultPlan

Answer = tuple[object, VenueError | None]
Rows = list[object]

# What becomes of the rows (oldest first) of an answer.
_ROWS: dict[str, Callable[[Rows, int], Rows]] = {
    "cut_open_orders": lambda rows, n: rows[:-n],
    "repeat_open_orders": lambda rows, n: rows + rows[-n:],
    "hide_newest_fills": lambda rows, n: rows[:-n],
}


class Listed(Protocol):
    """Where the rows of a venue's answer stand."""

    def rows(self, result: object) -> Rows:
        """The rows, oldest first; none where the result is no list."""

    def with_rows(self, result: object, rows: Rows) -> object:
        """The same result with other rows, given oldest first."""


def carry_out(handle: Callable[[], object]) -> Answer:
    """Result or refusal of one request."""
    try:
        return handle(), None
    except VenueError as refused:
        return None, refused


def as_read(
    faults: FaultPlan,
    about: Mapping[str, str | None],
    answer: Answer,
    then: Callable[[int], Answer],
    listed: Listed,
) -> Answer:
    """The answer that the client gets instead of the true one; the same when no fault changes anything.

    `then` answers the same request as it would have been so many ms ago.
    """
    if about["on"] not in QUERIES:
        return answer
    stale = faults.find(READ, ("stale_reads",), **about)
    if stale is not None:
        seen = then(stale.lag_ms)
        if not _same(seen, answer):
            faults.struck(stale)
            answer = seen
    result, error = answer
    if error is None and (rows := listed.rows(result)):
        fault = faults.take(READ, tuple(_ROWS), **about)
        if fault is not None:
            return listed.with_rows(result, _ROWS[fault.action](rows, fault.n)), None
    return answer


def _same(one: Answer, other: Answer) -> bool:
    if one[1] is None or other[1] is None:
        return one == other
    return one[1].code == other[1].code
