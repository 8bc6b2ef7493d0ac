"""Amendments are intents: durable before they leave, concluded whatever the reply holds, followed after a restart."""

from __future__ import annotations

import asyncio
from decimal import Decimal

from desk import Desk, FullDisk, desk_test, live
from nexustrader.domain import events as ev
from nexustrader.domain.outcome import Conclusion
from virtual_time import LoopClock, run_virtual


def amend(desk: Desk, oid: str, amount: str) -> None:
    desk.ems.amend(oid, price=None, amount=Decimal(amount), params={})


def test_an_amendment_that_cannot_be_journalled_is_not_sent_and_the_order_stays() -> None:
    async def work(clock: LoopClock) -> None:
        desk = Desk(clock, FullDisk())
        oid = await live(desk)
        desk.journal.full = True
        sent = len(desk.venue.commands)
        amend(desk, oid, "5")
        await desk.settle()
        assert len(desk.venue.commands) == sent
        assert not desk.state(oid).is_amending
        desk.journal.full = False
        amend(desk, oid, "5")
        assert isinstance(desk.venue.commands[-1], ev.Amend)

    run_virtual(work)


@desk_test
async def test_an_amendment_that_the_venue_confirms_without_a_word_about_the_order_is_concluded(
    desk: Desk,
) -> None:
    oid = await live(desk)
    amend(desk, oid, "0.02")
    desk.venue.result(desk.venue.commands[-1], Conclusion.ACCEPTED)
    state = desk.state(oid)
    assert not state.is_amending
    assert state.amount == Decimal("0.01")  # the venue's own word on the terms is still to come
    assert desk.names == ["AMENDED"]
    desk.on_order_event(desk.venue.event(oid, ev.EventKind.AMENDED, amount=Decimal("0.02")))
    assert desk.state(oid).amount == Decimal("0.02")


@desk_test
async def test_an_amendment_of_an_earlier_run_is_asked_about_and_concluded(desk: Desk) -> None:
    oid = await live(desk)
    amend(desk, oid, "0.02")
    again = Desk(desk.clock, desk.journal)
    again.oms.restore(desk.journal.replay(), again.portfolio.adjust)
    assert again.state(oid).is_amending
    again.venue.orders[oid] = again.venue.event(
        oid, ev.EventKind.ACCEPTED, ev.Source.QUERY, eid="7", amount=Decimal("0.02"), price=Decimal(30_000)
    )
    await again.reconciler.start_up(again.venue.account)
    await asyncio.sleep(60)
    assert not again.state(oid).is_amending
    assert not again.tasks


def test_a_record_that_was_not_written_proves_nothing() -> None:
    async def work(clock: LoopClock) -> None:
        desk = Desk(clock, FullDisk())
        oid = await live(desk)
        desk.on_order_event(
            desk.venue.event(oid, ev.EventKind.FILLED, filled=Decimal("0.005"), average=Decimal(1))
        )
        assert not desk.oms.is_all_told
        desk.journal.full = True
        desk.cancel(oid)
        assert not desk.oms.is_all_told

    run_virtual(work)
