"""How fast the native kernel of the simulator is: `python bench/kernel.py [--runs 5] [--quotes N] [--events N]`.

* `quotes`: L1 quotes of a random walk, eight resting orders that are never reached, nobody listens.
* `book`: an L2 feed (four levels to one trade) that nobody wakes up for, two orders resting.
* `maker`: the same feed; every 100 ms plain Python looks at the book and moves its two quotes, which arrive 1 ms
  later. Queue position by the power model. `--gap-us` is the mean time between events, `--wake-ms` that between looks.

One JSON line each: medians of the runs, wall and CPU time (the wall clock of a shared machine says little), without
the first call, which compiles or loads the kernel.
"""

from __future__ import annotations

import argparse
import json
import platform
import statistics
import time
from collections.abc import Callable
from decimal import Decimal
from importlib.metadata import version

import numpy as np

from nexustrader.sim.kernel.columns import Events, deltas, merge, quotes, trades
from nexustrader.sim.kernel.engine import KernelEngine
from nexustrader.sim.kernel.layout import AT_CHANGE, AT_END
from nexustrader.sim.queue_power import PowerQueue
from nexustrader.sim.types import Side, SimInstrument, SimOrder, Traded

INSTRUMENT = SimInstrument(
    symbol="BTCUSDT-PERP.BINANCE",
    kind="linear",
    tick=Decimal("0.1"),
    lot=Decimal("0.001"),
    base="BTC",
    quote="USDT",
    settle="USDT",
)
START_TICKS = 300_000
QUOTES_AT_ONCE = 2_000_000  # the walk is played several times: the events of a real run come in parts as well
NEVER_NS = 1 << 62
LATENCY_NS = 1_000_000


def walk(count: int, seed: int) -> Events:
    """Quotes 1 ms apart on average, the middle moving by at most one tick."""
    rng = np.random.default_rng(seed)
    time_ns = np.cumsum(rng.integers(1, 2_000_000, count))
    mid = START_TICKS + np.cumsum(rng.integers(-1, 2, count))
    spread = rng.integers(1, 4, count)
    bid_lots, ask_lots = rng.integers(1_000, 10_000, (2, count))
    return quotes(time_ns, mid - spread, bid_lots, mid + spread, ask_lots)


def book_feed(count: int, gap_us: int, seed: int) -> Events:
    """Levels within 20 ticks of a slow middle and trades at the touch; a level that the middle reaches goes."""
    rng = np.random.default_rng(seed)
    time_ns = np.cumsum(rng.integers(1, 2 * gap_us * 1000, count))
    step = np.where(rng.random(count) < 0.02, rng.integers(-1, 2, count), 0)
    mid = START_TICKS + np.cumsum(step)
    is_trade, is_buy = rng.random(count) < 0.2, rng.random(count) < 0.5
    distance = rng.integers(1, 21, count)
    lots = rng.integers(1, 5_000, count)
    level = ~is_trade
    price = np.where(is_buy, mid - distance, mid + distance)
    moved = step != 0
    gone = mid[moved]  # one tick above the old middle was an ask, one below it a bid
    parts = (
        deltas(time_ns[moved], gone, np.zeros(len(gone), np.int64), step[moved] < 0),
        deltas(time_ns[level], price[level], lots[level], is_buy[level]),
        trades(
            time_ns[is_trade], np.where(is_buy, mid + 1, mid - 1)[is_trade], lots[is_trade], is_buy[is_trade]
        ),
    )
    return merge(parts)


def order(order_id: int, side: Side, price: int) -> SimOrder:
    return SimOrder(order_id=order_id, account="a", side=side, lots=100, price=price, post_only=True)


def quiet_orders(engine: KernelEngine, count: int, distance: int) -> None:
    """Rests so many orders, half of them on each side, out of reach."""
    for number in range(count):
        side = Side.BUY if number % 2 else Side.SELL
        engine.submit(order(number + 1, side, START_TICKS - side * (distance + number)))


