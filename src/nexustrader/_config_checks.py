"""Checks of configuration fields. Each names the field, the value and what it must be."""

from __future__ import annotations

import math
from collections.abc import Iterable
from decimal import Decimal
from typing import Any, NoReturn


def of_type(config: object, name: str, *kinds: type) -> Any:
    """Return the field's value; raise TypeError if it is of none of these types."""
    value = getattr(config, name)
    if not isinstance(value, kinds):
        wanted = " or ".join("None" if kind is type(None) else kind.__name__ for kind in kinds)
        raise TypeError(f"{type(config).__name__}.{name} must be {wanted}, not {type(value).__name__}")
    return value


def one_of(config: object, name: str, allowed: tuple[str | None, ...]) -> None:
    """Refuse what is not among the allowed values."""
    value = getattr(config, name)
    if value not in allowed:
        refuse(config, name, value, f"one of {quoted(allowed)}")


def whole(config: object, name: str, *, at_least: int, at_most: int | None = None) -> None:
    """Refuse what is no whole number in these limits."""
    value = of_type(config, name, int)
    if isinstance(value, bool) or value < at_least or (at_most is not None and value > at_most):
        limit = "up" if at_most is None else f"to {at_most}"
        refuse(config, name, value, f"a whole number from {at_least} {limit}")


def number(config: object, name: str, *, above: float, at_most: float = math.inf) -> None:
    """Refuse what is no finite number in these limits."""
    value = getattr(config, name)
    if not is_number(value):
        raise TypeError(f"{type(config).__name__}.{name} must be a number, not {type(value).__name__}")
    if not above < value <= at_most:
        limit = "" if at_most == math.inf else f" and at most {at_most}"
        refuse(config, name, value, f"more than {above}{limit}")


def is_number(value: object) -> bool:
    """Tell finite numbers, True and False not being numbers here."""
    return isinstance(value, (int, float, Decimal)) and not isinstance(value, bool) and math.isfinite(value)


def refuse(config: object, name: str, value: object, wanted: str) -> NoReturn:
    """Raise the ValueError for a field."""
    raise ValueError(f"{type(config).__name__}.{name} is {value!r}; it must be {wanted}")


def quoted(values: Iterable[object]) -> str:
    """List values for a message."""
    return ", ".join(repr(value) for value in values)
