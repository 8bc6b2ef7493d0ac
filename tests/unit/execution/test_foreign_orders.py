"""Orders of others on the same account: counted in the positions, shown where it is asked for, and left alone."""

from __future__ import annotations

from collections.abc import Callable, Coroutine
from decimal import Decimal
from typing import Any

import pytest

from desk import ACCOUNT, SHARD, SYMBOL, Desk, desk_test, live
from nexustrader.constants import OrderSide, OrderType
from nexustrader.domain import events as ev
from nexustrader.domain.ids import OidGenerator
from nexustrader.domain.outcome import Conclusion, Route
from nexustrader.error import OrderError
from virtual_time import LoopClock, run_virtual

K = ev.EventKind
MANUAL = "web_17hd6"
ANOTHER_STRATEGYS = OidGenerator(SHARD + 1).next(1_700_000_000_000)


def with_options(
    **options: bool,
) -> Callable[[Callable[[Desk], Coroutine[Any, Any, None]]], Callable[[], None]]:
    def decorate(test: Callable[[Desk], Coroutine[Any, Any, None]]) -> Callable[[], None]:
        def run() -> None:
            run_virtual(lambda clock: test(Desk(clock, **options)))

        run.__name__ = test.__name__
        return run

    return decorate


def theirs(desk: Desk, oid: str = MANUAL, kind: K = K.ACCEPTED, **more: Any) -> ev.OrderEvent:
    terms: dict[str, Any] = {
        "side": OrderSide.SELL,
        "type": OrderType.LIMIT,
        "amount": Decimal("0.5"),
        "price": Decimal(40_000),
        "eid": "99",
    }
    return desk.venue.event(oid, kind, **(terms | more))


def execution(desk: Desk, amount: str, trade_id: str = "1") -> ev.Fill:
    return ev.Fill(
        trade_id=trade_id, price=Decimal(40_000), amount=Decimal(amount), timestamp=desk.clock.timestamp_ms()
    )


def held(desk: Desk) -> Decimal:
    return desk.portfolio.position(ACCOUNT, SYMBOL).signed_amount


# -- left alone ----------------------------------------------------------------------------------------------


@pytest.mark.parametrize("oid", [MANUAL, ANOTHER_STRATEGYS])
def test_an_order_of_somebody_else_is_not_ours_and_its_fills_count(oid: str) -> None:
    @desk_test
    async def run(desk: Desk) -> None:
        desk.on_order_event(theirs(desk, oid))
        for _ in range(2):
            desk.on_order_event(
                theirs(desk, oid, K.FILLED, fill=execution(desk, "0.2"), filled=Decimal("0.2"))
            )
        assert desk.names == []
        assert desk.oms.get(oid) is None
        assert desk.cache.get_open_orders(SYMBOL) == set()
        assert held(desk) == Decimal("-0.2")

    run()


@desk_test
async def test_a_liquidation_counts_although_its_kind_of_order_is_none_of_ours(desk: Desk) -> None:
    desk.on_order_event(
        theirs(
            desk,
            "autoclose-1",
            K.FILLED,
            type=None,
            amount=None,
            fill=execution(desk, "0.2"),
            filled=Decimal("0.2"),
        )
    )
    assert held(desk) == Decimal("-0.2")


@desk_test
async def test_a_fill_without_a_side_cannot_be_counted_and_breaks_nothing(desk: Desk) -> None:
    desk.on_order_event(theirs(desk, kind=K.FILLED, side=None, fill=execution(desk, "0.2")))
    assert held(desk) == 0


@desk_test
async def test_cancelling_an_order_of_somebody_else_is_refused_and_not_sent(desk: Desk) -> None:
    desk.on_order_event(theirs(desk))
    desk.cancel(MANUAL)
    await desk.settle()
    assert desk.names == ["CANCEL_FAILED"]
    assert desk.venue.commands == []


# -- cancelling all of ours ----------------------------------------------------------------------------------


