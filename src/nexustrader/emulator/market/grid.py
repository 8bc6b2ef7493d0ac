"""Integer ticks or lots to text and back."""

from __future__ import annotations

from decimal import Decimal


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
