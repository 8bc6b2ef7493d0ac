"""Invariants as a running engine can afford to check them: at every fact, in a microsecond, without a consequence.

A violation is a defect of this program, not of the venue. It is counted, said in the log, and trading goes on: the
order's state is what the facts make of it either way.
"""

from __future__ import annotations

from nexustrader.domain import events as ev
from nexustrader.domain.order import Applied, OrderState
from nexustrader.domain.order_effects import FillDelta, Notice, Told
from nexustrader.domain.order_state import LEGAL, Status
from nexustrader.kernel.log import get_logger

VIOLATIONS_KEPT_MAX = 1_000

_log = get_logger("Health")


class Health:
    """What was found to be wrong in this run, newest last; `count` goes on when the list is full."""

    def __init__(self) -> None:
        self.violations: list[str] = []
        self.count = 0

    def on_fact(self, before: OrderState | None, event: ev.OrderEvent, applied: Applied) -> None:
        """I4 and I5 for one fact on one order."""
        after = applied.order
        was = Status.INITIALIZED if before is None else before.status
        if (was, after.status) not in LEGAL:
            self._note(
                f"I4: order {after.oid} went from {was.value} to {after.status.value} by {event.kind.value}"
            )
        if before is None or after.filled == before.filled:
            return
        if after.filled < before.filled:
            self._note(
                f"I5: the filled amount of order {after.oid} fell from {before.filled} to {after.filled}"
            )
        grown = sum(
            (effect.amount for effect in applied.effects if isinstance(effect, FillDelta)), after.filled * 0
        )
        if grown != after.filled - before.filled:
            self._note(f"I5: order {after.oid} grew by {after.filled - before.filled}, and {grown} was told")
        if after.is_overfilled and not before.is_overfilled and not _tells_overfill(applied):
            self._note(f"I5: order {after.oid} is overfilled, and nobody was told")

    def _note(self, text: str) -> None:
        self.count += 1
        if len(self.violations) < VIOLATIONS_KEPT_MAX:
            self.violations.append(text)
            _log.critical(f"{text}; this is a defect of nexustrader, please report it")


def _tells_overfill(applied: Applied) -> bool:
    return any(isinstance(effect, Told) and effect.notice is Notice.OVERFILL for effect in applied.effects)
