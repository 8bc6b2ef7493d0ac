"""A synthetic market: seeded, deterministic, shaped like a liquid perpetual.

The mid price is a random walk whose volatility reverts to its mean (the logarithm is an Ornstein-Uhlenbeck
process). Spread widens with volatility, depth grows with the distance from the touch, trades arrive as a
Poisson process and lean towards the coming move. Equal seeds give equal markets.
"""

from __future__ import annotations

import math
from collections.abc import Iterable, Iterator
from decimal import Decimal
from typing import Protocol

import msgspec

from nexustrader.sim.bars import PublicTrade
from nexustrader.sim.matching import MatchingEngine
from nexustrader.sim.types import Level, MatchEvent, Side, SimInstrument


class Randomness(Protocol):
    """A stream of draws; `kernel.entropy.Entropy` is one."""

    def random(self) -> float: ...
    def gauss(self, mean: float, deviation: float, /) -> float: ...
    def expovariate(self, rate: float, /) -> float: ...


class MarketProfile(msgspec.Struct, frozen=True, kw_only=True):
    """The market's character. Fractions are of the price, values are in quote."""

    volatility_per_sqrt_s: float = 1e-4
    volatility_log_deviation: float = 0.4
    volatility_reversion_s: float = 600.0
    spread: float = 2e-6
    levels: int = 20
    level_value: float = 50_000.0
    depth_slope: float = 0.15
    churn: float = 0.25  # part of the standing levels that change in a step
    trades_per_s: float = 4.0
    trade_value: float = 5_000.0
    trade_lean: float = 0.2  # how far trades lean towards the coming move, 0 to 0.5
    index_smoothing_s: float = 5.0
    premium: float = 1e-4


class MarketStep(msgspec.Struct, frozen=True):
    """What one step brought. `trades` met the book as it stood before; `bids` and `asks` are the levels that
    changed since, as absolute lots, 0 where a level went."""

    timestamp_ms: int
    trades: tuple[PublicTrade, ...]
    bids: tuple[Level, ...]
    asks: tuple[Level, ...]
    mark_ticks: int
    index_ticks: int


class SyntheticMarket:
    """One symbol's made-up market. Its own book, `book()`, never shows what users do to the engine's."""

    def __init__(
        self,
        instrument: SimInstrument,
        randomness: Randomness,
        start_price: Decimal,
        *,
        start_ms: int = 0,
        profile: MarketProfile | None = None,
    ) -> None:
        self.instrument = instrument
        self.profile = profile or MarketProfile()
        self.timestamp_ms = start_ms
        self._draw = randomness
        self._mid = float(start_price / instrument.tick)
        self._index = self._mid
        self._log_volatility = 0.0
        self._premium = 0.0
        self._sides: dict[Side, dict[int, int]] = {side: {} for side in Side}
        self._quote()

    def book(self) -> tuple[list[Level], list[Level]]:
        """The whole book, best first: the snapshot to start from."""
        bids, asks = self._sides[Side.BUY], self._sides[Side.SELL]
        return sorted(bids.items(), reverse=True), sorted(asks.items())

    def step(self, elapsed_ms: int) -> MarketStep:
        """Moves the market by so many milliseconds."""
        seconds = elapsed_ms / 1000
        before = {side: dict(levels) for side, levels in self._sides.items()}
        move = self._next_move(seconds)
        trades = tuple(self._trades(seconds, move))
        self._mid = max(self._mid * math.exp(move), float(2 * self.profile.levels))
        self._quote()
        self._follow(seconds)
        self.timestamp_ms += elapsed_ms
        bids, asks = (_changes(before[side], self._sides[side], side) for side in (Side.BUY, Side.SELL))
        mark = max(1, round(self._index * (1 + self._premium)))
        return MarketStep(self.timestamp_ms, trades, bids, asks, mark, max(1, round(self._index)))

    def _next_move(self, seconds: float) -> float:
        """Logarithmic return of this step."""
        profile = self.profile
        keep = math.exp(-seconds / profile.volatility_reversion_s)
        shock = profile.volatility_log_deviation * math.sqrt(1 - keep * keep)
        self._log_volatility = self._log_volatility * keep + self._draw.gauss(0.0, shock)
        volatility = profile.volatility_per_sqrt_s * math.exp(self._log_volatility)
        return self._draw.gauss(0.0, volatility * math.sqrt(seconds))

    def _trades(self, seconds: float, move: float) -> Iterable[PublicTrade]:
        lean = math.copysign(self.profile.trade_lean, move)
        time_s = self._draw.expovariate(self.profile.trades_per_s)
        while time_s < seconds:
            aggressor = Side.BUY if self._draw.random() < 0.5 + lean else Side.SELL
            yield from self._sweep(aggressor, self._lots(self.profile.trade_value))
            time_s += self._draw.expovariate(self.profile.trades_per_s)

    def _sweep(self, aggressor: Side, lots: int) -> Iterable[PublicTrade]:
        """Takes so much from the book, level by level."""
        levels = self._sides[aggressor.opposite]
        for price in sorted(levels, reverse=aggressor is Side.SELL):
            taken = min(lots, levels[price])
            yield PublicTrade(price, taken, aggressor)
            lots -= taken
            levels[price] -= taken
            if not levels[price]:
                del levels[price]
            if not lots:
                return

    def _quote(self) -> None:
        """Puts the book around the mid: levels out of range go, missing ones come, some change."""
        profile = self.profile
        spread = max(1, round(profile.spread * math.exp(self._log_volatility) * self._mid))
        best_bid = math.floor(self._mid - spread / 2 + 0.5)
        for side, best in ((Side.BUY, best_bid), (Side.SELL, best_bid + spread)):
            levels = self._sides[side]
            prices = [best - side * depth for depth in range(profile.levels)]
            self._sides[side] = {
                price: levels[price]
                if price in levels and self._draw.random() >= profile.churn
                else self._lots(profile.level_value * (1 + profile.depth_slope * depth))
                for depth, price in enumerate(prices)
            }

    def _follow(self, seconds: float) -> None:
        """Index follows the mid; the premium of the mark over it wanders around zero."""
        keep = math.exp(-seconds / self.profile.index_smoothing_s)
        self._index = self._index * keep + self._mid * (1 - keep)
        shock = self.profile.premium * math.sqrt(1 - keep * keep)
        self._premium = self._premium * keep + self._draw.gauss(0.0, shock)

    def _lots(self, mean_value: float) -> int:
        """A quantity, exponentially distributed around a value in quote; at least one lot."""
        instrument = self.instrument
        lot_value = float(instrument.lot * instrument.contract_size)
        if instrument.kind != "inverse":
            lot_value *= self._mid * float(instrument.tick)
        return 1 + int(self._draw.expovariate(1.0) * mean_value / lot_value)


def feed(engine: MatchingEngine, step: MarketStep) -> Iterator[list[MatchEvent]]:
    """Gives one step to an engine, its trades first; apply what each call yields before the next is made."""
    for trade in step.trades:
        yield engine.public_trade(*trade)
    yield engine.set_levels(step.bids, step.asks)


def _changes(before: dict[int, int], after: dict[int, int], side: Side) -> tuple[Level, ...]:
    prices = sorted(before.keys() | after.keys(), reverse=side is Side.BUY)
    return tuple((p, after.get(p, 0)) for p in prices if before.get(p) != after.get(p))
