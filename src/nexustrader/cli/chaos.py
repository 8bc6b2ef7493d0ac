"""`nexustrader chaos`: a strategy under every fault of the catalogue, and the command that shows a failure again."""

from __future__ import annotations

import os
from pathlib import Path
from typing import Annotated

import msgspec
import typer
from rich.console import Console
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeRemainingColumn
from rich.table import Table

from nexustrader.chaos import suite
from nexustrader.chaos.faults import DEFERRED, FAULTS
from nexustrader.chaos.plan import Outcome, Plan
from nexustrader.chaos.shrink import shrink
from nexustrader.chaos.venues import DEFAULT_VENUE, VENUES
from nexustrader.error import EngineBuildError

app = typer.Typer(add_completion=False, pretty_exceptions_enable=False)
_console = Console()

EXIT_VIOLATED = 1
FAILURES_SHOWN_MAX = 10
VIOLATIONS_SHOWN_MAX = 4
MODES = {"single": suite.single, "pairs": suite.pairs, "swarm": suite.swarm}


@app.command("chaos")
def chaos(
    program: Annotated[
        Path | None,
        typer.Argument(
            help="A strategy program that trades on the venue. Without one: the suite's own workload."
        ),
    ] = None,
    seeds: Annotated[
        int, typer.Option(min=1, help="How many seeds; each with every fault in mode single.")
    ] = 5,
    first_seed: Annotated[int, typer.Option(help="The first of them.")] = 1,
    faults: Annotated[str, typer.Option(help="Faults by name, e.g. F2,F38; all by default.")] = "",
    venue: Annotated[str, typer.Option(help=f"Which emulated venue: {', '.join(VENUES)}.")] = DEFAULT_VENUE,
    mode: Annotated[str, typer.Option(help="single, pairs, or swarm (any mix, none included).")] = "single",
    jobs: Annotated[int, typer.Option(min=1, help="Processes at work.")] = os.cpu_count() or 1,
    replay: Annotated[
        str | None,
        typer.Option(help="One plan as a failure printed it: run it again and show what happened."),
    ] = None,
    report: Annotated[Path | None, typer.Option(help="Write the figures to this file, as JSON.")] = None,
) -> None:
    """Run a strategy under faults in virtual time: nothing real is touched, no keys, no internet.

    Exit code 1 when an invariant did not hold.
    """
    if replay is not None:
        _replay(replay, program)
        return
    chosen = _chosen(faults)
    if mode not in MODES:
        raise EngineBuildError(f"--mode {mode} is not one of {', '.join(MODES)}")
    if venue not in VENUES:
        raise EngineBuildError(f"--venue {venue} is not one of {', '.join(VENUES)}")
    name = str(program) if program is not None else None
    plans = list(MODES[mode](chosen, range(first_seed, first_seed + seeds), name, venue))
    tally, wall_s = _run(plans, jobs)
    _show(tally, wall_s)
    if report is not None:
        report.write_bytes(msgspec.json.format(msgspec.json.encode({"wall_s": wall_s, "tally": tally})))
    if tally.failures:
        _show_failures(tally.failures, program)
        raise typer.Exit(EXIT_VIOLATED)


def _chosen(faults: str) -> list[str]:
    if not faults:
        return list(FAULTS)
    names = [name.strip().upper() for name in faults.split(",") if name.strip()]
    for name in names:
        if name in DEFERRED:
            raise EngineBuildError(f"{name} cannot strike yet: {DEFERRED[name]}")
        if name not in FAULTS:
            raise EngineBuildError(f"no fault is called {name}; there are {', '.join(FAULTS)}")
    return names


def _run(plans: list[Plan], jobs: int) -> tuple[suite.Tally, float]:
    tally = suite.Tally()
    columns = (
        TextColumn("[bold]chaos[/]"),
        BarColumn(),
        MofNCompleteColumn(),
        TextColumn("{task.fields[failed]}"),
        TimeRemainingColumn(),
    )
    with Progress(*columns, console=_console) as progress:
        bar = progress.add_task("chaos", total=len(plans), failed="")
        for outcome in suite.run_all(plans, min(jobs, max(1, len(plans) // suite.PLANS_PER_ERRAND))):
            tally.add(outcome)
            word = f"[red]{len(tally.failures)} failed[/]" if tally.failures else "[green]0 violations[/]"
            progress.update(bar, advance=1, failed=word)
    return tally, progress.tasks[0].elapsed or 1.0


def _show(tally: suite.Tally, wall_s: float) -> None:
    table = Table("fault", "what it is", "runs", "met something")
    for name, kind in FAULTS.items():
        if name in tally.planned:
            met = str(tally.met.get(name, "")) if name in tally.met else "-"
            table.add_row(name, kind.title, str(tally.planned[name]), met)
    _console.print(table)
    _console.print(
        f"{tally.runs} runs in {wall_s:.0f} s ({tally.runs / wall_s:.1f} a second), "
        f"{tally.virtual_s / 3600:.1f} virtual hours, {tally.orders} orders, {tally.fills} fills, "
        f"{tally.processes} processes, {sum(tally.fired.values())} faults that met something"
    )


def _show_failures(failures: list[Outcome], program: Path | None) -> None:
    _console.print(f"\n[red bold]{len(failures)} runs broke an invariant[/]")
    for failure in failures[:FAILURES_SHOWN_MAX]:
        plan = msgspec.json.encode(failure.plan).decode()
        for text in failure.violations[:VIOLATIONS_SHOWN_MAX]:
            _console.print(f"  {text}", markup=False, highlight=False)
        where = f" {program}" if program is not None else ""
        _console.print(
            f"  again: nexustrader chaos{where} --replay '{plan}'\n", markup=False, highlight=False
        )
    if len(failures) > FAILURES_SHOWN_MAX:
        _console.print(f"  ... and {len(failures) - FAILURES_SHOWN_MAX} more; --report writes them all")


def _replay(text: str, program: Path | None) -> None:
    try:
        plan = msgspec.json.decode(text, type=Plan)
    except msgspec.MsgspecError as error:
        raise EngineBuildError(f"--replay needs a plan as a failure printed it: {error}") from None
    if program is not None:
        plan = msgspec.structs.replace(plan, program=str(program))
    outcome = suite.run_plan(plan, with_trace=True)
    for line in outcome.trace:
        _console.print(line, markup=False, highlight=False, soft_wrap=True)
    for violation in outcome.violations:
        _console.print(f"[red]{violation}[/]", highlight=False)
    _console.print(f"trace hash {outcome.digest}, {len(outcome.violations)} violations")
    if outcome.violations:
        smallest = shrink(outcome)
        _console.print(
            "the smallest plan found that fails in the same way:\n"
            f"nexustrader chaos --replay '{msgspec.json.encode(smallest.plan).decode()}'",
            markup=False,
            highlight=False,
        )
        raise typer.Exit(EXIT_VIOLATED)
