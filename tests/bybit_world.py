"""The emulated Bybit over a network in memory, and one account and its feeds on it, in virtual time."""

from __future__ import annotations

import asyncio
import itertools
from collections import Counter
from collections.abc import Callable, Coroutine
from decimal import Decimal
from typing import Any

import canaries
from nexustrader.chaos.history import History
from nexustrader.chaos.loop import LoopClock, SeededLoop
from nexustrader.chaos.network import MemoryTransport, Network, Process
from nexustrader.constants import DataType, OrderSide, OrderType
from nexustrader.domain import events as ev
from nexustrader.domain import order as orders
from nexustrader.domain.instrument import Instrument
from nexustrader.domain.order import OrderState
from nexustrader.domain.outcome import Conclusion, Route
from nexustrader.emulator.bybit.service import BybitService
from nexustrader.emulator.bybit.venue import BybitSettings, BybitVenue
from nexustrader.emulator.market.moves import HandTrade, MarketMove, move_market
from nexustrader.emulator.orders.accounts import AccountSpec
from nexustrader.emulator.venue import STILL
from nexustrader.exchange.bybit import VENUE, BybitAccountType
from nexustrader.kernel.entropy import Entropy
from nexustrader.kernel.tasks import TaskManager
from nexustrader.venue.feed import Feed
from nexustrader.venue.gateway import Gateway
from nexustrader.venue.ratelimit import RateLimiter
from nexustrader.venue.session import RestSession

ACCOUNT = "bybit:UNIFIED"
LINEAR, SPOT, INVERSE = "BTCUSDT-PERP.BYBIT", "BTCUSDT.BYBIT", "BTCUSD-PERP.BYBIT"
CALL = "BTCUSDT-270625-60000-C.BYBIT"


