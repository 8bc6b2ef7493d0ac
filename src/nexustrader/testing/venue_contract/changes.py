"""Cancels and amendments, and what may come between."""

from __future__ import annotations

from decimal import Decimal

import pytest

from nexustrader.constants import OrderStatus
from nexustrader.testing.venue_contract.case import Case, on_desk
from nexustrader.testing.venue_contract.desk import BUY, SELL, Desk
from nexustrader.venue.capabilities import capability

FAR_BEYOND = 10


class Changes(Case):
    """The part of the contract that is about changes of orders."""

    @pytest.mark.parametrize("ws", [True, False], ids=["socket", "rest"])
    @on_desk()
    async def test_a_cancel_ends_an_order_that_was_filled_in_part_with_what_was_filled(
        self, desk: Desk, ws: bool
    ) -> None:
        await desk.start()
        oid = desk.rest(amount=desk.amount * 2)
        await desk.accepted(oid)
        desk.trade(SELL, desk.amount, desk.away(BUY))
        await desk.filled(oid, desk.amount)
        desk.cancel(oid, ws=ws and desk.has_order_socket)
        state = await desk.closed(oid)
        assert state.public_status is OrderStatus.CANCELED
        assert state.filled == desk.amount
        await desk.agrees()

    @pytest.mark.parametrize("part", ["1", "0.5"], ids=["all", "half"])
    @pytest.mark.parametrize("ws", [True, False], ids=["socket", "rest"])
    @on_desk()
    async def test_a_fill_that_overtakes_the_cancel_counts(self, desk: Desk, part: str, ws: bool) -> None:
        await desk.start()
        oid = desk.rest(amount=desk.amount * 2)
        await desk.accepted(oid)
        desk.venue.inject("fill_wins", on="order.cancel", part=part)
        desk.cancel(oid, ws=ws and desk.has_order_socket)
        state = await desk.closed(oid)
        assert state.filled == desk.amount * 2 * Decimal(part)
        is_filled = state.filled == state.amount
        assert state.public_status is (OrderStatus.FILLED if is_filled else OrderStatus.CANCELED)
        await desk.agrees()

    @pytest.mark.parametrize("mishap", ["drop_ack", "delay_ack_ms", "reset_after"])
    @on_desk()
    async def test_a_cancel_whose_reply_is_lost_or_late_ends_the_order_once(
        self, desk: Desk, mishap: str
    ) -> None:
        await desk.start()
        oid = desk.rest()
        await desk.accepted(oid)
        desk.venue.inject(mishap, on="order.cancel", delay_ms=800)
        desk.venue.inject("drop_event", count=1)
        desk.cancel(oid)
        state = await desk.closed(oid)
        assert state.public_status is OrderStatus.CANCELED
        await desk.agrees()
        assert desk.strategy.told(oid).count("canceled") == 1

    @on_desk()
    async def test_a_cancel_that_the_venue_refuses_leaves_the_order_open_and_is_told(
        self, desk: Desk
    ) -> None:
        await desk.start()
        oid = desk.rest()
        await desk.accepted(oid)
        desk.venue.inject("cancel_refused")
        desk.cancel(oid)
        await desk.until(lambda: "cancel_failed" in desk.strategy.told(oid), "the refusal is told")
        assert desk.state(oid).is_open
        desk.cancel(oid)
        assert (await desk.closed(oid)).public_status is OrderStatus.CANCELED
        await desk.agrees()

    @on_desk()
    async def test_a_cancel_of_what_is_filled_says_so_and_changes_nothing(self, desk: Desk) -> None:
        await desk.start()
        oid = desk.rest()
        await desk.accepted(oid)
        desk.trade(SELL, desk.amount, desk.away(BUY))
        desk.cancel(oid)  # the fill is under way
        state = await desk.closed(oid)
        assert state.public_status is OrderStatus.FILLED
        await desk.agrees()

    @pytest.mark.parametrize("is_alone", [True, False], ids=["alone", "shared"])
    @on_desk()
    async def test_cancel_all_ends_our_orders_of_the_symbol_and_no_others(
        self, desk: Desk, is_alone: bool
    ) -> None:
        await desk.start(is_alone=is_alone)
        oids = [desk.rest(far=Decimal("0.97") - n * Decimal("0.002")) for n in range(3)]
        oids += [desk.rest(SELL) for _ in range(2)]
        for oid in oids:
            await desk.accepted(oid)
        place = desk.place
        if not is_alone:
            desk.venue.inject(
                "manual_order",
                product=place.product,
                symbol=place.native,
                side="BUY",
                amount=str(desk.amount),
                price=str(desk.away(BUY)),
                client_id="byhand1",
            )
        desk.strategy.cancel_all_orders(place.symbol, account_type=place.account_type)
        for oid in oids:
            assert (await desk.closed(oid)).public_status is OrderStatus.CANCELED
        await desk.agrees()
        if not is_alone:
            rows = desk.venue.ledger(place.product)["orders"]
            assert [row["status"] for row in rows if row["client_id"] == "byhand1"] == ["NEW"]

    @on_desk()
    async def test_an_amendment_changes_price_and_amount_or_is_refused_with_a_reason(
        self, desk: Desk
    ) -> None:
        await desk.start()
        oid = desk.rest()
        before = await desk.accepted(oid)
        price, amount = desk.away(BUY, Decimal("0.96")), desk.amount * 2
        desk.strategy.modify_order(desk.place.symbol, oid, BUY, price=price, amount=amount)
        can = capability(self.venue, self.account_type, desk.instrument.type, desk.instrument)
        if can.amends:
            await desk.until(lambda: desk.state(oid).price == price, "the order has its new price")
            assert desk.state(oid).amount == amount
            desk.trade(SELL, amount, price)
            assert (await desk.closed(oid)).filled == amount
        else:
            await desk.until(lambda: not desk.state(oid).is_amending, "the refusal")
            assert (desk.state(oid).price, desk.state(oid).amount) == (before.price, before.amount)
        await desk.agrees()

    @on_desk()
    async def test_an_amendment_that_the_venue_refuses_leaves_the_order_as_it_was(self, desk: Desk) -> None:
        if not self.refuses_prices:
            pytest.skip("the venue puts such an order at the bound")
        await desk.start()
        self._needs_amendments(desk)
        oid = desk.rest()
        before = await desk.accepted(oid)
        desk.strategy.modify_order(desk.place.symbol, oid, BUY, price=desk.bid * FAR_BEYOND)
        await desk.until(lambda: not desk.state(oid).is_amending, "the refusal")
        await desk.agrees()
        state = desk.state(oid)
        assert (state.is_open, state.price, state.amount) == (True, before.price, before.amount)

    @pytest.mark.parametrize("mishap", ["drop_ack", "reset_after", "fill_wins"])
    @on_desk()
    async def test_an_amendment_whose_reply_is_lost_or_that_comes_too_late_ends_as_the_venue_has_it(
        self, desk: Desk, mishap: str
    ) -> None:
        await desk.start()
        self._needs_amendments(desk)
        oid = desk.rest(amount=desk.amount * 2)
        await desk.accepted(oid)
        desk.venue.inject(mishap, on="order.modify", part="0.5")
        desk.strategy.modify_order(desk.place.symbol, oid, BUY, price=desk.away(BUY, Decimal("0.96")))
        await desk.until(lambda: not desk.state(oid).is_amending, "the amendment has ended")
        await desk.agrees()

    def _needs_amendments(self, desk: Desk) -> None:
        if not capability(self.venue, self.account_type, desk.instrument.type, desk.instrument).amends:
            pytest.skip(f"{desk.place.symbol} cannot be amended")
