"""Faults over real sockets: posted to the control endpoint, felt on HTTP and on upgrades, lifted again."""

from __future__ import annotations

import aiohttp
import pytest
from venue_client import VenueClient

from nexustrader.emulator.binance.emulator import BinanceEmulator

pytestmark = pytest.mark.slow


async def test_a_deed_is_posted_with_its_numbers_as_text(client: VenueClient) -> None:
    order = {"action": "manual_order", "symbol": "BTCUSDT", "side": "BUY", "amount": "0.02"}
    assert (await client.admin("POST", "faults", order)).body == {"struck": 1}
    ledger = (await client.admin("GET", "ledger")).body
    assert ledger["accounts"]["main"]["usdm"]["positions"]["BTCUSDT/BOTH"]["amount"] == "0.02"
    refused = await client.admin("POST", "faults", {**order, "amount": "100"})
    assert refused.status == 400
    assert "-2019" in refused.body["error"]


async def test_maintenance_is_lifted(client: VenueClient) -> None:
    await client.admin("POST", "faults", {"action": "maintenance", "count": -1, "reply": "gateway"})
    await client.admin("POST", "faults", {"action": "drop_ack"})
    reply = await client.call("GET", "/fapi/v1/time")
    assert (reply.status, reply.headers["Content-Type"]) == (502, "text/html; charset=utf-8")
    with pytest.raises(aiohttp.WSServerHandshakeError, match="502"):
        await client.connect("/usdm/ws")
    assert (await client.admin("DELETE", "faults?action=maintenance")).body == {"lifted": 1}
    assert (await client.call("GET", "/fapi/v1/time")).status == 200
    listed = (await client.admin("GET", "faults")).body
    assert [fault["action"] for fault in listed["pending"]] == ["drop_ack"]
    assert listed["fired"] == {"maintenance": 2}


async def test_a_limit_has_its_header_and_a_garbled_body_its_type(client: VenueClient) -> None:
    await client.admin("POST", "faults", {"action": "http_status_next", "on": "*", "reply": "too_many"})
    limited = await client.call("GET", "/fapi/v1/time")
    assert (limited.status, limited.headers["Retry-After"]) == (429, "5")
    await client.admin("POST", "faults", {"action": "garble_reply", "on": "time", "how": "content_type"})
    garbled = await client.call("GET", "/fapi/v1/time")
    assert (garbled.status, garbled.headers["Content-Type"]) == (200, "text/plain")
    await client.admin("POST", "faults", {"action": "garble_reply", "on": "time", "how": "html"})
    assert (await client.call("GET", "/fapi/v1/time")).body.startswith("<html>")


async def test_stale_answers_need_no_setting(emulator: BinanceEmulator, client: VenueClient) -> None:
    emulator.inject("stale_reads", on="openOrders.status", lag_ms=60_000, count=-1)
    await client.usdm_limit("BUY", "0.01", "59000")
    assert (await client.call("GET", "/fapi/v1/openOrders", signed=True)).body == []
    emulator.venue.faults.clear()
    assert len((await client.call("GET", "/fapi/v1/openOrders", signed=True)).body) == 1
