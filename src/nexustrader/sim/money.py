"""Exact money: a decimal context wide enough that sums and products of real amounts never round."""

from __future__ import annotations

from collections.abc import Callable
from decimal import ROUND_HALF_EVEN, Context, Decimal, getcontext, setcontext
from functools import wraps
from typing import ParamSpec, TypeVar

P = ParamSpec("P")
R = TypeVar("R")

MONEY = Context(prec=60, rounding=ROUND_HALF_EVEN)


def exact(function: Callable[P, R]) -> Callable[P, R]:
    """Makes a function reckon in the MONEY context, whatever context its caller has set."""

    @wraps(function)
    def wrapper(*args: P.args, **kwargs: P.kwargs) -> R:
        before = getcontext()
        if before is MONEY:
            return function(*args, **kwargs)
        setcontext(MONEY)
        try:
            return function(*args, **kwargs)
        finally:
            setcontext(before)

    return wrapper


@exact
def plain(value: Decimal) -> str:
    """The one text of a value: no exponent, no trailing zeros, no negative zero."""
    return format(value.normalize() + 0, "f")
