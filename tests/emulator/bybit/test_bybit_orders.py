"""Orders of the emulated Bybit: acknowledged at once, told by the stream."""

from __future__ import annotations

from decimal import Decimal
from typing import Any

import pytest
from bybit_client import MemoryBybit, data


@pytest.fixture
def world() -> MemoryBybit:
    return MemoryBybit()


def orders_of(frames: list[Any]) -> list[tuple[str, str]]:
    """Status and reject reason of the order messages among these frames."""
    return [
        (row["orderStatus"], row["rejectReason"])
        for row in data([f for f in frames if f["topic"] == "order"])
    ]


@pytest.mark.parametrize("category", ["spot", "linear"])
def test_a_limit_order_is_acknowledged_with_its_ids_and_told_as_new(
    world: MemoryBybit, category: str
) -> None:
    stream = world.private()
    reply = world.create(category, orderLinkId="mine-1")
    assert reply.code == 0
    assert reply.result["orderLinkId"] == "mine-1"
    told = data(stream.take("order"))
    assert [(row["category"], row["orderStatus"], row["orderId"]) for row in told] == [
        (category, "New", reply.result["orderId"])
    ]
    assert (told[0]["leavesQty"], told[0]["cumExecQty"], told[0]["avgPrice"]) == ("0.01", "0", "")


def test_ids_are_uuids_for_futures_and_numbers_for_spot(world: MemoryBybit) -> None:
    assert len(world.create("linear").result["orderId"]) == 36
    assert world.create("spot").result["orderId"].isdigit()


@pytest.mark.parametrize("category", ["spot", "linear"])
def test_a_market_order_is_told_once_when_it_is_filled(world: MemoryBybit, category: str) -> None:
    stream = world.private()
    assert world.market("Sell", "0.01", category).code == 0
    frames = stream.take()
    assert orders_of(frames) == [("Filled", "EC_NoError")]
    (row,) = data([f for f in frames if f["topic"] == "order"])
    assert (row["orderType"], row["timeInForce"], row["avgPrice"], row["cumExecQty"]) == (
        "Market",
        "IOC",
        "60000",
        "0.01",
    )
    assert row["price"] == "57000.1"  # the bound that it had become: 5 % under the mark
    executions = data([f for f in frames if f["topic"] == "execution"])
    assert [(e["execQty"], e["isMaker"], e["execType"]) for e in executions] == [("0.01", False, "Trade")]


def test_a_market_order_beyond_the_book_ends_cancelled_with_what_it_got(world: MemoryBybit) -> None:
    stream = world.private("order")
    leverage = {"buyLeverage": "100", "sellLeverage": "100"}
    assert world.post("position/set-leverage", category="linear", symbol="BTCUSDT", **leverage).code == 0
    order_id = world.market("Buy", "150").result["orderId"]
    ((status, reason),) = orders_of(stream.take())
    assert status == "Cancelled"
    assert reason == "EC_NoImmediateQtyToFill"
    row = world.order_row(order_id)
    assert 0 < Decimal(row["cumExecQty"]) < 150
    assert row["leavesQty"] == "0"


def test_what_spot_filled_in_part_is_partially_filled_canceled(world: MemoryBybit) -> None:
    world.move("60000.0", "60000.1", quantity="0.5")
    order_id = world.create("spot", timeInForce="IOC", price="60000.1", qty="1").result["orderId"]
    assert world.order_row(order_id, "spot")["orderStatus"] == "PartiallyFilledCanceled"


@pytest.mark.parametrize("category", ["spot", "linear"])
def test_a_post_only_order_that_would_take_is_acknowledged_and_then_cancelled(
    world: MemoryBybit, category: str
) -> None:
    stream = world.private("order")
    assert world.create(category, timeInForce="PostOnly", price="60000.1").code == 0
    assert orders_of(stream.take()) == [("Cancelled", "EC_PostOnlyWillTakeLiquidity")]


