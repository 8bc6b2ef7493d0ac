"""Profit and loss as one figure, and the marks that losses are measured from. Pure over numbers."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from decimal import Decimal
from typing import NamedTuple

from nexustrader.constants import InstrumentType
from nexustrader.domain.instrument import Instrument
from nexustrader.domain.position import PositionState

DAY_MS = 86_400_000
DOLLARS = frozenset({"USD", "USDT", "USDC", "FDUSD", "BUSD", "TUSD", "USDP", "DAI"})  # count as one another

_ZERO = Decimal(0)
_ONE = Decimal(1)


class Holding(NamedTuple):
    """A position and the price by which it is valued; None where no price is known."""

    instrument: Instrument
    position: PositionState
    price: Decimal | None


class Marks(NamedTuple):
    """What losses are measured from: the profit when the UTC day began, and the highest one."""

    day: int
    opening: Decimal
    peak: Decimal


def profit(
    holdings: Iterable[Holding], fees: Mapping[str, Decimal], worth: Callable[[str], Decimal]
) -> Decimal:
    """Realised and unrealised profit less fees, in the currency for which `worth(asset)` is 1.

    A position without a price counts with what it has realised. Coins sold on spot that were not bought here are no
    short position: only buying them back realises anything.
    """
    total = _ZERO
    for instrument, position, price in holdings:
        value = position.realized_pnl
        is_spot_sale = instrument.type is InstrumentType.SPOT and position.signed_amount < 0
        if price and not is_spot_sale:
            value += position.unrealized_pnl(price)
        if value:
            total += value * worth(instrument.base if position.is_inverse else instrument.quote)
    return total - sum((amount * worth(asset) for asset, amount in fees.items() if amount), _ZERO)


def capital(
    money: Decimal, holdings: Iterable[Holding], fees: Mapping[str, Decimal], worth: Callable[[str], Decimal]
) -> Decimal:
    """What equity is at a profit of 0, from the money that the accounts hold now: so much has come from outside."""
    held = list(holdings)
    invested = sum(
        (
            position.basis * worth(instrument.quote)
            for instrument, position, _ in held
            if instrument.type is InstrumentType.SPOT and position.signed_amount > 0
        ),
        _ZERO,
    )
    return money + invested - profit((one._replace(price=None) for one in held), fees, worth)


def moved(marks: Marks | None, profit_now: Decimal, now_ms: int) -> Marks:
    """The marks after one more reading: a new UTC day opens with it, and the peak never falls."""
    day = now_ms // DAY_MS
    if marks is None:
        return Marks(day, profit_now, profit_now)
    opening = marks.opening if day <= marks.day else profit_now
    return Marks(max(day, marks.day), opening, max(marks.peak, profit_now))


def same_money(asset: str, currency: str) -> Decimal | None:
    """1 for one currency under two names, such as two dollars; None where a price is needed."""
    is_same = asset == currency or (asset in DOLLARS and currency in DOLLARS)
    return _ONE if is_same else None
