"""What one run is, and what became of it."""

from __future__ import annotations

import msgspec

SPOT = "spot"
USDM = "usdm"  # of Binance
TRADING_S = 25.0


class Plan(msgspec.Struct, frozen=True, kw_only=True, omit_defaults=True):
    """One run: the same plan gives the same run, byte for byte."""

    seed: int
    faults: tuple[str, ...] = ()
    trading_s: float = TRADING_S
    program: str | None = None  # a user's program; None: the suite's own workload
    venue: str = "binance"
    market: str = USDM  # what the suite's own workload trades: a product of the emulated venue
    with_book: bool = False  # whether the suite's own workload looks at a local book
    with_schedule: bool = True  # permute what asyncio would run in sequence


class Outcome(msgspec.Struct, frozen=True, kw_only=True):
    """What became of one run. `fired`: how often each form of a fault met something."""

    plan: Plan
    violations: tuple[str, ...]
    fired: dict[str, int]
    digest: str
    orders: int
    fills: int
    processes: int
    virtual_s: float
    healed_after_s: float = 0.0  # how long after the last fault all was known and equal
    trace: tuple[str, ...] = ()
