"""What happened in one run, as the checkers need it: bytes, facts, notices, and the hash of all of it."""

from __future__ import annotations

import hashlib
from collections.abc import Callable
from typing import NamedTuple

import msgspec

from nexustrader.domain import events as ev
from nexustrader.domain.order import Applied, OrderState
from nexustrader.domain.order_effects import FillDelta, Told
from nexustrader.domain.order_state import Status
from nexustrader.schema import Order

HASH_BYTES = 16


class Step(msgspec.Struct, frozen=True):
    """One fact and what it did to its order."""

    oid: str
    before: Status
    after: Status
    by: ev.EventKind


class Telling(NamedTuple):
    """One thing the strategy was told, when, and by which of its callbacks."""

    at_s: float
    endpoint: str
    order: Order


class Life:
    """What one process of the engine has seen and told; a killed one is followed by another."""

    def __init__(self) -> None:
        self.is_restoring = True  # what is folded back from the journal is told to nobody
        self.has_started = False  # the strategy runs
        self.is_whole = True  # its orders were folded from all of their facts, not from a snapshot
        self.steps: list[Step] = []
        self.fills: list[tuple[str, FillDelta]] = []
        self.notices: list[tuple[str, Told]] = []
        self.happened: list[
            tuple[str, Told]
        ] = []  # the notices, with those of earlier lives' facts if it is whole
        self.told: list[Telling] = []  # as the strategy got it
        self.killed_at_s: float | None = None

    @property
    def was_killed(self) -> bool:
        """True when what it had not told yet is for the next one to tell."""
        return self.killed_at_s is not None


class History:
    """The whole run. `now_s` reads virtual time; the hash covers when, which way, and every byte."""

    def __init__(self, now_s: Callable[[], float]) -> None:
        self._now_s = now_s
        self._hash = hashlib.blake2b(digest_size=HASH_BYTES)
        self.lives: list[Life] = []
        self.violations: dict[str, None] = {}  # text, in the order of discovery
        self.cancelled_by_others: set[str] = (
            set()
        )  # client ids of strangers whose order the stranger has cancelled
        self.trace: list[str] | None = None  # with a list, every line that is hashed is kept too
        self.on_step: Callable[[OrderState | None, ev.OrderEvent, OrderState], None] | None = None

    def begin_life(self) -> Life:
        life = Life()
        self.lives.append(life)
        self.note("life", str(len(self.lives)).encode())
        return life

    def note(self, what: str, data: bytes) -> None:
        """Put one line into the trace."""
        head = f"{self._now_s():.6f} {what} ".encode()
        self._hash.update(head)
        self._hash.update(data)
        if self.trace is not None:
            self.trace.append((head + data).decode(errors="replace"))

    def on_crossing(self, way: str, what: bytes) -> None:
        self.note(way, what)

    def on_fact(self, life: Life, before: OrderState | None, event: ev.OrderEvent, applied: Applied) -> None:
        """One fact was applied to one order."""
        after = applied.order
        was = Status.INITIALIZED if before is None else before.status
        life.steps.append(Step(after.oid, was, after.status, event.kind))
        for effect in applied.effects:
            if isinstance(effect, FillDelta):
                life.fills.append((after.oid, effect))
                continue
            life.happened.append((after.oid, effect))
            if not life.is_restoring:
                life.notices.append((after.oid, effect))
                self.note("told", f"{after.oid} {effect.notice.value} {effect.reason}".encode())
        if self.on_step is not None and not life.is_restoring:
            self.on_step(before, event, after)

    def violate(self, text: str) -> None:
        """An invariant does not hold. Said once."""
        if text not in self.violations:
            self.violations[text] = None
            self.note("violation", text.encode())

    def digest(self) -> str:
        return self._hash.hexdigest()
