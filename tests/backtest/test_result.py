"""Money and figures of a backtest, its assumptions, and what it refuses to begin with."""

from __future__ import annotations

import json
from collections.abc import Callable
from decimal import Decimal
from typing import Any

import numpy as np
import pytest
from backtest_setup import (
    BUY,
    INVERSE,
    MARKET,
    MINUTE_MS,
    PERP,
    SELL,
    SPOT,
    T0,
    AtBars,
    Recording,
    bars_of,
    config,
    flat_bars,
    real,
    run,
)
from hypothesis import given
from hypothesis import strategies as st

from nexustrader.backtest import Backtest, BacktestEngine, Fees
from nexustrader.backtest.assumptions import RULES
from nexustrader.backtest.instruments import default_instrument, finest_step, shown_by
from nexustrader.backtest.result import EquityCurve
from nexustrader.config import MockConnectorConfig, PrivateConnectorConfig
from nexustrader.constants import ExchangeType, InstrumentType, KlineInterval
from nexustrader.data.bars import build_bars
from nexustrader.domain.instrument import Instrument
from nexustrader.error import DataError, NexusTraderError, OrderError, StrategyBuildError
from nexustrader.exchange import BinanceAccountType, OkxAccountType
from nexustrader.schema import Kline


def test_money_adds_up_to_the_last_cent() -> None:
    plan = {1: lambda s: s.buy("2"), 3: lambda s: s.sell("1"), 4: lambda s: s.sell("3")}
    result = run(AtBars(plan), flat_bars([100.0, 110.0, 120.0, 90.0, 80.0]))
    # Buyers lead to a close above: it stands on the ask, and selling takes the tick below. Sellers lead to 90.
    assert [(f.price, f.amount) for f in result.fills] == [(100, 2), (119, 1), (90, 3)]
    assert result.realized_pnl == (119 - 100) + (90 - 100)
    fees = (200 + 119 + 270) * Decimal("0.0005")
    assert result.fees == {"USDT": fees}
    assert result.balances["binance:LINEAR_MOCK"]["USDT"] == 10_000 + result.realized_pnl - fees
    position = result.position(PERP)
    assert position is not None
    assert (position.signed_amount, position.entry_price, position.is_short) == (Decimal(-2), 90.0, True)
    assert result.final_equity == pytest.approx(float(10_000 + result.realized_pnl - fees + 2 * (90 - 80)))
    assert result.initial_equity == 10_000.0
    assert result.total_return == pytest.approx(result.final_equity / 10_000 - 1)


def test_a_trade_is_closed_when_its_position_is_flat_or_turns() -> None:
    plan = {
        1: lambda s: s.buy("1"),
        2: lambda s: s.sell("2"),  # turns with a gain
        3: lambda s: s.buy("0.5"),  # part of a loss
        4: lambda s: s.buy("0.5"),
    }
    result = run(AtBars(plan), flat_bars([100.0, 110.0, 120.0, 130.0, 130.0]))
    assert (result.trades, result.wins, result.win_rate) == (2, 1, 0.5)
    assert result.position(PERP) is None


def test_fees_decide_whether_a_trade_won() -> None:
    plan = {1: lambda s: s.buy(), 2: lambda s: s.sell()}
    bars = flat_bars([100.0, 102.0, 102.0])
    assert run(AtBars(plan), bars, fees=0).wins == 1
    assert run(AtBars(plan), bars, fees="0.01").wins == 0


def test_without_trades_there_is_no_win_rate_and_no_drawdown() -> None:
    result = run(Recording(), flat_bars([100.0, 90.0]))
    assert (result.win_rate, result.max_drawdown, result.fills, result.orders) == (None, 0.0, [], [])
    assert "Win rate         -" in result.render()


def test_drawdown_is_the_deepest_fall_from_a_height() -> None:
    times = np.arange(6)
    assert EquityCurve(times, np.array([100.0, 120, 90, 130, 117, 131])).max_drawdown == pytest.approx(0.25)
    assert EquityCurve(times, np.zeros(6)).max_drawdown == 0.0


