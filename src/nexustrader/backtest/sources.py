"""From what a user hands to a backtest to what is played: bars of every symbol, and ticks of those that have them."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sized
from dataclasses import dataclass
from typing import Any, TypeVar

from nexustrader.backtest.inputs import bars_of, finest_of, longer_of, one_interval, played
from nexustrader.constants import KlineInterval
from nexustrader.data.bars import Bars
from nexustrader.data.depth import Depth
from nexustrader.data.moments import Moment, to_ms
from nexustrader.data.ticks import Quotes, Ticks, Trades
from nexustrader.error import DataError

DERIVED = KlineInterval.MINUTE_1  # the bars of symbols that have ticks alone

T = TypeVar("T", bound=Ticks | Depth)


@dataclass(frozen=True, slots=True, kw_only=True)
class Sources:
    """`history` may reach back before `bars`, which are those that are played; `longer` bars only answer requests.

    Symbols in `quotes`, `trades` or `depths` are filled by these; their bars, made of them if need be, are told of.
    """

    interval: str
    history: Mapping[str, Bars]
    bars: Mapping[str, Bars]
    quotes: Mapping[str, Quotes]
    trades: Mapping[str, Trades]
    depths: Mapping[str, Depth]
    longer: Mapping[str, tuple[Bars, ...]]

    def finest(self, symbol: str) -> Bars | Quotes | Trades | Depth:
        """What the orders of a symbol are filled by."""
        return (
            self.depths.get(symbol)
            or self.quotes.get(symbol)
            or self.trades.get(symbol)
            or self.history[symbol]
        )

    def ticks(self, symbol: str) -> list[Quotes | Trades | Depth]:
        """What is played of a symbol beside its bars."""
        return [one[symbol] for one in (self.quotes, self.trades, self.depths) if symbol in one]

    def data(self) -> dict[str, list[Bars | Quotes | Trades | Depth]]:
        """All of it in the form in which a backtest takes it, so that the files are read but once."""
        return {
            symbol: [bars, *self.longer.get(symbol, ()), *self.ticks(symbol)]
            for symbol, bars in self.history.items()
        }

    @property
    def events(self) -> int:
        """How many bars and ticks will be played."""
        kinds: tuple[Mapping[str, Sized], ...] = (self.bars, self.quotes, self.trades, self.depths)
        return sum(len(one) for kind in kinds for one in kind.values())


def sources_of(data: Any, symbol: str | None, start: Moment = None, end: Moment = None) -> Sources:
    """Tell bars from ticks. Raises DataError when it cannot be told what `data` are, or nothing lies in the period."""
    ticks, others = _told_apart(data)
    history = {} if others is None else bars_of(finest_of(others), symbol)
    longer = longer_of(others, history)
    interval = KlineInterval(one_interval(history)) if history else DERIVED
    for one in sorted(ticks, key=lambda one: not isinstance(one, Trades)):  # a trade is better than a middle
        if one.symbol not in history:
            history[one.symbol] = one.bars(interval)
    bars = played(history, start, end)
    # The clock begins where the first bar opens: ticks from before it would be told with bars that closed after them.
    start_ms, end_ms = min(int(one.start[0]) for one in bars.values()), to_ms(end)
    quotes = _cut((one for one in ticks if isinstance(one, Quotes)), start_ms, end_ms, bars)
    trades = _cut((one for one in ticks if isinstance(one, Trades)), start_ms, end_ms, bars)
    depths = _cut((one for one in ticks if isinstance(one, Depth)), start_ms, end_ms, bars)
    if twice := ", ".join(quotes.keys() & depths.keys()):
        raise DataError(f"quotes and depth of {twice} are given; leave out the quotes: the book has them")
    return Sources(
        interval=interval.value,
        history=history,
        bars=bars,
        quotes=quotes,
        trades=trades,
        depths=depths,
        longer=longer,
    )


def _told_apart(data: Any) -> tuple[list[Ticks | Depth], Any]:
    """The ticks in what was given, and the rest of it; None when nothing is left."""
    if isinstance(data, Ticks | Depth):
        return [data], None
    if isinstance(data, list | tuple):
        found = [one for one in data if isinstance(one, Ticks | Depth)]
        return found, [one for one in data if not isinstance(one, Ticks | Depth)] or (None if found else data)
    if not isinstance(data, Mapping):
        return [], data
    ticks: list[Ticks | Depth] = []
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


def _cut(ticks: Iterator[T], start_ms: int, end_ms: int | None, bars: Mapping[str, Bars]) -> dict[str, T]:
    """By symbol, up to and with its last close: what is filled later would be valued at a price from before.

    Raises DataError for two of one symbol.
    """
    found: dict[str, T] = {}
    for one in ticks:
        if one.symbol in found:
            raise DataError(f"{type(one).__name__.lower()} of {one.symbol} are given twice; join them before")
        if one.symbol not in bars:
            continue
        own = bars[one.symbol]
        closed_ms = int(own.start[-1]) + own.step_ms
        within: Any = one.between(start_ms, min(closed_ms + 1, end_ms or closed_ms + 1))
        if len(within):
            found[one.symbol] = within
    return found
