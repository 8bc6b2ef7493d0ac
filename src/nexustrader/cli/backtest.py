"""`nexustrader backtest`: a user's unchanged program over recorded bars."""

from __future__ import annotations

import json
from collections.abc import Callable
from decimal import Decimal
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any, TypeVar

import typer
from rich.console import Console
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeRemainingColumn
from rich.table import Table

from nexustrader.cli import backtest_inputs as inputs
from nexustrader.cli.backtest_data import sources, with_ticks

if TYPE_CHECKING:
    from nexustrader.backtest import Backtest, BacktestResult
    from nexustrader.backtest.bands import Bands, Build

T = TypeVar("T")

EXIT_LOOKAHEAD = 1
app = typer.Typer(add_completion=False, pretty_exceptions_enable=False)
_messages = Console(stderr=True)


Data = Annotated[
    list[str],
    typer.Option(
        help="Klines (csv, csv.gz or zip), or the folder of a catalogue; may be given several times, as SYMBOL=FILE "
        "for several symbols."
    ),
]
Ticks = Annotated[
    list[str] | None,
    typer.Option(
        "--ticks",
        help="Fill orders by these of the catalogue: quotes, trades or depth; may be given several times.",
    ),
]
ReportPath = Annotated[
    Path | None, typer.Option("--report", help="Write an HTML page here, with JSON and Parquet beside it.")
]
WithBands = Annotated[
    bool, typer.Option("--bands", help="Run under optimistic and pessimistic assumptions, too.")
]
WithCheck = Annotated[
    bool,
    typer.Option(
        "--check-lookahead",
        help="Run over shorter data, too: decisions that differ know the future (exit code 1).",
    ),
]


@app.command("backtest")
def backtest(
    program: Annotated[
        Path, typer.Argument(help="A strategy program, or a file with one Strategy subclass.")
    ],
    data: Data,
    ticks: Ticks = None,
    symbol: Annotated[
        str | None, typer.Option(help="What the data are of, e.g. BTCUSDT-PERP.BINANCE.")
    ] = None,
    start: Annotated[str | None, typer.Option(help="First day or moment (ISO, UTC).")] = None,
    end: Annotated[str | None, typer.Option(help="End, not included (ISO, UTC).")] = None,
    balance: Annotated[
        list[str] | None, typer.Option(help="Opening balance, e.g. USDT=10000; may be given several times.")
    ] = None,
    fee: Annotated[
        str | None, typer.Option(help="Fee as a fraction, or MAKER,TAKER, e.g. 0.0002,0.0005.")
    ] = None,
    leverage: Annotated[float | None, typer.Option(help="Leverage of every account.")] = None,
    latency: Annotated[int, typer.Option(help="Milliseconds from a command to the venue.")] = 0,
    seed: Annotated[int, typer.Option(help="Seed of whatever is random.")] = 0,
    report: ReportPath = None,
    with_bands: WithBands = False,
    with_check: WithCheck = False,
    as_json: Annotated[bool, typer.Option("--json", help="Print the whole result as JSON.")] = False,
) -> None:
    """Run a strategy over recorded data and print what came of it, with every assumption made."""
    files = sources(data, symbol)
    balances = dict(inputs.amounts(balance or []))
    settings = {
        "data": with_ticks(files, ticks or [], start, end),
        **inputs.settings_of(start, end, seed, balances, fee, leverage, latency),
    }
    if report is not None:
        _prepare(report)
    build = _builder(program, balances, settings, is_once=not (with_bands or with_check))
    checked = _check(build, [path for paths in files.values() for path in paths]) if with_check else None
    found = _found(build, checked, with_bands=with_bands)
    if report is not None:
        _write(found, report)
    _tell(found, as_json=as_json)


# -- the runs --------------------------------------------------------------------------------------------------


def _builder(
    program: Path, balances: dict[str, Decimal], settings: dict[str, Any], *, is_once: bool
) -> Build:
    """What makes a new run of the program each time; for several runs the data are read but once."""
    from nexustrader.backtest import Backtest

    def build(**changes: Any) -> Backtest:
        return Backtest(inputs.config_of(program, settings["data"], balances), **settings | changes)

    if is_once:
        return build
    data = build().sources.data()
    return lambda **changes: build(**{"data": data} | changes)


def _check(build: Build, files: list[Path]) -> BacktestResult:
    """The result of an honest strategy. Ends the command where decisions rest on later data."""
    from nexustrader.backtest.lookahead import check_lookahead

    found = _run(lambda tell: check_lookahead(build, watched=files, progress=tell))
    _messages.print(found.render(), markup=False, highlight=False, soft_wrap=True)
    if not found.is_clean:
        raise typer.Exit(EXIT_LOOKAHEAD)
    return found.result


def _found(build: Build, checked: BacktestResult | None, *, with_bands: bool) -> BacktestResult | Bands:
    if with_bands:
        from nexustrader.backtest.bands import bands

        return _run(lambda tell: bands(build, tell))
    if checked is not None:
        return checked
    run = build()
    return _run(run.run, run.events)


def _run(work: Callable[[Callable[[int], object]], T], total: int | None = None) -> T:
    """Work with a progress bar on stderr, which is not drawn where that is no terminal."""
    columns = (
        TextColumn("Backtest"),
        BarColumn(),
        MofNCompleteColumn(),
        TextColumn("events"),
        TimeRemainingColumn(),
    )
    with Progress(*columns, console=_messages, transient=True, disable=not _messages.is_terminal) as progress:
        task = progress.add_task("backtest", total=total)
        return work(lambda played: progress.update(task, completed=played))


# -- what came of them -----------------------------------------------------------------------------------------


def _prepare(report: Path) -> None:
    """Find out what stands in the way of a report before a long run."""
    from nexustrader.backtest.report import check_report

    check_report(report)


def _write(found: BacktestResult | Bands, path: Path) -> None:
    from nexustrader.backtest.report import write_report

    written = write_report(found, path)
    _messages.print(f"Report: {written.html}", markup=False, highlight=False, soft_wrap=True)


def _tell(found: BacktestResult | Bands, *, as_json: bool) -> None:
    from nexustrader.backtest import BacktestResult

    result = found if isinstance(found, BacktestResult) else found.base
    if as_json:
        print(json.dumps(result.as_dict()))
        return
    _show(result)
    if not isinstance(found, BacktestResult):
        _show_bands(found)


def _show_bands(bands: Bands) -> None:
    from nexustrader.backtest.report_sections import case_rows, findings_of

    table = Table(box=None, padding=(0, 2, 0, 0))
    table.add_column("Under other assumptions", style="bold")
    for case in bands.cases:
        table.add_column(case.name, justify="right")
    for name, *texts in case_rows(bands, findings_of(bands).cases):
        table.add_row(name, *texts)
    console = Console()
    console.print()
    console.print(table)


def _show(result: BacktestResult) -> None:
    console = Console()
    table = Table(show_header=False, box=None, padding=(0, 2, 0, 0))
    table.add_column(style="bold", no_wrap=True)
    table.add_column()
    for name, text in result.figures():
        table.add_row(name, text)
    console.print(table)
    console.print("\n[bold]Assumptions[/]")
    for text in result.assumptions:
        console.print(f"• {text}", style="dim", markup=False, highlight=False)
