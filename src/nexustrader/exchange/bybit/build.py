"""Commands to requests: REST and order socket share the body. Amounts and prices arrive quantised."""

from __future__ import annotations

from collections.abc import Sequence
from decimal import Decimal

import msgspec

from nexustrader.constants import AccountType, OrderType, TimeInForce
from nexustrader.domain import events as ev
from nexustrader.domain.instrument import Instrument, to_plain
from nexustrader.domain.order import reduces
from nexustrader.error import OrderError
from nexustrader.exchange.bybit.quirks import POSITION_INDEXES, SIDE_WORDS, TRIGGERS, trigger_direction
from nexustrader.exchange.bybit.spec import LINEAR, OPTION, RECV_WINDOW_MS, SPOT, Product, product_of
from nexustrader.venue.spec import Request, Security, Signer

Body = dict[str, str | int | bool]

# Set by the engine alone: who, what, how much, which id.
OWN_PARAMS = frozenset({
    "category", "symbol", "side", "orderType", "qty", "marketUnit", "price", "reduceOnly", "positionIdx",
    "orderLinkId", "orderId", "triggerPrice", "triggerDirection", "triggerBy",
})  # fmt: skip

PRIVATE_TOPICS = ("order", "execution", "position", "wallet")

_encode = msgspec.json.Encoder().encode

# -- bodies ---------------------------------------------------------------------------------------------


def order_body(instrument: Instrument, command: ev.Submit) -> Body:
    """What creates an order. Raises OrderError."""
    product, kind = product_of(instrument), command.type
    body: Body = {
        "category": product.category,
        "symbol": instrument.venue_symbol,
        "side": SIDE_WORDS[command.side],
        "orderType": "Market" if kind.is_market else "Limit",
        "qty": to_plain(command.amount),
        "orderLinkId": command.oid,
    }
    if not kind.is_market:
        if command.price is None:
            raise _unusable(command, f"a {kind.value} order needs a price, none was given")
        body["price"] = to_plain(command.price)
        body["timeInForce"] = _time_in_force(command)
    elif product is SPOT:
        body["marketUnit"] = "baseCoin"  # else the amount of a buy is in quote
    elif product is OPTION:
        raise _unusable(
            command, "options take limit orders only; send a LIMIT at the price of the other side"
        )
    if kind.is_triggered:
        body.update(_trigger_fields(product, command))
    body.update(_position_fields(product, command))
    body.update(_user_fields(command))
    return body


def _trigger_fields(product: Product, command: ev.Submit) -> Body:
    """What a conditional order waits for. On spot the venue makes another order of it then, of another id."""
    if product is SPOT or product is OPTION:
        raise _unusable(
            command,
            f"{command.type.value} orders of a {product.category} instrument are not supported on Bybit yet; "
            "watch the price in the strategy and send a LIMIT",
        )
    if command.trigger_price is None:
        raise _unusable(command, f"a {command.type.value} order needs a trigger_price, none was given")
    return {
        "triggerPrice": to_plain(command.trigger_price),
        "triggerDirection": trigger_direction(command.type, command.side),
        "triggerBy": TRIGGERS[command.trigger_type],
    }


def _time_in_force(command: ev.Submit) -> str:
    if command.type is not OrderType.POST_ONLY:
        return command.time_in_force.value
    if command.time_in_force is not TimeInForce.GTC:
        raise _unusable(
            command, f"post-only rests on the book: time_in_force is GTC, not {command.time_in_force.value}"
        )
    return "PostOnly"


def _position_fields(product: Product, command: ev.Submit) -> Body:
    """Reduce-only, and which position of a hedged pair the order belongs to: each has its own index."""
    side, fields = command.position_side, Body()
    if command.reduce_only:
        if product is SPOT:
            raise _unusable(command, "spot has no positions, so it takes no reduce_only")
        fields["reduceOnly"] = True
    if side is not None:
        index = POSITION_INDEXES.get(side)
        if index is None:
            raise _unusable(command, f"position_side is LONG or SHORT, not {side.value}")
        if product is not LINEAR:
            raise _unusable(command, f"{product.category} has no hedge mode, so it takes no position_side")
        if command.reduce_only and not reduces(command.side, side):
            raise _unusable(
                command, f"{command.side.value} adds to a {side.value} position, it cannot reduce"
            )
        fields["positionIdx"] = index
    return fields


