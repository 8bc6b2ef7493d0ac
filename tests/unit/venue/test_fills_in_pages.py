"""Executions that come in pages are told oldest first, whichever page the venue begins with."""

from __future__ import annotations

import json

from memory_transport import answers
from venue_account import SYMBOL, Account, account_test, http


@account_test
async def test_executions_are_told_oldest_first(a: Account) -> None:
    rows = [
        {
            "symbol": "BTCUSDT",
            "id": 9 - n,
            "orderId": 7,
            "price": "1",
            "qty": "1",
            "commission": "0",
            "time": 100 + n,
        }
        for n in range(3)
    ]
    a.orders = answers(http(200, json.dumps(rows[::-1]).encode()))
    fills = await a.gateway.query_fills_since(SYMBOL, 1)
    assert [fill.timestamp for fill in fills] == [100, 101, 102]
