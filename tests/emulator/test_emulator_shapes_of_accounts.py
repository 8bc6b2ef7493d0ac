"""Replies of COIN-M, margin and portfolio margin have the keys of the venue's documented examples."""

from __future__ import annotations

from decimal import Decimal
from pathlib import Path
from typing import Any

import pytest
from memory_venue import MemoryVenue
from test_emulator_shapes import differences, load

from nexustrader.emulator.binance.venue import BinanceSettings
from nexustrader.emulator.market.moves import MarketMove, move_market
from nexustrader.emulator.venue import STILL

PERP = "BTCUSD_PERP"
# Keys of the examples that stand there for other kinds of orders, or that say what is not emulated.
NOT_EMULATED = {
    "activatePrice", "priceRate", "icebergQty", "stopPrice", "isWorking", "accountId", "preventedMatchId",
    "preventedQuantity", "orderListId", "contingencyType", "listStatusType", "listOrderStatus", "listClientOrderId",
    "transactionTime", "orders", "orderReports", "marginBuyBorrowAmount", "marginBuyBorrowAsset", "goodTillDate",
    "totalAssetOfBtc", "totalLiabilityOfBtc", "totalNetAssetOfBtc", "TotalCollateralValueInUSDT",
    "totalOpenOrderLossInUSDT", "netAssetOfBtc", "totalAsset", "borrowEnabled", "repayEnabled", "marginRatio",
    "indexPrice", "liquidatePrice", "liquidateRate", "modifyId", "estimatedSettlePrice", "listenKey", "quoteQty",
    "fills",
}  # fmt: skip


@pytest.fixture
def venue() -> MemoryVenue:
    venue = MemoryVenue(BinanceSettings(market=STILL, symbols=("BTCUSDT", PERP)))
    lots = Decimal(100_000)
    move_market(
        venue.venue,
        MarketMove(symbol=PERP, bid=Decimal(50_000), ask=Decimal("50000.1"), bid_qty=lots, ask_qty=lots),
    )
    return venue


def limit(symbol: str, price: str, quantity: str, name: str) -> dict[str, object]:
    return {
        "symbol": symbol, "side": "BUY", "type": "LIMIT", "timeInForce": "GTC", "quantity": quantity, "price": price,
        "newClientOrderId": name, "newOrderRespType": "RESULT",
    }  # fmt: skip


def orders_of(
    root: str, symbol: str, price: str, quantity: str, fills: str
) -> list[tuple[str, str, dict[str, object]]]:
    """Calls in an order in which each finds something: an order that rests, one that is filled."""
    named = {"symbol": symbol, "origClientOrderId": "a"}
    market = {"symbol": symbol, "side": "BUY", "type": "MARKET", "quantity": quantity}
    calls: list[tuple[str, str, dict[str, object]]] = [
        ("POST", f"{root}/order", limit(symbol, price, quantity, "a")),
        ("GET", f"{root}/order", dict(named)),
        ("GET", f"{root}/openOrders", {"symbol": symbol}),
    ]
    if "margin" not in root:
        change = {"side": "BUY", "quantity": quantity, "price": price[:-1] + "1"}
        calls.append(("PUT", f"{root}/order", {**named, **change}))
    calls += [("DELETE", f"{root}/order", dict(named)), ("POST", f"{root}/order", dict(market))]
    return [*calls, ("GET", f"{root}/{fills}", {"symbol": symbol})]


CALLS: dict[str, list[tuple[str, str, dict[str, object]]]] = {
    "coinm": [
        *orders_of("/dapi/v1", PERP, "49000.0", "3", "userTrades"),
        ("GET", "/dapi/v1/balance", {}),
        ("GET", "/dapi/v1/positionRisk", {}),
        ("GET", "/dapi/v1/positionSide/dual", {}),
        ("GET", "/dapi/v1/premiumIndex", {"symbol": PERP}),
        ("GET", "/dapi/v1/ticker/24hr", {"symbol": PERP}),
        ("GET", "/dapi/v1/ticker/price", {"symbol": PERP}),
        ("GET", "/dapi/v1/trades", {"symbol": PERP}),
        ("POST", "/dapi/v1/leverage", {"symbol": PERP, "leverage": 7}),
        ("POST", "/dapi/v1/listenKey", {}),
        ("DELETE", "/dapi/v1/allOpenOrders", {"symbol": PERP}),
    ],
    "margin": [
        *orders_of("/sapi/v1/margin", "BTCUSDT", "59000.0", "0.01", "myTrades"),
        ("GET", "/sapi/v1/margin/account", {}),
        ("GET", "/sapi/v1/margin/isolated/account", {}),
    ],
    "pm": [
        *orders_of("/papi/v1/um", "BTCUSDT", "59000.0", "0.01", "userTrades"),
        *orders_of("/papi/v1/cm", PERP, "49000.0", "3", "userTrades"),
        *orders_of("/papi/v1/margin", "BTCUSDT", "59000.0", "0.01", "myTrades"),
        ("GET", "/papi/v1/balance", {}),
        ("GET", "/papi/v1/um/positionRisk", {}),
        ("GET", "/papi/v1/cm/positionRisk", {}),
        ("GET", "/papi/v1/um/positionSide/dual", {}),
        ("POST", "/papi/v1/listenKey", {}),
    ],
}


@pytest.mark.parametrize("name", CALLS)
def test_replies_have_the_documented_keys(testdata: Path, venue: MemoryVenue, name: str) -> None:
    examples = load(testdata, f"doc_examples/{name}_rest_api.json")
    wrong: list[str] = []
    for method, path, params in CALLS[name]:
        reply = venue.call(method, path, **params)
        assert reply.status == 200, (method, path, reply.body)
        example: Any = examples[f"{method} {path}"]["response"]
        wrong += differences(reply.body, example, f"{method} {path}", NOT_EMULATED)
    assert not wrong, "\n".join(wrong)
