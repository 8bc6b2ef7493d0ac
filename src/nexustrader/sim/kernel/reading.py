"""Reads native reports back as events, and looks for what is wrong inside the native state."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import cast

from nexustrader.sim.kernel.layout import (
    ARRIVAL,
    BEST_USER,
    FREE,
    FREE_COUNT,
    KIND_ACCEPTED,
    KIND_AMENDED,
    KIND_CANCELED,
    KIND_EXPIRED,
    KIND_TRADED,
    NOWHERE,
    ORDER_CELLS,
    ORDERS,
    ORDERS_MAX,
    OUT_ID,
    OUT_IS_MAKER,
    OUT_KIND,
    OUT_LOTS,
    OUT_ORDER_AHEAD,
    OUT_ORDER_FILLED,
    OUT_ORDER_LOTS,
    OUT_ORDER_PASSED,
    OUT_ORDER_RANK,
    OUT_ORDER_SEEN,
    OUT_OTHER,
    OUT_PRICE,
    OUT_REASON,
    OUT_TRADE_ID,
    RANK,
    REASONS,
    REDUCE_ONLY,
    REDUCING,
)
from nexustrader.sim.kernel.state import KernelState
from nexustrader.sim.types import (
    Accepted,
    Amended,
    Canceled,
    CancelReason,
    Expired,
    ExpireReason,
    MatchEvent,
    Rejected,
    RejectReason,
    SimOrder,
    Traded,
)


def event_of(row: Sequence[int], order: SimOrder, accounts: Sequence[str]) -> MatchEvent:
    """The event that a report tells. Brings the order to the state in which it was right after."""
    kind = row[OUT_KIND]
    order.lots, order.filled = row[OUT_ORDER_LOTS], row[OUT_ORDER_FILLED]
    order.queue_ahead, order.queue_seen = row[OUT_ORDER_AHEAD], row[OUT_ORDER_SEEN]
    order.queue_passed = row[OUT_ORDER_PASSED]
    if order.price is not None:
        order.price = abs(row[OUT_ORDER_RANK])
    if kind == KIND_TRADED:
        price, lots, other = row[OUT_PRICE], row[OUT_LOTS], row[OUT_OTHER]
        order.cost_ticks += price * lots
        order.status = "PARTIALLY_FILLED" if order.remaining else "FILLED"
        counterparty = accounts[other] if other >= 0 else None
        return Traded(order.snapshot(), price, lots, bool(row[OUT_IS_MAKER]), row[OUT_TRADE_ID], counterparty)
    if kind == KIND_ACCEPTED:
        return Accepted(order.snapshot())
    if kind == KIND_AMENDED:
        return Amended(order.snapshot())
    reason = REASONS[row[OUT_REASON]]
    if kind == KIND_CANCELED:
        order.status = "CANCELED"
        return Canceled(order.snapshot(), cast("CancelReason", reason))
    if kind == KIND_EXPIRED:
        order.status = "EXPIRED"
        return Expired(order.snapshot(), cast("ExpireReason", reason))
    order.status = "REJECTED"
    return Rejected(order.snapshot(), cast("RejectReason", reason))


def order_id_of(row: Sequence[int]) -> int:
    """The order that a report is about."""
    return row[OUT_ID]


def wrong_inside(state: KernelState, slots: Mapping[int, int]) -> list[str]:
    """What is wrong with queues, slots and counters, as texts."""
    view, wrong = state.view, []
    orders = state.rows(ORDERS, view[ORDERS_MAX], ORDER_CELLS)
    reducing = 0
    used: list[int] = []
    for side in (0, 1):
        queue = state.queue(side)
        used += queue
        reducing += sum(orders[slot][REDUCE_ONLY] for slot in queue)
        if queue != sorted(queue, key=lambda slot: (orders[slot][RANK], -orders[slot][ARRIVAL])):
            wrong.append(f"the queue {queue} of side {side} is not in order of price and time")
        if view[BEST_USER + side] != (orders[queue[-1]][RANK] if queue else NOWHERE):
            wrong.append(f"the best order of side {side} is not at {view[BEST_USER + side]}")
    if sorted(used) != sorted(slots.values()):
        wrong.append(f"slots {sorted(used)} rest, and {sorted(slots.values())} are known")
    free = list(view[view[FREE] : view[FREE] + view[FREE_COUNT]])
    if sorted(used + free) != list(range(view[ORDERS_MAX])):
        wrong.append(f"slots {sorted(used)} and the free ones {sorted(free)} are not all there are")
    if view[REDUCING] != reducing:
        wrong.append(f"{reducing} reduce-only orders rest, and {view[REDUCING]} are counted")
    return wrong
