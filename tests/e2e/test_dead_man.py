"""The venue's dead-man timer over real sockets: it outlives the program that asked for it."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path

import pytest
from e2e_setup import SPOT, Build

import canaries
from nexustrader.cli.ledger import ask
from nexustrader.config import PrivateConnectorConfig
from nexustrader.constants import ExchangeType
from nexustrader.emulator.process import EmulatorProcess
from nexustrader.error import DeadManError
from nexustrader.strategy import Strategy

PROGRAM = Path(__file__).with_name("resting_orders.py")
DEAD_MAN_MS = 3_000

pytestmark = [pytest.mark.slow, pytest.mark.timeout(60)]


@pytest.fixture
def still_venue() -> Iterator[EmulatorProcess]:
    with EmulatorProcess.start("binance", market="still") as running:
        canaries.watch(running.api_key, running.secret)
        yield running


@pytest.fixture
def program(still_venue: EmulatorProcess, tmp_path: Path) -> Iterator[subprocess.Popen[str]]:
    """The program of a user with a dead-man timer, once its three orders rest."""
    environment = {
        **os.environ,
        "NEXUS_ENDPOINTS__BINANCE": still_venue.url,
        "NEXUS_BINANCE__DEMO__API_KEY": still_venue.api_key,
        "NEXUS_BINANCE__DEMO__SECRET": still_venue.secret,
    }
    command = [sys.executable, "-W", "ignore", str(PROGRAM), str(tmp_path / "cache.db"), str(DEAD_MAN_MS)]
    with subprocess.Popen(
        command, stdout=subprocess.PIPE, text=True, env=environment, cwd=tmp_path
    ) as process:
        assert process.stdout is not None
        accepted = 0
        while accepted < 3:
            accepted += json.loads(process.stdout.readline())["event"] == "accepted"
        yield process
        process.kill()


def statuses(emulator: EmulatorProcess) -> list[str]:
    orders = ask(emulator, "/emulator/ledger")["accounts"]["main"]["usdm"]["orders"]
    return [order["status"] for order in orders]


def wait_for(emulator: EmulatorProcess, status: str, seconds: float) -> float:
    """How long it took until all orders had this status."""
    began = time.monotonic()
    while set(statuses(emulator)) != {status}:
        assert time.monotonic() - began < seconds, statuses(emulator)
        time.sleep(0.05)
    return time.monotonic() - began


def test_the_orders_of_a_killed_program_are_cancelled_by_the_venue(
    still_venue: EmulatorProcess, program: subprocess.Popen[str]
) -> None:
    time.sleep(DEAD_MAN_MS / 1000 * 1.5)  # it has been set anew in between
    assert statuses(still_venue) == ["NEW"] * 3
    program.send_signal(signal.SIGKILL)
    program.wait(10)
    assert statuses(still_venue) == ["NEW"] * 3
    assert wait_for(still_venue, "CANCELED", DEAD_MAN_MS / 1000 + 2) > 0.5


def test_orders_that_are_meant_to_stay_survive_an_orderly_stop(
    still_venue: EmulatorProcess, program: subprocess.Popen[str]
) -> None:
    time.sleep(DEAD_MAN_MS / 1000 / 2)
    program.send_signal(signal.SIGTERM)
    assert program.wait(20) == 0
    time.sleep(DEAD_MAN_MS / 1000 + 1)
    assert statuses(still_venue) == ["NEW"] * 3


def test_an_account_without_such_a_timer_is_refused_before_anything_is_asked_of_the_network(
    build: Build,
) -> None:
    engine = build(
        Strategy(),
        SPOT,
        private_conn_config={
            ExchangeType.BINANCE: [PrivateConnectorConfig(account_type=SPOT, dead_man_ms=DEAD_MAN_MS)]
        },
    )
    with pytest.raises(DeadManError, match="SPOT_TESTNET has no dead-man timer"):
        engine.start()
