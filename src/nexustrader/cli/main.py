"""The command `nexustrader`. A command's module is imported when the command is used, or help is asked for."""

from __future__ import annotations

import importlib
import sys
import warnings
from typing import Any

import typer
from typer.core import TyperGroup

from nexustrader.error import NexusTraderError, SecretsFileWarning

COMMANDS = {  # name: module and the typer app in it
    "backtest": "nexustrader.cli.backtest:app",
    "credentials": "nexustrader.cli.credentials:app",
    "emulate": "nexustrader.cli.emulate:app",
    "demo": "nexustrader.cli.demo:app",
    "run": "nexustrader.cli.run:app",
}

# They need no keys, so that none are stored is nothing to warn about.
WITHOUT_CREDENTIALS = frozenset({"backtest", "demo", "emulate"})

EXIT_ERROR = 2


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


def main(arguments: list[str] | None = None) -> None:
    """Run the command line and exit. Our own errors are one line on stderr, with the remedy, and exit code 2."""
    try:
        app(arguments)
    except NexusTraderError as error:
        from nexustrader.kernel.redaction import redact

        print(redact(f"nexustrader: {' '.join(str(error).split())}"), file=sys.stderr)
        sys.exit(EXIT_ERROR)


if __name__ == "__main__":
    main()
