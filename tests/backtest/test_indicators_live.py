"""The same indicator on the live stack, over an emulated venue, and in a backtest of what that venue had."""

from __future__ import annotations

from decimal import Decimal
from pathlib import Path
from typing import Any

import pytest
from backtest_setup import run as run_backtest

from emulated_world import EmulatedWorld, config_of
from indicators import Ema, Sma
from nexustrader._session.player import replay
from nexustrader.config import MockConnectorConfig
from nexustrader.constants import DataType, KlineInterval, OrderSide, OrderType
from nexustrader.exchange import BinanceAccountType
from nexustrader.schema import Kline
from nexustrader.strategy import Strategy

PERP, COIN = "BTCUSDT-PERP.BINANCE", "BTCUSDT.BINANCE"
BARS = 6
SECOND, MINUTE = KlineInterval.SECOND_1, KlineInterval.MINUTE_1

pytestmark = [pytest.mark.slow]


class Watching(Strategy):
    """Writes down at each closed bar what the indicators say."""

    def __init__(
        self, symbol: str, interval: KlineInterval, *, waits: bool = False, bars: int = BARS
    ) -> None:
        super().__init__()
        self.symbol, self.interval, self.waits = symbol, interval, waits
        self.bars = bars
        self.ema, self.sma = Ema(20, interval), Sma(5, interval)
        self.seen: dict[int, tuple[Any, Any]] = {}
        self.history: list[Kline] = []
        self.waited: bool | None = None

    def on_start(self) -> None:
        for indicator in (self.ema, self.sma):
            self.register_indicator(self.symbol, indicator, DataType.KLINE)
        if self.waits:
            self.waited = self.wait_for_warmup(10)

    def on_kline(self, kline: Kline) -> None:
        if kline.confirm:
            self.seen[kline.start] = (self.ema.value, self.sma.value)
            if len(self.seen) == self.bars:
                self.history = self.request_klines(self.symbol, self.interval, limit=40 + self.bars)
                self.stop()


def starts_in_a_row(first: int, count: int, interval: KlineInterval) -> list[int]:
    return [first + number * interval.milliseconds for number in range(count)]


@pytest.mark.parametrize(
    ("symbol", "interval", "account_type", "waits"),
    [
        (COIN, SECOND, BinanceAccountType.SPOT, False),
        (COIN, SECOND, BinanceAccountType.SPOT, True),
        (PERP, MINUTE, BinanceAccountType.USD_M_FUTURE, False),
    ],
)
def test_what_it_says_live_is_what_it_says_in_a_backtest(
    symbol: str, interval: KlineInterval, account_type: BinanceAccountType, waits: bool
) -> None:
    live = Watching(symbol, interval, waits=waits)
    EmulatedWorld().run(config_of(live, account_type))
    starts = live.ema.starts
    assert live.ema.is_warmed_up
    assert live.sma.is_warmed_up
    assert live.waited is (True if waits else None)
    assert starts == starts_in_a_row(starts[0], len(starts), interval)
    assert len(starts) >= 20 + BARS - 1

    replayed = Watching(symbol, interval, bars=-1)
    run_backtest(replayed, [kline for kline in live.history if kline.confirm], start=starts[20])
    assert len(replayed.ema.starts) >= len(starts) - 1  # at its very end a bar need not be known to be closed
    assert replayed.ema.starts == starts[: len(replayed.ema.starts)]
    common = live.seen.keys() & replayed.seen.keys()
    assert len(common) >= BARS - 1
    assert {start: replayed.seen[start] for start in common} == {start: live.seen[start] for start in common}


def test_bars_that_a_lost_connection_did_not_tell_are_made_up_for() -> None:
    world = EmulatedWorld()
    network = world.network

    class Cut(Watching):
        def on_kline(self, kline: Kline) -> None:
            super().on_kline(kline)
            if len(self.seen) == 3 and kline.confirm:
                network.weather.refuses = True
                network.cut_all()
                self.schedule(self.heal, "interval", seconds=3.5)

        def heal(self) -> None:
            network.weather.refuses = False

    live = Cut(COIN, SECOND)
    world.run(config_of(live, BinanceAccountType.SPOT))
    starts, told = live.ema.starts, sorted(live.seen)
    assert (told[-1] - told[0]) // 1000 >= BARS + 2  # some were not told
    assert starts == starts_in_a_row(starts[0], len(starts), SECOND)
    assert starts[-1] == told[-1]


class Trading(Watching):
    """Its orders depend on what the indicator says."""

    def on_kline(self, kline: Kline) -> None:
        super().on_kline(kline)
        if self.ema.is_warmed_up:
            price = Decimal(str(round(self.ema.value * 0.9, 2)))
            self.create_order(COIN, OrderSide.BUY, OrderType.LIMIT, Decimal("0.01"), price)


@pytest.mark.parametrize("waits", [False, True])
def test_a_recorded_session_has_the_history_in_it(tmp_path: Path, waits: bool) -> None:
    mock = MockConnectorConfig({"USDT": 100_000}, BinanceAccountType.SPOT_MOCK)
    live, path = Trading(COIN, SECOND, waits=waits), tmp_path / "session.nxs"
    EmulatedWorld().run(config_of(live, BinanceAccountType.SPOT, mock=mock), record=path)
    again = Trading(COIN, SECOND, waits=waits)
    report = replay(path, config_of(again, BinanceAccountType.SPOT, mock=mock))
    assert report.difference is None
    assert report.is_complete
    assert report.decisions >= BARS
    assert again.ema.starts == live.ema.starts
    assert again.seen == live.seen
