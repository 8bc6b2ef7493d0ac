"""Backtests on recorded order books: what fills, what is heard of, and that nothing depends on how it is played."""

from __future__ import annotations

import dataclasses
from collections.abc import Sequence
from datetime import timedelta
from decimal import Decimal
from functools import partial
from typing import Any

import numpy as np
import pytest
from backtest_setup import BUY, LIMIT, MARKET, PERP, SELL, T0, Recording, config, flat_bars, real
from hypothesis import given, settings
from hypothesis import strategies as st

from nexustrader.backtest import Backtest, BacktestResult
from nexustrader.config import BasicConfig, PrivateConnectorConfig
from nexustrader.constants import BookLevel, ExchangeType, InstrumentType, KlineInterval
from nexustrader.data.depth import Depth, build_depth
from nexustrader.data.ticks import Trades, build_quotes, build_trades
from nexustrader.domain.instrument import Instrument
from nexustrader.error import DataError
from nexustrader.exchange import BinanceAccountType
from nexustrader.kernel.clock import TimeEvent
from nexustrader.schema import BookL1, BookL2, Trade
from nexustrader.sim.convert import to_sim_instrument
from nexustrader.sim.matching import MatchingEngine
from nexustrader.sim.queue_power import PowerQueue, power_ahead
from nexustrader.sim.types import Side, SimOrder, Traded

pytestmark = pytest.mark.timeout(600)  # the first test that plays natively may have to compile the kernel

NS_PER_MS = 1_000_000
T0_NS = T0 * NS_PER_MS
BID, ASK = 1, -1

Level = tuple[int, float, float]  # side, price, size
Update = tuple[int, bool, Sequence[Level]]  # ms after the beginning, whether it is a snapshot, levels

SNAPSHOT: Update = (
    0,
    True,
    [(BID, 99.9, 5), (BID, 99.8, 5), (ASK, 100.1, 2), (ASK, 100.2, 3), (ASK, 100.5, 4)],
)


def depth(updates: Sequence[Update], symbol: str = PERP, rows_per_part: int = 1 << 16) -> Depth:
    rows = [
        (T0_NS + ms * NS_PER_MS, side, price, size, is_snapshot, number == len(levels) - 1)
        for ms, is_snapshot, levels in updates
        for number, (side, price, size) in enumerate(levels)
    ]
    names = ("time_ns", "side", "price", "size", "is_snapshot", "is_last")
    table = {name: np.array(column) for name, column in zip(names, zip(*rows, strict=True), strict=True)}
    return dataclasses.replace(build_depth(table, symbol, "the test"), rows_per_part=rows_per_part)


def trades(rows: Sequence[tuple[int, float, float, bool]]) -> Trades:
    times, prices, sizes, buys = (np.array(column) for column in zip(*rows, strict=True))
    table = {"time_ns": T0_NS + times * NS_PER_MS, "price": prices, "size": sizes, "is_buy": buys}
    return build_trades(table, PERP, "the test")


class Booked(Recording):
    """Acts at times, in ms after the beginning, and writes down what it hears of the book."""

    def __init__(self, acts: dict[int, Any] | None = None, *, hears: str = "") -> None:
        super().__init__()
        self.acts = acts or {}
        self.hears = hears
        self.touches: list[tuple[int, float, float, float, float]] = []
        self.books: list[tuple[int, list[tuple[float, float]], list[tuple[float, float]]]] = []
        self.public: list[tuple[int, float, float]] = []

    def on_start(self) -> None:
        super().on_start()
        if "1" in self.hears:
            self.subscribe_bookl1(PERP)
        if "2" in self.hears:
            self.subscribe_bookl2(PERP, BookLevel.L5)
        if "t" in self.hears:
            self.subscribe_trade(PERP)
        for ms, act in self.acts.items():
            at = self.clock.utc_now() + timedelta(milliseconds=ms)
            self.clock.set_timer(f"act {ms}", timedelta(days=1), at, at, self._acting(act))

    def _acting(self, act: Any) -> Any:
        def on_timer(_event: TimeEvent) -> None:
            act(self)

        return on_timer

    def on_bookl1(self, bookl1: BookL1) -> None:
        self.note("touch")
        self.touches.append((bookl1.timestamp - T0, bookl1.bid, bookl1.bid_size, bookl1.ask, bookl1.ask_size))

    def on_bookl2(self, bookl2: BookL2) -> None:
        self.note("book")
        bids, asks = ([(level.price, level.size) for level in side] for side in (bookl2.bids, bookl2.asks))
        self.books.append((bookl2.timestamp - T0, bids, asks))

    def on_trade(self, trade: Trade) -> None:
        self.note("trade")
        self.public.append((trade.timestamp - T0, trade.price, trade.size))


