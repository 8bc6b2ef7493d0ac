"""A desk at an emulated venue: starts engines, gives orders, moves the market, and compares books at the end."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable
from decimal import Decimal
from typing import Any

from nexustrader._engine.core import EngineCore
from nexustrader._engine.routing import account_key
from nexustrader.config import (
    BasicConfig,
    Config,
    LogConfig,
    PrivateConnectorConfig,
    PublicConnectorConfig,
    ReconcileConfig,
)
from nexustrader.constants import AccountType, ExchangeType, OrderSide, OrderStatus, OrderType, TimeInForce
from nexustrader.domain.ids import is_ours, shard_of
from nexustrader.domain.instrument import Instrument
from nexustrader.domain.order import OrderState
from nexustrader.engine import Engine
from nexustrader.kernel.ports import VenuePort
from nexustrader.schema import Order
from nexustrader.strategy import Strategy
from nexustrader.testing.comparison import compare
from nexustrader.testing.venue_contract.emulated import EmulatedVenue
from nexustrader.testing.venue_contract.rigs import Rig
from nexustrader.venue.spec import Venue

STRATEGY, USER = "contract", "suite"
LOOK_S = 0.01
PATIENCE_S = 90.0  # what is slower than this does not happen
END_S_MAX = 15.0
ROUTINE_S = 5.0
BUY, SELL = OrderSide.BUY, OrderSide.SELL
TAKEN = (
    OrderStatus.ACCEPTED,
    OrderStatus.PARTIALLY_FILLED,
    OrderStatus.FILLED,
    OrderStatus.CANCELED,
    OrderStatus.EXPIRED,
    OrderStatus.FAILED,
)


class Place:
    """What is traded where, in the words of both sides. Symbols are the venue's; `name_of` makes ours of them."""

    def __init__(
        self,
        venue: Venue,
        account_type: AccountType,
        public_type: AccountType,
        product: str,
        symbols: tuple[str, ...],
        name_of: Callable[[str], str],
    ) -> None:
        self.venue = venue
        self.exchange: ExchangeType = venue.spec.exchange
        self.account_type = account_type
        self.public_type = public_type
        self.product = product
        self.symbols = symbols
        self.name_of = name_of
        self.account = account_key(self.exchange, account_type, None)

    @property
    def native(self) -> str:
        """The venue's symbol that is traded."""
        return self.symbols[0]

    @property
    def symbol(self) -> str:
        """Ours of the same."""
        return self.name_of(self.native)


class Scribe(Strategy):
    """Does nothing by itself; notes what it is told of orders."""

    def __init__(self) -> None:
        super().__init__()
        self.heard: list[tuple[str, Order]] = []
        self.statuses: list[str] = []

    def told(self, oid: str) -> list[str]:
        """What it was told of one order, in sequence."""
        return [name for name, order in self.heard if order.oid == oid]

    def on_pending_order(self, order: Order) -> None:
        self.heard.append(("pending", order))

    def on_accepted_order(self, order: Order) -> None:
        self.heard.append(("accepted", order))

    def on_partially_filled_order(self, order: Order) -> None:
        self.heard.append(("partially_filled", order))

    def on_filled_order(self, order: Order) -> None:
        self.heard.append(("filled", order))

    def on_canceling_order(self, order: Order) -> None:
        self.heard.append(("canceling", order))

    def on_canceled_order(self, order: Order) -> None:
        self.heard.append(("canceled", order))

    def on_expired_order(self, order: Order) -> None:
        self.heard.append(("expired", order))

    def on_failed_order(self, order: Order) -> None:
        self.heard.append(("failed", order))

    def on_cancel_failed_order(self, order: Order) -> None:
        self.heard.append(("cancel_failed", order))

    def on_private_ws_status(self, status: dict[str, Any]) -> None:
        self.statuses.append(str(status.get("event")))


