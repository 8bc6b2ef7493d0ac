"""Requests about conditional orders of futures: a service of its own, which knows them before and after the trigger."""

from __future__ import annotations

from nexustrader.emulator.binance.encode import encode_algo
from nexustrader.emulator.binance.errors import refusal
from nexustrader.emulator.binance.handlers import filters, requests
from nexustrader.emulator.binance.handlers.operation import Call, Params
from nexustrader.emulator.binance.handlers.order_operations import CANCEL_ALL_DONE, page, within
from nexustrader.emulator.market.listing import Listing
from nexustrader.emulator.orders.records import OrderRecord
from nexustrader.emulator.orders.request import OrderRequest, Trigger

HELD_MAX = 200  # of all symbols together
# The venue's word -> what the trigger makes of it, and whether it is a stop.
TYPES = {
    "STOP": ("LIMIT", True),
    "STOP_MARKET": ("MARKET", True),
    "TAKE_PROFIT": ("LIMIT", False),
    "TAKE_PROFIT_MARKET": ("MARKET", False),
}
WORKING_TYPES = ("CONTRACT_PRICE", "MARK_PRICE")


def place(call: Call) -> object:
    """Takes an order that waits for a price."""
    request = _request(call)
    call.limiter.charge_order(call.owner.name, call.now_ms)
    if sum(record.is_apart for record in call.product.trading.open_orders(call.owner)) >= HELD_MAX:
        raise refusal(-4045)
    return encode_algo.new_order(call.product.held.place(call.owner, request))


def cancel(call: Call) -> object:
    """Cancels an order that waits; one that has triggered is no longer known as open here."""
    record = _find(call, missing=-2011)
    if not record.is_apart:
        raise refusal(-2011)
    mishaps = call.product.mishaps
    mishaps.before_change(call, record)
    if mishaps.instead_of_cancel(call, record) is None:
        call.product.trading.cancel(record)
    return encode_algo.canceled(record)


def cancel_told_briefly(call: Call) -> object:
    """The same, as portfolio margin answers it."""
    cancel(call)
    return {"complete": True}


def cancel_all(call: Call) -> object:
    """Cancels every order of a symbol that waits."""
    listing = requests.symbol(call.params, call.product.listings)
    trading = call.product.trading
    waiting = [record for record in trading.open_orders(call.owner, listing.symbol) if record.is_apart]
    for record in call.product.mishaps.to_cancel(call, waiting):
        trading.cancel(record)
    return CANCEL_ALL_DONE


def query(call: Call) -> object:
    """One order, whatever has become of it."""
    return encode_algo.order(_find(call, missing=-2013))


def open_orders(call: Call) -> object:
    """The orders of a symbol or of all that wait."""
    symbol = None
    if call.params.get("symbol"):
        symbol = requests.symbol(call.params, call.product.listings).symbol
    waiting = [record for record in call.orders.open_orders(call.owner, symbol) if record.is_apart]
    return [encode_algo.order(record) for record in waiting]


def all_orders(call: Call) -> object:
    """Orders of a symbol, oldest first: from an id or within a time, else the latest."""
    listing, params = requests.symbol(call.params, call.product.listings), call.params
    first_id, start_ms, end_ms = (
        requests.integer(params, name) for name in ("algoId", "startTime", "endTime")
    )
    rows = [
        record
        for record in call.orders.orders(call.owner, listing.symbol)
        if record.held_id >= max(first_id or 0, 1) and within(record.created_ms, start_ms, end_ms)
    ]
    from_start = first_id is not None or start_ms is not None
    return [encode_algo.order(record) for record in page(call, rows, from_start=from_start)]


def _find(call: Call, missing: int) -> OrderRecord:
    algo_id, client_id = requests.order_key(call.params, "algoId", "clientAlgoId")
    found = [
        record
        for record in call.orders.orders(call.owner)
        if record.held_id
        and (record.held_id == algo_id if algo_id is not None else record.client_id == client_id)
    ]
    if not found:
        raise refusal(missing)
    return found[-1]


def _request(call: Call) -> OrderRequest:
    """A new order. Raises ApiError naming what is missing, malformed or not allowed."""
    params = call.params
    listing, side = requests.symbol(params, call.product.listings), requests.side_of(params)
    if requests.required(params, "algoType") != "CONDITIONAL":
        raise refusal(-1102, "algoType")
    kind = requests.required(params, "type")
    if kind not in TYPES:
        raise refusal(-1116)
    requests.check_position_side(params)
    if params.get("priceMatch", "NONE") != "NONE" or requests.flag(params, "closePosition"):
        raise refusal(-1106, "priceMatch" if "priceMatch" in params else "closePosition")
    becomes, is_stop = TYPES[kind]
    requests.required(params, "quantity")
    if becomes == "LIMIT":
        requests.required(params, "price")
    else:
        requests.refuse(params, "price")
    working_type = params.get("workingType", WORKING_TYPES[0])
    if working_type not in WORKING_TYPES:
        raise refusal(-1102, "workingType")
    tif = params.get("timeInForce", "GTC")
    if tif not in requests.CORE_TIFS:
        raise refusal(-1115)
    return OrderRequest(
        listing=listing,
        side=side,
        type=kind,
        tif=tif,
        core_tif=requests.CORE_TIFS[tif],
        post_only=tif == "GTX",
        amount=requests.decimal(params, "quantity"),
        price=requests.decimal(params, "price"),
        client_id=requests.client_id(params, "clientAlgoId", listing.product),
        stp=requests.stp_of(params),
        reduce_only=requests.flag(params, "reduceOnly"),
        trigger=_trigger(params, listing, is_rising=(side.name == "BUY") is is_stop, becomes=becomes),
        terms={"orderType": kind, "workingType": working_type},
    )


def _trigger(params: Params, listing: Listing, *, is_rising: bool, becomes: str) -> Trigger:
    requests.required(params, "triggerPrice")
    price = requests.decimal(params, "triggerPrice")
    assert price is not None
    if price <= 0:
        raise refusal(-4006)
    if filters.digits(price) > listing.price_digits:
        raise refusal(-1111)
    if price % listing.tick:
        raise refusal(-4014)
    return Trigger(price, is_rising, params.get("workingType") == "MARK_PRICE", becomes)
