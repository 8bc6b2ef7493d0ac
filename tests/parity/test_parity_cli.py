"""The command: a table, a line, and an exit code."""

from __future__ import annotations

import json
from decimal import Decimal
from pathlib import Path

import pytest
from parity_sessions import BUY, Script
from typer.testing import CliRunner, Result

from nexustrader.cli.commands import COMMANDS, WITHOUT_CREDENTIALS
from nexustrader.cli.parity import app
from nexustrader.error import DataError


def run(*arguments: str) -> Result:
    return CliRunner().invoke(app, list(arguments), catch_exceptions=False)


@pytest.fixture
def script(tmp_path: Path) -> Script:
    script = Script(tmp_path / "session.nxs")
    script.quotes(0, 1_000)
    return script


def take(script: Script, price: str = "60000.1", **fill: object) -> str:
    oid = script.submit(1_000, BUY, "0.010")
    script.accepted(oid, 1_004)
    script.filled(oid, 1_004, price, "0.010", **fill)  # type: ignore[arg-type]
    script.quotes(1_250, 2_000)
    return str(script.end())


def test_it_is_a_command_that_needs_no_keys() -> None:
    assert COMMANDS["parity"] == "nexustrader.cli.parity:app"
    assert "parity" in WITHOUT_CREDENTIALS


def test_a_session_that_comes_out_equal_is_one_line_and_what_is_assumed(script: Script) -> None:
    oid = script.submit(1_000, BUY, "0.010")
    script.accepted(oid, 1_004)
    script.filled(oid, 1_004, "60000.1", "0.010")
    script.balance(1_004, "99999.69999950")
    result = run(str(script.end()))
    assert result.exit_code == 0
    assert result.output.startswith(
        "1 of 1 orders came out equal; 1 of 1 balances, positions and payments are equal"
    )
    assert "measured latency of 1 commands: median 4.0 ms, at most 4.0 ms" in result.output
    assert "assumed: Fees are those of the instrument" in result.output


def test_what_differs_stands_in_a_table_with_its_cause(script: Script) -> None:
    result = run(take(script, rate=Decimal("0.0003")))
    assert result.exit_code == 0
    for text in ("BUY 0.010", "BTCUSDT-PERP.BINANCE", "MARKET", "fee", "0.18000030 USDT", "0.30000050 USDT"):
        assert text in result.output
    assert "0 of 1 orders came out equal; differing by fee 1;" in result.output


def test_what_is_unexplained_is_exit_code_1(script: Script) -> None:
    oid = script.submit(1_000, BUY, "0.010", "60000.1")
    script.accepted(oid, 1_004)
    script.quotes(1_250, 2_000)
    result = run(str(script.end()))
    assert result.exit_code == 1
    assert "differing by unexplained 1" in result.output


def test_everything_as_json(script: Script) -> None:
    result = run(take(script, rate=Decimal("0.0003")), "--json")
    found = json.loads(result.output)
    assert (found["equal"], found["by_cause"], found["is_explained"]) == (0, {"fee": 1}, True)
    (order,) = found["orders"]
    assert order["differences"] == [
        {"what": "fee", "recorded": "0.18000030 USDT", "simulated": "0.30000050 USDT"}
    ]
    assert order["causes"] == ["fee"]


def test_a_latency_can_be_assumed(script: Script) -> None:
    oid = script.submit(1_000, BUY, "0.010")
    script.quote(1_200, 60_050.0, 60_050.1)
    script.accepted(oid, 1_300)
    script.filled(oid, 1_300, "60050.1", "0.010")
    path = str(script.end())
    assert "differing by latency 1" in run(path).output
    assert "1 of 1 orders came out equal" in run(path, "--latency-ms", "300").output


def test_times_can_be_required_exactly(script: Script) -> None:
    assert "differing by latency 1" in run(take(script), "--time-ms", "0").output


def test_what_is_no_session_is_a_named_error(tmp_path: Path) -> None:
    path = tmp_path / "notes.txt"
    path.write_text("hello")
    with pytest.raises(DataError, match="is no recorded session"):
        run(str(path))
