"""The gate's state: who changes it, what outlives a restart, and what watches the losses."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Coroutine
from decimal import Decimal
from typing import Any

import msgspec
import pytest
from loguru import logger

from desk import ACCOUNT, BTC, SYMBOL, Desk, FullDisk, live
from nexustrader.constants import ExchangeType, OrderSide, OrderType, TradingState
from nexustrader.domain import events as ev
from nexustrader.domain.outcome import Conclusion
from nexustrader.domain.snapshot import Snapshot
from nexustrader.error import JournalError
from nexustrader.persistence.memory import MemoryJournal
from nexustrader.risk.gate import Gate
from nexustrader.risk.limits import RiskConfig, SymbolLimits
from nexustrader.risk.rules import Proposal
from nexustrader.schema import MarkPrice
from virtual_time import run_virtual

K = ev.EventKind
ACTIVE, REDUCING, HALTED = TradingState.ACTIVE, TradingState.REDUCING, TradingState.HALTED
BUY_ONE = Proposal(OrderSide.BUY, OrderType.LIMIT, Decimal("0.01"), Decimal(30_000), False)
CLOSE_ONE = Proposal(OrderSide.SELL, OrderType.LIMIT, Decimal("0.01"), Decimal(30_000), True)

Test = Callable[[Desk, Gate], Coroutine[Any, Any, None]]


def a_gate(desk: Desk, journal: Any = None, **config: Any) -> Gate:
    gate = Gate(
        RiskConfig(**config),
        desk.clock,
        desk.journal if journal is None else journal,
        desk.cache,
        desk.portfolio,
        {SYMBOL: BTC},
        desk.oms.open_orders,
    )
    desk.oms._on_fill = lambda order, delta: (desk.portfolio.on_fill(order, delta), gate.on_fill())[0]
    return gate


def gate_test(journal: Callable[[], Any] = MemoryJournal, **config: Any) -> Callable[[Test], Any]:
    """Run an async test of a gate and the desk that it stands at, in virtual time."""

    def decorate(test: Test) -> Callable[[], None]:
        def run() -> None:
            async def work(clock: Any) -> None:
                desk = Desk(clock, journal())
                await test(desk, a_gate(desk, **config))

            run_virtual(work)

        run.__name__ = test.__name__
        return run

    return decorate


def refusal(gate: Gate, order: Proposal = BUY_ONE) -> str | None:
    return gate.refuse_order(ACCOUNT, BTC, order)


def mark(desk: Desk, price: float) -> None:
    desk.cache._mark[SYMBOL] = MarkPrice(ExchangeType.BINANCE, SYMBOL, price, 0)


def risk_events(desk: Desk) -> list[ev.RiskEvent]:
    return [record for record in desk.journal.replay() if isinstance(record, ev.RiskEvent)]


def logged(call: Callable[[], object]) -> list[str]:
    lines: list[str] = []
    sink = logger.add(lambda message: lines.append(str(message)), format="{level} {message}")
    try:
        call()
    finally:
        logger.remove(sink)
    return lines


async def filled(desk: Desk, amount: str, price: str, side: OrderSide = OrderSide.BUY) -> None:
    oid = await live(desk, amount=Decimal(amount), price=Decimal(price), side=side)
    desk.on_order_event(
        desk.venue.event(oid, K.FILLED, filled=Decimal(amount), average=Decimal(price), eid="7")
    )


# -- states --------------------------------------------------------------------------------------------------


@gate_test()
async def test_without_configuration_nothing_is_refused_and_no_order_need_be_shown(
    desk: Desk, gate: Gate
) -> None:
    assert gate.state is ACTIVE
    assert gate.is_open
    assert refusal(gate) is None
    assert risk_events(desk) == []


@gate_test()
async def test_a_halt_lets_no_order_through_not_even_one_that_reduces(desk: Desk, gate: Gate) -> None:
    gate.halt("the model is wrong")
    assert gate.state is HALTED
    assert not gate.is_open
    for order in (BUY_ONE, CLOSE_ONE):
        reason = refusal(gate, order)
        assert reason == "TRADING_HALTED: the model is wrong; resume_trading() ends this"


@gate_test()
async def test_while_reducing_only_orders_that_reduce_pass(desk: Desk, gate: Gate) -> None:
    gate.reduce_only("end of the day")
    assert gate.state is REDUCING
    reason = refusal(gate)
    assert reason is not None
    assert reason.startswith("TRADING_REDUCING: end of the day")
    assert "reduce_only=True" in reason
    assert refusal(gate, CLOSE_ONE) is None


@gate_test()
async def test_a_weaker_cause_never_relaxes_a_state_and_resuming_does(desk: Desk, gate: Gate) -> None:
    gate.halt("first")
    gate.reduce_only("second")
    gate.halt("third")
    assert (gate.state, gate.reason) == (HALTED, "first")
    gate.resume()
    assert (gate.state, gate.reason) == (ACTIVE, "resumed by the operator")
    assert gate.is_open
    assert refusal(gate) is None
    gate.resume("as agreed")
    assert [(event.state, event.reason) for event in risk_events(desk)] == [
        (HALTED, "first"),
        (ACTIVE, "resumed by the operator"),
        (ACTIVE, "as agreed"),
    ]


# -- errors of the strategy ----------------------------------------------------------------------------------


@pytest.mark.parametrize(("policy", "state"), [("continue", ACTIVE), ("reduce", REDUCING), ("halt", HALTED)])
def test_an_exception_in_a_callback_stops_new_risk_as_configured(policy: str, state: TradingState) -> None:
    @gate_test(on_user_error=policy)
    async def run(desk: Desk, gate: Gate) -> None:
        gate.on_user_error("Mine.on_kline")
        assert gate.state is state
        assert (gate.reason == "") is (state is ACTIVE)
        if state is not ACTIVE:
            assert gate.reason.startswith("Mine.on_kline raised")

    run()


# -- quarantine ----------------------------------------------------------------------------------------------


@gate_test()
async def test_a_symbol_in_quarantine_takes_no_new_risk_until_it_is_released(desk: Desk, gate: Gate) -> None:
    lines = logged(lambda: [gate.quarantine(SYMBOL, "order 7 is in doubt") for _ in range(2)])
    assert len(lines) == 1
    assert not gate.is_open
    assert gate.quarantined == {SYMBOL: "order 7 is in doubt"}
    reason = refusal(gate)
    assert reason is not None
    assert reason.startswith("QUARANTINE: order 7 is in doubt")
    assert refusal(gate, CLOSE_ONE) is None
    gate.release(SYMBOL)
    gate.release(SYMBOL)
    assert gate.is_open
    assert refusal(gate) is None


@gate_test(position_max=1)
async def test_a_quarantine_holds_for_its_symbol_alone(desk: Desk, gate: Gate) -> None:
    gate.quarantine("ETHUSDT-PERP.BINANCE", "order 8 is in doubt")
    assert refusal(gate) is None
    gate.release("ETHUSDT-PERP.BINANCE")
    assert not gate.is_open  # there are limits


# -- journal -------------------------------------------------------------------------------------------------


async def restarted(desk: Desk, **config: Any) -> Gate:
    again = Desk(desk.clock, desk.journal)
    gate = a_gate(again, **config)
    again.oms.restore(gate.observed(again.journal.replay()), again.portfolio.adjust)
    return gate


@gate_test()
async def test_a_halted_engine_starts_halted_and_says_why(desk: Desk, gate: Gate) -> None:
    gate.halt("the model is wrong")
    again = await restarted(desk)
    assert not again.is_open
    assert refusal(again) == "TRADING_HALTED: the model is wrong; resume_trading() ends this"
    (line,) = logged(again.start)
    assert "trading is HALTED since an earlier run: the model is wrong. resume_trading()" in line
    again.resume()
    assert refusal(await restarted(desk)) is None


@gate_test()
async def test_a_snapshot_keeps_the_state_too(desk: Desk, gate: Gate) -> None:
    def restored(text: str) -> Gate:
        fresh = a_gate(desk)
        snapshot = Snapshot(seq=1, timestamp=1, sections={"risk": text})
        assert list(fresh.observed([snapshot])) == [snapshot]
        return fresh

    assert restored(gate.section()).state is ACTIVE
    gate.reduce_only("end of the day")
    fresh = restored(gate.section())
    assert (fresh.state, fresh.reason, fresh.is_open) == (REDUCING, "end of the day", False)
    assert fresh.section() == gate.section()
    with pytest.raises(JournalError, match="state of the risk gate"):
        restored("{}")


@gate_test(FullDisk)
async def test_a_halt_that_cannot_be_journalled_holds_and_is_journalled_when_it_can_be(
    desk: Desk, gate: Gate
) -> None:
    desk.journal.full = True
    lines = logged(lambda: gate.halt("the disk is full"))
    assert any("a restart would not know it" in line for line in lines)
    assert refusal(gate) is not None
    desk.journal.full = False
    assert refusal(gate) is not None
    assert [event.state for event in risk_events(desk)] == [HALTED]
    assert refusal(gate) is not None
    assert len(risk_events(desk)) == 1


# -- losses --------------------------------------------------------------------------------------------------


@gate_test(daily_loss_max=100)
async def test_a_days_loss_beyond_its_limit_leaves_only_what_reduces(desk: Desk, gate: Gate) -> None:
    gate.start()
    await filled(desk, "1", "1000")
    mark(desk, 950)
    await asyncio.sleep(1.1)
    assert gate.state is ACTIVE
    mark(desk, 900)
    await asyncio.sleep(1.1)
    assert gate.state is REDUCING
    assert gate.reason.startswith("DAILY_LOSS: 100 USDT")
    assert refusal(gate, CLOSE_ONE) is None
    gate.stop()


@gate_test(daily_loss_max=100, on_loss="halt")
async def test_a_loss_is_seen_with_the_fill_that_realises_it(desk: Desk, gate: Gate) -> None:
    mark(desk, 1000)
    gate.start()
    await filled(desk, "1", "1000")
    await filled(desk, "1", "899", OrderSide.SELL)
    assert gate.state is HALTED
    gate.stop()


@gate_test(daily_loss_max=100)
async def test_after_resuming_losses_count_from_there(desk: Desk, gate: Gate) -> None:
    mark(desk, 1000)
    gate.start()
    await filled(desk, "1", "1000")
    mark(desk, 800)
    await asyncio.sleep(1.1)
    assert gate.state is REDUCING
    gate.resume()
    await asyncio.sleep(3)
    assert gate.state is ACTIVE
    mark(desk, 700)
    await asyncio.sleep(1.1)
    assert gate.state is REDUCING
    gate.stop()


@gate_test(daily_loss_max=100, on_loss="halt")
async def test_a_loss_makes_a_milder_state_stricter(desk: Desk, gate: Gate) -> None:
    mark(desk, 1000)
    gate.start()
    await filled(desk, "1", "1000")
    gate.reduce_only("end of the day")
    mark(desk, 800)
    await asyncio.sleep(1.1)
    assert gate.state is HALTED
    gate.stop()


@gate_test(daily_loss_max=100)
async def test_a_restart_does_not_forget_what_was_lost_today(desk: Desk, gate: Gate) -> None:
    mark(desk, 1000)
    gate.start()
    await filled(desk, "1", "1000")
    await filled(desk, "1", "940", OrderSide.SELL)
    gate.stop()
    again = await restarted(desk, daily_loss_max=100)
    assert again._losses is not None
    assert gate._losses is not None
    assert again._losses.marks == gate._losses.marks
    # A run without limits of losses in between knows no marks, and then they begin anew.
    without = await restarted(desk)
    without.halt("for now")
    assert (await restarted(desk, daily_loss_max=100))._losses.marks is None  # type: ignore[union-attr]  # it has one


@gate_test(daily_loss_max=100, capital=10_000)
async def test_marks_are_journalled_with_the_day_and_a_growing_peak_once_a_minute(
    desk: Desk, gate: Gate
) -> None:
    mark(desk, 1000)
    gate.start()
    await filled(desk, "1", "1000")
    assert [event.peak for event in risk_events(desk)] == [0]
    for price in range(1001, 1131):
        mark(desk, price)
        await asyncio.sleep(1)
    assert [event.peak for event in risk_events(desk)] == [Decimal(at) for at in (0, 60, 120)]
    await asyncio.sleep(86_400)
    days = [event.day for event in risk_events(desk)]
    assert days[-1] == days[0] + 1  # type: ignore[operator]  # every one of these events has a day
    gate.stop()


@gate_test(daily_loss_max=100)
async def test_a_stopped_gate_watches_no_more(desk: Desk, gate: Gate) -> None:
    mark(desk, 1000)
    gate.start()
    await filled(desk, "1", "1000")
    gate.stop()
    gate.stop()
    mark(desk, 100)
    await asyncio.sleep(5)
    await filled(desk, "0.1", "100")
    assert gate.state is ACTIVE
    gate._check_regularly()  # a timer that fires although it was taken back
    assert gate.state is ACTIVE


@gate_test(daily_loss_max=100)
async def test_resuming_before_the_start_measures_nothing_yet(desk: Desk, gate: Gate) -> None:
    gate.halt("before")
    gate.resume()
    assert gate.state is ACTIVE
    assert risk_events(desk)[-1].day is None


@gate_test(symbols={"NOPEUSDT-PERP.BINANCE": SymbolLimits(position_max=1), SYMBOL: SymbolLimits()})
async def test_limits_of_a_symbol_that_nobody_knows_are_named_at_the_start(desk: Desk, gate: Gate) -> None:
    (line,) = logged(gate.start)
    assert "NOPEUSDT-PERP.BINANCE" in line


@gate_test(orders_max=2, orders_window_ms=1_000)
async def test_the_rate_counts_what_was_sent_and_nothing_else(desk: Desk, gate: Gate) -> None:
    assert refusal(gate) is None
    assert refusal(gate, CLOSE_ONE) is None
    for _ in range(3):
        reason = refusal(gate)
        assert reason is not None
        assert reason.startswith("ORDER_RATE")
    await asyncio.sleep(1)
    assert refusal(gate) is None


@gate_test(position_max=Decimal("0.01"))
async def test_orders_of_other_symbols_do_not_count(desk: Desk, gate: Gate) -> None:
    oid = await live(desk)
    assert refusal(gate) is not None
    elsewhere = msgspec.structs.replace(desk.state(oid), symbol="ETHUSDT-PERP.BINANCE")
    gate._open_orders = lambda _account: [elsewhere]
    assert refusal(gate) is None


@gate_test(position_max=1)
async def test_an_unknown_amendment_that_ends_is_no_matter(desk: Desk, gate: Gate) -> None:
    gate.on_amended("17", Conclusion.ACCEPTED)
    assert refusal(gate) is None


@gate_test(symbols={SYMBOL: SymbolLimits(position_max=1)})
async def test_a_snapshot_keeps_the_amount_of_an_amendment_in_doubt(desk: Desk, gate: Gate) -> None:
    desk.ems.set_gate(gate)
    oid = await live(desk)
    desk.ems.amend(oid, price=None, amount=Decimal("0.9"), params={})
    gate.on_amended(oid, Conclusion.UNKNOWN)
    snapshot = Snapshot(seq=1, timestamp=1, sections={"amendments": gate.amendments()})
    fresh = a_gate(desk, symbols={SYMBOL: SymbolLimits(position_max=1)})
    assert list(fresh.observed([snapshot])) == [snapshot]
    order = Proposal(OrderSide.BUY, OrderType.LIMIT, Decimal("0.2"), Decimal(30_000), False)
    assert refusal(fresh, order) is not None
    assert fresh.amendments() == gate.amendments()


@gate_test()
async def test_amendments_of_a_snapshot_that_cannot_be_read_are_an_error_of_the_journal(
    desk: Desk, gate: Gate
) -> None:
    snapshot = Snapshot(seq=1, timestamp=1, sections={"amendments": "nonsense"})
    with pytest.raises(JournalError, match="amendments"):
        list(gate.observed([snapshot]))
