"""Backtests on quotes and trades: what moves the venue, what the strategy hears, and in which order."""

from __future__ import annotations

from collections.abc import Sequence
from decimal import Decimal
from itertools import pairwise
from typing import Any

import numpy as np
import pytest
from backtest_setup import (
    BUY,
    LIMIT,
    M1,
    MARKET,
    MINUTE_MS,
    PERP,
    SELL,
    SPOT,
    T0,
    Recording,
    config,
    flat_bars,
)
from hypothesis import given
from hypothesis import strategies as st

from nexustrader.backtest import Backtest
from nexustrader.constants import KlineInterval
from nexustrader.data.ticks import Quotes, Trades, build_quotes, build_trades
from nexustrader.error import DataError
from nexustrader.schema import BookL1, Kline, Trade

NS_PER_MS = 1_000_000
T0_NS = T0 * NS_PER_MS


def quotes(rows: Sequence[tuple[int, float, float]], symbol: str = PERP, size: float = 5.0) -> Quotes:
    """Quotes from (ms after the beginning, bid, ask)."""
    times, bids, asks = (np.array(column) for column in zip(*rows, strict=True))
    table = {"time_ns": T0_NS + times * NS_PER_MS, "bid": bids, "ask": asks}
    sizes = np.full(len(rows), size)
    return build_quotes({**table, "bid_size": sizes, "ask_size": sizes}, symbol, "the test")


def trades(rows: Sequence[tuple[int, float, float, bool]], symbol: str = PERP) -> Trades:
    """Trades from (ms after the beginning, price, size, whether the taker bought)."""
    times, prices, sizes, buys = (np.array(column) for column in zip(*rows, strict=True))
    table = {"time_ns": T0_NS + times * NS_PER_MS, "price": prices, "size": sizes, "is_buy": buys}
    return build_trades(table, symbol, "the test")


class Ticking(Recording):
    """Hears of quotes and trades, and acts at the quotes that `acts` numbers."""

    def __init__(self, acts: dict[int, Any] | None = None) -> None:
        super().__init__()
        self.acts = acts or {}
        self.books: list[BookL1] = []
        self.public: list[Trade] = []

    def on_start(self) -> None:
        super().on_start()
        self.subscribe_bookl1(PERP)
        self.subscribe_trade(PERP)

    def on_bookl1(self, bookl1: BookL1) -> None:
        self.note(f"book {bookl1.bid}")
        self.books.append(bookl1)
        act = self.acts.get(len(self.books))
        if act is not None:
            act(self)

    def on_trade(self, trade: Trade) -> None:
        self.note(f"trade {trade.price}")
        self.public.append(trade)

    def on_kline(self, kline: Kline) -> None:
        self.note("kline")
        super().on_kline(kline)


def at_market(strategy: Ticking) -> None:
    strategy.create_order(PERP, BUY, MARKET, Decimal(1))


def resting(side: Any, price: str) -> Any:
    return lambda strategy: strategy.create_order(PERP, side, LIMIT, Decimal(1), Decimal(price))


def test_every_quote_is_told_at_its_time_as_it_was() -> None:
    strategy = Ticking()
    result = Backtest(config(strategy), quotes([(0, 99.0, 99.5), (1_500, 100.0, 100.5)])).run()
    assert [(b.bid, b.ask, b.bid_size, b.timestamp - T0) for b in strategy.books] == [
        (99.0, 99.5, 5.0, 0),
        (100.0, 100.5, 5.0, 1_500),
    ]
    assert strategy.heard[:3] == [("start", 0), ("book 99.0", 0), ("book 100.0", 1_500)]
    assert result.user_errors == 0


def test_a_market_order_takes_the_quote_that_stands() -> None:
    strategy = Ticking({2: at_market})
    result = Backtest(
        config(strategy), quotes([(0, 99.0, 99.5), (500, 100.0, 100.5), (900, 90.0, 90.5)])
    ).run()
    (fill,) = result.fills
    assert (fill.price, fill.timestamp, fill.is_maker) == (Decimal("100.5"), T0 + 500, False)


def test_with_latency_it_takes_the_quote_that_stands_when_it_arrives() -> None:
    strategy = Ticking({1: at_market})
    rows = [(0, 99.0, 99.5), (500, 100.0, 100.5), (900, 90.0, 90.5)]
    (fill,) = Backtest(config(strategy), quotes(rows), latency_ms=600).run().fills
    assert (fill.price, fill.timestamp) == (Decimal("100.5"), T0 + 600)


