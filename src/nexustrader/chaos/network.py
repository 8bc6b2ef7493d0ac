"""The network in memory: every byte between an engine and its venues passes here, late, lost or cut off.

It keeps what TCP keeps (the bytes of one connection arrive in order, or the connection ends) and nothing else. HTTP
requests are connections of their own. How long each crossing takes is drawn by the seed; `Weather` says what else
happens, and faults change it.
"""

from __future__ import annotations

import asyncio
from collections import deque
from collections.abc import Callable, Mapping
from typing import Protocol, TypeVar

import msgspec

from nexustrader.emulator.peer import Socket
from nexustrader.emulator.rest import HOLD, SEND, RestCall, RestReply
from nexustrader.emulator.service import Service
from nexustrader.error import NotSent, OutcomeUnknown, WsRequestNotSentError
from nexustrader.kernel.entropy import Entropy
from nexustrader.kernel.ports import Clock
from nexustrader.venue.transport import HttpAnswer, OnFrame

LATENCY_MS_MIN = 1.0
LATENCY_MS_MEAN = 8.0
CONNECT_TIMEOUT_S = 10.0  # as of the WebSocket library
DEAD_PEER_S = 20.0  # what the WebSocket library takes to find that its pings are not answered
ADDRESS = "10.0.0.1"


T = TypeVar("T")
FrameChange = Callable[["Pipe", bytes], list[tuple[float, bytes]]]


class Watcher(Protocol):
    """Hears of everything that crosses, with the bytes."""

    def on_crossing(self, way: str, what: bytes) -> None: ...


class Weather(msgspec.Struct, kw_only=True):
    """What the network does now. Faults set these; `Weather()` is a fine day."""

    latency_factor: float = 1.0
    up_factor: float = 1.0  # towards the venue, on top
    refuses: bool = False  # no new connection of any kind
    loses_requests: bool = False  # HTTP requests vanish on the way to the venue
    loses_replies: bool = False  # HTTP replies vanish on the way back
    is_half_open: bool = False  # sockets stay open and carry nothing to the engine
    answers_pings: bool = False  # ... and are not found to be dead either
    unmet: set[str] = set()  # names of what was made so and has met nothing yet


class Process:
    """One run of an engine on the network. When it is killed, nothing of it reaches the outside any more."""

    def __init__(self) -> None:
        self.is_alive = True
        self.sockets: dict[Pipe, None] = {}

    def kill(self) -> None:
        """The operating system closes the sockets of a process that dies."""
        self.is_alive = False
        for pipe in list(self.sockets):
            pipe.cut("the process was killed", lose=True)


class Network:
    """Joins engines to the service of one venue. `origin` is what URLs begin with."""

    def __init__(
        self,
        loop: asyncio.AbstractEventLoop,
        service: Service,
        clock: Clock,
        entropy: Entropy,
        watcher: Watcher,
    ) -> None:
        self.loop = loop
        self.service = service
        self.clock = clock  # the venue's
        self.weather = Weather()
        self.watcher = watcher
        self.pipes: dict[Pipe, None] = {}
        self.sends = 0  # frames and requests that engines have sent
        self.before_send: list[Callable[[bytes], None]] = []
        self.frame_changes: list[FrameChange] = []
        self.on_met: Callable[[str], None] | None = None
        self._entropy = entropy

    def meet(self, form: str) -> None:
        """Something was met by the weather; the first time counts."""
        if form in self.weather.unmet:
            self.weather.unmet.discard(form)
            if self.on_met is not None:
                self.on_met(form)

    def latency_s(self, *, up: bool = False) -> float:
        """How long one crossing takes now."""
        if self.weather.unmet:
            self.meet("slow_network")
            if up:
                self.meet("slow_upwards")
        factor = self.weather.latency_factor * (self.weather.up_factor if up else 1.0)
        return (LATENCY_MS_MIN + self._entropy.expovariate(1 / LATENCY_MS_MEAN)) * factor / 1000

    def cut_all(self, kind: str | None = None, reason: str = "connection reset by peer") -> int:
        """Reset the sockets of a kind ("user", "api", "market"; None: all); returns how many."""
        chosen = [pipe for pipe in self.pipes if kind in (None, pipe.kind) and not pipe.is_cut]
        for pipe in chosen:
            pipe.cut(reason, lose=self._entropy.random() < 0.5)
        return len(chosen)

    def become(self, pipe: Pipe, payload: bytes) -> list[tuple[float, bytes]]:
        """What becomes of one frame on its way down: frames, each with a delay in seconds."""
        frames = [(0.0, payload)]
        for change in self.frame_changes:
            frames = [
                (delay_s + more_s, changed)
                for delay_s, frame in frames
                for more_s, changed in change(pipe, frame)
            ]
        return frames

    def count_send(self, what: bytes) -> None:
        self.sends += 1
        call_each(self.before_send, what)
        self.watcher.on_crossing("out", what)


