"""Lives of orders, compared one with another."""

from __future__ import annotations

from decimal import Decimal

import pytest
from msgspec.structs import replace
from parity_sessions import ACCOUNT, BUY, PERP, SYMBOL, T0

from nexustrader.backtest.parity.assumed import Rates, recorded_rates
from nexustrader.backtest.parity.causes import lies_between
from nexustrader.backtest.parity.compare import differences
from nexustrader.backtest.parity.lives import Life, Lives
from nexustrader.constants import InstrumentType, OrderType
from nexustrader.domain import events as ev
from nexustrader.domain.events import EventKind, Source

RATE = Decimal("0.0002")


def life(*fills: tuple[int, str], price: str = "60000.0", rate: Decimal = RATE) -> Life:
    """An order of 0.010 that was filled at these times by these amounts, as maker."""
    made = tuple(
        ev.Fill(
            trade_id=str(number),
            price=Decimal(price),
            amount=Decimal(amount),
            fee=Decimal(price) * Decimal(amount) * rate,
            fee_currency="USDT",
            is_maker=True,
            timestamp=at,
        )
        for number, (at, amount) in enumerate(fills)
    )
    filled = sum((fill.amount for fill in made), Decimal(0))
    return Life(
        oid="1",
        status="FILLED" if filled == Decimal("0.010") else "OPEN",
        filled=filled,
        average=Decimal(price) if made else None,
        fees={"USDT": sum((fill.fee for fill in made), Decimal(0))} if made else {},
        fills=made,
        reason=None,
    )


def what(one: Life, other: Life, time_ms_max: int = 0) -> list[str]:
    return [difference.what for difference in differences(one, other, PERP, time_ms_max)]


def test_the_same_life_differs_in_nothing() -> None:
    assert what(life((1, "0.010")), life((1, "0.010"))) == []
    assert what(life(), life()) == []


def test_how_the_executions_are_divided_does_not_matter() -> None:
    assert what(life((1, "0.004"), (1, "0.006")), life((1, "0.010"))) == []


def test_each_amount_must_be_reached_in_time() -> None:
    one, other = life((10, "0.004"), (50, "0.006")), life((10, "0.004"), (90, "0.006"))
    assert what(one, other, 39) == ["time"]
    assert what(one, other, 40) == []


def test_a_fee_may_be_off_by_what_is_cut_at_each_execution() -> None:
    one = life((1, "0.010"))
    for off, expected in (("1e-8", []), ("2.1e-8", ["fee"])):
        other = replace(one, fees={"USDT": one.fees["USDT"] + Decimal(off)})
        assert what(one, other) == expected


def test_an_average_may_be_off_by_a_hundredth_of_a_tick() -> None:
    one = life((1, "0.010"))
    for average, expected in (("60000.001", []), ("60000.0011", ["average"])):
        assert what(one, replace(one, average=Decimal(average))) == expected


def test_maker_and_taker_are_told_apart() -> None:
    one = life((1, "0.010"))
    taken = replace(one, fills=tuple(replace(fill, is_maker=False) for fill in one.fills))
    assert what(one, taken) == ["maker"]


# -- between two queues ------------------------------------------------------------------------------------------

EMPTY, FULL = life((100, "0.010")), life((500, "0.004"))


@pytest.mark.parametrize(
    ("then", "expected"),
    [
        (life((200, "0.010")), True),
        (life((100, "0.004"), (900, "0.006")), True),
        (life((99, "0.010")), False),  # before anybody could have been filled
        (life((501, "0.004")), False),  # after everybody was
        (life((200, "0.003")), False),  # less than the last in the queue got
        (life((200, "0.020")), False),  # more than the first in the queue got
        (life((200, "0.010"), price="60000.1"), False),
        (life((200, "0.010"), rate=Decimal("0.0003")), False),
    ],
)
def test_fills_between_those_of_two_queues(then: Life, *, expected: bool) -> None:
    assert lies_between(then, EMPTY, FULL, PERP) is expected


def test_fees_that_are_not_simulated_are_no_reason_against_a_queue() -> None:
    then = replace(life((200, "0.010")), fees={"BNB": Decimal("0.001")})
    assert lies_between(then, EMPTY, FULL, PERP)


# -- rates -------------------------------------------------------------------------------------------------------


def test_rates_are_read_off_the_largest_executions_in_the_asset_in_which_they_were_charged() -> None:
    spot = replace(PERP, type=InstrumentType.SPOT, symbol="BTCUSDT.BINANCE", lot=Decimal("0.00001"))
    lives = Lives()
    lives.follow(
        ev.Submit(
            oid="1",
            account=ACCOUNT,
            symbol=spot.symbol,
            side=BUY,
            type=OrderType.MARKET,
            amount=Decimal(1),
            timestamp=T0,
        )
    )
    for number, (amount, fee) in enumerate((("0.00001", "0"), ("0.5", "0.0005"), ("0.00002", "0.00000001"))):
        fill = ev.Fill(
            trade_id=str(number),
            price=Decimal(60_000),
            amount=Decimal(amount),
            fee=Decimal(fee),
            fee_currency="BTC",
            timestamp=T0,
        )
        lives.on_order_event(
            ev.OrderEvent(oid="1", kind=EventKind.FILLED, source=Source.STREAM, timestamp=T0, fill=fill)
        )
    assert recorded_rates(lives, {spot.symbol: spot}) == {spot.symbol: Rates(None, Decimal("0.001"))}
    assert recorded_rates(lives, {SYMBOL: PERP}) == {}
