"""Time, order and honesty of a backtest: when what is heard, and that nothing is heard too early."""

from __future__ import annotations

import asyncio
from datetime import timedelta
from decimal import Decimal
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
    T0,
    AtBars,
    Recording,
    bars_of,
    config,
    flat_bars,
    run,
)
from hypothesis import given
from hypothesis import strategies as st

from nexustrader.backtest import Backtest
from nexustrader.backtest.world import World
from nexustrader.constants import DataType, KlineInterval
from nexustrader.data.bars import build_bars
from nexustrader.execution.ems import ExecutionManager
from nexustrader.execution.oms import OrderManager
from nexustrader.kernel.clock import VirtualClock
from nexustrader.kernel.virtual_loop import VirtualLoop
from nexustrader.schema import BookL1, Kline, Trade

M5 = KlineInterval.MINUTE_5


def test_a_bar_is_told_when_it_has_closed() -> None:
    strategy = AtBars({1: lambda s: s.note("first"), 3: lambda s: s.note("last")})
    result = run(strategy, flat_bars([100, 101, 102]))
    assert strategy.heard == [("start", 0), ("first", MINUTE_MS), ("last", 3 * MINUTE_MS)]
    assert [kline.timestamp - T0 for kline in strategy.klines] == [MINUTE_MS, 2 * MINUTE_MS, 3 * MINUTE_MS]
    assert all(kline.confirm for kline in strategy.klines)
    assert (result.bars, result.start_ms, result.end_ms) == (3, T0, T0 + 3 * MINUTE_MS)


def test_an_order_given_at_a_close_fills_there_and_lives_as_it_would_live() -> None:
    strategy = AtBars({2: lambda s: s.buy()})
    result = run(strategy, flat_bars([100, 101, 102]))
    assert [what for what, _ in strategy.orders] == ["pending", "accepted", "filled"]
    (fill,) = result.fills
    assert (fill.price, fill.timestamp) == (Decimal(101), T0 + 2 * MINUTE_MS)


def test_with_latency_an_order_meets_the_next_bar() -> None:
    result = run(
        AtBars({1: lambda s: s.buy()}), bars_of([(100, 100, 100, 100), (105, 106, 104, 105)]), latency_ms=50
    )
    (fill,) = result.fills
    assert (fill.price, fill.timestamp) == (Decimal(105), T0 + MINUTE_MS + 50)


def test_a_resting_order_fills_within_a_bar_at_its_time() -> None:
    bars = bars_of([(100, 100, 100, 100), (100, 101, 95, 96), (96, 96, 96, 96)])
    strategy = AtBars({1: lambda s: s.create_order(PERP, BUY, LIMIT, Decimal(1), Decimal(98))})
    result = run(strategy, bars)
    (fill,) = result.fills
    assert fill.price == 98
    assert fill.is_maker
    assert fill.timestamp == T0 + MINUTE_MS + 2 * MINUTE_MS // 3  # the low is the third of four points


class Ticking(Recording):
    """Trades on the book and the trades, as a live program might."""

    def on_start(self) -> None:
        self.subscribe_bookl1(PERP)
        self.subscribe_trade(PERP)
        self.seen: list[tuple[int, Any]] = []

    def on_bookl1(self, bookl1: BookL1) -> None:
        self.seen.append((self.clock.timestamp_ms() - T0, bookl1))
        if len(self.seen) == 4:
            self.buy()

    def on_trade(self, trade: Trade) -> None:
        self.seen.append((self.clock.timestamp_ms() - T0, trade))


def test_a_program_of_book_and_trades_runs_on_bars() -> None:
    strategy = Ticking()
    result = run(strategy, bars_of([(100, 103, 99, 101)], volume=8.0))
    books = [(at, b.bid, b.ask, b.bid_size) for at, b in strategy.seen if isinstance(b, BookL1)]
    trades = [(at, t.price, t.side.value, t.size) for at, t in strategy.seen if isinstance(t, Trade)]
    assert books == [
        (0, 99.0, 100.0, 2.0),
        (20_000, 99.0, 100.0, 2.0),
        (40_000, 102.0, 103.0, 2.0),
        (59_999, 101.0, 102.0, 2.0),
    ]
    assert trades == [
        (0, 100.0, "BUY", 2.0),
        (20_000, 99.0, "SELL", 2.0),
        (40_000, 103.0, "BUY", 2.0),
        (59_999, 101.0, "SELL", 2.0),
    ]
    (fill,) = result.fills
    assert (fill.price, fill.timestamp - T0) == (Decimal(100), 20_000)  # at the very quote that called for it


