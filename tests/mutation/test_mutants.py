"""The tests and the checkers are strong enough: they notice when the code is broken on purpose.

`python tests/mutation/run_mutants.py` does the same and shows what caught what.
"""

from __future__ import annotations

import os

import pytest
from generic import sample
from known import KNOWN
from run_mutants import GENERIC_COUNT, GENERIC_SEED, score, try_generic, try_known
from workbench import ROOT

JOBS = 1 if "PYTEST_XDIST_WORKER" in os.environ else 2
GENERIC_SCORE_MIN = 0.95


def test_every_known_mutant_still_finds_its_place() -> None:
    for mutant in KNOWN:
        assert mutant.diff(ROOT)
    assert {mutant.name.rstrip("bc") for mutant in KNOWN} == {f"M{number}" for number in range(1, 11)}


def test_the_sample_of_generic_mutants_is_the_same_each_time() -> None:
    names = [mutant.name for mutant in sample(ROOT, GENERIC_COUNT, GENERIC_SEED)]
    assert names == [mutant.name for mutant in sample(ROOT, GENERIC_COUNT, GENERIC_SEED)]
    assert len(names) == len(set(names)) == GENERIC_COUNT


@pytest.mark.nightly
@pytest.mark.timeout(3_600)
def test_the_chaos_suite_alone_catches_every_known_mutant() -> None:
    missed = [finding.name for finding in try_known(JOBS) if "chaos" not in finding.caught]
    assert not missed


@pytest.mark.nightly
@pytest.mark.timeout(7_200)
def test_tests_and_chaos_suite_catch_what_generic_mutants_can_be_caught() -> None:
    findings = try_generic(JOBS, GENERIC_COUNT, GENERIC_SEED)
    survivors = "\n\n".join(f"{f.name}\n{f.diff}" for f in findings if f.survived)
    assert score(findings) >= GENERIC_SCORE_MIN, survivors
