"""What the contract needs of an emulated venue, and how a venue on the emulator's core gives it."""

from __future__ import annotations

from typing import Any, Protocol

import msgspec

from nexustrader.emulator.faults import Fault
from nexustrader.emulator.market.moves import MarketMove, move_market
from nexustrader.emulator.orders.ledger import account_ledger
from nexustrader.emulator.server import HOST, Server
from nexustrader.emulator.service import Service
from nexustrader.emulator.venue import AnyVenue

ACCOUNT = "main"


class EmulatedVenue(Protocol):
    """One venue with one account, whose markets stand still until they are moved.

    Actions of `inject` and their details are those of `emulator.faults`; symbols are the venue's.
    """

    @property
    def service(self) -> Service:
        """What a network in memory calls."""

    def start(self) -> None: ...
    def stop(self) -> None: ...
    def inject(self, action: str, **details: Any) -> int:
        """Arm a fault, or carry it out; returns how many things it struck at once."""

    def lift(self, action: str) -> None:
        """Forget the faults to come of one action."""

    def move(self, product: str, symbol: str, bid: str, ask: str, quantity: str = "10") -> None:
        """Set the touch of one market."""

    def trade(self, product: str, symbol: str, price: str, quantity: str, side: str) -> None:
        """Let others trade; `side` is the aggressor's."""

    def ledger(self, product: str) -> dict[str, Any]:
        """The truth about the account: orders, fills, positions and balances, as exact text."""

    def streams(self, product: str) -> int:
        """How many market streams somebody listens to."""

    def sockets(self, *kinds: str) -> int:
        """How many WebSockets of these kinds ("market", or what is private) are open; of all without any."""

    def say(self, frame: bytes, *, private: bool) -> int:
        """Send bytes, whatever they are, on every market socket or on every other one; returns on how many."""

    def check_invariants(self) -> list[str]:
        """What is wrong inside of the emulated venue itself."""

    async def serve(self) -> str:
        """Serve on loopback; returns the origin."""

    async def close(self) -> None:
        """End what `serve` began."""


class OnCore:
    """A venue made of the emulator's own core, as `EmulatedVenue`."""

    def __init__(self, venue: AnyVenue, service: Service) -> None:
        self.venue = venue
        self.service = service
        self._server: Server | None = None

    def start(self) -> None:
        self.venue.start()

    def stop(self) -> None:
        self.venue.stop()

    def inject(self, action: str, **details: Any) -> int:
        return self.venue.inject(msgspec.convert({"action": action, **details}, Fault))

    def lift(self, action: str) -> None:
        self.venue.faults.lift(action)

    def move(self, product: str, symbol: str, bid: str, ask: str, quantity: str = "10") -> None:
        touch = {"bid": bid, "ask": ask, "bid_qty": quantity, "ask_qty": quantity}
        self._move(product, symbol, **touch)

    def trade(self, product: str, symbol: str, price: str, quantity: str, side: str) -> None:
        self._move(product, symbol, trade={"price": price, "qty": quantity, "side": side})

    def _move(self, product: str, symbol: str, **what: Any) -> None:
        move_market(self.venue, msgspec.convert({"product": product, "symbol": symbol, **what}, MarketMove))

    def ledger(self, product: str) -> dict[str, Any]:
        return account_ledger(self.venue.accounts.by_name[ACCOUNT], self.venue.products[product])

    def streams(self, product: str) -> int:
        return self.venue.products[product].stream_count

    def sockets(self, *kinds: str) -> int:
        return sum(not kinds or kind in kinds for kind in self.venue.connections.values())

    def say(self, frame: bytes, *, private: bool) -> int:
        peers = [peer for peer, kind in self.venue.connections.items() if private is (kind != "market")]
        for peer in peers:
            peer.send(frame)
        return len(peers)

    def check_invariants(self) -> list[str]:
        return self.venue.check_invariants()

    async def serve(self) -> str:
        self._server = Server(self.venue, self.service, "", lambda: None)
        return f"http://{HOST}:{await self._server.start(0)}"

    async def close(self) -> None:
        if self._server is not None:
            await self._server.stop()
            self._server = None
