"""Strategies that know the future are found out, honest ones pass, and what repeats nothing is told apart."""

from __future__ import annotations

import csv
import itertools
from collections.abc import Callable
from decimal import Decimal
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from report_setup import PERP, EmaCross, config, ema_run, hourly

from nexustrader.backtest import Backtest, Bars
from nexustrader.backtest.lookahead import Lookahead, _watching, check_lookahead
from nexustrader.constants import KlineInterval, OrderSide, OrderType
from nexustrader.data.bars import build_bars
from nexustrader.data.ticks import build_trades
from nexustrader.error import DataError
from nexustrader.schema import Kline, Order, Trade
from nexustrader.strategy import Strategy

M1 = KlineInterval.MINUTE_1
T0 = 1_704_067_200_000
MINUTE_MS = 60_000
BUY, SELL, MARKET, LIMIT = OrderSide.BUY, OrderSide.SELL, OrderType.MARKET, OrderType.LIMIT


def walk(count: int = 200, symbol: str = PERP) -> Bars:
    draw = np.random.default_rng(3)
    close = np.round(100 + np.cumsum(draw.normal(0, 0.5, count)), 1)
    opens = np.append(100.0, close[:-1])
    columns = {"start": T0 + MINUTE_MS * np.arange(count), "open": opens, "close": close}
    columns |= {"high": np.maximum(opens, close) + 0.5, "low": np.minimum(opens, close) - 0.5}
    return build_bars(columns | {"volume": np.full(count, 100.0)}, symbol, "the test", interval=M1)


class Minutely(Strategy):
    """Decides at every close."""

    def __init__(self, decide: Callable[[Any, Kline, int], None]) -> None:
        super().__init__()
        self.decide, self.count = decide, 0

    def on_start(self) -> None:
        self.subscribe_kline(PERP, M1)

    def on_kline(self, kline: Kline) -> None:
        self.count += 1
        self.decide(self, kline, self.count)

    def buy(self, amount: str = "0.1") -> str:
        return self.create_order(PERP, BUY, MARKET, Decimal(amount))


def check(
    strategy_of: Callable[[Bars], Strategy], bars: Bars | None = None, cuts: int = 8, **settings: Any
) -> Lookahead:
    """The check of a strategy that is handed the data that it runs over."""
    whole = walk() if bars is None else bars

    def build(**changes: Any) -> Backtest:
        data = changes.get("data", {PERP: whole})
        return Backtest(config(strategy_of(data[PERP])), **{"data": data} | settings | changes)

    return check_lookahead(build, cuts=cuts)


# -- strategies that know too much -----------------------------------------------------------------------------


def peeking(distance: int) -> Callable[[Bars], Strategy]:
    """Buys before a rise, which it looks up so many bars ahead."""

    def strategy(bars: Bars) -> Strategy:
        def decide(self: Any, kline: Kline, count: int) -> None:
            later = count - 1 + distance
            if later < len(bars) and bars.close[later] > kline.close + 0.4:
                self.buy()

        return Minutely(decide)

    return strategy


@pytest.mark.slow
@pytest.mark.parametrize("distance", [1, 5, 50])
def test_a_look_at_a_later_bar_is_caught_and_its_order_named(distance: int) -> None:
    found = check(peeking(distance))
    assert not found.is_clean
    assert found.is_repeatable
    first = found.differences[0]
    assert first.cut is None
    assert first.full is not None
    assert (
        f"BUY 0.100 {PERP} MARKET with all data, nothing with data that end at 2024-01-01" in first.render()
    )
    assert first.timestamp <= first.cut_ms
    assert "Lookahead: " in found.render()


def test_a_single_look_at_the_next_bar_is_caught_because_the_data_are_cut_there() -> None:
    def strategy(bars: Bars) -> Strategy:
        return Minutely(lambda self, kline, count: self.buy() if count == 61 < len(bars) else None)

    assert not check(strategy).is_clean


@pytest.mark.slow
def test_a_trade_left_out_for_a_later_bar_is_caught_where_a_cut_falls() -> None:
    def strategy(bars: Bars) -> Strategy:
        def decide(self: Any, kline: Kline, count: int) -> None:
            falls_next = count < len(bars) and bars.close[count] < kline.close
            if kline.close > kline.open and not falls_next:
                self.buy()

        return Minutely(decide)

    found = check(strategy, walk(80), cuts=30)
    assert any(difference.full is None for difference in found.differences)


