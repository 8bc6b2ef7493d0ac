"""The journal gives back what the engine knew, and damage to one order costs no other."""

from __future__ import annotations

import asyncio
from decimal import Decimal
from typing import Any

import pytest

from desk import ACCOUNT, SHARD, SYMBOL, Desk, FullDisk, desk_test, live
from nexustrader.constants import OrderSide, OrderStatus, OrderType
from nexustrader.domain import events as ev
from nexustrader.domain.ids import OidGenerator
from nexustrader.domain.order_effects import Notice
from nexustrader.domain.outcome import Conclusion, Route
from nexustrader.execution import oms as module
from nexustrader.execution.oms import OrderManager
from nexustrader.market.cache import Cache
from nexustrader.persistence.memory import MemoryJournal
from virtual_time import LoopClock, run_virtual

K = ev.EventKind
QUERY = ev.Source.QUERY


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


def test_a_fact_about_an_order_that_the_journal_does_not_know_is_left_out_and_the_rest_is_read() -> None:
    async def run(clock: LoopClock) -> None:
        desk = Desk(clock)
        desk.journal.append(desk.venue.event(OidGenerator(SHARD).next(clock.timestamp_ms() - 1), K.CANCELED))
        kept = await live(desk)
        again = restored(desk)
        assert [state.oid for state in again.oms.orders()] == [kept]

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


# -- what is remembered --------------------------------------------------------------------------------------


async def close_another(desk: Desk) -> None:
    """With room for one closed order, what had closed before is forgotten."""
    desk.on_order_event(desk.venue.event(await live(desk), K.CANCELED))


@desk_test
async def test_an_order_that_was_given_up_and_lives_is_never_forgotten(desk: Desk) -> None:
    desk.oms._closed_max = 1
    given_up = desk.create()
    desk.on_order_event(desk.venue.event(given_up, K.ABSENT))
    desk.on_order_event(desk.venue.event(given_up, K.ACCEPTED, QUERY, eid="7"))
    for _ in range(2):
        oid = await live(desk)
        desk.on_order_event(desk.venue.event(oid, K.CANCELED))
    assert desk.state(given_up).is_open


@desk_test
async def test_an_order_that_was_forgotten_gives_its_name_back(desk: Desk) -> None:
    desk.oms._closed_max = 1
    await live(desk, client_oid="entry")
    desk.on_order_event(desk.venue.event(desk.state("entry").oid, K.CANCELED))
    assert desk.oms.is_taken("entry")
    await close_another(desk)
    assert desk.oms.get("entry") is None
    assert not desk.oms.is_taken("entry")
    assert desk.oms.resolve("entry") == "entry"


@desk_test
async def test_the_result_of_an_order_that_is_forgotten_already_breaks_nothing(desk: Desk) -> None:
    desk.oms._closed_max = 1
    oid = desk.create()
    command = desk.venue.commands[-1]
    desk.on_order_event(desk.venue.event(oid, K.REJECTED))
    await close_another(desk)
    desk.told.clear()
    desk.venue.result(command, Conclusion.REJECTED, reason="no")
    assert desk.told == []


@desk_test
async def test_an_order_that_is_forgotten_while_the_venue_is_asked_about_it_breaks_nothing(
    desk: Desk,
) -> None:
    desk.oms._closed_max = 1
    oid = desk.create()
    command = desk.venue.commands[-1]

    async def answer(symbol: str, asked: str, eid: str | None) -> ev.OrderEvent | None:
        desk.on_order_event(desk.venue.event(oid, K.REJECTED))
        await close_another(desk)
        return None

    desk.venue.query_order = answer  # type: ignore[method-assign]
    desk.venue.result(command, Conclusion.UNKNOWN, reason="no ACK within 5000 ms")
    await asyncio.sleep(60)
    assert desk.oms.get(oid) is None
    assert desk.ws_results == []


@desk_test
async def test_the_executions_of_strangers_are_remembered_in_a_bounded_number(desk: Desk) -> None:
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(module, "FOREIGN_FILLS_REMEMBERED_MAX", 2)
        for trade_id in ("1", "2", "3", "3", "1"):
            fill = ev.Fill(trade_id=trade_id, price=Decimal(1), amount=Decimal(1), timestamp=0)
            desk.on_order_event(
                desk.venue.event("manual", K.FILLED, fill=fill, side=OrderSide.BUY, amount=Decimal(9))
            )
    assert desk.portfolio.position(ACCOUNT, SYMBOL).signed_amount == 4, "the first one was forgotten"


