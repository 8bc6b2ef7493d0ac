"""A request leaves once: a connection that ends before the reply never makes it leave again by itself."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

import aiohttp
import pytest

from nexustrader.error import EngineBuildError, OutcomeUnknown
from nexustrader.venue.transport import NetworkTransport

pytestmark = pytest.mark.slow


class Venue:
    """Answers what begins a connection and keeps it alive; carries out what follows and hangs up without a reply."""

    def __init__(self) -> None:
        self.heard: list[str] = []

    async def serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        while head := await reader.readuntil(b"\r\n\r\n"):
            method, target, _ = head.decode().split(" ", 2)
            self.heard.append(f"{method} {target}")
            if target != "/warm":
                writer.close()
                return
            writer.write(b"HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\n{}")


@asynccontextmanager
async def listening() -> AsyncIterator[tuple[Venue, str, NetworkTransport]]:
    venue, transport = Venue(), NetworkTransport()
    server = await asyncio.start_server(venue.serve, "127.0.0.1", 0)
    try:
        yield venue, f"http://127.0.0.1:{server.sockets[0].getsockname()[1]}", transport
    finally:
        await transport.close()
        server.close()


@pytest.mark.parametrize("method", ["GET", "POST", "PUT", "DELETE"])
async def test_a_kept_connection_that_dies_before_the_reply_sends_nothing_twice(method: str) -> None:
    async with listening() as (venue, url, transport):
        await transport.request("GET", f"{url}/warm", {}, b"", 3_000)
        with pytest.raises(OutcomeUnknown):
            await transport.request(method, f"{url}/order", {}, b"", 3_000)
        await asyncio.sleep(0.05)
    assert venue.heard == ["GET /warm", f"{method} /order"]


async def test_an_aiohttp_that_cannot_be_kept_from_sending_twice_sends_nothing(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    make = aiohttp.ClientSession.__init__

    def renamed(session: aiohttp.ClientSession, *args: object, **how: object) -> None:
        make(session, *args, **how)  # type: ignore[arg-type]  # handed on as they came
        del session._retry_connection

    monkeypatch.setattr(aiohttp.ClientSession, "__init__", renamed)
    async with listening() as (venue, url, transport):
        with pytest.raises(EngineBuildError, match=r"aiohttp .* cannot be kept from sending a request twice"):
            await transport.request("GET", f"{url}/warm", {}, b"", 3_000)
    assert venue.heard == []
