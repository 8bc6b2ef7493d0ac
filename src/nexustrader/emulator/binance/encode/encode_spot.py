"""Spot replies and user events, key for key as the venue sends them."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from decimal import Decimal

from nexustrader.emulator.binance.encode.numbers import eight
from nexustrader.emulator.orders.records import ZERO, Execution, OrderRecord

Body = dict[str, object]

NO_LIST = -1
EXPIRY_REASONS = {
    "IOC": "UNFILLED_IOC_QUANTITY_EXPIRED",
    "FOK": "UNFILLED_FOK_ORDER_EXPIRED",
    "NO_LIQUIDITY": "INSUFFICIENT_LIQUIDITY",
}


def new_order(record: OrderRecord, response: str, executions: Iterable[Execution], now_ms: int) -> Body:
    """Reply to a new order: ACK, RESULT or FULL."""
    body: Body = {
        "symbol": record.symbol,
        "orderId": record.order_id,
        "orderListId": NO_LIST,
        "clientOrderId": record.client_id,
        "transactTime": now_ms,
    }
    if response == "ACK":
        return body
    body |= _amounts(record)
    body |= {
        "status": record.status,
        "timeInForce": record.tif,
        "type": record.type,
        "side": record.sim.side.name,
        "workingTime": record.created_ms,
        "selfTradePreventionMode": record.stp,
        **_expiry(record),
    }
    if response == "FULL":
        body["fills"] = [_fill(execution) for execution in executions]
    return body


def canceled(record: OrderRecord, cancel_id: str, now_ms: int) -> Body:
    """Reply to a cancel: the order's own id moves to `origClientOrderId`."""
    return {
        "symbol": record.symbol,
        "origClientOrderId": record.client_id,
        "orderId": record.order_id,
        "orderListId": NO_LIST,
        "clientOrderId": cancel_id,
        "transactTime": now_ms,
        **_amounts(record),
        "status": record.status,
        "timeInForce": record.tif,
        "type": record.type,
        "side": record.sim.side.name,
        "selfTradePreventionMode": record.stp,
    }


def order(record: OrderRecord) -> Body:
    """An order as queries show it."""
    return {
        "symbol": record.symbol,
        "orderId": record.order_id,
        "orderListId": NO_LIST,
        "clientOrderId": record.client_id,
        **_amounts(record),
        "status": record.status,
        "timeInForce": record.tif,
        "type": record.type,
        "side": record.sim.side.name,
        "stopPrice": eight(_stop(record)),
        "icebergQty": eight(ZERO),
        "time": record.created_ms,
        "updateTime": record.updated_ms,
        "isWorking": not record.is_held,
        "workingTime": record.created_ms,
        "selfTradePreventionMode": record.stp,
        **_expiry(record),
    }


def trade(record: OrderRecord, execution: Execution) -> Body:
    """A row of myTrades."""
    return {
        "symbol": record.symbol,
        "id": execution.trade_id,
        "orderId": record.order_id,
        "orderListId": NO_LIST,
        "price": eight(execution.price),
        "qty": eight(execution.amount),
        "quoteQty": eight(execution.quote_amount),
        "commission": eight(execution.fee),
        "commissionAsset": execution.fee_asset,
        "time": execution.timestamp_ms,
        "isBuyer": record.sim.side.name == "BUY",
        "isMaker": execution.is_maker,
        "isBestMatch": True,
    }


def account(
    uid: int, balances: Mapping[str, tuple[Decimal, Decimal]], fees: tuple[Decimal, Decimal], updated_ms: int
) -> Body:
    """Body of GET /api/v3/account; `balances` holds free and locked of each asset, `fees` maker and taker."""
    maker, taker = fees
    return {
        "makerCommission": int(maker * 10_000),
        "takerCommission": int(taker * 10_000),
        "buyerCommission": 0,
        "sellerCommission": 0,
        "commissionRates": {
            "maker": eight(maker),
            "taker": eight(taker),
            "buyer": eight(ZERO),
            "seller": eight(ZERO),
        },
        "canTrade": True,
        "canWithdraw": False,
        "canDeposit": False,
        "brokered": False,
        "requireSelfTradePrevention": False,
        "preventSor": False,
        "updateTime": updated_ms,
        "accountType": "SPOT",
        "balances": [
            {"asset": asset, "free": eight(free), "locked": eight(locked)}
            for asset, (free, locked) in balances.items()
        ],
        "permissions": ["SPOT"],
        "uid": uid,
    }


