"""Seconds from the start of a process to a reconciled account, after a kill -9 with a thousand open orders.

    python bench/recovery.py [--rounds 5] [--orders 1000] [--latency-ms 50]

In each round an engine places the orders on an emulated venue (spot and USD-M), is killed, and another process starts
over its database while the venue holds back every reply. `case` is what became of the orders meanwhile:

resting   nothing: they are all still open
ended     the venue has cancelled them all, so that the list of open orders holds none of them
filled    the same, and what they filled at and cost has to be asked for as well
part      half of each has filled
unacked   the process was killed as soon as their bytes had left

`process_s` counts from the exec of the process, `engine_s` from `Engine.start`; both end at `on_start`, when start-up
reconciliation is over. One JSON line a case.
"""

from __future__ import annotations

import argparse
import json
import os
import signal
import statistics
import subprocess
import sys
import tempfile
import time
import urllib.request
from collections.abc import Callable, Iterator
from decimal import Decimal
from pathlib import Path
from typing import Any

from harness import machine

from nexustrader.config import BasicConfig, Config, LogConfig, PrivateConnectorConfig, PublicConnectorConfig
from nexustrader.constants import ExchangeType, OrderSide, OrderType
from nexustrader.emulator.process import EmulatorProcess
from nexustrader.engine import Engine
from nexustrader.exchange import BinanceAccountType
from nexustrader.strategy import Strategy

FUTURES, SPOT = BinanceAccountType.USD_M_FUTURE_TESTNET, BinanceAccountType.SPOT_TESTNET
# Of each symbol the venue takes 200 open orders.
SYMBOLS = [f"{base}USDT{suffix}.BINANCE" for suffix in ("-PERP", "") for base in ("BTC", "ETH", "SOL", "ODD")]
PER_SYMBOL = 200
AWAY = Decimal("0.97")
VALUE = Decimal(120)
PER_TICK = 25  # orders placed in a row before the loop turns
BOUND_S = 5.0
MEANWHILE: dict[str, dict[str, Any]] = {
    "ended": {"action": "manual_cancel"},
    "filled": {"action": "fill_order"},
    "part": {"action": "fill_order", "part": "0.5"},
}
CASES = ("resting", *MEANWHILE, "unacked")


def say(event: str, **what: object) -> None:
    print(json.dumps({"event": event, **what}), flush=True)


