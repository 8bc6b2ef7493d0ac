"""A copy of the project in which one mutant at a time is tried, and the judges that try it."""

from __future__ import annotations

import os
import re
import resource
import shutil
import signal
import subprocess
import sys
import textwrap
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import NamedTuple

import msgspec
from judge_chaos import Verdict
from patches import Mutant, source_of

ROOT = Path(__file__).parents[2]
COPIED = ("src", "tests", "pyproject.toml")
# The tests that know the mutated code best come first: most mutants end there.
SUITES = (
    "tests/unit/execution",
    "tests/unit/domain",
    "tests/property",
    "tests/unit/venue",
    "tests/unit/portfolio",
    "tests/unit/risk",
    "tests/unit/market",
    "tests/unit/engine",
    "tests/unit/persistence",
)
TEST_SECONDS_MAX = 60  # one test; a loop without end counts as caught
CPU_SECONDS_MAX = 240  # one judge; on a busy machine that may be many more seconds of time
JUDGE_SECONDS_MAX = 1_200
MEMORY_MAX = 3 << 30  # bytes; a list without end counts as caught
VIOLATION_CHARACTERS_MAX = 200
FAILED = re.compile(r"^(?:FAILED|ERROR) (\S+)", re.MULTILINE)


class Caught(NamedTuple):
    """By whom, and by what: a test's name, or an invariant with its fault and seed."""

    judge: str
    what: str


class Workbench:
    """One copy of `source`; `apply` puts a mutant in and takes it out again."""

    def __init__(self, folder: Path, source: Path = ROOT) -> None:
        self.folder = folder
        folder.mkdir(parents=True)
        ignored = shutil.ignore_patterns("__pycache__", ".hypothesis")
        for path in (source / name for name in COPIED):
            if path.is_dir():
                shutil.copytree(path, folder / path.name, ignore=ignored)
            else:
                shutil.copy(path, folder / path.name)

    @contextmanager
    def apply(self, mutant: Mutant) -> Iterator[None]:
        path = source_of(self.folder, mutant.file)
        text = path.read_text(encoding="utf-8")
        self._write(path, mutant.changed(text))
        try:
            yield
        finally:
            self._write(path, text)

    @staticmethod
    def _write(path: Path, text: str) -> None:
        path.write_text(text, encoding="utf-8")
        for compiled in (path.parent / "__pycache__").glob(f"{path.stem}.*.pyc"):
            compiled.unlink()  # known by time and size, and both may be the same

    def run(self, *command: str) -> tuple[int | None, str]:
        """Exit code (None: out of time) and output."""
        environment = os.environ | {"PYTHONPATH": str(self.folder / "src"), "PYTHONHASHSEED": "0"}
        environment.pop("PYTEST_ADDOPTS", None)
        process = subprocess.Popen(
            [sys.executable, *command],
            cwd=self.folder,
            env=environment,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
            start_new_session=True,
            preexec_fn=_bound,
        )
        try:
            output, _ = process.communicate(timeout=JUDGE_SECONDS_MAX)
        except subprocess.TimeoutExpired:
            os.killpg(process.pid, signal.SIGKILL)
            output, _ = process.communicate()
            return None, output
        is_out_of_time = process.returncode in (-signal.SIGXCPU, -signal.SIGKILL)
        return None if is_out_of_time else process.returncode, output

    # -- judges ----------------------------------------------------------------------------------------------

    def by_tests(self) -> Caught | None:
        """The fast unit and property tests, until the first failure."""
        suites = [suite for suite in SUITES if (self.folder / suite).exists()]
        code, output = self.run(
            *("-m", "pytest", "-x", "-q", "-p", "no:cacheprovider", "-p", "no:randomly"),
            *("-m", "not slow and not nightly", f"--timeout={TEST_SECONDS_MAX}", "--hypothesis-seed=1"),
            *("--tb=no", "-rfE", *suites),
        )
        if code == 0:
            return None
        failed = FAILED.search(output)
        if failed is not None:
            return Caught("test", failed[1].removeprefix("tests/"))
        return Caught("test", "time limit" if code is None else f"exit {code}: {output[-200:]}")

    def by_chaos(self, seeds: int, without: str = "[]", first: Sequence[str] = ()) -> Caught | None:
        """The chaos suite alone, beginning with the faults in `first`, until an invariant breaks."""
        verdict = self.chaos(seeds, "--without", without, "--first", *first)
        if isinstance(verdict, str):
            return Caught("chaos", verdict)
        if not verdict.failed:
            return None
        fault, seed, violation = verdict.failed[0]
        violation = textwrap.shorten(violation, VIOLATION_CHARACTERS_MAX)
        return Caught("chaos", f"{violation} (under {fault or 'no fault'}, seed {seed}, run {verdict.runs})")

    def chaos(self, seeds: int, *options: str) -> Verdict | str:
        """What the suite found, or how it came to no end."""
        code, output = self.run("-W", "ignore", "tests/mutation/judge_chaos.py", str(seeds), *options)
        if code == 0:
            (last,) = (line for line in output.splitlines() if line.startswith('{"runs":'))
            return msgspec.json.decode(last, type=Verdict)
        return "time limit" if code is None else f"exit {code}: {output[-200:]}"


def _bound() -> None:
    resource.setrlimit(resource.RLIMIT_CPU, (CPU_SECONDS_MAX, CPU_SECONDS_MAX))
    resource.setrlimit(resource.RLIMIT_AS, (MEMORY_MAX, MEMORY_MAX))
