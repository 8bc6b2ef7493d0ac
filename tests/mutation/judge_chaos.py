"""The chaos suite as a judge: carries out plans until one breaks an invariant, and says which. A process of its own.

`python judge_chaos.py SEEDS [--first F2 ...] [--all] [--without JSON]`: every fault alone with each seed, then swarms.
Prints a `Verdict` on a line of its own.
"""

from __future__ import annotations

import argparse
import itertools
import signal
from collections.abc import Iterator
from typing import NoReturn

import msgspec

from nexustrader.chaos import suite
from nexustrader.chaos.faults import FAULTS
from nexustrader.chaos.plan import Plan
from nexustrader.chaos.venues import DEFAULT_VENUE, VENUES

SWARMS_PER_SEED = 5
SEEDS_OF_FIRST = 40  # for the faults that a judge is told to begin with
FIRST_SEED = 7_001  # any number will do; it must only stay the same, so that a verdict can be repeated
RUN_SECONDS_MAX = 20  # of one run on a free core, which takes a fraction of one


class EndlessError(KeyboardInterrupt):
    """A run comes to no end. Of this kind, because asyncio lets no other exception out of its loop."""


class Verdict(msgspec.Struct):
    """`failed`: [fault, seed, first violation] of each run that broke an invariant."""

    runs: int = 0
    failed: list[tuple[str, int, str]] = []


def main() -> None:
    parser = argparse.ArgumentParser()
    parser.add_argument("seeds", type=int)
    parser.add_argument("--all", action="store_true", help="go on after the first violation")
    parser.add_argument("--first", nargs="*", default=[], help="begin with these faults, as F2 or F2+F19")
    parser.add_argument("--without", default="[]", help="[[fault, seed], ...] that prove nothing")
    options = parser.parse_args()
    without = msgspec.json.decode(options.without, type=set[tuple[str, int]])

    suite.quiet()
    signal.signal(signal.SIGVTALRM, _end_it)
    verdict = Verdict()
    for plan in plans(options.seeds, options.first):
        name = "+".join(plan.faults)
        if (name, plan.seed) in without:
            continue
        signal.setitimer(signal.ITIMER_VIRTUAL, RUN_SECONDS_MAX)
        try:
            wrong = suite.run_plan(plan).violations
        except EndlessError:
            wrong = ("I18: the run comes to no end, work goes round in a circle",)
        verdict.runs += 1
        if wrong:
            verdict.failed.append((name, plan.seed, wrong[0]))
            if not options.all:
                break
    print(msgspec.json.encode(verdict).decode())


def _end_it(*_: object) -> NoReturn:
    raise EndlessError


def plans(seeds: int, first: list[str]) -> Iterator[Plan]:
    for faults, seed in itertools.product(first, range(FIRST_SEED, FIRST_SEED + SEEDS_OF_FIRST)):
        yield _together(faults.split("+"), seed)
    for seed in range(FIRST_SEED, FIRST_SEED + seeds):
        yield from suite.single(list(FAULTS), [seed])
        begin = seed * SWARMS_PER_SEED
        yield from suite.swarm(list(FAULTS), range(begin, begin + SWARMS_PER_SEED))


def _together(faults: list[str], seed: int) -> Plan:
    """As `suite.pairs`, of faults that are chosen and not drawn."""
    kinds = [FAULTS[fault] for fault in faults]
    markets = VENUES[DEFAULT_VENUE].markets
    market = markets[0 if any(kind.of_futures for kind in kinds) else seed % len(markets)]
    trading_s = max(kind.trading_s for kind in kinds)
    return Plan(seed=seed, faults=tuple(sorted(faults)), market=market, trading_s=trading_s)


if __name__ == "__main__":
    main()
