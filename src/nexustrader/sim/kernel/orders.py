"""What users do, as compiled functions: enter, cancel and amend orders."""

from __future__ import annotations

from nexustrader.sim.kernel.compiled import inner
from nexustrader.sim.kernel.layout import (
    AHEAD,
    BEST_USER,
    BY_AMENDMENT,
    CLIPS,
    EVERYWHERE,
    FILLED,
    FOK,
    IOC,
    IS_FOK,
    IS_IDLE,
    IS_IOC,
    KIND_ACCEPTED,
    KIND_AMENDED,
    KIND_CANCELED,
    KIND_EXPIRED,
    KIND_REJECTED,
    LOTS,
    MOVED,
    NO_LIQUIDITY,
    NO_REASON,
    OWN_ORDER,
    PASSED,
    PLAN_LOTS,
    PLAN_STOPPED,
    POST_ONLY,
    RANK,
    REDUCE_ONLY,
    REJECTS_FOK,
    SEEN,
    SIDE,
    TIF,
    WOULD_TAKE,
    Cells,
)
from nexustrader.sim.kernel.levels import external_best
from nexustrader.sim.kernel.report import (
    begin,
    expire_idle,
    fill_from_market,
    finish,
    reducible,
    remaining,
    report,
)
from nexustrader.sim.kernel.resting import leave, order_at, release, rest, side_of
from nexustrader.sim.kernel.taking import carry_out, plan

ENDED = -1


@inner
def _refusal(m: Cells, order: int) -> int:
    """Why the order may not enter the book. Clips a reduce-only one to what it can reduce."""
    if m[order + REDUCE_ONLY]:
        lots = reducible(m, order, MOVED)
        if lots == 0 or (lots < remaining(m, order) and m[CLIPS] == 0):
            return IS_IDLE
        m[order + LOTS] = min(m[order + LOTS], m[order + FILLED] + lots)
    if m[order + POST_ONLY]:
        other = 1 - side_of(m, order)
        best = max(external_best(m, other), m[BEST_USER + other])
        if m[order + RANK] + best >= 0:
            return WOULD_TAKE
    return NO_REASON


@inner
def _settle(m: Cells, slot: int) -> int:
    """Carries the plan out and lets the rest of the order rest or end; returns its slot, or ENDED."""
    order = order_at(m, slot)
    carry_out(m, order)
    if remaining(m, order):
        if m[PLAN_STOPPED]:
            report(m, KIND_EXPIRED, order, OWN_ORDER)
        elif m[order + RANK] == EVERYWHERE:
            report(m, KIND_EXPIRED, order, NO_LIQUIDITY)
        elif m[order + TIF] == IOC:
            report(m, KIND_EXPIRED, order, IS_IOC)
        else:
            rest(m, slot)
            return slot
    release(m, slot)
    return ENDED


@inner
def submit(m: Cells, slot: int) -> int:
    """Enters the order in a slot. Returns the slot while it rests, else ENDED."""
    begin(m)
    order = order_at(m, slot)
    refusal = _refusal(m, order)
    if refusal == NO_REASON:
        plan(m, order)
        if m[order + TIF] == FOK and m[PLAN_LOTS] < remaining(m, order):
            refusal = IS_FOK
    if refusal == NO_REASON:
        report(m, KIND_ACCEPTED, order, NO_REASON)
        slot = _settle(m, slot)
    else:
        if refusal == IS_FOK and m[REJECTS_FOK] == 0:
            report(m, KIND_ACCEPTED, order, NO_REASON)
            report(m, KIND_EXPIRED, order, IS_FOK)
        else:
            report(m, KIND_REJECTED, order, refusal)
        release(m, slot)
        slot = ENDED
    finish(m)
    return slot


@inner
def cancel(m: Cells, slot: int, reason: int) -> None:
    """Takes a resting order off the book."""
    begin(m)
    leave(m, slot)
    release(m, slot)
    report(m, KIND_CANCELED, order_at(m, slot), reason)


@inner
def amend(m: Cells, slot: int, price: int, lots: int) -> int:
    """Changes price and total of a resting order. Returns its slot while it rests, else ENDED."""
    begin(m)
    order = order_at(m, slot)
    leave(m, slot)
    m[order + AHEAD] = m[order + SEEN] = m[order + PASSED] = 0
    if lots <= m[order + FILLED]:
        report(m, KIND_CANCELED, order, BY_AMENDMENT)
        release(m, slot)
        return ENDED
    m[order + RANK] = m[order + SIDE] * price
    m[order + LOTS] = lots
    refusal = _refusal(m, order)
    if refusal == NO_REASON:
        report(m, KIND_AMENDED, order, NO_REASON)
        plan(m, order)
        slot = _settle(m, slot)
    else:
        report(m, KIND_EXPIRED if refusal == IS_IDLE else KIND_CANCELED, order, refusal)
        release(m, slot)
        slot = ENDED
    finish(m)
    return slot


@inner
def fill(m: Cells, slot: int, lots: int) -> None:
    """Fills a resting order at its price, out of turn."""
    begin(m)
    fill_from_market(m, slot, lots)
    finish(m)


@inner
def expire_all_idle(m: Cells) -> None:
    """Expires every reduce-only order that has nothing to reduce."""
    begin(m)
    expire_idle(m, 0)
