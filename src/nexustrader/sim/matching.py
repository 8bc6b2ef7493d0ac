"""One symbol's matching engine: price-time priority in integer ticks and lots, plain enough to be the oracle.

The market (recorded or synthetic) and the users share one book. The market's quantities come as absolute
levels; users' orders are matched against them and against each other. Assumptions, in full:

* A user's order rests behind the external quantity at its price. That queue shrinks by trades at the price, and
  with the level as the queue model says: by default only when the level shrinks below it, never by guessing who
  cancelled (`sim.queue_pessimistic`).
* With `feed="top"` only the touch is known, so an order below it waits behind an unknown queue, which becomes
  the touch's quantity when the touch reaches the price.
* A public trade of n lots fills users by n lots at most: first those at better prices, then those at its
  price whose queue is used up. It changes no external level; the book feed does.
* An external level that crosses a resting order fills it as maker at the order's own price, up to the lots
  of the crossing levels.
* External lots that a user took stay taken until the feed tells that level another quantity.
* `position_of` answers as of the last call: apply one call's events before you make the next. Fills of the
  running call are added here.

Every call returns what happened, in order.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable
from heapq import merge
from itertools import groupby
from typing import Literal, NamedTuple

from nexustrader.error import OrderError
from nexustrader.sim.book import Book, price_of
from nexustrader.sim.ladder import ExternalSide
from nexustrader.sim.queue import QueueModel
from nexustrader.sim.types import (
    Accepted,
    Amended,
    Canceled,
    CancelReason,
    Expired,
    ExpireReason,
    Level,
    MatchEvent,
    Rejected,
    RejectReason,
    Side,
    SimInstrument,
    SimOrder,
    Traded,
)

_NO_LIMIT = -(1 << 62)

PositionKey = tuple[str, str]
"""(account, position side)."""


def flat(_account: str, _position_side: str) -> int:
    """Signed lots of a user without positions."""
    return 0


class _Take(NamedTuple):
    """Trade so much at this rank, with a user's order or (None) with the market."""

    rank: int
    maker: SimOrder | None
    lots: int


class _Drop(NamedTuple):
    """Expire a resting order that stands in the way."""

    maker: SimOrder
    reason: ExpireReason


class _Plan(NamedTuple):
    """What an order would do now. `stopped`: its rest expires because it met its own account's order."""

    steps: list[_Take | _Drop]
    lots: int
    stopped: bool


