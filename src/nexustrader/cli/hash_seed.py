"""The order of Python's sets of text, which a program may depend on without knowing: the same again in a replay."""

from __future__ import annotations

import os
import sys

FIXED = "0"  # for what is recorded, unless the user has chosen


def chosen() -> str | None:
    """The seed of this process; None when Python has drawn one."""
    seed = os.environ.get("PYTHONHASHSEED", "")
    return seed if seed.isdigit() else None


def start_again_with(seed: str) -> None:
    """Start this very command line anew in this process, unless the seed is the one it has. Does not return then."""
    if chosen() != seed:
        sys.stdout.flush()
        sys.stderr.flush()
        arguments = [sys.executable, *sys.orig_argv[1:]]
        os.execve(sys.executable, arguments, {**os.environ, "PYTHONHASHSEED": seed})  # noqa: S606 - no shell: our own arguments
