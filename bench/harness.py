"""What the benchmarks share: pinned child processes, alternating sides, medians."""

from __future__ import annotations

import json
import os
import platform
import statistics
import subprocess
import sys
from importlib.metadata import version
from pathlib import Path
from typing import Any

HERE = Path(__file__).parent
SERVER_CPU = 0
CLIENT_CPU = 1


def pin(cpu: int) -> None:
    """Keep this process on one processor where the system allows it."""
    if hasattr(os, "sched_setaffinity") and (os.cpu_count() or 1) > 1:
        os.sched_setaffinity(0, {cpu})


def config_of(strategy: Any) -> Any:
    """A config for backtests: one account of USD-M futures. Imported here, so that a side counts its own imports."""
    from nexustrader.config import BasicConfig, Config, PrivateConnectorConfig
    from nexustrader.constants import ExchangeType
    from nexustrader.exchange import BinanceAccountType

    return Config(
        strategy_id="bench",
        user_id="bench",
        strategy=strategy,
        basic_config={ExchangeType.BINANCE: BasicConfig(api_key="bench", secret="bench")},
        public_conn_config={},
        private_conn_config={ExchangeType.BINANCE: [PrivateConnectorConfig(BinanceAccountType.USD_M_FUTURE)]},
    )


class Child:
    """A helper process that prints one line when it is ready."""

    def __init__(self, script: str, *arguments: str) -> None:
        self.process = subprocess.Popen(
            [sys.executable, str(HERE / script), *arguments], stdout=subprocess.PIPE, text=True
        )
        assert self.process.stdout is not None
        self.ready = self.process.stdout.readline().split()

    def stop(self) -> None:
        self.process.terminate()
        self.process.wait()


def run_side(script: str, side: str, *arguments: str) -> dict[str, Any]:
    """One measured run in a process of its own; it prints one JSON object on its last line."""
    done = subprocess.run(
        [sys.executable, str(HERE / script), "--side", side, *arguments],
        check=True,
        capture_output=True,
        text=True,
    )
    result: dict[str, Any] = json.loads(done.stdout.strip().splitlines()[-1])
    return result


def alternate(script: str, sides: list[str], runs: int, *arguments: str) -> dict[str, list[dict[str, Any]]]:
    """Each side `runs` times, in turn (A B C A B C …), so that a drift of the machine hits all alike."""
    results: dict[str, list[dict[str, Any]]] = {side: [] for side in sides}
    for _ in range(runs):
        for side in sides:
            results[side].append(run_side(script, side, *arguments))
    return results


def median(results: list[dict[str, Any]], key: str) -> float:
    return statistics.median(r[key] for r in results)


def pairwise(results: dict[str, list[dict[str, Any]]], a: str, b: str, key: str) -> float:
    """Median of the ratios a/b, run by run."""
    return statistics.median(x[key] / y[key] for x, y in zip(results[a], results[b], strict=True))


def machine() -> str:
    """What the figures depend on."""
    cpu = platform.processor() or platform.machine()
    for line in Path("/proc/cpuinfo").read_text().splitlines() if Path("/proc/cpuinfo").exists() else ():
        if line.startswith("model name"):
            cpu = line.split(":", 1)[1].strip()
            break
    packages = ", ".join(f"{p} {version(p)}" for p in ("picows", "msgspec", "uvloop"))
    return f"{cpu}, {os.cpu_count()} cores; Python {platform.python_version()}; {packages}"
