"""A backtest as one plain loop, written from the documented rules alone: it shares no code with the simulator.

* A bar goes from its open to the nearer extreme, to the other one, to its close; at equal distance a rising bar visits
  its low first. A quarter of its lots is traded at each of the four points, what does not divide at the last ones.
* At each point the last trade stands on the touch, the other side a tick away, and both hold what was traded there (one
  lot where nothing was). Buyers lead where the price rises, sellers where it falls, and whoever led before where it
  stays; the first point of a bar is a buyer's. An order that is only touched keeps the other side a tick away.
* What was taken of a level stays taken until that level is told with another quantity.
* A market order takes what the other side of the touch holds and the rest one tick behind it; a limit order fills at
  its price when the other side crosses it, by what that holds. Fees are cut to eight places.
"""

from __future__ import annotations

import csv
import gzip
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from decimal import ROUND_DOWN, Decimal
from pathlib import Path

MINUTE_MS = 60_000
TICK, LOT = Decimal("0.01"), Decimal("0.00001")
MAKER, TAKER = Decimal("0.0002"), Decimal("0.0005")


@dataclass(frozen=True)
class Bar:
    start: int
    path: tuple[int, int, int, int]
    lots: tuple[int, int, int, int]


@dataclass
class Order:
    side: int  # 1 buys, -1 sells
    lots: int
    price: int | None = None  # in ticks; None is a market order


Plan = Mapping[int, list[Order | None]]  # by number of the closed bar; None cancels all that rests
Fill = tuple[int, str, Decimal, Decimal, Decimal, bool]  # time in ms, side, price, amount, fee, is maker


def read_bars(path: Path) -> list[Bar]:
    with gzip.open(path, "rt") as lines:
        return [to_bar(int(row[0]), *map(float, row[1:6])) for row in csv.reader(lines)]


def to_bar(start: int, open_: float, high: float, low: float, close: float, volume: float) -> Bar:
    first, top, bottom, last = (round(price * 100) for price in (open_, high, low, close))
    rise, fall = top - first, first - bottom
    falls_first = fall < rise or (fall == rise and last >= first)
    share, rest = divmod(round(volume * 100_000), 4)
    lots = tuple((share + (place >= 4 - rest)) if share else 1 for place in range(4))
    return Bar(start, (first, bottom, top, last) if falls_first else (first, top, bottom, last), lots)


def play(bars: Iterable[Bar], plan: Plan, *, is_spot: bool) -> list[Fill]:
    fills: list[Fill] = []

    def fill(time: int, order: Order, price: int, there: list[int], *, is_maker: bool) -> None:
        if not (lots := min(order.lots, there[1])):
            return
        amount, value = LOT * lots, LOT * lots * TICK * price
        fee = (amount if is_spot and order.side > 0 else value) * (MAKER if is_maker else TAKER)
        cut = fee.quantize(Decimal("1e-8"), ROUND_DOWN)
        fills.append((time, "BUY" if order.side > 0 else "SELL", TICK * price, amount, cut, is_maker))
        order.lots -= lots
        there[1] -= lots

    book: dict[int, dict[int, list[int]]] = {1: {}, -1: {}}  # side of taker: {level: [lots told, left]}
    touch, resting = {1: 0, -1: 0}, list[Order]()
    for number, bar in enumerate(bars, 1):
        buyers_lead, before = True, bar.path[0]
        for place, (price, lots) in enumerate(zip(bar.path, bar.lots, strict=True)):
            buyers_lead = price > before if price != before else buyers_lead
            before, time = price, bar.start + min(place * MINUTE_MS // 3, MINUTE_MS - 1)
            is_touched = any(order.price == price and (order.side > 0) == buyers_lead for order in resting)
            bid = price - (buyers_lead != is_touched)
            for side, level in ((1, bid + 1), (-1, bid)):
                touch[side] = level
                known = book[side] = {k: v for k, v in book[side].items() if side * (k - level) >= 0}
                if known.get(level, [0])[0] != lots:
                    known[level] = [lots, lots]
            for order in resting:
                there = book[order.side][touch[order.side]]
                if order.price is not None and order.side * (order.price - touch[order.side]) >= 0:
                    fill(time, order, order.price, there, is_maker=True)
            resting = [order for order in resting if order.lots]
        for order in plan.get(number, []):
            if order is None:
                resting.clear()
            elif order.price is not None:
                resting.append(order)
            else:
                level, end = touch[order.side], bar.start + MINUTE_MS
                fill(end, order, level, book[order.side][level], is_maker=False)
                fill(end, order, level + order.side, [0, order.lots], is_maker=False)
    return fills
