"""Recorded candles as a market: klines of one symbol move it on every product that lists it.

Assumptions, in full:

* Inside a candle the price is taken to have gone as `sim.ticks.bar_ticks` says, as in a backtest: four points, a
  quarter of the interval apart, at each of which a quarter of the volume traded. A candle of fewer than four lots
  moves the book and has no trades. Candles that are missing take no time.
* At each point the trade comes first, then the book around it: the touch is one tick wide and the last trade stands
  on it. Behind it, each side has levels at the multiples of LEVEL_GAP of the first price, LEVELS in all.
* A level holds LEVEL_VALUE of quote at the first price, give or take half. The amount at the touch changes with
  every point, the others depend on their price alone. Nothing is drawn: equal files give equal markets.
* Products differ in their grid only: all get the same prices and volumes, rounded to their ticks and lots.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, ClassVar

from nexustrader.constants import KlineInterval
from nexustrader.emulator.market.listing import Listings
from nexustrader.emulator.market.market import Market
from nexustrader.emulator.market.playback import Playback
from nexustrader.error import DataError
from nexustrader.kernel.ports import Clock
from nexustrader.sim.ticks import POINTS, Tick, bar_ticks
from nexustrader.sim.types import Level, Side

if TYPE_CHECKING:
    from nexustrader.data.bars import Bars

LEVELS = 20  # of a side, the touch included
LEVEL_GAP = 1e-4  # between levels behind the touch, of the first price
LEVEL_VALUE = 50_000.0  # quote that a level holds on average

SUFFIXES = (".csv", ".csv.gz", ".zip")
INTERVALS = {interval.value: interval for interval in KlineInterval if interval.milliseconds}
_NAME = re.compile(r"(?P<symbol>[A-Z0-9]+)-(?P<interval>[0-9]+[a-zA-Z])[-.]")


def is_klines(path: Path) -> bool:
    """True for a file that holds candles, by its name; recorded frames are in other gzip files."""
    return path.name.endswith(SUFFIXES)


class BarRecording:
    """The candles of one symbol, from one or several files, in order of time. See `bar_recordings`."""

    def __init__(self, symbol: str, bars: Bars, listings: Listings) -> None:
        self.symbol = symbol
        self.bars = bars
        self.name = ", ".join(bars.notes.sources)
        first_price = float(bars.open[0])
        self.first_prices = {  # in ticks, by product
            product: listed[symbol].to_sim().nearest_ticks(first_price)
            for product, listed in listings.items()
            if symbol in listed
        }


def bar_recordings(paths: Sequence[Path], listings: Listings) -> list[BarRecording]:
    """Reads files of candles of what is listed: one recording a symbol.

    Raises DataError, naming the file and the row where there is one to blame, for files that are not named after
    their symbol and interval, that cannot be read, or that the venue cannot play.
    """
    files: dict[str, list[tuple[Path, KlineInterval]]] = {}
    for path in paths:
        symbol, interval = _named(path, listings)
        files.setdefault(symbol, []).append((path, interval))
    return [_recording(symbol, parts, listings) for symbol, parts in files.items()]


class BarReplaySource(Playback[tuple[Tick, ...]]):
    """Plays candles into the markets of a symbol, `speed` times as fast as real time; 0 is as fast as possible."""

    slice_items_max: ClassVar[int] = 25
    frames = snapshots = 0  # candles are neither

    def __init__(
        self, recording: BarRecording, markets: Sequence[Market], clock: Clock, speed: float
    ) -> None:
        super().__init__(recording.name, clock, speed)
        self._bars = recording.bars
        self._tracks = [_Track(market, market.touch.bid) for market in markets]
        self._points = 0

    @property
    def lines(self) -> int:
        """Candles played so far."""
        return self._points // POINTS

    def _items(self) -> Iterator[tuple[int, tuple[Tick, ...]]]:
        step_ns = self._bars.interval.nanoseconds // POINTS
        number = 0
        for kline in self._bars.klines():
            for ticks in zip(
                *(bar_ticks(kline, track.tick, track.lot) for track in self._tracks), strict=True
            ):
                yield number * step_ns, ticks
                number += 1

    def _process(self, item: tuple[Tick, ...]) -> None:
        self._points += 1
        for track, tick in zip(self._tracks, item, strict=True):
            track.follow(tick, self._points)


class _Track:
    """One market, and the book that was put around its price last."""

    def __init__(self, market: Market, first_ticks: int) -> None:
        instrument = market.instrument
        self.tick, self.lot = float(instrument.tick), float(instrument.lot)
        self._market = market
        self._gap = max(1, round(first_ticks * LEVEL_GAP))
        self._level_lots = round(LEVEL_VALUE / (first_ticks * self.tick * self.lot))
        self._bids = self._levels(Side.BUY, first_ticks, 0)
        self._asks = self._levels(Side.SELL, first_ticks + 1, 0)
        market.load_book(market.update_id, self._bids.items(), self._asks.items())

    def follow(self, tick: Tick, number: int) -> None:
        """Trades at the point of this number, then moves the book there."""
        if tick.lots:
            self._market.trade(tick.price, tick.lots, buyer_is_maker=tick.aggressor is Side.SELL)
        bids = self._levels(Side.BUY, tick.bid, number)
        asks = self._levels(Side.SELL, tick.ask, number)
        self._market.move(
            _changes(self._bids, bids, Side.BUY, tick.bid), _changes(self._asks, asks, Side.SELL, tick.ask)
        )
        self._bids, self._asks = bids, asks

    def _levels(self, side: Side, best: int, number: int) -> dict[int, int]:
        """Lots by price in ticks: the best level, and those behind it at multiples of the gap."""
        levels = {best: self._lots(side * number)}
        behind = (side * best - 1) // self._gap  # as a rank, side × price: the lower the worse
        for multiple in range(behind, behind - LEVELS + 1, -1):
            price = side * multiple * self._gap
            if price > 0:
                levels[price] = self._lots(multiple)
        return levels

    def _lots(self, seed: int) -> int:
        """An amount between half and one and a half of the average, the same for the same seed."""
        return max(1, self._level_lots * (50 + seed * 7_919 % 101) // 100)


def _changes(old: dict[int, int], new: dict[int, int], side: Side, best: int) -> list[Level]:
    """The best level, what changed behind it, and what is gone there; `Market.move` removes what was better."""
    changed = [(price, lots) for price, lots in new.items() if price == best or old.get(price) != lots]
    return changed + [(price, 0) for price in old if price not in new and side * price < side * best]


def _named(path: Path, listings: Listings) -> tuple[str, KlineInterval]:
    """Symbol and interval by the file's name."""
    match = _NAME.match(path.name)
    if match is None or match["interval"] not in INTERVALS:
        raise DataError(
            f"{path}: symbol and interval are read off the file's name; name it SYMBOL-INTERVAL-… as in "
            f"BTCUSDT-1m-2024-01.csv.gz, with an interval of {', '.join(INTERVALS)}"
        )
    listed = sorted({symbol for symbols in listings.values() for symbol in symbols})
    if match["symbol"] not in listed:
        raise DataError(f"{path}: {match['symbol']} is not listed here; give candles of {', '.join(listed)}")
    return match["symbol"], INTERVALS[match["interval"]]


