"""The commands of `nexustrader`. A command's module is imported when the command is used, or help is asked for."""

from __future__ import annotations

import importlib
import warnings
from typing import Any

import typer
from typer.core import TyperGroup

from nexustrader.error import SecretsFileWarning

COMMANDS = {  # name: module and the typer app in it
    "backtest": "nexustrader.cli.backtest:app",
    "chaos": "nexustrader.cli.chaos:app",
    "credentials": "nexustrader.cli.credentials:app",
    "data": "nexustrader.cli.data:app",
    "emulate": "nexustrader.cli.emulate:app",
    "demo": "nexustrader.cli.demo:app",
    "explain": "nexustrader.cli.explain:app",
    "parity": "nexustrader.cli.parity:app",
    "repair": "nexustrader.cli.repair:app",
    "replay": "nexustrader.cli.replay:app",
    "resume": "nexustrader.cli.resume:app",
    "run": "nexustrader.cli.run:app",
    "sweep": "nexustrader.cli.sweep:app",
    "venues": "nexustrader.cli.venues:app",
}

# They need no keys, so that none are stored is nothing to warn about.
WITHOUT_CREDENTIALS = frozenset(
    {
        "backtest",
        "chaos",
        "data",
        "demo",
        "emulate",
        "explain",
        "parity",
        "replay",
        "resume",
        "sweep",
        "venues",
    }
)


class _LazyGroup(TyperGroup):
    """Finds commands in COMMANDS."""

    def list_commands(self, ctx: Any) -> list[str]:  # noqa: ARG002 - the base class fixes the signature
        return list(COMMANDS)

    def get_command(self, ctx: Any, cmd_name: str) -> Any:  # noqa: ARG002 - as above
        if cmd_name not in COMMANDS:
            return None
        if cmd_name in WITHOUT_CREDENTIALS:
            warnings.simplefilter("ignore", SecretsFileWarning)
        module, _, name = COMMANDS[cmd_name].partition(":")
        return typer.main.get_command(getattr(importlib.import_module(module), name))


# Pretty tracebacks print the values of variables, which may be secrets.
app = typer.Typer(cls=_LazyGroup, no_args_is_help=True, add_completion=False, pretty_exceptions_enable=False)


@app.callback()
def _about() -> None:
    """Prove your bot before you fund it, then never lose an order."""
