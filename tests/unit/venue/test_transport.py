"""Real sockets on this machine: what is said to be sent, and how a connection ends."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

import picows
import pytest

from nexustrader.error import WsRequestNotSentError
from nexustrader.venue.transport import Connection, NetworkTransport, OnFrame

pytestmark = pytest.mark.slow


class Greeter(picows.WSListener):
    """A server that says hello and ends the conversation when told "bye"."""

    def on_ws_connected(self, transport: picows.WSTransport) -> None:
        transport.send(picows.WSMsgType.TEXT, b"hello")

    def on_ws_frame(self, transport: picows.WSTransport, frame: picows.WSFrame) -> None:
        if frame.msg_type == picows.WSMsgType.TEXT:
            transport.send_close(picows.WSCloseCode.GOING_AWAY)


@asynccontextmanager
async def connected(on_frame: OnFrame) -> AsyncIterator[Connection]:
    server = await picows.ws_create_server(lambda _request: Greeter(), "127.0.0.1", 0)
    transport = NetworkTransport()
    try:
        port = server.sockets[0].getsockname()[1]
        yield await transport.connect(f"ws://127.0.0.1:{port}/", on_frame)
    finally:
        await transport.close()
        server.close()


async def test_a_handler_that_raises_costs_the_connection_and_nothing_else() -> None:
    def clumsy(_raw: bytes) -> None:
        raise LookupError("nobody thought of this")

    async with connected(clumsy) as connection:
        assert "LookupError" in await asyncio.wait_for(connection.wait_closed(), 5)


async def test_nothing_is_taken_for_sent_once_the_peer_has_said_goodbye() -> None:
    heard: list[bytes] = []
    async with connected(heard.append) as connection:
        connection.send(b"bye")
        assert "1001" in await asyncio.wait_for(connection.wait_closed(), 5)
        with pytest.raises(WsRequestNotSentError):
            connection.send(b"order")
    assert heard == [b"hello"]


async def test_nothing_is_taken_for_sent_after_our_own_close() -> None:
    async with connected(lambda _raw: None) as connection:
        connection.close()
        with pytest.raises(WsRequestNotSentError):
            connection.send(b"order")
        assert await asyncio.wait_for(connection.wait_closed(), 5) == "closed by us"
