"""One order: a frozen state and the pure function that applies commands and facts to it.

`apply` never goes backwards and counts nothing twice, whatever the order of arrival: any permutation and
repetition of the facts about one order ends in the same status, filled amount, cost and fees. What is to be
told to others comes back as effects: `Told` for the strategy, `FillDelta` for the portfolio.
"""

from __future__ import annotations

from decimal import Decimal
from typing import Any, NamedTuple

import msgspec

from nexustrader.constants import OrderSide, OrderStatus, OrderType, PositionSide, TimeInForce
from nexustrader.domain.events import Amend, Cancel, EventKind, OrderEvent, Submit
from nexustrader.domain.order_effects import (
    Effect,
    Fees,
    FillDelta,
    Notice,
    Told,
    add_fee,
    notices,
    reason_for,
)
from nexustrader.domain.order_state import (
    CLOSED,
    OWN_WORD,
    PUBLIC,
    TRANSITIONS,
    CancelState,
    Status,
    derive,
    next_word,
)
from nexustrader.error import OrderError
from nexustrader.schema import InstrumentId, Order

__all__ = ["Applied", "FillDelta", "Notice", "OrderState", "Told", "apply", "snapshot"]

_ZERO = Decimal(0)
CLOSING_SIDE = {PositionSide.LONG: OrderSide.SELL, PositionSide.SHORT: OrderSide.BUY}


class OrderState(msgspec.Struct, frozen=True, kw_only=True, gc=False):
    """All that is known of one order."""

    oid: str
    account: str
    symbol: str
    side: OrderSide
    type: OrderType
    amount: Decimal
    price: Decimal | None = None
    trigger_price: Decimal | None = None
    time_in_force: TimeInForce = TimeInForce.GTC
    reduce_only: bool = False
    position_side: PositionSide | None = None
    client_oid: str | None = None
    idempotency_key: str | None = None
    created: int  # when the intent was journalled, or the first event of an adopted order
    timestamp: int  # of the latest fact
    is_adopted: bool = False  # known from the venue, not from a Submit of ours
    eid: str | None = None
    eid_at: int = 0  # venue time of the latest word on a triggered order's `eid`
    reason: str | None = None

    status: Status = Status.INITIALIZED
    word: Status = Status.INITIALIZED  # the venue's word, without quantity and cancel
    cancel: CancelState = CancelState.NONE
    is_acked: bool = False
    is_own_refusal: bool = False  # REJECTED by stream or query, not by a reply
    is_amending: bool = False
    terms_at: int = 0  # venue time of the price and amount in force

    filled: Decimal = _ZERO  # max(cum_filled, fills_amount): never falls
    cost: Decimal = _ZERO  # of `filled`, in quote
    fees: Fees = ()
    fee_currency: str | None = None  # of the latest fee
    cum_filled: Decimal = _ZERO  # the venue's greatest cumulative word ...
    cum_average: Decimal | None = None  # ... and the average price that it gave for it
    fills_amount: Decimal = _ZERO  # sum over unique trade ids
    fills_cost: Decimal = _ZERO
    trade_ids: frozenset[str] = frozenset()
    last_filled: Decimal | None = None
    last_price: Decimal | None = None

    @property
    def is_open(self) -> bool:
        """True until the order has ended; INITIALIZED and UNKNOWN count as open."""
        return self.status not in CLOSED

    @property
    def is_closed(self) -> bool:
        return self.status in CLOSED

    @property
    def is_unknown(self) -> bool:
        return self.status is Status.UNKNOWN

    @property
    def is_reducing(self) -> bool:
        """True for an order that cannot open a position: it says so, or it is the closing side in hedge mode."""
        return self.reduce_only or reduces(self.side, self.position_side)

    @property
    def has_cancel_intent(self) -> bool:
        """True while a cancel of ours is under way; a refused cancel ends it."""
        return self.cancel in (CancelState.REQUESTED, CancelState.ACKED)

    @property
    def is_overfilled(self) -> bool:
        return self.filled > self.amount

    @property
    def remaining(self) -> Decimal:
        return max(self.amount - self.filled, _ZERO)

    @property
    def average(self) -> Decimal | None:
        return self.cost / self.filled if self.filled else None

    @property
    def public_status(self) -> OrderStatus:
        if self.status is Status.UNKNOWN and self.is_acked:
            return OrderStatus.PENDING
        return PUBLIC[self.status]


