"""The market's levels of one side: `sim.ladder.ExternalSide` as compiled functions."""

from __future__ import annotations

from nexustrader.sim.kernel.compiled import inner
from nexustrader.sim.kernel.layout import (
    LEVEL_CELLS,
    LEVEL_COUNT,
    LEVELS,
    NOWHERE,
    RANK,
    TAKEN,
    TOLD,
    Cells,
)

NEAR = 8  # levels from the touch that are looked through one by one: there most news is


@inner
def find(m: Cells, side: int, rank: int) -> int:
    """Number of levels that are worse than the rank, which is the place where it is or would be."""
    levels, high = m[LEVELS + side], m[LEVEL_COUNT + side]
    near = max(0, high - NEAR)
    while high > near and m[levels + (high - 1) * LEVEL_CELLS + RANK] >= rank:
        high -= 1
    if high > near:
        return high
    low = 0
    while low < high:
        middle = (low + high) >> 1
        if m[levels + middle * LEVEL_CELLS + RANK] < rank:
            low = middle + 1
        else:
            high = middle
    return low


@inner
def put_level(m: Cells, side: int, rank: int, lots: int) -> None:
    """Sets the absolute quantity of one level; 0 removes it, the quantity that it has is no news."""
    count = m[LEVEL_COUNT + side]
    place = find(m, side, rank)
    level = m[LEVELS + side] + place * LEVEL_CELLS
    end = m[LEVELS + side] + count * LEVEL_CELLS
    if place < count and m[level + RANK] == rank:
        if m[level + TOLD] == lots:
            return
        if lots:
            m[level + TOLD] = lots
            m[level + TAKEN] = 0
            return
        for cell in range(level, end - LEVEL_CELLS):
            m[cell] = m[cell + LEVEL_CELLS]
        m[LEVEL_COUNT + side] = count - 1
    elif lots:
        for cell in range(end - 1, level - 1, -1):
            m[cell + LEVEL_CELLS] = m[cell]
        m[level + RANK] = rank
        m[level + TOLD] = lots
        m[level + TAKEN] = 0
        m[LEVEL_COUNT + side] = count + 1


@inner
def put_top(m: Cells, side: int, rank: int, lots: int) -> None:
    """Sets the best level and drops what was better; 0 lots leaves only what is worse."""
    count = m[LEVEL_COUNT + side]
    level = m[LEVELS + side] + count * LEVEL_CELLS
    while count and m[level - LEVEL_CELLS + RANK] > rank:
        level -= LEVEL_CELLS
        count -= 1
    if count == 0 or m[level - LEVEL_CELLS + RANK] != rank:
        if lots:
            m[level + RANK] = rank
            m[level + TOLD] = lots
            m[level + TAKEN] = 0
            count += 1
    elif lots == 0:
        count -= 1
    elif m[level - LEVEL_CELLS + TOLD] != lots:
        m[level - LEVEL_CELLS + TOLD] = lots
        m[level - LEVEL_CELLS + TAKEN] = 0
    m[LEVEL_COUNT + side] = count


@inner
def touch(m: Cells, side: int) -> int:
    """The best rank as told, taken or not; NOWHERE on an empty side."""
    count = m[LEVEL_COUNT + side]
    return m[m[LEVELS + side] + (count - 1) * LEVEL_CELLS + RANK] if count else NOWHERE


@inner
def left_at(m: Cells, level: int) -> int:
    """What users can still take of a level."""
    return m[level + TOLD] - m[level + TAKEN]


@inner
def level_at(m: Cells, side: int, place: int) -> int:
    """The level that stands on so many others."""
    return m[LEVELS + side] + place * LEVEL_CELLS


@inner
def available(m: Cells, side: int, rank: int) -> int:
    """What users can still take at a rank."""
    place = find(m, side, rank)
    level = level_at(m, side, place)
    return left_at(m, level) if place < m[LEVEL_COUNT + side] and m[level + RANK] == rank else 0


@inner
def take(m: Cells, side: int, rank: int, lots: int) -> None:
    """Remembers that a user took so much of a level that is there."""
    m[level_at(m, side, find(m, side, rank)) + TAKEN] += lots


@inner
def skip_taken(m: Cells, side: int, place: int) -> int:
    """The best place, from this one on, at which something is available; -1 when there is none."""
    while place >= 0 and left_at(m, level_at(m, side, place)) == 0:
        place -= 1
    return place


@inner
def external_best(m: Cells, side: int) -> int:
    """The best rank at which something is available, or NOWHERE."""
    place = skip_taken(m, side, m[LEVEL_COUNT + side] - 1)
    return m[level_at(m, side, place) + RANK] if place >= 0 else NOWHERE
