"""Does a strategy know the future? It is run again over data that end earlier; what it decided before must be the same.

A run is cut where decisions were made: one that rests on a later bar is missing, or another one, when that bar is; and
elsewhere, for those that a later bar prevented. What a program reads for itself is not cut, so that files of the data
which it opens are told of.
"""

from __future__ import annotations

import os
import sys
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np

from nexustrader.backtest.bands import Build
from nexustrader.backtest.journal import Command, Decision
from nexustrader.backtest.result import BacktestResult
from nexustrader.backtest.runner import Backtest
from nexustrader.backtest.world import Progress
from nexustrader.data.bars import Ints
from nexustrader.domain import events as ev
from nexustrader.domain.instrument import to_plain
from nexustrader.error import DataError
from nexustrader.kernel.clock import NS_PER_MS, ns_to_datetime

CUTS = 8


class Difference(NamedTuple):
    """The first decision that a run over shorter data made otherwise, or that one of the two did not make."""

    cut_ms: int
    full: Decision | None
    cut: Decision | None

    @property
    def timestamp(self) -> int:
        """When the earlier of the two was made."""
        return min(one.command.timestamp for one in (self.full, self.cut) if one is not None)

    def render(self) -> str:
        """In one sentence."""
        return (
            f"{_when(self.timestamp)}: {_said(self.full)} with all data, {_said(self.cut)} with data that end at "
            f"{_when(self.cut_ms)}"
        )


class Lookahead(NamedTuple):
    """What a check found. `result` is of the run over all data; `compared` counts decisions of all shorter runs.

    is_repeatable: False when the same run over the same data decides otherwise, so that nothing follows from a
    difference. opened: files of the data that the program itself opened.
    """

    result: BacktestResult
    cuts_ms: tuple[int, ...]
    compared: int
    differences: tuple[Difference, ...]
    is_repeatable: bool
    opened: tuple[Path, ...]

    @property
    def is_clean(self) -> bool:
        """Nothing speaks for knowledge of the future."""
        return not self.differences and not self.opened

    def render(self) -> str:
        """What was found, for people."""
        if not self.is_clean:
            told = [difference.render() for difference in self.differences]
            told += [
                f"The program opens {path} itself: what it takes from it is not cut" for path in self.opened
            ]
            return "\n".join([self._verdict(), *(f"- {text}" for text in told)])
        return self._verdict()

    def _verdict(self) -> str:
        cuts = f"{len(self.cuts_ms)} runs over data that end earlier"
        if not self.is_repeatable:
            return "Not repeatable: the same run over the same data decides otherwise, so nothing can be compared"
        if self.differences:
            return (
                f"Lookahead: {len(self.differences)} of {cuts} decided otherwise before the end of their data"
            )
        if self.opened:
            return "Lookahead cannot be ruled out"
        return f"No lookahead found: {cuts} made the same {self.compared:,} decisions"


def check_lookahead(
    build: Build, *, cuts: int = CUTS, watched: Iterable[Path] = (), progress: Progress | None = None
) -> Lookahead:
    """Run what `build` makes over all of its data, and over data cut at several times, and compare the decisions.

    `build` takes keyword arguments of `Backtest` that go before its own: `data` is {symbol: Bars} then, and what it
    hands to a strategy has to be made of that. Orders refused before sending are no decisions. `progress` counts
    on from one run to the next.
    Raises DataError when the data are too short to be cut.
    """
    opened: dict[Path, None] = {}
    count = _Count(progress)
    with _watching(watched, opened):
        whole = build()
        result = count.run(whole)
        cuts_ms = _cuts(whole, result, cuts)
        differences: list[Difference] = []
        compared = 0
        for cut_ms in cuts_ms:
            again = count.run(build(data=_until(whole, cut_ms), instruments=whole.instruments))
            made = _before(again, cut_ms)
            compared += len(made)
            differences += _difference(cut_ms, _before(result, cut_ms), made)
        is_repeatable = not differences or count.run(build()).decisions == result.decisions
    return Lookahead(result, cuts_ms, compared, tuple(differences), is_repeatable, tuple(opened))


class _Count:
    """Runs one after the other, and counts on from one to the next."""

    def __init__(self, progress: Progress | None) -> None:
        self._progress = progress
        self._done = 0

    def run(self, backtest: Backtest) -> BacktestResult:
        result = backtest.run(self._tell if self._progress else None)
        self._done += backtest.events
        return result

    def _tell(self, played: int) -> None:
        if self._progress is not None:
            self._progress(self._done + played)


