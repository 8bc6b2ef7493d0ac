"""What Python calls: the compiled functions, given the state as an array."""

from __future__ import annotations

from typing import Any

from nexustrader.sim.kernel import levels, market, orders, play, taking
from nexustrader.sim.kernel.compiled import entry, raw


@entry
def external_best(cells: Any, side: int) -> int:
    return levels.external_best(raw(cells), side)


@entry
def change_level(cells: Any, side: int, rank: int, lots: int) -> None:
    market.change_level(raw(cells), side, rank, lots)


@entry
def end_update(cells: Any) -> None:
    market.end_update(raw(cells))


@entry
def set_top(cells: Any, bid: int, bid_lots: int, ask: int, ask_lots: int) -> None:
    market.set_top(raw(cells), bid, bid_lots, ask, ask_lots)


@entry
def renew_queues(cells: Any) -> None:
    market.renew_queues(raw(cells))


@entry
def public_trade(cells: Any, side: int, price: int, lots: int) -> None:
    market.public_trade(raw(cells), side, price, lots)


@entry
def advance(cells: Any, events: Any, start: int, end: int, until_ns: int, listened: int) -> int:
    return play.advance(raw(cells), raw(events), start, end, until_ns, listened)


@entry
def touches(cells: Any, events: Any, start: int, end: int, out: Any) -> int:
    return play.touches(raw(cells), raw(events), start, end, raw(out))


@entry
def fill(cells: Any, slot: int, lots: int) -> None:
    orders.fill(raw(cells), slot, lots)


@entry
def submit(cells: Any, slot: int) -> int:
    return orders.submit(raw(cells), slot)


@entry
def cancel(cells: Any, slot: int, reason: int) -> None:
    orders.cancel(raw(cells), slot, reason)


@entry
def amend(cells: Any, slot: int, price: int, lots: int) -> int:
    return orders.amend(raw(cells), slot, price, lots)


@entry
def expire_all_idle(cells: Any) -> None:
    orders.expire_all_idle(raw(cells))


@entry
def plan(cells: Any, taker: int) -> None:
    taking.plan(raw(cells), taker)
