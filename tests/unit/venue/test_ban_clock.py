"""A ban lasts as long as really passes: setting the machine's clock neither ends nor prolongs it."""

from __future__ import annotations

import asyncio

import pytest

from memory_transport import answers
from nexustrader.domain.outcome import Conclusion, Route
from nexustrader.error import RateLimited
from nexustrader.exchange.binance import VENUE
from venue_account import OID, TYPE, Account, account_test, http

HOUR_NS = 3_600 * 10**9


def _ban(a: Account) -> None:
    done = http(200, {"orderId": 7, "clientOrderId": OID, "status": "NEW", "symbol": "BTCUSDT"})
    a.orders = answers(http(418, {"code": -1003, "msg": "IP banned."}, retry_after="300"), done)
    a.submit(Route.REST)


@account_test
async def test_a_clock_set_forward_does_not_end_a_ban(a: Account) -> None:
    _ban(a)
    await asyncio.sleep(1)
    a.clock._start_ns += HOUR_NS
    before = len(a.transport.requests)
    a.submit(Route.REST)
    await asyncio.sleep(1)
    assert a.conclusions[-1] is Conclusion.NOT_SENT
    assert a.session.order_wait_ms("orders", 1) > 250_000
    with pytest.raises(RateLimited):
        await a.session.ask(VENUE.server_time_request(TYPE))
    assert len(a.transport.requests) == before


@account_test
async def test_a_clock_set_back_does_not_prolong_a_ban(a: Account) -> None:
    _ban(a)
    await asyncio.sleep(1)
    a.clock._start_ns -= HOUR_NS
    await asyncio.sleep(300)
    assert a.session.order_wait_ms("orders", 1) == 0
    a.submit(Route.REST)
    await asyncio.sleep(1)
    assert a.conclusions[-1] is Conclusion.ACCEPTED
