"""Balances and positions, and the dispatch of private frames.

Balances: `free` is the account's own amount of a coin (what it has borrowed is taken off) without what spot
orders lock. Margin in use belongs to positions and orders, not to a coin.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from decimal import Decimal

import msgspec

from nexustrader.constants import AccountType
from nexustrader.domain.events import BalanceEvent, OrderEvent, PositionEvent, Source
from nexustrader.error import WireError
from nexustrader.exchange.bybit import quirks, wire
from nexustrader.exchange.bybit.parse_orders import Origin, executions, order_event
from nexustrader.exchange.bybit.spec import PRODUCTS, products_of
from nexustrader.exchange.bybit.wire import number
from nexustrader.venue.spec import Resolve
from nexustrader.venue.wire import reader

Fact = OrderEvent | BalanceEvent | PositionEvent | str
Read = Callable[[Origin, msgspec.Raw, int], list[Fact]]

_ZERO = Decimal(0)

_read_head = reader(wire.Head, "a private frame")
_read_orders = reader(list[wire.Order], "the order topic")
_read_executions = reader(list[wire.Execution], "the execution topic")
_read_positions = reader(list[wire.Position], "the position topic")
_read_wallets = reader(list[wire.Wallet], "the wallet topic")
_read_balances = reader(wire.Answer[wire.Listing[wire.Wallet]], "the balances")
_read_position_list = reader(wire.Answer[wire.Listing[wire.Position]], "the positions")

# -- private frames -------------------------------------------------------------------------------------


def parse_user_event(
    account_type: AccountType, account: str, resolve: Resolve, raw: bytes
) -> tuple[Fact, ...]:
    """Facts in one private frame, in order; () for topics that say nothing we keep. Raises WireError."""
    head = _read_head(raw)
    read = _TOPICS.get(head.topic or "")
    if read is None:
        return ()
    origin = Origin(products_of(account_type), account, resolve)
    return tuple(read(origin, head.data, head.creationTime))


def _on_orders(origin: Origin, data: msgspec.Raw, _at: int) -> list[Fact]:
    return [
        order_event(origin, row.category, row, Source.STREAM)
        for row in _read_orders(data)
        if origin.is_ours(row.category)
    ]


def _on_executions(origin: Origin, data: msgspec.Raw, _at: int) -> list[Fact]:
    rows = ((row.category, row) for row in _read_executions(data) if origin.is_ours(row.category))
    return list(executions(origin, rows, Source.STREAM))


def _on_positions(origin: Origin, data: msgspec.Raw, at: int) -> list[Fact]:
    return [
        _position(origin, row.category, row, at, snapshot=False)
        for row in _read_positions(data)
        if origin.is_ours(row.category)
    ]


def _on_wallets(origin: Origin, data: msgspec.Raw, at: int) -> list[Fact]:
    return list(_balances(origin.account, _read_wallets(data), at))


# `execution.fast` is not asked for: the full execution follows, with its fee. Topics come per category, too.
_READS: Mapping[str, Read] = {"order": _on_orders, "execution": _on_executions, "position": _on_positions}
_TOPICS: Mapping[str, Read] = {
    "wallet": _on_wallets,
    **_READS,
    **{f"{name}.{product.category}": read for name, read in _READS.items() for product in PRODUCTS},
}

# -- positions and balances -----------------------------------------------------------------------------


def _position(
    origin: Origin, category: str, row: wire.Position, timestamp: int, *, snapshot: bool
) -> PositionEvent:
    size = number(row.size) or _ZERO
    return PositionEvent(
        account=origin.account,
        symbol=origin.symbol(category, row.symbol),
        signed_amount=-size if row.side == "Sell" else size,
        entry_price=number(row.entryPrice) or number(row.avgPrice) or _ZERO,
        unrealized_pnl=number(row.unrealisedPnl) or _ZERO,
        position_side=quirks.POSITION_SIDES.get(row.positionIdx),
        timestamp=timestamp,
        snapshot=snapshot,
    )


def _balances(account: str, wallets: list[wire.Wallet], timestamp: int) -> list[BalanceEvent]:
    return [
        BalanceEvent(
            account=account,
            asset=row.coin,
            free=(number(row.walletBalance) or _ZERO) - (number(row.spotBorrow) or _ZERO) - locked,
            locked=locked,
            timestamp=timestamp,
        )
        for wallet in wallets
        for row in wallet.coin
        for locked in (number(row.locked) or _ZERO,)
    ]


def parse_balances(account: str, body: bytes, now_ms: int) -> list[BalanceEvent]:
    """Absolute balances. Raises WireError."""
    return _balances(account, _read_balances(body).result.rows, now_ms)


def parse_positions(account: str, resolve: Resolve, body: bytes, now_ms: int) -> list[PositionEvent]:
    """Positions of one category as the venue lists them; a symbol that is not listed is flat. Raises WireError."""
    listing = _read_position_list(body).result
    if listing.rows and not listing.category:
        raise WireError("positions of no category cannot be told apart. Nothing is concluded from them")
    origin = Origin(PRODUCTS, account, resolve)
    return [_position(origin, listing.category, row, now_ms, snapshot=True) for row in listing.rows]


def parse_is_hedge_mode(body: bytes) -> bool:
    return any(row.positionIdx in quirks.POSITION_SIDES for row in _read_position_list(body).result.rows)
