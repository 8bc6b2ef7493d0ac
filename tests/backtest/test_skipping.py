"""Ticks that touch nothing are passed over, and nothing that comes out of a run tells whether they were."""

from __future__ import annotations

from collections.abc import Sequence
from decimal import Decimal
from typing import Any, NamedTuple

import numpy as np
import pytest
from backtest_setup import BUY, M1, MARKET, MINUTE_MS, PERP, SELL, T0, Recording, config, flat_bars
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from nexustrader.backtest import Backtest, BacktestResult, feeds, skipping, world
from nexustrader.backtest.feeds import Stage
from nexustrader.constants import ExchangeType, InstrumentType, OrderSide, OrderType
from nexustrader.data.ticks import Quotes, Trades, build_quotes, build_trades
from nexustrader.domain.instrument import Instrument
from nexustrader.error import DataError
from nexustrader.schema import BookL1, Kline, Order, Trade
from nexustrader.sim.exchange import SimExchange
from nexustrader.sim.latency import Latency, SampledDelay
from nexustrader.sim.liquidation import EVERYWHERE
from nexustrader.sim.slippage import SquareRootImpact, TicksBehind

OTHER = "ETHUSDT-PERP.BINANCE"
SYMBOLS = (PERP, OTHER)
TICK, MIDDLE = 0.5, 100  # of the grid, and in ticks where prices begin
NS_PER_MS = 1_000_000


def described(symbol: str) -> Instrument:
    base = symbol[:3]
    return Instrument(
        symbol=symbol,
        venue_symbol=f"{base}USDT",
        exchange=ExchangeType.BINANCE,
        type=InstrumentType.LINEAR,
        base=base,
        quote="USDT",
        settle="USDT",
        tick=Decimal("0.5"),
        lot=Decimal(1),
        maker=Decimal("0.0002"),
        taker=Decimal("0.0005"),
    )


# -- histories -------------------------------------------------------------------------------------------------


class History(NamedTuple):
    """What the ticks of one symbol are made of. `kinds` are q for quotes, t for trades."""

    seed: int
    kinds: str
    ticks: int
    steps: int  # half ticks from one price to the next, at most
    lots: int  # at most
    gap_ms: int  # from one to the next, at most


HISTORY = st.builds(
    History,
    st.integers(0, 1 << 32),
    st.sampled_from(["q", "t", "qt"]),
    st.integers(1, 400),
    st.integers(0, 6),
    st.integers(0, 12),
    st.sampled_from([1, 40, 700, 9_000]),
)