@pytest.mark.slow
def test_a_figure_of_all_data_is_caught() -> None:
    """The commonest mistake: an average that is taken over the whole series before it is compared with."""

    def strategy(bars: Bars) -> Strategy:
        average = float(bars.close.mean())
        return Minutely(lambda self, kline, count: self.buy() if kline.close < average else None)

    assert not check(strategy).is_clean


def test_the_length_of_the_data_is_caught() -> None:
    """Closing its positions just before the end is something that nobody can do."""

    def strategy(bars: Bars) -> Strategy:
        return Minutely(lambda self, kline, count: self.buy() if count > len(bars) - 5 else None)

    found = check(strategy)
    assert found.differences
    assert any(
        difference.full is None for difference in found.differences
    )  # orders that only shorter runs give


def test_a_file_of_the_future_is_caught(tmp_path: Path) -> None:
    names = itertools.count()

    def strategy(bars: Bars) -> Strategy:
        file = tmp_path / f"{next(names)}.csv"
        file.write_text("\n".join(str(close) for close in bars.close))

        def decide(self: Any, kline: Kline, count: int) -> None:
            with file.open() as lines:
                rows = [float(row[0]) for row in csv.reader(lines)]
            if count < len(rows) and rows[count] > kline.close:
                self.buy()

        return Minutely(decide)

    assert not check(strategy, walk(60)).is_clean


def test_cancels_and_prices_are_decisions_too() -> None:
    def strategy(bars: Bars) -> Strategy:
        last = float(bars.close[-1])

        def decide(self: Any, kline: Kline, count: int) -> None:
            if count == 20:
                self.oid = self.create_order(PERP, BUY, LIMIT, Decimal("0.1"), Decimal(50))
            if count == 40 and last < 1_000:
                self.modify_order(PERP, self.oid, price=Decimal(str(round(last / 2, 1))))

        return Minutely(decide)

    found = check(strategy)
    assert found.differences
    assert "amend" in found.render()


# -- strategies that do not ------------------------------------------------------------------------------------


def test_an_honest_strategy_passes_on_real_data(testdata: Path) -> None:
    bars = hourly(testdata).last(1_000, 2**60)
    found = check_lookahead(lambda **changes: ema_run(bars, **changes))
    assert found.is_clean
    assert 6 <= len(found.cuts_ms) <= 8
    assert found.compared > 50
    assert found.result.trace_hash == ema_run(bars).run().trace_hash
    assert (
        f"No lookahead found: {len(found.cuts_ms)} runs over data that end earlier made the same"
        in found.render()
    )


@pytest.mark.slow
def test_resting_orders_timers_and_quotes_of_an_honest_strategy_pass() -> None:
    class Busy(Minutely):
        def on_start(self) -> None:
            super().on_start()
            self.subscribe_bookl1(PERP)
            self.schedule(lambda: self.buy(), "interval", seconds=420)

        def on_bookl1(self, book: Any) -> None:
            if book.bid < 99:
                self.create_order(PERP, SELL, LIMIT, Decimal("0.1"), Decimal(str(book.ask)) + 1)

        def on_filled_order(self, order: Order) -> None:
            if order.type is LIMIT:
                self.buy("0.2")

        def on_stop(self) -> None:
            self.buy("0.3")

    found = check(lambda bars: Busy(lambda self, kline, count: None), latency_ms=5)
    assert found.result.fills
    assert found.is_clean, found.render()


def test_steps_that_were_read_off_all_data_are_those_of_the_shorter_ones() -> None:
    """The last bar has more decimals: with the steps of the shorter data amounts would be rounded otherwise."""
    whole = walk(100)
    whole.close[-1] += 0.001
    whole.high[-1] += 1
    whole.volume[-1] += 0.0001

    def decide(self: Any, kline: Kline, count: int) -> None:
        if count % 10 == 0:
            self.create_order(
                PERP, BUY, LIMIT, Decimal("0.1"), self.price_to_precision(PERP, kline.close - 0.333)
            )

    assert check(lambda bars: Minutely(decide), whole).is_clean


