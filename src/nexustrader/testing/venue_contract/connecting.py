"""Connections: the start, refused credentials, reconnects, clocks that are wrong."""

from __future__ import annotations

from decimal import Decimal

import pytest

from nexustrader.constants import OrderStatus, OrderType, settings
from nexustrader.error import AuthFailed
from nexustrader.testing.venue_contract.case import API_KEY, Case, on_desk
from nexustrader.testing.venue_contract.desk import BUY, Desk

TEN_MINUTES_MS = 600_000


class Connecting(Case):
    """The part of the contract that is about connections."""

    @on_desk()
    async def test_an_engine_connects_and_knows_instruments_and_balances(self, desk: Desk) -> None:
        await desk.start()
        assert desk.instrument.venue_symbol == desk.place.native
        assert desk.bid % desk.instrument.tick == 0
        assert desk.engine.accounts == (desk.place.account,)
        await desk.agrees()

    @on_desk()
    async def test_refused_credentials_end_the_start_with_auth_failed(self, desk: Desk) -> None:
        settings.overlay(self.venue.spec.exchange.name, API_KEY, "w" * 64)
        with pytest.raises(AuthFailed):
            await desk.start()

    @on_desk()
    async def test_an_unknown_key_ends_the_start_with_auth_failed(self, desk: Desk) -> None:
        settings.overlay(self.venue.spec.exchange.name, API_KEY[::-1], "w" * 64)
        with pytest.raises(AuthFailed):
            await desk.start()

    @pytest.mark.parametrize("offset_ms", [TEN_MINUTES_MS, -TEN_MINUTES_MS], ids=["ahead", "behind"])
    @on_desk()
    async def test_a_clock_that_is_wrong_by_ten_minutes_is_corrected(
        self, desk: Desk, offset_ms: int
    ) -> None:
        await desk.start(clock_offset_ms=offset_ms)
        for ws in (desk.has_order_socket, False):
            state = await desk.closed(desk.create(BUY, OrderType.MARKET, ws=ws))
            assert state.public_status is OrderStatus.FILLED, state.reason
        await desk.agrees()

    @on_desk()
    async def test_a_clock_that_is_set_forward_while_trading_is_corrected(self, desk: Desk) -> None:
        await desk.start()
        resting = desk.rest()
        await desk.accepted(resting)
        desk.rig.step_clock(TEN_MINUTES_MS)
        state = await desk.closed(desk.create(BUY, OrderType.MARKET, ws=False))
        assert state.public_status is OrderStatus.FILLED, state.reason
        desk.cancel(resting, ws=False)
        state = await desk.closed(resting)
        assert state.public_status is OrderStatus.CANCELED
        await desk.agrees()

    @on_desk()
    async def test_what_happened_while_the_private_stream_was_away_is_known_after_the_reconnect(
        self, desk: Desk
    ) -> None:
        await desk.start()
        filled, canceled, left = desk.rest(), desk.rest(), desk.rest(far=Decimal("0.96"))
        for oid in (filled, canceled, left):
            await desk.accepted(oid)
        desk.venue.inject("disconnect")
        desk.venue.inject("fill_order", product=desk.place.product, client_id=filled)
        desk.venue.inject("end_order", product=desk.place.product, client_id=canceled, how="CANCELED")
        assert (await desk.closed(filled)).filled == desk.amount
        assert (await desk.closed(canceled)).public_status is OrderStatus.CANCELED
        await desk.agrees()
        assert desk.state(left).is_open
        assert "reconnected" in desk.strategy.statuses

    @on_desk()
    async def test_orders_go_again_after_every_connection_was_cut(self, desk: Desk) -> None:
        await desk.start()
        for round_no in range(1, 4):
            desk.venue.inject("disconnect")
            await desk.reconnected(round_no)
            state = await desk.closed(desk.create(BUY, OrderType.MARKET))
            assert state.public_status is OrderStatus.FILLED, state.reason
        await desk.agrees()

    @on_desk(takes_s=30)
    async def test_an_order_sent_into_a_connection_that_is_gone_ends_as_the_venue_has_it(
        self, desk: Desk
    ) -> None:
        await desk.start()
        desk.venue.inject("disconnect")
        oid = desk.create(BUY, OrderType.MARKET)
        state = await desk.closed(oid)
        is_there = desk.record(oid) is not None
        assert state.public_status is (OrderStatus.FILLED if is_there else OrderStatus.FAILED)
        await desk.agrees()
