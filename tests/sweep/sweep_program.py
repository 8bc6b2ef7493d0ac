"""A strategy whose result depends on its parameters, and which fails in the ways in which user code does."""

from __future__ import annotations

import os
from decimal import Decimal
from pathlib import Path

from nexustrader.constants import KlineInterval, OrderSide, OrderType
from nexustrader.schema import Kline
from nexustrader.strategy import Strategy

SYMBOL = "BTCUSDT-PERP.BINANCE"


class Held(Strategy):
    """Buys at one bar and sells at another."""

    def __init__(self, enter: int = 1, leave: int = 5, mode: str = "fine", seen: str = "") -> None:
        super().__init__()
        if mode == "raise" and enter == 2:
            raise ValueError("two is no number to enter at")
        if mode == "exit" and enter == 2:
            raise SystemExit(3)
        if mode == "die" and enter == 2:
            os._exit(9)
        if seen:
            with Path(seen).open("a") as file:
                file.write(f"{enter} {leave}\n")
        self._enter, self._leave, self._bars = enter, leave, 0

    def on_start(self) -> None:
        self.subscribe_kline(SYMBOL, KlineInterval.MINUTE_1)

    def on_kline(self, kline: Kline) -> None:
        self._bars += 1
        if self._bars in (self._enter, self._leave):
            side = OrderSide.BUY if self._bars == self._enter else OrderSide.SELL
            self.create_order(SYMBOL, side, OrderType.MARKET, Decimal(1))
