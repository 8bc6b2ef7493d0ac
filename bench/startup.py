"""Seconds from the exec of a process to the first tick in its strategy, with and without instruments on disk.

    python bench/startup.py [--rounds 5] [--venues binance bybit]

An emulated venue stands still in another process. `cold` starts in an empty folder, `warm` in one in which an engine
has run before. The account is private and public: keys are checked, the account is reconciled, a book is subscribed.
`engine_s` counts from `Engine.start`. One JSON line a case, medians.
"""

from __future__ import annotations

import argparse
import json
import os
import statistics
import subprocess
import sys
import tempfile
import time
from typing import Any

from harness import machine

from nexustrader.emulator.process import EmulatorProcess

SYMBOLS = {"binance": "BTCUSDT-PERP.BINANCE", "bybit": "BTCUSDT-PERP.BYBIT"}


def run_engine(venue: str, began: float) -> None:
    """The process that is measured."""
    from nexustrader.config import (
        BasicConfig,
        Config,
        LogConfig,
        PrivateConnectorConfig,
        PublicConnectorConfig,
    )
    from nexustrader.constants import ExchangeType
    from nexustrader.engine import Engine
    from nexustrader.exchange import BinanceAccountType, BybitAccountType
    from nexustrader.strategy import Strategy

    public, private = {
        "binance": (BinanceAccountType.USD_M_FUTURE_TESTNET, BinanceAccountType.USD_M_FUTURE_TESTNET),
        "bybit": (BybitAccountType.LINEAR_TESTNET, BybitAccountType.UNIFIED_TESTNET),
    }[venue]
    exchange = ExchangeType(venue)
    started = 0.0

    class FirstTick(Strategy):
        def on_start(self) -> None:
            self.subscribe_bookl1(SYMBOLS[venue])

        def on_bookl1(self, _book: Any) -> None:
            now = time.time()
            print(json.dumps({"process_s": now - began, "engine_s": now - started}), flush=True)
            os._exit(0)

    keys = BasicConfig(api_key=os.environ["BENCH_KEY"], secret=os.environ["BENCH_SECRET"], testnet=True)
    engine = Engine(
        Config(
            strategy_id="bench",
            user_id="startup",
            strategy=FirstTick(),
            basic_config={exchange: keys},
            public_conn_config={exchange: [PublicConnectorConfig(account_type=public)]},
            private_conn_config={exchange: [PrivateConnectorConfig(account_type=private)]},
            log_config=LogConfig(level_stdout="ERROR"),
        )
    )
    started = time.time()
    engine.start()


def measured(venue: str, emulator: EmulatorProcess, folder: str) -> dict[str, float]:
    environment = os.environ | {
        f"NEXUS_ENDPOINTS__{venue.upper()}": emulator.url,
        "BENCH_KEY": emulator.api_key,
        "BENCH_SECRET": emulator.secret,
    }
    command = [sys.executable, "-W", "ignore", os.path.abspath(__file__), "--engine", venue, str(time.time())]
    done = subprocess.run(
        command, cwd=folder, env=environment, capture_output=True, text=True, timeout=60, check=True
    )
    found: dict[str, float] = json.loads(done.stdout.splitlines()[-1])
    return found


def main() -> None:
    parser = argparse.ArgumentParser()
    parser.add_argument("--rounds", type=int, default=5)
    parser.add_argument("--venues", nargs="*", default=list(SYMBOLS))
    parser.add_argument("--engine", nargs=2)
    args = parser.parse_args()
    if args.engine:
        run_engine(args.engine[0], float(args.engine[1]))
        return
    print(json.dumps({"machine": machine()}))
    for venue in args.venues:
        with EmulatorProcess.start(venue, seed=1) as emulator:
            rounds: dict[str, list[dict[str, float]]] = {"cold": [], "warm": []}
            for _ in range(args.rounds):
                with tempfile.TemporaryDirectory() as folder:
                    for case in ("cold", "warm"):
                        rounds[case].append(measured(venue, emulator, folder))
            for case, found in rounds.items():
                medians = {name: round(statistics.median(one[name] for one in found), 3) for name in found[0]}
                print(json.dumps({"venue": venue, "case": case, "rounds": len(found), **medians}))


if __name__ == "__main__":
    main()
