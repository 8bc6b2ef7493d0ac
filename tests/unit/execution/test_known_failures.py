"""Failures that order managers are known for, M1 to M10 of the reliability model, each as it must not happen."""

from __future__ import annotations

import asyncio
from decimal import Decimal
from typing import Any

import msgspec
import pytest

from desk import ACCOUNT, SYMBOL, Desk, desk_test, live
from memory_transport import answers
from nexustrader.constants import OrderStatus, TimeInForce
from nexustrader.domain import events as ev
from nexustrader.domain.outcome import Conclusion, Route
from venue_account import OID, Account, account_test, http
from virtual_time import LoopClock, run_virtual

K = ev.EventKind
QUERY = ev.Source.QUERY


def execution(desk: Desk, oid: str, amount: str, total: str, trade_id: str = "1") -> ev.OrderEvent:
    fill = ev.Fill(
        trade_id=trade_id, price=Decimal(30_000), amount=Decimal(amount), timestamp=desk.clock.timestamp_ms()
    )
    return desk.venue.event(oid, K.FILLED, fill=fill, filled=Decimal(total), eid="7")


def held(desk: Desk) -> Decimal:
    return desk.portfolio.position(ACCOUNT, SYMBOL).signed_amount


@desk_test
async def test_m1_an_order_killed_at_entry_is_closed_and_leaves_the_open_set(desk: Desk) -> None:
    for time_in_force in (TimeInForce.IOC, TimeInForce.FOK):
        desk.told.clear()
        oid = desk.create(time_in_force=time_in_force)
        desk.venue.result(desk.venue.commands[-1], Conclusion.ACCEPTED)
        desk.on_order_event(desk.venue.event(oid, K.EXPIRED, eid="7"))
        assert desk.names == ["PENDING", "EXPIRED"]
        assert desk.cache.get_open_orders(SYMBOL) == set()
        assert desk.oms.open_orders() == []


@desk_test
async def test_m2_an_order_whose_cancel_was_refused_lives_on_and_its_fills_count(desk: Desk) -> None:
    oid = await live(desk)
    desk.venue.orders[oid] = desk.venue.event(oid, K.ACCEPTED, QUERY, eid="7")
    desk.cancel(oid)
    desk.venue.result(desk.venue.commands[-1], Conclusion.REJECTED, reason="-2011: Unknown order sent.")
    await asyncio.sleep(1)
    assert desk.names == ["CANCEL_FAILED"]
    assert desk.cache.get_open_orders(SYMBOL) == {oid}
    desk.on_order_event(execution(desk, oid, "0.01", "0.01"))
    assert desk.names == ["CANCEL_FAILED", "FILLED"]
    assert held(desk) == Decimal("0.01")


@pytest.mark.parametrize("is_by_execution", [True, False])
def test_m3_what_arrives_out_of_order_never_takes_back_what_is_filled(is_by_execution: bool) -> None:
    @desk_test
    async def run(desk: Desk) -> None:
        oid = await live(desk, amount=Decimal(1))
        late = (
            execution(desk, oid, "0.2", "0.5", trade_id="2"),
            execution(desk, oid, "0.3", "0.3", trade_id="1"),
            desk.venue.event(oid, K.ACCEPTED, filled=Decimal(0)),
        )
        for event in late:
            average = Decimal(30_000)
            desk.on_order_event(
                event if is_by_execution else msgspec.structs.replace(event, fill=None, average=average)
            )
            assert desk.state(oid).filled == Decimal("0.5")
            assert desk.state(oid).public_status is OrderStatus.PARTIALLY_FILLED
        assert desk.names == ["PARTIALLY_FILLED"]
        assert held(desk) == Decimal("0.5")

    run()


@desk_test
async def test_m4_an_order_whose_reply_was_lost_is_not_failed_and_its_life_is_followed(desk: Desk) -> None:
    oid = desk.create(route=Route.REST)
    desk.venue.unreachable = True
    desk.venue.result(desk.venue.commands[-1], Conclusion.UNKNOWN, reason="reset")
    await asyncio.sleep(60)
    desk.on_order_event(desk.venue.event(oid, K.ACCEPTED, eid="7"))
    desk.on_order_event(execution(desk, oid, "0.01", "0.01"))
    assert [name for name in desk.names if name not in ("UNKNOWN", "RESURRECTED")] == ["ACCEPTED", "FILLED"]
    assert held(desk) == Decimal("0.01")