def test_a_fill_or_kill_order_that_cannot_fill_is_acknowledged_and_then_cancelled(world: MemoryBybit) -> None:
    stream = world.private("order")
    assert world.create(timeInForce="FOK", price="60000.1", qty="11").code == 0
    assert orders_of(stream.take())[-1] == ("Cancelled", "EC_NoEnoughQtyToFill")


def test_an_immediate_order_is_cancelled_for_what_it_could_not_fill(world: MemoryBybit) -> None:
    stream = world.private("order")
    assert world.create(timeInForce="IOC", price="60000.1", qty="11").code == 0
    assert orders_of(stream.take())[-1] == ("Cancelled", "EC_CancelForNoFullFill")


def test_a_resting_order_is_filled_by_trades_of_the_market_as_maker(world: MemoryBybit) -> None:
    world.create(price="60000.0", qty="0.5")
    stream = world.private("order", "execution")
    world.trade("59999.9", "0.2", "SELL", product="linear")
    world.trade("59999.9", "5", "SELL", product="linear")
    frames = stream.take()
    assert [status for status, _ in orders_of(frames)] == ["PartiallyFilled", "Filled"]
    fills = data([f for f in frames if f["topic"] == "execution"])
    assert [(fill["execQty"], fill["isMaker"], fill["feeRate"]) for fill in fills] == [
        ("0.2", True, "0.0002"),
        ("0.3", True, "0.0002"),
    ]
    assert [fill["leavesQty"] for fill in fills] == ["0.3", "0"]


def test_who_trades_with_himself_has_two_executions_of_their_own(world: MemoryBybit) -> None:
    stream = world.private("execution")
    world.create("spot", side="Buy", price="60000.0", qty="0.01")
    world.move("59999.9", "60000.1")
    world.create("spot", side="Sell", price="60000.0", qty="0.01")
    fills = data(stream.take())
    assert {fill["isMaker"] for fill in fills} == {True, False}
    assert len({fill["execId"] for fill in fills}) == 2


@pytest.mark.parametrize(("category", "code"), [("linear", 110072), ("spot", 170141)])
def test_a_link_id_never_comes_back(world: MemoryBybit, category: str, code: int) -> None:
    first = world.create(category, orderLinkId="once")
    assert world.create(category, orderLinkId="once").code == code
    world.cancel(first.result["orderId"], category)
    assert world.create(category, orderLinkId="once").code == code
    assert world.create(category, orderLinkId="once", symbol="ETHUSDT", price="2400", qty="0.1").code == code


@pytest.mark.parametrize(("category", "code"), [("linear", 110001), ("spot", 170213)])
def test_what_is_closed_or_unknown_cannot_be_cancelled(world: MemoryBybit, category: str, code: int) -> None:
    order_id = world.create(category).result["orderId"]
    assert world.cancel(order_id, category).code == 0
    assert world.cancel(order_id, category).code == code
    unknown = "1" if category == "spot" else "00000000-0000-0000-0000-000000000000"
    assert world.cancel(unknown, category).code == code
    assert world.cancel("nonsense", category).code == code


def test_a_cancel_is_told_with_its_reason(world: MemoryBybit) -> None:
    stream = world.private("order")
    order_id = world.create().result["orderId"]
    world.cancel(order_id)
    rows = data(stream.take())
    assert [(row["orderStatus"], row["cancelType"], row["rejectReason"]) for row in rows] == [
        ("New", "UNKNOWN", "EC_NoError"),
        ("Cancelled", "CancelByUser", "EC_PerCancelRequest"),
    ]


def test_an_order_is_found_by_link_id_in_a_cancel(world: MemoryBybit) -> None:
    world.create(orderLinkId="by-link")
    reply = world.post("order/cancel", category="linear", symbol="BTCUSDT", orderLinkId="by-link")
    assert reply.code == 0


