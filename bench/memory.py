"""Peak memory of a backtest over ten years of 1-minute bars, all of the process included.

    python bench/memory.py [--count 5260000] [--sides table catalogue report] [--spans 480 1440]

table      the bars are numpy columns of the program, made by it
catalogue  the bars are in a Parquet catalogue, with all columns that an exchange has of them
report     as catalogue, and the HTML report is written with the files beside it

The strategy crosses two EMAs of --spans bars, always in the market after its first cross. Each side is a process of its
own and prints one JSON line: `peak_mb` is the most that it held at once, imports and data included (VmHWM, in 10^6
bytes), `imports_mb` and `data_mb` what it had reached before the run. The catalogue is made in a folder that is removed
afterwards, by another process.
"""

from __future__ import annotations

import argparse
import json
import resource
import tempfile
import time
from decimal import Decimal
from pathlib import Path
from typing import Any

from harness import config_of, machine, pin, run_side

SYMBOL = "BTCUSDT-PERP.BINANCE"
SIDES = ("table", "catalogue", "report")
SEED = 20_240_607
START_MS = 1_451_606_400_000  # 2016
MINUTE_MS = 60_000
ROWS_PER_IMPORT = 500_000
FEE = Decimal("0.0005")
BYTES_PER_KIB = 1_024


def peak_mb() -> float:
    """The most that this process held at once, in 10^6 bytes."""
    status = Path("/proc/self/status")
    if status.exists():  # what is inherited from the parent's own peak is not in it, as it is in ru_maxrss
        line = next(line for line in status.read_text().splitlines() if line.startswith("VmHWM"))
        return int(line.split()[1]) * BYTES_PER_KIB / 1e6
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * BYTES_PER_KIB / 1e6


# -- data ------------------------------------------------------------------------------------------------------


def columns_of(first: int, count: int, price: float) -> dict[str, Any]:
    """So many minutes of a random walk at ticks of 0.1, from one price on."""
    import numpy as np

    rng = np.random.default_rng((SEED, first))
    close = np.round(price * np.exp(np.cumsum(rng.standard_normal(count) * 5e-4)), 1)
    open_ = np.append(price, close[:-1])
    above, below = (np.round(np.abs(rng.standard_normal(count)) * 5, 1) for _ in range(2))
    volume = np.round(rng.random(count) * 900 + 100, 3)
    return {
        "start": START_MS + MINUTE_MS * np.arange(first, first + count),
        "open": open_,
        "high": np.round(np.maximum(open_, close) + above, 1),
        "low": np.round(np.maximum(np.minimum(open_, close) - below, 0.1), 1),
        "close": close,
        "volume": volume,
    }


def parts(count: int) -> Any:
    """All of it, some at a time; the walk begins anew at the same price with each part's last one pulled to it."""
    price = 30_000.0
    for first in range(0, count, ROWS_PER_IMPORT):
        table = columns_of(first, min(ROWS_PER_IMPORT, count - first), price)
        price = float(min(max(table["close"][-1], 5_000.0), 100_000.0))
        yield table


def write_catalogue(folder: str, count: int) -> dict[str, Any]:
    """The bars as an exchange has them: with the value traded, and the takers' part of both."""
    import polars as pl

    from nexustrader.data.catalog import Catalog

    catalog, begun = Catalog(folder), time.perf_counter()
    for place, table in enumerate(parts(count)):
        frame = pl.DataFrame({"time_ns": table.pop("start") * 1_000_000, **table}).with_columns(
            (pl.col("volume") * pl.col("close")).alias("quote_volume"),
            (pl.col("volume") / 2).alias("taker_volume"),
            (pl.col("volume") * pl.col("close") / 2).alias("taker_quote_volume"),
            pl.lit(1_000).alias("trades"),
        )
        catalog.write(SYMBOL, "kline_1m", frame, source=f"part {place}")
    files = sum(1 for _ in Path(folder).rglob("*.parquet"))
    return {
        "bench": "memory: the catalogue is written",
        "files": files,
        "write_s": round(time.perf_counter() - begun, 1),
        "peak_mb": round(peak_mb(), 1),
    }


