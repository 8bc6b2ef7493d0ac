"""Playing columns of events natively: where it stops, and what cannot be played."""

from __future__ import annotations

import subprocess
import sys
from typing import Any

import numpy as np
import pytest
from kernel_histories import INSTRUMENT

from nexustrader.error import DataError, OrderError
from nexustrader.sim.kernel.columns import (
    ASK,
    BID,
    BUYER,
    EVENT,
    MORE,
    QUOTE,
    SELLER,
    Events,
    deltas,
    merge,
    nearest,
    quotes,
    trades,
)
from nexustrader.sim.kernel.engine import KernelEngine
from nexustrader.sim.kernel.layout import AT_CHANGE, AT_END, AT_HEARD, AT_TIME, PRICE_MAX
from nexustrader.sim.types import Side, SimOrder, Traded

pytestmark = pytest.mark.timeout(600)  # the first test that plays natively may have to compile the kernel

NEVER_NS = 1 << 62


def ints(*values: int) -> Any:
    return np.array(values, np.int64)


def order(order_id: int, side: Side, price: int, lots: int = 5) -> SimOrder:
    return SimOrder(order_id=order_id, account="a", side=side, lots=lots, price=price)


@pytest.fixture
def engine() -> KernelEngine:
    """Bid 100×10, ask 102×10, and a buy of 5 behind the bid's 10."""
    engine = KernelEngine(INSTRUMENT)
    engine.set_top(100, 10, 102, 10)
    engine.submit(order(1, Side.BUY, 100))
    return engine


MARKET = merge(
    (
        quotes(ints(10, 40), ints(100, 101), ints(10, 1), ints(102, 103), ints(10, 1)),
        trades(ints(20, 30, 50), ints(100, 100, 100), ints(8, 4, 9), np.array([False, False, False])),
    )
)


def test_it_stops_at_the_event_that_fills_an_order(engine: KernelEngine) -> None:
    number, events, why = engine.play(MARKET, 0, NEVER_NS)
    (traded,) = events
    assert isinstance(traded, Traded)
    assert (number, why, traded.lots, traded.is_maker) == (3, AT_CHANGE, 2, True)
    number, events, why = engine.play(MARKET, number, NEVER_NS)
    assert (number, why, [event.order.status for event in events]) == (5, AT_CHANGE, ["FILLED"])
    assert engine.play(MARKET, number, NEVER_NS) == (5, [], AT_END)


def test_it_stops_before_what_happens_at_the_given_time(engine: KernelEngine) -> None:
    assert engine.play(MARKET, 0, 30) == (2, [], AT_TIME)
    assert engine.play(MARKET, 2, 30) == (2, [], AT_TIME)
    assert engine.play(MARKET, 2, 31).why == AT_CHANGE


def test_it_stops_after_an_event_of_a_kind_that_is_listened_to(engine: KernelEngine) -> None:
    assert engine.play(MARKET, 0, NEVER_NS, 1 << QUOTE) == (1, [], AT_HEARD)
    assert engine.play(MARKET, 1, NEVER_NS, 1 << SELLER) == (2, [], AT_HEARD)
    assert engine.play(MARKET, 2, NEVER_NS, 1 << BUYER).why == AT_CHANGE


def test_levels_of_one_time_are_one_update() -> None:
    """The bid passes through the order's price before the ask is there: as one update, only its end counts."""
    engine = KernelEngine(INSTRUMENT)
    engine.submit(order(1, Side.SELL, 102, lots=9))
    update = deltas(ints(5, 5, 6), ints(102, 102, 101), ints(3, 0, 7), np.array([True, True, True]))
    assert engine.play(update, 0, NEVER_NS, 1 << BID) == (2, [], AT_HEARD)
    apart = deltas(ints(5, 6), ints(102, 102), ints(3, 0), np.array([True, True]))
    assert engine.play(apart, 0, NEVER_NS).why == AT_CHANGE


def test_nothing_to_play_is_the_end(engine: KernelEngine) -> None:
    assert engine.play(MARKET, 5, NEVER_NS) == (5, [], AT_END)
    assert engine.play(Events(np.zeros(0, EVENT)), 0, NEVER_NS) == (0, [], AT_END)


@pytest.mark.parametrize("is_bid", [True, False])
def test_a_book_that_outgrows_its_room_goes_on(is_bid: bool) -> None:
    count = 5_000
    engine = KernelEngine(INSTRUMENT)
    engine.submit(order(1, Side.BUY, 1) if not is_bid else order(1, Side.SELL, count + 10))
    prices = np.arange(2, count + 2)
    played = engine.play(deltas(prices, prices, prices, np.full(count, is_bid)), 0, NEVER_NS)
    assert played == (count, [], AT_END)
    levels = engine.depth(count)[0 if is_bid else 1]
    assert sorted(levels) == [(price, price) for price in range(2, count + 2)]
    assert engine.check_invariants() == []


