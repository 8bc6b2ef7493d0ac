"""`nexustrader replay`: a recorded session, decided again."""

from __future__ import annotations

import platform
import sys
import warnings
from importlib import metadata
from pathlib import Path
from typing import Annotated, Any

import typer

from nexustrader._session.file import Session
from nexustrader._session.player import Report, replay
from nexustrader.cli import hash_seed
from nexustrader.cli.load import load_program
from nexustrader.config import LogConfig
from nexustrader.error import CredentialsWarning, EngineBuildError

app = typer.Typer(add_completion=False, pretty_exceptions_enable=False)

EXIT_DIFFERENT = 1


@app.command("replay")
def replay_command(
    session: Annotated[
        Path, typer.Argument(help="What `nexustrader run <program> --record <file>` has made.")
    ],
    program: Annotated[
        Path, typer.Argument(help="The strategy program that was recorded, or a changed one.")
    ],
    log: Annotated[
        str, typer.Option(help="Print what is logged from this level up, at the session's times.")
    ] = "OFF",
) -> None:
    """Run a recorded session again: the same decisions, or the first that differs. No keys, no network, no order.

    Exit code 1 when a decision differs.
    """
    start = Session(session).start
    if start.hash_seed is not None and _is_command_line():
        hash_seed.start_again_with(start.hash_seed)
    sys.argv = [str(program)]
    warnings.simplefilter("ignore", CredentialsWarning)  # none are used
    report = replay(session, load_program(program), _log_config(log.upper()))
    if report.difference is None:
        print(
            f"{report.inputs:,} inputs, {report.decisions:,} decisions: the same (hash {report.trace_hash})"
        )
    else:
        _print_difference(report)
    for note in _notes(report):
        print(f"note: {note}")
    if report.difference is not None:
        raise typer.Exit(EXIT_DIFFERENT)


def _log_config(level: Any) -> LogConfig:
    try:
        return LogConfig(level_stdout=level)
    except ValueError as error:
        raise EngineBuildError(f"--log: {error}") from None


def _is_command_line() -> bool:
    """False when another program has called the command: its process is not ours to start anew."""
    return sys.argv[1:2] == ["replay"]


def _print_difference(report: Report) -> None:
    found = report.difference
    assert found is not None
    print(f"different, after {report.decisions:,} decisions that are the same, at input {found.what}")
    print(f"  recorded: {found.then}")
    print(f"  now:      {found.now}")
    if found.before:
        print("the inputs before it:")
        for line in found.before:
            print(f"  {line}")


def _notes(report: Report) -> list[str]:
    start = report.start
    notes = []
    if not report.is_complete:
        notes.append("the session has no end: its last input may be torn and was left out")
    if report.ended_early is not None:
        notes.append(f"the recording ended before the run did: {report.ended_early}")
    if report.outsiders:
        notes.append(
            f"{report.outsiders:,} order request(s) came from outside of every callback (a thread or a raw loop "
            "callback of the program): taken as recorded, not decided again"
        )
    if report.strays:
        notes.append(
            f"{report.strays:,} event(s) outside of every input cannot be had again and were left out"
        )
    if report.difference is not None:
        if start.hash_seed is None:
            notes.append(
                "it was recorded without a fixed PYTHONHASHSEED, so the order of sets may be another; "
                "`nexustrader run --record` fixes it"
            )
        for what, then, now in (
            ("nexustrader", start.version, metadata.version("nexustrader")),
            ("Python", start.python, platform.python_version()),
        ):
            if then != now:
                notes.append(f"it was recorded by {what} {then}, and this is {now}")
    return notes
