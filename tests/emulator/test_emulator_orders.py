"""Orders from birth to end, on both products: replies, refusals, and the truth in the ledger."""

from __future__ import annotations

from typing import Any

import pytest
from venue_client import VenueClient

from nexustrader.emulator.binance.emulator import BinanceEmulator

pytestmark = pytest.mark.slow


def ledger(emulator: BinanceEmulator, product: str) -> Any:
    truth: Any = emulator.ledger()
    return truth["accounts"]["main"][product]


def statuses(emulator: BinanceEmulator, product: str) -> list[tuple[str, str]]:
    return [(order["status"], order["filled"]) for order in ledger(emulator, product)["orders"]]


# -- spot -----------------------------------------------------------------------------------------------------


async def test_a_spot_market_order_reports_its_fills_and_pays_in_what_it_receives(
    emulator: BinanceEmulator, client: VenueClient
) -> None:
    reply = await client.spot_order(side="BUY", type="MARKET", quantity="0.1")
    assert reply.body["status"] == "FILLED"
    assert reply.body["price"] == "0.00000000"
    assert reply.body["cummulativeQuoteQty"] == "6000.01000000"
    (fill,) = reply.body["fills"]
    assert (fill["price"], fill["qty"]) == ("60000.10000000", "0.10000000")
    assert (fill["commission"], fill["commissionAsset"]) == ("0.00010000", "BTC")
    balances = ledger(emulator, "spot")["balances"]
    assert balances["BTC"]["wallet"] == "2.0999"
    assert balances["USDT"]["wallet"] == "93999.99"


async def test_a_spot_market_order_by_quote_amount_spends_no_more(client: VenueClient) -> None:
    reply = await client.spot_order(side="BUY", type="MARKET", quoteOrderQty="1000")
    assert reply.body["status"] == "FILLED"
    assert reply.body["origQuoteOrderQty"] == "1000.00000000"
    assert 999 < float(reply.body["cummulativeQuoteQty"]) <= 1000


async def test_spot_replies_are_as_full_as_asked_for(client: VenueClient) -> None:
    kinds = {}
    for response in ("ACK", "RESULT", "FULL"):
        reply = await client.spot_limit("BUY", "0.1", "59000", newOrderRespType=response)
        kinds[response] = reply.body.keys()
    assert kinds["ACK"] < kinds["RESULT"] < kinds["FULL"]
    assert kinds["FULL"] - kinds["RESULT"] == {"fills"}
    maker = await client.spot_order(side="BUY", type="LIMIT_MAKER", quantity="0.1", price="59000")
    assert maker.body.keys() == kinds["ACK"]


async def test_a_resting_spot_order_locks_money_fills_in_parts_and_is_cancelled(
    emulator: BinanceEmulator, client: VenueClient
) -> None:
    placed = await client.spot_limit("BUY", "1", "59000", newClientOrderId="mine")
    assert placed.body["status"] == "NEW"
    assert ledger(emulator, "spot")["balances"]["USDT"] == {
        "wallet": "100000", "locked": "59000", "free": "41000"
    }  # fmt: skip
    emulator.trade("BTCUSDT", "58999", "0.3", "SELL", product="spot")
    query = {"symbol": "BTCUSDT", "origClientOrderId": "mine"}
    partial = (await client.call("GET", "/api/v3/order", signed=True, **query)).body
    assert (partial["status"], partial["executedQty"]) == ("PARTIALLY_FILLED", "0.30000000")
    assert partial["cummulativeQuoteQty"] == "17700.00000000"
    canceled = (
        await client.call("DELETE", "/api/v3/order", signed=True, newClientOrderId="end", **query)
    ).body
    assert (canceled["status"], canceled["origClientOrderId"], canceled["clientOrderId"]) == (
        "CANCELED", "mine", "end"
    )  # fmt: skip
    trades = (await client.call("GET", "/api/v3/myTrades", signed=True, symbol="BTCUSDT")).body
    assert [(t["price"], t["qty"], t["isMaker"]) for t in trades] == [("59000.00000000", "0.30000000", True)]
    assert ledger(emulator, "spot")["balances"]["USDT"]["locked"] == "0"
    again = await client.call("DELETE", "/api/v3/order", signed=True, **query)
    assert (again.status, again.body) == (400, {"code": -2011, "msg": "Unknown order sent."})


