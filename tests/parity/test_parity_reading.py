"""What is read of a session, and what is refused."""

from __future__ import annotations

from decimal import Decimal
from pathlib import Path

import pytest
from msgspec.structs import replace
from parity_sessions import ACCOUNT, BUY, SELL, SYMBOL, T0, Script

from nexustrader._session.records import Called, Failure, Outcome, Reply
from nexustrader.backtest.parity import parity
from nexustrader.backtest.parity.recorded import read
from nexustrader.constants import KlineInterval, OrderType
from nexustrader.domain import events as ev
from nexustrader.domain.events import EventKind, Source
from nexustrader.domain.outcome import CommandKind, Conclusion, Route
from nexustrader.error import DataError


@pytest.fixture
def script(tmp_path: Path) -> Script:
    return Script(tmp_path / "session.nxs")


def test_quotes_and_trades_have_the_times_of_the_venue(script: Script) -> None:
    script.quote(100, 60_000.0, 60_000.1, late=40)
    script.trade(120, 60_000.0, 0.5, SELL)
    script.submit(200, BUY, "0.010")
    market = read(script.end()).market
    assert market.quotes[SYMBOL].time_ns.tolist() == [(T0 + 100) * 1_000_000]
    assert market.trades[SYMBOL].time_ns.tolist() == [(T0 + 120) * 1_000_000]
    assert market.trades[SYMBOL].is_buy.tolist() == [False]
    assert market.stamped_here == frozenset()


def test_quotes_that_are_all_stamped_on_arrival_are_known(script: Script) -> None:
    script.quote(100, 60_000.0, 60_000.1, late=0)
    script.quote(200, 60_000.0, 60_000.1, late=0)
    script.submit(300, BUY, "0.010")
    assert read(script.end()).market.stamped_here == {SYMBOL}


def test_an_execution_that_is_told_twice_counts_once(script: Script) -> None:
    oid = script.submit(100, BUY, "0.010")
    script.accepted(oid, 104)
    script.filled(oid, 110, "60000.0", "0.004")
    script._trades -= 1  # the same trade again
    script.filled(oid, 110, "60000.0", "0.004")
    script.filled(oid, 120, "60001.0", "0.006")
    life = read(script.end()).lives.life(oid)
    assert [fill.amount for fill in life.fills] == [Decimal("0.004"), Decimal("0.006")]
    assert life.status == "FILLED"
    assert life.average == Decimal("60000.6")
    assert (life.reached_ms(Decimal("0.004")), life.reached_ms(Decimal("0.005"))) == (T0 + 110, T0 + 120)


def test_executions_that_only_a_question_brought_are_the_orders_own(script: Script) -> None:
    oid = script.submit(100, BUY, "0.010")
    script.accepted(oid, 104)
    fill = ev.Fill(trade_id="9", price=Decimal(60000), amount=Decimal("0.010"), timestamp=T0 + 110)
    told = script.event(oid, EventKind.FILLED, 110, source=Source.QUERY, fill=fill)
    script.reply("orders", [replace(told, oid="")])  # by the venue's id alone
    life = read(script.end()).lives.life(oid)
    assert (life.status, life.filled) == ("FILLED", Decimal("0.010"))


def test_commands_arrive_when_the_facts_say(script: Script) -> None:
    oid = script.submit(100, BUY, "0.010", "59000.0")
    script.accepted(oid, 107)
    script.cancel(200, oid)
    script.canceled(oid, 230)
    recorded = read(script.end())
    assert recorded.arrivals_ms == {0: T0 + 107, 1: T0 + 230}
    assert [sent.lag_ms for sent in recorded.sent] == [7, 30]


def test_each_amendment_arrives_with_a_fact_of_its_own_however_often_that_is_told(script: Script) -> None:
    oid = script.submit(100, BUY, "0.010", "59000.0")
    script.accepted(oid, 107)
    script.amend(200, oid, "59001.0")
    script.amend(210, oid, "59002.0")
    first, second = (script.event(oid, EventKind.AMENDED, there) for there in (230, 240))
    script.tell(first)
    script.result(oid, 230, kind=CommandKind.AMEND, events=(first,))
    script.tell(second)
    assert read(script.end()).arrivals_ms == {0: T0 + 107, 1: T0 + 230, 2: T0 + 240}


