from __future__ import annotations

from decimal import Decimal

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from nexustrader.constants import OrderSide
from nexustrader.domain.order_effects import FillDelta
from nexustrader.domain.position import PositionState, fold

SIDES = st.sampled_from(list(OrderSide))
AMOUNTS = st.integers(1, 40).map(lambda lots: Decimal(lots) / 8)
PRICES = st.integers(1, 400).map(lambda ticks: Decimal(ticks) / 4)
FILLS = st.lists(st.tuples(SIDES, AMOUNTS, PRICES), max_size=12)
START = st.sampled_from([PositionState(), PositionState(is_inverse=True, contract_size=Decimal(10))])
TOLERANCE = Decimal("1e-22")


def delta(amount: Decimal, price: Decimal) -> FillDelta:
    return FillDelta(amount=amount, cost=amount * price, price=price, timestamp=1)


def run(position: PositionState, fills: list[tuple[OrderSide, Decimal, Decimal]]) -> PositionState:
    for side, amount, price in fills:
        position = fold(position, side, delta(amount, price))
    return position


@pytest.mark.slow
@settings(max_examples=200, deadline=None)
@given(start=START, fills=FILLS, cut=st.integers(1, 7), at=st.integers(0, 11))
def test_a_fill_split_in_two_ends_the_same(
    start: PositionState, fills: list[tuple[OrderSide, Decimal, Decimal]], cut: int, at: int
) -> None:
    whole = run(start, fills)
    if not fills:
        return
    at %= len(fills)
    side, amount, price = fills[at]
    part = amount * cut / 8
    split = run(start, [*fills[:at], (side, part, price), (side, amount - part, price), *fills[at + 1 :]])
    assert split.signed_amount == whole.signed_amount
    assert abs(split.basis - whole.basis) < TOLERANCE
    assert abs(split.realized_pnl - whole.realized_pnl) < TOLERANCE


@pytest.mark.slow
@settings(max_examples=200, deadline=None)
@given(fills=FILLS, mark=PRICES)
def test_profit_is_the_cash_that_flowed_and_what_is_held(
    fills: list[tuple[OrderSide, Decimal, Decimal]], mark: Decimal
) -> None:
    position = run(PositionState(), fills)
    signed = [(amount if side is OrderSide.BUY else -amount, price) for side, amount, price in fills]
    cash = -sum((amount * price for amount, price in signed), Decimal(0))
    held = sum((amount for amount, _ in signed), Decimal(0))
    assert position.signed_amount == held
    assert abs(position.realized_pnl + position.unrealized_pnl(mark) - (cash + held * mark)) < TOLERANCE


@pytest.mark.slow
@settings(max_examples=200, deadline=None)
@given(fills=FILLS, mark=PRICES)
def test_inverse_profit_is_the_base_that_the_contracts_stand_for(
    fills: list[tuple[OrderSide, Decimal, Decimal]], mark: Decimal
) -> None:
    position = run(PositionState(is_inverse=True, contract_size=Decimal(10)), fills)
    expected = sum(
        (
            (amount if side is OrderSide.BUY else -amount) * 10 * (1 / price - 1 / mark)
            for side, amount, price in fills
        ),
        Decimal(0),
    )
    assert abs(position.realized_pnl + position.unrealized_pnl(mark) - expected) < TOLERANCE


@pytest.mark.slow
@settings(max_examples=200, deadline=None)
@given(start=START, fills=FILLS)
def test_a_flat_position_has_no_basis_and_an_open_one_an_entry_among_its_prices(
    start: PositionState, fills: list[tuple[OrderSide, Decimal, Decimal]]
) -> None:
    position = run(start, fills)
    if not position.is_open:
        assert position.basis == 0
    else:
        prices = [price for _, _, price in fills]
        assert min(prices) - TOLERANCE <= position.entry_price <= max(prices) + TOLERANCE
