"""Profit as one figure, the marks that losses are measured from, and what counts as the same money."""

from __future__ import annotations

from decimal import Decimal

import msgspec
import pytest

from desk import BTC
from nexustrader.constants import InstrumentType
from nexustrader.domain.position import PositionState
from nexustrader.risk import equity
from nexustrader.risk.equity import DAY_MS, Holding, Marks

SPOT = msgspec.structs.replace(BTC, type=InstrumentType.SPOT)
INVERSE = msgspec.structs.replace(BTC, type=InstrumentType.INVERSE, quote="USD")
WORTH = {"USDT": Decimal(1), "BTC": Decimal(100), "BNB": Decimal(10)}


def held(amount: int, entry: int, realized: int = 0) -> PositionState:
    return PositionState(
        signed_amount=Decimal(amount), basis=Decimal(amount * entry), realized_pnl=Decimal(realized)
    )


def profit(*holdings: Holding, **fees: int) -> Decimal:
    return equity.profit(holdings, {k: Decimal(v) for k, v in fees.items()}, WORTH.__getitem__)


def test_profit_is_realised_and_unrealised_less_fees() -> None:
    assert profit(Holding(BTC, held(2, 90, realized=5), Decimal(100))) == 25
    assert profit(Holding(BTC, held(-2, 90, realized=5), Decimal(100)), USDT=3, BNB=1) == -28
    assert profit() == 0


def test_a_position_without_a_price_counts_with_what_it_has_realised() -> None:
    assert profit(Holding(BTC, held(2, 90, realized=5), None)) == 5


def test_coins_sold_on_spot_that_were_not_bought_here_are_no_short_position() -> None:
    assert profit(Holding(SPOT, held(-2, 90), Decimal(100))) == 0
    assert profit(Holding(SPOT, held(2, 90), Decimal(100))) == 20


def test_an_inverse_profit_is_in_its_base() -> None:
    position = PositionState(is_inverse=True, contract_size=Decimal(100), realized_pnl=Decimal(2))
    assert profit(Holding(INVERSE, position, Decimal(100))) == 200


def test_a_rebate_is_profit() -> None:
    assert profit(USDT=-4) == 4


def test_capital_is_what_has_come_from_outside() -> None:
    def capital(money: int, *holdings: Holding) -> Decimal:
        return equity.capital(Decimal(money), holdings, {"USDT": Decimal(1)}, WORTH.__getitem__)

    # 1000 were there, 5 were won and 1 paid: the wallet of a futures account shows 1004.
    assert capital(1004, Holding(BTC, held(2, 90, realized=5), Decimal(100))) == 1000
    # On spot 180 of the money are coins now.
    assert capital(824, Holding(SPOT, held(2, 90, realized=5), Decimal(100))) == 1000
    assert capital(1004, Holding(SPOT, held(-2, 90, realized=5), Decimal(100))) == 1000


def test_a_new_day_opens_with_the_profit_of_now_and_the_peak_stays() -> None:
    marks = equity.moved(None, Decimal(7), 3 * DAY_MS)
    assert marks == Marks(3, Decimal(7), Decimal(7))
    marks = equity.moved(marks, Decimal(9), 4 * DAY_MS - 1)
    assert marks == Marks(3, Decimal(7), Decimal(9))
    marks = equity.moved(marks, Decimal(4), 4 * DAY_MS)
    assert marks == Marks(4, Decimal(4), Decimal(9))
    # The clock of another machine, before a restart, was ahead: the day does not go back.
    assert equity.moved(marks, Decimal(1), 3 * DAY_MS) == marks


@pytest.mark.parametrize(
    ("asset", "currency", "same"),
    [("EUR", "EUR", True), ("USDC", "USDT", True), ("BTC", "USDT", False), ("USDT", "EUR", False)],
)
def test_dollars_count_as_one_another(asset: str, currency: str, same: bool) -> None:
    assert equity.same_money(asset, currency) == (1 if same else None)
