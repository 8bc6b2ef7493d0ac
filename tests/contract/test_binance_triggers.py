"""Orders that wait for a price, from the engine to the emulated Binance: what may come between them and their ends."""

from __future__ import annotations

from collections.abc import Callable
from decimal import Decimal
from typing import Any

import pytest
from binance_emulated import Binance, BinanceSpot, BinanceUsdm

from nexustrader.constants import OrderStatus, OrderType
from nexustrader.domain.order import OrderState
from nexustrader.testing.venue_contract.case import Case, on_desk
from nexustrader.testing.venue_contract.desk import BUY, SELL, Desk

ENDS: dict[str, Callable[[Desk], Any]] = {"stop": Desk.stop, "crash": Desk.crash}
LOST = {"action": "drop_event", "on": "ALGO_UPDATE", "count": -1}


def stop(desk: Desk, *, ws: bool = False, price: Decimal | None = None) -> str:
    """A stop below the market; with a price one that rests at it when it has triggered."""
    kind = OrderType.STOP_LOSS_MARKET if price is None else OrderType.STOP_LOSS_LIMIT
    return desk.create(SELL, kind, price, ws=ws, trigger_price=trigger(desk))


def trigger(desk: Desk) -> Decimal:
    return desk.away(BUY, Decimal("0.99"))


def pull(desk: Desk) -> None:
    """The market goes where stops trigger."""
    desk.move(trigger(desk) - desk.step)
    desk.trade(SELL, desk.amount, trigger(desk) - desk.step)


async def waiting(desk: Desk, **more: Any) -> str:
    await desk.start()
    desk.move(desk.bid)
    desk.trade(SELL, desk.amount, desk.bid)
    oid = stop(desk, **more)
    await desk.accepted(oid)
    return oid


def is_apart(state: OrderState) -> bool:
    return state.eid is not None and state.eid.startswith("algo-")


class _Common(Case):
    venue = Binance.venue
    symbols = Binance.symbols
    emulate = Binance.emulate  # the venue alone: the contract itself runs elsewhere

    @on_desk()
    async def test_a_cancel_before_the_trigger_ends_it(self, desk: Desk) -> None:
        oid = await waiting(desk)
        desk.cancel(oid, ws=False)
        assert (await desk.closed(oid)).public_status is OrderStatus.CANCELED
        pull(desk)
        await desk.agrees()

    @on_desk()
    async def test_a_trigger_makes_it_fill_and_the_order_is_known_by_its_id(self, desk: Desk) -> None:
        oid = await waiting(desk)
        pull(desk)
        state = await desk.closed(oid)
        record = desk.record(oid)
        assert record is not None
        assert (state.public_status, state.filled) == (OrderStatus.FILLED, desk.amount)
        assert state.eid == record["order_id"]
        await desk.agrees()
        assert desk.strategy.told(oid).count("accepted") == 1

    @pytest.mark.parametrize("end", ENDS)
    @on_desk()
    async def test_one_that_waits_is_known_after_a_restart_as_it_was_before(
        self, desk: Desk, end: str
    ) -> None:
        oid = await waiting(desk)
        before = desk.state(oid)
        await ENDS[end](desk)
        await desk.start()
        await desk.agrees()
        after = desk.state(oid)
        names = ("public_status", "type", "side", "amount", "price", "trigger_price", "eid", "filled", "oid")
        assert [getattr(after, name) for name in names] == [getattr(before, name) for name in names]
        desk.cancel(oid, ws=False)
        assert (await desk.closed(oid)).public_status is OrderStatus.CANCELED
        await desk.agrees()

    @pytest.mark.parametrize("end", ENDS)
    @on_desk()
    async def test_a_trigger_while_the_program_was_down_is_found_with_its_fills(
        self, desk: Desk, end: str
    ) -> None:
        oid = await waiting(desk)
        await ENDS[end](desk)
        pull(desk)
        await desk.start()
        state = await desk.closed(oid)
        assert (state.public_status, state.filled) == (OrderStatus.FILLED, desk.amount)
        await desk.agrees()

    @on_desk()
    async def test_a_lost_reply_to_the_create_does_not_make_a_second_one(self, desk: Desk) -> None:
        await desk.start()
        desk.trade(SELL, desk.amount, desk.bid)
        desk.venue.inject("drop_ack", on="order.place")
        desk.venue.inject("drop_event", count=2)
        oid = stop(desk)
        await desk.accepted(oid)
        await desk.agrees()
        assert len(desk.truth()["orders"]) == 1


class TestSpot(_Common):
    """On spot it is one order all the time."""

    account_type = public_type = BinanceSpot.account_type
    product, suffix = BinanceSpot.product, BinanceSpot.suffix

    @on_desk()
    async def test_the_order_socket_takes_it(self, desk: Desk) -> None:
        oid = await waiting(desk, ws=True)
        assert not is_apart(desk.state(oid))
        desk.cancel(oid, ws=True)
        assert (await desk.closed(oid)).public_status is OrderStatus.CANCELED
        await desk.agrees()


