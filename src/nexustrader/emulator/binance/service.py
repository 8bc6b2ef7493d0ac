"""The whole service of the venue without a transport: calls and sockets in, replies and frames out.

Nothing here waits or knows an event loop: aiohttp (`server`) and a network in memory under virtual time drive the
same code.
"""

from __future__ import annotations

from nexustrader.emulator.binance import paths
from nexustrader.emulator.binance.errors import ApiError
from nexustrader.emulator.binance.gate import Gate
from nexustrader.emulator.binance.limits import PAPI_RULES, SAPI_RULES, SAPI_WEIGHT_HEADER, Limiter, scaled
from nexustrader.emulator.binance.paths import Target, resolve
from nexustrader.emulator.binance.rest import Rest, refused
from nexustrader.emulator.binance.side_gate import SideGate
from nexustrader.emulator.binance.streams import Crossing, Joined, StreamConnection
from nexustrader.emulator.binance.topics import COINM, PAPI, PRIVATE, SAPI, SPOT, USDM
from nexustrader.emulator.binance.venue import BinanceVenue
from nexustrader.emulator.binance.wsapi import Session
from nexustrader.emulator.faults import CONNECT
from nexustrader.emulator.peer import Conduct, Peer, Socket
from nexustrader.emulator.rest import RestCall, RestReply, not_found
from nexustrader.emulator.service import connected

SPOT_PING_MS, SPOT_PONG_MS = 20_000, 60_000
USDM_PING_MS, USDM_PONG_MS = 180_000, 600_000

STREAM_CONDUCT = {
    SPOT: Conduct(ping_interval_ms=SPOT_PING_MS, pong_timeout_ms=SPOT_PONG_MS, messages_per_s_max=5),
    USDM: Conduct(ping_interval_ms=USDM_PING_MS, pong_timeout_ms=USDM_PONG_MS, messages_per_s_max=10),
}
STREAM_CONDUCT[COINM] = STREAM_CONDUCT[PAPI] = STREAM_CONDUCT[USDM]
API_CONDUCT = {
    SPOT: Conduct(ping_interval_ms=SPOT_PING_MS, pong_timeout_ms=SPOT_PONG_MS),
    USDM: Conduct(ping_interval_ms=USDM_PING_MS, pong_timeout_ms=USDM_PONG_MS),
}
API_CONDUCT[COINM] = API_CONDUCT[USDM]
API_CONNECT_WEIGHT = {SPOT: 2, USDM: 5, COINM: 5}


class BinanceService:
    """Serves one venue to whatever transport calls it. All methods return at once."""

    def __init__(self, venue: BinanceVenue) -> None:
        self._venue = venue
        self._gates = {
            name: Gate(product, venue.accounts, venue.faults) for name, product in venue.products.items()
        }
        factor = venue.settings.limit_factor
        sides = {
            SAPI: Limiter(scaled(SAPI_RULES, factor), SAPI_WEIGHT_HEADER),
            PAPI: Limiter(scaled(PAPI_RULES, factor)),
        }
        gates: dict[str, Gate] = {
            name: SideGate(name, venue.products, venue.accounts, venue.faults, limiter)
            for name, limiter in sides.items()
        }
        self._hubs = {name: product.hub for name, product in venue.products.items()}
        self._hubs[PAPI] = venue.portfolio_hub
        self._crossing = Crossing(venue.products[SPOT].hub, venue.products[COINM].hub)
        self._rest = {name: Rest(gate) for name, gate in (self._gates | gates).items()}

    def rest(self, call: RestCall) -> RestReply:
        """Answers one HTTP request; the reply says what the transport does with it."""
        target = _target(call.raw_path)
        if target is None or target.service != paths.REST:
            return not_found()
        return self._rest[target.product].answer(call, target.path)

    def open(self, raw_path: str, peer: Peer) -> Socket | RestReply:
        """Opens a WebSocket: the venue's end of it, or the reply that refuses the upgrade.

        What the URL subscribes to is pushed to `peer` from now on, until the socket's `end`.
        """
        target = _target(raw_path)
        if target is None or target.service == paths.REST:
            return not_found()
        kind = (
            "api"
            if target.service == paths.API
            else "user"
            if target.route == PRIVATE or target.product == PAPI
            else "market"
        )
        fault = self._venue.faults.take(CONNECT, on=kind, kind=kind, product=target.product)
        if fault is not None:
            now_ms = self._venue.clock.timestamp_ms()
            return refused(self._venue.replies.as_error(fault, peer.address, now_ms))
        if kind == "api":
            try:
                session = self._session(target, peer)
            except ApiError as error:
                return refused(error)
            return connected(self._venue, peer, session, kind, API_CONDUCT[target.product])
        streams = self._streams(target, peer)
        return connected(self._venue, peer, streams, kind, STREAM_CONDUCT[target.product])

    def _session(self, target: Target, peer: Peer) -> Session:
        gate = self._gates[target.product]
        weight = API_CONNECT_WEIGHT[target.product]
        gate.product.limiter.charge_request(peer.address, weight, self._venue.clock.timestamp_ms())
        return Session(gate, peer, return_rate_limits=target.return_rate_limits)

    def _streams(self, target: Target, peer: Peer) -> StreamConnection:
        events = target.user_events
        hub: Joined = self._crossing if target.is_shared else self._hubs[target.product]
        streams = StreamConnection(hub, peer, target.route, combined=target.combined, user_events=events)
        streams.subscribe(target.names)
        return streams


def _target(raw_path: str) -> Target | None:
    path, _, query = raw_path.partition("?")
    return resolve(path, query)
