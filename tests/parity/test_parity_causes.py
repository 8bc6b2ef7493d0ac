"""One cause is planted in a session, and that one is found."""

from __future__ import annotations

from decimal import Decimal
from pathlib import Path

import pytest
from msgspec.structs import replace
from parity_sessions import BUY, SELL, T0, Script

from nexustrader.backtest.parity import Cause, OrderFinding, ParityReport, parity
from nexustrader.backtest.parity.parity import USUAL
from nexustrader.constants import OrderSide, OrderType, TimeInForce
from nexustrader.domain.outcome import CommandKind, Conclusion
from nexustrader.sim.fees import flat_fees
from nexustrader.sim.latency import Latency
from nexustrader.sim.settings import Assumptions


@pytest.fixture
def script(tmp_path: Path) -> Script:
    return Script(tmp_path / "session.nxs")


def only(report: ParityReport) -> OrderFinding:
    (order,) = report.orders
    return order


def what(order: OrderFinding) -> list[str]:
    return [difference.what for difference in order.differences]


def buy(script: Script, there: int, price: str, **fill: object) -> None:
    """A market order that is sent at 1000 ms and filled at this time and price."""
    oid = script.submit(1_000, BUY, "0.010")
    script.accepted(oid, there)
    script.filled(oid, there, price, "0.010", **fill)  # type: ignore[arg-type]


def take(script: Script, there: int, price: str, **fill: object) -> ParityReport:
    """Nothing but such an order."""
    buy(script, there, price, **fill)
    return parity(script.end())


# -- nothing differs ---------------------------------------------------------------------------------------------


def test_an_order_that_is_filled_at_the_quote_comes_out_equal(script: Script) -> None:
    script.quotes(0, 1_000)
    report = take(script, 1_004, "60000.1")
    assert only(report).differences == ()
    assert (report.equal, report.by_cause, report.is_explained) == (1, {}, True)
    assert report.latency is not None
    assert report.latency.median_ms == 4


def test_an_order_that_rests_and_is_cancelled_comes_out_equal(script: Script) -> None:
    script.quotes(0, 1_000)
    oid = script.submit(1_000, BUY, "0.010", "59990.0")
    script.accepted(oid, 1_004)
    script.cancel(1_500, oid)
    script.canceled(oid, 1_503)
    script.quotes(1_750, 2_500)
    assert only(parity(script.end())).differences == ()


def test_venues_that_call_a_refusal_an_expiry_are_not_held_to_a_word(script: Script) -> None:
    script.quotes(0, 1_000)
    oid = script.submit(1_000, BUY, "0.010", "60000.1", OrderType.POST_ONLY)
    script.result(oid, 1_004, Conclusion.REJECTED)
    other = script.submit(1_500, BUY, "0.010", "59990.0", time_in_force=TimeInForce.FOK)
    script.result(other, 1_504, Conclusion.REJECTED)
    report = parity(script.end())
    assert report.equal == 2


# -- latency -----------------------------------------------------------------------------------------------------


def test_a_quote_that_came_while_the_order_was_under_way_is_latency(script: Script) -> None:
    script.quotes(0, 1_000)
    oid = script.submit(1_000, BUY, "0.010")
    script.quote(1_200, 60_050.0, 60_050.1)
    script.accepted(oid, 1_300)
    script.filled(oid, 1_300, "60050.1", "0.010")
    order = only(parity(script.end()))
    assert what(order) == ["average", "fee", "time"]
    assert order.causes == (Cause.LATENCY,)
    assert "the create took 300 ms" in order.detail


def test_the_latency_that_was_measured_makes_it_equal(script: Script) -> None:
    script.quotes(0, 1_001)
    oid = script.submit(1_000, BUY, "0.010")
    script.quote(1_200, 60_050.0, 60_050.1)
    script.accepted(oid, 1_300)
    script.filled(oid, 1_300, "60050.1", "0.010")
    settings = replace(USUAL, latency_ms=300)
    assert only(parity(script.end(), settings)).differences == ()


