"""Streams that share a topic, books that begin with a snapshot, and klines that are paged from the end."""

from __future__ import annotations

import asyncio
import json
from typing import Any
from urllib.parse import parse_qs, urlsplit

import msgspec

from desk import BTC
from memory_transport import MemoryTransport
from nexustrader.constants import DataType, ExchangeType, InstrumentType, KlineInterval
from nexustrader.exchange.bybit import VENUE, BybitAccountType
from nexustrader.kernel.entropy import Entropy
from nexustrader.kernel.tasks import TaskManager
from nexustrader.market.subscriptions import Stream
from nexustrader.schema import BookL2, FundingRate, MarkPrice
from nexustrader.venue.feed import Feed
from nexustrader.venue.ratelimit import RateLimiter
from nexustrader.venue.session import RestSession
from nexustrader.venue.transport import HttpAnswer
from virtual_time import LoopClock, run_virtual

PERP = msgspec.structs.replace(
    BTC, symbol="BTCUSDT-PERP.BYBIT", venue_symbol="BTCUSDT", exchange=ExchangeType.BYBIT
)
CALL, PUT = (
    msgspec.structs.replace(
        PERP, symbol=f"BTCUSDT-250213-9000-{right}.BYBIT", venue_symbol=f"BTC-13FEB25-9000-{right}-USDT",
        type=InstrumentType.OPTION,
    )
    for right in "CP"
)  # fmt: skip
MARK, INDEX, FUNDING = (
    Stream(kind, PERP.symbol) for kind in (DataType.MARK_PRICE, DataType.INDEX_PRICE, DataType.FUNDING_RATE)
)
TICKER = {
    "symbol": "BTCUSDT",
    "markPrice": "100",
    "indexPrice": "99",
    "fundingRate": "0.1",
    "nextFundingTime": "8",
}


class Site:
    """A feed on a socket in memory; `delivered` is what came out."""

    def __init__(self, clock: LoopClock) -> None:
        self.clock = clock
        self.delivered: list[Any] = []
        self.klines: list[list[str]] = []
        self.asked: list[dict[str, str]] = []
        self.transport = MemoryTransport()
        self.transport.answer = self._answer
        kind = BybitAccountType.LINEAR
        session = RestSession(
            VENUE,
            "https://venue",
            VENUE.server_time_request(kind),
            self.transport,
            clock,
            RateLimiter(VENUE.rate_limits(kind)),
        )
        self.feed = Feed(
            VENUE,
            kind,
            VENUE.endpoints(kind),
            session,
            self.transport,
            clock,
            TaskManager(asyncio.get_running_loop()),
            Entropy(1),
            dict.fromkeys(DataType, self.delivered.append),
            stale_ms_max=None,
        )
        self.feed.instruments = {each.symbol: each for each in (PERP, CALL, PUT)}

    def _answer(self, _method: str, url: str) -> HttpAnswer:
        """As the venue: the last bars of the range, newest first."""
        query = {name: values[0] for name, values in parse_qs(urlsplit(url).query).items()}
        self.asked.append(query)
        rows = [
            row
            for row in self.klines
            if int(query.get("start", 0)) <= int(row[0]) <= int(query.get("end", 10**13))
        ]
        body = {"retCode": 0, "result": {"list": rows[::-1][: int(query["limit"])]}, "time": 1}
        return HttpAnswer(200, {}, json.dumps(body).encode())

    async def want(self, *streams: Stream) -> None:
        for stream in streams:
            self.feed.subscribe(stream)
        await asyncio.sleep(1)

    @property
    def said(self) -> list[tuple[str, list[str]]]:
        frames = [json.loads(raw) for raw in self.transport.connections[-1].sent]
        return [(frame["op"], frame["args"]) for frame in frames if frame["op"] != "ping"]

    def push(self, topic: str, data: Any, kind: str = "snapshot", ts: int = 1) -> None:
        frame = {"topic": topic, "type": kind, "ts": ts, "data": data}
        self.transport.connections[-1].push(json.dumps(frame).encode())

    def book(self, u: int, bids: Any, asks: Any, kind: str = "delta") -> None:
        data = {"s": "BTCUSDT", "b": bids, "a": asks, "u": u, "seq": u}
        self.push("orderbook.50.BTCUSDT", data, kind, ts=u)


def site_test(test: Any) -> Any:
    def run() -> None:
        async def work(clock: LoopClock) -> None:
            site = Site(clock)
            await test(site)
            await site.feed.stop()

        run_virtual(work)

    return run


# -- shared topics --------------------------------------------------------------------------------------


@site_test
async def test_kinds_that_share_a_topic_are_subscribed_once(s: Site) -> None:
    await s.want(MARK, INDEX, FUNDING)
    assert s.said == [("subscribe", ["tickers.BTCUSDT"])]
    s.push("tickers.BTCUSDT", TICKER)
    assert {type(datum).__name__ for datum in s.delivered} == {"MarkPrice", "IndexPrice", "FundingRate"}


@site_test
async def test_a_kind_that_joins_a_live_topic_begins_it_anew_for_a_snapshot(s: Site) -> None:
    await s.want(MARK)
    s.push("tickers.BTCUSDT", TICKER)
    await s.want(FUNDING)
    assert s.said[1:] == [("unsubscribe", ["tickers.BTCUSDT"]), ("subscribe", ["tickers.BTCUSDT"])]
    s.push("tickers.BTCUSDT", {"symbol": "BTCUSDT", "fundingRate": "0.2"}, "delta", ts=2)
    assert s.delivered[1:] == []  # when it is due nobody knows before the snapshot
    s.push("tickers.BTCUSDT", TICKER, ts=3)
    s.push("tickers.BTCUSDT", {"symbol": "BTCUSDT", "fundingRate": "0.2"}, "delta", ts=4)
    exchange, symbol = ExchangeType.BYBIT, PERP.symbol
    assert s.delivered[1:] == [
        MarkPrice(exchange, symbol, 100.0, 3),
        FundingRate(exchange, symbol, 0.1, 3, 8),
        FundingRate(exchange, symbol, 0.2, 4, 8),
    ]


