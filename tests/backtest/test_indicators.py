"""Indicators in a backtest: what they say at each bar, and where history ends and the run begins."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
from backtest_setup import M1, MINUTE_MS, PERP, SPOT, T0, Recording, flat_bars, run

from indicators import Ema, Sma
from nexustrader.backtest import Backtest
from nexustrader.cli.load import load_program
from nexustrader.constants import DataType, KlineInterval
from nexustrader.error import KlineSupportedError, StrategyBuildError
from nexustrader.indicator import Indicator
from nexustrader.schema import BookL1, Kline, Trade
from nexustrader.sim.latency import Latency

CLOSES = [100.0, 101.0, 103.0, 102.0, 104.0, 108.0, 107.0, 109.0, 112.0, 110.0]
DATA = flat_bars(CLOSES)
START = T0 + 4 * MINUTE_MS  # four bars lie before it


class Using(Recording):
    """Registers what it is given and writes down at each bar what it says."""

    def __init__(self, indicator: Any, symbols: Any = PERP, kind: DataType = DataType.KLINE) -> None:
        super().__init__()
        self.mine = indicator
        self.wanted = symbols
        self.kind = kind
        self.seen: list[tuple[int, Any]] = []
        self.at_start: Any = None

    def on_start(self) -> None:
        self.subscribe_kline(self.wanted, M1)
        self.register_indicator(self.wanted, self.mine, self.kind)
        self.at_start = self.mine.value

    def on_kline(self, kline: Kline) -> None:
        self.klines.append(kline)
        self.seen.append((kline.start, self.indicator.sma[kline.symbol].value))


def starts_of(first: int, last: int) -> list[int]:
    return [T0 + MINUTE_MS * number for number in range(first, last + 1)]


def test_the_value_at_each_bar_is_that_of_the_bars_up_to_it() -> None:
    strategy = Using(Sma(3))
    run(strategy, DATA, start=START)
    assert strategy.at_start == (101 + 103 + 102) / 3
    means = [sum(CLOSES[n - 2 : n + 1]) / 3 for n in range(4, 10)]
    assert strategy.seen == list(zip(starts_of(4, 9), means, strict=True))


def test_the_warm_up_ends_where_the_run_begins_with_no_bar_twice_and_none_left_out() -> None:
    ema = Ema(4)
    strategy = Using(ema)
    strategy.on_kline = lambda _: None  # type: ignore[method-assign]
    run(strategy, DATA, start=START)
    assert ema.starts == starts_of(0, 9)
    assert ema.is_warmed_up
    mean = CLOSES[0]
    for close in CLOSES:
        mean += 0.4 * (close - mean)
    assert ema.value == mean


def test_history_that_is_too_short_is_made_up_for_by_the_bars_of_the_run() -> None:
    class Watching(Using):
        def on_kline(self, kline: Kline) -> None:
            self.seen.append((kline.start, self.mine.is_warmed_up))

    strategy = Watching(Ema(6))
    run(strategy, DATA, start=START)
    assert strategy.mine.starts == starts_of(0, 9)
    assert [done for _, done in strategy.seen] == [False, True, True, True, True, True]


def test_an_indicator_that_is_registered_at_a_bar_has_that_bar_and_the_next_one() -> None:
    class Late(Recording):
        ema = Ema(2)

        def on_kline(self, kline: Kline) -> None:
            super().on_kline(kline)
            if len(self.klines) == 3:
                self.register_indicator(PERP, self.ema, DataType.KLINE)
                self.note(str(len(self.ema.starts)))

    strategy = Late()
    run(strategy, DATA)
    assert strategy.heard[1][0] == "2"
    assert strategy.ema.starts == starts_of(1, 9)


@pytest.mark.parametrize("order", [(PERP, SPOT), (SPOT, PERP)])
def test_nor_does_the_order_of_symbols_that_close_together_matter(order: tuple[str, str]) -> None:
    first, second = order

    class Late(Recording):
        ema = Ema(2)

        def on_start(self) -> None:
            self.subscribe_kline([PERP, SPOT], M1)

        def on_kline(self, kline: Kline) -> None:
            super().on_kline(kline)
            if kline.symbol == first and kline.start == T0 + 3 * MINUTE_MS:
                self.register_indicator(second, self.ema, DataType.KLINE)

    strategy = Late()
    run(strategy, {PERP: DATA, SPOT: flat_bars(CLOSES, SPOT)})
    assert strategy.ema.starts == starts_of(2, 9)


def test_longer_intervals_are_warmed_up_with_whole_bars_only() -> None:
    class Every(Recording):
        ema = Ema(1, KlineInterval.MINUTE_3)

        def on_start(self) -> None:
            self.register_indicator(PERP, self.ema, DataType.KLINE)
            self.note(str(self.ema.value))

    strategy = Every()
    run(strategy, DATA, start=START)
    assert strategy.heard == [("103.0", 4 * MINUTE_MS)]  # of the bars 0 to 2: the next one has not closed
    assert strategy.ema.starts == [T0 + n * MINUTE_MS for n in (0, 3, 6)]


def test_late_news_is_given_once_too() -> None:
    ema = Ema(2)

    class Late(Recording):
        def on_kline(self, kline: Kline) -> None:
            super().on_kline(kline)
            if len(self.klines) == 2:
                self.register_indicator(PERP, ema, DataType.KLINE)

    run(Late(), DATA, latency=Latency(feed=60_000))
    assert ema.starts == starts_of(1, 8)  # the news of the last bar comes after the end


def test_a_gap_in_the_data_stays_a_gap_and_costs_no_bar() -> None:
    ema = Ema(2)
    strategy = Using(ema)
    seen: list[tuple[int, int]] = []
    strategy.on_kline = lambda kline: seen.append((kline.start, ema.starts[-1]))  # type: ignore[method-assign]
    kept = [kline for kline in DATA.klines() if kline.start not in starts_of(6, 7)]
    run(strategy, kept, start=START)
    assert ema.starts == starts_of(0, 5)[2:] + starts_of(8, 9)
    assert all(bar == fed for bar, fed in seen)


def test_it_is_the_users_object_for_one_symbol_and_a_copy_each_for_several() -> None:
    one = Using(Sma(2))
    run(one, DATA)
    assert one.indicator.sma[PERP] is one.mine
    several = Using(Sma(2), [PERP, SPOT])
    rising = flat_bars([close * 2 for close in CLOSES], SPOT)
    run(several, {PERP: DATA, SPOT: rising})
    sma = several.indicator.sma
    assert sma.symbols() == [PERP, SPOT]
    assert (sma[PERP].value, sma[SPOT].value, several.mine.value) == (111.0, 222.0, None)


def test_one_object_registered_for_symbol_after_symbol_is_not_mixed_up() -> None:
    class Loop(Using):
        def on_start(self) -> None:
            for symbol in (PERP, SPOT):
                self.register_indicator(symbol, self.mine, DataType.KLINE)
            self.register_indicator(SPOT, self.mine, DataType.KLINE)

    strategy = Loop(Sma(2))
    run(strategy, {PERP: DATA, SPOT: flat_bars([c * 2 for c in CLOSES], SPOT)}, start=START)
    assert strategy.indicator.sma[PERP] is strategy.mine
    assert strategy.indicator.sma[SPOT].value == 2 * strategy.mine.value == 222.0


class Careless(Indicator):
    """Calls no super().__init__ and sets its value."""

    def __init__(self) -> None:
        self.value = 0  # type: ignore[misc]

    def handle_bookl1(self, bookl1: BookL1) -> None:
        self.value += 1  # type: ignore[misc]

    def handle_trade(self, trade: Trade) -> None:
        self.value += 100  # type: ignore[misc]


def test_a_subclass_without_super_init_that_sets_its_value() -> None:
    class Both(Recording):
        mine = Careless()

        def on_start(self) -> None:
            self.register_indicator(PERP, self.mine, DataType.BOOKL1)
            self.register_indicator(PERP, self.mine, DataType.TRADE)

    strategy = Both()
    run(strategy, DATA)
    assert strategy.mine.value == 10 * 4 * 101
    assert strategy.indicator.Careless[PERP] is strategy.mine


class Raising(Sma):
    def handle_kline(self, kline: Kline) -> None:
        raise ZeroDivisionError


def test_one_that_raises_is_a_user_error_and_costs_no_other() -> None:
    class Two(Using):
        def on_start(self) -> None:
            self.register_indicator(PERP, Raising(3, name="bad"), DataType.KLINE)
            super().on_start()

    strategy = Two(Sma(3))
    result = run(strategy, DATA, start=START)
    assert strategy.seen[-1][1] == sum(CLOSES[-3:]) / 3
    assert result.user_errors == 3 + 6


def test_waiting_returns_at_once_and_says_whether_it_was_any_use() -> None:
    class Waiting(Recording):
        def on_start(self) -> None:
            self.register_indicator(PERP, Sma(3), DataType.KLINE)
            self.note(f"{self.wait_for_warmup(5)} {self.get_warmup_status()}")
            self.register_indicator(PERP, Sma(9, name="longer"), DataType.KLINE)
            self.note(f"{self.wait_for_warmup(5)} {self.get_warmup_status()}")

    strategy = Waiting()
    run(strategy, DATA, start=START)
    told = [what for what, _ in strategy.heard]
    assert told == [f"True {{'{PERP}': True}}", f"False {{'{PERP}': False}}"]


def test_a_reset_warms_up_anew() -> None:
    class Resetting(Using):
        def on_kline(self, kline: Kline) -> None:
            if kline.start == T0 + 7 * MINUTE_MS:
                self.mine.starts.clear()
                self.mine.reset_warmup()
                self.note(str(self.mine.is_warmed_up))
                self.note(f"{self.wait_for_warmup()} {len(self.mine.starts)}")

    strategy = Resetting(Ema(3))
    run(strategy, DATA, start=START)
    assert [what for what, _ in strategy.heard] == ["False", "True 3"]
    assert strategy.mine.starts == starts_of(5, 9)


def test_what_cannot_be_fed_is_refused_when_it_is_registered() -> None:
    class Asking(Recording):
        def on_start(self) -> None:
            with pytest.raises(KlineSupportedError):
                self.register_indicator(PERP, Sma(3, KlineInterval.SECOND_1), DataType.KLINE)
            self.note(str(self.get_warmup_status()))

    strategy = Asking()
    result = run(strategy, DATA)
    assert result.user_errors == 0
    assert strategy.heard == [("{}", 0)]
    with pytest.raises(StrategyBuildError, match="does not belong to an engine"):
        Asking().get_warmup_status()


def test_registered_in_the_constructor_it_is_fed_from_the_start() -> None:
    class Early(Using):
        def __init__(self) -> None:
            super().__init__(Sma(3))
            self.register_indicator(PERP, self.mine, DataType.KLINE)

        def on_start(self) -> None:
            self.at_start = self.mine.value

    strategy = Early()
    run(strategy, DATA, start=START)
    assert strategy.at_start == 102.0
    assert len(strategy.seen) == 6


PAGE = Path(__file__).parents[2] / "docs" / "indicators.md"


def test_the_example_of_the_documentation_runs(tmp_path: Path) -> None:
    program = tmp_path / "trend.py"
    program.write_text(PAGE.read_text().split("```python\n")[1].split("```")[0])
    example = load_program(program)
    rising = flat_bars([100.0 + number for number in range(100)])
    result = Backtest(example, rising, start=T0 + 90 * MINUTE_MS).run()
    assert result.user_errors == 0
    assert example.strategy.seen == ["up"] * 10
