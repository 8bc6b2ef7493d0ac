"""The chaos suite as a judge: carries out plans until one breaks an invariant, and says which. A process of its own.

`python judge_chaos.py SEEDS [--all] [--without JSON]`: every fault alone with each seed, then swarms. The last line
on stdout is a `Verdict`.
"""

from __future__ import annotations

import argparse
from collections.abc import Iterator

import msgspec

SWARMS_PER_SEED = 5
FIRST_SEED = 7_001  # any number will do; it must only stay the same, so that a verdict can be repeated


class Verdict(msgspec.Struct):
    """`failed`: [fault, seed, first violation] of each run that broke an invariant."""

    runs: int = 0
    failed: list[tuple[str, int, str]] = []


def main() -> None:
    parser = argparse.ArgumentParser()
    parser.add_argument("seeds", type=int)
    parser.add_argument("--all", action="store_true", help="go on after the first violation")
    parser.add_argument("--without", default="[]", help="[[fault, seed], ...] that prove nothing")
    options = parser.parse_args()
    without = msgspec.json.decode(options.without, type=set[tuple[str, int]])

    from nexustrader.chaos import suite

    suite.quiet()
    verdict = Verdict()
    for plan in plans(options.seeds):
        name = "+".join(plan.faults)
        if (name, plan.seed) in without:
            continue
        outcome = suite.run_plan(plan)
        verdict.runs += 1
        if outcome.violations:
            verdict.failed.append((name, plan.seed, outcome.violations[0]))
            if not options.all:
                break
    print(msgspec.json.encode(verdict).decode())


def plans(seeds: int) -> Iterator:
    from nexustrader.chaos import suite
    from nexustrader.chaos.faults import FAULTS

    for seed in range(FIRST_SEED, FIRST_SEED + seeds):
        yield from suite.single(list(FAULTS), [seed])
        first = seed * SWARMS_PER_SEED
        yield from suite.swarm(list(FAULTS), range(first, first + SWARMS_PER_SEED))


if __name__ == "__main__":
    main()
