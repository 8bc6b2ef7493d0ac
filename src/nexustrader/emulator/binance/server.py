"""The HTTP server: every path of one origin to REST, streams, the WebSocket API or the control endpoints."""

from __future__ import annotations

from collections.abc import Callable

from aiohttp import web

from nexustrader.emulator.binance import paths
from nexustrader.emulator.binance.admin import Admin
from nexustrader.emulator.binance.errors import ApiError
from nexustrader.emulator.binance.gate import Gate
from nexustrader.emulator.binance.paths import Target, resolve
from nexustrader.emulator.binance.rest import BODY_BYTES_MAX, Rest
from nexustrader.emulator.binance.streams import StreamConnection
from nexustrader.emulator.binance.topics import PRIVATE, SPOT, USDM
from nexustrader.emulator.binance.venue import Venue
from nexustrader.emulator.binance.wsapi import Session
from nexustrader.emulator.connection import Conduct, Connection, OnText

HOST = "127.0.0.1"
SHUTDOWN_S = 2.0
SPOT_PING_MS, SPOT_PONG_MS = 20_000, 60_000
USDM_PING_MS, USDM_PONG_MS = 180_000, 600_000

STREAM_CONDUCT = {
    SPOT: Conduct(ping_interval_ms=SPOT_PING_MS, pong_timeout_ms=SPOT_PONG_MS, messages_per_s_max=5),
    USDM: Conduct(ping_interval_ms=USDM_PING_MS, pong_timeout_ms=USDM_PONG_MS, messages_per_s_max=10),
}
API_CONDUCT = {
    SPOT: Conduct(ping_interval_ms=SPOT_PING_MS, pong_timeout_ms=SPOT_PONG_MS),
    USDM: Conduct(ping_interval_ms=USDM_PING_MS, pong_timeout_ms=USDM_PONG_MS),
}
API_CONNECT_WEIGHT = {SPOT: 2, USDM: 5}


class Server:
    """Serves one venue on loopback."""

    def __init__(self, venue: Venue, token: str, on_shutdown: Callable[[], None]) -> None:
        self._venue = venue
        self._gates = {
            name: Gate(product, venue.accounts, venue.faults) for name, product in venue.products.items()
        }
        self._rest = {name: Rest(gate, lambda: venue.stopping) for name, gate in self._gates.items()}
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
        path, _, query = request.raw_path.partition("?")
        target = resolve(path, query)
        if target is None:
            return web.Response(status=404, text="<html><body><h2>404 Not found</h2></body></html>")
        if target.service == paths.REST:
            return await self._rest[target.product].handle(request, target.path)
        if target.service == paths.API:
            return await self._serve_api(request, target)
        return await self._serve_streams(request, target)

    async def _serve_api(self, request: web.Request, target: Target) -> web.StreamResponse:
        gate = self._gates[target.product]
        now_ms = self._venue.clock.timestamp_ms()
        try:
            weight = API_CONNECT_WEIGHT[target.product]
            gate.product.limiter.charge_request(request.remote or "unknown", weight, now_ms)
        except ApiError as error:
            return web.json_response(error.body(), status=error.status, headers=error.headers)
        connection = Connection(request, self._venue.clock, API_CONDUCT[target.product], "api")
        session = Session(
            gate, connection, return_rate_limits=request.query.get("returnRateLimits") != "false"
        )
        return await self._serve(connection, session.on_text, session.end)

    async def _serve_streams(self, request: web.Request, target: Target) -> web.StreamResponse:
        hub = self._venue.products[target.product].hub
        kind = "user" if target.route == PRIVATE else "market"
        connection = Connection(request, self._venue.clock, STREAM_CONDUCT[target.product], kind)
        streams = StreamConnection(
            hub, connection, target.route, combined=target.combined, user_events=target.user_events
        )
        streams.subscribe(target.names)
        return await self._serve(connection, streams.on_text, streams.end)

    async def _serve(
        self, connection: Connection, on_text: OnText, end: Callable[[], None]
    ) -> web.StreamResponse:
        self._venue.connections.add(connection)
        try:
            return await connection.serve(on_text)
        finally:
            self._venue.connections.discard(connection)
            end()