def test_a_time_alone_is_a_difference_when_it_is_asked_for_exactly(script: Script) -> None:
    script.quotes(0, 1_000)
    oid = script.submit(1_000, BUY, "0.010")
    script.accepted(oid, 1_050)
    script.filled(oid, 1_050, "60000.1", "0.010")
    path = script.end()
    assert only(parity(path)).differences == ()
    order = only(parity(path, time_ms_max=0))
    assert what(order) == ["time"]
    assert order.causes == (Cause.LATENCY,)


def test_an_order_that_nothing_shows_to_have_arrived_is_latency(script: Script) -> None:
    script.quotes(0, 1_000)
    oid = script.submit(1_000, BUY, "0.010")
    script.accepted(oid, 1_004)
    script.filled(oid, 1_004, "60000.1", "0.010")
    lost = script.submit(1_100, BUY, "0.010")
    script.result(lost, 1_105, Conclusion.UNKNOWN)
    first, second = parity(script.end()).orders
    assert first.differences == ()
    assert second.causes == (Cause.LATENCY,)
    assert second.detail == "nothing shows that the create arrived"


def test_a_quote_of_the_same_millisecond_may_come_before_or_after_the_order(script: Script) -> None:
    script.quotes(0, 1_001)
    oid = script.submit(1_000, BUY, "0.010")
    script.quote(1_200, 60_050.0, 60_050.1)
    other = script.submit(1_400, BUY, "0.010")
    script.quote(1_600, 60_080.0, 60_080.1)
    script.accepted(oid, 1_200)
    script.filled(oid, 1_200, "60050.1", "0.010")  # after it
    script.accepted(other, 1_600)
    script.filled(other, 1_600, "60050.1", "0.010")  # before it
    report = parity(script.end(), time_ms_max=0)
    assert report.by_cause == {"latency": 2}


def test_quotes_without_a_time_of_the_venue_are_moved_back_by_the_latency(script: Script) -> None:
    for at in range(0, 1_000, 250):
        script.quote(at, 60_000.0, 60_000.1, late=0)
    oid = script.submit(1_000, BUY, "0.010")
    script.quote(1_110, 60_050.0, 60_050.1, late=0)  # it came in 1110, 100 ms after it was made
    script.accepted(oid, 1_100)
    script.filled(oid, 1_100, "60050.1", "0.010")
    order = only(parity(script.end()))
    assert order.causes == (Cause.LATENCY,)


def test_a_change_that_came_after_the_fill_is_latency(script: Script) -> None:
    script.quotes(0, 1_000)
    oid = script.submit(1_000, BUY, "0.010", "59990.0")
    script.accepted(oid, 1_004)
    script.cancel(1_500, oid)
    script.quote(1_600, 59_989.0, 59_989.1)
    script.filled(oid, 1_600, "59990.0", "0.010", maker=True)
    script.result(oid, 1_650, Conclusion.REJECTED, CommandKind.CANCEL)
    order = only(parity(script.end()))
    assert what(order)[:2] == ["status", "filled"]
    assert order.causes == (Cause.LATENCY,)
    assert order.detail == "the create took 4 ms, the cancel took 100 ms"


def test_an_assumed_latency_that_was_not_there_is_found(script: Script) -> None:
    script.quotes(0, 1_000)
    buy(script, 1_004, "60000.1")
    script.quote(1_200, 60_050.0, 60_050.1)
    script.quotes(1_450, 2_000, 60_050.0)
    path = script.end()
    models = Assumptions.of(latency=Latency(entry=300, reply=5))
    for settings in (replace(USUAL, latency_ms=300), replace(USUAL, assumed=models)):
        assert only(parity(path, settings)).causes == (Cause.LATENCY,)


# -- fees --------------------------------------------------------------------------------------------------------


def test_another_fee_is_found(script: Script) -> None:
    script.quotes(0, 1_000)
    order = only(take(script, 1_004, "60000.1", rate=Decimal("0.0003")))
    assert what(order) == ["fee"]
    assert order.differences[0].recorded == "0.18000030 USDT"
    assert order.differences[0].simulated == "0.30000050 USDT"
    assert order.causes == (Cause.FEE,)


