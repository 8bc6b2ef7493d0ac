"""From intent to conclusion: what each answer of a venue, and its silence, does to an order."""

from __future__ import annotations

import asyncio
from decimal import Decimal
from typing import Any

import pytest

from desk import ACCOUNT, SYMBOL, Desk, FullDisk, desk_test, live
from nexustrader.constants import OrderStatus, OrderType, TimeInForce, WsOrderResultType
from nexustrader.domain import events as ev
from nexustrader.domain.outcome import Conclusion, Route
from virtual_time import run_virtual

K = ev.EventKind


@desk_test
async def test_the_intent_is_journalled_before_the_venue_sees_the_order(desk: Desk) -> None:
    seen: list[int] = []
    desk.venue.on_command = lambda _c: seen.append(desk.journal.last_seq)
    desk.create()
    assert seen == [1]


@desk_test
async def test_price_and_amount_reach_the_venue_on_its_grid_and_never_worse_than_asked(desk: Desk) -> None:
    desk.create(amount=Decimal("0.0129"), price=Decimal("30000.19"))
    (command,) = desk.venue.commands
    assert isinstance(command, ev.Submit)
    assert (command.amount, command.price) == (Decimal("0.012"), Decimal("30000.1"))


@pytest.mark.parametrize(
    ("changes", "word"),
    [
        ({"amount": Decimal("0.0001")}, "LOT_SIZE"),
        ({"amount": Decimal(0)}, "LOT_SIZE"),
        ({"amount": Decimal(-1)}, "LOT_SIZE"),
        ({"amount": Decimal(1000)}, "LOT_SIZE"),
        ({"amount": Decimal("NaN")}, "finite"),
        ({"amount": "one"}, "not a number"),
        ({"amount": Decimal("1e100")}, "plausible"),
        ({"price": Decimal("1e-100")}, "plausible"),
        ({"price": Decimal("1e999999")}, "plausible"),
        ({"price": None}, "price"),
        ({"price": Decimal(2_000_000)}, "PRICE_FILTER"),
        ({"amount": Decimal("0.001"), "price": Decimal(100)}, "NOTIONAL"),
        ({"symbol": "NOPE-PERP.BINANCE"}, "not a known symbol"),
    ],
)
def test_an_impossible_order_reaches_on_failed_order_with_its_reason_and_never_the_venue(
    changes: dict[str, Any], word: str
) -> None:
    @desk_test
    async def run(desk: Desk) -> None:
        oid = desk.create(**changes)
        assert desk.told == []  # the strategy knows the id before it hears of the order
        await desk.settle()
        assert desk.names == ["FAILED"]
        order = desk.told[0][1]
        assert order.oid == oid
        assert word in (order.reason or "")
        assert desk.venue.commands == []

    run()


@desk_test
async def test_an_accepted_order_goes_pending_then_accepted(desk: Desk) -> None:
    oid = desk.create()
    desk.venue.result(
        desk.venue.commands[0], Conclusion.ACCEPTED, events=[desk.venue.event(oid, K.ACKED, eid="7")]
    )
    desk.on_order_event(desk.venue.event(oid, K.ACCEPTED, eid="7"))
    assert desk.names == ["PENDING", "ACCEPTED"]
    assert desk.state(oid).eid == "7"


@desk_test
async def test_a_stream_event_that_overtakes_the_ack_is_told_once(desk: Desk) -> None:
    oid = desk.create()
    desk.on_order_event(desk.venue.event(oid, K.ACCEPTED, eid="7"))
    desk.venue.result(
        desk.venue.commands[0], Conclusion.ACCEPTED, events=[desk.venue.event(oid, K.ACKED, eid="7")]
    )
    assert desk.names == ["ACCEPTED"]


@desk_test
async def test_a_definite_refusal_closes_the_order_and_tells_the_ws_result(desk: Desk) -> None:
    oid = desk.create()
    desk.venue.result(desk.venue.commands[0], Conclusion.REJECTED, reason="-2019: Margin is insufficient.")
    assert desk.names == ["FAILED"]
    assert desk.state(oid).public_status is OrderStatus.FAILED
    assert desk.ws_results[0]["result_type"] is WsOrderResultType.ACK_REJECTED


