"""Orders and executions in replies, queries and private frames, as facts. Fees are positive when paid."""

from __future__ import annotations

from collections.abc import Iterable
from decimal import Decimal
from typing import NamedTuple

from nexustrader.constants import AccountType, OrderType
from nexustrader.domain import events as ev
from nexustrader.domain.events import EventKind, Fill, OrderEvent, Source
from nexustrader.domain.instrument import Instrument
from nexustrader.error import WireError
from nexustrader.exchange.bybit import quirks, wire
from nexustrader.exchange.bybit.spec import BY_CATEGORY, INVERSE, SPOT, Product, product_asked, products_of
from nexustrader.exchange.bybit.wire import millis, number, positive
from nexustrader.venue.spec import Resolve
from nexustrader.venue.wire import reader

_read_orders = reader(wire.Answer[wire.Listing[wire.Order]], "a list of orders")
_read_executions = reader(wire.Answer[wire.Listing[wire.Execution]], "a list of executions")
_read_ack = reader(wire.Ack, "the reply to a command")


class Origin(NamedTuple):
    """Where rows came from: what is needed to name their account and symbols."""

    products: tuple[Product, ...]
    account: str
    resolve: Resolve

    def instrument(self, category: str, venue_symbol: str) -> Instrument | None:
        return self.resolve(f"{category}:{venue_symbol}")

    def symbol(self, category: str, venue_symbol: str) -> str:
        """Our symbol, also when the instrument is not (or no longer) loaded."""
        instrument = self.instrument(category, venue_symbol)
        return quirks.symbol_of(category, venue_symbol) if instrument is None else instrument.symbol

    def is_ours(self, category: str) -> bool:
        """The private topics bring all categories; an account of one is told of its own. Raises WireError for none."""
        if not category:
            raise WireError("a row without a category cannot be told apart. Nothing is concluded from it")
        return BY_CATEGORY.get(category) in self.products


# -- orders ---------------------------------------------------------------------------------------------


def order_event(origin: Origin, category: str, row: wire.Order, source: Source) -> OrderEvent:
    """One order as it is now, with the venue's cumulative words. Executions tell the fills one by one."""
    kind, reason = _word(row)
    amount = number(row.qty)
    if category == SPOT.category and row.orderType == "Market" and row.marketUnit != "baseCoin":
        amount = positive(row.cumExecQty)  # another program's: its size may be in quote
    return OrderEvent(
        oid=row.orderLinkId or row.orderId,
        kind=kind,
        source=source,
        timestamp=millis(row.updatedTime) or millis(row.createdTime),
        account=origin.account,
        symbol=origin.symbol(category, row.symbol),
        eid=row.orderId,
        filled=number(row.cumExecQty),
        average=_average(category, row),
        price=None if row.orderType == "Market" else positive(row.price),  # else a bound that the venue made
        amount=amount,
        reason=reason,
        side=quirks.SIDES.get(row.side),
        type=quirks.order_type_of(row),
        time_in_force=quirks.TIMES_IN_FORCE.get(row.timeInForce),
        reduce_only=row.reduceOnly,
        trigger_price=positive(row.triggerPrice),
        position_side=quirks.POSITION_SIDES.get(row.positionIdx),
    )


def _word(row: wire.Order) -> tuple[EventKind, str | None]:
    """What the state says, and why where it is an end. An unknown state still says that the order exists."""
    kind = quirks.KIND_BY_STATUS.get(row.orderStatus, EventKind.ACCEPTED)
    if kind not in quirks.TERMINAL:
        return kind, None
    words = [word for word in (row.rejectReason, row.cancelType) if word not in quirks.SILENT_REASONS]
    if row.cancelType == "CancelByUser":
        kind = EventKind.CANCELED  # also one that waited for its trigger
    elif kind is EventKind.CANCELED:
        kind = quirks.KIND_BY_REASON.get(row.rejectReason or "", kind)
    if kind is EventKind.REJECTED and positive(row.cumExecQty):
        kind = EventKind.CANCELED  # what was filled in part was not refused
    return kind, next(iter(words), None)