def at_market(side: Any, amount: str) -> Any:
    return lambda s: s.create_order(PERP, side, MARKET, Decimal(amount))


def resting(side: Any, price: str, amount: str = "1", **more: Any) -> Any:
    return lambda s: s.create_order(PERP, side, LIMIT, Decimal(amount), Decimal(price), **more)


def play(strategy: Booked, data: Any, **more: Any) -> BacktestResult:
    result = Backtest(config(strategy), data, fees=0, funding=False, **more).run()
    assert result.user_errors == 0
    return result


def fills(result: BacktestResult) -> list[tuple[int, float, float, bool]]:
    return [(f.timestamp - T0, float(f.price), float(f.amount), f.is_maker) for f in result.fills]


# -- what fills ------------------------------------------------------------------------------------------------


def test_a_market_order_takes_level_after_level_and_what_the_book_does_not_hold_expires() -> None:
    strategy = Booked({10: at_market(BUY, "4"), 20: at_market(BUY, "9")})
    result = play(strategy, depth([SNAPSHOT, (100, False, [(BID, 99.9, 6)])]))
    assert fills(result) == [
        (10, 100.1, 2.0, False),
        (10, 100.2, 2.0, False),
        (20, 100.2, 1.0, False),
        (20, 100.5, 4.0, False),
    ]
    assert [kind for kind, _ in strategy.orders if kind == "expired"] == ["expired"]


def test_a_level_that_is_told_anew_can_be_taken_again() -> None:
    strategy = Booked({10: at_market(BUY, "2"), 110: at_market(BUY, "1"), 210: at_market(BUY, "1")})
    updates = [
        SNAPSHOT,
        (100, False, [(ASK, 100.1, 2)]),
        (200, False, [(ASK, 100.1, 3)]),
        (300, False, [(BID, 99, 1)]),
    ]
    assert [price for _, price, *_ in fills(play(strategy, depth(updates)))] == [100.1, 100.2, 100.1]


def test_an_order_waits_behind_its_level_and_trades_let_it_through() -> None:
    strategy = Booked({10: resting(BUY, "99.9")})
    public = trades([(20, 99.9, 4, False), (30, 99.9, 1.5, False), (40, 99.9, 0.5, False)])
    result = play(strategy, {PERP: [depth([SNAPSHOT, (100, False, [(ASK, 101, 1)])]), public]})
    assert fills(result) == [(30, 99.9, 0.5, True), (40, 99.9, 0.5, True)]


def test_the_queue_model_is_asked_where_a_level_shrinks_without_a_trade() -> None:
    updates = [
        SNAPSHOT,
        (15, False, [(BID, 99.9, 10)]),
        (20, False, [(BID, 99.9, 5)]),
        (90, False, [(ASK, 101, 1)]),
    ]
    public = trades([(30, 99.9, 3.5, False)])
    data = {PERP: [depth(updates), public]}
    assert fills(play(Booked({10: resting(BUY, "99.9")}), data)) == []
    (fill,) = fills(play(Booked({10: resting(BUY, "99.9")}), data, queue=PowerQueue(1)))
    assert fill == (30, 99.9, 1.0, True)
    with pytest.raises(Exception, match="queue="):
        play(Booked(), data, queue="first")