class Applied(NamedTuple):
    """The order afterwards, and what to tell, in this sequence."""

    order: OrderState
    effects: tuple[Effect, ...]


def reduces(side: OrderSide, position_side: PositionSide | None) -> bool:
    """True for the side of an order that closes a position of hedge mode."""
    return position_side is not None and CLOSING_SIDE.get(position_side) is side


def apply(order: OrderState | None, record: Submit | Cancel | Amend | OrderEvent) -> Applied:
    """Return the order after one more command or fact, and its effects.

    Without an order a Submit creates one and an event adopts one that the venue shows. Raises OrderError
    when a Cancel or Amend has no order, or when the event to adopt from lacks account, symbol, side, type
    or amount.
    """
    if isinstance(record, OrderEvent):
        return _apply_event(_adopt(record) if order is None else order, record)
    if isinstance(record, Submit):
        # Race: a second Submit of one oid is the same intent by another route, or a replay: no new order.
        return Applied(_create(record) if order is None else order, ())
    if order is None:
        raise OrderError(
            f"order {record.oid} is not known, so it can be neither canceled nor amended; submit it first"
        )
    if order.is_closed:
        return Applied(order, ())
    if isinstance(record, Cancel):
        return Applied(_request_cancel(order), ())
    return Applied(msgspec.structs.replace(order, is_amending=True), ())


def snapshot(order: OrderState, told: Told | None = None) -> Order:
    """Return the public snapshot, as it is or as `told` tells it.

    `fee` is that of `fee_currency`, the latest currency charged; where there were several, only that.
    """
    average = order.average
    last_cost = None
    if order.last_filled is not None and order.last_price is not None:
        last_cost = order.last_filled * order.last_price
    currency = order.fee_currency
    return Order(
        exchange=InstrumentId.from_str(order.symbol).exchange,
        symbol=order.symbol,
        status=order.public_status if told is None else told.status,
        oid=order.oid,
        eid=order.eid,
        amount=order.amount,
        filled=order.filled,
        timestamp=order.timestamp,
        type=order.type,
        side=order.side,
        time_in_force=order.time_in_force,
        price=None if order.price is None else float(order.price),
        trigger_price=None if order.trigger_price is None else float(order.trigger_price),
        average=None if average is None else float(average),
        last_filled_price=None if order.last_price is None else float(order.last_price),
        last_filled=order.last_filled,
        remaining=order.remaining,
        fee=_ZERO if currency is None else dict(order.fees)[currency],
        fee_currency=currency or None,
        cost=last_cost,
        cum_cost=order.cost,
        reduce_only=order.reduce_only,
        position_side=order.position_side,
        reason=order.reason if told is None or told.reason is None else told.reason,
    )


# -- creating ---------------------------------------------------------------------------------------


def _create(record: Submit) -> OrderState:
    return OrderState(
        oid=record.oid,
        account=record.account,
        symbol=record.symbol,
        side=record.side,
        type=record.type,
        amount=record.amount,
        price=record.price,
        trigger_price=record.trigger_price,
        time_in_force=record.time_in_force,
        reduce_only=record.reduce_only,
        position_side=record.position_side,
        client_oid=record.client_oid,
        idempotency_key=record.idempotency_key,
        created=record.timestamp,
        timestamp=record.timestamp,
    )


def _adopt(event: OrderEvent) -> OrderState:
    side, kind, amount = event.side, event.type, event.amount
    if side is None or kind is None or amount is None or not event.account or not event.symbol:
        raise OrderError(
            f"order {event.oid} is not known and cannot be adopted from a {event.kind.value} event without "
            "account, symbol, side, type and amount; query the venue for the whole order"
        )
    return OrderState(
        oid=event.oid,
        account=event.account,
        symbol=event.symbol,
        side=side,
        type=kind,
        amount=amount,
        price=event.price or None,
        time_in_force=event.time_in_force or TimeInForce.GTC,
        trigger_price=event.trigger_price,
        reduce_only=bool(event.reduce_only),
        position_side=event.position_side,
        created=event.timestamp,
        timestamp=event.timestamp,
        is_adopted=True,
    )