def _average(category: str, row: wire.Order) -> Decimal | None:
    """The venue's average price, or what it comes to by the value where it tells that only."""
    told = positive(row.avgPrice)
    amount, value = positive(row.cumExecQty), positive(row.cumExecValue)
    if told or amount is None or value is None:
        return told
    return amount / value if category == INVERSE.category else value / amount


def parse_orders(account_type: AccountType, account: str, resolve: Resolve, body: bytes) -> list[OrderEvent]:
    """Orders in a query's answer. Raises WireError."""
    origin = Origin(products_of(account_type), account, resolve)
    listing = _read_orders(body).result
    category = product_asked(account_type, listing.category).category if listing.rows else ""
    return [order_event(origin, category, row, Source.QUERY) for row in listing.rows]


# -- executions -----------------------------------------------------------------------------------------


def executions(
    origin: Origin, rows: Iterable[tuple[str, wire.Execution]], source: Source, oid: str | None = None
) -> list[OrderEvent]:
    """The trades among (category, row), oldest first; funding, delivery and the like move no order of anybody."""
    trades = sorted(
        (pair for pair in rows if pair[1].execType == "Trade"),
        key=lambda pair: (millis(pair[1].execTime), pair[1].seq),
    )
    return [_execution(origin, category, row, source, oid) for category, row in trades]


def _execution(
    origin: Origin, category: str, row: wire.Execution, source: Source, oid: str | None
) -> OrderEvent:
    instrument = origin.instrument(category, row.symbol)
    at = millis(row.execTime)
    kind = quirks.PLAIN_TYPES.get(row.orderType)
    is_in_quote = category == SPOT.category and kind is OrderType.MARKET  # its size perhaps: it does not say
    return OrderEvent(
        oid=(row.orderLinkId or row.orderId) if oid is None else oid,
        kind=EventKind.FILLED,
        source=source,
        timestamp=at,
        account=origin.account,
        symbol=origin.symbol(category, row.symbol),
        eid=row.orderId,
        fill=Fill(
            trade_id=row.execId,
            price=Decimal(row.execPrice),
            amount=Decimal(row.execQty),
            timestamp=at,
            fee=number(row.execFee) or Decimal(0),
            fee_currency=_fee_currency(row, instrument),
            is_maker=row.isMaker,
        ),
        price=positive(row.orderPrice),
        amount=None if is_in_quote else positive(row.orderQty),
        side=quirks.SIDES.get(row.side),
        type=kind,
    )


def _fee_currency(row: wire.Execution, instrument: Instrument | None) -> str | None:
    """Named on spot; contracts charge what they settle in, spot what was received (a rebate: the other coin)."""
    if row.feeCurrency or instrument is None:
        return row.feeCurrency or None
    if instrument.type is not SPOT.instrument_type:
        return instrument.settle
    is_rebate = (number(row.execFee) or 0) < 0
    return instrument.base if (row.side == "Buy") is not is_rebate else instrument.quote


def parse_fills(
    account_type: AccountType, account: str, oid: str, resolve: Resolve, body: bytes
) -> list[OrderEvent]:
    """Executions in a query's answer, oldest first. Raises WireError."""
    listing = _read_executions(body).result
    if not listing.rows:
        return []
    category = product_asked(account_type, listing.category).category
    origin = Origin(products_of(account_type), account, resolve)
    return executions(origin, ((category, row) for row in listing.rows), Source.QUERY, oid)


# -- replies to commands --------------------------------------------------------------------------------


def parse_order_reply(
    _account_type: AccountType, _instrument: Instrument, command: ev.Command, body: bytes, now_ms: int
) -> tuple[OrderEvent, ...]:
    """That the venue took the command, which is all that its reply says. Raises WireError.

    Race: the reply to an amendment comes before the matching engine has seen it, and perhaps it comes to nothing.
    So it is no AMENDED: the order topic shows the new terms when they are in force.
    """
    ack = _read_ack(body)
    ids = ack.result or ack.data
    if isinstance(command, ev.CancelAll):
        return ()
    kind = EventKind.CANCEL_ACKED if isinstance(command, ev.Cancel) else EventKind.ACKED
    return (
        OrderEvent(
            oid=command.oid,
            kind=kind,
            source=Source.ACK,
            timestamp=now_ms,
            account=command.account,
            symbol=command.symbol,
            eid=(ids.orderId or None) if ids is not None else None,
        ),
    )
