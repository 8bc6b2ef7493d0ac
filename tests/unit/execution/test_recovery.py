"""What happened while the process was down, or was not told before it died, is told after a restart: marked, once."""

from __future__ import annotations

import asyncio
from decimal import Decimal
from typing import Any

import pytest

from desk import ACCOUNT, SYMBOL, Desk, FullDisk, live
from nexustrader.domain import events as ev
from nexustrader.domain.outcome import Conclusion, Route
from nexustrader.execution.snapshot import restore, take
from nexustrader.persistence.memory import MemoryJournal
from virtual_time import LoopClock, run_virtual

K = ev.EventKind
QUERY = ev.Source.QUERY


def fill(desk: Desk, amount: str, trade_id: str) -> ev.Fill:
    return ev.Fill(
        trade_id=trade_id, price=Decimal(30_000), amount=Decimal(amount), timestamp=desk.clock.timestamp_ms()
    )


def filled(desk: Desk, oid: str, amount: str, trade_id: str, total: str) -> ev.OrderEvent:
    return desk.venue.event(oid, K.FILLED, fill=fill(desk, amount, trade_id), filled=Decimal(total), eid="7")


def restarted(desk: Desk, *, upto: int | None = None) -> Desk:
    """The next process, which has not called `on_start` yet. `upto`: how much of the journal was durable."""
    journal = MemoryJournal()
    for record in list(desk.journal.replay())[:upto]:
        journal.append(record)
    again = Desk(desk.clock, journal)
    again.is_held = True
    again.oms.restore(journal.replay(), again.portfolio.adjust)
    again.venue.orders, again.venue.fills = desk.venue.orders, desk.venue.fills
    again.venue.positions = desk.venue.positions
    return again


def told(desk: Desk) -> list[tuple[str, bool]]:
    return [(name, order.recovered) for name, order in desk.told if name not in ("UNKNOWN", "RESURRECTED")]


# -- while the process was down ------------------------------------------------------------------------------


def test_fills_and_ends_of_the_time_between_are_told_after_the_start_and_marked() -> None:
    async def run(clock: LoopClock) -> None:
        first = Desk(clock)
        gone, resting = await live(first), await live(first)
        first.oms.mark_delivered()
        await asyncio.sleep(100)
        first.venue.fills[gone] = [filled(first, gone, "0.004", "1", "0.004")]
        first.venue.orders[gone] = first.venue.event(
            gone, K.CANCELED, QUERY, filled=Decimal("0.004"), average=Decimal(30_000), eid="7"
        )
        first.venue.orders[resting] = first.venue.event(resting, K.ACCEPTED, QUERY, eid="7")
        first.hold("0.004")
        desk = restarted(first)
        await desk.reconciler.start_up(ACCOUNT)
        assert desk.told == [], "on_start has not run yet"
        desk.tell_waiting()
        assert told(desk) == [("PARTIALLY_FILLED", True), ("CANCELED", True)]
        desk.on_order_event(filled(desk, resting, "0.01", "2", "0.01"))
        assert told(desk)[2:] == [("FILLED", False)], "this one happened now"

    run_virtual(run)


def test_the_end_of_a_doubt_that_outlasts_the_start_is_marked_and_what_follows_is_not() -> None:
    async def run(clock: LoopClock) -> None:
        first = Desk(clock)
        oid = first.create()
        desk = restarted(first)
        await desk.reconciler.start_up(ACCOUNT)
        desk.tell_waiting()
        assert desk.state(oid).is_unknown
        desk.venue.orders[oid] = desk.venue.event(oid, K.ACCEPTED, QUERY, eid="7")
        await asyncio.sleep(10)
        desk.on_order_event(desk.venue.event(oid, K.CANCELED))
        assert told(desk) == [("ACCEPTED", True), ("CANCELED", False)]

    run_virtual(run)


def test_a_start_that_fails_leaves_nothing_marked_for_good() -> None:
    async def run(clock: LoopClock) -> None:
        desk = Desk(clock)
        oid = await live(desk)
        desk.venue.unreachable = True
        with pytest.raises(Exception, match="reached"):
            await desk.reconciler.start_up(ACCOUNT)
        desk.on_order_event(desk.venue.event(oid, K.CANCELED))
        assert told(desk) == [("CANCELED", False)]

    run_virtual(run)