def test_the_equity_curve_follows_every_close() -> None:
    result = run(AtBars({1: lambda s: s.buy("10")}), flat_bars([100.0, 110.0, 105.0]), fees=0)
    assert result.equity.values.tolist() == [10_000, 10_000, 10_100, 10_050]
    assert (result.equity.times - T0).tolist() == [0, MINUTE_MS, 2 * MINUTE_MS, 3 * MINUTE_MS]


@pytest.mark.slow
@given(
    st.lists(
        st.tuples(st.sampled_from(["buy", "sell", "none"]), st.integers(-30, 30)), min_size=2, max_size=25
    )
)
def test_the_curve_ends_where_the_account_does(steps: list[tuple[str, int]]) -> None:
    plan: dict[int, Callable[[Any], Any]] = {}
    price, closes = 1_000.0, []
    for place, (what, move) in enumerate(steps, start=1):
        price += move
        closes.append(price)
        if what != "none":
            plan[place] = lambda s, what=what: getattr(s, what)("0.25")
    result = run(AtBars(plan), flat_bars(closes))
    wallet = result.balances["binance:LINEAR_MOCK"]["USDT"]
    held = result.position(PERP)
    open_profit = 0.0 if held is None else float(held.signed_amount) * (closes[-1] - held.entry_price)
    assert result.final_equity == pytest.approx(float(wallet) + open_profit)
    assert wallet == 10_000 + result.realized_pnl - result.fees.get("USDT", Decimal(0))


def test_the_curve_ends_when_the_strategy_ends_the_run() -> None:
    strategy = AtBars({1: lambda s: s.buy(), 2: lambda s: s.stop()})
    result = run(strategy, flat_bars([100.0, 100.0, 900.0, 900.0]), fees=0)
    assert (result.equity.times - T0).tolist() == [0, MINUTE_MS, 2 * MINUTE_MS]
    assert result.final_equity == result.initial_equity


def test_the_curve_ends_with_what_was_under_way_at_the_end() -> None:
    result = run(AtBars({2: lambda s: s.buy()}), flat_bars([100.0, 100.0]), latency_ms=50, fees="0.01")
    assert result.fees == {"USDT": Decimal(1)}
    assert result.final_equity == 9_999


# -- kinds of accounts -----------------------------------------------------------------------------------------


class Spot(AtBars):
    def on_start(self) -> None:
        self.subscribe_kline(SPOT, KlineInterval.MINUTE_1)


def test_spot_is_valued_with_what_it_holds() -> None:
    plan = {
        1: lambda s: s.create_order(SPOT, BUY, MARKET, Decimal(2)),
        3: lambda s: s.create_order(SPOT, SELL, MARKET, Decimal(1)),
    }
    bars = flat_bars([100.0, 110.0, 120.0, 120.0], symbol=SPOT)
    result = run(Spot(plan), bars, real(BinanceAccountType.SPOT), balances={"USDT": 1_000}, fees=0)
    assert result.balances["binance:SPOT"] == {"BTC": Decimal(1), "USDT": Decimal(1_000 - 200 + 119)}
    assert result.equity.values.tolist() == [
        1000,
        1000,
        1020,
        1039,
        1039,
    ]  # sold on the bid, a tick below the close
    assert result.realized_pnl == 19
    assert result.position(SPOT) is None


def test_inverse_contracts_are_reckoned_in_base() -> None:
    class Inverse(AtBars):
        def on_start(self) -> None:
            self.subscribe_kline(INVERSE, KlineInterval.MINUTE_1)

    plan = {1: lambda s: s.create_order(INVERSE, BUY, MARKET, Decimal(10))}
    bars = flat_bars([10_000.0, 20_000.0], symbol=INVERSE)
    result = run(Inverse(plan), bars, real(BinanceAccountType.COIN_M_FUTURE), fees=0)
    assert result.currency == "BTC"
    assert result.equity.values.tolist() == [1.0, 1.0, 1.05]


