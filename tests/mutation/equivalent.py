"""Generic mutants that change nothing anybody can see, each with the reason. They do not count against the score."""

from __future__ import annotations

from typing import NamedTuple

from patches import Mutant


class Equivalent(NamedTuple):
    """A change in `file` that makes the line `new` out of the line `old`."""

    file: str
    old: str
    new: str
    reason: str


ERRAND = (
    "the errand that would be begun asks nothing of an order that has ended: the condition only spares it"
)
EQUIVALENTS: tuple[Equivalent, ...] = (
    Equivalent(
        "execution/ems.py",
        "if after is None or after.is_closed:",
        "if after is None and after.is_closed:",
        ERRAND,
    ),
    Equivalent(
        "execution/ems.py",
        "if after is None or after.is_closed:",
        "if after is None or False:",
        ERRAND,
    ),
    Equivalent(
        "execution/request.py",
        "route: Route = Route.REST",
        "route: Route = Route.WS",
        "whoever makes a request names its route",
    ),
    Equivalent(
        "execution/admission.py",
        "if gate is not None and not gate.is_open and reason is None:",
        "if gate is not None and True and reason is None:",
        "an open gate refuses nothing: the condition only spares the call",
    ),
    Equivalent(
        "execution/admission.py",
        "self.gate.on_amended(oid, Conclusion.NOT_SENT)",
        "self.gate.on_amended(oid, Conclusion.ACCEPTED)",
        "for the gate an amendment has ended or is in doubt; which end it was is the same to it",
    ),
    Equivalent(
        "execution/request.py",
        "if not params:",
        "pass",
        "no parameters pass the checks below as they are: the condition only spares the way there",
    ),
)


def reason_for(mutant: Mutant) -> str | None:
    """Why this mutant cannot be caught; None for one that can."""
    before, after = mutant.old.splitlines(), mutant.new.splitlines()
    for known in EQUIVALENTS:
        if known.file != mutant.file:
            continue
        changed = [(b, a) for b, a in zip(before, after, strict=False) if b != a]
        if changed and (changed[0][0].strip(), changed[0][1].strip()) == (known.old, known.new):
            return known.reason
    return None
