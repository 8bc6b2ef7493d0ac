"""What may vary: values to choose from, or a span between two bounds."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from decimal import Decimal, InvalidOperation
from itertools import product

import msgspec

from nexustrader.error import StrategyBuildError

Value = int | float | str | bool
Params = Mapping[str, Value]

GRID_MAX = 1_000_000  # points; more would be a slip of the pen
_FORMS = "write NAME=1,2,3 for values, NAME=5:50:5 for first:last:step, or NAME=5..50 for a span to search"
_WORDS: Mapping[str, Value] = {"true": True, "false": False}


class Choices(msgspec.Struct, frozen=True):
    """One of these, in this order."""

    values: tuple[Value, ...]


class Span(msgspec.Struct, frozen=True):
    """Anything from `low` to `high`, both included; whole numbers only if both bounds are."""

    low: int | float
    high: int | float


Axis = Choices | Span


def grid(axes: Mapping[str, Axis]) -> Iterator[dict[str, Value]]:
    """Every combination; the last axis varies fastest.

    Raises StrategyBuildError for a span, which has no points, and for more points than GRID_MAX.
    """
    count = 1
    for name, axis in axes.items():
        if isinstance(axis, Span):
            raise StrategyBuildError(
                f"{name} is a span, which a grid has no points of; search it, or {_FORMS}"
            )
        count *= len(axis.values)
    if count > GRID_MAX:
        raise StrategyBuildError(
            f"the grid has {count:,} points, at most {GRID_MAX:,} are tried; make it coarser"
        )
    values = [axis.values for axis in axes.values() if isinstance(axis, Choices)]
    return (dict(zip(axes, point, strict=True)) for point in product(*values))


def parse_axis(text: str) -> tuple[str, Axis]:
    """An axis as it is written on the command line. Raises StrategyBuildError for what cannot be read."""
    name, is_given, words = text.partition("=")
    if not name.isidentifier() or not is_given or not words:
        raise StrategyBuildError(f"{text!r} is no parameter; {_FORMS}")
    if ".." in words:
        low, _, high = words.partition("..")
        return name, _span(text, _number(text, low), _number(text, high))
    if words.count(":") == 2:
        first, last, step = (_number(text, word) for word in words.split(":"))
        return name, Choices(tuple(_steps(text, first, last, step)))
    return name, Choices(tuple(_value(word) for word in words.split(",")))


def _span(text: str, low: Decimal, high: Decimal) -> Span:
    if low >= high:
        raise StrategyBuildError(f"{text!r} is empty: its first bound has to be below the second")
    if _is_whole(low) and _is_whole(high):
        return Span(int(low), int(high))
    return Span(float(low), float(high))


def _steps(text: str, first: Decimal, last: Decimal, step: Decimal) -> Iterator[Value]:
    """In decimals, so that 0.1:0.5:0.1 has the five values that it seems to have."""
    if step <= 0 or last < first:
        raise StrategyBuildError(f"{text!r} has no values: write first:last:step with a step above 0")
    if (last - first) / step > GRID_MAX:
        raise StrategyBuildError(f"{text!r} has more than {GRID_MAX:,} values; make the step larger")
    is_whole = all(_is_whole(number) for number in (first, last, step))
    value = first
    while value <= last:
        yield int(value) if is_whole else float(value)
        value += step


def _number(text: str, word: str) -> Decimal:
    try:
        number = Decimal(word)
    except InvalidOperation:
        raise StrategyBuildError(f"{word!r} in {text!r} is no number; {_FORMS}") from None
    if not number.is_finite():
        raise StrategyBuildError(f"{word!r} in {text!r} is no number; {_FORMS}")
    return number


def _is_whole(number: Decimal) -> bool:
    return number == number.to_integral_value() and "." not in str(number)


def _value(word: str) -> Value:
    known = _WORDS.get(word.lower())
    if known is not None:
        return known
    for kind in (int, float):
        try:
            return kind(word)
        except ValueError:
            continue
    return word