@pytest.mark.parametrize(
    ("tif", "status", "filled", "reason"),
    [
        ("IOC", "EXPIRED", "10.00000000", "UNFILLED_IOC_QUANTITY_EXPIRED"),
        ("FOK", "EXPIRED", "0.00000000", "UNFILLED_FOK_ORDER_EXPIRED"),
    ],
)
async def test_spot_orders_that_cannot_fill_at_once_expire(
    emulator: BinanceEmulator, client: VenueClient, tif: str, status: str, filled: str, reason: str
) -> None:
    emulator.move("BTCUSDT", "4999", "5000", product="spot")
    reply = await client.spot_limit("BUY", "15", "5000.00", tif)
    assert reply.status == 200
    assert (reply.body["status"], reply.body["executedQty"]) == (status, filled)
    assert reply.body["expiryReason"] == reason


async def test_a_spot_maker_order_that_would_take_never_was(
    emulator: BinanceEmulator, client: VenueClient
) -> None:
    reply = await client.spot_order(side="BUY", type="LIMIT_MAKER", quantity="0.1", price="60000.1")
    assert (reply.status, reply.body) == (
        400, {"code": -2010, "msg": "Order would immediately match and take."}
    )  # fmt: skip
    assert ledger(emulator, "spot")["orders"] == []


async def test_spot_refuses_what_the_account_cannot_pay(
    emulator: BinanceEmulator, client: VenueClient
) -> None:
    for params in (
        {"side": "BUY", "type": "MARKET", "quantity": "2"},
        {"side": "SELL", "type": "MARKET", "quantity": "2.1"},
        {"side": "BUY", "type": "LIMIT", "timeInForce": "GTC", "quantity": "2", "price": "59000"},
    ):
        reply = await client.spot_order(**params)
        assert reply.body == {"code": -2010, "msg": "Account has insufficient balance for requested action."}
    assert statuses(emulator, "spot") == []


async def test_client_ids_are_unique_among_open_orders_only(client: VenueClient) -> None:
    spot, usdm = {"newClientOrderId": "twin"}, {"newClientOrderId": "twin"}
    assert (await client.spot_limit("BUY", "0.1", "59000", **spot)).status == 200
    assert (await client.usdm_limit("BUY", "0.1", "59000", **usdm)).status == 200
    assert (await client.spot_limit("BUY", "0.1", "59000", **spot)).body == {
        "code": -2010, "msg": "Duplicate order sent."
    }  # fmt: skip
    assert (await client.usdm_limit("BUY", "0.1", "59000", **usdm)).body == {
        "code": -4116, "msg": "ClientOrderId is duplicated."
    }  # fmt: skip
    await client.call("DELETE", "/api/v3/openOrders", signed=True, symbol="BTCUSDT")
    await client.call("DELETE", "/fapi/v1/allOpenOrders", signed=True, symbol="BTCUSDT")
    assert (await client.spot_limit("BUY", "0.1", "59000", **spot)).status == 200
    assert (await client.usdm_limit("BUY", "0.1", "59000", **usdm)).status == 200


async def test_cancelling_all_needs_an_open_order_on_spot_and_none_on_futures(client: VenueClient) -> None:
    spot = await client.call("DELETE", "/api/v3/openOrders", signed=True, symbol="BTCUSDT")
    assert spot.code == -2011
    usdm = await client.call("DELETE", "/fapi/v1/allOpenOrders", signed=True, symbol="BTCUSDT")
    assert usdm.body == {"code": 200, "msg": "The operation of cancel all open order is done."}


