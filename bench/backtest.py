"""Bars and quotes per second of a backtest with a strategy in Python, beside other engines on the same work.

    python bench/backtest.py [--runs 3] [--count N] [--work bars quotes fills]

bars    EMA(10/30) cross on random 1-minute bars, a market order at every cross, fees, no funding; 36,800 orders
quotes  a callback for each quote; at every 1000th a limit order is placed, or the one before it cancelled
fills   as quotes, but the strategy hears of 1-minute klines alone while quotes drive what rests
book    levels and trades drive two orders that a strategy moves, woken every 100 ms, with 1 ms of latency each way

Each run is a process of its own and prints one JSON line: `run_s` is the run alone, `process_s` all of it, imports and
data included. With NEXUSTRADER_PEERS (a folder of scripts of other engines) and NEXUSTRADER_PEER_VENVS (a folder with a
virtual environment for each) those run in turn with ours, on the same data; without them they are left out.
"""

from __future__ import annotations

import argparse
import json
import os
import subprocess
import sys
import time
from collections.abc import Callable
from decimal import Decimal
from pathlib import Path
from typing import Any

import book_side
from harness import config_of, machine, median, pin

SYMBOL = "BTCUSDT-PERP.BINANCE"
SEED = 20_240_607
START_MS = 1_600_000_000_000
NS_PER_MS = 1_000_000
EVERY = 1_000
COUNTS = {"bars": 1_000_000, "quotes": 1_000_000, "fills": 20_000_000, "book": 2_000_000}
FEE = Decimal("0.00018")
PEERS = os.environ.get("NEXUSTRADER_PEERS")
VENVS = os.environ.get("NEXUSTRADER_PEER_VENVS")
RIVALS: dict[str, list[tuple[str, str, list[str]]]] = {  # work -> name of the environment, script, arguments
    "bars": [("nautilus", "a1_nautilus.py", []), ("vectorbt", "a1_vectorbt.py", [])],
    "quotes": [("nautilus", "a2_nautilus.py", ["--kind", "quote"])],
    "fills": [],
    "book": [("hftbacktest", "a3_hftbacktest.py", [])],
}


# -- data ------------------------------------------------------------------------------------------------------


def random_bars(count: int) -> dict[str, Any]:
    """A random walk that keeps near its beginning, at ticks of 0.1."""
    if PEERS:
        sys.path.insert(0, PEERS)
        from common import bars

        found: dict[str, Any] = bars(count)
        return found
    import numpy as np

    rng = np.random.default_rng(SEED)
    close = np.round(30_000 * np.exp(_reverting(rng.standard_normal(count) * 5e-4)), 1)
    open_ = np.append(30_000.0, close[:-1])
    above, below = np.round(np.abs(rng.standard_normal((2, count))) * 5, 1)
    return {
        "ts": START_MS + 60_000 * np.arange(count),
        "o": open_,
        "h": np.round(np.maximum(open_, close) + above, 1),
        "l": np.round(np.minimum(open_, close) - below, 1),
        "c": close,
        "v": np.round(rng.random(count) * 900 + 100, 3),
    }


def random_quotes(count: int, *, of_peers: bool) -> dict[str, Any]:
    """Quotes some tenths of a millisecond apart."""
    if of_peers and PEERS:
        sys.path.insert(0, PEERS)
        from common import quotes

        found: dict[str, Any] = quotes(count)
        return found
    import numpy as np

    rng = np.random.default_rng(SEED)
    middle = np.round(30_000 + np.cumsum(rng.integers(-1, 2, count)) * 0.1, 1)
    return {
        "ts": START_MS * NS_PER_MS + np.cumsum(rng.integers(1, 1_000_000, count)),
        "bid": np.round(middle - 0.1, 1),
        "ask": np.round(middle + 0.1, 1),
        "bsz": np.round(rng.random(count) * 10 + 0.001, 3),
        "asz": np.round(rng.random(count) * 10 + 0.001, 3),
    }


def _reverting(steps: Any) -> Any:
    import numpy as np

    found, at = np.empty(len(steps)), 0.0
    for place, step in enumerate(steps.tolist()):
        at = at * 0.9999 + step
        found[place] = at
    return found


# -- ours ------------------------------------------------------------------------------------------------------


