"""The emulated Bybit in memory under virtual time, and a raw client of it that signs by hand."""

from __future__ import annotations

import hashlib
import hmac
import json
from collections.abc import Sequence
from decimal import Decimal
from typing import Any
from urllib.parse import urlencode

from nexustrader.emulator.bybit.service import BybitService
from nexustrader.emulator.bybit.venue import BybitSettings, BybitVenue
from nexustrader.emulator.faults import Fault
from nexustrader.emulator.market.moves import HandTrade, MarketMove, move_market
from nexustrader.emulator.orders.accounts import AccountSpec
from nexustrader.emulator.peer import Socket
from nexustrader.emulator.rest import RestCall, RestReply
from nexustrader.emulator.venue import STILL
from nexustrader.kernel.clock import VirtualClock

START_NS = 1_780_000_000_000_000_000
API_KEY = "bybitkey00000001"
SECRET = "bybitsecret"
QUIET = BybitSettings(market=STILL, message_order="before")


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
        return int(self.body["retCode"])

    @property
    def result(self) -> Any:
        return self.body["result"]

    @property
    def rows(self) -> list[Any]:
        return list(self.result["list"])


class MemoryPeer:
    """A peer in memory: `frames` is what it was sent."""

    def __init__(self, venue: MemoryBybit) -> None:
        self.address = "memory"
        self.opened_ms = venue.clock.timestamp_ms()
        self.closed = False
        self.frames: list[bytes] = []
        self.socket: Socket | None = None

    def send(self, data: bytes) -> None:
        if not self.closed:
            self.frames.append(data)

    def close(self, code: int = 1001) -> None:
        self.abort()

    def abort(self) -> None:
        if not self.closed:
            self.closed = True
            if self.socket is not None:
                self.socket.end()


class MemorySocket(MemoryPeer):
    """An open socket."""

    def __init__(self, venue: MemoryBybit, path: str) -> None:
        super().__init__(venue)
        self._venue = venue
        opened = venue.service.open(path, self)
        assert isinstance(opened, Socket), opened
        self.socket = opened

    def say(self, message: object) -> None:
        assert self.socket is not None
        self.socket.on_text(message if isinstance(message, str) else json.dumps(message))

    def take(self, topic: str | None = None) -> list[Any]:
        """What came since the last call, decoded; with `topic` only that."""
        frames, self.frames = self.frames, []
        decoded = [json.loads(frame) for frame in frames]
        return decoded if topic is None else [frame for frame in decoded if frame.get("topic") == topic]

    def ask(self, message: object) -> Any:
        """Sends a request and returns the frames that came at once."""
        self.take()
        self.say(message)
        return self.take()

    def auth(self) -> Any:
        expires = self._venue.clock.timestamp_ms() + 5_000
        return self.ask({"op": "auth", "args": [API_KEY, expires, sign(f"GET/realtime{expires}")]})

    def subscribe(self, *topics: str) -> Any:
        return self.ask({"op": "subscribe", "args": list(topics), "req_id": "r1"})

    def order(self, op: str, args: dict[str, object], req_id: str = "q1") -> Any:
        """A request of the trade socket and its reply; None when there is none at once."""
        header = {"X-BAPI-TIMESTAMP": str(self._venue.clock.timestamp_ms()), "X-BAPI-RECV-WINDOW": "5000"}
        frames = self.ask({"reqId": req_id, "header": header, "op": op, "args": [args]})
        return frames[0] if frames else None


