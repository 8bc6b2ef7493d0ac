"""What is told when an order moves: notices for strategy and operator, fill deltas for the portfolio."""

from __future__ import annotations

from decimal import Decimal
from enum import Enum
from typing import TYPE_CHECKING

import msgspec

from nexustrader.constants import OrderStatus
from nexustrader.domain.events import EventKind, OrderEvent
from nexustrader.domain.order_state import DOUBTED, ENDED, FAILED, CancelState, Status

if TYPE_CHECKING:
    from nexustrader.domain.order import OrderState

Fees = tuple[tuple[str, Decimal], ...]
"""(currency, amount), sorted by currency; positive when paid. The currency is "" where none was named."""


def add_fee(fees: Fees, currency: str, amount: Decimal) -> Fees:
    """Return the fees with one more, summed per currency."""
    if not fees:
        return ((currency, amount),)
    sums = dict(fees)
    sums[currency] = sums.get(currency, Decimal(0)) + amount
    return tuple(sorted(sums.items()))


class Notice(str, Enum):
    """What a strategy (or an operator) is told about an order."""

    PENDING = "PENDING"
    ACCEPTED = "ACCEPTED"
    PARTIALLY_FILLED = "PARTIALLY_FILLED"
    FILLED = "FILLED"
    CANCELING = "CANCELING"
    CANCELED = "CANCELED"
    EXPIRED = "EXPIRED"
    FAILED = "FAILED"
    CANCEL_FAILED = "CANCEL_FAILED"  # the order stays as live as it was
    AMENDED = "AMENDED"  # told as on_accepted_order
    AMEND_FAILED = "AMEND_FAILED"  # the order stays as it was
    UNKNOWN = "UNKNOWN"
    RESURRECTED = "RESURRECTED"  # a fact refuted what we had concluded; `reason` says both
    OVERFILL = "OVERFILL"


class Told(msgspec.Struct, frozen=True, gc=False):
    """One notice, to be told with a snapshot that shows `status` and `reason`."""

    notice: Notice
    status: OrderStatus
    reason: str | None = None


class FillDelta(msgspec.Struct, frozen=True, kw_only=True, gc=False):
    """What one fact added to the order. The deltas of an order sum up to its `filled`, `cost` and `fees`.

    `amount` is 0 where the quantity had been counted before: then only fees are new, and `cost` corrects an
    estimate.
    """

    amount: Decimal
    cost: Decimal
    price: Decimal | None  # None for a mere correction
    fees: Fees = ()
    is_maker: bool = False
    trade_id: str | None = None  # None where the venue told a sum only
    timestamp: int


Effect = Told | FillDelta

_END_NOTICE = {
    Status.CANCELED: Notice.CANCELED,
    Status.EXPIRED: Notice.EXPIRED,
    Status.VANISHED: Notice.CANCELED,
}
# What no callback of a strategy takes: said in the log instead.
UNTOLD_NOTICES = frozenset({Notice.AMEND_FAILED, Notice.UNKNOWN, Notice.RESURRECTED, Notice.OVERFILL})


def notices(before: OrderState, after: OrderState, event: OrderEvent, *, is_amended: bool) -> list[Told]:
    """What changed between the two, each change once and in the order in which a life goes."""
    told: list[Told] = []
    was, now = before.status, after.status
    public = after.public_status
    if _is_resurrected(was, after):
        told.append(Told(Notice.RESURRECTED, public, _refutation(before, after, event)))
    if was is Status.VANISHED and after.is_open:
        told.append(Told(Notice.ACCEPTED, public))
    elif after.word is not before.word and not after.filled:
        if after.word is Status.PENDING:
            told.append(Told(Notice.PENDING, OrderStatus.PENDING))
        elif after.word is Status.ACCEPTED:
            told.append(Told(Notice.ACCEPTED, OrderStatus.ACCEPTED))
        elif after.word is Status.UNKNOWN:
            told.append(Told(Notice.UNKNOWN, public, after.reason))
    if is_amended and after.is_open and before.word is Status.ACCEPTED:
        told.append(Told(Notice.AMENDED, public))
    if after.filled > before.filled and now is not Status.FILLED:
        # A fill that is told after the end is told as what it is, but does not show the order as open again.
        is_late = was in ENDED or was is Status.FILLED
        told.append(Told(Notice.PARTIALLY_FILLED, public if is_late else OrderStatus.PARTIALLY_FILLED))
    if now is not was:
        if now is Status.FILLED:
            told.append(Told(Notice.FILLED, public))
        elif now is Status.CANCELING:
            told.append(Told(Notice.CANCELING, public))
        elif now in ENDED and was is not Status.VANISHED:
            told.append(Told(_END_NOTICE[now], public, after.reason))
        elif now in FAILED and was not in FAILED:
            told.append(Told(Notice.FAILED, public, after.reason))
    if after.is_overfilled and not before.is_overfilled:
        told.append(Told(Notice.OVERFILL, public, f"filled {after.filled} of {after.amount}"))
    if after.is_open:
        if after.cancel is CancelState.REFUSED and before.cancel is not CancelState.REFUSED:
            told.append(Told(Notice.CANCEL_FAILED, OrderStatus.CANCEL_FAILED, event.reason))
        if event.kind is EventKind.AMEND_REJECTED and before.is_amending:
            told.append(Told(Notice.AMEND_FAILED, public, event.reason))
    return told


_FAILURE_REASON = {
    Status.REJECTED: "refused by the venue without a reason",
    Status.NOT_SENT: "not sent",
    Status.ABSENT: "never arrived at the venue",
}


def reason_for(status: Status, event: OrderEvent) -> str | None:
    """Return why an order came to this status; None where a status needs no reason."""
    if status in DOUBTED or status in ENDED:
        return event.reason or _FAILURE_REASON.get(status)
    return None


def _is_resurrected(was: Status, after: OrderState) -> bool:
    now = after.status
    if was is Status.VANISHED:
        return after.is_open
    return now is not was and ((was in DOUBTED and now not in DOUBTED) or was is Status.FILLED)


def _refutation(before: OrderState, after: OrderState, event: OrderEvent) -> str:
    if before.status is Status.FILLED:
        return f"FILLED is refuted: the amount had been enlarged from {before.amount} to {after.amount}"
    because = f" ({before.reason})" if before.reason else ""
    return f"{before.status.value}{because} is refuted by {event.kind.value} from {event.source.value}"
