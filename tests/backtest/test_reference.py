"""Trades of real months, one by one, against a plain loop that was written from the documented rules alone."""

from __future__ import annotations

from collections import defaultdict
from copy import deepcopy
from decimal import Decimal
from pathlib import Path

import pytest
from backtest_setup import BUY, LIMIT, M1, MARKET, PERP, SELL, SPOT, Recording, config, real
from reference_loop import LOT, MAKER, TAKER, TICK, Bar, Fill, Order, Plan, play, read_bars

from nexustrader.backtest import Backtest, BacktestResult
from nexustrader.constants import ExchangeType, InstrumentType
from nexustrader.data.readers.binance_vision import read_klines
from nexustrader.domain.instrument import Instrument
from nexustrader.exchange import BinanceAccountType
from nexustrader.schema import Kline

MONTH = "marketdata/klines/binance_spot/BTCUSDT-1m-2024-01.csv.gz"
BARS = 44_640


class Planned(Recording):
    """Does at the close of each bar what a plan says."""

    def __init__(self, plan: Plan, symbol: str) -> None:
        super().__init__()
        self.plan = plan
        self.symbol = symbol
        self.closed = 0

    def on_start(self) -> None:
        self.subscribe_kline(self.symbol, M1)

    def on_kline(self, kline: Kline) -> None:
        self.closed += 1
        for order in self.plan.get(self.closed, []):
            if order is None:
                self.cancel_all_orders(self.symbol)
                continue
            side, amount = BUY if order.side > 0 else SELL, LOT * order.lots
            if order.price is None:
                self.create_order(self.symbol, side, MARKET, amount)
            else:
                self.create_order(self.symbol, side, LIMIT, amount, TICK * order.price)


def buy_and_hold(bars: list[Bar]) -> Plan:
    """More than any touch holds, bought at the first close and sold at the last but one."""
    return {1: [Order(1, 5_000_000)], len(bars) - 1: [Order(-1, 4_900_000)]}


def crossing_averages(bars: list[Bar]) -> Plan:
    """Long while the fast average of closes is above the slow one, else short."""
    plan: dict[int, list[Order | None]] = {}
    fast = slow = float(bars[0].path[3])
    held = 0
    for number, bar in enumerate(bars, 1):
        fast += (bar.path[3] - fast) * 0.08
        slow += (bar.path[3] - slow) * 0.02
        wanted = 1 if fast > slow else -1
        if wanted != held:
            plan[number] = [Order(wanted, 50_000 if not held else 100_000)]
            held = wanted
    return plan


def resting_limits(bars: list[Bar]) -> Plan:
    """Both sides of the close, a tenth of a percent away, anew every seven bars; some larger than a bar's volume."""
    plan: dict[int, list[Order | None]] = defaultdict(list)
    for number in range(1, len(bars) - 1, 7):
        close = bars[number - 1].path[3]
        lots = 3_000_000 if number % 5 == 0 else 10_000
        plan[number] = [None, Order(1, lots, close - close // 1_000), Order(-1, lots, close + close // 1_000)]
    return plan


STRATEGIES = {"hold": buy_and_hold, "averages": crossing_averages, "limits": resting_limits}


@pytest.fixture(scope="module")
def month(testdata: Path) -> list[Bar]:
    return read_bars(testdata / MONTH)


def run(plan: Plan, testdata: Path, symbol: str) -> BacktestResult:
    is_spot = symbol == SPOT
    bars = read_klines([testdata / MONTH], symbol)
    account = real(BinanceAccountType.SPOT if is_spot else BinanceAccountType.USD_M_FUTURE)
    return Backtest(
        config(Planned(plan, symbol), account),
        bars,
        balances={"USDT": 100_000_000, "BTC": 10_000} if is_spot else {"USDT": 100_000_000},
        instruments={symbol: described(symbol)},
    ).run()


def described(symbol: str) -> Instrument:
    return Instrument(
        symbol=symbol,
        venue_symbol="BTCUSDT",
        exchange=ExchangeType.BINANCE,
        type=InstrumentType.SPOT if symbol == SPOT else InstrumentType.LINEAR,
        base="BTC",
        quote="USDT",
        settle="USDT",
        tick=TICK,
        lot=LOT,
        maker=MAKER,
        taker=TAKER,
    )


def fills_of(result: BacktestResult) -> list[Fill]:
    return [(f.timestamp, f.side.value, f.price, f.amount, f.fee, f.is_maker) for f in result.fills]


@pytest.mark.slow
@pytest.mark.parametrize("symbol", [PERP, SPOT])
@pytest.mark.parametrize("name", STRATEGIES)
def test_every_trade_is_that_of_the_reference(
    name: str, symbol: str, month: list[Bar], testdata: Path
) -> None:
    plan = STRATEGIES[name](month)
    result = run(deepcopy(plan), testdata, symbol)
    expected = play(month, plan, is_spot=symbol == SPOT)
    assert len(month) == result.bars == BARS
    assert result.user_errors == 0
    assert not result.refusals()
    assert len(expected) >= (4 if name == "hold" else 500)
    for number, (ours, theirs) in enumerate(zip(fills_of(result), expected, strict=False)):
        assert ours == theirs, f"trade {number}"
    assert len(result.fills) == len(expected)


@pytest.mark.slow
def test_the_reference_exercises_what_it_is_to_show(month: list[Bar]) -> None:
    large = play(month, buy_and_hold(month), is_spot=False)
    assert [price for _, _, price, *_ in large[:2]][1] - large[0][2] == Decimal("0.01")
    limits = play(month, resting_limits(month), is_spot=False)
    assert all(is_maker for *_, is_maker in limits)
    times = [time for time, *_ in limits]
    assert times == sorted(times)
    assert len(set(times)) < len(times) or len(limits) > len(resting_limits(month)) // 2
