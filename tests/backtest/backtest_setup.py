"""Bars, configs and small strategies for the tests of backtests."""

from __future__ import annotations

from collections.abc import Sequence
from decimal import Decimal
from typing import Any

import numpy as np

from nexustrader.backtest import Backtest, BacktestResult, Bars
from nexustrader.config import BasicConfig, Config, MockConnectorConfig, PrivateConnectorConfig
from nexustrader.constants import ExchangeType, KlineInterval, OrderSide, OrderType
from nexustrader.data.bars import build_bars
from nexustrader.exchange import BinanceAccountType
from nexustrader.schema import Kline, Order
from nexustrader.strategy import Strategy

PERP, SPOT, INVERSE = "BTCUSDT-PERP.BINANCE", "BTCUSDT.BINANCE", "BTCUSD-PERP.BINANCE"
T0 = 1_704_067_200_000
MINUTE_MS = 60_000
BUY, SELL = OrderSide.BUY, OrderSide.SELL
MARKET, LIMIT = OrderType.MARKET, OrderType.LIMIT
M1 = KlineInterval.MINUTE_1


def bars_of(
    rows: Sequence[tuple[float, float, float, float]], symbol: str = PERP, volume: float = 40.0
) -> Bars:
    """One-minute bars from (open, high, low, close)."""
    columns = np.array(rows, dtype=float).T
    table = dict(zip(("open", "high", "low", "close"), columns, strict=True))
    start = T0 + MINUTE_MS * np.arange(len(rows))
    columns_of = {"start": start, **table, "volume": np.full(len(rows), volume)}
    return build_bars(columns_of, symbol, "the test", interval=M1)


def flat_bars(closes: Sequence[float], symbol: str = PERP) -> Bars:
    """Bars that go straight from one close to the next."""
    opens = [closes[0], *closes[:-1]]
    rows = [(o, max(o, c), min(o, c), c) for o, c in zip(opens, closes, strict=True)]
    return bars_of(rows, symbol)


def config(strategy: Strategy, *connectors: Any, **changes: Any) -> Config:
    """A config with one linear mock account of 10,000 USDT, or with the connectors given."""
    mock = MockConnectorConfig({"USDT": 10_000}, BinanceAccountType.LINEAR_MOCK, leverage=10)
    return Config(
        strategy_id="test",
        user_id="user",
        strategy=strategy,
        basic_config={ExchangeType.BINANCE: BasicConfig()},
        public_conn_config={},
        private_conn_config={ExchangeType.BINANCE: list(connectors) or [mock]},
        **changes,
    )


def real(account_type: BinanceAccountType) -> PrivateConnectorConfig:
    return PrivateConnectorConfig(account_type)


class Recording(Strategy):
    """Writes down what it hears and at what time."""

    def __init__(self) -> None:
        super().__init__()
        self.heard: list[tuple[str, int]] = []
        self.orders: list[tuple[str, str]] = []
        self.klines: list[Kline] = []

    def note(self, what: str) -> None:
        self.heard.append((what, self.clock.timestamp_ms() - T0))

    def on_start(self) -> None:
        self.note("start")
        self.subscribe_kline(PERP, M1)

    def on_kline(self, kline: Kline) -> None:
        self.klines.append(kline)

    def on_pending_order(self, order: Order) -> None:
        self.orders.append(("pending", order.oid or ""))

    def on_accepted_order(self, order: Order) -> None:
        self.orders.append(("accepted", order.oid or ""))

    def on_partially_filled_order(self, order: Order) -> None:
        self.orders.append(("partially filled", order.oid or ""))

    def on_filled_order(self, order: Order) -> None:
        self.orders.append(("filled", order.oid or ""))

    def on_canceled_order(self, order: Order) -> None:
        self.orders.append(("canceled", order.oid or ""))

    def on_expired_order(self, order: Order) -> None:
        self.orders.append(("expired", order.oid or ""))

    def on_failed_order(self, order: Order) -> None:
        self.orders.append((f"failed: {order.reason}", order.oid or ""))

    def buy(self, amount: str = "1", **more: Any) -> str:
        return self.create_order(PERP, BUY, MARKET, Decimal(amount), **more)

    def sell(self, amount: str = "1", **more: Any) -> str:
        return self.create_order(PERP, SELL, MARKET, Decimal(amount), **more)


class AtBars(Recording):
    """Calls `plan[n](self)` at the n-th closed bar."""

    def __init__(self, plan: dict[int, Any]) -> None:
        super().__init__()
        self.plan = plan

    def on_kline(self, kline: Kline) -> None:
        super().on_kline(kline)
        step = self.plan.get(len(self.klines))
        if step is not None:
            step(self)


def run(strategy: Strategy, data: Any, *connectors: Any, **settings: Any) -> BacktestResult:
    return Backtest(config(strategy, *connectors), data, **settings).run()
