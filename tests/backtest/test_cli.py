"""The command line: programs as users write them, files as they have them."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
from backtest_setup import MINUTE_MS, PERP, T0
from typer.testing import CliRunner

from nexustrader.cli.backtest import app
from nexustrader.error import DataError, EngineBuildError, InstrumentError

STRATEGY = """
from decimal import Decimal
from nexustrader.constants import KlineInterval, OrderSide, OrderType
from nexustrader.strategy import Strategy

SYMBOL = "BTCUSDT-PERP.BINANCE"

class Buyer(Strategy):
    bought = False

    def on_start(self):
        self.subscribe_kline(SYMBOL, KlineInterval.MINUTE_1)

    def on_kline(self, kline):
        if not self.bought:
            self.bought = True
            self.create_order(SYMBOL, OrderSide.BUY, OrderType.MARKET, Decimal("0.5"))
"""

PROGRAM = (
    STRATEGY
    + """
from nexustrader.config import BasicConfig, Config, MockConnectorConfig, PublicConnectorConfig
from nexustrader.constants import ExchangeType
from nexustrader.engine import Engine
from nexustrader.exchange import BinanceAccountType

config = Config(
    strategy_id="buyer",
    user_id="user",
    strategy=Buyer(),
    basic_config={ExchangeType.BINANCE: BasicConfig(testnet=True)},
    public_conn_config={ExchangeType.BINANCE: [PublicConnectorConfig(BinanceAccountType.USD_M_FUTURE_TESTNET)]},
    private_conn_config={
        ExchangeType.BINANCE: [MockConnectorConfig({"USDT": 1000}, BinanceAccountType.LINEAR_MOCK, fee_rate=0)]
    },
)
engine = Engine(config)

if __name__ == "__main__":
    try:
        engine.start()
    finally:
        engine.dispose()
"""
)


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    rows = [f"{T0 + n * MINUTE_MS},100.{n},101,99,100.{n},10.25" for n in range(5)]
    (tmp_path / "data.csv").write_text("\n".join(["open_time,open,high,low,close,volume", *rows]))
    (tmp_path / "lone.py").write_text(STRATEGY)
    (tmp_path / "program.py").write_text(PROGRAM)
    (tmp_path / "empty.py").write_text("x = 1\n")
    return tmp_path


def invoke(folder: Path, program: str, *more: str) -> str:
    arguments = [str(folder / program), "--data", str(folder / "data.csv"), "--symbol", PERP, *more]
    result = CliRunner().invoke(app, arguments, catch_exceptions=False)
    assert result.exit_code == 0, result.output
    return result.stdout


def test_an_unchanged_program_is_run_and_its_result_shown(folder: Path) -> None:
    shown = invoke(folder, "program.py")
    assert "5 bars of 1m" in shown
    assert "1 (1 filled)" in shown
    assert "0.50 BTCUSDT-PERP.BINANCE at 100" in shown
    assert "Assumptions" in shown


def test_json_holds_everything(folder: Path) -> None:
    found = json.loads(invoke(folder, "program.py", "--json", "--balance", "USDT=5000", "--fee", "0,0.01"))
    assert found["figures"]["initial_equity"] == 5000.0
    assert found["fees"] == {"USDT": "0.50050000"}  # sellers lead to the close, so the ask is a tick above it
    assert found["symbols"] == [PERP]


def test_a_file_with_a_lone_strategy_gets_a_mock_account(folder: Path) -> None:
    found = json.loads(invoke(folder, "lone.py", "--balance", "USDT=1000", "--json"))
    assert [fill["amount"] for fill in found["fills"]] == ["0.50"]
    assert list(found["balances"]) == ["binance:LINEAR_MOCK"]


def test_a_part_of_the_data_may_be_played(folder: Path) -> None:
    found = json.loads(
        invoke(folder, "program.py", "--json", "--start", "2024-01-01T00:01", "--end", "2024-01-01T00:03")
    )
    assert found["bars"] == 2


def test_several_symbols_are_named_with_their_files(folder: Path) -> None:
    data = folder / "data.csv"
    arguments = [
        str(folder / "program.py"),
        "--data",
        f"{PERP}={data}",
        "--data",
        f"BTCUSDT.BINANCE={data}",
        "--json",
    ]
    result = CliRunner().invoke(app, arguments, catch_exceptions=False)
    assert json.loads(result.stdout)["symbols"] == [PERP, "BTCUSDT.BINANCE"]


@pytest.mark.parametrize(
    ("arguments", "error", "says"),
    [
        (["gone.py", "--data", "data.csv", "--symbol", PERP], EngineBuildError, "gone.py is not a file"),
        (["empty.py", "--data", "data.csv", "--symbol", PERP], EngineBuildError, "builds no Engine"),
        (["lone.py", "--data", "data.csv", "--symbol", PERP], EngineBuildError, "--balance USDT=10000"),
        (["program.py", "--data", "data.csv"], DataError, "--symbol"),
        (["program.py", "--data", "gone.csv", "--symbol", PERP], DataError, "gone.csv does not exist"),
        (["program.py", "--data", "data.csv", "--symbol", "FOO"], InstrumentError, "'FOO' must hold"),
        (
            ["lone.py", "--data", "data.csv", "--symbol", "FOO", "--balance", "USDT=1"],
            InstrumentError,
            "'FOO'",
        ),
        (
            ["program.py", "--data", "data.csv", "--symbol", PERP, "--start", "noon"],
            DataError,
            "'noon' is no time",
        ),
    ],
)
def test_what_cannot_run_says_what_to_do(
    folder: Path, monkeypatch: pytest.MonkeyPatch, arguments: list[str], error: type[Exception], says: str
) -> None:
    monkeypatch.chdir(folder)
    with pytest.raises(error, match=says):
        CliRunner().invoke(app, arguments, catch_exceptions=False)


@pytest.mark.parametrize("option", [["--balance", "USDT"], ["--fee", "cheap"]])
def test_malformed_options_are_refused(folder: Path, option: list[str]) -> None:
    arguments = [str(folder / "program.py"), "--data", str(folder / "data.csv"), "--symbol", PERP, *option]
    result = CliRunner().invoke(app, arguments)
    assert result.exit_code == 2
    assert option[1] in result.stderr
