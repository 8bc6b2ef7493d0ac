"""Slippage: how much worse than the touch an order that takes is executed."""

from __future__ import annotations

from decimal import Decimal
from typing import Any

import pytest
from exchange_setup import BUY, LIMIT, MARKET, PERP, SELL, SPOT, Bench, bar
from hypothesis import given
from hypothesis import strategies as st

from nexustrader.constants import TimeInForce
from nexustrader.error import OrderError
from nexustrader.sim.settings import Assumptions
from nexustrader.sim.slippage import FixedBps, Slippage, SquareRootImpact, TicksBehind, slipped
from nexustrader.sim.types import Side

D = Decimal
IOC = TimeInForce.IOC


def quoted(slippage: Slippage, **settings: Any) -> Bench:
    bench = Bench(assumed=Assumptions(slippage=slippage), **settings)
    bench.quote(100.0, 100.1, 10.0)
    return bench


def test_basis_points_are_of_the_price_and_rounded_up_to_ticks() -> None:
    bench = quoted(FixedBps(25))
    assert bench.fills(bench.order(BUY, MARKET, "1")) == [("100.4", "1.000")]
    assert bench.fills(bench.order(SELL, MARKET, "1")) == [("99.7", "1.000")]


def test_what_the_touch_does_not_hold_is_another_tick_behind() -> None:
    bench = quoted(FixedBps(10))
    assert bench.fills(bench.order(BUY, MARKET, "12")) == [("100.3", "10.000"), ("100.4", "2.000")]


def test_impact_grows_with_the_root_of_the_part_of_the_bar() -> None:
    fills = []
    for amount in ("1", "4", "16"):
        bench = Bench(assumed=Assumptions(slippage=SquareRootImpact(0.1)))
        bench.play_bar(bar(100, 101, 99, 100.1, volume=1_600.0))
        fills += bench.fills(bench.order(BUY, MARKET, amount))
    # A tenth of the ask of 100.2 x 1/40, 1/20 and 1/10, each rounded up.
    assert fills == [("100.5", "1.000"), ("100.8", "4.000"), ("101.3", "16.000")]


def test_without_bars_the_touch_stands_for_the_volume() -> None:
    bench = quoted(SquareRootImpact(0.01))
    assert bench.fills(bench.order(BUY, MARKET, "10")) == [("101.2", "10.000")]


def test_a_limit_is_never_passed_and_what_rests_pays_nothing() -> None:
    bench = quoted(FixedBps(100))
    assert bench.fills(bench.order(BUY, LIMIT, "1", "100.3", tif=IOC)) == [("100.3", "1.000")]
    oid = bench.order(BUY, LIMIT, "11", "100.1")
    assert bench.fills(oid) == [("100.1", "9.000")]
    resting = bench.order(BUY, LIMIT, "1", "99")
    bench.quote(98.0, 98.1, 10.0)
    assert bench.fills(resting) == [("99.0", "1.000")]


async def test_averages_and_later_fills_hold_what_slippage_cost() -> None:
    bench = quoted(FixedBps(100))
    oid = bench.order(BUY, LIMIT, "12", "101")
    assert bench.fills(oid) == [("101.0", "10.000"), ("101.0", "2.000")]
    answer = await bench.venue.query_order(PERP, oid, None)
    assert answer is not None
    assert answer.average == 101
    assert bench.venue.ledger.entry_price(PERP) == 101


def test_an_amended_order_that_takes_slips_too() -> None:
    bench = quoted(FixedBps(50))
    oid = bench.order(BUY, LIMIT, "1", "99")
    bench.quote(200.0, 200.1)
    bench.amend(oid, price="210")
    assert bench.fills(oid) == [("201.2", "1.000")]


def test_a_market_order_must_afford_the_price_it_will_pay() -> None:
    bench = quoted(FixedBps(100), balances={"USDT": D("100.5"), "BTC": D(0)}, taker_fee=D(0))
    bench.quote(100.0, 100.1, symbol=SPOT)
    bench.order(BUY, MARKET, "1", symbol=SPOT)
    assert "insufficient USDT" in bench.refusal()
    assert bench.venue.ledger.check_invariants() == []


MODELS = st.one_of(
    st.builds(FixedBps, st.floats(0, 500)),
    st.builds(SquareRootImpact, st.floats(0, 0.5)),
    st.builds(TicksBehind, st.integers(0, 9)),
)


@given(
    MODELS, st.sampled_from(list(Side)), st.integers(1, 10**7), st.integers(1, 10**6), st.integers(0, 10**6)
)
def test_a_price_never_gets_better_and_more_never_gets_cheaper(
    model: Slippage, side: Side, price: int, lots: int, volume: int
) -> None:
    ticks = model.slip(price, lots, volume)
    assert ticks >= 0
    assert model.slip(price, 2 * lots, volume) >= ticks
    worse = slipped(price, side, ticks, None)
    assert worse >= 1
    assert side * (worse - price) >= 0 or worse == 1
    assert slipped(price, side, ticks, price) == price


@pytest.mark.parametrize(
    "build", [lambda: FixedBps(-1), lambda: FixedBps(10_000), lambda: SquareRootImpact(1)]
)
def test_slippage_that_is_none_is_refused(build: Any) -> None:
    with pytest.raises(OrderError, match="is impossible, choose 0 to"):
        build()


def test_every_model_says_what_it_is() -> None:
    assert "5 basis points" in FixedBps(5).describe()
    assert "sqrt(amount / volume of the bar)" in SquareRootImpact(0.1).describe()
    assert "3 tick(s) behind" in TicksBehind(3).describe()
