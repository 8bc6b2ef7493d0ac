"""Portfolio margin, emulated: three markets under one account, one listen key for all of their events."""

from __future__ import annotations

from decimal import Decimal
from typing import Any

import pytest
from memory_venue import MemorySocket, MemoryVenue

from nexustrader.emulator.binance.venue import BinanceSettings
from nexustrader.emulator.market.moves import MarketMove, move_market
from nexustrader.emulator.venue import STILL

PERP = "BTCUSD_PERP"


@pytest.fixture
def venue() -> MemoryVenue:
    venue = MemoryVenue(BinanceSettings(market=STILL, symbols=("BTCUSDT", PERP)))
    lots = Decimal(100_000)
    move = MarketMove(symbol=PERP, bid=Decimal(50_000), ask=Decimal("50000.1"), bid_qty=lots, ask_qty=lots)
    move_market(venue.venue, move)
    return venue


def order(
    venue: MemoryVenue, line: str, side: str, quantity: str, price: str | None = None, **more: object
) -> Any:
    kind = {"type": "MARKET"} if price is None else {"type": "LIMIT", "timeInForce": "GTC", "price": price}
    symbol = PERP if line == "cm" else "BTCUSDT"
    fields = {"symbol": symbol, "side": side, "quantity": quantity, **kind, **more}
    return venue.call("POST", f"/papi/v1/{line}/order", **fields)


def get(venue: MemoryVenue, path: str, **params: object) -> Any:
    return venue.call("GET", f"/papi/v1/{path}", **params).body


def listen(venue: MemoryVenue) -> MemorySocket:
    key = venue.call("POST", "/papi/v1/listenKey").body["listenKey"]
    return venue.socket(f"/pm/ws/{key}")


def test_each_line_has_orders_and_positions_of_its_own(venue: MemoryVenue) -> None:
    for line, quantity in (("um", "0.01"), ("cm", "3"), ("margin", "0.02")):
        order(venue, line, "BUY", quantity, "45000" if line == "cm" else "58000", newClientOrderId="same")
    for line, symbol in (("um", "BTCUSDT"), ("cm", PERP), ("margin", "BTCUSDT")):
        (row,) = get(venue, f"{line}/openOrders", symbol=symbol)
        assert (row["clientOrderId"], row["symbol"]) == ("same", symbol)
        assert ("cumBase" in row, "cummulativeQuoteQty" in row) == (line == "cm", line == "margin")
    order(venue, "um", "SELL", "0.01")
    order(venue, "cm", "BUY", "7")
    assert [row["positionAmt"] for row in get(venue, "um/positionRisk")] == ["-0.010"]
    assert next(row for row in get(venue, "cm/positionRisk") if row["symbol"] == PERP)["positionAmt"] == "7"
    assert venue.get("v3/positionRisk") == [], "the main account has none of it"


def test_balances_are_three_wallets_of_each_asset(venue: MemoryVenue) -> None:
    order(venue, "margin", "BUY", "0.01", "59000")
    rows = {row["asset"]: row for row in get(venue, "balance")}
    dollars = {
        name: Decimal(value) for name, value in rows["USDT"].items() if name.startswith(("cross", "um", "cm"))
    }
    assert (dollars["crossMarginLocked"], dollars["crossMarginFree"]) == (590, 49_410)
    assert (dollars["umWalletBalance"], dollars["cmWalletBalance"]) == (50_000, 0)
    assert Decimal(rows["USDT"]["totalWalletBalance"]) == 100_000
    assert Decimal(rows["BTC"]["cmWalletBalance"]) == 5


def test_events_of_all_lines_come_on_one_key_with_the_name_of_their_line(venue: MemoryVenue) -> None:
    socket = listen(venue)
    order(venue, "um", "BUY", "0.01")
    order(venue, "cm", "BUY", "3")
    order(venue, "margin", "BUY", "0.01")
    told = [(frame["e"], frame.get("fs")) for frame in socket.take()]
    assert told == [
        ("ORDER_TRADE_UPDATE", "UM"),
        ("ACCOUNT_UPDATE", "UM"),
        ("ORDER_TRADE_UPDATE", "UM"),
        ("ORDER_TRADE_UPDATE", "CM"),
        ("ACCOUNT_UPDATE", "CM"),
        ("ORDER_TRADE_UPDATE", "CM"),
        ("executionReport", None),
        ("outboundAccountPosition", None),
        ("executionReport", None),
        ("outboundAccountPosition", None),
    ]
    assert venue.call("PUT", "/papi/v1/listenKey").status == 200
    venue.wait(3_600_001)
    assert [frame["e"] for frame in socket.take()] == ["listenKeyExpired"]
    assert venue.call("PUT", "/papi/v1/listenKey").code == -1125