def test_assumed_fees_that_were_not_charged_are_found(script: Script) -> None:
    script.quotes(0, 1_000)
    buy(script, 1_004, "60000.1")
    path = script.end()
    fee = Decimal("0.001")
    models = Assumptions.of(fees=flat_fees(fee, fee))
    for settings in (replace(USUAL, maker_fee=fee, taker_fee=fee), replace(USUAL, assumed=models)):
        assert only(parity(path, settings)).causes == (Cause.FEE,)


def test_two_causes_are_named_together(script: Script) -> None:
    script.quotes(0, 1_001)
    oid = script.submit(1_000, BUY, "0.010")
    script.quote(1_200, 60_050.0, 60_050.1)
    script.accepted(oid, 1_300)
    script.filled(oid, 1_300, "60050.1", "0.010", rate=Decimal("0.0003"))
    report = parity(script.end())
    assert only(report).causes == (Cause.LATENCY, Cause.FEE)
    assert report.by_cause == {"latency + fee": 1}


def test_fees_in_a_third_asset_are_left_out_with_a_note(script: Script) -> None:
    script.quotes(0, 1_000)
    buy(script, 1_004, "60000.1", rate=Decimal("0.000001"), currency="BNB")
    script.balance(1_004, "99000")
    report = parity(script.end())
    assert only(report).differences == ()
    assert any("another asset" in note for note in report.notes)
    assert not any(finding.what.startswith("balance") for finding in report.accounts)


# -- queues ------------------------------------------------------------------------------------------------------


def rest(script: Script, filled_at: int) -> OrderFinding:
    """A buy that rests behind 5.0 while 3 x 0.1 are sold into it, and is filled as maker."""
    script.quotes(0, 1_001)
    oid = script.submit(1_000, BUY, "0.010", "60000.0")
    script.accepted(oid, 1_004)
    for at in range(1_500, 4_500, 1_000):
        if at == filled_at:
            script.filled(oid, at, "60000.0", "0.010", maker=True)
        script.trade(at, 60_000.0, 0.1, SELL)
        script.quote(at + 500, 60_000.0, 60_000.1)
    return only(parity(script.end()))


def test_a_fill_by_the_first_trade_at_its_price_says_that_the_queue_was_empty(script: Script) -> None:
    order = rest(script, 1_500)
    assert what(order) == ["status", "filled", "average", "maker", "fee"]
    assert order.causes == (Cause.QUEUE,)
    assert "nobody" in order.detail


def test_a_later_fill_says_that_the_queue_was_somewhere_between_empty_and_full(script: Script) -> None:
    order = rest(script, 2_500)
    assert order.causes == (Cause.QUEUE,)
    assert "between" in order.detail


def test_an_order_that_trades_passed_by_has_waited_behind_a_full_queue(script: Script) -> None:
    script.quotes(0, 1_001)
    oid = script.submit(1_000, BUY, "0.010", "60000.0")
    script.accepted(oid, 1_004)
    script.trade(1_500, 60_000.0, 50.0, SELL)  # more than the quotes ever showed there
    script.quotes(1_750, 3_000)
    order = only(parity(script.end()))
    assert order.causes == (Cause.QUEUE,)
    assert "everybody" in order.detail


def test_a_queue_does_not_explain_another_price(script: Script) -> None:
    script.quotes(0, 1_001)
    oid = script.submit(1_000, BUY, "0.010", "60000.0")
    script.accepted(oid, 1_004)
    script.filled(oid, 1_500, "59999.0", "0.010", maker=True)
    script.trade(1_500, 60_000.0, 0.1, SELL)
    script.quotes(1_750, 2_500)
    assert only(parity(script.end())).causes == (Cause.DATA,)


def sell_on_trades_alone(script: Script) -> str:
    """Where trades alone make the touch."""
    for at in range(0, 1_000, 250):
        script.trade(at, 60_000.0, 5.0, SELL)
    return script.submit(1_000, SELL, "0.010")