def _request_cancel(order: OrderState) -> OrderState:
    """A second cancel of an order whose first one was acknowledged changes nothing: it is CANCELING already."""
    cancel = _CANCEL_MOVES.get((order.cancel, EventKind.CANCEL_SENT), order.cancel)
    return msgspec.structs.replace(order, status=_status(order, {"cancel": cancel}), cancel=cancel)


# -- facts ---------------------------------------------------------------------------------------


def _apply_event(order: OrderState, event: OrderEvent) -> Applied:
    changes: dict[str, Any] = {}
    effects: list[Effect] = []
    if event.fill is not None or event.filled is not None:
        _count(order, event, changes, effects)
    is_amended = _take_terms(order, event, changes)
    _take_word(order, event, changes)
    _take_cancel(order, event, changes)
    if event.eid is not None:
        _take_eid(order, event, event.eid, changes)
    if event.timestamp > order.timestamp:
        changes["timestamp"] = event.timestamp
    if not changes:
        return Applied(order, ())
    status = _status(order, changes)
    if status is not order.status:
        changes["status"] = status
        changes["reason"] = reason_for(status, event)
    after = msgspec.structs.replace(order, **changes)
    effects.extend(notices(order, after, event, is_amended=is_amended))
    return Applied(after, tuple(effects))


def _status(order: OrderState, changes: dict[str, Any]) -> Status:
    filled = changes.get("filled", order.filled)
    return derive(
        changes.get("word", order.word),
        changes.get("cancel", order.cancel),
        is_filled=bool(filled),
        is_complete=bool(filled) and filled >= changes.get("amount", order.amount),
    )


def _count(order: OrderState, event: OrderEvent, changes: dict[str, Any], effects: list[Effect]) -> None:
    """Fold one execution and/or the venue's cumulative word into amounts, cost and fees."""
    fill = event.fill
    if fill is not None and fill.trade_id in order.trade_ids:
        fill = None
    cum, average = order.cum_filled, order.cum_average
    if event.filled is not None and event.filled >= cum:
        if event.filled > cum:
            average = None
        cum, average = event.filled, average or event.average or None
    fills_amount, fills_cost = order.fills_amount, order.fills_cost
    if fill is not None:
        fills_amount += fill.amount
        fills_cost += fill.price * fill.amount
        changes["trade_ids"] = order.trade_ids | {fill.trade_id}
        changes["fills_amount"], changes["fills_cost"] = fills_amount, fills_cost
    elif cum == order.cum_filled and average == order.cum_average:
        return
    filled = max(cum, fills_amount)
    cost = _cost(order, cum, average, fills_amount, fills_cost)
    changes["cum_filled"], changes["cum_average"] = cum, average
    changes["filled"], changes["cost"] = filled, cost
    growth, cost_growth = filled - order.filled, cost - order.cost
    if fill is not None:
        share = min(fill.amount, growth)
        if fill.fee:
            changes["fee_currency"] = fill.fee_currency or ""
            changes["fees"] = add_fee(order.fees, fill.fee_currency or "", fill.fee)
        if share:
            changes["last_filled"], changes["last_price"] = fill.amount, fill.price
        delta = FillDelta(
            amount=share,
            cost=share * fill.price,
            price=fill.price,
            fees=((fill.fee_currency or "", fill.fee),) if fill.fee else (),
            is_maker=fill.is_maker,
            trade_id=fill.trade_id,
            timestamp=fill.timestamp,
        )
        effects.append(delta)
        growth, cost_growth = growth - share, cost_growth - delta.cost
    if growth or cost_growth:
        price = cost_growth / growth if growth else None
        if fill is None and growth:
            changes["last_filled"], changes["last_price"] = growth, price
        effects.append(FillDelta(amount=growth, cost=cost_growth, price=price, timestamp=event.timestamp))