@desk_test
async def test_what_was_not_sent_over_the_socket_goes_by_rest_under_the_same_id(desk: Desk) -> None:
    oid = desk.create()
    desk.venue.result(desk.venue.commands[0], Conclusion.NOT_SENT, reason="not connected")
    assert [(c.oid, c.route, c.attempt) for c in desk.venue.commands if isinstance(c, ev.Submit)] == [
        (oid, Route.WS, 1),
        (oid, Route.REST, 2),
    ]
    assert desk.told == []


@desk_test
async def test_without_fallback_what_was_not_sent_fails(desk: Desk) -> None:
    desk.create(ws_fallback=False)
    desk.venue.result(desk.venue.commands[0], Conclusion.NOT_SENT, reason="not connected")
    assert desk.names == ["FAILED"]
    assert "WS_REQUEST_NOT_SENT" in (desk.told[0][1].reason or "")
    assert desk.ws_results[0]["result_type"] is WsOrderResultType.REQUEST_NOT_SENT


@desk_test
async def test_a_lost_ack_is_never_failed_and_never_sent_again(desk: Desk) -> None:
    oid = desk.create()
    desk.venue.unreachable = True
    desk.venue.result(desk.venue.commands[0], Conclusion.UNKNOWN, reason="no ACK within 5000 ms")
    await asyncio.sleep(3600)
    assert desk.state(oid).is_unknown
    assert len(desk.venue.commands) == 1
    assert "FAILED" not in desk.names
    assert "no ACK" in (desk.cache.get_order(oid).reason or "")  # type: ignore[union-attr]


@desk_test
async def test_an_unknown_order_that_the_venue_shows_goes_live(desk: Desk) -> None:
    oid = desk.create()
    desk.venue.orders[oid] = desk.venue.event(oid, K.ACCEPTED, ev.Source.QUERY, eid="9")
    desk.venue.result(desk.venue.commands[0], Conclusion.UNKNOWN, reason="no ACK")
    await asyncio.sleep(1)
    assert desk.state(oid).public_status is OrderStatus.ACCEPTED
    assert [r["result_type"] for r in desk.ws_results] == [WsOrderResultType.ACK_TIMEOUT_CONFIRMED]


@desk_test
async def test_an_unknown_order_is_absent_only_after_the_horizon_and_several_negatives(desk: Desk) -> None:
    oid = desk.create()
    desk.venue.result(desk.venue.commands[0], Conclusion.UNKNOWN, reason="no ACK")
    await asyncio.sleep(9)
    assert desk.state(oid).is_unknown
    await asyncio.sleep(20)
    assert desk.state(oid).public_status is OrderStatus.FAILED
    assert desk.names[-1] == "FAILED"
    assert desk.ws_results[0]["result_type"] is WsOrderResultType.ACK_TIMEOUT


@desk_test
async def test_absence_is_never_concluded_while_a_source_does_not_answer(desk: Desk) -> None:
    oid = desk.create()
    desk.venue.unreachable = True
    desk.venue.result(desk.venue.commands[0], Conclusion.UNKNOWN, reason="reset")
    await asyncio.sleep(600)
    assert desk.state(oid).is_unknown


@desk_test
async def test_a_fill_that_arrives_after_absence_was_concluded_resurrects_the_order(desk: Desk) -> None:
    oid = desk.create()
    desk.venue.result(desk.venue.commands[0], Conclusion.UNKNOWN, reason="no ACK")
    await asyncio.sleep(60)
    fill = ev.Fill(
        trade_id="1", price=Decimal(30_000), amount=Decimal("0.01"), timestamp=desk.clock.timestamp_ms()
    )
    desk.on_order_event(desk.venue.event(oid, K.FILLED, fill=fill, filled=Decimal("0.01"), eid="3"))
    assert desk.state(oid).public_status is OrderStatus.FILLED
    assert desk.portfolio.position(ACCOUNT, SYMBOL).signed_amount == Decimal("0.01")


@desk_test
async def test_a_killed_ioc_whose_end_was_lost_is_asked_for(desk: Desk) -> None:
    oid = desk.create(time_in_force=TimeInForce.IOC)
    desk.venue.orders[oid] = desk.venue.event(oid, K.EXPIRED, ev.Source.QUERY, eid="9")
    desk.venue.result(desk.venue.commands[0], Conclusion.ACCEPTED)
    await asyncio.sleep(1.5)
    assert desk.names == ["PENDING", "EXPIRED"]


