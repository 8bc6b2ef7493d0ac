"""What one wallet secures is one account: losses of one symbol are missing in another."""

from __future__ import annotations

from decimal import Decimal

from backtest_setup import BUY, M1, MARKET, PERP, Recording, config, flat_bars
from test_skipping import OTHER, described

from nexustrader.backtest import Backtest
from nexustrader.schema import Kline


class Two(Recording):
    """Buys one symbol, and the other one when the first has lost."""

    def on_start(self) -> None:
        self.subscribe_kline([PERP, OTHER], M1)

    def on_kline(self, kline: Kline) -> None:
        super().on_kline(kline)
        if len(self.klines) == 2:
            self.create_order(OTHER, BUY, MARKET, Decimal(40))
        if len(self.klines) == 8:
            self.create_order(PERP, BUY, MARKET, Decimal(55))


def test_losses_elsewhere_count_when_an_order_enters() -> None:
    strategy = Two()
    data = {PERP: flat_bars([100.0] * 6, PERP), OTHER: flat_bars([100.0] * 2 + [85.0] * 4, OTHER)}
    instruments = {symbol: described(symbol) for symbol in data}
    more = {"balances": {"USDT": 1000}, "leverage": 10, "fees": 0, "funding": False}
    Backtest(config(strategy), data, instruments=instruments, **more).run()  # type: ignore[arg-type]  # by name
    assert any(kind.startswith("failed") for kind, _ in strategy.orders), "about 60 are free, 550 are needed"