def test_ticks_for_a_listener_change_nothing_for_the_orders() -> None:
    rng = np.random.default_rng(5)
    closes = (100 + rng.normal(0, 0.5, 300).cumsum()).round(1).tolist()
    plan = {n: (lambda s: s.buy("0.1")) if n % 2 else (lambda s: s.sell("0.1")) for n in range(10, 290, 7)}

    class Listening(AtBars):
        def on_start(self) -> None:
            super().on_start()
            self.subscribe_bookl1(PERP)

    quiet, walked = run(AtBars(plan), flat_bars(closes)), run(Listening(plan), flat_bars(closes))
    assert quiet.fills
    assert quiet.trace_hash == walked.trace_hash


def test_book_subscriptions_end() -> None:
    class Once(Ticking):
        def on_trade(self, trade: Trade) -> None:
            super().on_trade(trade)
            self.unsubscribe_trade(PERP)
            self.unsubscribe_bookl1(PERP)

    strategy = Once()
    run(strategy, flat_bars([100, 101, 102]))
    assert len(strategy.seen) == 1


# -- no look-ahead ---------------------------------------------------------------------------------------------

_steps = st.lists(
    st.tuples(st.integers(-20, 20), st.integers(0, 20), st.integers(0, 20)), min_size=1, max_size=40
)


@pytest.mark.slow
@given(_steps, st.integers(0, 39))
def test_nothing_later_than_now_reaches_a_strategy(steps: list[tuple[int, int, int]], asked: int) -> None:
    price, bars = 1_000.0, []
    for move, up, down in steps:
        close = price + move
        bars.append((price, max(price, close) + up, min(price, close) - down, close))
        price = close
    late: list[Any] = []

    class Suspicious(Ticking):
        def on_start(self) -> None:
            super().on_start()
            self.subscribe_kline(PERP, M1)
            self.subscribe_kline(PERP, M5)

        def check(self, datum: Any) -> None:
            now = self.clock.timestamp_ms()
            if datum.timestamp > now:
                late.append(datum)
            if (now - T0) // MINUTE_MS == asked:
                for interval in (M1, M5):
                    late.extend(k for k in self.request_klines(PERP, interval) if k.timestamp > now)
                    late.extend(
                        k for k in self.request_klines(PERP, interval, end_time=T0 * 2) if k.timestamp > now
                    )

        on_bookl1 = on_trade = on_kline = check  # type: ignore[assignment]  # all are checked alike

    Backtest(config(Suspicious()), bars_of(bars)).run()
    assert late == []


def test_the_points_of_a_bar_do_not_tell_its_direction_beforehand() -> None:
    sides = []
    for close in (90, 110):
        strategy = Ticking()
        run(strategy, bars_of([(100, 110, 90, close)]))
        sides.append(next(t.side for _, t in strategy.seen if isinstance(t, Trade)))
    assert sides[0] is sides[1]


# -- klines of other intervals, requests -----------------------------------------------------------------------


def test_longer_klines_are_made_of_the_bars_and_come_when_they_close() -> None:
    class Longer(Recording):
        def on_start(self) -> None:
            self.subscribe_kline(PERP, M5)

        def on_kline(self, kline: Kline) -> None:
            super().on_kline(kline)
            self.note(kline.interval.value)

    strategy = Longer()
    rows = [(100 + n, 101 + n, 99 + n, 100.5 + n) for n in range(12)]
    run(strategy, bars_of(rows))
    assert strategy.heard == [("5m", 5 * MINUTE_MS), ("5m", 10 * MINUTE_MS)]
    first = strategy.klines[0]
    assert (first.open, first.high, first.low, first.close, first.volume) == (
        100.0,
        105.0,
        99.0,
        104.5,
        200.0,
    )
    assert (first.start, first.timestamp) == (T0, T0 + 5 * MINUTE_MS)


def test_shorter_klines_than_the_data_are_refused_by_name() -> None:
    class Finer(Recording):
        def on_start(self) -> None:
            try:
                self.subscribe_kline(PERP, KlineInterval.SECOND_1)
            except Exception as error:
                self.note(str(error))

    strategy = Finer()
    run(strategy, flat_bars([100, 101]))
    assert "1s klines cannot be made of the 1m bars" in strategy.heard[0][0]


def test_requests_reach_back_before_the_run_and_never_past_now() -> None:
    answers: list[list[float]] = []

    class Asking(Recording):
        def on_start(self) -> None:
            super().on_start()
            self.ask()

        def ask(self) -> None:
            answers.append([k.close for k in self.request_klines(PERP, M1, limit=3)])

        def on_kline(self, kline: Kline) -> None:
            self.ask()

    bars = flat_bars([float(n) for n in range(100, 110)])
    run(Asking(), bars, start=T0 + 5 * MINUTE_MS, end=T0 + 7 * MINUTE_MS)
    assert answers == [[102, 103, 104], [103, 104, 105], [104, 105, 106]]


