"""What a compiled call did: rows in the output table, trades, and the positions that they changed."""

from __future__ import annotations

from nexustrader.sim.kernel.compiled import inner
from nexustrader.sim.kernel.layout import (
    ACCOUNT,
    AHEAD,
    ARRIVAL,
    FILLED,
    HAS_MOVED,
    HELD,
    ID,
    IS_IDLE,
    KEY,
    KEY_CELLS,
    KEYS,
    KEYS_MAX,
    KIND_EXPIRED,
    KIND_TRADED,
    LOTS,
    MARKET,
    MARKET_LOTS,
    MOVED,
    NEXT_TRADE_ID,
    NO_REASON,
    OUT,
    OUT_CELLS,
    OUT_COUNT,
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
    PASSED,
    PLANNED,
    QUEUE_COUNT,
    RANK,
    REDUCE_ONLY,
    REDUCING,
    SEEN,
    SIDE,
    TOUCHED,
    USER_LOTS,
    Cells,
)
from nexustrader.sim.kernel.resting import leave, order_at, release, side_of, slot_at


@inner
def begin(m: Cells) -> None:
    """Forgets what the last call did."""
    m[OUT_COUNT] = 0
    if m[HAS_MOVED]:
        m[HAS_MOVED] = 0
        for number in range(m[KEYS_MAX]):
            m[m[KEYS] + number * KEY_CELLS + MOVED] = 0
            m[m[KEYS] + number * KEY_CELLS + TOUCHED] = 0


@inner
def report(m: Cells, kind: int, order: int, reason: int) -> int:
    """Adds a row about an order as it is now; returns the row."""
    row = m[OUT] + m[OUT_COUNT] * OUT_CELLS
    m[OUT_COUNT] += 1
    m[row + OUT_KIND] = kind
    m[row + OUT_ID] = m[order + ID]
    m[row + OUT_REASON] = reason
    m[row + OUT_ORDER_RANK] = m[order + RANK]
    m[row + OUT_ORDER_LOTS] = m[order + LOTS]
    m[row + OUT_ORDER_FILLED] = m[order + FILLED]
    m[row + OUT_ORDER_AHEAD] = m[order + AHEAD]
    m[row + OUT_ORDER_SEEN] = m[order + SEEN]
    m[row + OUT_ORDER_PASSED] = m[order + PASSED]
    return row


@inner
def remaining(m: Cells, order: int) -> int:
    """Lots not yet executed."""
    return m[order + LOTS] - m[order + FILLED]


@inner
def position_at(m: Cells, order: int) -> int:
    """The position that an order trades."""
    return m[KEYS] + m[order + KEY] * KEY_CELLS


@inner
def reducible(m: Cells, order: int, moved: int) -> int:
    """Lots of its position that an order could close, given what MOVED or PLANNED has changed."""
    position = position_at(m, order)
    return max(0, -m[order + SIDE] * (m[position + HELD] + m[position + moved]))


@inner
def executable(m: Cells, order: int, moved: int) -> int:
    """Lots that a resting order may still execute."""
    lots = remaining(m, order)
    return min(lots, reducible(m, order, moved)) if m[order + REDUCE_ONLY] else lots


@inner
def plan_shift(m: Cells, order: int, lots: int) -> None:
    """Counts an execution that is planned."""
    m[position_at(m, order) + PLANNED] += m[order + SIDE] * lots


@inner
def execute(m: Cells, order: int, price: int, lots: int, is_maker: int, other: int) -> None:
    """One side of a trade."""
    position = position_at(m, order)
    m[order + FILLED] += lots
    m[USER_LOTS + side_of(m, order)] += lots
    m[position + MOVED] += m[order + SIDE] * lots
    m[position + TOUCHED] = m[HAS_MOVED] = 1
    row = report(m, KIND_TRADED, order, NO_REASON)
    m[row + OUT_PRICE] = price
    m[row + OUT_LOTS] = lots
    m[row + OUT_IS_MAKER] = is_maker
    m[row + OUT_TRADE_ID] = m[NEXT_TRADE_ID]
    m[row + OUT_OTHER] = other


@inner
def take_from_market(m: Cells, taker: int, price: int, lots: int) -> None:
    """A trade of a taker with the market."""
    m[MARKET_LOTS + 1 - side_of(m, taker)] += lots
    execute(m, taker, price, lots, 0, MARKET)
    m[NEXT_TRADE_ID] += 1


@inner
def take_from_user(m: Cells, taker: int, maker_slot: int, lots: int) -> None:
    """A trade between users, reported to the taker and then to the maker."""
    maker = order_at(m, maker_slot)
    price = abs(m[maker + RANK])
    execute(m, taker, price, lots, 0, m[maker + ACCOUNT])
    execute(m, maker, price, lots, 1, m[taker + ACCOUNT])
    m[NEXT_TRADE_ID] += 1
    _leave_if_done(m, maker_slot)


@inner
def fill_from_market(m: Cells, slot: int, lots: int) -> int:
    """Fills a resting order at its price by at most so many lots; returns how many."""
    maker = order_at(m, slot)
    filled = min(lots, executable(m, maker, MOVED))
    if filled:
        m[MARKET_LOTS + 1 - side_of(m, maker)] += filled
        execute(m, maker, abs(m[maker + RANK]), filled, 1, MARKET)
        m[NEXT_TRADE_ID] += 1
        _leave_if_done(m, slot)
    return filled


@inner
def _leave_if_done(m: Cells, slot: int) -> None:
    if remaining(m, order_at(m, slot)) == 0:
        leave(m, slot)
        release(m, slot)


@inner
def expire(m: Cells, slot: int, reason: int) -> None:
    """Ends a resting order."""
    leave(m, slot)
    release(m, slot)
    report(m, KIND_EXPIRED, order_at(m, slot), reason)


@inner
def expire_idle(m: Cells, only_touched: int) -> None:
    """Expires the reduce-only orders that have nothing left to reduce, in order of arrival."""
    last = -1
    while m[REDUCING]:
        slot = _next_reducing(m, last)
        if slot < 0:
            return
        order = order_at(m, slot)
        last = m[order + ARRIVAL]
        is_due = only_touched == 0 or m[position_at(m, order) + TOUCHED] == 1
        if is_due and reducible(m, order, MOVED) == 0:
            expire(m, slot, IS_IDLE)


@inner
def _next_reducing(m: Cells, last: int) -> int:
    """The slot of the reduce-only order that came first after a moment; -1 when there is none."""
    found, arrival = -1, 0
    for side in range(2):
        for place in range(m[QUEUE_COUNT + side]):
            slot = slot_at(m, side, place)
            order = order_at(m, slot)
            comes_first = found < 0 or m[order + ARRIVAL] < arrival
            if m[order + REDUCE_ONLY] and m[order + ARRIVAL] > last and comes_first:
                found, arrival = slot, m[order + ARRIVAL]
    return found


@inner
def finish(m: Cells) -> None:
    """Ends a call: orders that only reduce a position go when it is gone."""
    if m[REDUCING] and m[HAS_MOVED]:
        expire_idle(m, 1)