def test_m5_a_fill_of_an_order_of_an_earlier_run_is_told_under_its_name_and_counted() -> None:
    async def run(clock: LoopClock) -> None:
        first = Desk(clock)
        await live(first, client_oid="entry")
        oid = first.state("entry").oid
        desk = Desk(clock, first.journal)
        desk.oms.restore(first.journal.replay(), desk.portfolio.adjust)
        desk.told.clear()
        desk.on_order_event(execution(desk, oid, "0.01", "0.01"))
        assert [(name, order.oid) for name, order in desk.told] == [("FILLED", "entry")]
        assert held(desk) == Decimal("0.01")

    run_virtual(run)


def test_m6_a_process_killed_while_it_sends_an_order_knows_the_order_when_it_is_back() -> None:
    async def run(clock: LoopClock) -> None:
        first = Desk(clock)
        durable: list[ev.Record] = []
        first.venue.on_command = lambda _command: durable.extend(first.journal.replay())  # and then: kill -9
        oid = first.create()
        desk = Desk(clock)
        desk.oms.restore(durable, desk.portfolio.adjust)
        desk.venue.orders[oid] = desk.venue.event(oid, K.ACCEPTED, QUERY, eid="7")
        await desk.reconciler.start_up(ACCOUNT)
        assert desk.names == ["ACCEPTED"]
        assert desk.cache.get_open_orders(SYMBOL) == {oid}

    run_virtual(run)


UNCLEAR: dict[str, Any] = {
    "-1000": http(400, {"code": -1000, "msg": "An unknown error occurred while processing the request."}),
    "-1001": http(400, {"code": -1001, "msg": "Disconnected."}),
    "-1006": http(400, {"code": -1006, "msg": "An unexpected response was received from the message bus."}),
    "-1007": http(408, {"code": -1007, "msg": "Timeout waiting for response from backend server."}),
    "503": http(503, {"code": -1000, "msg": "Unknown error, please check your request or try again later."}),
}


@pytest.mark.parametrize("answer", UNCLEAR.values(), ids=UNCLEAR)
def test_m7_an_order_that_may_have_arrived_is_never_sent_again(answer: Any) -> None:
    @account_test
    async def run(a: Account) -> None:
        a.orders = answers(answer)
        a.submit(Route.REST)
        await asyncio.sleep(60)
        assert a.conclusions == [Conclusion.UNKNOWN]
        assert sum(method == "POST" and "/order" in url for method, url in a.transport.requests) == 1

    run()


@account_test
async def test_m7_a_refusal_of_a_duplicate_says_that_the_order_is_there(a: Account) -> None:
    for code, words in ((-4116, "ClientOrderId is duplicated."), (-4015, "Client order id is duplicate.")):
        a.results.clear()
        a.orders = answers(http(400, {"code": code, "msg": words}))
        a.submit(Route.REST)
        await asyncio.sleep(1)
        assert a.conclusions == [Conclusion.UNKNOWN]


@desk_test
async def test_m8_a_venue_that_could_not_be_asked_has_not_denied_the_order(desk: Desk) -> None:
    oid = desk.create()
    desk.venue.result(desk.venue.commands[-1], Conclusion.UNKNOWN, reason="reset")
    desk.venue.unreachable = True
    await asyncio.sleep(3600)
    assert desk.state(oid).is_unknown
    desk.venue.unreachable = False
    await asyncio.sleep(60)
    assert desk.state(oid).public_status is OrderStatus.FAILED, "and this is what a denial does"


def test_m9_an_order_that_rests_for_long_is_not_forgotten() -> None:
    async def run(clock: LoopClock) -> None:
        desk = Desk(clock)
        desk.oms._closed_max = desk.cache._closed_max = 10
        oid = await live(desk)
        for _ in range(30):
            await asyncio.sleep(86_400)
            other = await live(desk)
            desk.on_order_event(desk.venue.event(other, K.CANCELED))
        assert desk.cache.get_open_orders(SYMBOL) == {oid}
        desk.told.clear()
        desk.on_order_event(execution(desk, oid, "0.01", "0.01"))
        assert desk.names == ["FILLED"]
        assert held(desk) == Decimal("0.01")

    run_virtual(run)


@account_test
async def test_m10_an_order_whose_socket_closed_before_the_ack_may_have_been_sent(a: Account) -> None:
    a.submit()
    assert OID.encode() in a.order_socket.sent[-1]
    a.order_socket.break_off()
    await asyncio.sleep(60)
    assert a.conclusions == [Conclusion.UNKNOWN]