def test_requested_ranges_are_of_opening_times() -> None:
    answers: list[list[float]] = []

    def ask(strategy: Any) -> None:
        for more in (
            {"start_time": T0 + 2 * MINUTE_MS, "end_time": T0 + 3 * MINUTE_MS},
            {"limit": 1, "end_time": T0 + 3 * MINUTE_MS},
            {"start_time": T0 + 7 * MINUTE_MS},
        ):
            answers.append([k.close for k in strategy.request_klines(PERP, M1, **more)])  # noqa: PERF401

    run(AtBars({9: ask}), flat_bars([float(n) for n in range(100, 110)]))
    assert answers == [[102, 103], [103], [107, 108]]


def test_a_ticker_is_the_last_close() -> None:
    seen: list[float] = []
    run(AtBars({2: lambda s: seen.append(s.request_ticker(PERP).last_price)}), flat_bars([100, 101, 102]))
    assert seen == [101.0]


def test_orders_can_be_asked_for() -> None:
    seen: list[Any] = []

    def place(strategy: Any) -> None:
        strategy.oid = strategy.create_order(PERP, BUY, LIMIT, Decimal(1), Decimal(50))

    def ask(strategy: Any) -> None:
        order = strategy.fetch_order(PERP, strategy.oid, force_refresh=True)
        seen.append((order.status.value, [o.oid for o in strategy.fetch_open_orders(PERP)] == [strategy.oid]))
        seen.append(strategy.fetch_order(PERP, "stranger"))

    run(AtBars({1: place, 2: ask}), flat_bars([100, 101, 102]))
    assert seen == [("ACCEPTED", True), None]


def test_a_symbol_without_data_is_refused_by_name() -> None:
    class Elsewhere(Recording):
        def on_start(self) -> None:
            super().on_start()
            self.subscribe_bookl1("ETHUSDT-PERP.BINANCE")

    result = run(Elsewhere(), flat_bars([100, 101]))
    assert result.user_errors == 1
    assert result.bars == 2


# -- timers, jobs and coroutines -------------------------------------------------------------------------------


def test_timers_and_jobs_run_on_virtual_time() -> None:
    class Timed(Recording):
        def on_start(self) -> None:
            self.schedule(lambda: self.note("job"), "interval", seconds=90)
            self.clock.set_timer("t", timedelta(minutes=2), callback=lambda event: self.note("timer"))

    strategy = Timed()
    run(strategy, flat_bars([100, 101, 102, 103]))
    assert strategy.heard == [("job", 90_000), ("timer", 120_000), ("job", 180_000), ("timer", 240_000)]


def test_a_job_within_a_bar_trades_at_the_price_of_its_time() -> None:
    class Timed(Recording):
        def on_start(self) -> None:
            self.schedule(self.buy, "date", run_date=self.clock.utc_now() + timedelta(seconds=45))

    result = run(Timed(), bars_of([(100, 110, 99, 105)]))
    (fill,) = result.fills
    assert (fill.price, fill.timestamp - T0) == (Decimal(110), 45_000)


def test_coroutines_sleep_and_time_out_without_a_second_passing() -> None:
    class Async(Recording):
        def on_start(self) -> None:
            self.schedule(self.work, "date", run_date=self.clock.utc_now() + timedelta(seconds=1))

        async def work(self) -> None:
            await asyncio.sleep(100)
            self.note("slept")
            try:
                async with asyncio.timeout(3600):
                    await asyncio.Event().wait()
            except TimeoutError:
                self.note("timed out")
            await asyncio.gather(asyncio.sleep(1), asyncio.sleep(2))
            self.note("gathered")

    strategy = Async()
    result = run(strategy, flat_bars([100.0] * 100))
    assert strategy.heard == [("slept", 101_000), ("timed out", 3_701_000), ("gathered", 3_703_000)]
    assert result.user_errors == 0


def test_tasks_that_wait_at_the_end_are_ended_in_order_of_birth() -> None:
    ended: list[int] = []

    async def wait(number: int) -> None:
        try:
            await asyncio.Event().wait()
        finally:
            ended.append(number)

    clock = VirtualClock(0)
    loop = VirtualLoop(clock, lambda _name, _error: None)
    with loop.running():
        for number in range(100):
            loop.spawn(wait(number), "the same name")
        clock.run_soon()
        loop.cancel_all()
    assert ended == list(range(100))


def test_threads_and_networks_are_refused_with_a_reason(capsys: pytest.CaptureFixture[str]) -> None:
    class Outside(Recording):
        def on_start(self) -> None:
            self.schedule(self.work, "date", run_date=self.clock.utc_now() + timedelta(seconds=1))

        async def work(self) -> None:
            await asyncio.get_running_loop().run_in_executor(None, print)

    result = run(Outside(), flat_bars([100, 101]))
    assert result.user_errors == 1
    assert "a backtest has no threads" in capsys.readouterr().out


