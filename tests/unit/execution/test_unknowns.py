"""An order that stays in doubt is said so loudly, and no new risk is taken on its symbol until it is known."""

from __future__ import annotations

import asyncio

from desk import SYMBOL, Desk, desk_test, live
from nexustrader.domain import events as ev
from nexustrader.domain.outcome import Conclusion
from nexustrader.execution.errands import Errands
from nexustrader.execution.unknowns import Unknowns

K = ev.EventKind


def doubted(desk: Desk) -> str:
    oid = desk.create()
    desk.venue.result(desk.venue.commands[-1], Conclusion.UNKNOWN, reason="no ACK within 5000 ms")
    return oid


@desk_test
async def test_a_doubt_says_in_the_order_why_it_is_one(desk: Desk) -> None:
    oid = doubted(desk)
    order = desk.cache.get_order(oid)
    assert order is not None
    assert order.reason == "no ACK within 5000 ms"


@desk_test
async def test_an_order_that_stays_in_doubt_keeps_its_symbol_from_new_risk_until_it_is_known(
    desk: Desk,
) -> None:
    desk.venue.unreachable = True
    oid = doubted(desk)
    await asyncio.sleep(59)
    assert desk.quarantined == {}
    await asyncio.sleep(2)
    assert oid in desk.quarantined[SYMBOL]
    await asyncio.sleep(600)
    assert list(desk.quarantined) == [SYMBOL]
    desk.on_order_event(desk.venue.event(oid, K.ACCEPTED, eid="7"))
    await asyncio.sleep(1.5)
    assert desk.quarantined == {}


@desk_test
async def test_a_symbol_is_released_with_the_last_of_its_doubts(desk: Desk) -> None:
    desk.venue.unreachable = True
    first, second = doubted(desk), doubted(desk)
    await asyncio.sleep(61)
    desk.on_order_event(desk.venue.event(first, K.ACCEPTED, eid="7"))
    await asyncio.sleep(2)
    assert list(desk.quarantined) == [SYMBOL]
    desk.on_order_event(desk.venue.event(second, K.ACCEPTED, eid="8"))
    await asyncio.sleep(2)
    assert desk.quarantined == {}


@desk_test
async def test_a_doubt_that_ends_in_time_is_nobodys_concern(desk: Desk) -> None:
    doubted(desk)
    await asyncio.sleep(600)
    assert desk.names[-1] == "FAILED"
    assert desk.quarantined == {}


@desk_test
async def test_without_a_limit_and_without_hooks_doubts_are_only_asked_about(desk: Desk) -> None:
    oid = await live(desk)
    desk.venue.unreachable = True
    doubted(desk)
    errands = Errands(desk._spawn)
    never = Unknowns(desk.oms, errands, limit_ms=None, quarantine=None, release=None)
    never.watch(oid)
    assert not errands.is_busy("unknown", oid)
    silent = Unknowns(desk.oms, errands, limit_ms=1_000, quarantine=None, release=None)
    oid = doubted(desk)
    silent.watch(oid)
    await asyncio.sleep(2)
    desk.on_order_event(desk.venue.event(oid, K.ACCEPTED, eid="7"))
    await asyncio.sleep(2)
    assert not errands.is_busy("unknown", oid)
