"""Two indicators that tests use."""

from __future__ import annotations

from collections import deque
from typing import Any

from nexustrader.constants import KlineInterval
from nexustrader.indicator import Indicator
from nexustrader.schema import Kline

M1 = KlineInterval.MINUTE_1


class Sma(Indicator):
    """The mean of the last closes."""

    def __init__(self, period: int, interval: KlineInterval = M1, **more: Any) -> None:
        super().__init__(
            {"period": period}, **{"warmup_period": period, "kline_interval": interval, "name": "sma", **more}
        )
        self.closes: deque[float] = deque(maxlen=period)

    def handle_kline(self, kline: Kline) -> None:
        if kline.confirm:
            self.closes.append(kline.close)

    @property
    def value(self) -> float | None:
        return sum(self.closes) / len(self.closes) if len(self.closes) == self.closes.maxlen else None


class Ema(Indicator):
    """An exponential mean, which remembers every bar that it was ever given; `starts` are these."""

    def __init__(self, period: int, interval: KlineInterval = M1, **more: Any) -> None:
        super().__init__(
            {"period": period}, **{"warmup_period": period, "kline_interval": interval, "name": "ema", **more}
        )
        self.weight = 2 / (period + 1)
        self.mean: float | None = None
        self.starts: list[int] = []

    def handle_kline(self, kline: Kline) -> None:
        if kline.confirm:
            self.starts.append(kline.start)
            mean = kline.close if self.mean is None else self.mean
            self.mean = mean + self.weight * (kline.close - mean)

    @property
    def value(self) -> float | None:
        return self.mean
