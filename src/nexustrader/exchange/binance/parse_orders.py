"""Orders in replies, queries and user events, as facts. Fees are positive when paid, as the venue counts."""

from __future__ import annotations

from collections.abc import Iterator
from decimal import Decimal

from msgspec.structs import replace

from nexustrader.constants import AccountType, InstrumentType, OrderType
from nexustrader.domain import events as ev
from nexustrader.domain.events import EventKind, Fill, OrderEvent, Source
from nexustrader.domain.instrument import Instrument
from nexustrader.error import WireError
from nexustrader.exchange.binance import algo, quirks, wire, words
from nexustrader.exchange.binance.origin import Origin
from nexustrader.venue.spec import Resolve
from nexustrader.venue.wire import reader

AnyOrder = wire.OrderReply | wire.ExecutionReport | wire.FuturesOrder

_read_order = reader(wire.OrderReply, "an order")
_read_orders = reader(list[wire.OrderReply], "a list of orders")
_read_trades = reader(list[wire.TradeRow], "a list of fills")


def _event(
    origin: Origin, row: AnyOrder, kind: EventKind, source: Source, timestamp: int,
    oid: str | None = None, reason: str | None = None, fill: Fill | None = None,
) -> OrderEvent:  # fmt: skip
    return OrderEvent(
        oid=row.clientOrderId if oid is None else oid,
        kind=kind,
        source=source,
        timestamp=timestamp,
        account=origin.account,
        symbol=origin.symbol(row.symbol),
        eid=None if row.orderId is None else str(row.orderId),
        filled=row.executedQty,
        average=_average(origin, row),
        fill=fill,
        price=quirks.positive(row.price),
        amount=row.origQty,
        reason=reason,
        side=words.SIDES.get(row.side),
        type=quirks.order_type_of(origin.product, row.type, row.timeInForce),
        time_in_force=words.TIMES_IN_FORCE.get(row.timeInForce),
        reduce_only=row.reduceOnly,
        trigger_price=quirks.positive(row.stopPrice),
        position_side=words.POSITION_SIDES.get(row.positionSide),
    )


def _average(origin: Origin, row: AnyOrder) -> Decimal | None:
    """The venue's average price, or what it follows from: cost in quote, of inverse contracts cost in base."""
    if quirks.positive(row.avgPrice):
        return row.avgPrice
    if row.cumBase and row.executedQty:
        instrument = origin.instrument(row.symbol)
        return row.executedQty * instrument.contract_size / row.cumBase if instrument is not None else None
    cost = row.cumQuote if row.cummulativeQuoteQty is None else row.cummulativeQuoteQty
    return cost / row.executedQty if cost and row.executedQty else None


def _fill(row: wire.OrderFill | wire.TradeRow, timestamp: int, *, is_maker: bool) -> Fill:
    return Fill(
        trade_id=str(row.tradeId), price=row.price, amount=row.qty, timestamp=timestamp,
        fee=row.commission, fee_currency=row.commissionAsset, is_maker=is_maker,
    )  # fmt: skip


# -- user events ----------------------------------------------------------------------------------------


def spot_event(origin: Origin, report: wire.ExecutionReport) -> OrderEvent:
    """An executionReport. On cancel and amend `c` names the request and `C` the order."""
    reason = report.reject if report.reject != "NONE" else quirks.expiry_reason(report.expiry)
    return _streamed(origin, report, report.origClientOrderId or report.clientOrderId, reason)


def futures_event(origin: Origin, order: wire.FuturesOrder) -> OrderEvent:
    """The order of an ORDER_TRADE_UPDATE."""
    reason = quirks.venue_order_reason(order.clientOrderId) or quirks.expiry_reason(order.expiry)
    return _streamed(origin, order, order.clientOrderId, reason)


def _streamed(
    origin: Origin, order: wire.ExecutionReport | wire.FuturesOrder, oid: str, reason: str | None
) -> OrderEvent:
    kind = words.KIND_BY_EXECUTION.get(order.execution) or _kind_of(order.status)
    fill = _streamed_fill(order) if kind is EventKind.FILLED else None
    return _event(origin, order, kind, Source.STREAM, order.time, oid, reason, fill)


def _streamed_fill(order: wire.ExecutionReport | wire.FuturesOrder) -> Fill | None:
    """The execution in this event. Without a trade id of its own only the cumulative amount speaks."""
    named = order.tradeId > 0 or (order.tradeId == 0 and order.execution == "TRADE")
    if not named or order.lastQty <= 0:
        return None
    return Fill(
        trade_id=str(order.tradeId), price=order.lastPrice, amount=order.lastQty, timestamp=order.time,
        fee=order.commission, fee_currency=order.commissionAsset, is_maker=order.maker,
    )  # fmt: skip


def _kind_of(status: str) -> EventKind:
    """What a status says. An unknown one still says that the order exists."""
    return words.KIND_BY_STATUS.get(status, EventKind.ACCEPTED)


# -- queries --------------------------------------------------------------------------------------------


