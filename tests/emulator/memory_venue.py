"""The emulated venue in memory under virtual time, and a client of it without any I/O."""

from __future__ import annotations

import hashlib
import hmac
import json
from collections.abc import Sequence
from decimal import Decimal
from typing import Any
from urllib.parse import urlencode

from nexustrader.emulator.binance.service import BinanceService
from nexustrader.emulator.binance.venue import BinanceSettings, BinanceVenue
from nexustrader.emulator.faults import Fault
from nexustrader.emulator.market.moves import MarketMove, move_market
from nexustrader.emulator.orders.accounts import AccountSpec
from nexustrader.emulator.peer import Socket
from nexustrader.emulator.rest import RestCall, RestReply
from nexustrader.emulator.venue import STILL
from nexustrader.kernel.clock import VirtualClock
from nexustrader.kernel.entropy import Entropy

START_NS = 1_780_000_000_000_000_000
API_KEY = "k" * 64
SECRET = "s" * 64
QUIET = BinanceSettings(market=STILL, symbols=("BTCUSDT", "ETHUSDT"))


class Reply:
    """One REST reply, decoded where it is JSON."""

    def __init__(self, reply: RestReply) -> None:
        self.raw = reply
        self.status = reply.status
        self.headers = dict(reply.headers)
        self.delivery = reply.delivery

    @property
    def body(self) -> Any:
        return json.loads(self.raw.body)

    @property
    def code(self) -> int:
        return int(self.body["code"])


class MemorySocket:
    """A peer in memory: `frames` is what it was sent."""

    def __init__(self, venue: MemoryVenue, path: str) -> None:
        self.address = "memory"
        self.opened_ms = venue.clock.timestamp_ms()
        self.closed = False
        self.frames: list[bytes] = []
        self._venue = venue
        opened = venue.service.open(path, self)
        assert isinstance(opened, Socket), opened
        self.socket = opened

    def send(self, data: bytes) -> None:
        if not self.closed:
            self.frames.append(data)

    def close(self, code: int = 1001) -> None:
        self.abort()

    def abort(self) -> None:
        if not self.closed:
            self.closed = True
            self.socket.end()

    def say(self, message: object) -> None:
        self.socket.on_text(json.dumps(message))

    def take(self) -> list[Any]:
        """What came since the last call, decoded."""
        frames, self.frames = self.frames, []
        return [json.loads(frame) for frame in frames]

    def ask(self, method: str, **params: object) -> Any:
        """A signed request of the WebSocket API and its reply; None when there is none at once."""
        signed = {**params, "apiKey": API_KEY, "timestamp": self._venue.clock.timestamp_ms()}
        payload = "&".join(f"{name}={signed[name]}" for name in sorted(signed))
        self.say({"id": 7, "method": method, "params": {**signed, "signature": sign(payload)}})
        replies = [frame for frame in self.take() if frame.get("id") == 7]
        return replies[0] if replies else None


class MemoryVenue:
    """A venue with one account, BTCUSDT at 60000.0/60000.1, ten BTC on either side."""

    def __init__(
        self, settings: BinanceSettings = QUIET, *, seed: int = 1, accounts: Sequence[AccountSpec] = ()
    ) -> None:
        self.clock = VirtualClock(START_NS)
        accounts = accounts or [AccountSpec(api_key=API_KEY, secret=SECRET)]
        self.venue = BinanceVenue(accounts, settings, self.clock, Entropy(seed))
        self.service = BinanceService(self.venue)
        if settings.market == STILL:
            self.move("60000.0", "60000.1")
        self.venue.start()

    def move(self, bid: str, ask: str) -> None:
        move_market(self.venue, MarketMove(symbol="BTCUSDT", bid=Decimal(bid), ask=Decimal(ask)))

    def wait(self, ms: int) -> None:
        self.clock.advance_to(self.clock.timestamp_ns() + ms * 1_000_000)

    def inject(self, action: str, **details: Any) -> int:
        return self.venue.inject(Fault(action=action, **details))

    def fired(self, action: str) -> int:
        return self.venue.faults.fired.get(action, 0)

    # -- requests -----------------------------------------------------------------------------------------

    def call(self, method: str, path: str, *, signed: bool = True, **params: object) -> Reply:
        query = urlencode({name: value for name, value in params.items() if value is not None})
        headers = {}
        if signed:
            query += f"{'&' if query else ''}timestamp={self.clock.timestamp_ms()}"
            query += f"&signature={sign(query)}"
            headers = {"x-mbx-apikey": API_KEY}
        request = RestCall(method=method, raw_path=f"{path}?{query}", headers=headers, address="memory")
        return Reply(self.service.rest(request))

    def limit(self, side: str, quantity: str, price: str, **more: object) -> Reply:
        """A limit order on USD-M."""
        order = {"side": side, "type": "LIMIT", "timeInForce": "GTC", "quantity": quantity, "price": price}
        return self.call("POST", "/fapi/v1/order", symbol="BTCUSDT", **{**order, **more})

    def spot_limit(self, side: str, quantity: str, price: str, **more: object) -> Reply:
        """A limit order on spot."""
        order = {"side": side, "type": "LIMIT", "timeInForce": "GTC", "quantity": quantity, "price": price}
        return self.call("POST", "/api/v3/order", symbol="BTCUSDT", **{**order, **more})

    def get(self, path: str, **params: object) -> Any:
        """The body of a signed GET on USD-M."""
        return self.call("GET", f"/fapi/{path}", **params).body

    def ledger(self, product: str = "usdm") -> Any:
        """The venue's truth about one product."""
        ledger: Any = self.venue.ledger()
        return ledger["accounts"]["main"][product]

    def orders(self, product: str = "usdm") -> list[Any]:
        """The venue's truth about orders."""
        return list(self.ledger(product)["orders"])

    def cancel(self, client_id: str) -> Reply:
        """Cancels an order on USD-M."""
        return self.call("DELETE", "/fapi/v1/order", symbol="BTCUSDT", origClientOrderId=client_id)

    # -- sockets ------------------------------------------------------------------------------------------

    def socket(self, path: str) -> MemorySocket:
        return MemorySocket(self, path)

    def user_stream(self) -> MemorySocket:
        """The user events of USD-M."""
        key = self.call("POST", "/fapi/v1/listenKey").body["listenKey"]
        return self.socket(f"/private/ws?listenKey={key}")

    def spot_user_stream(self) -> MemorySocket:
        """The user events of spot."""
        socket = self.socket("/ws-api/v3")
        assert socket.ask("userDataStream.subscribe.signature")["status"] == 200
        return socket


def steps(frames: list[Any]) -> list[str]:
    """The execution types of the order events among these frames."""
    bodies = [frame.get("event", frame) for frame in frames]
    return [
        body["o"]["x"] if body["e"] == "ORDER_TRADE_UPDATE" else body["x"]
        for body in bodies
        if body["e"] in {"ORDER_TRADE_UPDATE", "executionReport"}
    ]


def sign(payload: str) -> str:
    return hmac.new(SECRET.encode(), payload.encode(), hashlib.sha256).hexdigest()
