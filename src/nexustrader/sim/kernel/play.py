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
    LEVEL_COUNT,
    LEVELS_MAX,
    OUT_COUNT,
    WHY,
    Cells,
)
from nexustrader.sim.kernel.market import change_level, end_update, public_trade, set_top


@inner
def advance(m: Cells, events: Cells, start: int, end: int, until_ns: int, listened: int) -> int:
    """Plays the events from `start` on and returns the number of the first that was not played.

    It stops before the first one at or after `until_ns`, and after the first one that made a report or whose kind is
    among the bits `listened`. Register WHY says which.
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
    m[WHY] = AT_END
    return end
