"""From what a user hands to a backtest to what is played: bars of every symbol, and ticks of those that have them."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any, TypeVar

from nexustrader.backtest.inputs import bars_of, one_interval, played
from nexustrader.constants import KlineInterval
from nexustrader.data.bars import Bars
from nexustrader.data.moments import Moment, to_ms
from nexustrader.data.ticks import Quotes, Ticks, Trades
from nexustrader.error import DataError

DERIVED = KlineInterval.MINUTE_1  # the bars of symbols that have ticks alone

T = TypeVar("T", bound=Ticks)


@dataclass(frozen=True, slots=True, kw_only=True)
class Sources:
    """`history` may reach back before `bars`, which are those that are played.

    Symbols in `quotes` or `trades` are filled by these, and their bars, if need be made of them, are only told of.
    """

    interval: str
    history: Mapping[str, Bars]
    bars: Mapping[str, Bars]
    quotes: Mapping[str, Quotes]
    trades: Mapping[str, Trades]

    def finest(self, symbol: str) -> Bars | Quotes | Trades:
        """What the orders of a symbol are filled by."""
        return self.quotes.get(symbol) or self.trades.get(symbol) or self.history[symbol]

    def ticks(self, symbol: str) -> list[Quotes | Trades]:
        """What is played of a symbol beside its bars."""
        return [one[symbol] for one in (self.quotes, self.trades) if symbol in one]

    def data(self) -> dict[str, list[Bars | Quotes | Trades]]:
        """All of it in the form in which a backtest takes it, so that the files are read but once."""
        return {symbol: [bars, *self.ticks(symbol)] for symbol, bars in self.history.items()}

    @property
    def events(self) -> int:
        """How many bars and ticks will be played."""
        ticks = (*self.quotes.values(), *self.trades.values())
        return sum(map(len, self.bars.values())) + sum(map(len, ticks))


def sources_of(data: Any, symbol: str | None, start: Moment = None, end: Moment = None) -> Sources:
    """Tell bars from ticks. Raises DataError when it cannot be told what `data` are, or nothing lies in the period."""
    ticks, others = _told_apart(data)
    history = {} if others is None else bars_of(others, symbol)
    interval = KlineInterval(one_interval(history)) if history else DERIVED
    start_ms, end_ms = to_ms(start), to_ms(end)
    quotes = _cut((one for one in ticks if isinstance(one, Quotes)), start_ms, end_ms)
    trades = _cut((one for one in ticks if isinstance(one, Trades)), start_ms, end_ms)
    for one in sorted(
        ticks, key=lambda one: isinstance(one, Quotes)
    ):  # what was traded is better than the middle
        if one.symbol not in history:
            history[one.symbol] = one.bars(interval)
    return Sources(
        interval=interval.value,
        history=history,
        bars=played(history, start, end),
        quotes=quotes,
        trades=trades,
    )


def _told_apart(data: Any) -> tuple[list[Ticks], Any]:
    """The ticks in what was given, and the rest of it; None when nothing is left."""
    if isinstance(data, Ticks):
        return [data], None
    if isinstance(data, list | tuple):
        found = [one for one in data if isinstance(one, Ticks)]
        return found, [one for one in data if not isinstance(one, Ticks)] or (None if found else data)
    if not isinstance(data, Mapping):
        return [], data
    ticks: list[Ticks] = []
    others: dict[str, Any] = {}
    for symbol, source in data.items():
        found, rest = _told_apart(source)
        wrong = next((one for one in found if one.symbol != symbol), None)
        if wrong is not None:
            raise DataError(f"the {type(wrong).__name__.lower()} given for {symbol} are of {wrong.symbol}")
        ticks += found
        if rest is not None:
            others[symbol] = rest
    return ticks, None if ticks and not others else others


def _cut(ticks: Iterator[T], start_ms: int | None, end_ms: int | None) -> dict[str, T]:
    """By symbol, and within the period. Raises DataError for two of one symbol."""
    found: dict[str, T] = {}
    for one in ticks:
        if one.symbol in found:
            raise DataError(f"{type(one).__name__.lower()} of {one.symbol} are given twice; join them before")
        within = one.between(start_ms, end_ms)
        if len(within):
            found[one.symbol] = within
    return found
