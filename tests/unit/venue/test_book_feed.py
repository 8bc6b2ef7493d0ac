"""Books over the wire: shown while they are certain, said to be not ok before any callback when they are not."""

from __future__ import annotations

import asyncio
import json
from collections.abc import Callable
from typing import Any

import msgspec
import pytest

from desk import BTC
from memory_transport import MemoryConnection, MemoryTransport
from nexustrader.constants import DataType
from nexustrader.exchange.binance import VENUE, BinanceAccountType
from nexustrader.kernel.bus import MessageBus
from nexustrader.kernel.entropy import Entropy
from nexustrader.kernel.tasks import TaskManager
from nexustrader.market.cache import Cache
from nexustrader.market.hub import MarketHub
from nexustrader.market.subscriptions import Stream
from nexustrader.schema import BookL2, BookOrderData
from nexustrader.venue import local_book
from nexustrader.venue.book_feed import FIRST_WORD_S, BookFeed
from nexustrader.venue.feed import Feed
from nexustrader.venue.ratelimit import RateLimiter
from nexustrader.venue.session import RestSession
from nexustrader.venue.spec import Endpoints
from nexustrader.venue.transport import HttpAnswer
from virtual_time import LoopClock, run_virtual

TYPE = BinanceAccountType.USD_M_FUTURE
SYMBOL = "BTCUSDT-PERP.BINANCE"
BOOK = Stream(DataType.BOOKL2, SYMBOL, "50")
STALE_MS = 60_000
Levels = list[list[str]]


class Site:
    """A feed into a cache and a bus, and the venue's side of it: a book with update ids, told over a socket."""

    def __init__(
        self, clock: LoopClock, symbols: tuple[str, ...] = (SYMBOL,), stale_ms_max: int | None = None
    ):
        self.clock = clock
        self.cache = Cache()
        self.told: list[BookL2] = []
        self.seen: list[tuple[str, bool]] = []  # (what ran, was the cached book ok then)
        bus = MessageBus()
        for kind in (DataType.BOOKL2, DataType.BOOKL1):
            bus.subscribe(kind.value, lambda datum, kind=kind: self._note(kind, datum))
        self.transport = MemoryTransport()
        self.transport.answer = self._answer
        self.tasks = TaskManager(asyncio.get_running_loop())
        limiter = RateLimiter(VENUE.rate_limits(TYPE))
        session = RestSession(
            VENUE, "https://venue", VENUE.server_time_request(TYPE), self.transport, clock, limiter
        )
        self.feed = Feed(
            VENUE,
            TYPE,
            Endpoints("https://venue", "wss://streams"),
            session,
            self.transport,
            clock,
            self.tasks,
            Entropy(1),
            MarketHub(bus, self.cache).deliver,
            stale_ms_max=stale_ms_max,
        )
        self.feed.instruments = {
            symbol: msgspec.structs.replace(BTC, symbol=symbol, venue_symbol=symbol.partition("-")[0])
            for symbol in symbols
        }
        self.at = 100
        self.snapshot_at: Callable[[], int] = lambda: self.at
        self.asked_at_ms: list[int] = []
        self.status = 200

    def _note(self, kind: DataType, datum: Any) -> None:
        book = self.cache.bookl2(SYMBOL)
        self.seen.append((kind.value, book is not None and book.ok))
        if kind is DataType.BOOKL2:
            self.told.append(datum)

    def _answer(self, _method: str, url: str) -> HttpAnswer:
        if "/depth" not in url:
            return HttpAnswer(200, {}, json.dumps({"serverTime": self.clock.timestamp_ms()}).encode())
        self.asked_at_ms.append(self.clock.monotonic_ms())
        if self.status != 200:
            return HttpAnswer(self.status, {}, b'{"code":-1001,"msg":"internal"}')
        at = self.snapshot_at()
        body = {"lastUpdateId": at, "T": self.clock.timestamp_ms(), "bids": [["99", "1"], ["98", "2"]]}
        return HttpAnswer(200, {}, json.dumps(body | {"asks": [["101", "1"], ["102", "2"]]}).encode())

    @property
    def socket(self) -> MemoryConnection:
        return self.transport.connections[-1]

    @property
    def book(self) -> BookL2:
        book = self.cache.bookl2(SYMBOL)
        assert book is not None
        return book

    def change(self, bids: Levels | None = None, asks: Levels | None = None, *, lost: bool = False) -> bytes:
        """The venue's book moves on by one update, which is told unless it is lost."""
        before, self.at = self.at, self.at + 1
        now = self.clock.timestamp_ms()
        ids = {"U": before + 1, "u": self.at, "pu": before, "E": now, "T": now}
        frame = {"stream": "btcusdt@depth@100ms", "data": ids | {"b": bids or [], "a": asks or []}}
        raw = json.dumps(frame, separators=(",", ":")).encode()
        if not lost:
            self.socket.push(raw)
        return raw

    def quote(self) -> None:
        now = self.clock.timestamp_ms()
        data = {"u": 1, "b": "1.0", "B": "1", "a": "1.1", "A": "1", "T": now}
        frame = {"stream": "btcusdt@bookTicker", "data": data}
        self.socket.push(json.dumps(frame, separators=(",", ":")).encode())

    async def begin(self) -> None:
        """Subscribe, and wait until the book is there."""
        self.feed.subscribe(BOOK)
        await asyncio.sleep(1)
        self.change()
        await asyncio.sleep(1)
        assert self.book.ok


