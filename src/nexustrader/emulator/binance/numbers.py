"""Numbers as the wire writes them."""

from __future__ import annotations

from decimal import Decimal

from nexustrader.emulator.binance.instruments import Listing

SPOT_DIGITS = 8
AVERAGE_EXTRA_DIGITS = 3


def fixed(value: Decimal, digits: int) -> str:
    """So many decimals, never an exponent."""
    return f"{value:.{digits}f}"


def eight(value: Decimal) -> str:
    """Eight decimals: every number on spot, and money on futures."""
    return f"{value:.8f}"


def price(listing: Listing, value: Decimal) -> str:
    """A price of this symbol."""
    return f"{value:.{listing.price_digits}f}"


def amount(listing: Listing, value: Decimal) -> str:
    """An amount of this symbol."""
    return f"{value:.{listing.amount_digits}f}"


def average(listing: Listing, value: Decimal) -> str:
    """An average price of this symbol (futures)."""
    return f"{value:.{listing.price_digits + AVERAGE_EXTRA_DIGITS}f}"


def notional(listing: Listing, value: Decimal) -> str:
    """Price x amount of this symbol, exactly (futures)."""
    return f"{value:.{listing.price_digits + listing.amount_digits}f}"


def short(text: str) -> str:
    """The same number, but "0" for zero: user streams on futures write it so."""
    return text if text.strip("-0.") else "0"


class Grid:
    """Integer ticks or lots to text and back, without Decimal: market data is written and read by the thousand."""

    __slots__ = ("_digits", "_scale", "_step")

    def __init__(self, step: Decimal, digits: int) -> None:
        self._digits = digits
        self._scale = 10**digits
        scaled = step * self._scale
        if scaled != int(scaled):
            raise ValueError(f"step {step} cannot be written with {digits} decimals")
        self._step = int(scaled)

    def text(self, units: int) -> str:
        """So many steps as text with the grid's decimals."""
        whole, fraction = divmod(units * self._step, self._scale)
        return f"{whole}.{fraction:0{self._digits}d}" if self._digits else str(whole)

    def units(self, text: str) -> int:
        """Text as so many steps, rounded down to the grid."""
        whole, _, fraction = text.partition(".")
        scaled = int(whole + fraction[: self._digits].ljust(self._digits, "0"))
        return scaled // self._step
