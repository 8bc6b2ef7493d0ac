"""The life of an order as data: what the venue's words do to it.

An order's status has three independent parts, so that it does not depend on the order in which facts arrive:

* the venue's *word* (is it there, has it ended), moved by `TRANSITIONS`;
* how much is *filled*, which decides between ACCEPTED, PARTIALLY_FILLED and FILLED and is stronger than any
  word;
* what became of our *cancel*, which shows as CANCELING while the order is open and falls back when refused.

`derive` puts them together. `PUBLIC` maps the inner status to the public one.
"""

from __future__ import annotations

from enum import Enum

from nexustrader.constants import OrderStatus
from nexustrader.domain.events import EventKind, Source


class Status(str, Enum):
    """Inner status. A str, because a str hashes fast and this is a key on the order path."""

    INITIALIZED = "INITIALIZED"  # the intent is journalled, nothing more is known
    UNKNOWN = "UNKNOWN"  # it may be at the venue; counts as worst-case exposure until it is resolved
    PENDING = "PENDING"  # the venue acknowledged the request
    ACCEPTED = "ACCEPTED"
    PARTIALLY_FILLED = "PARTIALLY_FILLED"
    CANCELING = "CANCELING"
    FILLED = "FILLED"
    CANCELED = "CANCELED"
    EXPIRED = "EXPIRED"
    VANISHED = "VANISHED"  # it was accepted, and the venue knows it no longer: its end was missed
    REJECTED = "REJECTED"
    NOT_SENT = "NOT_SENT"
    ABSENT = "ABSENT"


class CancelState(str, Enum):
    """What became of our latest cancel."""

    NONE = "NONE"
    REQUESTED = "REQUESTED"
    ACKED = "ACKED"
    REFUSED = "REFUSED"


S, K = Status, EventKind

# (the venue's word so far, what is said now) -> the venue's word from now on. What is not listed changes
# nothing: it is stale, or speaks of something else than the order's existence. A fill proves that the order
# was accepted; how much of it is filled is counted apart.
TRANSITIONS: dict[tuple[Status, EventKind], Status] = {
    (S.INITIALIZED, K.ACKED): S.PENDING,
    (S.INITIALIZED, K.ACCEPTED): S.ACCEPTED,  # the stream may overtake the ACK
    (S.INITIALIZED, K.AMENDED): S.ACCEPTED,
    (S.INITIALIZED, K.FILLED): S.ACCEPTED,
    (S.INITIALIZED, K.CANCELED): S.CANCELED,
    (S.INITIALIZED, K.EXPIRED): S.EXPIRED,
    (S.INITIALIZED, K.REJECTED): S.REJECTED,
    (S.INITIALIZED, K.NOT_SENT): S.NOT_SENT,
    (S.INITIALIZED, K.UNKNOWN): S.UNKNOWN,
    (S.INITIALIZED, K.ABSENT): S.ABSENT,  # the process died between the journal and the send
    (S.UNKNOWN, K.ACKED): S.PENDING,
    (S.UNKNOWN, K.ACCEPTED): S.ACCEPTED,
    (S.UNKNOWN, K.AMENDED): S.ACCEPTED,
    (S.UNKNOWN, K.FILLED): S.ACCEPTED,
    (S.UNKNOWN, K.CANCELED): S.CANCELED,
    (S.UNKNOWN, K.EXPIRED): S.EXPIRED,
    (S.UNKNOWN, K.REJECTED): S.REJECTED,  # the refusal came after our patience had ended
    (S.UNKNOWN, K.ABSENT): S.ABSENT,
    (S.PENDING, K.ACCEPTED): S.ACCEPTED,
    (S.PENDING, K.AMENDED): S.ACCEPTED,
    (S.PENDING, K.FILLED): S.ACCEPTED,
    (S.PENDING, K.CANCELED): S.CANCELED,
    (S.PENDING, K.EXPIRED): S.EXPIRED,  # an IOC, FOK or post-only order is killed at entry
    (S.PENDING, K.REJECTED): S.REJECTED,  # acknowledged first, then refused by the matching engine
    (S.PENDING, K.UNKNOWN): S.UNKNOWN,  # acknowledged, and yet the venue does not show it
    (S.PENDING, K.ABSENT): S.ABSENT,
    (S.ACCEPTED, K.CANCELED): S.CANCELED,
    (S.ACCEPTED, K.EXPIRED): S.EXPIRED,
    (S.ACCEPTED, K.REJECTED): S.REJECTED,  # only on the venue's own word, see OWN_WORD
    (S.ACCEPTED, K.VANISHED): S.VANISHED,
    (S.VANISHED, K.CANCELED): S.CANCELED,  # the end that we had missed
    (S.VANISHED, K.EXPIRED): S.CANCELED,  # told as CANCELED already
    (S.VANISHED, K.ACCEPTED): S.ACCEPTED,  # resurrection: only when the venue shows it now, see IS_ALIVE
    (S.VANISHED, K.FILLED): S.ACCEPTED,
    # Resurrection: we had concluded that it is not there, and the venue shows that it is.
    (S.ABSENT, K.ACKED): S.PENDING,
    (S.ABSENT, K.ACCEPTED): S.ACCEPTED,
    (S.ABSENT, K.AMENDED): S.ACCEPTED,
    (S.ABSENT, K.FILLED): S.ACCEPTED,
    (S.ABSENT, K.CANCELED): S.CANCELED,
    (S.ABSENT, K.EXPIRED): S.EXPIRED,
    (S.ABSENT, K.REJECTED): S.REJECTED,
    (S.NOT_SENT, K.ACKED): S.PENDING,  # the transport was wrong
    (S.NOT_SENT, K.ACCEPTED): S.ACCEPTED,
    (S.NOT_SENT, K.AMENDED): S.ACCEPTED,
    (S.NOT_SENT, K.FILLED): S.ACCEPTED,
    (S.NOT_SENT, K.CANCELED): S.CANCELED,
    (S.NOT_SENT, K.EXPIRED): S.EXPIRED,
    (S.NOT_SENT, K.REJECTED): S.REJECTED,
    (S.REJECTED, K.ACCEPTED): S.ACCEPTED,  # the reply may have meant another attempt; see OWN_WORD
    (S.REJECTED, K.AMENDED): S.ACCEPTED,
    (S.REJECTED, K.FILLED): S.ACCEPTED,
    (S.REJECTED, K.CANCELED): S.CANCELED,
    (S.REJECTED, K.EXPIRED): S.EXPIRED,
}