@desk_test
async def test_a_fill_that_was_lost_is_fetched_with_its_fee(desk: Desk) -> None:
    oid = desk.create(type=OrderType.MARKET, price=None)
    fill = ev.Fill(
        trade_id="5",
        price=Decimal(30_001),
        amount=Decimal("0.01"),
        fee=Decimal("0.15"),
        fee_currency="USDT",
        timestamp=desk.clock.timestamp_ms(),
    )
    desk.venue.fills[oid] = [desk.venue.event(oid, K.FILLED, ev.Source.QUERY, fill=fill)]
    desk.venue.orders[oid] = desk.venue.event(
        oid, K.FILLED, ev.Source.QUERY, filled=Decimal("0.01"), average=Decimal(30_001), eid="9"
    )
    desk.venue.result(desk.venue.commands[0], Conclusion.ACCEPTED)
    await asyncio.sleep(1.5)
    state = desk.state(oid)
    assert (state.public_status, dict(state.fees)) == (OrderStatus.FILLED, {"USDT": Decimal("0.15")})


# -- idempotency ---------------------------------------------------------------------------------------------


@desk_test
async def test_an_idempotency_key_sends_one_order_however_often_it_is_used(desk: Desk) -> None:
    first = desk.create(idempotency_key="k")
    assert desk.create(idempotency_key="k") == first
    assert len(desk.venue.commands) == 1


@desk_test
async def test_a_key_whose_order_was_refused_here_may_be_used_again(desk: Desk) -> None:
    desk.create(idempotency_key="k", amount=Decimal(0))
    await desk.settle()
    desk.create(idempotency_key="k")
    assert len(desk.venue.commands) == 1


@desk_test
async def test_idempotency_keys_and_client_oids_survive_a_restart(desk: Desk) -> None:
    first = desk.create(idempotency_key="k", client_oid="entry_001")
    again = Desk(desk.clock, desk.journal)
    again.oms.restore(desk.journal.replay(), again.portfolio.adjust)
    assert again.create(idempotency_key="k") == first == "entry_001"
    assert again.create(client_oid="entry_001") == "entry_001"
    assert again.venue.commands == []


@desk_test
async def test_the_venue_sees_our_id_and_the_strategy_its_own(desk: Desk) -> None:
    name = desk.create(client_oid="entry_001")
    (command,) = desk.venue.commands
    assert isinstance(command, ev.Submit)
    assert name == "entry_001"
    assert command.oid.isdigit()
    desk.on_order_event(desk.venue.event(command.oid, K.ACCEPTED))
    assert desk.told[-1][1].oid == "entry_001"
    desk.cancel("entry_001")
    assert isinstance(desk.venue.commands[-1], ev.Cancel)
    assert desk.venue.commands[-1].oid == command.oid


# -- cancels -------------------------------------------------------------------------------------------------


@desk_test
async def test_a_cancel_hides_the_order_from_the_open_ones_until_it_is_refused(desk: Desk) -> None:
    oid = await live(desk)
    desk.cancel(oid)
    assert desk.cache.get_open_orders(SYMBOL) == set()
    assert desk.cache.get_open_orders(SYMBOL, include_canceling=True) == {oid}
    desk.venue.orders[oid] = desk.venue.event(oid, K.ACCEPTED, ev.Source.QUERY, eid="7")
    desk.venue.result(desk.venue.commands[-1], Conclusion.REJECTED, reason="-2011: Unknown order sent.")
    await asyncio.sleep(1)
    assert desk.names == ["CANCEL_FAILED"]
    assert desk.told[0][1].status is OrderStatus.CANCEL_FAILED
    assert desk.cache.get_open_orders(SYMBOL) == {oid}
    assert desk.state(oid).public_status is OrderStatus.ACCEPTED


@desk_test
async def test_a_refused_cancel_of_a_filled_order_tells_the_fill_not_a_failure(desk: Desk) -> None:
    oid = await live(desk)
    desk.cancel(oid)
    desk.venue.orders[oid] = desk.venue.event(
        oid, K.FILLED, ev.Source.QUERY, filled=Decimal("0.01"), average=Decimal(30_000)
    )
    desk.venue.result(desk.venue.commands[-1], Conclusion.REJECTED, reason="-2011: Unknown order sent.")
    await asyncio.sleep(1)
    assert desk.names == ["FILLED"]


