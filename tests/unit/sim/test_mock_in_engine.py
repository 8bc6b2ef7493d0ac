"""A paper account inside the engine's own core, on virtual time: what a strategy sees of it."""

from __future__ import annotations

import asyncio
from decimal import Decimal
from typing import Any

from exchange_setup import BUY, INSTRUMENTS, MARKET, PERP, START_MS

from nexustrader._engine.core import EngineCore
from nexustrader._engine.routing import Account
from nexustrader.config import BasicConfig, Config, MockConnectorConfig
from nexustrader.constants import ExchangeType, ParamBackend
from nexustrader.exchange import BinanceAccountType
from nexustrader.kernel.clock import NS_PER_MS, VirtualClock
from nexustrader.market.subscriptions import Stream
from nexustrader.persistence.memory import MemoryJournal
from nexustrader.persistence.params import Params
from nexustrader.schema import BookL1, Order
from nexustrader.sim.mock import build_mock
from nexustrader.strategy import Strategy

KEY = "binance:LINEAR_MOCK"


class Streams:
    def __init__(self) -> None:
        self.wanted: list[Stream] = []

    def subscribe(self, stream: Stream) -> None:
        self.wanted.append(stream)

    def unsubscribe(self, stream: Stream) -> None:
        self.wanted.remove(stream)


class NoRequests:
    """Nothing is asked in these tests."""

    klines = ticker = order = open_orders = None


class Buyer(Strategy):
    def __init__(self) -> None:
        super().__init__()
        self.told: list[tuple[str, str | None]] = []

    def on_start(self) -> None:
        self.create_order(PERP, BUY, MARKET, Decimal(1))

    def on_bookl1(self, bookl1: BookL1) -> None:
        if len(self.told) == 1:
            self.create_order(PERP, BUY, MARKET, Decimal(1))

    def on_failed_order(self, order: Order) -> None:
        self.told.append(("failed", order.reason))

    def on_pending_order(self, order: Order) -> None:
        self.told.append(("pending", order.eid))

    def on_accepted_order(self, order: Order) -> None:
        self.told.append(("accepted", order.eid))

    def on_filled_order(self, order: Order) -> None:
        self.told.append(("filled", str(self.cache.get_position(PERP).signed_amount)))  # type: ignore[union-attr]


async def test_a_strategy_trades_on_paper_as_it_would_for_real() -> None:
    clock = VirtualClock(START_MS * NS_PER_MS)
    strategy, streams = Buyer(), Streams()
    connector = MockConnectorConfig(
        {"USDT": 1_000}, BinanceAccountType.LINEAR_MOCK, leverage=5, update_interval=30
    )
    config = Config(
        "mock",
        "user",
        strategy,
        {ExchangeType.BINANCE: BasicConfig()},
        {},
        {ExchangeType.BINANCE: [connector]},
    )
    core = EngineCore(config, clock, MemoryJournal(), spawn=lambda work, name: asyncio.ensure_future(work))
    core.add_market(INSTRUMENTS, streams)
    requests: Any = NoRequests()
    core.bind_strategy(requests, {ParamBackend.MEMORY: Params()}, lambda: None)
    core.accounts.add(Account(KEY, ExchangeType.BINANCE, BinanceAccountType.LINEAR_MOCK))
    venue = build_mock(
        KEY, connector, core.instruments, clock, bus=core.bus, market=core.market, store=Params()
    )
    core.add_account(venue)
    await venue.start()
    await core.reconciler.start_up(KEY)
    core.run_start()
    clock.run_soon()
    assert strategy.told[0][0] == "failed"
    assert f"subscribe_bookl1('{PERP}')" in (strategy.told[0][1] or "")
    assert [stream.kind.value for stream in streams.wanted] == ["bookl1", "trade"]

    core.bus.publish("bookl1", BookL1(ExchangeType.BINANCE, PERP, 100.0, 100.1, 9.0, 9.0, START_MS))
    clock.run_soon()
    eid = strategy.told[1][1]
    assert strategy.told[1:] == [("pending", eid), ("accepted", eid), ("filled", "1.000")]
    assert eid is not None
    balance = core.cache.get_balance(BinanceAccountType.LINEAR_MOCK).balances["USDT"]
    assert balance.free == 1000 - Decimal("0.05005")

    later = BookL1(ExchangeType.BINANCE, PERP, 110.0, 110.2, 9.0, 9.0, START_MS)
    core.cache.slots(next(iter(streams.wanted)).kind)[PERP] = later
    core.bus.publish("bookl1", later)
    clock.advance_to(clock.timestamp_ns() + 30_000 * NS_PER_MS)
    position = core.cache.get_position(PERP)
    assert position is not None
    assert round(position.unrealized_pnl, 6) == 10.0
    await venue.stop()
