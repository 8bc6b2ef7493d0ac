"""How a tool takes the Config out of a user's program without running it."""

from __future__ import annotations

import contextlib
from collections.abc import Iterator
from contextvars import ContextVar

from nexustrader.config import Config

_taking: ContextVar[bool] = ContextVar("taking_configs", default=False)


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


def hand_over(config: Config) -> None:
    """Called first by every engine. Raises ConfigTaken when somebody wants the config alone."""
    if _taking.get():
        raise ConfigTaken(config)


def find_taken(error: BaseException | None) -> ConfigTaken | None:
    """The hand-over behind `error`: the user's own `finally` may have raised on top of it."""
    while error is not None and not isinstance(error, ConfigTaken):
        error = error.__context__
    return error