def strategies() -> tuple[Any, Any]:
    """The strategies of the two works. Imported here, so that `process_s` counts all imports."""
    from nexustrader.constants import KlineInterval, OrderSide, OrderType
    from nexustrader.schema import BookL1, Kline
    from nexustrader.strategy import Strategy

    class Cross(Strategy):
        def __init__(self) -> None:
            super().__init__()
            self.seen = 0
            self.orders = 0
            self.fast = self.slow = 0.0
            self.above: bool | None = None
            self.is_long = False

        def on_start(self) -> None:
            self.subscribe_kline(SYMBOL, KlineInterval.MINUTE_1)

        def on_kline(self, kline: Kline) -> None:
            self.seen += 1
            close = kline.close
            if self.seen == 1:
                self.fast = self.slow = close
            self.fast += (close - self.fast) * (2 / 11)
            self.slow += (close - self.slow) * (2 / 31)
            above = self.fast > self.slow
            if self.seen < 30 or above == self.above:
                return
            is_first, self.above = self.above is None, above
            if is_first or not (above or self.is_long):
                return
            self.is_long = above
            self.orders += 1
            self.create_order(
                SYMBOL, OrderSide.BUY if above else OrderSide.SELL, OrderType.MARKET, Decimal(1)
            )

    class Placer(Strategy):
        def __init__(self, *, hears_quotes: bool) -> None:
            super().__init__()
            self.hears_quotes = hears_quotes
            self.seen = 0
            self.orders = 0
            self.resting: str | None = None

        def on_start(self) -> None:
            if self.hears_quotes:
                self.subscribe_bookl1(SYMBOL)
            else:
                self.subscribe_kline(SYMBOL, KlineInterval.MINUTE_1)

        def on_kline(self, kline: Kline) -> None:
            self.seen += 1
            self.act(kline.close)

        def on_bookl1(self, bookl1: BookL1) -> None:
            self.seen += 1
            if self.seen % EVERY == 0:
                self.act(bookl1.bid)

        def act(self, price: float) -> None:
            if self.resting is None:
                below = Decimal(str(round(price - 50, 1)))
                self.resting = self.create_order(
                    SYMBOL, OrderSide.BUY, OrderType.LIMIT, Decimal("0.01"), below
                )
                self.orders += 1
                return
            order = self.cache.get_order(self.resting)
            if order is not None and not order.is_closed:
                self.cancel_order(SYMBOL, self.resting)
            self.resting = None

    return Cross, Placer


def run_ours(work: str, count: int) -> dict[str, Any]:
    """One run in this process."""
    if work == "book":
        return book_side.run(count)
    begun = time.perf_counter()
    import numpy as np

    from nexustrader.backtest import Backtest
    from nexustrader.data.bars import build_bars
    from nexustrader.data.ticks import build_quotes

    cross, placer = strategies()
    strategy = cross() if work == "bars" else placer(hears_quotes=work == "quotes")
    names = {"o": "open", "h": "high", "l": "low", "c": "close", "v": "volume"}
    if work == "bars":
        raw = random_bars(count)
        table = {"start": raw["ts"], **{name: raw[key] for key, name in names.items()}}
        made: Callable[[], Any] = lambda: build_bars(table, SYMBOL, "the benchmark")  # noqa: E731
    else:
        raw = random_quotes(count, of_peers=bool(RIVALS[work]))
        sides = {"bid": raw["bid"], "ask": raw["ask"], "bid_size": raw["bsz"], "ask_size": raw["asz"]}
        times = np.asarray(raw["ts"]).astype(np.int64)
        made = lambda: build_quotes({"time_ns": times, **sides}, SYMBOL, "the benchmark")  # noqa: E731
    config = config_of(strategy)
    backtest = Backtest(config, made(), balances={"USDT": 100_000_000}, fees=FEE, funding=False)
    ready = time.perf_counter()
    result = backtest.run()
    ended = time.perf_counter()
    return {
        "bench": f"ours {work}",
        "events_per_s": round(count / (ended - ready)),
        "run_s": round(ended - ready, 3),
        "process_s": round(ended - begun, 3),
        "seen": strategy.seen,
        "orders": strategy.orders,
        "fills": len(result.fills),
        "equity": round(result.final_equity, 1),
    }


# -- sides -----------------------------------------------------------------------------------------------------


def run_child(*command: str) -> dict[str, Any]:
    done = subprocess.run(list(command), check=True, capture_output=True, text=True)
    result: dict[str, Any] = json.loads(done.stdout.strip().splitlines()[-1])
    rate = next((result[key] for key in ("events_per_s", "bars_per_s", "ticks_per_s") if key in result), 0)
    return result | {"events_per_s": rate}


def sides_of(work: str, count: int) -> dict[str, list[str]]:
    """The command of each side: ours, and the other engines that are there."""
    sides = {"ours": [sys.executable, "-W", "ignore", __file__, "--side", work, "--count", str(count)]}
    for name, script, more in RIVALS[work]:
        python = Path(VENVS or "") / name / "bin" / "python"
        if PEERS and VENVS and python.exists():
            sides[name] = [str(python), str(Path(PEERS) / script), "--n", str(count), *more]
    return sides


def main() -> None:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--runs", type=int, default=3)
    parser.add_argument("--count", type=int, help="instead of the usual count of each work")
    parser.add_argument("--work", nargs="+", choices=list(RIVALS), default=list(RIVALS))
    parser.add_argument("--side", choices=list(RIVALS), help=argparse.SUPPRESS)
    given = parser.parse_args()
    if given.side:
        pin(1)
        print(json.dumps(run_ours(given.side, given.count or COUNTS[given.side])))
        return
    if not (PEERS and VENVS):
        print(
            "other engines are left out: NEXUSTRADER_PEERS and NEXUSTRADER_PEER_VENVS are not set",
            file=sys.stderr,
        )
    for work in given.work:
        count = given.count or COUNTS[work]
        sides = sides_of(work, count)
        runs = [{name: run_child(*command) for name, command in sides.items()} for _ in range(given.runs)]
        rates = {name: median([run[name] for run in runs], "events_per_s") for name in sides}
        line = {
            "bench": f"backtest {work}",
            "count": count,
            "events_per_s": {name: round(rate) for name, rate in rates.items()},
            "ours_over": {
                name: round(rates["ours"] / rate, 2) for name, rate in rates.items() if name != "ours"
            },
            "last": {name: runs[-1][name] for name in sides},
            "machine": machine(),
        }
        print(json.dumps(line))


if __name__ == "__main__":
    main()