def walked(draw: np.random.Generator, history: History, *, is_fine: bool) -> tuple[Any, Any]:
    """Times and prices of a walk; the fine one leaves the grid of the instrument."""
    count, steps = history.ticks, history.steps
    gaps = draw.integers(0, history.gap_ms + 1, count) * draw.integers(0, 2, count)
    half = 2 * MIDDLE + np.cumsum(draw.integers(-steps, steps + 1, count) * draw.integers(0, 2, count))
    half = np.maximum(half if is_fine else half // 2 * 2, 20)
    return (T0 + np.cumsum(gaps)) * NS_PER_MS, half * TICK / 2


def quotes_of(symbol: str, history: History, *, is_fine: bool) -> Quotes:
    draw, count = np.random.default_rng(history.seed), history.ticks
    times, bid = walked(draw, history, is_fine=is_fine)
    ask = bid + (draw.integers(1, 6, count) if is_fine else draw.integers(1, 4, count) * 2) * TICK / 2
    empty = draw.integers(0, 60, count)
    table = {
        "time_ns": times,
        "bid": np.where(empty == 1, 0, bid),
        "ask": np.where(empty == 2, 0, ask),
        "bid_size": draw.integers(0, history.lots + 1, count),
        "ask_size": draw.integers(0, history.lots + 1, count),
    }
    return build_quotes(table, symbol, "the test")


def trades_of(symbol: str, history: History, *, is_fine: bool) -> Trades:
    draw, count = np.random.default_rng(history.seed + 1), history.ticks
    times, price = walked(draw, history, is_fine=is_fine)
    sizes, buys = draw.integers(0, history.lots + 1, count), draw.integers(0, 2, count)
    table = {"time_ns": times, "price": price, "size": sizes, "is_buy": buys}
    return build_trades(table, symbol, "the test")


def data_of(histories: Sequence[History], *, is_fine: bool) -> dict[str, list[Any]]:
    made = {"q": quotes_of, "t": trades_of}
    return {
        symbol: [made[kind](symbol, history, is_fine=is_fine) for kind in history.kinds]
        for symbol, history in zip(SYMBOLS, histories, strict=False)
    }


# -- strategies ------------------------------------------------------------------------------------------------

ACT = st.tuples(
    st.sampled_from(
        ["limit"] * 6
        + ["post", "reduce", "market", "cancel", "amend", "cancel all", "listen", "deaf", "timer", "ask"]
    ),
    st.integers(0, 1),  # symbol
    st.booleans(),  # buy
    st.integers(-3, 8),  # ticks from the last price, to the good side
    st.integers(1, 9),  # amount
)


class Acting(Recording):
    """Does the next of its acts at every kline, timer and end of an order."""

    def __init__(
        self, acts: Sequence[tuple[str, int, bool, int, int]], symbols: Sequence[str], seconds: int
    ) -> None:
        super().__init__()
        self.acts = list(acts)
        self.symbols = list(symbols)
        self.seconds = seconds
        self.mine: list[str] = []
        self.last = dict.fromkeys(symbols, MIDDLE * TICK)
        self.timers = 0
        self.ticks = 0

    def on_start(self) -> None:
        for symbol in self.symbols:
            self.subscribe_kline(symbol, M1)
        self.schedule(self.act, "interval", seconds=self.seconds)
        self.schedule(self.act, "cron", second="13")

    def on_kline(self, kline: Kline) -> None:
        self.note(f"kline {kline.symbol} {kline.close}")
        self.last[kline.symbol] = kline.close
        self.act()

    def on_bookl1(self, bookl1: BookL1) -> None:
        self.note(f"book {bookl1}")
        self.last[bookl1.symbol] = bookl1.bid or bookl1.ask
        self.ticks += 1
        if self.ticks % 29 == 0:
            self.act()

    def on_trade(self, trade: Trade) -> None:
        self.note(f"trade {trade}")

    def on_filled_order(self, order: Order) -> None:
        super().on_filled_order(order)
        self.note(f"filled {order.oid}")
        if len(self.mine) < 60:
            self.act()

    def act(self) -> None:
        if not self.acts:
            return
        self.acts.append(self.acts.pop(0))
        what, place, is_buy, offset, amount = self.acts[-1]
        symbol, side, sign = (
            self.symbols[place % len(self.symbols)],
            BUY if is_buy else SELL,
            1 if is_buy else -1,
        )
        price = Decimal(str(round(self.last[symbol] / TICK) * TICK - sign * offset * TICK))
        if what in ("limit", "post", "reduce"):
            kind = OrderType.POST_ONLY if what == "post" else OrderType.LIMIT
            self.mine.append(
                self.create_order(symbol, side, kind, Decimal(amount), price, reduce_only=what == "reduce")
            )
        elif what == "market":
            self.mine.append(self.create_order(symbol, side, MARKET, Decimal(amount)))
        elif what == "cancel all":
            self.cancel_all_orders(symbol)
        elif what == "listen":
            (self.subscribe_bookl1 if is_buy else self.subscribe_trade)(symbol)
        elif what == "deaf":
            (self.unsubscribe_bookl1 if is_buy else self.unsubscribe_trade)(symbol)
        elif what == "ask":
            self.note(
                f"asked {self.fetch_open_orders(symbol)} {self.fetch_order(symbol, (self.mine or ['none'])[-1])}"
            )
        elif what == "timer":
            self.timers += 1
            self.schedule(self.act, "interval", seconds=17 + self.timers, name=f"timer {self.timers % 3}")
        else:
            self.change(what, price, amount)

    def change(self, what: str, price: Decimal, amount: int) -> None:
        orders = [self.cache.get_order(oid) for oid in self.mine]
        order = next((one for one in reversed(orders) if one is not None and not one.is_closed), None)
        if order is None or order.oid is None:
            return
        if what == "cancel":
            self.cancel_order(order.symbol, order.oid)
        else:
            self.modify_order(order.symbol, order.oid, price=price, amount=Decimal(amount))


# -- two runs --------------------------------------------------------------------------------------------------


class Looked(Stage):
    """Remembers the last one made."""

    last: Stage

    def __init__(self, *given: Any) -> None:
        super().__init__(*given)
        Looked.last = self


class Walking(Looked):
    skips = False


def run(
    kind: type[Looked], strategy: Recording, data: Any, **wishes: Any
) -> tuple[BacktestResult, list[Any]]:
    """The result, and the states that the books of all markets ended in."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(world, "Stage", kind)
        for module in (feeds, skipping):  # short stretches as well, so that there are many
            patch.setattr(module, "ROWS_WORTHWHILE", 3)
        instruments = {symbol: described(symbol) for symbol in data}
        backtest = Backtest(
            config(strategy, exit_after_cancel=False), data, instruments=instruments, **wishes
        )
        counts: list[int] = []
        result = backtest.run(counts.append)
    assert counts == sorted(counts)
    assert counts[-1] == backtest.events
    markets = [market for venue in Looked.last.venues.values() for market in venue._markets]
    return result, [(market.engine.state(), market.news, market.touch, market.volume) for market in markets]


WISHES = st.fixed_dictionaries(
    {
        "balances": st.sampled_from([{"USDT": 150}, {"USDT": 100_000}]),
        "leverage": st.sampled_from([1, 20, 100]),
        "latency": st.sampled_from(
            [None, 250, Latency(entry=SampledDelay((0, 3, 900)), reply=40, feed=5), Latency(cancel=2_000)]
        ),
        "slippage": st.sampled_from(
            [None, 20, SquareRootImpact(0.01), TicksBehind(0), TicksBehind(1), TicksBehind(3)]
        ),
        "margin": st.sampled_from([None, "isolated", False]),
        "funding": st.sampled_from([False, 0.0001]),
    }
)


def in_full(result: BacktestResult) -> list[Any]:
    return [
        result.trace_hash,
        result.fills,
        result.orders,
        result.balances,
        result.positions,
        [float(value) for value in result.equity.values],
        result.user_errors,
        result.end_ms,
    ]


@settings(max_examples=80, suppress_health_check=list(HealthCheck))
@given(
    st.lists(HISTORY, min_size=1, max_size=2),
    st.lists(ACT, min_size=3, max_size=12),
    st.integers(2, 30),
    st.booleans(),
    WISHES,
)
@pytest.mark.slow
def test_a_run_that_passes_over_ticks_equals_one_that_plays_each(
    histories: Any, acts: Any, seconds: int, is_fine: bool, wishes: Any
) -> None:
    data = data_of(histories, is_fine=is_fine)
    strategies = [Acting(acts, list(data), seconds) for _ in range(2)]
    try:
        played, walked_states = run(Walking, strategies[0], data, **wishes)
    except DataError as error:
        with pytest.raises(type(error)):
            run(Looked, strategies[1], data, **wishes)
        return
    skipped, states = run(Looked, strategies[1], data, **wishes)
    assert in_full(skipped) == in_full(played)
    assert strategies[1].heard == strategies[0].heard
    assert states == walked_states


# -- single cases ----------------------------------------------------------------------------------------------


class Placing(Recording):
    """Places one order at the first kline and hears of klines alone."""

    def __init__(self, side: OrderSide, price: str) -> None:
        super().__init__()
        self.side, self.price = side, Decimal(price)

    def on_kline(self, kline: Kline) -> None:
        super().on_kline(kline)
        if len(self.klines) == 1:
            self.create_order(PERP, self.side, OrderType.LIMIT, Decimal(3), self.price)

    def on_stop(self) -> None:
        self.note("stop")


def rows_of(prices: Sequence[tuple[float, float]]) -> Quotes:
    """Quotes with a millisecond between them, from the second minute on; one stands in the first."""
    times = np.append([0], MINUTE_MS + 1 + np.arange(len(prices)))
    bid, ask = np.array([(50.0, 51.0), *prices]).T
    sizes = np.full(len(times), 2)
    table = {"time_ns": (T0 + times) * NS_PER_MS, "bid": bid, "ask": ask}
    return build_quotes({**table, "bid_size": sizes, "ask_size": sizes}, PERP, "the test")


def equal_both_ways(side: OrderSide, price: str, data: Any) -> tuple[Placing, BacktestResult]:
    """Run both ways, and return the one that passes ticks over."""
    placing = [Placing(side, price) for _ in range(2)]
    played, skipped = (
        run(kind, one, {PERP: data}) for kind, one in zip((Walking, Looked), placing, strict=True)
    )
    assert in_full(skipped[0]) == in_full(played[0])
    assert skipped[1] == played[1]
    assert placing[1].heard == placing[0].heard
    return placing[1], skipped[0]


def test_a_bid_with_no_ask_above_it_fills_what_it_crosses() -> None:
    calm = [(50.0, 51.0)] * 300
    _, result = equal_both_ways(SELL, "55", [rows_of([*calm, (56.0, 0.0), *calm])])
    assert [fill.price for fill in result.fills] == [Decimal(55)]


def test_a_trade_one_tick_away_shows_the_queue_of_an_order() -> None:
    far, near, count = 60.0, 50.5, 300
    times = np.append([0], MINUTE_MS + 1 + np.arange(2 * count + 1))
    prices = np.array([far] * (count + 1) + [near] + [far] * count)
    table = {"time_ns": (T0 + times) * NS_PER_MS, "price": prices, "size": np.full(len(times), 2)}
    data = build_trades({**table, "is_buy": np.full(len(times), True)}, PERP, "the test")
    equal_both_ways(BUY, "50", [data])
    (market,) = Looked.last.venues["binance:LINEAR_MOCK"]._markets
    assert market.engine.open_orders()[0].queue_seen == 2


def test_the_clock_stands_at_the_last_tick_that_was_passed_over() -> None:
    ends_before = [flat_bars([50.0] * 2), rows_of([(50.0, 51.0)] * 500)]
    strategy, _ = equal_both_ways(BUY, "1", ends_before)
    assert strategy.heard[-1] == ("stop", 2 * MINUTE_MS)


def test_ticks_that_nobody_hears_of_are_not_made(monkeypatch: pytest.MonkeyPatch) -> None:
    seen: list[BookL1] = []
    monkeypatch.setattr(SimExchange, "on_bookl1", lambda _, book: seen.append(book))
    quotes = rows_of([(50.0, 51.0)] * 100_000)
    monkeypatch.setattr(SimExchange, "untouched", lambda *_: EVERYWHERE)
    backtest = Backtest(config(Placing(BUY, "1")), {PERP: [quotes]}, instruments={PERP: described(PERP)})
    backtest.run()
    assert len(seen) < 100


class Short(Recording):
    """Sells at the first kline, and hears of trades or not."""

    def __init__(self, *, hears: bool) -> None:
        super().__init__()
        self.hears = hears

    def on_start(self) -> None:
        super().on_start()
        if self.hears:
            self.subscribe_trade(PERP)

    def on_kline(self, kline: Kline) -> None:
        super().on_kline(kline)
        if len(self.klines) == 1:
            self.create_order(PERP, SELL, MARKET, Decimal(3))


@pytest.mark.parametrize("hears", [True, False])
def test_a_trade_between_two_ticks_liquidates_whether_it_is_passed_over_or_not(hears: bool) -> None:
    calm, near = 600, 54.75  # a mark of 55, at a tick of 0.5
    prices = np.array([50.0] * (calm + 1) + [near] + [50.0] * calm)
    times = np.append([0], MINUTE_MS + 1 + np.arange(2 * calm + 1))
    table = {
        "time_ns": (T0 + times) * NS_PER_MS,
        "price": prices,
        "size": np.full(len(times), 2),
        "is_buy": np.ones(len(times), bool),
    }
    data = {PERP: [build_trades(table, PERP, "the test")]}
    wishes: dict[str, Any] = {"balances": {"USDT": 17.3}, "leverage": 20, "fees": 0, "funding": False}
    (played, _), (passed, _) = (run(kind, Short(hears=hears), data, **wishes) for kind in (Walking, Looked))
    assert len(played.fills) == 3
    assert in_full(passed) == in_full(played)