def test_what_crosses_a_resting_order_fills_it_at_its_price() -> None:
    strategy = Booked({10: resting(BUY, "99.5")})
    updates = [SNAPSHOT, (50, False, [(BID, 99.9, 0), (BID, 99.8, 0), (ASK, 99.4, 0.4)])]
    (fill,) = fills(play(strategy, depth(updates)))
    assert fill == (50, 99.5, 0.4, True)


def test_a_position_is_liquidated_by_the_middle_of_the_touch() -> None:
    strategy = Booked({10: at_market(BUY, "2")})
    falling = [
        (100 + n, False, [(BID, 99.9 - n, 0), (BID, 98.9 - n, 5), (ASK, 100.1 - n, 0), (ASK, 99.1 - n, 5)])
        for n in range(60)
    ]
    levels: list[Update] = [(0, True, [(BID, 99.9, 5), (ASK, 100.1, 5)]), *falling]
    account = real(BinanceAccountType.USD_M_FUTURE)
    result = Backtest(
        config(strategy, account), depth(levels), balances={"USDT": 20}, leverage=20, fees=0, funding=False
    ).run()
    opened, closed = result.fills
    assert opened.amount == closed.amount == Decimal(2)
    # 2 units were bought at 100.1 for 20 USDT: bankrupt at 90.1, below maintenance a little earlier.
    assert closed.timestamp - T0 == 109
    assert result.balances[next(iter(result.balances))]["USDT"] == 0


# -- what is heard of ------------------------------------------------------------------------------------------


def test_the_touch_is_told_when_it_has_changed() -> None:
    strategy = Booked(hears="1")
    updates = [
        SNAPSHOT,
        (10, False, [(BID, 99.7, 3)]),
        (20, False, [(BID, 99.9, 4)]),
        (30, False, [(ASK, 100.1, 0), (BID, 99.9, 0)]),
        (40, False, [(ASK, 100.1, 2), (ASK, 100.1, 0)]),
    ]
    play(strategy, depth(updates))
    assert strategy.touches == [
        (0, 99.9, 5, 100.1, 2),
        (20, 99.9, 4, 100.1, 2),
        (30, 99.8, 5, 100.2, 3),
    ]


def test_an_empty_side_is_told_as_price_0_and_an_empty_book_is_not_told() -> None:
    strategy = Booked(hears="1")
    updates = [
        (0, True, [(BID, 99, 1), (ASK, 100, 1)]),
        (5, False, [(ASK, 100, 0)]),
        (6, False, [(BID, 99, 0)]),
    ]
    play(strategy, depth(updates))
    assert strategy.touches == [(0, 99, 1, 100, 1), (5, 99, 1, 0, 0)]


def test_levels_are_told_best_first_after_every_update_as_many_as_are_wanted() -> None:
    strategy = Booked(hears="2")
    many = (10, False, [(BID, 98 - n / 10, 1) for n in range(9)])
    play(strategy, depth([SNAPSHOT, many, (20, False, [(ASK, 100.2, 0)])]))
    first, second, third = strategy.books
    assert first == (0, [(99.9, 5), (99.8, 5)], [(100.1, 2), (100.2, 3), (100.5, 4)])
    assert second[1] == [(99.9, 5), (99.8, 5), (98.0, 1), (97.9, 1), (97.8, 1)]
    assert third == (20, second[1], [(100.1, 2), (100.5, 4)])


def test_trades_are_told_as_they_were_and_before_the_update_of_their_moment() -> None:
    strategy = Booked(hears="1t")
    public = trades([(20, 99.9, 0.123456, False), (20, 99.8, 1, False), (90, 99.9, 2, True)])
    play(strategy, {PERP: [depth([SNAPSHOT, (20, False, [(BID, 99.9, 1)])]), public]})
    assert strategy.public == [(20, 99.9, 0.123456), (20, 99.8, 1), (90, 99.9, 2)]
    assert [what for what, _ in strategy.heard] == ["start", "touch", "trade", "trade", "touch", "trade"]


