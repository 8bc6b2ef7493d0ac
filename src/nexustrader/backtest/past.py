"""What a backtest answers when a strategy asks for klines: all data given, up to now."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from types import MappingProxyType

from nexustrader.backtest.aggregate import aggregate
from nexustrader.constants import KlineInterval
from nexustrader.data.bars import Bars, join_bars
from nexustrader.error import InstrumentError
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
            made = aggregate(self.own(symbol), interval)
            given = [one for one in self._longer.get(symbol, ()) if one.interval is interval]
            self._aggregated[key] = join_bars([*given, made]) if given else made
        return self._aggregated[key]


def no_data(symbol: str, history: Mapping[str, Bars]) -> InstrumentError:
    """The error for a symbol that this backtest knows nothing of."""
    return InstrumentError(
        f"this backtest has no data of {symbol}; it has {', '.join(sorted(history))}. Add the symbol to the data"
    )