def test_a_resting_order_fills_when_the_other_side_comes_to_it() -> None:
    strategy = Ticking({1: resting(BUY, "98.0")})
    rows = [(0, 99.0, 99.5), (100, 98.0, 98.5), (200, 97.0, 98.0), (300, 96.0, 97.0)]
    (fill,) = Backtest(config(strategy), quotes(rows)).run().fills
    assert (fill.price, fill.timestamp, fill.is_maker) == (Decimal(98), T0 + 200, True)


def test_trades_fill_what_rests_and_are_told_before_the_quote_of_the_same_moment() -> None:
    strategy = Ticking({1: resting(SELL, "100.0")})
    data = [quotes([(0, 99.0, 99.5), (200, 98.0, 99.0)]), trades([(200, 100.5, 2.0, True)])]
    result = Backtest(config(strategy), {PERP: data}).run()
    (fill,) = result.fills
    assert (fill.price, fill.timestamp) == (Decimal(100), T0 + 200)
    assert [what for what, _ in strategy.heard[:4]] == ["start", "book 99.0", "trade 100.5", "book 98.0"]


def test_without_quotes_the_last_trade_stands_on_the_touch() -> None:
    strategy = Ticking({2: at_market})
    rows = [(0, 100.0, 2.0, True), (400, 101.0, 2.0, True), (800, 100.5, 2.0, False)]
    (fill,) = Backtest(config(strategy), trades(rows)).run().fills
    assert [(b.bid, b.ask) for b in strategy.books] == [(99.9, 100.0), (100.9, 101.0), (100.5, 100.6)]
    assert (fill.price, fill.timestamp) == (Decimal(101), T0 + 400)


def test_klines_are_made_of_trades_and_where_there_are_none_of_the_middle() -> None:
    of_quotes = Ticking()
    Backtest(
        config(of_quotes), quotes([(0, 99.0, 100.0), (30_000, 101.0, 102.0), (60_000, 90.0, 91.0)])
    ).run()
    first, second = of_quotes.klines
    assert (first.open, first.high, first.close, first.volume) == (99.5, 101.5, 101.5, 0.0)
    assert (second.start - T0, second.close) == (MINUTE_MS, 90.5)
    of_trades = Ticking()
    both = [quotes([(0, 99.0, 100.0)]), trades([(10, 100.0, 2.0, True), (20, 99.0, 3.0, False)])]
    Backtest(config(of_trades), {PERP: both}).run()
    (kline,) = of_trades.klines
    assert (kline.open, kline.low, kline.close, kline.volume) == (100.0, 99.0, 99.0, 5.0)


def test_a_kline_is_told_at_its_close_between_the_quotes_around_it() -> None:
    strategy = Ticking()
    Backtest(
        config(strategy), quotes([(59_999, 99.0, 100.0), (60_000, 98.0, 99.0), (60_001, 97.0, 98.0)])
    ).run()
    assert [what for what, _ in strategy.heard] == [
        "start",
        "book 99.0",
        "book 98.0",
        "kline",
        "book 97.0",
        "kline",
    ]


def test_bars_that_are_given_beside_ticks_are_told_and_fill_nothing() -> None:
    strategy = Ticking({1: resting(BUY, "50.0")})
    bars = flat_bars([40.0, 41.0])  # at these prices it would have filled
    result = Backtest(config(strategy), {PERP: [bars, quotes([(0, 99.0, 100.0)])]}).run()
    assert [kline.close for kline in strategy.klines] == [40.0, 41.0]
    assert result.fills == []


def test_a_symbol_with_bars_and_one_with_quotes_share_one_order_of_time() -> None:
    strategy = Ticking()
    strategy.on_start = lambda: (Ticking.on_start(strategy), strategy.subscribe_kline(SPOT, M1))  # type: ignore[method-assign, func-returns-value]
    data = {
        PERP: quotes([(0, 99.0, 100.0), (90_000, 98.0, 99.0)]),
        SPOT: flat_bars([50.0, 51.0], symbol=SPOT),
    }
    Backtest(config(strategy), data).run()
    times = [at for _, at in strategy.heard]
    assert times == sorted(times)
    assert [(k.symbol, k.timestamp - T0) for k in strategy.klines] == [
        (SPOT, MINUTE_MS),
        (PERP, MINUTE_MS),
        (SPOT, 2 * MINUTE_MS),
        (PERP, 2 * MINUTE_MS),
    ]


def test_timers_run_between_ticks_at_their_own_time() -> None:
    strategy = Ticking()
    on_start = strategy.on_start

    def start() -> None:
        on_start()
        strategy.schedule(lambda: strategy.note("timer"), "interval", seconds=1)

    strategy.on_start = start  # type: ignore[method-assign]
    Backtest(config(strategy), quotes([(0, 99.0, 100.0), (2_500, 98.0, 99.0)])).run()
    assert strategy.heard[1:5] == [
        ("book 99.0", 0),
        ("timer", 1_000),
        ("timer", 2_000),
        ("book 98.0", 2_500),
    ]


