"""The whole service of the venue without a transport: calls and sockets in, replies and frames out."""

from __future__ import annotations

from urllib.parse import parse_qs

from nexustrader.emulator.bybit.categories import CATEGORIES
from nexustrader.emulator.bybit.gate import Gate
from nexustrader.emulator.bybit.rest import Rest
from nexustrader.emulator.bybit.sockets.hub import PublicConnection
from nexustrader.emulator.bybit.sockets.private import PrivateConnection
from nexustrader.emulator.bybit.sockets.trade import TradeConnection
from nexustrader.emulator.bybit.venue import BybitVenue
from nexustrader.emulator.faults import CONNECT
from nexustrader.emulator.peer import Conduct, Peer, Socket
from nexustrader.emulator.rest import RestCall, RestReply, not_found
from nexustrader.emulator.service import Client, connected

PUBLIC_PATHS = {f"/v5/public/{category}": category for category in CATEGORIES}
PRIVATE_PATH = "/v5/private"
TRADE_PATH = "/v5/trade"
IDLE_MS = 600_000
IDLE_MS_MIN, IDLE_MS_MAX = 30_000, 600_000
_UNITS_MS = {"s": 1_000, "m": 60_000}


class BybitService:
    """Serves one venue to whatever transport calls it. All methods return at once."""

    def __init__(self, venue: BybitVenue) -> None:
        self._venue = venue
        self._gate = Gate(venue)
        self._rest = Rest(self._gate)

    def rest(self, call: RestCall) -> RestReply:
        """Answers one HTTP request; the reply says what the transport does with it."""
        return self._rest.answer(call)

    def open(self, raw_path: str, peer: Peer) -> Socket | RestReply:
        """Opens a WebSocket: the venue's end of it, or the reply that refuses the upgrade."""
        path, _, query = raw_path.partition("?")
        kind = _kind(path)
        if kind is None:
            return not_found()
        venue = self._venue
        product = PUBLIC_PATHS.get(path, venue.main_product)
        fault = venue.faults.take(CONNECT, on=kind, kind=kind, product=product)
        if fault is not None:
            error = venue.replies.as_error(fault, peer.address, venue.clock.timestamp_ms())
            return self._rest.refused(error)
        client = self._client(path, kind, peer)
        return connected(venue, peer, client, kind, Conduct(idle_ms=_idle_ms(query)))

    def _client(self, path: str, kind: str, peer: Peer) -> Client:
        venue, name = self._venue, self._venue.connection_name()
        if kind == "market":
            return PublicConnection(venue.products[PUBLIC_PATHS[path]].hub, peer, venue.clock, name)
        if kind == "user":
            return PrivateConnection(venue.listeners, venue.accounts, venue.faults, peer, venue.clock, name)
        return TradeConnection(self._gate, peer, name)


def _kind(path: str) -> str | None:
    if path in PUBLIC_PATHS:
        return "market"
    return {PRIVATE_PATH: "user", TRADE_PATH: "api"}.get(path)


def _idle_ms(query: str) -> int:
    """How long a client may say nothing, as it asked for itself by `max_active_time`."""
    text = parse_qs(query).get("max_active_time", [""])[-1]
    number, unit = text[:-1], text[-1:]
    if not number.isdigit() or unit not in _UNITS_MS:
        return IDLE_MS
    return max(IDLE_MS_MIN, min(int(number) * _UNITS_MS[unit], IDLE_MS_MAX))
