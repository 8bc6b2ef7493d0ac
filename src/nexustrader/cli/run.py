"""`nexustrader run`: a user's unchanged program, live or against emulators."""

from __future__ import annotations

import contextlib
import os
import sys
import tempfile
from collections.abc import Iterator
from pathlib import Path
from typing import Annotated

import typer
from rich.console import Console

from nexustrader._engine.loading import recording_to
from nexustrader.cli import hash_seed
from nexustrader.cli.load import run_file
from nexustrader.constants import ExchangeType, settings
from nexustrader.emulator.process import EmulatorProcess
from nexustrader.error import EngineBuildError

app = typer.Typer(add_completion=False, pretty_exceptions_enable=False)
_console = Console(stderr=True)


@app.command("run")
def run(
    program: Annotated[Path, typer.Argument(help="A strategy program that builds an Engine and starts it.")],
    emulate: Annotated[
        list[str] | None, typer.Option("--emulate", help="Venue to emulate; may be given several times.")
    ] = None,
    seed: Annotated[int, typer.Option(help="Seed of the emulated market.")] = 1,
    data: Annotated[
        Path | None,
        typer.Option(
            exists=True, dir_okay=False, help="Recorded frames or candles to replay in the emulator."
        ),
    ] = None,
    speed: Annotated[float, typer.Option(min=0, help="How many times faster than recorded.")] = 1.0,
    record: Annotated[
        Path | None,
        typer.Option(dir_okay=False, help="Record the session to this file, for `nexustrader replay`."),
    ] = None,
) -> None:
    """Run a program. With --emulate it meets emulators on this machine instead of the venues: no keys, no internet."""
    if not program.is_file():
        raise EngineBuildError(f"{program} is not a file; give the path of a strategy program")
    if record is not None and sys.argv[1:2] == ["run"] and hash_seed.chosen() is None:
        hash_seed.start_again_with(hash_seed.FIXED)
    with contextlib.ExitStack() as stack:
        if record is not None:
            stack.enter_context(recording_to(record))
        for venue in emulate or ():
            emulator = EmulatorProcess.start(venue, data=data, speed=speed, seed=seed)
            stack.callback(emulator.stop)
            stack.enter_context(emulated(venue, emulator))
            _console.print(
                f"[bold]{venue} is emulated[/] at {emulator.url}: no order of this run is real. "
                "Throw-away credentials stand in for every key of this venue."
            )
        run_as_main(program)


@contextlib.contextmanager
def emulated(venue: str, emulator: EmulatorProcess) -> Iterator[None]:
    """Redirect a venue to its emulator: endpoints, credentials, and a journal apart from the real one."""
    name = ExchangeType(venue).name
    with tempfile.TemporaryDirectory(prefix="nexustrader-emulated-") as folder:
        os.environ[f"NEXUS_ENDPOINTS__{name}"] = emulator.url
        os.environ["NEXUS_EMULATED__DB_PATH"] = str(Path(folder) / "cache.db")
        settings.reload()
        settings.overlay(name, emulator.api_key, emulator.secret, None)
        yield


def run_as_main(program: Path) -> None:
    """Run a file as `python file` would, its own folder first on the import path. Raises as `run_file`."""
    sys.path.insert(0, str(program.resolve().parent))  # stays: threads may outlive the program's last line
    sys.argv = [str(program)]
    run_file(program, "__main__")