def test_klines_are_made_of_the_middle_or_given() -> None:
    book = [SNAPSHOT, (30_000, False, [(BID, 99.9, 0)]), (70_000, False, [(ASK, 100.1, 0)])]
    strategy = Booked()
    play(strategy, depth(book))
    assert [tuple(round(p, 6) for p in (k.open, k.high, k.low, k.close)) for k in strategy.klines] == [
        (100.0, 100.0, 99.95, 99.95),
        (100.0, 100.0, 100.0, 100.0),
    ]
    strategy = Booked()
    play(strategy, {PERP: [flat_bars([50.0, 60.0]), depth(book)]})
    assert [k.close for k in strategy.klines] == [50.0, 60.0]


def test_market_data_take_their_time_and_orders_too() -> None:
    strategy = Booked({10: at_market(BUY, "1")}, hears="12")
    result = play(
        strategy, depth([SNAPSHOT, (12, False, [(ASK, 100.1, 0)]), (90, False, [(BID, 99.9, 1)])]), latency=5
    )
    assert fills(result)[0][:2] == (15, 100.2)


def test_a_run_that_begins_later_finds_the_book_that_was_there() -> None:
    updates = [SNAPSHOT, (60_000, False, [(ASK, 100.1, 0)]), (120_000, True, [(BID, 90, 1), (ASK, 91, 1)]),
               (180_000, False, [(BID, 90, 2)]), (240_000, False, [(BID, 90, 3)])]  # fmt: skip
    for begin_ms, touch in ((90_000, (90, 1, 91, 1)), (130_000, (90, 2, 91, 1))):
        strategy = Booked(hears="1")
        play(strategy, depth(updates), start=T0 + begin_ms)
        assert strategy.touches[0][1:] == touch
    taking = Booked({1_000: at_market(BUY, "1")})
    assert fills(play(taking, depth(updates), start=T0 + 60_000))[0][1] == 100.2


def test_a_book_of_another_symbol_is_only_listened_to_where_no_account_trades_it() -> None:
    strategy = Booked(hears="12")
    spot = real(BinanceAccountType.SPOT)
    result = Backtest(config(strategy, spot), depth([SNAPSHOT]), balances={"USDT": 5}).run()
    assert (result.user_errors, len(strategy.touches), len(strategy.books)) == (0, 1, 1)


def test_the_ledger_says_that_a_book_is_played() -> None:
    told = play(Booked(), depth([SNAPSHOT]), queue=2).assumptions
    assert any(text.startswith(f"The recorded book of {PERP} is played level by level") for text in told)
    assert any("stood behind it by the share back^2" in text for text in told)


# -- how it is played makes no difference -----------------------------------------------------------------------


class PlainPower:
    """A model of one's own, which the plain engine alone can ask: it answers as PowerQueue(2) does."""

    def ahead(self, ahead: int, before: int, now: int) -> int:
        return power_ahead(ahead, before, now, 2)

    def describe(self) -> str:
        return PowerQueue(2).describe()


INSTRUMENT = Instrument(
    symbol=PERP,
    venue_symbol="BTCUSDT",
    exchange=ExchangeType.BINANCE,
    type=InstrumentType.LINEAR,
    base="BTC",
    quote="USDT",
    settle="USDT",
    tick=Decimal("0.1"),
    lot=Decimal("0.1"),
    maker=Decimal(0),
    taker=Decimal(0),
)
MIDDLE = 1_000  # ticks

levels = st.lists(
    st.tuples(st.sampled_from([BID, ASK]), st.integers(0, 4), st.sampled_from([0, 1, 3, 8, 20])),
    min_size=1,
    max_size=5,
)
steps = st.one_of(
    st.tuples(st.just("update"), levels),
    st.tuples(st.just("update"), levels),
    st.tuples(st.just("snapshot"), levels),
    st.tuples(st.just("trade"), st.tuples(st.booleans(), st.integers(-4, 4), st.integers(1, 9))),
)
markets = st.lists(st.tuples(st.integers(0, 3), steps), min_size=3, max_size=40)
orders = st.lists(
    st.tuples(st.integers(1, 90), st.sampled_from([BUY, SELL]), st.integers(-4, 4), st.integers(1, 30)),
    max_size=8,
)