@desk_test
async def test_a_trade_by_hand_against_ones_own_order_counts_on_both_sides(desk: Desk) -> None:
    for oid, side in (("resting", OrderSide.BUY), ("taking", OrderSide.SELL), ("taking", OrderSide.SELL)):
        fill = ev.Fill(trade_id="1", price=Decimal(1), amount=Decimal(1), timestamp=0)
        desk.on_order_event(desk.venue.event(oid, K.FILLED, fill=fill, side=side, amount=Decimal(9)))
    assert desk.portfolio.position(ACCOUNT, SYMBOL).signed_amount == 0


@desk_test
async def test_whoever_watches_sees_every_fact_with_the_order_before_and_after_it(desk: Desk) -> None:
    seen: list[tuple[Any, K, Any]] = []
    oid = desk.create()
    desk.oms.watch = lambda before, event, applied: seen.append(
        (before and before.public_status, event.kind, applied.order.public_status)
    )
    desk.on_order_event(desk.venue.event(oid, K.ACCEPTED, eid="7"))
    assert seen == [(OrderStatus.INITIALIZED, K.ACCEPTED, OrderStatus.ACCEPTED)]


def test_all_is_told_once_a_record_proves_it() -> None:
    async def run(clock: LoopClock) -> None:
        desk = Desk(clock)
        oid = await live(desk)
        assert not desk.oms.is_all_told
        desk.oms.mark_delivered()
        assert desk.oms.is_all_told
        desk.is_held = True
        desk.on_order_event(desk.venue.event(oid, K.CANCELED))
        desk.oms._later = None
        desk.oms.mark_delivered()
        assert not desk.oms.is_all_told, "it still waits"

    run_virtual(run)


def test_where_nothing_waits_to_be_told_all_is_told() -> None:
    oms = OrderManager(
        MemoryJournal(), Cache(), SHARD, tell=lambda *_told: None, on_fill=lambda *_filled: None
    )
    assert oms.is_all_told


def test_much_news_at_once_is_proved_by_one_record() -> None:
    async def run(clock: LoopClock) -> None:
        desk = Desk(clock)
        due: list[Any] = []
        desk.oms._later = due.append
        for _ in range(3):
            await live(desk)
        assert due == [desk.oms.mark_delivered]
        desk.oms.mark_delivered()
        await live(desk)
        assert len(due) == 2

    run_virtual(run)


def test_an_order_that_went_by_two_routes_is_one_order_after_a_restart() -> None:
    async def run(clock: LoopClock) -> None:
        desk = Desk(clock)
        oid = desk.create()
        desk.venue.result(desk.venue.commands[0], Conclusion.NOT_SENT, reason="not connected")
        assert len(desk.venue.commands) == 2
        again = restored(desk)
        assert [state.oid for state in again.oms.orders()] == [oid]

    run_virtual(run)


@desk_test
async def test_orders_are_listed_by_account_and_strangers_apart(desk: Desk) -> None:
    oid = await live(desk)
    other = "binance:USD_M_FUTURE:other"
    assert [state.oid for state in desk.oms.orders(ACCOUNT)] == [oid]
    assert list(desk.oms.orders(other)) == []
    assert [state.oid for state in desk.oms.own_open_orders(ACCOUNT)] == [oid]


@desk_test
async def test_an_order_that_is_not_kept_is_shown_as_the_venue_describes_it(desk: Desk) -> None:
    terms: dict[str, Any] = {"side": OrderSide.BUY, "amount": Decimal(2), "price": Decimal(9)}
    public = desk.oms.foreign_snapshot(desk.venue.event("manual", K.ACCEPTED, QUERY, **terms))
    assert (public.oid, public.type, public.status) == ("manual", None, OrderStatus.ACCEPTED)
    public = desk.oms.foreign_snapshot(
        desk.venue.event("manual", K.ACCEPTED, QUERY, type=OrderType.MARKET, **terms)
    )
    assert public.type is OrderType.MARKET


@desk_test
async def test_what_nobody_hears_of_is_told_without_its_order_and_counts_all_the_same(desk: Desk) -> None:
    told: list[Any] = []
    desk.oms._tell = told.extend
    desk.oms._hears = lambda notice: notice is Notice.ACCEPTED
    await live(desk)
    assert [(notice, order is not None) for notice, order in told] == [
        (Notice.PENDING, False),
        (Notice.ACCEPTED, True),
    ]