def test_the_first_of_the_facts_says_when_a_create_arrived_in_whatever_order_they_come(
    script: Script,
) -> None:
    oid = script.submit(100, BUY, "0.010")
    script.filled(oid, 140, "60000.0", "0.010")
    script.accepted(oid, 104)
    assert read(script.end()).arrivals_ms == {0: T0 + 104}


def test_results_belong_to_the_attempt_that_they_name(script: Script) -> None:
    oid = script.submit(100, BUY, "0.010", "59000.0")
    script.accepted(oid, 110)
    script.cancel(200, oid)
    script.cancel(210, oid, attempt=2)
    script.result(oid, 230, Conclusion.UNKNOWN, CommandKind.CANCEL, attempt=2)
    script.result(oid, 240, Conclusion.REJECTED, CommandKind.CANCEL)
    assert [sent.conclusion for sent in read(script.end()).sent] == [
        Conclusion.ACCEPTED,
        Conclusion.REJECTED,
        Conclusion.UNKNOWN,
    ]


def test_only_commands_that_were_accepted_are_measured(script: Script) -> None:
    script.quotes(0, 100)
    oid = script.submit(100, BUY, "0.010", "59000.0")
    script.accepted(oid, 110)
    script.cancel(200, oid)
    script.result(oid, 300, Conclusion.UNKNOWN, CommandKind.CANCEL)
    script.tell(script.event(oid, EventKind.CANCELED, 9_000))
    latency = parity(script.end()).latency
    assert latency is not None
    assert (latency.commands, latency.max_ms) == (1, 10)


def test_a_position_that_is_asked_for_later_was_not_there_at_the_beginning(script: Script) -> None:
    script.quotes(0, 1_000)
    oid = script.submit(1_000, BUY, "0.010")
    script.accepted(oid, 1_004)
    script.filled(oid, 1_004, "60000.1", "0.010")
    script.reply("positions", [script.position_event("0.010", 1_004)])
    opening = read(script.end()).opening[ACCOUNT]
    assert opening is not None
    assert opening.positions == {}


def test_the_shortest_klines_are_taken(script: Script) -> None:
    prices = (60_000.0, 60_010.0, 59_990.0, 60_001.0)
    script.kline(0, prices, KlineInterval.MINUTE_5)
    script.kline(0, prices)
    script.submit(script.at, BUY, "0.010")
    assert read(script.end()).market.bars[SYMBOL].interval is KlineInterval.MINUTE_1


def test_a_cancel_that_was_refused_is_not_dated_by_the_next_one(script: Script) -> None:
    oid = script.submit(100, BUY, "0.010", "59000.0")
    script.accepted(oid, 110)
    script.cancel(200, oid)
    script.result(oid, 220, Conclusion.REJECTED, CommandKind.CANCEL)
    script.cancel(900, oid, attempt=2)
    ended = script.event(oid, EventKind.CANCELED, 905)
    script.tell(ended)
    script.result(oid, 905, kind=CommandKind.CANCEL, attempt=2)
    assert read(script.end()).arrivals_ms == {0: T0 + 110, 1: T0 + 207, 2: T0 + 905}


def test_a_cancel_of_all_arrives_with_the_first_order_that_it_ends(script: Script) -> None:
    oids = tuple(script.submit(at, BUY, "0.010", "59000.0") for at in (100, 110))
    script.cancel_all(200, oids)
    for oid, there in zip(oids, (230, 231), strict=True):
        script.tell(script.event(oid, EventKind.CANCELED, there))
    assert read(script.end()).arrivals_ms[2] == T0 + 230


def test_a_refused_command_arrives_after_the_usual_time(script: Script) -> None:
    oid = script.submit(100, BUY, "0.010", "59000.0")
    script.accepted(oid, 120)
    script.cancel(200, oid)
    script.result(oid, 290, Conclusion.REJECTED, CommandKind.CANCEL)
    assert read(script.end()).arrivals_ms == {0: T0 + 120, 1: T0 + 220}