def table_bars(count: int) -> Any:
    """The bars of the program's own columns."""
    import numpy as np

    from nexustrader.data.bars import build_bars

    names = ("open", "high", "low", "close", "volume")
    table: dict[str, Any] = {name: np.empty(count) for name in names}
    table["start"] = np.empty(count, dtype=np.int64)
    filled = 0
    for part in parts(count):
        for name, column in part.items():
            table[name][filled : filled + len(column)] = column
        filled += len(part["start"])
    return build_bars(table, SYMBOL, "the benchmark")


# -- the run ---------------------------------------------------------------------------------------------------


def cross_of(fast: int, slow: int) -> Any:
    """A strategy that is long above and short below, imported here so that its imports count."""
    from nexustrader.constants import KlineInterval, OrderSide, OrderType
    from nexustrader.schema import Kline
    from nexustrader.strategy import Strategy

    class Cross(Strategy):
        def __init__(self) -> None:
            super().__init__()
            self.seen = 0
            self.fast = self.slow = 0.0
            self.above: bool | None = None

        def on_start(self) -> None:
            self.subscribe_kline(SYMBOL, KlineInterval.MINUTE_1)

        def on_kline(self, kline: Kline) -> None:
            self.seen += 1
            close = kline.close
            if self.seen == 1:
                self.fast = self.slow = close
            self.fast += (close - self.fast) * (2 / (fast + 1))
            self.slow += (close - self.slow) * (2 / (slow + 1))
            above = self.fast > self.slow
            if self.seen < slow or above == self.above:
                return
            amount = Decimal(1) if self.above is None else Decimal(2)
            self.above = above
            side = OrderSide.BUY if above else OrderSide.SELL
            self.create_order(SYMBOL, side, OrderType.MARKET, amount)

    return Cross()


def run_side_of(side: str, count: int, spans: tuple[int, int], folder: str) -> dict[str, Any]:
    """One run in this process."""
    from nexustrader.backtest import Backtest

    strategy, imports_mb = cross_of(*spans), peak_mb()
    config = config_of(strategy)
    data: Any = table_bars(count) if side == "table" else folder
    backtest = Backtest(config, data, symbol=SYMBOL, balances={"USDT": 100_000_000}, fees=FEE, funding=False)
    data_mb, begun, cpu = peak_mb(), time.perf_counter(), time.process_time()
    result = backtest.run()
    run_s, cpu_s, run_mb = time.perf_counter() - begun, time.process_time() - cpu, peak_mb()
    if side == "report":
        from nexustrader.backtest.report import write_report

        write_report(result, Path(folder).parent / "report.html")
    return {
        "bench": f"memory: {side}",
        "bars": result.bars,
        "orders": len(result.orders),
        "imports_mb": round(imports_mb, 1),
        "data_mb": round(data_mb, 1),
        "run_mb": round(run_mb, 1),
        "peak_mb": round(peak_mb(), 1),
        "bars_per_s": round(result.bars / run_s),
        "bars_per_cpu_s": round(result.bars / cpu_s),
        "equity": round(result.final_equity, 2),
        "trace_hash": result.trace_hash,
    }


def main() -> None:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--count", type=int, default=5_260_000)
    parser.add_argument("--spans", type=int, nargs=2, default=(480, 1_440), metavar=("FAST", "SLOW"))
    parser.add_argument("--sides", nargs="+", choices=SIDES, default=list(SIDES))
    parser.add_argument("--side", choices=(*SIDES, "write"), help=argparse.SUPPRESS)
    parser.add_argument("--folder", default="", help=argparse.SUPPRESS)
    given = parser.parse_args()
    if given.side:
        pin(1)
        if given.side == "write":
            print(json.dumps(write_catalogue(given.folder, given.count)))
        else:
            print(json.dumps(run_side_of(given.side, given.count, tuple(given.spans), given.folder)))
        return
    with tempfile.TemporaryDirectory() as root:
        folder = str(Path(root) / "catalogue")
        more = ("--count", str(given.count), "--folder", folder, "--spans", *map(str, given.spans))
        if set(given.sides) - {"table"}:
            print(json.dumps(run_side("memory.py", "write", *more)), flush=True)
        for side in given.sides:
            found = run_side("memory.py", side, *more)
            print(json.dumps(found | {"spans": given.spans, "machine": machine()}), flush=True)


if __name__ == "__main__":
    main()
