"""After a time of silence the executions of many orders are read with one question a symbol."""

from __future__ import annotations

import asyncio
from collections import Counter
from decimal import Decimal

import pytest

from desk import ACCOUNT, SYMBOL, Desk, desk_test
from nexustrader.constants import OrderStatus
from nexustrader.domain import events as ev
from nexustrader.domain.outcome import Conclusion
from nexustrader.error import OutcomeUnknown
from nexustrader.execution.past_fills import CLOCK_ERROR_MS_MAX, ORDERS_MIN
from virtual_time import LoopClock, run_virtual

K = ev.EventKind
QUERY = ev.Source.QUERY
AMOUNT = "0.01"
PART = "0.004"


async def resting(desk: Desk, count: int) -> list[str]:
    """Orders that the venue has accepted, each with an id of its own there."""
    oids = []
    for number in range(count):
        oid = desk.create()
        desk.on_order_event(desk.venue.event(oid, K.ACCEPTED, eid=f"E{number}"))
        oids.append(oid)
    return oids


def execute(desk: Desk, number: int, oid: str, amount: str) -> None:
    """The venue has executed some of it, and no stream has told."""
    at_venue = {"eid": f"E{number}", "average": Decimal(30_000)}
    fill = ev.Fill(
        trade_id=str(number), price=Decimal(30_000), amount=Decimal(amount), timestamp=desk.clock.timestamp_ms(),
        fee=Decimal(1), fee_currency="USDT",
    )  # fmt: skip
    desk.venue.fills[oid] = [desk.venue.event(oid, K.FILLED, QUERY, eid=f"E{number}", fill=fill)]
    kind = K.FILLED if amount == AMOUNT else K.ACCEPTED
    desk.venue.orders[oid] = desk.venue.event(oid, kind, QUERY, filled=Decimal(amount), **at_venue)


def counted(desk: Desk) -> Counter[str]:
    questions: Counter[str] = Counter()
    desk.venue.on_query = lambda what: questions.update([what])
    return questions


@pytest.mark.parametrize(
    ("amount", "status"), [(AMOUNT, OrderStatus.FILLED), (PART, OrderStatus.PARTIALLY_FILLED)]
)
def test_orders_that_filled_in_the_silence_cost_one_question_together(
    amount: str, status: OrderStatus
) -> None:
    async def run(clock: LoopClock) -> None:
        desk = Desk(clock)
        oids = await resting(desk, 20)
        for number, oid in enumerate(oids):
            execute(desk, number, oid, amount)
        desk.hold(str(20 * Decimal(amount)))
        questions = counted(desk)
        desk.on_status(ACCOUNT, "reconnected")
        await asyncio.sleep(5)
        assert questions["past fills"] == 1
        assert questions["fills"] == questions["order"] == 0
        states = [desk.state(oid) for oid in oids]
        assert {(s.public_status, s.filled, s.fills_amount) for s in states} == {
            (status, Decimal(amount), Decimal(amount))
        }
        assert {s.fees for s in states} == {(("USDT", Decimal(1)),)}

    run_virtual(run)


@desk_test
async def test_few_orders_are_asked_for_by_themselves(desk: Desk) -> None:
    for number, oid in enumerate(await resting(desk, ORDERS_MIN - 1)):
        execute(desk, number, oid, AMOUNT)
    desk.hold(str((ORDERS_MIN - 1) * Decimal(AMOUNT)))
    questions = counted(desk)
    desk.on_status(ACCOUNT, "reconnected")
    await asyncio.sleep(5)
    assert questions["past fills"] == 0
    assert questions["fills"] == ORDERS_MIN - 1


@desk_test
async def test_what_the_one_question_does_not_bring_is_asked_for_order_by_order(desk: Desk) -> None:
    oids = await resting(desk, ORDERS_MIN)
    for number, oid in enumerate(oids):
        execute(desk, number, oid, AMOUNT)

    def fail(what: str) -> None:
        if what == "past fills":
            raise OutcomeUnknown("no answer within 5000 ms")

    desk.venue.on_query = fail
    desk.on_status(ACCOUNT, "reconnected")
    await asyncio.sleep(5)
    assert {desk.state(oid).public_status for oid in oids} == {OrderStatus.FILLED}
    assert {desk.state(oid).fills_amount for oid in oids} == {Decimal(AMOUNT)}


@desk_test
async def test_executions_of_orders_that_are_not_ours_are_passed_over(desk: Desk) -> None:
    oids = await resting(desk, ORDERS_MIN)
    for number, oid in enumerate(oids):
        execute(desk, number, oid, AMOUNT)
    strange = ev.Fill(trade_id="99", price=Decimal(1), amount=Decimal(1), timestamp=desk.clock.timestamp_ms())
    desk.venue.fills["a stranger"] = [
        desk.venue.event("a stranger", K.FILLED, QUERY, eid="E99", fill=strange)
    ]
    desk.on_status(ACCOUNT, "reconnected")
    await asyncio.sleep(5)
    assert {state.oid for state in desk.oms.orders()} == set(oids)


@desk_test
async def test_executions_are_asked_for_from_before_the_oldest_order_by_any_clock(desk: Desk) -> None:
    begun_ms = desk.clock.timestamp_ms()
    oids = await resting(desk, ORDERS_MIN)
    await asyncio.sleep(3_600)
    for number, oid in enumerate(oids):
        execute(desk, number, oid, AMOUNT)
    desk.hold(str(ORDERS_MIN * Decimal(AMOUNT)))
    asked: list[int] = []
    port = desk.venue.query_fills_since

    async def since(symbol: str, since_ms: int) -> list[ev.OrderEvent]:
        asked.append(since_ms)
        return await port(symbol, since_ms)

    desk.venue.query_fills_since = since  # type: ignore[method-assign]  # listens to the question
    desk.on_status(ACCOUNT, "reconnected")
    await asyncio.sleep(5)
    assert asked == [begun_ms - CLOCK_ERROR_MS_MAX]


