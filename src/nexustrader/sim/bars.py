"""What a bar is taken to have done inside, for backtests that have nothing finer.

Assumption: the price went from the open to the nearer extreme, then to the other one, then to the close. At
equal distance a rising bar visits its low first, a falling bar its high. The volume is spread evenly over the
legs. Real bars do worse things; a strategy whose result hangs on this order needs finer data.
"""

from __future__ import annotations

from typing import NamedTuple

from nexustrader.error import DataError
from nexustrader.sim.types import Side


class PublicTrade(NamedTuple):
    """A trade of the market, in ticks and lots."""

    price: int
    lots: int
    aggressor: Side


def bar_path(open_: int, high: int, low: int, close: int) -> tuple[int, int, int, int]:
    """The four prices of a bar in the order in which they are taken to have occurred.

    Raises DataError when open or close lies outside low to high.
    """
    if not low <= min(open_, close) <= max(open_, close) <= high:
        raise DataError(
            f"bar open={open_} high={high} low={low} close={close} ticks is impossible, drop the row"
        )
    rise, fall = high - open_, open_ - low
    low_first = fall < rise or (fall == rise and close >= open_)
    return (open_, low, high, close) if low_first else (open_, high, low, close)


def bar_trades(
    open_: int, high: int, low: int, close: int, lots: int, previous_close: int | None = None
) -> tuple[PublicTrade, ...]:
    """The bar as trades at the points of its path: buyers lead where the price rises, sellers where it falls.

    The lots are split evenly, the remainder to the last trades, none of which is empty. Raises DataError like
    `bar_path`.
    """
    path = bar_path(open_, high, low, close)
    start = open_ if previous_close is None else previous_close
    share, extra = divmod(lots, len(path))
    trades = []
    for place, (before, price) in enumerate(zip((start, *path), path, strict=False)):
        rising = price > before or (price == before and close >= open_)
        size = share + (place >= len(path) - extra)
        if size:
            trades.append(PublicTrade(price, size, Side.BUY if rising else Side.SELL))
    return tuple(trades)
