"""Loads a user's program without letting it run: its Config is taken, `engine.start()` is left to us."""

from __future__ import annotations

import contextlib
import runpy
import sys
from collections.abc import Iterator
from pathlib import Path

from nexustrader.config import Config
from nexustrader.engine import Engine
from nexustrader.error import EngineBuildError


class _Captured(BaseException):
    """Carries the Config out of the user's program; no `except Exception` of the user's may swallow it."""

    def __init__(self, config: Config) -> None:
        super().__init__()
        self.config = config


@contextlib.contextmanager
def _engines_report_only() -> Iterator[None]:
    """While active, `Engine(config)` ends the program and hands over its config instead of building."""
    build = Engine.__init__

    def capture(_self: Engine, config: Config) -> None:
        raise _Captured(config)

    Engine.__init__ = capture  # type: ignore[method-assign]  # for the length of the load only
    try:
        yield
    finally:
        Engine.__init__ = build  # type: ignore[method-assign]  # as above


def load_program(path: Path) -> Config:
    """Run the user's file up to its `Engine(config)` and return that config.

    Raises EngineBuildError when the file does not exist or builds no engine and has no module-level `config`.
    Whatever the user's own code raises passes through.
    """
    if not path.is_file():
        raise EngineBuildError(f"{path} is not a file; give the path of a strategy program")
    folder = str(path.resolve().parent)
    sys.path.insert(0, folder)
    try:
        with _engines_report_only():
            names = runpy.run_path(str(path), run_name="__main__")
    except BaseException as error:  # tidy: ok — re-raised unless it carries the config
        captured = _find_captured(error)
        if captured is None:
            raise
        return captured.config
    finally:
        sys.path.remove(folder)
    config = names.get("config")
    if isinstance(config, Config):
        return config
    raise EngineBuildError(
        f"{path} builds no Engine and has no module-level `config`. "
        "End it with `engine = Engine(config)` and `engine.start()`"
    )


def _find_captured(error: BaseException | None) -> _Captured | None:
    """The capture, also where the user's own `finally` raised on top of it (its `engine` was never bound)."""
    while error is not None and not isinstance(error, _Captured):
        error = error.__context__
    return error