# -- USD-M ----------------------------------------------------------------------------------------------------


async def test_a_futures_market_order_is_acknowledged_as_new_but_told_in_full_when_asked(
    emulator: BinanceEmulator, client: VenueClient
) -> None:
    acknowledged = await client.usdm_order(side="BUY", type="MARKET", quantity="0.1")
    assert (acknowledged.body["status"], acknowledged.body["executedQty"]) == ("NEW", "0.000")
    assert "avgPrice" not in acknowledged.body
    told = await client.usdm_order(side="BUY", type="MARKET", quantity="0.1", newOrderRespType="RESULT")
    assert (told.body["status"], told.body["executedQty"]) == ("FILLED", "0.100")
    assert told.body["orderId"] > 2**53
    query = {"symbol": "BTCUSDT", "orderId": acknowledged.body["orderId"]}
    order = (await client.call("GET", "/fapi/v1/order", signed=True, **query)).body
    assert (order["status"], order["avgPrice"], order["cumQuote"]) == ("FILLED", "60000.10000", "6000.01000")
    position = ledger(emulator, "usdm")["positions"]["BTCUSDT/BOTH"]
    assert (position["amount"], position["entry_price"]) == ("0.2", "60000.1")


async def test_position_and_balance_endpoints_agree_with_the_ledger(
    emulator: BinanceEmulator, client: VenueClient
) -> None:
    await client.usdm_order(side="SELL", type="MARKET", quantity="1")
    emulator.move("BTCUSDT", "58999.9", "59000.1", product="usdm")
    (risk,) = (await client.call("GET", "/fapi/v3/positionRisk", signed=True)).body
    assert (risk["positionAmt"], risk["entryPrice"], risk["unRealizedProfit"]) == (
        "-1.000", "60000.00000", "1000.00000000"
    )  # fmt: skip
    assert float(risk["liquidationPrice"]) > 60_000
    assert risk["initialMargin"] == "2950.00000000"
    everything = (await client.call("GET", "/fapi/v2/positionRisk", signed=True)).body
    assert {row["symbol"] for row in everything} == {"BTCUSDT", "ETHUSDT", "SOLUSDT", "ODDUSDT"}
    (usdt,) = [
        r for r in (await client.call("GET", "/fapi/v3/balance", signed=True)).body if r["asset"] == "USDT"
    ]
    assert (usdt["balance"], usdt["crossUnPnl"]) == ("99970.00000000", "1000.00000000")
    assert usdt["availableBalance"] == "98020.00000000"
    assert ledger(emulator, "usdm")["balances"]["USDT"]["wallet"] == "99970"


@pytest.mark.parametrize(("tif", "quantity", "code"), [("GTX", "0.1", -5022), ("FOK", "15", -5021)])
async def test_futures_refuse_post_only_and_fill_or_kill_at_entry(
    emulator: BinanceEmulator, client: VenueClient, tif: str, quantity: str, code: int
) -> None:
    reply = await client.usdm_limit("BUY", quantity, "60000.1", tif)
    assert (reply.status, reply.code) == (400, code)
    assert ledger(emulator, "usdm")["orders"] == []


async def test_futures_post_only_rests_and_ioc_rest_expires(
    emulator: BinanceEmulator, client: VenueClient
) -> None:
    assert (await client.usdm_limit("BUY", "0.1", "60000.0", "GTX")).body["timeInForce"] == "GTX"
    emulator.move("BTCUSDT", "60000.0", "60000.1", product="usdm", quantity="0.4")
    reply = await client.usdm_limit("BUY", "1", "60000.1", "IOC", newOrderRespType="RESULT")
    assert (reply.body["status"], reply.body["executedQty"]) == ("EXPIRED", "0.400")
    assert statuses(emulator, "usdm") == [("NEW", "0"), ("EXPIRED", "0.4")]


