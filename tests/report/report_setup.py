"""An EMA cross, results to draw, and pages to read, for the tests of reports."""

from __future__ import annotations

import re
from decimal import Decimal
from pathlib import Path
from typing import Any

from nexustrader.backtest import Backtest, BacktestResult, Bars
from nexustrader.config import BasicConfig, Config, MockConnectorConfig
from nexustrader.constants import ExchangeType, KlineInterval, OrderSide, OrderType
from nexustrader.data.readers.binance_vision import read_klines
from nexustrader.exchange import BinanceAccountType
from nexustrader.schema import Kline
from nexustrader.strategy import Strategy

PERP = "BTCUSDT-PERP.BINANCE"
SPOT = "BTCUSDT.BINANCE"


class EmaCross(Strategy):
    """Long while the fast average is above the slow one, short below."""

    def __init__(
        self,
        symbol: str = PERP,
        fast: int = 12,
        slow: int = 48,
        interval: KlineInterval = KlineInterval.HOUR_1,
    ) -> None:
        super().__init__()
        self.symbol, self.interval = symbol, interval
        self.factors = (2 / (fast + 1), 2 / (slow + 1))
        self.averages: tuple[float, float] | None = None
        self.held = Decimal(0)

    def on_start(self) -> None:
        self.subscribe_kline(self.symbol, self.interval)

    def on_kline(self, kline: Kline) -> None:
        last = self.averages or (kline.close, kline.close)
        fast, slow = (
            old + factor * (kline.close - old) for old, factor in zip(last, self.factors, strict=True)
        )
        self.averages = (fast, slow)
        wanted = Decimal("0.05") if fast > slow else Decimal("-0.05")
        if wanted != self.held:
            side = OrderSide.BUY if wanted > self.held else OrderSide.SELL
            self.create_order(self.symbol, side, OrderType.MARKET, abs(wanted - self.held))
            self.held = wanted


def config(strategy: Strategy, usdt: float = 10_000) -> Config:
    mock = MockConnectorConfig({"USDT": usdt}, BinanceAccountType.LINEAR_MOCK, leverage=10, fee_rate=0.0005)
    return Config(
        strategy_id="test",
        user_id="user",
        strategy=strategy,
        basic_config={ExchangeType.BINANCE: BasicConfig()},
        public_conn_config={},
        private_conn_config={ExchangeType.BINANCE: [mock]},
    )


def hourly(testdata: Path) -> Bars:
    return read_klines(testdata / "marketdata/klines/binance_usdm/BTCUSDT-1h.csv.gz", PERP)


def ema_run(data: Any, /, **changes: Any) -> Backtest:
    """A new run of a new EMA cross each time."""
    return Backtest(config(EmaCross()), **{"data": data} | changes)


def ema_result(testdata: Path) -> BacktestResult:
    return ema_run(hourly(testdata)).run()


def text_of(page: str) -> str:
    """What a reader sees of a page: no scripts, no styles, no tags."""
    shown = re.sub(r"<(script|style)\b.*?</\1>", " ", page, flags=re.DOTALL)
    return " ".join(re.sub(r"<[^>]*>", " ", shown).split())
