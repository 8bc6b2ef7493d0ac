"""Every fault of the catalogue against the whole engine, the real venue package and the emulator, in virtual time."""

from __future__ import annotations

import os
import subprocess
import sys
from collections.abc import Iterator

import loguru
import pytest
from chaos_plans import SEEDS_PER_FAULT, KeptPlan, complaint, first_seed, kept_plans

from nexustrader.chaos import suite
from nexustrader.chaos.faults import DEFERRED, FAULTS
from nexustrader.chaos.plan import Plan
from nexustrader.chaos.shrink import shrink
from nexustrader.chaos.venues import VENUES

CATALOGUE = {f"F{number}" for number in range(1, 47)}


@pytest.fixture(autouse=True)
def apart() -> Iterator[None]:
    """What an engine logs while it is mistreated is of no interest here."""
    loguru.logger.disable("nexustrader")
    yield
    loguru.logger.enable("nexustrader")


def hold(plans: list[Plan]) -> dict[str, int]:
    """Run all; no invariant may break. Returns in how many runs each fault that was alone has met something."""
    tally = suite.Tally()
    for plan in plans:
        tally.add(suite.run_plan(plan))
    assert not tally.failures, "\n\n".join(complaint(outcome) for outcome in tally.failures[:5])
    return tally.met


def test_every_fault_of_the_catalogue_strikes_or_is_deferred_with_a_reason() -> None:
    assert set(FAULTS) | set(DEFERRED) == CATALOGUE
    assert not set(FAULTS) & set(DEFERRED)


@pytest.mark.slow
@pytest.mark.parametrize("venue", VENUES)
@pytest.mark.parametrize("fault", list(FAULTS))
def test_no_invariant_breaks_under_a_single_fault_and_the_fault_fires(fault: str, venue: str) -> None:
    begin = first_seed()
    assert hold(list(suite.single([fault], range(begin, begin + SEEDS_PER_FAULT), venue=venue)))


@pytest.mark.slow
@pytest.mark.parametrize("venue", VENUES)
@pytest.mark.parametrize("share", range(4))
def test_no_invariant_breaks_under_a_swarm_of_faults(share: int, venue: str) -> None:
    begin = first_seed() + share * 25
    hold(list(suite.swarm(list(FAULTS), range(begin, begin + 25), venue=venue)))


@pytest.mark.slow
@pytest.mark.parametrize("kept", kept_plans().values(), ids=kept_plans().keys())
def test_what_once_broke_an_invariant_holds(kept: KeptPlan) -> None:
    hold([kept.plan])


@pytest.mark.slow
@pytest.mark.parametrize("venue", VENUES)
def test_the_same_seed_gives_the_same_trace_in_processes_with_different_hash_seeds(venue: str) -> None:
    begin = first_seed()
    script = (
        "from nexustrader.chaos import suite; from nexustrader.chaos.faults import FAULTS; suite.quiet()\n"
        f"for plan in suite.swarm(list(FAULTS), range({begin}, {begin} + 10), venue={venue!r}):\n"
        "    print(suite.run_plan(plan).digest)"
    )
    digests = [
        subprocess.run(
            [sys.executable, "-c", script],
            env={**os.environ, "PYTHONHASHSEED": hash_seed},
            capture_output=True,
            text=True,
            check=True,
        ).stdout.split()
        for hash_seed in ("1", "2")
    ]
    assert len(digests[0]) == 10
    assert digests[0] == digests[1]


@pytest.mark.parametrize("venue", VENUES)
def test_a_run_without_faults_trades_and_ends_with_equal_books(venue: str) -> None:
    for market in VENUES[venue].markets:
        outcome = suite.run_plan(Plan(seed=1, venue=venue, market=market))
        assert not outcome.violations, complaint(outcome)
        assert outcome.orders > 10
        assert outcome.fills > 0
        assert outcome.fired == {}


def test_different_seeds_and_different_schedules_give_different_traces() -> None:
    plans = [Plan(seed=1), Plan(seed=2), Plan(seed=1, with_schedule=False)]
    assert len({suite.run_plan(plan).digest for plan in plans}) == 3


def test_a_harness_that_fails_counts_as_a_violation_with_its_seed() -> None:
    outcome = suite.run_plan(Plan(seed=1, faults=("no such fault",)))
    assert outcome.violations[0].startswith("HARNESS: KeyError")
    assert outcome.plan.seed == 1


@pytest.mark.slow
def test_a_failure_is_shrunk_to_the_fault_that_causes_it(monkeypatch: pytest.MonkeyPatch) -> None:
    """The engine is broken on purpose: it takes every lost acknowledgement for a refusal."""
    from nexustrader.domain.outcome import Conclusion
    from nexustrader.execution import outcome as steps

    monkeypatch.setitem(steps.CREATE_STEPS, Conclusion.UNKNOWN, steps.Step.CLOSE_REJECTED)
    for seed in range(1, 30):
        failed = suite.run_plan(Plan(seed=seed, faults=("F15", "F2", "F37")))
        if failed.violations:
            break
    else:
        pytest.fail("the suite did not notice")
    smallest = shrink(failed)
    assert smallest.violations
    assert smallest.plan.trading_s <= failed.plan.trading_s
    assert len(smallest.plan.faults) <= 2


@pytest.mark.nightly
@pytest.mark.parametrize("venue", VENUES)
@pytest.mark.parametrize("fault", list(FAULTS))
def test_nightly_two_hundred_seeds_a_fault(fault: str, venue: str) -> None:
    begin = first_seed() + 200
    assert hold(list(suite.single([fault], range(begin, begin + 200), venue=venue)))


@pytest.mark.nightly
@pytest.mark.parametrize("venue", VENUES)
@pytest.mark.parametrize("share", range(20))
def test_nightly_ten_thousand_swarm_seeds(share: int, venue: str) -> None:
    begin = first_seed() * 10 + share * 500
    hold(list(suite.swarm(list(FAULTS), range(begin, begin + 500), venue=venue)))


@pytest.mark.nightly
@pytest.mark.parametrize("share", range(4))
def test_nightly_a_thousand_seeds_twice_give_the_same_trace(share: int) -> None:
    begin = first_seed() + share * 250
    for plan in suite.swarm(list(FAULTS), range(begin, begin + 250)):
        assert suite.run_plan(plan).digest == suite.run_plan(plan).digest, plan
