"""Tries mutants against the judges and says what caught each: `python tests/mutation/run_mutants.py`."""

from __future__ import annotations

import argparse
import queue
import tempfile
import time
from collections import Counter
from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import msgspec
from equivalent import reason_for
from generic import sample
from known import KNOWN
from patches import Mutant
from workbench import Caught, Workbench

KNOWN_SEEDS = 6  # of the chaos suite: every fault with each, and swarms
GENERIC_SEEDS = 3
GENERIC_COUNT = 60
GENERIC_SEED = 1


class Finding(msgspec.Struct):
    """What became of one mutant. `caught`: by whom and by what, for each judge that was asked."""

    name: str
    story: str
    caught: dict[str, str]
    seconds: float
    diff: str
    equivalent: str | None = None

    @property
    def survived(self) -> bool:
        return not self.caught and self.equivalent is None


Judge = Callable[[Workbench, Mutant], list[Caught | None]]


class Trial:
    """Some mutants before their judges, `jobs` at a time."""

    def __init__(self, folder: Path, jobs: int, seeds: int) -> None:
        self._jobs = jobs
        self._seeds = seeds
        self._benches: queue.SimpleQueue[Workbench] = queue.SimpleQueue()
        self._without = "[]"
        self.root = folder / "bench0"
        self._benches.put(Workbench(self.root))
        for number in range(1, jobs):
            self._benches.put(Workbench(folder / f"bench{number}", self.root))

    def check_ground(self, first: Sequence[str] = ()) -> list[str]:
        """Judge the code as it is; gives what is wrong with it. Plans that it fails prove nothing of a mutant."""
        bench = self._benches.get()
        try:
            failed = bench.by_tests()
            verdict = bench.chaos(self._seeds, "--all", "--first", *first)
        finally:
            self._benches.put(bench)
        if isinstance(verdict, str):
            raise RuntimeError(f"the chaos suite comes to no end without a mutant: {verdict}")
        self._without = msgspec.json.encode([[fault, seed] for fault, seed, _ in verdict.failed]).decode()
        wrong = [f"{violation} (under {fault}, seed {seed})" for fault, seed, violation in verdict.failed]
        return wrong if failed is None else [failed.what, *wrong]

    def known(self, bench: Workbench, mutant: Mutant) -> list[Caught | None]:
        """Both judges, each on its own: the checkers have to catch these without the tests' help."""
        return [bench.by_chaos(self._seeds, self._without, mutant.faults), bench.by_tests()]

    def generic(self, bench: Workbench, _mutant: Mutant) -> list[Caught | None]:
        """The tests, and the chaos suite when they see nothing."""
        return [bench.by_tests() or bench.by_chaos(self._seeds, self._without)]

    def run(self, mutants: Sequence[Mutant], judge: Judge, tell: Callable[[Finding], None]) -> list[Finding]:
        """The findings in the order of the mutants; `tell` hears of each as soon as it is there."""

        def one(mutant: Mutant) -> Finding:
            bench = self._benches.get()
            begun = time.monotonic()
            try:
                diff = mutant.diff(bench.folder)
                with bench.apply(mutant):
                    caught = {c.judge: c.what for c in judge(bench, mutant) if c is not None}
            finally:
                self._benches.put(bench)
            seconds = round(time.monotonic() - begun, 1)
            equivalent = None if caught else reason_for(mutant)
            finding = Finding(mutant.name, mutant.story, caught, seconds, diff, equivalent)
            tell(finding)
            return finding

        with ThreadPoolExecutor(self._jobs) as pool:
            return list(pool.map(one, mutants))


def score(findings: Sequence[Finding]) -> float:
    """The share that was caught of those that can be."""
    can_be = [finding for finding in findings if finding.equivalent is None]
    return sum(not finding.survived for finding in can_be) / len(can_be)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("which", choices=("known", "generic", "all"), nargs="?", default="all")
    parser.add_argument("--jobs", type=int, default=2)
    parser.add_argument("--count", type=int, default=GENERIC_COUNT, help="how many generic mutants")
    parser.add_argument("--seed", type=int, default=GENERIC_SEED, help="which generic mutants")
    parser.add_argument("--only", default="", help="only mutants whose name contains this")
    parser.add_argument("--json", type=Path, help="write the findings to this file")
    options = parser.parse_args()
    report: dict[str, list[Finding]] = {}
    if options.which != "generic":
        report["known"] = try_known(options.jobs, options.only)
    if options.which != "known":
        report["generic"] = try_generic(options.jobs, options.count, options.seed, options.only)
    for name, findings in report.items():
        _print_sum(name, findings)
    if options.json is not None:
        options.json.write_bytes(msgspec.json.format(msgspec.json.encode(report), indent=1))


def try_known(jobs: int, only: str = "") -> list[Finding]:
    mutants = [mutant for mutant in KNOWN if only in mutant.name]
    with tempfile.TemporaryDirectory(prefix="mutants-") as folder:
        trial = Trial(Path(folder), jobs, KNOWN_SEEDS)
        _tell_ground(trial.check_ground(sorted({fault for mutant in mutants for fault in mutant.faults})))
        return trial.run(mutants, trial.known, _print)


def try_generic(jobs: int, count: int, seed: int, only: str = "") -> list[Finding]:
    with tempfile.TemporaryDirectory(prefix="mutants-") as folder:
        trial = Trial(Path(folder), jobs, GENERIC_SEEDS)
        mutants = [mutant for mutant in sample(trial.root, count, seed) if only in mutant.name]
        _tell_ground(trial.check_ground())
        return trial.run(mutants, trial.generic, _print)


def _print_sum(name: str, findings: Sequence[Finding]) -> None:
    survivors = [finding for finding in findings if finding.survived]
    equivalents = sum(finding.equivalent is not None for finding in findings)
    by_judge = Counter(judge for finding in findings for judge in finding.caught)
    caught = ", ".join(f"{count} by {judge}" for judge, count in sorted(by_judge.items()))
    print(f"\n{name}: of {len(findings)} {caught}; {equivalents} equivalent, {len(survivors)} survived")
    for finding in survivors:
        print(f"\nsurvived: {finding.name}\n{finding.diff}")


def _tell_ground(wrong: list[str]) -> None:
    for what in wrong:
        print(f"without a mutant: {what}", flush=True)


def _print(finding: Finding) -> None:
    caught = "; ".join(f"{judge}: {what}" for judge, what in finding.caught.items())
    verdict = caught or (f"equivalent: {finding.equivalent}" if finding.equivalent else "SURVIVED")
    print(f"{finding.seconds:6.1f} s  {finding.name:60} {verdict}", flush=True)


if __name__ == "__main__":
    main()
