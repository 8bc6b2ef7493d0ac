"""From a failing plan to the smallest one that fails in the same way: fewer faults, then a shorter life."""

from __future__ import annotations

from collections.abc import Iterator

import msgspec

from nexustrader.chaos.plan import Outcome, Plan
from nexustrader.chaos.suite import run_plan

TRIES_MAX = 60
TRADING_S_MIN = 1.0


def shrink(outcome: Outcome, tries_max: int = TRIES_MAX) -> Outcome:
    """The outcome of the smallest plan found that still breaks one of the same invariants."""
    wanted = invariants_of(outcome)
    best = outcome
    tries = 0
    found = True
    while found and tries < tries_max:
        found = False
        for plan in _smaller(best.plan):
            tries += 1
            candidate = run_plan(plan)
            if wanted & invariants_of(candidate):
                best, found = candidate, True
                break
            if tries >= tries_max:
                break
    return best


def invariants_of(outcome: Outcome) -> set[str]:
    """The names of the invariants that did not hold."""
    return {text.partition(":")[0] for text in outcome.violations}


def _smaller(plan: Plan) -> Iterator[Plan]:
    for fault in plan.faults:
        yield msgspec.structs.replace(plan, faults=tuple(name for name in plan.faults if name != fault))
    if plan.with_book:
        yield msgspec.structs.replace(plan, with_book=False)
    if plan.with_schedule:
        yield msgspec.structs.replace(plan, with_schedule=False)
    for share in (0.5, 0.75, 0.9):
        shorter = round(plan.trading_s * share, 2)
        if shorter >= TRADING_S_MIN:
            yield msgspec.structs.replace(plan, trading_s=shorter)