def test_other_accounts_hear_nothing_of_it(venue: MemoryVenue) -> None:
    usdm, spot, portfolio = venue.user_stream(), venue.spot_user_stream(), listen(venue)
    order(venue, "um", "BUY", "0.01")
    order(venue, "margin", "BUY", "0.01")
    assert (usdm.take(), spot.take()) == ([], [])
    portfolio.take()
    venue.limit("BUY", "0.01", "58000")
    assert portfolio.take() == []


def test_executions_of_futures_cannot_be_asked_for_by_order(venue: MemoryVenue) -> None:
    first = order(venue, "um", "BUY", "0.01").body["orderId"]
    order(venue, "um", "BUY", "0.02")
    assert len(get(venue, "um/userTrades", symbol="BTCUSDT", orderId=first)) == 2
    bought = order(venue, "margin", "BUY", "0.01", newOrderRespType="FULL").body
    assert "tradeId" not in bought["fills"][0]
    assert len(get(venue, "margin/myTrades", symbol="BTCUSDT", orderId=bought["orderId"])) == 1


def test_orders_are_changed_and_cancelled_by_line(venue: MemoryVenue) -> None:
    order(venue, "cm", "BUY", "3", "49000.0", newClientOrderId="a")
    changed = venue.call(
        "PUT",
        "/papi/v1/cm/order",
        symbol=PERP,
        origClientOrderId="a",
        side="BUY",
        quantity="4",
        price="49100.0",
    ).body
    assert (changed["origQty"], changed["status"]) == ("4", "NEW")
    assert venue.call("DELETE", "/papi/v1/um/order", symbol="BTCUSDT", origClientOrderId="a").code == -2011
    assert venue.call("DELETE", "/papi/v1/cm/allOpenOrders", symbol=PERP).code == 200
    assert get(venue, "cm/order", symbol=PERP, origClientOrderId="a")["status"] == "CANCELED"
    assert get(venue, "cm/openOrders") == []


@pytest.mark.parametrize(
    ("line", "changes", "code"),
    [
        ("um", {"newClientOrderId": "x" * 33}, -4015),
        ("um", {"quantity": "0.0001"}, -1111),
        ("um", {"reduceOnly": "true"}, -2022),
        ("cm", {"timeInForce": "GTX", "price": "51000"}, -5022),
        ("margin", {"type": "LIMIT_MAKER", "timeInForce": None, "price": "61000"}, -2010),
        ("margin", {"quantity": "5"}, -2010),
    ],
)
def test_what_breaks_a_rule_is_refused_with_its_code(
    venue: MemoryVenue, line: str, changes: dict[str, str], code: int
) -> None:
    price = "49000" if line == "cm" else "59000"
    fields = {"quantity": "3" if line == "cm" else "0.01", "price": price, **changes}
    assert order(venue, line, "BUY", fields.pop("quantity"), fields.pop("price"), **fields).code == code


def test_margin_orders_are_listed_by_symbol_only_and_signatures_are_checked(venue: MemoryVenue) -> None:
    assert venue.call("GET", "/papi/v1/margin/openOrders").code == -1102
    assert venue.call("GET", "/papi/v1/balance", signed=False).code in (-1102, -2014)
    assert venue.call("GET", "/papi/v1/nothing").status == 404


def test_its_limits_are_its_own(venue: MemoryVenue) -> None:
    headers = order(venue, "um", "BUY", "0.01", "58000").headers
    assert headers["X-MBX-ORDER-COUNT-1M"] == "1"
    order(venue, "cm", "BUY", "1", "45000")
    again = order(venue, "um", "BUY", "0.01", "58000").headers
    assert again["X-MBX-ORDER-COUNT-1M"] == "3"
    assert again["X-MBX-USED-WEIGHT-1M"] == "3"
    assert venue.limit("BUY", "0.01", "58000").headers["X-MBX-ORDER-COUNT-1M"] == "1"
