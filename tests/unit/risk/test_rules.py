"""Each rule by itself: what passes, what does not, and that the reason names limit and value."""

from __future__ import annotations

from decimal import Decimal
from typing import Any

import msgspec
import pytest

from desk import BTC
from nexustrader.constants import InstrumentType, OrderSide, OrderType
from nexustrader.risk import rules
from nexustrader.risk.exposure import Exposure
from nexustrader.risk.rules import Proposal, View

BUY, SELL = OrderSide.BUY, OrderSide.SELL
SPOT = msgspec.structs.replace(BTC, symbol="BTCUSDT.BINANCE", type=InstrumentType.SPOT)
INVERSE = msgspec.structs.replace(
    BTC, symbol="BTCUSD-PERP.BINANCE", type=InstrumentType.INVERSE, quote="USD", contract_size=Decimal(100)
)


def an_order(side: OrderSide, amount: str, price: str | None, *, reduce_only: bool = False) -> Proposal:
    kind = OrderType.MARKET if price is None else OrderType.LIMIT
    return Proposal(side, kind, Decimal(amount), None if price is None else Decimal(price), reduce_only)


def bounds(low: int, high: int) -> Exposure:
    return Exposure(Decimal(low), Decimal(high))


FLAT = bounds(0, 0)


def a_view(before: Exposure = FLAT, after: Exposure | None = None, **more: Any) -> View:
    prices = {name: Decimal(str(value)) for name, value in more.items() if name in ("bid", "ask", "mark")}
    return View(
        instrument=more.get("instrument", BTC),
        before=before,
        after=before if after is None else after,
        **prices,
    )


# -- what reduces --------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("side", "reduce_only", "after", "instrument", "does"),
    [
        (SELL, False, bounds(0, 5), BTC, True),
        (SELL, False, bounds(-1, 5), BTC, False),
        (BUY, False, bounds(-5, 0), BTC, True),
        (BUY, False, bounds(-5, 1), BTC, False),
        (BUY, True, bounds(0, 9), BTC, True),
        (SELL, True, bounds(-9, 0), BTC, True),
        (SELL, False, bounds(-9, 0), SPOT, True),
        (BUY, False, bounds(-9, 0), SPOT, False),
    ],
)
def test_an_order_reduces_when_it_can_do_nothing_else_whatever_fills_before_it(
    side: OrderSide, reduce_only: bool, after: Exposure, instrument: Any, does: bool
) -> None:
    order = an_order(side, "1", "30000", reduce_only=reduce_only)
    assert rules.reduces(order, a_view(after=after, instrument=instrument)) is does


# -- value of one order --------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("order", "prices", "passes"),
    [
        (an_order(BUY, "1", "100"), {}, True),
        (an_order(BUY, "1", "101"), {}, False),
        (an_order(BUY, "1", "101"), {"ask": 1}, False),  # it may pay up to its price
        (an_order(SELL, "1", "100"), {}, True),
        (an_order(SELL, "1", "1"), {"bid": 101}, False),  # it trades at the touch, not at its limit
        (an_order(SELL, "1", "1"), {"mark": 101}, False),
        (an_order(SELL, "1", "100"), {"bid": 1}, True),
        (an_order(BUY, "1", None), {"bid": 1, "ask": 101}, False),
        (an_order(BUY, "1", None), {"bid": 200, "ask": 100}, True),
        (an_order(SELL, "1", None), {"mark": 101}, False),
        (an_order(SELL, "1", None), {"mark": 100}, True),
    ],
)
def test_an_order_is_worth_what_it_may_pay_or_bring(
    order: Proposal, prices: dict[str, int], passes: bool
) -> None:
    view = a_view(after=bounds(-1, 1), **prices)
    reason = rules.order_notional(order, view, Decimal(100))
    assert (reason is None) is passes
    if reason is not None:
        assert "101 USDT" in reason
        assert "100" in reason


def test_an_order_whose_value_cannot_be_known_is_refused_and_told_what_to_do() -> None:
    reason = rules.order_notional(an_order(BUY, "1", None), a_view(after=bounds(0, 1)), Decimal(100))
    assert reason is not None
    assert "subscribe" in reason


def test_an_order_that_reduces_may_be_as_large_as_its_position() -> None:
    exit_all = an_order(SELL, "9", "100", reduce_only=True)
    assert rules.order_notional(exit_all, a_view(after=bounds(0, 9)), Decimal(100)) is None


def test_an_inverse_order_is_worth_its_contracts_whatever_the_price() -> None:
    order = an_order(BUY, "2", None)
    view = a_view(after=bounds(0, 2), instrument=INVERSE)
    assert rules.order_notional(order, view, Decimal(200)) is None
    reason = rules.order_notional(order, view, Decimal(199))
    assert reason is not None
    assert "200 USD" in reason


# -- rate ----------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("sent_ms", "passes"),
    [([], True), ([1000], True), ([0, 1000], True), ([1, 1000], False), ([0, 1, 1000], False)],
)
def test_so_many_orders_pass_in_a_window_and_the_next_when_it_has_moved_on(
    sent_ms: list[int], passes: bool
) -> None:
    reason = rules.order_rate(sent_ms, 1000, 2, 1000)
    assert (reason is None) is passes
    if reason is not None:
        assert "in 1 ms" in reason


