"""The whole live stack on the emulated venue, over a network in memory and in virtual time."""

from __future__ import annotations

import asyncio
from collections.abc import Sequence
from typing import Any

from nexustrader.chaos.history import History
from nexustrader.chaos.loop import LoopClock, SeededLoop
from nexustrader.chaos.network import Network
from nexustrader.chaos.process import Disk, MemoryWorld
from nexustrader.config import BasicConfig, Config, PublicConnectorConfig
from nexustrader.constants import ExchangeType
from nexustrader.emulator.binance.service import BinanceService
from nexustrader.emulator.binance.venue import BinanceSettings, BinanceVenue
from nexustrader.emulator.orders.accounts import AccountSpec
from nexustrader.engine import Engine
from nexustrader.exchange import BinanceAccountType
from nexustrader.kernel.entropy import Entropy
from nexustrader.strategy import Strategy

SYMBOLS = ("BTCUSDT",)
STEP_MS = 500


def config_of(strategy: Strategy, *account_types: BinanceAccountType, mock: Any = None) -> Config:
    """Public data of these account types, and a mock account if there is one."""
    return Config(
        strategy_id="test",
        user_id="emulated",
        strategy=strategy,
        basic_config={ExchangeType.BINANCE: BasicConfig()},
        public_conn_config={
            ExchangeType.BINANCE: [PublicConnectorConfig(account_type=one) for one in account_types]
        },
        private_conn_config={} if mock is None else {ExchangeType.BINANCE: [mock]},
    )


class EmulatedWorld:
    """One venue and, in `run`, one strategy on it, which ends by itself."""

    def __init__(
        self, seed: int = 1, specs: Sequence[AccountSpec] = (), symbols: Sequence[str] = SYMBOLS
    ) -> None:
        self.loop = SeededLoop(None)
        entropy = Entropy(seed)
        clock = LoopClock(self.loop)
        self.venue = BinanceVenue(
            specs,
            BinanceSettings(seed=seed, symbols=symbols, step_ms=STEP_MS, push_ms=STEP_MS),
            clock,
            entropy.child("keys"),
        )
        self.network = Network(
            self.loop, BinanceService(self.venue), clock, entropy.child("network"), History(self.loop.time)
        )
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