class MatchingEngine(Book):
    """The book of one symbol and the rules by which it trades. Readings are in `Book`.

    `position_of(account, position_side)` gives signed lots and is asked for reduce-only orders alone.
    `reduce_only` says whether one larger than the position is clipped to it or rejected; `unfillable_fok`
    how a fill-or-kill order that cannot fill ends; `queue` what is assumed of the queue before an order, None the
    pessimistic model. Raises OrderError for orders that make no sense.
    """

    def __init__(
        self,
        instrument: SimInstrument,
        first_trade_id: int = 1,
        *,
        position_of: Callable[[str, str], int] = flat,
        reduce_only: Literal["CLIP", "REJECT"] = "CLIP",
        unfillable_fok: Literal["REJECT", "EXPIRE"] = "EXPIRE",
        feed: Literal["depth", "top"] = "depth",
        queue: QueueModel | None = None,
    ) -> None:
        super().__init__(instrument, first_trade_id, feed, queue)
        self._position_of = position_of
        self._clips_reduce_only = reduce_only == "CLIP"
        self._rejects_fok = unfillable_fok == "REJECT"
        self._moved: dict[PositionKey, int] = {}  # positions' changes by the running call
        self._out: list[MatchEvent] = []

    # -- the market ---------------------------------------------------------------------------------------

    def set_level(self, side: Side, price: int, lots: int) -> list[MatchEvent]:
        """Sets the external quantity at one price, absolutely; 0 removes the level."""
        level = ((price, lots),)
        return self.set_levels(level, ()) if side is Side.BUY else self.set_levels((), level)

    def set_levels(self, bids: Iterable[Level], asks: Iterable[Level]) -> list[MatchEvent]:
        """Sets several levels at one moment, each as `set_level` does; the others stay: one depth update."""
        for side, levels in ((Side.BUY, bids), (Side.SELL, asks)):
            external = self._external[side]
            for price, lots in levels:
                if price <= 0:
                    raise OrderError(f"{self.instrument.symbol}: no level can have price {price}")
                rank = side * price
                external.set(rank, lots)
                if self._open:
                    self._cap_queue(side, rank)
        if not self._open:
            return []
        return self._after_seen() if self._top_only else self._cross()

    def set_book(self, bids: Iterable[Level], asks: Iterable[Level]) -> list[MatchEvent]:
        """Replaces the whole external book."""
        self._external_bids.replace(bids)
        self._external_asks.replace((-price, lots) for price, lots in asks)
        return self._after_external(_NO_LIMIT, _NO_LIMIT)

    def set_top(self, bid: int, bid_lots: int, ask: int, ask_lots: int) -> list[MatchEvent]:
        """Sets the touch of an L1 feed: better external levels go, worse ones stay. 0 lots: none here."""
        self._external_bids.set_top(bid, bid_lots)
        self._external_asks.set_top(-ask, ask_lots)
        if not self._open:
            return []
        if self._top_only:
            return self._after_seen()
        return self._after_external(bid, -ask)

    def public_trade(self, price: int, lots: int, aggressor: Side) -> list[MatchEvent]:
        """A trade that happened in the market fills resting orders that it would have met."""
        if price <= 0 or lots < 0:
            raise OrderError(f"{self.instrument.symbol}: no trade can have price {price} and {lots} lots")
        if not self._open:
            return []
        self._begin()
        side = aggressor.opposite
        rank, left = side * price, lots
        for better in [r for r in self._users[side].best_first() if r > rank]:
            for maker in self._users[side].at(better):
                maker.queue_ahead = 0
                left -= self._fill_from_market(maker, left)
        passed = 0
        for maker in self._users[side].at(rank):
            ahead = min(max(0, maker.queue_ahead - passed), left)
            passed += ahead
            left -= ahead
            maker.queue_ahead = max(0, maker.queue_ahead - passed)
            maker.queue_passed += lots
            left -= self._fill_from_market(maker, left)
        return self._finish()

    def fill(self, order_id: int, lots: int) -> list[MatchEvent]:
        """Fills an open order at its price by at most `lots`, out of turn, as if the market had come to it.

        Nothing happens, and nothing is returned, if there is none with this id.
        """
        order = self._open.get(order_id)
        if order is None:
            return []
        self._begin()
        self._fill_from_market(order, lots)
        return self._finish()

    # -- the users ----------------------------------------------------------------------------------------

    def submit(self, order: SimOrder) -> list[MatchEvent]:
        """Enters an order. The engine owns it from here on; a reduce-only one may have its lots clipped."""
        check_new(order, is_known=order.order_id in self._open)
        self._begin()
        order.symbol = self.instrument.symbol
        refusal = self._refusal(order)
        if refusal:
            return self._reject(order, refusal)
        plan = self._plan(order)
        if order.tif == "FOK" and plan.lots < order.remaining:
            if self._rejects_fok:
                return self._reject(order, "FOK")
            self._out.append(Accepted(order.snapshot()))
            self._expire(order, "FOK")
            return self._finish()
        self._out.append(Accepted(order.snapshot()))
        self._execute(order, plan)
        return self._finish()

    def cancel(self, order_id: int, reason: CancelReason = "USER") -> list[MatchEvent]:
        """Cancels an open order. Nothing happens, and nothing is returned, if there is none with this id."""
        order = self._open.get(order_id)
        if order is None:
            return []
        self._begin()
        self._leave(order)
        self._cancel(order, reason)
        return self._finish()

    def cancel_all(self, account: str) -> list[MatchEvent]:
        """Cancels every open order of an account."""
        mine = [order.order_id for order in self._open.values() if order.account == account]
        return [event for order_id in mine for event in self.cancel(order_id)]

    def amend(self, order_id: int, price: int | None = None, lots: int | None = None) -> list[MatchEvent]:
        """Changes price and/or total of an open order, which goes to the end of the queue and may trade.

        It is cancelled instead when the new total is filled already, or when it is post-only and would take.
        Nothing happens, and nothing is returned, if no open order has this id.
        """
        order = self._open.get(order_id)
        if order is None:
            return []
        if (price is not None and price <= 0) or (lots is not None and lots <= 0):
            raise OrderError(f"order {order_id} cannot be amended to price {price} and {lots} lots")
        self._begin()
        self._leave(order)
        order.queue_ahead = order.queue_seen = order.queue_passed = 0
        if lots is not None and lots <= order.filled:
            self._cancel(order, "AMEND")
            return self._finish()
        order.price = order.price if price is None else price
        order.lots = order.lots if lots is None else lots
        refusal = self._refusal(order)
        if refusal == "REDUCE_ONLY":
            self._expire(order, "REDUCE_ONLY")
        elif refusal:
            self._cancel(order, "POST_ONLY")
        else:
            self._out.append(Amended(order.snapshot()))
            self._execute(order, self._plan(order))
        return self._finish()

    def expire_idle_reduce_only(self) -> list[MatchEvent]:
        """Expires reduce-only orders that no longer reduce; call it when a position changed elsewhere."""
        self._begin()
        for order in list(self._reduce_only.values()):
            self._expire_if_idle(order)
        return self._finish()

    def cost_to_take(self, side: Side, lots: int, limit: int | None = None) -> tuple[int, int]:
        """What a stranger's order would take now: (lots, sum of price × lots)."""
        kind: Literal["limit", "market"] = "market" if limit is None else "limit"
        probe = SimOrder(order_id=0, account="", side=side, lots=lots, kind=kind, price=limit)
        plan = self._plan(probe)
        return plan.lots, sum(abs(step.rank) * step.lots for step in plan.steps if isinstance(step, _Take))

    # -- entry --------------------------------------------------------------------------------------------

    def _refusal(self, order: SimOrder) -> RejectReason | None:
        """Why the order may not enter the book. Clips a reduce-only one to what it can reduce."""
        if order.reduce_only:
            reducible = self._reducible(order, self._moved)
            if reducible == 0 or (reducible < order.remaining and not self._clips_reduce_only):
                return "REDUCE_ONLY"
            order.lots = min(order.lots, order.filled + reducible)
        if order.post_only:
            best = self._best(order.side.opposite)
            if best is not None and order.side * (price_of(order) - best) >= 0:
                return "POST_ONLY"
        return None

    # -- matching -----------------------------------------------------------------------------------------

    def _plan(self, taker: SimOrder) -> _Plan:
        """What the order would do now, step by step; changes nothing."""
        side = taker.side.opposite
        external, users = self._external[side], self._users[side]
        limit = _NO_LIMIT if taker.price is None else -(taker.side * taker.price)
        steps: list[_Take | _Drop] = []
        moved: dict[PositionKey, int] = {}
        left = taker.remaining
        if users.is_empty:
            return _plan_with_market(external, left, limit)

        for rank, _ in groupby(merge(external.best_first(), users.best_first(), reverse=True)):
            if left == 0 or rank < limit:
                break
            available, passed = external.available(rank), 0
            for maker in users.at(rank):
                ahead = min(max(0, maker.queue_ahead - passed), available - passed, left)
                if ahead:
                    steps.append(_Take(rank, None, ahead))
                    passed += ahead
                    left -= ahead
                if left == 0:
                    break
                if maker.account == taker.account and taker.self_trade != "NONE":
                    if taker.self_trade != "EXPIRE_TAKER":
                        steps.append(_Drop(maker, "STP"))
                    if taker.self_trade != "EXPIRE_MAKER":
                        return _Plan(steps, taker.remaining - left, stopped=True)
                    continue
                lots = min(left, self._executable(maker, moved))
                if lots:
                    steps.append(_Take(rank, maker, lots))
                    left -= lots
                    _shift(moved, maker, lots)
                    _shift(moved, taker, lots)
                if left and lots < maker.remaining:
                    steps.append(_Drop(maker, "REDUCE_ONLY"))
            behind = min(left, available - passed)
            if behind:
                steps.append(_Take(rank, None, behind))
                left -= behind
        return _Plan(steps, taker.remaining - left, stopped=False)

    def _execute(self, taker: SimOrder, plan: _Plan) -> None:
        """Carries the plan out; the rest of the order then rests or expires."""
        side = taker.side.opposite
        for step in plan.steps:
            if isinstance(step, _Drop):
                self._leave(step.maker)
                self._expire(step.maker, step.reason)
                continue
            if step.maker is None:
                self._external[side].take(step.rank, step.lots)
                for waiting in self._users[side].at(step.rank):
                    waiting.queue_ahead = max(0, waiting.queue_ahead - step.lots)
                    waiting.queue_seen -= step.lots
            self._trade(abs(step.rank), step.lots, maker=step.maker, taker=taker)
        if taker.remaining == 0:
            return
        if plan.stopped:
            self._expire(taker, "STP")
        elif taker.kind == "market":
            self._expire(taker, "NO_LIQUIDITY")
        elif taker.tif == "IOC":
            self._expire(taker, "IOC")
        else:
            self._rest(taker)

    def _trade(self, price: int, lots: int, *, maker: SimOrder | None, taker: SimOrder | None) -> None:
        """One execution, reported to the taker and then to the maker; None is the market."""
        trade_id = self.next_trade_id
        self.next_trade_id += 1
        for order, other, is_maker in ((taker, maker, False), (maker, taker, True)):
            if order is None:
                assert other is not None
                self.traded_lots["market_sell" if other.side is Side.BUY else "market_buy"] += lots
                continue
            order.filled += lots
            order.cost_ticks += price * lots
            order.status = "PARTIALLY_FILLED" if order.remaining else "FILLED"
            self.traded_lots["user_buy" if order.side is Side.BUY else "user_sell"] += lots
            _shift(self._moved, order, lots)
            if is_maker and not order.remaining:
                self._leave(order)
            counterparty = other.account if other else None
            self._out.append(Traded(order.snapshot(), price, lots, is_maker, trade_id, counterparty))

    def _fill_from_market(self, maker: SimOrder, lots: int) -> int:
        """Fills a resting order at its price by at most `lots`; returns how many."""
        filled = min(lots, self._executable(maker, self._moved))
        if filled:
            self._trade(price_of(maker), filled, maker=maker, taker=None)
        return filled

    def _fill_crossed(self, side: Side) -> None:
        """Fills resting orders of one side that the other side's external levels cross."""
        users, external = self._users[side], self._external[side.opposite]
        while True:
            best, against = users.best(), external.best()
            if best is None or against is None or best + against < 0:
                return
            maker = users.at(best)[0]
            filled = self._fill_from_market(maker, external.available(against))
            if filled:
                external.take(against, filled)
            else:
                self._leave(maker)
                self._expire(maker, "REDUCE_ONLY")

    # -- the book -----------------------------------------------------------------------------------------

    def _after_external(self, worst_bid: int, worst_ask: int) -> list[MatchEvent]:
        """Queues and crossings after external levels changed at these ranks or better."""
        if not self._open:
            return []
        for side, worst in ((Side.BUY, worst_bid), (Side.SELL, worst_ask)):
            for rank in self._users[side].best_first():
                if rank < worst:
                    break
                self._cap_queue(side, rank)
        return self._cross()

    def _after_seen(self) -> list[MatchEvent]:
        """After a touch moved: what lies better than it is seen now, and seen to be empty."""
        return self._after_external(self._worst_seen(Side.BUY), self._worst_seen(Side.SELL))

    def _worst_seen(self, side: Side) -> int:
        """The rank of the touch; above every rank while there is none."""
        touch = self._external[side].touch()
        return -_NO_LIMIT if touch is None else touch

    def _cross(self) -> list[MatchEvent]:
        self._begin()
        for side in (Side.BUY, Side.SELL):
            self._fill_crossed(side)
        return self._finish()

    # -- reduce-only --------------------------------------------------------------------------------------

    def _reducible(self, order: SimOrder, moved: dict[PositionKey, int]) -> int:
        """Lots of its position that the order could close."""
        key = (order.account, order.position_side)
        return max(0, -order.side * (self._position_of(*key) + moved.get(key, 0)))

    def _executable(self, order: SimOrder, moved: dict[PositionKey, int]) -> int:
        """Lots that a resting order may still execute."""
        return min(order.remaining, self._reducible(order, moved)) if order.reduce_only else order.remaining

    def _expire_if_idle(self, order: SimOrder) -> None:
        if self._reducible(order, self._moved) == 0:
            self._leave(order)
            self._expire(order, "REDUCE_ONLY")

    # -- one call -----------------------------------------------------------------------------------------

    def _begin(self) -> None:
        self._out = []
        self._moved.clear()

    def _finish(self) -> list[MatchEvent]:
        if self._reduce_only and self._moved:
            for order in list(self._reduce_only.values()):
                if (order.account, order.position_side) in self._moved:
                    self._expire_if_idle(order)
        return self._out

    def _cancel(self, order: SimOrder, reason: CancelReason) -> None:
        order.status = "CANCELED"
        self._out.append(Canceled(order.snapshot(), reason))

    def _expire(self, order: SimOrder, reason: ExpireReason) -> None:
        order.status = "EXPIRED"
        self._out.append(Expired(order.snapshot(), reason))

    def _reject(self, order: SimOrder, reason: RejectReason) -> list[MatchEvent]:
        order.status = "REJECTED"
        self._out.append(Rejected(order.snapshot(), reason))
        return self._finish()


