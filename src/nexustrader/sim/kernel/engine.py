"""The matching engine on the native state: the methods of `sim.matching.MatchingEngine`, and `play`."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from typing import Literal

import numpy as np

from nexustrader.error import OrderError
from nexustrader.sim.book import Book
from nexustrader.sim.kernel import entries
from nexustrader.sim.kernel.columns import Events
from nexustrader.sim.kernel.layout import (
    AHEAD,
    AT_CHANGE,
    AT_FULL,
    BEST_USER,
    CLIPS,
    EVERYWHERE,
    GUARD,
    GUARDED,
    HELD,
    KEY_CELLS,
    KEYS,
    LOTS_MAX,
    MARKET_LOTS,
    NEXT_TRADE_ID,
    NOWHERE,
    OUT_COUNT,
    PASSED,
    PLAN_LOTS,
    PRICE_MAX,
    QUEUE_POWER,
    REASONS,
    REDUCING,
    REJECTS_FOK,
    SEEN,
    SELF_TRADES,
    TIFS,
    TOP_ONLY,
    TOUCH,
    TOUCH_WATCHED,
    USER_LOTS,
    WATCHES,
    WHY,
)
from nexustrader.sim.kernel.reading import event_of, order_id_of, wrong_inside
from nexustrader.sim.kernel.state import KernelState
from nexustrader.sim.matching import PositionKey, check_new, flat
from nexustrader.sim.playing import Played, Watch
from nexustrader.sim.queue import QueueModel
from nexustrader.sim.queue_pessimistic import PessimisticQueue
from nexustrader.sim.queue_power import PowerQueue
from nexustrader.sim.types import CancelReason, Level, MatchEvent, Side, SimInstrument, SimOrder, Touch

_SELF_TRADE_NUMBERS = {name: number for number, name in enumerate(SELF_TRADES)}
_TIF_NUMBERS = {name: number for number, name in enumerate(TIFS)}


class KernelEngine:
    """The book of one symbol and the rules by which it trades, at native speed.

    Rules, arguments and reports are those of `MatchingEngine`. It differs in what cannot be seen from the reports:
    prices, lots and order ids end at 2**60; a call that raises changes nothing; the `queue_ahead` of an order that was
    submitted is brought up to date by the order's own events alone, so ask `order(order_id)`.
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
        self.instrument = instrument
        self._position_of = position_of
        self._state = state = KernelState()
        view = state.view
        view[NEXT_TRADE_ID] = first_trade_id
        view[CLIPS] = reduce_only == "CLIP"
        view[REJECTS_FOK] = unfillable_fok == "REJECT"
        view[TOP_ONLY] = feed == "top"
        view[QUEUE_POWER] = _power(queue or PessimisticQueue())
        self._feed = feed
        self._open: dict[int, SimOrder] = {}  # in order of arrival
        self._slots: dict[int, int] = {}
        self._accounts: dict[str, int] = {}
        self._names: list[str] = []
        self._keys: dict[PositionKey, int] = {}
        self._watched: dict[PositionKey, int] = {}  # positions that a reduce-only order was for

    # -- readings -----------------------------------------------------------------------------------------

    @property
    def next_trade_id(self) -> int:
        return self._state.view[NEXT_TRADE_ID]

    @next_trade_id.setter
    def next_trade_id(self, trade_id: int) -> None:
        self._state.view[NEXT_TRADE_ID] = trade_id

    @property
    def traded_lots(self) -> dict[str, int]:
        """Lots traded by users and by the market, bought and sold."""
        view = self._state.view
        return {
            "user_buy": view[USER_LOTS],
            "user_sell": view[USER_LOTS + 1],
            "market_buy": view[MARKET_LOTS],
            "market_sell": view[MARKET_LOTS + 1],
        }

    def best_bid(self) -> int | None:
        """Best bid of market and users."""
        return _price(max(entries.external_best(self._state.cells, 0), self._state.view[BEST_USER]))

    def best_ask(self) -> int | None:
        """Best ask of market and users."""
        return _price(max(entries.external_best(self._state.cells, 1), self._state.view[BEST_USER + 1]))

    def external_best_bid(self) -> int | None:
        """Best bid of the market alone."""
        return _price(entries.external_best(self._state.cells, 0))

    def external_best_ask(self) -> int | None:
        """Best ask of the market alone."""
        return _price(entries.external_best(self._state.cells, 1))

    def told_touch(self) -> Touch:
        """Best bid and ask as the market told them, whatever users took."""
        return Touch(*self._state.best(0), *self._state.best(1))

    def told_levels(self, count: int) -> tuple[list[Level], list[Level]]:
        """The market's best `count` bids and asks as it told them, best first."""
        return self._state.told(0, count), self._state.told(1, count)

    def depth(self, count: int) -> tuple[list[Level], list[Level]]:
        """The best `count` bids and asks, market and users together, best first."""
        return self.book().depth(count)

    def order(self, order_id: int) -> SimOrder | None:
        """A snapshot of an open order."""
        return self._now(order_id).snapshot() if order_id in self._open else None

    def open_orders(self, account: str | None = None) -> list[SimOrder]:
        """Snapshots of the open orders, of all or of one account, in order of acceptance."""
        return [
            self._now(order_id).snapshot()
            for order_id, order in self._open.items()
            if account is None or order.account == account
        ]

    def state_hash(self) -> str:
        """Hash of the whole book: that of `MatchingEngine` after the same history."""
        return self.book().state_hash()

    def check_invariants(self) -> list[str]:
        """What is wrong with the book, as texts; empty when all is well. Holds between calls."""
        return self.book().check_invariants() + wrong_inside(self._state, self._slots)

    def book(self) -> Book:
        """A copy of all there is, as the plain book."""
        book = Book(self.instrument, self.next_trade_id, self._feed)
        book.traded_lots = self.traded_lots
        book.load(self._state.levels(0), self._state.levels(1), self.open_orders())
        return book

    # -- the market ---------------------------------------------------------------------------------------

    def set_level(self, side: Side, price: int, lots: int) -> list[MatchEvent]:
        """Sets the external quantity at one price, absolutely; 0 removes the level."""
        level = ((price, lots),)
        return self.set_levels(level, ()) if side is Side.BUY else self.set_levels((), level)

    def set_levels(self, bids: Iterable[Level], asks: Iterable[Level]) -> list[MatchEvent]:
        """Sets several levels at one moment, each as `set_level` does; the others stay: one depth update."""
        sides = (list(bids), list(asks))
        for price, lots in sides[0] + sides[1]:
            self._check_level(price, lots)
        state = self._ready()
        state.reserve_levels(max(map(len, sides)))
        for price, lots in sides[0]:
            entries.change_level(state.cells, 0, price, lots)
        for price, lots in sides[1]:
            entries.change_level(state.cells, 1, -price, lots)
        entries.end_update(state.cells)
        return self._told()

    def set_book(self, bids: Iterable[Level], asks: Iterable[Level]) -> list[MatchEvent]:
        """Replaces the whole external book."""
        told = ({}, {})  # type: tuple[dict[int, int], dict[int, int]]
        for side, sign, levels in ((0, 1, bids), (1, -1, asks)):
            for price, lots in levels:
                self._check_level(price, lots)
                told[side][sign * price] = lots
        state = self._ready()
        for side in (0, 1):
            before = {rank: (lots, taken) for rank, lots, taken in state.levels(side)}
            rows = []
            for rank, lots in sorted(told[side].items()):
                known, taken = before.get(rank, (0, 0))
                if lots:
                    rows.append((rank, lots, taken if known == lots else 0))
            state.replace_levels(side, np.array(rows, np.int64))
        entries.renew_queues(state.cells)
        return self._told()

    def set_top(self, bid: int, bid_lots: int, ask: int, ask_lots: int) -> list[MatchEvent]:
        """Sets the touch of an L1 feed: better external levels go, worse ones stay. 0 lots: none here."""
        if min(bid_lots, ask_lots) < 0 or max(bid, bid_lots, ask, ask_lots) > PRICE_MAX:
            raise OrderError(
                f"{self.instrument.symbol}: no touch can be {bid_lots} lots at {bid} and {ask_lots} at {ask}"
            )
        state = self._ready()
        state.reserve_levels(1)
        entries.set_top(state.cells, bid, bid_lots, ask, ask_lots)
        return self._told()

    def public_trade(self, price: int, lots: int, aggressor: Side) -> list[MatchEvent]:
        """A trade that happened in the market fills resting orders that it would have met."""
        if price <= 0 or lots < 0:
            raise OrderError(f"{self.instrument.symbol}: no trade can have price {price} and {lots} lots")
        entries.public_trade(self._ready().cells, 1 if aggressor is Side.BUY else 0, price, lots)
        return self._told()

    def play(
        self,
        events: Events,
        start: int,
        until_ns: int,
        listened: int = 0,
        *,
        end: int | None = None,
        watch: Watch | None = None,
    ) -> Played:
        """Plays market events from number `start` on, before number `end`, to the next that somebody has to hear of.

        It stops before the first event at or after `until_ns`, and after the first one that changed an order, whose
        kind is listened to (`listened` has bit `1 << kind` for each such kind), or whose touch is watched for.
        """
        state, number = self._ready(), start
        end = events.count if end is None else end
        self._watch_for(watch)
        while True:
            number = entries.advance(state.cells, events.cells, number, end, until_ns, listened)
            why = state.view[WHY]
            if why != AT_FULL:
                return Played(number, self._told() if why == AT_CHANGE else [], why)
            state.reserve_levels(1)

    def fill(self, order_id: int, lots: int) -> list[MatchEvent]:
        """Fills an open order at its price by at most `lots`, out of turn, as if the market had come to it.

        Nothing happens, and nothing is returned, if there is none with this id.
        """
        if order_id not in self._open:
            return []
        entries.fill(self._ready().cells, self._slots[order_id], lots)
        return self._told()

    # -- the users ----------------------------------------------------------------------------------------

    def submit(self, order: SimOrder) -> list[MatchEvent]:
        """Enters an order. The engine owns it from here on; a reduce-only one may have its lots clipped."""
        check_new(order, is_known=order.order_id in self._open)
        self._check_size(order.order_id, order.price or 1, order.lots)
        order.symbol = self.instrument.symbol
        if order.reduce_only:
            self._watch(order)
        state = self._ready()
        slot = self._enter(order)
        slot = entries.submit(state.cells, slot)
        events = self._told(order)
        if slot >= 0:
            self._open[order.order_id] = order
            self._slots[order.order_id] = slot
        return events

    def cancel(self, order_id: int, reason: CancelReason = "USER") -> list[MatchEvent]:
        """Cancels an open order. Nothing happens, and nothing is returned, if there is none with this id."""
        if order_id not in self._open:
            return []
        entries.cancel(self._state.cells, self._slots[order_id], REASONS.index(reason))
        return self._told()

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
        price = price or order.price or 1
        lots = lots or order.lots
        self._check_size(order_id, price, lots)
        slot = entries.amend(self._ready().cells, self._slots[order_id], price, lots)
        events = self._told()
        if slot >= 0:
            self._open[order_id] = self._open.pop(order_id)
        return events

    def expire_idle_reduce_only(self) -> list[MatchEvent]:
        """Expires reduce-only orders that no longer reduce; call it when a position changed elsewhere."""
        entries.expire_all_idle(self._ready().cells)
        return self._told()

    def cost_to_take(self, side: Side, lots: int, limit: int | None = None) -> tuple[int, int]:
        """What a stranger's order would take now: (lots, sum of price × lots)."""
        kind: Literal["limit", "market"] = "market" if limit is None else "limit"
        probe = SimOrder(order_id=0, account="", side=side, lots=lots, kind=kind, price=limit)
        state = self._ready()
        slot = self._enter(probe)
        entries.plan(state.cells, state.order_at(slot))
        state.release(slot)
        return state.view[PLAN_LOTS], sum(price * lots for price, lots in state.planned())

    # -- between Python and the native state --------------------------------------------------------------

    def _ready(self) -> KernelState:
        """The state, told of the positions that its next call may ask for."""
        state = self._state
        if state.view[REDUCING]:
            self._tell_positions()
        return state

    def _tell_positions(self) -> None:
        for key, number in self._watched.items():
            self._state.set_field(KEYS, number, KEY_CELLS, HELD, self._position_of(*key))

    def _watch(self, order: SimOrder) -> None:
        key = (order.account, order.position_side)
        if key not in self._keys:
            self._new_key(key)
        self._watched[key] = self._keys[key]
        self._tell_positions()

    def _new_key(self, key: PositionKey) -> int:
        self._keys[key] = number = len(self._keys)
        self._state.reserve_key(number)
        return number

    def _new_account(self, account: str) -> int:
        self._accounts[account] = number = len(self._accounts)
        self._names.append(account)
        return number

    def _watch_for(self, watch: Watch | None) -> None:
        view = self._state.view
        if watch is None:
            view[WATCHES] = 0
            return
        view[WATCHES] = GUARDED if watch.touch is None else GUARDED | TOUCH_WATCHED
        view[GUARD], view[GUARD + 1] = watch.low, watch.high
        if watch.touch is not None:
            bid, bid_lots, ask, ask_lots = watch.touch
            view[TOUCH], view[TOUCH + 1] = (bid, bid_lots) if bid_lots else (NOWHERE, 0)
            view[TOUCH + 2], view[TOUCH + 3] = (-ask, ask_lots) if ask_lots else (NOWHERE, 0)

    def _enter(self, order: SimOrder) -> int:
        """Writes a new order into a slot."""
        key = (order.account, order.position_side)
        account, number = self._accounts.get(order.account), self._keys.get(key)
        return self._state.new_order(
            EVERYWHERE if order.price is None else order.side * order.price,
            order.lots,
            0,
            order.queue_ahead,
            order.queue_seen,
            order.queue_passed,
            order.side,
            0,
            account if account is not None else self._new_account(order.account),
            number if number is not None else self._new_key(key),
            order.reduce_only,
            order.post_only,
            _SELF_TRADE_NUMBERS[order.self_trade],
            _TIF_NUMBERS[order.tif],
            order.order_id,
            0,
        )

    def _now(self, order_id: int) -> SimOrder:
        """An open order with its place in the queue as it is now."""
        order, view = self._open[order_id], self._state.view
        place = self._state.order_at(self._slots[order_id])
        order.queue_ahead = view[place + AHEAD]
        order.queue_seen = view[place + SEEN]
        order.queue_passed = view[place + PASSED]
        return order

    def _told(self, entering: SimOrder | None = None) -> list[MatchEvent]:
        """What the last call reported, as events; orders that ended are forgotten."""
        if not self._state.view[OUT_COUNT]:
            return []
        events = []
        for row in self._state.reports():
            order_id = order_id_of(row)
            order = self._open.get(order_id, entering)
            assert order is not None, f"order {order_id} is reported and not known"
            events.append(event_of(row, order, self._names))
            if not order.is_open and order_id in self._open:
                del self._open[order_id]
                del self._slots[order_id]
        return events

    # -- what cannot be -----------------------------------------------------------------------------------

    def _check_level(self, price: int, lots: int) -> None:
        if not 0 < price <= PRICE_MAX or not 0 <= lots <= LOTS_MAX:
            raise OrderError(f"{self.instrument.symbol}: no level can have price {price} and {lots} lots")

    def _check_size(self, order_id: int, price: int, lots: int) -> None:
        if price > PRICE_MAX or lots > LOTS_MAX or not -LOTS_MAX <= order_id <= LOTS_MAX:
            raise OrderError(f"order {order_id} of {lots} lots at {price} is beyond what can be counted")


def _price(rank: int) -> int | None:
    return None if rank == NOWHERE else abs(rank)


def _power(queue: QueueModel) -> int:
    """The queue model as compiled code knows it."""
    if isinstance(queue, PessimisticQueue):
        return 0
    if isinstance(queue, PowerQueue):
        return queue.power
    raise OrderError(f"{type(queue).__name__} does not run natively: use it with MatchingEngine")
