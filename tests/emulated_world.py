"""The whole live stack on the emulated venue, over a network in memory and in virtual time."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Sequence
from typing import Any

from nexustrader.chaos.history import History
from nexustrader.chaos.loop import LoopClock, SeededLoop
from nexustrader.chaos.network import Network
from nexustrader.chaos.process import Disk, MemoryWorld
from nexustrader.config import BasicConfig, Config, PublicConnectorConfig
from nexustrader.constants import AccountType, ExchangeType
from nexustrader.emulator.binance.service import BinanceService
from nexustrader.emulator.binance.venue import BinanceSettings, BinanceVenue
from nexustrader.emulator.bybit.service import BybitService
from nexustrader.emulator.bybit.venue import BybitSettings, BybitVenue
from nexustrader.emulator.orders.accounts import AccountSpec
from nexustrader.emulator.service import Service
from nexustrader.emulator.venue import AnyVenue
from nexustrader.engine import Engine
from nexustrader.kernel.entropy import Entropy
from nexustrader.kernel.ports import Clock
from nexustrader.strategy import Strategy

SYMBOLS = ("BTCUSDT",)
STEP_MS = 500


def config_of(strategy: Strategy, *account_types: AccountType, mock: Any = None) -> Config:
    """Public data of these account types of one venue, and a mock account if there is one."""
    exchange = ExchangeType(account_types[0].exchange_id)
    return Config(
        strategy_id="test",
        user_id="emulated",
        strategy=strategy,
        basic_config={exchange: BasicConfig()},
        public_conn_config={exchange: [PublicConnectorConfig(account_type=one) for one in account_types]},
        private_conn_config={} if mock is None else {exchange: [mock]},
    )


Build = Callable[[int, Sequence[AccountSpec], Sequence[str], Clock, Entropy], tuple[AnyVenue, Service]]


def binance(
    seed: int, specs: Sequence[AccountSpec], symbols: Sequence[str], clock: Clock, entropy: Entropy
) -> tuple[AnyVenue, Service]:
    settings = BinanceSettings(seed=seed, symbols=symbols, step_ms=STEP_MS, push_ms=STEP_MS)
    venue = BinanceVenue(specs, settings, clock, entropy)
    return venue, BinanceService(venue)


def bybit(
    seed: int, specs: Sequence[AccountSpec], symbols: Sequence[str], clock: Clock, _entropy: Entropy
) -> tuple[AnyVenue, Service]:
    settings = BybitSettings(seed=seed, symbols=symbols, step_ms=STEP_MS, push_ms=STEP_MS)
    venue = BybitVenue(specs, settings, clock)
    return venue, BybitService(venue)


class EmulatedWorld:
    """One venue and, in `run`, one strategy on it, which ends by itself."""

    def __init__(
        self,
        seed: int = 1,
        specs: Sequence[AccountSpec] = (),
        symbols: Sequence[str] = SYMBOLS,
        build: Build = binance,
    ) -> None:
        self.loop = SeededLoop(None)
        entropy = Entropy(seed)
        clock = LoopClock(self.loop)
        self.venue, service = build(seed, specs, symbols, clock, entropy.child("keys"))
        history = History(self.loop.time)
        self.network = Network(self.loop, service, clock, entropy.child("network"), history)
        self.world = MemoryWorld(self.loop, self.network, Disk(100_000), entropy.child("process"))

    def run(self, config: Config, **more: Any) -> Engine:
        engine = Engine(config, world=self.world, **more)
        asyncio.set_event_loop(self.loop)
        try:
            self.loop.run_until_complete(self._run(engine))
        finally:
            self.loop.close()
            asyncio.set_event_loop(None)
        return engine

    async def _run(self, engine: Engine) -> None:
        self.venue.start()
        await engine.run()
        self.venue.stop()