def test_an_amendment_keeps_the_id_and_tells_the_order_with_its_new_terms(world: MemoryBybit) -> None:
    stream = world.private("order")
    order_id = world.create().result["orderId"]
    reply = world.post(
        "order/amend", category="linear", symbol="BTCUSDT", orderId=order_id, price="58000", qty="0.02"
    )
    assert reply.result["orderId"] == order_id
    row = data(stream.take())[-1]
    assert (row["orderId"], row["orderStatus"], row["price"], row["qty"]) == (
        order_id,
        "New",
        "58000",
        "0.02",
    )


def test_amendments_that_change_nothing_or_less_than_is_filled_are_refused(world: MemoryBybit) -> None:
    order_id = world.create(price="60000.0", qty="0.5").result["orderId"]
    about = {"category": "linear", "symbol": "BTCUSDT", "orderId": order_id}
    assert world.post("order/amend", **about, price="60000.0").code == 10001
    world.trade("59999.9", "0.2", "SELL", product="linear")
    assert world.post("order/amend", **about, qty="0.2").code == 110064
    assert world.post("order/amend", **about).code == 10001


def test_reduce_only_needs_a_position_and_never_turns_it(world: MemoryBybit) -> None:
    assert world.create(reduceOnly=True).code == 110017
    world.market("Sell", "0.02")
    assert world.market("Buy", "0.05", reduceOnly=True).code == 0
    (row,) = world.get("position/list", category="linear", symbol="BTCUSDT").rows
    assert (row["side"], row["size"]) == ("", "0")


def test_an_amount_of_nought_that_closes_on_trigger_closes_the_position(world: MemoryBybit) -> None:
    world.market("Buy", "0.03")
    assert world.market("Sell", "0", reduceOnly=True, closeOnTrigger=True).code == 0
    (row,) = world.get("position/list", category="linear", symbol="BTCUSDT").rows
    assert row["size"] == "0"
    assert world.market("Sell", "0", reduceOnly=True, closeOnTrigger=True).code == 110017


@pytest.mark.parametrize(
    ("category", "terms", "code"),
    [
        ("linear", {"qty": "0.0005"}, 10001),
        ("linear", {"qty": "0.0015"}, 10001),
        ("linear", {"qty": "1191"}, 10001),
        ("linear", {"price": "59000.05"}, 10001),
        ("linear", {"qty": "0.001", "price": "4000"}, 110094),
        ("linear", {"qty": "50"}, 110007),
        ("linear", {"side": "buy"}, 10001),
        ("linear", {"orderType": "Stop"}, 10001),
        ("linear", {"timeInForce": "GTX"}, 10001),
        ("linear", {"positionIdx": 1}, 10001),
        ("linear", {"symbol": "NOPE"}, 10001),
        ("linear", {"price": None}, 10001),
        ("linear", {"orderLinkId": "x" * 37}, 10001),
        ("linear", {"takeProfit": "70000"}, 10001),
        ("spot", {"price": "59000.05"}, 170134),
        ("spot", {"price": "70000"}, 170193),
        ("spot", {"side": "Sell", "price": "50000"}, 170194),
        ("spot", {"qty": "0.0000001"}, 170137),
        ("spot", {"qty": "0.00001"}, 170136),
        ("spot", {"qty": "0.00002"}, 170140),
        ("spot", {"qty": "84"}, 170124),
        ("spot", {"qty": "20"}, 170131),
        ("nonsense", {}, 10001),
    ],
)
def test_what_breaks_a_rule_is_refused_by_its_code(
    world: MemoryBybit, category: str, terms: dict[str, object], code: int
) -> None:
    assert world.create(category, **terms).code == code


def test_a_futures_price_beyond_the_bound_is_silently_brought_to_it(world: MemoryBybit) -> None:
    order_id = world.create(price="99999.9", qty="0.001", timeInForce="PostOnly").result["orderId"]
    assert world.order_row(order_id)["price"] == "66000"


