"""Numbers as the wire writes them."""

from __future__ import annotations

from decimal import Decimal

from nexustrader.emulator.market.listing import Listing

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
