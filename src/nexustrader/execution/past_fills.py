"""Reads what many orders have executed while nobody listened, by symbol in place of order by order.

After a night away a thousand orders may have filled. Asked for one by one their executions cost more of the venue's
limits than a minute allows. What these questions do not bring is still asked for order by order.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping

import msgspec

from nexustrader.domain.order import OrderState
from nexustrader.error import NexusTraderError
from nexustrader.execution.oms import OrderManager
from nexustrader.kernel.log import get_logger
from nexustrader.kernel.ports import VenuePort

ORDERS_MIN = 4  # of a symbol; fewer are asked for by themselves
# How much earlier than the oldest order is asked for: the venue stamps executions by its own clock.
CLOCK_ERROR_MS_MAX = 600_000
# How far back at most: an order may be old, and what it executed before that is asked for by itself.
PAST_MS_MAX = 23 * 3_600_000

_log = get_logger("Executions")


async def take_past_fills(
    port: VenuePort, oms: OrderManager, orders: Iterable[OrderState], now_ms: int
) -> None:
    """Apply the executions that the venue shows of `orders`, where a symbol has many of them."""
    for symbol, wanted in _by_symbol(orders).items():
        if len(wanted) >= ORDERS_MIN:
            oldest_ms = min(state.created for state in wanted.values())
            await _take(port, oms, symbol, wanted, max(oldest_ms, now_ms - PAST_MS_MAX))


async def take_recent_fills(
    port: VenuePort, oms: OrderManager, symbols: Iterable[str], since_ms: int
) -> None:
    """Apply the executions of all our orders since then, ended ones included."""
    ours = _by_symbol(oms.own_orders(port.account))
    for symbol in symbols:
        if symbol in ours:
            await _take(port, oms, symbol, ours[symbol], since_ms)


async def _take(
    port: VenuePort, oms: OrderManager, symbol: str, wanted: Mapping[str, OrderState], since_ms: int
) -> None:
    try:
        fills = await port.query_fills_since(symbol, since_ms - CLOCK_ERROR_MS_MAX)
    except NexusTraderError as error:
        _log.warning(f"{port.account}: the executions of {symbol} could not be read: {error}")
        return
    for fill in fills:
        known = wanted.get(fill.eid or "")
        state = None if known is None else oms.get(known.oid)
        if state is not None and not state.is_amending:  # it may be so since the question was put
            oms.apply(msgspec.structs.replace(fill, oid=state.oid))


def _by_symbol(orders: Iterable[OrderState]) -> dict[str, dict[str, OrderState]]:
    """By symbol and the venue's id. One that is being amended is left out: fills alone may seem to be its end."""
    found: dict[str, dict[str, OrderState]] = {}
    for state in orders:
        if state.eid is not None and not state.is_amending:
            found.setdefault(state.symbol, {})[state.eid] = state
    return found
