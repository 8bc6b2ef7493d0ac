"""Bands: three runs of one strategy, and terms that are better and worse than those of the run itself."""

from __future__ import annotations

from decimal import Decimal
from pathlib import Path
from typing import Any

import pytest
from report_setup import PERP, SPOT, EmaCross, config, ema_run, hourly, text_of

from nexustrader.backtest import Backtest, Bars, Fees
from nexustrader.backtest.bands import bands, cases_of
from nexustrader.backtest.report import write_report
from nexustrader.config import MockConnectorConfig, PrivateConnectorConfig
from nexustrader.constants import ExchangeType
from nexustrader.error import StrategyBuildError
from nexustrader.exchange import BinanceAccountType
from nexustrader.kernel.entropy import Entropy
from nexustrader.sim.fees import FeeSchedule, FeeTier
from nexustrader.sim.latency import ConstantDelay, Delay, Latency, LogNormalDelay, RecordedDelay, SampledDelay
from nexustrader.sim.queue import QueueModel
from nexustrader.sim.queue_pessimistic import PessimisticQueue
from nexustrader.sim.queue_power import PowerQueue
from nexustrader.sim.slippage import FixedBps, Slippage, SquareRootImpact, TicksBehind


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
    fees = [Fees(Decimal(f"0.000{n}"), Decimal(f"0.000{2 * n}")) for n in (1, 2, 3)]
    assert [case.fees for case in (optimistic, base, pessimistic)] == fees
    assert [case.latency.ways.cancel.max_ms for case in (optimistic, base, pessimistic)] == [0, 30, 530]
    assert [case.slippage for case in (optimistic, base, pessimistic)] == [TicksBehind(n) for n in (0, 2, 4)]
    queues: list[QueueModel] = [PowerQueue(1), PessimisticQueue(), PessimisticQueue()]
    assert [case.queue for case in (optimistic, base, pessimistic)] == queues


TIERS = FeeSchedule(tiers=(FeeTier(Decimal(0), Decimal("-0.0001"), Decimal("0.0006")),))
DELAYS = (
    ConstantDelay(3),
    SampledDelay((1, 9)),
    RecordedDelay(((0, 5.0), (9, 59_900.0))),
    LogNormalDelay(median_ms=15),
)


@pytest.mark.parametrize("delay", DELAYS)
def test_no_pessimistic_delay_is_shorter_than_that_of_the_run(bars: Bars, delay: Delay) -> None:
    _, base, worse = cases_of(run_of(bars, latency=Latency(entry=delay, cancel=7, reply=2)))
    for before, after in zip(base.latency.ways, worse.latency.ways, strict=True):
        draws, again = Entropy(4), Entropy(4)
        for now_ms in range(200):
            assert before.ms_at(now_ms, draws) <= after.ms_at(now_ms, again)


@pytest.mark.parametrize("model", [TicksBehind(3), FixedBps(5), FixedBps(9_999), SquareRootImpact(0.7)])
def test_no_pessimistic_slippage_is_less_than_that_of_the_run(bars: Bars, model: Slippage) -> None:
    cases = cases_of(run_of(bars, slippage=model))
    for lots in (1, 50, 5_000):
        slips = [(case.slippage.behind, case.slippage.slip(30_000, lots, 900)) for case in cases]
        assert slips == sorted(slips)
    assert type(cases[2].slippage) is type(model)


def test_tiers_are_shifted_and_funding_is_paid_more_and_received_less(bars: Bars) -> None:
    better, base, worse = cases_of(run_of(bars, fees=TIERS, funding="0.0002"))
    assert base.fees is TIERS
    assert better.fees.tiers[0][1:] == (Decimal("-0.00015"), Decimal("0.0003"))  # type: ignore[union-attr]
    assert worse.fees.tiers[0][1:] == (Decimal("-0.00005"), Decimal("0.0009"))  # type: ignore[union-attr]
    for rate in (Decimal("0.0002"), Decimal("-0.0002")):
        for lots in (-3, 3):
            paid = [lots * case.funding.rate_for(lots, rate) for case in (better, base, worse)]
            assert paid == sorted(paid)


def test_bands_run_around_every_model_and_the_report_says_what_each_assumes(
    bars: Bars, tmp_path: Path
) -> None:
    models = {
        "fees": TIERS,
        "latency": Latency(entry=DELAYS[3]),
        "slippage": 4,
        "queue": 2,
        "funding": "0.0002",
    }
    found = bands(lambda **changes: run_of(bars, **(models | changes)))
    assert found.base.trace_hash == run_of(bars, **models).run().trace_hash
    shown = text_of(write_report(found, tmp_path / "out.html").html.read_text(encoding="utf-8"))
    for text in (
        "2 basis points",
        "6 basis points",
        "median 515 ms",
        "150 %, 50 %",
        "by tier",
        "power 2",
        "all behind",
    ):
        assert text in shown


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
