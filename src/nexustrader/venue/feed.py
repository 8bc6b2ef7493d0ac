"""Public data of one account type at one venue: sockets by route, subscriptions in order, frames to structs."""

from __future__ import annotations

import asyncio
import copy
from collections import deque
from collections.abc import Callable, Iterable, Mapping
from functools import partial
from typing import Any

import msgspec

from nexustrader.constants import AccountType, DataType, KlineInterval
from nexustrader.domain.instrument import Instrument
from nexustrader.error import InstrumentError, NotSent, OutcomeUnknown, WireError
from nexustrader.kernel.entropy import Entropy
from nexustrader.kernel.log import get_logger
from nexustrader.kernel.ports import Clock
from nexustrader.kernel.tasks import TaskManager
from nexustrader.market.subscriptions import Stream as DataStream
from nexustrader.schema import BookL2, Kline, Ticker
from nexustrader.venue.book_feed import BookFeed
from nexustrader.venue.session import CLOCK_SYNC_MAX_AGE_MS, RestSession
from nexustrader.venue.spec import Deliver, Endpoints, Venue
from nexustrader.venue.staleness import STALE_MS_MAX, Silences
from nexustrader.venue.stream import Stream, pulse_of
from nexustrader.venue.transport import Transport

BAD_FRAMES_LOGGED_MAX = 20
LOOK_INTERVAL_S = 1.0
KLINES_PER_PAGE = 1000

Decode = Callable[[bytes], None]

_log = get_logger("Feed")


