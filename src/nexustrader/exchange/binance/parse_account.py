"""Balances and positions, and the dispatch of private frames.

One meaning of `free`, from REST and stream alike: on spot and margin the venue's own free and locked amounts
(with what is borrowed); of futures the wallet balance (without unrealised profit) as free and nothing as locked.
Margin in use belongs to positions and orders there, not to an asset, and the stream never tells it. Where an
asset lies in several wallets each is told by its name: portfolio margin has "", "UM" and "CM", isolated margin
one for each pair.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from decimal import Decimal

import msgspec

from nexustrader.constants import AccountType
from nexustrader.domain.events import BalanceEvent, OrderEvent, PositionEvent
from nexustrader.error import WireError
from nexustrader.exchange.binance import algo, wire, words
from nexustrader.exchange.binance.origin import Origin
from nexustrader.exchange.binance.parse_orders import futures_event, spot_event
from nexustrader.exchange.binance.quirks import account_of
from nexustrader.exchange.binance.spec import USD_M
from nexustrader.venue.spec import Resolve
from nexustrader.venue.wire import reader

Fact = OrderEvent | BalanceEvent | PositionEvent | str
Read = Callable[[Origin, bytes | msgspec.Raw], tuple[Fact, ...]]

LISTEN_KEY_EXPIRED = "listen_key_expired"
STREAM_TERMINATED = "stream_terminated"  # the private subscription ended; the socket is still open
SERVER_SHUTDOWN = "server_shutdown"  # the socket is about to be closed
BALANCE_UPDATE = "balance_update"  # a transfer, told as a difference: ask for the balances

_read_head = reader(wire.Head, "a private frame")
_read_report = reader(wire.ExecutionReport, "executionReport")
_read_position = reader(wire.AccountPosition, "outboundAccountPosition")
_read_order_update = reader(wire.OrderTradeUpdate, "ORDER_TRADE_UPDATE")
_read_account_update = reader(wire.AccountUpdate, "ACCOUNT_UPDATE")
_read_spot_account = reader(wire.SpotAccount, "the account")
_read_futures_balances = reader(list[wire.FuturesBalance], "the balances")
_read_positions = reader(list[wire.PositionRow], "the positions")
_read_mode = reader(wire.PositionMode, "the position mode")
_read_listen_key = reader(wire.ListenKey, "the listen key")
_read_listen_token = reader(wire.ListenToken, "the listen token")

# -- private frames -------------------------------------------------------------------------------------


def parse_user_event(
    account_type: AccountType, account: str, resolve: Resolve, raw: bytes
) -> tuple[Fact, ...]:
    """Facts in one private frame, in order; () for event types that say nothing we keep. Raises WireError.

    Takes bare events, the order socket's `{"event": …}` and the combined stream's `{"data": …}`.
    """
    head = _read_head(raw)
    event: bytes | msgspec.Raw = raw
    for inner in (head.event, head.data):
        if head.e is None and bytes(inner):
            event = inner
            head = _read_head(event)
    declared = account_of(account_type)
    line = head.fs or next(iter(declared.products))
    read = _EVENTS.get(head.e or "")
    if read is None or line not in declared.products:
        return ()  # nothing we keep, or of a product that is another account's
    wallet = line if len(declared.products) > 1 else ""
    origin = Origin(
        declared.products[line], account, resolve, None if declared.has_parted_wallets else wallet
    )
    return read(origin, event)


def _on_spot_position(origin: Origin, raw: bytes | msgspec.Raw) -> tuple[Fact, ...]:
    event = _read_position(raw)
    if origin.wallet is None:
        return (BALANCE_UPDATE,)
    return tuple(
        BalanceEvent(
            account=origin.account, asset=row.a, wallet=origin.wallet, free=row.f, locked=row.l,
            timestamp=event.u or event.E,
        )
        for row in event.B
    )  # fmt: skip


def _on_account_update(origin: Origin, raw: bytes | msgspec.Raw) -> tuple[Fact, ...]:
    event = _read_account_update(raw)
    time, cause = event.T or event.E, event.a.m or None
    balances = [
        BalanceEvent(
            account=origin.account, asset=row.a, wallet=origin.wallet or "", free=row.wb, timestamp=time,
            cause=cause,
        )
        for row in event.a.B
    ]  # fmt: skip
    return (*balances, *_positions(origin, event.a.P, time, snapshot=False))


def _positions(
    origin: Origin, rows: Sequence[wire.FuturesPosition | wire.PositionRow], timestamp: int, *, snapshot: bool
) -> list[PositionEvent]:
    hedged = {row.symbol for row in rows if row.positionSide in words.POSITION_SIDES}
    return [
        PositionEvent(
            account=origin.account, symbol=origin.symbol(row.symbol), signed_amount=row.positionAmt,
            entry_price=row.entryPrice, unrealized_pnl=row.unRealizedProfit,
            position_side=words.POSITION_SIDES.get(row.positionSide), timestamp=timestamp, snapshot=snapshot,
        )
        for row in rows
        if row.positionSide in words.POSITION_SIDES or row.symbol not in hedged  # else an empty BOTH row
    ]  # fmt: skip


def _says(word: str) -> Read:
    return lambda _origin, _raw: (word,)


# TRADE_LITE is left out on purpose: the full ORDER_TRADE_UPDATE follows, with fee and status.
_EVENTS: dict[str, Read] = {
    "executionReport": lambda origin, raw: (spot_event(origin, _read_report(raw)),),
    "outboundAccountPosition": _on_spot_position,
    "balanceUpdate": _says(BALANCE_UPDATE),
    "eventStreamTerminated": _says(STREAM_TERMINATED),
    "serverShutdown": _says(SERVER_SHUTDOWN),
    "ORDER_TRADE_UPDATE": lambda origin, raw: (futures_event(origin, _read_order_update(raw).o),),
    "ALGO_UPDATE": lambda origin, raw: tuple(algo.parse_update(origin, raw)),
    "ACCOUNT_UPDATE": _on_account_update,
    "listenKeyExpired": _says(LISTEN_KEY_EXPIRED),
}

# -- REST -----------------------------------------------------------------------------------------------


def parse_balances(account: str, body: bytes, now_ms: int) -> list[BalanceEvent]:
    """Absolute balances. Spot leaves out assets of which the account holds nothing. Raises WireError."""

    def event(
        asset: str, free: Decimal | None, locked: Decimal | None = Decimal(0), wallet: str = ""
    ) -> BalanceEvent:
        if free is None or locked is None:
            raise WireError(f"the balance of {asset} lacks an amount. Nothing is concluded from the answer")
        return BalanceEvent(
            account=account, asset=asset, wallet=wallet, free=free, locked=locked, timestamp=now_ms
        )

    if body.lstrip()[:1] == b"[":
        return [
            told
            for row in _read_futures_balances(body)
            for told in (
                (event(row.asset, row.balance),)
                if row.crossMarginFree is None
                else (
                    event(row.asset, row.crossMarginFree, row.crossMarginLocked),
                    event(row.asset, row.umWalletBalance, wallet="UM"),
                    event(row.asset, row.cmWalletBalance, wallet="CM"),
                )
            )
        ]
    held = _read_spot_account(body)
    if held.assets is not None:
        return [
            event(side.asset, side.free, side.locked, pair.symbol)
            for pair in held.assets
            for side in (pair.baseAsset, pair.quoteAsset)
        ]
    rows = held.userAssets if held.balances is None else held.balances
    if rows is None:
        raise WireError("the account has no balances in any known form. Nothing is concluded from it")
    return [event(row.asset, row.free, row.locked) for row in rows]


def parse_positions(account: str, resolve: Resolve, body: bytes, now_ms: int) -> list[PositionEvent]:
    """Positions as the venue lists them; a symbol that is not listed is flat. Raises WireError."""
    return _positions(Origin(USD_M, account, resolve), _read_positions(body), now_ms, snapshot=True)


def parse_is_hedge_mode(body: bytes) -> bool:
    return _read_mode(body).dualSidePosition


def parse_listen_key(body: bytes) -> str:
    return _read_listen_key(body).listenKey


def parse_listen_token(body: bytes) -> str:
    return _read_listen_token(body).token