def _plan_with_market(external: ExternalSide, lots: int, limit: int) -> _Plan:
    """What an order of so many lots would do at these ranks or better while no user's order rests there."""
    steps: list[_Take | _Drop] = []
    left = lots
    for rank in external.best_first():
        if left == 0 or rank < limit:
            break
        taken = min(left, external.available(rank))
        steps.append(_Take(rank, None, taken))
        left -= taken
    return _Plan(steps, lots - left, stopped=False)


def check_new(order: SimOrder, *, is_known: bool) -> None:
    """Raises OrderError for an order that is open already, is not new, or makes no sense."""
    priced = order.price is not None and order.price > 0
    if order.lots <= 0 or order.filled or order.status != "NEW" or is_known:
        raise OrderError(
            f"order {order.order_id} is not new: {order.status}, {order.filled}/{order.lots} lots"
        )
    if priced != (order.kind == "limit") or (order.post_only and (order.kind, order.tif) != ("limit", "GTC")):
        raise OrderError(
            f"order {order.order_id}: {order.kind} {order.tif} with price {order.price} and "
            f"post_only={order.post_only} makes no sense: limit orders have a price, post-only is GTC"
        )


def _shift(moved: dict[PositionKey, int], order: SimOrder, lots: int) -> None:
    key = (order.account, order.position_side)
    moved[key] = moved.get(key, 0) + order.side * lots
