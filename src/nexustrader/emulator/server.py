"""The HTTP server: the venue's service and the control endpoints on one origin, over aiohttp."""

from __future__ import annotations

import asyncio
from collections.abc import Callable

from aiohttp import web

from nexustrader.emulator.admin import Admin
from nexustrader.emulator.connection import Connection
from nexustrader.emulator.rest import BODY_BYTES_MAX, HOLD, SEND, RestCall, RestReply
from nexustrader.emulator.service import Service
from nexustrader.emulator.venue import AnyVenue

HOST = "127.0.0.1"
SHUTDOWN_S = 2.0
HOLD_S_MAX = 120.0  # how long an unanswered request is held open
HOLD_STEP_S = 0.02


class Server:
    """Serves one venue on loopback."""

    def __init__(
        self, venue: AnyVenue, service: Service, token: str, on_shutdown: Callable[[], None]
    ) -> None:
        self._venue = venue
        self._service = service
        self._app = web.Application(client_max_size=BODY_BYTES_MAX)
        Admin(venue, token, on_shutdown).add_routes(self._app.router)
        self._app.router.add_route("*", "/{path:.*}", self._handle)
        self._runner: web.AppRunner | None = None

    async def start(self, port: int) -> int:
        """Listens on loopback; returns the port, which the system chooses for 0. Raises OSError if it is taken."""
        self._runner = web.AppRunner(self._app, access_log=None, shutdown_timeout=SHUTDOWN_S)
        await self._runner.setup()
        site = web.TCPSite(self._runner, HOST, port)
        await site.start()
        address = self._runner.addresses[0]
        return int(address[1])

    async def stop(self) -> None:
        """Stops listening and ends every connection."""
        self._venue.stop()
        if self._runner is not None:
            await self._runner.cleanup()
            self._runner = None

    async def _handle(self, request: web.Request) -> web.StreamResponse:
        if request.headers.get("Upgrade", "").lower() == "websocket":
            return await self._serve_socket(request)
        call = RestCall(
            method=request.method,
            raw_path=request.raw_path,
            headers={name.lower(): value for name, value in request.headers.items()},
            body=await request.read(),
            address=request.remote or "unknown",
        )
        return await self._deliver(request, self._service.rest(call))

    async def _serve_socket(self, request: web.Request) -> web.StreamResponse:
        connection = Connection(request, self._venue.clock)
        socket = self._service.open(request.raw_path, connection)
        if isinstance(socket, RestReply):
            return await self._deliver(request, socket)
        try:
            return await connection.serve(socket)
        finally:
            socket.end()

    async def _deliver(self, request: web.Request, reply: RestReply) -> web.StreamResponse:
        delivery = reply.delivery
        if delivery.delay_ms:
            await asyncio.sleep(delivery.delay_ms / 1_000)
        if delivery.kind == HOLD:
            await self._hold(request)
        if delivery.kind != SEND and request.transport is not None:
            request.transport.abort()
        return web.Response(status=reply.status, headers=reply.headers, body=reply.body)

    async def _hold(self, request: web.Request) -> None:
        """Leaves the client without an answer until it goes away."""
        held_s = 0.0
        while held_s < HOLD_S_MAX and not self._venue.stopping:
            if request.transport is None or request.transport.is_closing():
                return
            await asyncio.sleep(HOLD_STEP_S)
            held_s += HOLD_STEP_S