@desk_test
async def test_a_cancel_ack_without_an_end_is_asked_for_after_a_second(desk: Desk) -> None:
    oid = await live(desk)
    desk.cancel(oid)
    desk.venue.result(desk.venue.commands[-1], Conclusion.ACCEPTED)
    desk.venue.orders[oid] = desk.venue.event(oid, K.CANCELED, ev.Source.QUERY)
    await asyncio.sleep(1.5)
    assert desk.names == ["CANCELING", "CANCELED"]


@desk_test
async def test_cancelling_what_is_unknown_or_closed_tells_cancel_failed(desk: Desk) -> None:
    desk.cancel("12345678901234567890")
    oid = await live(desk)
    desk.on_order_event(desk.venue.event(oid, K.CANCELED))
    desk.told.clear()
    desk.cancel(oid)
    await desk.settle()
    assert desk.names == ["CANCEL_FAILED", "CANCEL_FAILED"]
    assert all(not isinstance(c, ev.Cancel) for c in desk.venue.commands)


@desk_test
async def test_cancel_all_cancels_each_of_our_orders_of_the_symbol_by_itself(desk: Desk) -> None:
    oids = [await live(desk), await live(desk)]
    desk.venue.commands.clear()
    desk.ems.cancel_all(ACCOUNT, SYMBOL)
    assert [(type(c), getattr(c, "oid", None)) for c in desk.venue.commands] == [(ev.Cancel, o) for o in oids]
    assert desk.cache.get_open_orders(SYMBOL) == set()


@desk_test
async def test_cancel_all_again_sends_nothing_for_orders_whose_cancel_is_under_way_or_taken(
    desk: Desk,
) -> None:
    oids = [await live(desk), await live(desk)]
    desk.ems.cancel_all(ACCOUNT, SYMBOL)
    desk.venue.result(desk.venue.commands[-1], Conclusion.ACCEPTED)
    desk.venue.commands.clear()
    desk.ems.cancel_all(ACCOUNT, SYMBOL)
    assert desk.venue.commands == []
    assert desk.cache.get_open_orders(SYMBOL, include_canceling=True) == set(oids)


@desk_test
async def test_the_results_of_two_cancels_of_one_order_are_not_mixed_up(desk: Desk) -> None:
    oid = await live(desk)
    desk.cancel(oid, ws_fallback=False)
    desk.cancel(oid, ws_fallback=True)
    first, second = desk.venue.commands[-2:]
    desk.venue.result(second, Conclusion.NOT_SENT, reason="not connected")
    assert isinstance(desk.venue.commands[-1], ev.Cancel)
    assert desk.venue.commands[-1].route is Route.REST, "the second one goes by REST, as it allows"
    desk.venue.result(first, Conclusion.NOT_SENT, reason="not connected")
    assert desk.names == [], "the other one is still under way"
    desk.venue.result(desk.venue.commands[-1], Conclusion.ACCEPTED)
    assert desk.names == ["CANCELING"]
    assert not desk.ems.is_waiting


@desk_test
async def test_the_result_of_an_amendment_concludes_no_cancel(desk: Desk) -> None:
    oid = await live(desk)
    desk.cancel(oid)
    desk.ems.amend(oid, price=Decimal(29_000), amount=None, params={})
    desk.venue.result(desk.venue.commands[-1], Conclusion.NOT_SENT, reason="not connected")
    assert desk.ems.is_waiting
    assert desk.names == ["AMEND_FAILED"]


@desk_test
async def test_of_two_cancels_that_come_to_nothing_one_refusal_is_told(desk: Desk) -> None:
    oid = await live(desk)
    desk.venue.orders[oid] = desk.venue.event(oid, K.ACCEPTED, ev.Source.QUERY, eid="7")
    desk.cancel(oid)
    desk.cancel(oid)
    for command in desk.venue.commands[-2:]:
        desk.venue.result(command, Conclusion.REJECTED, reason="-2011: Unknown order sent.")
    await asyncio.sleep(60)
    assert desk.names == ["CANCEL_FAILED"]
    assert desk.cache.get_open_orders(SYMBOL) == {oid}


# -- replies that come late ----------------------------------------------------------------------------------