def test_a_symbol_that_begins_late_is_not_cut_away() -> None:
    other = "ETHUSDT-PERP.BINANCE"
    late = walk(200, other).between(T0 + 150 * MINUTE_MS, None)
    data = {PERP: walk(), other: late}

    class Both(Minutely):
        def on_start(self) -> None:
            super().on_start()
            self.subscribe_kline(other, M1)

    def decide(self: Any, kline: Kline, count: int) -> None:
        if count % 7 == 0:
            self.buy()

    found = check_lookahead(lambda **changes: Backtest(config(Both(decide)), **{"data": data} | changes))
    assert found.is_clean
    assert min(found.cuts_ms) > T0 + 150 * MINUTE_MS


def test_a_strategy_without_decisions_is_cut_all_the_same() -> None:
    found = check(lambda bars: Minutely(lambda self, kline, count: None))
    assert found.is_clean
    assert len(found.cuts_ms) == 8
    assert found.compared == 0


class OnTrades(Strategy):
    """Buys when the price has fallen from one trade to the next, and, knowing better, not before it falls again."""

    def __init__(self, prices: Any) -> None:
        super().__init__()
        self.prices, self.count, self.last = prices, 0, 0.0

    def on_start(self) -> None:
        self.subscribe_trade(PERP)

    def on_trade(self, trade: Trade) -> None:
        self.count += 1
        later = self.prices[self.count] if self.count < len(self.prices) else trade.price
        if trade.price < self.last and later >= trade.price:
            self.create_order(PERP, BUY, MARKET, Decimal("0.1"))
        self.last = trade.price


@pytest.mark.slow
@pytest.mark.parametrize("knows_better", [False, True])
def test_trades_are_cut_with_the_bars_that_are_made_of_them(knows_better: bool) -> None:
    """Every sixth trade is at the very close of a minute, and belongs to what was known then."""
    price = np.round(100 + np.cumsum(np.random.default_rng(5).normal(0, 0.3, 600)), 1)
    time_ns = T0 * 1_000_000 + 10_000_000_000 * (1 + np.arange(600))
    columns = {"time_ns": time_ns, "price": price, "size": np.ones(600), "is_buy": np.arange(600) % 2 == 0}
    trades = build_trades(columns, PERP, "the test")

    def build(**changes: Any) -> Backtest:
        data = changes.get("data", trades)
        known = data if data is trades else data[PERP][-1]
        strategy = OnTrades(known.price if knows_better else [])
        return Backtest(config(strategy), **{"data": trades} | changes)

    found = check_lookahead(build, cuts=40)
    assert found.compared > 100
    assert found.is_clean is not knows_better, found.render()


# -- what the check says of itself -----------------------------------------------------------------------------


def test_a_strategy_that_does_not_repeat_itself_is_told_apart() -> None:
    runs = itertools.count(1)

    def strategy(bars: Bars) -> Strategy:
        every = next(runs)
        return Minutely(lambda self, kline, count: self.buy() if count % 10 == every % 10 else None)

    found = check(strategy)
    assert not found.is_clean
    assert not found.is_repeatable
    assert found.render().startswith("Not repeatable")


def test_a_file_of_the_data_that_the_program_opens_is_told(tmp_path: Path) -> None:
    file = tmp_path / "data.csv"
    file.write_text("1,2,3")
    bars = walk(50)

    def build(**changes: Any) -> Backtest:
        (tmp_path / "sub/..").resolve().joinpath("data.csv").read_text()
        return Backtest(config(EmaCross()), **{"data": bars} | changes)

    found = check_lookahead(build, watched=[file, tmp_path / "other.csv"])
    assert found.opened == (file,)
    assert not found.is_clean
    assert f"opens {file} itself" in found.render()


def test_files_are_watched_no_longer_than_the_check_lasts(tmp_path: Path) -> None:
    file = tmp_path / "data.csv"
    file.write_text("1,2,3")
    opened: dict[Path, None] = {}
    with _watching([file], opened):
        pass
    file.read_text()
    assert opened == {}


def test_data_that_cannot_be_cut_are_refused() -> None:
    with pytest.raises(DataError, match="too short to be cut"):
        check(lambda bars: Minutely(lambda self, kline, count: None), walk(1))


def test_progress_counts_on_from_run_to_run() -> None:
    told: list[int] = []
    bars = walk(100)
    check_lookahead(
        lambda **changes: Backtest(config(EmaCross()), **{"data": bars} | changes), progress=told.append
    )
    assert told == sorted(told)
    assert told[-1] > 400