@pytest.mark.parametrize(("bought", "sold"), [("1", "0.999"), ("0.123", "0.122")])
def test_spot_that_is_sold_again_is_a_closed_trade_though_its_fee_was_taken_of_it(
    bought: str, sold: str
) -> None:
    class RoundTrips(Recording):
        def on_start(self) -> None:
            self.subscribe_kline(SPOT, KlineInterval.MINUTE_1)

        def on_kline(self, kline: Kline) -> None:
            super().on_kline(kline)
            side, amount = (BUY, bought) if len(self.klines) % 2 else (SELL, sold)
            self.create_order(SPOT, side, MARKET, Decimal(amount))

    mock = MockConnectorConfig({"USDT": 100_000}, BinanceAccountType.SPOT_MOCK)
    result = run(RoundTrips(), flat_bars([100.0, 110.0] * 10, symbol=SPOT), mock, fees=Decimal("0.001"))
    assert (result.trades, result.wins) == (10, 10)
    if bought == "1":
        earned = result.balances["binance:SPOT_MOCK"]["USDT"] - 100_000
        assert sum(trade.profit for trade in result.closed_trades) == earned


def test_the_average_price_of_an_inverse_trade_is_harmonic() -> None:
    class Inverse(AtBars):
        def on_start(self) -> None:
            self.subscribe_kline(INVERSE, KlineInterval.MINUTE_1)

    buy = lambda s: s.create_order(INVERSE, BUY, MARKET, Decimal(10))  # noqa: E731
    sell = lambda s: s.create_order(INVERSE, SELL, MARKET, Decimal(20))  # noqa: E731
    bars = flat_bars([10_000.0, 40_000.0, 20_000.0, 20_000.0], symbol=INVERSE)
    result = run(Inverse({1: buy, 2: buy, 3: sell}), bars, real(BinanceAccountType.COIN_M_FUTURE), fees=0)
    (trade,) = result.closed_trades
    first, second = (fill.price for fill in result.fills[:2])
    assert trade.entry_price == 20 / (10 / first + 10 / second)
    assert abs(trade.entry_price - 16_000) < 1
    assert 19_999 < trade.exit_price < 20_000  # a part of it a tick lower
    size = trade.amount * 100  # in USD
    assert abs(trade.profit - size * (1 / trade.entry_price - 1 / trade.exit_price)) < Decimal("1e-7")


def test_what_has_no_price_is_left_out_of_the_equity_and_named() -> None:
    bars = flat_bars([100.0, 101.0])
    result = run(Recording(), bars, real(BinanceAccountType.USD_M_FUTURE), balances={"USDT": 5, "BNB": 3})
    assert result.final_equity == 5.0
    assert any(text.startswith("BNB is held and left out") for text in result.assumptions)


def test_real_connectors_become_simulated_accounts_with_stated_defaults() -> None:
    result = run(
        AtBars({1: lambda s: s.buy()}), flat_bars([100.0, 101.0]), real(BinanceAccountType.USD_M_FUTURE)
    )
    assert result.balances["binance:USD_M_FUTURE"]["USDT"] == 10_000 - Decimal("0.05")
    text = "\n".join(result.assumptions)
    assert "No balance was given for binance:USD_M_FUTURE: it begins with 10000 USDT" in text
    assert "Fees of binance:USD_M_FUTURE: those of the instrument" in text
    assert "at leverage 20" in text


def test_a_unified_account_of_another_venue_trades_everything() -> None:
    symbols = ("BTCUSDT-PERP.OKX", "BTCUSDT.OKX")

    class Both(Recording):
        def on_start(self) -> None:
            self.subscribe_kline(list(symbols), KlineInterval.MINUTE_1)

        def on_kline(self, kline: Kline) -> None:
            if len(self.orders) < 3:
                self.create_order(kline.symbol, BUY, MARKET, Decimal(1))

    setup = config(Both())
    setup.private_conn_config = {ExchangeType.OKX: [PrivateConnectorConfig(OkxAccountType.LIVE)]}
    result = Backtest(setup, {s: flat_bars([100.0, 101.0], symbol=s) for s in symbols}).run()
    assert {fill.symbol for fill in result.fills} == set(symbols)
    assert list(result.balances) == ["okx:live"]


