"""Users' resting orders of one side: `sim.ladder.UserSide` as compiled functions, and their queues."""

from __future__ import annotations

from nexustrader.sim import queue_power
from nexustrader.sim.book import UNSEEN_LOTS
from nexustrader.sim.kernel.compiled import inner
from nexustrader.sim.kernel.layout import (
    AHEAD,
    ARRIVAL,
    BEST_USER,
    EVERYWHERE,
    FREE,
    FREE_COUNT,
    NEXT_ARRIVAL,
    NOWHERE,
    ORDER_CELLS,
    ORDERS,
    PASSED,
    QUEUE,
    QUEUE_COUNT,
    QUEUE_POWER,
    RANK,
    REDUCE_ONLY,
    REDUCING,
    SEEN,
    SIDE,
    TOP_ONLY,
    Cells,
)
from nexustrader.sim.kernel.levels import available, touch

power_ahead = inner(queue_power.power_ahead)


@inner
def order_at(m: Cells, slot: int) -> int:
    """The order in a slot."""
    return m[ORDERS] + slot * ORDER_CELLS


@inner
def slot_at(m: Cells, side: int, place: int) -> int:
    """The slot of the order before which so many others of its side are worse or later."""
    return m[m[QUEUE + side] + place]


@inner
def side_of(m: Cells, order: int) -> int:
    """0 for a buy, 1 for a sell."""
    return (1 - m[order + SIDE]) >> 1


@inner
def rank_at(m: Cells, side: int, place: int) -> int:
    """The rank of a resting order, by its place; NOWHERE for place -1."""
    return m[order_at(m, slot_at(m, side, place)) + RANK] if place >= 0 else NOWHERE


@inner
def _find_rank(m: Cells, side: int, rank: int) -> int:
    """How many orders are worse than the rank."""
    place = m[QUEUE_COUNT + side]
    while place and rank_at(m, side, place - 1) >= rank:
        place -= 1
    return place


@inner
def _note_best(m: Cells, side: int) -> None:
    m[BEST_USER + side] = rank_at(m, side, m[QUEUE_COUNT + side] - 1)


@inner
def rest(m: Cells, slot: int) -> None:
    """Puts an order last at its rank, behind what the market has there."""
    order = order_at(m, slot)
    side, rank = side_of(m, order), m[order + RANK]
    top = touch(m, side)
    is_unseen = m[TOP_ONLY] == 1 and (top == NOWHERE or rank < top)
    m[order + AHEAD] = m[order + SEEN] = UNSEEN_LOTS if is_unseen else available(m, side, rank)
    m[order + PASSED] = 0
    m[order + ARRIVAL] = m[NEXT_ARRIVAL]
    m[NEXT_ARRIVAL] += 1
    m[REDUCING] += m[order + REDUCE_ONLY]
    queue, place = m[QUEUE + side], _find_rank(m, side, rank)
    for cell in range(queue + m[QUEUE_COUNT + side], queue + place, -1):
        m[cell] = m[cell - 1]
    m[queue + place] = slot
    m[QUEUE_COUNT + side] += 1
    _note_best(m, side)


@inner
def leave(m: Cells, slot: int) -> None:
    """Takes a resting order out of its queue; its slot stays its own."""
    order = order_at(m, slot)
    side = side_of(m, order)
    cell = m[QUEUE + side] + _find_rank(m, side, m[order + RANK])
    while m[cell] != slot:
        cell += 1
    m[QUEUE_COUNT + side] -= 1
    for later in range(cell, m[QUEUE + side] + m[QUEUE_COUNT + side]):
        m[later] = m[later + 1]
    m[REDUCING] -= m[order + REDUCE_ONLY]
    _note_best(m, side)


@inner
def release(m: Cells, slot: int) -> None:
    """Gives the slot of an order that ended to the next one."""
    m[m[FREE] + m[FREE_COUNT]] = slot
    m[FREE_COUNT] += 1


@inner
def look(m: Cells, side: int, best: int, worst: int) -> None:
    """Lets the queues at these ranks learn what their levels hold now."""
    place, rank, now, ahead = m[QUEUE_COUNT + side] - 1, EVERYWHERE, 0, 0
    while place >= 0:
        order = order_at(m, slot_at(m, side, place))
        if m[order + RANK] < worst:
            return
        if m[order + RANK] <= best:
            if m[order + RANK] != rank:
                rank, ahead = m[order + RANK], 0
                now = available(m, side, rank)
            if m[order + SEEN] != now:
                _shorten(m, order, now)
            ahead = m[order + AHEAD] = max(ahead, m[order + AHEAD])
        place -= 1


@inner
def _shorten(m: Cells, order: int, now: int) -> None:
    """What the queue model says about a level that has another quantity than when it was last looked at."""
    if m[QUEUE_POWER]:
        before = max(0, m[order + SEEN] - m[order + PASSED])
        m[order + AHEAD] = power_ahead(m[order + AHEAD], before, now, m[QUEUE_POWER])
    else:
        m[order + AHEAD] = min(m[order + AHEAD], now)
    m[order + SEEN] = now
    m[order + PASSED] = 0
