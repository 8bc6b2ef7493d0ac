"""What an engine holds to be true, as exact text: for comparing it with what the venue says."""

from __future__ import annotations

from decimal import Decimal

import msgspec

from nexustrader._engine.core import EngineCore
from nexustrader.domain.instrument import to_plain
from nexustrader.domain.position import title

PNL_SHOWN = Decimal("1e-8")  # an average entry is a quotient: beyond this its digits say nothing


class OrderBook(msgspec.Struct, frozen=True):
    """One order of ours."""

    symbol: str
    side: str
    status: str
    amount: str
    price: str | None
    filled: str
    cost: str
    fees: dict[str, str]
    trade_ids: tuple[str, ...]


class Books(msgspec.Struct, frozen=True):
    """One account. Open positions in contracts by symbol, balances by asset (free and locked together)."""

    orders: dict[str, OrderBook]
    positions: dict[str, str]
    balances: dict[str, str]
    fees: dict[str, str]
    realized_pnl: dict[str, str]


def books_of(core: EngineCore, account: str) -> Books:
    """The books of one account, with every order known, own and adopted."""
    orders = {state.oid: state for state in core.oms.orders(account)}
    fees: dict[str, Decimal] = {}
    for state in orders.values():
        for currency, amount in state.fees:
            fees[currency] = fees.get(currency, Decimal(0)) + amount
    positions = {k: p for k, p in core.portfolio.positions().items() if k.account == account}
    balance = core.portfolio.balances().get(account)
    totals = balance.balance_total if balance is not None else {}
    return Books(
        orders={
            oid: OrderBook(
                symbol=state.symbol,
                side=state.side.value,
                status=state.public_status.value,
                amount=number(state.amount),
                price=None if state.price is None else number(state.price),
                filled=number(state.filled),
                cost=number(state.cost),
                fees={currency: number(amount) for currency, amount in state.fees},
                trade_ids=tuple(sorted(state.trade_ids)),
            )
            for oid, state in orders.items()
        },
        positions={
            title(*key.held): number(position.signed_amount)
            for key, position in positions.items()
            if position.is_open and core.portfolio.is_contract(key.symbol)
        },
        balances={asset: number(amount) for asset, amount in totals.items()},
        fees={currency: number(amount) for currency, amount in fees.items()},
        realized_pnl={
            title(*key.held): number(p.realized_pnl.quantize(PNL_SHOWN)) for key, p in positions.items()
        },
    )


def number(value: Decimal) -> str:
    """Plain notation without trailing zeros: equal numbers have equal text."""
    return to_plain(value.normalize()) if value else "0"
