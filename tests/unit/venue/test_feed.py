"""Public data over the wire: what is wanted is subscribed, whatever happens to the socket meanwhile."""

from __future__ import annotations

import asyncio
import json
from typing import Any

import msgspec
import pytest

from desk import BTC
from memory_transport import MemoryConnection, MemoryTransport
from nexustrader.constants import DataType
from nexustrader.error import SubscriptionError
from nexustrader.exchange.binance import VENUE, BinanceAccountType
from nexustrader.kernel.bus import MessageBus
from nexustrader.kernel.entropy import Entropy
from nexustrader.kernel.tasks import TaskManager
from nexustrader.market.data import MarketData
from nexustrader.market.subscriptions import Stream
from nexustrader.venue.feed import Feed
from nexustrader.venue.ratelimit import RateLimiter
from nexustrader.venue.session import RestSession
from nexustrader.venue.spec import Endpoints
from virtual_time import LoopClock, run_virtual

TYPE = BinanceAccountType.USD_M_FUTURE
SYMBOLS = [f"C{n}USDT-PERP.BINANCE" for n in range(120)]
INSTRUMENTS = {
    symbol: msgspec.structs.replace(BTC, symbol=symbol, venue_symbol=symbol.partition("-")[0])
    for symbol in SYMBOLS
}


class Site:
    """A feed, and what its sockets have asked for."""

    def __init__(self, clock: LoopClock) -> None:
        self.transport = MemoryTransport()
        session = RestSession(
            VENUE,
            "https://venue",
            VENUE.server_time_request(TYPE),
            self.transport,
            clock,
            RateLimiter(VENUE.rate_limits(TYPE)),
        )
        self.feed = Feed(
            VENUE,
            TYPE,
            Endpoints("https://venue", "wss://streams"),
            session,
            self.transport,
            clock,
            TaskManager(asyncio.get_running_loop()),
            Entropy(1),
            {kind: lambda _datum: None for kind in DataType},
        )
        self.feed.instruments = INSTRUMENTS

    def subscribe(self, *symbols: str) -> None:
        for symbol in symbols:
            self.feed.subscribe(Stream(DataType.BOOKL1, symbol))


def topics(connection: MemoryConnection) -> list[str]:
    """What is subscribed on a socket after all that was sent on it."""
    wanted: dict[str, None] = {}
    for raw in connection.sent:
        frame: dict[str, Any] = json.loads(raw)
        for topic in frame["params"]:
            if frame["method"] == "SUBSCRIBE":
                wanted[topic] = None
            else:
                wanted.pop(topic)
    return list(wanted)


def test_what_is_subscribed_while_the_first_batches_are_under_way_is_subscribed_too() -> None:
    async def run(clock: LoopClock) -> None:
        site = Site(clock)
        site.subscribe(*SYMBOLS[:110])
        await asyncio.sleep(0.2)
        (connection,) = site.transport.connections
        assert 0 < len(topics(connection)) < 110
        site.subscribe(*SYMBOLS[110:])
        await asyncio.sleep(5)
        assert len(topics(connection)) == 120
        await site.feed.stop()

    run_virtual(run)


def test_after_a_reconnect_everything_wanted_is_subscribed_again_and_nothing_else() -> None:
    async def run(clock: LoopClock) -> None:
        site = Site(clock)
        site.subscribe(*SYMBOLS[:60])
        await asyncio.sleep(5)
        site.transport.connections[0].break_off()
        site.feed.unsubscribe(Stream(DataType.BOOKL1, SYMBOLS[0]))
        site.subscribe(SYMBOLS[60])
        await asyncio.sleep(30)
        assert len(topics(site.transport.connections[1])) == 60
        assert "c0usdt@bookTicker" not in topics(site.transport.connections[1])
        await site.feed.stop()

    run_virtual(run)


def test_a_subscription_that_the_venue_does_not_have_leaves_nothing_behind() -> None:
    async def run(clock: LoopClock) -> None:
        site = Site(clock)
        data = MarketData(MessageBus(), clock.timestamp, lambda _symbol: site.feed)
        for _ in range(2):
            with pytest.raises(SubscriptionError):
                data.subscribe(DataType.KLINE, SYMBOLS[:1], "7s", ready=False, ready_timeout_s=1)
        assert data.ready
        assert site.transport.connections == []

    run_virtual(run)
