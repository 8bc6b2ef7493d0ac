"""REST as a client meets it: identity, ways of sending parameters, limits, market data, unknown paths."""

from __future__ import annotations

from collections.abc import AsyncIterator

import pytest
from venue_client import Ed25519Key, VenueClient, now_ms

from nexustrader.emulator.binance.emulator import BinanceEmulator
from nexustrader.emulator.binance.venue import BinanceSettings
from nexustrader.emulator.orders.accounts import AccountSpec
from nexustrader.emulator.venue import STILL

pytestmark = pytest.mark.slow


async def test_the_origin_is_loopback_only(emulator: BinanceEmulator) -> None:
    assert emulator.url.startswith("http://127.0.0.1:")


@pytest.mark.parametrize(
    "path",
    ["/api/v3/ping", "/spot/api/v3/ping", "/fapi/v1/ping", "/usdm/fapi/v1/ping"],
)
async def test_both_products_answer_with_and_without_prefix(client: VenueClient, path: str) -> None:
    reply = await client.call("GET", path)
    assert (reply.status, reply.body) == (200, {})
    assert int(reply.headers["X-MBX-USED-WEIGHT-1M"]) >= 1


async def test_identity_is_refused_in_the_documented_words(client: VenueClient) -> None:
    path, key = "/fapi/v3/balance", {"X-MBX-APIKEY": client.api_key}
    right = f"timestamp={now_ms()}"
    signed = f"{right}&signature={client.sign(right)}"
    stale = f"timestamp={now_ms() - 6_000}"
    for query, headers, status, code in (
        (signed, {}, 401, -2014),
        (signed, {"X-MBX-APIKEY": "0" * 64}, 401, -2015),
        (right, key, 400, -1102),
        (f"signature={client.sign('')}", key, 400, -1102),
        (f"{right}&signature={client.sign('other')}", key, 400, -1022),
        (f"{stale}&signature={client.sign(stale)}", key, 400, -1021),
        (signed, key, 200, 0),
    ):
        reply = await client.raw("GET", f"{path}?{query}", headers)
        assert (reply.status, reply.body.get("code", 0) if status != 200 else 0) == (status, code), query


async def test_parameters_may_come_in_query_body_or_both(client: VenueClient) -> None:
    key = {"X-MBX-APIKEY": client.api_key}
    order = "symbol=BTCUSDT&side=BUY&type=LIMIT&timeInForce=GTC&quantity=0.1&price=59000"
    for query, body in ((f"{order}&{{time}}", ""), ("", f"{order}&{{time}}"), (order, "{time}")):
        time = f"timestamp={now_ms()}"
        query, body = query.format(time=time), body.format(time=time)
        signature = f"signature={client.sign(query + body)}"
        if body:
            body = f"{body}&{signature}"
        else:
            query = f"{query}&{signature}"
        reply = await client.raw("POST", f"/fapi/v1/order?{query}", key, body)
        assert (reply.status, reply.body.get("status")) == (200, "NEW"), reply.body


async def test_order_counts_are_told_on_orders(client: VenueClient) -> None:
    await client.usdm_limit("BUY", "0.1", "59000")
    reply = await client.usdm_limit("BUY", "0.1", "59000")
    assert reply.headers["X-MBX-ORDER-COUNT-10S"] == "2"
    assert reply.headers["X-MBX-ORDER-COUNT-1M"] == "2"
    spot = await client.spot_limit("BUY", "0.1", "59000")
    assert spot.headers["X-MBX-ORDER-COUNT-1D"] == "1"
    assert spot.headers["X-MBX-USED-WEIGHT-1M"] == "0"


async def test_beyond_the_weight_limit_rest_answers_429_with_a_time_to_wait(client: VenueClient) -> None:
    statuses = set()
    for _ in range(130):
        reply = await client.call("GET", "/fapi/v1/depth", symbol="BTCUSDT", limit=1000)
        statuses.add(reply.status)
        if reply.status == 429:
            break
    assert statuses == {200, 429}
    assert reply.code == -1003
    assert 0 < int(reply.headers["Retry-After"]) <= 60
    assert (await client.call("GET", "/api/v3/ping")).status == 200


async def test_too_many_orders_are_refused_with_429(client: VenueClient) -> None:
    for _ in range(3):
        replies = [
            await client.spot_limit("BUY", "0.1", "59000", newClientOrderId="twin") for _ in range(101)
        ]
        if replies[-1].code == -1015:
            break  # a window of ten seconds may have ended in between
    assert (replies[-1].status, replies[-1].code) == (429, -1015)
    assert replies[-1].body["msg"] == "Too many new orders; current limit is 100 orders per 10 SECOND."


async def test_unknown_symbols_limits_intervals_and_paths_are_refused(client: VenueClient) -> None:
    for path, params, status, code in (
        ("/fapi/v1/ticker/24hr", {"symbol": "NOPE"}, 400, -1121),
        ("/api/v3/exchangeInfo", {"symbol": "NOPE"}, 400, -1121),
        ("/fapi/v1/depth", {"symbol": "BTCUSDT", "limit": 7}, 400, -4021),
        ("/fapi/v1/klines", {"symbol": "BTCUSDT", "interval": "7m"}, 400, -1120),
        ("/fapi/v1/klines", {"symbol": "BTCUSDT", "interval": "1s"}, 400, -1120),
        ("/fapi/v1/nothing", {}, 404, -5000),
    ):
        reply = await client.call("GET", path, **params)
        assert (reply.status, reply.code) == (status, code), path
    assert (await client.call("GET", "/api/v3/nothing")).status == 404
    assert (await client.call("GET", "/nowhere")).status == 404


