"""A running emulator, and engines on it."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from e2e_setup import FUTURES, Build

import canaries
from nexustrader.config import BasicConfig, Config, LogConfig, PrivateConnectorConfig, PublicConnectorConfig
from nexustrader.constants import AccountType, ExchangeType, settings
from nexustrader.emulator.process import EmulatorProcess
from nexustrader.engine import Engine
from nexustrader.strategy import Strategy


@pytest.fixture(scope="module")
def emulator() -> Iterator[EmulatorProcess]:
    with EmulatorProcess.start("binance", seed=7) as running:
        canaries.watch(running.api_key, running.secret)
        yield running


@pytest.fixture
def redirected(
    emulator: EmulatorProcess, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> Iterator[EmulatorProcess]:
    """The settings point at the emulator; the working directory is the test's own."""
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("NEXUS_ENDPOINTS__BINANCE", emulator.url)
    monkeypatch.setenv("NEXUS_BINANCE__DEMO__API_KEY", emulator.api_key)
    monkeypatch.setenv("NEXUS_BINANCE__DEMO__SECRET", emulator.secret)
    settings.reload()
    yield emulator
    monkeypatch.undo()
    settings.reload()


@pytest.fixture
def build(redirected: EmulatorProcess) -> Build:
    """`build(strategy, *account_types, **config)` -> an engine on the emulator."""

    def make(strategy: Strategy, *types: AccountType, **changes: Any) -> Engine:
        accounts = types or (FUTURES,)
        fields: dict[str, Any] = {
            "strategy_id": "test",
            "user_id": "e2e",
            "strategy": strategy,
            "basic_config": {ExchangeType.BINANCE: BasicConfig(settings_key="BINANCE.DEMO", testnet=True)},
            "public_conn_config": {
                ExchangeType.BINANCE: [PublicConnectorConfig(account_type=t) for t in accounts]
            },
            "private_conn_config": {
                ExchangeType.BINANCE: [PrivateConnectorConfig(account_type=t) for t in accounts]
            },
            "log_config": LogConfig(level_stdout="WARNING"),
        }
        return Engine(Config(**(fields | changes)))

    return make
