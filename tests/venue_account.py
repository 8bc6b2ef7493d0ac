"""One account over a transport in memory: the test is the venue."""

from __future__ import annotations

import asyncio
import json
from collections.abc import Callable
from decimal import Decimal
from typing import Any

import canaries
from desk import BTC, SYMBOL
from memory_transport import MemoryConnection, MemoryTransport, answers
from nexustrader.constants import AccountType, OrderSide, OrderType
from nexustrader.domain import events as ev
from nexustrader.domain.outcome import Conclusion, Route
from nexustrader.exchange.binance import VENUE, BinanceAccountType
from nexustrader.kernel.entropy import Entropy
from nexustrader.kernel.tasks import TaskManager
from nexustrader.venue.gateway import Gateway
from nexustrader.venue.ratelimit import RateLimiter
from nexustrader.venue.session import RestSession
from nexustrader.venue.spec import Endpoints
from nexustrader.venue.transport import HttpAnswer
from virtual_time import LoopClock, run_virtual

TYPE = BinanceAccountType.USD_M_FUTURE
ACCOUNT = "binance:USD_M_FUTURE"
OID = "17000000000000000042"
ENDPOINTS = Endpoints("https://venue", "wss://streams", "wss://orders")
LISTEN_KEY = HttpAnswer(200, {}, b'{"listenKey":"abc"}')


def http(status: int, body: dict[str, Any] | bytes, **headers: str) -> HttpAnswer:
    raw = body if isinstance(body, bytes) else json.dumps(body).encode()
    return HttpAnswer(status, {k.replace("_", "-"): v for k, v in headers.items()}, raw)


class Account:
    """A gateway on a transport in memory; `results` and `facts` are what it delivered."""

    def __init__(
        self, clock: LoopClock, account_type: AccountType = TYPE, endpoints: Endpoints = ENDPOINTS
    ) -> None:
        self.clock = clock
        self.results: list[ev.CommandResult] = []
        self.facts: list[Any] = []
        self.statuses: list[str] = []
        self.transport = MemoryTransport()
        self.orders = answers(
            http(200, {"orderId": 1, "status": "NEW", "clientOrderId": OID, "symbol": "BTCUSDT"})
        )
        self.listen_key = LISTEN_KEY
        self.time: Callable[[], HttpAnswer] = lambda: http(200, {"serverTime": clock.timestamp_ms()})
        self.transport.answer = self._answer
        self.tasks = TaskManager(asyncio.get_running_loop())
        self.session = RestSession(
            VENUE,
            "https://venue",
            VENUE.server_time_request(account_type),
            self.transport,
            clock,
            RateLimiter(VENUE.rate_limits(account_type)),
            signer=VENUE.make_signer(canaries.API_KEY, canaries.SECRET, None),
        )
        self.gateway = Gateway(
            ACCOUNT,
            VENUE,
            account_type,
            endpoints,
            {SYMBOL: BTC},
            self.session,
            self.transport,
            clock,
            self.tasks,
            Entropy(1),
        )
        self.gateway.attach(self)

    def _answer(self, method: str, url: str) -> HttpAnswer:
        if "/time" in url:
            return self.time()
        if "listenKey" in url:
            return self.listen_key
        if "positionSide/dual" in url:
            return http(200, {"dualSidePosition": False})
        return self.orders(method, url)

    def on_result(self, result: ev.CommandResult) -> None:
        self.results.append(result)

    def on_order_event(self, event: ev.OrderEvent) -> None:
        self.facts.append(event)

    on_balance = on_position = on_order_event  # type: ignore[assignment]

    def on_status(self, account: str, event: str) -> None:
        self.statuses.append(event)

    @property
    def order_socket(self) -> MemoryConnection:
        return [c for c in self.transport.connections if "orders" in c.url][-1]

    @property
    def user_socket(self) -> MemoryConnection:
        return [c for c in self.transport.connections if "streams" in c.url][-1]

    def submit(self, route: Route = Route.WS, **changes: Any) -> None:
        fields: dict[str, Any] = {
            "oid": OID,
            "account": ACCOUNT,
            "symbol": SYMBOL,
            "side": OrderSide.BUY,
            "type": OrderType.LIMIT,
            "amount": Decimal("0.010"),
            "price": Decimal("30000.0"),
            "route": route,
            "timestamp": self.clock.timestamp_ms(),
        }
        self.gateway.submit(ev.Submit(**(fields | changes)))

    def cancel(self, route: Route = Route.WS, **changes: Any) -> None:
        fields: dict[str, Any] = {"oid": OID, "account": ACCOUNT, "symbol": SYMBOL, "route": route}
        self.gateway.cancel(ev.Cancel(timestamp=self.clock.timestamp_ms(), **(fields | changes)))

    @property
    def conclusions(self) -> list[Conclusion]:
        return [result.conclusion for result in self.results]

    def reply(self, body: dict[str, Any]) -> None:
        request_id = json.loads(self.order_socket.sent[-1])["id"]
        self.order_socket.push(json.dumps({"id": request_id} | body).encode())


def account_test(test: Any) -> Any:
    def run() -> None:
        async def work(clock: LoopClock) -> None:
            account = Account(clock)
            await account.gateway.start()
            await test(account)
            await account.gateway.stop()

        run_virtual(work)

    run.__name__ = test.__name__
    return run
