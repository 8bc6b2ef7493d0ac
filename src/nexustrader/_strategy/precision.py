"""Rounding and minimum sizes as strategies ask for them."""

from __future__ import annotations

from decimal import ROUND_CEILING, Decimal
from typing import Literal

from nexustrader.domain.instrument import Instrument, quantise
from nexustrader.error import OrderError

Mode = Literal["round", "ceil", "floor"]
NOTIONAL_MARGIN = Decimal("1.01")  # the price may move between the check here and the check at the venue


def to_decimal(value: Decimal | float | str) -> Decimal:
    """An exact decimal of what the user typed (0.1 is a tenth). Raises OrderError."""
    try:
        number = value if isinstance(value, Decimal) else Decimal(str(value))
    except ArithmeticError:
        raise OrderError(f"{value!r} is not a number") from None
    if not number.is_finite():
        raise OrderError(f"{value!r} is not a finite number")
    return number


def amount_to_precision(instrument: Instrument, amount: Decimal | float | str, mode: Mode) -> Decimal:
    """`amount` on the lot of the instrument, in base units."""
    return quantise(to_decimal(amount), instrument.lot, mode)


def price_to_precision(instrument: Instrument, price: Decimal | float | str, mode: Mode) -> Decimal:
    """`price` on the tick of the instrument. "round" rounds half up."""
    return quantise(to_decimal(price), instrument.tick, mode)


def min_order_amount(instrument: Instrument, price: Decimal) -> Decimal:
    """The smallest amount that the venue takes at `price`: minimum quantity and notional, rounded up to the lot."""
    smallest = instrument.min_amount or instrument.lot
    if instrument.min_notional is not None:
        if price <= 0:
            raise OrderError(
                f"{instrument.symbol}: a price above 0 is needed for the minimum amount, got {price}"
            )
        value = instrument.min_notional * NOTIONAL_MARGIN
        smallest = max(smallest, (value / price).quantize(Decimal(1).scaleb(-18), rounding=ROUND_CEILING))
    return quantise(smallest, instrument.lot, "ceil")