def made(market: Any, rows_per_part: int = 1 << 16) -> list[Any]:
    """Depth and trades from steps with the ms between them."""
    now, updates, public = 0, [(0, True, [(BID, 99.9, 2.0), (ASK, 100.1, 2.0)])], []
    for gap, (kind, what) in market:
        now += gap
        if kind == "trade":
            is_buy, offset, lots = what
            public.append((now, (MIDDLE + offset) / 10, lots / 10, is_buy))
        else:
            told = [(side, (MIDDLE - side * (1 + distance)) / 10, lots / 10) for side, distance, lots in what]
            updates.append((now, kind == "snapshot", told))
    updates.append((now + 100, False, [(BID, 90.0, 1.0)]))
    return [depth(updates, rows_per_part=rows_per_part), *([trades(public)] if public else [])]


def run(
    market: Any, placed: Any, *, rows_per_part: int = 1 << 16, hears: str = "", **more: Any
) -> BacktestResult:
    acts: dict[int, Any] = {}
    for ms, side, offset, lots in placed:
        acts.setdefault(ms, resting(side, str(Decimal(MIDDLE + offset) / 10), str(Decimal(lots) / 10)))
    data = {PERP: made(market, rows_per_part)}
    return play(Booked(acts, hears=hears), data, instruments={PERP: INSTRUMENT}, **more)


