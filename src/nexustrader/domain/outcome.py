"""The five conclusions: what may be known about a command that was meant for a venue.

Only these move an order. A network error is never evidence of failure: whatever happens after the first
byte may have left is `UNKNOWN` until the venue itself says more.
"""

from __future__ import annotations

from enum import Enum


class Conclusion(str, Enum):
    """What we know of one command. The comments say what each permits."""

    NOT_SENT = "NOT_SENT"  # no byte left: may be retried or rerouted under the same client id
    ACCEPTED = "ACCEPTED"  # the venue said so by ACK, stream, query or fill: the order may go live
    REJECTED = "REJECTED"  # a definite refusal listed in the venue's spec: the order may be closed
    UNKNOWN = "UNKNOWN"  # query and wait; never re-send, never call it failed
    ABSENT = "ABSENT"  # several independent negatives after the horizon: close as never arrived


class CommandKind(str, Enum):
    """Which command a conclusion speaks of."""

    CREATE = "create"
    CANCEL = "cancel"
    AMEND = "amend"
    CANCEL_ALL = "cancel_all"


class Route(str, Enum):
    """The way a command takes to the venue."""

    REST = "rest"
    WS = "ws"