@site_test
async def test_a_kind_that_leaves_a_topic_leaves_it_to_the_others(s: Site) -> None:
    await s.want(MARK, INDEX)
    s.feed.unsubscribe(MARK)
    await asyncio.sleep(1)
    s.push("tickers.BTCUSDT", TICKER)
    assert [type(datum).__name__ for datum in s.delivered] == ["IndexPrice"]
    s.feed.unsubscribe(INDEX)
    await asyncio.sleep(1)
    assert s.said[-1] == ("unsubscribe", ["tickers.BTCUSDT"])


@site_test
async def test_options_share_a_topic_and_each_hears_of_its_own_trades(s: Site) -> None:
    streams = [Stream(DataType.TRADE, each.symbol) for each in (CALL, PUT)]
    await s.want(*streams)
    row = {"T": 1, "S": "Buy", "v": "1", "p": "2"}
    s.push("publicTrade.BTC", [row | {"s": each.venue_symbol} for each in (PUT, CALL)])
    assert s.said == [("subscribe", ["publicTrade.BTC"])]
    assert sorted(datum.symbol for datum in s.delivered) == [CALL.symbol, PUT.symbol]
    s.feed.unsubscribe(streams[0])
    s.push("publicTrade.BTC", [row | {"s": each.venue_symbol} for each in (PUT, CALL)])
    assert [datum.symbol for datum in s.delivered[2:]] == [PUT.symbol]


# -- books ----------------------------------------------------------------------------------------------

LEVELS = [[str(100 - n), "1"] for n in range(8)], [[str(101 + n), "1"] for n in range(8)]


def shown(datum: BookL2) -> tuple[int, bool, list[float], int]:
    return datum.timestamp, datum.ok, [level.price for level in datum.bids[:2]], len(datum.bids)


@site_test
async def test_books_of_several_levels_are_cut_from_one_topic(s: Site) -> None:
    await s.want(*(Stream(DataType.BOOKL2, PERP.symbol, levels) for levels in ("5", "50")))
    assert s.said == [("subscribe", ["orderbook.50.BTCUSDT"])]
    s.book(7, *LEVELS, kind="snapshot")
    s.book(8, [["100", "0"]], [])
    assert [shown(datum) for datum in s.delivered] == [
        (7, True, [100.0, 99.0], 5),
        (7, True, [100.0, 99.0], 8),
        (8, True, [99.0, 98.0], 5),
        (8, True, [99.0, 98.0], 7),
    ]


@site_test
async def test_a_gap_spoils_the_book_and_begins_its_topic_anew(s: Site) -> None:
    await s.want(Stream(DataType.BOOKL2, PERP.symbol, "5"))
    s.book(7, *LEVELS, kind="snapshot")
    s.book(9, [["100", "0"]], [])
    assert [shown(datum)[:2] for datum in s.delivered] == [(7, True), (7, False)]
    await asyncio.sleep(1)
    assert s.said[1:] == [("unsubscribe", ["orderbook.50.BTCUSDT"]), ("subscribe", ["orderbook.50.BTCUSDT"])]
    s.book(10, [["99", "0"]], [])  # of the old subscription
    s.book(1, *LEVELS, kind="snapshot")
    s.book(2, [["99", "0"]], [])
    assert [shown(datum) for datum in s.delivered[2:]] == [
        (1, True, [100.0, 99.0], 5),
        (2, True, [100.0, 98.0], 5),
    ]


# -- klines ---------------------------------------------------------------------------------------------


def bars(count: int) -> list[list[str]]:
    return [[str(60_000 * n), "1", "1", "1", str(n), "1", "1"] for n in range(1, count + 1)]


async def asked_for(s: Site, limit: int | None, start: int | None, end: int) -> list[int]:
    klines = await s.feed.request_klines(PERP.symbol, KlineInterval.MINUTE_1.value, limit, start, end)
    return [kline.start // 60_000 for kline in klines]


@site_test
async def test_the_last_bars_of_a_range_are_one_page(s: Site) -> None:
    s.klines = bars(50)
    assert await asked_for(s, 5, None, 60_000 * 40) == [36, 37, 38, 39, 40]
    assert await asked_for(s, None, 60_000 * 38, 60_000 * 40 + 5) == [38, 39, 40]
    assert len(s.asked) == 2


@site_test
async def test_a_long_range_is_read_page_by_page_without_a_hole_or_a_bar_twice(s: Site) -> None:
    s.klines = bars(3_500)
    assert await asked_for(s, None, 60_000 * 101, 60_000 * 3_400) == list(range(101, 3_401))
    assert [query["limit"] for query in s.asked] == ["1000", "1000", "1000", "300"]


@site_test
async def test_a_range_that_begins_before_the_first_bar_ends_there(s: Site) -> None:
    s.klines = bars(1_200)
    assert await asked_for(s, None, -60_000 * 5_000, 60_000 * 1_200) == list(range(1, 1_201))
    assert len(s.asked) == 2
    s.klines = []
    assert await asked_for(s, 10, None, 60_000 * 40) == []
