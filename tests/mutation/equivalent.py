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
NO_STATE = "an order that is not known has a reason: the condition is there for the type checker"
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
    Equivalent(
        "domain/order.py",
        "if kind is EventKind.ACKED and not order.is_acked:",
        "if kind is EventKind.ACKED and True:",
        "what was acknowledged stays so: the condition only spares a copy of the order",
    ),
    Equivalent(
        "domain/order.py",
        "price = fills_cost / fills_amount if fills_amount else order.price or _ZERO",
        "price = fills_cost / fills_amount if fills_amount else order.price or False",
        "False is reckoned with as 0",
    ),
    *(
        Equivalent(
            "domain/order.py",
            "if order.last_filled is not None and order.last_price is not None:",
            new,
            "both are known or neither is: the second condition is there for the type checker",
        )
        for new in (
            "if order.last_filled is not None or order.last_price is not None:",
            "if True and order.last_price is not None:",
            "if order.last_filled is not None and True:",
        )
    ),
    Equivalent(
        "domain/instrument.py",
        "elif value.same_quantum(step) and step < _ONE:",
        "pass",
        "such a value is its own multiple in its own decimals: the condition only spares the way there",
    ),
    Equivalent(
        "domain/position.py",
        "return PositionSide.LONG if self.signed_amount > 0 else PositionSide.SHORT",
        "return PositionSide.LONG if self.signed_amount >= 0 else PositionSide.SHORT",
        "the line before has answered for 0",
    ),
    Equivalent(
        "domain/position.py",
        "if not self.signed_amount:",
        "pass",
        "a flat position has cost nothing and is worth nothing: the condition only spares the sum",
    ),
    Equivalent(
        "domain/position.py",
        "return delta.amount * position.contract_size / delta.price if delta.amount and delta.price else _ZERO",
        "return delta.amount * position.contract_size / delta.price if True and delta.price else _ZERO",
        "0 at any price is 0",
    ),
    Equivalent(
        "execution/ems.py",
        "if state is None or reason is not None:",
        "if False or reason is not None:",
        NO_STATE,
    ),
    Equivalent(
        "execution/ems.py",
        "if state is None or why is not None:",
        "if False or why is not None:",
        NO_STATE,
    ),
    Equivalent(
        "execution/ems.py",
        "self.cancel(symbol, state.oid, Route.REST, ws_fallback=True, params={})",
        "self.cancel(symbol, state.oid, Route.REST, ws_fallback=False, params={})",
        "what goes by REST has nothing to fall back to",
    ),
    Equivalent(
        "execution/ems.py",
        "self._cancel_attempts = itertools.count(1)",
        "self._cancel_attempts = itertools.count(2)",
        "the numbers only tell the cancels apart",
    ),
    Equivalent(
        "execution/oms.py",
        "type=event.type or OrderType.MARKET,  # liquidations have types of their own",
        "type=event.type or OrderType.LIMIT,  # liquidations have types of their own",
        "only the fill is taken from that order; its type is never looked at",
    ),
    Equivalent(
        "execution/oms.py",
        "shown = msgspec.structs.replace(event, type=event.type or OrderType.LIMIT)",
        "shown = msgspec.structs.replace(event, type=event.type or OrderType.TAKE_PROFIT_MARKET)",
        "it stands in while the snapshot is made, and no other term depends on it",
    ),
    Equivalent(
        "execution/request.py",
        "if _LEAST < exact < _MOST and (limit is None or _LEAST < limit < _MOST):",
        "pass",
        "numbers that are plausible pass the checks below as they are: the condition only spares the way there",
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
