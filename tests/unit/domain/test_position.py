from __future__ import annotations

from decimal import Decimal

import msgspec
import pytest

from desk import BTC
from nexustrader.constants import ExchangeType, InstrumentType, OrderSide, PositionSide
from nexustrader.domain.order_effects import FillDelta
from nexustrader.domain.position import PositionState, flat, fold, restated, snapshot

BUY, SELL = OrderSide.BUY, OrderSide.SELL


def delta(amount: str, price: str) -> FillDelta:
    return FillDelta(
        amount=Decimal(amount), cost=Decimal(amount) * Decimal(price), price=Decimal(price), timestamp=1
    )


def correction(cost: str) -> FillDelta:
    return FillDelta(amount=Decimal(0), cost=Decimal(cost), price=None, timestamp=1)


def after(*fills: tuple[OrderSide, str, str], start: PositionState | None = None) -> PositionState:
    position = start or PositionState()
    for side, amount, price in fills:
        position = fold(position, side, delta(amount, price))
    return position


def test_adding_averages_the_entry() -> None:
    position = after((BUY, "1", "100"), (BUY, "3", "104"))
    assert (position.signed_amount, position.entry_price, position.realized_pnl) == (4, 103, 0)
    assert position.side is PositionSide.LONG


def test_reducing_realises_and_keeps_the_entry() -> None:
    position = after((BUY, "4", "100"), (SELL, "1", "110"))
    assert (position.signed_amount, position.entry_price, position.realized_pnl) == (3, 100, 10)


def test_a_short_gains_when_the_price_falls() -> None:
    position = after((SELL, "4", "100"), (BUY, "1", "90"))
    assert (position.signed_amount, position.entry_price, position.realized_pnl) == (-3, 100, 10)
    assert position.side is PositionSide.SHORT
    assert position.unrealized_pnl(Decimal(95)) == 15


def test_closing_leaves_nothing_but_the_profit() -> None:
    value = Decimal("8.811137758724174957585026075")  # times 215 it no longer fits 28 digits
    closing = FillDelta(amount=Decimal(215), cost=value, price=None, timestamp=1)
    position = fold(after((BUY, "215", "0.04")), SELL, closing)
    assert (position.signed_amount, position.basis, position.entry_price) == (0, 0, 0)
    assert not position.is_open
    assert position.side is PositionSide.FLAT
    assert position.unrealized_pnl(Decimal(5)) == 0


def test_flipping_realises_the_old_side_and_enters_the_new_one_at_the_fill() -> None:
    position = after((BUY, "2", "100"), (SELL, "5", "110"))
    assert (position.signed_amount, position.entry_price, position.realized_pnl) == (-3, 110, 20)


def test_a_corrected_cost_goes_where_its_fill_went() -> None:
    added = fold(after((BUY, "2", "100")), BUY, correction("2"))
    assert (added.entry_price, added.realized_pnl) == (101, 0)
    reduced = fold(after((BUY, "2", "100"), (SELL, "1", "110")), SELL, correction("-1"))
    assert (reduced.entry_price, reduced.realized_pnl) == (100, 9)
    closed = fold(after((BUY, "2", "100"), (SELL, "2", "110")), SELL, correction("-1"))
    assert (closed.signed_amount, closed.basis, closed.realized_pnl) == (0, 0, 19)


class TestInverse:
    def start(self) -> PositionState:
        return PositionState(is_inverse=True, contract_size=Decimal(100))

    def test_profit_is_in_base(self) -> None:
        position = after((BUY, "10", "50000"), start=self.start())
        assert (position.entry_price, position.basis) == (50000, Decimal("0.02"))
        assert position.unrealized_pnl(Decimal(62500)) == Decimal("0.004")
        position = after((SELL, "10", "62500"), start=position)
        assert (position.realized_pnl, position.signed_amount) == (Decimal("0.004"), 0)

    def test_the_entry_is_the_harmonic_average(self) -> None:
        position = after((BUY, "1", "40000"), (BUY, "1", "60000"), start=self.start())
        assert position.entry_price == pytest.approx(Decimal(48000))

    def test_a_short_gains_when_the_price_falls_and_flips(self) -> None:
        position = after((SELL, "10", "50000"), (BUY, "30", "40000"), start=self.start())
        assert position.realized_pnl == Decimal("0.005")
        assert (position.signed_amount, position.entry_price) == (20, 40000)

    def test_an_amount_whose_price_is_not_known_yet_counts_all_the_same(self) -> None:
        position = after((BUY, "10", "0"), start=self.start())
        assert (position.signed_amount, position.entry_price, position.realized_pnl) == (10, 0, 0)

    def test_corrections_without_an_amount_are_ignored(self) -> None:
        position = after((BUY, "10", "50000"), start=self.start())
        assert fold(position, BUY, correction("1")) == position


def test_the_venue_may_restate_amount_and_entry() -> None:
    position = restated(after((BUY, "2", "100"), (SELL, "1", "110")), Decimal(-3), Decimal(105))
    assert (position.signed_amount, position.entry_price, position.realized_pnl) == (-3, 105, 10)
    coin = restated(PositionState(is_inverse=True, contract_size=Decimal(100)), Decimal(10), Decimal(50000))
    assert coin.entry_price == 50000
    assert restated(coin, Decimal(0), Decimal(0)).basis == 0


def test_the_snapshot_is_public() -> None:
    public = snapshot(after((SELL, "2", "100")), "BTCUSDT-PERP.BINANCE", ExchangeType.BINANCE, Decimal(90))
    assert (public.signed_amount, public.amount, public.entry_price) == (Decimal(-2), Decimal(2), 100.0)
    assert (public.is_short, public.is_opened, public.unrealized_pnl) == (True, True, 20.0)
    assert snapshot(after((SELL, "2", "100")), "A.BINANCE", ExchangeType.BINANCE).unrealized_pnl == 0.0


def test_a_flat_position_knows_whether_its_instrument_is_inverse() -> None:
    assert flat(BTC) == PositionState()
    inverse = msgspec.structs.replace(BTC, type=InstrumentType.INVERSE, contract_size=Decimal(100))
    assert flat(inverse) == PositionState(is_inverse=True, contract_size=Decimal(100))
