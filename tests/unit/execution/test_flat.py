"""What is left after a stop is what the venue says, not what we remember."""

from __future__ import annotations

import asyncio
from decimal import Decimal
from typing import Any

import pytest
from loguru import logger

from desk import ACCOUNT, SYMBOL, Desk, desk_test, live
from nexustrader.domain import events as ev
from nexustrader.domain.outcome import Conclusion
from nexustrader.execution.flat import Left, report_left
from nexustrader.kernel.ports import VenuePort

K = ev.EventKind


def listed(desk: Desk, oid: str) -> ev.OrderEvent:
    return desk.venue.event(oid, K.ACCEPTED, ev.Source.QUERY, eid="7")


def held(desk: Desk, amount: str) -> ev.PositionEvent:
    return ev.PositionEvent(
        account=ACCOUNT,
        symbol=SYMBOL,
        signed_amount=Decimal(amount),
        entry_price=Decimal(30_000),
        timestamp=desk.clock.timestamp_ms(),
    )


async def report(desk: Desk, **more: Any) -> tuple[Left, list[str]]:
    lines: list[str] = []
    sink = logger.add(lambda message: lines.append(str(message).strip()), format="{level} {message}")
    ports: list[VenuePort] = [desk.venue]
    try:
        (left,) = await report_left(ports, desk.oms, **more)
    finally:
        logger.remove(sink)
    return left, lines


@desk_test
async def test_flat_is_verified_by_the_venues_own_answer(desk: Desk) -> None:
    left, lines = await report(desk)
    assert left.is_flat
    assert lines == [f"INFO verified flat: no open order, no position at {ACCOUNT}"]
    assert desk.venue.queries == 2


@desk_test
async def test_what_a_spot_account_owns_is_no_position_and_that_is_said(desk: Desk) -> None:
    _, lines = await report(desk, spot=[ACCOUNT])
    assert lines == [
        f"INFO verified flat: no open order, no position at {ACCOUNT}; what spot accounts own are balances"
    ]


@desk_test
async def test_a_position_that_only_the_venue_knows_is_named(desk: Desk) -> None:
    desk.venue.positions = [held(desk, "0"), held(desk, "-0.5")]
    left, lines = await report(desk)
    assert not left.is_flat
    assert lines == [f"WARNING {ACCOUNT}: a position is left open: -0.5 {SYMBOL} at 30000"]


@desk_test
async def test_an_order_is_named_as_its_user_knows_it_and_a_strangers_as_one(desk: Desk) -> None:
    oid = await live(desk, client_oid="mine")
    desk.venue.orders = {
        desk.state(oid).oid: listed(desk, desk.state(oid).oid),
        "web_1": listed(desk, "web_1"),
    }
    left, lines = await report(desk)
    assert not left.is_flat
    assert lines == [
        f"ERROR {ACCOUNT}: order mine of {SYMBOL} is open at the venue",
        f"ERROR {ACCOUNT}: an order of somebody else (web_1) of {SYMBOL} is open at the venue",
    ]


@desk_test
async def test_an_order_in_doubt_is_not_flat_though_the_venue_does_not_list_it(desk: Desk) -> None:
    oid = desk.create()
    desk.venue.unreachable = True
    desk.venue.result(desk.venue.commands[-1], Conclusion.UNKNOWN, reason="no ACK within 5000 ms")
    desk.venue.unreachable = False
    left, lines = await report(desk)
    assert [state.oid for state in left.doubtful] == [oid]
    (line,) = lines
    assert "may still be open: no ACK within 5000 ms; the venue does not list it now" in line


@desk_test
async def test_a_list_that_still_holds_a_cancelled_order_is_asked_for_again(desk: Desk) -> None:
    oid = await live(desk)
    desk.venue.orders[oid] = listed(desk, oid)
    desk.cancel(oid)
    desk.venue.result(desk.venue.commands[-1], Conclusion.ACCEPTED)

    async def later() -> None:
        await asyncio.sleep(0.7)
        desk.venue.orders.clear()
        desk.on_order_event(desk.venue.event(oid, K.CANCELED))

    ending = asyncio.ensure_future(later())
    left, _ = await report(desk)
    await ending
    assert left.is_flat


@desk_test
async def test_an_order_whose_end_the_venue_never_shows_is_reported_after_a_few_questions(desk: Desk) -> None:
    oid = await live(desk)
    desk.venue.orders[oid] = listed(desk, oid)
    desk.cancel(oid)
    before = desk.clock.timestamp_ms()
    left, _ = await report(desk)
    assert [event.oid for event in left.orders] == [oid]
    assert desk.clock.timestamp_ms() - before == 1_500


@pytest.mark.parametrize(
    ("trouble", "word"),
    [("unreachable", "the venue cannot be reached"), ("fault", "ValueError, see the log")],
)
def test_without_an_answer_nothing_is_verified(trouble: str, word: str) -> None:
    @desk_test
    async def run(desk: Desk) -> None:
        await live(desk)
        setattr(desk.venue, trouble, ValueError("?") if trouble == "fault" else True)
        left, lines = await report(desk)
        assert not left.is_flat
        assert "could not be verified" in lines[-1]
        assert word in lines[-1]
        assert "1 order(s) may still be open" in lines[-1]

    run()


@desk_test
async def test_a_venue_that_never_answers_holds_the_stop_up_for_a_bounded_time(desk: Desk) -> None:
    async def silence(_symbol: str | None = None) -> list[ev.OrderEvent]:
        await asyncio.sleep(3_600)
        return []

    desk.venue.query_open_orders = silence  # type: ignore[method-assign]  # a venue that hangs
    before = desk.clock.timestamp_ms()
    left, lines = await report(desk, timeout_s=2.0)
    assert left.problem == "no answer within 2 s"
    assert "could not be verified" in lines[0]
    assert desk.clock.timestamp_ms() - before == 2_000


@desk_test
async def test_orders_of_an_account_that_is_no_longer_configured_are_not_forgotten(desk: Desk) -> None:
    await live(desk)
    (left,) = await report_left([], desk.oms)
    assert (left.account, left.problem) == (ACCOUNT, "this run has no connector for it")


@desk_test
async def test_without_accounts_there_is_nothing_to_say(desk: Desk) -> None:
    assert await report_left([], desk.oms) == []
