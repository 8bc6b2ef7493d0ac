"""Candles of one symbol: from the trades since the start, and before it from a seeded price path.

The path is a function of time, so all intervals agree with each other, any window can be asked for, nothing is
stored, and it ends exactly at the start price. Prices in ticks, amounts in lots.
"""

from __future__ import annotations

import math
from collections import deque
from collections.abc import Iterable, Iterator

import msgspec

from nexustrader.kernel.entropy import Entropy

SECOND_MS = 1_000
MINUTE_MS = 60_000
DAY_MS = 86_400_000
SECONDS_KEPT_MAX = 7_200
MINUTES_KEPT_MAX = 20_160  # two weeks of running
PATH_SAMPLES = 4  # prices looked at within one candle
# Period and amplitude (as a fraction) of the waves that make the path.
WAVES = (
    (30 * DAY_MS, 0.09),
    (6.3 * DAY_MS, 0.04),
    (1.1 * DAY_MS, 0.015),
    (4.7 * 3_600_000, 0.006),
    (0.9 * 3_600_000, 0.0025),
    (7 * MINUTE_MS, 0.0008),
    (1.3 * MINUTE_MS, 0.0002),
)


class Candle(msgspec.Struct):
    """One bar. `quote` is the sum of price × lots; ids are -1 when there was no trade."""

    open_ms: int
    open: int
    high: int
    low: int
    close: int
    lots: int = 0
    quote: int = 0
    count: int = 0
    taker_lots: int = 0
    taker_quote: int = 0
    first_id: int = -1
    last_id: int = -1

    def add(self, price: int, lots: int, trade_id: int, *, taker_buys: bool) -> None:
        """Takes one trade in."""
        self.high, self.low, self.close = max(self.high, price), min(self.low, price), price
        self.lots += lots
        self.quote += price * lots
        self.count += 1
        if taker_buys:
            self.taker_lots += lots
            self.taker_quote += price * lots
        self.first_id = trade_id if self.first_id < 0 else self.first_id
        self.last_id = trade_id

    def merge(self, later: Candle) -> None:
        """Takes in the candle that follows."""
        self.high, self.low, self.close = max(self.high, later.high), min(self.low, later.low), later.close
        self.lots += later.lots
        self.quote += later.quote
        self.count += later.count
        self.taker_lots += later.taker_lots
        self.taker_quote += later.taker_quote
        self.first_id = later.first_id if self.first_id < 0 else self.first_id
        self.last_id = max(self.last_id, later.last_id)


class PricePath:
    """A price for every moment before `end_ms`, where it is `end_price` ticks, and a volume."""

    def __init__(self, entropy: Entropy, end_ms: int, end_price: int, lots_per_minute: int) -> None:
        self._waves = [
            (2 * math.pi / period, amplitude, entropy.random() * 2 * math.pi) for period, amplitude in WAVES
        ]
        self._end_price = end_price
        self._lots_per_minute = lots_per_minute
        self._end_value = self._value(end_ms)

    def price(self, time_ms: int) -> int:
        """The price then, at least one tick."""
        return max(1, round(self._end_price * math.exp(self._value(time_ms) - self._end_value)))

    def candle(self, open_ms: int, close_ms: int) -> Candle:
        """The bar of a stretch of the path."""
        length = close_ms - open_ms
        prices = [self.price(open_ms + length * step // PATH_SAMPLES) for step in range(PATH_SAMPLES + 1)]
        # Uneven but the same whenever it is asked: a volume need not mean anything here.
        lots = max(
            1, self._lots_per_minute * length // MINUTE_MS * (50 + open_ms // SECOND_MS * 7_919 % 101) // 100
        )
        taker_lots = lots * (30 + open_ms // SECOND_MS * 104_729 % 41) // 100
        middle = sum(prices) // len(prices)
        return Candle(
            open_ms, prices[0], max(prices), min(prices), prices[-1], lots, lots * middle, max(1, lots // 10),
            taker_lots, taker_lots * middle,
        )  # fmt: skip

    def _value(self, time_ms: int) -> float:
        return sum(amplitude * math.sin(omega * time_ms + phase) for omega, amplitude, phase in self._waves)


class Candles:
    """All intervals of one symbol."""

    def __init__(self, path: PricePath, start_ms: int, start_price: int) -> None:
        self._path = path
        self._start_ms = start_ms - start_ms % SECOND_MS
        self.last = start_price
        self._seconds: deque[Candle] = deque(maxlen=SECONDS_KEPT_MAX)
        self._minutes: deque[Candle] = deque(maxlen=MINUTES_KEPT_MAX)

    def add(self, time_ms: int, price: int, lots: int, trade_id: int, *, taker_buys: bool) -> None:
        """Takes one trade in; times do not go back."""
        for kept, length_ms in ((self._seconds, SECOND_MS), (self._minutes, MINUTE_MS)):
            open_ms = time_ms - time_ms % length_ms
            if not kept or kept[-1].open_ms < open_ms:
                kept.append(Candle(open_ms, price, price, price, price))
            kept[-1].add(price, lots, trade_id, taker_buys=taker_buys)
        self.last = price

    def at(self, time_ms: int, length_ms: int) -> Candle:
        """The bar of `length_ms` that contains this moment."""
        open_ms = time_ms - time_ms % length_ms
        return next(iter(self._bars(open_ms, open_ms, length_ms)))

    def window(
        self, length_ms: int, limit: int, start_ms: int | None, end_ms: int | None, now_ms: int
    ) -> list[Candle]:
        """At most `limit` bars, ascending: from `start_ms` on, else the last up to `end_ms` or now."""
        last_open = min(now_ms, now_ms if end_ms is None else end_ms)
        last_open -= last_open % length_ms
        if start_ms is None:
            first_open = last_open - (limit - 1) * length_ms
        else:
            first_open = max(0, -(-start_ms // length_ms) * length_ms)
            last_open = min(last_open, first_open + (limit - 1) * length_ms)
        return list(self._bars(first_open, last_open, length_ms))

    def _bars(self, first_open: int, last_open: int, length_ms: int) -> Iterator[Candle]:
        lived = _grouped(self._seconds if length_ms < MINUTE_MS else self._minutes, first_open, length_ms)
        close = self._price_before(first_open)
        for open_ms in range(first_open, last_open + 1, length_ms):
            bar = None
            if open_ms < self._start_ms:
                bar = self._path.candle(open_ms, min(open_ms + length_ms, self._start_ms))
            for part in lived.get(open_ms, ()):
                if bar is None:
                    bar = msgspec.structs.replace(part, open_ms=open_ms)
                else:
                    bar.merge(part)
            bar = bar or Candle(open_ms, close, close, close, close)
            close = bar.close
            yield bar

    def _price_before(self, time_ms: int) -> int:
        """Close of the last bar before this moment that is still known."""
        for bars, length_ms in ((self._seconds, SECOND_MS), (self._minutes, MINUTE_MS)):
            for bar in reversed(bars):
                if bar.open_ms + length_ms <= time_ms:
                    return bar.close
        return self._path.price(min(time_ms, self._start_ms))


def _grouped(parts: Iterable[Candle], first_open: int, length_ms: int) -> dict[int, list[Candle]]:
    groups: dict[int, list[Candle]] = {}
    for part in parts:
        if part.open_ms >= first_open:
            groups.setdefault(part.open_ms - part.open_ms % length_ms, []).append(part)
    return groups
