"""Run the long chaos suite and write its figures into docs/reliability.md, from the run itself.

    python bench/reliability.py [--venues binance,bybit] [--seeds 200] [--swarm 10000] [--twice 1000] [--jobs 2] [--dry]

single  every fault alone, with so many seeds each
swarm   so many seeds, each with a mix of faults of its own
twice   so many seeds run two times: the same trace hash
"""

from __future__ import annotations

import argparse
import itertools
import os
import statistics
import subprocess
import time
from collections.abc import Iterable
from pathlib import Path
from typing import NamedTuple

import msgspec
from harness import machine

from nexustrader.chaos import suite
from nexustrader.chaos.faults import DEFERRED, FAULTS
from nexustrader.chaos.plan import Outcome, Plan
from nexustrader.chaos.venues import VENUES

PAGE = Path(__file__).parent.parent / "docs" / "reliability.md"
BEGIN, END = "<!-- figures: begin -->", "<!-- figures: end -->"


class Measured(msgspec.Struct):
    """One part of the suite."""

    tally: suite.Tally
    wall_s: float
    healed_s: list[float]


def measure(plans: Iterable[Plan], jobs: int, what: str) -> Measured:
    began_s = time.monotonic()
    measured = Measured(suite.Tally(), 0.0, [])
    for number, outcome in enumerate(suite.run_all(plans, jobs), 1):
        measured.tally.add(outcome)
        measured.healed_s.append(outcome.healed_after_s)
        if outcome.violations:
            print(outcome.violations[:3], msgspec.json.encode(outcome.plan).decode(), flush=True)
        if number % 1_000 == 0:
            print(f"{what}: {number} runs, {len(measured.tally.failures)} failed", flush=True)
    measured.wall_s = time.monotonic() - began_s
    return measured


def same_twice(plans: list[Plan], jobs: int) -> int:
    """How many of the plans gave the same trace hash two times."""
    both: dict[bytes, list[Outcome]] = {}
    for outcome in suite.run_all(itertools.chain(plans, plans), jobs):
        both.setdefault(msgspec.json.encode(outcome.plan), []).append(outcome)
    return sum(len(pair) == 2 and pair[0].digest == pair[1].digest for pair in both.values())


def line(name: str, measured: Measured) -> str:
    tally = measured.tally
    return (
        f"| {name} | {tally.runs:,} | {len(tally.failures)} | {tally.runs / measured.wall_s:.1f} | "
        f"{tally.virtual_s / 3600:,.1f} | {tally.orders:,} | {tally.fills:,} | {tally.processes:,} | "
        f"{sum(tally.fired.values()):,} |"
    )


def healing(swarm: Measured) -> str:
    healed = sorted(swarm.healed_s)
    return (
        f"After the last fault of a swarm run all was known and equal within {statistics.median(healed):.0f} s of "
        f"virtual time in half of the runs, {healed[int(len(healed) * 0.99)]:.0f} s in 99 of 100, "
        f"{healed[-1]:.0f} s at most. It is not asked before 15 s, and then every 5 s."
    )


class OfVenue(NamedTuple):
    """What was measured of one venue; `same` of `twice` traces were equal."""

    single: Measured
    swarm: Measured
    same: int
    twice: int

    @property
    def is_sound(self) -> bool:
        failed = self.single.tally.failures or self.swarm.tally.failures
        return not failed and not self.single.tally.silent and self.same == self.twice


def page(measured: dict[str, OfVenue], jobs: int) -> str:
    commit = subprocess.run(
        ["git", "rev-parse", "--short", "HEAD"], capture_output=True, text=True, check=False
    )
    head = " | ".join(f"{venue}: runs with it alone | in which it met something" for venue in measured)
    rows = [
        f"| {name} | {kind.title} | "
        + " | ".join(
            f"{one.single.tally.planned.get(name, 0)} | {one.single.tally.met.get(name, 0)}"
            for one in measured.values()
        )
        + " |"
        for name, kind in FAULTS.items()
    ]
    nothing = " - |" * (2 * len(measured))
    lines: list[str] = []
    words: list[str] = []
    for venue, one in measured.items():
        lines += [line(f"{venue}, one fault", one.single), line(f"{venue}, swarm", one.swarm)]
        words += [
            f"{venue.title()}: the same seed twice: {one.same:,} of {one.twice:,} traces were equal, byte for byte. "
            + healing(one.swarm),
            "",
        ]
    return "\n".join(
        [
            BEGIN,
            f"{machine()}; {jobs} processes; on top of commit {commit.stdout.strip() or '-'}.",
            "",
            "| suite | runs | broken | runs/s | virtual hours | orders | fills | processes | faults fired |",
            "|---|---|---|---|---|---|---|---|---|",
            *lines,
            "",
            *words,
            f"| fault | what it is | {head} |",
            f"|---|---|{'---|' * (2 * len(measured))}",
            *rows,
            *[f"| {name} | not yet: {why} |{nothing}" for name, why in DEFERRED.items()],
            END,
        ]
    )


def measure_venue(venue: str, given: argparse.Namespace) -> OfVenue:
    names, first = list(FAULTS), given.first_seed
    plans = suite.single(names, range(first, first + given.seeds), venue=venue)
    single = measure(plans, given.jobs, f"{venue}, single")
    plans = suite.swarm(names, range(first, first + given.swarm), venue=venue)
    swarm = measure(plans, given.jobs, f"{venue}, swarm")
    again = list(suite.swarm(names, range(first, first + given.twice), venue=venue))
    return OfVenue(single, swarm, same_twice(again, given.jobs), given.twice)


def main() -> None:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--venues", default=",".join(VENUES), help="which, with commas between")
    parser.add_argument("--seeds", type=int, default=200)
    parser.add_argument("--swarm", type=int, default=10_000)
    parser.add_argument("--twice", type=int, default=1_000)
    parser.add_argument("--first-seed", type=int, default=1)
    parser.add_argument("--jobs", type=int, default=os.cpu_count() or 1)
    parser.add_argument("--dry", action="store_true", help="print the figures, leave the page as it is")
    given = parser.parse_args()
    measured = {venue: measure_venue(venue, given) for venue in given.venues.split(",")}
    text = page(measured, given.jobs)
    print(text)
    if not given.dry:
        before, _, rest = PAGE.read_text().partition(BEGIN)
        PAGE.write_text(before + text + rest.partition(END)[2])
    raise SystemExit(not all(one.is_sound for one in measured.values()))


if __name__ == "__main__":
    main()