def case(run: Callable[[Site], Any], **settings: Any) -> None:
    async def wrapped(clock: LoopClock) -> None:
        site = Site(clock, **settings)
        await run(site)
        await site.feed.stop()
        assert not [name for name in site.tasks.task_names if name.startswith("book")]
        assert site.tasks.dead_count == 0

    run_virtual(wrapped)


def test_the_first_change_brings_the_snapshot_and_every_change_after_it_is_told():
    async def run(site: Site) -> None:
        await site.begin()
        site.change([["99", "0"], ["97", "5"]], [["101", "3"]])
        assert site.told[-1] == BookL2(
            BTC.exchange,
            SYMBOL,
            [BookOrderData(98.0, 2.0), BookOrderData(97.0, 5.0)],
            [BookOrderData(101.0, 3.0), BookOrderData(102.0, 2.0)],
            site.clock.timestamp_ms(),
        )
        assert site.book is site.told[-1]
        assert len(site.asked_at_ms) == 1

    case(run)


def test_a_quiet_market_has_its_book_without_any_change():
    async def run(site: Site) -> None:
        site.feed.subscribe(BOOK)
        await asyncio.sleep(FIRST_WORD_S - 1)
        assert site.asked_at_ms == []
        await asyncio.sleep(2)
        assert site.book.ok

    case(run)


def test_after_a_gap_the_book_is_not_ok_before_anything_else_is_heard_and_ok_again_after_a_snapshot():
    async def run(site: Site) -> None:
        site.feed.subscribe(Stream(DataType.BOOKL1, SYMBOL))
        await site.begin()
        site.seen.clear()
        site.change(lost=True)
        site.change([["50", "1"]])
        before = site.book
        assert (before.ok, before.bids[0].price) == (False, 99.0)
        site.quote()
        assert site.seen == [("bookl1", False)]
        site.change()  # held until the snapshot
        await asyncio.sleep(1)
        assert site.book.ok
        site.change()
        assert site.seen[1:] == [("bookl2", True)] * 2

    case(run)


def test_a_crossed_book_is_never_told():
    async def run(site: Site) -> None:
        await site.begin()
        told = len(site.told)
        site.change([["150", "1"]])
        assert not site.book.ok
        assert len(site.told) == told
        site.change([["150", "0"]])
        await asyncio.sleep(1)
        assert site.book.ok
        assert all(book.bids[0].price < book.asks[0].price for book in site.told)

    case(run)


def test_a_lost_connection_makes_the_book_not_ok_in_the_same_call_and_the_next_one_brings_it_back():
    async def run(site: Site) -> None:
        await site.begin()
        site.socket.break_off()
        await asyncio.sleep(0.01)
        assert not site.book.ok
        await asyncio.sleep(10)
        site.change()
        await asyncio.sleep(1)
        assert site.book.ok
        assert len(site.transport.connections) == 2

    case(run)


