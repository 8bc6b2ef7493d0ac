"""The gate where orders pass it: creates, amendments, the second route, and what the strategy hears."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Coroutine
from decimal import Decimal
from typing import Any

import pytest

from desk import SYMBOL, Desk, desk_test, live
from nexustrader.constants import ExchangeType, OrderSide, OrderStatus, OrderType, TradingState
from nexustrader.domain import events as ev
from nexustrader.domain.outcome import Conclusion, Route
from nexustrader.risk.gate import Gate
from nexustrader.risk.limits import RiskConfig
from nexustrader.schema import BookL1, MarkPrice
from virtual_time import run_virtual

K = ev.EventKind
LOT = Decimal("0.001")


def risk_test(**config: Any) -> Callable[[Callable[[Desk], Coroutine[Any, Any, None]]], Callable[[], None]]:
    def decorate(test: Callable[[Desk], Coroutine[Any, Any, None]]) -> Callable[[], None]:
        def run() -> None:
            run_virtual(lambda clock: test(Desk(clock, risk=RiskConfig(**config))))

        run.__name__ = test.__name__
        return run

    return decorate


def gate_of(desk: Desk) -> Gate:
    assert desk.gate is not None
    return desk.gate


def amend(desk: Desk, oid: str, amount: Decimal | None = None, price: Decimal | None = None) -> str | None:
    """Ask for an amendment; the reason why it was refused here, or None when the venue got it."""
    sent = len(desk.venue.commands)
    desk.ems.amend(oid, price=price, amount=amount, params={})
    return None if len(desk.venue.commands) > sent else "refused"


async def refused(desk: Desk, **changes: Any) -> str | None:
    """Create an order; the reason that reaches on_failed_order, or None when the venue got it."""
    sent = len(desk.venue.commands)
    oid = desk.create(**changes)
    await desk.settle()
    if len(desk.venue.commands) > sent:
        return None
    order = desk.cache.get_order(oid)
    assert order is not None
    assert order.status is OrderStatus.FAILED
    assert desk.names.count("FAILED") == 1
    desk.told.clear()
    return order.reason


# -- creates -------------------------------------------------------------------------------------------------


@risk_test(order_notional_max=300)
async def test_a_refused_order_reaches_on_failed_order_and_never_the_venue_nor_the_journal(
    desk: Desk,
) -> None:
    assert await refused(desk, amount=10 * LOT) is None
    written = desk.journal.last_seq
    reason = await refused(desk, amount=11 * LOT)
    assert reason == "ORDER_NOTIONAL: the order is worth 330 USDT, the limit is 300"
    assert desk.journal.last_seq == written


@risk_test(position_max=Decimal("0.003"))
async def test_orders_that_are_open_under_way_or_in_doubt_all_count(desk: Desk) -> None:
    await live(desk, amount=LOT)
    desk.create(amount=LOT)
    doubted = desk.create(amount=LOT)
    desk.venue.unreachable = True
    desk.venue.result(desk.venue.commands[-1], Conclusion.UNKNOWN, reason="no ACK")
    reason = await refused(desk, amount=LOT)
    assert reason is not None
    assert reason.startswith(f"POSITION: with all open orders filled it could be 0.004 {SYMBOL}")
    assert await refused(desk, amount=3 * LOT, side=OrderSide.SELL) is None
    # A cancel that was sent has cancelled nothing yet.
    desk.cancel(doubted)
    assert await refused(desk, amount=LOT) is not None
    desk.on_order_event(desk.venue.event(doubted, K.CANCELED))
    desk.told.clear()
    assert await refused(desk, amount=LOT) is None


@risk_test(position_max=Decimal("0.003"))
async def test_what_has_filled_counts_as_position_and_no_longer_as_order(desk: Desk) -> None:
    oid = await live(desk, amount=3 * LOT)
    desk.on_order_event(desk.venue.event(oid, K.FILLED, filled=2 * LOT, average=Decimal(30_000), eid="7"))
    desk.told.clear()
    assert await refused(desk, amount=LOT) is not None
    assert await refused(desk, amount=5 * LOT, side=OrderSide.SELL) is None
    desk.on_order_event(desk.venue.event(oid, K.CANCELED))
    desk.told.clear()
    assert await refused(desk, amount=LOT) is None


@risk_test(position_notional_max=100, price_collar=0.01)
async def test_prices_come_from_the_book_and_the_mark(desk: Desk) -> None:
    reason = await refused(desk, amount=LOT)
    assert reason is not None
    assert "no price of" in reason
    desk.cache._bookl1[SYMBOL] = BookL1(ExchangeType.BINANCE, SYMBOL, 29_999.0, 30_001.0, 1.0, 1.0, 0)
    assert await refused(desk, amount=LOT) is None
    reason = await refused(desk, amount=LOT, price=Decimal(30_302))
    assert reason is not None
    assert "above the touch of 30001" in reason
    reason = await refused(desk, amount=3 * LOT)
    assert reason is not None
    assert reason.startswith("POSITION_NOTIONAL")
    desk.cache._mark[SYMBOL] = MarkPrice(ExchangeType.BINANCE, SYMBOL, 29_000.0, 0)
    reason = await refused(desk, amount=LOT)
    assert reason is not None
    assert "above the mark price of 29000" in reason


@risk_test(orders_max=2)
async def test_orders_that_were_refused_do_not_count_against_the_rate(desk: Desk) -> None:
    assert await refused(desk) is None
    assert await refused(desk, amount=Decimal(0)) is not None
    oid = await live(desk)
    reason = await refused(desk)
    assert reason is not None
    assert reason.startswith("ORDER_RATE")
    await asyncio.sleep(1)
    assert amend(desk, oid, price=Decimal(29_000)) is None
    assert amend(desk, oid, price=Decimal(28_000)) is None
    assert amend(desk, oid, price=Decimal(27_000))
    reason = await refused(desk)
    assert reason is not None
    assert reason.startswith("ORDER_RATE")


@desk_test
async def test_without_a_gate_everything_passes(desk: Desk) -> None:
    assert desk.gate is None
    oid = await live(desk)
    assert amend(desk, oid, amount=20 * LOT) is None
    desk.venue.result(desk.venue.commands[-1], Conclusion.ACCEPTED)


# -- a halt --------------------------------------------------------------------------------------------------


@risk_test()
async def test_a_halt_lets_cancels_through_and_nothing_else(desk: Desk) -> None:
    oid = await live(desk)
    gate_of(desk).halt("stop")
    assert (await refused(desk) or "").startswith("TRADING_HALTED: stop")
    assert (await refused(desk, reduce_only=True, side=OrderSide.SELL) or "").startswith("TRADING_HALTED")
    assert amend(desk, oid, amount=LOT)
    desk.cancel(oid)
    desk.ems.cancel_all(desk.venue.account, SYMBOL)
    await desk.settle()
    kinds = {type(command) for command in desk.venue.commands[1:]}
    assert kinds <= {ev.Cancel, ev.CancelAll}
    assert ev.Cancel in kinds


@risk_test()
async def test_an_order_that_did_not_leave_is_not_sent_by_rest_once_trading_is_halted(desk: Desk) -> None:
    desk.create(route=Route.WS)
    gate_of(desk).halt("stop")
    desk.venue.result(desk.venue.commands[-1], Conclusion.NOT_SENT, reason="no socket")
    assert len(desk.venue.commands) == 1
    assert desk.names == ["FAILED"]
    assert "TRADING_HALTED: stop" in (desk.told[0][1].reason or "")


@risk_test()
async def test_of_an_order_that_ended_on_its_first_route_a_halt_says_nothing(desk: Desk) -> None:
    oid = desk.create(route=Route.WS)
    desk.on_order_event(desk.venue.event(oid, K.CANCELED, eid="7"))
    gate_of(desk).halt("stop")
    desk.venue.result(desk.venue.commands[-1], Conclusion.NOT_SENT, reason="no socket")
    assert len(desk.venue.commands) == 1
    assert desk.names == ["CANCELED"]
    assert desk.ws_results == []


@pytest.mark.parametrize(("side", "sent"), [(OrderSide.BUY, 1), (OrderSide.SELL, 2)])
def test_while_reducing_the_second_route_takes_only_what_reduces(side: OrderSide, sent: int) -> None:
    @risk_test()
    async def run(desk: Desk) -> None:
        long = await live(desk, amount=10 * LOT)
        desk.on_order_event(
            desk.venue.event(long, K.FILLED, filled=10 * LOT, average=Decimal(30_000), eid="7")
        )
        desk.venue.commands.clear()
        desk.create(route=Route.WS, side=side, amount=10 * LOT)
        gate_of(desk).reduce_only("stop")
        desk.venue.result(desk.venue.commands[-1], Conclusion.NOT_SENT, reason="no socket")
        assert len(desk.venue.commands) == sent

    run()


@risk_test()
async def test_an_order_of_a_symbol_that_is_gone_meets_the_state_alone_on_its_second_route(
    desk: Desk,
) -> None:
    oid = desk.create()
    gate = gate_of(desk)
    gate._instruments = {}
    gate.reduce_only("stop")
    assert gate.refuse_again(desk.state(oid)) is None


# -- amendments ----------------------------------------------------------------------------------------------


@risk_test()
async def test_while_reducing_an_amendment_may_take_away_but_neither_add_nor_come_closer(desk: Desk) -> None:
    oid = await live(desk, amount=10 * LOT)
    gate_of(desk).reduce_only("stop")
    assert amend(desk, oid, amount=11 * LOT)
    assert amend(desk, oid, price=Decimal(30_001))
    assert amend(desk, oid, amount=9 * LOT) is None


@risk_test()
async def test_while_reducing_an_order_that_reduces_may_be_moved(desk: Desk) -> None:
    long = await live(desk, amount=10 * LOT)
    desk.on_order_event(desk.venue.event(long, K.FILLED, filled=10 * LOT, average=Decimal(30_000), eid="7"))
    out = await live(desk, amount=5 * LOT, side=OrderSide.SELL)
    gate_of(desk).reduce_only("stop")
    assert amend(desk, out, amount=10 * LOT, price=Decimal(29_000)) is None
    assert amend(desk, out, amount=11 * LOT, price=Decimal(29_000))


@risk_test(position_max=Decimal("0.005"))
async def test_an_amendment_that_raises_the_worst_case_is_an_order(desk: Desk) -> None:
    oid = await live(desk, amount=2 * LOT)
    assert amend(desk, oid, amount=6 * LOT)
    assert amend(desk, oid, amount=5 * LOT) is None
    raising = desk.venue.commands[-1]
    # Until it is answered both amounts may be in force.
    assert await refused(desk, amount=LOT) is not None
    assert amend(desk, oid, amount=LOT) is None
    lowering = desk.venue.commands[-1]
    desk.venue.result(lowering, Conclusion.ACCEPTED, events=[desk.venue.event(oid, K.AMENDED, amount=LOT)])
    assert await refused(desk, amount=LOT) is not None
    desk.clock._loop.now += 0.01  # type: ignore[attr-defined]  # the loop of virtual time
    desk.venue.result(raising, Conclusion.ACCEPTED, events=[desk.venue.event(oid, K.AMENDED, amount=3 * LOT)])
    assert desk.state(oid).amount == 3 * LOT
    assert await refused(desk, amount=3 * LOT) is not None
    assert await refused(desk, amount=2 * LOT) is None


@risk_test(position_max=Decimal("0.005"))
async def test_an_amendment_in_doubt_counts_as_long_as_the_order_lives(desk: Desk) -> None:
    oid = await live(desk, amount=2 * LOT)
    desk.venue.orders[oid] = desk.venue.event(oid, K.ACCEPTED, ev.Source.QUERY, eid="7", amount=2 * LOT)
    assert amend(desk, oid, amount=5 * LOT) is None
    desk.venue.result(desk.venue.commands[-1], Conclusion.UNKNOWN, reason="no answer")
    await asyncio.sleep(60)
    assert not desk.state(oid).is_amending  # what was asked has come to nothing, as far as can be seen
    desk.told.clear()
    assert await refused(desk, amount=LOT) is not None
    desk.on_order_event(desk.venue.event(oid, K.CANCELED))
    desk.told.clear()
    assert await refused(desk, amount=5 * LOT) is None
    # What was asked of orders that have ended is forgotten with the next amendment.
    gate = gate_of(desk)
    assert list(gate._asked) == [oid]
    other = desk.state(desk.venue.commands[-1].oid)  # type: ignore[union-attr]  # it is a Submit
    assert amend(desk, other.oid, amount=4 * LOT) is None
    assert list(gate._asked) == [other.oid]


@risk_test(position_max=Decimal("0.005"))
async def test_an_amendment_that_was_refused_no_longer_counts(desk: Desk) -> None:
    oid = await live(desk, amount=2 * LOT)
    assert amend(desk, oid, amount=5 * LOT) is None
    desk.venue.orders[oid] = desk.venue.event(oid, K.ACCEPTED, ev.Source.QUERY, eid="7")
    desk.venue.result(desk.venue.commands[-1], Conclusion.REJECTED, reason="no")
    assert await refused(desk, amount=3 * LOT) is not None  # the order itself has not spoken yet
    for _ in range(20):
        await desk.settle()
    desk.told.clear()
    assert await refused(desk, amount=3 * LOT) is None


@risk_test(position_max=Decimal("0.005"))
async def test_an_amendment_of_a_run_that_was_killed_counts_until_the_venue_has_spoken(desk: Desk) -> None:
    oid = await live(desk, amount=2 * LOT)
    assert amend(desk, oid, amount=3 * LOT) is None
    assert amend(desk, oid, amount=5 * LOT) is None
    again = Desk(desk.clock, desk.journal, risk=RiskConfig(position_max=Decimal("0.005")))
    again.oms.restore(gate_of(again).observed(desk.journal.replay()), again.portfolio.adjust)
    again.ems._ids.start_above(again.oms.last_oid() or "")
    gate_of(again).start()
    assert await refused(again, amount=LOT) is not None
    again.on_order_event(again.venue.event(oid, K.AMENDED, amount=3 * LOT))
    again.told.clear()
    assert await refused(again, amount=2 * LOT) is None


@risk_test(price_collar=0.01)
async def test_an_amendment_keeps_to_the_collar(desk: Desk) -> None:
    desk.cache._bookl1[SYMBOL] = BookL1(ExchangeType.BINANCE, SYMBOL, 29_999.0, 30_001.0, 1.0, 1.0, 0)
    oid = await live(desk)
    assert amend(desk, oid, price=Decimal(31_000))
    assert amend(desk, oid, price=Decimal(30_100)) is None


@risk_test(order_notional_max=1_000)
async def test_a_market_order_is_valued_by_the_book(desk: Desk) -> None:
    order = {"type": OrderType.MARKET, "price": None}
    assert "subscribe" in (await refused(desk, **order) or "")
    desk.cache._bookl1[SYMBOL] = BookL1(ExchangeType.BINANCE, SYMBOL, 29_999.0, 30_001.0, 1.0, 1.0, 0)
    assert await refused(desk, **order) is None
    assert gate_of(desk).state is TradingState.ACTIVE