@desk_test
async def test_a_late_ack_settles_an_order_that_nobody_could_be_asked_about(desk: Desk) -> None:
    oid = desk.create()
    (command,) = desk.venue.commands
    desk.venue.unreachable = True
    desk.venue.result(command, Conclusion.UNKNOWN, reason="no ACK within 5000 ms")
    await asyncio.sleep(20)
    acked = desk.venue.event(oid, K.ACKED, ev.Source.ACK, eid="7")
    desk.venue.result(command, Conclusion.ACCEPTED, events=[acked], is_late=True)
    assert desk.state(oid).public_status is OrderStatus.PENDING
    assert desk.state(oid).eid == "7"
    assert desk.names == ["UNKNOWN", "RESURRECTED", "PENDING"]


@desk_test
async def test_a_late_refusal_closes_an_order_in_doubt_at_once(desk: Desk) -> None:
    oid = desk.create()
    (command,) = desk.venue.commands
    desk.venue.unreachable = True
    desk.venue.result(command, Conclusion.UNKNOWN, reason="no ACK within 5000 ms")
    await asyncio.sleep(1)
    desk.venue.result(command, Conclusion.REJECTED, reason="-2019: Margin is insufficient.", is_late=True)
    assert desk.names == ["UNKNOWN", "FAILED"]
    assert desk.told[-1][1].reason == "-2019: Margin is insufficient."
    assert desk.state(oid).is_closed


@desk_test
async def test_a_late_refusal_does_not_close_an_order_that_the_stream_has_shown(desk: Desk) -> None:
    oid = desk.create()
    (command,) = desk.venue.commands
    desk.venue.result(command, Conclusion.UNKNOWN, reason="no ACK within 5000 ms")
    desk.on_order_event(desk.venue.event(oid, K.ACCEPTED, eid="7"))
    await asyncio.sleep(1)
    desk.ws_results.clear()
    desk.venue.result(command, Conclusion.REJECTED, reason="-2010: no", is_late=True)
    assert desk.state(oid).public_status is OrderStatus.ACCEPTED
    assert desk.ws_results == []


@desk_test
async def test_a_late_ack_brings_back_an_order_that_was_given_up(desk: Desk) -> None:
    oid = desk.create(type=OrderType.MARKET, price=None)
    (command,) = desk.venue.commands
    desk.venue.result(command, Conclusion.UNKNOWN, reason="no ACK within 5000 ms")
    await asyncio.sleep(60)
    assert desk.state(oid).public_status is OrderStatus.FAILED
    desk.venue.orders[oid] = desk.venue.event(
        oid, K.FILLED, ev.Source.QUERY, filled=Decimal("0.01"), average=Decimal(30_000), eid="7"
    )
    desk.venue.result(command, Conclusion.ACCEPTED, is_late=True)
    await asyncio.sleep(2)
    assert desk.names[-3:] == ["RESURRECTED", "PENDING", "FILLED"]


@desk_test
async def test_a_late_answer_to_a_cancel_is_the_venues_word_too(desk: Desk) -> None:
    oid = await live(desk)
    desk.venue.unreachable = True
    desk.cancel(oid)
    command = desk.venue.commands[-1]
    desk.venue.result(command, Conclusion.UNKNOWN, reason="no ACK within 5000 ms")
    ended = desk.venue.event(oid, K.CANCELED, ev.Source.ACK)
    desk.venue.result(command, Conclusion.ACCEPTED, events=[ended], is_late=True)
    assert desk.names == ["CANCELING", "CANCELED"]


@desk_test
async def test_a_late_result_concludes_no_command_that_is_under_way(desk: Desk) -> None:
    oid = await live(desk)
    desk.cancel(oid)
    lost = desk.venue.commands[-1]
    desk.venue.result(lost, Conclusion.UNKNOWN, reason="no ACK within 5000 ms")
    desk.cancel(oid)
    desk.venue.result(lost, Conclusion.ACCEPTED, is_late=True)
    assert desk.ems.is_waiting


# -- the journal ---------------------------------------------------------------------------------------------


def test_a_journal_that_cannot_be_written_stops_new_orders_but_not_cancels() -> None:
    async def run(clock: Any) -> None:
        journal = FullDisk()
        desk = Desk(clock, journal)
        oid = await live(desk)
        journal.full = True
        desk.create()
        desk.cancel(oid)
        await desk.settle()
        assert [type(c).__name__ for c in desk.venue.commands] == ["Submit", "Cancel"]
        assert desk.names == ["FAILED"]
        assert "journal" in (desk.told[0][1].reason or "")
        journal.full = False
        desk.create()
        assert [type(c).__name__ for c in desk.venue.commands] == ["Submit", "Cancel", "Submit"]

    run_virtual(run)
