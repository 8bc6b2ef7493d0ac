"""Orders and executions, as the streams and as the queries write them."""

from __future__ import annotations

from decimal import Decimal

from nexustrader.emulator.bybit import ids
from nexustrader.emulator.bybit.categories import POSITION_INDEXES, SPOT
from nexustrader.emulator.bybit.encode.numbers import money, price, text
from nexustrader.emulator.market.market import Market
from nexustrader.emulator.orders.records import CLOSE_OUT, ZERO, Execution, OrderRecord
from nexustrader.sim.money import plain
from nexustrader.sim.types import Side

Body = dict[str, object]

SIDES = {Side.BUY: "Buy", Side.SELL: "Sell"}
# cancelType and rejectReason by why an order ended.
_BY_USER = ("CancelByUser", "EC_PerCancelRequest")
_ENDS: dict[str, tuple[str, str]] = {
    "IOC": ("UNKNOWN", "EC_CancelForNoFullFill"),
    "FOK": ("UNKNOWN", "EC_NoEnoughQtyToFill"),
    "NO_LIQUIDITY": ("UNKNOWN", "EC_NoImmediateQtyToFill"),
    "POST_ONLY": ("UNKNOWN", "EC_PostOnlyWillTakeLiquidity"),
    "STP": ("CancelBySmp", "EC_NoError"),
    "REDUCE_ONLY": ("CancelByReduceOnly", "EC_NoError"),
    "EXPIRED": ("CancelByAdmin", "EC_NoError"),
    "NO_FUNDS": ("CancelByAdmin", "EC_NoError"),
}
_NO_END = ("UNKNOWN", "EC_NoError")


def status(record: OrderRecord) -> str:
    """The order's status in the venue's words."""
    if record.is_held:
        return "Untriggered" if record.is_open else "Deactivated"
    if record.sim.status == "NEW":
        return "New"
    if record.sim.status == "PARTIALLY_FILLED":
        return "PartiallyFilled"
    if record.sim.status == "FILLED":
        return "Filled"
    if record.sim.filled and record.listing.product == SPOT:
        return "PartiallyFilledCanceled"
    return "Cancelled"


def end(record: OrderRecord) -> tuple[str, str]:
    """cancelType and rejectReason."""
    if record.expiry_reason is not None:
        return _ENDS.get(record.expiry_reason, _NO_END)
    if record.cancel_reason is None:
        return _NO_END
    return _ENDS["POST_ONLY"] if record.cancel_reason == "POST_ONLY" else _BY_USER


def left(record: OrderRecord) -> Decimal:
    """What may still execute."""
    return record.amount - record.filled if record.is_open else ZERO


def link_id(record: OrderRecord) -> str:
    """The user's own id; empty where he gave none."""
    return record.terms.get("orderLinkId", "")


def order(record: OrderRecord) -> Body:
    """An order as queries show it; `stream_order` adds what only the stream has."""
    listing, terms = record.listing, record.terms
    cancel_type, reject_reason = end(record)
    unfilled = left(record)
    shown = record.price or Decimal(terms.get("bound", "0"))
    return {
        "orderId": ids.order_id(listing.product, record.order_id),
        "orderLinkId": link_id(record),
        "blockTradeId": "",
        "symbol": record.symbol,
        "price": text(shown),
        "qty": terms.get("qty") or text(record.amount),
        "side": SIDES[record.sim.side],
        "isLeverage": "0" if listing.product == SPOT else "",
        "positionIdx": POSITION_INDEXES[record.sim.position_side],
        "orderStatus": status(record),
        "createType": _create_type(record),
        "cancelType": cancel_type,
        "rejectReason": reject_reason,
        "avgPrice": price(_average(record)),
        "leavesQty": text(unfilled),
        "leavesValue": money(record_value(record, unfilled, shown)),
        "cumExecQty": text(record.filled),
        "cumExecValue": money(_cost(record)),
        "cumExecFee": money(sum((one.fee for one in record.executions), ZERO)),
        "timeInForce": record.tif,
        "orderType": "Market" if record.type == CLOSE_OUT else record.type,
        "stopOrderType": terms.get("stopOrderType", ""),
        "orderIv": "",
        "marketUnit": terms.get("marketUnit", ""),
        "triggerPrice": "" if record.trigger is None else plain(record.trigger.price),
        "takeProfit": "",
        "stopLoss": "",
        "tpslMode": "",
        "ocoTriggerBy": "",
        "tpLimitPrice": "",
        "slLimitPrice": "",
        "tpTriggerBy": "",
        "slTriggerBy": "",
        "triggerDirection": int(terms.get("triggerDirection", "0")),
        "triggerBy": terms.get("triggerBy", ""),
        "lastPriceOnCreated": terms.get("lastPriceOnCreated", ""),
        "reduceOnly": record.sim.reduce_only,
        "closeOnTrigger": terms.get("closeOnTrigger") == "true",
        "placeType": "",
        "smpType": terms.get("smpType", "None"),
        "smpGroup": 0,
        "smpOrderId": "",
        "createdTime": str(record.created_ms),
        "updatedTime": str(record.updated_ms),
        "cumFeeDetail": _fees(record),
    }


def stream_order(record: OrderRecord) -> Body:
    """An order as the stream tells it."""
    return {
        "category": record.listing.product,
        **order(record),
        "closedPnl": money(sum((one.realized - one.fee for one in record.executions if one.realized), ZERO)),
        "feeCurrency": record.executions[-1].fee_asset if record.executions else "",
        "parentOrderLinkId": "",
        "brokerOrderPrice": "",
        "slippageToleranceType": "UNKNOWN",
        "slippageTolerance": "",
        "rpiTakerAccess": "",
        "rpiMatchedQty": "",
    }


