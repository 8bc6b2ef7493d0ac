"""Small promises of execution: what a call gives back, whose word a fact is, and what is neither said nor asked."""

from __future__ import annotations

import asyncio
from decimal import Decimal

from desk import ACCOUNT, SYMBOL, Desk, FullDisk, desk_test, live
from nexustrader.config import RiskConfig
from nexustrader.constants import OrderSide, OrderType
from nexustrader.domain import events as ev
from nexustrader.domain.outcome import Conclusion
from nexustrader.execution.health import Health
from virtual_time import LoopClock, run_virtual

K = ev.EventKind
QUERY = ev.Source.QUERY


@desk_test
async def test_a_modification_gives_back_the_name_it_was_asked_for_by_whether_it_is_sent_or_not(
    desk: Desk,
) -> None:
    await live(desk, client_oid="entry")
    sent = len(desk.venue.commands)

    def amend(oid: str, price: Decimal) -> str:
        return desk.ems.amend(oid, price=price, amount=None, params={})

    assert amend("entry", Decimal(29_000)) == "entry"
    assert len(desk.venue.commands) == sent + 1
    assert amend("entry", Decimal(-1)) == "entry"
    assert amend("nobody's", Decimal(29_000)) == "nobody's"
    assert len(desk.venue.commands) == sent + 1


@desk_test
async def test_what_we_concluded_ourselves_is_journalled_as_our_own_word(desk: Desk) -> None:
    oid = desk.create()
    desk.venue.result(desk.venue.commands[-1], Conclusion.UNKNOWN, reason="reset")
    await asyncio.sleep(60)
    vanished = await live(desk)
    desk.reconciler.resolve_unknown(vanished)
    await asyncio.sleep(60)
    concluded = {
        record.oid: (record.kind, record.source)
        for record in desk.journal.replay()
        if isinstance(record, ev.OrderEvent) and record.kind in (K.ABSENT, K.VANISHED)
    }
    assert concluded == {oid: (K.ABSENT, ev.Source.LOCAL), vanished: (K.VANISHED, ev.Source.LOCAL)}


def test_after_a_restart_nothing_is_said_of_socket_requests_that_the_earlier_run_made() -> None:
    async def run(clock: LoopClock) -> None:
        first = Desk(clock)
        oid = await live(first)
        first.cancel(oid)
        desk = Desk(clock, first.journal)
        desk.oms.restore(first.journal.replay(), desk.portfolio.adjust)
        desk.venue.orders[oid] = desk.venue.event(oid, K.ACCEPTED, QUERY, eid="7")
        await desk.reconciler.start_up(ACCOUNT)
        await asyncio.sleep(60)
        assert desk.names == ["CANCEL_FAILED"], "the cancel is followed to its end"
        assert desk.ws_results == [], "the request it was sent with is no more"

    run_virtual(run)


@desk_test
async def test_an_order_that_ended_while_the_list_was_read_is_not_asked_for(desk: Desk) -> None:
    oid = await live(desk)
    asked: list[str] = []

    def on_query(what: str) -> None:
        asked.append(what)
        if what == "open orders" and asked.count(what) == 1:
            desk.on_order_event(desk.venue.event(oid, K.CANCELED, eid="7"))

    desk.venue.on_query = on_query
    await desk.reconciler.start_up(ACCOUNT)
    assert desk.names == ["CANCELED"]
    assert "order" not in asked


@desk_test
async def test_a_doubt_that_ended_in_time_stops_nothing(desk: Desk) -> None:
    held: list[str] = []
    desk.reconciler._doubts._unknowns._quarantine = lambda symbol, _reason: held.append(symbol)
    oid = desk.create()
    desk.venue.unreachable = True
    desk.venue.result(desk.venue.commands[-1], Conclusion.UNKNOWN, reason="reset")
    await asyncio.sleep(30)
    desk.on_order_event(desk.venue.event(oid, K.ACCEPTED, eid="7"))
    await asyncio.sleep(600)
    assert held == []


@desk_test
async def test_an_order_whose_cancel_was_refused_is_still_looked_after(desk: Desk) -> None:
    oid = await live(desk)
    desk.venue.orders[oid] = desk.venue.event(oid, K.ACCEPTED, QUERY, eid="7")
    desk.cancel(oid)
    desk.venue.result(desk.venue.commands[-1], Conclusion.REJECTED, reason="-2011: Unknown order sent.")
    await asyncio.sleep(1)
    assert desk.names == ["CANCEL_FAILED"]
    assert [state.oid for state in desk.oms.open_orders()] == [oid]
    desk.venue.orders[oid] = desk.venue.event(oid, K.CANCELED, QUERY, eid="7")  # and the stream lost it
    desk.on_status(ACCOUNT, "reconnected")
    await asyncio.sleep(10)
    assert desk.names == ["CANCEL_FAILED", "CANCELED"]


