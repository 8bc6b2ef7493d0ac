"""The account is asked from time to time; only what the private stream should have told and has not is told."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Coroutine
from decimal import Decimal
from typing import Any

from desk import ACCOUNT, SYMBOL, Desk, live
from nexustrader.constants import OrderStatus
from nexustrader.domain import events as ev
from nexustrader.error import VenueRejected
from virtual_time import LoopClock, run_virtual

K = ev.EventKind
QUERY = ev.Source.QUERY
INTERVAL_S = 60


def watched(test: Callable[[Desk], Coroutine[Any, Any, None]]) -> Callable[[], None]:
    """A test on a desk that asks its account every minute."""

    async def watch(clock: LoopClock) -> None:
        desk = Desk(clock, interval_s=INTERVAL_S)
        desk.reconciler.watch(ACCOUNT)
        await asyncio.sleep(5)  # the round after the start
        await test(desk)

    def run() -> None:
        run_virtual(watch)

    run.__name__ = test.__name__
    return run


def show(desk: Desk, oid: str, kind: K, **more: Any) -> None:
    desk.venue.orders[oid] = desk.venue.event(oid, kind, QUERY, eid="7", **more)


def diffs(desk: Desk) -> list[dict[str, Any]]:
    return [message["diff"] for topic, message in desk.published if topic == "private_ws_resync_diff"]


@watched
async def test_an_account_without_a_difference_is_asked_every_interval_and_nothing_is_told(
    desk: Desk,
) -> None:
    oid = await live(desk)
    show(desk, oid, K.ACCEPTED)
    asked: list[str] = []
    desk.venue.on_query = asked.append
    await asyncio.sleep(10 * INTERVAL_S)
    assert asked == ["open orders", "balances", "positions"] * 10
    assert desk.published == []
    assert desk.names == []
    assert desk.venue.renewals == []


def test_without_an_interval_an_account_is_never_asked() -> None:
    async def run(clock: LoopClock) -> None:
        desk = Desk(clock, interval_s=None)
        desk.reconciler.watch(ACCOUNT)
        await asyncio.sleep(1000)
        assert desk.venue.queries == 0

    run_virtual(run)


@watched
async def test_an_end_that_the_stream_did_not_tell_is_told_with_a_diff_and_the_stream_is_renewed(
    desk: Desk,
) -> None:
    oid = await live(desk)
    show(desk, oid, K.CANCELED)
    await asyncio.sleep(INTERVAL_S + 5)
    assert desk.names == ["CANCELED"]
    assert [diff["open_orders_removed"] for diff in diffs(desk)] == [[oid]]
    assert len(desk.venue.renewals) == 1
    assert oid in desk.venue.renewals[0]
    await asyncio.sleep(10 * INTERVAL_S)
    assert len(desk.venue.renewals) == 1


@watched
async def test_a_fill_that_the_stream_did_not_tell_renews_it(desk: Desk) -> None:
    oid = await live(desk)
    show(desk, oid, K.FILLED, filled=Decimal("0.004"), average=Decimal(30_000))
    desk.venue.orders[oid] = desk.venue.event(
        oid, K.ACCEPTED, QUERY, eid="7", filled=Decimal("0.004"), average=Decimal(30_000)
    )
    desk.venue.positions = [stated(desk, "0.004")]
    await asyncio.sleep(INTERVAL_S + 5)
    assert desk.names == ["PARTIALLY_FILLED"]
    assert len(desk.venue.renewals) == 1


def stated(desk: Desk, amount: str) -> ev.PositionEvent:
    return ev.PositionEvent(
        account=ACCOUNT,
        symbol=SYMBOL,
        signed_amount=Decimal(amount),
        entry_price=Decimal(30_000),
        timestamp=desk.clock.timestamp_ms(),
        snapshot=True,
    )


@watched
async def test_a_list_that_is_ahead_of_the_stream_by_a_moment_is_no_difference(desk: Desk) -> None:
    ended, filled = await live(desk), await live(desk)
    show(desk, filled, K.ACCEPTED)

    def answer(what: str) -> None:
        if what == "open orders":
            desk.venue.on_query = None
            desk.venue.orders[filled] = desk.venue.event(
                filled, K.ACCEPTED, QUERY, eid="7", filled=Decimal("0.004"), average=Decimal(30_000)
            )
            told = ev.Fill(
                trade_id="1",
                price=Decimal(30_000),
                amount=Decimal("0.004"),
                timestamp=desk.clock.timestamp_ms(),
            )
            for event in (
                desk.venue.event(ended, K.CANCELED),
                desk.venue.event(filled, K.FILLED, fill=told, filled=Decimal("0.004")),
            ):
                asyncio.get_running_loop().call_later(1, desk.on_order_event, event)

    desk.venue.on_query = answer
    desk.venue.positions = [stated(desk, "0.004")]
    await asyncio.sleep(INTERVAL_S + 30)
    assert sorted(desk.names) == ["CANCELED", "PARTIALLY_FILLED"]
    assert desk.published == []
    assert desk.venue.renewals == []


@watched
async def test_an_order_that_was_created_just_now_is_not_missing_from_a_list(desk: Desk) -> None:
    desk.venue.query_lag_ms = 10_000

    def create_meanwhile(what: str) -> None:
        if what == "open orders":
            desk.create()

    desk.venue.on_query = create_meanwhile
    await asyncio.sleep(INTERVAL_S - 5)
    await live(desk)
    queries = desk.venue.queries
    await asyncio.sleep(10)
    assert desk.venue.queries - queries == 3
    assert desk.names == []


@watched
async def test_an_order_that_no_answer_shows_any_more_is_concluded_after_the_horizon(desk: Desk) -> None:
    oid = await live(desk)
    await asyncio.sleep(INTERVAL_S + 30)
    assert desk.names == ["CANCELED"]
    assert desk.state(oid).public_status is OrderStatus.CANCELED


@watched
async def test_while_a_doubt_asks_for_an_order_a_round_does_not_ask_for_it_too(desk: Desk) -> None:
    oid = await live(desk)
    desk.reconciler.resolve_unknown(oid)
    await asyncio.sleep(3)
    desk.venue.unreachable = True
    await asyncio.sleep(INTERVAL_S)
    assert desk.state(oid).is_open


@watched
async def test_a_manual_position_is_adopted_and_told_as_a_difference(desk: Desk) -> None:
    desk.venue.positions = [stated(desk, "2")]
    await asyncio.sleep(INTERVAL_S + 10)
    assert desk.portfolio.position(ACCOUNT, SYMBOL).signed_amount == 2
    assert [diff["positions_opened"] for diff in diffs(desk)] == [[SYMBOL]]


@watched
async def test_an_order_of_ours_that_we_do_not_know_is_adopted(desk: Desk) -> None:
    again = Desk(desk.clock, interval_s=INTERVAL_S)
    again.reconciler.watch(ACCOUNT)
    await asyncio.sleep(5)
    oid = await live(desk)
    state = desk.state(oid)
    again.venue.orders[oid] = again.venue.event(
        oid,
        K.ACCEPTED,
        QUERY,
        eid="7",
        side=state.side,
        type=state.type,
        amount=state.amount,
        price=state.price,
    )
    again.venue.orders["manual"] = again.venue.event("manual", K.ACCEPTED, QUERY, eid="8")
    await asyncio.sleep(INTERVAL_S + 5)
    assert again.names == ["ACCEPTED"]
    assert [diff["open_orders_added"] for diff in diffs(again)] == [[oid]]


@watched
async def test_a_venue_that_does_not_answer_is_asked_again_at_the_next_interval_and_nothing_is_told(
    desk: Desk,
) -> None:
    oid = await live(desk)
    show(desk, oid, K.CANCELED)
    for fault in (VenueRejected("-1121: Invalid symbol.", "-1121"), LookupError("nobody thought of this")):
        desk.venue.fault = fault
        await asyncio.sleep(INTERVAL_S + 5)
        assert desk.published == []
    desk.venue.fault = None
    await asyncio.sleep(INTERVAL_S + 5)
    assert desk.names == ["CANCELED"]


@watched
async def test_a_stream_that_is_known_to_be_away_is_not_accused_of_silence(desk: Desk) -> None:
    oid = await live(desk)
    show(desk, oid, K.CANCELED)
    desk.on_status(ACCOUNT, "disconnected")
    await asyncio.sleep(INTERVAL_S + 5)
    assert desk.names == ["CANCELED"]
    assert desk.venue.renewals == []
    desk.on_status(ACCOUNT, "connected")
    oid = await live(desk)
    show(desk, oid, K.CANCELED)
    await asyncio.sleep(INTERVAL_S + 5)
    assert len(desk.venue.renewals) == 1


@watched
async def test_a_round_is_left_out_while_a_resync_is_under_way(desk: Desk) -> None:
    desk.reconciler.set_grace_ms(ACCOUNT, 50_000)
    await asyncio.sleep(INTERVAL_S - 10)
    queries = desk.venue.queries
    desk.on_status(ACCOUNT, "reconnected")
    await asyncio.sleep(20)
    assert desk.venue.queries == queries
