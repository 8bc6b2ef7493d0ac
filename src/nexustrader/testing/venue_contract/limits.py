"""Limits and bans: what the venue wants is kept to, and what may still go goes."""

from __future__ import annotations

from nexustrader.constants import OrderStatus, OrderType
from nexustrader.testing.venue_contract.case import Case, on_desk
from nexustrader.testing.venue_contract.desk import BUY, Desk

WAIT_S = 8.0  # longer than a venue wants for one request too many
BAN_S = 700.0


class Limits(Case):
    """The part of the contract that is about limits."""

    @on_desk(takes_s=20)
    async def test_after_one_request_too_many_no_order_goes_until_it_may_and_cancels_go(
        self, desk: Desk
    ) -> None:
        await desk.start()
        resting = desk.rest()
        await desk.accepted(resting)
        desk.venue.inject("http_status_next", on="order.place", reply="too_many", count=1)
        refused = desk.create(BUY, OrderType.MARKET)
        state = await desk.closed(refused)
        assert state.public_status is OrderStatus.FAILED
        assert state.reason
        if desk.has_order_socket:
            desk.cancel(resting, ws=True)
            assert (await desk.closed(resting)).public_status is OrderStatus.CANCELED
        await desk.pass_s(WAIT_S)
        taken = await desk.closed(desk.create(BUY, OrderType.MARKET))
        assert taken.public_status is OrderStatus.FILLED, taken.reason
        await desk.agrees()

    @on_desk(takes_s=700)
    async def test_a_ban_is_sat_out_in_silence_and_trading_goes_on_after_it(self, desk: Desk) -> None:
        await desk.start()
        desk.venue.inject("http_status_next", on="order.place", reply="banned", count=1)
        refused = await desk.closed(desk.create(BUY, OrderType.MARKET, ws=False))
        assert refused.public_status is OrderStatus.FAILED
        during = desk.create(BUY, OrderType.MARKET, ws=False)
        state = await desk.closed(during)
        assert state.public_status is OrderStatus.FAILED
        assert desk.record(during) is None
        await desk.pass_s(BAN_S)
        taken = await desk.closed(desk.create(BUY, OrderType.MARKET))
        assert taken.public_status is OrderStatus.FILLED, taken.reason
        await desk.agrees()

    @on_desk(takes_s=60)
    async def test_more_orders_than_the_limit_allows_are_refused_here_before_the_venue_has_to(
        self, desk: Desk
    ) -> None:
        await desk.start()
        pool = self.venue.order_pool(desk.instrument)
        limits = [x for x in self.venue.rate_limits(self.account_type) if x.pool == pool]
        tightest = min(limits, key=lambda limit: limit.interval_ms)
        oids = [desk.create(BUY, OrderType.MARKET) for _ in range(tightest.limit + 20)]
        for oid in oids:
            await desk.closed(oid)
        failed = [oid for oid in oids if desk.state(oid).public_status is OrderStatus.FAILED]
        assert failed, "the limit was never reached"
        assert all(desk.record(oid) is None for oid in failed)
        await desk.pass_s(tightest.interval_ms / 1000)
        taken = await desk.closed(desk.create(BUY, OrderType.MARKET))
        assert taken.public_status is OrderStatus.FILLED, taken.reason
        await desk.agrees()