class MemoryTransport:
    """The `Transport` of one process on the network."""

    def __init__(self, network: Network, process: Process) -> None:
        self._network = network
        self._process = process
        self._loop = network.loop

    @property
    def in_use(self) -> bool:
        return False

    async def request(
        self, method: str, url: str, headers: Mapping[str, str], body: bytes, timeout_ms: int
    ) -> HttpAnswer:
        network = self._network
        if not self._process.is_alive:
            await self._loop.create_future()  # a dead process waits for ever
        if network.weather.refuses:
            network.meet("refuse_connections")
            await asyncio.sleep(network.latency_s())
            raise NotSent("no connection to the venue: refused")
        raw_path = _path_of(url)
        call = RestCall(
            method=method,
            raw_path=raw_path,
            headers={name.lower(): value for name, value in headers.items()},
            body=body,
            address=ADDRESS,
        )
        network.count_send(f"{method} {raw_path} ".encode() + body)
        answer: asyncio.Future[HttpAnswer] = self._loop.create_future()
        self._loop.call_later(network.latency_s(up=True), self._arrive, call, answer)
        try:
            return await asyncio.wait_for(answer, timeout_ms / 1000)
        except TimeoutError:
            raise OutcomeUnknown(f"{method} {call.raw_path.partition('?')[0]}: no answer in time") from None

    def _arrive(self, call: RestCall, answer: asyncio.Future[HttpAnswer]) -> None:
        network = self._network
        if network.weather.loses_requests:
            network.meet("lose_all_requests")
            return
        reply = network.service.rest(call)
        delay_s = network.latency_s() + reply.delivery.delay_ms / 1000
        if network.weather.loses_replies:
            network.meet("lose_replies")
            return
        if reply.delivery.kind == HOLD:
            return
        self._loop.call_later(delay_s, self._answer, call, reply, answer)

    def _answer(self, call: RestCall, reply: RestReply, answer: asyncio.Future[HttpAnswer]) -> None:
        if answer.done() or not self._process.is_alive:
            return
        if reply.delivery.kind != SEND:
            path = call.raw_path.partition("?")[0]
            answer.set_exception(OutcomeUnknown(f"{call.method} {path}: the connection was reset"))
            return
        self._network.watcher.on_crossing("in", reply.body)
        headers = {name.lower(): value for name, value in reply.headers.items()}
        answer.set_result(HttpAnswer(reply.status, headers, reply.body))

    async def connect(self, url: str, on_frame: OnFrame) -> Pipe:
        network = self._network
        way_s = network.latency_s(up=True) + network.latency_s()
        await asyncio.sleep(min(way_s, CONNECT_TIMEOUT_S))
        if way_s > CONNECT_TIMEOUT_S:
            raise NotSent("no WebSocket to the venue: no answer in time")
        if not self._process.is_alive:
            await self._loop.create_future()
        if network.weather.refuses:
            network.meet("refuse_connections")
            raise NotSent("no WebSocket to the venue: refused")
        pipe = Pipe(network, self._process, on_frame)
        opened = network.service.open(_path_of(url), pipe.peer)
        if isinstance(opened, RestReply):
            raise NotSent(f"no WebSocket to the venue: HTTP {opened.status}")
        pipe.open(opened)
        return pipe

    async def close(self) -> None:
        """Nothing is held open between requests."""