class Placer(Strategy):
    """Places resting orders, and says when all have been sent and when all have been accepted."""

    def __init__(self, orders: int) -> None:
        super().__init__()
        self._left = orders
        self._open = orders
        self._requests: Iterator[Callable[[], str]] = iter(())

    def on_start(self) -> None:
        self._requests = self._all()
        self.schedule(self._place, "interval", seconds=0.02)

    def _all(self) -> Iterator[Callable[[], str]]:
        for number in range(self._left):
            symbol = SYMBOLS[number // PER_SYMBOL]
            if number % PER_SYMBOL == 0:
                price = Decimal(str(self.request_ticker(symbol).last_price)) * AWAY
                amount = max(VALUE / price, self.min_order_amount(symbol, price))
            yield lambda s=symbol, a=amount, p=price: self.create_order_ws(
                s, OrderSide.BUY, OrderType.LIMIT, a, p
            )

    def _place(self) -> None:
        for _ in range(min(PER_TICK, self._left)):
            next(self._requests)()
            self._left -= 1
            if self._left == 0:
                say("sent")

    def on_accepted_order(self, order: Any) -> None:
        self._open -= 1
        if self._open == 0:
            say("accepted")

    def on_failed_order(self, order: Any) -> None:
        say("failed", reason=order.reason)


class Witness(Strategy):
    """Says what is known when it is started."""

    def __init__(self) -> None:
        super().__init__()
        self.engine: Any = None
        self.began = 0.0

    def on_start(self) -> None:
        engine_s = time.perf_counter() - self.began
        orders = list(self.engine._core.oms.orders())
        say(
            "reconciled",
            engine_s=engine_s,
            open=sum(order.is_open and not order.is_unknown for order in orders),
            unknown=sum(order.is_unknown for order in orders),
            closed=sum(order.is_closed for order in orders),
        )


def run_engine(side: str, database: str, orders: int) -> None:
    """One process: `place` or `recover`."""
    strategy: Any = Placer(orders) if side == "place" else Witness()
    types = (FUTURES, SPOT)
    engine = Engine(
        Config(
            strategy_id="recovery",
            user_id="bench",
            strategy=strategy,
            basic_config={ExchangeType.BINANCE: BasicConfig(settings_key="BINANCE.DEMO", testnet=True)},
            public_conn_config={ExchangeType.BINANCE: [PublicConnectorConfig(account_type=t) for t in types]},
            private_conn_config={
                ExchangeType.BINANCE: [
                    # The venue's limits of orders a minute are not what is measured.
                    PrivateConnectorConfig(account_type=t, enable_rate_limit=side != "place")
                    for t in types
                ]
            },
            db_path=database,
            exit_after_cancel=False,
            log_config=LogConfig(level_stdout="OFF"),
        )
    )
    if side == "recover":
        strategy.engine, strategy.began = engine, time.perf_counter()
    engine.start()


class Process:
    """An engine of ours in a process of its own."""

    def __init__(self, emulator: EmulatorProcess, side: str, database: Path, orders: int) -> None:
        self.began = time.perf_counter()
        arguments = ["--side", side, "--database", str(database), "--orders", str(orders)]
        self._process = subprocess.Popen(
            [sys.executable, "-W", "ignore", __file__, *arguments],
            stdout=subprocess.PIPE,
            text=True,
            env={
                **os.environ,
                "NEXUS_ENDPOINTS__BINANCE": emulator.url,
                "NEXUS_BINANCE__DEMO__API_KEY": emulator.api_key,
                "NEXUS_BINANCE__DEMO__SECRET": emulator.secret,
            },
            cwd=database.parent,
        )

    def wait_for(self, event: str) -> dict[str, Any]:
        assert self._process.stdout is not None
        for line in self._process.stdout:
            message: dict[str, Any] = json.loads(line)
            if message["event"] == event:
                return message
            raise RuntimeError(f"waiting for {event!r}, heard {message}")
        raise RuntimeError(f"the process ended before it said {event!r}")

    def end(self, number: signal.Signals) -> None:
        self._process.send_signal(number)
        self._process.wait(60)
        assert self._process.stdout is not None
        self._process.stdout.close()


def control(emulator: EmulatorProcess, path: str, body: dict[str, Any]) -> None:
    request = urllib.request.Request(
        f"{emulator.url}/emulator/{path}",
        data=json.dumps(body).encode(),
        headers={"X-Emulator-Token": emulator.token},
        method="POST",
    )
    with urllib.request.urlopen(request, timeout=30) as reply:
        reply.read()


def measure(case: str, orders: int, latency_ms: int) -> dict[str, Any]:
    """One round."""
    with (
        EmulatorProcess.start("binance", market="still", limit_factor=1_000) as emulator,
        tempfile.TemporaryDirectory() as folder,
    ):
        database = Path(folder) / "cache.db"
        first = Process(emulator, "place", database, orders)
        first.wait_for("sent")
        if case != "unacked":
            first.wait_for("accepted")
        first.end(signal.SIGKILL)
        if case in MEANWHILE:
            control(emulator, "faults", MEANWHILE[case])
        if latency_ms:
            control(
                emulator, "faults", {"action": "delay_ack_ms", "on": "*", "count": -1, "delay_ms": latency_ms}
            )
        second = Process(emulator, "recover", database, orders)
        found = second.wait_for("reconciled")
        process_s = time.perf_counter() - second.began
        second.end(signal.SIGKILL)
        return found | {"process_s": process_s}


def figures(case: str, rounds: list[dict[str, Any]]) -> dict[str, Any]:
    def ranks(name: str) -> dict[str, float]:
        values = sorted(found[name] for found in rounds)
        return {"p50": round(statistics.median(values), 2), "p99": round(values[-1], 2)}

    last = rounds[-1]
    process_s = ranks("process_s")
    return {
        "bench": "recovery",
        "case": case,
        "rounds": len(rounds),
        **{name: last[name] for name in ("open", "unknown", "closed")},
        "process_s": process_s,
        "engine_s": ranks("engine_s"),
        "bound_s": BOUND_S,
        "is_within": process_s["p99"] < BOUND_S,
        "machine": machine(),
    }


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--rounds", type=int, default=5)
    parser.add_argument("--orders", type=int, default=1_000, help=f"at most {PER_SYMBOL * len(SYMBOLS)}")
    parser.add_argument("--latency-ms", type=int, default=50)
    parser.add_argument("--case", action="append", choices=CASES)
    parser.add_argument("--side", choices=["place", "recover"], help=argparse.SUPPRESS)
    parser.add_argument("--database", help=argparse.SUPPRESS)
    given = parser.parse_args()
    if given.side:
        run_engine(given.side, given.database, given.orders)
        return
    for case in given.case or CASES:
        rounds = [measure(case, given.orders, given.latency_ms) for _ in range(given.rounds)]
        print(json.dumps(figures(case, rounds)))


if __name__ == "__main__":
    main()
