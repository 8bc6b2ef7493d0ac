"""Sweeps over real processes: what fails or dies costs no other, and what is interrupted goes on."""

from __future__ import annotations

import importlib.util
from collections.abc import Iterator
from decimal import Decimal
from pathlib import Path
from typing import Any

import msgspec
import pytest
from typer.testing import CliRunner

from nexustrader.backtest.sweeps import Choices, Search, Span, grid, search, sweep, walk_forward
from nexustrader.backtest.sweeps.forward import folds_of
from nexustrader.backtest.sweeps.log import SweepLog
from nexustrader.backtest.sweeps.sweep import Bench
from nexustrader.backtest.sweeps.trial import Trial, Window, run_trial
from nexustrader.backtest.sweeps.workers import LOST, Workers
from nexustrader.cli.commands import app
from nexustrader.cli.sweep import ProgramBuild
from nexustrader.error import DataError, EngineBuildError, StrategyBuildError

PROGRAM = Path(__file__).with_name("sweep_program.py")
SYMBOL = "BTCUSDT-PERP.BINANCE"
T0, MINUTE_MS = 1_704_067_200_000, 60_000
BARS = 60
TWO = Workers(jobs=2)

pytestmark = pytest.mark.slow


class Here(Workers, frozen=True):
    """Runs in this process, for tests of what is decided."""

    def run(self, build: Any, points: Any) -> Iterator[Trial]:
        for params, window in points:
            yield run_trial(build, params, window)


@pytest.fixture
def klines(tmp_path: Path) -> Path:
    """Bars whose close rises by one from bar to bar."""
    path = tmp_path / "klines.csv"
    rows = [f"{T0 + n * MINUTE_MS},{100 + n},{101 + n},{100 + n},{101 + n},1000" for n in range(BARS)]
    path.write_text("\n".join(["start,open,high,low,close,volume", *rows]))
    return path


def build_of(klines: Path) -> ProgramBuild:
    return ProgramBuild(PROGRAM, ((SYMBOL, (klines,)),), {"USDT": Decimal(10_000)}, {"fees": "0"})


def gains(trials: Any) -> dict[tuple[Any, ...], float | None]:
    return {tuple(trial.params.values()): trial.figure("total_return") for trial in trials}


# -- the runs ------------------------------------------------------------------------------------------------


def test_every_point_runs_in_processes_and_comes_back_in_the_order_of_the_grid(klines: Path) -> None:
    points = list(grid({"enter": Choices((1, 2)), "leave": Choices((5, 9))}))
    found = sweep(Bench(build_of(klines), TWO), points, objective="total_return")
    assert [trial.params for trial in found.trials] == points
    assert gains(found.trials) == pytest.approx(
        {(1, 5): 3e-4, (1, 9): 7e-4, (2, 5): 2e-4, (2, 9): 6e-4}, rel=0.1
    )
    assert found.best is not None
    assert found.best.params == {"enter": 1, "leave": 9}
    frame = found.frame()
    assert frame["enter"].to_list() == [1, 1, 2, 2]
    assert frame["total_return"].null_count() == 0


@pytest.mark.parametrize(
    ("mode", "words"), [("raise", "ValueError: two is no number"), ("exit", "SystemExit: 3")]
)
def test_a_run_that_raises_is_told_and_costs_no_other(klines: Path, mode: str, words: str) -> None:
    points = list(grid({"enter": Choices((1, 2, 3)), "mode": Choices((mode,))}))
    found = sweep(Bench(build_of(klines), TWO), points)
    (failed,) = found.failed
    assert failed.params["enter"] == 2
    assert words in (failed.error or "")
    assert sum(trial.orders for trial in found.trials) == 4


def test_a_run_that_kills_its_process_is_named_and_costs_no_other(klines: Path) -> None:
    points = list(grid({"enter": Choices((1, 2, 3, 4)), "mode": Choices(("die",))}))
    found = sweep(Bench(build_of(klines), TWO), points)
    (failed,) = found.failed
    assert (failed.params["enter"], failed.error) == (2, LOST)
    assert [trial.orders for trial in found.trials] == [2, 0, 2, 2]


