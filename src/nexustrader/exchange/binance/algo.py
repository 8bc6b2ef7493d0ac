"""Orders that wait for a price.

Spot and margin have them as types of their own. Futures keep them in a service of its own until their trigger: with
ids of its own, of which we make "algo-<id>"; what the trigger makes of them is an order like any other, which has a
new id and the same client id.
"""

# ruff: noqa: N815 — fields carry the venue's own names

from __future__ import annotations

from collections.abc import Iterator, Mapping

import msgspec

from nexustrader.constants import TriggerType
from nexustrader.domain import events as ev
from nexustrader.domain.events import EventKind, OrderEvent, Source
from nexustrader.domain.instrument import Instrument, to_plain
from nexustrader.error import OrderError, WireError
from nexustrader.exchange.binance import quirks, words
from nexustrader.exchange.binance.origin import Origin
from nexustrader.exchange.binance.spec import AlgoPaths, Product
from nexustrader.venue.spec import Request, Security
from nexustrader.venue.wire import Id, Ms, Rate, reader

Params = dict[str, str]

EID_PREFIX = "algo-"
# Set by the engine alone.
OWN_PARAMS = frozenset({
    "stopPrice", "triggerPrice", "workingType", "algoType", "clientAlgoId", "algoId", "closePosition",
})  # fmt: skip

_SPOT_TRIGGERS = {TriggerType.LAST_PRICE: None}
_TRIGGERS = {TriggerType.LAST_PRICE: "CONTRACT_PRICE", TriggerType.MARK_PRICE: "MARK_PRICE"}
_STATES: Mapping[str, EventKind] = {
    "CANCELED": EventKind.CANCELED,
    "EXPIRED": EventKind.EXPIRED,
    "REJECTED": EventKind.REJECTED,  # also: the margin did not suffice at the trigger
}
_LETTERS: Mapping[str, str] = {
    "aid": "algoId", "caid": "clientAlgoId", "s": "symbol", "S": "side", "ps": "positionSide", "f": "timeInForce",
    "o": "orderType", "q": "quantity", "p": "price", "tp": "triggerPrice", "R": "reduceOnly", "X": "algoStatus",
    "ai": "actualOrderId", "rm": "rm",
}  # fmt: skip


class Row(msgspec.Struct):
    """An order as the service tells it. Numbers that say nothing are empty."""

    algoId: Id
    clientAlgoId: str
    symbol: str
    side: str
    orderType: str
    algoStatus: str
    timeInForce: str = ""
    positionSide: str = "BOTH"
    quantity: Rate = ""
    price: Rate = ""
    triggerPrice: Rate = ""
    reduceOnly: bool | None = None
    actualOrderId: str | int = ""  # of what the trigger made
    rm: str | None = None  # why it has ended
    createTime: Ms = 0
    updateTime: Ms = 0


class Update(msgspec.Struct):
    """ALGO_UPDATE."""

    o: dict[str, msgspec.Raw]
    T: Ms = 0
    E: Ms = 0


class Done(msgspec.Struct):
    """What a cancel is answered with: a code, on portfolio margin a flag."""

    code: int | str | None = None
    complete: bool = False


_read_row = reader(Row, "a conditional order")
_read_rows = reader(list[Row], "a list of conditional orders")
_read_done = reader(Done, "the answer to a cancel")
_read_update = reader(Update, "ALGO_UPDATE")

# -- commands -------------------------------------------------------------------------------------------


def trigger_params(product: Product, command: ev.Submit) -> Params:
    """Type and trigger of a create. Raises OrderError."""
    if product.is_futures and product.algo is None:
        raise OrderError(
            f"order {command.oid}: {command.type.value} orders in inverse contracts are not supported on Binance "
            "portfolio margin yet; watch the price in the strategy and send MARKET or LIMIT"
        )
    if command.trigger_price is None:
        raise OrderError(
            f"order {command.oid}: a {command.type.value} order needs a trigger_price, none was given"
        )
    known: Mapping[TriggerType, str | None] = _TRIGGERS if product.is_futures else _SPOT_TRIGGERS
    if command.trigger_type not in known:
        raise OrderError(
            f"order {command.oid}: Binance has no trigger by {command.trigger_type.value} here; "
            f"use {' or '.join(by.value for by in known)}"
        )
    kind = next(word for word, ours in product.order_types.items() if ours is command.type)
    by, price = known[command.trigger_type], to_plain(command.trigger_price)
    if by is None:
        return {"type": kind, "stopPrice": price}
    return {"type": kind, "triggerPrice": price, "workingType": by}


