"""`nexustrader sweep`: a user's strategy over many parameters, on all cores or a cluster, and forward through time."""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Mapping
from contextlib import nullcontext
from decimal import Decimal
from functools import lru_cache
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import msgspec
import typer
from rich.console import Console
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeRemainingColumn
from rich.table import Table

from nexustrader.cli import backtest_inputs as inputs
from nexustrader.cli.backtest_data import sources
from nexustrader.error import EngineBuildError

if TYPE_CHECKING:
    from nexustrader.backtest import Backtest
    from nexustrader.backtest.sources import Sources
    from nexustrader.backtest.sweeps import Params, Sweep, Trial, WalkForward
    from nexustrader.backtest.sweeps.sweep import Bench
    from nexustrader.backtest.sweeps.trial import Window

EXIT_ALL_FAILED = 1
ROWS_SHOWN = 10
FAILURES_SHOWN = 3
SHOWN = ("total_return", "sharpe", "max_drawdown", "trades")

app = typer.Typer(add_completion=False, pretty_exceptions_enable=False)
_messages = Console(stderr=True)


class ProgramBuild(msgspec.Struct, frozen=True):
    """Makes a run of a program with parameters, in whatever process; each reads the data but once."""

    program: Path
    data: tuple[tuple[str, tuple[Path, ...]], ...]
    balances: dict[str, Decimal]
    settings: dict[str, Any]

    def __call__(self, params: Params, **changes: Any) -> Backtest:
        from nexustrader.backtest import Backtest

        read = _read(self.data)
        config = inputs.config_of(self.program, read.history, self.balances, params)
        return Backtest(config, **({"data": read.data()} | self.settings | changes))

    @property
    def identity(self) -> str:
        """Differs with the program's text, the files of data, and all settings."""
        files = [path for _, paths in self.data for path in paths]
        stamps = [(str(path.resolve()), path.stat().st_size, path.stat().st_mtime_ns) for path in files]
        found = hashlib.blake2b(self.program.read_bytes(), digest_size=16)
        found.update(msgspec.json.encode([stamps, self.balances, self.settings], order="sorted"))
        return found.hexdigest()


@lru_cache(maxsize=1)
def _read(data: tuple[tuple[str, tuple[Path, ...]], ...]) -> Sources:
    from nexustrader.backtest.sources import sources_of

    return sources_of({name: list(paths) for name, paths in data}, None)


Program = Annotated[Path, typer.Argument(help="A strategy program, or a file with one Strategy subclass.")]
Data = Annotated[list[str], typer.Option(help="As for `nexustrader backtest`.")]
Axes = Annotated[
    list[str],
    typer.Option(
        "--param",
        "-p",
        help="A parameter of the strategy: fast=5,10,20, or slow=20:60:10, or with --search slow=20..60.",
    ),
]
Out = Annotated[
    Path | None, typer.Option(help="Keep every run here (JSON lines); the same command goes on from it.")
]
Objective = Annotated[str, typer.Option(help="The figure to rank by; see docs/metrics.md.")]
Trials = Annotated[
    int | None, typer.Option("--search", min=1, help="Let Optuna choose so many points, in place of a grid.")
]
Folds = Annotated[
    int | None,
    typer.Option(
        "--walk-forward", min=1, help="Choose on one part of the data, judge on the next: so often."
    ),
]
Jobs = Annotated[int, typer.Option(min=0, help="Runs at once; 0: one a core.")]
Cluster = Annotated[str | None, typer.Option(help="dask or ray, or with an address: dask=tcp://host:8786.")]
Symbol = Annotated[str | None, typer.Option(help="What the data are of, e.g. BTCUSDT-PERP.BINANCE.")]
Start = Annotated[str | None, typer.Option(help="First day or moment (ISO, UTC).")]
End = Annotated[str | None, typer.Option(help="End, not included (ISO, UTC).")]
Balance = Annotated[list[str] | None, typer.Option(help="Opening balance, e.g. USDT=10000.")]
Fee = Annotated[str | None, typer.Option(help="Fee as a fraction, or MAKER,TAKER.")]
Leverage = Annotated[float | None, typer.Option(help="Leverage of every account.")]
Latency = Annotated[int, typer.Option(help="Milliseconds from a command to the venue.")]
Seed = Annotated[int, typer.Option(help="Seed of whatever is random, the search too.")]
RepeatFailed = Annotated[bool, typer.Option("--repeat-failed", help="Run again what failed before.")]