# -- position ------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("side", "before", "after", "passes"),
    [
        (BUY, bounds(0, 4), bounds(0, 5), True),
        (BUY, bounds(0, 5), bounds(0, 6), False),
        (BUY, bounds(-5, -3), bounds(-5, 5), True),  # turning a short into as large a long
        (BUY, bounds(-5, -3), bounds(-5, 6), False),
        (SELL, bounds(-4, 0), bounds(-5, 0), True),
        (SELL, bounds(-5, 0), bounds(-6, 0), False),
        (SELL, bounds(8, 9), bounds(7, 9), True),  # over the limit already, and on the way back
        (BUY, bounds(-9, 0), bounds(-9, 5), True),
        (BUY, bounds(0, 9), bounds(0, 9), True),  # raises nothing
    ],
)
def test_a_position_is_limited_on_the_side_that_an_order_raises(
    side: OrderSide, before: Exposure, after: Exposure, passes: bool
) -> None:
    order = an_order(side, "1", "100")
    view = a_view(before, after, mark=100)
    reason = rules.position_amount(order, view, Decimal(5))
    assert (reason is None) is passes
    assert (rules.position_notional(order, view, Decimal(500)) is None) is passes
    if reason is not None:
        assert ("6" if side is BUY else "-6") in reason


def test_a_sale_on_spot_raises_no_position() -> None:
    view = a_view(bounds(0, 0), bounds(-9, 0), instrument=SPOT)
    assert rules.position_amount(an_order(SELL, "9", "100"), view, Decimal(5)) is None


@pytest.mark.parametrize(
    ("side", "before", "after"), [(BUY, bounds(-5, -4), bounds(-5, 0)), (SELL, bounds(4, 5), bounds(0, 5))]
)
def test_an_order_that_turns_no_position_needs_no_price_to_be_valued_by(
    side: OrderSide, before: Exposure, after: Exposure
) -> None:
    assert rules.position_notional(an_order(side, "4", None), a_view(before, after), Decimal(1)) is None


@pytest.mark.parametrize(
    ("order", "prices", "word"),
    [
        (an_order(BUY, "1", "100"), {"mark": 101}, "101 USDT"),
        (an_order(BUY, "1", "101"), {}, "101 USDT"),  # no other price is known
        (an_order(BUY, "1", None), {"ask": 101}, "101 USDT"),
        (an_order(BUY, "1", None), {}, "subscribe"),
    ],
)
def test_a_position_is_valued_by_its_mark_price_or_the_best_that_is_known(
    order: Proposal, prices: dict[str, int], word: str
) -> None:
    reason = rules.position_notional(order, a_view(after=bounds(0, 1), **prices), Decimal(100))
    assert reason is not None
    assert word in reason


# -- collar --------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("order", "prices", "word"),
    [
        (an_order(BUY, "1", "105"), {"bid": 99, "ask": 100, "mark": 100}, None),
        (an_order(BUY, "1", "105.1"), {"bid": 99, "ask": 100}, "above the touch of 100"),
        (an_order(BUY, "1", "105"), {"ask": 104, "mark": 99}, "above the mark price of 99"),
        (an_order(BUY, "1", "1"), {"ask": 100, "mark": 100}, None),  # a better price is no danger
        (an_order(SELL, "1", "95"), {"bid": 100, "mark": 100}, None),
        (an_order(SELL, "1", "94.9"), {"bid": 100}, "below the touch of 100"),
        (an_order(SELL, "1", "95"), {"bid": 96, "mark": 101}, "below the mark price of 101"),
        (an_order(SELL, "1", "900"), {"bid": 100}, None),
        (an_order(BUY, "1", None), {"ask": 106, "mark": 100}, "above the mark price of 100"),
        (an_order(BUY, "1", None), {"ask": 105, "mark": 100}, None),
        (an_order(SELL, "1", None), {"bid": 94, "mark": 100}, "below the mark price"),
        (an_order(BUY, "1", None), {"mark": 100}, None),
        (an_order(BUY, "1", "100"), {}, "subscribe"),
    ],
)
def test_no_order_trades_further_from_the_market_than_the_collar(
    order: Proposal, prices: dict[str, int], word: str | None
) -> None:
    reason = rules.price_collar(order, a_view(**prices), Decimal("0.05"))
    if word is None:
        assert reason is None
    else:
        assert reason is not None
        assert word in reason


# -- losses --------------------------------------------------------------------------------------------------


def test_a_days_loss_counts_from_the_days_opening() -> None:
    assert rules.daily_loss(Decimal(50), Decimal("-49.9"), Decimal(100), "USDT") is None
    reason = rules.daily_loss(Decimal(50), Decimal(-50), Decimal(100), "USDT")
    assert reason == "DAILY_LOSS: 100 USDT are lost today, the limit is 100"


@pytest.mark.parametrize(
    ("peak", "profit", "capital", "word"),
    [
        (0, 0, 0, None),
        (100, -119, 1000, None),
        (100, -120, 1000, "20 %"),
        (0, -1, 0, "all"),
        (5, 5, -100, None),
        (5, 4, -100, "all"),
    ],
)
def test_a_drawdown_is_a_fraction_of_the_highest_equity(
    peak: int, profit: int, capital: int, word: str | None
) -> None:
    reason = rules.drawdown(Decimal(peak), Decimal(profit), Decimal(capital), Decimal("0.2"))
    if word is None:
        assert reason is None
    else:
        assert reason is not None
        assert word in reason
