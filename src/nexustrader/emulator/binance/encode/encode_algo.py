"""Conditional orders of futures, key for key as their service sends them."""

from __future__ import annotations

from nexustrader.emulator.binance.encode import numbers
from nexustrader.emulator.orders.records import ZERO, OrderRecord

Body = dict[str, object]


def status(record: OrderRecord) -> str:
    """The order's status in the words of the service."""
    if record.is_apart:
        return record.status
    return "TRIGGERED" if record.is_open else "FINISHED"


def new_order(record: OrderRecord) -> Body:
    """Reply to a new order."""
    listing = record.listing
    assert record.trigger is not None
    return {
        "algoId": record.held_id,
        "clientAlgoId": record.client_id,
        "algoType": "CONDITIONAL",
        "orderType": record.terms["orderType"],
        "symbol": record.symbol,
        "side": record.sim.side.name,
        "positionSide": record.sim.position_side,
        "timeInForce": record.tif,
        "quantity": numbers.amount(listing, record.amount),
        "algoStatus": status(record),
        "triggerPrice": numbers.price(listing, record.trigger.price),
        "price": numbers.price(listing, record.price),
        "icebergQuantity": "None",
        "selfTradePreventionMode": record.stp,
        "workingType": record.terms["workingType"],
        "priceMatch": "NONE",
        "closePosition": False,
        "priceProtect": False,
        "reduceOnly": record.sim.reduce_only,
        "activatePrice": "",
        "callbackRate": "",
        "createTime": record.created_ms,
        "updateTime": record.updated_ms,
        "triggerTime": 0 if record.is_apart else record.updated_ms,
        "goodTillDate": 0,
    }


def order(record: OrderRecord) -> Body:
    """An order as queries show it."""
    assert record.trigger is not None
    body = new_order(record)
    del body["activatePrice"], body["callbackRate"]
    return body | {
        "actualOrderId": "" if record.is_apart else str(record.order_id),
        "actualPrice": numbers.average(record.listing, record.average),
        "actualType": record.trigger.becomes,
        "actualQty": numbers.amount(record.listing, record.amount),
        "tpOrderType": "",
    }


def canceled(record: OrderRecord) -> Body:
    """Reply to a cancel."""
    return {"algoId": record.held_id, "clientAlgoId": record.client_id, "code": "200", "msg": "success"}


def update(record: OrderRecord, word: str, now_ms: int) -> Body:
    """The event ALGO_UPDATE that tells a status."""
    listing, terms, trigger = record.listing, record.terms, record.trigger
    assert trigger is not None
    waits = record.is_apart or word == "TRIGGERING"
    told: Body = {
        "caid": record.client_id,
        "aid": record.held_id,
        "at": "CONDITIONAL",
        "o": terms["orderType"],
        "s": record.symbol,
        "S": record.sim.side.name,
        "ps": record.sim.position_side,
        "f": record.tif,
        "q": numbers.amount(listing, record.amount),
        "X": word,
        "ai": "" if waits else str(record.order_id),
        "tp": numbers.price(listing, trigger.price),
        "p": numbers.short(numbers.price(listing, record.price)),
        "V": record.stp,
        "wt": terms["workingType"],
        "pm": "NONE",
        "cp": False,
        "pP": False,
        "R": record.sim.reduce_only,
        "tt": 0 if waits else now_ms,
        "gtd": 0,
    }
    if word != "TRIGGERING":
        told |= {
            "ap": numbers.average(listing, record.average),
            "aq": numbers.amount(listing, ZERO if waits else record.filled),
            "act": "0" if waits else trigger.becomes,
        }
        if record.refusal is not None:
            told["rm"] = record.refusal
    return {"e": "ALGO_UPDATE", "T": now_ms, "E": now_ms, "o": told}
