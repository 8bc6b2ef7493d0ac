"""The audience of a venue's markets: what it tells as it happens is its own, its cadence is here."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Mapping

from nexustrader.emulator.market.market import DepthUpdate, Market, PublicTrade
from nexustrader.kernel.ports import Clock, TimerHandle

NS_PER_MS = 1_000_000


class MarketPublisher(ABC):
    """The audience of all markets of one product; looks every `push_ms` at the streams that have a cadence."""

    def __init__(self, markets: Mapping[str, Market], clock: Clock, push_ms: int) -> None:
        self._markets = markets
        self._clock = clock
        self._push_ms = push_ms
        self._timer: TimerHandle | None = None
        for market in markets.values():
            market.audience = self

    def start(self) -> None:
        """Begins to push the streams that have a cadence."""
        now_ms = self._clock.timestamp_ms()
        self._push_due(now_ms)
        self._timer = self._clock.call_at((now_ms + self._push_ms) * NS_PER_MS, self.start)

    def stop(self) -> None:
        """Stops pushing them."""
        if self._timer is not None:
            self._timer.cancel()
            self._timer = None

    @abstractmethod
    def on_touch(self, market: Market) -> None:
        """Best bid or ask changed."""

    @abstractmethod
    def on_depth(self, market: Market, update: DepthUpdate) -> None:
        """Levels changed."""

    @abstractmethod
    def on_trade(self, market: Market, trade: PublicTrade) -> None:
        """Somebody traded."""

    @abstractmethod
    def _push_due(self, now_ms: int) -> None:
        """Pushes the streams whose cadence allows it."""