class MemoryBybit:
    """A venue with one account; BTCUSDT and BTCUSD at 60000.0/60000.1, ten BTC on either side."""

    def __init__(self, settings: BybitSettings = QUIET, *, accounts: Sequence[AccountSpec] = ()) -> None:
        self.clock = VirtualClock(START_NS)
        accounts = accounts or [AccountSpec(api_key=API_KEY, secret=SECRET)]
        self.venue = BybitVenue(accounts, settings, self.clock)
        self.service = BybitService(self.venue)
        if settings.market == STILL and not settings.data:
            self.move("60000.0", "60000.1")
            self.move("60000.0", "60000.1", symbol="BTCUSD", quantity="100000")
        self.venue.start()

    def move(self, bid: str, ask: str, *, symbol: str = "BTCUSDT", quantity: str = "10") -> None:
        amount = Decimal(quantity)
        move_market(
            self.venue,
            MarketMove(symbol=symbol, bid=Decimal(bid), ask=Decimal(ask), bid_qty=amount, ask_qty=amount),
        )

    def trade(self, price: str, quantity: str, side: Any, *, product: str | None = None) -> None:
        trade = HandTrade(price=Decimal(price), qty=Decimal(quantity), side=side)
        move_market(self.venue, MarketMove(symbol="BTCUSDT", product=product, trade=trade))

    def wait(self, ms: int) -> None:
        self.clock.advance_to(self.clock.timestamp_ns() + ms * 1_000_000)

    def inject(self, action: str, **details: Any) -> int:
        return self.venue.inject(Fault(action=action, **details))

    def fired(self, action: str) -> int:
        return self.venue.faults.fired.get(action, 0)

    # -- requests -----------------------------------------------------------------------------------------

    def get(self, path: str, *, signed: bool = True, **params: object) -> Reply:
        query = urlencode({name: value for name, value in params.items() if value is not None})
        return self.send("GET", f"/v5/{path}?{query}" if query else f"/v5/{path}", query, b"", signed)

    def post(self, path: str, **params: object) -> Reply:
        body = json.dumps(params)
        return self.send("POST", f"/v5/{path}", body, body.encode(), True)

    def send(self, method: str, path: str, payload: str, body: bytes, signed: bool) -> Reply:
        headers = self.headers(payload) if signed else {}
        call = RestCall(method=method, raw_path=path, headers=headers, body=body, address="memory")
        return Reply(self.service.rest(call))

    def headers(self, payload: str) -> dict[str, str]:
        now = str(self.clock.timestamp_ms())
        return {
            "x-bapi-api-key": API_KEY,
            "x-bapi-timestamp": now,
            "x-bapi-recv-window": "5000",
            "x-bapi-sign": sign(f"{now}{API_KEY}5000{payload}"),
        }

    def create(self, category: str = "linear", **more: object) -> Reply:
        """A limit order to buy 0.01 BTCUSDT at 59000, unless said otherwise."""
        order = {"symbol": "BTCUSDT", "side": "Buy", "orderType": "Limit", "qty": "0.01", "price": "59000"}
        wanted = {"category": category, **order, **more}
        return self.post(
            "order/create", **{name: value for name, value in wanted.items() if value is not None}
        )

    def market(self, side: str, quantity: str, category: str = "linear", **more: object) -> Reply:
        return self.create(category, side=side, qty=quantity, orderType="Market", price=None, **more)

    def cancel(self, order_id: str, category: str = "linear") -> Reply:
        return self.post("order/cancel", category=category, symbol="BTCUSDT", orderId=order_id)

    def order_row(self, order_id: str, category: str = "linear") -> Any:
        """The order as the venue shows it, open or closed."""
        rows = self.get("order/realtime", category=category, symbol="BTCUSDT", orderId=order_id).rows
        assert len(rows) == 1
        return rows[0]

    def coin(self, name: str) -> Any:
        """The wallet of one coin."""
        wallet = self.get("account/wallet-balance", accountType="UNIFIED", coin=name).rows[0]
        return wallet["coin"][0]

    # -- sockets ------------------------------------------------------------------------------------------

    def socket(self, path: str) -> MemorySocket:
        return MemorySocket(self, f"/v5/{path}")

    def socket_peer(self) -> MemoryPeer:
        """A peer that is not connected."""
        return MemoryPeer(self)

    def private(self, *topics: str) -> MemorySocket:
        """A private socket that hears these topics, by default all."""
        socket = self.socket("private")
        assert socket.auth()[0]["success"]
        wanted = topics or ("order", "execution", "position", "wallet")
        assert socket.subscribe(*wanted)[0]["success"]
        return socket

    def trader(self) -> MemorySocket:
        """A trade socket that is logged in."""
        socket = self.socket("trade")
        assert socket.auth()[0]["retCode"] == 0
        return socket


def sign(payload: str) -> str:
    return hmac.new(SECRET.encode(), payload.encode(), hashlib.sha256).hexdigest()


def data(frames: list[Any]) -> list[Any]:
    """The rows of user messages."""
    return [row for frame in frames for row in frame["data"]]
