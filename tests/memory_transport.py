"""A `Transport` without sockets: the test is the venue."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Mapping
from typing import Any

from nexustrader.error import NotSent, WsRequestNotSentError
from nexustrader.venue.transport import HttpAnswer, OnFrame


class MemoryConnection:
    """One socket. The test reads `sent`, pushes with `push`, and ends it with `break_off`."""

    def __init__(self, url: str, on_frame: OnFrame) -> None:
        self.url = url
        self.sent: list[bytes] = []
        self.on_send: Callable[[bytes], None] | None = None
        self._on_frame = on_frame
        self._closed: asyncio.Future[str] = asyncio.get_running_loop().create_future()

    def send(self, payload: bytes) -> None:
        if self._closed.done():
            raise WsRequestNotSentError
        self.sent.append(payload)
        if self.on_send is not None:
            self.on_send(payload)

    def push(self, payload: bytes) -> None:
        self._on_frame(payload)

    def break_off(self, reason: str = "reset by the peer") -> None:
        if not self._closed.done():
            self._closed.set_result(reason)

    def close(self) -> None:
        self.break_off("closed by us")

    async def wait_closed(self) -> str:
        return await self._closed


class MemoryTransport:
    """`answer(method, url, headers, body)` makes HTTP replies; `on_connect` may raise to refuse a socket."""

    def __init__(self) -> None:
        self.connections: list[MemoryConnection] = []
        self.requests: list[tuple[str, str]] = []
        self.answer: Callable[[str, str], HttpAnswer] = lambda _m, _u: HttpAnswer(404, {}, b"{}")
        self.refuse_connections = False
        self.on_connect: Callable[[MemoryConnection], None] | None = None

    async def request(
        self, method: str, url: str, headers: Mapping[str, str], body: bytes, timeout_ms: int
    ) -> HttpAnswer:
        self.requests.append((method, url))
        await asyncio.sleep(0)
        return self.answer(method, url)

    async def connect(self, url: str, on_frame: OnFrame) -> MemoryConnection:
        if self.refuse_connections:
            raise NotSent("refused")
        connection = MemoryConnection(url, on_frame)
        self.connections.append(connection)
        if self.on_connect is not None:
            self.on_connect(connection)
        return connection

    async def close(self) -> None: ...


def answers(*replies: HttpAnswer | Exception) -> Callable[[str, str], HttpAnswer]:
    """One reply after the other; the last one again and again."""
    left = list(replies)

    def answer(_method: str, _url: str) -> HttpAnswer:
        reply: Any = left.pop(0) if len(left) > 1 else left[0]
        if isinstance(reply, Exception):
            raise reply
        return reply  # type: ignore[no-any-return]

    return answer
