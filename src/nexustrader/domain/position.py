"""One position as a fold of fills: average entry when adding, realised profit when reducing.

The fold keeps the *basis* (what the open amount cost) instead of the entry price, so that realised and
unrealised profit always sum up to the cash that flowed plus what the position is worth: no rounding can
open a gap between them. Fees are not part of it. In hedge mode each side is a position of its own.
"""

from __future__ import annotations

from decimal import Decimal

import msgspec

from nexustrader.constants import ExchangeType, InstrumentType, OrderSide, PositionSide
from nexustrader.domain.instrument import Instrument
from nexustrader.domain.order_effects import FillDelta
from nexustrader.schema import Position

_ZERO = Decimal(0)
_ONE = Decimal(1)


class PositionState(msgspec.Struct, frozen=True, kw_only=True, gc=False):
    """A position. `signed_amount` is positive when long.

    Linear and spot: basis and profit in quote. Inverse: amounts count units of `contract_size` quote each,
    basis and profit are in base.
    """

    signed_amount: Decimal = _ZERO
    basis: Decimal = _ZERO  # of the open amount, with the sign of the amount
    realized_pnl: Decimal = _ZERO
    is_inverse: bool = False
    contract_size: Decimal = _ONE
    position_side: PositionSide | None = None  # in hedge mode: the side that it is, flat or not

    @property
    def is_open(self) -> bool:
        return self.signed_amount != 0

    @property
    def side(self) -> PositionSide:
        if self.signed_amount == 0:
            return PositionSide.FLAT
        return PositionSide.LONG if self.signed_amount > 0 else PositionSide.SHORT

    @property
    def entry_price(self) -> Decimal:
        """Average entry price in quote; 0 when flat."""
        if not self.signed_amount or not self.basis:
            return _ZERO
        if self.is_inverse:
            return self.signed_amount * self.contract_size / self.basis
        return self.basis / self.signed_amount

    def unrealized_pnl(self, mark: Decimal) -> Decimal:
        """Return the profit of closing at `mark`; 0 when flat. `mark` must be above 0."""
        if not self.signed_amount:
            return _ZERO
        if self.is_inverse:
            return self.basis - self.signed_amount * self.contract_size / mark
        return self.signed_amount * mark - self.basis


def flat(instrument: Instrument) -> PositionState:
    """Return the empty position of an instrument."""
    if instrument.type is InstrumentType.INVERSE:
        return PositionState(is_inverse=True, contract_size=instrument.contract_size)
    return PositionState()


def fold(position: PositionState, side: OrderSide, delta: FillDelta) -> PositionState:
    """Return the position after one more fill of an order of `side`.

    A delta without amount corrects the cost of an earlier fill: it goes to the basis if that order's side
    is the position's, else into realised profit. Inverse positions ignore such corrections.
    """
    sign = 1 if side is OrderSide.BUY else -1
    amount = sign * delta.amount
    value = sign * _value(position, delta)
    held = position.signed_amount
    if held * sign > 0 or (not held and amount):
        return msgspec.structs.replace(position, signed_amount=held + amount, basis=position.basis + value)
    if not amount:
        return _realise(position, held, position.basis, -value)
    if abs(amount) < abs(held):
        released = position.basis * amount / -held
        return _realise(position, held + amount, position.basis - released, -value - released)
    # Closed, and what is left over opens the other side at the price of this fill.
    closing = value if amount == -held else value * -held / amount
    return _realise(position, held + amount, value - closing, -closing - position.basis)


def _value(position: PositionState, delta: FillDelta) -> Decimal:
    """What the fill was worth in the currency of the profit."""
    if not position.is_inverse:
        return delta.cost
    return delta.amount * position.contract_size / delta.price if delta.amount and delta.price else _ZERO


def _realise(position: PositionState, signed_amount: Decimal, basis: Decimal, gain: Decimal) -> PositionState:
    # An inverse contract gains when the base it stands for becomes less: the same flows with the opposite
    # sign.
    return msgspec.structs.replace(
        position,
        signed_amount=signed_amount,
        basis=basis,
        realized_pnl=position.realized_pnl + (-gain if position.is_inverse else gain),
    )


def restated(position: PositionState, signed_amount: Decimal, entry_price: Decimal) -> PositionState:
    """Return the position as the venue states it, e.g. in a snapshot; realised profit stays."""
    if not position.is_inverse:
        basis = signed_amount * entry_price
    else:
        basis = signed_amount * position.contract_size / entry_price if entry_price else _ZERO
    return msgspec.structs.replace(position, signed_amount=signed_amount, basis=basis)


def title(symbol: str, side: PositionSide | None) -> str:
    """How a position is called: by its symbol, in hedge mode with its side ("BTCUSDT-PERP.BINANCE:LONG")."""
    return symbol if side is None else f"{symbol}:{side.value}"


def snapshot(
    position: PositionState, symbol: str, exchange: ExchangeType, mark: Decimal | None = None
) -> Position:
    """Return the public snapshot; without a mark price its unrealised profit is 0."""
    return Position(
        symbol=symbol,
        exchange=exchange,
        signed_amount=position.signed_amount,
        entry_price=float(position.entry_price),
        side=position.position_side or position.side,
        unrealized_pnl=0.0 if mark is None else float(position.unrealized_pnl(mark)),
        realized_pnl=float(position.realized_pnl),
    )
