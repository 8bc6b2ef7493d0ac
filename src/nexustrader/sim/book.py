"""The book of one symbol: the market's levels, the users' resting orders, and what can be read from both."""

from __future__ import annotations

import hashlib
from collections.abc import Iterable, Sequence
from typing import Literal

import msgspec

from nexustrader.sim.ladder import ExternalSide, UserSide, depth
from nexustrader.sim.queue import QueueModel
from nexustrader.sim.queue_pessimistic import PessimisticQueue
from nexustrader.sim.types import Level, Side, SimInstrument, SimOrder, Touch

UNSEEN_LOTS = 1 << 50
"""Queue before an order whose price the feed has not shown: longer than any trade."""


class Book:
    """State without rules: `matching.MatchingEngine` decides what happens to it."""

    def __init__(
        self,
        instrument: SimInstrument,
        first_trade_id: int,
        feed: Literal["depth", "top"],
        queue: QueueModel | None = None,
    ) -> None:
        self.instrument = instrument
        self._queue = queue or PessimisticQueue()
        self.next_trade_id = first_trade_id
        self.traded_lots = dict.fromkeys(("user_buy", "user_sell", "market_buy", "market_sell"), 0)
        self._top_only = feed == "top"
        self._external = {side: ExternalSide() for side in Side}
        self._users = {side: UserSide() for side in Side}
        self._external_bids, self._external_asks = self._external[Side.BUY], self._external[Side.SELL]
        self._open: dict[int, SimOrder] = {}
        self._reduce_only: dict[int, SimOrder] = {}

    # -- readings -----------------------------------------------------------------------------------------

    def best_bid(self) -> int | None:
        """Best bid of market and users."""
        return self._best(Side.BUY)

    def best_ask(self) -> int | None:
        """Best ask of market and users."""
        return self._best(Side.SELL)

    def external_best_bid(self) -> int | None:
        """Best bid of the market alone."""
        return self._external_bids.best()

    def external_best_ask(self) -> int | None:
        """Best ask of the market alone."""
        rank = self._external_asks.best()
        return None if rank is None else -rank

    def told_touch(self) -> Touch:
        """Best bid and ask as the market told them, whatever users took."""
        return Touch(*self._external_bids.told_best(), *self._external_asks.told_best())

    def told_levels(self, count: int) -> tuple[list[Level], list[Level]]:
        """The market's best `count` bids and asks as it told them, best first."""
        return self._external_bids.told(count), self._external_asks.told(count)

    def depth(self, count: int) -> tuple[list[Level], list[Level]]:
        """The best `count` bids and asks, market and users together, best first."""
        bids, asks = (depth(self._external[side], self._users[side], count) for side in (Side.BUY, Side.SELL))
        return bids, asks

    def order(self, order_id: int) -> SimOrder | None:
        """A snapshot of an open order."""
        order = self._open.get(order_id)
        return order.snapshot() if order else None

    def open_orders(self, account: str | None = None) -> list[SimOrder]:
        """Snapshots of the open orders, of all or of one account, in order of acceptance."""
        return [o.snapshot() for o in self._open.values() if account is None or o.account == account]

    def state(self) -> dict[str, object]:
        """All there is, in the form that every implementation must arrive at."""
        return {
            "symbol": self.instrument.symbol,
            "next_trade_id": self.next_trade_id,
            "traded": self.traded_lots,
            "external": [self._external[side].state() for side in (Side.BUY, Side.SELL)],
            "orders": [list(self._users[side]) for side in (Side.BUY, Side.SELL)],
        }

    def state_hash(self) -> str:
        """Hash of `state`: equal for equal histories, in any process and any implementation."""
        encoded = msgspec.json.encode(self.state(), order="deterministic")
        return hashlib.blake2b(encoded, digest_size=16).hexdigest()

    def load(
        self, bids: Iterable[Sequence[int]], asks: Iterable[Sequence[int]], orders: Iterable[SimOrder]
    ) -> None:
        """Fills an empty book with levels (rank, told, taken), worst first, and open orders as they arrived."""
        self._external_bids.load(bids)
        self._external_asks.load(asks)
        for order in orders:
            self._enter(order)

    def check_invariants(self) -> list[str]:
        """What is wrong with the book, as texts; empty when all is well. Holds between calls."""
        parts: list[ExternalSide | UserSide] = [*self._external.values(), *self._users.values()]
        wrong = [text for part in parts for text in part.check()]
        resting = {order.order_id: order for side in Side for order in self._users[side]}
        if resting.keys() != self._open.keys():
            wrong.append(f"open orders {sorted(self._open)} are not the resting ones {sorted(resting)}")
        if self._reduce_only != {i: order for i, order in self._open.items() if order.reduce_only}:
            wrong.append(f"the reduce-only orders {sorted(self._reduce_only)} are not those that rest")
        for side in Side:
            wrong += self._check_orders(side)
            best = self._users[side].best()
            for against in (self._users[side.opposite].best(), self._external[side.opposite].best()):
                if best is not None and against is not None and best + against >= 0:
                    wrong.append(f"a resting {side.name} at {abs(best)} crosses the book at {abs(against)}")
        traded = self.traded_lots
        if traded["user_buy"] + traded["market_buy"] != traded["user_sell"] + traded["market_sell"]:
            wrong.append(f"lots bought and sold differ: {traded}")
        return wrong

    def _check_orders(self, side: Side) -> list[str]:
        wrong = []
        external = self._external[side]
        for rank in self._users[side].best_first():
            ahead, ahead_max = 0, UNSEEN_LOTS if self._top_only else external.available(rank)
            for order in self._users[side].at(rank):
                if not 0 <= order.filled < order.lots or order.cost_ticks < order.filled:
                    wrong.append(
                        f"order {order.order_id} rests with {order.filled} of {order.lots} lots filled"
                    )
                if order.status != ("PARTIALLY_FILLED" if order.filled else "NEW") or order.side != side:
                    wrong.append(f"order {order.order_id} rests as {order.side.name} {order.status}")
                if order.price is None or rank != side * order.price:
                    wrong.append(f"order {order.order_id} of price {order.price} rests at {abs(rank)}")
                if not ahead <= order.queue_ahead <= ahead_max:
                    wrong.append(f"order {order.order_id} has {order.queue_ahead} lots ahead at {abs(rank)}")
                ahead = order.queue_ahead
        return wrong

    def pass_over(self, bids: Iterable[Level], asks: Iterable[Level]) -> None:
        """Takes in former touches that came near no order, each side's in order of time. 0 lots: none here."""
        for price, lots in bids:
            self._external_bids.set_top(price, lots)
        for price, lots in asks:
            self._external_asks.set_top(-price, lots)

    # -- what the engine does to it -----------------------------------------------------------------------

    def _rest(self, order: SimOrder) -> None:
        rank = order.side * price_of(order)
        external = self._external[order.side]
        touch = external.touch()
        unseen = self._top_only and (touch is None or rank < touch)
        order.queue_ahead = order.queue_seen = UNSEEN_LOTS if unseen else external.available(rank)
        order.queue_passed = 0
        self._enter(order)

    def _enter(self, order: SimOrder) -> None:
        self._users[order.side].join(order.side * price_of(order), order)
        self._open[order.order_id] = order
        if order.reduce_only:
            self._reduce_only[order.order_id] = order

    def _leave(self, order: SimOrder) -> None:
        self._users[order.side].leave(order.side * price_of(order), order)
        del self._open[order.order_id]
        self._reduce_only.pop(order.order_id, None)

    def _cap_queue(self, side: Side, rank: int) -> None:
        available, ahead = self._external[side].available(rank), 0
        for order in self._users[side].at(rank):
            if order.queue_seen != available:
                before = max(0, order.queue_seen - order.queue_passed)
                order.queue_ahead = self._queue.ahead(order.queue_ahead, before, available)
                order.queue_seen, order.queue_passed = available, 0
            ahead = order.queue_ahead = max(ahead, order.queue_ahead)

    def _best(self, side: Side) -> int | None:
        ranks = [r for r in (self._external[side].best(), self._users[side].best()) if r is not None]
        return abs(max(ranks)) if ranks else None


def price_of(order: SimOrder) -> int:
    """Price of an order that rests or may rest."""
    assert order.price is not None
    return order.price
