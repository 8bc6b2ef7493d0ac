"""Answers of a venue may be seconds behind its stream: they never take back what the stream has told."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Coroutine
from decimal import Decimal
from typing import Any

import msgspec

from desk import ACCOUNT, SYMBOL, Desk, live
from nexustrader.constants import OrderStatus
from nexustrader.domain import events as ev
from nexustrader.domain.outcome import Conclusion
from virtual_time import LoopClock, run_virtual

K = ev.EventKind
QUERY = ev.Source.QUERY
LAG_S = 10
HORIZON_S = 25


def lagging(test: Callable[[Desk], Coroutine[Any, Any, None]]) -> Callable[[], None]:
    """A test at a venue whose answers are up to `LAG_S` behind."""

    async def at_a_lagging_venue(clock: LoopClock) -> None:
        desk = Desk(clock)
        desk.venue.query_lag_ms = LAG_S * 1000
        desk.venue.absence_horizon_ms = HORIZON_S * 1000
        await test(desk)

    def run() -> None:
        run_virtual(at_a_lagging_venue)

    run.__name__, run.__doc__ = test.__name__, test.__doc__
    return run


def execution(desk: Desk, oid: str, amount: str, trade_id: str = "1", **more: Any) -> ev.OrderEvent:
    fill = ev.Fill(
        trade_id=trade_id,
        price=Decimal(30_000),
        amount=Decimal(amount),
        timestamp=desk.clock.timestamp_ms(),
    )
    return desk.venue.event(oid, K.FILLED, fill=fill, filled=Decimal(amount), **more)


def stated(desk: Desk, amount: str) -> ev.PositionEvent:
    return ev.PositionEvent(
        account=ACCOUNT,
        symbol=SYMBOL,
        signed_amount=Decimal(amount),
        entry_price=Decimal(30_000),
        timestamp=desk.clock.timestamp_ms(),
        snapshot=True,
    )


def balance(desk: Desk, free: str, *, age_s: int = 0) -> ev.BalanceEvent:
    return ev.BalanceEvent(
        account=ACCOUNT, asset="USDT", free=Decimal(free), timestamp=desk.clock.timestamp_ms() - age_s * 1000
    )


def held(desk: Desk) -> Decimal:
    return desk.portfolio.position(ACCOUNT, SYMBOL).signed_amount


def usdt(desk: Desk) -> Decimal:
    return desk.portfolio.balances()[ACCOUNT].balance_total["USDT"]


# -- orders --------------------------------------------------------------------------------------------------


@lagging
async def test_a_stale_list_does_not_take_back_a_fill_a_cancel_or_an_amendment(desk: Desk) -> None:
    filled, cancelled, amended = [await live(desk) for _ in range(3)]
    for oid in (filled, cancelled, amended):
        desk.venue.orders[oid] = desk.venue.event(
            oid, K.ACCEPTED, QUERY, eid="7", filled=Decimal(0), price=Decimal(30_000), amount=Decimal("0.01")
        )
    await asyncio.sleep(1)
    desk.on_order_event(execution(desk, filled, "0.004"))
    desk.on_order_event(desk.venue.event(cancelled, K.CANCELED))
    desk.on_order_event(
        desk.venue.event(amended, K.AMENDED, price=Decimal(29_000), amount=Decimal("0.02"), eid="7")
    )
    desk.told.clear()
    desk.on_status(ACCOUNT, "reconnected")
    await asyncio.sleep(5)
    assert desk.names == []
    assert desk.state(filled).filled == Decimal("0.004")
    assert desk.state(cancelled).public_status is OrderStatus.CANCELED
    assert (desk.state(amended).price, desk.state(amended).amount) == (Decimal(29_000), Decimal("0.02"))


@lagging
async def test_an_order_that_stale_answers_do_not_show_yet_is_not_given_up(desk: Desk) -> None:
    """The worst case: it arrives as late as it can, and answers are as old as they can be."""
    oid = desk.create()
    desk.venue.result(desk.venue.commands[-1], Conclusion.UNKNOWN, reason="reset")
    await asyncio.sleep(HORIZON_S - 0.5)
    assert desk.state(oid).is_unknown
    desk.venue.orders[oid] = desk.venue.event(oid, K.ACCEPTED, QUERY, eid="7")
    await asyncio.sleep(3)
    assert desk.state(oid).public_status is OrderStatus.ACCEPTED
    assert "FAILED" not in desk.names


@lagging
async def test_absence_takes_three_denials_after_the_horizon_and_not_much_longer(desk: Desk) -> None:
    oid = desk.create()
    asked: list[float] = []
    desk.venue.on_query = lambda what: (
        asked.append(asyncio.get_running_loop().time()) if what == "order" else None
    )
    desk.venue.result(desk.venue.commands[-1], Conclusion.UNKNOWN, reason="reset")
    await asyncio.sleep(HORIZON_S + 3)
    assert desk.state(oid).public_status is OrderStatus.FAILED
    assert sum(when > HORIZON_S for when in asked) == 3


@lagging
async def test_a_sign_of_life_during_a_doubt_makes_absence_be_shown_anew(desk: Desk) -> None:
    oid = desk.create()
    desk.venue.result(desk.venue.commands[-1], Conclusion.ACCEPTED)
    desk.on_status(ACCOUNT, "reconnected")
    await asyncio.sleep(HORIZON_S - 1)
    desk.on_order_event(desk.venue.event(oid, K.ACCEPTED, eid="7"))
    await asyncio.sleep(HORIZON_S - 5)
    assert desk.state(oid).public_status is OrderStatus.ACCEPTED


@lagging
async def test_a_fill_shows_that_an_order_lives_however_often_stale_answers_deny_it(desk: Desk) -> None:
    oid = await live(desk)
    desk.cancel(oid)
    desk.venue.result(desk.venue.commands[-1], Conclusion.ACCEPTED)
    await asyncio.sleep(HORIZON_S - 1)
    desk.on_order_event(execution(desk, oid, "0.004"))
    await asyncio.sleep(HORIZON_S - 1)
    assert desk.state(oid).is_open
    await asyncio.sleep(10)
    assert desk.state(oid).public_status is OrderStatus.CANCELED


@lagging
async def test_a_denial_does_not_count_when_the_stream_speaks_while_the_question_is_under_way(
    desk: Desk,
) -> None:
    oid = desk.create()
    desk.venue.result(desk.venue.commands[-1], Conclusion.UNKNOWN, reason="reset")

    def speak_late(what: str) -> None:
        if what == "fills" and asyncio.get_running_loop().time() > HORIZON_S:
            desk.on_order_event(desk.venue.event(oid, K.ACCEPTED, eid="7"))

    desk.venue.on_query = speak_late
    await asyncio.sleep(HORIZON_S + 10)
    assert desk.state(oid).public_status is OrderStatus.ACCEPTED


@lagging
async def test_an_order_that_vanished_is_filled_when_its_fills_say_so(desk: Desk) -> None:
    oid = await live(desk)
    desk.venue.fills[oid] = [execution(desk, oid, "0.01", source=QUERY)]
    desk.on_status(ACCOUNT, "reconnected")
    await asyncio.sleep(60)
    assert desk.names == ["FILLED"]


@lagging
async def test_an_order_that_was_concluded_to_be_gone_and_shows_again_is_alive(desk: Desk) -> None:
    oid = await live(desk)
    desk.on_status(ACCOUNT, "reconnected")
    await asyncio.sleep(60)
    assert desk.names == ["CANCELED"]
    desk.on_order_event(desk.venue.event(oid, K.ACCEPTED, eid="7"))
    assert desk.state(oid).is_closed, "the stream may repeat what was true before"
    desk.venue.orders[oid] = desk.venue.event(oid, K.ACCEPTED, QUERY, eid="7")
    desk.on_status(ACCOUNT, "reconnected")
    await asyncio.sleep(5)
    assert desk.names == ["CANCELED", "RESURRECTED", "ACCEPTED"]
    assert desk.cache.get_open_orders(SYMBOL) == {oid}


@lagging
async def test_an_amendment_in_doubt_is_not_told_as_refused_by_a_stale_answer(desk: Desk) -> None:
    oid = await live(desk)
    old = desk.venue.event(oid, K.ACCEPTED, QUERY, eid="7", price=Decimal(30_000), amount=Decimal("0.01"))
    desk.venue.orders[oid] = old
    await asyncio.sleep(1)
    desk.ems.amend(oid, price=Decimal(29_000), amount=None, params={})
    desk.venue.result(desk.venue.commands[-1], Conclusion.UNKNOWN, reason="reset")
    await asyncio.sleep(LAG_S)
    assert desk.names == []
    desk.venue.orders[oid] = desk.venue.event(
        oid, K.ACCEPTED, QUERY, eid="7", price=Decimal(29_000), amount=Decimal("0.01")
    )
    await asyncio.sleep(60)
    assert desk.names == ["AMENDED"]


@lagging
async def test_an_amendment_that_never_arrived_is_told_as_refused_after_the_horizon(desk: Desk) -> None:
    oid = await live(desk)
    desk.venue.orders[oid] = desk.venue.event(oid, K.ACCEPTED, QUERY, eid="7")
    desk.ems.amend(oid, price=Decimal(29_000), amount=None, params={})
    desk.venue.result(desk.venue.commands[-1], Conclusion.UNKNOWN, reason="reset")
    await asyncio.sleep(HORIZON_S - 1)
    assert desk.names == []
    await asyncio.sleep(20)
    assert desk.names == ["AMEND_FAILED"]
    assert desk.state(oid).price == Decimal(30_000)


# -- positions -----------------------------------------------------------------------------------------------


@lagging
async def test_a_list_of_positions_from_before_a_fill_does_not_take_the_fill_back(desk: Desk) -> None:
    oid = await live(desk)
    desk.on_order_event(execution(desk, oid, "0.01"))
    desk.venue.positions = []  # as of some seconds ago
    asyncio.get_running_loop().call_later(LAG_S, setattr, desk.venue, "positions", [stated(desk, "0.01")])
    desk.on_status(ACCOUNT, "reconnected")
    for _ in range(40):
        await asyncio.sleep(1)
        assert held(desk) == Decimal("0.01")


@lagging
async def test_a_start_right_after_a_crash_does_not_believe_a_stale_list_of_positions(desk: Desk) -> None:
    oid = await live(desk)
    desk.on_order_event(execution(desk, oid, "0.01"))
    again = Desk(desk.clock, desk.journal)
    again.venue.query_lag_ms = LAG_S * 1000
    again.oms.restore(desk.journal.replay(), again.portfolio.adjust)
    asyncio.get_running_loop().call_later(LAG_S, setattr, again.venue, "positions", [stated(desk, "0.01")])
    await again.reconciler.start_up(ACCOUNT)
    assert held(again) == Decimal("0.01")


@lagging
async def test_a_difference_that_stays_is_adopted_in_spite_of_trading_in_other_symbols(desk: Desk) -> None:
    oid = await live(desk)
    other = "ETHUSDT-PERP.BINANCE"
    desk.venue.positions = [stated(desk, "2")]

    async def trade_on() -> None:
        for number in range(1000):
            await asyncio.sleep(1)
            event = execution(desk, "strangers", "0.001", str(number), side=desk.state(oid).side)
            desk.on_order_event(msgspec.structs.replace(event, symbol=other, filled=None))

    desk._spawn(trade_on(), "trade on")
    desk.on_status(ACCOUNT, "reconnected")
    await asyncio.sleep(30)
    assert held(desk) == Decimal(2)


@lagging
async def test_while_a_symbol_trades_without_pause_its_position_is_left_to_its_fills(desk: Desk) -> None:
    oid = await live(desk, amount=Decimal(5))
    desk.venue.orders[oid] = desk.venue.event(oid, K.ACCEPTED, QUERY, eid="7")
    desk.venue.positions = [stated(desk, "2")]

    async def trade_on() -> None:
        for number in range(1, 121):
            await asyncio.sleep(1)
            event = execution(desk, oid, "0.001", str(number))
            desk.on_order_event(msgspec.structs.replace(event, filled=None))

    desk._spawn(trade_on(), "trade on")
    desk.on_status(ACCOUNT, "reconnected")
    await asyncio.sleep(100)
    assert held(desk) < Decimal(1)
    await asyncio.sleep(60)
    assert held(desk) == Decimal("0.12")
    desk.on_status(ACCOUNT, "resync_needed")
    await asyncio.sleep(60)
    assert held(desk) == Decimal(2)


# -- balances ------------------------------------------------------------------------------------------------


@lagging
async def test_a_stale_list_of_balances_does_not_overwrite_the_stream(desk: Desk) -> None:
    desk.on_balance(balance(desk, "90"))
    desk.venue.balances = [balance(desk, "100", age_s=LAG_S)]
    asyncio.get_running_loop().call_later(
        LAG_S, lambda: setattr(desk.venue, "balances", [balance(desk, "90", age_s=LAG_S)])
    )
    desk.on_status(ACCOUNT, "reconnected")
    for _ in range(40):
        await asyncio.sleep(1)
        assert usdt(desk) == 90


@lagging
async def test_a_balance_that_the_stream_lost_is_taken_once_it_cannot_be_stale(desk: Desk) -> None:
    desk.on_balance(balance(desk, "90"))

    def answer(what: str) -> None:
        if what == "balances":
            desk.venue.balances = [balance(desk, "80", age_s=LAG_S)]

    desk.venue.on_query = answer
    desk.on_status(ACCOUNT, "reconnected")
    await asyncio.sleep(LAG_S + 5)
    assert usdt(desk) == 80


@lagging
async def test_a_balance_that_the_stream_keeps_changing_is_asked_for_again(desk: Desk) -> None:
    desk.on_balance(balance(desk, "90"))

    def answer(what: str) -> None:
        if what == "balances":
            desk.venue.balances = [balance(desk, "80", age_s=LAG_S)]

    desk.venue.on_query = answer
    desk.on_status(ACCOUNT, "reconnected")
    await asyncio.sleep(LAG_S)
    desk.on_balance(balance(desk, "85"))
    await asyncio.sleep(5)
    assert usdt(desk) == 85
    await asyncio.sleep(LAG_S)
    assert usdt(desk) == 80


@lagging
async def test_after_a_transfer_the_balances_are_asked_for_again_when_they_must_hold_it(desk: Desk) -> None:
    began = desk.clock.timestamp_ms()

    def answer(what: str) -> None:
        if what == "balances":
            is_new = desk.clock.timestamp_ms() - began >= LAG_S * 1000
            desk.venue.balances = [balance(desk, "150" if is_new else "100", age_s=LAG_S)]

    desk.venue.on_query = answer
    desk.on_status(ACCOUNT, "balance_update")
    await asyncio.sleep(5)
    assert usdt(desk) == 100
    await asyncio.sleep(10)
    assert usdt(desk) == 150


@lagging
async def test_balances_that_cannot_be_asked_for_again_are_left_for_the_next_round(desk: Desk) -> None:
    desk.on_balance(balance(desk, "90"))
    desk.venue.balances = [balance(desk, "80", age_s=LAG_S)]
    desk.on_status(ACCOUNT, "reconnected")
    await asyncio.sleep(5)
    desk.venue.unreachable = True
    await asyncio.sleep(200)
    assert usdt(desk) == 90


# -- the gap before the stream was there ---------------------------------------------------------------------


@lagging
async def test_what_happened_while_the_stream_was_away_is_found_when_answers_can_show_it(desk: Desk) -> None:
    oid = await live(desk)
    desk.venue.orders[oid] = desk.venue.event(oid, K.ACCEPTED, QUERY, eid="7")  # as of before the gap
    desk.on_status(ACCOUNT, "disconnected")
    desk.on_status(ACCOUNT, "connected")
    desk.on_status(ACCOUNT, "reconnected")
    await asyncio.sleep(5)
    desk.venue.orders[oid] = desk.venue.event(
        oid, K.FILLED, QUERY, eid="7", filled=Decimal("0.01"), average=Decimal(30_000)
    )
    await asyncio.sleep(LAG_S + 5)
    assert desk.names == ["FILLED"]
    assert desk.venue.renewals == []
