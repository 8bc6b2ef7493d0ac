"""Requests about orders and executions; REST and the trade socket share them."""

from __future__ import annotations

from collections.abc import Callable, Sequence

import msgspec

from nexustrader.emulator.bybit import ids
from nexustrader.emulator.bybit.categories import FUTURES, LINEAR, OPTION, SPOT
from nexustrader.emulator.bybit.encode import orders as words
from nexustrader.emulator.bybit.errors import bad, unserved
from nexustrader.emulator.bybit.handlers import params as read
from nexustrader.emulator.bybit.handlers.create import order_request, trigger_price, within_bounds
from nexustrader.emulator.bybit.handlers.operation import Answered, Body, Call
from nexustrader.emulator.bybit.handlers.pages import page
from nexustrader.emulator.bybit.handlers.params import Params
from nexustrader.emulator.bybit.product import BybitProduct
from nexustrader.emulator.bybit.voice import execution_sequence
from nexustrader.emulator.errors import VenueError
from nexustrader.emulator.orders.records import Execution, OrderRecord

ORDERS, ORDERS_MAX = 20, 50
EXECUTIONS, EXECUTIONS_MAX = 50, 100
CLOSED_MAX = 500
WINDOW_MS = 7 * 86_400_000
BATCH_MAX = {SPOT: 10}
OTHER_BATCH_MAX = 20
ORDER_FILTERS = ("Order", "StopOrder", "tpslOrder")


# -- commands -------------------------------------------------------------------------------------------------


def create(call: Call) -> Body:
    """Takes an order. What becomes of it is told by the stream."""
    product, market, params = call.product, call.market, call.params
    if read.choice(params, "orderFilter", ORDER_FILTERS, "Order") != "Order" and product.name == SPOT:
        raise unserved("orderFilter")
    request = order_request(params, call.owner, market)
    if request.trigger is not None:
        record = product.held.place(call.owner, request)
    else:
        record, _ = product.mishaps.place(call, request)
    return _ids(record)


def amend(call: Call) -> Body:
    """Changes price, total, or both; the id stays. What becomes of it is told by the stream."""
    product, market, params = call.product, call.market, call.params
    record = _find(call)
    price, amount = read.decimal(params, "price"), read.decimal(params, "qty")
    if any(params.get(name, "0") not in {"", "0"} for name in ("takeProfit", "stopLoss", "orderIv")):
        raise unserved("takeProfit, stopLoss or orderIv")
    trigger = trigger_price(market, params["triggerPrice"]) if params.get("triggerPrice") else None
    if trigger is not None and not record.is_held:
        raise bad("the order has no trigger, or it came already")
    if price is None and amount is None and trigger is None:
        raise bad("price, qty or triggerPrice is missing")
    product.mishaps.before_change(call, record)
    price = record.price if price is None else within_bounds(market, record.sim.side, price)
    amount = record.amount if amount is None else amount
    if record.is_held:
        product.held.amend(record, price, amount, trigger)
    else:
        product.trading.modify(call.owner, record, price, amount)
    return _ids(record)


def cancel(call: Call) -> Body:
    """Takes an order off. An order that is filled before the request is looked at has the last word."""
    product, record = call.product, _find(call)
    was_open = record.is_open
    product.mishaps.before_change(call, record)
    if was_open and not record.is_open:
        product.bybit_voice.cancel_lost(call.owner, record)
        return _ids(record)
    if product.mishaps.instead_of_cancel(call, record) is None:
        product.trading.cancel(record)
    return _ids(record)


def cancel_all(call: Call) -> Body:
    """Takes off every open order of a symbol, a coin, or (not for futures) the category."""
    product, params = call.product, call.params
    records = _chosen(call, product, product.trading.open_orders(call.owner))
    canceled = []
    for record in product.mishaps.to_cancel(call, records):
        if record.is_open and read.choice(params, "orderFilter", ORDER_FILTERS, _kind(record)) == _kind(
            record
        ):
            product.trading.cancel(record)
            canceled.append(_ids(record))
    return {"list": canceled, "success": "1"}


def batch(
    handler: Callable[[Call], Body], name: str, *, with_time: bool = False
) -> Callable[[Call], Answered]:
    """Carries out the orders of a batch one by one; each has a code of its own, and counts as one `name`."""

    def carry_out(call: Call) -> Answered:
        category = read.category(call.params)
        if not 1 <= len(call.items) <= BATCH_MAX.get(category, OTHER_BATCH_MAX):
            raise bad("request has too few or too many orders")
        rows, codes = [], []
        for number, item in enumerate(call.items):
            params = {**item, "category": category}
            row: Body = {"category": category, "symbol": item.get("symbol", "")}
            try:
                if number:  # the first one was counted as the request
                    call.venue.limiter.charge(call.owner.name, name, category, call.now_ms)
                about = {**call.about, "symbol": item.get("symbol"), "client_id": item.get("orderLinkId")}
                done = handler(msgspec.structs.replace(call, params=params, items=(), about=about))
                code: Body = {"code": 0, "msg": "OK"}
            except VenueError as error:
                done = {"orderId": "", "orderLinkId": item.get("orderLinkId", "")}
                code = {"code": error.code, "msg": error.message}
            created = {"createAt": str(call.now_ms) if done["orderId"] else ""} if with_time else {}
            rows.append({**row, **done, **created})
            codes.append(code)
        return Answered({"list": rows}, {"list": codes})

    return carry_out


# -- queries --------------------------------------------------------------------------------------------------


