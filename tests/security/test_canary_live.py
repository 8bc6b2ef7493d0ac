"""The whole live stack on an emulator, logged at TRACE, shows no secret (S2): not in its logs, journal or errors."""

from __future__ import annotations

import os
import re
import sys

import pytest

from nexustrader.emulator.process import EmulatorProcess
from workspace import Workspace

PROGRAM = """
import sys
from decimal import Decimal

from nexustrader.config import BasicConfig, Config, LogConfig, PrivateConnectorConfig, PublicConnectorConfig
from nexustrader.constants import ExchangeType, OrderSide, OrderType
from nexustrader.engine import Engine
from nexustrader.exchange import BinanceAccountType
from nexustrader.strategy import Strategy

TYPE = BinanceAccountType.USD_M_FUTURE_TESTNET
SYMBOL = "BTCUSDT-PERP.BINANCE"
CONFIG = BasicConfig.from_env("CANARY", testnet=True)


class Trader(Strategy):
    def on_start(self):
        self.seen = 0
        for create in (self.create_order, self.create_order_ws):
            create(SYMBOL, OrderSide.BUY, OrderType.LIMIT, Decimal("0.01"), Decimal(50_000))
        create(SYMBOL, OrderSide.BUY, OrderType.LIMIT, Decimal("0.01"), Decimal("1"))
        self.schedule(self.finish, trigger="interval", seconds=2)
        raise RuntimeError(f"in a callback: {CONFIG.api_key} {CONFIG.secret}")

    def on_accepted_order(self, order):
        self.seen += 1
        self.log.info(f"accepted with {CONFIG.secret}", config=CONFIG)

    def finish(self):
        print("accepted:", self.seen, flush=True)
        self.stop()


engine = Engine(
    Config(
        strategy_id="canary",
        user_id="test",
        strategy=Trader(),
        basic_config={ExchangeType.BINANCE: CONFIG},
        public_conn_config={ExchangeType.BINANCE: [PublicConnectorConfig(account_type=TYPE)]},
        private_conn_config={ExchangeType.BINANCE: [PrivateConnectorConfig(account_type=TYPE)]},
        log_config=LogConfig("TRACE", "TRACE", "logs", "all.log", "JSON"),
    )
)

if __name__ == "__main__":
    try:
        engine.start()
    finally:
        engine.dispose()
    print("ended", flush=True)
"""


def everything_written(workspace: Workspace) -> dict[str, bytes]:
    return {
        str(path.relative_to(workspace.folder)): path.read_bytes()
        for path in workspace.folder.rglob("*")
        if path.is_file()
    }


@pytest.mark.slow
@pytest.mark.parametrize("keys", ["right", "wrong"])
def test_a_live_run_shows_no_secret(workspace: Workspace, keys: str) -> None:
    program = workspace.write("program.py", PROGRAM)
    with EmulatorProcess.start("binance", seed=7) as emulator:
        secrets = (
            (emulator.api_key, emulator.secret) if keys == "right" else ("CANARYKEY" * 7, "CANARYSECRET" * 5)
        )
        done = workspace.run(
            [sys.executable, "-X", "dev", str(program)],
            NEXUS_ENDPOINTS__BINANCE=emulator.url,
            CANARY_API_KEY=secrets[0],
            CANARY_SECRET=secrets[1],
            PYTHONASYNCIODEBUG="1",
            PYTHONPATH=os.pathsep.join(path for path in sys.path if path.endswith("src")),
        )
    outputs = {
        "stdout": done.stdout.encode(),
        "stderr": done.stderr.encode(),
        **everything_written(workspace),
    }
    if keys == "right":
        assert "accepted: 2" in done.stdout, done.stdout[-2_000:] + done.stderr[-2_000:]
        assert "ended" in done.stdout
        assert b"in a callback: ******** ********" in outputs["stdout"]
        assert len(outputs["logs/all.log"]) > 0
    else:
        assert "accepted: 2" not in done.stdout
    for name, data in outputs.items():
        for secret in secrets:
            assert secret.encode() not in data, name
        found = re.findall(rb"(?i)(?:signature|listenKey)[\"']?[=:] ?[\"']?([A-Za-z0-9]{32,})", data)
        assert found == [], name
