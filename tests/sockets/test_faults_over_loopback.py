"""Ring B: the whole live stack over real sockets while the emulator, told by its control endpoint, does wrong."""

from __future__ import annotations

import json
import os
import threading
import urllib.request
from pathlib import Path
from typing import Any

import pytest

import canaries
from nexustrader.chaos.workload import RandomTrader
from nexustrader.cli.ledger import ask
from nexustrader.config import BasicConfig, Config, LogConfig, PrivateConnectorConfig, PublicConnectorConfig
from nexustrader.constants import ExchangeType, settings
from nexustrader.emulator.process import EmulatorProcess
from nexustrader.engine import Engine
from nexustrader.exchange import BinanceAccountType
from nexustrader.kernel.entropy import Entropy
from nexustrader.testing.comparison import compare

ACCOUNT = "binance:USD_M_FUTURE_TESTNET"
TYPE = BinanceAccountType.USD_M_FUTURE_TESTNET
SYMBOL = "BTCUSDT-PERP.BINANCE"
TRADING_S = float(os.environ.get("NEXUSTRADER_SOAK_S", "8"))
QUIET_S = 40.0

MIXES: dict[str, list[dict[str, Any]]] = {
    "replies": [
        {"action": "drop_ack", "on": "order.place", "count": 2},
        {"action": "reset_after", "on": "orders"},
        {"action": "http_status_after", "on": "orders", "reply": "unknown"},
        {"action": "garble_reply", "how": "html"},
        {"action": "garble_reply", "how": "oversized"},
        {"action": "garble_reply", "how": "truncated", "on": "queries"},
        {"action": "reset_before", "on": "order.place"},
        {"action": "ghost_twin"},
    ],
    "streams": [
        {"action": "disconnect", "kind": "user"},
        {"action": "drop_event", "count": 3},
        {"action": "duplicate_event", "count": 4, "delay_ms": 300},
        {"action": "swap_event", "count": 3, "delay_ms": 200},
        {"action": "disconnect", "kind": "all"},
        {"action": "expire_listen_key", "how": "told"},
        {"action": "alter_event", "how": "unknown_type"},
        {"action": "multiply_push", "n": 100, "count": 50},
    ],
    "orders": [
        {"action": "cancel_refused", "count": 2},
        {"action": "fill_wins", "on": "order.cancel"},
        {"action": "late_end", "how": "STP", "delay_ms": 200},
        {"action": "killed_at_entry", "how": "acked"},
        {"action": "overfill", "part": "0.5"},
        {"action": "manual_cancel", "symbol": "BTCUSDT", "product": "usdm"},
        {"action": "stale_reads", "lag_ms": 0, "count": 5},
    ],
}


class Trader(RandomTrader):
    """Trades for a while, rests until nothing is in doubt or the time is up, and ends."""

    def on_start(self) -> None:
        super().on_start()
        self.schedule(self.wind_down, "interval", seconds=TRADING_S)
        self.schedule(self.end_when_quiet, "interval", seconds=1)
        self.until_ms = self.clock.timestamp_ms() + round((TRADING_S + QUIET_S) * 1000)

    def end_when_quiet(self) -> None:
        runtime = self._engine
        in_doubt = any(s.is_unknown or s.has_cancel_intent for s in runtime.oms.open_orders())
        sums = any(s.filled > s.fills_amount for s in runtime.oms.orders())
        is_quiet = not self.is_trading and not runtime.ems.is_waiting and not in_doubt and not sums
        if is_quiet or self.clock.timestamp_ms() > self.until_ms:
            self.stop()


def control(emulator: EmulatorProcess, method: str, body: dict[str, Any] | None = None) -> None:
    request = urllib.request.Request(
        f"{emulator.url}/emulator/faults",
        data=None if body is None else json.dumps(body).encode(),
        headers={"X-Emulator-Token": emulator.token, "Content-Type": "application/json"},
        method=method,
    )
    urllib.request.urlopen(request, timeout=10).read()


def strike(emulator: EmulatorProcess, mix: list[dict[str, Any]], ended: threading.Event) -> None:
    """One fault after the other while the strategy trades, and then none any more."""
    pause_s = TRADING_S * 0.7 / len(mix)
    ended.wait(1.0)
    for fault in mix:
        if ended.wait(pause_s):
            return
        control(emulator, "POST", fault)
    control(emulator, "DELETE")


@pytest.mark.slow
@pytest.mark.timeout(120)
@pytest.mark.parametrize("mix", MIXES)
def test_after_faults_over_real_sockets_the_books_equal_the_venues(
    mix: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    with EmulatorProcess.start("binance", seed=5) as emulator:
        canaries.watch(emulator.api_key, emulator.secret)
        monkeypatch.chdir(tmp_path)
        monkeypatch.setenv("NEXUS_ENDPOINTS__BINANCE", emulator.url)
        monkeypatch.setenv("NEXUS_BINANCE__DEMO__API_KEY", emulator.api_key)
        monkeypatch.setenv("NEXUS_BINANCE__DEMO__SECRET", emulator.secret)
        settings.reload()
        ended = threading.Event()
        strategy = Trader(Entropy(5), SYMBOL, pace_s=0.15)
        engine = Engine(
            Config(
                strategy_id=f"sockets-{mix}",
                user_id="test",
                strategy=strategy,
                basic_config={ExchangeType.BINANCE: BasicConfig(settings_key="BINANCE.DEMO", testnet=True)},
                public_conn_config={ExchangeType.BINANCE: [PublicConnectorConfig(account_type=TYPE)]},
                private_conn_config={ExchangeType.BINANCE: [PrivateConnectorConfig(account_type=TYPE)]},
                db_path=str(tmp_path / "cache.db"),
                log_config=LogConfig(level_stdout="OFF"),
            )
        )
        striking = threading.Thread(target=strike, args=(emulator, MIXES[mix], ended))
        striking.start()
        try:
            engine.start()
        finally:
            ended.set()
            striking.join()
        fired = ask(emulator, "/emulator/status")["faults"]["fired"]
        truth = ask(emulator, "/emulator/ledger")["accounts"]["main"]["usdm"]
        comparison = compare(engine.books(ACCOUNT), truth, "-PERP.BINANCE")
    monkeypatch.undo()
    settings.reload()
    assert comparison.differences == ()
    assert comparison.orders > 5
    assert len(fired) >= 3
    assert engine.health.violations == []