class _Socket:
    """One connection and the topics on it. Subscribe and unsubscribe share one FIFO, so their order is kept."""

    def __init__(
        self,
        name: str,
        url: str,
        venue: Venue,
        transport: Transport,
        tasks: TaskManager,
        entropy: Entropy,
        stale_ms_max: int | None,
        on_begun: Callable[[str], None],
        on_lost: Callable[[str, str], None],
    ) -> None:
        self._venue = venue
        self._url = url
        self._tasks = tasks
        self._on_begun = on_begun  # (topic): its subscription has gone out
        self._on_lost = on_lost  # (topic, why): what it brought does not count any more
        self._topic_of = venue.topic_of
        self._prefix = venue.spec.topic_prefix
        self._topic_start = len(self._prefix)
        self.decoders: dict[str, Decode] = {}
        self._by_bytes: dict[bytes, Decode] = {}  # the same decoders, by the topic as it stands in the frame
        self._commands: deque[tuple[str, bool]] = deque()
        self._pumping = False
        self._open = False
        self._request_id = 0
        self._heard: set[bytes] = set()  # topics that have come since the last look
        self._silences = Silences(stale_ms_max) if stale_ms_max is not None else None
        self.bad_frames = 0
        self.frames = 0
        self._stream = Stream(
            name,
            self._get_url,
            transport,
            tasks,
            entropy,
            on_frame=self._on_frame,
            on_up=self._on_up,
            on_down=self._on_down,
            pulse=pulse_of(venue.spec),
        )
        self._name = name

    async def _get_url(self) -> str:
        return self._url

    def add(self, topic: str, decode: Decode) -> None:
        """Want a topic, or have it decoded in another way from a new beginning on."""
        is_new = topic not in self.decoders
        self.decoders[topic] = decode
        self._by_bytes[topic.encode()] = decode
        if is_new:
            self._enqueue(topic, subscribe=True)
        else:
            self.begin_anew(topic)
        self._stream.start()

    def remove(self, topic: str) -> None:
        if self.decoders.pop(topic, None) is not None:
            del self._by_bytes[topic.encode()]
            if self._silences is not None:
                self._silences.forget(topic.encode())
            self._enqueue(topic, subscribe=False)

    def look_for_silence(self, now_ms: int) -> None:
        """Begin anew what has been silent for too long: the topic, or the connection when all of it is silent."""
        if self._silences is None or not self._open:
            return
        overdue, back = self._silences.look(now_ms, self._by_bytes, self._heard)
        self._heard.clear()
        for raw in back:
            _log.warning(f"{self._name}: {raw.decode()} speaks again")
        if not overdue:
            return
        topics = [raw.decode() for raw in overdue]
        _log.warning(f"{self._name}: nothing has come for too long, begun anew: {', '.join(topics)}")
        for topic in topics:
            self._on_lost(topic, "nothing has come for too long")
        if len(self._silences.silent) == len(self._by_bytes):
            self._stream.drop("all of it is silent")
            return
        for topic in topics:
            self.begin_anew(topic)

    def begin_anew(self, topic: str) -> None:
        self._enqueue(topic, subscribe=False)
        self._enqueue(topic, subscribe=True)

    def is_silent(self, topic: str) -> bool:
        return self._silences is not None and topic.encode() in self._silences.silent

    async def stop(self) -> None:
        await self._stream.stop()

    def _enqueue(self, topic: str, *, subscribe: bool) -> None:
        if not self._open:
            return  # the next connect subscribes whatever is wanted then
        self._commands.append((topic, subscribe))
        if not self._pumping:
            self._pumping = True
            self._tasks.create_task(self._pump(), name=f"subscribe {self._name}")

    async def _pump(self) -> None:
        """Send queued commands in batches of one kind, spaced as the venue wants it."""
        spec = self._venue.spec
        try:
            while self._commands:
                subscribe = self._commands[0][1]
                batch: list[str] = []
                while (
                    self._commands and self._commands[0][1] is subscribe and len(batch) < spec.subscribe_batch
                ):
                    batch.append(self._commands.popleft()[0])
                self._request_id += 1
                try:
                    self._stream.send(
                        self._venue.subscribe_frame(batch, self._request_id, subscribe=subscribe)
                    )
                except NotSent:
                    self._commands.clear()  # the next connect subscribes whatever is wanted then
                    return
                for topic in batch if subscribe else ():
                    self._on_begun(topic)
                if self._commands:
                    await asyncio.sleep(spec.subscribe_gap_ms / 1000)
        finally:
            self._pumping = False

    async def _on_up(self, _reconnected: bool) -> None:
        self._open = True  # from now on, not only when all batches are out: they take a while
        if self._silences is not None:
            self._silences.restart()
        self._commands.clear()
        self._commands.extend((topic, True) for topic in self.decoders)
        if self._commands and not self._pumping:
            self._pumping = True
            await self._pump()

    def _on_down(self, reason: str) -> None:
        self._open = False
        self._commands.clear()
        for topic in self.decoders:
            self._on_lost(topic, f"disconnected ({reason})")

    def _on_frame(self, raw: bytes) -> None:
        self.frames += 1
        try:
            if raw.startswith(self._prefix):  # the hot path: no call, no text made of the topic
                start = self._topic_start
                topic = raw[start : raw.find(b'"', start)]
                decode = self._by_bytes.get(topic)
                if decode is not None:
                    self._heard.add(topic)
                    decode(raw)
                    return
            self._on_other_frame(raw)
        except (WireError, msgspec.MsgspecError, ValueError) as error:
            self._on_bad_frame(error)

    def _on_other_frame(self, raw: bytes) -> None:
        """A control frame, a topic nobody wants any more, or a data frame that begins in an unusual way."""
        topic = self._topic_of(raw)
        if topic is None:
            self._on_control(raw)
        elif topic in self.decoders:
            self._heard.add(topic.encode())
            self.decoders[topic](raw)

    def _on_control(self, raw: bytes) -> None:
        problem = self._venue.control_problem(raw)
        if problem is not None:
            _log.error(f"{self._name}: {problem}")

    def _on_bad_frame(self, error: Exception) -> None:
        self.bad_frames += 1
        if self.bad_frames <= BAD_FRAMES_LOGGED_MAX:
            _log.error(
                f"{self._name}: a frame cannot be read and is left out ({type(error).__name__}: {error})"
            )


def _decode_all(decoders: Iterable[Decode], raw: bytes) -> None:
    for decode in decoders:
        decode(raw)


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
        self._sockets: dict[str, list[_Socket]] = {}
        self._where: dict[DataStream, tuple[_Socket, str]] = {}
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
        """Fetch and keep the venue's instruments, by symbol. Raises what `RestSession.ask` raises."""
        found: dict[str, Instrument] = {}
        for body in await self._session.ask_whole(self._venue.instruments_requests(self._type)):
            instruments, problems = self._venue.parse_instruments(self._type, body)
            found.update((i.symbol, i) for i in instruments)
            for problem in problems[:BAD_FRAMES_LOGGED_MAX]:
                _log.warning(f"{self._type.value}: {problem}")
        self.instruments = found
        return self.instruments

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

    def _socket_for(self, route: str, topic: str) -> _Socket:
        sockets = self._sockets.setdefault(route, [])
        for socket in sockets:
            if topic in socket.decoders or len(socket.decoders) < self._venue.spec.streams_per_socket:
                return socket
        socket = _Socket(
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

    def _all_sockets(self) -> list[_Socket]:
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
