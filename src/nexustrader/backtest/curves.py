"""Equity and exposure of a run, drawn after it: wallets and positions change only at fills, so that between them both
are functions of the price alone. Drawn some points at a time, so that nothing but the curves is as long as the data.
"""

from __future__ import annotations

from array import array
from collections.abc import Iterator, Mapping
from typing import NamedTuple

import numpy as np

from nexustrader.backtest.result import EquityCurve, Exposure
from nexustrader.data.bars import Bars, Floats, Ints, spans
from nexustrader.sim.types import SimInstrument

Key = tuple[str, str]  # account, and asset or symbol
FOREVER_MS = int(np.iinfo(np.int64).max)


class Steps:
    """A value that changes at times: constant in between."""

    def __init__(self, first: float) -> None:
        self._times = array("q")
        self._values = array("d", [first])

    def add(self, time_ms: int, value: float) -> None:
        self._times.append(time_ms)
        self._values.append(value)

    def at(self, times: Ints) -> Floats:
        """The value at each of the times, changes at the very time included."""
        place = np.searchsorted(np.frombuffer(self._times, dtype=np.int64), times, side="right")
        return np.frombuffer(self._values, dtype=np.float64)[place]


class Curves(NamedTuple):
    """Equity, what it was exposed to, and the assets left out of both for want of a price."""

    equity: EquityCurve
    exposure: Exposure
    unpriced: list[str]


class Held(NamedTuple):
    """What the accounts held over time: wallets by asset; lots and costs of positions by symbol."""

    wallets: Mapping[Key, Steps]
    lots: Mapping[Key, Steps]
    costs: Mapping[Key, Steps]
    instruments: Mapping[str, SimInstrument]


def draw(held: Held, bars: Mapping[str, Bars], currency: str, end_ms: int) -> Curves:
    """Equity and exposure in `currency`, before the first bar and at the close of every one until `end_ms`.

    The last point holds everything that was filled, also by commands that were under way at the end.
    """
    times = _times(bars, end_ms)
    total = np.zeros(len(times))
    unpriced: dict[str, None] = {}
    for rows, prices, holdings in _parts(held, bars, currency, times):
        for asset, worth, _ in holdings:
            if asset in prices:
                total[rows] += worth * prices[asset]
            elif worth.any():
                unpriced[asset] = None

    def exposed() -> tuple[Floats, Floats]:
        net, gross = np.zeros(len(times)), np.zeros(len(times))
        for rows, prices, holdings in _parts(held, bars, currency, times):
            for asset, _, size in holdings:
                if asset in prices:
                    net[rows] += size * prices[asset]
                    gross[rows] += np.abs(size) * prices[asset]
        return net, gross

    return Curves(EquityCurve(times, total), Exposure(exposed), sorted(unpriced))


def _times(bars: Mapping[str, Bars], end_ms: int) -> Ints:
    """The opening, and every close."""
    first, *others = bars.values()
    starts = first.start
    for one in others:
        if not np.array_equal(starts, one.start):
            starts = np.union1d(starts, one.start)
    count = int(np.searchsorted(starts, end_ms - first.step_ms, side="right"))
    times = np.empty(count + 1, dtype=np.int64)
    times[0] = starts[0]
    np.add(starts[:count], first.step_ms, out=times[1:])
    return times


_Part = tuple[slice, Mapping[str, Floats | float], Iterator[tuple[str, Floats, Floats]]]


def _parts(held: Held, bars: Mapping[str, Bars], currency: str, times: Ints) -> Iterator[_Part]:
    """Some of the points at a time, with prices and holdings at them."""
    for rows in spans(len(times)):
        at = held_at = times[rows]
        if not rows.start:
            at = held_at = np.append(at[:1] - 1, at[1:])
        if rows.stop == len(times):
            held_at = np.append(at[:-1], FOREVER_MS)
        closes = {symbol: _closes(one, at) for symbol, one in bars.items()}
        yield rows, _prices(held, closes, currency), _holdings(held, held_at, closes, currency)
        for one in bars.values():
            one.release()


def _prices(held: Held, closes: Mapping[str, Floats], currency: str) -> dict[str, Floats | float]:
    """What one unit of each asset is worth: by the first symbol that trades it against the currency."""
    prices: dict[str, Floats | float] = {currency: 1.0}
    for symbol, close in closes.items():
        instrument = held.instruments[symbol]
        if instrument.quote == currency:
            prices.setdefault(instrument.base, close)
    return prices


def _holdings(
    held: Held, times: Ints, closes: Mapping[str, Floats], currency: str
) -> Iterator[tuple[str, Floats, Floats]]:
    """Asset by asset what the accounts hold and what of it a price moves, both in the asset: wallets in anything
    but the currency itself, and positions, which are worth their unrealised profit.
    """
    for (_, asset), steps in held.wallets.items():
        wallet = steps.at(times)
        yield asset, wallet, np.zeros(len(times)) if asset == currency else wallet
    for key, lots in held.lots.items():
        instrument = held.instruments[key[1]]
        size = lots.at(times) * float(instrument.contract_size * instrument.lot)
        cost, close = held.costs[key].at(times), closes[key[1]]
        if instrument.kind == "inverse":
            yield instrument.settle, cost - size / close, size / close
        else:
            yield instrument.settle, size * close - cost, size * close


def _closes(bars: Bars, times: Ints) -> Floats:
    """The last known close at each time; before the first bar its open."""
    place = np.searchsorted(bars.start, times - bars.step_ms, side="right") - 1
    return np.where(place >= 0, bars.close[np.maximum(place, 0)], bars.open[0])
