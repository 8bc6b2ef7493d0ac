"""A bar as quotes: what the touch is taken to have been at each point of its path.

Assumption: at each point the last trade stands on the touch, the other side is one tick away, and both sides hold
what was traded there.
"""

from __future__ import annotations

from typing import NamedTuple

from nexustrader.schema import Kline, Trade
from nexustrader.sim.bars import bar_path
from nexustrader.sim.types import Side

POINTS = len(bar_path(1, 1, 1, 1))


class Tick(NamedTuple):
    """One point of a bar's path, in ticks and lots. `lots` is 0 where nothing was traded."""

    price: int
    lots: int
    aggressor: Side

    @property
    def bid(self) -> int:
        return self.price if self.aggressor is Side.SELL else self.price - 1

    @property
    def ask(self) -> int:
        return self.bid + 1

    @property
    def touch_lots(self) -> int:
        """What either side of the touch holds."""
        return self.lots or 1


def bar_ticks(kline: Kline, tick: float, lot: float) -> tuple[Tick, ...]:
    """The bar's points, in order of time. A bar with fewer lots than points has quotes and no trades.

    Buyers lead where the price rises, sellers where it falls, and whoever led before where it stays; the first point
    is a buyer's. So no point tells of a later one by its side. Raises DataError when open or close lies outside low
    to high.
    """
    path = bar_path(
        round(kline.open / tick), round(kline.high / tick), round(kline.low / tick), round(kline.close / tick)
    )
    share, extra = divmod(round((kline.volume or 0.0) / lot), POINTS)
    before, aggressor = path[0], Side.BUY
    ticks = []
    for place, price in enumerate(path):
        if price != before:
            aggressor = Side.BUY if price > before else Side.SELL
        lots = share + (place >= POINTS - extra) if share else 0
        ticks.append(Tick(price, lots, aggressor))
        before = price
    return tuple(ticks)


def closing_tick(kline: Kline, tick: float, lot: float) -> Tick:
    """The last of `bar_ticks`, without the others."""
    path = bar_path(
        round(kline.open / tick), round(kline.high / tick), round(kline.low / tick), round(kline.close / tick)
    )
    close = path[-1]
    before = next((price for price in path[-2::-1] if price != close), None)
    aggressor = Side.BUY if before is None or close > before else Side.SELL
    share, extra = divmod(round((kline.volume or 0.0) / lot), POINTS)
    return Tick(close, share + (extra > 0) if share else 0, aggressor)


def trade_tick(trade: Trade, tick: float, lot: float) -> Tick:
    """A public trade as the touch that it is taken to have left, where no quotes are known."""
    side = Side.BUY if trade.side.is_buy else Side.SELL
    return Tick(round(trade.price / tick), round(trade.size / lot), side)
