"""The service of a venue without a transport: calls and sockets in, replies and frames out.

Nothing here waits or knows an event loop: aiohttp (`server`) and a network in memory under virtual time drive the
same code.
"""

from __future__ import annotations

from typing import Protocol

from nexustrader.emulator.peer import Conduct, Peer, Socket
from nexustrader.emulator.rest import RestCall, RestReply
from nexustrader.emulator.venue import AnyVenue


class Service(Protocol):
    """Serves one venue to whatever transport calls it. All methods return at once."""

    def rest(self, call: RestCall) -> RestReply:
        """Answers one HTTP request; the reply says what the transport does with it."""

    def open(self, raw_path: str, peer: Peer) -> Socket | RestReply:
        """Opens a WebSocket: the venue's end of it, or the reply that refuses the upgrade.

        What it subscribes to is pushed to `peer` from now on, until the socket's `end`.
        """


class Client(Protocol):
    """What the venue does for one connected client."""

    def on_text(self, text: str) -> None: ...
    def end(self) -> None: ...


def connected(venue: AnyVenue, peer: Peer, client: Client, kind: str, conduct: Conduct) -> Socket:
    """The venue's end of a WebSocket that has just been opened; the venue knows of it until its end."""
    venue.connections[peer] = kind

    def end() -> None:
        venue.connections.pop(peer, None)
        client.end()

    return Socket(kind=kind, conduct=conduct, on_text=client.on_text, end=end)