# A refusal told by the stream or by a query is the venue's own word about the order: it ends even an
# accepted one, and an ACCEPTED that arrives after it is stale. One that we read out of a reply is weaker
# than any sign of life.
OWN_WORD = frozenset({Source.STREAM, Source.QUERY})

# A vanished order comes back only when a query shows it: what the stream says late, or again, was true of the
# time before it vanished.
IS_ALIVE = frozenset({K.ACCEPTED, K.FILLED})

FAILED = frozenset({S.REJECTED, S.NOT_SENT, S.ABSENT})
DOUBTED = FAILED | {S.UNKNOWN}  # the venue has not shown the order
ENDED = frozenset({S.CANCELED, S.EXPIRED, S.VANISHED})
CLOSED = FAILED | ENDED | {S.FILLED}

PUBLIC: dict[Status, OrderStatus] = {
    S.INITIALIZED: OrderStatus.INITIALIZED,
    S.UNKNOWN: OrderStatus.INITIALIZED,  # but PENDING once acked: see OrderState.public_status
    S.PENDING: OrderStatus.PENDING,
    S.ACCEPTED: OrderStatus.ACCEPTED,
    S.PARTIALLY_FILLED: OrderStatus.PARTIALLY_FILLED,
    S.CANCELING: OrderStatus.CANCELING,
    S.FILLED: OrderStatus.FILLED,
    S.CANCELED: OrderStatus.CANCELED,
    S.EXPIRED: OrderStatus.EXPIRED,
    S.VANISHED: OrderStatus.CANCELED,
    S.REJECTED: OrderStatus.FAILED,
    S.NOT_SENT: OrderStatus.FAILED,
    S.ABSENT: OrderStatus.FAILED,
}


def next_word(
    word: Status,
    kind: EventKind,
    source: Source,
    *,
    is_acked: bool,
    is_own_refusal: bool,
    is_execution: bool = False,
) -> Status:
    """Return the venue's word after one more fact.

    `is_acked`: the ACK was heard before, so another one is no news. `is_own_refusal`: a refusal was told on
    the venue's own word (see OWN_WORD). `is_execution`: the fact is about one execution, whenever that was.
    """
    if word is S.VANISHED and kind in IS_ALIVE and (source is not Source.QUERY or is_execution):
        return word
    if (
        (kind is K.REJECTED and word is S.ACCEPTED and source not in OWN_WORD)
        or (is_own_refusal and word is S.REJECTED and kind in (K.ACCEPTED, K.AMENDED))
        or (is_acked and kind is K.ACKED)
    ):
        return word
    return TRANSITIONS.get((word, kind), word)


def derive(word: Status, cancel: CancelState, *, is_filled: bool, is_complete: bool) -> Status:
    """Return the inner status: quantity before word, and CANCELING over what is open."""
    if is_complete:
        return S.FILLED
    if word in ENDED or word in DOUBTED or word is S.INITIALIZED:
        return word
    if cancel is CancelState.ACKED:
        return S.CANCELING
    return S.PARTIALLY_FILLED if is_filled else word


def _shown(word: Status, *, is_filled: bool) -> set[Status]:
    return {derive(word, cancel, is_filled=is_filled, is_complete=False) for cancel in CancelState}


def _legal() -> frozenset[tuple[Status, Status]]:
    """Every pair of statuses (before, after) that one record may cause."""
    words = {(before, after) for (before, _), after in TRANSITIONS.items()}
    words |= {(S.PENDING, S.PENDING), (S.ACCEPTED, S.ACCEPTED)}
    pairs = {(status, status) for status in Status} | {(before, S.FILLED) for before in Status}
    # The amount was enlarged before the fill that completed the old one; the end may have been heard already.
    pairs |= {(S.FILLED, after) for after in (S.PARTIALLY_FILLED, S.CANCELING, *ENDED)}
    for before, after in words:
        for was_filled, is_filled in ((False, False), (False, True), (True, True)):  # a fill stays
            proved = not was_filled or before in (S.ACCEPTED, S.VANISHED)  # a fill proves ACCEPTED
            if not proved or (is_filled and after not in (S.ACCEPTED, *ENDED)):
                continue
            pairs |= {
                (b, a)
                for b in _shown(before, is_filled=was_filled)
                for a in _shown(after, is_filled=is_filled)
            }
    return frozenset(pairs)


LEGAL = _legal()
