"""Reads what many orders have executed while nobody listened, with one question a symbol in place of one an order.

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

_log = get_logger("Executions")


async def take_past_fills(port: VenuePort, oms: OrderManager, orders: Iterable[OrderState]) -> None:
    """Apply the executions that the venue shows of `orders`, where a symbol has many of them."""
    for symbol, wanted in _by_symbol(orders).items():
        if len(wanted) >= ORDERS_MIN:
            await _take(port, oms, symbol, wanted, min(state.created for state in wanted.values()))


async def take_recent_fills(
    port: VenuePort, oms: OrderManager, symbols: Iterable[str], since_ms: int
) -> None:
    """Apply the executions of all our orders since then, ended ones included."""
    ours = _by_symbol(oms.own_orders(port.account))
    for symbol in symbols:
        await _take(port, oms, symbol, ours.get(symbol, {}), since_ms)


async def _take(
    port: VenuePort, oms: OrderManager, symbol: str, wanted: Mapping[str, OrderState], since_ms: int
) -> None:
    try:
        fills = await port.query_fills_since(symbol, since_ms - CLOCK_ERROR_MS_MAX)
    except NexusTraderError as error:
        _log.warning(f"{port.account}: the executions of {symbol} could not be read: {error}")
        return
    for fill in fills:
        state = wanted.get(fill.eid or "")
        if state is not None:
            oms.apply(msgspec.structs.replace(fill, oid=state.oid))


def _by_symbol(orders: Iterable[OrderState]) -> dict[str, dict[str, OrderState]]:
    """By symbol and the venue's id. One that is being amended is left out: fills alone may seem to be its end."""
    found: dict[str, dict[str, OrderState]] = {}
    for state in orders:
        if state.eid is not None and not state.is_amending:
            found.setdefault(state.symbol, {})[state.eid] = state
    return found
