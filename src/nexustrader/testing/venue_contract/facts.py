"""Replies and events that are late, lost, doubled or out of order: an order ends in the one state that is true."""

from __future__ import annotations

from typing import Any

import pytest

from nexustrader.constants import OrderStatus, OrderType, TimeInForce
from nexustrader.testing.venue_contract.case import Case, on_desk
from nexustrader.testing.venue_contract.desk import BUY, SELL, Desk

Faults = tuple[dict[str, Any], ...]

SLOW_MS, LATER_MS = 800, 400
MISHAPS: dict[str, Faults] = {
    "nothing happens": (),
    "the reply comes before the events": ({"action": "delay_event", "delay_ms": SLOW_MS, "count": 6},),
    "the events come before the reply": ({"action": "delay_ack_ms", "delay_ms": SLOW_MS, "count": 6},),
    "the reply to the order is lost": ({"action": "drop_ack", "on": "order.place"},),
    "the reply is lost and the events are late": (
        {"action": "drop_ack", "on": "order.place"},
        {"action": "delay_event", "delay_ms": LATER_MS, "count": 6},
    ),
    "the first event is lost": ({"action": "drop_event", "count": 1},),
    "every event is lost": ({"action": "drop_event", "count": -1},),
    "every event comes twice": ({"action": "duplicate_event", "count": -1},),
    "every event comes again later": ({"action": "duplicate_event", "delay_ms": SLOW_MS, "count": -1},),
    "events change places": ({"action": "swap_event", "delay_ms": LATER_MS, "count": 6},),
    "events change places and come twice": (
        {"action": "swap_event", "delay_ms": LATER_MS, "count": 2},
        {"action": "duplicate_event", "delay_ms": SLOW_MS, "count": 4},
    ),
    "events have fields that nobody knows": ({"action": "alter_event", "how": "new_fields", "count": -1},),
    "an event is of a kind that nobody knows": (
        {"action": "alter_event", "how": "unknown_type", "count": 2},
    ),
    "an event has a word that nobody knows": ({"action": "alter_event", "how": "unknown_enum", "count": 2},),
    "the reply is lost and the socket is cut": (
        {"action": "drop_ack", "on": "order.place"},
        {"action": "drop_event", "count": 1},
    ),
    "the connection is reset after the order": ({"action": "reset_after", "on": "order.place"},),
    "the venue does not know what became of it": (
        {"action": "http_status_after", "on": "order.place", "reply": "unknown"},
    ),
    "fees are taken in a third currency": ({"action": "fee_asset", "asset": "BNB", "count": 2},),
}


class Facts(Case):
    """The part of the contract that is about what becomes known of an order."""

    @pytest.mark.parametrize("ws", [True, False], ids=["socket", "rest"])
    @pytest.mark.parametrize("mishap", MISHAPS)
    @on_desk()
    async def test_a_resting_order_that_fills_in_parts_ends_the_same_whatever_happens(
        self, desk: Desk, mishap: str, ws: bool
    ) -> None:
        await desk.start()
        _arm(desk, mishap)
        oid = desk.rest(amount=desk.amount * 3, ws=ws and desk.has_order_socket)
        await desk.until(lambda: desk.record(oid), "the order arrives at the venue")
        price = desk.away(BUY)
        desk.trade(SELL, desk.amount, price)
        if mishap.endswith("the socket is cut"):
            desk.venue.inject("disconnect")
        desk.trade(SELL, desk.amount * 2, price)
        state = await desk.closed(oid)
        assert state.public_status is OrderStatus.FILLED, state.reason
        await desk.agrees()
        told = desk.strategy.told(oid)
        assert told.count("filled") == 1
        assert told[-1] == "filled"

    @pytest.mark.parametrize("mishap", MISHAPS)
    @on_desk()
    async def test_an_order_that_ends_at_once_ends_the_same_whatever_happens(
        self, desk: Desk, mishap: str
    ) -> None:
        await desk.start()
        _arm(desk, mishap)
        taken = desk.create(BUY, OrderType.MARKET)
        state = await desk.closed(taken)
        assert state.public_status is OrderStatus.FILLED, state.reason
        left = desk.create(SELL, price=desk.away(SELL), time_in_force=TimeInForce.IOC)
        state = await desk.closed(left)
        assert state.filled == 0
        await desk.agrees()
        assert desk.strategy.told(taken).count("filled") == 1

    @on_desk(takes_s=60)
    async def test_an_order_that_never_arrived_is_given_up_when_the_venue_has_never_shown_it(
        self, desk: Desk
    ) -> None:
        await desk.start()
        desk.venue.inject("drop_request", on="order.place")
        oid = desk.rest()
        state = await desk.closed(oid)
        assert state.public_status is OrderStatus.FAILED
        assert state.reason
        await desk.agrees()

    @on_desk(takes_s=60)
    async def test_answers_that_are_behind_take_nothing_back(self, desk: Desk) -> None:
        await desk.start()
        desk.venue.inject("stale_reads", lag_ms=min(5_000, self.venue.spec.query_lag_ms_max), count=-1)
        first = desk.create(BUY, OrderType.MARKET)
        second = desk.rest()
        await desk.until(lambda: desk.record(second), "the orders arrive at the venue")
        desk.venue.inject("disconnect")
        assert (await desk.closed(first)).filled == desk.amount
        await desk.accepted(second)
        await desk.agrees()


def _arm(desk: Desk, mishap: str) -> None:
    for fault in MISHAPS[mishap]:
        desk.venue.inject(product=desk.place.product, **fault)