def test_trades_that_make_the_touch_are_not_moved_for_a_queue(script: Script) -> None:
    oid = sell_on_trades_alone(script)
    script.accepted(oid, 1_004)
    script.filled(oid, 1_004, "59999.9", "0.010")
    script.trade(1_250, 60_000.0, 5.0, SELL)
    assert Cause.QUEUE not in only(parity(script.end())).causes


def test_trades_that_make_the_touch_are_not_left_out_for_a_queue(script: Script) -> None:
    oid = sell_on_trades_alone(script)
    script.result(oid, 1_004, Conclusion.REJECTED)
    script.trade(1_250, 60_000.0, 5.0, SELL)
    assert Cause.QUEUE not in only(parity(script.end())).causes


# -- data --------------------------------------------------------------------------------------------------------


def test_a_gap_in_the_quotes_is_named(script: Script) -> None:
    script.quotes(0, 1_001)
    oid = script.submit(5_000, BUY, "0.010")
    script.accepted(oid, 5_004)
    script.filled(oid, 5_004, "60070.1", "0.010")
    script.quotes(9_000, 10_000, 60_080.0)
    order = only(parity(script.end()))
    assert order.causes == (Cause.DATA,)
    assert order.detail.startswith(
        "a gap in the quotes of BTCUSDT-PERP.BINANCE: none from 22:13:21.000 on for 8.0 s"
    )


def test_the_end_of_the_quotes_is_named(script: Script) -> None:
    script.quotes(0, 1_001)
    oid = script.submit(9_000, BUY, "0.010")
    script.accepted(oid, 9_004)
    script.filled(oid, 9_004, "60070.1", "0.010")
    order = only(parity(script.end()))
    assert order.causes == (Cause.DATA,)
    assert order.detail == "the quotes of BTCUSDT-PERP.BINANCE end at 22:13:21.000"


def test_a_price_that_no_quote_showed_is_named(script: Script) -> None:
    script.quotes(0, 1_001)
    oid = script.submit(1_000, BUY, "0.010")
    script.accepted(oid, 1_004)
    script.filled(oid, 1_004, "60001.5", "0.010")
    script.quotes(1_250, 2_000)
    order = only(parity(script.end()))
    assert order.causes == (Cause.DATA,)
    assert "filled at 60001.5, a price that the quotes near 22:13:21.004 never showed" in order.detail


def test_more_than_the_quotes_showed_is_named(script: Script) -> None:
    for at in range(0, 1_001, 250):
        script.quote(at, 60_000.0, 60_000.1, size=0.004)
    oid = script.submit(1_000, BUY, "0.010")
    script.accepted(oid, 1_004)
    script.filled(oid, 1_004, "60000.1", "0.010")
    order = only(parity(script.end()))
    assert what(order) == ["average", "fee"]
    assert order.causes == (Cause.DATA,)
    assert "0.010 was filled at 60000.1" in order.detail
    assert "showed 0.004 at most" in order.detail


def test_executions_of_one_moment_need_what_the_quotes_showed_together(script: Script) -> None:
    for at in range(0, 1_001, 250):
        script.quote(at, 60_000.0, 60_000.1, size=0.006)
    oid = script.submit(1_000, BUY, "0.010")
    script.accepted(oid, 1_004)
    script.filled(oid, 1_004, "60000.1", "0.005")
    script.filled(oid, 1_004, "60000.1", "0.005")
    order = only(parity(script.end()))
    assert order.causes == (Cause.DATA,)
    assert "0.010 was filled at 60000.1" in order.detail


def test_a_fill_at_rest_to_which_a_trade_came_is_not_for_want_of_data(script: Script) -> None:
    script.quotes(0, 1_001)
    oid = script.submit(1_000, BUY, "0.020", "60000.0")
    script.accepted(oid, 1_004)
    script.filled(oid, 1_500, "60000.0", "0.010", maker=True, rate=Decimal("0.5"))  # no rate for all
    script.filled(oid, 1_510, "60000.0", "0.010", maker=True)
    script.trade(1_500, 60_000.0, 0.1, SELL)
    script.quotes(1_750, 2_500)
    assert only(parity(script.end())).causes == (Cause.UNEXPLAINED,)


