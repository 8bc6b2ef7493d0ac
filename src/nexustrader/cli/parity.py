"""`nexustrader parity`: is the backtest what happened live?"""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import msgspec
import typer
from rich.console import Console
from rich.table import Table

from nexustrader.backtest.parity import OrderFinding, ParityReport, parity
from nexustrader.backtest.parity.compare import shown_time
from nexustrader.backtest.parity.findings import joined
from nexustrader.backtest.parity.parity import TIME_MS_MAX, USUAL
from nexustrader.domain.instrument import to_plain
from nexustrader.sim.latency import LATENCY_MS_MAX

ROWS_SHOWN_MAX = 200
WIDTH_MIN = 120  # of the table where no terminal says how wide it is
EXIT_UNEXPLAINED = 1

app = typer.Typer(add_completion=False, pretty_exceptions_enable=False)


@app.command("parity")
def parity_command(
    session: Annotated[
        Path, typer.Argument(help="What `nexustrader run <program> --record <file>` has made.")
    ],
    latency_ms: Annotated[
        int, typer.Option(min=0, max=LATENCY_MS_MAX, help="Delay of every command that the backtest assumes.")
    ] = 0,
    time_ms: Annotated[
        int, typer.Option(min=0, help="Executions count as equal up to so many milliseconds apart.")
    ] = TIME_MS_MAX,
    as_json: Annotated[bool, typer.Option("--json", help="Print everything as JSON.")] = False,
) -> None:
    """Simulate the orders of a recorded session on its own market data, and say what comes out otherwise, and why.

    Exit code 1 when something differs for no known cause.
    """
    report = parity(session, msgspec.structs.replace(USUAL, latency_ms=latency_ms), time_ms_max=time_ms)
    if as_json:
        print(msgspec.json.format(msgspec.json.encode(_everything(report)), indent=2).decode())
    else:
        _show(report)
    if not report.is_explained:
        raise typer.Exit(EXIT_UNEXPLAINED)


def _everything(report: ParityReport) -> dict[str, object]:
    """The report with what is counted in it."""
    found = msgspec.structs.asdict(report)
    return found | {
        "equal": report.equal,
        "by_cause": report.by_cause,
        "is_explained": report.is_explained,
    }


def _show(report: ParityReport) -> None:
    console = Console()
    if not console.is_terminal:
        console = Console(width=max(WIDTH_MIN, console.width))
    if report.differing:
        console.print(_orders(report.differing[:ROWS_SHOWN_MAX]))
        hidden = len(report.differing) - ROWS_SHOWN_MAX
        if hidden > 0:
            console.print(f"and {hidden:,} more orders; --json has them all")
    if report.accounts:
        console.print(_accounts(report))
    for line in _summary(report):
        console.print(line, highlight=False)


def _orders(findings: tuple[OrderFinding, ...]) -> Table:
    table = Table("order", "differs in", "recorded", "simulated", "cause")
    for one in findings:
        price = "" if one.price is None else f" at {to_plain(one.price)}"
        name = f"{shown_time(one.at_ms)} {one.side} {to_plain(one.amount)} {one.symbol} {one.type}{price}\n{one.oid}"
        cause = joined(one.causes) + (f": {one.detail}" if one.detail else "")
        table.add_row(
            name,
            "\n".join(difference.what for difference in one.differences),
            "\n".join(difference.recorded for difference in one.differences),
            "\n".join(difference.simulated for difference in one.differences),
            cause,
            end_section=True,
        )
    return table


def _accounts(report: ParityReport) -> Table:
    table = Table("account", "at the end", "recorded", "simulated", "cause")
    for one in report.accounts:
        cause = joined(one.causes) + (f": {one.detail}" if one.detail else "")
        table.add_row(one.account, one.what, to_plain(one.recorded), to_plain(one.simulated), cause)
    return table


def _summary(report: ParityReport) -> list[str]:
    causes = ", ".join(f"{cause} {count:,}" for cause, count in report.by_cause.items())
    orders = f"{report.equal:,} of {len(report.orders):,} orders came out equal"
    held = (
        f"{report.compared - len(report.accounts):,} of {report.compared:,} balances, positions and payments"
    )
    lines = [f"{orders}{f'; differing by {causes}' if causes else ''}; {held} are equal"]
    if report.latency is not None:
        found = report.latency
        lines.append(
            f"measured latency of {found.commands:,} commands: median {found.median_ms:.1f} ms, at most "
            f"{found.max_ms:.1f} ms"
        )
    lines += [f"assumed: {text}" for text in report.assumptions]
    lines += [f"note: {text}" for text in report.notes]
    return lines
