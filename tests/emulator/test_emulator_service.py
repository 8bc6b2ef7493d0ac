"""The emulated Binance without a transport: the same service in memory, under virtual time, by seed."""

from __future__ import annotations

import subprocess
import sys

import pytest
from memory_venue import MemorySocket, MemoryVenue

from nexustrader.emulator.binance.venue import BinanceSettings
from nexustrader.emulator.peer import Conduct, Pulse
from nexustrader.emulator.rest import RestReply
from nexustrader.error import DataError


@pytest.fixture
def world() -> MemoryVenue:
    return MemoryVenue()


def test_an_order_lives_on_rest_and_the_user_stream(world: MemoryVenue) -> None:
    stream = world.user_stream()
    placed = world.limit("BUY", "0.010", "59000")
    world.move("58000.0", "58000.1")
    assert placed.status == 200
    assert placed.headers["X-MBX-ORDER-COUNT-1M"] == "1"
    events = [(e["e"], e.get("o", {}).get("x")) for e in stream.take()]
    assert events[0] == ("ORDER_TRADE_UPDATE", "NEW")
    assert events[-1] == ("ORDER_TRADE_UPDATE", "TRADE")
    assert world.orders()[0]["status"] == "FILLED"


def test_spot_user_events_come_through_the_websocket_api(world: MemoryVenue) -> None:
    session = world.spot_user_stream()
    assert session.ask("order.place", symbol="BTCUSDT", side="BUY", type="MARKET", quantity="0.01")
    session = world.spot_user_stream()
    world.spot_limit("SELL", "0.01", "70000")
    assert [frame["event"]["e"] for frame in session.take()] == ["executionReport", "outboundAccountPosition"]


def test_market_streams_follow_virtual_time() -> None:
    world = MemoryVenue(BinanceSettings(symbols=("BTCUSDT",), step_ms=250, push_ms=250))
    socket = world.socket("/usdm/stream?streams=btcusdt@bookTicker/btcusdt@depth5")
    world.wait(10_000)
    names = [frame["stream"] for frame in socket.take()]
    assert {"btcusdt@bookTicker", "btcusdt@depth5"} == set(names)
    assert 0 < names.count("btcusdt@bookTicker") <= 40
    assert list(world.venue.products["spot"].markets) == ["BTCUSDT"]


def test_the_same_seed_gives_the_same_bytes() -> None:
    def run(seed: int) -> list[bytes]:
        world = MemoryVenue(BinanceSettings(symbols=("BTCUSDT",), step_ms=250, seed=seed), seed=seed)
        streams = [world.user_stream(), world.socket("/usdm/ws/btcusdt@depth@100ms")]
        price = world.get("v1/ticker/price", symbol="BTCUSDT")["price"]
        world.limit("BUY", "0.01", price)
        world.wait(20_000)
        return [frame for stream in streams for frame in stream.frames]

    assert run(1) == run(1)
    assert run(1) != run(2)


def test_paths_that_lead_nowhere_are_refused_both_ways(world: MemoryVenue) -> None:
    assert world.call("GET", "/nowhere").status == 404
    assert world.call("GET", "/fapi/v1/nowhere").code == -5000
    assert world.call("GET", "/ws/btcusdt@trade").status == 404
    reply = world.service.open("/fapi/v1/ping", MemorySocket(world, "/usdm/ws"))
    assert isinstance(reply, RestReply)
    assert reply.status == 404


def test_a_venue_that_has_enough_refuses_the_upgrade(world: MemoryVenue) -> None:
    peer = MemorySocket(world, "/usdm/ws")
    replies = [world.service.open("/ws-fapi/v1", peer) for _ in range(2_400 // 5 + 1)]
    assert not isinstance(replies[0], RestReply)
    last = replies[-1]
    assert isinstance(last, RestReply)
    assert last.status == 429
    assert "Retry-After" in last.headers


def test_faults_of_delivery_are_data(world: MemoryVenue) -> None:
    world.inject("drop_ack", on="order.place")
    assert world.limit("BUY", "0.01", "59000").delivery.kind == "hold"
    world.inject("reset_before", on="order.place")
    assert world.limit("BUY", "0.01", "59000").delivery.kind == "cut"
    world.inject("delay_ack_ms", on="order.place", delay_ms=400)
    delayed = world.limit("BUY", "0.01", "59000")
    assert (delayed.delivery.kind, delayed.delivery.delay_ms, delayed.status) == ("send", 400, 200)
    assert len(world.orders()) == 2


def test_disconnect_cuts_any_peer_of_its_kind(world: MemoryVenue) -> None:
    user, market = world.user_stream(), world.socket("/usdm/ws/btcusdt@trade")
    assert world.inject("disconnect", kind="user") == 1
    assert (user.closed, market.closed) == (True, False)
    assert world.venue.status()["connections"] == {"market": 1}


def test_the_pulse_pings_and_cuts_who_does_not_answer(world: MemoryVenue) -> None:
    peer, pings = world.socket("/usdm/ws"), []
    conduct = Conduct(ping_interval_ms=1_000, pong_timeout_ms=1_500)
    pulse = Pulse(peer, conduct, world.clock, pings.append)
    pulse.start()
    world.wait(1_000)
    pulse.on_pong()
    world.wait(2_000)
    assert len(pings) == 3
    assert not peer.closed
    world.wait(1_000)
    assert peer.closed


def test_a_connection_ends_with_its_life(world: MemoryVenue) -> None:
    peer = world.socket("/usdm/ws")
    conduct = Conduct(ping_interval_ms=1_000, pong_timeout_ms=100_000, life_ms=2_500)
    Pulse(peer, conduct, world.clock, lambda _: None).start()
    world.wait(2_499)
    assert not peer.closed
    world.wait(1)
    assert peer.closed


def test_the_pulse_closes_who_speaks_too_much(world: MemoryVenue) -> None:
    peer = world.socket("/usdm/ws")
    conduct = Conduct(ping_interval_ms=1_000, pong_timeout_ms=500, messages_per_s_max=2)
    pulse = Pulse(peer, conduct, world.clock, lambda _: None)
    assert [pulse.may_speak() for _ in range(3)] == [True, True, False]
    assert peer.closed


@pytest.mark.parametrize("wrong", [{"symbols": ("NOUSDT",)}, {"step_ms": 0}, {"push_ms": 0}])
def test_settings_that_cannot_be_are_refused(wrong: dict[str, object]) -> None:
    with pytest.raises(DataError):
        MemoryVenue(BinanceSettings(**wrong))  # type: ignore[arg-type]


def test_the_service_needs_no_aiohttp_and_no_event_loop() -> None:
    code = (
        "import sys; from nexustrader.emulator.binance import service;"
        "assert not {'aiohttp', 'asyncio'} & set(sys.modules), 'a transport came along'"
    )
    subprocess.run([sys.executable, "-c", code], check=True)
