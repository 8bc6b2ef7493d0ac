"""A position as the fold of its fills, by average cost, in exact money."""

from __future__ import annotations

from decimal import ROUND_UP, Decimal

import msgspec

from nexustrader.sim.money import exact
from nexustrader.sim.types import Side, SimInstrument

PNL_QUANTUM = Decimal("1e-8")
"""Grid of realised profit, rounded half-even; the remainder stays in the cost of what is still open."""

PRICE_QUANTUM = Decimal("1e-12")
"""Grid of average prices, which are quotients."""


class Position(msgspec.Struct):
    """One position. `lots` is signed, `cost` is the signed value at which the open part was entered.

    `flow` is the signed value of all fills and `dust` the profit lost to rounding, both kept for the check. `margin`
    is what secures an isolated position. Values are in quote, for inverse contracts in base.
    """

    symbol: str
    position_side: str = "BOTH"
    lots: int = 0
    cost: Decimal = Decimal(0)
    realized: Decimal = Decimal(0)
    flow: Decimal = Decimal(0)
    dust: Decimal = Decimal(0)
    margin: Decimal = Decimal(0)


@exact
def apply_fill(
    position: Position, instrument: SimInstrument, side: Side, lots: int, price: Decimal
) -> Decimal:
    """Adds one fill and returns the profit it realised. A fill past flat opens the other side."""
    closing = min(abs(position.lots), lots) if position.lots * side < 0 else 0
    value = instrument.value(side * lots, price)
    closed_value = instrument.value(side * closing, price)
    realized = _close(position, instrument, closing, closed_value) if closing else Decimal(0)
    position.lots += side * lots
    position.cost += value - closed_value
    position.flow += value
    position.realized += realized
    return realized


@exact
def secure(
    position: Position, instrument: SimInstrument, before: int, price: Decimal, leverage: Decimal
) -> None:
    """Sets aside the margin of an isolated position after a fill, which found it with so many lots.

    What is opened adds its value / leverage, rounded up; what is closed frees its part.
    """
    after = position.lots
    kept = min(abs(before), abs(after)) if before * after > 0 else 0
    if kept < abs(before):
        position.margin = (position.margin * kept / abs(before)).quantize(PNL_QUANTUM, ROUND_UP)
    opened = abs(instrument.value(abs(after) - kept, price))
    position.margin += (opened / leverage).quantize(PNL_QUANTUM, ROUND_UP)


def _close(position: Position, instrument: SimInstrument, lots: int, closed_value: Decimal) -> Decimal:
    gain = _gain(instrument)
    held = abs(position.lots)
    profit = -gain * (closed_value + position.cost * lots / held)
    realized = profit.quantize(PNL_QUANTUM)
    if lots == held:
        profit = -gain * (closed_value + position.cost)
        position.dust += profit - realized
        position.cost = Decimal(0)
    else:
        position.cost += closed_value + gain * realized
    return realized


@exact
def unrealized(position: Position, instrument: SimInstrument, mark: Decimal) -> Decimal:
    """Profit if the position were closed at the mark price."""
    return _gain(instrument) * (instrument.value(position.lots, mark) - position.cost)


@exact
def entry_price(position: Position, instrument: SimInstrument) -> Decimal:
    """Average price of the open part; 0 when flat. Harmonic for inverse contracts."""
    if position.lots == 0:
        return Decimal(0)
    size = instrument.contract_size * instrument.lot * position.lots
    price = size / position.cost if instrument.kind == "inverse" else position.cost / size
    return price.quantize(PRICE_QUANTUM)


@exact
def check_position(position: Position, instrument: SimInstrument) -> list[str]:
    """What is wrong, as texts: profits taken and still open must equal what was paid and received."""
    wrong = []
    taken = position.realized + position.dust
    if position.cost != position.flow + _gain(instrument) * taken:
        wrong.append(
            f"{position.symbol}: cost {position.cost} is not flow {position.flow} plus profit {taken}"
        )
    if position.lots * position.cost < 0 or (position.lots == 0) != (position.cost == 0):
        wrong.append(f"{position.symbol}: {position.lots} lots cost {position.cost}")
    return wrong


def _gain(instrument: SimInstrument) -> int:
    """Sign of a long's profit as its value grows: an inverse's base value falls as prices rise."""
    return -1 if instrument.kind == "inverse" else 1
