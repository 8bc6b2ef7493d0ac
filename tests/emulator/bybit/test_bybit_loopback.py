"""The emulated Bybit over real sockets on loopback, alone and beside Binance in one process."""

from __future__ import annotations

import asyncio
import json
import signal
import subprocess
import sys
from collections.abc import Mapping
from typing import Any

import aiohttp
import pytest
from bybit_client import API_KEY, SECRET, sign

from nexustrader.emulator.bybit.emulator import BybitEmulator
from nexustrader.emulator.bybit.venue import BybitSettings
from nexustrader.emulator.orders.accounts import AccountSpec
from nexustrader.emulator.venue import STILL

pytestmark = pytest.mark.slow

RECEIVE_S_MAX = 5.0
ORDER = {"category": "linear", "symbol": "BTCUSDT", "side": "Buy", "orderType": "Market", "qty": "0.01"}


def emulator() -> BybitEmulator:
    accounts = [AccountSpec(api_key=API_KEY, secret=SECRET)]
    return BybitEmulator(BybitSettings(market=STILL), accounts=accounts)


def headers(payload: str, now_ms: int) -> Mapping[str, str]:
    return {
        "X-BAPI-API-KEY": API_KEY,
        "X-BAPI-TIMESTAMP": str(now_ms),
        "X-BAPI-RECV-WINDOW": "5000",
        "X-BAPI-SIGN": sign(f"{now_ms}{API_KEY}5000{payload}"),
        "Content-Type": "application/json",
    }


async def get(session: aiohttp.ClientSession, url: str) -> Any:
    async with session.get(url) as reply:
        return await reply.json()


async def receive(socket: aiohttp.ClientWebSocketResponse) -> Any:
    async with asyncio.timeout(RECEIVE_S_MAX):
        return json.loads((await socket.receive()).data)


async def log_in(socket: aiohttp.ClientWebSocketResponse, now_ms: int) -> None:
    expires = now_ms + 5_000
    await socket.send_json({"op": "auth", "args": [API_KEY, expires, sign(f"GET/realtime{expires}")]})
    await receive(socket)


async def test_an_order_goes_by_rest_and_comes_by_the_private_socket() -> None:
    async with emulator() as venue, aiohttp.ClientSession() as session:
        now_ms = venue.venue.clock.timestamp_ms()
        async with session.ws_connect(f"{venue.url}/v5/private") as private:
            await log_in(private, now_ms)
            await private.send_json({"op": "subscribe", "args": ["order"]})
            assert (await receive(private))["success"] is True
            body = json.dumps(ORDER)
            url = f"{venue.url}/v5/order/create"
            async with session.post(url, data=body, headers=headers(body, now_ms)) as reply:
                assert (await reply.json())["retCode"] == 0
                assert reply.headers["X-Bapi-Limit"] == "10"
            told = await receive(private)
        assert told["data"][0]["orderStatus"] == "Filled"
        assert not venue.venue.check_invariants()


async def test_an_order_goes_by_the_trade_socket() -> None:
    async with emulator() as venue, aiohttp.ClientSession() as session:
        now_ms = venue.venue.clock.timestamp_ms()
        async with session.ws_connect(f"{venue.url}/v5/trade") as trade:
            await log_in(trade, now_ms)
            header = {"X-BAPI-TIMESTAMP": str(now_ms)}
            await trade.send_json({"reqId": "1", "header": header, "op": "order.create", "args": [ORDER]})
            reply = await receive(trade)
        assert (reply["reqId"], reply["retCode"]) == ("1", 0)
        ledger: Any = venue.ledger()
        assert ledger["accounts"]["main"]["linear"]["orders"][0]["status"] == "FILLED"


async def test_the_public_sockets_move_with_the_market() -> None:
    async with (
        BybitEmulator() as venue,
        aiohttp.ClientSession() as session,
        session.ws_connect(f"{venue.url}/v5/public/spot") as public,
    ):
        await public.send_json({"op": "subscribe", "args": ["orderbook.50.BTCUSDT"]})
        frames = [await receive(public) for _ in range(4)]
    assert [frame.get("type") for frame in frames] == [None, "snapshot", "delta", "delta"]


async def test_faults_are_posted_and_the_truth_is_read_by_the_control_endpoints() -> None:
    async with emulator() as venue, aiohttp.ClientSession() as session:
        secret = {"X-Emulator-Token": venue.token}
        fault = {"action": "manual_order", "product": "linear", "symbol": "BTCUSDT", "amount": "0.01"}
        async with session.post(f"{venue.url}/emulator/faults", json=fault, headers=secret) as reply:
            assert (await reply.json())["struck"] == 1
        async with session.get(f"{venue.url}/emulator/ledger", headers=secret) as reply:
            ledger = await reply.json()
        assert len(ledger["accounts"]["main"]["linear"]["fills"]) == 1
        async with session.post(
            f"{venue.url}/emulator/market",
            json={"symbol": "BTCUSDT", "bid": 61_000, "ask": 61_001},
            headers=secret,
        ) as reply:
            assert (await reply.json())["moved"] == 2
        status = await get(session, f"{venue.url}/emulator/status")
        assert status["venue"] == "bybit"


def test_two_venues_run_in_one_process_each_on_a_port_of_its_own() -> None:
    command = [
        sys.executable,
        "-m",
        "nexustrader.cli.main",
        "emulate",
        "binance",
        "bybit",
        "--market",
        "still",
    ]
    process = subprocess.Popen(command, stdout=subprocess.PIPE, text=True)
    assert process.stdout is not None
    try:
        lines = [process.stdout.readline().strip() for _ in range(2)]
        urls = [line.partition(" listening on ")[2] for line in lines]
        assert [line.split()[1] for line in lines] == ["binance", "bybit"]
        assert len(set(urls)) == 2

        async def times() -> list[Any]:
            async with aiohttp.ClientSession() as session:
                return [
                    await get(session, f"{urls[0]}/api/v3/time"),
                    await get(session, f"{urls[1]}/v5/market/time"),
                ]

        binance, bybit = asyncio.run(times())
        assert abs(int(bybit["time"]) - int(binance["serverTime"])) < 5_000
    finally:
        process.send_signal(signal.SIGINT)
        process.stdout.close()
        assert process.wait(10) == 0
