"""The calls by which an engine sets its core going. When a session is recorded they are inputs like any other."""

from __future__ import annotations

import functools
from collections.abc import Callable, Mapping
from typing import Any, Concatenate, ParamSpec, Protocol, TypeVar

from nexustrader.constants import DataType
from nexustrader.kernel.ports import VenuePort
from nexustrader.market.data import StreamPort

ENTRIES: set[str] = set()  # names of methods of the core

P = ParamSpec("P")
R = TypeVar("R")


class Tape(Protocol):
    """Hears of everything that goes into a core. One that is there records a session."""

    def call(self, name: str, args: tuple[Any, ...], call: Callable[[], R], /) -> R: ...
    def streams(self, instruments: Any, port: StreamPort | None, /) -> StreamPort | None:
        """The port through which streams are subscribed from now on, in place of `port`."""

    def deliver(
        self, deliver: Mapping[DataType, Callable[[Any], None]], /
    ) -> Mapping[DataType, Callable[[Any], None]]:
        """What takes public data from now on, in place of `deliver`."""

    def account(self, port: VenuePort, /) -> VenuePort:
        """The port to which commands go from now on, in place of `port`."""


class Recordable(Protocol):
    """What owns entries."""

    tape: Tape | None


S = TypeVar("S", bound=Recordable)


def entry(method: Callable[Concatenate[S, P], R]) -> Callable[Concatenate[S, P], R]:
    """Make a method an entry. Its arguments are text, so that they can be kept; keywords are not kept."""
    name = method.__name__
    ENTRIES.add(name)

    @functools.wraps(method)
    def entered(self: S, /, *args: P.args, **kwargs: P.kwargs) -> R:
        if self.tape is None:
            return method(self, *args, **kwargs)
        return self.tape.call(name, args, lambda: method(self, *args, **kwargs))

    return entered
