"""F38, F39: a process may die at any boundary, and the next one knows every order, fill, position and balance.

`NEXUSTRADER_CRASH="before append Submit #3 | dip | kill"` carries out one plan alone, as a failure names it.
"""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest
from fork_server import ForkServer
from plans import SCENARIOS, Suite, every, once, one_of_each
from stores import STORES

from postgres_server import Server, running_server

MIRRORED = [name for name, store in STORES.items() if store.is_mirrored]
# One after the other along the life of orders, of the journal and of their telling.
QUICK = (
    "after append Submit",
    "after send order.place",
    "left order.place",
    "answer POST /fapi/v1/order",
    "left POST /api/v3/order",
    "frame ORDER_TRADE_UPDATE",
    "after append OrderEvent",
    "before heard filled",
    "after append Cancel",
    "left PUT /fapi/v1/order",
    "sql wal_checkpoint",
    "sql INSERT snapshot",
    "sql UPDATE header",
)
QUICKEST = QUICK[::3]
PARTS = 4
STOPS = ("term", "int twice")


@pytest.mark.slow
@pytest.mark.timeout(120)
async def test_nothing_is_lost_at_some_boundaries(tmp_path: Path) -> None:
    async with ForkServer() as server:
        suite = Suite(SCENARIOS["trading"], server, tmp_path)
        plans = one_of_each(await suite.boundaries(), QUICK)
        assert await suite.carry_out(plans) == []


@pytest.mark.nightly
@pytest.mark.timeout(1_800)
@pytest.mark.parametrize("part", range(PARTS))
@pytest.mark.parametrize("scenario", SCENARIOS)
async def test_nothing_is_lost_at_any_boundary(scenario: str, part: int, tmp_path: Path) -> None:
    async with ForkServer() as server:
        suite = Suite(SCENARIOS[scenario], server, tmp_path)
        plans = every(await suite.boundaries())
        assert await suite.carry_out(plans[part::PARTS]) == []


@pytest.fixture(scope="module")
def postgres() -> Iterator[Server]:
    pytest.importorskip("asyncpg", reason="the extra `postgres` is not installed")
    with running_server() as found:
        if isinstance(found, str):
            pytest.skip(found)
        yield found


@pytest.mark.slow
@pytest.mark.timeout(120)
@pytest.mark.parametrize("store", MIRRORED)
async def test_nothing_is_lost_at_some_boundaries_of_a_mirrored_journal(
    store: str, postgres: Server, tmp_path: Path
) -> None:
    async with ForkServer() as server:
        suite = Suite(SCENARIOS["trading"], server, tmp_path, STORES[store], postgres)
        plans = one_of_each(await suite.boundaries(), QUICKEST)
        assert await suite.carry_out(plans) == []


@pytest.mark.nightly
@pytest.mark.timeout(1_800)
@pytest.mark.parametrize("part", range(PARTS))
@pytest.mark.parametrize("store", MIRRORED)
async def test_nothing_is_lost_at_any_boundary_of_a_mirrored_journal(
    store: str, part: int, postgres: Server, tmp_path: Path
) -> None:
    async with ForkServer() as server:
        suite = Suite(SCENARIOS["trading"], server, tmp_path, STORES[store], postgres)
        plans = once(await suite.boundaries())
        assert await suite.carry_out(plans[part::PARTS]) == []


@pytest.mark.nightly
@pytest.mark.timeout(1_800)
@pytest.mark.parametrize("part", range(PARTS))
@pytest.mark.parametrize("strike", STOPS)
async def test_nothing_is_lost_by_a_stop_at_any_boundary(strike: str, part: int, tmp_path: Path) -> None:
    async with ForkServer() as server:
        suite = Suite(SCENARIOS["trading"], server, tmp_path)
        plans = once(await suite.boundaries(), strike)
        assert await suite.carry_out(plans[part::PARTS]) == []


@pytest.mark.slow
@pytest.mark.timeout(120)
@pytest.mark.parametrize("strike", STOPS)
async def test_nothing_is_lost_by_a_stop_at_some_boundaries(strike: str, tmp_path: Path) -> None:
    async with ForkServer() as server:
        suite = Suite(SCENARIOS["trading"], server, tmp_path)
        plans = one_of_each(await suite.boundaries(), QUICKEST, strike)
        assert await suite.carry_out(plans) == []