class TestUsdm(_Common):
    """Of futures it is kept apart until its trigger."""

    account_type = public_type = BinanceUsdm.account_type
    product, suffix = BinanceUsdm.product, BinanceUsdm.suffix

    @on_desk()
    async def test_by_the_order_socket_it_goes_by_rest(self, desk: Desk) -> None:
        oid = await waiting(desk, ws=True)
        assert is_apart(desk.state(oid))
        desk.cancel(oid, ws=True)
        assert (await desk.closed(oid)).public_status is OrderStatus.CANCELED
        await desk.agrees()

    @on_desk()
    async def test_without_the_way_by_rest_it_is_not_sent(self, desk: Desk) -> None:
        await desk.start()
        desk.trade(SELL, desk.amount, desk.bid)
        oid = desk.create(
            SELL, OrderType.STOP_LOSS_MARKET, ws=True, trigger_price=trigger(desk), ws_fallback=False
        )
        state = await desk.closed(oid)
        assert state.public_status is OrderStatus.FAILED
        assert "go by REST" in (state.reason or "")
        assert desk.record(oid) is None

    @on_desk()
    async def test_after_its_trigger_it_is_cancelled_and_amended_as_others_are(self, desk: Desk) -> None:
        oid = await waiting(desk, price=desk.away(SELL))
        pull(desk)
        await desk.until(lambda: not is_apart(desk.state(oid)), "the order is known by its new id")
        new_price = desk.away(SELL, Decimal("0.98"))
        desk.strategy.modify_order(desk.place.symbol, oid, price=new_price)
        await desk.until(lambda: desk.state(oid).price == new_price, "the new price")
        desk.cancel(oid)
        assert (await desk.closed(oid)).public_status is OrderStatus.CANCELED
        await desk.agrees()

    @on_desk()
    async def test_an_amendment_before_its_trigger_is_refused_and_it_stays(self, desk: Desk) -> None:
        oid = await waiting(desk, price=desk.away(SELL))
        before = desk.state(oid)
        desk.strategy.modify_order(desk.place.symbol, oid, price=desk.away(SELL, Decimal("0.98")))
        await desk.pass_s(1.0)
        assert desk.state(oid).price == before.price
        assert desk.state(oid).is_open
        await desk.agrees()

    @pytest.mark.parametrize("rests", [False, True], ids=["fills", "rests"])
    @on_desk()
    async def test_a_trigger_that_is_faster_than_a_cancel_leaves_what_the_venue_has(
        self, desk: Desk, rests: bool
    ) -> None:
        oid = await waiting(desk, price=desk.away(SELL) if rests else None)
        pull(desk)  # its events have not arrived
        assert is_apart(desk.state(oid))
        desk.cancel(oid, ws=False)
        if not rests:
            assert (await desk.closed(oid)).public_status is OrderStatus.FILLED
            await desk.agrees()
            return
        await desk.until(lambda: "cancel_failed" in desk.strategy.told(oid), "the cancel has failed")
        assert desk.state(oid).is_open
        await desk.agrees()
        desk.cancel(oid, ws=False)
        assert (await desk.closed(oid)).public_status is OrderStatus.CANCELED
        await desk.agrees()

    @pytest.mark.parametrize("rests", [False, True], ids=["fills", "rests"])
    @on_desk()
    async def test_without_any_event_of_its_service_it_ends_the_same(self, desk: Desk, rests: bool) -> None:
        await desk.start()
        desk.venue.inject(**LOST)
        desk.trade(SELL, desk.amount, desk.bid)
        oid = stop(desk, price=desk.away(SELL) if rests else None)
        await desk.accepted(oid)
        pull(desk)
        await desk.until(lambda: not is_apart(desk.state(oid)), "the order is known by its new id")
        if rests:
            desk.cancel(oid)
        await desk.closed(oid)
        await desk.agrees()

    @on_desk()
    async def test_a_lost_end_before_the_trigger_is_found(self, desk: Desk) -> None:
        oid = await waiting(desk)
        desk.venue.inject(**LOST)
        desk.venue.inject("end_order", product=desk.place.product, client_id=oid, how="CANCELED")
        assert (await desk.closed(oid)).public_status is OrderStatus.CANCELED
        await desk.agrees()

    @pytest.mark.parametrize("is_lost", [False, True], ids=["told", "lost"])
    @on_desk()
    async def test_margin_that_does_not_suffice_at_the_trigger_rejects_it(
        self, desk: Desk, is_lost: bool
    ) -> None:
        await desk.start()
        desk.trade(SELL, desk.amount, desk.bid)
        if is_lost:
            desk.venue.inject(**LOST)
        oid = desk.create(
            SELL, OrderType.STOP_LOSS_MARKET, ws=False, amount=Decimal(100), trigger_price=trigger(desk)
        )
        await desk.accepted(oid)
        pull(desk)
        state = await desk.closed(oid)
        assert state.public_status is OrderStatus.FAILED
        assert is_lost or state.reason == "Margin is insufficient."
        await desk.agrees()
