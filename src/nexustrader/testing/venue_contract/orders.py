"""Every kind of order that the venue's package takes ends as it should; every other is refused before it is sent."""

from __future__ import annotations

from decimal import Decimal

import pytest

from nexustrader.constants import OrderSide, OrderStatus, OrderType, TimeInForce
from nexustrader.domain.order import OrderState
from nexustrader.testing.venue_contract.case import Case, on_desk
from nexustrader.testing.venue_contract.desk import BUY, SELL, Desk
from nexustrader.venue.capabilities import Capability, capability

UNFILLED = (OrderStatus.CANCELED, OrderStatus.EXPIRED, OrderStatus.FAILED)  # venues word it differently
SIDES = (BUY, SELL)
PLAIN = tuple(kind for kind in OrderType if not kind.is_triggered)
TRIGGERED = tuple(kind for kind in OrderType if kind.is_triggered)
PACE_S = 0.25  # venues take few orders a second
NEAR = Decimal("0.01")  # how far a trigger is from the market


class Orders(Case):
    """The part of the contract that is about new orders."""

    def can(self, desk: Desk) -> Capability:
        """What this account can do with the instrument that is traded."""
        return capability(self.venue, self.account_type, desk.instrument.type, desk.instrument)

    @pytest.mark.parametrize("ws", [True, False], ids=["socket", "rest"])
    @pytest.mark.parametrize("kind", PLAIN, ids=lambda kind: kind.value)
    @on_desk()
    async def test_an_order_of_each_side_and_time_in_force_ends_as_it_should(
        self, desk: Desk, kind: OrderType, ws: bool
    ) -> None:
        await desk.start()
        can = self.can(desk)
        if ws and not can.has_order_socket:
            pytest.skip(f"{self.account_type.value} has no order socket")
        for side in SIDES:
            for time_in_force in TimeInForce:
                if time_in_force in can.orders.get(kind, ()):
                    await self._taken(desk, kind, side, time_in_force, ws=ws)
                else:
                    await self._refused_here(desk, kind, side, time_in_force, ws=ws)
        await desk.agrees()

    async def _taken(
        self, desk: Desk, kind: OrderType, side: OrderSide, time_in_force: TimeInForce, *, ws: bool
    ) -> None:
        def create(price: Decimal | None) -> str:
            return desk.create(side, kind, price, ws=ws, time_in_force=time_in_force)

        await desk.pass_s(PACE_S)
        if kind.is_market:
            _filled(desk, await desk.closed(create(None)))
            return
        if kind.is_post_only:
            _ended_unfilled(await desk.closed(create(desk.across(side))))
        else:
            _filled(desk, await desk.closed(create(desk.across(side))))
        away = create(desk.away(side))
        if time_in_force is not TimeInForce.GTC:
            _ended_unfilled(await desk.closed(away))
            return
        await desk.accepted(away)
        desk.cancel(away, ws=ws)
        state = await desk.closed(away)
        assert state.public_status is OrderStatus.CANCELED, (side, state.reason)
        assert state.filled == 0

    async def _refused_here(
        self, desk: Desk, kind: OrderType, side: OrderSide, time_in_force: TimeInForce, *, ws: bool = False
    ) -> None:
        price = None if kind.is_market else desk.away(side)
        more = {"trigger_price": desk.away(side)} if kind.is_triggered else {}
        oid = desk.create(side, kind, price, ws=ws, time_in_force=time_in_force, **more)
        state = await desk.closed(oid)
        assert state.public_status is OrderStatus.FAILED
        assert desk.record(oid) is None, "what the venue's package cannot send was sent"
        assert state.reason, "a refusal says why"
        assert {kind.value, time_in_force.value} & set(_words(state.reason)), state.reason

    @pytest.mark.parametrize("kind", TRIGGERED, ids=lambda kind: kind.value)
    @on_desk()
    async def test_an_order_that_waits_for_its_trigger_ends_as_it_should(
        self, desk: Desk, kind: OrderType
    ) -> None:
        await desk.start()
        can = self.can(desk)
        for side in SIDES:
            if kind not in can.orders:
                await self._refused_here(desk, kind, side, TimeInForce.GTC)
                continue
            desk.move(desk.bid)
            up = side.is_buy is kind.is_stop_loss
            trigger = desk.away(SELL if up else BUY, 1 - NEAR)
            price = None if kind.is_market else desk.away(side, 1 + NEAR * 2)
            waiting, unwanted = (
                desk.create(side, kind, price, ws=False, trigger_price=trigger) for _ in range(2)
            )
            await desk.waits(waiting)
            await desk.waits(unwanted)
            desk.cancel(unwanted, ws=False)
            assert (await desk.closed(unwanted)).public_status is OrderStatus.CANCELED
            beyond = trigger + desk.step * (10 if up else -10)
            desk.move(beyond)
            desk.trade(SELL, desk.amount, beyond)
            _filled(desk, await desk.closed(waiting))
            desk.move(desk.bid)
        await desk.agrees()

    @on_desk()
    async def test_partial_fills_add_up_to_the_last_digit(self, desk: Desk) -> None:
        await desk.start()
        for side in SIDES:
            oid = desk.rest(side, amount=desk.amount * 4)
            price = (await desk.accepted(oid)).price
            assert price is not None
            for part in (1, 1, 2):
                before = desk.state(oid).filled
                desk.trade(SELL if side.is_buy else BUY, desk.amount * part, price)
                await desk.filled(oid, before + desk.amount * part)
            _filled(desk, await desk.closed(oid), parts=4)
            assert "partially_filled" in desk.strategy.told(oid)
            await desk.agrees()

    @on_desk()
    async def test_orders_ended_by_the_venue_are_told_as_such(self, desk: Desk) -> None:
        await desk.start()
        for how in ("EXPIRED", "CANCELED"):
            oid = desk.rest()
            await desk.accepted(oid)
            desk.venue.inject("end_order", product=desk.place.product, client_id=oid, how=how)
            _ended_unfilled(await desk.closed(oid))
        await desk.agrees()

    @on_desk()
    async def test_positions_and_balances_that_were_there_before_are_known(self, desk: Desk) -> None:
        place, venue = desk.place, desk.venue
        for side, times in (("BUY", 3), ("SELL", 1)):
            amount = str(desk.amount * times)
            venue.inject("manual_order", product=place.product, symbol=place.native, side=side, amount=amount)
        await desk.start()
        await desk.agrees()
        position = desk.core.portfolio.positions()
        held = sum((p.signed_amount for k, p in position.items() if k.account == place.account), Decimal(0))
        if self.can(desk).reduces_only:  # spot has no positions
            assert held == desk.position() == desk.amount * 2

    @on_desk()
    async def test_trades_by_hand_move_positions_and_balances_and_leave_our_orders_alone(
        self, desk: Desk
    ) -> None:
        await desk.start()
        oid = desk.rest()
        await desk.accepted(oid)
        place = desk.place
        desk.venue.inject(
            "manual_order", product=place.product, symbol=place.native, side="BUY", amount=str(desk.amount)
        )
        await desk.agrees()
        assert desk.state(oid).is_open


def _filled(desk: Desk, state: OrderState, parts: int = 1) -> None:
    assert state.public_status is OrderStatus.FILLED, state.reason
    assert state.filled == state.amount == desk.amount * parts


def _ended_unfilled(state: OrderState) -> None:
    assert state.public_status in UNFILLED, state
    assert state.filled == 0


def _words(text: str) -> list[str]:
    return text.replace(",", " ").replace(";", " ").replace(".", " ").split()