def test_errors_of_callbacks_are_counted_and_the_run_goes_on(capsys: pytest.CaptureFixture[str]) -> None:
    class Broken(Recording):
        def on_kline(self, kline: Kline) -> None:
            super().on_kline(kline)
            raise ZeroDivisionError("always")

    strategy = Broken()
    result = run(strategy, flat_bars([100.0] * 50))
    assert (result.user_errors, len(strategy.klines)) == (50, 50)
    assert capsys.readouterr().out.count("ZeroDivisionError: always") == 10  # told, but not with every bar
    assert "50 exceptions" in result.render()


# -- the end ---------------------------------------------------------------------------------------------------


def test_a_strategy_may_end_the_run() -> None:
    result = run(AtBars({2: lambda s: s.stop()}), flat_bars([100, 101, 102, 103]))
    assert (result.bars, result.end_ms) == (2, T0 + 2 * MINUTE_MS)


@pytest.mark.parametrize("exits", [True, False])
def test_open_orders_are_cancelled_at_the_end_as_the_config_says(exits: bool) -> None:
    strategy = AtBars({1: lambda s: s.create_order(PERP, BUY, LIMIT, Decimal(1), Decimal(50))})
    Backtest(config(strategy, exit_after_cancel=exits), flat_bars([100, 101])).run()
    assert ("canceled" in [what for what, _ in strategy.orders]) is exits


def test_orders_of_the_last_close_are_carried_out_before_the_end() -> None:
    class Late(AtBars):
        def on_stop(self) -> None:
            self.note(f"stop with {[what for what, _ in self.orders]}")

    strategy = Late({2: lambda s: s.buy()})
    run(strategy, flat_bars([100, 101]))
    assert strategy.heard[-1][0] == "stop with ['pending', 'accepted', 'filled']"


def test_on_stop_is_called_once() -> None:
    class Stopping(Recording):
        def on_stop(self) -> None:
            self.note("stop")

    strategy = Stopping()
    run(strategy, flat_bars([100, 101]))
    assert [what for what, _ in strategy.heard] == ["start", "stop"]


# -- the same code as live -------------------------------------------------------------------------------------


def test_orders_go_through_the_live_engines_own_parts() -> None:
    bars = {PERP: flat_bars([100, 101])}
    backtest = Backtest(config(Recording()), bars)
    world = World(
        backtest._config, backtest._sources, backtest._instruments, backtest._accounts.settings, seed=0
    )
    assert type(world.core.ems) is ExecutionManager
    assert type(world.core.oms) is OrderManager
    world.loop.close()


def test_two_symbols_are_played_together_and_trade_at_prices_of_one_time() -> None:
    other = "ETHUSDT-PERP.BINANCE"

    class Pair(Recording):
        def on_start(self) -> None:
            self.subscribe_kline([PERP, other], M1)

        def on_kline(self, kline: Kline) -> None:
            super().on_kline(kline)
            if kline.symbol == PERP and len(self.klines) == 3:
                self.create_order(other, BUY, MARKET, Decimal(1))

    strategy = Pair()
    result = run(strategy, {PERP: flat_bars([100, 101, 102]), other: flat_bars([10, 20, 30], symbol=other)})
    assert [(k.symbol, k.timestamp - T0) for k in strategy.klines] == [
        (symbol, n * MINUTE_MS) for n in (1, 2, 3) for symbol in (PERP, other)
    ]
    (fill,) = result.fills
    assert fill.price == 20  # what closed at the same moment, though it was told later


def test_gaps_between_bars_are_passed_over() -> None:
    start = T0 + MINUTE_MS * np.array([0, 1, 7, 8])
    prices = np.array([100.0, 101.0, 102.0, 103.0])
    table = dict.fromkeys(("open", "high", "low", "close", "volume"), prices)
    strategy = AtBars({3: lambda s: s.note("after the gap")})
    result = run(strategy, build_bars({"start": start, **table}, PERP, "the test"))
    assert strategy.heard[-1] == ("after the gap", 8 * MINUTE_MS)
    assert any("1 gaps with 5 bars missing" in text for text in result.assumptions)


def test_subscriptions_without_data_are_named_in_the_result() -> None:
    class Wishful(Recording):
        def on_start(self) -> None:
            super().on_start()
            self.subscribe_funding_rate(PERP)

    result = run(Wishful(), flat_bars([100, 101]))
    assert result.user_errors == 0
    assert any(DataType.FUNDING_RATE.value in text for text in result.assumptions)
