"""Requests about orders and executions, of both products; REST and the WebSocket API share them."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TypeVar

import msgspec

from nexustrader.emulator.binance.encode import encode_spot
from nexustrader.emulator.binance.encode.order_wire import ORDER_WIRES
from nexustrader.emulator.binance.errors import ApiError, error_body, refusal
from nexustrader.emulator.binance.handlers import requests
from nexustrader.emulator.binance.handlers.operation import Call
from nexustrader.emulator.binance.topics import SPOT
from nexustrader.emulator.errors import VenueError
from nexustrader.emulator.orders.records import Execution, OrderRecord

T = TypeVar("T")

BATCH_MAX = 5
CANCEL_ALL_DONE = {"code": 200, "msg": "The operation of cancel all open order is done."}


def place(call: Call) -> object:
    """Places an order; the reply holds as much of it as was asked for."""
    parse = requests.spot_order if call.product.name == SPOT else requests.usdm_order
    request = parse(call.params, call.product.listings)
    call.limiter.charge_order(call.owner.name, call.now_ms)
    if request.trigger is not None:
        record, may_ack = call.product.held.place(call.owner, request), True
    else:
        record, may_ack = call.product.mishaps.place(call, request)
    if call.product.name == SPOT:
        return encode_spot.new_order(record, request.response, record.executions, call.now_ms)
    acks = request.response == "ACK" and may_ack
    wire = ORDER_WIRES[call.product.name]
    encode = wire.acknowledged if acks else wire.new_order
    return encode(record, with_averages=call.product.with_averages)


def test(call: Call) -> object:
    """Checks an order without placing it."""
    parse = requests.spot_order if call.product.name == SPOT else requests.usdm_order
    call.product.trading.check(call.owner, parse(call.params, call.product.listings))
    return {}


def cancel(call: Call) -> object:
    """Cancels one order."""
    record, trading, mishaps = _find(call, missing=-2011), call.product.trading, call.product.mishaps
    mishaps.before_change(call, record)
    cancel_id = None
    if call.product.name == SPOT:
        cancel_id = requests.client_id(call.params, "newClientOrderId", SPOT) or trading.new_id()
    shown = mishaps.instead_of_cancel(call, record)
    if shown is None:
        trading.cancel(record, cancel_id)
        shown = record
    if cancel_id is not None:
        return encode_spot.canceled(shown, cancel_id, call.now_ms)
    return ORDER_WIRES[call.product.name].new_order(shown, with_averages=call.product.with_averages)


def cancel_all(call: Call) -> object:
    """Cancels every open order of a symbol; on spot there must be one."""
    listing = requests.symbol(call.params, call.product.listings)
    trading = call.product.trading
    records = [one for one in trading.open_orders(call.owner, listing.symbol) if not one.is_apart]
    if call.product.name == SPOT and not records:
        raise refusal(-2011)
    canceled = []
    for record in call.product.mishaps.to_cancel(call, records):
        cancel_id = trading.new_id()
        trading.cancel(record, cancel_id)
        canceled.append(encode_spot.canceled(record, cancel_id, call.now_ms))
    return canceled if call.product.name == SPOT else CANCEL_ALL_DONE


def modify(call: Call) -> object:
    """Changes price and total of a futures order."""
    params = call.params
    record = _find(call, missing=-2013)
    if requests.required(params, "side") != record.sim.side.name:
        raise refusal(-1117)
    requests.required(params, "quantity")
    requests.required(params, "price")
    price, amount = requests.decimal(params, "price"), requests.decimal(params, "quantity")
    assert price is not None
    assert amount is not None
    call.limiter.charge_order(call.owner.name, call.now_ms)
    call.product.mishaps.before_change(call, record)
    call.product.trading.modify(call.owner, record, price, amount)
    modify_id = requests.integer(params, "modifyId")
    return ORDER_WIRES[call.product.name].modified(
        record, modify_id, with_averages=call.product.with_averages
    )


def place_batch(call: Call) -> object:
    """Places up to five futures orders; each item of the reply is an order or a refusal."""
    batch = _json_list(call, "batchOrders")
    results: list[object] = []
    for params in batch:
        try:
            results.append(place(msgspec.structs.replace(call, params=params)))
        except VenueError as error:
            results.append(error_body(error))
    return results


def query(call: Call) -> object:
    """One order."""
    return _order(_find(call, missing=-2013))


def query_open(call: Call) -> object:
    """One order, if it is still open."""
    record = _find(call, missing=-2013)
    if not record.is_open:
        raise refusal(-2013)
    return _order(record)


def open_orders(call: Call) -> object:
    """The open orders of a symbol or of all."""
    symbol = None
    if call.params.get("symbol"):
        symbol = requests.symbol(call.params, call.product.listings).symbol
    return [_order(one) for one in call.orders.open_orders(call.owner, symbol) if not one.is_apart]


def all_orders(call: Call) -> object:
    """Orders of a symbol, oldest first: from an id or within a time, else the latest."""
    listing, params = requests.symbol(call.params, call.product.listings), call.params
    first_id = requests.integer(params, "orderId")
    start_ms, end_ms = requests.integer(params, "startTime"), requests.integer(params, "endTime")
    rows = [
        record
        for record in call.orders.orders(call.owner, listing.symbol)
        if (first_id is None or record.order_id >= first_id)
        and within(record.created_ms, start_ms, end_ms)
        and not record.is_apart
    ]
    return [
        _order(record) for record in page(call, rows, from_start=first_id is not None or start_ms is not None)
    ]


def my_trades(call: Call) -> object:
    """The account's executions of a symbol, oldest first: of an order, from an id, within a time, or the latest."""
    listing, params = requests.symbol(call.params, call.product.listings), call.params
    order_id, first_id = requests.integer(params, "orderId"), requests.integer(params, "fromId")
    start_ms, end_ms = requests.integer(params, "startTime"), requests.integer(params, "endTime")
    rows: list[tuple[OrderRecord, Execution]] = [
        (record, execution)
        for record in call.orders.orders(call.owner, listing.symbol)
        if order_id in {None, record.order_id}
        for execution in record.executions
        if (first_id is None or execution.trade_id >= first_id)
        and within(execution.timestamp_ms, start_ms, end_ms)
    ]
    rows.sort(key=lambda row: row[1].trade_id)
    encode = encode_spot.trade if call.product.name == SPOT else ORDER_WIRES[call.product.name].trade
    shown = page(call, rows, from_start=first_id is not None or start_ms is not None)
    return [encode(record, execution) for record, execution in shown]