def test_what_the_caller_says_goes_before_the_connectors() -> None:
    mock = MockConnectorConfig({"USDT": 1}, BinanceAccountType.LINEAR_MOCK, fee_rate=0.5, leverage=1)
    result = run(
        AtBars({1: lambda s: s.buy("3")}),
        flat_bars([100.0, 101.0]),
        mock,
        balances={"USDT": "100"},
        fees=Fees(Decimal(0), Decimal("0.01")),
        leverage=3,
    )
    assert result.fees == {"USDT": Decimal(3)}
    assert any("maker 0, taker 0.01 of the value" in text for text in result.assumptions)


def test_a_refused_order_is_told_and_shown_with_its_reason() -> None:
    strategy = AtBars({1: lambda s: s.buy("5000")})
    result = run(strategy, flat_bars([100.0, 101.0]))
    assert strategy.orders[0][0].startswith("failed: insufficient USDT")
    assert "Refused" in result.render()
    assert list(result.refusals().values()) == [1]


# -- assumptions -----------------------------------------------------------------------------------------------


def test_every_rule_that_always_applies_is_in_every_result() -> None:
    result = run(Recording(), flat_bars([100.0, 101.0]))
    for rule in RULES:
        if isinstance(rule.says, str):
            assert rule.says in result.assumptions
    text = result.render()
    assert all(sentence in text for sentence in result.assumptions)
    assert len(set(result.assumptions)) == len(result.assumptions)


@pytest.mark.parametrize(
    ("settings", "says"),
    [
        ({"latency_ms": 0}, "reaches the venue at once"),
        ({"latency_ms": 7}, "7 ms after it is given"),
        ({"ticks_behind_touch": 5}, "fills the rest 5 tick(s) behind it"),
        ({}, "tick 1 and lot 0.001 are read off the data"),
        ({}, "is assumed, not recorded: longs pay 0.0001 of the value at the last price each 8 h"),
        ({}, "at the price at which the wallet is used up"),
    ],
)
def test_a_setting_is_stated(settings: dict[str, Any], says: str) -> None:
    assert any(says in text for text in run(Recording(), flat_bars([100.0, 101.0]), **settings).assumptions)


def test_prices_off_the_tick_of_a_given_instrument_are_counted() -> None:
    described = default_instrument(PERP, shown_by(flat_bars([100.0, 101.0])))
    result = run(
        Recording(),
        bars_of([(100, 100, 100, 100), (100.4, 100.4, 100.4, 100.4)]),
        instruments={PERP: described},
    )
    assert any("1 bars of" in text and "no multiples of its tick" in text for text in result.assumptions)
    assert not any("was not described" in text for text in result.assumptions)


@pytest.mark.parametrize(
    ("values", "step"),
    [
        ([100.0, 25.0], "1"),
        ([100.5, 3.0], "0.1"),
        ([35.92724, 0.1], "0.00001"),
        ([1e-8, 3e-8], "1E-8"),
        ([0.0], "1"),
    ],
)
def test_steps_are_read_off_values(values: list[float], step: str) -> None:
    assert finest_step(np.array(values)) == Decimal(step)