@desk_test
async def test_an_order_that_is_being_amended_is_not_ended_by_its_fills_alone(desk: Desk) -> None:
    oids = await resting(desk, ORDERS_MIN + 1)
    amended = oids[0]
    desk.ems.amend(amended, price=None, amount=Decimal("0.02"), params={})
    for number, oid in enumerate(oids):
        execute(desk, number, oid, AMOUNT)
    desk.venue.orders[amended] = desk.venue.event(
        amended, K.ACCEPTED, QUERY, eid="E0", filled=Decimal(AMOUNT), amount=Decimal("0.02")
    )
    desk.on_status(ACCOUNT, "reconnected")
    await asyncio.sleep(5)
    assert desk.state(amended).is_open
    assert "RESURRECTED" not in desk.names


# -- positions -----------------------------------------------------------------------------------------------


@desk_test
async def test_a_position_is_not_taken_over_for_an_execution_of_ours_that_was_not_heard_of(
    desk: Desk,
) -> None:
    """The list of positions is ahead of the list of orders: taken over now, the execution would count twice later."""
    (oid,) = await resting(desk, 1)
    execute(desk, 0, oid, PART)
    known, desk.venue.orders[oid] = desk.venue.orders[oid], desk.venue.event(oid, K.ACCEPTED, QUERY, eid="E0")
    desk.hold(PART)
    desk.on_status(ACCOUNT, "reconnected")
    await asyncio.sleep(30)
    assert desk.state(oid).filled == Decimal(PART)
    desk.venue.orders[oid] = known
    desk.on_status(ACCOUNT, "reconnected")
    await asyncio.sleep(30)
    assert desk.portfolio.position(ACCOUNT, SYMBOL).signed_amount == Decimal(PART)
    assert not [r for r in desk.journal.replay() if isinstance(r, ev.PositionEvent)]


@desk_test
async def test_a_position_is_not_taken_over_while_an_order_of_its_symbol_is_in_doubt(desk: Desk) -> None:
    oid = desk.create()
    desk.venue.result(desk.venue.commands[-1], Conclusion.UNKNOWN, reason="no ACK within 5000 ms")
    desk.venue.fault = None
    desk.hold("0.01")
    desk.venue.on_query = lambda what: _refuse() if what == "order" else None
    desk.on_status(ACCOUNT, "reconnected")
    await asyncio.sleep(30)
    assert desk.state(oid).is_unknown
    assert not [r for r in desk.journal.replay() if isinstance(r, ev.PositionEvent)]


def _refuse() -> None:
    raise OutcomeUnknown("the venue does not answer this one")


@desk_test
async def test_orders_that_were_enlarged_elsewhere_are_not_ended_by_their_fills(desk: Desk) -> None:
    oids = await resting(desk, ORDERS_MIN)
    for number, oid in enumerate(oids):
        execute(desk, number, oid, AMOUNT)
        desk.venue.orders[oid] = desk.venue.event(
            oid, K.ACCEPTED, QUERY, eid=f"E{number}", filled=Decimal(AMOUNT), amount=Decimal("0.02")
        )
    desk.hold(str(ORDERS_MIN * Decimal(AMOUNT)))
    desk.on_status(ACCOUNT, "reconnected")
    await asyncio.sleep(5)
    assert {desk.state(oid).public_status for oid in oids} == {OrderStatus.PARTIALLY_FILLED}
    assert not {"FILLED", "RESURRECTED"} & {*desk.names}


@desk_test
async def test_a_manual_trade_is_seen_on_a_symbol_that_is_quoted_without_pause(desk: Desk) -> None:
    """A create that is only under way holds a position back no longer than it takes."""
    desk.hold("0.5")
    quoting = asyncio.get_running_loop().create_task(_quote(desk))
    for _ in range(3):
        await desk.reconciler._look_for_differences(ACCOUNT)
    quoting.cancel()
    assert desk.portfolio.position(ACCOUNT, SYMBOL).signed_amount == Decimal("0.5")


async def _quote(desk: Desk) -> None:
    number = 0
    while True:
        number += 1
        oid = desk.create(amount=Decimal("0.001"))
        await asyncio.sleep(0.1)
        desk.on_order_event(desk.venue.event(oid, K.ACCEPTED, eid=f"Q{number}"))
        desk.on_order_event(desk.venue.event(oid, K.CANCELED, eid=f"Q{number}"))


@desk_test
async def test_an_old_order_does_not_make_us_read_its_whole_past(desk: Desk) -> None:
    oids = await resting(desk, ORDERS_MIN)
    await asyncio.sleep(60 * 86_400)
    for number, oid in enumerate(oids):
        execute(desk, number, oid, AMOUNT)
    desk.hold(str(ORDERS_MIN * Decimal(AMOUNT)))
    asked: list[int] = []
    port = desk.venue.query_fills_since

    async def since(symbol: str, since_ms: int) -> list[ev.OrderEvent]:
        asked.append(since_ms)
        return await port(symbol, since_ms)

    desk.venue.query_fills_since = since  # type: ignore[method-assign]  # listens to the question
    desk.on_status(ACCOUNT, "reconnected")
    await asyncio.sleep(5)
    assert asked[0] >= desk.clock.timestamp_ms() - 86_400_000
