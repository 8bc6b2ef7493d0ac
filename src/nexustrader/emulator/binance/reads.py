"""Queries answered wrongly: from the past, or with rows too few or too many."""

from __future__ import annotations

from collections.abc import Callable

import msgspec

from nexustrader.emulator.binance.errors import ApiError
from nexustrader.emulator.binance.operation import Call, Operation
from nexustrader.emulator.faults import QUERIES, READ

Answer = tuple[object, ApiError | None]
Rows = list[object]

# What becomes of the rows (oldest first) of an answer.
_ROWS: dict[str, Callable[[Rows, int], Rows]] = {
    "cut_open_orders": lambda rows, n: rows[:-n],
    "repeat_open_orders": lambda rows, n: rows + rows[-n:],
    "hide_newest_fills": lambda rows, n: rows[:-n],
}


def carry_out(operation: Operation, call: Call) -> Answer:
    """Result or refusal of one request."""
    try:
        return operation.handler(call), None
    except ApiError as refused:
        return None, refused


def as_read(operation: Operation, call: Call, answer: Answer) -> Answer:
    """The answer that the client gets instead of the true one; the same when no fault changes anything."""
    if operation.name not in QUERIES:
        return answer
    product = call.product
    stale = product.faults.find(READ, ("stale_reads",), **call.about)
    if stale is not None:
        past = product.history.at(call.now_ms - stale.lag_ms)
        then = msgspec.structs.replace(call, past=past, account=past.account(call.owner))
        seen = carry_out(operation, then)
        if not _same(seen, answer):
            product.faults.struck(stale)
            answer = seen
    rows, error = answer
    if error is None and isinstance(rows, list) and rows:
        fault = product.faults.take(READ, tuple(_ROWS), **call.about)
        if fault is not None:
            return _ROWS[fault.action](rows, fault.n), None
    return answer


def _same(one: Answer, other: Answer) -> bool:
    if one[1] is None or other[1] is None:
        return one == other
    return one[1].code == other[1].code