class Desk:
    """One test's engine, or one after the other, at one venue."""

    def __init__(self, rig: Rig, place: Place, bid: Decimal, step: Decimal, amount: Decimal) -> None:
        self.rig = rig
        self.place = place
        self.bid = bid  # where the market stands
        self.step = step  # what its bid and ask are apart
        self.amount = amount
        self.strategy = Scribe()
        self._engine: Engine | None = None
        self._run: asyncio.Task[None] | None = None
        self._moves = 0

    # -- the parts -------------------------------------------------------------------------------------------

    @property
    def venue(self) -> EmulatedVenue:
        return self.rig.venue

    @property
    def engine(self) -> Engine:
        assert self._engine is not None, "no engine was started"
        return self._engine

    @property
    def core(self) -> EngineCore:
        return self.engine._core  # noqa: SLF001  # a contract is about what the engine holds to be true

    @property
    def port(self) -> VenuePort:
        """The account as the engine reaches it."""
        return next(p for p in self.engine._connections.ports if p.account == self.place.account)  # noqa: SLF001  # as `core`

    @property
    def instrument(self) -> Instrument:
        return self.core.instruments[self.place.symbol]

    @property
    def ask(self) -> Decimal:
        return self.bid + self.step

    # -- engines ---------------------------------------------------------------------------------------------

    async def start(self, *, clock_offset_ms: int = 0, is_alone: bool = False, quoted: bool = True) -> Scribe:
        """Start an engine over the disk of the one before it. Raises what its start raises."""
        self.strategy = strategy = Scribe()
        place = self.place
        config = Config(
            strategy_id=STRATEGY,
            user_id=USER,
            strategy=strategy,
            basic_config={place.exchange: BasicConfig(settings_key=f"{place.exchange.name}.CONTRACT")},
            public_conn_config={place.exchange: [PublicConnectorConfig(account_type=place.public_type)]},
            private_conn_config={place.exchange: [PrivateConnectorConfig(account_type=place.account_type)]},
            reconcile=ReconcileConfig(interval_s=ROUTINE_S, foreign_orders="none" if is_alone else "ignore"),
            log_config=LogConfig(bypass=True),
            exit_after_cancel=False,
        )
        engine = self._engine = Engine(config, world=self.rig.world(clock_offset_ms))
        self._run = run = self.rig.loop.create_task(engine.run(), name="engine")
        started = self.rig.loop.create_future()
        run_start = self.core.run_start

        def note_start() -> None:
            run_start()
            if not started.done():
                started.set_result(None)

        self.core.run_start = note_start  # type: ignore[method-assign]  # there is no callback of the start alone
        await asyncio.wait({run, started}, return_when=asyncio.FIRST_COMPLETED)
        if run.done():
            started.cancel()
            self._engine = self._run = None
            engine.dispose()
            run.result()
            raise AssertionError("the engine has ended by itself")
        strategy.subscribe_bookl1(place.symbol)
        if quoted:
            await self.quoted()
        return strategy

    async def stop(self) -> None:
        """End the engine in good order; open orders stay."""
        engine, run = self._engine, self._run
        if engine is None or run is None:
            return
        self.check_health()
        engine.dispose()
        await asyncio.wait({run}, timeout=END_S_MAX)
        assert run.done(), "the engine did not end when it was asked to"
        run.result()
        self._let_go(engine)

    async def crash(self) -> None:
        """End it as `kill -9` would: from now on nothing of it reaches disk or venue."""
        engine, run = self.engine, self._run
        assert run is not None
        self.rig.kill()
        while not run.done():
            run.cancel()
            await asyncio.sleep(LOOK_S)
        await engine._task_manager.cancel_all(1.0)  # noqa: SLF001  # as `core`
        await engine._world.transport.close()  # noqa: SLF001  # as `core`
        self._let_go(engine)

    def _let_go(self, engine: Engine) -> None:
        self._engine = self._run = None
        engine._world.close()  # noqa: SLF001  # the loop still runs, so `dispose` has not closed it

    # -- the market ------------------------------------------------------------------------------------------

    def move(self, bid: Decimal, symbol: str | None = None) -> None:
        """Set the touch; the sizes change each time, so that it is told."""
        self._moves += 1
        self.venue.move(
            self.place.product,
            symbol or self.place.native,
            str(bid),
            str(bid + self.step),
            quantity=str(100 + self._moves % 7),
        )

    def trade(self, side: OrderSide, amount: Decimal, price: Decimal) -> None:
        """Others trade: a SELL fills the bids that rest at `price` or above it."""
        self.venue.trade(self.place.product, self.place.native, str(price), str(amount), side.value)

    async def quoted(self) -> None:
        """Wait until the strategy sees the market as it is."""
        await self._nudged(lambda: self._sees(self.bid), "a quote")

    def _sees(self, bid: Decimal) -> bool:
        book = self.strategy.cache.bookl1(self.place.symbol)
        return book is not None and Decimal(str(book.bid)) == bid

    async def quoted_anew(self) -> None:
        """Wait for another quote than the last one."""
        old = self.strategy.cache.bookl1(self.place.symbol)
        await self._nudged(lambda: self.strategy.cache.bookl1(self.place.symbol) != old, "another quote")

    async def _nudged(self, condition: Callable[[], bool], what: str) -> None:
        due_s = 0.0
        loop = self.rig.loop
        give_up_s = loop.time() + PATIENCE_S
        while not condition():
            if loop.time() >= due_s:
                self.move(self.bid)
                due_s = loop.time() + 0.2
            assert loop.time() < give_up_s, f"{what} did not come"
            await asyncio.sleep(LOOK_S)

    # -- orders ----------------------------------------------------------------------------------------------

    def create(
        self,
        side: OrderSide = BUY,
        kind: OrderType = OrderType.LIMIT,
        price: Decimal | None = None,
        *,
        amount: Decimal | None = None,
        ws: bool | None = None,
        time_in_force: TimeInForce = TimeInForce.GTC,
        **more: Any,
    ) -> str:
        """Give an order; by the order socket where there is one, unless told otherwise."""
        by_socket = self.has_order_socket if ws is None else ws
        create = self.strategy.create_order_ws if by_socket else self.strategy.create_order
        return create(
            self.place.symbol,
            side,
            kind,
            self.amount if amount is None else amount,
            price,
            time_in_force=time_in_force,
            account_type=self.place.account_type,
            **more,
        )

    def rest(self, side: OrderSide = BUY, *, far: Decimal = Decimal("0.97"), **more: Any) -> str:
        """Give an order that rests away from the market."""
        return self.create(side, price=self.away(side, far), **more)

    def away(self, side: OrderSide, far: Decimal = Decimal("0.97")) -> Decimal:
        """A price at which an order of this side rests."""
        factor = far if side.is_buy else 2 - far
        return (self.bid * factor / self.step).quantize(Decimal(1)) * self.step

    def across(self, side: OrderSide) -> Decimal:
        """A price at which an order of this side trades at once."""
        return self.ask + 5 * self.step if side.is_buy else self.bid - 5 * self.step

    def cancel(self, oid: str, *, ws: bool | None = None) -> None:
        by_socket = self.has_order_socket if ws is None else ws
        cancel = self.strategy.cancel_order_ws if by_socket else self.strategy.cancel_order
        cancel(self.place.symbol, oid)

    @property
    def has_order_socket(self) -> bool:
        return self.place.venue.endpoints(self.place.account_type).trade is not None

    def state(self, oid: str) -> OrderState:
        """What the engine holds to be true of an order."""
        state = self.core.oms.get(oid)
        assert state is not None, f"order {oid} is not known here"
        return state

    def record(self, oid: str) -> dict[str, Any] | None:
        """What the venue holds to be true of it; None where it never arrived."""
        found = [row for row in self.truth()["orders"] if row["client_id"] == oid]
        return found[-1] if found else None

    def truth(self) -> dict[str, Any]:
        """The venue's ledger, with the orders of this program alone."""
        body = self.venue.ledger(self.place.product)
        shard = shard_of(STRATEGY, USER)
        for name in ("orders", "fills"):
            body[name] = [row for row in body[name] if is_ours(row["client_id"], shard)]
        return body

    def position(self) -> Decimal:
        """What the venue says is held, with its sign; on spot nothing is."""
        held = self.venue.ledger(self.place.product)["positions"]
        return sum(
            (Decimal(p["amount"]) for name, p in held.items() if name.startswith(f"{self.place.native}/")),
            Decimal(0),
        )

    # -- waiting ---------------------------------------------------------------------------------------------

    async def until(self, condition: Callable[[], object], what: str, patience_s: float = PATIENCE_S) -> None:
        """Wait until it is so. Raises AssertionError when it does not come about, or when the engine ends."""
        give_up_s = self.rig.loop.time() + patience_s
        while not condition():
            assert self._run is None or not self._run.done(), "the engine has ended by itself"
            assert self.rig.loop.time() < give_up_s, f"within {patience_s} s it did not come about: {what}"
            await asyncio.sleep(LOOK_S)

    async def pass_s(self, seconds: float) -> None:
        """Let so much of the venue's time pass."""
        await asyncio.sleep(seconds)

    async def steady(self, condition: Callable[[], object], what: str, for_s: float) -> None:
        """Wait until it has been so for a while."""
        since_s = give_up_s = self.rig.loop.time()
        give_up_s += PATIENCE_S
        while self.rig.loop.time() - since_s < for_s:
            if not condition():
                since_s = self.rig.loop.time()
            assert since_s < give_up_s, f"it did not stay so: {what}"
            await asyncio.sleep(LOOK_S)

    async def accepted(self, oid: str) -> OrderState:
        """Wait until the venue has taken an order and the engine knows it."""
        await self.until(
            lambda: self._is(oid, lambda s: s.public_status in TAKEN), f"order {oid} is accepted"
        )
        state = self.state(oid)
        assert state.is_open, f"order {oid} is {state.public_status.value}: {state.reason}"
        return state

    async def waits(self, oid: str) -> OrderState:
        """Wait until the venue has taken an order that waits for its trigger; venues differ in what they call it."""
        await self.until(
            lambda: self._is(oid, lambda s: s.is_closed or (s.eid is not None and not s.is_unknown)),
            f"order {oid} waits at the venue",
        )
        state = self.state(oid)
        assert state.is_open, f"order {oid} is {state.public_status.value}: {state.reason}"
        return state

    async def closed(self, oid: str) -> OrderState:
        """Wait until an order has ended."""
        await self.until(lambda: self._is(oid, lambda s: s.is_closed), f"order {oid} has ended")
        return self.state(oid)

    async def filled(self, oid: str, amount: Decimal) -> None:
        """Wait until exactly so much of an order is filled."""
        await self.until(lambda: self.state(oid).filled == amount, f"{amount} of order {oid} is filled")

    async def reconnected(self, times: int = 1) -> None:
        """Wait until the private stream has come back so often."""
        await self.until(lambda: self.strategy.statuses.count("reconnected") >= times, "the reconnect")

    def _is(self, oid: str, so: Callable[[OrderState], bool]) -> bool:
        state = self.core.oms.get(oid)
        return state is not None and so(state)

    async def agrees(self, patience_s: float = PATIENCE_S) -> None:
        """Wait until engine and venue hold the same to be true: orders, fills, fees, positions, balances."""
        give_up_s = self.rig.loop.time() + patience_s
        while found := self._differences():
            assert self._run is None or not self._run.done(), "the engine has ended by itself"
            assert self.rig.loop.time() < give_up_s, "; ".join(found)
            await asyncio.sleep(LOOK_S * 5)
        self.check_health()

    def _differences(self) -> tuple[str, ...]:
        if self.core.ems.is_waiting:
            return ("commands are still waiting for their results",)
        doubts = [
            s.oid for s in self.core.oms.orders() if s.is_open and (s.is_unknown or s.has_cancel_intent)
        ]
        if doubts:
            return (f"in doubt: {', '.join(doubts)}",)
        return compare(self.engine.books(self.place.account), self.truth(), self.place.name_of).differences

    def check_health(self) -> None:
        """Nothing of the engine, of the strategy and of the venue itself has gone wrong on the way."""
        assert not self.engine.health.violations, self.engine.health.violations
        assert not self.engine._task_manager.dead_count, "a task of the engine has died"  # noqa: SLF001  # as `core`
        assert not self.core.user_errors, "a callback of the strategy raised"
        assert not self.core.facts_failed, "a fact could not be taken in"
        wrong = self.venue.check_invariants()
        assert not wrong, wrong


Test = Callable[[Desk], Awaitable[None]]