def by_hand(market: Any, placed: Any) -> list[tuple[int, int, int, bool]]:
    """(ms, ticks, lots, whether it rested) of what an engine trades that is told everything one by one."""
    engine = MatchingEngine(to_sim_instrument(INSTRUMENT), queue=PowerQueue(2))
    happens: list[tuple[int, Any]] = []
    seen = set[int]()
    for number, (ms, side, offset, lots) in enumerate(placed):
        if ms in seen:
            continue
        seen.add(ms)
        order = SimOrder(
            order_id=number + 1,
            account="a",
            side=Side.BUY if side is BUY else Side.SELL,
            lots=lots,
            price=MIDDLE + offset,
        )
        happens.append((2 * ms, lambda order=order: engine.submit(order)))
    now = 0
    bids_and_asks = ([(999, 20)], [(1001, 20)])
    engine.set_book(*bids_and_asks)
    for gap, (kind, what) in market:
        now += gap
        if kind == "trade":
            is_buy, offset, lots = what
            aggressor = Side.BUY if is_buy else Side.SELL
            call = partial(engine.public_trade, MIDDLE + offset, lots, aggressor)
        else:
            sides = [
                [(MIDDLE - side * (1 + distance), lots) for side, distance, lots in what if side == wanted]
                for wanted in (BID, ASK)
            ]
            call = partial(engine.set_book if kind == "snapshot" else engine.set_levels, *sides)
        happens.append((2 * now + 1, call))
    traded = []
    # Of one moment orders come first, then trades, then updates.
    for when, call in sorted(happens, key=lambda one: (one[0], is_book(one[1]))):
        traded += [(when // 2, e.price_ticks, e.lots, e.is_maker) for e in call() if isinstance(e, Traded)]
    return traded


def is_book(call: Any) -> bool:
    return getattr(getattr(call, "func", None), "__name__", "") in ("set_book", "set_levels")


@given(markets, orders)
@settings(max_examples=60, deadline=None)
def test_it_fills_what_an_engine_fills_that_is_told_everything_one_by_one(market: Any, placed: Any) -> None:
    result = run(market, placed, queue=2, balances={"USDT": 10**9})
    told = [(ms, round(price * 10), round(amount * 10), maker) for ms, price, amount, maker in fills(result)]
    assert sorted(told) == sorted(by_hand(market, placed))


@given(markets, orders, st.sampled_from(["", "1", "2", "t", "12t"]), st.integers(1, 9))
@settings(max_examples=60, deadline=None)
def test_neither_parts_nor_the_engine_nor_who_listens_make_a_difference(
    market: Any, placed: Any, hears: str, rows_per_part: int
) -> None:
    whole = run(market, placed, queue=2, hears=hears)
    for more in (
        {"queue": 2, "rows_per_part": rows_per_part},
        {"queue": PlainPower()},
        {"queue": PlainPower(), "rows_per_part": rows_per_part},
    ):
        assert run(market, placed, hears=hears, **more).trace_hash == whole.trace_hash
    assert fills(run(market, placed, queue=2)) == fills(whole)


@given(markets)
@settings(max_examples=15, deadline=None)
def test_listeners_hear_the_same_from_either_engine_and_the_touch_is_that_of_the_levels(market: Any) -> None:
    heard = []
    for queue in (PowerQueue(2), PlainPower()):
        strategy = Booked(hears="12t")
        play(strategy, {PERP: made(market, 7)}, instruments={PERP: INSTRUMENT}, queue=queue)
        heard.append((strategy.touches, strategy.books, strategy.public))
    assert heard[0] == heard[1]
    tops = {ms: (*(bids or [(0, 0)])[0], *(asks or [(0, 0)])[0]) for ms, bids, asks in heard[0][1]}
    last = {ms: top for ms, *top in heard[0][0]}
    for ms, top in last.items():
        assert tuple(top) == tops[ms] or not any(tops[ms])  # an empty book is not told


@given(markets, orders)
@settings(max_examples=10, deadline=None)
def test_two_accounts_see_the_same_market(market: Any, placed: Any) -> None:
    """One of them plays the rows one by one, since what the other hears of may come between any two."""

    def filled(*names: str | None) -> list[tuple[int, float, float, bool]]:
        acts: dict[int, Any] = {}
        for ms, side, offset, lots in placed:
            acts.setdefault(
                ms,
                resting(side, str(Decimal(MIDDLE + offset) / 10), str(Decimal(lots) / 10), account=names[0]),
            )
        accounts = [PrivateConnectorConfig(BinanceAccountType.USD_M_FUTURE, account=name) for name in names]
        keys = {name: BasicConfig() for name in ("one", "other")}
        told = dataclasses.replace(
            config(Booked(acts)),
            basic_config={ExchangeType.BINANCE: keys},
            private_conn_config={ExchangeType.BINANCE: accounts},
        )
        data, more = {PERP: made(market)}, {"fees": 0, "funding": False, "queue": 2}
        result = Backtest(told, data, instruments={PERP: INSTRUMENT}, **more).run()
        assert result.user_errors == 0
        return fills(result)

    assert filled("one", "other") == filled("one")


# -- what cannot be used ------------------------------------------------------------------------------------------


def test_quotes_beside_a_book_of_the_same_symbol_are_refused() -> None:
    sizes = {name: np.array([1.0]) for name in ("bid_size", "ask_size")}
    table = {"time_ns": np.array([T0_NS]), "bid": np.array([99.0]), "ask": np.array([100.0]), **sizes}
    with pytest.raises(DataError, match=f"quotes and depth of {PERP} are given; leave out the quotes"):
        Backtest(config(Booked()), [depth([SNAPSHOT]), build_quotes(table, PERP, "the test")])


def test_a_book_that_never_has_two_sides_makes_no_bars() -> None:
    with pytest.raises(DataError, match="never has a bid and an ask at once"):
        Backtest(config(Booked()), depth([(0, True, [(BID, 9.0, 1)])]))


@given(markets, st.integers(1, 9))
@settings(max_examples=15, deadline=None)
def test_bars_do_not_depend_on_the_parts(market: Any, rows_per_part: int) -> None:
    whole, parted = (made(market, rows)[0].bars(KlineInterval.SECOND_1) for rows in (1 << 16, rows_per_part))
    for name in ("start", "open", "high", "low", "close"):
        assert getattr(whole, name).tolist() == getattr(parted, name).tolist()


def test_updates_before_the_first_snapshot_make_no_book() -> None:
    updates = [
        (0, False, [(BID, 50.0, 1), (ASK, 150.0, 9)]),
        (500, True, [(BID, 99.9, 5), (ASK, 100.1, 9)]),
        (900, False, [(BID, 99.9, 6)]),
    ]
    result = play(Booked({10: at_market(BUY, "1"), 600: at_market(BUY, "1")}, hears="1"), depth(updates))
    assert [price for _, price, *_ in fills(result)] == [100.1]