def test_spot_buys_at_the_market_by_quote_unless_asked_for_base(world: MemoryBybit) -> None:
    by_quote = world.market("Buy", "600", "spot").result["orderId"]
    row = world.order_row(by_quote, "spot")
    assert (row["marketUnit"], row["qty"], row["cumExecQty"]) == ("quoteCoin", "600", "0.009999")
    by_base = world.market("Buy", "0.01", "spot", marketUnit="baseCoin").result["orderId"]
    assert world.order_row(by_base, "spot")["cumExecQty"] == "0.01"


def test_every_cancel_all_names_what_it_cancelled(world: MemoryBybit) -> None:
    ids = [world.create(price=f"{price}").result["orderId"] for price in (58000, 58100, 58200)]
    world.create("spot")
    assert world.post("order/cancel-all", category="linear").code == 10001
    reply = world.post("order/cancel-all", category="linear", symbol="BTCUSDT")
    assert [row["orderId"] for row in reply.rows] == ids
    assert reply.result["success"] == "1"
    assert world.post("order/cancel-all", category="linear", settleCoin="USDT").rows == []
    assert len(world.post("order/cancel-all", category="spot").rows) == 1


def test_orders_of_a_batch_have_codes_of_their_own(world: MemoryBybit) -> None:
    order = {"symbol": "BTCUSDT", "side": "Buy", "orderType": "Limit", "qty": "0.01", "price": "59000"}
    reply = world.post(
        "order/create-batch",
        category="linear",
        request=[{**order, "orderLinkId": "b1"}, {**order, "qty": "0"}, {**order, "orderLinkId": "b1"}],
    )
    assert reply.code == 0
    assert [row["code"] for row in reply.body["retExtInfo"]["list"]] == [0, 10001, 110072]
    assert [bool(row["orderId"]) for row in reply.rows] == [True, False, False]
    assert [bool(row["createAt"]) for row in reply.rows] == [True, False, False]
    amended = world.post(
        "order/amend-batch",
        category="linear",
        request=[{"symbol": "BTCUSDT", "orderLinkId": "b1", "price": "58500"}],
    )
    assert amended.body["retExtInfo"]["list"] == [{"code": 0, "msg": "OK"}]
    canceled = world.post(
        "order/cancel-batch",
        category="linear",
        request=[{"symbol": "BTCUSDT", "orderLinkId": "b1"}, {"symbol": "BTCUSDT", "orderLinkId": "b2"}],
    )
    assert [row["code"] for row in canceled.body["retExtInfo"]["list"]] == [0, 110001]
    assert "createAt" not in canceled.rows[0]
    many = world.post("order/create-batch", category="spot", request=[order] * 11)
    assert many.code == 10001


# -- conditional orders ---------------------------------------------------------------------------------------


def conditional(world: MemoryBybit, **more: object) -> str:
    terms = {"triggerPrice": "60500", "triggerDirection": 1, "orderType": "Market", "price": None, **more}
    reply = world.create(**terms)
    assert reply.code == 0, reply.body
    return str(reply.result["orderId"])


def test_a_conditional_order_waits_untriggered_and_then_fills_under_its_id(world: MemoryBybit) -> None:
    stream = world.private("order")
    order_id = conditional(world, triggerBy="MarkPrice")
    assert orders_of(stream.take()) == [("Untriggered", "EC_NoError")]
    world.move("60600.0", "60600.1")
    assert orders_of(stream.take()) == [("Filled", "EC_NoError")]
    assert world.order_row(order_id)["cumExecQty"] == "0.01"


def test_a_conditional_limit_order_rests_when_its_trigger_came(world: MemoryBybit) -> None:
    order_id = conditional(world, orderType="Limit", price="59500")
    world.trade("60500", "0.1", "BUY", product="linear")
    assert world.order_row(order_id)["orderStatus"] == "New"
    assert world.cancel(order_id).code == 0


