"""Numbers as the wire writes them."""

from __future__ import annotations

from decimal import Decimal

from nexustrader.sim.money import plain

MONEY_QUANTUM = Decimal("1e-8")


def text(value: Decimal) -> str:
    """The shortest text of a number."""
    return plain(value)


def money(value: Decimal) -> str:
    """Money, to eight decimals at most."""
    return plain(value.quantize(MONEY_QUANTUM))


def price(value: Decimal) -> str:
    """A price that may be none: an empty text for zero."""
    return plain(value) if value else ""
