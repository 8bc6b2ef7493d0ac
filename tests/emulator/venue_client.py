"""A bare client of the emulated venue, for tests: signs by hand, knows nothing of our own adapters."""

from __future__ import annotations

import asyncio
import base64
import hashlib
import hmac
import json
import time
from collections.abc import Callable
from types import TracebackType
from typing import Any, Self
from urllib.parse import urlencode

import aiohttp
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
from cryptography.hazmat.primitives.serialization import Encoding, PublicFormat

from nexustrader.emulator.binance.emulator import BinanceEmulator

RECEIVE_S_MAX = 5.0


class Reply:
    """Status, JSON body and headers of one REST reply."""

    def __init__(self, status: int, body: Any, headers: dict[str, str]) -> None:
        self.status = status
        self.body = body
        self.headers = headers

    @property
    def code(self) -> int:
        return int(self.body["code"])


class Socket:
    """A WebSocket of the venue: JSON in and out."""

    def __init__(self, socket: aiohttp.ClientWebSocketResponse) -> None:
        self.raw = socket

    async def send(self, message: object) -> None:
        await self.raw.send_str(json.dumps(message))

    async def next(self, timeout: float = RECEIVE_S_MAX) -> Any:
        # aiohttp's own timeout begins again with every ping.
        async with asyncio.timeout(timeout):
            message = await self.raw.receive()
        assert message.type == aiohttp.WSMsgType.TEXT, message
        return json.loads(message.data)

    async def until(self, wanted: Callable[[Any], bool]) -> Any:
        """The first message that is wanted; others are skipped."""
        while not wanted(message := await self.next()):
            pass
        return message

    async def count(self, number: int) -> list[Any]:
        return [await self.next() for _ in range(number)]

    async def silent(self, seconds: float) -> bool:
        """True when nothing comes for a while."""
        try:
            await self.next(seconds)
        except TimeoutError:
            return True
        return False


class VenueClient:
    """One user of an emulator."""

    def __init__(
        self, emulator: BinanceEmulator, api_key: str | None = None, secret: str | None = None
    ) -> None:
        self.url = emulator.url
        self.token = emulator.token
        self.api_key = api_key or emulator.api_key
        self.secret = secret or emulator.secret
        self.sockets: list[aiohttp.ClientWebSocketResponse] = []

    async def __aenter__(self) -> Self:
        self.session = aiohttp.ClientSession()
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        for socket in self.sockets:
            await socket.close()
        await self.session.close()
        await asyncio.sleep(0)  # lets transports of this loop close

    def sign(self, payload: str) -> str:
        return hmac.new(self.secret.encode(), payload.encode(), hashlib.sha256).hexdigest()

    async def call(self, method: str, path: str, *, signed: bool = False, **params: object) -> Reply:
        query = urlencode({name: value for name, value in params.items() if value is not None})
        headers = {}
        if signed:
            query += f"{'&' if query else ''}timestamp={now_ms()}"
            query += f"&signature={self.sign(query)}"
            headers = {"X-MBX-APIKEY": self.api_key}
        return await self.raw(method, f"{path}?{query}", headers)

    async def raw(
        self, method: str, path: str, headers: dict[str, str] | None = None, body: str | None = None
    ) -> Reply:
        form = {"Content-Type": "application/x-www-form-urlencoded"} if body is not None else {}
        url = aiohttp.client.URL(self.url + path, encoded=True)
        async with self.session.request(method, url, headers={**form, **(headers or {})}, data=body) as reply:
            text = await reply.text()
            return Reply(reply.status, json.loads(text) if text[:1] in '[{"' else text, dict(reply.headers))

    async def admin(self, method: str, path: str, body: object = None) -> Reply:
        text = json.dumps(body) if body is not None else None
        return await self.raw(method, f"/emulator/{path}", {"X-Emulator-Token": self.token}, text)

    async def connect(self, path: str) -> Socket:
        socket = await self.session.ws_connect(self.url + path)
        self.sockets.append(socket)
        return Socket(socket)

    def ws_params(self, **params: object) -> dict[str, object]:
        """Parameters of a signed WebSocket API request."""
        signed = {**params, "apiKey": self.api_key, "timestamp": now_ms()}
        payload = "&".join(f"{name}={signed[name]}" for name in sorted(signed))
        return {**signed, "signature": self.sign(payload)}

    # -- orders -------------------------------------------------------------------------------------------

    async def spot_order(self, **params: object) -> Reply:
        return await self.call("POST", "/api/v3/order", signed=True, **{"symbol": "BTCUSDT", **params})

    async def usdm_order(self, **params: object) -> Reply:
        return await self.call("POST", "/fapi/v1/order", signed=True, **{"symbol": "BTCUSDT", **params})

    async def usdm_limit(
        self, side: str, quantity: str, price: str, tif: str = "GTC", **more: object
    ) -> Reply:
        return await self.usdm_order(
            side=side, type="LIMIT", timeInForce=tif, quantity=quantity, price=price, **more
        )

    async def spot_limit(
        self, side: str, quantity: str, price: str, tif: str = "GTC", **more: object
    ) -> Reply:
        return await self.spot_order(
            side=side, type="LIMIT", timeInForce=tif, quantity=quantity, price=price, **more
        )


class Ed25519Key:
    """An Ed25519 key pair of a test account."""

    def __init__(self) -> None:
        self._private = Ed25519PrivateKey.generate()

    @property
    def public_pem(self) -> str:
        return (
            self._private.public_key().public_bytes(Encoding.PEM, PublicFormat.SubjectPublicKeyInfo).decode()
        )

    def sign(self, payload: str) -> str:
        return base64.b64encode(self._private.sign(payload.encode())).decode()


def now_ms() -> int:
    return time.time_ns() // 1_000_000