def test_events_are_merged_by_time_and_then_by_part() -> None:
    kinds = merge(
        (
            trades(ints(1, 3), ints(1, 1), ints(1, 1), np.array([True, False])),
            quotes(ints(1, 2), ints(1, 1), ints(1, 1), ints(2, 2), ints(1, 1)),
            deltas(ints(3, 3), ints(1, 2), ints(1, 1), np.array([True, False])),
        )
    ).rows["kind"]
    assert kinds.tolist() == [BUYER, QUOTE, QUOTE, SELLER, BID + MORE, ASK]


def test_floats_go_to_the_nearest_step() -> None:
    assert nearest(np.array([60000.1, 0.29999999]), 0.1).tolist() == [600001, 3]


GOOD = (1, QUOTE, 100, 5, 101, 5)


@pytest.mark.parametrize(
    ("row", "what"),
    [
        ((0, QUOTE, 100, 5, 101, 5), "earlier"),
        ((1, QUOTE, 0, 5, 101, 5), "price"),
        ((1, QUOTE, 100, 5, 0, 5), "price"),
        ((1, QUOTE, 100, -1, 101, 5), "lots"),
        ((1, QUOTE, 100, 5, 101, -1), "lots"),
        ((1, BUYER, 0, 0, 0, 0), "price"),
        ((1, BID, -1, 0, 0, 0), "price"),
        ((1, BID, PRICE_MAX + 1, 0, 0, 0), "price"),
        ((1, ASK + 1, 100, 1, 0, 0), "unknown kind"),
        ((1, QUOTE + MORE, 100, 1, 101, 1), "unknown kind"),
        ((1, BID + MORE, 100, 1, 0, 0), "does not go on"),
    ],
)
def test_an_impossible_row_is_named(row: Any, what: str) -> None:
    with pytest.raises(DataError, match=f"row 1 .*{what}"):
        Events(np.array([GOOD, row, (1, *GOOD[1:])], EVENT))


def test_an_empty_side_of_a_quote_has_no_price() -> None:
    assert Events(np.array([(1, QUOTE, 0, 0, 101, 5)], EVENT)).count == 1


def test_what_cannot_be_counted_is_refused(engine: KernelEngine) -> None:
    before = engine.state_hash()
    for impossible in (
        lambda: engine.submit(order(2, Side.BUY, PRICE_MAX + 1)),
        lambda: engine.submit(order(1 << 70, Side.BUY, 100)),
        lambda: engine.set_top(100, 1, PRICE_MAX + 1, 1),
        lambda: engine.amend(1, price=PRICE_MAX + 1),
        lambda: engine.set_level(Side.BUY, PRICE_MAX + 1, 1),
        lambda: engine.set_book([(100, 1), (0, 1)], []),
        lambda: engine.set_levels([(100, 1)], [(101, -1)]),
    ):
        with pytest.raises(OrderError):
            impossible()
    assert engine.state_hash() == before
    assert engine.check_invariants() == []


def test_costs_beyond_64_bits_are_exact() -> None:
    engine = KernelEngine(INSTRUMENT)
    engine.submit(order(1, Side.SELL, 1 << 50, lots=1 << 40))
    (traded,) = engine.public_trade(1 << 51, 1 << 40, Side.BUY)
    assert traded.order.cost_ticks == 1 << 90
    engine.set_level(Side.SELL, 1 << 50, 1 << 40)
    assert engine.cost_to_take(Side.BUY, 1 << 40) == (1 << 40, 1 << 90)


@pytest.mark.slow
def test_the_venue_does_not_need_the_compiler() -> None:
    script = "import sys, nexustrader.sim.exchange, nexustrader.sim.kernel.columns; sys.exit('numba' in sys.modules)"
    assert subprocess.run([sys.executable, "-c", script], check=False).returncode == 0


@pytest.mark.slow
def test_the_compiled_kernel_is_kept_for_the_next_process(engine: KernelEngine) -> None:
    assert engine.best_bid() == 100  # compiled by now, or found
    script = (
        "from nexustrader.sim.kernel import entries, state\n"
        "entries.external_best(state.KernelState().cells, 0)\n"
        "assert sum(entries.external_best.stats.cache_hits.values()) == 1, entries.external_best.stats\n"
    )
    done = subprocess.run([sys.executable, "-c", script], check=False, capture_output=True, text=True)
    assert done.returncode == 0, done.stderr