def test_a_silent_stream_makes_the_book_not_ok_and_its_snapshot_brings_it_back():
    async def run(site: Site) -> None:
        site.feed.subscribe(Stream(DataType.BOOKL1, SYMBOL))
        await site.begin()
        for _ in range(6):
            site.quote()
            await asyncio.sleep(9)
        assert site.book.ok
        await asyncio.sleep(7)
        assert not site.book.ok
        assert site.feed.stale == [BOOK]
        site.quote()
        await asyncio.sleep(FIRST_WORD_S + 1)
        assert site.book.ok

    case(run, stale_ms_max=STALE_MS)


def test_a_book_that_is_streamed_whole_is_not_ok_while_its_connection_is_lost_or_its_frame_is_crossed():
    def frame(best_bid: str) -> bytes:
        data = {"T": 5, "u": 1, "b": [[best_bid, "1"]], "a": [["101", "1"]]}
        return json.dumps({"stream": "btcusdt@depth5@100ms", "data": data}, separators=(",", ":")).encode()

    async def run(site: Site) -> None:
        site.feed.subscribe(Stream(DataType.BOOKL2, SYMBOL, "5"))
        await asyncio.sleep(1)
        site.socket.push(frame("100"))
        assert site.book.ok
        site.socket.push(frame("102"))
        assert not site.book.ok
        site.socket.push(frame("100"))
        assert site.book.ok
        assert [book.bids[0].price for book in site.told] == [100.0, 100.0]
        site.socket.break_off()
        await asyncio.sleep(0.01)
        assert not site.book.ok
        await asyncio.sleep(10)
        site.socket.push(frame("99"))
        assert site.book.ok

    case(run)


def test_a_book_that_nobody_wants_any_more_is_not_called_ok():
    async def run(site: Site) -> None:
        await site.begin()
        site.feed.unsubscribe(BOOK)
        assert not site.book.ok
        await asyncio.sleep(60)
        assert len(site.asked_at_ms) == 1

    case(run)


def test_a_change_that_comes_too_late_is_not_told_and_the_book_is_ok_with_the_next_fresh_one():
    async def run(site: Site) -> None:
        await site.begin()
        raw = site.change(lost=True)
        told = len(site.told)
        frame = json.loads(raw)
        frame["data"]["T"] -= 2 * STALE_MS
        site.socket.push(json.dumps(frame, separators=(",", ":")).encode())
        assert not site.book.ok
        assert len(site.told) == told
        assert site.feed.stale_readings == 1
        site.change()
        assert site.book.ok

    case(run, stale_ms_max=STALE_MS)


# -- asking for snapshots ------------------------------------------------------------------------------------


def test_a_snapshot_that_is_older_than_the_stream_is_asked_for_again_and_never_shown():
    async def run(site: Site) -> None:
        site.snapshot_at = lambda: site.at if len(site.asked_at_ms) > 3 else 42
        site.feed.subscribe(BOOK)
        await asyncio.sleep(1)
        site.change()
        await asyncio.sleep(0.1)
        assert site.cache.bookl2(SYMBOL) is None
        await asyncio.sleep(30)
        assert site.book.ok
        assert len(site.asked_at_ms) == 4

    case(run)


def test_failing_snapshots_are_asked_for_at_longer_and_longer_intervals():
    async def run(site: Site) -> None:
        site.status = 503
        site.feed.subscribe(BOOK)
        await asyncio.sleep(1)
        site.change()
        await asyncio.sleep(600)
        assert 5 < len(site.asked_at_ms) < 100
        site.status = 200
        await asyncio.sleep(31)
        assert site.book.ok

    case(run)


def test_a_book_that_was_good_for_a_while_is_asked_for_at_once_when_it_breaks():
    async def run(site: Site) -> None:
        site.status = 503
        site.feed.subscribe(BOOK)
        await asyncio.sleep(1)
        site.change()
        await asyncio.sleep(300)
        site.status = 200
        await asyncio.sleep(60)
        assert site.book.ok
        asked = len(site.asked_at_ms)
        site.change(lost=True)
        site.change()
        await asyncio.sleep(0.1)
        assert len(site.asked_at_ms) == asked + 1

    case(run)


