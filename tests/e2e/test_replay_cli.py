"""The example strategy is recorded on the emulator over real sockets, and its session is decided again."""

from __future__ import annotations

import os
import re
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

EXAMPLES = Path(__file__).parents[2] / "examples"
RUN_S = "6"

pytestmark = [pytest.mark.slow, pytest.mark.timeout(120)]


def nexustrader(folder: Path, *arguments: str, seconds: str = RUN_S) -> subprocess.CompletedProcess[str]:
    """One command line in a process of its own, under Python's own choice of a hash seed."""
    environment = {name: value for name, value in os.environ.items() if name != "PYTHONHASHSEED"}
    return subprocess.run(
        [sys.executable, "-W", "ignore", "-m", "nexustrader.cli.main", *arguments],
        cwd=folder,
        env=environment | {"NEXUS_DEMO__SECONDS": seconds},
        capture_output=True,
        text=True,
        timeout=60,
    )


@pytest.mark.parametrize("program", ["market_maker.py", "paper_trading.py"])
def test_a_recorded_run_replays_to_the_same_decisions_and_shows_a_change(
    program: str, tmp_path: Path
) -> None:
    for name in (program, "maker_strategy.py"):
        shutil.copy(EXAMPLES / name, tmp_path)
    run = nexustrader(tmp_path, "run", program, "--emulate", "binance", "--record", "session.nxs")
    assert run.returncode == 0, run.stderr
    recorded = re.search(r"session\.nxs: ([\d,]+) inputs, ([\d,]+) decisions \(hash (\w+)\)", run.stdout)
    assert recorded is not None, run.stdout

    again = nexustrader(tmp_path, "replay", "session.nxs", program)
    assert again.returncode == 0, again.stdout + again.stderr
    assert again.stdout == "{} inputs, {} decisions: the same (hash {})\n".format(*recorded.groups())

    text = (tmp_path / program).read_text()
    changed = text.replace("MarketMaker(", "MarketMaker(edge_ticks=3, ", 1)
    assert changed != text
    (tmp_path / "changed.py").write_text(changed)
    other = nexustrader(tmp_path, "replay", "session.nxs", "changed.py")
    assert other.returncode == 1, other.stdout + other.stderr
    assert other.stdout.startswith("different, after 0 decisions that are the same, at input")
    then, now = (
        re.search(rf"  {word}: +Submit .* price=(\S+)", other.stdout) for word in ("recorded", "now")
    )
    assert then is not None
    assert now is not None
    assert then[1] != now[1]

    # What a program takes from its environment belongs to it.
    shorter = nexustrader(tmp_path, "replay", "session.nxs", program, seconds="3")
    assert shorter.returncode == 1
    assert "timer Job._fire Strategy.stop" in shorter.stdout


def test_what_is_no_session_and_what_is_another_program_is_told(tmp_path: Path) -> None:
    shutil.copy(EXAMPLES / "market_maker.py", tmp_path)
    shutil.copy(EXAMPLES / "maker_strategy.py", tmp_path)
    missing = nexustrader(tmp_path, "replay", "session.nxs", "market_maker.py")
    assert (missing.returncode, missing.stdout) == (2, "")
    assert missing.stderr == "nexustrader: session.nxs cannot be read: No such file or directory\n"
    wrong = nexustrader(tmp_path, "replay", "market_maker.py", "market_maker.py")
    assert wrong.returncode == 2
    assert "market_maker.py is no recorded session" in wrong.stderr
