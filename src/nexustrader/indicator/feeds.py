"""How data reach one indicator. What it raises is reported and costs no other."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

from nexustrader.constants import DataType, KlineInterval
from nexustrader.indicator.base import HANDLERS, Indicator
from nexustrader.indicator.seam import Seam
from nexustrader.schema import Kline

Report = Callable[[str, Callable[[Any], object], Any, Exception], object]


class Feed:
    """Data of one kind and symbol."""

    def __init__(self, indicator: Indicator, kind: DataType, report: Report) -> None:
        self.indicator = indicator
        self._topic = kind.value
        self._handle: Callable[[Any], object] = getattr(indicator, HANDLERS[kind])
        self._report = report

    def take(self, datum: Any) -> None:
        """A datum that has just come."""
        self._hand(datum)

    def _hand(self, datum: Any) -> None:
        try:
            self._handle(datum)
        except Exception as error:  # tidy: ok — one indicator's fault must not cost the others
            self._report(self._topic, self._handle, datum, error)


class KlineFeed(Feed):
    """Klines of one interval; those of the past first, if the indicator wants any.

    `ask(feed)` puts the question for history. Every question has a number, so that a late answer to an old one is
    known as such; `tries` counts those that were answered in vain.
    """

    def __init__(
        self, symbol: str, indicator: Indicator, report: Report, ask: Callable[[KlineFeed], object]
    ) -> None:
        super().__init__(indicator, DataType.KLINE, report)
        interval = indicator.kline_interval
        assert interval is not None
        self.symbol = symbol
        self.interval: KlineInterval = interval
        self.question = 0
        self.tries = 0
        self._ask = ask
        self._seam = Seam(interval, indicator.warmup_period or 0) if indicator.requires_warmup else None
        self._progress = indicator.warmup_progress
        self._resets = self._progress.resets

    @property
    def is_asking(self) -> bool:
        """True while history is wanted."""
        return self._seam is not None and self._seam.is_asking

    def begin(self) -> None:
        """Ask for the history, if any is needed."""
        if self._seam is not None:
            self._begin_to_ask()

    def look(self) -> None:
        """Notice that the indicator wants to be warmed up anew."""
        if self._progress.resets != self._resets and self._seam is not None:
            self._resets = self._progress.resets
            self._seam.restart()
            self._begin_to_ask()

    def take(self, kline: Kline) -> None:
        """A kline that has just come, of any interval."""
        if kline.interval is not self.interval:
            return
        seam = self._seam
        if seam is None:
            self._hand(kline)
            return
        self.look()
        was_asking = seam.is_asking
        if seam.admit(kline):
            self._give(kline)
        elif seam.is_asking and not was_asking:
            self._begin_to_ask()

    def bars_wanted(self, now_ms: int) -> int:
        """How many of the latest bars to ask for."""
        return 0 if self._seam is None else self._seam.bars_wanted(now_ms)

    def ask_again(self) -> int:
        """The question was answered in vain; returns the number of the next one."""
        self.tries += 1
        self.question += 1
        return self.question

    def answer(self, history: Sequence[Kline]) -> None:
        """History has come."""
        if self._seam is not None:
            self._give_all(self._seam.answer(history))

    def give_up(self) -> None:
        """None comes any more."""
        if self._seam is not None:
            self._give_all(self._seam.give_up())

    def _begin_to_ask(self) -> None:
        self._progress.is_behind = True
        self.tries = 0
        self.question += 1
        self._ask(self)

    def _give_all(self, klines: Sequence[Kline]) -> None:
        for kline in klines:
            self._give(kline)
        if not self.is_asking:
            self._progress.is_behind = False
            self.question += 1  # whatever is still under way is late

    def _give(self, kline: Kline) -> None:
        self._progress.bars += kline.confirm
        self._hand(kline)