def test_a_trial_is_the_same_in_every_process_and_beside_any_other(klines: Path) -> None:
    build = build_of(klines)
    alone = run_trial(build, {"enter": 3}, Window())
    (swept,) = sweep(Bench(build, TWO), [{"enter": 3}]).trials
    assert (alone.trace_hash, alone.figures) == (swept.trace_hash, swept.figures)


def test_the_same_sweep_runs_on_a_dask_cluster_of_two_workers(klines: Path) -> None:
    from distributed import LocalCluster

    points = list(grid({"enter": Choices((1, 2, 3)), "leave": Choices((5, 9))}))
    here = sweep(Bench(build_of(klines), Here()), points)
    with LocalCluster(n_workers=2, threads_per_worker=1, dashboard_address=None, host="127.0.0.1") as cluster:
        workers = Workers(cluster=f"dask={cluster.scheduler_address}")
        found = sweep(Bench(build_of(klines), workers), points)
    assert [trial.trace_hash for trial in found.trials] == [trial.trace_hash for trial in here.trials]


def test_the_same_sweep_runs_on_ray(klines: Path) -> None:
    pytest.importorskip("ray", reason="ray is not installed")
    points = list(grid({"enter": Choices((1, 2, 3)), "leave": Choices((5, 9))}))
    here = sweep(Bench(build_of(klines), Here()), points)
    found = sweep(Bench(build_of(klines), Workers(jobs=2, cluster="ray")), points)
    assert [trial.trace_hash for trial in found.trials] == [trial.trace_hash for trial in here.trials]


def test_a_cluster_that_is_not_known_or_not_installed_is_said(klines: Path) -> None:
    with pytest.raises(EngineBuildError, match="'slurm' is not known; use dask or ray"):
        sweep(Bench(build_of(klines), Workers(cluster="slurm")), [{}])
    if importlib.util.find_spec("ray") is None:
        with pytest.raises(EngineBuildError, match="pip install ray"):
            sweep(Bench(build_of(klines), Workers(cluster="ray")), [{}])


# -- the log -------------------------------------------------------------------------------------------------


def test_an_interrupted_sweep_goes_on_where_it_was(klines: Path, tmp_path: Path) -> None:
    build, path, seen = build_of(klines), tmp_path / "sweep.jsonl", tmp_path / "seen"
    points = list(grid({"enter": Choices((1, 2, 3)), "seen": Choices((str(seen),))}))
    with SweepLog(path, build.identity) as log:
        sweep(Bench(build, Here(), log), points[:2])
    with path.open("ab") as file:
        file.write(b'{"params":{"en')  # killed while it wrote
    with SweepLog(path, build.identity) as log:
        found = sweep(Bench(build, Here(), log), points)
    assert [trial.error for trial in found.trials] == [None] * 3
    assert seen.read_text().split() == ["1", "5", "2", "5", "3", "5"], "each point ran once"
    assert len(path.read_bytes().splitlines()) == 1 + 3


def test_what_failed_is_repeated_only_when_asked_for(klines: Path, tmp_path: Path) -> None:
    build, path = build_of(klines), tmp_path / "sweep.jsonl"
    points = [{"enter": 2, "mode": "raise"}]
    told: list[Trial] = []
    for repeat_failed in (False, False, True):
        with SweepLog(path, build.identity) as log:
            sweep(Bench(build, Here(), log, told.append, repeat_failed=repeat_failed), points)
    assert len(told) == 3
    assert len(path.read_bytes().splitlines()) == 1 + 2


def test_the_file_of_another_sweep_or_of_something_else_is_left_alone(klines: Path, tmp_path: Path) -> None:
    path = tmp_path / "sweep.jsonl"
    SweepLog(path, build_of(klines).identity).__exit__(None, None, None)
    before = path.read_bytes()
    klines.write_text(klines.read_text() + f"\n{T0 + BARS * MINUTE_MS},1,1,1,1,1")
    with pytest.raises(DataError, match="another program, other data or other settings"):
        SweepLog(path, build_of(klines).identity)
    assert path.read_bytes() == before
    path.write_text("my notes\n")
    with pytest.raises(DataError, match="is not the file of a sweep"):
        SweepLog(path, "x")
    path.write_bytes(before + b"{}\n")
    with pytest.raises(DataError, match="line 2"):
        SweepLog(path, msgspec.json.decode(before)["identity"])


