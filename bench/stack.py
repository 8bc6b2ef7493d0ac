"""The package's own parts, put together without REST: what the benchmarks measure."""

from __future__ import annotations

import asyncio
from dataclasses import dataclass
from decimal import Decimal
from pathlib import Path
from typing import Any

from nexustrader._engine.core import EngineCore
from nexustrader._engine.routing import Account
from nexustrader.config import BasicConfig, Config
from nexustrader.constants import ExchangeType, InstrumentType
from nexustrader.domain.instrument import Instrument
from nexustrader.exchange.binance import VENUE, BinanceAccountType
from nexustrader.kernel.clock import LiveClock
from nexustrader.kernel.entropy import Entropy
from nexustrader.kernel.tasks import TaskManager
from nexustrader.persistence.memory import MemoryJournal
from nexustrader.persistence.sqlite import SqliteJournal
from nexustrader.strategy import Strategy
from nexustrader.venue.feed import Feed
from nexustrader.venue.gateway import Gateway
from nexustrader.venue.ratelimit import RateLimiter
from nexustrader.venue.session import RestSession
from nexustrader.venue.spec import Endpoints
from nexustrader.venue.transport import NetworkTransport

ACCOUNT = BinanceAccountType.USD_M_FUTURE
KEY = "binance:USD_M_FUTURE"
BTC = Instrument(
    symbol="BTCUSDT-PERP.BINANCE",
    venue_symbol="BTCUSDT",
    exchange=ExchangeType.BINANCE,
    type=InstrumentType.LINEAR,
    base="BTC",
    quote="USDT",
    settle="USDT",
    tick=Decimal("0.1"),
    lot=Decimal("0.001"),
    min_amount=Decimal("0.001"),
    max_amount=Decimal(1000),
    min_price=Decimal("0.1"),
    max_price=Decimal(1_000_000),
    min_notional=Decimal(5),
    maker=Decimal("0.0002"),
    taker=Decimal("0.0005"),
)


@dataclass
class Stack:
    """What is open, to be closed after the measurement."""

    core: EngineCore
    tasks: TaskManager
    transport: NetworkTransport
    closing: list[Any]

    async def close(self) -> None:
        for part in self.closing:
            await part.stop()
        await self.tasks.cancel_all()
        await self.transport.close()


def _core(strategy: Strategy, journal: Any) -> tuple[EngineCore, LiveClock, TaskManager]:
    loop = asyncio.get_running_loop()
    clock, tasks = LiveClock(loop), TaskManager(loop)
    config = Config(
        strategy_id="bench",
        user_id="1",
        strategy=strategy,
        basic_config={ExchangeType.BINANCE: BasicConfig()},
        public_conn_config={},
    )
    core = EngineCore(config, clock, journal, spawn=lambda work, name: tasks.create_task(work, name=name))
    core.bind_strategy(None, {}, lambda: None)  # type: ignore[arg-type]  # nothing is requested here
    return core, clock, tasks


def _session(clock: LiveClock, transport: NetworkTransport, signer: Any = None) -> RestSession:
    return RestSession(
        VENUE,
        "http://127.0.0.1:1",
        VENUE.server_time_request(ACCOUNT),
        transport,
        clock,
        RateLimiter(VENUE.rate_limits(ACCOUNT)),
        signer=signer,
        enable_rate_limit=False,
    )


def market_stack(strategy: Strategy, url: str) -> Feed:
    """Feed, decoder, cache, bus and strategy, over real sockets."""
    core, clock, tasks = _core(strategy, MemoryJournal())
    transport = NetworkTransport()
    feed = Feed(
        VENUE,
        ACCOUNT,
        Endpoints("http://127.0.0.1:1", url),
        _session(clock, transport),
        transport,
        clock,
        tasks,
        Entropy(1),
        core.hub.deliver,
    )
    feed.instruments = {BTC.symbol: BTC}
    core.add_market(feed.instruments, feed)
    return feed


async def order_stack(strategy: Strategy, url: str, api_key: str, secret: str, folder: Path) -> Stack:
    """Strategy, execution, a journal on disk, and a gateway whose order socket is up."""
    journal = SqliteJournal(folder / "bench.db", "bench", "1", {}, LiveClock(asyncio.get_running_loop()))
    core, clock, tasks = _core(strategy, journal)
    transport = NetworkTransport()
    session = _session(clock, transport, VENUE.make_signer(api_key, secret, None))
    core.add_market({BTC.symbol: BTC}, None)
    gateway = Gateway(
        KEY,
        VENUE,
        ACCOUNT,
        Endpoints("http://127.0.0.1:1", "ws://127.0.0.1:1", url),
        core.instruments,
        session,
        transport,
        clock,
        tasks,
        Entropy(1),
    )
    core.accounts.add(Account(KEY, ExchangeType.BINANCE, ACCOUNT))
    core.add_account(gateway)
    trade = gateway._trade
    assert trade is not None
    trade.start()
    await trade.wait_up()
    core.run_start()  # until then nothing is told, and what waits adds up
    return Stack(core, tasks, transport, [trade])
