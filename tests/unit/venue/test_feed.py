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
from nexustrader.venue.transport import HttpAnswer
from virtual_time import LoopClock, run_virtual

TYPE = BinanceAccountType.USD_M_FUTURE
SYMBOLS = [f"C{n}USDT-PERP.BINANCE" for n in range(120)]
INSTRUMENTS = {
    symbol: msgspec.structs.replace(BTC, symbol=symbol, venue_symbol=symbol.partition("-")[0])
    for symbol in SYMBOLS
}


BEST = {"u": 1, "b": "1.0", "B": "1", "a": "1.1", "A": "1"}
STALE_MS = 60_000


class Site:
    """A feed, and what its sockets have asked for."""

    def __init__(self, clock: LoopClock, stale_ms_max: int | None = None) -> None:
        self.clock = clock
        self.delivered: list[Any] = []
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
            dict.fromkeys(DataType, self.delivered.append),
            stale_ms_max=stale_ms_max,
        )
        self.feed.instruments = INSTRUMENTS

    def quote(self, number: int, *, age_ms: int = 0) -> None:
        """The venue sends the quote of one symbol on the latest socket."""
        time = self.clock.timestamp_ms() - age_ms
        data = {"e": "bookTicker", "s": f"C{number}USDT", "E": time, "T": time} | BEST
        frame = {"stream": f"c{number}usdt@bookTicker", "data": data}
        self.transport.connections[-1].push(json.dumps(frame, separators=(",", ":")).encode())

    def keep_quoting(self, *numbers: int) -> asyncio.Task[None]:
        async def quote() -> None:
            while True:
                await asyncio.sleep(5)
                for number in numbers:
                    self.quote(number)

        return asyncio.get_running_loop().create_task(quote())

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


# -- freshness -----------------------------------------------------------------------------------------------


def commands(connection: MemoryConnection) -> list[tuple[str, str]]:
    return [
        (frame["method"], topic)
        for raw in connection.sent
        for frame in [json.loads(raw)]
        for topic in frame["params"]
    ]


def test_a_topic_that_falls_silent_beside_others_is_shown_as_stale_and_subscribed_anew() -> None:
    async def run(clock: LoopClock) -> None:
        site = Site(clock, STALE_MS)
        site.subscribe(*SYMBOLS[:2])
        await asyncio.sleep(1)
        quoting = site.keep_quoting(0)
        site.quote(1)
        await asyncio.sleep(STALE_MS / 1000 - 2)
        assert site.feed.stale == []
        await asyncio.sleep(5)
        assert site.feed.stale == [Stream(DataType.BOOKL1, SYMBOLS[1])]
        (connection,) = site.transport.connections
        assert commands(connection)[2:] == [
            ("UNSUBSCRIBE", "c1usdt@bookTicker"),
            ("SUBSCRIBE", "c1usdt@bookTicker"),
        ]
        site.quote(1)
        await asyncio.sleep(2)
        assert site.feed.stale == []
        quoting.cancel()
        await site.feed.stop()

    run_virtual(run)


def test_a_socket_that_is_alive_and_silent_is_replaced() -> None:
    async def run(clock: LoopClock) -> None:
        site = Site(clock, STALE_MS)
        site.subscribe(*SYMBOLS[:2])
        await asyncio.sleep(STALE_MS / 1000 + 10)
        _first, second = site.transport.connections
        assert len(topics(second)) == 2
        await site.feed.stop()

    run_virtual(run)


def test_what_stays_silent_is_begun_anew_ever_more_rarely_and_no_more_once_it_is_not_wanted() -> None:
    async def run(clock: LoopClock) -> None:
        site = Site(clock, STALE_MS)
        site.subscribe(*SYMBOLS[:2])
        await asyncio.sleep(1)
        quoting = site.keep_quoting(0)
        await asyncio.sleep(7 * STALE_MS / 1000 + 10)
        (connection,) = site.transport.connections
        assert commands(connection).count(("UNSUBSCRIBE", "c1usdt@bookTicker")) == 3
        site.feed.unsubscribe(Stream(DataType.BOOKL1, SYMBOLS[1]))
        await asyncio.sleep(100 * STALE_MS / 1000)
        assert commands(connection).count(("UNSUBSCRIBE", "c1usdt@bookTicker")) == 4
        assert len(site.transport.connections) == 1
        quoting.cancel()
        await site.feed.stop()

    run_virtual(run)


def test_a_reading_that_comes_too_late_is_left_out_and_counted() -> None:
    async def run(clock: LoopClock) -> None:
        site = Site(clock, STALE_MS)
        site.transport.answer = lambda _method, _url: HttpAnswer(
            200, {}, json.dumps({"serverTime": clock.timestamp_ms()}).encode()
        )
        site.subscribe(SYMBOLS[0])
        await asyncio.sleep(3)
        for age_s in (0, 59, 63, 600):
            site.quote(0, age_ms=age_s * 1000)
        assert len(site.delivered) == 2
        assert site.feed.stale_readings == 2
        await site.feed.stop()

    run_virtual(run)


@pytest.mark.parametrize("ahead_ms", [-300_000, 300_000])
def test_a_clock_of_ours_that_is_wrong_makes_no_reading_stale(ahead_ms: int) -> None:
    async def run(clock: LoopClock) -> None:
        site = Site(clock, STALE_MS)
        site.subscribe(SYMBOLS[0])
        await asyncio.sleep(3)
        site.quote(0, age_ms=ahead_ms)
        assert len(site.delivered) == 1, "the venue's clock is not known yet"
        site.transport.answer = lambda _method, _url: HttpAnswer(
            200, {}, json.dumps({"serverTime": clock.timestamp_ms() - ahead_ms}).encode()
        )
        await asyncio.sleep(STALE_MS / 1000 + 30)
        site.quote(0, age_ms=ahead_ms)
        site.quote(0)  # one without a time of its own bears ours
        assert len(site.delivered) == 3
        await site.feed.stop()

    run_virtual(run)


def test_without_a_limit_nothing_is_stale() -> None:
    async def run(clock: LoopClock) -> None:
        site = Site(clock)
        site.subscribe(SYMBOLS[0])
        await asyncio.sleep(1000)
        site.quote(0, age_ms=1_000_000)
        assert len(site.delivered) == 1
        assert site.feed.stale == []
        assert len(site.transport.connections) == 1
        await site.feed.stop()

    run_virtual(run)
