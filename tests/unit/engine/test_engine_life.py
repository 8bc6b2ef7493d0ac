"""How an engine starts, stops while it starts, and goes on when its disk does not."""

from __future__ import annotations

import asyncio
import socket
import sys
import threading
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from nexustrader._engine.connect import all_or_none
from nexustrader.config import BasicConfig, Config, PublicConnectorConfig
from nexustrader.constants import ExchangeType, settings
from nexustrader.domain import events as ev
from nexustrader.domain.snapshot import Snapshot
from nexustrader.engine import Engine
from nexustrader.error import JournalError, NexusTraderError
from nexustrader.exchange import BinanceAccountType
from nexustrader.persistence.memory import MemoryJournal
from nexustrader.strategy import Strategy


class Noting(Strategy):
    started = stopped = False

    def on_start(self) -> None:
        self.started = True

    def on_stop(self) -> None:
        self.stopped = True


@pytest.fixture
def silent_venue(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> Iterator[None]:
    """A venue that takes connections and never says a word."""
    monkeypatch.chdir(tmp_path)
    with socket.create_server(("127.0.0.1", 0)) as listening:
        monkeypatch.setenv("NEXUS_ENDPOINTS__BINANCE", f"http://127.0.0.1:{listening.getsockname()[1]}")
        settings.reload()
        yield
    monkeypatch.undo()
    settings.reload()


def an_engine(strategy: Strategy, **changes: Any) -> Engine:
    fields: dict[str, Any] = {
        "strategy_id": "life",
        "user_id": "test",
        "strategy": strategy,
        "basic_config": {ExchangeType.BINANCE: BasicConfig()},
        "public_conn_config": {},
    }
    return Engine(Config(**(fields | changes)))


@pytest.mark.slow
@pytest.mark.usefixtures("silent_venue")
def test_an_engine_that_is_stopped_while_it_starts_ends_at_once_and_never_calls_the_strategy() -> None:
    strategy = Noting()
    publics = {ExchangeType.BINANCE: [PublicConnectorConfig(account_type=BinanceAccountType.USD_M_FUTURE)]}
    engine = an_engine(strategy, public_conn_config=publics)
    timer = threading.Timer(0.3, engine.dispose)
    timer.start()
    began = time.monotonic()
    engine.start()
    timer.join()
    assert time.monotonic() - began < 5
    assert (strategy.started, strategy.stopped) == (False, False)


def test_a_stop_in_on_start_is_an_ordinary_run() -> None:
    class Brief(Noting):
        def on_start(self) -> None:
            super().on_start()
            self.stop()

    strategy = Brief()
    an_engine(strategy).start()
    assert (strategy.started, strategy.stopped) == (True, True)


def test_a_strategy_that_exits_the_program_is_stopped_in_good_order_first() -> None:
    class Exiting(Noting):
        def on_start(self) -> None:
            super().on_start()
            self.schedule(lambda: sys.exit(3), trigger="interval", seconds=0.01)

    strategy = Exiting()
    with pytest.raises(SystemExit, match="3"):
        an_engine(strategy).start()
    assert strategy.stopped


def test_a_strategy_that_exits_the_program_in_on_start_ends_it() -> None:
    class Exiting(Noting):
        def on_start(self) -> None:
            sys.exit(3)

    with pytest.raises(SystemExit, match="3"):
        an_engine(Exiting()).start()


def test_an_engine_that_was_disposed_says_so_when_it_is_started() -> None:
    engine = an_engine(Noting())
    engine.dispose()
    with pytest.raises(NexusTraderError, match="disposed"):
        engine.start()


class SickJournal(MemoryJournal):
    def __init__(self) -> None:
        super().__init__()
        self.checkpoints = 0
        self.threads: set[int] = set()

    def checkpoint(self) -> int:
        self.checkpoints += 1
        self.threads.add(threading.get_ident())
        if self.checkpoints == 1:
            raise JournalError("the disk is full; free some space")
        return 0


def test_a_checkpoint_that_fails_is_made_again_and_never_on_the_engines_thread(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    engine = an_engine(Noting())
    monkeypatch.setattr(engine._world, "checkpoint_interval_s", 0.01)
    journal = SickJournal()
    engine._journal.use(journal)

    async def run() -> None:
        with pytest.raises(TimeoutError):
            await asyncio.wait_for(engine._checkpoint_forever(), 0.2)

    engine._loop.run_until_complete(run())
    engine.dispose()
    assert journal.checkpoints > 1
    assert threading.get_ident() not in journal.threads


class FullJournal(SickJournal):
    def rotate(self, snapshot: Snapshot) -> None:
        self.threads.add(threading.get_ident())
        super().rotate(snapshot)


def test_a_full_journal_is_rotated_and_never_on_the_engines_thread(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("nexustrader.persistence.memory.RECORDS_MAX", 3)
    engine = an_engine(Noting())
    monkeypatch.setattr(engine._world, "checkpoint_interval_s", 0.01)
    journal = FullJournal()
    for n in range(3):
        journal.append(ev.Delivered(timestamp=n))
    engine._journal.use(journal)

    async def run() -> None:
        with pytest.raises(TimeoutError):
            await asyncio.wait_for(engine._checkpoint_forever(), 0.2)

    engine._loop.run_until_complete(run())
    engine.dispose()
    (only,) = journal.replay()
    assert isinstance(only, Snapshot)
    assert only.seq == 3
    assert threading.get_ident() not in journal.threads


async def test_one_failure_ends_what_was_begun_beside_it() -> None:
    ended: list[str] = []

    async def endless() -> None:
        try:
            await asyncio.Event().wait()
        finally:
            ended.append("endless")

    async def failing() -> None:
        await asyncio.sleep(0)
        raise JournalError("no")

    with pytest.raises(JournalError):
        await all_or_none(endless(), failing())
    assert ended == ["endless"]
