"""The same run gives the same trace, in any process, and a year is a matter of seconds."""

from __future__ import annotations

import os
import subprocess
import sys
from decimal import Decimal
from pathlib import Path

import pytest
from backtest_setup import BUY, LIMIT, M1, PERP, SELL, AtBars, Recording, config, flat_bars, run

from nexustrader.backtest import Backtest, BacktestResult
from nexustrader.data.readers.binance_vision import read_klines
from nexustrader.schema import Kline


class Quoting(Recording):
    """Quotes both sides of every close, and jitters a job."""

    def on_start(self) -> None:
        self.subscribe_kline(PERP, M1)
        self.schedule(lambda: self.note("job"), "interval", seconds=45, jitter=20)

    def on_kline(self, kline: Kline) -> None:
        for oid in sorted(self.cache.get_open_orders(PERP)):
            self.cancel_order(PERP, oid)
        for side, distance in ((BUY, -1), (SELL, 1)):
            price = Decimal(str(kline.close)) + distance
            self.create_order(PERP, side, LIMIT, Decimal("0.1"), price)


def quoting_run(seed: int = 0) -> tuple[BacktestResult, list[tuple[str, int]]]:
    strategy = Quoting()
    closes = [100.0 + (place * 7919 % 13) / 4 for place in range(200)]
    return run(strategy, flat_bars(closes), seed=seed, latency_ms=5), strategy.heard


def test_equal_runs_have_equal_traces_and_seeds_move_what_is_random() -> None:
    (first, heard), (second, heard_again) = quoting_run(), quoting_run()
    assert first.fills
    assert first.trace_hash == second.trace_hash
    assert heard == heard_again
    assert first.render().split("Speed")[0] == second.render().split("Speed")[0]
    assert quoting_run(seed=1)[1] != heard


def test_another_course_of_orders_has_another_trace() -> None:
    one = run(Recording(), flat_bars([100.0, 101.0]))
    other, _ = quoting_run()
    assert one.trace_hash != other.trace_hash


def test_a_single_price_of_an_order_that_never_filled_changes_the_trace() -> None:
    def trace(price: int) -> str:
        class Lone(Recording):
            def on_start(self) -> None:
                self.create_order(PERP, BUY, LIMIT, Decimal(1), Decimal(price))

        return run(Lone(), flat_bars([100.0, 101.0]), latency_ms=1).trace_hash

    assert trace(50) == trace(50) != trace(51)


@pytest.mark.slow
def test_the_trace_is_the_same_in_every_process() -> None:
    program = "from test_determinism import quoting_run; print(quoting_run()[0].trace_hash)"
    traces = {
        subprocess.run(
            [sys.executable, "-W", "ignore", "-c", program],
            env={**os.environ, "PYTHONHASHSEED": seed, "PYTHONPATH": str(Path(__file__).parent)},
            capture_output=True,
            text=True,
            check=True,
        ).stdout
        for seed in ("0", "1", "4711")
    }
    assert len(traces) == 1


class Crossing(Recording):
    """Two moving averages."""

    def __init__(self) -> None:
        super().__init__()
        self.fast = self.slow = 0.0
        self.held = 0

    def on_kline(self, kline: Kline) -> None:
        self.fast += (kline.close - self.fast) * 0.01
        self.slow += (kline.close - self.slow) * 0.002
        wanted = 1 if self.fast > self.slow else -1
        if wanted != self.held:
            amount = "0.01" if not self.held else "0.02"
            (self.buy if wanted > 0 else self.sell)(amount)
            self.held = wanted


@pytest.mark.slow
def test_a_year_of_minutes_runs_in_seconds(testdata: Path) -> None:
    folder = testdata / "marketdata" / "klines" / "binance_spot"
    bars = read_klines(sorted(folder.glob("BTCUSDT-1m-2024-*.csv.gz")), PERP)
    result = Backtest(config(Crossing()), bars).run()
    assert result.bars == 527_040
    assert result.duration.days == 366
    assert len(result.fills) > 500
    assert result.user_errors == 0
    assert result.bars_per_s > 50_000  # several hundred thousand on an idle machine


def test_a_reason_that_cannot_be_journalled_costs_no_result() -> None:
    plan = {1: lambda strategy: strategy.halt_trading(ValueError("x"))}
    assert run(AtBars(plan), flat_bars([100.0] * 5)).trace_hash
