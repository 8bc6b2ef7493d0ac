"""The life of one order, told from the journal: what happened, who said it, what it made of the order, and why."""

from __future__ import annotations

from collections.abc import Iterator
from decimal import Decimal

import msgspec

from nexustrader.domain import events as ev
from nexustrader.domain import order as orders
from nexustrader.domain.order import OrderState
from nexustrader.domain.order_effects import Notice, Told
from nexustrader.domain.snapshot import Snapshot
from nexustrader.error import OrderError


class Step(msgspec.Struct, frozen=True, kw_only=True):
    """One record about the order. `seq`: its number in the journal; times in milliseconds since the epoch."""

    seq: int
    timestamp: int
    what: str
    source: str
    order: OrderState | None  # afterwards; None while nothing is known of it
    because: str | None = None


SOURCES = {
    ev.Source.LOCAL: "own conclusion",
    ev.Source.ACK: "reply",
    ev.Source.STREAM: "stream",
    ev.Source.QUERY: "query",
}
KINDS = {
    ev.EventKind.ACKED: "request acknowledged",
    ev.EventKind.ACCEPTED: "live on the book",
    ev.EventKind.FILLED: "filled",
    ev.EventKind.CANCELED: "canceled",
    ev.EventKind.EXPIRED: "expired",
    ev.EventKind.REJECTED: "refused",
    ev.EventKind.NOT_SENT: "not sent",
    ev.EventKind.UNKNOWN: "in doubt: it may or may not have arrived",
    ev.EventKind.ABSENT: "never arrived",
    ev.EventKind.VANISHED: "no longer known to the venue",
    ev.EventKind.CANCEL_SENT: "cancel sent",
    ev.EventKind.CANCEL_ACKED: "cancel acknowledged",
    ev.EventKind.CANCEL_REJECTED: "cancel refused",
    ev.EventKind.AMENDED: "amended",
    ev.EventKind.AMEND_REJECTED: "amendment refused",
}
COMMAND = "own command"


class Life:
    """Follows one order through the entries of a journal, given in their order."""

    def __init__(self, oid: str) -> None:
        self.oid = oid
        self.order: OrderState | None = None

    def take(self, seq: int, entry: ev.Record | Snapshot) -> Iterator[Step]:
        """The step that an entry is in this order's life, if it is one."""
        if isinstance(entry, Snapshot):
            yield from self._take_snapshot(entry)
        elif isinstance(entry, ev.OrderEvent) and entry.oid == self.oid:
            yield self._take_event(seq, entry)
        elif isinstance(entry, ev.Submit | ev.Cancel | ev.Amend) and entry.oid == self.oid:
            yield self._take_command(seq, entry)
        elif isinstance(entry, ev.CancelAll) and self.oid in entry.oids:
            yield self._step(seq, entry.timestamp, f"cancel of all orders of {entry.symbol}", COMMAND)

    def _take_snapshot(self, snapshot: Snapshot) -> Iterator[Step]:
        kept = next((order for order in snapshot.orders if order.oid == self.oid), None)
        if kept is None or kept == self.order:
            return
        what = "kept in a snapshot; what came before is no longer in the journal"
        if self.order is not None:
            what = "corrected by a snapshot: some facts could not be journalled at their time"
        self.order = kept
        yield self._step(snapshot.seq, snapshot.timestamp, what, "snapshot", kept.reason)

    def _take_command(self, seq: int, command: ev.Submit | ev.Cancel | ev.Amend) -> Step:
        because = None
        try:
            self.order = orders.apply(self.order, command).order
        except OrderError as error:
            because = str(error)
        return self._step(seq, command.timestamp, _asked(command), COMMAND, because)

    def _take_event(self, seq: int, event: ev.OrderEvent) -> Step:
        source = SOURCES[event.source]
        try:
            applied = orders.apply(self.order, event)
        except OrderError as error:
            return self._step(seq, event.timestamp, said(event), source, str(error))
        because = cause_of(event)
        if applied.order == self.order:
            because = "; ".join(filter(None, (because, "this was known already")))
        for effect in applied.effects:
            if isinstance(effect, Told) and effect.notice in (Notice.RESURRECTED, Notice.OVERFILL):
                because = "; ".join(filter(None, (because, effect.reason)))
        what = said(event)
        if self.order is None:
            what = f"found at the venue and adopted: {what}"
        self.order = applied.order
        return self._step(seq, event.timestamp, what, source, because)

    def _step(self, seq: int, timestamp: int, what: str, source: str, because: str | None = None) -> Step:
        return Step(seq=seq, timestamp=timestamp, what=what, source=source, order=self.order, because=because)


def _asked(command: ev.Submit | ev.Cancel | ev.Amend) -> str:
    if isinstance(command, ev.Submit):
        route = f"by {command.route.value}"
        if command.attempt > 1:
            return f"create again, attempt {command.attempt}, {route}"
        price = "" if command.price is None else f" at {command.price}"
        what = f"create {command.side.value} {command.amount} {command.type.value}{price}"
        flags = " reduce only" if command.reduce_only else ""
        return f"{what} {command.time_in_force.value}{flags}, {route}"
    if isinstance(command, ev.Cancel):
        return f"cancel, by {command.route.value}"
    return f"amend{_terms(command.amount, command.price)}"


def said(event: ev.OrderEvent) -> str:
    """One fact in words."""
    what = KINDS[event.kind]
    fill = event.fill
    if fill is not None:
        fee = f", fee {fill.fee} {fill.fee_currency or ''}".rstrip() if fill.fee else ""
        role = " as maker" if fill.is_maker else ""
        return f"{what} {fill.amount} at {fill.price}{role}{fee} (trade {fill.trade_id})"
    if event.kind is ev.EventKind.AMENDED:
        what += _terms(event.amount, event.price)
    if event.filled:
        average = "" if event.average is None else f" at {event.average} on average"
        what += f", {event.filled} in all{average}"
    return what


def _terms(amount: Decimal | None, price: Decimal | None) -> str:
    """What an amendment sets; nothing where it does not say."""
    return ("" if amount is None else f" to {amount}") + ("" if price is None else f" at {price}")


def cause_of(event: ev.OrderEvent) -> str | None:
    """Why, as far as the fact says; with the venue's own code."""
    if event.code is None:
        return event.reason
    return f"{event.reason or 'no text'} (code {event.code})"
