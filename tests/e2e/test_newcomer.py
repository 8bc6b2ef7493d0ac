"""The commands a newcomer types first."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import pytest

EXAMPLES = Path(__file__).parents[2] / "examples"

pytestmark = [pytest.mark.slow, pytest.mark.timeout(110)]


def nexustrader(folder: Path, *arguments: str, seconds: str = "4") -> subprocess.CompletedProcess[str]:
    environment = {**os.environ, "NEXUS_DEMO__SECONDS": seconds, "COLUMNS": "200"}
    return subprocess.run(
        [sys.executable, "-m", "nexustrader.cli.main", *arguments],
        cwd=folder,
        env=environment,
        capture_output=True,
        text=True,
        timeout=100,
        check=False,
    )


def test_the_demo_ends_by_itself_with_equal_books_and_leaves_nothing_behind(tmp_path: Path) -> None:
    done = nexustrader(tmp_path, "demo", "--seconds", "4")
    assert done.returncode == 0, done.stderr
    assert "The books are equal" in done.stdout
    assert "SecretsFileWarning" not in done.stderr
    assert list(tmp_path.iterdir()) == []


def test_the_demo_on_recorded_frames_processes_every_one_of_them(tmp_path: Path, testdata: Path) -> None:
    frames = testdata / "marketdata/rawws/binance/usdm_btcusdt_20240808.gz"
    done = nexustrader(tmp_path, "demo", "--data", str(frames), "--speed", "24")
    assert done.returncode == 0, done.stdout + done.stderr
    assert "93,954 recorded lines were replayed, 93,953 of them stream frames" in done.stdout
    assert "66,089 quotes and 21,313 trades reached the strategy" in done.stdout
    assert "The books are equal" in done.stdout


@pytest.mark.parametrize("program", ["market_maker.py", "paper_trading.py"])
def test_an_unchanged_program_runs_against_the_emulator_and_is_told_so(tmp_path: Path, program: str) -> None:
    done = nexustrader(tmp_path, "run", str(EXAMPLES / program), "--emulate", "binance")
    assert done.returncode == 0, done.stderr
    assert "no order of this run is real" in done.stderr
    assert "is connected" in done.stdout


def test_the_same_strategy_class_runs_in_a_backtest_that_states_its_assumptions(
    tmp_path: Path, testdata: Path
) -> None:
    klines = testdata / "marketdata/klines/binance_vision/BTCUSDT-1m-2024-01-11.zip"
    done = nexustrader(
        tmp_path,
        "backtest",
        str(EXAMPLES / "market_maker.py"),
        "--data",
        str(klines),
        "--symbol",
        "BTCUSDT-PERP.BINANCE",
        "--balance",
        "USDT=100000",
        seconds="0",
    )
    assert done.returncode == 0, done.stderr
    assert "1,440 bars" in done.stdout
    assert "Assumptions" in done.stdout


def test_our_own_errors_are_one_line_with_the_remedy(tmp_path: Path) -> None:
    done = nexustrader(tmp_path, "run", "nothing.py")
    assert done.returncode == 2
    assert done.stderr.strip().splitlines()[-1].startswith("nexustrader: nothing.py is not a file")
