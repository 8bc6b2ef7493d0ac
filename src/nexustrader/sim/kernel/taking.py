"""What a taker does, as compiled functions: first a plan that changes nothing, then its execution."""

from __future__ import annotations

from nexustrader.sim.kernel.compiled import inner
from nexustrader.sim.kernel.layout import (
    ACCOUNT,
    AHEAD,
    ALLOWED,
    EXPIRE_MAKER,
    EXPIRE_TAKER,
    IS_IDLE,
    KEY_CELLS,
    KEYS,
    KEYS_MAX,
    LEVEL_COUNT,
    MARKET,
    NOWHERE,
    OWN_ORDER,
    PLAN,
    PLAN_COUNT,
    PLAN_LOTS,
    PLAN_STOPPED,
    PLANNED,
    QUEUE_COUNT,
    RANK,
    SEEN,
    SELF_TRADE,
    STEP_CELLS,
    STEP_LOTS,
    STEP_MAKER,
    STEP_RANK,
    STEP_REASON,
    Cells,
)
from nexustrader.sim.kernel.levels import left_at, level_at, skip_taken, take
from nexustrader.sim.kernel.report import (
    executable,
    expire,
    plan_shift,
    remaining,
    take_from_market,
    take_from_user,
)
from nexustrader.sim.kernel.resting import order_at, rank_at, side_of, slot_at


@inner
def _step(m: Cells, rank: int, maker: int, lots: int, reason: int) -> None:
    step = m[PLAN] + m[PLAN_COUNT] * STEP_CELLS
    m[PLAN_COUNT] += 1
    m[step + STEP_RANK] = rank
    m[step + STEP_MAKER] = maker
    m[step + STEP_LOTS] = lots
    m[step + STEP_REASON] = reason


@inner
def _begin_plan(m: Cells) -> None:
    m[PLAN_COUNT] = m[PLAN_STOPPED] = 0
    for number in range(m[KEYS_MAX]):
        m[m[KEYS] + number * KEY_CELLS + PLANNED] = 0


@inner
def _plan_makers(m: Cells, taker: int, rank: int, available: int, left: int) -> int:
    """Plans what the taker trades at one rank; returns what is left of it."""
    side = 1 - side_of(m, taker)
    place, passed = m[QUEUE_COUNT + side] - 1, 0
    while place >= 0 and rank_at(m, side, place) > rank:
        place -= 1
    while place >= 0 and rank_at(m, side, place) == rank:
        slot = slot_at(m, side, place)
        maker = order_at(m, slot)
        place -= 1
        ahead = min(max(0, m[maker + AHEAD] - passed), available - passed, left)
        if ahead:
            _step(m, rank, MARKET, ahead, 0)
            passed += ahead
            left -= ahead
        if left == 0:
            return 0
        if m[maker + ACCOUNT] == m[taker + ACCOUNT] and m[taker + SELF_TRADE] != ALLOWED:
            if m[taker + SELF_TRADE] != EXPIRE_TAKER:
                _step(m, rank, slot, 0, OWN_ORDER)
            if m[taker + SELF_TRADE] != EXPIRE_MAKER:
                m[PLAN_STOPPED] = 1
                return left
            continue
        lots = min(left, executable(m, maker, PLANNED))
        if lots:
            _step(m, rank, slot, lots, 0)
            left -= lots
            plan_shift(m, maker, lots)
            plan_shift(m, taker, lots)
        if left and lots < remaining(m, maker):
            _step(m, rank, slot, 0, IS_IDLE)
    behind = min(left, available - passed)
    if behind:
        _step(m, rank, MARKET, behind, 0)
    return left - behind


@inner
def plan(m: Cells, taker: int) -> None:
    """Writes down what an order would do now, step by step."""
    _begin_plan(m)
    side, limit, left = 1 - side_of(m, taker), -m[taker + RANK], remaining(m, taker)
    level, place = skip_taken(m, side, m[LEVEL_COUNT + side] - 1), m[QUEUE_COUNT + side] - 1
    while left and m[PLAN_STOPPED] == 0 and (level >= 0 or place >= 0):
        external = m[level_at(m, side, level) + RANK] if level >= 0 else NOWHERE
        rank = max(external, rank_at(m, side, place))
        if rank < limit:
            break
        available = 0
        if external == rank:
            available = left_at(m, level_at(m, side, level))
            level = skip_taken(m, side, level - 1)
        left = _plan_makers(m, taker, rank, available, left)
        while place >= 0 and rank_at(m, side, place) == rank:
            place -= 1
    m[PLAN_LOTS] = remaining(m, taker) - left


@inner
def carry_out(m: Cells, taker: int) -> None:
    """Executes the plan."""
    side = 1 - side_of(m, taker)
    for number in range(m[PLAN_COUNT]):
        step = m[PLAN] + number * STEP_CELLS
        rank, maker, lots = m[step + STEP_RANK], m[step + STEP_MAKER], m[step + STEP_LOTS]
        if lots == 0:
            expire(m, maker, m[step + STEP_REASON])
        elif maker == MARKET:
            take(m, side, rank, lots)
            _shorten_queue(m, side, rank, lots)
            take_from_market(m, taker, abs(rank), lots)
        else:
            take_from_user(m, taker, maker, lots)


@inner
def _shorten_queue(m: Cells, side: int, rank: int, lots: int) -> None:
    place = m[QUEUE_COUNT + side] - 1
    while place >= 0 and rank_at(m, side, place) >= rank:
        order = order_at(m, slot_at(m, side, place))
        if m[order + RANK] == rank:
            m[order + AHEAD] = max(0, m[order + AHEAD] - lots)
            m[order + SEEN] -= lots
        place -= 1