@pytest.mark.parametrize(("side", "price"), [(BUY, "60000.0"), (SELL, "60000.1")])
def test_a_post_only_order_that_was_refused_for_what_no_quote_showed(
    script: Script, side: OrderSide, price: str
) -> None:
    script.quotes(0, 1_001)
    oid = script.submit(1_010, side, "0.010", price, OrderType.POST_ONLY)
    script.result(oid, 1_014, Conclusion.REJECTED)
    script.quotes(1_250, 2_000)
    order = only(parity(script.end()))
    assert order.causes == (Cause.DATA,)
    assert order.detail.startswith("it was refused as post-only, and the quotes near 22:13:21.01")


def test_a_refusal_that_a_quote_next_to_it_shows_is_not_for_want_of_data(script: Script) -> None:
    script.quote(900, 60_000.0, 60_000.1)
    script.quote(1_000, 60_000.1, 60_000.2)
    oid = script.submit(1_110, BUY, "0.010", "60000.1", OrderType.POST_ONLY)
    script.result(oid, 1_114, Conclusion.REJECTED)
    script.quote(1_200, 60_000.1, 60_000.2)
    assert only(parity(script.end())).causes == (Cause.UNEXPLAINED,)


def test_klines_beside_quotes_move_nothing(script: Script) -> None:
    script.quotes(39_000, 40_000)
    script.kline(0, (50_000.0, 50_010.0, 49_990.0, 50_001.0))
    oid = script.submit(40_100, BUY, "0.010")
    script.accepted(oid, 40_104)
    script.filled(oid, 40_104, "60000.1", "0.010")
    assert only(parity(script.end())).differences == ()


def test_a_kline_that_is_not_closed_is_no_data(script: Script) -> None:
    script.kline(0, (60_000.0, 60_010.0, 59_990.0, 60_001.0), closed=False)
    oid = script.submit(script.at, BUY, "0.010")
    script.accepted(oid, script.at)
    script.filled(oid, script.at, "60000.1", "0.010")
    assert only(parity(script.end())).detail.startswith("neither quotes")


def test_quotes_go_before_books(script: Script) -> None:
    for at in range(0, 1_000, 250):
        script.quote(at, 60_000.0, 60_000.1)
        script.book(at, 50_000.0, 50_000.1)
    assert only(take(script, 1_004, "60000.1")).differences == ()


def test_a_fill_at_rest_needs_trades_to_be_seen(script: Script) -> None:
    script.quotes(0, 1_001)
    oid = script.submit(1_000, BUY, "0.010", "60000.0")
    script.accepted(oid, 1_004)
    script.filled(oid, 1_500, "60000.0", "0.010", maker=True)
    script.quotes(1_750, 2_500)
    order = only(parity(script.end()))
    assert order.causes == (Cause.DATA,)
    assert "no trades were recorded" in order.detail


def test_an_order_of_a_symbol_without_data_is_told_so(script: Script) -> None:
    oid = script.submit(1_000, BUY, "0.010")
    script.accepted(oid, 1_004)
    script.filled(oid, 1_004, "60000.1", "0.010")
    order = only(parity(script.end()))
    assert order.causes == (Cause.DATA,)
    assert order.detail == "neither quotes, trades nor klines of BTCUSDT-PERP.BINANCE were recorded"


def test_an_order_before_the_first_quote_is_told_so(script: Script) -> None:
    oid = script.submit(1_000, BUY, "0.010")
    script.accepted(oid, 1_004)
    script.filled(oid, 1_004, "60000.1", "0.010")
    script.quotes(1_250, 2_000)
    order = only(parity(script.end()))
    assert order.causes == (Cause.DATA,)
    assert "begin after the order, at 22:13:21.250" in order.detail


