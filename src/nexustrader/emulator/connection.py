"""One WebSocket of a client over aiohttp: an outgoing queue that never blocks the caller, pings, the end."""

from __future__ import annotations

import asyncio
import contextlib
from collections import deque

from aiohttp import WSMsgType, web

from nexustrader.emulator.peer import CLOSE_GOING_AWAY, Pulse, Socket
from nexustrader.kernel.ports import Clock

QUEUED_MAX = 50_000  # a client this far behind is cut off
MESSAGE_BYTES_MAX = 262_144


class Connection:
    """A connected client; a `peer.Peer`. `send` may be called at any time, also after the end."""

    def __init__(self, request: web.Request, clock: Clock) -> None:
        self.address = request.remote or "unknown"
        self.opened_ms = clock.timestamp_ms()
        self.closed = False
        self._clock = clock
        self._request = request
        self._socket = web.WebSocketResponse(autoping=False, compress=False, max_msg_size=MESSAGE_BYTES_MAX)
        self._queue: deque[tuple[bytes, WSMsgType]] = deque()
        self._wake = asyncio.Event()

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

    async def serve(self, socket: Socket) -> web.WebSocketResponse:
        """Runs the connection until either side ends it."""
        await self._socket.prepare(self._request)
        pulse = Pulse(self, socket.conduct, self._clock, self._ping)
        pulse.start()
        writer = asyncio.ensure_future(self._write())
        try:
            await self._read(socket, pulse)
        finally:
            self.closed = True
            pulse.stop()
            writer.cancel()
            with contextlib.suppress(asyncio.CancelledError):
                await writer
        return self._socket

    async def _read(self, socket: Socket, pulse: Pulse) -> None:
        while not self.closed:
            message = await self._socket.receive()
            if message.type in {WSMsgType.CLOSE, WSMsgType.CLOSING, WSMsgType.CLOSED, WSMsgType.ERROR}:
                return
            if not pulse.may_speak():
                continue
            if message.type == WSMsgType.PING:
                self._put(message.data, WSMsgType.PONG)
            elif message.type == WSMsgType.PONG:
                pulse.on_pong()
            elif message.type == WSMsgType.TEXT:
                socket.on_text(message.data)

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

    def _ping(self, data: bytes) -> None:
        self._put(data, WSMsgType.PING)

    def _put(self, data: bytes, opcode: WSMsgType) -> None:
        if self.closed:
            return
        if len(self._queue) >= QUEUED_MAX:
            self.abort()
            return
        self._queue.append((data, opcode))
        self._wake.set()