def test_many_books_at_once_take_at_most_half_of_the_weight_limit():
    symbols = tuple(f"C{n}USDT-PERP.BINANCE" for n in range(150))

    async def run(site: Site) -> None:
        for symbol in symbols:
            site.feed.subscribe(Stream(DataType.BOOKL2, symbol, "50"))
        await asyncio.sleep(300)
        asked = site.asked_at_ms
        assert len(asked) == len(symbols)
        (limit,) = (one for one in VENUE.rate_limits(TYPE) if one.pool == "weight")
        windows = [ms // limit.interval_ms for ms in asked]
        assert max(windows.count(window) for window in windows) * 20 <= limit.limit * 0.6

    case(run, symbols=symbols)


def test_a_market_that_nears_the_end_of_its_snapshot_has_another_before_it_is_there():
    async def run(site: Site) -> None:
        site.status = 503
        site.feed.subscribe(BOOK)
        await asyncio.sleep(1)
        site.change()
        await asyncio.sleep(300)  # so often in vain that only a while of peace makes up for it
        site.status = 200
        await asyncio.sleep(60)
        asked = len(site.asked_at_ms)
        site.change([["98", "0"]])
        assert site.book.ok
        await asyncio.sleep(0.1)
        assert len(site.asked_at_ms) == asked + 1
        assert site.book.ok

    rule = msgspec.structs.replace(VENUE.book_rule(TYPE, BOOK), levels=1, snapshot_levels=2, refresh_below=2)
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(type(VENUE), "book_rule", lambda _self, _type, _stream: rule)
        case(run)


# -- books whose snapshots come by the stream ----------------------------------------------------------------


class StreamedVenue(type(VENUE)):  # type: ignore[misc]  # a venue's class is not exported as a type
    """As the venue, but the stream brings the snapshots; a frame of spot's shape with `E` 0 is one."""

    def book_rule(self, account_type, stream):
        return local_book.BookRule(levels=2, by_request=False, exact=True)


def streamed(run: Callable[[BookFeed, Any, list[Stream], list[BookL2]], Any]) -> None:
    async def wrapped(clock: LoopClock) -> None:
        anew: list[Stream] = []
        shown: list[BookL2] = []
        transport = MemoryTransport()
        venue = StreamedVenue()
        limiter = RateLimiter(())
        session = RestSession(venue, "https://v", venue.server_time_request(TYPE), transport, clock, limiter)
        tasks = TaskManager(asyncio.get_running_loop())
        books = BookFeed(
            venue, TYPE, session, clock, tasks, Entropy(1), shown.append, lambda _b: True, anew.append
        )
        take = books.open(BOOK, BTC)
        books.begun(BOOK)
        await run(books, take, anew, shown)
        books.close(BOOK)
        await asyncio.sleep(1)
        assert tasks.task_names == []
        assert transport.requests == []

    run_virtual(wrapped)


def snapshot(last: int) -> local_book.BookChange:
    return local_book.BookChange(last, last, [(9.0, 1.0)], [(11.0, 1.0)], last, is_snapshot=True)


def after(last: int) -> local_book.BookChange:
    return local_book.BookChange(last - 1, last, [(9.0, float(last))], [], last)


def test_a_gap_in_a_stream_that_brings_its_own_snapshots_subscribes_it_anew():
    async def run(books, take, anew, shown):
        take(snapshot(5))
        take(after(6))
        take(after(8))
        assert [book.ok for book in shown] == [True, True, False]
        take(after(9))
        await asyncio.sleep(1)
        assert anew == [BOOK]
        books.begun(BOOK)
        take(after(10))  # of the old subscription
        take(snapshot(1))
        take(after(2))
        assert [book.ok for book in shown] == [True, True, False, True, True]

    streamed(run)


def test_a_stream_whose_snapshot_does_not_come_is_subscribed_anew_more_and_more_rarely():
    async def run(books, take, anew, shown):
        await asyncio.sleep(600)
        assert 5 < len(anew) < 60
        take(snapshot(5))
        count = len(anew)
        await asyncio.sleep(600)
        assert len(anew) == count
        assert [book.ok for book in shown] == [True]

    streamed(run)


def test_a_stream_that_breaks_again_and_again_is_not_subscribed_anew_without_pause():
    async def run(books, take, anew, shown):
        for _ in range(600):
            take(snapshot(5))
            take(after(7))
            await asyncio.sleep(0.1)
        assert len(anew) < 30

    streamed(run)
