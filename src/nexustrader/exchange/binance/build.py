"""Commands to requests: REST and order socket share the parameters. Amounts and prices arrive quantised."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from decimal import Decimal

import msgspec

from nexustrader.constants import AccountType, OrderType, TimeInForce
from nexustrader.domain import events as ev
from nexustrader.domain.instrument import Instrument, to_plain
from nexustrader.domain.order import CLOSING_SIDE
from nexustrader.error import NotSent, OrderError
from nexustrader.exchange.binance import algo
from nexustrader.exchange.binance.quirks import account_of, product_of
from nexustrader.exchange.binance.sign import socket_params
from nexustrader.exchange.binance.spec import RECV_WINDOW_MS, Product
from nexustrader.venue.order_templates import SignedTemplate, Templates, signed_template
from nexustrader.venue.spec import Request, Security, Signer

Params = dict[str, str]

# Set by the engine alone: who, what, which id, and the window that the reconciliation relies on.
OWN_PARAMS = algo.OWN_PARAMS | {
    "symbol", "side", "type", "quantity", "price", "reduceOnly", "newClientOrderId", "origClientOrderId",
    "orderId", "isIsolated", "positionSide", "apiKey", "timestamp", "recvWindow", "signature",
}  # fmt: skip

_encode = msgspec.json.Encoder().encode

# -- parameters -----------------------------------------------------------------------------------------


def order_params(product: Product, instrument: Instrument, command: ev.Submit) -> Params:
    """The parameters of a create, without time and signature. Raises OrderError."""
    kind = command.type
    params = {
        "symbol": instrument.venue_symbol,
        **dict(product.scope),
        "side": command.side.value,
        "quantity": to_plain(command.amount),
        "newClientOrderId": command.oid,
        "newOrderRespType": product.response_type,
    }
    if kind.is_triggered:
        params.update(algo.trigger_params(product, command))
    elif kind is OrderType.POST_ONLY:
        if command.time_in_force is not TimeInForce.GTC:
            raise OrderError(
                f"order {command.oid}: a post-only order rests on the book, so it cannot be "
                f"{command.time_in_force.value}; leave time_in_force at GTC"
            )
        params.update(product.post_only)
    else:
        params["type"] = kind.value
    if kind.is_limit:
        params["timeInForce"] = command.time_in_force.value
    if not kind.is_market:
        params["price"] = _price(command)
    if command.reduce_only or command.position_side is not None:
        params.update(_position_params(product, command))
    if command.params:
        params.update(_user_params(command.oid, command.params))
    return params


def _price(command: ev.Submit) -> str:
    if command.price is None:
        raise OrderError(f"order {command.oid}: a {command.type.value} order needs a price, none was given")
    return to_plain(command.price)


def _position_params(product: Product, command: ev.Submit) -> Params:
    """Reduce-only and position side. In hedge mode the closing side reduces by itself and takes no flag."""
    if not product.is_futures:
        raise OrderError(
            f"order {command.oid}: spot has no positions, so it takes neither reduce_only nor position_side"
        )
    side = command.position_side
    if side is None:
        return {"reduceOnly": "true"}
    closing = CLOSING_SIDE.get(side)
    if closing is None:
        raise OrderError(f"order {command.oid}: position_side must be LONG or SHORT, not {side.value}")
    if command.reduce_only and command.side is not closing:
        raise OrderError(
            f"order {command.oid}: {command.side.value} opens a {side.value} position, it cannot reduce"
        )
    return {"positionSide": side.value}


def _user_params(oid: str, params: Mapping[str, ev.ParamValue]) -> Params:
    """What the user passes on to the venue, as text. Raises OrderError for what the engine sets."""
    taken = OWN_PARAMS & params.keys()
    if taken:
        raise OrderError(
            f"order {oid}: {', '.join(sorted(taken))} cannot be passed on to Binance, the engine sets it"
        )
    return {name: _text(value) for name, value in params.items()}


def _text(value: ev.ParamValue) -> str:
    if isinstance(value, bool):
        return "true" if value else "false"
    return to_plain(Decimal(repr(value))) if isinstance(value, float) else str(value)


def cancel_params(product: Product, instrument: Instrument, command: ev.Cancel) -> Params:
    """The parameters of a cancel. Spot finds the order faster by its own id and checks that both fit."""
    params = {"symbol": instrument.venue_symbol, **dict(product.scope), "origClientOrderId": command.oid}
    if command.eid is not None and not product.is_futures:
        params["orderId"] = command.eid
    if command.params:
        params.update(_user_params(command.oid, command.params))
    return params


def amend_params(product: Product, instrument: Instrument, command: ev.Amend) -> Params:
    """The parameters of an amendment; the amount is the new total. Raises OrderError."""
    if not product.is_futures:
        raise OrderError(
            f"order {command.oid}: Binance spot and margin cannot change the price of an order; "
            "cancel it and create a new one"
        )
    if algo.waiting(product, command):
        raise OrderError(
            f"order {command.oid}: Binance cannot change an order that waits for its trigger; "
            "cancel it and create a new one"
        )
    if command.price is None or command.amount is None:
        raise OrderError(
            f"order {command.oid}: Binance needs both price and amount to amend; "
            "take the one that stays from the order"
        )
    params = {
        "symbol": instrument.venue_symbol,
        "origClientOrderId": command.oid,
        "side": command.side.value,
        "quantity": to_plain(command.amount),
        "price": to_plain(command.price),
    }
    if command.params:
        params.update(_user_params(command.oid, command.params))
    return params


# -- REST -----------------------------------------------------------------------------------------------


def order_request(account_type: AccountType, instrument: Instrument, command: ev.Submit) -> Request:
    product = product_of(account_type, instrument)
    params = order_params(product, instrument, command)
    if paths := algo.waiting(product, command):
        return algo.order_request(paths, params, product.order_weight)
    places = product.places_by_effect.get(params.get("sideEffectType", ""), product.order_places)
    return _signed(product, "POST", params, product.order_weight, places)


def batch_max(account_type: AccountType, instrument: Instrument, kind: OrderType) -> int:
    return 1 if kind.is_triggered else product_of(account_type, instrument).batch_max


def batch_request(account_type: AccountType, orders: Sequence[tuple[Instrument, ev.Submit]]) -> Request:
    """Each order counts for itself in the limit of 10 s."""
    product = product_of(account_type, orders[0][0])
    bodies = [order_params(product, instrument, command) for instrument, command in orders]
    params = (("batchOrders", _encode(bodies).decode()),)
    path = f"{product.root}/batchOrders"
    return Request("POST", path, params, Security.SIGNED, weight=5, orders=len(bodies))


def cancel_request(account_type: AccountType, instrument: Instrument, command: ev.Cancel) -> Request:
    product = product_of(account_type, instrument)
    if paths := algo.waiting(product, command):
        return algo.cancel_request(paths, command.oid, _user_params(command.oid, command.params))
    return _signed(product, "DELETE", cancel_params(product, instrument, command), product.cancel_weight)


def amend_request(account_type: AccountType, instrument: Instrument, command: ev.Amend) -> Request:
    product = product_of(account_type, instrument)
    params = amend_params(product, instrument, command)
    return _signed(product, "PUT", params, product.order_weight, 1)


def cancel_all_request(
    account_type: AccountType,
    instrument: Instrument,
    command: ev.CancelAll,  # noqa: ARG001 — the protocol names it
) -> Request | None:
    product = product_of(account_type, instrument)
    which = (("symbol", instrument.venue_symbol), *product.scope)
    path, weight = f"{product.root}/{product.cancel_all}", product.cancel_all_weight
    return Request("DELETE", path, which, Security.SIGNED, weight)


def dead_man_request(account_type: AccountType, venue_symbol: str, countdown_ms: int) -> Request | None:
    path = account_of(account_type).dead_man
    if path is None:
        return None
    params = (("symbol", venue_symbol), ("countdownTime", str(countdown_ms)))
    return Request("POST", path, params, Security.SIGNED, weight=10)


def _signed(product: Product, method: str, params: Params, weight: int, orders: int = 0) -> Request:
    return Request(method, f"{product.root}/order", tuple(params.items()), Security.SIGNED, weight, orders)


# -- order socket ---------------------------------------------------------------------------------------


def order_frame(
    account_type: AccountType,
    instrument: Instrument,
    command: ev.Submit | ev.Cancel | ev.Amend,
    request_id: str,
    signer: Signer,
    timestamp_ms: int,
) -> bytes:
    """The signed frame of a create, cancel or amend. Raises OrderError, and NotSent for what waits for a price."""
    if type(command) is ev.Submit and not command.params and _is_plain(command):
        return _order_frame(account_type, instrument, command, request_id, signer, timestamp_ms)
    product = product_of(account_type, instrument)
    params: Mapping[str, str | int]
    if isinstance(command, ev.Submit):
        method, params = "order.place", order_params(product, instrument, command)
    elif isinstance(command, ev.Cancel):
        method, params = "order.cancel", _with_integer_id(cancel_params(product, instrument, command))
    else:
        method, params = "order.modify", amend_params(product, instrument, command)
    if algo.waiting(product, command):
        raise NotSent("orders that wait for a price go by REST")
    return _encode(
        {"id": request_id, "method": method, "params": socket_params(params, signer, timestamp_ms)}
    )


def _is_plain(command: ev.Submit) -> bool:
    """Whether its template has a place for all of it."""
    return command.position_side is None and not command.type.is_triggered


_CHANGING = frozenset({"quantity", "price", "newClientOrderId", "timestamp"})
_templates = Templates()


def _order_frame(
    account_type: AccountType,
    instrument: Instrument,
    command: ev.Submit,
    request_id: str,
    signer: Signer,
    timestamp_ms: int,
) -> bytes:
    """The frame of a plain create, from the template of its kind: this is the order path. Raises OrderError."""
    # `_value_` and not `value`: the property of an enum costs more than the rest of the key.
    key = (
        account_type._value_,
        signer.api_key,
        instrument.venue_symbol,
        command.side._value_,
        command.type._value_,
        command.time_in_force._value_,
        command.reduce_only,
        command.price is None,
    )
    template = _templates.get(key, lambda: _make_template(account_type, instrument, command, signer))
    price = command.price
    values: dict[str, str | int] = {
        "id": request_id,
        "newClientOrderId": command.oid,
        "quantity": to_plain(command.amount),
        "price": "" if price is None else to_plain(price),
        "timestamp": timestamp_ms,
    }
    return template.fill(values, signer)


def _make_template(
    account_type: AccountType, instrument: Instrument, command: ev.Submit, signer: Signer
) -> SignedTemplate:
    params: Mapping[str, str | int] = order_params(product_of(account_type, instrument), instrument, command)
    stamp: Mapping[str, str | int] = {"apiKey": signer.api_key, "recvWindow": RECV_WINDOW_MS, "timestamp": 0}
    return signed_template("order.place", {**params, **stamp}, _CHANGING)


def _with_integer_id(params: Params) -> Mapping[str, str | int]:
    """On the socket ids are JSON integers, while decimals and flags stay text."""
    eid = params.get("orderId", "")
    return {**params, "orderId": int(eid)} if eid.isascii() and eid.isdigit() else params


def user_subscribe_frame(request_id: str, signer: Signer, timestamp_ms: int) -> bytes:
    """Start the private events of spot on the order socket."""
    params = socket_params({}, signer, timestamp_ms)
    return _encode({"id": request_id, "method": "userDataStream.subscribe.signature", "params": params})


def listen_token_frame(request_id: str, token: str) -> bytes:
    """Start private events by a token, or prolong them. The token says whose they are."""
    params = {"listenToken": token}
    return _encode({"id": request_id, "method": "userDataStream.subscribe.listenToken", "params": params})