def execution_report(
    record: OrderRecord,
    kind: str,
    *,
    now_ms: int,
    execution_id: int,
    execution: Execution | None = None,
    cancel_id: str | None = None,
) -> Body:
    """The event executionReport of one step `kind` (NEW, TRADE, CANCELED, EXPIRED) in an order's life."""
    resting = record.is_open and record.type != "MARKET"
    event: Body = {
        "e": "executionReport",
        "E": now_ms,
        "s": record.symbol,
        "c": record.client_id if cancel_id is None else cancel_id,
        "S": record.sim.side.name,
        "o": record.type,
        "f": record.tif,
        "q": eight(record.amount),
        "p": eight(record.price),
        "P": eight(_stop(record)),
        "F": eight(ZERO),
        "g": NO_LIST,
        "C": "" if cancel_id is None else record.client_id,
        "x": kind,
        "X": record.status,
        "r": "NONE",
        "i": record.order_id,
        "l": eight(execution.amount if execution else ZERO),
        "z": eight(record.filled),
        "L": eight(execution.price if execution else ZERO),
        "n": eight(execution.fee) if execution else "0",
        "N": execution.fee_asset if execution else None,
        "T": now_ms,
        "t": execution.trade_id if execution else -1,
        "I": execution_id,
        "w": (resting or kind == "NEW") and not record.is_held,
        "m": execution.is_maker if execution else False,
        "M": False,
        "O": record.created_ms,
        "Z": eight(record.cost),
        "Y": eight(execution.quote_amount if execution else ZERO),
        "Q": eight(record.quote_amount),
        "W": record.created_ms,
        "V": record.stp,
    }
    if kind == "EXPIRED" and record.expiry_reason in EXPIRY_REASONS:
        event["eR"] = EXPIRY_REASONS[record.expiry_reason]
    return event


def account_position(balances: Mapping[str, tuple[Decimal, Decimal]], now_ms: int) -> Body:
    """The event outboundAccountPosition: absolute free and locked of the assets that may have changed."""
    return {
        "e": "outboundAccountPosition",
        "E": now_ms,
        "u": now_ms,
        "B": [
            {"a": asset, "f": eight(free), "l": eight(locked)} for asset, (free, locked) in balances.items()
        ],
    }


def balance_update(asset: str, change: Decimal, now_ms: int) -> Body:
    """The event balanceUpdate of a deposit, a withdrawal or a transfer."""
    return {"e": "balanceUpdate", "E": now_ms, "a": asset, "d": eight(change), "T": now_ms}


def _amounts(record: OrderRecord) -> Body:
    return {
        "price": eight(record.price),
        "origQty": eight(record.amount),
        "executedQty": eight(record.filled),
        "origQuoteOrderQty": eight(record.quote_amount),
        "cummulativeQuoteQty": eight(record.cost),
    }


def _stop(record: OrderRecord) -> Decimal:
    return ZERO if record.trigger is None else record.trigger.price


def _expiry(record: OrderRecord) -> Body:
    if record.sim.status != "EXPIRED" or record.expiry_reason not in EXPIRY_REASONS:
        return {}
    return {"expiryReason": EXPIRY_REASONS[record.expiry_reason]}


def _fill(execution: Execution) -> Body:
    return {
        "price": eight(execution.price),
        "qty": eight(execution.amount),
        "commission": eight(execution.fee),
        "commissionAsset": execution.fee_asset,
        "tradeId": execution.trade_id,
    }
