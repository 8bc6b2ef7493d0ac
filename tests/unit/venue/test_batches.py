"""Several orders in one request: each has an end of its own."""

from __future__ import annotations

import asyncio
import json
from decimal import Decimal
from typing import Any
from urllib.parse import parse_qs, urlsplit

import msgspec
import pytest

from desk import ACCOUNT, SYMBOL, Desk, desk_test
from memory_transport import answers
from nexustrader.constants import OrderSide, OrderType
from nexustrader.domain import events as ev
from nexustrader.domain.outcome import Conclusion
from nexustrader.error import InstrumentError, OrderError, OutcomeUnknown, WireError
from nexustrader.exchange.bybit import VENUE as BYBIT
from nexustrader.execution.request import OrderRequest
from nexustrader.venue.gateway import batched
from venue_account import Account, account_test, http

MADE = {"orderId": 1, "status": "NEW", "symbol": "BTCUSDT"}


def command(number: int, **changes: Any) -> ev.Submit:
    fields: dict[str, Any] = {
        "oid": f"1700000000000000004{number}",
        "account": "binance:USD_M_FUTURE",
        "symbol": SYMBOL,
        "side": OrderSide.BUY,
        "type": OrderType.LIMIT,
        "amount": Decimal("0.010"),
        "price": Decimal("30000.0"),
        "timestamp": 1,
    }
    return ev.Submit(**(fields | changes))


def ends(a: Account) -> list[tuple[str, Conclusion]]:
    return [(result.oid[-1], result.conclusion) for result in a.results]


@account_test
async def test_each_order_of_a_batch_ends_as_its_own_item_says(a: Account) -> None:
    refused = {"code": -2019, "msg": "Margin is insufficient."}
    a.orders = answers(http(200, json.dumps([MADE, refused, MADE]).encode()))
    a.gateway.submit_batch([command(n) for n in range(3)])
    await asyncio.sleep(0.1)
    assert ends(a) == [("0", Conclusion.ACCEPTED), ("1", Conclusion.REJECTED), ("2", Conclusion.ACCEPTED)]


@account_test
async def test_more_than_fit_go_in_several_requests_and_one_left_over_goes_alone(a: Account) -> None:
    asked: list[tuple[str, int]] = []

    def answer(_method: str, url: str) -> Any:
        query = parse_qs(urlsplit(url).query)
        count = len(json.loads(query["batchOrders"][0])) if "batchOrders" in query else 1
        asked.append((urlsplit(url).path, count))
        return http(200, json.dumps([MADE] * count if count > 1 else MADE).encode())

    a.orders = answer
    a.gateway.submit_batch([command(n) for n in range(6)])
    await asyncio.sleep(0.1)
    assert asked == [("/fapi/v1/order", 1), ("/fapi/v1/batchOrders", 5)] or asked == [
        ("/fapi/v1/batchOrders", 5),
        ("/fapi/v1/order", 1),
    ]
    assert sorted(ends(a)) == [(str(n), Conclusion.ACCEPTED) for n in range(6)]


WHOLE = [
    (http(200, b"[]"), Conclusion.UNKNOWN),
    (http(200, json.dumps([MADE]).encode()), Conclusion.UNKNOWN),
    (http(200, b"<html>"), Conclusion.UNKNOWN),
    (http(503, {"code": -1000, "msg": "Unknown error."}), Conclusion.UNKNOWN),
    (http(400, {"code": -1102, "msg": "batchOrders was not sent."}), Conclusion.REJECTED),
    (OutcomeUnknown("no answer in time"), Conclusion.UNKNOWN),
]


@account_test
async def test_an_answer_to_the_whole_is_one_to_each(a: Account) -> None:
    for answer, conclusion in WHOLE:
        a.orders = answers(answer)
        a.results.clear()
        a.gateway.submit_batch([command(n) for n in range(2)])
        await asyncio.sleep(0.1)
        assert ends(a) == [("0", conclusion), ("1", conclusion)]


@account_test
async def test_an_order_that_makes_no_request_fails_alone(a: Account) -> None:
    a.orders = answers(http(200, json.dumps([MADE, MADE]).encode()))
    a.gateway.submit_batch([command(0), command(1, params={"symbol": "X"}), command(2)])
    await asyncio.sleep(0.1)
    assert sorted(ends(a)) == [
        ("0", Conclusion.ACCEPTED),
        ("1", Conclusion.REJECTED),
        ("2", Conclusion.ACCEPTED),
    ]


@account_test
async def test_orders_that_wait_for_a_price_go_alone_between_the_others(a: Account) -> None:
    asked: list[str] = []

    def answer(_method: str, url: str) -> Any:
        asked.append(urlsplit(url).path.rpartition("/")[2])
        return http(200, json.dumps([MADE, MADE]).encode())

    a.orders = answer
    stop = {"type": OrderType.STOP_LOSS_MARKET, "price": None, "trigger_price": Decimal(29_000)}
    a.gateway.submit_batch([command(n, **(stop if n in (2, 3) else {})) for n in range(6)])
    await asyncio.sleep(0.1)
    assert sorted(asked) == ["algoOrder", "algoOrder", "batchOrders", "batchOrders"]


def test_batches_keep_the_order_and_part_at_pools_and_sizes() -> None:
    pools = {"0": "a", "1": "a", "2": "a", "3": "b", "4": "a"}
    found = batched([command(n) for n in range(5)], lambda c: (pools[c.oid[-1]], 2))
    assert [[c.oid[-1] for c in batch] for batch in found] == [["0", "1"], ["2"], ["3"], ["4"]]


def test_bybits_ends_are_read_beside_what_was_made() -> None:
    made = [{"orderId": "a", "orderLinkId": "1"}, {"orderId": "", "orderLinkId": ""}]
    told = [{"code": 0, "msg": "OK"}, {"code": 110007, "msg": "ab not enough for new order"}]
    body = {"retCode": 0, "retMsg": "OK", "result": {"list": made}, "retExtInfo": {"list": told}}
    first, second = BYBIT.parse_batch_reply(msgspec.json.encode(body))
    assert (first.ok, second.ok, second.code) == (True, False, "110007")
    with pytest.raises(WireError):
        BYBIT.parse_batch_reply(msgspec.json.encode(body | {"retExtInfo": {"list": told[:1]}}))


def request(**changes: Any) -> OrderRequest:
    fields: dict[str, Any] = {
        "symbol": SYMBOL,
        "side": OrderSide.BUY,
        "type": OrderType.LIMIT,
        "amount": Decimal("0.01"),
        "price": Decimal(30_000),
    }
    return OrderRequest(**(fields | changes))


@desk_test
async def test_a_batch_of_orders_is_journalled_sent_and_known_one_by_one(desk: Desk) -> None:
    names = desk.ems.create_batch(ACCOUNT, [request(), request(amount=Decimal("-1")), request()])
    assert [command.oid for command in desk.venue.commands] == [names[0], names[2]]
    await desk.settle()
    assert [desk.state(name).is_closed for name in names] == [False, True, False]


@desk_test
async def test_a_batch_with_what_is_no_symbol_sends_nothing(desk: Desk) -> None:
    with pytest.raises(InstrumentError):
        desk.ems.create_batch(ACCOUNT, [request(), request(symbol="nonsense")])
    with pytest.raises(OrderError):
        desk.ems.create_batch(ACCOUNT, [request(), request(params={"x": object()})])
    assert desk.venue.commands == []
    assert list(desk.oms.orders()) == []
