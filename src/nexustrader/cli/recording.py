"""A recorder around an engine: public streams only, and every frame kept on its way in."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import NamedTuple

from nexustrader._engine.world import LiveWorld
from nexustrader.config import BasicConfig, Config, LogConfig, PublicConnectorConfig
from nexustrader.constants import AccountType, BookLevel, ExchangeType, InstrumentType, KlineInterval
from nexustrader.data.kinds import KLINE_PREFIX, kind_of
from nexustrader.data.layout import Series
from nexustrader.data.recorder import Recorded, Recorder
from nexustrader.engine import Engine
from nexustrader.error import DataError
from nexustrader.exchange import BinanceAccountType
from nexustrader.schema import InstrumentId
from nexustrader.strategy import Strategy
from nexustrader.venue.transport import Connection, HttpAnswer, OnFrame, Transport

ACCOUNT_TYPES: Mapping[InstrumentType, tuple[AccountType, AccountType]] = {  # live and testnet
    InstrumentType.SPOT: (BinanceAccountType.SPOT, BinanceAccountType.SPOT_TESTNET),
    InstrumentType.LINEAR: (BinanceAccountType.USD_M_FUTURE, BinanceAccountType.USD_M_FUTURE_TESTNET),
}
SUBSCRIBE: Mapping[str, Callable[[Strategy, list[str]], None]] = {
    "quote": lambda strategy, symbols: strategy.subscribe_bookl1(symbols),
    "trade": lambda strategy, symbols: strategy.subscribe_trade(symbols),
    "book": lambda strategy, symbols: strategy.subscribe_bookl2(symbols, BookLevel.L20),
}
SHOW_EVERY_S = 1


class Plan(NamedTuple):
    """What to record, where to, and for how long (0: until it is stopped)."""

    symbols: list[str]
    kinds: list[str]
    catalog: Path
    every_s: float
    seconds: float
    testnet: bool


def record(plan: Plan, show: Callable[[Recorded], None]) -> Recorded:
    """Record until the time is over or a signal comes. Raises DataError for what cannot be recorded."""
    market = _market(plan.symbols)
    for kind in plan.kinds:
        if kind not in SUBSCRIBE:
            _interval(kind)
    world = LiveWorld()
    recorder = _recorder(plan, market, world)
    world.transport = _Tee(world.transport, recorder.on_frame)
    account_type = ACCOUNT_TYPES[market][plan.testnet]
    config = Config(
        strategy_id="record",
        user_id="data",
        strategy=_Recording(plan, recorder, show),
        basic_config={ExchangeType.BINANCE: BasicConfig(testnet=plan.testnet)},
        public_conn_config={ExchangeType.BINANCE: [PublicConnectorConfig(account_type)]},
        private_conn_config={},
        log_config=LogConfig(level_stdout="WARNING"),
    )
    try:
        Engine(config, world=world).start()
    finally:
        done = recorder.close()
    return done


def _recorder(plan: Plan, market: InstrumentType, world: LiveWorld) -> Recorder:
    name = f"binance-{market.value.lower()}{'-testnet' if plan.testnet else ''}"
    try:
        return Recorder(plan.catalog, name, plan.symbols, world.clock.timestamp_ns)
    except BaseException:  # tidy: ok — the world must not be left open, whatever went wrong
        world.close()
        raise


def _market(symbols: Sequence[str]) -> InstrumentType:
    """The one market of all symbols."""
    named = [InstrumentId.from_str(Series.of(kind_of("trade"), symbol).symbol) for symbol in symbols]
    for one in named:
        if one.exchange is not ExchangeType.BINANCE or one.type not in ACCOUNT_TYPES:
            raise DataError(f"{one.symbol} cannot be recorded; spot and USD-M symbols of Binance can")
    markets = {one.type for one in named}
    if len(markets) != 1:
        raise DataError("spot and futures are recorded apart; run one recorder for each")
    return markets.pop()


def _interval(kind: str) -> KlineInterval:
    interval = kind_of(kind).interval if kind.startswith(KLINE_PREFIX) else None
    if interval is None:
        raise DataError(
            f"{kind!r} cannot be recorded; give {', '.join(SUBSCRIBE)}, or a kline such as kline_1m"
        )
    return interval


class _Recording(Strategy):
    """Subscribes and counts; the frames themselves are taken where they arrive."""

    def __init__(self, plan: Plan, recorder: Recorder, show: Callable[[Recorded], None]) -> None:
        super().__init__()
        self._plan = plan
        self._recorder = recorder
        self._show = show

    def on_start(self) -> None:
        for kind in self._plan.kinds:
            subscribe = SUBSCRIBE.get(kind)
            if subscribe is not None:
                subscribe(self, self._plan.symbols)
            else:
                self.subscribe_kline(self._plan.symbols, _interval(kind))
        self.schedule(self._recorder.flush, trigger="interval", seconds=self._plan.every_s)
        self.schedule(self._tell, trigger="interval", seconds=SHOW_EVERY_S)
        if self._plan.seconds:
            self.schedule(self.stop, trigger="interval", seconds=self._plan.seconds)

    def _tell(self) -> None:
        self._recorder.sync()
        self._show(Recorded(self._recorder.frames, self._recorder.rows))


class _Tee:
    """A transport that shows every frame to a second listener first."""

    def __init__(self, inner: Transport, listener: OnFrame) -> None:
        self._inner = inner
        self._listener = listener

    @property
    def in_use(self) -> bool:
        return self._inner.in_use

    async def request(
        self, method: str, url: str, headers: Mapping[str, str], body: bytes, timeout_ms: int
    ) -> HttpAnswer:
        return await self._inner.request(method, url, headers, body, timeout_ms)

    async def connect(self, url: str, on_frame: OnFrame) -> Connection:
        listener = self._listener

        def both(raw: bytes) -> None:
            listener(raw)
            on_frame(raw)

        return await self._inner.connect(url, both)

    async def close(self) -> None:
        await self._inner.close()
