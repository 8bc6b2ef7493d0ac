"""The hub of stream subscriptions of one product, and the JSON control that changes them.

A name that the venue does not serve, or not on the connection's route, is accepted and stays silent: that is what
the venue does, and what a client must be able to notice.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from typing import Protocol

import msgspec

from nexustrader.emulator.binance.topics import PRIVATE, USDM, Topic, parse_topic, route_of
from nexustrader.emulator.faults import SUBSCRIBE, FaultPlan
from nexustrader.emulator.market.streams import Stream
from nexustrader.emulator.peer import Peer

STREAMS_PER_CONNECTION_MAX = 1_024
UNKNOWN_PROPERTY = 0
INVALID_REQUEST = 2
INVALID_JSON = 3

encode = msgspec.json.encode


class StreamConnection:
    """One client of streams. `combined` wraps every push in its stream's name."""

    def __init__(
        self,
        hub: Joined,
        connection: Peer,
        route: str,
        *,
        combined: bool,
        user_events: Mapping[str, frozenset[str]] | None = None,
    ) -> None:
        self.connection = connection
        self._user_events = user_events or {}
        self.route = route
        self.combined = combined
        self.names: dict[str, None] = {}
        self.hub = hub

    def push(self, name: str, payload: bytes) -> None:
        """Sends one payload of one stream."""
        if self.combined:
            payload = b'{"stream":' + encode(name) + b',"data":' + payload + b"}"
        self.connection.send(payload)

    def wants(self, listen_key: str, event: str) -> bool:
        """False for a kind of user event that the URL left out for this listen key."""
        wanted = self._user_events.get(listen_key)
        return wanted is None or event in wanted

    def subscribe(self, names: Iterable[str]) -> None:
        """Adds streams; those already there stay as they are."""
        for name in names:
            if name not in self.names:
                self.names[name] = None
                if not self.hub.strikes("mute_topic", [name]):
                    self.hub.join(name, self)

    def unsubscribe(self, names: Iterable[str]) -> None:
        """Takes streams off; unknown ones are no error."""
        for name in names:
            if name in self.names:
                del self.names[name]
                self.hub.leave(name, self)

    def end(self) -> None:
        """Takes everything off."""
        self.unsubscribe(list(self.names))

    def on_text(self, text: str) -> None:
        """Answers one JSON request of the client."""
        try:
            request = msgspec.json.decode(text, type=dict[str, object])
        except msgspec.MsgspecError as error:
            self.refuse(INVALID_JSON, f"Invalid JSON: {error}", None)
            return
        reply_to = request.get("id")
        method, params = request.get("method"), request.get("params", [])
        handler = _METHODS.get(method) if isinstance(method, str) else None
        if handler is None:
            self.refuse(INVALID_REQUEST, f"Invalid request: unknown variant `{method}`", reply_to)
        elif not isinstance(params, list) or len(self.names) + len(params) > STREAMS_PER_CONNECTION_MAX:
            self.refuse(INVALID_REQUEST, "Invalid request: params is not a list of at most 1024", reply_to)
        else:
            handler(self, params, reply_to)

    def answer(self, result: object, reply_to: object) -> None:
        """Sends the reply to a control request."""
        self.connection.send(encode({"result": result, "id": reply_to}))

    def refuse(self, code: int, message: str, reply_to: object) -> None:
        """Sends an error in reply to a control request."""
        self.connection.send(encode({"error": {"code": code, "msg": message}, "id": reply_to}))


Handler = Callable[[StreamConnection, list[object], object], None]


def _subscribe(client: StreamConnection, params: list[object], reply_to: object) -> None:
    names = [str(name) for name in params]
    # Race: the reply must leave before the first push of a stream, so it is queued first.
    if not client.hub.strikes("drop_subscribe_ack", names):
        client.answer(None, reply_to)
    client.subscribe(names)


def _unsubscribe(client: StreamConnection, params: list[object], reply_to: object) -> None:
    client.unsubscribe(str(name) for name in params)
    client.answer(None, reply_to)


def _list(client: StreamConnection, _: list[object], reply_to: object) -> None:
    client.answer(list(client.names), reply_to)


def _set_property(client: StreamConnection, params: list[object], reply_to: object) -> None:
    if len(params) != 2 or params[0] != "combined" or not isinstance(params[1], bool):
        client.refuse(UNKNOWN_PROPERTY, "Unknown property", reply_to)
        return
    client.combined = params[1]
    client.answer(None, reply_to)


def _get_property(client: StreamConnection, params: list[object], reply_to: object) -> None:
    if params != ["combined"]:
        client.refuse(UNKNOWN_PROPERTY, "Unknown property", reply_to)
        return
    client.answer(client.combined, reply_to)


