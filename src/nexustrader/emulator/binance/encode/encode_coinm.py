"""COIN-M replies and user events, key for key: what differs from USD-M. Money is in the base coin."""

from __future__ import annotations

from collections.abc import Mapping
from decimal import Decimal

from nexustrader.emulator.binance.encode import encode_usdm, encode_usdm_account, numbers
from nexustrader.emulator.binance.encode.encode_usdm import MoneyView, PositionView
from nexustrader.emulator.binance.encode.market_coinm import in_base, pair_of
from nexustrader.emulator.binance.encode.numbers import eight, short
from nexustrader.emulator.orders.records import ZERO, Execution, OrderRecord

Body = dict[str, object]

ALIAS = "SgsR"
MAX_CONTRACTS = "500"

account_config_update = encode_usdm.account_config_update


def new_order(record: OrderRecord, *, with_averages: bool = False) -> Body:
    """Reply to place, cancel and modify."""
    return _mine(record, encode_usdm.new_order(record), with_averages=with_averages)


def acknowledged(record: OrderRecord, *, with_averages: bool = False) -> Body:
    """Reply to a new order in mode ACK."""
    body = _mine(record, encode_usdm.acknowledged(record), with_averages=False)
    return {**body, "avgPrice": "0.0", "cumBase": "0"} if with_averages else body


def modified(record: OrderRecord, modify_id: int | None, *, with_averages: bool = False) -> Body:
    """Reply to a modification."""
    return _mine(record, encode_usdm.modified(record, modify_id), with_averages=with_averages)


def order(record: OrderRecord) -> Body:
    """An order as queries show it."""
    body = _mine(record, encode_usdm.order(record), with_averages=True)
    del body["cumQuote"]
    return body


def trade(record: OrderRecord, execution: Execution) -> Body:
    """A row of userTrades."""
    listing = record.listing
    return {
        **encode_usdm.trade(record, execution),
        "pair": pair_of(listing),
        "baseQty": eight(in_base(listing, execution.amount, execution.price)),
        "quoteQty": numbers.fixed(execution.amount * listing.contract_size, 0),
    }


def order_trade_update(
    record: OrderRecord,
    kind: str,
    bids_asks: tuple[Decimal, Decimal],
    now_ms: int,
    execution: Execution | None = None,
) -> Body:
    """The event ORDER_TRADE_UPDATE."""
    event = encode_usdm.order_trade_update(record, kind, (ZERO, ZERO), now_ms, execution)
    told = event["o"]
    assert isinstance(told, dict)
    bids, asks = bids_asks
    order = {name: value for name, value in told.items() if name not in {"si", "ss", "gtd"}}
    order |= {
        "ap": short(numbers.average(record.listing, average(record))),
        "ma": record.listing.settle,
        "b": short(eight(bids)),
        "a": short(eight(asks)),
    }
    return {**event, "i": ALIAS, "o": order}


def account_update(
    wallets: Mapping[str, Decimal],
    positions: list[PositionView],
    now_ms: int,
    *,
    reason: str = "ORDER",
    change: Decimal = ZERO,
) -> Body:
    """The event ACCOUNT_UPDATE."""
    event = encode_usdm.account_update(wallets, positions, now_ms, reason=reason, change=change)
    return {**event, "i": ALIAS}


def balance(money: MoneyView) -> Body:
    """A row of GET /dapi/v1/balance."""
    body = encode_usdm_account.balance(money)
    body["withdrawAvailable"] = body.pop("maxWithdrawAmount")
    del body["marginAvailable"]
    return body


def position(view: PositionView) -> Body:
    """A row of GET /dapi/v1/positionRisk."""
    body = encode_usdm_account.position_v2(view)
    for name in ("maxNotionalValue", "notional", "isolatedWallet"):
        del body[name]
    return {**body, "maxQty": MAX_CONTRACTS}


def worth(view: PositionView) -> str:
    """What a position is worth at the mark, in the coin."""
    return short(eight(in_base(view.listing, view.amount, view.mark)))


def cost_in_base(record: OrderRecord) -> Decimal:
    """What the executions of an order were worth."""
    return sum((in_base(record.listing, e.amount, e.price) for e in record.executions), ZERO)


def average(record: OrderRecord) -> Decimal:
    """Price at which all contracts would have been worth the same as they were: the harmonic mean."""
    cost = cost_in_base(record)
    return record.filled * record.listing.contract_size / cost if cost else ZERO


def _mine(record: OrderRecord, body: Body, *, with_averages: bool) -> Body:
    body = {**body, "pair": pair_of(record.listing)}
    body.pop("goodTillDate", None)
    if with_averages:
        body["avgPrice"] = numbers.average(record.listing, average(record))
        body["cumBase"] = short(eight(cost_in_base(record)))
    return body
