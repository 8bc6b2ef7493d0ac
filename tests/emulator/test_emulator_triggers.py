"""Orders that wait for a price: of futures in a service of their own, of spot among the others."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import msgspec
import pytest
from memory_venue import MemoryVenue, steps

from nexustrader.emulator.binance.venue import BinanceSettings
from nexustrader.emulator.market.moves import MarketMove, move_market
from nexustrader.emulator.venue import STILL

ALGO = "/fapi/v1/algoOrder"


@pytest.fixture
def venue() -> MemoryVenue:
    """BTCUSDT at 60000.0/60000.1, last traded at 60000.0."""
    venue = MemoryVenue()
    trade(venue, "60000.0")
    return venue


def trade(venue: MemoryVenue, price: str, product: str = "usdm") -> None:
    what = {
        "symbol": "BTCUSDT",
        "product": product,
        "trade": {"price": price, "qty": "0.001", "side": "SELL"},
    }
    move_market(venue.venue, msgspec.convert(what, MarketMove))


def stop(venue: MemoryVenue, trigger: str = "59000.0", **changes: object) -> Any:
    fields = {
        "algoType": "CONDITIONAL", "symbol": "BTCUSDT", "side": "SELL", "type": "STOP_MARKET", "quantity": "0.01",
        "triggerPrice": trigger, "clientAlgoId": "a", **changes,
    }  # fmt: skip
    return venue.call("POST", ALGO, **fields)


def words(frames: list[Any]) -> list[str]:
    """What ALGO_UPDATE says, and between it the steps of orders."""
    return [
        f"{frame['o']['X']}/{frame['o']['ai'] and 'ai'}" if frame["e"] == "ALGO_UPDATE" else frame["o"]["x"]
        for frame in frames
        if frame["e"] in {"ALGO_UPDATE", "ORDER_TRADE_UPDATE"}
    ]


def listed(venue: MemoryVenue) -> list[str]:
    return [row["clientAlgoId"] for row in venue.get("v1/openAlgoOrders", symbol="BTCUSDT")]


# -- futures ---------------------------------------------------------------------------------------------------


def test_one_that_waits_is_known_to_its_service_alone(venue: MemoryVenue) -> None:
    stream = venue.user_stream()
    placed = stop(venue).body
    assert (placed["algoStatus"], placed["clientAlgoId"], placed["orderType"]) == ("NEW", "a", "STOP_MARKET")
    assert words(stream.take()) == ["NEW/"]
    assert listed(venue) == ["a"]
    assert venue.get("v1/openOrders", symbol="BTCUSDT") == venue.get("v1/allOrders", symbol="BTCUSDT") == []
    assert venue.get("v1/order", symbol="BTCUSDT", origClientOrderId="a")["code"] == -2013
    assert venue.cancel("a").code == -2011
    venue.call("DELETE", "/fapi/v1/allOpenOrders", symbol="BTCUSDT")
    assert listed(venue) == ["a"]
    by_id = venue.get("v1/algoOrder", algoId=placed["algoId"])
    assert (by_id["clientAlgoId"], by_id["actualOrderId"], by_id["triggerPrice"]) == ("a", "", "59000.00")


def test_its_trigger_makes_an_order_of_another_id_and_the_same_client_id(venue: MemoryVenue) -> None:
    stream = venue.user_stream()
    placed = stop(venue).body
    trade(venue, "59000.1")
    assert words(stream.take()) == ["NEW/"]
    trade(venue, "59000.0")
    frames = stream.take()
    assert words(frames) == ["TRIGGERING/", "TRIGGERED/ai", "NEW", "TRADE", "FINISHED/ai"]
    order = venue.get("v1/order", symbol="BTCUSDT", origClientOrderId="a")
    assert (order["status"], order["type"], order["executedQty"]) == ("FILLED", "MARKET", "0.010")
    assert order["orderId"] != placed["algoId"]
    shown = venue.get("v1/algoOrder", clientAlgoId="a")
    assert (shown["algoStatus"], shown["actualOrderId"]) == ("FINISHED", str(order["orderId"]))
    assert listed(venue) == []
    assert venue.call("DELETE", ALGO, clientAlgoId="a").code == -2011
    assert [row["algoId"] for row in venue.get("v1/allAlgoOrders", symbol="BTCUSDT")] == [placed["algoId"]]


def test_a_limit_order_rests_after_its_trigger_and_is_cancelled_as_others_are(venue: MemoryVenue) -> None:
    stop(venue, type="STOP", price="61000.0")
    stream = venue.user_stream()
    trade(venue, "58900.0")
    assert words(stream.take()) == ["TRIGGERING/", "TRIGGERED/ai", "NEW"]
    assert venue.get("v1/algoOrder", clientAlgoId="a")["algoStatus"] == "TRIGGERED"
    assert venue.cancel("a").body["status"] == "CANCELED"
    assert words(stream.take()) == ["CANCELED", "FINISHED/ai"]


@pytest.mark.parametrize(
    ("kind", "side", "trigger", "is_before", "due"),
    [
        ("STOP_MARKET", "BUY", "61000.0", "60999.9", "61000.0"),
        ("STOP_MARKET", "SELL", "59000.0", "59000.1", "59000.0"),
        ("TAKE_PROFIT_MARKET", "BUY", "59000.0", "59000.1", "58000.0"),
        ("TAKE_PROFIT_MARKET", "SELL", "61000.0", "60999.9", "62000.0"),
    ],
)
def test_each_kind_waits_for_its_own_side_of_the_last_price(
    venue: MemoryVenue, kind: str, side: str, trigger: str, is_before: str, due: str
) -> None:
    stop(venue, trigger, type=kind, side=side)
    trade(venue, is_before)
    assert listed(venue) == ["a"]
    trade(venue, due)
    assert listed(venue) == []
    (order,) = venue.orders()
    assert (order["status"], order["side"]) == ("FILLED", side)


def test_by_the_mark_it_heeds_the_touch_and_no_trade(venue: MemoryVenue) -> None:
    stop(venue, workingType="MARK_PRICE")
    trade(venue, "58000.0")
    assert listed(venue) == ["a"]
    venue.move("58999.0", "58999.1")
    assert listed(venue) == []


def test_one_that_would_trigger_at_once_is_refused(venue: MemoryVenue) -> None:
    for changes in (
        {"trigger": "60000.0"},
        {"trigger": "61000.0"},
        {"trigger": "59000.0", "type": "TAKE_PROFIT_MARKET"},
    ):
        assert stop(venue, **changes).code == -2021
    assert venue.orders() == []


@pytest.mark.parametrize(
    ("changes", "code"),
    [
        ({"algoType": "VP"}, -1102),
        ({"type": "LIMIT"}, -1116),
        ({"triggerPrice": None}, -1102),
        ({"triggerPrice": "0"}, -4006),
        ({"triggerPrice": "59000.051"}, -1111),
        ({"triggerPrice": "59000.05"}, -4014),
        ({"workingType": "INDEX_PRICE"}, -1102),
        ({"type": "STOP"}, -1102),
        ({"price": "59000"}, -1106),
        ({"closePosition": "true"}, -1106),
        ({"timeInForce": "DAY"}, -1115),
        ({"positionSide": "LONG"}, -4061),
        ({"quantity": "0.0001"}, -1111),
        ({"clientAlgoId": "ä"}, -1100),
    ],
)
def test_what_breaks_a_rule_is_refused_with_its_code(
    venue: MemoryVenue, changes: dict[str, Any], code: int
) -> None:
    assert stop(venue, **changes).code == code


def test_a_client_id_in_use_is_refused(venue: MemoryVenue) -> None:
    assert stop(venue).status == 200
    assert stop(venue).code == -4116


def test_of_all_symbols_together_200_may_wait() -> None:
    venue = MemoryVenue(BinanceSettings(market=STILL, symbols=("BTCUSDT", "ETHUSDT"), limit_factor=100))
    for number in range(200):
        symbol, trigger = ("BTCUSDT", "59000.0") if number % 2 else ("ETHUSDT", "100.00")
        assert stop(venue, trigger, symbol=symbol, clientAlgoId=f"a{number}", quantity="1").status == 200
    assert stop(venue).code == -4045
    venue.call("DELETE", ALGO, clientAlgoId="a7")
    assert stop(venue).status == 200


def test_a_cancel_before_the_trigger_ends_it_for_good(venue: MemoryVenue) -> None:
    stop(venue)
    stream = venue.user_stream()
    canceled = venue.call("DELETE", ALGO, clientAlgoId="a").body
    assert (canceled["clientAlgoId"], canceled["code"]) == ("a", "200")
    assert words(stream.take()) == ["CANCELED/"]
    trade(venue, "50000.0")
    assert [order["status"] for order in venue.orders()] == ["CANCELED"]
    assert venue.get("v1/algoOrder", clientAlgoId="a")["algoStatus"] == "CANCELED"


def test_all_that_wait_are_cancelled_by_a_call_of_their_own(venue: MemoryVenue) -> None:
    venue.limit("BUY", "0.01", "59000")
    for client_id in ("a", "b"):
        stop(venue, clientAlgoId=client_id)
    done = venue.call("DELETE", "/fapi/v1/algoOpenOrders", symbol="BTCUSDT").body
    assert done["code"] == 200
    assert listed(venue) == []
    assert len(venue.get("v1/openOrders", symbol="BTCUSDT")) == 1


@pytest.mark.parametrize(
    ("changes", "reason"),
    [
        ({"quantity": "100", "type": "STOP", "price": "60000.0"}, "Margin is insufficient."),
        ({"reduceOnly": "true"}, "ReduceOnly Order is rejected."),
    ],
)
def test_nothing_is_asked_of_it_before_the_trigger_which_may_come_to_nothing(
    venue: MemoryVenue, changes: dict[str, Any], reason: str
) -> None:
    before = venue.get("v3/balance")
    assert stop(venue, **changes).status == 200
    assert venue.get("v3/balance") == before
    stream = venue.user_stream()
    trade(venue, "58999.0")
    frames = stream.take()
    assert words(frames) == ["TRIGGERING/", "REJECTED/"]
    assert frames[-1]["o"]["rm"] == reason
    assert [order["status"] for order in venue.orders()] == ["REJECTED"]
    assert venue.get("v1/order", symbol="BTCUSDT", origClientOrderId="a")["code"] == -2013
    assert venue.get("v3/balance") == before
    assert venue.venue.check_invariants() == []


def test_stale_answers_show_it_as_it_was(venue: MemoryVenue) -> None:
    venue.inject("stale_reads", on="myTrades", lag_ms=10_000)
    stop(venue)
    venue.wait(2_000)
    trade(venue, "58999.0")
    venue.inject("stale_reads", lag_ms=1_000, count=2)
    assert venue.get("v1/algoOrder", clientAlgoId="a")["algoStatus"] == "NEW"
    assert listed(venue) == ["a"]
    assert listed(venue) == []


def test_the_dead_man_leaves_them_alone(venue: MemoryVenue) -> None:
    stop(venue)
    venue.limit("BUY", "0.01", "59000", newClientOrderId="l")
    venue.call("POST", "/fapi/v1/countdownCancelAll", symbol="BTCUSDT", countdownTime=1_000)
    venue.wait(1_500)
    assert listed(venue) == ["a"]
    assert venue.get("v1/openOrders", symbol="BTCUSDT") == []


def test_coinm_has_the_same_service(venue: MemoryVenue) -> None:
    assert venue.call("GET", "/dapi/v1/openAlgoOrders").body == []


def test_its_answers_have_the_documented_keys(venue: MemoryVenue, testdata: Path) -> None:
    examples = json.loads((testdata / "wire/binance/samples/doc_examples/usdm_rest_api.json").read_text())

    def same(route: str, body: Any, absent: set[str] = frozenset()) -> None:  # type: ignore[assignment]
        example = examples[route]["response"]
        mine, theirs = (one[0] if isinstance(one, list) else one for one in (body, example))
        assert mine.keys() == theirs.keys() - absent, route
        assert {k: type(v) for k, v in mine.items()} == {k: type(theirs[k]) for k in mine}, route

    listed_alone = {"tpTriggerPrice", "tpPrice", "slTriggerPrice", "slPrice"}
    same("POST /fapi/v1/algoOrder", stop(venue, type="STOP", price="59000.0").body)
    same("GET /fapi/v1/algoOrder", venue.get("v1/algoOrder", clientAlgoId="a"))
    rows = venue.get("v1/openAlgoOrders")
    assert examples["GET /fapi/v1/openAlgoOrders"]["response"][0].keys() - listed_alone <= rows[0].keys()
    same("DELETE /fapi/v1/algoOrder", venue.call("DELETE", ALGO, clientAlgoId="a").body)
    same(
        "DELETE /fapi/v1/algoOpenOrders",
        venue.call("DELETE", "/fapi/v1/algoOpenOrders", symbol="BTCUSDT").body,
    )


# -- spot ------------------------------------------------------------------------------------------------------


def spot_stop(venue: MemoryVenue, **changes: object) -> Any:
    fields = {
        "symbol": "BTCUSDT", "side": "BUY", "type": "STOP_LOSS_LIMIT", "timeInForce": "GTC", "quantity": "0.01",
        "price": "61100", "stopPrice": "61000", "newClientOrderId": "s", **changes,
    }  # fmt: skip
    return venue.call("POST", "/api/v3/order", **fields)


def spot_at(venue: MemoryVenue, bid: str, ask: str) -> None:
    what = {"symbol": "BTCUSDT", "product": "spot", "bid": bid, "ask": ask, "bid_qty": "10", "ask_qty": "10"}
    move_market(venue.venue, msgspec.convert(what, MarketMove))


@pytest.fixture
def spot(venue: MemoryVenue) -> MemoryVenue:
    """Spot at 60000/60000.01."""
    spot_at(venue, "60000.00", "60000.01")
    trade(venue, "60000.00", "spot")
    return venue


def test_on_spot_one_order_waits_and_then_works_under_its_id(spot: MemoryVenue) -> None:
    stream = spot.spot_user_stream()
    placed = spot_stop(spot, newOrderRespType="RESULT").body
    assert (placed["status"], placed["type"]) == ("NEW", "STOP_LOSS_LIMIT")
    (told,) = [frame["event"] for frame in stream.take() if frame["event"]["e"] == "executionReport"]
    assert (told["x"], told["w"], told["P"]) == ("NEW", False, "61000.00000000")
    shown = spot.call("GET", "/api/v3/order", symbol="BTCUSDT", origClientOrderId="s").body
    assert (shown["isWorking"], shown["stopPrice"]) == (False, "61000.00000000")
    spot_at(spot, "61000.00", "61000.01")
    trade(spot, "61000.00", "spot")
    assert steps(stream.take()) == ["NEW", "TRADE"]
    shown = spot.call("GET", "/api/v3/order", symbol="BTCUSDT", orderId=placed["orderId"]).body
    assert (shown["status"], shown["isWorking"], shown["type"]) == ("FILLED", True, "STOP_LOSS_LIMIT")


def test_on_spot_it_is_cancelled_as_others_are(spot: MemoryVenue) -> None:
    spot_stop(spot)
    canceled = spot.call("DELETE", "/api/v3/order", symbol="BTCUSDT", origClientOrderId="s").body
    assert canceled["status"] == "CANCELED"
    trade(spot, "62000.00", "spot")
    assert [order["status"] for order in spot.orders("spot")] == ["CANCELED"]


@pytest.mark.parametrize(
    ("changes", "code"),
    [
        ({"stopPrice": "59000"}, -2010),
        ({"stopPrice": None}, -1102),
        ({"stopPrice": "61000.001"}, -1013),
        ({"type": "TAKE_PROFIT"}, -1106),
        ({"timeInForce": None}, -1102),
        ({"quantity": "100"}, -2010),
    ],
)
def test_on_spot_what_breaks_a_rule_is_refused_with_its_code(
    spot: MemoryVenue, changes: dict[str, Any], code: int
) -> None:
    assert spot_stop(spot, **changes).code == code


def test_on_spot_an_order_at_the_market_waits_as_well(spot: MemoryVenue) -> None:
    fields = {"type": "TAKE_PROFIT", "side": "SELL", "price": None, "timeInForce": None}
    assert spot_stop(spot, **fields).status == 200
    trade(spot, "61000.00", "spot")
    assert [order["status"] for order in spot.orders("spot")] == ["FILLED"]
