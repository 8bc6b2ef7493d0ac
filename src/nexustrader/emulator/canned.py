"""Refusals that faults answer with: the documented ones by name, changed by what the fault says itself."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Protocol

import msgspec

from nexustrader.emulator.errors import VenueError
from nexustrader.emulator.faults import Fault

SECOND_MS = 1_000

INTERNAL = "internal"
DEFAULTS = {"maintenance": "unavailable", "refuse_connect": "unavailable"}


class Canned(msgspec.Struct, frozen=True, kw_only=True):
    """One refusal. `retry_after_s` says how long to wait; `body` takes the place of the JSON on REST.

    The text may name the address {0} and the time {1} until when.
    """

    status: int
    code: int
    text: str
    retry_after_s: int | None = None
    body: str | None = None


class MakeError(Protocol):
    """The venue's own error."""

    def __call__(
        self, code: int, message: str, *, status: int | None = None, page: str | None = None
    ) -> VenueError: ...


class Replies:
    """The refusals of one venue by name, `unavailable` and `internal` among them.

    `rejected_status` is the status of a definite refusal; `say_wait` tells the client how long to wait.
    """

    def __init__(
        self,
        table: Mapping[str, Canned],
        make: MakeError,
        rejected_status: int,
        say_wait: Callable[[VenueError, int, int], object],
    ) -> None:
        self.table = table
        self._make = make
        self._rejected_status = rejected_status
        self._say_wait = say_wait

    def check(self, fault: Fault) -> None:
        """Raises ValueError for a fault that names no known refusal."""
        if fault.reply is not None and fault.reply not in self.table:
            raise ValueError(f"no refusal is called {fault.reply!r}; known: {', '.join(sorted(self.table))}")

    def as_error(self, fault: Fault, address: str, now_ms: int) -> VenueError:
        """The error that a fault answers with."""
        canned = self.table[fault.reply or DEFAULTS.get(fault.action, INTERNAL)]
        status = canned.status if fault.status is None else fault.status
        if fault.action == "reject_next":
            status = self._rejected_status
        text = canned.text.format(address, now_ms + (canned.retry_after_s or 0) * SECOND_MS)
        error = self._make(
            canned.code if fault.code is None else fault.code,
            text if fault.msg is None else fault.msg,
            status=status,
            page=canned.body if fault.body is None else fault.body,
        )
        if canned.retry_after_s is not None:
            self._say_wait(error, canned.retry_after_s * SECOND_MS, now_ms)
        return error


def page(title: str) -> str:
    """A page of HTML as proxies send it."""
    return f"<html><head><title>{title}</title></head><body><h1>{title}</h1></body></html>"
