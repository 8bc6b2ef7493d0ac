"""Instruments, orders and short readings of events for the simulator's tests."""

from __future__ import annotations

from decimal import Decimal
from itertools import count
from typing import Any

from nexustrader.sim.types import MatchEvent, Side, SimInstrument, SimOrder, Traded

BUY, SELL = Side.BUY, Side.SELL

SPOT = SimInstrument(
    symbol="BTCUSDT.BINANCE",
    kind="spot",
    tick=Decimal("0.01"),
    lot=Decimal("0.00001"),
    base="BTC",
    quote="USDT",
    settle="USDT",
    maker_fee=Decimal("0.001"),
    taker_fee=Decimal("0.001"),
)
LINEAR = SimInstrument(
    symbol="BTCUSDT-PERP.BINANCE",
    kind="linear",
    tick=Decimal("0.1"),
    lot=Decimal("0.001"),
    base="BTC",
    quote="USDT",
    settle="USDT",
    maker_fee=Decimal("-0.0001"),
)
INVERSE = SimInstrument(
    symbol="BTCUSD-PERP.BINANCE",
    kind="inverse",
    tick=Decimal("0.1"),
    lot=Decimal(1),
    base="BTC",
    quote="USD",
    settle="BTC",
    contract_size=Decimal(100),
)

_ids = count(1)


def order(side: Side, lots: int, price: int | None = None, **fields: Any) -> SimOrder:
    """A limit order, or a market order when no price is given, of account "a" unless said otherwise."""
    fields.setdefault("account", "a")
    fields.setdefault("order_id", next(_ids))
    return SimOrder(side=side, lots=lots, price=price, kind="market" if price is None else "limit", **fields)


def names(events: list[MatchEvent]) -> list[str]:
    """What happened, in words: "Traded 5@100", "Expired IOC", "Accepted"."""
    words = []
    for event in events:
        detail = f" {event.lots}@{event.price_ticks}" if isinstance(event, Traded) else ""
        words.append(f"{type(event).__name__}{detail or ' ' + getattr(event, 'reason', '')}".strip())
    return words


def fills(events: list[MatchEvent]) -> list[tuple[int, int]]:
    """(price, lots) of the executions."""
    return [(event.price_ticks, event.lots) for event in events if isinstance(event, Traded)]
