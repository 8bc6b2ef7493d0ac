"""What to do after a command's conclusion. Pure: from a command and its result to one step.

The rule behind the tables: only NOT_SENT permits another way to the venue, only REJECTED and ABSENT permit closing
an order, and UNKNOWN permits nothing but asking.
"""

from __future__ import annotations

from enum import Enum

from nexustrader.constants import OrderType, TimeInForce
from nexustrader.domain import events as ev
from nexustrader.domain.outcome import CommandKind, Conclusion, Route


class Step(Enum):
    """The one thing to do next."""

    CONFIRM = "confirm"  # apply ACKED and what the reply carried
    REROUTE = "reroute"  # the same command, same client id, by REST
    CLOSE_UNSENT = "close_unsent"
    CLOSE_REJECTED = "close_rejected"
    ASK = "ask"  # query the venue until it is known
    TELL = "tell"  # the order stays as it is; the user hears of the refusal
    ASK_THEN_TELL = "ask_then_tell"  # the venue does not know the order as open: find out what it is first


CREATE_STEPS = {
    Conclusion.ACCEPTED: Step.CONFIRM,
    Conclusion.REJECTED: Step.CLOSE_REJECTED,
    Conclusion.NOT_SENT: Step.CLOSE_UNSENT,
    Conclusion.UNKNOWN: Step.ASK,
    Conclusion.ABSENT: Step.ASK,  # only the reconciler concludes this, from several negatives
}
CHANGE_STEPS = {  # cancels and amendments: the order outlives the command
    Conclusion.ACCEPTED: Step.CONFIRM,
    Conclusion.REJECTED: Step.ASK_THEN_TELL,
    Conclusion.NOT_SENT: Step.TELL,
    Conclusion.UNKNOWN: Step.ASK_THEN_TELL,
    Conclusion.ABSENT: Step.ASK_THEN_TELL,
}


def next_step(result: ev.CommandResult, *, ws_fallback: bool) -> Step:
    """The step for one result. `ws_fallback`: the user allows REST when the order socket could not be used."""
    if result.conclusion is Conclusion.NOT_SENT and result.route is Route.WS and ws_fallback:
        return Step.REROUTE
    table = CREATE_STEPS if result.kind is CommandKind.CREATE else CHANGE_STEPS
    return table[result.conclusion]


def ends_at_once(order_type: OrderType, time_in_force: TimeInForce) -> bool:
    """True for orders that the venue finishes on entry: their last event may be lost, so it is asked for."""
    if order_type.is_triggered:
        return False
    return order_type.is_market or time_in_force in (TimeInForce.IOC, TimeInForce.FOK)
