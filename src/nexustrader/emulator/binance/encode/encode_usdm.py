"""USD-M replies and user events, key for key as the venue sends them."""

from __future__ import annotations

from collections.abc import Mapping
from decimal import Decimal
from typing import NamedTuple

from nexustrader.emulator.binance.encode import numbers
from nexustrader.emulator.binance.encode.numbers import eight, short
from nexustrader.emulator.market.listing import Listing
from nexustrader.emulator.orders.records import ZERO, Execution, OrderRecord

Body = dict[str, object]

# `er` of ORDER_TRADE_UPDATE.
EXPIRY_CODES = {None: "0", "STP": "1", "IOC": "2", "NO_LIQUIDITY": "2", "FOK": "2", "REDUCE_ONLY": "4"}


class PositionView(NamedTuple):
    """One one-way position as the account endpoints and events show it. Money in quote."""

    listing: Listing
    amount: Decimal
    entry: Decimal
    break_even: Decimal
    mark: Decimal
    unrealized: Decimal
    realized: Decimal
    liquidation: Decimal | None
    initial_margin: Decimal
    order_margin: Decimal
    maintenance: Decimal
    bids: Decimal
    asks: Decimal
    leverage: Decimal
    isolated: bool
    updated_ms: int

    @property
    def notional(self) -> Decimal:
        """Signed value at the mark."""
        return self.amount * self.mark


class MoneyView(NamedTuple):
    """The futures wallet of one asset."""

    asset: str
    wallet: Decimal
    unrealized: Decimal
    initial_margin: Decimal
    position_margin: Decimal
    maintenance: Decimal
    available: Decimal
    updated_ms: int


def new_order(record: OrderRecord, *, with_averages: bool = False) -> Body:
    """Reply to place, cancel and modify. `with_averages` adds the two fields that the venue removed."""
    listing = record.listing
    body: Body = {
        "orderId": record.order_id,
        "symbol": record.symbol,
        "status": record.status,
        "clientOrderId": record.client_id,
        "price": numbers.price(listing, record.price),
        "origQty": numbers.amount(listing, record.amount),
        "executedQty": numbers.amount(listing, record.filled),
        "cumQty": numbers.amount(listing, record.filled),
        **_terms(record),
        "side": record.sim.side.name,
        "positionSide": record.sim.position_side,
        "updateTime": record.updated_ms,
    }
    if with_averages:
        body |= _averages(record)
    return body


def acknowledged(record: OrderRecord, *, with_averages: bool = False) -> Body:
    """Reply to a new order in mode ACK: as it was when it was taken, before anything happened to it."""
    listing = record.listing
    nothing = numbers.amount(listing, ZERO)
    body = new_order(record, with_averages=with_averages)
    body |= {"status": "NEW", "executedQty": nothing, "cumQty": nothing, "updateTime": record.created_ms}
    if with_averages:
        body |= {"avgPrice": numbers.average(listing, ZERO), "cumQuote": numbers.notional(listing, ZERO)}
    return body


def modified(record: OrderRecord, modify_id: int | None, *, with_averages: bool = False) -> Body:
    """Reply to a modification."""
    body = {**new_order(record, with_averages=with_averages), "pair": record.symbol}
    if modify_id is not None:
        body["modifyId"] = modify_id
    return body


def order(record: OrderRecord) -> Body:
    """An order as queries show it."""
    listing = record.listing
    return {
        **_averages(record),
        "clientOrderId": record.client_id,
        "executedQty": numbers.amount(listing, record.filled),
        "orderId": record.order_id,
        "origQty": numbers.amount(listing, record.amount),
        "price": numbers.price(listing, record.price),
        **_terms(record),
        "side": record.sim.side.name,
        "positionSide": record.sim.position_side,
        "status": record.status,
        "symbol": record.symbol,
        "time": record.created_ms,
        "updateTime": record.updated_ms,
    }


def trade(record: OrderRecord, execution: Execution) -> Body:
    """A row of userTrades."""
    listing = record.listing
    return {
        "buyer": record.sim.side.name == "BUY",
        "commission": eight(execution.fee),
        "commissionAsset": execution.fee_asset,
        "id": execution.trade_id,
        "maker": execution.is_maker,
        "orderId": record.order_id,
        "price": numbers.price(listing, execution.price),
        "qty": numbers.amount(listing, execution.amount),
        "quoteQty": numbers.notional(listing, execution.quote_amount),
        "baseQty": numbers.amount(listing, execution.amount),
        "marginAsset": listing.settle,
        "realizedPnl": eight(execution.realized),
        "side": record.sim.side.name,
        "positionSide": record.sim.position_side,
        "symbol": record.symbol,
        "pair": record.symbol,
        "time": execution.timestamp_ms,
    }