def _order(record: OrderRecord) -> object:
    product = record.listing.product
    return encode_spot.order(record) if product == SPOT else ORDER_WIRES[product].order(record)


def _find(call: Call, missing: int) -> OrderRecord:
    """The order that a request names. Raises ApiError `missing` when the account has none such."""
    listing = requests.symbol(call.params, call.product.listings)
    order_id, client_id = requests.order_key(call.params)
    record = call.orders.find(call.owner, listing.symbol, order_id, client_id)
    if record is None or record.is_apart:
        raise refusal(missing)
    return record


def within(time_ms: int, start_ms: int | None, end_ms: int | None) -> bool:
    """Whether a time lies in a range whose ends may be open."""
    return (start_ms is None or time_ms >= start_ms) and (end_ms is None or time_ms <= end_ms)


def page(call: Call, rows: Sequence[T], *, from_start: bool) -> Sequence[T]:
    """So many rows as are asked for, the first ones or the latest."""
    limit = requests.limit(call.params)
    return rows[:limit] if from_start else rows[-limit:]


def _json_list(call: Call, name: str) -> list[dict[str, str]]:
    try:
        items = msgspec.json.decode(requests.required(call.params, name), type=list[dict[str, str]])
    except msgspec.MsgspecError:
        raise refusal(-1102, name) from None
    if not 1 <= len(items) <= BATCH_MAX:
        raise ApiError(-4082, "Invalid number of batch place orders.")
    return items