async def test_the_book_is_the_one_that_was_set(emulator: BinanceEmulator, client: VenueClient) -> None:
    book = {
        "symbol": "BTCUSDT",
        "bids": [["50000.0", "1"], ["49999.9", "2"]],
        "asks": [["50000.5", "3"], ["50001.0", "4"]],
    }
    assert (await client.admin("POST", "market", {**book, "product": "usdm"})).body == {"moved": 1}
    depth = (await client.call("GET", "/fapi/v1/depth", symbol="BTCUSDT", limit=5)).body
    assert depth["bids"] == [["50000.00", "1.000"], ["49999.90", "2.000"]]
    assert depth["asks"][:2] == [["50000.50", "3.000"], ["50001.00", "4.000"]]
    ticker = (await client.call("GET", "/fapi/v1/ticker/bookTicker", symbol="BTCUSDT")).body
    assert (ticker["bidPrice"], ticker["askQty"]) == ("50000.00", "3.000")
    mark = (await client.call("GET", "/fapi/v1/premiumIndex", symbol="BTCUSDT")).body
    assert mark["markPrice"] == "50000.25000000"
    emulator.trade("BTCUSDT", "50000.5", "0.5", "BUY", product="usdm")
    (trade,) = (await client.call("GET", "/fapi/v1/trades", symbol="BTCUSDT")).body
    assert (trade["price"], trade["qty"], trade["isBuyerMaker"]) == ("50000.50", "0.500", False)
    price = (await client.call("GET", "/fapi/v1/ticker/price", symbol="BTCUSDT")).body
    assert price["price"] == "50000.50"


async def test_lists_of_symbols_and_all_symbols_are_answered_as_lists(client: VenueClient) -> None:
    two = await client.call("GET", "/api/v3/ticker/price", symbols='["BTCUSDT","ETHUSDT"]')
    assert [row["symbol"] for row in two.body] == ["BTCUSDT", "ETHUSDT"]
    every = await client.call("GET", "/fapi/v1/ticker/bookTicker")
    assert len(every.body) == 4
    one = await client.call("GET", "/api/v3/exchangeInfo", symbol="ODDUSDT")
    assert [symbol["symbol"] for symbol in one.body["symbols"]] == ["ODDUSDT"]


async def test_control_endpoints_need_the_token(emulator: BinanceEmulator, client: VenueClient) -> None:
    for method, path in (("GET", "ledger"), ("POST", "market"), ("POST", "faults"), ("POST", "shutdown")):
        for headers in ({}, {"X-Emulator-Token": "wrong"}):
            assert (await client.raw(method, f"/emulator/{path}", headers)).status == 403
    assert (await client.raw("GET", "/emulator/status")).body["venue"] == "binance"
    assert (await client.admin("GET", "ledger")).body == emulator.ledger()
    bad = await client.admin("POST", "market", {"symbol": "NOPE", "bid": "1", "ask": "2"})
    assert (bad.status, "NOPE" in bad.body["error"]) == (400, True)
    assert (await client.admin("POST", "shutdown")).body == {"stopping": True}
    await emulator.stopped.wait()


@pytest.fixture
async def two_accounts() -> AsyncIterator[tuple[BinanceEmulator, Ed25519Key]]:
    key = Ed25519Key()
    accounts = [
        AccountSpec(api_key="a" * 64, secret="s", name="maker"),
        AccountSpec(api_key="b" * 64, public_key_pem=key.public_pem, name="taker"),
    ]
    async with BinanceEmulator(BinanceSettings(market=STILL), accounts=accounts) as emulator:
        emulator.move("BTCUSDT", "60000.0", "60010.0", product="usdm")
        yield emulator, key


async def test_accounts_meet_in_one_book_and_sign_each_in_their_way(
    two_accounts: tuple[BinanceEmulator, Ed25519Key],
) -> None:
    from urllib.parse import quote

    emulator, key = two_accounts
    async with VenueClient(emulator) as maker:
        assert (await maker.usdm_limit("SELL", "0.1", "60005.0", "GTX")).status == 200
        payload = "symbol=BTCUSDT&side=BUY&type=LIMIT&timeInForce=IOC&quantity=0.1&price=60005.0"
        payload += f"&timestamp={now_ms()}"
        query = f"{payload}&signature={quote(key.sign(payload), safe='')}"
        taken = await maker.raw("POST", f"/fapi/v1/order?{query}", {"X-MBX-APIKEY": "b" * 64})
        assert taken.status == 200, taken.body
        wrong = f"{payload}&signature={quote(key.sign(payload + '0'), safe='')}"
        refused = await maker.raw("POST", f"/fapi/v1/order?{wrong}", {"X-MBX-APIKEY": "b" * 64})
        assert refused.code == -1022
        (trade,) = (await maker.call("GET", "/fapi/v1/userTrades", signed=True, symbol="BTCUSDT")).body
        assert (trade["maker"], trade["price"], trade["commission"]) == (True, "60005.00", "1.20010000")
    accounts = emulator.ledger()["accounts"]
    fills = [accounts[name]["usdm"]["fills"][0] for name in ("maker", "taker")]  # type: ignore[index]
    assert fills[0]["trade_id"] == fills[1]["trade_id"]
    assert emulator.venue.check_invariants() == []
