"""What the market does to the book, as compiled functions: quotes, levels, trades, and the fills that follow."""

from __future__ import annotations

from nexustrader.sim.kernel.compiled import inner
from nexustrader.sim.kernel.layout import (
    AHEAD,
    BEST_USER,
    EVERYWHERE,
    IS_IDLE,
    LEVEL_COUNT,
    NOWHERE,
    OUT_COUNT,
    PASSED,
    QUEUE_COUNT,
    RANK,
    TOP_ONLY,
    Cells,
)
from nexustrader.sim.kernel.levels import left_at, level_at, put_level, put_top, skip_taken, take, touch
from nexustrader.sim.kernel.report import begin, expire, fill_from_market, finish
from nexustrader.sim.kernel.resting import look, order_at, rank_at, slot_at


@inner
def has_orders(m: Cells) -> bool:
    """True while anything rests."""
    return m[QUEUE_COUNT] + m[QUEUE_COUNT + 1] > 0


@inner
def see(m: Cells, side: int, worst: int) -> None:
    """After the levels at a rank and better changed."""
    if m[BEST_USER + side] >= worst:
        look(m, side, EVERYWHERE, worst)


@inner
def see_touch(m: Cells, side: int) -> None:
    """After the touch moved: what lies better than it is seen now, and seen to be empty."""
    top = touch(m, side)
    if top != NOWHERE:
        see(m, side, top)


@inner
def _fill_crossed(m: Cells, side: int) -> None:
    """Fills resting orders of one side that the other side's levels cross."""
    other = 1 - side
    while m[BEST_USER + side] + touch(m, other) >= 0:
        place = skip_taken(m, other, m[LEVEL_COUNT + other] - 1)
        level = level_at(m, other, place)
        if place < 0 or m[BEST_USER + side] + m[level + RANK] < 0:
            return
        slot = slot_at(m, side, m[QUEUE_COUNT + side] - 1)
        filled = fill_from_market(m, slot, left_at(m, level))
        if filled:
            take(m, other, m[level + RANK], filled)
        else:
            expire(m, slot, IS_IDLE)


@inner
def cross(m: Cells) -> None:
    """Fills what external levels cross."""
    begin(m)
    _fill_crossed(m, 0)
    _fill_crossed(m, 1)
    finish(m)


@inner
def change_level(m: Cells, side: int, rank: int, lots: int) -> None:
    """Sets one level and what waits in its queue. Call `end_update` after the last level of an update."""
    put_level(m, side, rank, lots)
    if m[BEST_USER + side] >= rank:
        look(m, side, rank, rank)


@inner
def end_update(m: Cells) -> None:
    """What follows from the levels that changed."""
    m[OUT_COUNT] = 0
    if has_orders(m):
        if m[TOP_ONLY]:
            see_touch(m, 0)
            see_touch(m, 1)
        cross(m)


@inner
def set_top(m: Cells, bid: int, bid_lots: int, ask: int, ask_lots: int) -> None:
    """Sets the touch of an L1 feed: better external levels go, worse ones stay. 0 lots: none here."""
    put_top(m, 0, bid, bid_lots)
    put_top(m, 1, -ask, ask_lots)
    m[OUT_COUNT] = 0
    if not has_orders(m):
        return
    if m[TOP_ONLY]:
        see_touch(m, 0)
        see_touch(m, 1)
    else:
        see(m, 0, bid)
        see(m, 1, -ask)
    if m[BEST_USER] + touch(m, 1) >= 0 or m[BEST_USER + 1] + touch(m, 0) >= 0:
        cross(m)


@inner
def renew_queues(m: Cells) -> None:
    """After the whole external book was replaced."""
    m[OUT_COUNT] = 0
    if has_orders(m):
        see(m, 0, NOWHERE)
        see(m, 1, NOWHERE)
        cross(m)


@inner
def public_trade(m: Cells, side: int, price: int, lots: int) -> None:
    """A trade of the market fills orders of a side that rest at the price or better."""
    m[OUT_COUNT] = 0
    rank = price if side == 0 else -price
    if m[BEST_USER + side] < rank:
        return
    begin(m)
    place, left = m[QUEUE_COUNT + side] - 1, lots
    while rank_at(m, side, place) > rank:
        slot = slot_at(m, side, place)
        m[order_at(m, slot) + AHEAD] = 0
        left -= fill_from_market(m, slot, left)
        place -= 1
    passed = 0
    while place >= 0 and rank_at(m, side, place) == rank:
        slot = slot_at(m, side, place)
        order = order_at(m, slot)
        ahead = min(max(0, m[order + AHEAD] - passed), left)
        passed += ahead
        left -= ahead
        m[order + AHEAD] = max(0, m[order + AHEAD] - passed)
        m[order + PASSED] += lots
        left -= fill_from_market(m, slot, left)
        place -= 1
    finish(m)