@desk_test
async def test_executions_are_asked_for_by_the_venues_id_wherever_it_is_known(desk: Desk) -> None:
    asked: list[str | None] = []

    async def query_fills(_symbol: str, _oid: str, eid: str | None) -> list[ev.OrderEvent]:
        asked.append(eid)
        return []

    desk.venue.query_fills = query_fills  # type: ignore[method-assign]  # the venue of this test answers otherwise
    unacknowledged = desk.create()
    acknowledged = await live(desk)
    for oid, eid in ((unacknowledged, "8"), (acknowledged, None)):
        answer = desk.venue.event(oid, K.ACCEPTED, QUERY, filled=Decimal("0.004"), eid=eid)
        await desk.reconciler._doubts.take(desk.venue, answer)
    assert asked == ["8", "7"]


def test_an_amendment_that_could_not_be_journalled_takes_no_room_in_the_limits() -> None:
    async def run(clock: LoopClock) -> None:
        desk = Desk(clock, FullDisk(), RiskConfig(position_max=Decimal("0.05")))
        oid = await live(desk)
        desk.journal.full = True
        desk.ems.amend(oid, price=None, amount=Decimal("0.04"), params={})
        desk.journal.full = False
        assert desk.state(oid).amount == Decimal("0.01")
        other = desk.create(amount=Decimal("0.04"))
        await desk.settle()
        assert desk.state(other).is_open, "together they are 0.05"

    run_virtual(run)


def test_a_command_whose_result_is_still_to_come_is_waited_for() -> None:
    async def run(clock: LoopClock) -> None:
        desk = Desk(clock, is_alone=True)
        oid = await live(desk)
        for ask in (desk.create, lambda: desk.cancel(oid), lambda: desk.ems.cancel_all(ACCOUNT, SYMBOL)):
            assert not desk.ems.is_waiting
            ask()
            assert desk.ems.is_waiting
            desk.venue.result(desk.venue.commands[-1], Conclusion.ACCEPTED)
        assert not desk.ems.is_waiting

    run_virtual(run)


def test_an_order_that_ended_by_itself_is_no_part_of_a_cancel_of_all_that_failed() -> None:
    async def run(clock: LoopClock) -> None:
        desk = Desk(clock, is_alone=True)
        oid, other = await live(desk), await live(desk)
        desk.ems.cancel_all(ACCOUNT, SYMBOL)
        desk.on_order_event(desk.venue.event(oid, K.CANCELED, eid="7"))
        desk.venue.result(desk.venue.commands[-1], Conclusion.NOT_SENT, reason="not connected")
        refused = [
            record.oid
            for record in desk.journal.replay()
            if isinstance(record, ev.OrderEvent) and record.kind is K.CANCEL_REJECTED
        ]
        assert refused == [other]

    run_virtual(run)


def test_an_order_that_the_venue_does_not_show_is_no_news_that_the_stream_has_missed() -> None:
    async def run(clock: LoopClock) -> None:
        desk = Desk(clock, interval_s=60)
        desk.reconciler.watch(ACCOUNT)
        await asyncio.sleep(5)  # the round after the start
        await live(desk)
        await asyncio.sleep(120)
        assert desk.names == ["CANCELED"], "denied often enough: it has ended unseen"
        assert desk.venue.renewals == []

    run_virtual(run)


def test_the_health_of_an_order_that_is_taken_over_from_the_venue_is_looked_at_too() -> None:
    async def run(clock: LoopClock) -> None:
        desk = Desk(clock, adopt_foreign=True)
        health = Health()
        desk.oms.watch = health.on_fact
        terms = {
            "side": OrderSide.BUY,
            "type": OrderType.LIMIT,
            "amount": Decimal(1),
            "price": Decimal(30_000),
        }
        desk.on_order_event(desk.venue.event("theirs", K.ACCEPTED, eid="9", filled=Decimal("0.5"), **terms))
        assert desk.state("theirs").filled == Decimal("0.5")
        assert health.count == 0

    run_virtual(run)
