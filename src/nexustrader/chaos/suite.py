"""Many runs: which plans there are, all cores at work on them, and the sum of what became of them."""

from __future__ import annotations

import concurrent.futures
import itertools
import multiprocessing
import os
from collections.abc import Iterable, Iterator, Sequence

import msgspec

from nexustrader.chaos.faults import BOOK_FAULTS, FAULTS
from nexustrader.chaos.plan import TRADING_S, Outcome, Plan
from nexustrader.chaos.run import Run
from nexustrader.chaos.venues import DEFAULT_VENUE, VENUES
from nexustrader.kernel.entropy import Entropy
from nexustrader.kernel.log import shutdown_logging

SWARM_FAULTS_MAX = 6
BOOKS_EVERY = 3  # one run in so many looks at a local book, and every one with a fault of books
PLANS_PER_ERRAND = 8  # how many runs a worker process takes at once


def single(
    faults: Sequence[str], seeds: Iterable[int], program: str | None = None, venue: str = DEFAULT_VENUE
) -> Iterator[Plan]:
    """Every fault alone, with every seed."""
    for seed, fault in itertools.product(seeds, faults):
        yield _plan(seed, (fault,), program, venue)


def pairs(
    faults: Sequence[str], seeds: Iterable[int], program: str | None = None, venue: str = DEFAULT_VENUE
) -> Iterator[Plan]:
    """Two faults at a time, drawn by the seed."""
    for seed in seeds:
        chosen = Entropy(seed).child("pair")
        two = tuple(sorted({chosen.choice(faults), chosen.choice(faults)}))
        yield _plan(seed, two, program, venue)


def swarm(
    faults: Sequence[str], seeds: Iterable[int], program: str | None = None, venue: str = DEFAULT_VENUE
) -> Iterator[Plan]:
    """Which faults exist is drawn anew for each seed, none among the possibilities."""
    for seed in seeds:
        entropy = Entropy(seed).child("swarm")
        names = list(faults)
        entropy.shuffle(names)
        chosen = tuple(sorted(names[: entropy.randint(0, SWARM_FAULTS_MAX)]))
        yield _plan(seed, chosen, program, venue)


def _plan(seed: int, faults: tuple[str, ...], program: str | None, venue: str) -> Plan:
    side = VENUES[venue]
    needs_futures = len(faults) == 1 and FAULTS[faults[0]].of_futures
    return Plan(
        seed=seed,
        faults=faults,
        trading_s=max((FAULTS[fault].trading_s for fault in faults), default=TRADING_S),
        venue=venue,
        market=side.markets[0] if needs_futures else side.markets[seed % len(side.markets)],
        program=program,
        with_book=program is None and (seed % BOOKS_EVERY == 0 or not BOOK_FAULTS.isdisjoint(faults)),
    )


def run_plan(plan: Plan, *, with_trace: bool = False) -> Outcome:
    """Carry out one plan. What the harness itself cannot survive counts as a violation, with its seed."""
    try:
        return Run(plan, with_trace=with_trace).go()
    except Exception as error:  # tidy: ok — one broken run must not cost the others, and is not passed over
        return Outcome(
            plan=plan,
            violations=(f"HARNESS: {type(error).__name__}: {error}",),
            fired={},
            digest="",
            orders=0,
            fills=0,
            processes=0,
            virtual_s=0.0,
        )


def run_all(plans: Iterable[Plan], jobs: int) -> Iterator[Outcome]:
    """Outcomes as they come, `jobs` processes at work; in this process when there is one job."""
    if jobs == 1:
        quiet()
        yield from map(run_plan, plans)
        return
    os.environ.setdefault(
        "PYTHONWARNINGS", "ignore"
    )  # of the workers: each would say once that no keys are stored
    context = multiprocessing.get_context("forkserver")
    with concurrent.futures.ProcessPoolExecutor(jobs, context, initializer=quiet) as pool:
        waiting: set[concurrent.futures.Future[list[Outcome]]] = set()
        remaining = iter(plans)
        while errand := list(itertools.islice(remaining, PLANS_PER_ERRAND)):
            waiting.add(pool.submit(_run_some, errand))
            if len(waiting) >= jobs * 3:
                done, waiting = concurrent.futures.wait(
                    waiting, return_when=concurrent.futures.FIRST_COMPLETED
                )
                for future in done:
                    yield from future.result()
        for future in concurrent.futures.as_completed(waiting):
            yield from future.result()


def _run_some(plans: list[Plan]) -> list[Outcome]:
    return [run_plan(plan) for plan in plans]


def quiet() -> None:
    """What an engine logs while it is mistreated is of no interest, unless a run is looked at by itself."""
    import warnings

    import loguru

    shutdown_logging()
    loguru.logger.remove()
    warnings.simplefilter("ignore")


class Tally(msgspec.Struct):
    """The sum of many outcomes. `met`: runs of a single fault in which one of its own forms met something, by fault."""

    runs: int = 0
    orders: int = 0
    fills: int = 0
    processes: int = 0
    virtual_s: float = 0.0
    fired: dict[str, int] = {}
    planned: dict[str, int] = {}
    met: dict[str, int] = {}
    failures: list[Outcome] = []

    def add(self, outcome: Outcome) -> None:
        self.runs += 1
        self.orders += outcome.orders
        self.fills += outcome.fills
        self.processes += outcome.processes
        self.virtual_s += outcome.virtual_s
        for form, times in outcome.fired.items():
            self.fired[form] = self.fired.get(form, 0) + times
        for fault in outcome.plan.faults:
            self.planned[fault] = self.planned.get(fault, 0) + 1
        if len(outcome.plan.faults) == 1 and _has_met(outcome, outcome.plan.faults[0]):
            fault = outcome.plan.faults[0]
            self.met[fault] = self.met.get(fault, 0) + 1
        if outcome.violations:
            self.failures.append(outcome)

    @property
    def silent(self) -> list[str]:
        """Faults of the catalogue that never met anything although they were planned alone."""
        return [fault for fault in FAULTS if fault in self.planned and not self.met.get(fault)]


def _has_met(outcome: Outcome, fault: str) -> bool:
    return fault in FAULTS and not outcome.fired.keys().isdisjoint(FAULTS[fault].forms)