@with_options(is_alone=True)
async def test_an_account_declared_to_be_ours_alone_is_cancelled_by_one_command(desk: Desk) -> None:
    first, second = await live(desk), await live(desk)
    desk.ems.cancel_all(ACCOUNT, SYMBOL)
    command = desk.venue.commands[-1]
    assert isinstance(command, ev.CancelAll)
    assert set(command.oids) == {first, second}
    assert desk.cache.get_open_orders(SYMBOL) == set()


@with_options(is_alone=True)
async def test_with_an_order_that_waits_for_a_price_each_is_cancelled_by_itself(desk: Desk) -> None:
    waiting = desk.create(type=OrderType.STOP_LOSS_LIMIT, trigger_price=Decimal(30_100))
    desk.ems.cancel_all(ACCOUNT, SYMBOL)
    command = desk.venue.commands[-1]
    assert isinstance(command, ev.Cancel)
    assert (command.oid, command.is_triggered) == (waiting, True)


@with_options(is_alone=True)
async def test_a_stranger_seen_on_the_account_refutes_the_declaration(desk: Desk) -> None:
    oid = await live(desk)
    desk.on_order_event(theirs(desk))
    desk.ems.cancel_all(ACCOUNT, SYMBOL)
    command = desk.venue.commands[-1]
    assert isinstance(command, ev.Cancel)
    assert command.oid == oid


@with_options(adopt_foreign=True)
async def test_orders_that_are_shown_but_not_ours_outlive_a_cancel_of_all(desk: Desk) -> None:
    oid = await live(desk)
    desk.on_order_event(theirs(desk))
    desk.venue.commands.clear()
    desk.ems.cancel_all(ACCOUNT, SYMBOL)
    assert [getattr(command, "oid", None) for command in desk.venue.commands] == [oid]


# -- shown and claimed ---------------------------------------------------------------------------------------


@with_options(adopt_foreign=True)
async def test_an_adopted_order_is_shown_and_told_of_and_counted_once(desk: Desk) -> None:
    desk.on_order_event(theirs(desk))
    assert desk.names == ["ACCEPTED"]
    assert desk.cache.get_open_orders(SYMBOL) == {MANUAL}
    for _ in range(2):
        desk.on_order_event(theirs(desk, kind=K.FILLED, fill=execution(desk, "0.2"), filled=Decimal("0.2")))
    assert held(desk) == Decimal("-0.2")


@with_options(adopt_foreign=True)
async def test_an_adopted_order_is_neither_cancelled_nor_amended(desk: Desk) -> None:
    desk.on_order_event(theirs(desk))
    desk.told.clear()
    desk.cancel(MANUAL)
    desk.ems.amend(MANUAL, price=Decimal(41_000), amount=None, params={})
    await desk.settle()
    assert desk.venue.commands == []
    assert desk.names == ["CANCEL_FAILED"]
    assert "somebody else" in (desk.told[0][1].reason or "")


@with_options(adopt_foreign=True)
async def test_a_claimed_order_is_ours_to_cancel(desk: Desk) -> None:
    desk.on_order_event(theirs(desk))
    desk.oms.claim_foreign(MANUAL)
    desk.cancel(MANUAL, Route.REST)
    command = desk.venue.commands[-1]
    assert isinstance(command, ev.Cancel)
    assert (command.oid, command.eid) == (MANUAL, "99")
    desk.venue.result(command, Conclusion.ACCEPTED, events=[theirs(desk, kind=K.CANCELED)])
    assert desk.names[-1] == "CANCELED"


@desk_test
async def test_an_order_that_is_not_kept_cannot_be_claimed(desk: Desk) -> None:
    desk.on_order_event(theirs(desk))
    with pytest.raises(OrderError, match="adopt"):
        desk.oms.claim_foreign(MANUAL)


def test_adopted_orders_are_known_again_after_a_restart() -> None:
    async def run(clock: LoopClock) -> None:
        desk = Desk(clock, adopt_foreign=True)
        desk.on_order_event(theirs(desk))
        again = Desk(clock, desk.journal, adopt_foreign=True)
        again.oms.restore(desk.journal.replay(), again.portfolio.adjust)
        assert again.oms.get(MANUAL) == desk.oms.get(MANUAL)
        again.cancel(MANUAL)
        await again.settle()
        assert again.venue.commands == []

    run_virtual(run)
