"""The answers of one kind of account out of those of another: rows without what it does not tell."""

from __future__ import annotations

from collections.abc import Callable, Collection

from nexustrader.emulator.binance.handlers.operation import Call

Handler = Callable[[Call], object]
Row = dict[str, object]


def each(handler: Handler, change: Callable[[Call, Row], Row]) -> Handler:
    """The same answer with each of its rows changed."""

    def changing(call: Call) -> object:
        answer = handler(call)
        if isinstance(answer, list):
            return [change(call, row) for row in answer]
        assert isinstance(answer, dict)
        return change(call, answer)

    return changing


def without(handler: Handler, *lacking: Collection[str]) -> Handler:
    """The same answer without these fields."""
    names = {name for some in lacking for name in some}
    return each(handler, lambda _, row: {name: value for name, value in row.items() if name not in names})
