"""One WebSocket of a client: an outgoing queue that never blocks the caller, pings, the venue's conduct."""

from __future__ import annotations

import asyncio
import contextlib
from collections import deque
from collections.abc import Callable

import msgspec
from aiohttp import WSMsgType, web

from nexustrader.kernel.ports import Clock, TimerHandle

NS_PER_MS = 1_000_000
QUEUED_MAX = 50_000  # a client this far behind is cut off
MESSAGE_BYTES_MAX = 262_144
CLOSE_POLICY = 1008
CLOSE_GOING_AWAY = 1001

OnText = Callable[[str], None]


class Conduct(msgspec.Struct, frozen=True, kw_only=True):
    """What the venue does and demands on its WebSockets."""

    ping_interval_ms: int
    pong_timeout_ms: int
    life_ms: int = 86_400_000
    messages_per_s_max: int | None = None


class Connection:
    """A connected client. `send` may be called at any time, also after the end, when it does nothing."""

    def __init__(self, request: web.Request, clock: Clock, conduct: Conduct, kind: str) -> None:
        self.kind = kind
        self.address = request.remote or "unknown"
        self.opened_ms = clock.timestamp_ms()
        self.closed = False
        self._clock = clock
        self._conduct = conduct
        self._request = request
        self._socket = web.WebSocketResponse(autoping=False, compress=False, max_msg_size=MESSAGE_BYTES_MAX)
        self._queue: deque[tuple[bytes, WSMsgType]] = deque()
        self._wake = asyncio.Event()
        self._last_pong_ms = self.opened_ms
        self._timer: TimerHandle | None = None
        self._second = 0
        self._messages = 0

    def send(self, data: bytes) -> None:
        """Queues one text frame. A client that does not read is cut off when its queue is full."""
        self._put(data, WSMsgType.TEXT)

    def abort(self) -> None:
        """Cuts the connection without a closing handshake."""
        self.closed = True
        if self._request.transport is not None:
            self._request.transport.abort()

    def close(self, code: int = CLOSE_GOING_AWAY) -> None:
        """Closes with a closing frame after what is queued."""
        self._put(code.to_bytes(2, "big"), WSMsgType.CLOSE)

    async def serve(self, on_text: OnText) -> web.WebSocketResponse:
        """Runs the connection until either side ends it; `on_text` gets each text frame."""
        await self._socket.prepare(self._request)
        self._schedule_ping()
        writer = asyncio.ensure_future(self._write())
        try:
            await self._read(on_text)
        finally:
            self.closed = True
            if self._timer is not None:
                self._timer.cancel()
            writer.cancel()
            with contextlib.suppress(asyncio.CancelledError):
                await writer
        return self._socket

    async def _read(self, on_text: OnText) -> None:
        while not self.closed:
            message = await self._socket.receive()
            if message.type in {WSMsgType.CLOSE, WSMsgType.CLOSING, WSMsgType.CLOSED, WSMsgType.ERROR}:
                return
            if not self._within_rate():
                self.close(CLOSE_POLICY)
            elif message.type == WSMsgType.PING:
                self._put(message.data, WSMsgType.PONG)
            elif message.type == WSMsgType.PONG:
                self._last_pong_ms = self._clock.timestamp_ms()
            elif message.type == WSMsgType.TEXT:
                on_text(message.data)

    async def _write(self) -> None:
        # A peer that went away is noticed by the reader; nothing is to be done here.
        with contextlib.suppress(ConnectionError, RuntimeError):
            while True:
                while self._queue:
                    data, opcode = self._queue.popleft()
                    if opcode is WSMsgType.CLOSE:
                        await self._socket.close(code=int.from_bytes(data, "big"))
                        return
                    await self._socket.send_frame(data, opcode)
                self._wake.clear()
                await self._wake.wait()

    def _put(self, data: bytes, opcode: WSMsgType) -> None:
        if self.closed:
            return
        if len(self._queue) >= QUEUED_MAX:
            self.abort()
            return
        self._queue.append((data, opcode))
        self._wake.set()

    def _schedule_ping(self) -> None:
        now_ms = self._clock.timestamp_ms()
        if now_ms - self.opened_ms >= self._conduct.life_ms:
            self.close()
            return
        if now_ms - self._last_pong_ms > self._conduct.ping_interval_ms + self._conduct.pong_timeout_ms:
            self.abort()
            return
        if now_ms > self.opened_ms:
            self._put(str(now_ms).encode(), WSMsgType.PING)
        next_ms = min(now_ms + self._conduct.ping_interval_ms, self.opened_ms + self._conduct.life_ms)
        self._timer = self._clock.call_at(next_ms * NS_PER_MS, self._schedule_ping)

    def _within_rate(self) -> bool:
        if self._conduct.messages_per_s_max is None:
            return True
        second = self._clock.timestamp_ms() // 1_000
        if second != self._second:
            self._second, self._messages = second, 0
        self._messages += 1
        return self._messages <= self._conduct.messages_per_s_max