class Maker:
    """Two quotes around the middle, as plain Python."""

    def __init__(self, events: Events, wake_ns: int) -> None:
        self.engine = KernelEngine(INSTRUMENT, queue=PowerQueue(2))
        self.events = events
        self.wake_ns = wake_ns
        self.position = 0
        self.last_id = 0
        self.ids, self.prices = [0, 0], [0, 0]  # of the resting orders, bought and sold; price 0: none
        self.looks = self.sent = self.fills = 0

    def run(self) -> None:
        number, wake_ns = 0, self.wake_ns
        while True:
            number, why = self.play(number, wake_ns)
            if why == AT_END:
                return
            self.looks += 1
            wanted = self.wanted()
            if wanted is not None and wanted != self.prices:
                number, why = self.play(number, wake_ns + LATENCY_NS)
                self.move(wanted)
            wake_ns += self.wake_ns

    def play(self, number: int, until_ns: int) -> tuple[int, int]:
        why = AT_CHANGE
        while why == AT_CHANGE:
            number, events, why = self.engine.play(self.events, number, until_ns)
            for event in events:
                self.hear(event)
        return number, why

    def hear(self, event: object) -> None:
        if isinstance(event, Traded):
            self.fills += 1
            self.position += event.order.side * event.lots
            if not event.order.is_open:
                self.prices[event.order.side is Side.SELL] = 0

    def wanted(self) -> list[int] | None:
        bid, ask = self.engine.external_best_bid(), self.engine.external_best_ask()
        if bid is None or ask is None or ask <= bid:
            return None
        middle = (bid + ask) // 2
        return [
            min(middle - 2, ask - 1) if self.position < 1_000 else 0,
            max(middle + 2, bid + 1) if self.position > -1_000 else 0,
        ]

    def move(self, wanted: list[int]) -> None:
        for number, side in enumerate((Side.BUY, Side.SELL)):
            price = wanted[number]
            if self.prices[number] == price:
                continue
            if self.prices[number]:
                self.engine.cancel(self.ids[number])
            self.prices[number] = 0
            if price:
                self.sent += 1
                self.last_id += 1
                (*_, last) = self.engine.submit(order(self.last_id, side, price))
                if last.order.is_open:
                    self.ids[number], self.prices[number] = self.last_id, price


def measure(name: str, count: int, runs: int, work: Callable[[], dict[str, int]]) -> None:
    """Runs the work once to warm up and then so often; prints the medians."""
    work()
    wall, cpu, facts = [], [], {}
    for _ in range(runs):
        started, started_cpu = time.perf_counter(), time.process_time()
        facts = work()
        wall.append(time.perf_counter() - started)
        cpu.append(time.process_time() - started_cpu)
    wall_s, cpu_s = statistics.median(wall), statistics.median(cpu)
    result = {
        "bench": name,
        "events": count,
        "runs": runs,
        "events_per_s": round(count / wall_s),
        "events_per_cpu_s": round(count / cpu_s),
        "cpu_ns_per_event": round(cpu_s / count * 1e9, 1),
        "python": platform.python_version(),
        "numba": version("numba"),
    }
    print(json.dumps(result | facts))


def main() -> None:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--runs", type=int, default=5)
    parser.add_argument("--quotes", type=int, default=20_000_000)
    parser.add_argument("--events", type=int, default=2_000_000)
    parser.add_argument("--gap-us", type=int, default=2_000)
    parser.add_argument("--wake-ms", type=int, default=100)
    parser.add_argument("--seed", type=int, default=20240607)
    arguments = parser.parse_args()

    part = walk(min(QUOTES_AT_ONCE, arguments.quotes), arguments.seed)
    times = arguments.quotes // part.count

    def play_quotes() -> dict[str, int]:
        engine = KernelEngine(INSTRUMENT, feed="top")
        engine.set_top(START_TICKS - 1, 1, START_TICKS + 1, 1)
        quiet_orders(engine, 8, 200_000)
        for _ in range(times):
            assert engine.play(part, 0, NEVER_NS).why == AT_END
        return {"resting": len(engine.open_orders())}

    measure("quotes", times * part.count, arguments.runs, play_quotes)
    feed = book_feed(arguments.events, arguments.gap_us, arguments.seed)

    def play_book() -> dict[str, int]:
        engine = KernelEngine(INSTRUMENT, queue=PowerQueue(2))
        quiet_orders(engine, 2, 200_000)
        assert engine.play(feed, 0, NEVER_NS).why == AT_END
        return {"resting": len(engine.open_orders())}

    measure("book", feed.count, arguments.runs, play_book)

    def quote() -> dict[str, int]:
        maker = Maker(feed, arguments.wake_ms * 1_000_000)
        maker.run()
        return {"looks": maker.looks, "orders": maker.sent, "fills": maker.fills}

    measure("maker", feed.count, arguments.runs, quote)


if __name__ == "__main__":
    main()
