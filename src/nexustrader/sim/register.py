"""The orders that reached a simulated venue, by client id, and what a query would show of them."""

from __future__ import annotations

from nexustrader.domain import events as ev
from nexustrader.domain.ids import decode
from nexustrader.kernel.ports import Clock
from nexustrader.sim import facts
from nexustrader.sim.facts import Placed, answer
from nexustrader.sim.markets import Markets

CLOSED_ORDERS_MAX = 100_000  # how many ended orders can still be asked for


class Register:
    """Every open order, and the latest of those that have ended.

    `forgets`: open orders end with the process, so one that was sent before this venue was made is told as cancelled.
    """

    def __init__(self, account: str, clock: Clock, markets: Markets, *, first_id: int, forgets: bool) -> None:
        self._account = account
        self._clock = clock
        self._markets = markets
        self._next_id = first_id
        self._born_ms = clock.timestamp_ms() if forgets else None
        self._orders: dict[str, Placed] = {}
        self._closed: dict[str, None] = {}  # ended orders, oldest first

    def __contains__(self, oid: str) -> bool:
        return oid in self._orders

    @property
    def next_id(self) -> int:
        """The id of the next order that is added."""
        return self._next_id

    def get(self, oid: str) -> Placed | None:
        return self._orders.get(oid)

    def add(self, placed: Placed) -> None:
        """Keep an order, which takes the next id."""
        self._orders[placed.command.oid] = placed
        self._next_id += 1

    def drop(self, oid: str) -> None:
        """Forget an order that was refused at the last moment."""
        self._orders.pop(oid, None)
        self._closed.pop(oid, None)

    def close(self, oid: str) -> None:
        """Note that an order has ended; of the oldest ended ones the last is forgotten."""
        self._closed[oid] = None
        if len(self._closed) > CLOSED_ORDERS_MAX:
            oldest = next(iter(self._closed))
            del self._closed[oldest]
            self._orders.pop(oldest, None)

    # -- queries -----------------------------------------------------------------------------------------------

    def order(self, symbol: str, oid: str, eid: str | None) -> ev.OrderEvent | None:
        placed = self._orders.get(oid)
        if placed is not None:
            return answer(placed, self._clock.timestamp_ms())
        try:
            sent_ms = decode(oid).timestamp_ms
        except ValueError:
            return None
        if self._born_ms is None or sent_ms >= self._born_ms:
            return None
        return facts.lost(self._account, symbol, oid, eid, self._clock.timestamp_ms())

    def fills(self, oid: str) -> list[ev.OrderEvent]:
        placed = self._orders.get(oid)
        return [] if placed is None else facts.fill_answers(placed)

    def fills_since(self, symbol: str, since_ms: int) -> list[ev.OrderEvent]:
        return facts.fills_since(self._orders.values(), symbol, since_ms)

    def open_orders(self, symbol: str | None) -> list[ev.OrderEvent]:
        now_ms = self._clock.timestamp_ms()
        return [
            answer(placed, now_ms)
            for market in self._markets
            if symbol in (None, market.instrument.symbol)
            for placed in market.resting.values()
        ]
