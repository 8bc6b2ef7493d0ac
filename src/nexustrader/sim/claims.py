"""What open orders may still cost the account that gave them."""

from __future__ import annotations

from decimal import Decimal
from typing import NamedTuple

from nexustrader.sim.types import Side, SimInstrument, SimOrder

ZERO = Decimal(0)


class Claim(NamedTuple):
    """What an open order may still cost: `amount` of `asset`, locked on spot, margined at its full value else."""

    symbol: str
    position_side: str
    side: Side
    asset: str
    amount: Decimal
    is_spot: bool


def claim_of(instrument: SimInstrument, order: SimOrder, price: Decimal) -> Claim:
    """What the rest of an order may cost at a price; a reduce-only order costs nothing."""
    is_spot = instrument.kind == "spot"
    amount, asset = instrument.value(order.remaining, price), instrument.settle
    if is_spot:
        asset = instrument.quote
        if order.side is Side.SELL:
            amount, asset = instrument.amount(order.remaining), instrument.base
    amount = ZERO if order.reduce_only else amount
    return Claim(instrument.symbol, order.position_side, order.side, asset, amount, is_spot)
