"""A program that uses all that a strategy has, in ways that depend on time, order and answers."""

from __future__ import annotations

import asyncio
from datetime import timedelta
from decimal import Decimal
from typing import Any

from nexustrader.config import BasicConfig, Config, PrivateConnectorConfig, PublicConnectorConfig
from nexustrader.constants import ExchangeType, KlineInterval, OrderSide, OrderType
from nexustrader.engine import Engine
from nexustrader.error import NexusTraderError
from nexustrader.exchange import BinanceAccountType
from nexustrader.schema import BookL1, Order
from nexustrader.strategy import Strategy

SYMBOL = "BTCUSDT-PERP.BINANCE"
TRADING_S = 12.0


class Everything(Strategy):
    amount = Decimal("0.010")
    with_timer = True
    with_extra_job = False

    def on_start(self) -> None:
        self.started_s = self.clock.timestamp()
        self.param("starts", self.param("starts", default=0) + 1)
        self.subscribe_bookl1(SYMBOL, ready=False)
        self.subscribe_kline(SYMBOL, KlineInterval.MINUTE_1)
        try:
            self.subscribe_trade("NOSUCH-PERP.BINANCE")
        except NexusTraderError as error:
            self.log.info(f"as expected: {error}")
        self.schedule(self.quote, "interval", seconds=0.7, jitter=0.3)
        self.schedule(self.tidy, "cron", second="*/3")
        self.schedule(self.rebalance, "interval", seconds=2)
        if self.with_timer:
            self.clock.set_timer("look", timedelta(seconds=1.3), callback=self.look)
        self.own = asyncio.ensure_future(self.work())
        if self.with_extra_job:
            self.schedule(self.extra, "interval", seconds=2.5)

    @property
    def is_over(self) -> bool:
        return bool(self.clock.timestamp() - self.started_s > TRADING_S)

    def buy(self, below: str, **kwargs: Any) -> None:
        book = self.cache.bookl1(SYMBOL)
        if book is not None and not self.is_over:
            price = Decimal(str(book.bid)) - Decimal(below)
            self.create_order_ws(SYMBOL, OrderSide.BUY, OrderType.LIMIT, self.amount, price, **kwargs)

    def quote(self) -> None:
        self.buy(
            f"{self.clock.timestamp_ms() % 7}", idempotency_key=f"quote-{self.clock.timestamp_ms() // 1500}"
        )

    def tidy(self) -> None:
        for oid in self.cache.get_open_orders(SYMBOL):  # a set: its order is Python's
            self.cancel_order(SYMBOL, oid)

    def look(self, _event: Any) -> None:
        """Questions whose answers decide."""
        ticker = self.request_ticker(SYMBOL)
        klines = self.request_klines(SYMBOL, KlineInterval.MINUTE_1, limit=3)
        if len(klines) and int(ticker.last_price) % 2:
            self.buy("3", client_oid=f"look-{self.clock.timestamp_ms()}")
        for oid in sorted(self.cache.get_open_orders(SYMBOL))[:1]:
            self.fetch_order(SYMBOL, oid, force_refresh=True)
        self.fetch_open_orders(SYMBOL)

    async def rebalance(self) -> None:
        await asyncio.sleep(0.25)
        self.buy("0")
        await self.cache.wait_for_inflight_orders(SYMBOL, timeout=1.0, interval=0.05)
        results = await asyncio.gather(self.later(0.2), self.later(0.1), asyncio.sleep(0.15))
        if len(results) == 3 and not self.is_over:
            self.create_order(SYMBOL, OrderSide.SELL, OrderType.MARKET, self.amount, reduce_only=True)

    async def later(self, seconds: float) -> None:
        await asyncio.sleep(seconds)
        self.buy(str(seconds * 100))

    async def work(self) -> None:
        """A task of the program's own."""
        for number in range(20):
            try:
                await asyncio.wait_for(asyncio.sleep(0.4 + 0.1 * (number % 3)), 0.5)
            except TimeoutError:
                self.buy("5")

    def extra(self) -> None:
        self.buy("9")

    def on_bookl1(self, bookl1: BookL1) -> None:
        if self.ready and not self.is_over and bookl1.timestamp % 5 == 0:
            self.create_order(
                SYMBOL, OrderSide.BUY, OrderType.LIMIT, Decimal("0.00001"), Decimal(1)
            )  # refused

    def on_filled_order(self, order: Order) -> None:
        self.param(f"filled {order.oid}", order.filled)

    def on_canceled_order(self, order: Order) -> None:
        self.buy("2")

    def on_failed_order(self, order: Order) -> None:
        if self.clock.timestamp_ms() % 11 == 0:
            raise ValueError("a callback that raises")

    def on_stop(self) -> None:
        self.cancel_all_orders(SYMBOL)


config = Config(
    strategy_id="everything",
    user_id="test",
    strategy=Everything(),
    basic_config={ExchangeType.BINANCE: BasicConfig(settings_key="BINANCE.CHAOS")},
    public_conn_config={
        ExchangeType.BINANCE: [PublicConnectorConfig(account_type=BinanceAccountType.USD_M_FUTURE)]
    },
    private_conn_config={
        ExchangeType.BINANCE: [PrivateConnectorConfig(account_type=BinanceAccountType.USD_M_FUTURE)]
    },
)

if __name__ == "__main__":
    Engine(config).start()
