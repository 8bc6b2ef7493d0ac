"""What only backtests, reports and sweeps need is not imported by a program that trades."""

from __future__ import annotations

import subprocess
import sys

import pytest

HEAVY = (
    "numba",
    "numpy",
    "pandas",
    "plotly",
    "polars",
    "pyarrow",
    "duckdb",
    "optuna",
    "joblib",
    "distributed",
)
LIVE = ("engine", "strategy", "config", "schema", "constants", "indicator", "exchange")


@pytest.mark.slow
def test_a_program_that_trades_imports_none_of_the_libraries_of_backtests() -> None:
    names = ", ".join(f"nexustrader.{name}" for name in LIVE)
    code = f"import sys, {names}; print([name for name in {HEAVY!r} if name in sys.modules])"
    done = subprocess.run(
        [sys.executable, "-W", "ignore", "-c", code], capture_output=True, text=True, check=True
    )
    assert done.stdout.strip() == "[]"
