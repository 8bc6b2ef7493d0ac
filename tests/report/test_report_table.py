"""The table of figures: what each is of a small run that can be reckoned by hand, and that the document holds it."""

from __future__ import annotations

import dataclasses
import math
from decimal import Decimal
from pathlib import Path
from typing import Any

import msgspec
import numpy as np
import pytest
from report_setup import PERP, config

from nexustrader.backtest import Backtest, BacktestResult, Bars
from nexustrader.backtest.metrics_table import (
    GROUPS,
    MEASURES,
    measured,
    monthly_returns,
    sample_of,
    yearly_returns,
)
from nexustrader.config import MockConnectorConfig
from nexustrader.constants import ExchangeType, KlineInterval, OrderSide, OrderType, PositionSide
from nexustrader.data.bars import build_bars
from nexustrader.exchange import BinanceAccountType
from nexustrader.schema import Kline
from nexustrader.strategy import Strategy

DOCUMENT = Path(__file__).parents[2] / "docs/metrics.md"
NEW_YEARS_EVE = 1_703_980_800_000  # 2023-12-31
HOUR_MS = 3_600_000


def hours(closes: list[float], symbol: str = PERP) -> Bars:
    """Hours that go straight from one close to the next."""
    opens = [closes[0], *closes[:-1]]
    columns = {
        "start": NEW_YEARS_EVE + HOUR_MS * np.arange(len(closes)),
        "open": np.array(opens),
        "high": np.maximum(opens, closes),
        "low": np.minimum(opens, closes),
        "close": np.array(closes),
        "volume": np.full(len(closes), 1000.0),
    }
    return build_bars(columns, symbol, "the test", interval=KlineInterval.HOUR_1)


class Planned(Strategy):
    """Trades signed amounts at the n-th close."""

    def __init__(self, plan: dict[int, str], symbol: str = PERP) -> None:
        super().__init__()
        self.plan, self.symbol, self.closes = plan, symbol, 0

    def on_start(self) -> None:
        self.subscribe_kline(self.symbol, KlineInterval.HOUR_1)

    def on_kline(self, kline: Kline) -> None:
        self.closes += 1
        if self.closes in self.plan:
            amount = Decimal(self.plan[self.closes])
            side = OrderSide.BUY if amount > 0 else OrderSide.SELL
            self.create_order(self.symbol, side, OrderType.MARKET, abs(amount))


def planned(plan: dict[int, str], closes: list[float], **settings: Any) -> BacktestResult:
    return Backtest(config(Planned(plan), 1_000), hours(closes), **{"fees": "0.001"} | settings).run()


CLOSES = [100.0, 100.0, 110.0, 105.0] + [115.0] * 92  # four days


@pytest.fixture(scope="module")
def result() -> BacktestResult:
    """A long trade that wins, turned into a short one that loses; nothing is held when funding is paid."""
    return planned({1: "2", 3: "-3", 6: "1"}, CLOSES)


def test_trades_are_told_from_flat_to_flat(result: BacktestResult) -> None:
    long, short = result.closed_trades
    assert (long.side, short.side) == (PositionSide.LONG, PositionSide.SHORT)
    assert (long.opened_ms - NEW_YEARS_EVE, long.closed_ms - NEW_YEARS_EVE) == (1 * HOUR_MS, 3 * HOUR_MS)
    assert (long.amount, short.amount) == (2, 1)
    assert (short.opened_ms, short.closed_ms - NEW_YEARS_EVE) == (long.closed_ms, 6 * HOUR_MS)
    assert long.profit == 2 * (long.exit_price - long.entry_price) - long.fees
    assert short.profit == short.entry_price - short.exit_price - short.fees
    assert sum(t.fees for t in result.closed_trades) == result.fees["USDT"]
    assert float(sum(t.profit for t in result.closed_trades)) == pytest.approx(result.final_equity - 1_000)


def test_a_trade_of_several_fills_has_average_prices_and_its_largest_amount() -> None:
    plan = {1: "1", 2: "3", 3: "-3", 5: "1", 7: "-2"}
    (trade,) = planned(plan, [100, 120, 130, 130, 110, 110, 140, 140.0]).closed_trades
    assert trade.amount == 4
    assert trade.opened_ms == NEW_YEARS_EVE + HOUR_MS
    assert float(trade.entry_price) == pytest.approx((100 + 3 * 120 + 110) / 5, abs=1)
    assert float(trade.exit_price) == pytest.approx((3 * 130 + 2 * 140) / 5, abs=1)


