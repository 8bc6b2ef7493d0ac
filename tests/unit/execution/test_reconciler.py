"""Doubts end: by the venue's word, by its repeated and timely denial, and never by an error of the asking."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Coroutine
from decimal import Decimal
from typing import Any

import pytest

from desk import ACCOUNT, SYMBOL, Desk, desk_test, live
from nexustrader.constants import OrderStatus, OrderType, WsOrderResultType
from nexustrader.domain import events as ev
from nexustrader.domain.outcome import Conclusion, Route
from nexustrader.error import InstrumentError, VenueRejected
from nexustrader.execution.doubts import Doubt
from virtual_time import LoopClock, run_virtual

K = ev.EventKind
QUERY = ev.Source.QUERY
HORIZON_S = 10


def fill(desk: Desk, amount: str = "0.01", trade_id: str = "1") -> ev.Fill:
    return ev.Fill(
        trade_id=trade_id,
        price=Decimal(30_000),
        amount=Decimal(amount),
        timestamp=desk.clock.timestamp_ms(),
    )


def show(desk: Desk, oid: str, kind: ev.EventKind, **more: Any) -> None:
    """What the venue answers about an order from now on."""
    desk.venue.orders[oid] = desk.venue.event(oid, kind, QUERY, eid="7", **more)


def statuses(desk: Desk) -> list[str]:
    return [message["event"] for topic, message in desk.published if topic == "private_ws_status"]


async def doubted(desk: Desk, **changes: Any) -> str:
    """An order of which nobody knows whether it arrived."""
    oid = desk.create(**changes)
    desk.venue.result(desk.venue.commands[-1], Conclusion.UNKNOWN, reason="no ACK within 5000 ms")
    return oid


# -- creates in doubt ----------------------------------------------------------------------------------------


@desk_test
async def test_an_error_that_nobody_foresaw_does_not_end_the_asking(desk: Desk) -> None:
    desk.venue.fault = KeyError(SYMBOL)
    oid = await doubted(desk)
    await asyncio.sleep(60)
    assert desk.state(oid).is_unknown
    desk.venue.fault = None
    show(desk, oid, K.ACCEPTED)
    await asyncio.sleep(10)
    assert desk.state(oid).public_status is OrderStatus.ACCEPTED


@desk_test
async def test_absence_counts_from_the_doubt_not_from_the_first_attempt(desk: Desk) -> None:
    oid = desk.create(route=Route.REST)
    await asyncio.sleep(30)  # refused for clock skew, clock read, sent again: all within one command
    desk.venue.result(desk.venue.commands[0], Conclusion.UNKNOWN, reason="reset")
    await asyncio.sleep(HORIZON_S - 1)
    assert desk.state(oid).is_unknown
    await asyncio.sleep(20)
    assert desk.state(oid).public_status is OrderStatus.FAILED


@desk_test
async def test_an_answer_that_leaves_the_doubt_does_not_end_the_asking(desk: Desk) -> None:
    oid = desk.create()
    desk.venue.result(desk.venue.commands[0], Conclusion.ACCEPTED)
    desk.on_status(ACCOUNT, "reconnected")
    await asyncio.sleep(1)
    assert desk.state(oid).is_unknown
    show(desk, oid, K.ACKED)
    await asyncio.sleep(30)
    show(desk, oid, K.ACCEPTED)
    await asyncio.sleep(10)
    assert desk.state(oid).public_status is OrderStatus.ACCEPTED


@desk_test
async def test_an_ioc_whose_end_cannot_be_asked_for_is_asked_for_until_it_can(desk: Desk) -> None:
    oid = desk.create(type=OrderType.MARKET, price=None)
    desk.venue.result(desk.venue.commands[0], Conclusion.ACCEPTED)
    desk.venue.unreachable = True
    await asyncio.sleep(60)
    desk.venue.unreachable = False
    show(desk, oid, K.FILLED, filled=Decimal("0.01"), average=Decimal(30_000))
    await asyncio.sleep(10)
    assert desk.names == ["PENDING", "FILLED"]


@desk_test
async def test_a_market_order_that_was_acknowledged_and_then_denied_fails_after_the_horizon(
    desk: Desk,
) -> None:
    oid = desk.create(type=OrderType.MARKET, price=None)
    desk.venue.result(desk.venue.commands[0], Conclusion.ACCEPTED)
    await asyncio.sleep(HORIZON_S - 1)
    assert desk.state(oid).is_open
    await asyncio.sleep(20)
    assert desk.names == ["PENDING", "FAILED"]


@desk_test
async def test_an_unanswered_question_is_logged_ever_more_rarely(desk: Desk) -> None:
    doubt = Doubt(desk.state(await live(desk)), 0, HORIZON_S * 1000, (1.0,))
    lines = 0
    for _ in range(1_000):
        lines += doubt.is_worth_a_line
        doubt.note(None, 0)
    assert lines == 10


@desk_test
async def test_many_doubts_do_not_take_every_connection_from_the_orders(desk: Desk) -> None:
    asking, most = 0, 0

    async def slow(symbol: str, oid: str, eid: str | None) -> ev.OrderEvent | None:
        nonlocal asking, most
        asking += 1
        most = max(most, asking)
        await asyncio.sleep(0.1)
        asking -= 1
        return desk.venue.event(oid, K.ACCEPTED, QUERY, eid="7")

    desk.venue.query_order = slow  # type: ignore[method-assign]
    oids = [await doubted(desk) for _ in range(100)]
    await asyncio.sleep(60)
    assert most <= 16
    assert {desk.state(oid).public_status for oid in oids} == {OrderStatus.ACCEPTED}


@desk_test
async def test_an_order_that_ends_and_is_forgotten_before_it_is_asked_about_costs_nothing(desk: Desk) -> None:
    desk.oms._closed_max = 1
    oid = await doubted(desk)
    desk.on_order_event(desk.venue.event(oid, K.REJECTED))
    other = await live(desk)
    desk.on_order_event(desk.venue.event(other, K.CANCELED))
    assert desk.oms.get(oid) is None
    tasks = list(desk.tasks)
    await asyncio.sleep(120)
    assert [task.exception() for task in tasks if task.done() and not task.cancelled()] == [None] * len(tasks)


# -- cancels in doubt ----------------------------------------------------------------------------------------


@desk_test
async def test_a_cancel_in_doubt_is_not_told_as_failed_while_it_may_still_arrive(desk: Desk) -> None:
    oid = await live(desk)
    show(desk, oid, K.ACCEPTED)
    desk.cancel(oid)
    desk.venue.result(desk.venue.commands[-1], Conclusion.UNKNOWN, reason="no ACK within 5000 ms")
    await asyncio.sleep(HORIZON_S / 2)
    assert desk.names == []
    desk.on_order_event(desk.venue.event(oid, K.CANCELED))
    await asyncio.sleep(60)
    assert desk.names == ["CANCELED"]
    assert [r["result_type"] for r in desk.ws_results] == [WsOrderResultType.ACK_TIMEOUT_CONFIRMED]


@desk_test
async def test_a_cancel_that_never_arrived_is_told_as_failed_and_the_order_is_listed_again(
    desk: Desk,
) -> None:
    oid = await live(desk)
    show(desk, oid, K.ACCEPTED)
    desk.cancel(oid)
    desk.venue.result(desk.venue.commands[-1], Conclusion.UNKNOWN, reason="reset")
    await asyncio.sleep(60)
    assert desk.names == ["CANCEL_FAILED"]
    assert desk.cache.get_open_orders(SYMBOL) == {oid}
    assert [r["result_type"] for r in desk.ws_results] == [WsOrderResultType.ACK_TIMEOUT_CONFIRMED]


@desk_test
async def test_a_cancel_in_doubt_is_asked_for_as_long_as_the_venue_does_not_answer(desk: Desk) -> None:
    oid = await live(desk)
    desk.venue.unreachable = True
    desk.cancel(oid)
    desk.venue.result(desk.venue.commands[-1], Conclusion.UNKNOWN, reason="reset")
    await asyncio.sleep(600)
    assert desk.names == []
    assert [r["result_type"] for r in desk.ws_results] == [WsOrderResultType.ACK_TIMEOUT]
    desk.venue.unreachable = False
    show(desk, oid, K.CANCELED)
    await asyncio.sleep(10)
    assert desk.names == ["CANCELED"]


@desk_test
async def test_the_end_after_a_cancel_is_asked_for_until_it_is_known(desk: Desk) -> None:
    oid = await live(desk)
    desk.cancel(oid)
    desk.venue.unreachable = True
    desk.venue.result(desk.venue.commands[-1], Conclusion.ACCEPTED)
    await asyncio.sleep(60)
    desk.venue.unreachable = False
    show(desk, oid, K.CANCELED)
    await asyncio.sleep(10)
    assert desk.names == ["CANCELING", "CANCELED"]


@desk_test
async def test_an_order_that_a_cancel_of_all_did_not_reach_is_told_and_listed_again(desk: Desk) -> None:
    desk.ems._is_alone = True
    oid = await live(desk)
    show(desk, oid, K.ACCEPTED)
    desk.ems.cancel_all(ACCOUNT, SYMBOL)
    desk.venue.result(desk.venue.commands[-1], Conclusion.ACCEPTED)
    await asyncio.sleep(60)
    assert desk.names == ["CANCEL_FAILED"]
    assert desk.cache.get_open_orders(SYMBOL) == {oid}


@desk_test
async def test_a_refused_cancel_is_told_once_it_is_known_what_the_order_is(desk: Desk) -> None:
    oid = await live(desk)
    desk.venue.unreachable = True
    desk.cancel(oid)
    desk.venue.result(desk.venue.commands[-1], Conclusion.REJECTED, reason="-2011: Unknown order sent.")
    await asyncio.sleep(60)
    assert desk.names == []
    desk.venue.unreachable = False
    show(desk, oid, K.ACCEPTED)
    await asyncio.sleep(10)
    assert desk.names == ["CANCEL_FAILED"]
    assert "-2011" in (desk.told[0][1].reason or "")
    assert desk.cache.get_open_orders(SYMBOL) == {oid}


@desk_test
async def test_an_amendment_in_doubt_that_the_venue_carried_out_is_not_told_as_failed(desk: Desk) -> None:
    oid = await live(desk)
    await asyncio.sleep(1)
    desk.ems.amend(oid, price=Decimal(29_000), amount=None, params={})
    show(desk, oid, K.ACCEPTED, price=Decimal(29_000), amount=Decimal("0.01"))
    desk.venue.result(desk.venue.commands[-1], Conclusion.UNKNOWN, reason="reset")
    await asyncio.sleep(60)
    assert desk.names == ["AMENDED"]
    assert desk.state(oid).price == Decimal(29_000)


# -- the whole account ---------------------------------------------------------------------------------------


@desk_test
async def test_a_failed_resync_is_repeated_until_the_venue_answers(desk: Desk) -> None:
    oid = await live(desk)
    show(desk, oid, K.FILLED, filled=Decimal("0.01"), average=Decimal(30_000))
    desk.venue.unreachable = True
    desk.on_status(ACCOUNT, "reconnected")
    await asyncio.sleep(120)
    assert statuses(desk)[:2] == ["reconnected", "resync_failed"]
    assert desk.names == []
    desk.venue.unreachable = False
    await asyncio.sleep(60)
    assert statuses(desk)[-1] == "resynced"
    assert desk.names == ["FILLED"]


@desk_test
async def test_a_reconnect_during_a_resync_is_followed_by_another_one(desk: Desk) -> None:
    oid = await live(desk)
    show(desk, oid, K.ACCEPTED)

    def reconnect_once(what: str) -> None:
        if what == "balances":  # the list of open orders has been read
            desk.venue.on_query = None
            show(desk, oid, K.FILLED, filled=Decimal("0.01"), average=Decimal(30_000))
            desk.on_status(ACCOUNT, "reconnected")

    desk.venue.on_query = reconnect_once
    desk.on_status(ACCOUNT, "reconnected")
    await asyncio.sleep(10)
    assert desk.names == ["FILLED"]
    assert statuses(desk).count("resynced") == 2


@desk_test
async def test_a_stream_that_keeps_asking_for_resyncs_does_not_use_up_the_limits(desk: Desk) -> None:
    async def complain() -> None:
        while True:
            desk.on_status(ACCOUNT, "resync_needed")
            await asyncio.sleep(0.01)

    complaining = asyncio.ensure_future(complain())
    await asyncio.sleep(60)
    complaining.cancel()
    assert statuses(desk).count("resynced") <= 13
    await asyncio.sleep(20)


@desk_test
async def test_an_unforeseen_error_fails_a_resync_and_nothing_else(desk: Desk) -> None:
    desk.venue.fault = LookupError("nobody thought of this")
    desk.on_status(ACCOUNT, "reconnected")
    await asyncio.sleep(5)
    assert statuses(desk)[-1] == "resync_failed"
    desk.venue.fault = None
    await asyncio.sleep(60)
    assert statuses(desk)[-1] == "resynced"


@desk_test
async def test_an_order_whose_command_is_under_way_is_not_doubted_by_a_resync(desk: Desk) -> None:
    oid = desk.create(route=Route.REST)
    desk.on_status(ACCOUNT, "reconnected")
    await asyncio.sleep(60)
    assert desk.names == []
    assert desk.state(oid).public_status is OrderStatus.INITIALIZED


@desk_test
async def test_an_accepted_order_that_the_venue_denies_has_ended_unseen(desk: Desk) -> None:
    oid = await live(desk)
    desk.on_status(ACCOUNT, "reconnected")
    await asyncio.sleep(HORIZON_S - 1)
    assert desk.names == []
    await asyncio.sleep(30)
    assert desk.names == ["CANCELED"]
    assert desk.state(oid).public_status is OrderStatus.CANCELED
    assert "no longer" in (desk.told[0][1].reason or "")


@desk_test
async def test_an_accepted_order_is_not_given_up_while_the_venue_does_not_answer(desk: Desk) -> None:
    oid = await live(desk)
    desk.on_status(ACCOUNT, "reconnected")
    await asyncio.sleep(2)
    desk.venue.unreachable = True
    await asyncio.sleep(600)
    assert desk.state(oid).is_open
    desk.venue.unreachable = False
    show(desk, oid, K.ACCEPTED)
    await asyncio.sleep(60)
    assert desk.names == []


@desk_test
async def test_a_known_partial_fill_is_no_sign_that_the_order_still_lives(desk: Desk) -> None:
    oid = await live(desk)
    part = desk.venue.event(oid, K.FILLED, fill=fill(desk, "0.004"), filled=Decimal("0.004"))
    desk.on_order_event(part)
    desk.venue.fills[oid] = [part]
    desk.told.clear()
    desk.on_status(ACCOUNT, "reconnected")
    await asyncio.sleep(60)
    assert desk.names == ["CANCELED"]
    assert desk.state(oid).filled == Decimal("0.004")


@desk_test
async def test_only_the_connections_own_events_are_told_as_its_status(desk: Desk) -> None:
    desk.on_status(ACCOUNT, "balance_update")
    await asyncio.sleep(5)
    assert statuses(desk) == ["resynced"]


@desk_test
async def test_the_status_names_venue_type_and_account(desk: Desk) -> None:
    desk.on_status(ACCOUNT, "connected")
    desk.on_status(f"{ACCOUNT}:mm1", "connected")
    (_, one), (_, two) = desk.published
    assert (one["exchange"], one["account_type"], one["account"]) == ("binance", "USD_M_FUTURE", None)
    assert (two["exchange"], two["account_type"], two["account"]) == ("binance", "USD_M_FUTURE", "mm1")


# -- positions -----------------------------------------------------------------------------------------------


def stated(desk: Desk, amount: str) -> ev.PositionEvent:
    return ev.PositionEvent(
        account=ACCOUNT,
        symbol=SYMBOL,
        signed_amount=Decimal(amount),
        entry_price=Decimal(30_000),
        timestamp=desk.clock.timestamp_ms(),
        snapshot=True,
    )


@desk_test
async def test_a_fill_that_a_list_of_positions_holds_already_is_not_counted_twice(desk: Desk) -> None:
    oid = await live(desk)
    show(desk, oid, K.ACCEPTED)
    desk.venue.positions = [stated(desk, "0.01")]

    def fill_later(what: str) -> None:
        if what == "positions":
            desk.venue.on_query = None
            event = desk.venue.event(oid, K.FILLED, fill=fill(desk), filled=Decimal("0.01"))
            asyncio.get_running_loop().call_later(0.3, desk.on_order_event, event)

    desk.venue.on_query = fill_later
    desk.on_status(ACCOUNT, "reconnected")
    await asyncio.sleep(20)
    assert desk.portfolio.position(ACCOUNT, SYMBOL).signed_amount == Decimal("0.01")


@desk_test
async def test_a_position_of_somebody_else_is_adopted(desk: Desk) -> None:
    desk.venue.positions = [stated(desk, "2")]
    await desk.reconciler.start_up(ACCOUNT)
    assert desk.portfolio.position(ACCOUNT, SYMBOL).signed_amount == Decimal(2)


# -- starting ------------------------------------------------------------------------------------------------


def restarted(desk: Desk) -> Desk:
    again = Desk(desk.clock, desk.journal)
    again.oms.restore(desk.journal.replay(), again.portfolio.adjust)
    again.venue.orders = desk.venue.orders
    return again


@pytest.mark.parametrize("error", [KeyError(SYMBOL), VenueRejected("-1121: Invalid symbol.", "-1121")])
def test_an_order_that_cannot_be_asked_for_does_not_keep_the_engine_from_starting(error: Exception) -> None:
    async def run(clock: LoopClock) -> None:
        first = Desk(clock)
        oid = first.create()
        desk = restarted(first)

        def fail(what: str) -> None:
            if what == "order":
                raise error

        desk.venue.on_query = fail
        await desk.reconciler.start_up(ACCOUNT)
        await asyncio.sleep(600)
        assert desk.state(oid).is_unknown
        desk.venue.on_query = None
        show(desk, oid, K.ACCEPTED)
        await asyncio.sleep(10)
        assert desk.state(oid).public_status is OrderStatus.ACCEPTED

    run_virtual(run)


def test_an_order_that_is_cancelled_while_the_start_asks_about_it_is_in_doubt_all_the_same() -> None:
    async def run(clock: LoopClock) -> None:
        first = Desk(clock)
        oid = first.create()
        desk = restarted(first)

        def cancel(what: str) -> None:
            if what == "fills":
                desk.venue.on_query = None
                desk.cancel(oid)
                desk.venue.result(
                    desk.venue.commands[-1], Conclusion.REJECTED, reason="-2011: Unknown order."
                )

        desk.venue.on_query = cancel
        await desk.reconciler.start_up(ACCOUNT)
        assert desk.state(oid).is_unknown
        await asyncio.sleep(60)
        assert desk.state(oid).public_status is OrderStatus.FAILED

    run_virtual(run)


@desk_test
async def test_an_order_whose_create_is_under_way_is_not_given_up_and_not_asked_for_without_pause(
    desk: Desk,
) -> None:
    oid = desk.create(route=Route.REST)
    desk.cancel(oid)
    desk.venue.result(desk.venue.commands[-1], Conclusion.REJECTED, reason="-2011: Unknown order sent.")
    await asyncio.sleep(100)
    assert desk.state(oid).public_status is OrderStatus.INITIALIZED
    assert desk.venue.queries < 60
    desk.venue.result(desk.venue.commands[0], Conclusion.UNKNOWN, reason="reset")
    await asyncio.sleep(60)
    assert desk.state(oid).public_status is OrderStatus.FAILED


def test_a_cancel_that_was_under_way_when_the_process_died_ends_one_way_or_the_other() -> None:
    async def run(clock: LoopClock) -> None:
        first = Desk(clock)
        oid = await live(first)
        first.cancel(oid)
        first.venue.result(first.venue.commands[-1], Conclusion.ACCEPTED)
        show(first, oid, K.ACCEPTED)
        first.oms.mark_delivered()
        desk = restarted(first)
        await desk.reconciler.start_up(ACCOUNT)
        await asyncio.sleep(60)
        assert desk.names == ["CANCEL_FAILED"]
        assert desk.state(oid).public_status is OrderStatus.ACCEPTED

    run_virtual(run)


# -- settings ------------------------------------------------------------------------------------------------


@desk_test
async def test_the_grace_after_a_reconnect_is_set_for_every_account_of_a_venue(desk: Desk) -> None:
    with pytest.raises(ValueError, match="okx"):
        desk.reconciler.set_exchange_grace_ms("okx", 100)
    with pytest.raises(ValueError, match="-1"):
        desk.reconciler.set_exchange_grace_ms("binance", -1)
    desk.reconciler.set_exchange_grace_ms("binance", 5_000)
    desk.on_status(ACCOUNT, "reconnected")
    await asyncio.sleep(4)
    assert desk.venue.queries == 0
    await asyncio.sleep(2)
    assert desk.venue.queries == 3


# -- refusals ------------------------------------------------------------------------------------------------


@desk_test
async def test_a_refused_cancel_of_an_order_that_the_venue_denies_says_so_and_the_order_is_asked_for(
    desk: Desk,
) -> None:
    oid = await live(desk)
    desk.cancel(oid)
    desk.venue.result(desk.venue.commands[-1], Conclusion.REJECTED, reason="-2011: Unknown order sent.")
    await asyncio.sleep(1)
    assert desk.names == ["CANCEL_FAILED"]
    assert "does not know" in (desk.told[0][1].reason or "")
    await asyncio.sleep(60)
    assert desk.names == ["CANCEL_FAILED", "CANCELED"]


@desk_test
async def test_an_order_whose_fills_cannot_be_read_is_known_by_their_sum(desk: Desk) -> None:
    oid = await live(desk)
    show(desk, oid, K.FILLED, filled=Decimal("0.01"), average=Decimal(30_000))

    def fail(what: str) -> None:
        if what == "fills":
            raise VenueRejected("-1003: Too many requests.", "-1003")

    desk.venue.on_query = fail
    desk.on_status(ACCOUNT, "reconnected")
    await asyncio.sleep(5)
    assert desk.names == ["FILLED"]


# -- one command for many ------------------------------------------------------------------------------------


def alone(test: Callable[[Desk], Coroutine[Any, Any, None]]) -> Callable[[], None]:
    """A test on an account that is declared to be ours alone."""

    def run() -> None:
        run_virtual(lambda clock: test(Desk(clock, is_alone=True)))

    run.__name__ = test.__name__
    return run


@alone
async def test_what_the_reply_to_a_cancel_of_all_lists_has_ended(desk: Desk) -> None:
    first, second = await live(desk), await live(desk)
    show(desk, second, K.CANCELED)
    desk.ems.cancel_all(ACCOUNT, SYMBOL)
    ended = desk.venue.event(first, K.CANCELED, ev.Source.ACK)
    desk.venue.result(desk.venue.commands[-1], Conclusion.ACCEPTED, events=[ended])
    assert [order.oid for name, order in desk.told if name == "CANCELED"] == [first]
    await asyncio.sleep(2)
    assert [order.oid for name, order in desk.told if name == "CANCELED"] == [first, second]


@alone
async def test_a_cancel_of_all_that_was_not_sent_is_told_for_each(desk: Desk) -> None:
    oids = {await live(desk), await live(desk)}
    desk.ems.cancel_all(ACCOUNT, SYMBOL)
    command = desk.venue.commands[-1]
    later = await live(desk)
    desk.venue.result(command, Conclusion.NOT_SENT, reason="not connected")
    assert desk.names == ["CANCEL_FAILED"] * 2
    assert {order.oid for _, order in desk.told} == oids
    assert desk.cache.get_open_orders(SYMBOL) == oids | {later}


@alone
async def test_a_cancel_of_all_in_doubt_is_followed_for_each(desk: Desk) -> None:
    first, second = await live(desk), await live(desk)
    show(desk, first, K.CANCELED)
    show(desk, second, K.ACCEPTED)
    desk.ems.cancel_all(ACCOUNT, SYMBOL)
    desk.venue.result(desk.venue.commands[-1], Conclusion.UNKNOWN, reason="reset")
    await asyncio.sleep(60)
    assert [(name, order.oid) for name, order in desk.told] == [
        ("CANCELED", first),
        ("CANCEL_FAILED", second),
    ]


@desk_test
async def test_a_symbol_that_nobody_knows_cannot_be_cancelled(desk: Desk) -> None:
    with pytest.raises(InstrumentError, match="NOPE"):
        desk.ems.cancel_all(ACCOUNT, "NOPEUSDT-PERP.BINANCE")
