"""Journals to test, and what they are filled with."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import ExitStack
from decimal import Decimal
from pathlib import Path
from typing import Any

import pytest
from loguru import logger

from nexustrader.constants import OrderSide, OrderType
from nexustrader.domain import events as ev
from nexustrader.kernel.clock import VirtualClock
from nexustrader.persistence.layout import account_fingerprint
from nexustrader.persistence.sqlite import SqliteJournal

START_NS = 1_700_000_000_000_000_000
ACCOUNT = "binance:USD_M_FUTURE"
FINGERPRINTS = {ACCOUNT: account_fingerprint("key of the first account")}

MakeRecord = Callable[[int], ev.Submit]
OpenJournal = Callable[..., SqliteJournal]


@pytest.fixture
def record() -> MakeRecord:
    """The n-th of many different intents."""

    def make(n: int) -> ev.Submit:
        return ev.Submit(
            oid=f"{1_700_000_000_000 + n}0000042",
            account=ACCOUNT,
            symbol="BTCUSDT-PERP.BINANCE",
            side=OrderSide.BUY,
            type=OrderType.LIMIT,
            amount=Decimal("0.015") * n,
            price=Decimal("64250.10"),
            timestamp=1_700_000_000_000 + n,
        )

    return make


@pytest.fixture
def path(tmp_path: Path) -> Path:
    return tmp_path / "keys" / "cache.db"


@pytest.fixture
def open_journal(path: Path) -> Iterator[OpenJournal]:
    """Opens the journal at `path`; what a test leaves open is closed after it."""
    with ExitStack() as stack:

        def open_one(
            strategy_id: str = "grid",
            user_id: str = "alice",
            fingerprints: dict[str, str] = FINGERPRINTS,
            **options: Any,
        ) -> SqliteJournal:
            clock = VirtualClock(START_NS)
            journal = SqliteJournal(path, strategy_id, user_id, fingerprints, clock, **options)
            stack.callback(journal.close)
            return journal

        yield open_one


@pytest.fixture
def log_lines() -> Iterator[list[str]]:
    """What is logged during the test."""
    lines: list[str] = []
    sink = logger.add(lines.append, format="{level} {message}")
    yield lines
    logger.remove(sink)
