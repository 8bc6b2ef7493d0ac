"""The entry of the command `nexustrader`. It imports next to nothing, so that a Ctrl-C always finds it ready."""

from __future__ import annotations

import sys

EXIT_ERROR = 2
EXIT_INTERRUPTED = 130  # what a shell reports of a program that Ctrl-C ended


def main(arguments: list[str] | None = None) -> None:
    """Run the command line and exit. Our own errors are one line on stderr, with the remedy, and exit code 2.

    A Ctrl-C that no command takes up ends it without a word and with exit code 130.
    """
    try:
        _run(arguments)
    except KeyboardInterrupt:
        sys.exit(EXIT_INTERRUPTED)


def _run(arguments: list[str] | None) -> None:
    from nexustrader.cli.commands import app
    from nexustrader.error import NexusTraderError

    try:
        app(arguments)
    except NexusTraderError as error:
        from nexustrader.kernel.redaction import redact

        print(redact(f"nexustrader: {' '.join(str(error).split())}"), file=sys.stderr)
        sys.exit(EXIT_ERROR)


if __name__ == "__main__":
    main()
