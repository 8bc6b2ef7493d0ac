"""`nexustrader repair` on an emulated venue, after the program was killed."""

from __future__ import annotations

import os
import subprocess
import sys
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
from e2e_setup import control
from test_kill import PROGRAM, Run

import canaries
from nexustrader.emulator.process import EmulatorProcess
from nexustrader.kernel.clock import VirtualClock
from nexustrader.persistence.sqlite import SqliteJournal

pytestmark = [pytest.mark.slow, pytest.mark.timeout(90)]

Repair = Callable[..., subprocess.CompletedProcess[str]]


@pytest.fixture
def emulator() -> Iterator[EmulatorProcess]:
    with EmulatorProcess.start("binance", market="still") as running:
        canaries.watch(running.api_key, running.secret)
        yield running


@pytest.fixture
def repair(emulator: EmulatorProcess, tmp_path: Path) -> Repair:
    """`nexustrader repair` for the program of `Run`, whose database is its argument."""
    program = tmp_path / "program.py"
    program.write_text(
        f"import sys\nsys.path.insert(0, {str(PROGRAM.parent)!r})\n"
        f"sys.argv = ['program', {str(tmp_path / 'cache.db')!r}]\nimport resting_orders\n"
    )

    def run(*options: str) -> subprocess.CompletedProcess[str]:
        return subprocess.run(
            [sys.executable, "-W", "ignore", "-m", "nexustrader.cli.main", "repair", str(program), *options],
            capture_output=True,
            text=True,
            check=False,
            timeout=60,
            cwd=tmp_path,
            env={
                **os.environ,
                "COLUMNS": "140",
                "NEXUS_ENDPOINTS__BINANCE": emulator.url,
                "NEXUS_BINANCE__DEMO__API_KEY": emulator.api_key,
                "NEXUS_BINANCE__DEMO__SECRET": emulator.secret,
            },
        )

    return run


def killed_with_resting_orders(emulator: EmulatorProcess, database: Path) -> list[str]:
    """The oids of the three orders, the first of which is the nearest to the market."""
    first = Run(emulator, database)
    oids = [first.next("accepted")["oid"] for _ in range(3)]
    first.kill()
    return sorted(oids)


def records(database: Path) -> int:
    with SqliteJournal(database, "resting", "test", {}, VirtualClock()) as journal:
        return journal.last_seq


def test_journal_that_agrees_is_said_to_agree(
    emulator: EmulatorProcess, tmp_path: Path, repair: Repair
) -> None:
    oids = killed_with_resting_orders(emulator, tmp_path / "cache.db")
    done = repair()
    assert done.returncode == 0, done.stderr
    assert "The journal agrees with the venue." in done.stdout
    for oid in oids:
        (line,) = (line for line in done.stdout.splitlines() if line.startswith(oid))
        assert "ACCEPTED, 0 of 0.01 filled at" in line
        assert "open, 0 of 0.01 filled at" in line
    assert "USDT" in done.stdout


def test_what_happened_meanwhile_is_proposed_and_on_demand_journalled(
    emulator: EmulatorProcess, tmp_path: Path, repair: Repair
) -> None:
    database = tmp_path / "cache.db"
    killed_with_resting_orders(emulator, database)
    before = records(database)
    control(
        emulator, "/emulator/market", {"symbol": "BTCUSDT", "product": "usdm", "bid": "49400", "ask": "49401"}
    )

    proposed = repair()
    assert proposed.returncode == 1, proposed.stderr
    text = " ".join(proposed.stdout.split())
    assert "not open: FILLED, 0.01 of 0.01 filled" in text
    assert "BTCUSDT-PERP.BINANCE none 0.01 at" in text
    assert "correction(s): order" in text
    assert "filled 0.010 at" in text
    assert "Nothing was written" in text
    assert records(database) == before

    applied = repair("--apply")
    assert applied.returncode == 0, applied.stderr
    assert "are in the journal; the next start goes on from there" in applied.stdout
    assert records(database) > before

    again = repair()
    assert again.returncode == 0, again.stdout + again.stderr
    assert "The journal agrees with the venue." in again.stdout

    second = Run(emulator, database)
    start = second.next("start")
    assert len(start["open"]) == 2
    assert start["position"] == "0.010"
    second.next("filled")  # the strategy hears of it all the same
    second.stop()


def test_orders_of_another_strategy_are_shown_and_left_alone(
    emulator: EmulatorProcess, tmp_path: Path, repair: Repair, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("RESTING_ID", "another")
    others = killed_with_resting_orders(emulator, tmp_path / "another.db")
    monkeypatch.delenv("RESTING_ID")
    done = repair("--apply")
    assert done.returncode == 0, done.stdout + done.stderr
    for oid in others:
        (line,) = (line for line in done.stdout.splitlines() if line.startswith(oid))
        assert "not known" in line
    assert "not this strategy's: left alone" in " ".join(done.stdout.split())
    assert "The journal agrees with the venue." in done.stdout


def test_running_engine_keeps_its_journal(emulator: EmulatorProcess, tmp_path: Path, repair: Repair) -> None:
    run = Run(emulator, tmp_path / "cache.db")
    run.next("placed")
    refused = repair("--apply")
    assert refused.returncode == 2
    assert f"process {run.process.pid} already trades" in refused.stderr
    run.stop()


def test_program_without_an_account_at_a_venue_is_refused(repair: Repair, tmp_path: Path) -> None:
    (tmp_path / "program.py").write_text(
        "from nexustrader.config import *\nfrom nexustrader.constants import ExchangeType\n"
        "from nexustrader.strategy import Strategy\n"
        "config = Config('s', 'u', Strategy(), {ExchangeType.BINANCE: BasicConfig()}, {})\n"
    )
    refused = repair()
    assert refused.returncode == 2
    assert "no account at a venue" in refused.stderr
