"""What a simulated venue says of an order: engine events become the facts that every venue port reports. Pure."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from decimal import Decimal

import msgspec

from nexustrader.domain import events as ev
from nexustrader.domain.events import EventKind, Source
from nexustrader.sim.account import Applied
from nexustrader.sim.slippage import slipped
from nexustrader.sim.types import (
    Accepted,
    Amended,
    Canceled,
    CancelReason,
    Expired,
    ExpireReason,
    MatchEvent,
    RejectReason,
    SimInstrument,
    SimOrder,
    Status,
    Traded,
)

REJECTED: Mapping[RejectReason, str] = {
    "POST_ONLY": "post-only, and it would take at this price; move the price away from the other side",
    "FOK": "fill-or-kill, and it cannot be filled at once",
    "REDUCE_ONLY": "reduce-only, and there is no position that it would reduce",
}
_CANCELED: Mapping[CancelReason, str | None] = {
    "USER": None,
    "AMEND": "amended to an amount that is filled already",
    "POST_ONLY": "post-only, and it would take at the amended price",
    "LIQUIDATION": "the account is liquidated",
}
_EXPIRED: Mapping[ExpireReason, str] = {
    "IOC": "immediate-or-cancel: the rest found nothing at this price",
    "FOK": "fill-or-kill, and it could not be filled at once",
    "STP": "self-trade prevention: it met an order of this account",
    "REDUCE_ONLY": "reduce-only, and no position is left that it would reduce",
    "NO_LIQUIDITY": "the other side of the book is empty",
}
_ANSWERS: Mapping[Status, EventKind] = {
    "NEW": EventKind.ACCEPTED,
    "PARTIALLY_FILLED": EventKind.FILLED,
    "FILLED": EventKind.FILLED,
    "CANCELED": EventKind.CANCELED,
    "EXPIRED": EventKind.EXPIRED,
    "REJECTED": EventKind.REJECTED,
}


class Placed:
    """An order that reached the simulated venue: the command, its state as last seen, its executions."""

    __slots__ = ("command", "eid", "fee_rate", "fills", "instrument", "slip", "slipped_cost", "state")

    def __init__(
        self,
        command: ev.Submit,
        state: SimOrder,
        instrument: SimInstrument,
        *,
        slip: int = 0,
        fee_rate: Decimal | None = None,
    ) -> None:
        self.command = command
        self.state = state
        self.instrument = instrument
        self.eid = str(state.order_id)
        self.fills: list[ev.OrderEvent] = []
        self.slip = slip  # ticks by which it takes worse than the book shows
        self.slipped_cost = 0  # what that has cost so far, in ticks x lots
        self.fee_rate = fee_rate  # instead of the account's own

    @property
    def average(self) -> Decimal | None:
        """Average price of what is filled; None before the first execution."""
        state = self.state
        return self.instrument.tick * state.cost_ticks / state.filled if state.filled else None


def worsened(placed: Placed, event: MatchEvent) -> MatchEvent:
    """The event as slippage leaves it: what the order takes is dearer, and stays so in all that is told later."""
    if not placed.slip and not placed.slipped_cost:
        return event
    if isinstance(event, Traded) and not event.is_maker:
        order = event.order
        price = slipped(event.price_ticks, order.side, placed.slip, order.price)
        placed.slipped_cost += (price - event.price_ticks) * event.lots
        event = msgspec.structs.replace(event, price_ticks=price)
    event.order.cost_ticks += placed.slipped_cost
    return event


def fact(placed: Placed, event: MatchEvent, applied: Applied | None, now_ms: int) -> ev.OrderEvent | None:
    """The fact that an engine's event is, or None for a rejection: that is a command's conclusion."""
    command, instrument, state = placed.command, placed.instrument, event.order
    kind: EventKind
    reason: str | None = None
    fill: ev.Fill | None = None
    price: Decimal | None = None
    amount: Decimal | None = None
    if isinstance(event, Traded):
        kind = EventKind.FILLED
        fill = ev.Fill(
            trade_id=str(event.trade_id),
            price=instrument.price(event.price_ticks),
            amount=instrument.amount(event.lots),
            fee=applied.fee if applied else Decimal(0),
            fee_currency=applied.fee_asset if applied else None,
            is_maker=event.is_maker,
            timestamp=now_ms,
        )
    elif isinstance(event, Accepted):
        kind = EventKind.ACCEPTED
        in_force = instrument.amount(state.lots)
        amount = in_force if in_force != command.amount else None  # reduce-only: clipped to the position
    elif isinstance(event, Amended):
        kind = EventKind.AMENDED
        amount = instrument.amount(state.lots)
        price = None if state.price is None else instrument.price(state.price)
    elif isinstance(event, Canceled):
        kind, reason = EventKind.CANCELED, _CANCELED[event.reason]
    elif isinstance(event, Expired):
        kind, reason = EventKind.EXPIRED, _EXPIRED[event.reason]
    else:
        return None
    return ev.OrderEvent(
        oid=command.oid,
        kind=kind,
        source=Source.STREAM,
        timestamp=now_ms,
        account=command.account,
        symbol=command.symbol,
        eid=placed.eid,
        filled=instrument.amount(state.filled),
        fill=fill,
        price=price,
        amount=amount,
        reason=reason,
        side=command.side,
    )


def acked(placed: Placed, now_ms: int) -> ev.OrderEvent:
    """The venue took the request, under this id of its own."""
    return ev.OrderEvent(
        oid=placed.command.oid, kind=EventKind.ACKED, source=Source.ACK, timestamp=now_ms, eid=placed.eid
    )


def answer(placed: Placed, now_ms: int) -> ev.OrderEvent:
    """The order as a query would show it: enough to adopt it from."""
    command, instrument, state = placed.command, placed.instrument, placed.state
    return ev.OrderEvent(
        oid=command.oid,
        kind=_ANSWERS[state.status],
        source=Source.QUERY,
        timestamp=now_ms,
        account=command.account,
        symbol=command.symbol,
        eid=placed.eid,
        filled=instrument.amount(state.filled),
        average=placed.average,
        price=None if state.price is None else instrument.price(state.price),
        amount=instrument.amount(state.lots),
        side=command.side,
        type=command.type,
        time_in_force=command.time_in_force,
        reduce_only=command.reduce_only,
    )


def lost(account: str, symbol: str, oid: str, eid: str | None, now_ms: int) -> ev.OrderEvent:
    """An order of an earlier run as a query would show it: it ended with that run."""
    return ev.OrderEvent(
        oid=oid,
        kind=EventKind.CANCELED,
        source=Source.QUERY,
        timestamp=now_ms,
        account=account,
        symbol=symbol,
        eid=eid,
        reason="the simulated venue keeps no open orders across a restart",
    )


def fill_answers(placed: Placed) -> list[ev.OrderEvent]:
    """The order's executions as a query would show them."""
    return [msgspec.structs.replace(event, source=Source.QUERY) for event in placed.fills]


def fills_since(orders: Iterable[Placed], symbol: str, since_ms: int) -> list[ev.OrderEvent]:
    """All orders' executions as a list of the account's trades would show them: by the venue's id alone."""
    return [
        msgspec.structs.replace(event, oid="")
        for placed in orders
        for event in fill_answers(placed)
        if event.symbol == symbol and event.timestamp >= since_ms
    ]


def not_open(oid: str, placed: Placed | None) -> str | None:
    """Why an order can be neither cancelled nor amended, or None."""
    if placed is None:
        return f"order {oid} is not known"
    return None if placed.state.is_open else f"order {oid} is not open, it is {placed.state.status}"
