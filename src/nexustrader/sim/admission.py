"""What an order must be before a simulated venue looks at the account: pure checks, and its form in ticks and lots."""

from __future__ import annotations

from collections.abc import Iterable

from nexustrader.constants import InstrumentType, OrderType, TimeInForce
from nexustrader.domain import events as ev
from nexustrader.domain.instrument import Instrument, to_plain
from nexustrader.sim.types import Side, SimInstrument, SimOrder

SIMULATED_TYPES = (OrderType.MARKET, OrderType.LIMIT, OrderType.POST_ONLY)


def not_traded(instrument: Instrument, account: str, kinds: Iterable[InstrumentType]) -> str | None:
    """Why an account does not trade an instrument, or None."""
    if instrument.exchange.value != account.partition(":")[0]:
        return f"{instrument.symbol} is traded on {instrument.exchange.value}, not by {account}"
    if instrument.type in kinds:
        return None
    known = ", ".join(sorted(kind.value for kind in kinds))
    return f"{instrument.symbol} is {instrument.type.value}, and {account} trades {known}"


def unusable(command: ev.Submit) -> str | None:
    """Why an order makes no sense by itself, or None."""
    if command.type not in SIMULATED_TYPES:
        known = ", ".join(kind.value for kind in SIMULATED_TYPES)
        return f"{command.type.value} orders are not simulated yet; use one of {known}"
    if command.amount <= 0:
        return f"the amount must be above 0, it is {to_plain(command.amount)}"
    if command.type is not OrderType.MARKET and (command.price is None or command.price <= 0):
        return f"a {command.type.value} order needs a price above 0, it is {command.price}"
    if command.type is OrderType.POST_ONLY and command.time_in_force is not TimeInForce.GTC:
        return f"a post-only order rests, so it cannot be {command.time_in_force.value}; use GTC"
    return None


def sim_order(command: ev.Submit, instrument: SimInstrument, order_id: int, now_ms: int) -> SimOrder:
    """The order in ticks and lots. Raises OrderError for a price or amount off the grid."""
    is_market = command.type is OrderType.MARKET
    return SimOrder(
        order_id=order_id,
        account=command.account,
        side=Side.BUY if command.side.is_buy else Side.SELL,
        lots=instrument.to_lots(command.amount),
        kind="market" if is_market else "limit",
        price=None if is_market or command.price is None else instrument.to_ticks(command.price),
        client_id=command.oid,
        tif=command.time_in_force.value,
        post_only=command.type is OrderType.POST_ONLY,
        reduce_only=command.reduce_only,
        timestamp_ms=now_ms,
    )
