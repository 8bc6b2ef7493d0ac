"""A process that is killed loses no order: the next one knows them all again."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from e2e_setup import control

import canaries
from nexustrader.cli.ledger import ask
from nexustrader.emulator.process import EmulatorProcess

PROGRAM = Path(__file__).with_name("resting_orders.py")

pytestmark = [pytest.mark.slow, pytest.mark.timeout(90)]


@pytest.fixture
def emulator() -> Iterator[EmulatorProcess]:
    with EmulatorProcess.start("binance", market="still") as running:
        canaries.watch(running.api_key, running.secret)
        yield running


class Run:
    """One process of the program, and what it says."""

    def __init__(self, emulator: EmulatorProcess, database: Path) -> None:
        environment = {
            **os.environ,
            "NEXUS_ENDPOINTS__BINANCE": emulator.url,
            "NEXUS_BINANCE__DEMO__API_KEY": emulator.api_key,
            "NEXUS_BINANCE__DEMO__SECRET": emulator.secret,
        }
        self.process = subprocess.Popen(
            [sys.executable, "-W", "ignore", str(PROGRAM), str(database)],
            stdout=subprocess.PIPE,
            text=True,
            env=environment,
            cwd=database.parent,
        )

    def next(self, event: str) -> dict[str, Any]:
        """The next message of this kind."""
        assert self.process.stdout is not None
        for line in self.process.stdout:
            message: dict[str, Any] = json.loads(line)
            if message["event"] == event:
                return message
        raise AssertionError(f"the program ended before it said {event!r}")

    def kill(self) -> None:
        self.process.send_signal(signal.SIGKILL)
        self.end()

    def stop(self) -> None:
        self.process.send_signal(signal.SIGTERM)
        assert self.end() == 0

    def end(self) -> int:
        """Wait for the end; the exit code."""
        code = self.process.wait(30)
        assert self.process.stdout is not None
        self.process.stdout.close()
        return code


def orders_of(emulator: EmulatorProcess) -> list[dict[str, Any]]:
    orders: list[dict[str, Any]] = ask(emulator, "/emulator/ledger")["accounts"]["main"]["usdm"]["orders"]
    return orders


def test_open_orders_are_known_again_after_a_kill_and_none_is_sent_twice(
    emulator: EmulatorProcess, tmp_path: Path
) -> None:
    first = Run(emulator, tmp_path / "cache.db")
    assert first.next("start")["open"] == []
    oids = sorted(first.next("accepted")["oid"] for _ in range(3))
    first.kill()

    second = Run(emulator, tmp_path / "cache.db")
    assert second.next("start")["open"] == oids
    second.next("placed")  # the same idempotency keys again: nothing may leave
    second.stop()
    assert sorted(order["client_id"] for order in orders_of(emulator)) == oids


def test_orders_sent_but_not_acknowledged_when_the_process_died_are_known_again(
    emulator: EmulatorProcess, tmp_path: Path
) -> None:
    first = Run(emulator, tmp_path / "cache.db")
    first.next("placed")  # the bytes have left, no answer was waited for
    first.kill()

    second = Run(emulator, tmp_path / "cache.db")
    known = second.next("start")["open"]
    second.next("placed")
    second.stop()
    assert len(known) == 3
    assert {order["client_id"] for order in orders_of(emulator)} <= set(known)


def test_fills_that_happened_while_the_process_was_down_are_in_the_position(
    emulator: EmulatorProcess, tmp_path: Path
) -> None:
    first = Run(emulator, tmp_path / "cache.db")
    for _ in range(3):
        first.next("accepted")
    first.kill()
    control(
        emulator, "/emulator/market", {"symbol": "BTCUSDT", "product": "usdm", "bid": "49400", "ask": "49401"}
    )

    second = Run(emulator, tmp_path / "cache.db")
    start = second.next("start")
    second.stop()
    assert len(start["open"]) == 2
    assert start["position"] == "0.010"
    assert [o["status"] for o in orders_of(emulator)].count("FILLED") == 1


def test_a_second_engine_on_the_same_journal_refuses_to_start(
    emulator: EmulatorProcess, tmp_path: Path
) -> None:
    first = Run(emulator, tmp_path / "cache.db")
    first.next("start")
    second = Run(emulator, tmp_path / "cache.db")
    assert second.end() != 0
    first.stop()