class Pipe:
    """One WebSocket, as the engine holds it; `peer` is the venue's end."""

    def __init__(self, network: Network, process: Process, on_frame: OnFrame) -> None:
        self._network = network
        self._process = process
        self._loop = network.loop
        self._on_frame = on_frame
        self._closed: asyncio.Future[str] = network.loop.create_future()
        self._up: deque[bytes] = deque()
        self._down: deque[bytes] = deque()
        self._up_free_s = self._down_free_s = 0.0  # when the last byte on the way arrives
        self._end: Callable[[], None] | None = None
        self._on_text: Callable[[str], None] = lambda _text: None
        self._death: asyncio.TimerHandle | None = None
        self.kind = ""  # which of the venue's services it speaks to
        self.is_cut = False
        self.peer = _Peer(self, network.clock)

    def open(self, socket: Socket) -> None:
        self.kind = socket.kind
        self._on_text, self._end = socket.on_text, socket.end
        self._network.pipes[self] = None
        self._process.sockets[self] = None

    # -- the engine's end ------------------------------------------------------------------------------------

    def send(self, payload: bytes) -> None:
        if self._closed.done() or not self._process.is_alive:
            raise WsRequestNotSentError
        self._network.count_send(payload)
        if self.is_cut:
            return  # sent into a connection whose end has not been heard of yet
        self._up.append(payload)
        self._up_free_s = max(self._up_free_s, self._loop.time() + self._network.latency_s(up=True))
        self._loop.call_at(self._up_free_s, self._deliver_up)

    def close(self) -> None:
        self.cut("closed by us")
        self._tell_closed("closed by us")

    async def wait_closed(self) -> str:
        return await asyncio.shield(self._closed)

    def _deliver_up(self) -> None:
        if self._up and not self.peer.closed:
            self._on_text(self._up.popleft().decode())

    # -- the venue's end -------------------------------------------------------------------------------------

    def push(self, payload: bytes) -> None:
        """One frame of the venue towards the engine."""
        weather = self._network.weather
        if weather.is_half_open:
            self._network.meet("half_open")
            if not weather.answers_pings and self._death is None:
                self._death = self._loop.call_later(DEAD_PEER_S, self.cut, "pings are not answered")
            return
        for delay_s, frame in self._network.become(self, payload):
            if delay_s:
                self._loop.call_later(delay_s, self._queue_down, frame)
            else:
                self._queue_down(frame)

    def _queue_down(self, payload: bytes) -> None:
        if self.is_cut:
            return
        self._down.append(payload)
        self._down_free_s = max(self._down_free_s, self._loop.time() + self._network.latency_s())
        self._loop.call_at(self._down_free_s, self._deliver_down)

    def _deliver_down(self) -> None:
        if not self._down or self._closed.done() or not self._process.is_alive:
            return
        frame = self._down.popleft()
        self._network.watcher.on_crossing("in", frame)
        self._on_frame(frame)

    # -- the end ---------------------------------------------------------------------------------------------

    def cut(self, reason: str, *, lose: bool = False) -> None:
        """End it. What is on the way arrives first, or (`lose`) never; either side hears of it a crossing later."""
        if self.is_cut:
            return
        self.is_cut = True
        if lose:
            self._up.clear()
            self._down.clear()
        now_s = self._loop.time()
        self._loop.call_at(max(self._up_free_s, now_s + self._network.latency_s(up=True)), self._end_peer)
        self._loop.call_at(
            max(self._down_free_s, now_s + self._network.latency_s()), self._tell_closed, reason
        )

    def _end_peer(self) -> None:
        self._network.pipes.pop(self, None)
        self.peer.closed = True
        if self._end is not None:
            self._end()
            self._end = None

    def _tell_closed(self, reason: str) -> None:
        self._process.sockets.pop(self, None)
        if self._death is not None:
            self._death.cancel()
        if not self._closed.done():
            self._closed.set_result(reason)


class _Peer:
    """The venue's handle on a socket."""

    def __init__(self, pipe: Pipe, clock: Clock) -> None:
        self._pipe = pipe
        self.address = ADDRESS
        self.opened_ms = clock.timestamp_ms()
        self.closed = False

    def send(self, data: bytes) -> None:
        if not self.closed:
            self._pipe.push(data)

    def close(self, code: int = 1001) -> None:
        self._pipe.cut(f"closed by the peer with code {code}")

    def abort(self) -> None:
        self._pipe.cut("connection reset by peer", lose=True)


def call_each(hooks: list[Callable[[T], None]], what: T) -> None:
    """Call every hook; a hook may remove itself."""
    for hook in tuple(hooks):
        hook(what)


def _path_of(url: str) -> str:
    """Path and query, exactly as they were signed."""
    return "/" + url.split("://", 1)[1].partition("/")[2]