def test_the_trigger_by_last_price_looks_at_trades_alone(world: MemoryBybit) -> None:
    order_id = conditional(world)
    world.move("60600.0", "60600.1")
    assert world.order_row(order_id)["orderStatus"] == "Untriggered"
    world.trade("60600.1", "0.1", "BUY", product="linear")
    assert world.order_row(order_id)["orderStatus"] == "Filled"


def test_a_conditional_order_that_is_cancelled_before_its_trigger_is_deactivated(world: MemoryBybit) -> None:
    order_id = conditional(world)
    assert world.cancel(order_id).code == 0
    assert world.order_row(order_id)["orderStatus"] == "Deactivated"
    world.trade("60600.1", "0.1", "BUY", product="linear")
    assert world.order_row(order_id)["orderStatus"] == "Deactivated"


def test_a_conditional_order_is_amended_while_it_waits(world: MemoryBybit) -> None:
    order_id = conditional(world, orderType="Limit", price="59500")
    about = {"category": "linear", "symbol": "BTCUSDT", "orderId": order_id}
    assert world.post("order/amend", **about, triggerPrice="60700", qty="0.02").code == 0
    row = world.order_row(order_id)
    assert (row["orderStatus"], row["triggerPrice"], row["qty"], row["price"]) == (
        "Untriggered",
        "60700",
        "0.02",
        "59500",
    )
    assert world.post("order/amend", **about, triggerPrice="59000").code == 110092
    assert world.post("order/amend", **about, triggerPrice="60700").code == 10001
    world.trade("60600", "0.1", "BUY", product="linear")
    assert world.order_row(order_id)["orderStatus"] == "Untriggered"
    world.trade("60700", "0.1", "BUY", product="linear")
    assert world.order_row(order_id)["orderStatus"] == "New"
    assert world.post("order/amend", **about, triggerPrice="60900").code == 10001
    market = conditional(world, triggerPrice="61500")
    assert world.post("order/amend", **{**about, "orderId": market}, qty="0.03").code == 0
    assert world.order_row(market)["qty"] == "0.03"


@pytest.mark.parametrize(("price", "direction", "code"), [("59000", 1, 110092), ("61000", 2, 110093)])
def test_a_trigger_on_the_wrong_side_of_the_market_is_refused(
    world: MemoryBybit, price: str, direction: int, code: int
) -> None:
    assert world.create(triggerPrice=price, triggerDirection=direction).code == code


# -- hedge mode -----------------------------------------------------------------------------------------------


def test_in_hedge_mode_either_side_has_a_position_of_its_own(world: MemoryBybit) -> None:
    assert world.post("position/switch-mode", category="linear", symbol="BTCUSDT", mode=3).code == 0
    assert world.market("Buy", "0.02").code == 10001
    assert world.market("Buy", "0.02", positionIdx=1).code == 0
    assert world.market("Sell", "0.01", positionIdx=2).code == 0
    rows = world.get("position/list", category="linear", symbol="BTCUSDT").rows
    assert [(row["positionIdx"], row["side"], row["size"]) for row in rows] == [
        (1, "Buy", "0.02"),
        (2, "Sell", "0.01"),
    ]
    assert world.market("Sell", "0.02", positionIdx=1).code == 0
    rows = world.get("position/list", category="linear", symbol="BTCUSDT").rows
    assert [(row["positionIdx"], row["size"]) for row in rows] == [(1, "0"), (2, "0.01")]
    assert world.market("Sell", "0.01", positionIdx=1).code == 110017


def test_the_position_mode_does_not_change_under_positions_and_orders(world: MemoryBybit) -> None:
    def switch(mode: int) -> int:
        return world.post("position/switch-mode", category="linear", symbol="BTCUSDT", mode=mode).code

    assert switch(0) == 110025
    order_id = world.create().result["orderId"]
    assert switch(3) == 110028
    world.cancel(order_id)
    world.market("Buy", "0.01")
    assert switch(3) == 110024