# -- search and walk-forward ---------------------------------------------------------------------------------


def test_a_search_finds_the_better_part_of_a_span_and_is_the_same_for_the_same_seed(klines: Path) -> None:
    axes = {"enter": Span(1, 20), "leave": Span(21, 50), "mode": Choices(("fine", "other"))}
    bench = Bench(build_of(klines), Here())
    found = search(bench, axes, Search(trials=24, seed=1), objective="total_return")
    again = search(bench, axes, Search(trials=24, seed=1), objective="total_return")
    assert [trial.params for trial in found.trials] == [trial.params for trial in again.trials]
    assert found.best is not None
    enter, leave = found.best.params["enter"], found.best.params["leave"]
    assert isinstance(enter, int)
    assert isinstance(leave, int)
    assert leave - enter > 35


def test_a_search_goes_on_when_some_of_its_points_fail(klines: Path) -> None:
    axes = {"enter": Choices((1, 2, 3)), "mode": Choices(("raise",))}
    found = search(Bench(build_of(klines), Here()), axes, Search(trials=16))
    assert {trial.params["enter"] for trial in found.trials} == {1, 2, 3}
    assert len(found.failed) == 1


def test_each_fold_is_judged_on_data_behind_those_that_it_was_chosen_on(klines: Path) -> None:
    end_ms = T0 + BARS * MINUTE_MS
    folds = folds_of(T0, end_ms, 3, train_share=3.0)
    assert [(f.train.end_ms == f.test.start_ms) for f in folds] == [True] * 3
    assert [f.test.end_ms for f in folds][:-1] == [f.test.start_ms for f in folds][1:]
    assert folds[-1].test.end_ms == end_ms
    points = list(grid({"enter": Choices((1, 2)), "leave": Choices((4, 9))}))
    found = walk_forward(
        Bench(build_of(klines), Here()),
        folds,
        lambda bench, window: sweep(bench, points, objective="total_return", window=window),
        "total_return",
    )
    assert [trial.window for trial in found.tested()] == [fold.test for fold in folds]
    assert all(trial.params == {"enter": 1, "leave": 9} for trial in found.tested())


def test_a_period_that_is_too_short_for_its_folds_is_said() -> None:
    with pytest.raises(DataError, match="cannot be cut into 5"):
        folds_of(0, 5, 5)


def test_an_anchored_fold_is_trained_on_all_that_came_before() -> None:
    folds = folds_of(0, 1_000, 2, train_share=2.0, is_anchored=True)
    assert [(fold.train.start_ms, fold.train.end_ms) for fold in folds] == [(0, 500), (0, 750)]


def test_an_objective_that_is_no_figure_is_named(klines: Path) -> None:
    with pytest.raises(StrategyBuildError, match=r"no figure 'luck'.*sharpe"):
        sweep(Bench(build_of(klines), Here()), [{}], objective="luck")


# -- the command ---------------------------------------------------------------------------------------------


def invoke(klines: Path, *more: str) -> Any:
    common = ["--data", str(klines), "--symbol", SYMBOL, "--balance", "USDT=10000", "--jobs", "2"]
    return CliRunner().invoke(app, ["sweep", str(PROGRAM), *common, *more])


def test_the_command_ranks_what_it_has_run(klines: Path, tmp_path: Path) -> None:
    out = tmp_path / "runs" / "sweep.jsonl"
    result = invoke(
        klines, "-p", "enter=1,2", "-p", "leave=5", "--objective", "total_return", "--out", str(out)
    )
    assert result.exit_code == 0, result.output
    assert "enter" in result.stdout
    assert "Total return" in result.stdout
    assert len(out.read_bytes().splitlines()) == 3


def test_the_command_names_runs_that_failed_and_fails_when_all_did(klines: Path) -> None:
    result = invoke(klines, "-p", "enter=1,2", "-p", "mode=raise")
    assert result.exit_code == 0
    assert "1 of 2 runs failed" in result.stdout
    assert "enter=2, mode=raise: ValueError" in result.stdout
    result = invoke(klines, "-p", "speed=1,2")
    assert result.exit_code == 1
    assert "cannot be made with speed" in result.stdout