def _user_fields(command: ev.Submit | ev.Cancel | ev.Amend) -> Body:
    """What the user passes on to the venue. Raises OrderError for what the engine sets."""
    taken = OWN_PARAMS & command.params.keys()
    if taken:
        raise _unusable(command, f"the engine sets {', '.join(sorted(taken))} itself; leave it out of params")
    return {
        name: to_plain(Decimal(repr(value))) if isinstance(value, float) else value
        for name, value in command.params.items()
    }


def cancel_body(instrument: Instrument, command: ev.Cancel) -> Body:
    return {**_which(instrument, command), **_user_fields(command)}


def amend_body(instrument: Instrument, command: ev.Amend) -> Body:
    """What changes price, amount (the new total) or both. Raises OrderError."""
    if command.price is None and command.amount is None:
        raise _unusable(command, "an amendment needs a price or an amount, neither was given")
    body = _which(instrument, command)
    if command.amount is not None:
        body["qty"] = to_plain(command.amount)
    if command.price is not None:
        body["price"] = to_plain(command.price)
    return {**body, **_user_fields(command)}


def _which(instrument: Instrument, command: ev.Cancel | ev.Amend) -> Body:
    """By the venue's id where it is known: orders of other programs may have no client id."""
    named = ("orderLinkId", command.oid) if command.eid is None else ("orderId", command.eid)
    return {
        "category": product_of(instrument).category,
        "symbol": instrument.venue_symbol,
        named[0]: named[1],
    }


def _unusable(command: ev.Submit | ev.Cancel | ev.Amend, reason: str) -> OrderError:
    return OrderError(f"order {command.oid}: {reason}")


# -- REST -----------------------------------------------------------------------------------------------


def order_request(_account_type: AccountType, instrument: Instrument, command: ev.Submit) -> Request:
    pool = product_of(instrument).pool
    return post("/v5/order/create", order_body(instrument, command), orders=1, pool=pool)


def batch_max(account_type: AccountType, instrument: Instrument, kind: OrderType) -> int:
    del account_type, kind  # the instrument says all
    return product_of(instrument).batch_max


def batch_request(account_type: AccountType, orders: Sequence[tuple[Instrument, ev.Submit]]) -> Request:
    del account_type  # the instruments say all
    product = product_of(orders[0][0])
    bodies = [order_body(instrument, command) for instrument, command in orders]
    body = _encode({"category": product.category, "request": bodies})
    path, count = "/v5/order/create-batch", len(bodies)
    return Request("POST", path, (), Security.SIGNED, orders=count, pool=product.pool, body=body)


def cancel_request(_account_type: AccountType, instrument: Instrument, command: ev.Cancel) -> Request:
    return post("/v5/order/cancel", cancel_body(instrument, command))


def amend_request(_account_type: AccountType, instrument: Instrument, command: ev.Amend) -> Request:
    return post("/v5/order/amend", amend_body(instrument, command))


def cancel_all_request(
    account_type: AccountType, instrument: Instrument, command: ev.CancelAll
) -> Request | None:
    del account_type, command  # the instrument says all
    symbol = {"category": product_of(instrument).category, "symbol": instrument.venue_symbol}
    return post("/v5/order/cancel-all", symbol)


def post(path: str, body: object, orders: int = 0, pool: str = "orders") -> Request:
    return Request("POST", path, (), Security.SIGNED, orders=orders, pool=pool, body=_encode(body))


# -- sockets --------------------------------------------------------------------------------------------


def order_frame(
    _account_type: AccountType,
    instrument: Instrument,
    command: ev.Submit | ev.Cancel | ev.Amend,
    request_id: str,
    _signer: Signer,
    timestamp_ms: int,
) -> bytes:
    """The frame of a create, cancel or amend; the logon of the socket vouches for it. Raises OrderError.

    The venue refuses a request id that it has seen, perhaps from an earlier run: the time makes it new.
    """
    if isinstance(command, ev.Submit):
        operation, body = "order.create", order_body(instrument, command)
    elif isinstance(command, ev.Cancel):
        operation, body = "order.cancel", cancel_body(instrument, command)
    else:
        operation, body = "order.amend", amend_body(instrument, command)
    return _encode(
        {
            "reqId": f"{request_id}-{timestamp_ms}",
            "header": {"X-BAPI-TIMESTAMP": str(timestamp_ms), "X-BAPI-RECV-WINDOW": str(RECV_WINDOW_MS)},
            "op": operation,
            "args": [body],
        }
    )


def user_subscribe_frame(request_id: str, _signer: Signer, _timestamp_ms: int) -> bytes:
    """Ask for all private events of the account. They begin with changes: the state is asked for by REST."""
    return _encode({"req_id": request_id, "op": "subscribe", "args": PRIVATE_TOPICS})
