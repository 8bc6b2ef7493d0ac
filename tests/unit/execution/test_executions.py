"""Amounts that are known as a sum only get their executions, with price, fee and trade id."""

from __future__ import annotations

import asyncio
from decimal import Decimal

from desk import ACCOUNT, SYMBOL, Desk, desk_test, live
from nexustrader.domain import events as ev
from nexustrader.error import OutcomeUnknown
from nexustrader.execution.executions import FETCH_DELAYS_S, MissingExecutions, is_complete

AMOUNT = Decimal("0.01")


def missing(desk: Desk) -> MissingExecutions:
    executions = MissingExecutions(desk.oms, spawn=desk._spawn)  # the desk's own task keeping
    executions.add_port(desk.venue)
    desk.oms.on_sum = executions.note
    return executions


def execution(desk: Desk, oid: str) -> ev.OrderEvent:
    fill = ev.Fill(
        trade_id="t1",
        price=Decimal(29_000),
        amount=AMOUNT,
        fee=Decimal("0.1"),
        fee_currency="USDT",
        timestamp=desk.clock.timestamp_ms(),
    )
    return desk.venue.event(oid, ev.EventKind.FILLED, ev.Source.QUERY, fill=fill)


async def filled_as_a_sum(desk: Desk) -> str:
    oid = await live(desk)
    desk.on_order_event(desk.venue.event(oid, ev.EventKind.FILLED, ev.Source.ACK, filled=AMOUNT))
    return oid


@desk_test
async def test_an_order_filled_as_a_sum_gets_its_executions_from_the_venue(desk: Desk) -> None:
    missing(desk)
    oid = await filled_as_a_sum(desk)
    desk.venue.fills[oid] = [execution(desk, oid)]
    assert not is_complete(desk.state(oid))
    await asyncio.sleep(FETCH_DELAYS_S[0] + 1)
    state = desk.state(oid)
    assert is_complete(state)
    assert state.cost == Decimal(290)
    assert dict(state.fees) == {"USDT": Decimal("0.1")}
    assert not desk.tasks


@desk_test
async def test_an_execution_that_the_stream_brings_in_time_costs_no_question(desk: Desk) -> None:
    missing(desk)
    oid = await filled_as_a_sum(desk)
    desk.on_order_event(execution(desk, oid))
    asked = desk.venue.queries
    await asyncio.sleep(FETCH_DELAYS_S[0] + 1)
    assert desk.venue.queries == asked
    assert not desk.tasks


@desk_test
async def test_a_venue_that_cannot_be_asked_is_asked_again(desk: Desk) -> None:
    missing(desk)
    oid = await filled_as_a_sum(desk)
    desk.venue.fills[oid] = [execution(desk, oid)]
    desk.venue.fault = OutcomeUnknown("away")
    await asyncio.sleep(FETCH_DELAYS_S[0] + 1)
    assert not is_complete(desk.state(oid))
    desk.venue.fault = None
    await asyncio.sleep(FETCH_DELAYS_S[1] + 1)
    assert is_complete(desk.state(oid))


@desk_test
async def test_what_the_venue_never_shows_is_given_up_with_a_word_and_can_be_asked_for_again(
    desk: Desk,
) -> None:
    executions = missing(desk)
    oid = await filled_as_a_sum(desk)
    await asyncio.sleep(sum(FETCH_DELAYS_S) + 1)
    assert not desk.tasks
    desk.venue.fills[oid] = [execution(desk, oid)]
    executions.note_all()
    await asyncio.sleep(FETCH_DELAYS_S[0] + 1)
    assert is_complete(desk.state(oid))


@desk_test
async def test_one_question_serves_an_order_that_grows_twice(desk: Desk) -> None:
    executions = missing(desk)
    oid = await filled_as_a_sum(desk)
    executions.note(desk.state(oid))
    assert len(desk.tasks) == 1


@desk_test
async def test_an_account_without_a_port_is_left_alone(desk: Desk) -> None:
    executions = MissingExecutions(desk.oms, spawn=desk._spawn)  # the desk's own task keeping
    oid = await filled_as_a_sum(desk)
    executions.note(desk.state(oid))
    assert not desk.tasks
    assert (desk.state(oid).account, desk.state(oid).symbol) == (ACCOUNT, SYMBOL)


@desk_test
async def test_an_order_that_is_forgotten_meanwhile_ends_the_question(desk: Desk) -> None:
    missing(desk)
    oid = await filled_as_a_sum(desk)
    desk.oms._orders.pop(oid)  # what the bound on closed orders does
    await asyncio.sleep(FETCH_DELAYS_S[0] + 1)
    assert not desk.tasks