def test_without_any_measurement_a_command_arrives_half_way_to_its_answer(script: Script) -> None:
    oid = script.submit(100, BUY, "0.010", "59000.0")
    script.result(oid, 195, Conclusion.REJECTED)
    assert read(script.end()).arrivals_ms == {0: T0 + 150}


def test_a_command_that_left_no_trace_has_not_arrived(script: Script) -> None:
    oid = script.submit(100, BUY, "0.010", "59000.0")
    script.result(oid, 150, Conclusion.UNKNOWN)
    assert read(script.end()).arrivals_ms == {}


def test_an_order_that_took_another_way_is_sent_once(script: Script) -> None:
    script.quotes(0, 1_000)
    oid = script.submit(1_000, BUY, "0.010", route=Route.WS)
    script.result(oid, 1_001, Conclusion.NOT_SENT, route=Route.WS)
    script.decide(1_010, _again(oid))
    script.result(
        oid, 1_014, events=(script.event(oid, EventKind.ACKED, 1_014, source=Source.ACK),), attempt=2
    )
    script.filled(oid, 1_014, "60000.1", "0.010")
    path = script.end()
    assert [sent.command for sent in read(path).sent] == [_again(oid)]
    report = parity(path)
    assert report.equal == 1
    assert report.notes == ("1 command(s) never left and were not given to the simulated venue",)


def _again(oid: str) -> ev.Submit:
    return ev.Submit(
        oid=oid,
        account=ACCOUNT,
        symbol=SYMBOL,
        side=BUY,
        type=OrderType.MARKET,
        amount=Decimal("0.010"),
        attempt=2,
        timestamp=T0 + 1_010,
    )


# -- refusals ----------------------------------------------------------------------------------------------------


def test_a_file_that_is_no_session_is_refused(tmp_path: Path) -> None:
    path = tmp_path / "notes.txt"
    path.write_text("hello")
    with pytest.raises(DataError, match="is no recorded session"):
        parity(path)


def test_a_file_that_is_not_there_is_refused(tmp_path: Path) -> None:
    with pytest.raises(DataError, match="cannot be read"):
        parity(tmp_path / "nothing.nxs")


def test_a_damaged_session_is_refused_with_its_place(script: Script) -> None:
    script.quotes(0, 1_000)
    script.submit(1_000, BUY, "0.010")
    path = script.end()
    content = bytearray(path.read_bytes())
    content[len(content) // 2] ^= 0xFF
    path.write_bytes(content)
    with pytest.raises(DataError, match="damaged"):
        parity(path)


def test_a_torn_tail_is_told(script: Script) -> None:
    script.quotes(0, 1_000)
    oid = script.submit(1_000, BUY, "0.010")
    script.accepted(oid, 1_004)
    script.filled(oid, 1_004, "60000.1", "0.010")
    path = script.end()
    path.write_bytes(path.read_bytes()[:-5])
    assert parity(path).notes == ("the session has no end: its last input may be torn and was left out",)


def test_a_recording_that_ended_early_is_told(script: Script) -> None:
    script.quotes(0, 1_000)
    oid = script.submit(1_000, BUY, "0.010")
    script.accepted(oid, 1_004)
    script.filled(oid, 1_004, "60000.1", "0.010")
    script.quotes(1_250, 1_500)
    assert parity(script.end("the disk is full")).notes == (
        "the recording ended before the run did: the disk is full",
    )


def test_a_session_without_an_order_has_nothing_to_compare(script: Script) -> None:
    script.quotes(0, 1_000)
    with pytest.raises(DataError, match="nothing to compare with a backtest: no order was sent"):
        parity(script.end())


def test_a_session_of_a_mock_account_is_for_replay(script: Script) -> None:
    script.put(Called("add_mock", (ACCOUNT,)))
    script.quotes(0, 1_000)
    script.submit(1_000, BUY, "0.010")
    with pytest.raises(DataError, match="`nexustrader replay` compares it"):
        parity(script.end())


def test_a_question_that_failed_says_nothing(script: Script) -> None:
    script.quotes(0, 1_000)
    script.put(Reply("orders x#1", Outcome("orders", failure=Failure("OutcomeUnknown", "no answer"))))
    script.submit(1_000, BUY, "0.010")
    assert len(read(script.end()).oids) == 1