@pytest.mark.parametrize(
    ("symbol", "kind", "parts"),
    [
        ("BTCUSDT.BINANCE", InstrumentType.SPOT, ("BTC", "USDT", "USDT")),
        ("ETHUSDC-PERP.BYBIT", InstrumentType.LINEAR, ("ETH", "USDC", "USDC")),
        ("BTCUSD-PERP.BINANCE", InstrumentType.INVERSE, ("BTC", "USD", "BTC")),
        ("BTCUSDT-250926.BINANCE", InstrumentType.LINEAR, ("BTC", "USDT", "USDT")),
    ],
)
def test_a_default_instrument_is_what_the_symbol_says(
    symbol: str, kind: InstrumentType, parts: tuple[str, str, str]
) -> None:
    found: Instrument = default_instrument(symbol, shown_by(flat_bars([100.0, 101.0], symbol=symbol)))
    assert (found.type, (found.base, found.quote, found.settle)) == (kind, parts)


# -- what cannot begin -----------------------------------------------------------------------------------------


def test_unusable_inputs_are_refused_with_the_remedy() -> None:
    bars = flat_bars([100.0, 101.0])
    prices = dict.fromkeys(("open", "high", "low", "close"), np.array([1.0, 1.0]))
    hour = build_bars({"start": np.array([T0, T0 + 3_600_000]), **prices}, SPOT, "the test")
    for data, more, says in (
        ("file.csv", {}, "pass symbol="),
        ({PERP: 5}, {}, "give paths"),
        ({PERP: bars, SPOT: hour}, {}, "bars of one interval, these have 1h, 1m"),
        ({PERP: bars}, {"start": "2030-01-01"}, "there is no bar between 2030-01-01 and the last"),
        ({SPOT: list(bars.klines())}, {}, f"the klines given for {SPOT} are of {PERP}"),
    ):
        with pytest.raises(DataError, match=says):
            Backtest(config(Recording()), data, **more)
    with pytest.raises(OrderError, match="latency"):
        Backtest(config(Recording()), bars, latency_ms=-1)


def test_a_backtest_runs_once_and_so_does_a_strategy() -> None:
    bars = flat_bars([100.0, 101.0])
    setup = config(Recording())
    backtest = BacktestEngine(setup, bars)
    backtest.run()
    with pytest.raises(NexusTraderError, match="has run already"):
        backtest.run()
    with pytest.raises(StrategyBuildError, match="make a new instance"):
        Backtest(setup, bars).run()


def test_bars_of_one_symbol_in_several_parts_are_joined() -> None:
    whole = flat_bars([100.0, 101.0, 102.0, 103.0])
    middle = T0 + 2 * MINUTE_MS
    parts = [whole.between(None, middle), whole.between(middle, None)]
    assert Backtest(config(Recording()), parts).bars == 4


def test_data_may_come_in_any_form() -> None:
    bars = flat_bars([100.0, 101.0, 102.0])
    klines = list(bars.klines())
    for data, more in (
        (bars, {}),
        ([bars], {}),
        (klines, {}),
        ({PERP: klines}, {}),
        ({PERP: [bars.between(None, T0 + MINUTE_MS), bars.between(T0 + MINUTE_MS, None)]}, {}),
    ):
        assert Backtest(config(Recording()), data, **more).run().bars == 3


def test_a_run_may_be_a_part_of_the_data() -> None:
    bars = flat_bars([float(n) for n in range(100, 110)])
    for start, end in (
        (T0 + 2 * MINUTE_MS, T0 + 5 * MINUTE_MS),
        ("2024-01-01T00:02", "2024-01-01T00:05:00+00:00"),
    ):
        assert run(Recording(), bars, start=start, end=end).bars == 3


def test_the_result_is_json() -> None:
    result = run(AtBars({1: lambda s: s.buy()}), flat_bars([100.0, 101.0]))
    found = json.loads(json.dumps(result.as_dict()))
    assert found["fills"][0]["price"] == "100"
    assert found["orders"][0]["status"] == "FILLED"
    assert found["figures"]["final_equity"] == result.final_equity
    assert found["assumptions"] == list(result.assumptions)


def test_progress_is_told_up_to_the_end() -> None:
    told: list[int] = []
    backtest = Backtest(config(Recording()), flat_bars([100.0] * 9_000))
    backtest.run(told.append)
    assert told == [4096, 8192, 9000]
    assert backtest.bars == 9_000