async def test_reduce_only_needs_a_position_on_the_other_side_and_no_more_than_it(
    client: VenueClient,
) -> None:
    params = {"type": "MARKET", "reduceOnly": "true"}
    assert (await client.usdm_order(side="SELL", quantity="0.1", **params)).code == -2022
    await client.usdm_order(side="BUY", type="MARKET", quantity="0.1")
    assert (await client.usdm_order(side="BUY", quantity="0.1", **params)).code == -2022
    assert (await client.usdm_order(side="SELL", quantity="0.2", **params)).code == -2022
    closed = await client.usdm_order(side="SELL", quantity="0.1", newOrderRespType="RESULT", **params)
    assert (closed.body["status"], closed.body["reduceOnly"]) == ("FILLED", True)
    assert (await client.call("GET", "/fapi/v3/positionRisk", signed=True)).body == []


async def test_reduce_only_may_be_below_the_minimum_notional(client: VenueClient) -> None:
    await client.usdm_order(side="BUY", type="MARKET", quantity="0.1")
    small = {"side": "SELL", "type": "MARKET", "quantity": "0.001"}
    assert (await client.usdm_order(**small)).code == -4164
    assert (await client.usdm_order(**small, reduceOnly="true")).status == 200


async def test_futures_refuse_more_than_the_margin_allows(client: VenueClient) -> None:
    reply = await client.usdm_limit("BUY", "34", "59000")
    assert reply.body == {"code": -2019, "msg": "Margin is insufficient."}
    assert (await client.usdm_limit("BUY", "33", "59000")).status == 200
    await client.call("DELETE", "/fapi/v1/allOpenOrders", signed=True, symbol="BTCUSDT")
    leverage = await client.call("POST", "/fapi/v1/leverage", signed=True, symbol="BTCUSDT", leverage=40)
    assert leverage.body == {"leverage": 40, "maxNotionalValue": "20000000", "symbol": "BTCUSDT"}
    assert (await client.usdm_limit("BUY", "34", "59000")).status == 200


async def test_conditional_types_have_another_endpoint(client: VenueClient) -> None:
    reply = await client.usdm_order(side="SELL", type="STOP_MARKET", quantity="0.1", stopPrice="59000")
    assert (reply.status, reply.code) == (400, -4120)


async def test_modify_keeps_ids_and_refuses_what_changes_nothing(
    emulator: BinanceEmulator, client: VenueClient
) -> None:
    placed = await client.usdm_limit("BUY", "0.1", "59000", newClientOrderId="keep")
    ids = {"symbol": "BTCUSDT", "orderId": placed.body["orderId"], "side": "BUY"}

    async def modify(quantity: str, price: str, **more: object) -> Any:
        params = {**ids, "quantity": quantity, "price": price, **more}
        return (await client.call("PUT", "/fapi/v1/order", signed=True, **params)).body

    changed = await modify("0.2", "59500", modifyId=7)
    assert (changed["orderId"], changed["clientOrderId"], changed["modifyId"]) == (ids["orderId"], "keep", 7)
    assert (changed["price"], changed["origQty"], changed["status"]) == ("59500.00", "0.200", "NEW")
    assert (await modify("0.2", "59500"))["code"] == -5027
    assert (await modify("0.2", "59500.05"))["code"] == -4014
    assert (await modify("0.001", "59500"))["code"] == -5029
    assert (await modify("0.2", "59500", side="SELL"))["code"] == -1117
    assert statuses(emulator, "usdm") == [("NEW", "0")]
    taken = await modify("0.2", "60000.1")
    assert (taken["status"], taken["executedQty"]) == ("FILLED", "0.200")
    assert (await modify("0.3", "59500"))["code"] == -2013


