"""The work `book` of bench/backtest.py: a two-sided quoting strategy on a book of levels, four to a trade.

The feed is that of the other engine's script, draw for draw. There a level that the middle has passed is dropped by the
engine's own book; here it is told as removed, as venues do, so that some rows come in addition.
"""

from __future__ import annotations

import time
from datetime import timedelta
from decimal import Decimal
from typing import Any

from harness import config_of

SYMBOL = "BTCUSDT-PERP.BINANCE"
SEED = 20_240_607
START_NS = 1_600_000_000_000 * 1_000_000
GAP_US = 2_000
WAKE_MS = 100
TICK = Decimal("0.1")
AMOUNT = Decimal("0.1")
POSITION_MAX = 1


def feed(count: int) -> tuple[Any, Any]:
    """Depth and trades."""
    import numpy as np

    from nexustrader.data.depth import build_depth
    from nexustrader.data.ticks import build_trades

    rng = np.random.default_rng(SEED)
    times = START_NS + np.cumsum(rng.integers(1, 2 * GAP_US * 1000, count))
    middle = 300_000 + np.cumsum(np.where(rng.random(count) < 0.02, rng.integers(-1, 2, count), 0))
    is_trade, is_buy = rng.random(count) < 0.2, rng.random(count) < 0.5
    distance = rng.integers(1, 21, count)
    price = np.where(
        is_trade,
        np.where(is_buy, middle + 1, middle - 1),
        np.where(is_buy, middle - distance, middle + distance),
    )
    size = np.round(rng.random(count) * 5 + 0.001, 3)
    step = np.diff(middle, prepend=middle[0])
    moved, level = np.flatnonzero(step), np.flatnonzero(~is_trade)
    rows = np.concatenate([moved, level])
    order = np.argsort(rows, kind="stable")  # what goes is told before what comes
    table = {
        "time_ns": times[rows],
        "side": np.concatenate([np.where(step[moved] < 0, 1, -1), np.where(is_buy[level], 1, -1)]),
        "price": np.concatenate([middle[moved], price[level]]) * 0.1,
        "size": np.concatenate([np.zeros(len(moved)), size[level]]),
        "is_last": np.ones(len(rows), np.bool_),
    }
    depth = build_depth({name: column[order] for name, column in table.items()}, SYMBOL, "the benchmark")
    public = {
        "time_ns": times[is_trade],
        "price": price[is_trade] * 0.1,
        "size": size[is_trade],
        "is_buy": is_buy[is_trade],
    }
    return depth, build_trades(public, SYMBOL, "the benchmark")


def maker() -> Any:
    """A strategy that looks at the touch every 100 ms and moves a bid and an ask around its middle."""
    from nexustrader.constants import OrderSide, OrderType
    from nexustrader.strategy import Strategy

    class Maker(Strategy):
        def __init__(self) -> None:
            super().__init__()
            self.seen = self.orders = 0
            self.resting: dict[OrderSide, tuple[int, str]] = {}

        def on_start(self) -> None:
            self.subscribe_bookl1(SYMBOL)
            self.clock.set_timer("look", timedelta(milliseconds=WAKE_MS), callback=self.look)

        def look(self, _event: Any) -> None:
            self.seen += 1
            book = self.cache.bookl1(SYMBOL)
            if book is None:
                return
            bid, ask = round(book.bid * 10), round(book.ask * 10)
            if not bid or ask <= bid:
                return
            middle = (bid + ask) // 2
            held = self.cache.get_position(SYMBOL)
            amount = 0.0 if held is None else float(held.signed_amount)
            wanted = {
                OrderSide.BUY: min(middle - 2, ask - 1) if amount < POSITION_MAX else 0,
                OrderSide.SELL: max(middle + 2, bid + 1) if amount > -POSITION_MAX else 0,
            }
            for side, price in wanted.items():
                self.quote(side, price)

        def quote(self, side: OrderSide, price: int) -> None:
            known = self.resting.get(side)
            if known is not None:
                order = self.cache.get_order(known[1])
                if order is None or not order.is_closed:
                    if known[0] == price:
                        return
                    self.cancel_order(SYMBOL, known[1])
                del self.resting[side]
            if price:
                self.orders += 1
                oid = self.create_order(SYMBOL, side, OrderType.POST_ONLY, AMOUNT, price * TICK)
                self.resting[side] = (price, oid)

    return Maker()


def run(count: int) -> dict[str, Any]:
    """One run in this process."""
    begun = time.perf_counter()
    from nexustrader.backtest import Backtest
    from nexustrader.sim.fees import flat_fees
    from nexustrader.sim.latency import Latency
    from nexustrader.sim.queue_power import PowerQueue

    depth, trades = feed(count)
    strategy = maker()
    config = config_of(strategy)
    backtest = Backtest(
        config,
        {SYMBOL: [depth, trades]},
        balances={"USDT": 100_000_000},
        fees=flat_fees(Decimal("-0.00005"), Decimal("0.0002")),
        funding=False,
        latency=Latency(entry=1, reply=1),
        queue=PowerQueue(2),
    )
    ready = time.perf_counter()
    result = backtest.run()
    ended = time.perf_counter()
    rows = len(depth) + len(trades)
    return {
        "bench": "ours book",
        "rows": rows,
        "events_per_s": round(rows / (ended - ready)),
        "run_s": round(ended - ready, 3),
        "process_s": round(ended - begun, 3),
        "seen": strategy.seen,
        "orders": strategy.orders,
        "fills": len(result.fills),
        "errors": result.user_errors,
        "equity": round(result.final_equity, 1),
    }