def order_request(paths: AlgoPaths, params: Params, weight: int) -> Request:
    """A create by the parameters that any other order would have."""
    ours = {"algoType": "CONDITIONAL", **params, "clientAlgoId": params["newClientOrderId"]}
    del ours["newClientOrderId"], ours["newOrderRespType"]
    return Request("POST", paths.order, tuple(ours.items()), Security.SIGNED, weight, 1)


def cancel_request(paths: AlgoPaths, oid: str, more: Params) -> Request:
    return Request("DELETE", paths.order, (("clientAlgoId", oid), *more.items()), Security.SIGNED)


def waiting(product: Product, command: ev.Submit | ev.Cancel | ev.Amend) -> AlgoPaths | None:
    """Where a command goes that is about an order which waits for its trigger, as far as we know."""
    if isinstance(command, ev.Submit):
        return product.algo if command.type.is_triggered else None
    if isinstance(command, ev.Cancel) and command.eid is None:
        return product.algo if command.is_triggered else None
    return product.algo if is_waiting(command.eid) else None


def is_waiting(eid: str | None) -> bool:
    return eid is not None and eid.startswith(EID_PREFIX)


# -- queries --------------------------------------------------------------------------------------------


def query_request(paths: AlgoPaths, oid: str) -> Request:
    return Request("GET", paths.query, (("clientAlgoId", oid),), Security.SIGNED)


def open_request(paths: AlgoPaths, instrument: Instrument | None, weight: int) -> Request:
    which = () if instrument is None else (("symbol", instrument.venue_symbol),)
    return Request("GET", paths.open, which, Security.SIGNED, weight)


# -- facts ----------------------------------------------------------------------------------------------


def is_of_service(body: bytes) -> bool:
    """Whether an answer tells of orders that wait, or have waited; text in it would have its quotes escaped."""
    return b'"algoId"' in body


def parse_orders(origin: Origin, body: bytes) -> list[OrderEvent]:
    """Orders in a query's answer. Raises WireError."""
    rows = _read_rows(body) if body.lstrip()[:1] == b"[" else [_read_row(body)]
    return [_event(origin, row, Source.QUERY, row.updateTime or row.createTime) for row in rows]


def parse_reply(
    origin: Origin, command: ev.Submit | ev.Cancel | ev.Amend, body: bytes, now_ms: int
) -> tuple[OrderEvent, ...]:
    """Facts in the reply to a create or a cancel; that to a cancel says no more than "done". Raises WireError."""
    if not isinstance(command, ev.Submit):
        done = _read_done(body)
        if str(done.code) != "200" and not done.complete:
            raise WireError("the answer to a cancel says neither yes nor no. Nothing is concluded from it")
        return ()
    row = _read_row(body)
    event = _event(origin, row, Source.ACK, row.updateTime or row.createTime or now_ms)
    event = msgspec.structs.replace(event, oid=command.oid)
    return (msgspec.structs.replace(event, kind=EventKind.ACKED, reason=None), event)


def parse_update(origin: Origin, raw: bytes | msgspec.Raw) -> Iterator[OrderEvent]:
    """The order of an ALGO_UPDATE. Raises WireError."""
    if origin.product.algo is not None:
        update = _read_update(raw)
        named = {_LETTERS[letters]: value for letters, value in update.o.items() if letters in _LETTERS}
        yield _event(origin, _read_row(msgspec.json.encode(named)), Source.STREAM, update.T or update.E)


def _event(origin: Origin, row: Row, source: Source, timestamp: int) -> OrderEvent:
    """One fact. Of what the trigger has made of an order, the order's own events and answers tell all but its id."""
    actual = str(row.actualOrderId)
    has_triggered = actual.isascii() and actual.isdigit() and int(actual) > 0
    kind = _STATES.get(row.algoStatus, EventKind.ACCEPTED)
    return OrderEvent(
        oid=row.clientAlgoId,
        kind=kind,
        source=source,
        timestamp=timestamp,
        account=origin.account,
        symbol=origin.symbol(row.symbol),
        eid=actual if has_triggered else f"{EID_PREFIX}{row.algoId}",
        price=None if has_triggered else quirks.stated(row.price),
        amount=None if has_triggered else quirks.stated(row.quantity),
        reason=row.rm or None if kind in words.TERMINAL else None,
        side=words.SIDES.get(row.side),
        type=origin.product.order_types.get(row.orderType),
        time_in_force=words.TIMES_IN_FORCE.get(row.timeInForce),
        reduce_only=row.reduceOnly,
        trigger_price=quirks.stated(row.triggerPrice),
        position_side=words.POSITION_SIDES.get(row.positionSide),
    )