async def test_modify_ends_an_order_that_is_filled_beyond_it_or_would_take_as_maker(
    emulator: BinanceEmulator, client: VenueClient
) -> None:
    placed = await client.usdm_limit("BUY", "0.4", "59000")
    emulator.trade("BTCUSDT", "59000", "0.3", "SELL", product="usdm")
    params = {"symbol": "BTCUSDT", "side": "BUY", "quantity": "0.3", "price": "59000"}
    body = (
        await client.call("PUT", "/fapi/v1/order", signed=True, orderId=placed.body["orderId"], **params)
    ).body
    assert (body["status"], body["executedQty"]) == ("CANCELED", "0.300")
    maker = await client.usdm_limit("BUY", "0.4", "59000", "GTX")
    params["price"] = "60000.1"
    body = (
        await client.call("PUT", "/fapi/v1/order", signed=True, orderId=maker.body["orderId"], **params)
    ).body
    assert body["status"] == "CANCELED"


async def test_a_batch_answers_each_item_with_an_order_or_a_refusal(client: VenueClient) -> None:
    batch = (
        '[{"symbol":"BTCUSDT","side":"BUY","type":"LIMIT","timeInForce":"GTC","quantity":"0.1","price":"59000"},'
        '{"symbol":"BTCUSDT","side":"BUY","type":"LIMIT","timeInForce":"GTC","quantity":"0.1","price":"59000.05"}]'
    )
    reply = await client.call("POST", "/fapi/v1/batchOrders", signed=True, batchOrders=batch)
    assert reply.status == 200
    assert reply.body[0]["status"] == "NEW"
    assert reply.body[1] == {"code": -4014, "msg": "Price not increased by tick size."}


async def test_own_orders_never_meet(emulator: BinanceEmulator, client: VenueClient) -> None:
    await client.usdm_limit("BUY", "0.1", "60000.0")
    emulator.move("BTCUSDT", "59000", "61000", product="usdm")
    taker = await client.usdm_limit("SELL", "0.1", "60000.0", newOrderRespType="RESULT")
    assert taker.body["status"] == "NEW"
    assert statuses(emulator, "usdm") == [("EXPIRED_IN_MATCH", "0"), ("NEW", "0")]


async def test_margin_type_is_settled_before_positions(client: VenueClient) -> None:
    async def set_type(kind: str) -> Any:
        params = {"symbol": "BTCUSDT", "marginType": kind}
        return (await client.call("POST", "/fapi/v1/marginType", signed=True, **params)).body

    assert (await set_type("CROSSED"))["code"] == -4046
    await client.usdm_limit("BUY", "0.1", "59000")
    assert (await set_type("ISOLATED"))["code"] == -4047
    await client.call("DELETE", "/fapi/v1/allOpenOrders", signed=True, symbol="BTCUSDT")
    await client.usdm_order(side="BUY", type="MARKET", quantity="0.1")
    assert (await set_type("ISOLATED"))["code"] == -4048
    mode = await client.call("POST", "/fapi/v1/positionSide/dual", signed=True, dualSidePosition="false")
    assert mode.code == -4059


async def test_lists_of_orders_are_paged_by_id_and_limit(client: VenueClient) -> None:
    ids = [(await client.usdm_limit("BUY", "0.1", f"5900{n}")).body["orderId"] for n in range(5)]

    async def listed(**params: object) -> list[int]:
        reply = await client.call("GET", "/fapi/v1/allOrders", signed=True, symbol="BTCUSDT", **params)
        return [order["orderId"] for order in reply.body]

    assert await listed() == ids
    assert await listed(limit=2) == ids[-2:]
    assert await listed(orderId=ids[1], limit=2) == ids[1:3]
    assert await listed(endTime=1) == []
    assert len((await client.call("GET", "/fapi/v1/openOrders", signed=True)).body) == 5
    missing = await client.call("GET", "/fapi/v1/order", signed=True, symbol="BTCUSDT", orderId=1)
    assert missing.body == {"code": -2013, "msg": "Order does not exist."}
    unnamed = await client.call("GET", "/fapi/v1/order", signed=True, symbol="BTCUSDT")
    assert unnamed.code == -1102
