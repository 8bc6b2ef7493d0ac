"""Public data of one account type at one venue: sockets by route, subscriptions in order, frames to structs."""

from __future__ import annotations

import asyncio
import copy
from collections.abc import Iterable, Mapping
from functools import partial
from typing import Any

from nexustrader.constants import AccountType, DataType, KlineInterval
from nexustrader.domain.instrument import Instrument
from nexustrader.error import InstrumentError, NotSent, OutcomeUnknown
from nexustrader.kernel.entropy import Entropy
from nexustrader.kernel.log import get_logger
from nexustrader.kernel.ports import Clock
from nexustrader.kernel.tasks import TaskManager
from nexustrader.market.subscriptions import Stream as DataStream
from nexustrader.schema import BookL2, Kline, Ticker
from nexustrader.venue.book_feed import BookFeed
from nexustrader.venue.market_socket import BAD_FRAMES_LOGGED_MAX, Decode, MarketSocket
from nexustrader.venue.session import CLOCK_SYNC_MAX_AGE_MS, RestSession
from nexustrader.venue.spec import Deliver, Endpoints, Venue
from nexustrader.venue.staleness import STALE_MS_MAX
from nexustrader.venue.transport import Transport

LOOK_INTERVAL_S = 1.0
KLINES_PER_PAGE = 1000

_log = get_logger("Feed")


