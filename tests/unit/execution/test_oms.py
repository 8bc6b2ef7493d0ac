"""The journal gives back what the engine knew, and damage to one order costs no other."""

from __future__ import annotations

from decimal import Decimal
from typing import Any

from desk import ACCOUNT, SHARD, SYMBOL, Desk, FullDisk, live
from nexustrader.constants import OrderStatus, OrderType
from nexustrader.domain import events as ev
from nexustrader.domain.ids import OidGenerator
from nexustrader.domain.outcome import Conclusion, Route
from virtual_time import LoopClock, run_virtual

K = ev.EventKind


def restored(desk: Desk) -> Desk:
    again = Desk(desk.clock, desk.journal)
    again.oms.restore(desk.journal.replay(), again.portfolio.adjust)
    return again


def test_a_replay_ends_in_the_same_state() -> None:
    async def run(clock: LoopClock) -> None:
        desk = Desk(clock)
        first, second = await live(desk), await live(desk, client_oid="entry", idempotency_key="k")
        desk.ems.amend(first, price=Decimal(29_000), amount=None, params={})
        for _ in range(2):
            desk.cancel(first)
            desk.venue.result(desk.venue.commands[-1], Conclusion.ACCEPTED)
        desk.ems.cancel_all(ACCOUNT, SYMBOL)
        desk.create(type=OrderType.MARKET, price=None)
        desk.create(amount=Decimal(0))
        await desk.settle()
        again = restored(desk)
        known = {state.oid: state for state in desk.oms.orders() if state.amount}
        assert {state.oid: state for state in again.oms.orders()} == known
        assert {s.oid for s in again.oms.open_orders()} == {s.oid for s in desk.oms.open_orders()}
        assert again.oms.get("entry") == desk.oms.get(second)

    run_virtual(run)


def test_facts_about_an_order_whose_beginning_was_not_journalled_do_not_stop_a_restart() -> None:
    async def run(clock: LoopClock) -> None:
        journal = FullDisk()
        desk = Desk(clock, journal)
        kept = await live(desk)
        journal.full = True
        oid = OidGenerator(SHARD).next(clock.timestamp_ms() - 1)
        terms: dict[str, Any] = {"side": desk.state(kept).side, "type": OrderType.LIMIT}
        desk.on_order_event(
            desk.venue.event(oid, K.ACCEPTED, eid="9", amount=Decimal(1), price=Decimal(1), **terms)
        )
        assert desk.oms.get(oid) is not None
        journal.full = False
        desk.cancel(oid, Route.REST)
        again = restored(desk)
        assert again.oms.get(kept) == desk.oms.get(kept)

    run_virtual(run)


def test_an_order_that_comes_back_to_life_is_open_again() -> None:
    async def run(clock: LoopClock) -> None:
        desk = Desk(clock)
        oid = desk.create()
        desk.venue.result(desk.venue.commands[-1], Conclusion.REJECTED, reason="no")
        assert list(desk.oms.open_orders()) == []
        desk.on_order_event(desk.venue.event(oid, K.ACCEPTED, eid="7"))
        assert [s.oid for s in desk.oms.open_orders(ACCOUNT)] == [oid]
        assert desk.told[-1][1].status is OrderStatus.ACCEPTED

    run_virtual(run)


def test_ids_go_on_above_those_of_an_earlier_run_also_when_the_clock_was_set_back() -> None:
    async def run(clock: LoopClock) -> None:
        desk = Desk(clock)
        oid = desk.create()
        last = desk.oms.last_oid()
        assert last == oid
        ids = OidGenerator(SHARD)
        ids.start_above(last)
        assert ids.next(clock.timestamp_ms() - 86_400_000) > oid

    run_virtual(run)


def test_only_the_oldest_closed_orders_are_forgotten_and_never_an_open_one() -> None:
    async def run(clock: LoopClock) -> None:
        desk = Desk(clock)
        desk.oms._closed_max = 2
        resting = await live(desk)
        closed = []
        for _ in range(4):
            closed.append(await live(desk))
            desk.on_order_event(desk.venue.event(closed[-1], K.CANCELED))
        assert [state.oid for state in desk.oms.orders()] == [resting, *closed[2:]]

    run_virtual(run)
