"""What the venue does as time passes, under virtual time: cadences, candles, listen keys, the synthetic market."""

from __future__ import annotations

from itertools import pairwise
from typing import Any, cast

import msgspec
import pytest

from nexustrader.emulator.binance.streams import StreamConnection
from nexustrader.emulator.binance.topics import MARKET, PRIVATE, PUBLIC, SPOT, USDM
from nexustrader.emulator.binance.venue import BinanceSettings, BinanceVenue
from nexustrader.emulator.connection import Connection
from nexustrader.emulator.orders.accounts import AccountSpec
from nexustrader.emulator.venue import STILL, SYNTHETIC
from nexustrader.kernel.clock import VirtualClock

NS_PER_MS = 1_000_000
START_MS = 1_700_000_040_000  # a minute boundary
HOUR_MS = 3_600_000


class Inbox:
    """The sending end of a connection, kept in a list."""

    def __init__(self) -> None:
        self.messages: list[Any] = []

    def send(self, data: bytes) -> None:
        self.messages.append(msgspec.json.decode(data))

    def take(self) -> list[Any]:
        taken, self.messages = self.messages, []
        return taken


class World:
    """A venue under virtual time, and listeners to it."""

    def __init__(self, market: str = STILL, seed: int = 1) -> None:
        self.clock = VirtualClock(START_MS * NS_PER_MS)
        spec = AccountSpec(api_key="k" * 64, secret="s")
        self.venue = BinanceVenue([spec], BinanceSettings(market=market, seed=seed), self.clock)
        self.account = self.venue.accounts.by_name["main"]
        self.venue.start()

    def listen(self, product: str, *names: str, route: str = PUBLIC) -> Inbox:
        inbox = Inbox()
        hub = self.venue.products[product].hub
        StreamConnection(hub, cast("Connection", inbox), route, combined=False).subscribe(names)
        return inbox

    def run(self, milliseconds: int) -> None:
        self.clock.advance_to(self.clock.timestamp_ns() + milliseconds * NS_PER_MS)


@pytest.fixture
def world() -> World:
    return World()


def test_mark_prices_come_every_three_seconds_or_every_second(world: World) -> None:
    slow = world.listen(USDM, "btcusdt@markPrice", route=MARKET)
    fast = world.listen(USDM, "btcusdt@markPrice@1s", route=MARKET)
    world.run(9_050)
    assert (len(slow.messages), len(fast.messages)) == (4, 10)
    assert [m["E"] % 1_000 for m in fast.messages[1:]] == [0] * 9


def test_a_candle_is_pushed_while_open_and_once_as_closed(world: World) -> None:
    inbox = world.listen(SPOT, "btcusdt@kline_1m")
    market = world.venue.products[SPOT].markets["BTCUSDT"]
    world.run(10_000)
    market.trade(6_001_000, 5, buyer_is_maker=False)
    world.run(60_000)
    messages = inbox.take()
    bars = [m["k"] for m in messages]
    closed = [bar for bar in bars if bar["x"]]
    assert [(bar["t"], bar["T"], bar["c"], bar["n"]) for bar in closed] == [
        (START_MS, START_MS + 59_999, "60010.00000000", 1)
    ]
    assert bars[bars.index(closed[0]) + 1]["t"] == START_MS + 60_000
    assert bars[-1]["o"] == "60010.00000000"
    steps = [later["E"] - earlier["E"] for earlier, later in pairwise(messages)]
    assert set(steps[1:]) == {0, 2_000}  # the closed candle and its successor come together


def test_second_candles_exist_on_spot(world: World) -> None:
    inbox = world.listen(SPOT, "btcusdt@kline_1s")
    world.run(3_000)
    assert sum(m["k"]["x"] for m in inbox.messages) == 3


def test_partial_depth_is_conflated_to_its_cadence(world: World) -> None:
    inbox = world.listen(USDM, "btcusdt@depth5@500ms")
    market = world.venue.products[USDM].markets["BTCUSDT"]
    for step in range(20):
        market.change_levels([(599_000, step + 1)], [])
        world.run(100)
    assert len(inbox.messages) in {4, 5}
    world.run(1_000)
    assert inbox.messages[-1]["u"] == market.update_id


def test_a_listen_key_lives_an_hour_after_its_last_sign_of_life(world: World) -> None:
    keys = world.venue.products[USDM].listen_keys
    key = keys.start(world.account)
    inbox = world.listen(USDM, key, route=PRIVATE)
    world.run(HOUR_MS - 1)
    keys.keep_alive(world.account)
    world.run(HOUR_MS - 1)
    assert inbox.messages == []
    world.run(1)
    assert [m["e"] for m in inbox.take()] == ["listenKeyExpired"]
    assert keys.alive == 0
    assert keys.start(world.account) != key


def touches(seed: int) -> list[dict[str, object]]:
    world = World(SYNTHETIC, seed)
    inbox = world.listen(USDM, "btcusdt@bookTicker", "btcusdt@depth")
    world.listen(SPOT, "btcusdt@trade")
    world.run(20_000)
    assert world.venue.check_invariants() == []
    return inbox.messages


def test_the_synthetic_market_moves_and_is_the_same_for_the_same_seed() -> None:
    first = touches(7)
    assert len([m for m in first if m["e"] == "bookTicker"]) > 20
    updates = [m for m in first if m["e"] == "depthUpdate"]
    assert len(updates) > 100
    assert [u["pu"] for u in updates[1:]] == [u["u"] for u in updates[:-1]]
    assert touches(7) == first
    assert touches(8) != first


def test_a_market_moved_by_hand_stands_still_until_it_is_let_go() -> None:
    from decimal import Decimal

    from nexustrader.emulator.market.moves import MarketMove, move_market

    world = World(SYNTHETIC)
    inbox = world.listen(USDM, "btcusdt@bookTicker")
    world.run(2_000)
    inbox.take()
    move = MarketMove(symbol="BTCUSDT", product="usdm", bid=Decimal(61_000), ask=Decimal(61_001))
    move_market(world.venue, move)
    world.run(5_000)
    assert [(m["b"], m["a"]) for m in inbox.take()] == [("61000.00", "61001.00")]
    move_market(world.venue, MarketMove(symbol="BTCUSDT", product="usdm", resume=True))
    world.run(5_000)
    assert inbox.messages


def test_a_venue_that_stopped_schedules_nothing_more(world: World) -> None:
    world.venue.products[USDM].listen_keys.start(world.account)
    world.venue.stop()
    assert world.clock.next_ns() is None
