"""Two doubts about one order do not take each other's place."""

from __future__ import annotations

import asyncio

from desk import Desk, desk_test, live
from nexustrader.constants import WsOrderResultType
from nexustrader.domain import events as ev
from nexustrader.domain.outcome import Conclusion


def shown(desk: Desk, oid: str) -> None:
    desk.venue.orders[oid] = desk.venue.event(oid, ev.EventKind.ACCEPTED, ev.Source.QUERY, eid="7")


@desk_test
async def test_a_lost_reply_is_told_although_the_order_is_asked_about_already(desk: Desk) -> None:
    oid = desk.create()
    submit = desk.venue.commands[-1]
    desk.venue.unreachable = True
    desk.reconciler.resolve_unknown(oid)  # as a refused cancel of an order under way does
    await asyncio.sleep(1)
    desk.venue.result(submit, Conclusion.UNKNOWN, reason="no ACK")
    await asyncio.sleep(1)
    desk.venue.unreachable = False
    shown(desk, oid)
    await asyncio.sleep(60)
    (result,) = desk.ws_results
    assert result["result_type"] in (WsOrderResultType.ACK_TIMEOUT, WsOrderResultType.ACK_TIMEOUT_CONFIRMED)


@desk_test
async def test_a_cancel_has_not_failed_while_a_later_one_can_still_arrive(desk: Desk) -> None:
    oid = await live(desk)
    shown(desk, oid)
    desk.cancel(oid)
    desk.venue.result(desk.venue.commands[-1], Conclusion.UNKNOWN, reason="first")
    await asyncio.sleep(9)
    desk.cancel(oid)
    second = desk.venue.commands[-1]
    desk.venue.sink.on_result(
        ev.CommandResult(
            kind=ev.CommandKind.CANCEL,
            conclusion=Conclusion.UNKNOWN,
            oid=oid,
            symbol=second.symbol,
            account=desk.venue.account,
            timestamp=desk.clock.timestamp_ms(),
            attempt=second.attempt,  # type: ignore[union-attr]
            reason="second",
        )
    )
    await asyncio.sleep(9)  # the horizon of the first has passed, that of the second has not
    assert "CANCEL_FAILED" not in desk.names
    await asyncio.sleep(20)
    assert desk.names.count("CANCEL_FAILED") == 1
    assert not desk.tasks


@desk_test
async def test_a_cancel_all_that_was_not_sent_says_nothing_of_a_cancel_that_was_taken(desk: Desk) -> None:
    desk.ems._is_alone = True  # what ReconcileConfig says
    one, other = await live(desk), await live(desk)
    desk.cancel(one)
    desk.venue.result(desk.venue.commands[-1], Conclusion.ACCEPTED)
    desk.ems.cancel_all(desk.venue.account, desk.state(one).symbol)
    desk.told.clear()
    desk.venue.result(desk.venue.commands[-1], Conclusion.NOT_SENT, reason="no socket")
    failed = [order.oid for name, order in desk.told if name == "CANCEL_FAILED"]
    assert failed == [other]
    assert desk.state(one).has_cancel_intent


@desk_test
async def test_a_result_of_a_cancel_all_that_nobody_waits_for_moves_nothing(desk: Desk) -> None:
    oid = await live(desk)
    command = ev.CancelAll(account=desk.venue.account, symbol=desk.state(oid).symbol, timestamp=1)
    desk.venue.result(command, Conclusion.NOT_SENT)
    assert desk.told == []