def parse_orders(account_type: AccountType, account: str, resolve: Resolve, body: bytes) -> list[OrderEvent]:
    """Orders in a query's answer: one object or a list. Raises WireError."""
    if algo.is_of_service(body):
        return algo.parse_orders(Origin(quirks.product_like(account_type, True), account, resolve), body)
    rows = _read_orders(body) if body.lstrip()[:1] == b"[" else [_read_order(body)]
    return [
        _queried(Origin(quirks.product_like(account_type, row.reduceOnly is not None), account, resolve), row)
        for row in rows
    ]


def _queried(origin: Origin, row: wire.OrderReply) -> OrderEvent:
    kind = _kind_of(_identified(row).status)
    reason = row.expiryReason if kind in words.TERMINAL else None
    return _event(origin, row, kind, Source.QUERY, row.updateTime or row.time, reason=reason)


def parse_fills(
    account_type: AccountType, account: str, oid: str, resolve: Resolve, body: bytes
) -> list[OrderEvent]:
    """The executions of one order, oldest first. Raises WireError."""
    return [
        OrderEvent(
            oid=oid, kind=EventKind.FILLED, source=Source.QUERY, timestamp=row.time, account=account,
            symbol=Origin(
                quirks.product_like(account_type, row.isMaker is None), account, resolve
            ).symbol(row.symbol),
            eid=str(row.orderId), fill=_fill(row, row.time, is_maker=row.isMaker or row.maker),
        )
        for row in sorted(_read_trades(body), key=lambda row: row.tradeId)
    ]  # fmt: skip


def _identified(row: wire.OrderReply) -> wire.OrderReply:
    if row.orderId is None:
        raise WireError("an order without an order id cannot be read. Nothing is concluded from it")
    return row


# -- replies to commands --------------------------------------------------------------------------------


def parse_order_reply(
    account_type: AccountType, instrument: Instrument, command: ev.Command, body: bytes, now_ms: int
) -> tuple[OrderEvent, ...]:
    """Facts in a successful reply, under the command's own client id. Raises WireError.

    A create tells ACKED, then each execution that the reply lists, then the state it left the order in.
    """
    product = quirks.product_of(account_type, instrument)
    origin = Origin(product, command.account, lambda _key: instrument)
    if isinstance(command, ev.CancelAll):
        return tuple(_cancelled(origin, body, now_ms))
    if algo.waiting(product, command):
        return algo.parse_reply(origin, command, body, now_ms)
    row = _read_order(body)
    if row.orderId is None and row.code is not None:
        return ()  # "done" or "already so", without the order
    timestamp = _identified(row).transactTime or row.updateTime or now_ms
    state = words.KIND_BY_STATUS.get(row.status)
    ending = state if state in words.TERMINAL else None
    kind = EventKind.ACKED
    if isinstance(command, ev.Cancel):
        kind = ending or EventKind.CANCEL_ACKED
    elif isinstance(command, ev.Amend):
        kind = EventKind.AMENDED
    event = _event(origin, row, kind, Source.ACK, timestamp, command.oid)
    # Replies of futures tell no prices: what they executed is left to the stream, which does. An order would be told
    # as filled at 0, and an inverse position could not be put right later.
    unpriced = event.filled and event.average is None
    if isinstance(command, ev.Submit):
        facts = _created(command, row, state, event)
        return (next(facts),) if unpriced else tuple(facts)
    if unpriced and product.instrument_type is InstrumentType.INVERSE:
        event = replace(event, filled=None)
    # An amendment below the filled amount ends the order.
    return (event, replace(event, kind=ending)) if ending not in (None, kind) else (event,)


def _created(
    command: ev.Submit, row: wire.OrderReply, state: EventKind | None, event: OrderEvent
) -> Iterator[OrderEvent]:
    yield replace(event, filled=None, average=None)
    filled, cost = Decimal(0), Decimal(0)
    named = [item for item in row.fills if item.tradeId is not None]
    for item in named:  # without a name of its own an execution would count again when the stream tells it
        filled += item.qty
        cost += item.qty * item.price
        fill = _fill(item, event.timestamp, is_maker=False)  # what a create executes at once, it takes
        average = cost / filled if filled else None
        yield replace(event, kind=EventKind.FILLED, fill=fill, filled=filled, average=average)
    told = state is EventKind.FILLED and named
    rests = state is not EventKind.ACCEPTED or command.type is not OrderType.MARKET
    if state is not None and state is not EventKind.ACKED and rests and not told:
        yield replace(event, kind=state, reason=row.expiryReason if state in words.TERMINAL else None)


def _cancelled(origin: Origin, body: bytes, now_ms: int) -> Iterator[OrderEvent]:
    """Spot lists what it cancelled, order lists as a nest; futures say "done" only."""
    if body.lstrip()[:1] != b"[":
        _read_order(body)
        return
    for row in _read_orders(body):
        for order in row.orderReports or (row,):
            state = words.KIND_BY_STATUS.get(order.status)
            if state is not None and state in words.TERMINAL:
                oid = order.origClientOrderId or order.clientOrderId
                yield _event(origin, order, state, Source.ACK, order.transactTime or now_ms, oid)
