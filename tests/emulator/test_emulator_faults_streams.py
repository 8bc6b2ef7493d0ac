"""User events and market data that are lost, doubled, late, in disorder, old, unknown, or far too many."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import pytest
from memory_venue import MemorySocket, MemoryVenue, steps

from nexustrader.emulator.rest import RestReply


@pytest.fixture
def world() -> Iterator[MemoryVenue]:
    world = MemoryVenue()
    yield world
    wrong = world.venue.check_invariants()
    assert not wrong, wrong


def names(frames: list[Any]) -> list[str]:
    return [frame["e"] for frame in frames]


# -- user events ----------------------------------------------------------------------------------------------


def test_one_event_is_lost(world: MemoryVenue) -> None:
    stream = world.user_stream()
    world.inject("drop_event", step="TRADE")
    world.limit("BUY", "0.010", "61000")
    assert names(stream.take()) == ["ORDER_TRADE_UPDATE", "TRADE_LITE", "ACCOUNT_UPDATE"]
    world.limit("BUY", "0.010", "61000")
    assert steps(stream.take()) == ["NEW", "TRADE"]


def test_a_run_of_events_is_lost_until_cleared(world: MemoryVenue) -> None:
    stream = world.user_stream()
    world.inject("drop_event", on="*", count=-1)
    world.limit("BUY", "0.010", "61000")
    assert stream.take() == []
    assert world.fired("drop_event") == 4
    world.venue.faults.lift("drop_event")
    world.limit("BUY", "0.010", "61000")
    assert len(stream.take()) == 4


def test_events_are_chosen_by_name_order_and_skip(world: MemoryVenue) -> None:
    stream = world.user_stream()
    world.inject("drop_event", on="ACCOUNT_UPDATE")
    world.inject("drop_event", client_id="b", skip=1)
    for client_id in "ab":
        world.limit("BUY", "0.010", "61000", newClientOrderId=client_id)
    told = stream.take()
    assert names(told).count("ACCOUNT_UPDATE") == 1
    assert steps(told) == ["NEW", "TRADE", "NEW"]


def test_an_event_comes_twice_at_once_or_later(world: MemoryVenue) -> None:
    stream = world.user_stream()
    world.inject("duplicate_event", step="NEW")
    world.limit("BUY", "0.010", "59000")
    assert steps(stream.take()) == ["NEW", "NEW"]
    world.inject("duplicate_event", step="NEW", delay_ms=300)
    world.limit("BUY", "0.010", "59000")
    assert steps(stream.take()) == ["NEW"]
    world.wait(300)
    assert steps(stream.take()) == ["NEW"]


def test_a_delayed_event_is_overtaken(world: MemoryVenue) -> None:
    stream = world.user_stream()
    world.inject("delay_event", step="NEW", delay_ms=500)
    world.limit("BUY", "0.010", "61000")
    world.wait(500)
    assert steps(stream.take()) == ["TRADE", "NEW"]


def test_two_events_are_swapped(world: MemoryVenue) -> None:
    stream = world.user_stream()
    world.inject("swap_event", on="ACCOUNT_UPDATE")
    world.limit("BUY", "0.010", "61000")
    assert names(stream.take())[-2:] == ["ORDER_TRADE_UPDATE", "ACCOUNT_UPDATE"]
    world.wait(2_000)
    assert stream.take() == []


def test_a_swapped_event_that_nothing_follows_comes_late(world: MemoryVenue) -> None:
    stream = world.user_stream()
    world.inject("swap_event", step="NEW", delay_ms=200)
    world.limit("BUY", "0.010", "59000", newClientOrderId="a")
    assert stream.take() == []
    world.wait(200)
    assert steps(stream.take()) == ["NEW"]
    world.cancel("a")
    assert steps(stream.take()) == ["CANCELED"]


def test_spot_events_are_meddled_with_by_the_orders_own_id(world: MemoryVenue) -> None:
    session = world.spot_user_stream()
    world.inject("drop_event", client_id="a", step="CANCELED", product="spot")
    world.spot_limit("BUY", "0.01", "59000", newClientOrderId="a")
    world.call("DELETE", "/api/v3/order", symbol="BTCUSDT", origClientOrderId="a")
    assert steps(session.take()) == ["NEW"]


@pytest.mark.parametrize("product", ["usdm", "spot"])
@pytest.mark.parametrize("how", ["new_fields", "unknown_type", "unknown_enum"])
def test_events_hold_what_nobody_knows(world: MemoryVenue, how: str, product: str) -> None:
    stream = world.user_stream() if product == "usdm" else world.spot_user_stream()
    world.inject("alter_event", how=how, step="NEW")
    (world.limit if product == "usdm" else world.spot_limit)("BUY", "0.01", "59000")
    told = [frame.get("event", frame) for frame in stream.take()]
    first = told[0]
    order = first.get("o") if isinstance(first.get("o"), dict) else first
    expected = {
        "new_fields": lambda: order["x"] == "NEW" and "zz" in order,
        "unknown_type": lambda: first["e"] == "NEVER_HEARD_OF" and steps(told) == ["NEW"],
        "unknown_enum": lambda: order["x"] == order["X"] == "NEVER_HEARD_OF",
    }
    assert expected[how]()


def test_the_last_events_are_told_again(world: MemoryVenue) -> None:
    stream = world.user_stream()
    world.limit("BUY", "0.010", "61000")
    before = stream.take()
    assert world.inject("replay_events", n=3, product="usdm") == 3
    assert stream.take() == before[-3:]


@pytest.mark.parametrize("product", ["usdm", "spot"])
def test_who_comes_back_hears_the_last_events_again(world: MemoryVenue, product: str) -> None:
    world.inject("replay_on_connect", n=2, product=product)
    connect = world.user_stream if product == "usdm" else world.spot_user_stream
    first = connect()
    world.wait(1)
    assert first.take() == []
    (world.limit if product == "usdm" else world.spot_limit)("BUY", "0.01", "61000")
    told = first.take()
    first.abort()
    second = connect()
    world.wait(1)
    bodies = [frame.get("event", frame) for frame in second.take()]
    assert bodies == [frame.get("event", frame) for frame in told[-2:]]
    assert world.fired("replay_on_connect") == 1


@pytest.mark.parametrize(("how", "told"), [("told", ["listenKeyExpired"]), ("silent", [])])
def test_the_listen_key_ends(world: MemoryVenue, how: str, told: list[str]) -> None:
    stream = world.user_stream()
    assert world.inject("expire_listen_key", how=how) == 1
    world.limit("BUY", "0.010", "61000")
    assert names(stream.take()) == told
    assert world.call("PUT", "/fapi/v1/listenKey").code == -1125


@pytest.mark.parametrize(("how", "told"), [("told", ["eventStreamTerminated"]), ("silent", [])])
def test_the_subscription_of_spot_ends(world: MemoryVenue, how: str, told: list[str]) -> None:
    session = world.spot_user_stream()
    assert world.inject("end_user_stream", how=how) == 1
    world.spot_limit("BUY", "0.01", "59000")
    assert [frame["event"]["e"] for frame in session.take()] == told
    assert session.ask("userDataStream.subscribe.signature")["status"] == 200
    world.spot_limit("BUY", "0.01", "59000")
    assert steps(session.take()) == ["NEW"]
    session.abort()


# -- market streams -------------------------------------------------------------------------------------------


def subscribe(socket: MemorySocket, *topics: str) -> None:
    socket.say({"method": "SUBSCRIBE", "params": topics, "id": 1})


def test_a_subscribe_is_carried_out_and_never_answered(world: MemoryVenue) -> None:
    socket = world.socket("/usdm/ws")
    world.inject("drop_subscribe_ack", topic="btcusdt@bookTicker")
    subscribe(socket, "ethusdt@bookTicker", "btcusdt@bookTicker")
    assert socket.take() == []
    world.move("60001.0", "60001.1")
    assert socket.take()[0]["s"] == "BTCUSDT"


def test_one_topic_stays_silent(world: MemoryVenue) -> None:
    socket = world.socket("/usdm/stream")
    world.inject("mute_topic", on="depth")
    subscribe(socket, "btcusdt@bookTicker", "btcusdt@depth")
    assert socket.take() == [{"result": None, "id": 1}]
    world.move("60001.0", "60001.1")
    assert {frame["stream"] for frame in socket.take()} == {"btcusdt@bookTicker"}
    socket.say({"method": "UNSUBSCRIBE", "params": ["btcusdt@depth"], "id": 2})
    subscribe(socket, "btcusdt@depth")
    socket.take()
    world.move("60002.0", "60002.1")
    assert "btcusdt@depth" in {frame["stream"] for frame in socket.take()}


def test_a_user_stream_is_silent_from_the_start(world: MemoryVenue) -> None:
    world.inject("mute_topic", on="user")
    stream = world.user_stream()
    world.limit("BUY", "0.010", "61000")
    assert stream.take() == []


def test_a_feed_goes_silent(world: MemoryVenue) -> None:
    socket = world.socket("/usdm/stream?streams=btcusdt@bookTicker/btcusdt@depth")
    world.inject("drop_push", on="bookTicker", count=-1)
    world.move("60001.0", "60001.1")
    assert [frame["stream"] for frame in socket.take()] == ["btcusdt@depth"]


def test_a_feed_is_alive_and_stale(world: MemoryVenue) -> None:
    socket = world.socket("/usdm/ws/btcusdt@bookTicker")
    world.move("60001.0", "60001.1")
    world.inject("freeze_push", symbol="BTCUSDT", count=-1)
    world.move("60002.0", "60002.1")
    world.move("60003.0", "60003.1")
    assert [frame["b"] for frame in socket.take()] == ["60001.00"] * 3
    assert world.fired("freeze_push") == 2


def test_market_data_bursts(world: MemoryVenue) -> None:
    socket = world.socket("/usdm/stream?streams=btcusdt@depth/btcusdt@bookTicker")
    world.inject("multiply_push", n=100, topic="btcusdt@bookTicker", count=-1)
    world.move("60001.0", "60001.1")
    pushed = [frame["stream"] for frame in socket.take()]
    assert (pushed.count("btcusdt@bookTicker"), pushed.count("btcusdt@depth")) == (100, 1)


# -- connections ----------------------------------------------------------------------------------------------


def test_upgrades_of_one_kind_are_refused(world: MemoryVenue) -> None:
    world.inject("refuse_connect", kind="user", count=-1, reply="gateway")
    peer = world.socket("/usdm/ws")
    refused = world.service.open("/private/ws?listenKey=x", peer)
    assert isinstance(refused, RestReply)
    assert (refused.status, refused.headers["Content-Type"]) == (502, "text/html; charset=utf-8")
    world.socket("/ws-fapi/v1")
    assert world.fired("refuse_connect") == 1


def test_maintenance_refuses_everything_until_lifted(world: MemoryVenue) -> None:
    world.limit("BUY", "0.010", "59000")
    api = world.socket("/ws-fapi/v1")
    world.inject("maintenance", count=-1)
    replies = [world.limit("BUY", "0.010", "59000"), world.call("GET", "/api/v3/time", signed=False)]
    assert [(reply.status, reply.body["msg"]) for reply in replies] == [(503, "Service Unavailable.")] * 2
    assert api.ask("order.place", symbol="BTCUSDT")["status"] == 503
    assert isinstance(world.service.open("/usdm/ws", api), RestReply)
    assert world.inject("fill_order") == 1  # meanwhile the venue goes on
    assert world.venue.faults.lift("maintenance") == 1
    assert world.get("v1/openOrders") == []


# -- changes of books -----------------------------------------------------------------------------------------


def updates(socket: MemorySocket) -> list[int]:
    return [frame["data"]["u"] for frame in socket.take() if frame["stream"] == "btcusdt@depth"]


def test_an_update_of_a_book_is_overtaken_by_the_next(world: MemoryVenue) -> None:
    socket = world.socket("/usdm/stream?streams=btcusdt@depth")
    world.inject("swap_push", on="depth")
    for ask in range(3):
        world.move("60000.0", f"6000{ask + 1}.1")
    first, second, third = updates(socket)
    assert (first, third) == (second + 1, second + 2)


def test_an_update_of_a_book_crosses_it_and_the_venues_own_book_stays_as_it_is(world: MemoryVenue) -> None:
    socket = world.socket("/usdm/stream?streams=btcusdt@depth")
    world.inject("cross_push")
    world.move("60000.0", "60001.1")
    (frame,) = (frame["data"] for frame in socket.take())
    best_ask = min(price for price, size in frame["a"] if float(size))
    assert [best_ask, "0.001"] in frame["b"]
    world.move("60000.0", "60002.1")
    (frame,) = (frame["data"] for frame in socket.take())
    assert all(price < "60002" for price, _ in frame["b"])


@pytest.mark.parametrize("path", ["/fapi/v1/depth", "/api/v3/depth"])
def test_a_snapshot_is_as_old_as_it_is_told_to_be(world: MemoryVenue, path: str) -> None:
    past = []
    for ask in range(4):
        world.move(f"59{ask}00.0", f"6{ask}000.1")
        past.append(world.call("GET", path, signed=False, symbol="BTCUSDT", limit=20).body)
    for body in past:
        body.pop("T", None)
        body.pop("E", None)
    for ago in (0, 1, 3):
        if ago:
            world.inject("old_snapshot", n=ago)
        told = world.call("GET", path, signed=False, symbol="BTCUSDT", limit=20).body
        expected = past[-1 - ago]
        assert {name: told[name] for name in expected} == expected
