"""`nexustrader repair`: the venue's truth beside the journal's, and the correction."""

from __future__ import annotations

import sys
from pathlib import Path
from typing import Annotated

import typer
from rich.console import Console
from rich.table import Table
from rich.text import Text

from nexustrader._engine.repair import Account, Findings, Line, Repair
from nexustrader.cli.explain import WIDTH_MAX, plain
from nexustrader.cli.load import load_program
from nexustrader.domain import events as ev
from nexustrader.domain.life import SOURCES, cause_of, said
from nexustrader.kernel.log import setup_logging

EXIT_DIFFERENT = 1

app = typer.Typer(add_completion=False, pretty_exceptions_enable=False)


@app.command("repair")
def repair(
    program: Annotated[Path, typer.Argument(help="The strategy program whose journal is meant.")],
    apply: Annotated[bool, typer.Option("--apply", help="Write the corrections into the journal.")] = False,
    wait: Annotated[
        float, typer.Option(min=0, help="Seconds to ask again for orders that the venue does not show.")
    ] = 30.0,
) -> None:
    """Compare a program's journal with its venues, and propose what would make it true.

    The strategy is not run, and nothing is sent to a venue but questions. Without --apply the journal stays as it
    is; exit code 1 says that something differs. Refuses while an engine has the journal.
    """
    console = Console(width=min(Console().width, WIDTH_MAX), highlight=False)
    config = load_program(program)
    config.log_config.level_stdout = "ERROR"
    setup_logging(config.log_config)
    with Repair(config) as work:
        findings = work.find(wait)
        for account in findings.accounts:
            _print_account(console, account)
        _print_corrections(console, findings)
        if not findings.corrections:
            return
        if not apply:
            console.print("Nothing was written. To write the corrections run the same with --apply.")
            sys.exit(EXIT_DIFFERENT)
        count = work.apply(findings)
    console.print(
        Text(f"{count} correction(s) are in the journal; the next start goes on from there", "green")
    )


def _print_account(console: Console, account: Account) -> None:
    console.print()
    console.print(plain(account.key, "bold"))
    table = Table(box=None, pad_edge=False, padding=(0, 2, 0, 0), header_style="dim")
    for name in ("", "journal", "venue"):
        table.add_column(name, overflow="fold", ratio=1)
    for title, lines in (
        ("orders", account.orders),
        ("positions", account.positions),
        ("balances", account.balances),
    ):
        table.add_row(Text(title if lines else f"no {title}", "dim"))
        for line in lines:
            _add(table, line)
    console.print(table)
    for oid in account.in_doubt:
        console.print(plain(f"order {oid} is still in doubt; a longer --wait may settle it", "yellow"))


def _add(table: Table, line: Line) -> None:
    style = "yellow" if line.is_different else ""
    table.add_row(plain(line.name, style), plain(line.ours, style), plain(line.venue, style))


def _print_corrections(console: Console, findings: Findings) -> None:
    console.print()
    if not findings.corrections:
        console.print(Text("The journal agrees with the venue.", "green"))
        return
    console.print(Text(f"{len(findings.corrections)} correction(s):", "bold"))
    for record in findings.corrections:
        console.print(plain(f"  {describe(record)}"))


def describe(record: ev.Record) -> str:
    """A correction in words."""
    if isinstance(record, ev.OrderEvent):
        cause = cause_of(record)
        because = f": {cause}" if cause else ""
        return f"order {record.oid}: {said(record)} ({SOURCES[record.source]}){because}"
    if isinstance(record, ev.PositionEvent):
        return f"position {record.account} {record.symbol}: {record.signed_amount} at {record.entry_price} (query)"
    return f"{type(record).__name__}"
