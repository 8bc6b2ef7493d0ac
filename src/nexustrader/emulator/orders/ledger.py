"""The venue's truth about one account, as exact text, for comparison with what a client believes."""

from __future__ import annotations

from decimal import Decimal
from typing import Any

from nexustrader.emulator.orders.accounts import Account
from nexustrader.emulator.orders.records import Execution, OrderRecord
from nexustrader.emulator.orders.rules import Rules
from nexustrader.emulator.product import Product
from nexustrader.sim.money import plain

Body = dict[str, object]


def account_ledger(account: Account, product: Product) -> Body:
    """Orders and fills in order of id, positions and balances; numbers and ids as text."""
    records, rules = product.trading.orders(account), product.trading.rules
    held: dict[str, Any] = account.ledgers[product.name].ledger()
    symbols = {listing.key: listing.symbol for listing in product.listings.values()}
    fills = [(execution.trade_id, record, execution) for record in records for execution in record.executions]
    fills.sort(key=lambda row: (row[1].symbol, row[0], row[1].order_id))
    return {
        "orders": [_order(record, rules) for record in records],
        "fills": [_fill(record, execution, rules) for _, record, execution in fills],
        **held,
        "positions": {
            f"{symbols[key]}/{position_side}": position
            for key, position_side, position in (
                (*name.split("/"), position) for name, position in held["positions"].items()
            )
            if key in symbols
        },
    }


def _order(record: OrderRecord, rules: Rules) -> Body:
    fees: dict[str, Decimal] = {}
    for execution in record.executions:
        fees[execution.fee_asset] = fees.get(execution.fee_asset, Decimal(0)) + execution.fee
    return {
        "symbol": record.symbol,
        "order_id": rules.order_name(record.order_id),
        "client_id": record.client_id,
        "side": record.sim.side.name,
        "type": record.type,
        "time_in_force": record.tif,
        "reduce_only": record.sim.reduce_only,
        "price": plain(record.price),
        "amount": plain(record.amount),
        "filled": plain(record.filled),
        "cost": plain(record.cost),
        "status": record.status,
        "fees": {asset: plain(fee) for asset, fee in fees.items()},
        "created_ms": record.created_ms,
        "updated_ms": record.updated_ms,
    }


def _fill(record: OrderRecord, execution: Execution, rules: Rules) -> Body:
    return {
        "symbol": record.symbol,
        "trade_id": rules.fill_name(record.symbol, execution),
        "order_id": rules.order_name(record.order_id),
        "client_id": record.client_id,
        "side": record.sim.side.name,
        "price": plain(execution.price),
        "amount": plain(execution.amount),
        "fee": plain(execution.fee),
        "fee_asset": execution.fee_asset,
        "realized_pnl": plain(execution.realized),
        "is_maker": execution.is_maker,
        "timestamp_ms": execution.timestamp_ms,
    }
