"""Orders that may not be: refused here where the rules are known, else by the venue, and always with a reason."""

from __future__ import annotations

import msgspec
import pytest

from nexustrader.constants import OrderStatus, OrderType
from nexustrader.domain import events as ev
from nexustrader.domain.order import OrderState
from nexustrader.domain.outcome import Route
from nexustrader.testing.venue_contract.case import Case, on_desk
from nexustrader.testing.venue_contract.desk import BUY, SELL, Desk
from nexustrader.venue.capabilities import capability

FAR_BEYOND = 10  # times the price: no venue takes that
BEYOND_ALL = 1_000_000  # times the usual amount
UNHEARD_OF = -987_654


class Refusals(Case):
    """The part of the contract that is about refusals."""

    @on_desk()
    async def test_an_order_below_the_smallest_amount_is_refused_here(self, desk: Desk) -> None:
        await desk.start()
        oid = desk.rest(amount=desk.instrument.lot / 10)
        _failed(await desk.closed(oid))
        assert desk.record(oid) is None

    @on_desk()
    async def test_an_order_below_the_smallest_value_is_refused_here(self, desk: Desk) -> None:
        await desk.start()
        smallest = desk.instrument.min_notional
        if smallest is None or desk.instrument.lot * desk.bid >= smallest:
            pytest.skip("a single lot is worth enough")
        oid = desk.rest(amount=desk.instrument.lot)
        _failed(await desk.closed(oid))
        assert desk.record(oid) is None

    @pytest.mark.parametrize("ws", [True, False], ids=["socket", "rest"])
    @on_desk()
    async def test_an_order_that_the_venue_refuses_for_its_price_fails_with_the_venues_reason(
        self, desk: Desk, ws: bool
    ) -> None:
        if not self.refuses_prices:
            pytest.skip("the venue puts such an order at the bound")
        await desk.start()
        oid = desk.create(BUY, price=desk.bid * FAR_BEYOND, ws=ws and desk.has_order_socket)
        _failed(await desk.closed(oid))
        assert desk.record(oid) is None
        await desk.agrees()

    @pytest.mark.parametrize("ws", [True, False], ids=["socket", "rest"])
    @on_desk()
    async def test_an_order_beyond_the_balance_fails_with_the_venues_reason(
        self, desk: Desk, ws: bool
    ) -> None:
        await desk.start()
        most = desk.instrument.max_amount
        amount = desk.amount * BEYOND_ALL if most is None else most
        oid = desk.rest(amount=amount, ws=ws and desk.has_order_socket)
        _failed(await desk.closed(oid))
        await desk.agrees()

    @pytest.mark.parametrize("ws", [True, False], ids=["socket", "rest"])
    @on_desk()
    async def test_a_reduce_only_order_without_a_position_fills_nothing(self, desk: Desk, ws: bool) -> None:
        await desk.start()
        can = capability(self.venue, self.account_type, desk.instrument.type, desk.instrument)
        oid = desk.create(SELL, OrderType.MARKET, ws=ws and desk.has_order_socket, reduce_only=True)
        state = await desk.closed(oid)
        assert state.filled == 0
        assert state.reason
        if not can.reduces_only:
            assert desk.record(oid) is None
        await desk.agrees()

    @pytest.mark.parametrize("route", [Route.WS, Route.REST], ids=["socket", "rest"])
    @on_desk()
    async def test_the_same_order_sent_twice_is_one_order(self, desk: Desk, route: Route) -> None:
        await desk.start()
        oid = desk.rest()
        await desk.accepted(oid)
        intents = desk.rig.disk.intents
        again: ev.Submit = msgspec.structs.replace(
            intents[oid], route=route if desk.has_order_socket else Route.REST, attempt=2
        )
        desk.port.submit(again)
        await desk.agrees()
        assert desk.state(oid).is_open
        assert len([row for row in desk.truth()["orders"] if row["client_id"] == oid]) == 1

    @on_desk()
    async def test_an_order_that_was_taken_and_refused_as_its_own_duplicate_lives(self, desk: Desk) -> None:
        await desk.start()
        desk.venue.inject("ghost_twin", product=desk.place.product)
        oid = desk.rest()
        await desk.agrees()
        assert desk.state(oid).is_open is (desk.record(oid) is not None)

    @on_desk()
    async def test_a_refusal_with_a_code_that_nobody_knows_concludes_nothing(self, desk: Desk) -> None:
        await desk.start()
        desk.venue.inject("http_status_after", on="order.place", code=UNHEARD_OF, msg="What?", status=400)
        desk.venue.inject("drop_event", count=1)
        oid = desk.rest()
        state = await desk.accepted(oid)  # the venue was asked, and has it
        assert state.is_open
        await desk.agrees()
        assert "failed" not in desk.strategy.told(oid)

    @on_desk(takes_s=40)
    async def test_a_refusal_with_an_unknown_code_that_was_one_is_found_out(self, desk: Desk) -> None:
        await desk.start()
        desk.venue.inject("reject_next", on="order.place", code=UNHEARD_OF, msg="What?")
        oid = desk.rest()
        await desk.until(lambda: desk.state(oid).is_unknown, "the order is in doubt")
        _failed(await desk.closed(oid))
        await desk.agrees()


def _failed(state: OrderState) -> None:
    assert state.public_status is OrderStatus.FAILED, state
    assert state.filled == 0
    assert state.reason, "a refusal says why"
