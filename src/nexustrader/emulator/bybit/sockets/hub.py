"""Who listens to what of one category, and the clients of its public socket."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping

import msgspec

from nexustrader.emulator.bybit.categories import SPOT
from nexustrader.emulator.bybit.sockets import frames
from nexustrader.emulator.bybit.sockets.books import BookStream
from nexustrader.emulator.bybit.sockets.frames import Request
from nexustrader.emulator.bybit.sockets.topics import BOOK, TICKERS, Topic, parse_topic
from nexustrader.emulator.faults import SUBSCRIBE, FaultPlan
from nexustrader.emulator.market.market import Market
from nexustrader.emulator.market.streams import Listener, Stream
from nexustrader.emulator.peer import Peer
from nexustrader.kernel.ports import Clock

NS_PER_MS = 1_000_000
SPOT_ARGS_MAX = 10


class TopicStream(Stream):
    """One topic that is no book; of tickers the fields that were told last are kept."""

    def __init__(self, name: str, topic: Topic, about: dict[str, str | None], faults: FaultPlan) -> None:
        super().__init__(name, about, topic.cadence_ms, faults)
        self.topic = topic
        self.told: dict[str, object] = {}


class Hub:
    """The public topics of one category. `on_joined` sends a new listener what the topic begins with."""

    def __init__(self, category: str, markets: Mapping[str, Market], clock: Clock, faults: FaultPlan) -> None:
        self.category = category
        self.on_first: Callable[[str], None] = lambda _: None
        self.on_joined: Callable[[TopicStream, Listener], None] = lambda *_: None
        self.books: dict[str, BookStream] = {}
        self.others: dict[str, TopicStream] = {}
        self._markets = markets
        self._clock = clock
        self._faults = faults

    def topic(self, name: str) -> Topic | None:
        """What a name asks for; None for what is not served."""
        return parse_topic(self.category, name, self._markets)

    def join(self, name: str, listener: Listener) -> None:
        """Adds a listener to a topic that is served, and sends what it begins with."""
        topic = self.topic(name)
        assert topic is not None
        about = self._about(name, topic)
        if topic.kind == BOOK:
            self._join_book(name, topic, about, listener)
        else:
            stream = self.others.get(name)
            if stream is None:
                stream = self.others[name] = TopicStream(name, topic, about, self._faults)
            stream.listeners[listener] = None
            if topic.kind == TICKERS:
                self.on_joined(stream, listener)
        self.on_first(topic.symbol)

    def leave(self, name: str, listener: Listener) -> None:
        """Takes a listener off a topic."""
        for streams in (self.books, self.others):
            stream = streams.get(name)
            if stream is not None:
                stream.listeners.pop(listener, None)
                if not stream.listeners:
                    del streams[name]

    def of(self, kind: str, symbol: str) -> list[TopicStream]:
        """The topics of one kind of one symbol that somebody listens to."""
        return [s for s in self.others.values() if (s.topic.kind, s.topic.symbol) == (kind, symbol)]

    def strikes(self, action: str, names: Iterable[str]) -> bool:
        """True when a fault of this action strikes the request for one of these topics."""
        for name in names if self._faults.pending else ():
            topic = self.topic(name)
            if topic is not None and self._faults.take(SUBSCRIBE, (action,), **self._about(name, topic)):
                return True
        return False

    @property
    def stream_count(self) -> int:
        """How many topics somebody listens to."""
        return len(self.books) + len(self.others)

    def _about(self, name: str, topic: Topic) -> dict[str, str | None]:
        return {"on": topic.fault_name, "product": self.category, "symbol": topic.symbol, "topic": name}

    def _join_book(self, name: str, topic: Topic, about: dict[str, str | None], listener: Listener) -> None:
        stream = self.books.get(name)
        if stream is None:
            market = self._markets[topic.symbol]
            stream = self.books[name] = BookStream(name, topic, market, about, self._faults)
        stream.listeners[listener] = None
        book, now_ms = stream, self._clock.timestamp_ms()
        late = self._faults.take(SUBSCRIBE, ("late_snapshot",), **about) if self._faults.pending else None
        if late is None:
            listener.push(name, book.snapshot(now_ms))
            return

        def send() -> None:
            if listener in book.listeners:
                listener.push(name, book.snapshot(self._clock.timestamp_ms()))

        self._clock.call_at((now_ms + late.delay_ms) * NS_PER_MS, send)


class PublicConnection:
    """One client of a public socket."""

    def __init__(self, hub: Hub, peer: Peer, clock: Clock, name: str) -> None:
        self._hub = hub
        self._peer = peer
        self._clock = clock
        self._name = name
        self._topics: dict[str, None] = {}

    def push(self, name: str, payload: bytes) -> None:  # noqa: ARG002 — the listener's signature
        """Sends one payload of one topic."""
        self._peer.send(payload)

    def on_text(self, text: str) -> None:
        """Answers one request."""
        socket, now_ms = self._hub.category, self._clock.timestamp_ms()
        try:
            request = frames.read(text)
        except msgspec.MsgspecError as wrong:
            self._refuse(Request(op=""), frames.UNDECODABLE.format(wrong), [])
            return
        if request.op == "ping":
            self._peer.send(frames.pong(socket, request, self._name, now_ms))
        elif request.op == "subscribe":
            self._subscribe(request, [str(name) for name in request.args])
        elif request.op == "unsubscribe":
            names = [str(name) for name in request.args]
            for name in names:
                self._leave(name)
            self._peer.send(frames.ack(socket, request, self._name, names))
        else:
            self._refuse(request, frames.INVALID_OP, [])

    def end(self) -> None:
        """Takes everything off."""
        for name in list(self._topics):
            self._leave(name)

    def _subscribe(self, request: Request, names: list[str]) -> None:
        if self._hub.category == SPOT and len(names) > SPOT_ARGS_MAX:
            self._refuse(request, frames.ARGS_MAX, names)
            return
        for name in names:
            if self._hub.topic(name) is None:
                self._refuse(request, frames.HANDLER_NOT_FOUND.format(name), names)
                return
            if name in self._topics:
                self._refuse(request, frames.ALREADY_SUBSCRIBED.format(name), names)
                return
        # Race: the reply must leave before the first push of a topic, so it is queued first.
        if not self._hub.strikes("drop_subscribe_ack", names):
            self._peer.send(frames.ack(self._hub.category, request, self._name, names))
        for name in names:
            self._topics[name] = None
            if not self._hub.strikes("mute_topic", [name]):
                self._hub.join(name, self)

    def _leave(self, name: str) -> None:
        if name in self._topics:
            del self._topics[name]
            self._hub.leave(name, self)

    def _refuse(self, request: Request, message: str, names: list[str]) -> None:
        self._peer.send(frames.refused(self._hub.category, request, self._name, message, names))