def execution(record: OrderRecord, fill: Execution, mark: Decimal, sequence: int) -> Body:
    """An execution as queries show it."""
    listing = record.listing
    is_derivative = listing.kind != "spot"
    value = record_value(record, fill.amount, fill.price)
    return {
        "symbol": record.symbol,
        "orderId": ids.order_id(listing.product, record.order_id),
        "orderLinkId": link_id(record),
        "side": SIDES[record.sim.side],
        "orderPrice": text(record.price or Decimal(record.terms.get("bound", "0"))),
        "orderQty": text(record.amount),
        "leavesQty": text(left_after(record, fill)),
        "createType": _create_type(record),
        "orderType": "Market" if record.type == CLOSE_OUT else record.type,
        "stopOrderType": record.terms.get("stopOrderType", "UNKNOWN"),
        "execFee": money(fill.fee),
        "execId": ids.execution_id(listing.product, record.symbol, fill.trade_id, is_maker=fill.is_maker),
        "execPrice": text(fill.price),
        "execQty": text(fill.amount),
        "execType": _EXECUTION_TYPES.get(record.client_id[:3], "BustTrade")
        if record.type == CLOSE_OUT
        else "Trade",
        "execValue": money(value),
        "execTime": str(fill.timestamp_ms),
        "feeCurrency": fill.fee_asset,
        "isMaker": fill.is_maker,
        "feeRate": text(listing.maker if fill.is_maker else listing.taker),
        "tradeIv": "",
        "markIv": "",
        "markPrice": text(mark) if is_derivative else "",
        "indexPrice": "",
        "underlyingPrice": "",
        "blockTradeId": "",
        "closedSize": text(fill.amount) if fill.realized else "",
        "extraFees": "",
        "seq": sequence,
    }


_EXECUTION_TYPES = {"adl": "AdlTrade"}


def stream_execution(record: OrderRecord, fill: Execution, mark: Decimal, sequence: int) -> Body:
    """An execution as the stream tells it."""
    return {
        "category": record.listing.product,
        **execution(record, fill, mark, sequence),
        "isLeverage": "0",
        "execPnl": money(fill.realized),
    }


def funding_execution(market: Market, lots: int, change: Decimal, sequence: int, now_ms: int) -> Body:
    """Funding as the stream tells it: an execution that has no order of the user's."""
    listing = market.listing
    amount = listing.lot * abs(lots)
    value = abs(market.instrument.value(lots, market.mark))
    nothing = dict.fromkeys(
        ("orderLinkId", "createType", "tradeIv", "markIv", "indexPrice", "underlyingPrice", "blockTradeId"),
        "",
    )
    return {
        **nothing,
        "category": listing.product,
        "symbol": listing.symbol,
        "orderId": ids.trade_id(listing.product, listing.symbol, sequence),
        "side": "Sell" if lots > 0 else "Buy",
        "orderPrice": "0",
        "orderQty": "0",
        "leavesQty": "0",
        "orderType": "UNKNOWN",
        "stopOrderType": "UNKNOWN",
        "execFee": money(-change),
        "execId": ids.trade_id(listing.product, listing.symbol, sequence),
        "execPrice": text(market.mark),
        "execQty": text(amount),
        "execType": "Funding",
        "execValue": money(value),
        "execTime": str(now_ms),
        "feeCurrency": listing.settle,
        "isMaker": False,
        "feeRate": text((-change / value).quantize(Decimal("1e-8"))) if value else "0",
        "markPrice": text(market.mark),
        "closedSize": "",
        "extraFees": "",
        "execPnl": "0",
        "isLeverage": "0",
        "seq": sequence,
    }


FAST_FIELDS = (
    "category",
    "symbol",
    "execId",
    "execPrice",
    "execQty",
    "orderId",
    "isMaker",
    "orderLinkId",
    "side",
    "execTime",
    "seq",
)


def fast_execution(row: Body) -> Body:
    """The same without fees, and for makers without the user's id."""
    fast = {name: row[name] for name in FAST_FIELDS}
    return {**fast, "orderLinkId": ""} if row["isMaker"] else fast


def left_after(record: OrderRecord, fill: Execution) -> Decimal:
    """What was left of the order after one of its executions."""
    until = record.executions.index(fill) + 1 if fill in record.executions else len(record.executions)
    return max(ZERO, record.amount - sum((one.amount for one in record.executions[:until]), ZERO))


def record_value(record: OrderRecord, amount: Decimal, at: Decimal) -> Decimal:
    """Value of an amount at a price: in quote, or of an inverse contract in base."""
    if record.listing.kind != "inverse":
        return amount * at
    return amount / at if at else ZERO


def _cost(record: OrderRecord) -> Decimal:
    return sum((record_value(record, one.amount, one.price) for one in record.executions), ZERO)


def _average(record: OrderRecord) -> Decimal:
    cost = _cost(record)
    if not cost:
        return ZERO
    average = record.filled / cost if record.listing.kind == "inverse" else cost / record.filled
    return average.quantize(Decimal("1e-8"))


def _fees(record: OrderRecord) -> Body:
    fees: dict[str, Decimal] = {}
    for one in record.executions:
        fees[one.fee_asset] = fees.get(one.fee_asset, ZERO) + one.fee
    return {asset: money(fee) for asset, fee in fees.items()}


def _create_type(record: OrderRecord) -> str:
    if record.type != CLOSE_OUT:
        return "CreateByUser"
    return "CreateByAdl_PassThrough" if record.client_id.startswith("adl") else "CreateByLiq"
