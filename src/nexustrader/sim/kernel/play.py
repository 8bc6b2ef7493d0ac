"""Plays columns of market events, at native speed, to the next one that somebody has to hear of."""

from __future__ import annotations

from nexustrader.sim.kernel.columns import (
    ASK,
    BID,
    BUYER,
    CELLS,
    KIND,
    LOTS,
    LOTS_2,
    MORE,
    PRICE,
    PRICE_2,
    QUOTE,
    TIME_NS,
)
from nexustrader.sim.kernel.compiled import inner
from nexustrader.sim.kernel.layout import (
    AT_CHANGE,
    AT_END,
    AT_FULL,
    AT_HEARD,
    AT_TIME,
    AT_WATCHED,
    GUARD,
    GUARDED,
    LEVEL_COUNT,
    LEVELS_MAX,
    NOWHERE,
    OUT_COUNT,
    TOLD,
    TOUCH,
    TOUCH_WATCHED,
    WATCHES,
    WHY,
    Cells,
)
from nexustrader.sim.kernel.levels import level_at, put_level, touch
from nexustrader.sim.kernel.market import change_level, end_update, public_trade, set_top


@inner
def best_lots(m: Cells, side: int) -> int:
    """What the best level is told to hold; 0 on an empty side."""
    count = m[LEVEL_COUNT + side]
    return m[level_at(m, side, count - 1) + TOLD] if count else 0


@inner
def is_watched(m: Cells) -> bool:
    """True when the touch is not the one that the watcher knows, or its middle (or only side) is out of bounds."""
    bid, ask = touch(m, 0), touch(m, 1)
    if m[WATCHES] & TOUCH_WATCHED and (
        bid != m[TOUCH]
        or ask != m[TOUCH + 2]
        or best_lots(m, 0) != m[TOUCH + 1]
        or best_lots(m, 1) != m[TOUCH + 3]
    ):
        return True
    if not m[WATCHES] & GUARDED or (bid == NOWHERE and ask == NOWHERE):
        return False
    both = 2 * bid if ask == NOWHERE else -2 * ask if bid == NOWHERE else bid - ask
    return both <= m[GUARD] or both >= m[GUARD + 1]


@inner
def advance(m: Cells, events: Cells, start: int, end: int, until_ns: int, listened: int) -> int:
    """Plays the events from `start` on and returns the number of the first that was not played.

    It stops before the first one at or after `until_ns`, and after the first one that made a report or whose kind is
    among the bits `listened`. Where WATCHES is set it stops at touches as well. Register WHY says which.
    """
    for number in range(start, end):
        event = number * CELLS
        if events[event + TIME_NS] >= until_ns:
            m[WHY] = AT_TIME
            return number
        if max(m[LEVEL_COUNT], m[LEVEL_COUNT + 1]) == m[LEVELS_MAX]:
            m[WHY] = AT_FULL
            return number
        kind = events[event + KIND]
        if kind == QUOTE:
            set_top(
                m,
                events[event + PRICE],
                events[event + LOTS],
                events[event + PRICE_2],
                events[event + LOTS_2],
            )
        elif kind & (MORE - 1) >= BID:
            if kind & (MORE - 1) == ASK:
                change_level(m, 1, -events[event + PRICE], events[event + LOTS])
            else:
                change_level(m, 0, events[event + PRICE], events[event + LOTS])
            if kind & MORE:
                continue
            end_update(m)
        else:
            public_trade(m, 1 if kind == BUYER else 0, events[event + PRICE], events[event + LOTS])
        if m[OUT_COUNT]:
            m[WHY] = AT_CHANGE
            return number + 1
        if listened >> kind & 1:
            m[WHY] = AT_HEARD
            return number + 1
        if m[WATCHES] and (kind == QUOTE or kind >= BID) and is_watched(m):
            m[WHY] = AT_WATCHED
            return number + 1
    m[WHY] = AT_END
    return end


@inner
def touches(m: Cells, events: Cells, start: int, end: int, out: Cells) -> int:
    """Plays levels alone, of a book without orders, and writes best bid and ask (0 where there is none) after each row.

    Returns the number of the first row that was not played, for want of room.
    """
    for number in range(start, end):
        event = number * CELLS
        if max(m[LEVEL_COUNT], m[LEVEL_COUNT + 1]) == m[LEVELS_MAX]:
            return number
        if events[event + KIND] & (MORE - 1) == ASK:
            put_level(m, 1, -events[event + PRICE], events[event + LOTS])
        else:
            put_level(m, 0, events[event + PRICE], events[event + LOTS])
        out[2 * number] = max(0, touch(m, 0))
        out[2 * number + 1] = -touch(m, 1) if m[LEVEL_COUNT + 1] else 0
    return end
