"""A recorded session decides the same when it is run again, whatever happened in it, and shows where a change tells."""

from __future__ import annotations

from decimal import Decimal
from functools import partial
from pathlib import Path

import pytest
from sessions import EVERYTHING, config_for, record, require_same

from nexustrader._session import recorder
from nexustrader._session.file import Session, SessionWriter
from nexustrader._session.player import replay
from nexustrader._session.records import Replayed, ReplayedPart
from nexustrader.chaos.plan import Plan
from nexustrader.error import StrategyBuildError

pytestmark = [pytest.mark.slow]

NOTHING_WRONG = ()
# lost and garbled frames, kills, an orderly restart, a full disk, callbacks that raise, trades by hand
FAULTS = (NOTHING_WRONG, ("F2",), ("F18",), ("F21",), ("F31",), ("F39",), ("F40",), ("F42",), ("F45",))


@pytest.mark.parametrize("faults", FAULTS, ids=lambda faults: "-".join(faults) or "none")
def test_a_session_replays_to_the_same_decisions(
    faults: tuple[str, ...], monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    plan = Plan(seed=5, faults=faults, trading_s=15.0)
    for number, path in enumerate(record(monkeypatch, tmp_path, plan)):
        report = require_same(path, config_for(plan, number))
        assert report.is_complete


def test_a_killed_process_leaves_a_session_that_replays_and_the_next_one_begins_from_its_journal(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    plan = Plan(seed=4, faults=("F38",), trading_s=15.0)
    paths = record(monkeypatch, tmp_path, plan)
    reports = [require_same(path, config_for(plan, number)) for number, path in enumerate(paths)]
    assert [report.is_complete for report in reports] == [False] * (len(paths) - 1) + [True]
    assert len(paths) > 1
    assert any(isinstance(part, Replayed) for part, _ in Session(paths[-1]).parts())


def test_a_journal_that_begins_from_a_snapshot_is_part_of_the_session(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    for seed in range(6, 16):  # until a restart falls behind a rotation
        plan = Plan(seed=seed, faults=("F39",), trading_s=15.0)
        folder = tmp_path / str(seed)
        folder.mkdir()
        paths = record(monkeypatch, folder, plan, with_rotation=True)
        for number, path in enumerate(paths):
            require_same(path, config_for(plan, number))
        if any(isinstance(part, ReplayedPart) for part, _ in Session(paths[-1]).parts()):
            return
    pytest.fail("no session began from a snapshot")


@pytest.fixture
def everything(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> tuple[Plan, Path]:
    """A session of a program with jobs, timers, tasks, questions and parameters."""
    plan = Plan(seed=9, faults=("F1",), trading_s=15.0, program=str(EVERYTHING))
    (path,) = record(monkeypatch, tmp_path, plan)
    return plan, path


def test_jobs_tasks_questions_and_parameters_are_reproduced(everything: tuple[Plan, Path]) -> None:
    plan, path = everything
    report = require_same(path, config_for(plan))
    assert report.decisions > 50
    kinds = {type(part).__name__ for part, _ in Session(path).parts()}
    assert kinds >= {"Decision", "InVain", "Answer"}
    labels = {
        getattr(getattr(part, "what", None), "task", "").partition("#")[0]
        for part, _ in Session(path).parts()
    }
    assert labels >= {"Everything.work", "Everything.later", "Job._await", "Errands._run"}


def test_a_changed_parameter_shows_at_its_first_decision(everything: tuple[Plan, Path]) -> None:
    plan, path = everything
    config = config_for(plan)
    config.strategy.amount = Decimal("0.011")
    found = replay(path, config).difference
    assert found is not None
    assert "amount=0.010" in found.then
    assert "amount=0.011" in found.now
    assert found.then.replace("0.010", "0.011") == found.now
    assert len(found.before) == 5
    assert found.what.startswith(f"{found.number:,} 2023-11-14T")


def test_a_job_that_the_session_does_not_have_shows_what_it_decides(everything: tuple[Plan, Path]) -> None:
    plan, path = everything
    config = config_for(plan)
    config.strategy.with_extra_job = True
    found = replay(path, config).difference
    assert found is not None
    assert "timer Job._fire Everything.extra, which is not in the session" in found.what
    assert found.then == "nothing more"
    assert found.now.startswith("Submit")


def test_a_timer_that_is_gone_is_missed_where_it_fired(everything: tuple[Plan, Path]) -> None:
    plan, path = everything
    config = config_for(plan)
    config.strategy.with_timer = False
    found = replay(path, config).difference
    assert found is not None
    assert "timer EngineClock._schedule" in found.what
    assert (found.then, found.now) == ("it was set, and fired", "it is not set")


def test_another_program_is_refused_by_name(everything: tuple[Plan, Path]) -> None:
    _, path = everything
    with pytest.raises(StrategyBuildError, match="strategy 'Everything', and this program has 'TimedTrader'"):
        replay(path, config_for(Plan(seed=1)))


def test_a_program_without_the_account_is_refused(everything: tuple[Plan, Path]) -> None:
    plan, path = everything
    config = config_for(plan)
    config.private_conn_config.clear()
    with pytest.raises(StrategyBuildError, match="binance:USD_M_FUTURE, and this program has no connector"):
        replay(path, config)


def test_a_torn_tail_is_left_out(everything: tuple[Plan, Path], tmp_path: Path) -> None:
    plan, path = everything
    content = path.read_bytes()
    torn = tmp_path / "torn.nxs"
    whole = require_same(path, config_for(plan))
    for cut in (1, 700, 9_000):
        torn.write_bytes(content[:-cut])
        report = require_same(torn, config_for(plan))
        assert not report.is_complete
        assert 0 < report.inputs <= whole.inputs


def test_a_full_session_ends_and_the_run_goes_on(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setattr(recorder, "SessionWriter", partial(SessionWriter, bytes_max=50_000))
    plan = Plan(seed=5, trading_s=15.0)
    (path,) = record(monkeypatch, tmp_path, plan)
    report = require_same(path, config_for(plan))
    assert report.ended_early == "the file has reached its greatest size"
    assert report.decisions > 0
    assert path.stat().st_size < 50_000 + 4_096
