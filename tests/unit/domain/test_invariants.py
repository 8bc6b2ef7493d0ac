"""Each checker finds what it is for, and is silent on what is right."""

from __future__ import annotations

from decimal import Decimal

import msgspec

from nexustrader.constants import OrderSide, OrderType, PositionSide
from nexustrader.domain.invariants import (
    fills_exactly_once,
    legal_transitions,
    position_is_sum_of_fills,
    told_once_and_in_order,
)
from nexustrader.domain.order import FillDelta, Notice, OrderState
from nexustrader.domain.order_state import Status

ORDER = OrderState(
    oid="1",
    account="binance:SPOT",
    symbol="BTCUSDT.BINANCE",
    side=OrderSide.BUY,
    type=OrderType.LIMIT,
    amount=Decimal(10),
    filled=Decimal(6),
    created=1,
    timestamp=1,
)


def delta(amount: int, trade_id: str | None) -> FillDelta:
    return FillDelta(amount=Decimal(amount), cost=Decimal(0), price=None, trade_id=trade_id, timestamp=1)


class TestTransitions:
    def test_legal_steps_are_silent(self) -> None:
        assert (
            legal_transitions([("1", Status.PENDING, Status.EXPIRED), ("1", Status.ABSENT, Status.ACCEPTED)])
            == []
        )

    def test_a_step_back_is_found(self) -> None:
        (found,) = legal_transitions([("1", Status.PARTIALLY_FILLED, Status.ACCEPTED)])
        assert found.startswith("I4: order 1 went from PARTIALLY_FILLED to ACCEPTED")

    def test_a_canceled_order_does_not_come_back_to_life(self) -> None:
        assert legal_transitions([("1", Status.CANCELED, Status.ACCEPTED)])


class TestFills:
    def test_what_sums_up_is_silent(self) -> None:
        assert (
            fills_exactly_once([ORDER], [("1", delta(4, "a")), ("1", delta(2, None)), ("1", delta(0, "b"))])
            == []
        )

    def test_a_sum_that_differs_is_found(self) -> None:
        (found,) = fills_exactly_once([ORDER], [("1", delta(4, "a"))])
        assert "filled 6, but 4" in found

    def test_a_trade_that_counts_twice_is_found_across_orders(self) -> None:
        other = msgspec.structs.replace(ORDER, oid="2")
        found = fills_exactly_once([ORDER, other], [("1", delta(6, "a")), ("2", delta(6, "a"))])
        assert found == ["I5: trade a counts for order 1 and again for 2"]

    def test_a_trade_of_two_orders_of_ours_with_each_other_has_both_sides(self) -> None:
        other = msgspec.structs.replace(ORDER, oid="2", side=OrderSide.SELL)
        assert fills_exactly_once([ORDER, other], [("1", delta(6, "a")), ("2", delta(6, "a"))]) == []

    def test_a_fill_that_goes_back_is_found(self) -> None:
        found = fills_exactly_once([ORDER], [("1", delta(8, "a")), ("1", delta(-2, None))])
        assert found == ["I5: order 1 told a fill that takes back an amount"]

    def test_a_hidden_overfill_is_found_and_a_told_one_is_not(self) -> None:
        over = msgspec.structs.replace(ORDER, filled=Decimal(12))
        fills = [("1", delta(12, "a"))]
        assert len(fills_exactly_once([over], fills)) == 1
        assert fills_exactly_once([over], fills, overfills_told=["1"]) == []

    def test_fills_of_an_order_nobody_knows_are_found(self) -> None:
        assert fills_exactly_once([], [("9", delta(1, "a"))]) == [
            "I5: fills were told for order 9, which is not known"
        ]


class TestPositions:
    LONG = ("binance:SPOT", "BTCUSDT.BINANCE", PositionSide.LONG)
    NET = ("binance:SPOT", "BTCUSDT.BINANCE", None)

    def test_what_sums_up_is_silent(self) -> None:
        fills = [(self.NET, OrderSide.BUY, Decimal(3)), (self.NET, OrderSide.SELL, Decimal(5))]
        assert position_is_sum_of_fills({self.NET: Decimal(-2)}, fills) == []
        assert position_is_sum_of_fills({self.NET: Decimal(0)}, fills, {self.NET: Decimal(2)}) == []

    def test_a_lost_fill_is_found(self) -> None:
        assert position_is_sum_of_fills({}, [(self.NET, OrderSide.BUY, Decimal(3))])
        assert position_is_sum_of_fills({self.NET: Decimal(3)}, [])

    def test_sides_are_positions_of_their_own(self) -> None:
        assert position_is_sum_of_fills({self.NET: Decimal(3)}, [(self.LONG, OrderSide.BUY, Decimal(3))])


class TestNotices:
    def told(self, *notices: Notice, never: tuple[str, ...] = ()) -> list[str]:
        return told_once_and_in_order([("1", notice) for notice in notices], never)

    def test_a_life_in_order_is_silent(self) -> None:
        assert (
            self.told(
                Notice.PENDING,
                Notice.ACCEPTED,
                Notice.PARTIALLY_FILLED,
                Notice.PARTIALLY_FILLED,
                Notice.FILLED,
            )
            == []
        )
        assert self.told(Notice.CANCELED, Notice.PARTIALLY_FILLED, Notice.FILLED) == [], "late fills"
        for doubted in ((Notice.PENDING, Notice.UNKNOWN), (Notice.UNKNOWN, Notice.PENDING)):
            assert self.told(*doubted, Notice.ACCEPTED) == []

    def test_a_notice_told_twice_is_found(self) -> None:
        assert self.told(Notice.FILLED, Notice.FILLED) == ["I8: FILLED was told twice for order 1"]

    def test_a_notice_that_comes_too_late_is_found(self) -> None:
        for early in (Notice.UNKNOWN, Notice.PENDING):
            assert len(self.told(Notice.ACCEPTED, early)) == 1
        assert len(self.told(Notice.PARTIALLY_FILLED, Notice.ACCEPTED)) == 1
        for end in (Notice.CANCELED, Notice.EXPIRED, Notice.FAILED):
            assert self.told(Notice.PENDING, Notice.ACCEPTED, end, never=("1",)) == []
            assert len(self.told(end, Notice.ACCEPTED, never=("1",))) == 1
            assert len(self.told(Notice.FILLED, end, never=("1",))) == 1

    def test_a_failure_of_an_order_that_the_venue_had_is_found(self) -> None:
        assert self.told(Notice.FAILED, never=("1",)) == []
        assert self.told(Notice.FAILED) == ["I8: FAILED was told for order 1, which the venue had"]

    def test_a_resurrection_takes_the_failure_back(self) -> None:
        assert self.told(Notice.FAILED, Notice.RESURRECTED, Notice.ACCEPTED) == []

    def test_orders_do_not_mix(self) -> None:
        assert (
            told_once_and_in_order([("1", Notice.FILLED), ("2", Notice.ACCEPTED), ("2", Notice.FILLED)], ())
            == []
        )
