"""How many changes a second one local book takes in, and shows after each of them.

By wall and by CPU time: the wall clock of a shared machine says little.
"""

from __future__ import annotations

import random
import statistics
import sys
import time

from nexustrader.constants import ExchangeType
from nexustrader.schema import BookL2
from nexustrader.venue.local_book import BookChange, BookRule, LocalBook, Todo

CHANGES = 200_000
LEVELS_CHANGED = 10
LEVELS_SHOWN = 50
SNAPSHOT_LEVELS = 1_000
TICK = 0.1
ROUNDS = 5
SEED = 11
SHARE_REMOVED = 0.2


def stream(count: int) -> tuple[BookChange, list[BookChange]]:
    """A snapshot, and changes near a middle that walks: half bids, half asks, most of them close to the best."""
    draw = random.Random(SEED)
    middle = 600_000

    def level(tick: int, size: float) -> tuple[float, float]:
        return round(tick * TICK, 1), size

    snapshot = BookChange(
        0,
        0,
        [level(middle - 1 - n, 1.0) for n in range(SNAPSHOT_LEVELS)],
        [level(middle + 1 + n, 1.0) for n in range(SNAPSHOT_LEVELS)],
        0,
        is_snapshot=True,
    )
    changes: list[BookChange] = []
    for number in range(1, count + 1):
        step = draw.choice((-1, 0, 0, 0, 0, 0, 0, 0, 0, 1)) if abs(middle - 600_000) < 200 else 0
        middle += step
        sides: list[list[tuple[float, float]]] = []
        for sign in (-1, 1):
            ticks = {middle + sign * (1 + int(draw.expovariate(0.1))) for _ in range(LEVELS_CHANGED // 2 - 1)}
            rows = [level(t, 0.0 if draw.random() < SHARE_REMOVED else draw.random()) for t in ticks]
            sides.append([level(middle, 0.0), *rows])
        changes.append(BookChange(number - 1, number, sides[0], sides[1], number))
    return snapshot, changes


def measure(snapshot: BookChange, changes: list[BookChange]) -> tuple[float, float]:
    """Changes a second, each of them shown: by wall time, by CPU time."""
    rule = BookRule(levels=LEVELS_SHOWN, by_request=True, exact=True, snapshot_levels=SNAPSHOT_LEVELS)
    book = LocalBook(rule)
    book.take(snapshot)
    exchange, shown = ExchangeType.BINANCE, None
    begun, begun_cpu = time.perf_counter(), time.process_time()
    for change in changes:
        if book.take(change) is not Todo.SHOW:
            raise SystemExit(f"the book broke: {book.reason}")
        bids, asks = book.view()
        shown = BookL2(exchange, "BTCUSDT-PERP.BINANCE", bids, asks, book.timestamp)
    spent, spent_cpu = time.perf_counter() - begun, time.process_time() - begun_cpu
    book.check()
    if shown is None or len(shown.bids) != LEVELS_SHOWN:
        raise SystemExit("the view is not as deep as it has to be")
    return len(changes) / spent, len(changes) / spent_cpu


def main() -> None:
    snapshot, changes = stream(CHANGES)
    levels = sum(len(one.bids) + len(one.asks) for one in changes) / len(changes)
    runs = [measure(snapshot, changes) for _ in range(ROUNDS)]
    wall, cpu = (statistics.median(rates) for rates in zip(*runs, strict=True))
    sys.stdout.write(
        f"{CHANGES} changes of {levels:.1f} levels, {LEVELS_SHOWN} shown a side after each, median of {ROUNDS}: "
        f"{wall:,.0f}/s, {cpu:,.0f} a second of CPU\n"
    )


if __name__ == "__main__":
    main()
