"""How a tool takes the Config out of a user's program without running it."""

from __future__ import annotations

import contextlib
from collections.abc import Iterator
from contextvars import ContextVar
from pathlib import Path

from nexustrader.config import Config

_taking: ContextVar[bool] = ContextVar("taking_configs", default=False)
_recorded_to: ContextVar[Path | None] = ContextVar("recorded_to", default=None)


class ConfigTaken(BaseException):
    """Unwinds the user's program at its `Engine(config)`; no `except Exception` of the user's may swallow it."""

    def __init__(self, config: Config) -> None:
        super().__init__()
        self.config = config


@contextlib.contextmanager
def taking_configs() -> Iterator[None]:
    """Within this block `Engine(config)` raises ConfigTaken instead of building an engine."""
    token = _taking.set(True)
    try:
        yield
    finally:
        _taking.reset(token)


@contextlib.contextmanager
def recording_to(path: Path) -> Iterator[None]:
    """Within this block every engine that is built records its session to `path`, unless it names another file."""
    token = _recorded_to.set(path)
    try:
        yield
    finally:
        _recorded_to.reset(token)


def recorded_to() -> Path | None:
    """Where a tool wants the session of an engine that is built now."""
    return _recorded_to.get()


def hand_over(config: Config) -> None:
    """Called first by every engine. Raises ConfigTaken when somebody wants the config alone."""
    if _taking.get():
        raise ConfigTaken(config)


def find_taken(error: BaseException | None) -> ConfigTaken | None:
    """The hand-over behind `error`: the user's own `finally` may have raised on top of it."""
    while error is not None and not isinstance(error, ConfigTaken):
        error = error.__context__
    return error