class BybitWorld:
    """A venue that stands still unless `moving`; `states` are its orders as the account's facts make them."""

    def __init__(self, loop: SeededLoop, *, moving: bool = False, seed: int = 1) -> None:
        self.loop = loop
        self.clock = LoopClock(loop)
        entropy = Entropy(seed)
        spec = AccountSpec(api_key=canaries.API_KEY, secret=canaries.SECRET)
        market = {"push_ms": 100, "step_ms": 500} if moving else {"market": STILL}
        self.venue = BybitVenue([spec], BybitSettings(seed=seed, **market), self.clock)
        self.network = Network(
            loop, BybitService(self.venue), self.clock, entropy.child("network"), History(loop.time)
        )
        self.transport = MemoryTransport(self.network, Process())
        self.tasks = TaskManager(loop)
        self.entropy = entropy
        self.limiter = RateLimiter(VENUE.rate_limits(BybitAccountType.UNIFIED))
        self.delivered: list[Any] = []
        self.results: list[ev.CommandResult] = []
        self.statuses: list[str] = []
        self.states: dict[str, OrderState] = {}
        self.told: list[ev.OrderEvent] = []
        self.balances: dict[str, ev.BalanceEvent] = {}
        self.positions: dict[str, ev.PositionEvent] = {}
        self.feeds: dict[BybitAccountType, Feed] = {}
        self._oids = itertools.count(17_000_000_000_000_010_001)

    async def begin(self) -> None:
        if self.venue.settings.market == STILL:
            self.move("60000.0", "60000.1")
            self.move("60000.0", "60000.1", symbol="BTCUSD", size="100000")
        self.venue.start()
        instruments: dict[str, Instrument] = {}
        for kind in VENUE.public_types(BybitAccountType.UNIFIED):
            feed = self._feed(kind)
            instruments |= await feed.load_instruments()
            self.feeds[kind] = feed
        self.gateway = Gateway(
            ACCOUNT, VENUE, BybitAccountType.UNIFIED, VENUE.endpoints(BybitAccountType.UNIFIED), instruments,
            self._session(BybitAccountType.UNIFIED), self.transport, self.clock, self.tasks, self.entropy,
        )  # fmt: skip
        self.gateway.attach(self)
        await self.gateway.start()

    async def end(self) -> None:
        await self.gateway.stop()
        for feed in self.feeds.values():
            await feed.stop()
        self.venue.stop()

    def _session(self, kind: BybitAccountType) -> RestSession:
        return RestSession(
            VENUE, VENUE.endpoints(kind).rest, VENUE.server_time_request(kind), self.transport, self.clock,
            self.limiter, signer=VENUE.make_signer(canaries.API_KEY, canaries.SECRET, None),
        )  # fmt: skip

    def _feed(self, kind: BybitAccountType) -> Feed:
        deliver = dict.fromkeys(DataType, self.delivered.append)
        return Feed(
            VENUE, kind, VENUE.endpoints(kind), self._session(kind), self.transport, self.clock, self.tasks,
            self.entropy, deliver, stale_ms_max=None,
        )  # fmt: skip

    def move(self, bid: str, ask: str, *, symbol: str = "BTCUSDT", size: str = "10") -> None:
        amount = Decimal(size)
        move_market(
            self.venue,
            MarketMove(symbol=symbol, bid=Decimal(bid), ask=Decimal(ask), bid_qty=amount, ask_qty=amount),
        )

    def trade(self, price: str, side: str) -> None:
        trade = HandTrade(price=Decimal(price), qty=Decimal("0.001"), side=side)  # type: ignore[arg-type]
        move_market(self.venue, MarketMove(symbol="BTCUSDT", trade=trade))

    # -- the sink --------------------------------------------------------------------------------------------

    def on_result(self, result: ev.CommandResult) -> None:
        self.results.append(result)
        for event in result.events:
            self.on_order_event(event)
        if result.conclusion is Conclusion.REJECTED and result.kind.value == "create":
            self.on_order_event(
                ev.OrderEvent(
                    oid=result.oid, kind=ev.EventKind.REJECTED, source=ev.Source.ACK, timestamp=result.timestamp,
                    reason=result.reason,
                )
            )  # fmt: skip

    def on_order_event(self, event: ev.OrderEvent) -> None:
        self.told.append(event)
        self.states[event.oid] = orders.apply(self.states.get(event.oid), event).order

    def on_balance(self, event: ev.BalanceEvent) -> None:
        self.balances[event.asset] = event

    def on_position(self, event: ev.PositionEvent) -> None:
        self.positions[event.symbol] = event

    def on_status(self, _account: str, event: str) -> None:
        self.statuses.append(event)

    # -- commands --------------------------------------------------------------------------------------------

    async def send(
        self, symbol: str, side: OrderSide, amount: str, price: str | None, **more: Any
    ) -> OrderState:
        """Submit an order and wait until nothing of it is under way any more; returns what became of it."""
        oid = more.pop("oid", None) or str(next(self._oids))
        submit = ev.Submit(
            oid=oid, account=ACCOUNT, symbol=symbol, side=side,
            type=more.pop("type", OrderType.MARKET if price is None else OrderType.LIMIT), amount=Decimal(amount),
            price=None if price is None else Decimal(price), route=more.pop("route", Route.WS),
            timestamp=self.clock.timestamp_ms(), **more,
        )  # fmt: skip
        self.states.setdefault(oid, orders.apply(None, submit).order)
        self.gateway.submit(submit)
        await asyncio.sleep(1)
        return self.states[oid]

    async def cancel(self, state: OrderState, route: Route = Route.WS) -> OrderState:
        self.gateway.cancel(
            ev.Cancel(
                oid=state.oid, account=ACCOUNT, symbol=state.symbol, eid=state.eid, route=route,
                timestamp=self.clock.timestamp_ms(),
            )
        )  # fmt: skip
        await asyncio.sleep(1)
        return self.states[state.oid]

    async def amend(self, state: OrderState, price: str | None, amount: str | None = None) -> OrderState:
        command = ev.Amend(
            oid=state.oid, account=ACCOUNT, symbol=state.symbol, side=state.side,
            price=None if price is None else Decimal(price), amount=None if amount is None else Decimal(amount),
            eid=state.eid, timestamp=self.clock.timestamp_ms(),
        )  # fmt: skip
        self.states[state.oid] = orders.apply(state, command).order
        self.gateway.amend(command)
        await asyncio.sleep(1)
        return self.states[state.oid]

    @property
    def conclusions(self) -> list[Conclusion]:
        return [result.conclusion for result in self.results]

    def kinds(self) -> Counter[type]:
        return Counter(type(datum) for datum in self.delivered)


def bybit_world(test: Callable[[BybitWorld], Coroutine[Any, Any, None]]) -> Callable[[], None]:
    """Run a test on a venue that stands still."""
    return _runs(test, moving=False)


def moving_bybit_world(test: Callable[[BybitWorld], Coroutine[Any, Any, None]]) -> Callable[[], None]:
    """Run a test on a venue whose markets move."""
    return _runs(test, moving=True)


def _runs(test: Callable[[BybitWorld], Coroutine[Any, Any, None]], *, moving: bool) -> Callable[[], None]:
    def run() -> None:
        loop = SeededLoop(None)
        asyncio.set_event_loop(loop)

        async def work() -> None:
            world = BybitWorld(loop, moving=moving)
            await world.begin()
            await test(world)
            await world.end()

        try:
            loop.run_until_complete(work())
        finally:
            for task in asyncio.all_tasks(loop):
                task.cancel()
            loop.run_until_complete(asyncio.sleep(0))
            loop.close()
            asyncio.set_event_loop(None)

    return run