def _recording(symbol: str, files: Sequence[tuple[Path, KlineInterval]], listings: Listings) -> BarRecording:
    intervals = {interval.value for _, interval in files}
    if len(intervals) > 1:
        raise DataError(
            f"{', '.join(path.name for path, _ in files)}: {symbol} cannot follow candles of "
            f"{' and '.join(sorted(intervals))} at once; give files of one interval"
        )
    try:
        from nexustrader.data.bars import join_bars

        bars = join_bars([_read(path, symbol, interval, listings) for path, interval in files])
        return BarRecording(symbol, bars, listings)
    except ImportError as error:
        raise DataError(
            f"{files[0][0]}: candles are read with {error.name or 'a package'}, which is not installed; "
            'install it with `pip install "nexustrader[backtest]"`'
        ) from error


def _read(path: Path, symbol: str, interval: KlineInterval, listings: Listings) -> Bars:
    from nexustrader.data.readers.binance_vision import read_klines

    bars = read_klines(path, f"{symbol}.BINANCE", interval)
    if len(bars) > 1 and bars.notes.gaps == len(bars) - 1:
        raise DataError(
            f"{path}: no candle is {interval.value} after the one before; name it after its interval"
        )
    for product, listed in listings.items():
        if symbol not in listed:
            continue
        lowest, highest = float(listed[symbol].min_price), float(listed[symbol].max_price)
        bad = ((bars.low <= lowest) | (bars.high > highest)).nonzero()[0]
        if len(bad):
            row = int(bad[0])
            raise DataError(
                f"{path}: the candle that opens at {bars.start[row]} ms has prices from {bars.low[row]:g} to "
                f"{bars.high[row]:g}, which {symbol} cannot have on {product} (above {lowest:g}, up to "
                f"{highest:g}); is it the file of another symbol?"
            )
    return bars