def test_klines_alone_do_not_say_what_was_traded_when(script: Script) -> None:
    for minute in range(3):
        script.kline(minute * 60_000, (60_000.0, 60_010.0, 59_990.0, 60_001.0))
    at = script.at
    oid = script.submit(at + 5_000, BUY, "0.010")
    script.accepted(oid, at + 5_004)
    script.filled(oid, at + 5_004, "60007.7", "0.010")
    order = only(parity(script.end()))
    assert order.causes == (Cause.DATA,)
    assert "only klines" in order.detail


def test_the_best_levels_of_books_stand_in_for_quotes(script: Script) -> None:
    for at in range(0, 1_000, 250):
        script.book(at, 60_000.0, 60_000.1)
    assert only(take(script, 1_004, "60000.1")).differences == ()


def test_what_nothing_explains_is_told_to_be_unexplained(script: Script) -> None:
    script.quotes(0, 1_001)
    oid = script.submit(1_000, BUY, "0.010", "60000.1", type=OrderType.LIMIT)
    script.accepted(oid, 1_004)
    script.quotes(1_250, 2_500)  # open to the end, and yet the quotes would have filled it
    report = parity(script.end())
    assert only(report).causes == (Cause.UNEXPLAINED,)
    assert not report.is_explained


# -- accounts ----------------------------------------------------------------------------------------------------


def test_balance_and_position_are_compared_at_the_end(script: Script) -> None:
    script.quotes(0, 1_000)
    buy(script, 1_004, "60000.1")
    script.balance(1_004, "99999.69999950")
    script.position(1_004, "0.010")
    report = parity(script.end())
    assert report.accounts == ()
    assert report.compared == 2


def test_a_balance_that_differs_by_a_fee_has_its_cause(script: Script) -> None:
    script.quotes(0, 1_000)
    buy(script, 1_004, "60000.1", rate=Decimal("0.0003"))
    script.balance(1_004, "99999.81999970")
    (finding,) = parity(script.end()).accounts
    assert finding.what == "balance USDT"
    assert finding.causes == (Cause.FEE,)


def test_a_balance_that_moved_for_no_known_cause_is_unexplained(script: Script) -> None:
    script.quotes(0, 1_000)
    buy(script, 1_004, "60000.1")
    script.balance(1_004, "90000")
    report = parity(script.end())
    (finding,) = report.accounts
    assert finding.causes == (Cause.UNEXPLAINED,)
    assert not report.is_explained


def test_a_balance_that_an_explained_order_does_not_explain_is_unexplained(script: Script) -> None:
    script.quotes(0, 1_000)
    buy(script, 1_004, "60000.1", rate=Decimal("0.0003"))
    script.balance(1_004, "90000")
    report = parity(script.end())
    assert only(report).causes == (Cause.FEE,)
    (finding,) = report.accounts
    assert finding.causes == (Cause.UNEXPLAINED,)


def test_a_balance_follows_from_orders_for_which_there_is_no_run(script: Script) -> None:
    script.quotes(0, 1_000)
    buy(script, 1_004, "60001.5")
    script.balance(1_004, "99999.69999250")
    script.quotes(1_250, 2_000)
    (finding,) = parity(script.end()).accounts
    assert finding.causes == (Cause.DATA,)
    assert finding.detail == "follows from the orders that differ"


def test_what_was_told_before_the_last_execution_says_nothing_of_the_end(script: Script) -> None:
    script.quotes(0, 1_000)
    script.balance(900, "100000")
    script.position(900, "0")
    report = take(script, 1_004, "60000.1")
    assert report.compared == 0


def test_a_late_answer_does_not_take_back_what_was_told_since(script: Script) -> None:
    script.quotes(0, 1_000)
    buy(script, 1_004, "60000.1")
    script.balance(1_004, "99999.69999950")
    script.position(1_004, "0.010")
    script.reply("balances", [script.balance_event("100000", 900)])
    script.reply("positions", [script.position_event("0.700", 900)])
    report = parity(script.end())
    assert report.accounts == ()
    assert report.compared == 2