# -- where to cut ----------------------------------------------------------------------------------------------


def _cuts(whole: Backtest, result: BacktestResult, count: int) -> tuple[int, ...]:
    """Closes of bars, evenly chosen: half of them of bars in which decisions were made, the others of any."""
    series = whole.sources.bars.values()
    closes = np.unique(np.concatenate([bars.start + bars.step_ms for bars in series]))
    begun = max(int(bars.start[0]) + bars.step_ms for bars in whole.sources.history.values())
    closes = closes[(closes >= begun) & (closes < result.end_ms)]
    if not len(closes):
        raise DataError("the data are too short to be cut; give two bars or more of every symbol")
    played = np.array([decision.played_ms for decision in result.decisions], dtype=np.int64)
    place = np.searchsorted(closes, played, side="right")
    decided = np.unique(closes[place[place < len(closes)]])
    chosen = _evenly(decided, count - count // 2)
    return tuple(sorted({*chosen, *_evenly(closes, count - len(chosen))}))


def _evenly(values: Ints, count: int) -> list[int]:
    """At most so many of the values, each from the middle of one of equal parts."""
    count = min(count, len(values))
    return [int(values[(2 * part + 1) * len(values) // (2 * count)]) for part in range(count)]


def _until(whole: Backtest, cut_ms: int) -> dict[str, Any]:
    """All data that were known at a close: bars by symbol, with the ticks where there are some."""
    sources = whole.sources
    known: dict[str, Any] = {}
    for symbol, bars in sources.history.items():
        ticks = sources.ticks(symbol)
        begun = bars.between(None, cut_ms)
        longer = (one.between(None, cut_ms) for one in sources.longer.get(symbol, ()))
        parts: list[Any] = [part for part in (tick.between(None, cut_ms + 1) for tick in ticks) if len(part)]
        parts += [one for one in longer if len(one)]
        known[symbol] = [begun, *parts] if parts else begun
    return known


# -- what differs ----------------------------------------------------------------------------------------------


def _before(result: BacktestResult, cut_ms: int) -> list[Decision]:
    """Decisions up to the word about the bar that closes at the cut; those of `on_stop` come after it."""
    return [decision for decision in result.decisions if decision.played_ms < cut_ms]


def _difference(cut_ms: int, full: list[Decision], cut: list[Decision]) -> Iterator[Difference]:
    for place in range(max(len(full), len(cut))):
        ours = full[place] if place < len(full) else None
        theirs = cut[place] if place < len(cut) else None
        if ours != theirs:
            yield Difference(cut_ms, ours, theirs)
            return


def _said(decision: Decision | None) -> str:
    return "nothing" if decision is None else _order(decision.command)


def _order(command: Command) -> str:
    match command:
        case ev.Submit():
            price = "" if command.price is None else f" at {to_plain(command.price)}"
            amount = to_plain(command.amount)
            return f"{command.side.value} {amount} {command.symbol} {command.type.value}{price}"
        case ev.Amend():
            terms = ((name, getattr(command, name)) for name in ("amount", "price"))
            told = ", ".join(f"{name} {to_plain(value)}" for name, value in terms if value is not None)
            return f"amend {command.oid} of {command.symbol} to {told}"
        case ev.Cancel():
            return f"cancel {command.oid} of {command.symbol}"
        case _:
            return f"cancel all of {command.symbol}"


def _when(ms: int) -> str:
    return ns_to_datetime(ms * NS_PER_MS).strftime("%Y-%m-%d %H:%M:%S")


# -- files that the program opens ------------------------------------------------------------------------------


@contextmanager
def _watching(files: Iterable[Path], opened: dict[Path, None]) -> Iterator[None]:
    """Note which of the files Python code opens meanwhile. What native readers open is not seen."""
    watched = {file.resolve(): file for file in files}
    is_on = bool(watched)

    def hook(event: str, arguments: tuple[Any, ...]) -> None:
        if is_on and event == "open" and isinstance(arguments[0], str | bytes | os.PathLike):
            path = Path(os.fsdecode(arguments[0])).resolve()
            if path in watched:
                opened[watched[path]] = None

    if is_on:
        sys.addaudithook(hook)  # for good: Python has no way to take it away, so that it falls silent instead
    try:
        yield
    finally:
        is_on = False
