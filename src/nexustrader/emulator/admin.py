"""The control endpoints under /emulator/: truth, counts, markets moved by hand, faults, the end.

All but the status need the token, so that no web page in a browser on this machine can use them.
"""

# aiohttp gives every handler the request, though some need nothing of it.
# ruff: noqa: ARG002

from __future__ import annotations

import hmac
from collections.abc import Awaitable, Callable

import msgspec
from aiohttp import web

from nexustrader.emulator.faults import Fault
from nexustrader.emulator.market.moves import MarketMove, move_market
from nexustrader.emulator.venue import AnyVenue
from nexustrader.error import OrderError

TOKEN_HEADER = "X-Emulator-Token"  # noqa: S105 — the header's name, not a token

Handler = Callable[[web.Request], Awaitable[web.StreamResponse]]


class Admin:
    """The control endpoints. `on_shutdown` is called when the venue is asked to end."""

    def __init__(self, venue: AnyVenue, token: str, on_shutdown: Callable[[], None]) -> None:
        self._venue = venue
        self._token = token.encode()
        self._on_shutdown = on_shutdown

    def add_routes(self, router: web.UrlDispatcher) -> None:
        """Adds the endpoints."""
        router.add_get("/emulator/status", self._status)
        router.add_get("/emulator/ledger", self._guarded(self._ledger))
        router.add_post("/emulator/market", self._guarded(self._market))
        router.add_get("/emulator/faults", self._guarded(self._list_faults))
        router.add_post("/emulator/faults", self._guarded(self._add_fault))
        router.add_delete("/emulator/faults", self._guarded(self._clear_faults))
        router.add_post("/emulator/shutdown", self._guarded(self._shutdown))

    def _guarded(self, handler: Handler) -> Handler:
        async def guarded(request: web.Request) -> web.StreamResponse:
            given = request.headers.get(TOKEN_HEADER, "").encode()
            if not hmac.compare_digest(given, self._token):
                return _json({"error": f"header {TOKEN_HEADER} is missing or wrong"}, 403)
            return await handler(request)

        return guarded

    async def _status(self, request: web.Request) -> web.StreamResponse:
        return _json(self._venue.status())

    async def _ledger(self, request: web.Request) -> web.StreamResponse:
        return _json(self._venue.ledger())

    async def _market(self, request: web.Request) -> web.StreamResponse:
        try:
            move = msgspec.json.decode(await request.read(), type=MarketMove)
            return _json({"moved": move_market(self._venue, move)})
        except (msgspec.MsgspecError, ValueError, OrderError) as error:
            return _json({"error": str(error)}, 400)

    async def _list_faults(self, request: web.Request) -> web.StreamResponse:
        return _json({"pending": self._venue.faults.pending, "fired": self._venue.faults.fired})

    async def _add_fault(self, request: web.Request) -> web.StreamResponse:
        try:
            fault = msgspec.json.decode(await request.read(), type=Fault)
            return _json({"struck": self._venue.inject(fault)})
        except (msgspec.MsgspecError, ValueError) as error:
            return _json({"error": str(error)}, 400)

    async def _clear_faults(self, request: web.Request) -> web.StreamResponse:
        action = request.query.get("action")
        if action is not None:
            return _json({"lifted": self._venue.faults.lift(action)})
        self._venue.faults.clear()
        return _json({"cleared": True})

    async def _shutdown(self, request: web.Request) -> web.StreamResponse:
        self._venue.clock.call_soon(self._on_shutdown)
        return _json({"stopping": True})


def _json(body: object, status: int = 200) -> web.Response:
    return web.Response(body=msgspec.json.encode(body), status=status, content_type="application/json")