def test_the_grid_is_read_off_the_quotes_and_not_off_their_middle() -> None:
    result = Backtest(config(Ticking({1: at_market})), quotes([(0, 99.9, 100.0)])).run()
    (fill,) = result.fills
    assert fill.price == Decimal("100.0")
    assert "0.1" in " ".join(result.assumptions)


def test_a_run_is_stopped_between_two_quotes() -> None:
    strategy = Ticking({2: lambda s: s.stop()})
    Backtest(config(strategy), quotes([(n, 99.0 + n, 100.0 + n) for n in range(50)])).run()
    assert len(strategy.books) == 2


def test_the_period_cuts_ticks_too() -> None:
    strategy = Ticking()
    rows = [(n * MINUTE_MS, 99.0, 100.0) for n in range(4)]
    backtest = Backtest(config(strategy), quotes(rows), start=T0 + MINUTE_MS, end=T0 + 3 * MINUTE_MS)
    assert backtest.events == 2 + backtest.bars
    backtest.run()
    assert [book.timestamp - T0 for book in strategy.books] == [MINUTE_MS, 2 * MINUTE_MS]


def test_equal_ticks_give_equal_hashes_and_another_price_another() -> None:
    def hash_of(last: float) -> str:
        rows = [(0, 99.0, 99.5), (500, last, last + 0.5)]
        return Backtest(config(Ticking({2: at_market})), quotes(rows)).run().trace_hash

    assert hash_of(100.0) == hash_of(100.0) != hash_of(100.5)


@pytest.mark.parametrize(
    ("change", "words"),
    [
        ({"bid": 100.0}, "row 2: bid must be below ask"),
        ({"ask": float("nan")}, "row 2: bid and ask must be finite"),
        ({"bid": 0.0, "ask": 0.0}, "row 2: one side at least must have a price"),
        ({"bid_size": -1.0}, "row 2: sizes must be finite and not negative"),
    ],
)
def test_quotes_that_cannot_be_are_refused_with_their_row(change: dict[str, float], words: str) -> None:
    row = {"bid": 99.0, "ask": 100.0, "bid_size": 1.0, "ask_size": 1.0}
    table = {name: np.array([value, {**row, **change}[name]]) for name, value in row.items()}
    with pytest.raises(DataError, match=words):
        build_quotes({"time_ns": np.array([T0_NS, T0_NS + 1]), **table}, PERP, "a.csv")


def test_what_is_missing_empty_double_or_of_another_symbol_is_said() -> None:
    with pytest.raises(DataError, match="lacks the columns ask_size"):
        build_quotes({"time_ns": np.zeros(1), "bid": [1], "ask": [2], "bid_size": [1]}, PERP, "a.csv")  # type: ignore[dict-item]
    with pytest.raises(DataError, match="row 1: the price must be finite and above 0"):
        trades([(0, 0.0, 1.0, True)])
    one = quotes([(0, 99.0, 100.0)])
    with pytest.raises(DataError, match="given twice"):
        Backtest(config(Ticking()), {PERP: [one, one]})
    with pytest.raises(DataError, match=f"given for {SPOT} are of {PERP}"):
        Backtest(config(Ticking()), {SPOT: one})
    with pytest.raises(DataError, match="no bar"):
        Backtest(config(Ticking()), one, start=T0 + 10 * MINUTE_MS)


@given(st.lists(st.tuples(st.integers(0, 200_000), st.integers(1, 50)), min_size=1, max_size=40))
def test_rows_out_of_order_are_sorted_stably_and_counted(rows: list[tuple[int, int]]) -> None:
    made = trades([(at, float(price), 1.0, True) for at, price in rows])
    expected = sorted(rows, key=lambda row: row[0])
    assert list(zip((made.time_ns - T0_NS) // NS_PER_MS, made.price, strict=True)) == expected
    assert made.notes.out_of_order == sum(a[0] > b[0] for a, b in pairwise(rows))
    bars = made.bars(KlineInterval.MINUTE_1)
    assert bars.volume.sum() == len(rows)
    assert bars.low.min() == min(made.price)
    assert bars.high.max() == max(made.price)


def test_where_nobody_sells_an_order_finds_nothing_of_what_was_there_before() -> None:
    strategy = Ticking({1: resting(BUY, "90.0"), 2: resting(BUY, "100.0")})
    result = Backtest(config(strategy), quotes([(0, 99.0, 99.5), (100, 99.0, 0.0), (200, 99.0, 0.0)])).run()
    assert result.fills == []
