"""What a backtest answers when a strategy asks for klines: all data given, up to now."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from types import MappingProxyType

import numpy as np

from nexustrader.backtest.aggregate import aggregate
from nexustrader.constants import KlineInterval
from nexustrader.data.bars import Bars, join_bars
from nexustrader.error import InstrumentError, KlineSupportedError
from nexustrader.kernel.clock import VirtualClock
from nexustrader.schema import Kline

KLINES_PER_REQUEST = 500  # when neither a limit nor a beginning is asked for


class Past:
    """Klines that have closed by now, also from before the run, of every interval that the data can give.

    `longer` bars stand for what those in `history` do not reach.
    """

    def __init__(
        self,
        clock: VirtualClock,
        history: Mapping[str, Bars],
        longer: Mapping[str, Sequence[Bars]] = MappingProxyType({}),
    ) -> None:
        self._clock = clock
        self._history = history
        self._longer = longer
        self._aggregated: dict[tuple[str, KlineInterval], Bars] = {}

    def klines(
        self,
        symbol: str,
        interval: KlineInterval,
        limit: int | None,
        start_ms: int | None,
        end_ms: int | None,
    ) -> list[Kline]:
        """The last `limit` klines of the range that have closed, oldest first."""
        bars = self.bars(symbol, interval)
        closed_by = self._clock.timestamp_ms()
        if end_ms is not None:
            closed_by = min(closed_by, end_ms + bars.step_ms)  # a range is one of opening times
        found = bars.between(start_ms, closed_by)
        if limit is None and start_ms is None:
            limit = KLINES_PER_REQUEST
        if limit is not None:
            found = found.last(limit, closed_by)
        return list(found.klines())

    def own(self, symbol: str) -> Bars:
        """The bars as they were given. Raises InstrumentError for a symbol without data."""
        bars = self._history.get(symbol)
        if bars is None:
            raise no_data(symbol, self._history)
        return bars

    def bars(self, symbol: str, interval: KlineInterval) -> Bars:
        """All bars of an interval. Raises KlineSupportedError for one that cannot be made of the data."""
        key = (symbol, interval)
        if key not in self._aggregated:
            own = self.own(symbol)
            given = [one for one in self._longer.get(symbol, ()) if one.interval is interval]
            self._aggregated[key] = _joined(own, given[0]) if given else aggregate(own, interval)
        return self._aggregated[key]


def _joined(own: Bars, given: Bars) -> Bars:
    """Given bars, and in their place those made of `own` wherever nothing of these is missing."""
    if own.step_ms and given.step_ms % own.step_ms and given.interval is not KlineInterval.MONTH_1:
        return given  # none can be made
    made = aggregate(own, given.interval)
    if not len(made):
        return given
    if (given.start[0] - made.start[0]) % made.step_ms:
        raise KlineSupportedError(
            f"the {given.interval.value} bars given of {own.symbol} open at other times than those made of its "
            f"{own.interval.value} bars; leave them out"
        )
    held = np.searchsorted(own.start, made.start + made.step_ms) - np.searchsorted(own.start, made.start)
    is_whole = held * own.step_ms == made.step_ms
    return join_bars([made.where(~is_whole), given, made.where(is_whole)])


def no_data(symbol: str, history: Mapping[str, Bars]) -> InstrumentError:
    """The error for a symbol that this backtest knows nothing of."""
    return InstrumentError(
        f"this backtest has no data of {symbol}; it has {', '.join(sorted(history))}. Add the symbol to the data"
    )