def test_what_one_fact_still_owes_is_told_after_a_death_within_its_first_callback() -> None:
    """Filled in part and cancelled in one word: the strategy orders when told of the first, and the process dies."""

    async def run(clock: LoopClock) -> None:
        first = Desk(clock)
        oid = await live(first)
        first.oms.mark_delivered()
        first.on_tell = lambda name: first.create() if name == "PARTIALLY_FILLED" else None
        begun = first.journal.last_seq
        first.on_order_event(
            first.venue.event(oid, K.CANCELED, filled=Decimal("0.004"), average=Decimal(30_000), eid="7")
        )
        desk = restarted(first, upto=begun + 2)  # the fact, and the order made within the callback
        desk.tell_waiting()
        assert told(desk)[0] == ("CANCELED", True)

    run_virtual(run)


def test_what_a_callback_brings_about_is_told_behind_what_its_fact_still_owes() -> None:
    """A create that ends at once within the first of two callbacks: the second comes before the word about it."""

    async def run(clock: LoopClock) -> None:
        first = Desk(clock)
        oid = await live(first)
        died_at: list[int] = []

        def hear(name: str) -> None:
            if name == "PARTIALLY_FILLED":
                first.create(route=Route.REST)
                first.venue.result(first.venue.commands[-1], Conclusion.NOT_SENT, reason="no connection")
            elif name == "FAILED":
                first.create()
                died_at.append(first.journal.last_seq)

        first.on_tell = hear
        first.on_order_event(first.venue.event(oid, K.CANCELED, filled=Decimal("0.004"), eid="7"))
        assert [name for name in first.names if name != "PENDING"] == [
            "PARTIALLY_FILLED",
            "CANCELED",
            "FAILED",
        ]
        desk = restarted(first, upto=died_at[0])
        desk.tell_waiting()
        assert "CANCELED" not in desk.names, "it was told, and the record behind proves it"

    run_virtual(run)


def test_a_start_does_not_take_over_a_position_that_an_order_in_doubt_may_have_made() -> None:
    """Killed before the acknowledgement: the list of positions shows the execution before any list of orders does."""

    async def run(clock: LoopClock) -> None:
        first = Desk(clock)
        oid = first.create()
        desk = restarted(first)
        desk.venue.query_lag_ms = 10_000
        desk.hold("0.01")
        await desk.reconciler.start_up(ACCOUNT)
        assert desk.state(oid).is_unknown
        assert desk.portfolio.position(ACCOUNT, SYMBOL).signed_amount == 0
        desk.venue.fills[oid] = [filled(desk, oid, "0.01", "1", "0.01")]
        desk.venue.orders[oid] = desk.venue.event(
            oid, K.FILLED, QUERY, filled=Decimal("0.01"), average=Decimal(30_000), eid="7"
        )
        await asyncio.sleep(10)
        assert desk.portfolio.position(ACCOUNT, SYMBOL).signed_amount == Decimal("0.01")

    run_virtual(run)


def test_an_amendment_of_an_earlier_run_is_followed_until_it_is_known() -> None:
    async def run(clock: LoopClock) -> None:
        first = Desk(clock)
        oid = await live(first)
        first.ems.amend(oid, price=Decimal(29_000), amount=None, params={})
        desk = restarted(first)
        desk.venue.orders[oid] = desk.venue.event(oid, K.ACCEPTED, QUERY, eid="7")
        await desk.reconciler.start_up(ACCOUNT)
        desk.tell_waiting()
        assert desk.state(oid).is_amending
        await asyncio.sleep(30)
        assert not desk.state(oid).is_amending
        assert desk.state(oid).is_open

    run_virtual(run)


# -- between the journal and the strategy --------------------------------------------------------------------


