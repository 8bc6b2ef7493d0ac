"""COIN-M, emulated: inverse contracts, whose money is in the base coin."""

from __future__ import annotations

from decimal import Decimal
from typing import Any

import pytest
from memory_venue import MemoryVenue, steps

from nexustrader.emulator.binance.venue import BinanceSettings
from nexustrader.emulator.market.moves import MarketMove, move_market
from nexustrader.emulator.venue import STILL

PERP, DATED = "BTCUSD_PERP", "BTCUSD_270326"
SIZE, TAKER = 100, Decimal("0.0005")


@pytest.fixture
def venue() -> MemoryVenue:
    """BTCUSD_PERP at 50000.0/50000.1."""
    venue = MemoryVenue(BinanceSettings(market=STILL, symbols=("BTCUSDT", PERP, DATED)))
    move(venue, "50000.0", "50000.1")
    return venue


def move(venue: MemoryVenue, bid: str, ask: str, symbol: str = PERP) -> None:
    lots = Decimal(100_000)
    move_market(
        venue.venue,
        MarketMove(
            symbol=symbol, product="coinm", bid=Decimal(bid), ask=Decimal(ask), bid_qty=lots, ask_qty=lots
        ),
    )


def order(venue: MemoryVenue, side: str, quantity: str, price: str | None = None, **more: object) -> Any:
    kind = {"type": "MARKET"} if price is None else {"type": "LIMIT", "timeInForce": "GTC", "price": price}
    fields = {
        "symbol": PERP,
        "side": side,
        "quantity": quantity,
        "newOrderRespType": "RESULT",
        **kind,
        **more,
    }
    return venue.call("POST", "/dapi/v1/order", **fields)


def get(venue: MemoryVenue, path: str, **params: object) -> Any:
    return venue.call("GET", f"/dapi/v1/{path}", **params).body


def test_profit_and_fees_of_contracts_are_paid_in_the_coin(venue: MemoryVenue) -> None:
    before = Decimal(get(venue, "balance")[0]["balance"])
    assert order(venue, "BUY", "50").body["status"] == "FILLED"
    move(venue, "60000.0", "60000.1")
    assert order(venue, "SELL", "50", reduceOnly="true").body["status"] == "FILLED"
    entry, leave = Decimal("50000.1"), Decimal("60000.0")
    profit = 50 * SIZE * (1 / entry - 1 / leave)
    fees = TAKER * 50 * SIZE * (1 / entry + 1 / leave)
    wallet = next(row for row in get(venue, "balance") if row["asset"] == "BTC")
    assert abs(Decimal(wallet["balance"]) - (before + profit - fees)) < Decimal("0.0000001")
    trades = get(venue, "userTrades", symbol=PERP)
    assert [row["commissionAsset"] for row in trades] == ["BTC", "BTC"]
    assert trades[0]["baseQty"] == f"{50 * SIZE / entry:.8f}"
    assert abs(sum(Decimal(row["realizedPnl"]) for row in trades) - profit) < Decimal("0.0000001")


def test_the_average_of_two_executions_is_the_harmonic_one(venue: MemoryVenue) -> None:
    lots = Decimal(10)
    move_market(
        venue.venue,
        MarketMove(
            symbol=PERP,
            product="coinm",
            bid=Decimal(50_000),
            ask=Decimal("50000.1"),
            bid_qty=lots,
            ask_qty=lots,
        ),
    )
    placed = order(venue, "BUY", "20", "52000.0", newClientOrderId="two").body
    assert (placed["status"], placed["executedQty"]) == ("PARTIALLY_FILLED", "10")
    assert "cumBase" not in placed
    move(venue, "51000.0", "51999.9")
    shown = get(venue, "order", symbol=PERP, origClientOrderId="two")
    executions = get(venue, "userTrades", symbol=PERP)
    base = sum(Decimal(row["qty"]) * SIZE / Decimal(row["price"]) for row in executions)
    assert shown["status"] == "FILLED"
    assert shown["cumBase"] == f"{base:.8f}"
    assert abs(Decimal(shown["avgPrice"]) - 20 * SIZE / base) < Decimal("0.001")


def test_positions_are_in_contracts_and_their_profit_in_coin(venue: MemoryVenue) -> None:
    order(venue, "SELL", "30")
    move(venue, "40000.0", "40000.1")
    (row,) = get(venue, "positionRisk", pair="BTCUSD", marginAsset="BTC")[:1]
    assert (row["symbol"], row["positionAmt"]) == (PERP, "-30")
    assert abs(
        Decimal(row["unRealizedProfit"]) - 30 * SIZE * (1 / Decimal("40000.05") - 1 / Decimal(50_000))
    ) < (Decimal("0.000001"))
    assert get(venue, "positionRisk", marginAsset="ETH") == []


def test_exchange_info_tells_what_a_contract_is_worth(venue: MemoryVenue) -> None:
    rows = {
        row["symbol"]: row for row in venue.call("GET", "/dapi/v1/exchangeInfo", signed=False).body["symbols"]
    }
    assert (rows[PERP]["contractSize"], rows[PERP]["contractStatus"], rows[PERP]["marginAsset"]) == (
        100, "TRADING", "BTC",
    )  # fmt: skip
    assert rows[DATED]["deliveryDate"] == 1_806_048_000_000
    assert "status" not in rows[PERP]


