"""The WebSocket API: replies, sessions, spot user data, and faults on either route."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import aiohttp
import pytest
from venue_client import Ed25519Key, Socket, VenueClient, now_ms

from nexustrader.emulator.binance.emulator import BinanceEmulator
from nexustrader.emulator.binance.venue import BinanceSettings
from nexustrader.emulator.orders.accounts import AccountSpec
from nexustrader.emulator.venue import STILL

pytestmark = pytest.mark.slow

SILENCE_S = 0.3
ORDER = {
    "symbol": "BTCUSDT", "side": "BUY", "type": "LIMIT", "timeInForce": "GTC", "quantity": "0.1", "price": "59000"
}  # fmt: skip


async def ask(
    socket: Socket, method: str, params: dict[str, object] | None = None, number: object = 1
) -> Any:
    await socket.send({"id": number, "method": method, "params": params or {}})
    return await socket.until(lambda message: "status" in message)


async def test_orders_over_the_socket_are_the_same_orders(client: VenueClient) -> None:
    for path, rest in (("/ws-fapi/v1", "/fapi/v1/order"), ("/ws-api/v3", "/api/v3/order")):
        socket = await client.connect(path)
        placed = await ask(socket, "order.place", client.ws_params(**ORDER), "p")
        assert (placed["id"], placed["status"], placed["result"]["status"]) == ("p", 200, "NEW")
        kinds = [row["rateLimitType"] for row in placed["rateLimits"]]
        assert kinds == ["ORDERS", "ORDERS", "REQUEST_WEIGHT"]
        query = {"symbol": "BTCUSDT", "orderId": placed["result"]["orderId"]}
        assert (await client.call("GET", rest, signed=True, **query)).body["status"] == "NEW"
        canceled = await ask(socket, "order.cancel", client.ws_params(**query))
        assert canceled["result"]["status"] == "CANCELED"
        again = await ask(socket, "order.cancel", client.ws_params(**query))
        assert (again["status"], again["error"]) == (400, {"code": -2011, "msg": "Unknown order sent."})


async def test_numbers_and_booleans_are_taken_as_they_are_signed(client: VenueClient) -> None:
    socket = await client.connect("/ws-fapi/v1")
    await ask(socket, "order.place", client.ws_params(**{**ORDER, "side": "BUY", "price": "60000.1"}))
    unsigned = {**ORDER, "side": "SELL", "price": "60000.0", "reduceOnly": True, "recvWindow": 4_000}
    signed = {**unsigned, "apiKey": client.api_key, "timestamp": now_ms()}
    payload = "&".join(f"{k}={json.dumps(v).strip(chr(34))}" for k, v in sorted(signed.items()))
    reply = await ask(socket, "order.place", {**signed, "signature": client.sign(payload)})
    assert (reply["status"], reply["result"]["reduceOnly"]) == (200, True)


async def test_rate_limits_are_left_out_on_request(client: VenueClient) -> None:
    socket = await client.connect("/ws-api/v3?returnRateLimits=false")
    assert "rateLimits" not in await ask(socket, "ping")
    assert "rateLimits" in await ask(socket, "ping", {"returnRateLimits": True})
    other = await client.connect("/ws-api/v3")
    assert "rateLimits" not in await ask(other, "ping", {"returnRateLimits": False})


async def test_requests_that_cannot_be_read_or_are_unknown_are_refused(client: VenueClient) -> None:
    socket = await client.connect("/ws-api/v3")
    await socket.raw.send_str("not json")
    refused = await socket.next()
    assert (refused["id"], refused["status"]) == (None, 400)
    assert (await ask(socket, "order.nothing", number=None))["error"]["code"] == -1020
    assert (await ask(socket, "v3/time"))["status"] == 200
    futures = await client.connect("/ws-fapi/v1")
    assert (await ask(futures, "v1/login"))["error"] == {"code": -5000, "msg": "Method v1/login is invalid"}
    unsigned = await ask(futures, "order.place", {**ORDER, "apiKey": client.api_key, "timestamp": now_ms()})
    assert unsigned["error"]["code"] == -1102
    wrong = {**client.ws_params(**ORDER), "signature": "00"}
    assert (await ask(futures, "order.place", wrong))["error"]["code"] == -1022


async def test_only_ed25519_keys_may_log_a_session_on(client: VenueClient) -> None:
    socket = await client.connect("/ws-api/v3")
    refused = await ask(socket, "session.logon", client.ws_params())
    assert refused["error"] == {"code": -4056, "msg": "HMAC_SHA256 API key is not supported."}
    key = Ed25519Key()
    accounts = [AccountSpec(api_key="e" * 64, public_key_pem=key.public_pem)]
    async with (
        BinanceEmulator(BinanceSettings(market=STILL), accounts=accounts) as emulator,
        VenueClient(emulator, "e" * 64, "unused") as other,
    ):
        socket = await other.connect("/ws-api/v3")
        assert (await ask(socket, "userDataStream.subscribe"))["error"]["code"] == -2015
        params: dict[str, object] = {"apiKey": "e" * 64, "timestamp": now_ms()}
        params["signature"] = key.sign(f"apiKey={'e' * 64}&timestamp={params['timestamp']}")
        logged_on = await ask(socket, "session.logon", params)
        assert logged_on["result"]["apiKey"] == "e" * 64
        placed = await ask(socket, "order.place", {**ORDER, "timestamp": now_ms()})
        assert placed["result"]["status"] == "NEW"
        assert (await ask(socket, "order.place", ORDER))["error"]["code"] == -1102
        assert (await ask(socket, "userDataStream.subscribe"))["result"] == {"subscriptionId": 0}
        assert (await ask(socket, "session.logout"))["result"]["apiKey"] is None
        assert (await ask(socket, "order.place", {**ORDER, "timestamp": now_ms()}))["error"]["code"] == -2014


async def test_spot_user_data_is_subscribed_by_signature_once_and_ended(client: VenueClient) -> None:
    socket = await client.connect("/ws-api/v3")
    first = await ask(socket, "userDataStream.subscribe.signature", client.ws_params())
    assert first["result"] == {"subscriptionId": 0}
    again = await ask(socket, "userDataStream.subscribe.signature", client.ws_params())
    assert again["error"]["code"] == -2035
    assert (await ask(socket, "session.subscriptions"))["result"] == [{"subscriptionId": 0}]
    await client.spot_limit("BUY", "0.1", "59000")
    assert (await socket.next())["subscriptionId"] == 0
    assert (await ask(socket, "userDataStream.unsubscribe", {"subscriptionId": 0}))["result"] == {}
    assert (await ask(socket, "userDataStream.unsubscribe"))["error"]["code"] == -2036
    await client.spot_limit("BUY", "0.1", "59000")
    assert await socket.silent(SILENCE_S)


async def user_events(client: VenueClient) -> Socket:
    socket = await client.connect("/ws-api/v3")
    await ask(socket, "userDataStream.subscribe.signature", client.ws_params())
    return socket


async def test_a_spot_order_is_told_step_by_step_with_its_money(
    emulator: BinanceEmulator, client: VenueClient, testdata: Path
) -> None:
    socket = await user_events(client)
    await client.spot_limit("BUY", "0.3", "59000", newClientOrderId="mine")
    emulator.trade("BTCUSDT", "58999", "0.1", "SELL", product="spot")
    query = {"symbol": "BTCUSDT", "origClientOrderId": "mine", "newClientOrderId": "cancel"}
    await client.call("DELETE", "/api/v3/order", signed=True, **query)
    events = [message["event"] for message in await socket.count(6)]
    assert [e["e"] for e in events] == ["executionReport", "outboundAccountPosition"] * 3
    reports = events[::2]
    assert [(r["x"], r["X"], r["z"], r["c"], r["C"]) for r in reports] == [
        ("NEW", "NEW", "0.00000000", "mine", ""),
        ("TRADE", "PARTIALLY_FILLED", "0.10000000", "mine", ""),
        ("CANCELED", "CANCELED", "0.10000000", "cancel", "mine"),
    ]
    trade = reports[1]
    assert (trade["L"], trade["n"], trade["N"], trade["m"]) == ("59000.00000000", "0.00010000", "BTC", True)
    locked = [{b["a"]: b["l"] for b in e["B"]}["USDT"] for e in events[1::2]]
    assert locked == ["17700.00000000", "11800.00000000", "0.00000000"]
    samples = testdata / "wire/binance/samples/transcripts"
    for mine, name in ((reports[0], "Order"), (events[1], "AccountPosition")):
        lines = (samples / f"spot_account__{name}.jsonl").read_text().splitlines()
        assert mine.keys() == json.loads(lines[-1])["msg"]["event"].keys()


async def test_a_spot_market_order_and_an_expired_one_are_told(
    emulator: BinanceEmulator, client: VenueClient
) -> None:
    socket = await user_events(client)
    await client.spot_order(side="BUY", type="MARKET", quantity="0.1")
    reports = [m["event"] for m in await socket.count(4)][::2]
    assert [(r["x"], r["X"], r["w"]) for r in reports] == [("NEW", "NEW", True), ("TRADE", "FILLED", False)]
    assert reports[0]["t"] == -1
    emulator.move("BTCUSDT", "60000.0", "60000.1", product="spot", quantity="0.4")
    await client.spot_limit("BUY", "1", "60000.1", "IOC")
    reports = [m["event"] for m in await socket.count(6)][::2]
    assert [r["x"] for r in reports] == ["NEW", "TRADE", "EXPIRED"]
    assert reports[-1]["eR"] == "UNFILLED_IOC_QUANTITY_EXPIRED"


# -- faults ---------------------------------------------------------------------------------------------------


async def test_a_dropped_ack_leaves_the_order_alive_on_either_route(
    emulator: BinanceEmulator, client: VenueClient
) -> None:
    emulator.inject("drop_ack", on="order.place", count=2)
    socket = await client.connect("/ws-fapi/v1")
    await socket.send({"id": 1, "method": "order.place", "params": client.ws_params(**ORDER)})
    assert await socket.silent(SILENCE_S)
    with pytest.raises(TimeoutError):
        async with __import__("asyncio").timeout(SILENCE_S):
            await client.usdm_limit("BUY", "0.1", "59000")
    orders = (await client.call("GET", "/fapi/v1/openOrders", signed=True)).body
    assert len(orders) == 2
    assert emulator.venue.faults.fired == {"drop_ack": 2}
    assert (await client.usdm_limit("BUY", "0.1", "59000")).status == 200


async def test_a_dropped_request_never_was(emulator: BinanceEmulator, client: VenueClient) -> None:
    emulator.inject("drop_request", route="ws")
    socket = await client.connect("/ws-fapi/v1")
    await socket.send({"id": 1, "method": "order.place", "params": client.ws_params(**ORDER)})
    assert await socket.silent(SILENCE_S)
    assert (await client.call("GET", "/fapi/v1/openOrders", signed=True)).body == []


async def test_an_ack_may_come_after_the_events_of_the_stream(
    emulator: BinanceEmulator, client: VenueClient
) -> None:
    emulator.inject("delay_ack_ms", delay_ms=200, count=2)
    socket = await user_events(client)
    await socket.send({"id": 9, "method": "order.place", "params": client.ws_params(**ORDER)})
    first, second, ack = await socket.count(3)
    assert (first["event"]["e"], second["event"]["e"], ack["id"]) == (
        "executionReport", "outboundAccountPosition", 9
    )  # fmt: skip
    assert (await client.usdm_limit("BUY", "0.1", "59000")).status == 200


async def test_requests_can_be_refused_with_any_code_and_status(
    emulator: BinanceEmulator, client: VenueClient
) -> None:
    armed = {"action": "reject_next", "code": -2019, "msg": "Margin is insufficient.", "on": "order.place"}
    assert (await client.admin("POST", "faults", armed)).body == {"struck": 0}
    assert (await client.usdm_limit("BUY", "0.1", "59000")).body == {
        "code": -2019,
        "msg": "Margin is insufficient.",
    }
    emulator.inject("http_status_next", status=503, code=-1008, msg="Request throttled", on="*")
    reply = await client.call("GET", "/fapi/v1/time")
    assert (reply.status, reply.code) == (503, -1008)
    emulator.inject("http_status_next", status=403, body="<html>WAF</html>", on="*")
    reply = await client.call("GET", "/fapi/v1/time")
    assert (reply.status, reply.body) == (403, "<html>WAF</html>")
    emulator.inject("http_status_after", status=408, code=-1007, msg="Timeout", on="order.place")
    assert (await client.usdm_limit("BUY", "0.1", "59000")).status == 408
    assert len((await client.call("GET", "/fapi/v1/openOrders", signed=True)).body) == 1
    assert (await client.admin("GET", "faults")).body["fired"] == {
        "reject_next": 1, "http_status_next": 2, "http_status_after": 1
    }  # fmt: skip
    refused = await client.admin("POST", "faults", {"action": "explode"})
    assert refused.status == 400


@pytest.mark.parametrize(("action", "left"), [("reset_before", 0), ("reset_after", 1)])
async def test_a_cut_connection_says_nothing_about_the_order(
    emulator: BinanceEmulator, client: VenueClient, action: str, left: int
) -> None:
    emulator.inject(action, on="order.place", product="usdm", route="rest")
    with pytest.raises(aiohttp.ClientError):
        await client.usdm_limit("BUY", "0.1", "59000")
    assert len((await client.call("GET", "/fapi/v1/openOrders", signed=True)).body) == left
