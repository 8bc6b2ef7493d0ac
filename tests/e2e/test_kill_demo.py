"""The example strategy is killed while it trades; the next run has whole books again."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest
from e2e_setup import control

import canaries
from nexustrader.cli.ledger import ask
from nexustrader.cli.load import load_program
from nexustrader.constants import settings
from nexustrader.emulator.process import EmulatorProcess
from nexustrader.engine import Engine
from nexustrader.strategy import Strategy
from nexustrader.testing.comparison import compare

PROGRAM = Path(__file__).parents[2] / "examples" / "market_maker.py"
ACCOUNT = "binance:USD_M_FUTURE_TESTNET"


def stand_still(emulator: EmulatorProcess) -> None:
    """Hold the market where it is: a fill after the last look at the books would not be a difference of them."""
    touch = ask(emulator, "/fapi/v1/ticker/bookTicker?symbol=BTCUSDT")
    move = {"symbol": "BTCUSDT", "product": "usdm", "bid": touch["bidPrice"], "ask": touch["askPrice"]}
    control(emulator, "/emulator/market", move)


class Witness(Strategy):
    """Takes over after the crash: does nothing, and ends."""

    def on_start(self) -> None:
        self.schedule(self.stop, trigger="interval", seconds=1)


@pytest.mark.slow
@pytest.mark.timeout(90)
@pytest.mark.parametrize("seconds", [2.0, 3.3])
def test_after_a_kill_every_order_fill_and_balance_is_known_again(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, seconds: float
) -> None:
    with EmulatorProcess.start("binance", seed=11) as emulator:
        canaries.watch(emulator.api_key, emulator.secret)
        monkeypatch.chdir(tmp_path)
        for name, value in {
            "NEXUS_ENDPOINTS__BINANCE": emulator.url,
            "NEXUS_BINANCE__DEMO__API_KEY": emulator.api_key,
            "NEXUS_BINANCE__DEMO__SECRET": emulator.secret,
        }.items():
            monkeypatch.setenv(name, value)
        settings.reload()
        trading = subprocess.Popen(
            [sys.executable, "-W", "ignore", str(PROGRAM)],
            cwd=tmp_path,
            stdout=subprocess.DEVNULL,
            env=os.environ,
        )
        until = time.monotonic() + 30
        while not ask(emulator, "/emulator/status")["orders"]["usdm"] and time.monotonic() < until:
            time.sleep(0.1)
        time.sleep(seconds)  # the strategy trades; there is no event to wait for: any moment will do
        trading.send_signal(signal.SIGKILL)
        trading.wait()
        stand_still(emulator)

        config = load_program(PROGRAM)
        config.strategy = Witness()
        config.exit_after_cancel = False
        config.log_config.level_stdout = "ERROR"
        engine = Engine(config)
        engine.start()

        truth = ask(emulator, "/emulator/ledger")["accounts"]["main"]["usdm"]
        comparison = compare(engine.books(ACCOUNT), truth, "-PERP.BINANCE")
        assert comparison.orders > 0
        assert comparison.differences == ()
    monkeypatch.undo()
    settings.reload()