def test_a_fact_that_was_journalled_and_not_told_is_told_after_the_restart() -> None:
    async def run(clock: LoopClock) -> None:
        first = Desk(clock)
        oid = await live(first)
        first.is_held = True  # the process dies before the strategy hears of it
        first.on_order_event(filled(first, oid, "0.01", "1", "0.01"))
        assert first.told == []
        desk = restarted(first)
        desk.tell_waiting()
        assert told(desk) == [("FILLED", True)]
        assert desk.told[0][1].filled == Decimal("0.01")

    run_virtual(run)


def test_what_the_strategy_answered_in_the_journal_is_not_told_again() -> None:
    async def run(clock: LoopClock) -> None:
        first = Desk(clock)
        oid = await live(first)
        first.on_order_event(filled(first, oid, "0.01", "1", "0.01"))
        first.create()  # the answer: a second telling would bring a second one
        desk = restarted(first)
        desk.tell_waiting()
        assert told(desk) == []

    run_virtual(run)


def test_an_answer_that_did_not_reach_the_journal_is_given_another_chance() -> None:
    async def run(clock: LoopClock) -> None:
        first = Desk(clock)
        oid = await live(first)
        first.on_order_event(filled(first, oid, "0.01", "1", "0.01"))
        records = len(list(first.journal.replay()))
        first.create()
        desk = restarted(first, upto=records)
        desk.tell_waiting()
        assert told(desk) == [("FILLED", True)]

    run_virtual(run)


def test_what_was_told_and_had_time_to_be_marked_is_not_told_again() -> None:
    async def run(clock: LoopClock) -> None:
        first = Desk(clock)
        oid = await live(first)
        first.on_order_event(filled(first, oid, "0.01", "1", "0.01"))
        await asyncio.sleep(0.2)
        desk = restarted(first)
        desk.tell_waiting()
        assert told(desk) == []

    run_virtual(run)


def test_an_order_of_early_calls_does_not_prove_the_telling_of_what_still_waits() -> None:
    """A strategy may send orders in `on_start`, before it is told what the start has found."""

    async def run(clock: LoopClock) -> None:
        first = Desk(clock)
        a, b = await live(first), await live(first)
        first.oms.mark_delivered()
        for oid in (a, b):
            first.venue.orders[oid] = first.venue.event(oid, K.CANCELED, QUERY, eid="7")
        second = restarted(first)
        await second.reconciler.start_up(ACCOUNT)
        second.create()  # in on_start; then the process dies
        third = restarted(second)
        await third.reconciler.start_up(ACCOUNT)
        third.tell_waiting()
        assert told(third) == [("CANCELED", True)] * 2
        assert [order.oid for _, order in third.told if order.recovered][:2] == [a, b]

    run_virtual(run)


def test_of_what_waits_only_that_part_is_told_again_which_was_not_told() -> None:
    async def run(clock: LoopClock) -> None:
        first = Desk(clock)
        oids = [await live(first) for _ in range(3)]
        first.is_held = True
        for oid in oids:
            first.on_order_event(first.venue.event(oid, K.CANCELED))
        first.told.append(first.waiting.pop(0))
        first.create()
        desk = restarted(first)
        desk.tell_waiting()
        assert [order.oid for _, order in desk.told] == oids[1:]

    run_virtual(run)


def test_the_mark_waits_for_what_is_still_untold() -> None:
    async def run(clock: LoopClock) -> None:
        desk = Desk(clock)
        oid = await live(desk)
        await asyncio.sleep(1)
        desk.is_held = True
        desk.on_order_event(desk.venue.event(oid, K.CANCELED))
        await asyncio.sleep(10)
        assert not isinstance(list(desk.journal.replay())[-1], ev.Delivered)
        desk.tell_waiting()
        await asyncio.sleep(1)
        assert isinstance(list(desk.journal.replay())[-1], ev.Delivered)
        records = len(list(desk.journal.replay()))
        await asyncio.sleep(10)
        desk.oms.mark_delivered()
        assert len(list(desk.journal.replay())) == records, "once is enough"

    run_virtual(run)