_METHODS: dict[str, Handler] = {
    "SUBSCRIBE": _subscribe,
    "UNSUBSCRIBE": _unsubscribe,
    "LIST_SUBSCRIPTIONS": _list,
    "SET_PROPERTY": _set_property,
    "GET_PROPERTY": _get_property,
}


class Subscribed(Stream):
    """One stream that somebody listens to, and what its name asks for."""

    def __init__(self, hub: Hub, name: str, topic: Topic) -> None:
        about = {"on": topic.kind, "product": hub.product, "symbol": topic.symbol, "topic": name}
        super().__init__(name, about, topic.cadence_ms, hub.faults)
        self.topic = topic


class Joined(Protocol):
    """Where a connection joins streams and leaves them."""

    def join(self, name: str, listener: StreamConnection) -> None: ...
    def leave(self, name: str, listener: StreamConnection) -> None: ...
    def strikes(self, action: str, names: Iterable[str]) -> bool: ...


class Hub:
    """Who listens to what, of one product. Market streams by symbol and kind, user streams by listen key."""

    def __init__(self, product: str, faults: FaultPlan | None = None) -> None:
        self.product = product
        self.faults = faults or FaultPlan()
        self.on_user: Callable[[str], None] = lambda _: None  # somebody listens to a listen key
        self.on_first: Callable[[str], None] = lambda _: None  # first market subscription of a symbol
        self._streams: dict[tuple[str, str], dict[str, Subscribed]] = {}
        self._keys: dict[str, dict[StreamConnection, None]] = {}

    def join(self, name: str, listener: StreamConnection) -> None:
        """Adds a listener to a stream; nothing happens for a stream that is not served on its route."""
        topic = parse_topic(self.product, name)
        if topic is not None:
            if self.product == USDM and route_of(USDM, topic) != listener.route:
                return
            streams = self._streams.setdefault((topic.symbol, topic.kind), {})
            subscribed = streams.setdefault(name, Subscribed(self, name, topic))
            subscribed.listeners[listener] = None
            subscribed.stale = True  # whoever joins is shown the book, changed or not
            self.on_first(topic.symbol)
        elif "@" not in name and (self.product != USDM or listener.route == PRIVATE):
            self._keys.setdefault(name, {})[listener] = None
            self.on_user(name)

    def strikes(self, action: str, names: Iterable[str]) -> bool:
        """True when a fault of this action strikes the request for one of these streams."""
        if not self.faults.pending:
            return False
        for name in names:
            topic = parse_topic(self.product, name)
            about = {
                "on": "user" if topic is None else topic.kind,
                "product": self.product,
                "symbol": None if topic is None else topic.symbol,
                "topic": name,
            }
            if self.faults.take(SUBSCRIBE, (action,), **about) is not None:
                return True
        return False

    def leave(self, name: str, listener: StreamConnection) -> None:
        """Takes a listener off a stream."""
        topic = parse_topic(self.product, name)
        if topic is None:
            self._keys.get(name, {}).pop(listener, None)
            return
        streams = self._streams.get((topic.symbol, topic.kind), {})
        subscribed = streams.get(name)
        if subscribed is not None:
            subscribed.listeners.pop(listener, None)
            if not subscribed.listeners:
                del streams[name]

    def of(self, symbol: str, kind: str) -> list[Subscribed]:
        """The streams of one kind of one symbol that somebody listens to."""
        streams = self._streams.get((symbol, kind))
        return list(streams.values()) if streams else []

    def push_user(self, listen_key: str, event: str, payload: bytes) -> None:
        """Sends one user event to the connections of a listen key that want this kind."""
        for listener in list(self._keys.get(listen_key, ())):
            if listener.wants(listen_key, event):
                listener.push(listen_key, payload)

    @property
    def stream_count(self) -> int:
        """How many market streams somebody listens to."""
        return sum(len(streams) for streams in self._streams.values())


class Crossing:
    """Spot and COIN-M under one address: their hosts call streams by the same paths, and no stream alike.

    Spot has no listen keys any more, so a name without a symbol is one of COIN-M.
    """

    def __init__(self, spot: Hub, coinm: Hub) -> None:
        self._spot = spot
        self._coinm = coinm

    def join(self, name: str, listener: StreamConnection) -> None:
        """As `Hub.join`."""
        self._of(name).join(name, listener)

    def leave(self, name: str, listener: StreamConnection) -> None:
        """As `Hub.leave`."""
        self._of(name).leave(name, listener)

    def strikes(self, action: str, names: Iterable[str]) -> bool:
        """As `Hub.strikes`."""
        return any(self._of(name).strikes(action, [name]) for name in names)

    def _of(self, name: str) -> Hub:
        return self._coinm if "_" in name.partition("@")[0] or "@" not in name else self._spot
