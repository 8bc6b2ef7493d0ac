"""Sweeps: every point of a grid, or points that a search chooses by what came of those before."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from typing import TYPE_CHECKING, NamedTuple

from nexustrader.backtest.metrics_table import MEASURES
from nexustrader.backtest.sweeps.log import SweepLog
from nexustrader.backtest.sweeps.space import Axis, Choices, Params, Span, Value
from nexustrader.backtest.sweeps.trial import WHOLE, Build, Trial, Window, key_of
from nexustrader.backtest.sweeps.workers import Point, Workers
from nexustrader.error import StrategyBuildError

if TYPE_CHECKING:
    import optuna
    import polars as pl

OBJECTIVE = "sharpe"
ROUND_PER_JOB = 2  # how many points a search asks for at once, per job
SEARCH_JOBS = (
    4  # that a search reckons with; the same everywhere, so that a seed chooses the same points everywhere
)

OnTrial = Callable[[Trial], object]


class Sweep(NamedTuple):
    """The trials of a sweep in the order of their points. `objective`: the figure by which they are ranked."""

    trials: tuple[Trial, ...]
    objective: str

    @property
    def failed(self) -> list[Trial]:
        return [trial for trial in self.trials if trial.error is not None]

    def ranked(self) -> list[Trial]:
        """The best first; without those that failed or have no such figure. Ties by the order of the points."""
        scored = [trial for trial in self.trials if trial.figure(self.objective) is not None]
        return sorted(scored, key=lambda trial: -(trial.figure(self.objective) or 0.0))

    @property
    def best(self) -> Trial | None:
        return next(iter(self.ranked()), None)

    def frame(self) -> pl.DataFrame:
        """A row a trial: parameters, window, figures, orders, hash and error."""
        import polars as pl

        rows = [
            {
                **trial.params,
                "start_ms": trial.window.start_ms,
                "end_ms": trial.window.end_ms,
                **{measure.key: trial.figure(measure.key) for measure in MEASURES},
                "orders": trial.orders,
                "trace_hash": trial.trace_hash,
                "error": trial.error,
                "elapsed_s": trial.elapsed_s,
            }
            for trial in self.trials
        ]
        return pl.DataFrame(rows, infer_schema_length=None)


class Search(NamedTuple):
    """How a search goes: so many trials, each chosen by the figures of those before; equal for equal seeds."""

    trials: int
    seed: int = 0


class Bench(NamedTuple):
    """What sweeps have in common: what is run, by whom, and where it is written down (nowhere: None)."""

    build: Build
    workers: Workers = Workers()
    log: SweepLog | None = None
    on_trial: OnTrial | None = None
    repeat_failed: bool = False

    def run(self, points: Iterable[Point]) -> list[Trial]:
        """The trials in the order of their points, each point once. What the log holds is not run again."""
        named = {_key(point): point for point in points}
        done = {} if self.log is None else self.log.done
        found = {key: done[key] for key in named if key in done and not self._repeats(done[key])}
        for trial in found.values():
            self._tell(trial)
        waiting = [point for key, point in named.items() if key not in found]
        for trial in self.workers.run(self.build, waiting) if waiting else ():
            if self.log is not None:
                self.log.add(trial)
            found[trial.key] = trial
            self._tell(trial)
        return [found[key] for key in named]

    def _repeats(self, trial: Trial) -> bool:
        return self.repeat_failed and trial.error is not None

    def _tell(self, trial: Trial) -> None:
        if self.on_trial is not None:
            self.on_trial(trial)


def sweep(
    bench: Bench, points: Iterable[Params], *, objective: str = OBJECTIVE, window: Window = WHOLE
) -> Sweep:
    """Run every point. Raises StrategyBuildError for an objective that is no figure."""
    check_objective(objective)
    return Sweep(tuple(bench.run((dict(point), window) for point in points)), objective)


def search(
    bench: Bench,
    axes: Mapping[str, Axis],
    plan: Search,
    *,
    objective: str = OBJECTIVE,
    window: Window = WHOLE,
) -> Sweep:
    """Let Optuna choose the points (TPE), round by round; it maximises the objective.

    A search that is resumed chooses the same points again, and finds them in the log. Raises StrategyBuildError.
    """
    check_objective(objective)
    study = _study(plan.seed)
    trials: dict[str, Trial] = {}
    asked = 0
    while asked < plan.trials:
        count = min(ROUND_PER_JOB * SEARCH_JOBS, plan.trials - asked)
        chosen = [study.ask() for _ in range(count)]
        points = [(_point(one, axes), window) for one in chosen]
        came_of = {trial.key: trial for trial in bench.run(points)}
        for one, point in zip(chosen, points, strict=True):
            trial = came_of[_key(point)]
            _tell(study, one, trial.figure(objective))
            trials[trial.key] = trial
        asked += count
    return Sweep(tuple(trials.values()), objective)


def check_objective(name: str) -> None:
    """Raises StrategyBuildError for what is no figure of a backtest."""
    if all(measure.key != name for measure in MEASURES):
        known = ", ".join(sorted(measure.key for measure in MEASURES))
        raise StrategyBuildError(f"there is no figure {name!r} to rank by; choose one of {known}")


def _key(point: Point) -> str:
    return key_of(*point)


def _study(seed: int) -> optuna.Study:
    import optuna

    optuna.logging.set_verbosity(optuna.logging.ERROR)
    return optuna.create_study(direction="maximize", sampler=optuna.samplers.TPESampler(seed=seed))


def _tell(study: optuna.Study, asked: optuna.Trial, score: float | None) -> None:
    from optuna.trial import TrialState

    if score is None:
        study.tell(asked, state=TrialState.FAIL)
    else:
        study.tell(asked, score)


def _point(trial: optuna.Trial, axes: Mapping[str, Axis]) -> dict[str, Value]:
    return {name: _suggested(trial, name, axis) for name, axis in axes.items()}


def _suggested(trial: optuna.Trial, name: str, axis: Axis) -> Value:
    if isinstance(axis, Choices):
        return axis.values[trial.suggest_categorical(name, range(len(axis.values)))]
    assert isinstance(axis, Span)
    if isinstance(axis.low, int) and isinstance(axis.high, int):
        return trial.suggest_int(name, axis.low, axis.high)
    return trial.suggest_float(name, axis.low, axis.high)