class Feed:
    """The `MarketPort` over the real wire.

    A subscribed stream that is silent for `stale_ms_max` is shown in `stale` and subscribed anew, and a reading
    that is older than that when it arrives is left out and counted in `stale_readings` (None: neither).
    """

    def __init__(
        self,
        venue: Venue,
        account_type: AccountType,
        endpoints: Endpoints,
        session: RestSession,
        transport: Transport,
        clock: Clock,
        tasks: TaskManager,
        entropy: Entropy,
        deliver: Mapping[DataType, Deliver],
        stream_url: str | None = None,
        *,
        stale_ms_max: int | None = STALE_MS_MAX,
    ) -> None:
        self._venue = venue
        self._type = account_type
        self._base = (stream_url or endpoints.stream).rstrip("/")
        self.origin = session.base_url
        self._session = session
        self._transport = transport
        self._clock = clock
        self._tasks = tasks
        self._entropy = entropy
        self._deliver = (
            deliver if stale_ms_max is None else {k: self._only_fresh(d) for k, d in deliver.items()}
        )
        self._stale_ms_max = stale_ms_max
        self._oldest_ms = (
            0  # readings from before this moment are stale; 0 while the venue's clock is not known
        )
        self._watching: list[asyncio.Task[None]] = []
        self.stale_readings = 0
        self.instruments: dict[str, Instrument] = {}
        self._sockets: dict[str, list[MarketSocket]] = {}
        self._where: dict[DataStream, tuple[MarketSocket, str]] = {}
        self._books_of: dict[str, list[DataStream]] = {}  # by topic
        self._books = BookFeed(
            venue,
            account_type,
            session,
            clock,
            tasks,
            entropy,
            deliver[DataType.BOOKL2],
            self._is_fresh,
            self._begin_anew,
        )

    def over(self, transport: Transport) -> Feed:
        """The same feed for requests only, over another transport (for another thread's loop)."""
        twin = copy.copy(self)
        twin._session = self._session.over(transport)  # noqa: SLF001  # a copy of itself
        twin._transport = transport  # noqa: SLF001  # a copy of itself
        return twin

    async def load_instruments(self) -> dict[str, Instrument]:
        """Fetch and know the venue's instruments, by symbol. Raises what `fetch_instruments` raises."""
        self.know_instruments((await self.fetch_instruments()).values())
        return self.instruments

    def know_instruments(self, instruments: Iterable[Instrument]) -> None:
        """Take these in the place of what was known of them."""
        self.instruments.update((one.symbol, one) for one in instruments)  # a twin for requests shares them

    async def fetch_instruments(self) -> dict[str, Instrument]:
        """The venue's list as it is now, by symbol. Raises what `RestSession.ask` raises."""
        found: dict[str, Instrument] = {}
        for body in await self._session.ask_whole(self._venue.instruments_requests(self._type)):
            instruments, problems = self._venue.parse_instruments(self._type, body)
            found.update((i.symbol, i) for i in instruments)
            for problem in problems[:BAD_FRAMES_LOGGED_MAX]:
                _log.warning(f"{self._type.value}: {problem}")
        return found

    def subscribe(self, stream: DataStream) -> None:
        """Want this stream. Raises InstrumentError or SubscriptionError before anything is sent."""
        if stream in self._where:
            return
        instrument = self._instrument(stream.symbol)
        route, topic = self._venue.stream_topic(self._type, stream, instrument)
        socket = self._socket_for(route, topic)
        self._where[stream] = (socket, topic)
        if self._stale_ms_max is not None and not self._watching:
            for name, work in (("freshness", self._watch(self._stale_ms_max)), ("clock", self._keep_time())):
                self._watching.append(self._tasks.create_task(work, name=f"{name} {self._type.value} data"))
        socket.add(topic, self._decoder(topic))

    def _decoder(self, topic: str) -> Decode:
        """What the streams that share a topic make of its frames: a mark price carries index and funding too, a
        book may be shown with several numbers of levels, and some topics carry all symbols of one coin.

        A decoder may have to know what came before it, so a topic that has come already begins anew for a new one.
        """
        sharing = [stream for stream, (_, other) in self._where.items() if other == topic]
        books = [stream for stream in sharing if stream.kind is DataType.BOOKL2]
        for book in self._books_of.pop(topic, ()):
            self._books.close(book)
        if books:
            self._books_of[topic] = books
        decoders = [
            self._venue_decoder(book, {book.kind: self._books.open(book, self._instrument(book.symbol))})
            for book in books
        ]
        by_symbol: dict[str, list[DataStream]] = {}
        for stream in sharing:
            if stream not in books:
                by_symbol.setdefault(stream.symbol, []).append(stream)
        decoders += [
            self._venue_decoder(
                streams[0], {s.kind: self._deliver[s.kind] for s in streams if s.kind in self._deliver}
            )
            for streams in by_symbol.values()
        ]
        return decoders[0] if len(decoders) == 1 else partial(_decode_all, decoders)

    def _venue_decoder(self, stream: DataStream, takes: Mapping[DataType, Deliver]) -> Decode:
        instrument = self._instrument(stream.symbol)
        return self._venue.decoder(self._type, stream, instrument, takes, self._clock.timestamp_ms)

    def unsubscribe(self, stream: DataStream) -> None:
        """Want it no longer; a topic that another stream shares stays subscribed."""
        found = self._where.pop(stream, None)
        if found is None:
            return
        socket, topic = found
        if any(other == topic for _, other in self._where.values()):
            socket.add(topic, self._decoder(topic))
            return
        socket.remove(topic)
        for book in self._books_of.pop(topic, ()):
            self._books.close(book)

    def _instrument(self, symbol: str) -> Instrument:
        try:
            return self.instruments[symbol]
        except KeyError:
            raise InstrumentError(
                f"{symbol} is not traded on {self._type.value}. Check the spelling; "
                f"for example {next(iter(self.instruments), 'nothing is loaded')} is"
            ) from None

    def _socket_for(self, route: str, topic: str) -> MarketSocket:
        sockets = self._sockets.setdefault(route, [])
        for socket in sockets:
            if topic in socket.decoders or len(socket.decoders) < self._venue.spec.streams_per_socket:
                return socket
        socket = MarketSocket(
            f"{self._venue.spec.exchange.value} {self._type.value} market{route}#{len(sockets) + 1}",
            self._base + route,
            self._venue,
            self._transport,
            self._tasks,
            self._entropy,
            self._stale_ms_max,
            self._on_begun,
            self._on_lost,
        )
        sockets.append(socket)
        return socket

    async def stop(self) -> None:
        for task in self._watching:
            task.cancel()
        await asyncio.gather(*(socket.stop() for socket in self._all_sockets()))

    # -- books -----------------------------------------------------------------------------------------------

    def _on_begun(self, topic: str) -> None:
        for book in self._books_of.get(topic, ()):
            self._books.begun(book)

    def _on_lost(self, topic: str, reason: str) -> None:
        for book in self._books_of.get(topic, ()):
            self._books.lost(book, reason)

    def _begin_anew(self, stream: DataStream) -> None:
        if stream in self._where:
            socket, topic = self._where[stream]
            socket.begin_anew(topic)

    # -- freshness -------------------------------------------------------------------------------------------

    @property
    def stale(self) -> list[DataStream]:
        """Streams that are wanted and have been silent for too long."""
        return [stream for stream, (socket, topic) in self._where.items() if socket.is_silent(topic)]

    def _all_sockets(self) -> list[MarketSocket]:
        return [socket for sockets in self._sockets.values() for socket in sockets]

    def _only_fresh(self, deliver: Deliver) -> Deliver:
        def guarded(datum: Any) -> None:
            if datum.timestamp >= self._oldest_ms:
                deliver(datum)
            else:
                self._on_stale_reading(datum)

        return guarded

    def _is_fresh(self, book: BookL2) -> bool:
        if book.timestamp >= self._oldest_ms:
            return True
        self._on_stale_reading(book)
        return False

    def _on_stale_reading(self, datum: Any) -> None:
        self.stale_readings += 1
        if self.stale_readings <= BAD_FRAMES_LOGGED_MAX:
            _log.warning(
                f"{self._type.value}: a reading of {datum.symbol} is too old and is left out: {datum}"
            )

    async def _watch(self, stale_ms_max: int) -> None:
        while True:
            now_ms = self._clock.timestamp_ms()
            for socket in self._all_sockets():
                socket.look_for_silence(now_ms)
            # By the clock that is behind: a reading without a time of its own bears ours.
            if self._session.time.synced_at_ms is not None:
                self._oldest_ms = min(now_ms, self._session.time.now_ms()) - stale_ms_max
            await asyncio.sleep(LOOK_INTERVAL_S)

    async def _keep_time(self) -> None:
        while True:
            try:
                await self._session.sync_time()
            except (NotSent, OutcomeUnknown) as error:
                _log.warning(f"{self._type.value}: the clock offset stays as it was: {error}")
            await asyncio.sleep(CLOCK_SYNC_MAX_AGE_MS / 1000)

    async def request_klines(
        self, symbol: str, interval: str, limit: int | None, start_ms: int | None, end_ms: int | None
    ) -> list[Kline]:
        """The last `limit` klines of the range, oldest first (all of the range when limit is None).

        Page by page from the end on: what the last bars before a moment are is one thing to all venues, and a page
        that is not full is where the history begins.
        """
        instrument = self._instrument(symbol)
        step = KlineInterval(interval).milliseconds
        end = end_ms if end_ms is not None else self._clock.timestamp_ms()
        if limit is not None and (start_ms is None or start_ms < end - limit * step):
            start_ms = end - limit * step
        if start_ms is None:
            return await self._klines_page(instrument, interval, KLINES_PER_PAGE, None, end_ms)
        klines: list[Kline] = []
        cursor = end
        while cursor >= start_ms:
            most = min((cursor - start_ms) // step + 1, KLINES_PER_PAGE)
            page = await self._klines_page(instrument, interval, most, None, cursor)
            klines = page + klines
            if len(page) < most or page[0].start > cursor:
                break
            cursor = page[0].start - 1
        found = [kline for kline in klines if kline.start >= start_ms]
        return found[-limit:] if limit is not None else found

    async def _klines_page(
        self, instrument: Instrument, interval: str, limit: int, start_ms: int | None, end_ms: int | None
    ) -> list[Kline]:
        request = self._venue.klines_request(self._type, instrument, interval, limit, start_ms, end_ms)
        # Race: a bar that closes while the answer is under way is still open in it. So by the time of asking, and by
        # the clock that is behind.
        asked_ms = min(self._clock.timestamp_ms(), self._session.time.now_ms())
        reply = await self._session.ask(request)
        return self._venue.parse_klines(instrument, interval, reply.body, asked_ms)

    async def request_ticker(self, symbol: str) -> Ticker:
        instrument = self._instrument(symbol)
        reply = await self._session.ask(self._venue.ticker_request(self._type, instrument))
        if not reply.ok:
            raise OutcomeUnknown(f"no ticker of {symbol}: {reply.message}")
        return self._venue.parse_ticker(instrument, reply.body)


def _decode_all(decoders: Iterable[Decode], raw: bytes) -> None:
    for decode in decoders:
        decode(raw)
