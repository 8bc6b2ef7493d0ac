"""A restart over the same journal: what was known is known again, and what happened in between becomes known."""

from __future__ import annotations

from collections.abc import Callable, Coroutine
from decimal import Decimal
from typing import Any

import pytest

from nexustrader.constants import OrderStatus, OrderType
from nexustrader.testing.venue_contract.case import Case, on_desk
from nexustrader.testing.venue_contract.desk import BUY, SELL, Desk

ENDS: dict[str, Callable[[Desk], Coroutine[Any, Any, None]]] = {"stop": Desk.stop, "crash": Desk.crash}


class Restarts(Case):
    """The part of the contract that is about restarts."""

    @pytest.mark.parametrize("end", ENDS)
    @on_desk()
    async def test_open_orders_are_known_after_a_restart_as_they_were_before(
        self, desk: Desk, end: str
    ) -> None:
        await desk.start()
        done = desk.create(BUY, OrderType.MARKET)
        await desk.closed(done)
        oids = [desk.rest(), desk.rest(SELL), desk.rest(amount=desk.amount * 2)]
        for oid in oids:
            await desk.accepted(oid)
        desk.trade(SELL, desk.amount * 2, desk.away(BUY))
        await desk.agrees()
        before = {oid: desk.state(oid) for oid in (done, *oids)}
        await ENDS[end](desk)
        await desk.start()
        await desk.agrees()
        for oid, state in before.items():
            after = desk.state(oid)
            assert (after.public_status, after.filled, after.cost, after.fees, after.trade_ids) == (
                state.public_status,
                state.filled,
                state.cost,
                state.fees,
                state.trade_ids,
            )

    @pytest.mark.parametrize("end", ENDS)
    @on_desk()
    async def test_what_happened_while_the_program_was_down_is_told_as_recovered(
        self, desk: Desk, end: str
    ) -> None:
        await desk.start()
        filled, canceled, left = desk.rest(), desk.rest(SELL), desk.rest(far=Decimal("0.96"))
        for oid in (filled, canceled, left):
            await desk.accepted(oid)
        await ENDS[end](desk)
        product = desk.place.product
        desk.venue.inject("fill_order", product=product, client_id=filled)
        desk.venue.inject("end_order", product=product, client_id=canceled, how="CANCELED")
        await desk.start()
        assert (await desk.closed(filled)).filled == desk.amount
        assert (await desk.closed(canceled)).public_status is OrderStatus.CANCELED
        await desk.agrees()
        assert desk.state(left).is_open
        recovered = {order.oid: name for name, order in desk.strategy.heard if order.recovered}
        assert recovered[filled] == "filled"
        assert recovered[canceled] == "canceled"

    @on_desk()
    async def test_an_order_that_was_on_its_way_when_the_program_died_is_known_after_the_restart(
        self, desk: Desk
    ) -> None:
        await desk.start()
        desk.venue.inject("drop_ack", on="order.place")
        desk.venue.inject("drop_event", count=1)
        oid = desk.rest()
        await desk.until(lambda: desk.record(oid), "the order arrives at the venue")
        await desk.crash()
        await desk.start()
        await desk.accepted(oid)
        await desk.agrees()
