"""Sessions recorded on the emulator, in virtual time: their backtest comes out as they were, or says why not."""

from __future__ import annotations

from pathlib import Path

import pytest
from msgspec.structs import replace

from nexustrader.backtest.parity import Cause, ParityReport, parity
from nexustrader.backtest.parity.assumed import Assumed, Timing
from nexustrader.backtest.parity.causes import Runs
from nexustrader.backtest.parity.compare import differences
from nexustrader.backtest.parity.parity import USUAL
from nexustrader.backtest.parity.recorded import read
from nexustrader.chaos.plan import SPOT, Plan
from session.sessions import EVERYTHING, record

pytestmark = [pytest.mark.slow]

MAKER = Path(__file__).with_name("maker.py")
PLANS = {
    "at random": Plan(seed=12, trading_s=15.0),
    "at random, pressing": Plan(seed=4, trading_s=15.0),
    "spot": Plan(seed=6, trading_s=15.0, market=SPOT),
    "quoting": Plan(seed=3, trading_s=28.0, program=str(MAKER)),
    "tasks and questions": Plan(seed=12, trading_s=15.0, program=str(EVERYTHING)),
    "with lost frames": Plan(seed=12, trading_s=15.0, faults=("F31",)),
    "with lost replies": Plan(seed=12, trading_s=15.0, faults=("F1",)),
}
KNOWN = {
    Cause.LATENCY,
    Cause.DATA,
}  # the emulator charges what the instruments say, and its queue is the same


@pytest.mark.parametrize("name", PLANS)
def test_what_was_traded_comes_out_equal_or_is_explained(
    name: str, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    (path,) = record(monkeypatch, tmp_path, PLANS[name])
    report = parity(path)
    assert report.is_explained, report
    assert {cause for order in report.orders for cause in order.causes} <= KNOWN
    assert len(report.orders) >= 10
    assert report.equal >= 0.85 * len(report.orders), report.by_cause
    assert _filled(report) >= 5
    assert report.compared >= 2
    assert report.latency is not None
    assert 0 < report.latency.median_ms < 30


def _filled(report: ParityReport) -> int:
    return sum(1 for order in report.orders if order.filled and not order.differences)


@pytest.mark.parametrize("name", ["at random", "at random, pressing", "spot", "tasks and questions"])
def test_at_the_measured_times_every_order_and_balance_is_the_same(
    name: str, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    (path,) = record(monkeypatch, tmp_path, PLANS[name])
    recorded = read(path)
    # On spot the quotes have no time of the venue.
    timing, most_ms = (Timing.MEASURED_BOTH, 20) if recorded.market.stamped_here else (Timing.MEASURED, 0)
    run = Runs(recorded, USUAL).of(Assumed(timing))
    for oid in recorded.oids:
        instrument = recorded.instruments[recorded.lives.submits[oid].symbol]
        assert differences(recorded.lives.life(oid), run.lives.life(oid), instrument, most_ms) == ()
    for key, held in recorded.lives.positions.items():
        assert run.positions.get(key, 0) == held.amount
    for key, held in recorded.lives.balances.items():
        assert abs(run.wallets[key] - held.amount) < 1e-6


def test_each_process_of_a_run_that_was_killed_is_a_session_of_its_own(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    paths = record(monkeypatch, tmp_path, Plan(seed=4, faults=("F38",), trading_s=15.0))
    assert len(paths) > 1
    first, *others = (parity(path) for path in paths)
    assert first.notes == ("the session has no end: its last input may be torn and was left out",)
    for report in (first, *others):
        assert report.is_explained, report


def test_a_latency_that_is_assumed_and_was_not_there_is_found(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    (path,) = record(monkeypatch, tmp_path, PLANS["at random, pressing"])
    report = parity(path, replace(USUAL, latency_ms=300))
    assert report.is_explained
    assert report.by_cause.keys() == {"latency"}
    assert report.by_cause["latency"] >= 5
