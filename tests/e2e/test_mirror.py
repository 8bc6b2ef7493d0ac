"""An engine whose journal is mirrored to PostgreSQL: the machine is lost, and its orders are known again."""

from __future__ import annotations

import asyncio
import shutil
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from e2e_setup import control
from test_kill import Run, orders_of

import canaries
from nexustrader.emulator.process import EmulatorProcess
from postgres_server import Server, running_server

pytest.importorskip("asyncpg", reason="the extra `postgres` is not installed")

pytestmark = [pytest.mark.slow, pytest.mark.timeout(120)]


@pytest.fixture
def server() -> Iterator[Server]:
    with running_server() as found:
        if isinstance(found, str):
            pytest.skip(found)
        yield found


@pytest.fixture
def emulator() -> Iterator[EmulatorProcess]:
    with EmulatorProcess.start("binance", market="still") as running:
        canaries.watch(running.api_key, running.secret)
        yield running


@pytest.fixture
def mirrored(server: Server, monkeypatch: pytest.MonkeyPatch) -> Server:
    """Programs of the test find the server, and are told to use it."""
    monkeypatch.setenv("RESTING_BACKEND", "POSTGRESQL")
    monkeypatch.setenv("NEXUS_PG_HOST", str(server.folder))
    monkeypatch.setenv("NEXUS_PG_PORT", str(server.port))
    monkeypatch.setenv("NEXUS_PG_USER", "nexus")
    monkeypatch.setenv("NEXUS_PG_PASSWORD", "")
    return server


def mirrored_records(server: Server) -> int:
    import asyncpg

    async def ask() -> Any:
        connection = await asyncpg.connect(
            host=str(server.folder), port=server.port, user="nexus", database="postgres"
        )
        try:
            return await connection.fetchval("SELECT count(*) FROM resting_test_journal")
        finally:
            await connection.close()

    return int(asyncio.run(ask()))


def machine(folder: Path, name: str, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A folder of its own, with locks of its own, and the database in it."""
    place = folder / name
    place.mkdir()
    monkeypatch.setenv("NEXUSTRADER_RUNTIME_DIR", str(place / "locks"))
    return place / "cache.db"


def test_orders_of_a_lost_machine_are_known_on_another(
    emulator: EmulatorProcess, mirrored: Server, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    lost = machine(tmp_path, "lost", monkeypatch)
    first = Run(emulator, lost)
    oids = sorted(first.next("accepted")["oid"] for _ in range(3))
    first.stop()
    assert mirrored_records(mirrored) >= 6
    shutil.rmtree(lost.parent)
    control(
        emulator, "/emulator/market", {"symbol": "BTCUSDT", "product": "usdm", "bid": "49400", "ask": "49401"}
    )

    second = Run(emulator, machine(tmp_path, "new", monkeypatch))
    start = second.next("start")
    second.next("placed")  # the same idempotency keys again: nothing may leave
    second.stop()
    assert len(start["open"]) == 2
    assert start["position"] == "0.010"
    assert sorted(order["client_id"] for order in orders_of(emulator)) == oids


def test_a_killed_engine_starts_and_trades_while_the_server_is_away(
    emulator: EmulatorProcess, mirrored: Server, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    database = machine(tmp_path, "one", monkeypatch)
    first = Run(emulator, database)
    first.next("accepted")
    mirrored.stop()
    for _ in range(2):
        first.next("accepted")
    first.kill()
    second = Run(emulator, database)
    assert len(second.next("start")["open"]) == 3
    mirrored.start()
    second.next("placed")
    second.stop()
