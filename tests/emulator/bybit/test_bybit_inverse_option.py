"""Inverse contracts and options of the emulated Bybit."""

from __future__ import annotations

from decimal import Decimal

import pytest
from bybit_client import MemoryBybit, Reply, data

CALL = "BTC-25JUN27-60000-C-USDT"
EIGHT = Decimal("1e-8")


@pytest.fixture
def world() -> MemoryBybit:
    return MemoryBybit()


def trade(world: MemoryBybit, side: str, contracts: int, **more: object) -> Reply:
    return world.market(side, str(contracts), "inverse", symbol="BTCUSD", **more)


def test_contracts_are_of_a_dollar_and_fees_and_profit_are_in_the_base_coin(world: MemoryBybit) -> None:
    stream = world.private("execution")
    assert trade(world, "Buy", 6_000).code == 0
    entry = Decimal("60000.1")
    (fill,) = data(stream.take())
    value = 6_000 / entry
    assert fill["execQty"] == "6000"
    assert Decimal(fill["execValue"]) == value.quantize(EIGHT)
    assert fill["feeCurrency"] == "BTC"
    assert abs(Decimal(fill["execFee"]) - value * Decimal("0.00055")) < EIGHT
    (row,) = world.get("position/list", category="inverse", symbol="BTCUSD").rows
    assert (row["side"], row["size"]) == ("Buy", "6000")
    assert Decimal(row["positionValue"]) == value.quantize(EIGHT)
    world.move("61000.0", "61000.1", symbol="BTCUSD", quantity="100000")
    trade(world, "Sell", 6_000)
    gained = 6_000 * (1 / entry - 1 / Decimal(61_000))
    fees = (6_000 / entry + 6_000 / Decimal(61_000)) * Decimal("0.00055")
    assert abs(Decimal(world.coin("BTC")["walletBalance"]) - 2 - gained + fees) < 3 * EIGHT
    assert world.coin("USDT")["walletBalance"] == "100000"
    assert not world.venue.check_invariants()


def test_the_average_of_an_inverse_position_is_harmonic(world: MemoryBybit) -> None:
    trade(world, "Buy", 1_000)
    world.move("50000.0", "50000.1", symbol="BTCUSD", quantity="100000")
    trade(world, "Buy", 3_000)
    (row,) = world.get("position/list", category="inverse", symbol="BTCUSD").rows
    average = 4_000 / (1_000 / Decimal("60000.1") + 3_000 / Decimal("50000.1"))
    assert abs(Decimal(row["avgPrice"]) - average) < Decimal("0.001")


def test_an_inverse_order_shows_its_value_in_the_base_coin(world: MemoryBybit) -> None:
    terms = {"symbol": "BTCUSD", "qty": "590", "price": "59000"}
    order_id = world.create("inverse", **terms).result["orderId"]
    rows = world.get("order/realtime", category="inverse", symbol="BTCUSD", orderId=order_id).rows
    assert (rows[0]["qty"], rows[0]["leavesValue"]) == ("590", "0.01")
    assert world.coin("BTC")["totalOrderIM"] == "0.001"


@pytest.mark.parametrize("quantity", ["0.5", "0", "25000001"])
def test_inverse_contracts_are_whole(world: MemoryBybit, quantity: str) -> None:
    assert world.create("inverse", symbol="BTCUSD", qty=quantity).code == 10001


def test_the_turnover_of_inverse_candles_is_in_base(world: MemoryBybit) -> None:
    about = {"category": "inverse", "symbol": "BTCUSD", "interval": "60", "limit": 1}
    (row,) = world.get("market/kline", signed=False, **about).rows
    assert abs(Decimal(row[6]) * Decimal(row[4]) / Decimal(row[5]) - 1) < Decimal("0.05")


def test_an_option_order_rests_fills_and_has_a_position(world: MemoryBybit) -> None:
    stream = world.private("order.option", "execution.option", "position.option")
    terms = {"symbol": CALL, "qty": "0.1", "price": "8900"}
    assert world.create("option", **terms).code == 10001  # the orderLinkId is missing
    assert world.create("option", **terms, orderLinkId="o1").code == 0
    frames = stream.take()
    assert [row["orderStatus"] for row in data([f for f in frames if f["topic"] == "order"])] == ["New"]
    world.venue.products["option"].markets[CALL].trade(1_779, 5_000, buyer_is_maker=True)
    told = stream.take()
    (fill,) = data([f for f in told if f["topic"] == "execution"])
    assert (fill["execQty"], fill["execPrice"], fill["feeCurrency"]) == ("0.1", "8900", "USDT")
    (row,) = world.get("position/list", category="option", symbol=CALL).rows
    assert (row["side"], row["size"], row["avgPrice"]) == ("Buy", "0.1", "8900")
    (position,) = data([f for f in told if f["topic"] == "position"])
    assert "delta" in position
    assert world.create("option", **terms, orderLinkId="o1").code == 110072
    assert not world.venue.check_invariants()


def test_options_are_cancelled_all_once_a_second(world: MemoryBybit) -> None:
    codes = [world.post("order/cancel-all", category="option").code for _ in range(2)]
    assert codes == [0, 10006]


def test_an_option_knows_no_hedge_mode_and_no_trigger(world: MemoryBybit) -> None:
    terms = {"symbol": CALL, "qty": "0.1", "price": "8900"}
    assert world.create("option", **terms, orderLinkId="a", positionIdx=1).code == 10001
    trigger = {"triggerPrice": "9500", "triggerDirection": 1}
    assert world.create("option", **terms, orderLinkId="b", **trigger).code == 10001
    assert world.post("position/switch-mode", category="inverse", symbol="BTCUSD", mode=3).code == 10001