def test_a_deposit_is_left_out(script: Script) -> None:
    script.quotes(0, 1_000)
    script.balance(500, "100500", "DEPOSIT")
    buy(script, 1_004, "60000.1")
    script.balance(1_004, "100499.69999950", "ORDER")
    report = parity(script.end())
    assert report.accounts == ()
    assert any(note.startswith("500 USDT came to binance:USD_M_FUTURE") for note in report.notes)


def test_executions_of_an_order_from_before_are_told(script: Script) -> None:
    script.quotes(0, 1_000)
    script.filled("17000000000000009999", 500, "60000.0", "0.020")
    buy(script, 1_004, "60000.1")
    script.position(1_004, "0.030")
    (finding,) = parity(script.end()).accounts
    assert finding.causes == (Cause.DATA,)
    assert "earlier run" in finding.detail


def test_a_position_that_was_there_before_is_carried_on(tmp_path: Path) -> None:
    script = Script(tmp_path / "session.nxs", position="0.500")
    script.quotes(0, 1_000)
    oid = script.submit(1_000, SELL, "0.500", reduce_only=True)
    script.accepted(oid, 1_004)
    script.filled(oid, 1_004, "60000.0", "0.500")
    script.position(1_004, "0")
    script.balance(1_004, "99985")
    report = parity(script.end())
    assert only(report).differences == ()
    assert report.accounts == ()


def test_balances_that_were_not_recorded_are_not_compared(tmp_path: Path) -> None:
    script = Script(tmp_path / "session.nxs", balance=None)
    script.quotes(0, 1_000)
    buy(script, 1_004, "60000.1")
    script.balance(1_004, "12")
    report = parity(script.end())
    assert only(report).differences == ()
    assert report.compared == 0
    assert any("at the start were not recorded" in note for note in report.notes)


EIGHT_HOURS_MS = 8 * 3_600_000
DUE = (T0 // EIGHT_HOURS_MS + 1) * EIGHT_HOURS_MS - T0


def hold(script: Script, *, paid: str | None) -> ParityReport:
    """0.010 is bought and held over a funding time."""
    script.quotes(DUE - 3_000, DUE - 1_000)
    oid = script.submit(DUE - 1_000, BUY, "0.010")
    script.accepted(oid, DUE - 996)
    script.filled(oid, DUE - 996, "60000.1", "0.010")
    script.balance(DUE - 996, "99999.69999950", "ORDER")
    script.quotes(DUE - 750, DUE)
    if paid is not None:
        script.balance(DUE, paid, "FUNDING_FEE")
    script.quotes(DUE + 250, DUE + 1_000)
    return parity(script.end())


def test_funding_at_the_usual_rate_comes_out_equal(script: Script) -> None:
    report = hold(script, paid="99999.63999950")
    assert report.accounts == ()
    assert report.compared == 2  # nobody told of the position after the execution


def test_funding_at_a_recorded_rate_is_found(script: Script) -> None:
    script.funding_rate(DUE - 5_000, -0.0003, T0 + DUE)
    report = hold(script, paid="99999.87999950")
    assert {finding.what: finding.causes for finding in report.accounts} == {
        "funding USDT": (Cause.FUNDING,),
        "balance USDT": (Cause.FUNDING,),
    }


def test_funding_that_was_not_paid_is_found(script: Script) -> None:
    report = hold(script, paid=None)
    assert {finding.what: finding.causes for finding in report.accounts} == {
        "funding USDT": (Cause.FUNDING,),
        "balance USDT": (Cause.FUNDING,),
    }


def test_recorded_rates_that_were_not_paid_are_no_funding(script: Script) -> None:
    script.funding_rate(DUE - 5_000, -0.0003, T0 + DUE)
    report = hold(script, paid=None)
    assert [finding.causes for finding in report.accounts] == [(Cause.FUNDING,), (Cause.FUNDING,)]


def test_another_funding_without_recorded_rates_is_for_want_of_data(script: Script) -> None:
    report = hold(script, paid="99999.50")
    funding = report.accounts[0]
    assert funding.causes == (Cause.DATA,)
    assert funding.detail == "no funding rates were recorded"
