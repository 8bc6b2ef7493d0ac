"""Bars taken apart, and the synthetic market."""

from __future__ import annotations

from decimal import Decimal
from itertools import pairwise

import pytest
from exchange_setup import bar
from hypothesis import given
from hypothesis import strategies as st
from sim_setup import BUY, INVERSE, LINEAR, SELL, SPOT, fills, order

from nexustrader.error import DataError
from nexustrader.kernel.entropy import Entropy
from nexustrader.sim.bars import bar_path, bar_trades
from nexustrader.sim.market import MarketProfile, MarketStep, SyntheticMarket, feed
from nexustrader.sim.matching import MatchingEngine
from nexustrader.sim.ticks import bar_ticks, closing_tick
from nexustrader.sim.types import Side, SimInstrument


@pytest.mark.parametrize(
    ("bar", "path"),
    [
        ((100, 110, 98, 105), (100, 98, 110, 105)),
        ((100, 102, 90, 95), (100, 102, 90, 95)),
        ((100, 105, 95, 101), (100, 95, 105, 101)),
        ((100, 105, 95, 99), (100, 105, 95, 99)),
        ((100, 100, 100, 100), (100, 100, 100, 100)),
    ],
)
def test_a_bar_visits_the_nearer_extreme_first(bar: tuple[int, ...], path: tuple[int, ...]) -> None:
    assert bar_path(*bar) == path


PRICES = st.integers(90, 94)


@given(st.tuples(PRICES, PRICES, PRICES, PRICES), st.integers(0, 9))
def test_the_closing_point_of_a_bar_is_the_last_of_its_points(prices: tuple[int, ...], lots: int) -> None:
    open_, one, other, close = (price / 10 for price in prices)
    high, low = max(open_, one, other, close), min(open_, one, other, close)
    whole = bar(open_, high, low, close, volume=lots / 1000)
    assert closing_tick(whole, 0.1, 0.001) == bar_ticks(whole, 0.1, 0.001)[-1]


@pytest.mark.parametrize("bar", [(100, 99, 90, 95), (100, 110, 101, 105), (100, 110, 90, 111)])
def test_an_impossible_bar_is_an_error(bar: tuple[int, ...]) -> None:
    with pytest.raises(DataError):
        bar_path(*bar)


@given(st.lists(st.integers(1, 1000), min_size=4, max_size=4), st.integers(0, 50))
def test_the_trades_of_a_bar_have_its_volume_and_extremes(prices: list[int], lots: int) -> None:
    low, first, last, high = sorted(prices)
    trades = bar_trades(first, high, low, last, lots)
    assert sum(trade.lots for trade in trades) == lots
    assert all(trade.lots > 0 for trade in trades)
    assert lots < 4 or {trade.price for trade in trades} == {first, high, low, last}


def test_the_legs_of_a_bar_say_who_led() -> None:
    trades = bar_trades(100, 110, 98, 105, 9, previous_close=101)
    assert [(t.price, t.lots, t.aggressor) for t in trades] == [
        (100, 2, SELL),
        (98, 2, SELL),
        (110, 2, BUY),
        (105, 3, SELL),
    ]


def test_a_bar_fills_a_resting_order_that_its_path_crosses() -> None:
    engine = MatchingEngine(LINEAR)
    engine.submit(order(BUY, 1, 99))
    events = [event for trade in bar_trades(100, 110, 98, 105, 40) for event in engine.public_trade(*trade)]
    assert fills(events) == [(99, 1)]


def run(seed: int, steps: int, instrument: SimInstrument = LINEAR) -> list[MarketStep]:
    market = SyntheticMarket(instrument, Entropy(seed), Decimal(60000), start_ms=1_700_000_000_000)
    return [market.step(100) for _ in range(steps)]


def test_equal_seeds_give_equal_markets() -> None:
    assert run(5, 50) == run(5, 50)
    assert run(5, 50) != run(6, 50)


@pytest.mark.parametrize("instrument", [SPOT, LINEAR, INVERSE], ids=lambda i: i.kind)
def test_the_market_is_whole_at_every_step(instrument: SimInstrument) -> None:
    market = SyntheticMarket(instrument, Entropy(3), Decimal(60000))
    engine = MatchingEngine(instrument)
    engine.set_book(*market.book())
    for _ in range(100):
        bids, asks = market.book()
        step = market.step(100)
        standing = {Side.BUY: dict(bids), Side.SELL: dict(asks)}
        for trade in step.trades:
            levels = standing[trade.aggressor.opposite]
            levels[trade.price] -= trade.lots
            assert levels[trade.price] >= 0
        for _events in feed(engine, step):
            pass
        assert engine.depth(50) == market.book()
        bids, asks = market.book()
        assert len(bids) == len(asks) == market.profile.levels
        assert bids[0][0] < asks[0][0]
        assert min(lots for _, lots in bids + asks) > 0
        assert abs(step.mark_ticks - bids[0][0]) < bids[0][0] * 0.02
        assert step.index_ticks > 0
    assert step.timestamp_ms == 100 * 100
    assert engine.check_invariants() == []


def test_the_market_moves_about_as_much_as_its_profile_says() -> None:
    profile = MarketProfile(volatility_log_deviation=0.0, trades_per_s=2.0)
    market = SyntheticMarket(LINEAR, Entropy(11), Decimal(60000), profile=profile)
    mids, count = [], 0
    for _ in range(2000):
        step = market.step(1000)
        count += len({(trade.aggressor, trade.price) for trade in step.trades})
        mids.append(market.book()[0][0][0])
    returns = [after / before - 1 for before, after in pairwise(mids)]
    deviation = (sum(r * r for r in returns) / len(returns)) ** 0.5
    assert 0.9e-4 < deviation < 1.1e-4
    assert 2000 < count < 6000


def test_a_market_that_falls_to_the_floor_still_has_prices_above_zero() -> None:
    wild = MarketProfile(volatility_per_sqrt_s=0.5)
    market = SyntheticMarket(LINEAR, Entropy(2), Decimal("4"), profile=wild)
    for _ in range(200):
        market.step(1000)
        assert market.book()[0][-1][0] > 0
