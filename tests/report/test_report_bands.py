"""Bands: three runs of one strategy, and terms that are better and worse than those of the run itself."""

from __future__ import annotations

from decimal import Decimal
from pathlib import Path
from typing import Any

import pytest
from report_setup import PERP, SPOT, EmaCross, config, ema_run, hourly

from nexustrader.backtest import Backtest, Bars, Fees
from nexustrader.backtest.bands import bands, cases_of
from nexustrader.config import MockConnectorConfig, PrivateConnectorConfig
from nexustrader.constants import ExchangeType
from nexustrader.error import StrategyBuildError
from nexustrader.exchange import BinanceAccountType


@pytest.fixture(scope="module")
def bars(testdata: Path) -> Bars:
    return hourly(testdata).last(600, 2**60)


def run_of(bars: Bars, **settings: Any) -> Backtest:
    return ema_run(bars, **settings)


def test_the_base_is_the_run_itself_and_lies_between_the_others(bars: Bars) -> None:
    found = bands(lambda **changes: run_of(bars, **changes))
    alone = run_of(bars).run()
    assert found.base.trace_hash == alone.trace_hash
    finals = [result.final_equity for result in found.results().values()]
    assert finals == sorted(finals, reverse=True)
    assert len(set(finals)) == 3
    assert list(found.results()) == ["optimistic", "base", "pessimistic"]
    fees = [float(result.fees["USDT"]) for result in found.results().values()]
    assert fees == pytest.approx([fees[1] / 2, fees[1], fees[1] * 1.5], rel=0.01)


def test_cases_shift_the_terms_of_the_run(bars: Bars) -> None:
    optimistic, base, pessimistic = cases_of(
        run_of(bars, fees=("0.0002", "0.0004"), latency_ms=30, ticks_behind_touch=2)
    )
    assert base[1:] == (Fees(Decimal("0.0002"), Decimal("0.0004")), 30, 2)
    assert optimistic[1:] == (Fees(Decimal("0.0001"), Decimal("0.0002")), 0, 0)
    assert pessimistic[1:] == (Fees(Decimal("0.0003"), Decimal("0.0006")), 530, 4)


def test_a_rebate_is_larger_for_the_optimist_and_no_fee_is_more_than_everything(bars: Bars) -> None:
    optimistic, _, pessimistic = cases_of(run_of(bars, fees=("-0.0001", "0.9")))
    assert optimistic.fees == Fees(Decimal("-0.00015"), Decimal("0.45"))
    assert pessimistic.fees == Fees(Decimal("-0.00005"), Decimal(1))


def test_accounts_with_fees_of_their_own_are_shifted_from_the_lowest_and_from_the_highest(bars: Bars) -> None:
    setup = config(EmaCross())
    spot = MockConnectorConfig({"USDT": 1_000}, BinanceAccountType.SPOT_MOCK, fee_rate=0.001)
    setup.private_conn_config[ExchangeType.BINANCE] = [*setup.private_conn_config[ExchangeType.BINANCE], spot]
    data = {PERP: bars, SPOT: Bars(**{**{n: getattr(bars, n) for n in bars.__slots__}, "symbol": SPOT})}
    optimistic, base, pessimistic = cases_of(Backtest(setup, data))
    assert base.fees is None
    assert optimistic.fees == Fees(Decimal("0.00025"), Decimal("0.00025"))
    assert pessimistic.fees == Fees(Decimal("0.0015"), Decimal("0.0015"))


def test_an_account_pays_for_what_it_trades_alone(bars: Bars) -> None:
    setup = config(EmaCross())
    account = PrivateConnectorConfig(BinanceAccountType.USD_M_FUTURE)
    setup.private_conn_config[ExchangeType.BINANCE] = [account]
    data = {PERP: bars, SPOT: Bars(**{**{n: getattr(bars, n) for n in bars.__slots__}, "symbol": SPOT})}
    assert cases_of(Backtest(setup, data))[1].fees == Fees(Decimal("0.0002"), Decimal("0.0005"))


def test_progress_counts_the_bars_of_all_three(bars: Bars) -> None:
    told: list[int] = []
    bands(lambda **changes: run_of(bars, **changes), told.append)
    assert told[-1] == 3 * len(bars)
    assert told == sorted(told)


def test_a_strategy_that_is_used_twice_is_refused(bars: Bars) -> None:
    setup = config(EmaCross())
    with pytest.raises(StrategyBuildError, match="make a new instance"):
        bands(lambda **changes: Backtest(setup, bars, **changes))
