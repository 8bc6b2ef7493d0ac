"""The same seed and data give the same report in every process, whatever order its sets and dicts by hash come in."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

from nexustrader.backtest.report import report_hash

REAL_TIME = ("elapsed_s", "bars_per_s")  # all of a report that two equal runs may differ in
PROGRAM = """
import sys
from test_report_page import small, synthetic
from report_setup import EmaCross, config
from nexustrader.backtest import Backtest
from nexustrader.backtest.bands import bands
from nexustrader.backtest.report import write_report
from nexustrader.constants import KlineInterval
from nexustrader.sim.latency import Latency, LogNormalDelay

def build(**changes):
    strategy = EmaCross(interval=KlineInterval.MINUTE_1)
    models = {"latency": Latency(entry=LogNormalDelay(median_ms=900)), "seed": 3, "slippage": 2}
    return Backtest(config(strategy), synthetic(2_000), **(models | changes))

print(write_report(bands(build), sys.argv[1]).report_hash)
"""


def report_of(folder: Path, hash_seed: str) -> tuple[str, str, dict[str, Any], list[bytes]]:
    """The hash that the process told, that of its page, and the files beside the page."""
    folder.mkdir()
    here = Path(__file__).parent
    told = subprocess.run(
        [sys.executable, "-W", "ignore", "-c", PROGRAM, str(folder / "out.html")],
        env={**os.environ, "PYTHONHASHSEED": hash_seed, "PYTHONPATH": str(here)},
        capture_output=True,
        text=True,
        check=True,
    ).stdout.split()[-1]
    page = report_hash((folder / "out.html").read_text(encoding="utf-8"))
    found = json.loads((folder / "out.json").read_text(encoding="utf-8"))
    for name in REAL_TIME:
        del found["figures"][name]
    return told, page, found, [path.read_bytes() for path in sorted(folder.glob("*.parquet"))]


@pytest.mark.slow
def test_two_processes_write_the_same_report(tmp_path: Path) -> None:
    first, second = (report_of(tmp_path / seed, seed) for seed in ("1", "4711"))
    assert first == second
    told, page, found, files = first
    assert told == page == found["report_hash"]
    assert found["fills"]
    assert len(files) == 2
