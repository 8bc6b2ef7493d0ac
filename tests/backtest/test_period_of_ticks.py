"""Ticks are played while there are bars by which they are valued, and never with bars that close after them."""

from __future__ import annotations

from decimal import Decimal
from typing import Any

import numpy as np
import pytest
from backtest_setup import M1, MARKET, PERP, SELL, T0, Recording, config, flat_bars

from nexustrader.backtest import Backtest
from nexustrader.data.ticks import Trades, build_trades
from nexustrader.schema import Trade

OTHER = "ETHUSDT-PERP.BINANCE"
END_WITHIN_A_BAR_MS = T0 + 90_000


def trades(prices: Any, symbol: str = PERP, first_s: int = 0) -> Trades:
    """One a second."""
    count = len(prices)
    table = {
        "time_ns": (T0 + 1_000 * (first_s + np.arange(count))) * 1_000_000,
        "price": prices,
        "size": np.full(count, 50.0),
        "is_buy": np.ones(count, bool),
    }
    return build_trades(table, symbol, "the test")


class Peeking(Recording):
    """Remembers every closed bar that it could ask for before its time."""

    def __init__(self) -> None:
        super().__init__()
        self.ahead: list[tuple[int, int]] = []
        self.count = 0

    def on_start(self) -> None:
        self.subscribe_trade(PERP)

    def on_trade(self, trade: Trade) -> None:
        self.count += 1
        for kline in self.request_klines(PERP, M1, limit=1):
            if kline.timestamp > trade.timestamp:
                self.ahead.append((trade.timestamp - T0, kline.timestamp - T0))


def test_a_start_within_a_bar_shows_nothing_of_its_close() -> None:
    strategy = Peeking()
    Backtest(config(strategy), trades(100.0 + np.arange(600)), T0 + 61_500).run()
    assert strategy.ahead == []
    assert strategy.count > 400


class SellingLate(Recording):
    """Sells once, at the first trade of a symbol after a time."""

    def __init__(self, symbol: str, after_ms: int) -> None:
        super().__init__()
        self.symbol, self.after_ms = symbol, after_ms

    def on_start(self) -> None:
        self.subscribe_trade(list({PERP, self.symbol}))

    def on_trade(self, trade: Trade) -> None:
        if trade.symbol == self.symbol and trade.timestamp >= self.after_ms and self.after_ms:
            self.after_ms = 0
            self.create_order(self.symbol, SELL, MARKET, Decimal(1))


@pytest.mark.parametrize("has_bars", [False, True])
def test_no_fill_is_valued_at_a_price_from_before_it(has_bars: bool) -> None:
    jumping = trades(np.where(np.arange(600) < 70, 100.0, 200.0))
    data, end = ([flat_bars([100.0]), jumping], None) if has_bars else (jumping, END_WITHIN_A_BAR_MS)
    result = Backtest(config(SellingLate(PERP, T0 + 75_000)), data, end=end, fees=0, funding=False).run()
    assert result.final_equity <= result.initial_equity


def test_a_symbol_without_a_closed_bar_in_the_period_is_not_played() -> None:
    data = [trades(np.full(600, 100.0)), trades(np.full(40, 100.0), OTHER, first_s=130)]
    strategy = SellingLate(OTHER, T0)
    result = Backtest(config(strategy), data, end=T0 + 150_000, fees=0, funding=False).run()
    assert (result.fills, result.final_equity) == ([], result.initial_equity)
