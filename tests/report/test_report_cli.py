"""The options of the command line: a report, bands and the check for lookahead."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
from click.testing import Result
from typer.testing import CliRunner

from nexustrader.cli.backtest import app
from nexustrader.error import NexusTraderError

PERP = "BTCUSDT-PERP.BINANCE"
T0 = 1_704_067_200_000
CLOSES = [100, 101, 100, 102, 101, 103, 102, 104, 103, 105, 104, 106]

STRATEGY = """
from decimal import Decimal
from nexustrader.constants import KlineInterval, OrderSide, OrderType
from nexustrader.strategy import Strategy

SYMBOL = "BTCUSDT-PERP.BINANCE"

class Turner(Strategy):
    last = 0.0

    def on_start(self):
        self.subscribe_kline(SYMBOL, KlineInterval.MINUTE_1)

    def on_kline(self, kline):
        side = OrderSide.BUY if kline.close < self.last else OrderSide.SELL
        self.create_order(SYMBOL, side, OrderType.MARKET, Decimal("0.5"))
        self.last = kline.close
"""

ERRATIC = (
    "\nimport itertools, sys\nruns = sys.__dict__.setdefault('_runs', itertools.count())\n"
    + STRATEGY.replace('Decimal("0.5")', "Decimal(1 + next(runs) % 5)")
)
READING = STRATEGY.replace(
    "    def on_start(self):\n",
    "    def on_start(self):\n        import pathlib\n"
    "        self.rows = (pathlib.Path(__file__).parent / 'data.csv').read_text().split()\n",
).replace("from decimal", "__file__ = FILE\nfrom decimal")


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    rows = [f"{T0 + n * 60_000},{c},{c + 2},{c - 2},{c},10.25" for n, c in enumerate(CLOSES)]
    (tmp_path / "data.csv").write_text("\n".join(["open_time,open,high,low,close,volume", *rows]))
    (tmp_path / "honest.py").write_text(STRATEGY)
    (tmp_path / "erratic.py").write_text(ERRATIC)
    (tmp_path / "reading.py").write_text(READING.replace("FILE", repr(str(tmp_path / "reading.py"))))
    return tmp_path


def invoke(folder: Path, program: str, *more: str) -> Result:
    arguments = [str(folder / program), "--data", str(folder / "data.csv"), "--symbol", PERP]
    return CliRunner().invoke(app, [*arguments, "--balance", "USDT=1000", *more], catch_exceptions=False)


def test_a_report_is_written_and_named(folder: Path) -> None:
    done = invoke(folder, "honest.py", "--report", str(folder / "out" / "run.html"))
    assert done.exit_code == 0
    assert f"Report: {folder / 'out' / 'run.html'}" in done.stderr
    assert "12 bars of 1m" in done.stdout
    page = (folder / "out" / "run.html").read_text(encoding="utf-8")
    assert "<title>Turner" in page
    assert json.loads((folder / "out" / "run.json").read_text())["bars"] == 12


def test_bands_are_tabled_and_go_into_the_report(folder: Path) -> None:
    done = invoke(folder, "honest.py", "--bands", "--report", str(folder / "run.html"), "--fee", "0.001")
    assert done.exit_code == 0
    (row,) = [line for line in done.stdout.splitlines() if line.startswith("Fees, maker and taker")]
    assert [text.strip() for text in row.split("  ")[1:] if text] == [
        "0.05 %, 0.05 %",
        "0.1 %, 0.1 %",
        "0.15 %, 0.15 %",
    ]
    assert "500 ms" in done.stdout
    assert list(json.loads((folder / "run.json").read_text())["bands"]) == [
        "optimistic",
        "base",
        "pessimistic",
    ]


def test_an_honest_program_passes_the_check_and_its_result_is_shown(folder: Path) -> None:
    done = invoke(folder, "honest.py", "--check-lookahead", "--json")
    assert done.exit_code == 0
    assert "No lookahead found" in done.stderr
    plain = invoke(folder, "honest.py", "--json")
    assert json.loads(done.stdout)["trace_hash"] == json.loads(plain.stdout)["trace_hash"]


def test_a_program_that_reads_the_data_itself_fails_the_check(folder: Path) -> None:
    done = invoke(folder, "reading.py", "--check-lookahead", "--report", str(folder / "run.html"))
    assert done.exit_code == 1
    assert f"The program opens {folder / 'data.csv'} itself" in done.stderr
    assert "12 bars" not in done.stdout
    assert not (folder / "run.html").exists()


def test_a_program_that_does_not_repeat_itself_fails_the_check(folder: Path) -> None:
    done = invoke(folder, "erratic.py", "--check-lookahead")
    assert done.exit_code == 1
    assert "Not repeatable" in done.stderr
    assert "2024-01-01 00:0" in done.stderr


def test_a_bad_name_of_a_report_is_told_before_the_run(folder: Path) -> None:
    with pytest.raises(NexusTraderError, match=r"name it out\.html"):
        invoke(folder, "gone.py", "--report", str(folder / "out.pdf"))