@pytest.mark.parametrize(
    ("changes", "code"),
    [
        ({"quantity": "0"}, -4003),
        ({"quantity": "1.5"}, -1111),
        ({"quantity": "1000001"}, -4005),
        ({"price": "50000.05"}, -1111),
        ({"price": "900"}, -4013),
        ({"price": "60000"}, -4016),
        ({"type": "STOP_MARKET"}, -4120),
        ({"symbol": "BTCUSDT"}, -1121),
        ({"positionSide": "LONG"}, -4061),
        ({"side": "SELL", "price": "50001", "reduceOnly": "true"}, -2022),
        ({"timeInForce": "GTX", "price": "50100"}, -5022),
        ({"quantity": "900000"}, -2019),
    ],
)
def test_what_breaks_a_rule_is_refused_with_its_code(
    venue: MemoryVenue, changes: dict[str, str], code: int
) -> None:
    fields = {"side": "BUY", "quantity": "3", "price": "49000.0", **changes}
    reply = order(venue, fields.pop("side"), fields.pop("quantity"), fields.pop("price"), **fields)
    assert (reply.status, reply.code) == (400, code)


def test_a_wrong_signature_is_refused(venue: MemoryVenue) -> None:
    assert venue.call("GET", "/dapi/v1/balance", signature="0").status == 400
    unsigned = venue.call("GET", "/dapi/v1/balance", signed=False)
    assert unsigned.code in (-2014, -1102)


def test_orders_and_requests_count_together_with_those_of_usdm(venue: MemoryVenue) -> None:
    first = order(venue, "BUY", "1", "49000.0").headers
    second = venue.limit("BUY", "0.01", "59000").headers
    assert (first["X-MBX-ORDER-COUNT-10S"], second["X-MBX-ORDER-COUNT-10S"]) == ("1", "2")
    before = int(get_headers(venue)["X-MBX-USED-WEIGHT-1M"])
    venue.get("v3/balance")
    assert int(get_headers(venue)["X-MBX-USED-WEIGHT-1M"]) == before + 5 + 1


def get_headers(venue: MemoryVenue) -> dict[str, str]:
    return venue.call("GET", "/dapi/v1/time", signed=False).headers


def test_user_events_come_on_the_path_that_streams_share_with_spot(venue: MemoryVenue) -> None:
    key = venue.call("POST", "/dapi/v1/listenKey").body["listenKey"]
    socket = venue.socket(f"/ws/{key}")
    order(venue, "BUY", "5")
    frames = socket.take()
    assert steps(frames) == ["NEW", "TRADE"]
    change = next(frame for frame in frames if frame["e"] == "ACCOUNT_UPDATE")
    assert [row["a"] for row in change["a"]["B"]] == ["BTC"]
    assert (change["a"]["P"][0]["s"], change["a"]["P"][0]["pa"]) == (PERP, "5")
    filled = frames[-1]["o"]
    assert (filled["ma"], filled["N"], filled["ap"]) == ("BTC", "BTC", "50000.1000")
    assert venue.inject("expire_listen_key", product="coinm") == 1
    assert socket.take()[-1]["e"] == "listenKeyExpired"


def test_streams_of_spot_and_of_coinm_share_a_connection(venue: MemoryVenue) -> None:
    socket = venue.socket(
        "/stream?streams=btcusdt@bookTicker/btcusd_perp@bookTicker/btcusd_270326@markPrice@1s"
    )
    move(venue, "50010.0", "50010.1")
    venue.move("60010.0", "60010.1")
    venue.wait(1_000)
    seen = {frame["stream"]: frame["data"] for frame in socket.take()}
    perp = seen["btcusd_perp@bookTicker"]
    assert (perp["b"], perp["ps"], perp["st"]) == ("50010.0", "BTCUSD", 2)
    dated = seen["btcusd_270326@markPrice@1s"]
    assert (dated["r"], dated["T"]) == ("", 0)
    socket.say({"method": "UNSUBSCRIBE", "params": ["btcusd_perp@bookTicker"], "id": 3})
    socket.take()
    move(venue, "50020.0", "50020.1")
    assert socket.take() == []


def test_candles_and_the_day_tell_contracts_and_coins(venue: MemoryVenue) -> None:
    (row,) = venue.call("GET", "/dapi/v1/ticker/24hr", signed=False, symbol=PERP).body
    assert row["pair"] == "BTCUSD"
    assert "quoteVolume" not in row
    assert abs(Decimal(row["baseVolume"]) * 50_000 / (Decimal(row["volume"]) * SIZE) - 1) < Decimal("0.5")
    bar = venue.call("GET", "/dapi/v1/klines", signed=False, symbol=PERP, interval="1h", limit="2").body[0]
    assert abs(Decimal(bar[7]) * Decimal(bar[4]) / (Decimal(bar[5]) * SIZE) - 1) < Decimal("0.2")


def test_an_order_is_modified_by_its_own_call_and_socket(venue: MemoryVenue) -> None:
    order(venue, "BUY", "5", "49000.0", newClientOrderId="a")
    changed = venue.call(
        "PUT", "/dapi/v1/order", symbol=PERP, origClientOrderId="a", side="BUY", quantity="6", price="49100.0"
    ).body
    assert (changed["origQty"], changed["price"], changed["pair"]) == ("6", "49100.0", "BTCUSD")
    api = venue.socket("/ws-dapi/v1")
    again = api.ask(
        "order.modify", symbol=PERP, origClientOrderId="a", side="BUY", quantity="7", price="49200.0"
    )["result"]
    assert again["origQty"] == "7"
    assert api.ask("order.cancel", symbol=PERP, origClientOrderId="a")["result"]["status"] == "CANCELED"
    assert api.ask("account.balance")["result"][0]["asset"] == "BTC"
    assert api.ask("v2/account.balance")["error"]["code"] == -5000