def test_a_trade_begins_when_it_is_opened_and_not_when_the_last_one_ended() -> None:
    first, second = planned({1: "1", 2: "-1", 5: "1", 6: "-1"}, [100.0] * 7).closed_trades
    assert [(t.opened_ms - NEW_YEARS_EVE) // HOUR_MS for t in (first, second)] == [1, 5]


def test_exposure_has_the_sign_of_the_position_and_the_price_of_the_close(result: BacktestResult) -> None:
    at_close = {int(time - NEW_YEARS_EVE) // HOUR_MS: place for place, time in enumerate(result.equity.times)}
    net, gross = result.exposure.net, result.exposure.gross
    assert [net[at_close[hour]] for hour in (1, 3, 4, 5, 6)] == [200, -110, -105, -115, 0]
    assert [gross[at_close[hour]] for hour in (1, 3, 4, 5, 6)] == [200, 110, 105, 115, 0]
    assert len(net) == len(gross) == len(result.equity.times)


def test_figures_of_a_run_are_those_reckoned_by_hand(result: BacktestResult) -> None:
    figures = measured(sample_of(result))
    long, short = (float(trade.profit) for trade in result.closed_trades)
    traded = sum(float(fill.price * fill.amount) for fill in result.fills)
    expected = {
        "total_return": (long + short) / 1_000,
        "trades": 2,
        "win_rate": 0.5,
        "long_trades": 0.5,
        "profit_factor": -long / short,
        "payoff_ratio": -long / short,
        "expectancy": (long + short) / 2,
        "best_trade": long,
        "worst_trade": short,
        "held_hours": (2 + 3) / 2,
        "time_in_market": 5 / 96,
        "fills": 3,
        "traded": traded,
        "fees": traded * 0.001,
        "funding": 0.0,
        "fee_rate": 0.001,
        "turnover": traded / float(result.equity.values.mean()),
        "turnover_a_year": traded / float(result.equity.values.mean()) * 365 / 4,
        "max_drawdown": -result.max_drawdown,
    }
    assert {key: figures[key] for key in expected} == pytest.approx(expected)
    assert figures["max_leverage"] == pytest.approx(200 / 1_000, rel=1e-3)
    assert result.win_rate == figures["win_rate"]
    assert all(isinstance(value, float) for value in figures.values())


def test_a_run_without_an_order_has_figures_too() -> None:
    figures = measured(sample_of(planned({}, CLOSES)))
    assert figures["total_return"] == figures["volatility"] == figures["time_in_market"] == 0
    assert math.isnan(figures["sharpe"])
    assert math.isnan(figures["win_rate"])


def test_spot_holdings_are_an_exposure_and_fees_in_coins_count_at_their_price() -> None:
    spot = "BTCUSDT.BINANCE"
    setup = config(Planned({1: "2"}, spot))
    mock = MockConnectorConfig({"USDT": 1_000}, BinanceAccountType.SPOT_MOCK, fee_rate=0.001)
    setup.private_conn_config[ExchangeType.BINANCE] = [mock]
    result = Backtest(setup, hours([100.0, 100.0, 150.0], spot)).run()
    assert result.exposure.net.tolist() == pytest.approx([0, 199.8, 199.8, 299.7])
    figures = measured(sample_of(result))
    assert figures["fees"] == pytest.approx(0.2, rel=0.02)
    assert figures["traded"] == pytest.approx(200, rel=0.02)


def test_what_is_settled_in_another_currency_is_left_out_of_the_figures(result: BacktestResult) -> None:
    first, *others = result.closed_trades
    fill, *fills = result.fills
    mixed = dataclasses.replace(
        result,
        closed_trades=[msgspec.structs.replace(first, settle="BTC"), *others],
        fills=[msgspec.structs.replace(fill, settle="BTC"), *fills],
    )
    figures = measured(sample_of(mixed))
    assert (figures["trades"], figures["fills"]) == (len(others), len(fills))
    assert figures["traded"] == pytest.approx(float(sum(fill.value for fill in fills)))


def test_months_and_years_compound_their_days(result: BacktestResult) -> None:
    daily = sample_of(result).daily
    by_month, by_year = monthly_returns(daily), yearly_returns(daily)
    assert list(by_month) == [(2023, 12), (2024, 1)]
    assert by_month[2023, 12] == by_year[2023] == pytest.approx(daily.returns[0])
    assert by_year[2024] == pytest.approx(np.prod(1 + daily.returns[1:]) - 1)


def test_the_document_holds_the_table() -> None:
    text = DOCUMENT.read_text(encoding="utf-8")
    rows = [f"| {m.name} | `{m.key}` | {m.unit} | `{m.formula}` |" for m in MEASURES]
    assert [line for line in text.splitlines() if line.startswith("| ") and "`" in line] == rows
    assert all(f"### {group}" in text for group in GROUPS)


def test_every_key_is_there_once() -> None:
    keys = [measure.key for measure in MEASURES]
    assert len(set(keys)) == len(keys)