def test_a_risk_record_proves_no_telling() -> None:
    async def run(clock: LoopClock) -> None:
        first = Desk(clock)
        oid = await live(first)
        first.is_held = True
        first.on_order_event(first.venue.event(oid, K.CANCELED))
        first.journal.append(
            ev.RiskEvent(state=ev.TradingState.HALTED, reason="a test", timestamp=clock.timestamp_ms())
        )
        desk = restarted(first)
        desk.tell_waiting()
        assert told(desk) == [("CANCELED", True)]

    run_virtual(run)


def test_at_whichever_record_the_process_dies_nothing_stays_untold_and_little_is_told_twice() -> None:
    """Every boundary of the journal; the strategy answers each fill with an order."""

    async def run(clock: LoopClock) -> None:
        first = Desk(clock)
        seen: list[tuple[str, str | None, Any]] = []
        at: list[int] = []  # how much was journalled when each was told

        def tell(news: Any) -> None:
            for notice, order in news:
                seen.append((notice.value, order.oid, order.filled))
                at.append(len(list(first.journal.replay())))
                if notice.value == "FILLED" and len(first.venue.commands) < 3:
                    first.create()

        first.oms._tell = tell
        for number in range(3):
            if len(first.venue.commands) <= number:
                first.create()
            command = first.venue.commands[number]
            assert isinstance(command, ev.Submit)
            first.venue.result(command, Conclusion.ACCEPTED)
            first.on_order_event(first.venue.event(command.oid, K.ACCEPTED, eid=str(number)))
            first.on_order_event(filled(first, command.oid, "0.004", f"a{number}", "0.004"))
            first.on_order_event(filled(first, command.oid, "0.006", f"b{number}", "0.01"))
        for records in range(len(list(first.journal.replay())) + 1):
            desk = restarted(first, upto=records)
            desk.tell_waiting()
            again = [(name, order.oid, order.filled) for name, order in desk.told]
            certain = [what for what, when in zip(seen, at, strict=True) if when < records]
            due = [what for what, when in zip(seen, at, strict=True) if when == records]
            assert again == due[-1:] or again == due, (records, again, due)
            assert not set(again) & set(certain)

    run_virtual(run)


def test_a_journal_that_could_not_be_written_costs_no_marks_later() -> None:
    async def run(clock: LoopClock) -> None:
        journal = FullDisk()
        desk = Desk(clock, journal)
        oid = await live(desk)
        journal.full = True
        desk.on_order_event(desk.venue.event(oid, K.CANCELED))
        await asyncio.sleep(1)
        assert desk.names == ["CANCELED"]
        assert desk.oms.journal_failed
        journal.full = False
        other = await live(desk)
        await asyncio.sleep(1)
        assert not desk.oms.journal_failed
        assert desk.state(other).is_open

    run_virtual(run)


# -- from a snapshot -----------------------------------------------------------------------------------------


def test_a_snapshot_takes_the_place_of_the_records_before_it() -> None:
    async def run(clock: LoopClock) -> None:
        first = Desk(clock)
        oid = await live(first, client_oid="entry", idempotency_key="k")
        first.on_order_event(filled(first, first.state(oid).oid, "0.004", "1", "0.004"))
        first.oms.mark_delivered()
        taken = take(first.oms, first.portfolio, first.cache, seq=9, timestamp_ms=clock.timestamp_ms())
        later = filled(first, first.state(oid).oid, "0.006", "2", "0.01")
        desk = Desk(clock)
        assert restore([taken, later], desk.oms, desk.portfolio, desk.cache) == 0
        assert told(desk) == [("FILLED", True)]
        assert desk.portfolio.position(ACCOUNT, SYMBOL).signed_amount == Decimal("0.01")
        assert desk.create(idempotency_key="k") == "entry"

    run_virtual(run)


def test_a_run_gives_no_id_that_an_earlier_run_may_have_given_to_an_order_that_it_refused() -> None:
    async def run(clock: LoopClock) -> None:
        first = Desk(clock)
        first.oms.record_start("17000000000000990042", clock.timestamp_ms())
        again = restarted(first)
        assert again.oms.last_oid() == "17000000000000990042"
        await live(again)
        assert (
            again.oms.last_oid() == "17000000000000990042"
        )  # the clock was set back since: ids go on above this one

    run_virtual(run)