def _cost(
    order: OrderState, cum: Decimal, average: Decimal | None, fills_amount: Decimal, fills_cost: Decimal
) -> Decimal:
    """Exact where all executions are known; else by the venue's average; else an estimate until they are."""
    if fills_amount >= cum:
        return fills_cost
    if average is not None:
        return average * cum
    price = fills_cost / fills_amount if fills_amount else order.price or _ZERO
    return fills_cost + (cum - fills_amount) * price


def _take_terms(order: OrderState, event: OrderEvent, changes: dict[str, Any]) -> bool:
    """Take price and amount now in force; True when the strategy has to hear of it.

    Race: an amendment and a fill of the order before it may arrive in either order, and a query may be
    older than the stream. The venue's time decides, not the arrival. Of the same millisecond the terms that are
    other than those in force are the newer ones while an amendment is under way: only it can have made them.
    """
    is_amendment = event.kind is EventKind.AMENDED
    if is_amendment or event.kind is EventKind.AMEND_REJECTED:
        changes["is_amending"] = False
    if event.price is None and event.amount is None:
        return is_amendment and order.is_amending
    is_expected = is_amendment or order.is_amending
    if event.timestamp < order.terms_at or (event.timestamp == order.terms_at and not is_expected):
        return False
    changes["terms_at"] = event.timestamp
    is_changed = False
    if event.amount and event.amount != order.amount:
        changes["amount"] = event.amount
        is_changed = True
    if event.price and event.price != order.price and not order.type.is_market:
        changes["price"] = event.price
        is_changed = True
    if is_changed:
        changes["is_amending"] = False  # a query may show the new terms before the stream tells of them
    return is_changed or (is_amendment and order.is_amending)


def _take_eid(order: OrderState, event: OrderEvent, eid: str, changes: dict[str, Any]) -> None:
    """Take the venue's id: the first one, unless the venue has made another order of it.

    An amendment may do so, and a trigger.
    Race: what was said before a trigger may arrive after what is said since. The venue's time decides; of two ids
    at one time the one that sorts first stays, so that the arrival never does.
    """
    if not order.type.is_triggered:
        if order.eid is None or event.kind is EventKind.AMENDED:
            changes["eid"] = eid
        return
    if order.eid is None or event.timestamp > order.eid_at:
        changes["eid"], changes["eid_at"] = eid, event.timestamp
    elif event.timestamp == order.eid_at and eid < order.eid:
        changes["eid"] = eid


def _take_word(order: OrderState, event: OrderEvent, changes: dict[str, Any]) -> None:
    kind, source = event.kind, event.source
    word = next_word(
        order.word,
        kind,
        source,
        is_acked=order.is_acked,
        is_own_refusal=order.is_own_refusal,
        is_execution=event.fill is not None,
    )
    if changes.get("filled", order.filled) and word is not Status.VANISHED:
        word = TRANSITIONS.get((word, EventKind.FILLED), word)
    if word is not order.word:
        changes["word"] = word
    if kind is EventKind.ACKED and not order.is_acked:
        changes["is_acked"] = True
    if kind is EventKind.REJECTED and word is Status.REJECTED and source in OWN_WORD:
        changes["is_own_refusal"] = True


_CANCEL_MOVES = {
    (CancelState.NONE, EventKind.CANCEL_SENT): CancelState.REQUESTED,
    (CancelState.REFUSED, EventKind.CANCEL_SENT): CancelState.REQUESTED,
    (CancelState.NONE, EventKind.CANCEL_ACKED): CancelState.ACKED,
    (CancelState.REQUESTED, EventKind.CANCEL_ACKED): CancelState.ACKED,
    # An ACK after the refusal is a repetition of an old one; a new cancel begins with REQUESTED.
    (CancelState.NONE, EventKind.CANCEL_REJECTED): CancelState.REFUSED,
    (CancelState.REQUESTED, EventKind.CANCEL_REJECTED): CancelState.REFUSED,
    (CancelState.ACKED, EventKind.CANCEL_REJECTED): CancelState.REFUSED,
}


def _take_cancel(order: OrderState, event: OrderEvent, changes: dict[str, Any]) -> None:
    cancel = _CANCEL_MOVES.get((order.cancel, event.kind))
    if cancel is not None:
        changes["cancel"] = cancel
