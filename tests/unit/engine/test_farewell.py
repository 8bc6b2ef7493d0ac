"""What a stopping engine asks its venues, and for how long."""

from __future__ import annotations

import asyncio
from typing import Any

from test_core import Site, seen_by_the_log, site_test

from desk import ACCOUNT
from nexustrader._engine.farewell import say_what_is_left
from nexustrader._engine.routing import Account
from nexustrader.constants import ExchangeType
from nexustrader.domain import events as ev
from nexustrader.exchange import BinanceAccountType


@site_test
async def test_every_account_is_asked_and_spot_is_said_to_own_balances(site: Site) -> None:
    site.core.accounts.add(Account(ACCOUNT, ExchangeType.BINANCE, BinanceAccountType.SPOT))
    lines: list[str] = []
    with seen_by_the_log(lines):
        (left,) = await say_what_is_left(site.core, [site.venue], is_hurried=False)
    assert left.is_flat
    assert lines == [
        f"verified flat: no open order, no position at {ACCOUNT}; what spot accounts own are balances\n"
    ]


@site_test
async def test_a_hurried_stop_waits_less_for_a_venue_that_is_silent(site: Site) -> None:
    async def silence(_symbol: str | None = None) -> list[ev.OrderEvent]:
        await asyncio.sleep(3_600)
        return []

    venue: Any = site.venue
    venue.query_open_orders = silence
    for is_hurried, waited_ms in ((True, 1_000), (False, 5_000)):
        before = site.clock.timestamp_ms()
        (left,) = await say_what_is_left(site.core, [site.venue], is_hurried=is_hurried)
        assert left.problem is not None
        assert site.clock.timestamp_ms() - before == waited_ms