@app.command("sweep")
def sweep(
    program: Program,
    data: Data,
    param: Axes,
    out: Out = None,
    objective: Objective = "sharpe",
    trials: Trials = None,
    folds: Folds = None,
    jobs: Jobs = 0,
    cluster: Cluster = None,
    symbol: Symbol = None,
    start: Start = None,
    end: End = None,
    balance: Balance = None,
    fee: Fee = None,
    leverage: Leverage = None,
    latency: Latency = 0,
    seed: Seed = 0,
    repeat_failed: RepeatFailed = False,
) -> None:
    """Run a strategy with many parameters and rank what came of it. A run that fails costs no other."""
    from nexustrader.backtest.sweeps import parse_axis
    from nexustrader.backtest.sweeps.sweep import Bench, Search, check_objective
    from nexustrader.backtest.sweeps.workers import Workers

    check_objective(objective)
    axes = dict(parse_axis(text) for text in param)
    files = sources(data, symbol)
    balances = dict(inputs.amounts(balance or []))
    settings = inputs.settings_of(start, end, seed, balances, fee, leverage, latency)
    build = ProgramBuild(
        program, tuple((name, tuple(paths)) for name, paths in files.items()), balances, settings
    )
    plan = None if trials is None else Search(trials, seed)
    choose = _choose(axes, plan, objective)
    with _log(out, build) as log, _progress() as progress:
        task = progress.add_task("sweep", total=None)
        bench = Bench(build, Workers(jobs, cluster), log, lambda _: progress.advance(task), repeat_failed)
        if folds is None:
            progress.update(task, total=trials or _grid_size(axes))
            found: Sweep | WalkForward = choose(bench, None)
        else:
            found = _forward(bench, build, folds, choose, objective)
    _show(found, axes)


def _choose(axes: Mapping[str, Any], plan: Any, objective: str) -> Callable[[Bench, Window | None], Sweep]:
    from nexustrader.backtest.sweeps import grid, search
    from nexustrader.backtest.sweeps import sweep as sweep_over
    from nexustrader.backtest.sweeps.trial import WHOLE

    if plan is None:
        points = list(grid(axes))
        return lambda bench, window: sweep_over(bench, points, objective=objective, window=window or WHOLE)
    return lambda bench, window: search(bench, axes, plan, objective=objective, window=window or WHOLE)


def _grid_size(axes: Mapping[str, Any]) -> int:
    from nexustrader.backtest.sweeps import grid

    return sum(1 for _ in grid(axes))


def _forward(
    bench: Bench,
    build: ProgramBuild,
    count: int,
    choose: Callable[[Bench, Window | None], Sweep],
    objective: str,
) -> WalkForward:
    from nexustrader.backtest.sweeps import walk_forward
    from nexustrader.backtest.sweeps.forward import folds_of

    played = build({}).sources.bars.values()
    start_ms = min(int(bars.start[0]) for bars in played)
    end_ms = max(int(bars.start[-1]) + bars.step_ms for bars in played)
    return walk_forward(bench, folds_of(start_ms, end_ms, count), choose, objective)


def _log(out: Path | None, build: ProgramBuild) -> Any:
    if not build.program.is_file():
        raise EngineBuildError(f"{build.program} is not a file; give the path of a strategy program")
    if out is None:
        return nullcontext()
    from nexustrader.backtest.sweeps.log import SweepLog

    return SweepLog(out, build.identity)


def _progress() -> Progress:
    columns = (
        TextColumn("Sweep"),
        BarColumn(),
        MofNCompleteColumn(),
        TextColumn("runs"),
        TimeRemainingColumn(),
    )
    return Progress(*columns, console=_messages, transient=True, disable=not _messages.is_terminal)


# -- what came of it -------------------------------------------------------------------------------------------


def _show(found: Sweep | WalkForward, axes: Mapping[str, Any]) -> None:
    from nexustrader.backtest.sweeps import Sweep

    console = Console()
    if isinstance(found, Sweep):
        console.print(_table(found.ranked()[:ROWS_SHOWN], axes, found.objective))
        _show_failures(console, found.failed, len(found.trials))
        return
    tested = found.tested()
    console.print("Each row: the best of a training part, on the data behind it, which it has not seen")
    console.print(_table(tested, axes, found.objective, with_window=True))
    _show_failures(console, [trial for trial in tested if trial.error is not None], len(tested))


def _table(
    trials: list[Trial], axes: Mapping[str, Any], objective: str, *, with_window: bool = False
) -> Table:
    from nexustrader.backtest.metrics_table import MEASURES
    from nexustrader.backtest.report_html import moment, number

    measures = {measure.key: measure for measure in MEASURES}
    keys = dict.fromkeys((objective, *SHOWN))
    table = Table(box=None, padding=(0, 2, 0, 0))
    if with_window:
        table.add_column("from", no_wrap=True)
    for name in (*axes, *(measures[key].name for key in keys)):
        table.add_column(name, justify="right")
    for trial in trials:
        begin = [moment(trial.window.start_ms or 0)] if with_window else []
        figures = [trial.figure(key) for key in keys]
        texts = [
            "-" if value is None else number(value, measures[key].unit)
            for key, value in zip(keys, figures, strict=True)
        ]
        table.add_row(*begin, *(str(trial.params[name]) for name in axes), *texts)
    return table


def _show_failures(console: Console, failed: list[Trial], count: int) -> None:
    if not failed:
        return
    console.print(f"\n{len(failed)} of {count} runs failed:", style="bold")
    for trial in failed[:FAILURES_SHOWN]:
        params = ", ".join(f"{name}={value}" for name, value in trial.params.items())
        console.print(f"{params}: {trial.error}", markup=False, highlight=False, soft_wrap=True)
    if len(failed) == count:
        raise typer.Exit(EXIT_ALL_FAILED)