def order_trade_update(
    record: OrderRecord,
    kind: str,
    bids_asks: tuple[Decimal, Decimal],
    now_ms: int,
    execution: Execution | None = None,
) -> Body:
    """The event ORDER_TRADE_UPDATE of one step `kind` (NEW, TRADE, CANCELED, EXPIRED, AMENDMENT)."""
    listing = record.listing
    bids, asks = bids_asks
    return {
        "e": "ORDER_TRADE_UPDATE",
        "E": now_ms,
        "T": now_ms,
        "o": {
            "s": record.symbol,
            "c": record.client_id,
            "S": record.sim.side.name,
            "o": record.type,
            "f": record.tif,
            "q": numbers.amount(listing, record.amount),
            "p": short(numbers.price(listing, record.price)),
            "ap": short(numbers.average(listing, record.average)),
            "sp": "0",
            "x": kind,
            "X": record.status,
            "i": record.order_id,
            "l": short(numbers.amount(listing, execution.amount if execution else ZERO)),
            "z": short(numbers.amount(listing, record.filled)),
            "L": short(numbers.price(listing, execution.price if execution else ZERO)),
            "n": short(eight(execution.fee if execution else ZERO)),
            "N": execution.fee_asset if execution else listing.settle,
            "T": now_ms,
            "t": execution.trade_id if execution else 0,
            "b": short(numbers.notional(listing, bids)),
            "a": short(numbers.notional(listing, asks)),
            "m": execution.is_maker if execution else False,
            "R": record.sim.reduce_only,
            "wt": "CONTRACT_PRICE",
            "ot": record.type,
            "ps": record.sim.position_side,
            "cp": False,
            "rp": short(eight(execution.realized if execution else ZERO)),
            "pP": False,
            "si": 0,
            "ss": 0,
            "V": record.stp,
            "pm": "NONE",
            "gtd": 0,
            "er": EXPIRY_CODES.get(record.expiry_reason, "0"),
        },
    }


def trade_lite(record: OrderRecord, execution: Execution, now_ms: int) -> Body:
    """The event TRADE_LITE."""
    listing = record.listing
    return {
        "e": "TRADE_LITE",
        "E": now_ms,
        "T": now_ms,
        "s": record.symbol,
        "q": numbers.amount(listing, record.amount),
        "p": short(numbers.price(listing, record.price)),
        "m": execution.is_maker,
        "c": record.client_id,
        "S": record.sim.side.name,
        "L": numbers.price(listing, execution.price),
        "l": numbers.amount(listing, execution.amount),
        "t": execution.trade_id,
        "i": record.order_id,
    }


def account_update(
    wallets: Mapping[str, Decimal],
    positions: list[PositionView],
    now_ms: int,
    *,
    reason: str = "ORDER",
    change: Decimal = ZERO,
) -> Body:
    """The event ACCOUNT_UPDATE: absolute wallets and positions that changed.

    `change` is what came to the wallets other than by profit and fees.
    """
    return {
        "e": "ACCOUNT_UPDATE",
        "E": now_ms,
        "T": now_ms,
        "a": {
            "m": reason,
            "B": [
                {"a": asset, "wb": eight(wallet), "cw": eight(wallet), "bc": short(eight(change))}
                for asset, wallet in wallets.items()
            ],
            "P": [_position_event(view) for view in positions],
        },
    }


def account_config_update(symbol: str, leverage: int, now_ms: int) -> Body:
    """The event ACCOUNT_CONFIG_UPDATE of a change of leverage."""
    return {"e": "ACCOUNT_CONFIG_UPDATE", "E": now_ms, "T": now_ms, "ac": {"s": symbol, "l": leverage}}


def listen_key_expired(listen_key: str, now_ms: int) -> Body:
    """The event listenKeyExpired, the last of a listen key."""
    return {"e": "listenKeyExpired", "E": now_ms, "listenKey": listen_key}


def _position_event(view: PositionView) -> Body:
    return {
        "s": view.listing.symbol,
        "pa": short(numbers.amount(view.listing, view.amount)),
        "ep": short(numbers.average(view.listing, view.entry)),
        "bep": short(eight(view.break_even)),
        "cr": eight(view.realized),
        "up": eight(view.unrealized),
        "mt": "isolated" if view.isolated else "cross",
        "iw": "0",
        "ps": "BOTH",
    }


def _averages(record: OrderRecord) -> Body:
    return {
        "avgPrice": numbers.average(record.listing, record.average),
        "cumQuote": numbers.notional(record.listing, record.cost),
    }


def _terms(record: OrderRecord) -> Body:
    return {
        "timeInForce": record.tif,
        "type": record.type,
        "origType": record.type,
        "reduceOnly": record.sim.reduce_only,
        "closePosition": False,
        "stopPrice": numbers.price(record.listing, ZERO),
        "workingType": "CONTRACT_PRICE",
        "priceProtect": False,
        "priceMatch": "NONE",
        "selfTradePreventionMode": record.stp,
        "goodTillDate": 0,
    }
