"""Runs a user's program, or loads it without letting it run: its Config is taken, `engine.start()` is left to us."""

from __future__ import annotations

import runpy
import sys
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import Any

from nexustrader._engine.loading import find_taken, taking_configs
from nexustrader.config import Config
from nexustrader.error import EngineBuildError, StrategyBuildError

LINE_CHARS_MAX = 80  # of a user's line in a message


def load_program(path: Path) -> Config:
    """Run the user's file up to its `Engine(config)` and return that config.

    Raises EngineBuildError when the file does not exist or builds no engine and has no module-level `config`, and
    StrategyBuildError when it is not Python. Whatever else the user's own code raises passes through.
    """
    try:
        with taking_configs():
            names = run_file(path, "__main__")
    except BaseException as error:  # tidy: ok — re-raised unless it carries the config
        taken = find_taken(error)
        if taken is None:
            raise
        return taken.config
    config = names.get("config")
    if isinstance(config, Config):
        return config
    raise EngineBuildError(
        f"{path} builds no Engine and has no module-level `config`. "
        "End it with `engine = Engine(config)` and `engine.start()`"
    )


def run_file(path: Path, name: str) -> dict[str, Any]:
    """Run a user's file under a module name, its folder first on the import path meanwhile; return its names.

    Raises EngineBuildError when it does not exist, StrategyBuildError when it, or what it imports, is not Python.
    """
    if not path.is_file():
        raise EngineBuildError(f"{path} is not a file; give the path of a strategy program")
    with _importing_from(path.resolve().parent):
        try:
            return runpy.run_path(str(path), run_name=name)
        except SyntaxError as error:
            file = error.filename or str(path)  # null bytes are told without a file
            if not Path(file).is_file():  # text that the program itself had evaluated
                raise
            raise StrategyBuildError(_complaint(error, file)) from None


@contextmanager
def _importing_from(folder: Path) -> Iterator[None]:
    sys.path.insert(0, str(folder))
    try:
        yield
    finally:
        with suppress(ValueError):  # the program may have arranged the path to its own liking
            sys.path.remove(str(folder))


def _complaint(error: SyntaxError, file: str) -> str:
    where = f"{file}, line {error.lineno}" if error.lineno else file
    text = " ".join((error.text or "").split())
    line = f" in `{text[:LINE_CHARS_MAX]}`" if text else ""
    return f"{where}: {error.msg}{line}; correct the program"
