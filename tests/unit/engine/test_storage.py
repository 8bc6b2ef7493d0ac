"""Where a run keeps its journal."""

from __future__ import annotations

import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from nexustrader._engine.storage import DeferredJournal, database_path
from nexustrader.config import BasicConfig, Config, PrivateConnectorConfig, PublicConnectorConfig
from nexustrader.constants import ExchangeType, StorageType, settings
from nexustrader.error import EngineBuildError
from nexustrader.exchange import BinanceAccountType
from nexustrader.strategy import Strategy


@pytest.fixture
def emulated(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> Iterator[Path]:
    """The settings of an emulated run, without an overlay yet."""
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("NEXUS_EMULATED__DB_PATH", str(tmp_path / "emulated.db"))
    settings.reload()
    yield tmp_path / "emulated.db"
    settings.remove_overlay("BINANCE")
    monkeypatch.undo()
    settings.reload()


def config(**changes: Any) -> Config:
    private = PrivateConnectorConfig(account_type=BinanceAccountType.USD_M_FUTURE)
    return Config(
        strategy_id="s",
        user_id="u",
        strategy=Strategy(),
        basic_config={ExchangeType.BINANCE: BasicConfig(api_key="key", secret="secret")},
        public_conn_config={
            ExchangeType.BINANCE: [PublicConnectorConfig(account_type=BinanceAccountType.USD_M_FUTURE)]
        },
        private_conn_config={ExchangeType.BINANCE: [private]},
        db_path="real.db",
        **changes,
    )


def test_a_live_run_keeps_its_journal_where_the_program_says() -> None:
    assert database_path(config()) == Path("real.db")


def test_an_emulated_run_never_touches_the_real_journal(emulated: Path) -> None:
    settings.overlay("BINANCE", "throw-away key", "throw-away secret")
    assert database_path(config()) == emulated


def test_a_run_that_is_emulated_in_part_is_refused(emulated: Path) -> None:
    with pytest.raises(EngineBuildError, match="--emulate binance"):
        database_path(config())


async def test_only_postgresql_is_mirrored_to() -> None:
    assert await DeferredJournal().mirrored_by(config()) is None


async def test_an_emulated_run_is_never_mirrored(emulated: Path) -> None:
    assert await DeferredJournal().mirrored_by(config(storage_backend=StorageType.POSTGRESQL)) is None


async def test_without_the_extra_postgresql_is_refused_with_its_name(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "asyncpg", None)
    monkeypatch.delitem(sys.modules, "nexustrader.persistence.postgres", raising=False)
    with pytest.raises(EngineBuildError, match="asyncpg is not installed: install the extra `postgres`"):
        await DeferredJournal().mirrored_by(config(storage_backend=StorageType.POSTGRESQL))