def realtime(call: Call) -> Body:
    """Open orders, newest first, or with `openOnly` 1 the last closed ones; by id an order in whatever state."""
    product, params = call.product, call.params
    if product.name == LINEAR and not any(params.get(n) for n in ("symbol", "baseCoin", "settleCoin")):
        raise bad("symbol, baseCoin or settleCoin is missing")
    view = call.orders(product)
    if _names_one(params):
        rows = _named(params, product, view.orders(call.owner))
    elif read.integer(params, "openOnly", 0) == 0:
        rows = _chosen(call, product, view.open_orders(call.owner), strict=False)
    else:
        closed = [r for r in view.orders(call.owner) if not r.is_open]
        rows = _chosen(call, product, closed[-CLOSED_MAX:], strict=False)
    return _page_of_orders(call, product, rows)


def realtime_name(params: Params) -> str:
    """What faults call a query of open orders."""
    if _names_one(params):
        return "order.status"
    return "openOrders.status" if params.get("openOnly", "0") in {"", "0"} else "allOrders"


def history(call: Call) -> Body:
    """Closed orders, newest first, of at most seven days."""
    product, params = call.product, call.params
    start_ms, end_ms = _window(call)
    rows = [r for r in call.orders(product).orders(call.owner) if not r.is_open]
    rows = _named(params, product, rows) if _names_one(params) else _chosen(call, product, rows, strict=False)
    wanted = params.get("orderStatus")
    rows = [
        record
        for record in rows
        if start_ms <= record.created_ms <= end_ms and wanted in {None, "", words.status(record)}
    ]
    return _page_of_orders(call, product, rows)


def history_name(params: Params) -> str:
    """What faults call a query of closed orders."""
    return "order.status" if _names_one(params) else "allOrders"


def executions(call: Call) -> Body:
    """The account's executions, newest first, of at most seven days."""
    product, params = call.product, call.params
    start_ms, end_ms = _window(call)
    records = call.orders(product).orders(call.owner)
    records = (
        _named(params, product, records)
        if _names_one(params)
        else _chosen(call, product, records, strict=False)
    )
    fills = [
        (record, fill)
        for record in records
        for fill in record.executions
        if start_ms <= fill.timestamp_ms <= end_ms
    ]
    fills.sort(key=lambda pair: (pair[1].timestamp_ms, pair[1].trade_id), reverse=True)
    limit = read.limit(params, EXECUTIONS, EXECUTIONS_MAX)
    shown, cursor = page(fills, limit, params.get("cursor", ""), _fill_key)
    rows = [
        words.execution(record, fill, product.markets[record.symbol].mark, execution_sequence(fill))
        for record, fill in shown
    ]
    return {"nextPageCursor": cursor, "category": product.name, "list": rows}


# -- inside ---------------------------------------------------------------------------------------------------


def _ids(record: OrderRecord) -> Body:
    return {
        "orderId": ids.order_id(record.listing.product, record.order_id),
        "orderLinkId": words.link_id(record),
    }


def _names_one(params: Params) -> bool:
    return bool(params.get("orderId") or params.get("orderLinkId"))


def _named(params: Params, product: BybitProduct, records: Sequence[OrderRecord]) -> list[OrderRecord]:
    """The order of an id; `orderId` goes before `orderLinkId`."""
    if params.get("orderId"):
        number = ids.order_number(product.name, params["orderId"])
        return [record for record in records if record.order_id == number]
    return [record for record in records if words.link_id(record) == params["orderLinkId"]]


def _find(call: Call) -> OrderRecord:
    """The order that a request is to change. Raises BybitError 10001, 110001 or 170213."""
    product, symbol = call.product, call.market.symbol
    if not _names_one(call.params):
        raise bad("orderId or orderLinkId is missing")
    found = _named(call.params, product, product.trading.orders(call.owner, symbol))
    if not found:
        raise product.trading.rules.unknown_order()
    return found[-1]


def _chosen(
    call: Call, product: BybitProduct, records: Sequence[OrderRecord], *, strict: bool = True
) -> list[OrderRecord]:
    """The orders of the symbol or coin that a request names; futures must name one where `strict`."""
    params = call.params
    symbol, base, settle = (params.get(name) or None for name in ("symbol", "baseCoin", "settleCoin"))
    if symbol is not None:
        symbol = call.market.symbol
    elif strict and product.name in FUTURES and base is None and settle is None:
        raise bad("symbol, baseCoin or settleCoin is missing")
    return [
        record
        for record in records
        if symbol in {None, record.symbol}
        and base in {None, record.listing.base}
        and (settle in {None, record.listing.settle} or product.name in {SPOT, OPTION})
    ]


def _kind(record: OrderRecord) -> str:
    return "StopOrder" if record.is_held else "Order"


def _page_of_orders(call: Call, product: BybitProduct, rows: Sequence[OrderRecord]) -> Body:
    newest = list(reversed(rows))
    limit = read.limit(call.params, ORDERS, ORDERS_MAX)
    shown, cursor = page(newest, limit, call.params.get("cursor", ""), _order_key)
    return {
        "category": product.name,
        "nextPageCursor": cursor,
        "list": [words.order(record) for record in shown],
    }


def _order_key(record: OrderRecord) -> str:
    return ids.order_id(record.listing.product, record.order_id)


def _fill_key(pair: tuple[OrderRecord, Execution]) -> str:
    record, fill = pair
    return f"{fill.trade_id}:{record.order_id}"


def _window(call: Call) -> tuple[int, int]:
    """The time that a query looks at: seven days at most."""
    start_ms, end_ms = (read.integer(call.params, name) for name in ("startTime", "endTime"))
    if start_ms is None:
        end_ms = call.now_ms if end_ms is None else end_ms
        return end_ms - WINDOW_MS, end_ms
    end_ms = start_ms + WINDOW_MS if end_ms is None else end_ms
    if end_ms - start_ms > WINDOW_MS:
        raise bad("the time range is over 7 days")
    return start_ms, end_ms
