"""What one durable intent costs: `python bench/journal.py [--appends 20000] [--path FILE]`.

For each durability ("process": synchronous=NORMAL, "power": FULL) one warm-up, then so many appends of a typical
Submit, each timed with its encoding, checksum and commit. A checkpoint every thousand appends is not timed: the
engine makes it off the order path. One JSON line each; microseconds.
"""

from __future__ import annotations

import argparse
import json
import platform
import sqlite3
import tempfile
import time
from decimal import Decimal
from pathlib import Path

from nexustrader.constants import OrderSide, OrderType
from nexustrader.domain import events as ev
from nexustrader.kernel.clock import LiveClock
from nexustrader.persistence.records import encode
from nexustrader.persistence.sqlite import Durability, SqliteJournal

WARM_UP_APPENDS = 500
APPENDS_PER_CHECKPOINT = 1000


def intent(n: int) -> ev.Submit:
    return ev.Submit(
        oid=f"{1_700_000_000_000 + n}0010042",
        account="binance:USD_M_FUTURE",
        symbol="BTCUSDT-PERP.BINANCE",
        side=OrderSide.BUY,
        type=OrderType.LIMIT,
        amount=Decimal("0.015"),
        price=Decimal("64250.10"),
        idempotency_key=f"grid-{n}",
        timestamp=1_700_000_000_000 + n,
    )


def measure(path: Path, durability: Durability, appends: int) -> list[int]:
    """Nanoseconds of each append, sorted."""
    taken_ns = []
    with SqliteJournal(path, "bench", durability, {}, LiveClock(), durability=durability) as journal:
        for n in range(WARM_UP_APPENDS):
            journal.append(intent(n))
        for n in range(appends):
            record = intent(n)
            start_ns = time.perf_counter_ns()
            journal.append(record)
            taken_ns.append(time.perf_counter_ns() - start_ns)
            if n % APPENDS_PER_CHECKPOINT == 0:
                journal.checkpoint()
    return sorted(taken_ns)


def figures(durability: Durability, taken_ns: list[int]) -> dict[str, object]:
    def rank_us(fraction: float) -> float:
        return round(taken_ns[min(len(taken_ns) - 1, int(fraction * len(taken_ns)))] / 1000, 1)

    return {
        "bench": "journal_append",
        "durability": durability,
        "appends": len(taken_ns),
        "p50_us": rank_us(0.50),
        "p99_us": rank_us(0.99),
        "max_us": rank_us(1.0),
        "record_bytes": len(encode(intent(0))),
        "python": platform.python_version(),
        "sqlite": sqlite3.sqlite_version,
    }


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--appends", type=int, default=20_000)
    parser.add_argument("--path", type=Path, help="a new database file on the disk to measure")
    arguments = parser.parse_args()
    with tempfile.TemporaryDirectory(dir=Path.cwd()) as directory:
        path = arguments.path or Path(directory) / "bench.db"
        print(json.dumps(figures("process", measure(path, "process", arguments.appends))))
        print(json.dumps(figures("power", measure(path, "power", arguments.appends))))


if __name__ == "__main__":
    main()
