"""What a strategy asks for, checked before anything is journalled or sent."""

from __future__ import annotations

from decimal import Decimal
from typing import Any

import pytest

from desk import ACCOUNT, SYMBOL, Desk, desk_test, live
from nexustrader.constants import OrderSide, OrderStatus, OrderType
from nexustrader.domain import events as ev
from nexustrader.domain.ids import OidGenerator
from nexustrader.domain.outcome import Conclusion, Route
from nexustrader.error import InstrumentError, NexusTraderError, OrderError
from nexustrader.execution.request import OrderRequest

K = ev.EventKind
OTHER = "binance:USD_M_FUTURE:other"


def adopt(desk: Desk, account: str, **changes: Any) -> str:
    """An order of ours that the venue shows on another account."""
    fields: dict[str, Any] = {
        "oid": OidGenerator(42).next(desk.clock.timestamp_ms() - 1),
        "kind": K.ACCEPTED,
        "source": ev.Source.QUERY,
        "timestamp": desk.clock.timestamp_ms(),
        "account": account,
        "symbol": SYMBOL,
        "eid": "99",
        "side": OrderSide.BUY,
        "type": OrderType.LIMIT,
        "price": Decimal(30_000),
        "amount": Decimal("0.01"),
    }
    event = ev.OrderEvent(**(fields | changes))
    desk.on_order_event(event)
    return event.oid


# -- creates -------------------------------------------------------------------------------------------------


@desk_test
async def test_params_that_the_journal_gives_back_reach_the_venue(desk: Desk) -> None:
    params = {"a": "x", "b": 1, "c": 1.5, "d": True, "e": Decimal("1E+2")}
    desk.create(params=params)
    (command,) = desk.venue.commands
    (again,) = desk.journal.replay()
    for record in (command, again):
        assert isinstance(record, ev.Submit)
        assert record.params == params | {"e": "100"}


@pytest.mark.parametrize(
    "changes",
    [
        {"side": "BUY"},
        {"type": "LIMIT"},
        {"time_in_force": None},
        {"time_in_force": "GTC"},
        {"reduce_only": 1},
        {"symbol": None},
        {"symbol": "BTCUSDT"},
        {"symbol": "BTCUSDT.NOWHERE"},
        {"client_oid": 5},
        {"idempotency_key": 5},
        {"params": {"stopPrice": None}},
        {"params": {"legs": [1, 2]}},
        {"params": {"extra": {"a": 1}}},
    ],
)
def test_what_the_journal_could_not_give_back_is_refused_by_name_at_once(changes: dict[str, Any]) -> None:
    @desk_test
    async def run(desk: Desk) -> None:
        name = next(iter(changes.get("params", changes)))
        with pytest.raises((OrderError, InstrumentError), match=name):
            desk.create(**changes)
        await desk.settle()
        assert list(desk.journal.replay()) == []

    run()


@desk_test
async def test_a_name_given_to_a_refused_order_is_never_shared_with_a_live_one(desk: Desk) -> None:
    desk.create(client_oid="entry", amount=Decimal(0))
    desk.create(client_oid="entry")
    await desk.settle()
    assert desk.venue.commands == []
    assert desk.names == ["FAILED"]
    assert desk.state("entry").public_status is OrderStatus.FAILED


@desk_test
async def test_once_the_engine_stops_no_order_is_sent_but_cancels_are(desk: Desk) -> None:
    oid = await live(desk)
    desk.ems.close("the engine is stopping")
    desk.create(idempotency_key="late")
    desk.cancel(oid)
    await desk.settle()
    assert [type(c).__name__ for c in desk.venue.commands] == ["Submit", "Cancel"]
    assert desk.names == ["FAILED"]
    assert desk.told[0][1].reason == "the engine is stopping"


@desk_test
async def test_an_order_that_was_cancelled_before_it_could_leave_is_never_sent(desk: Desk) -> None:
    desk.venue.on_command = lambda c: (
        desk.venue.result(c, Conclusion.NOT_SENT, reason="not connected") if _by_ws(c) else None
    )
    oid = desk.create()
    desk.cancel(oid)
    await desk.settle()
    assert [c.route for c in desk.venue.commands if isinstance(c, ev.Submit)] == [Route.WS]
    assert [c.route for c in desk.venue.commands if isinstance(c, ev.Cancel)] == [Route.WS]
    assert desk.names == ["FAILED"]
    assert not desk.ems.is_waiting


def _by_ws(command: ev.Command) -> bool:
    return getattr(command, "route", None) is Route.WS


@desk_test
async def test_a_rest_order_that_was_not_sent_fails_and_is_not_tried_again(desk: Desk) -> None:
    desk.venue.on_command = lambda c: desk.venue.result(c, Conclusion.NOT_SENT, reason="rate limit")
    desk.create(route=Route.REST)
    await desk.settle()
    assert len(desk.venue.commands) == 1
    assert desk.names == ["FAILED"]
    assert not desk.ems.is_waiting


# -- cancels and amendments ----------------------------------------------------------------------------------


@desk_test
async def test_a_change_with_params_that_the_journal_could_not_give_back_is_refused_at_once(
    desk: Desk,
) -> None:
    oid = await live(desk)
    records = len(list(desk.journal.replay()))
    params: Any = {"x": None}
    with pytest.raises(OrderError, match="x=None"):
        desk.ems.cancel(SYMBOL, oid, Route.WS, ws_fallback=True, params=params)
    with pytest.raises(OrderError, match="x=None"):
        desk.ems.amend(oid, price=Decimal(1), amount=None, params=params)
    assert len(desk.venue.commands) == 1
    assert len(list(desk.journal.replay())) == records
    assert desk.cache.get_open_orders(SYMBOL) == {oid}


@desk_test
async def test_an_order_of_an_account_that_is_no_longer_configured_is_left_alone_and_that_is_said(
    desk: Desk,
) -> None:
    oid = adopt(desk, OTHER)
    desk.told.clear()
    desk.cancel(oid)
    desk.ems.amend(oid, price=Decimal(29_000), amount=None, params={})
    with pytest.raises(NexusTraderError, match="other"):
        desk.ems.cancel_all(OTHER, SYMBOL)
    await desk.settle()
    assert desk.names == ["CANCEL_FAILED"]
    assert desk.cache.get_open_orders(SYMBOL) == {oid}


@desk_test
async def test_an_order_whose_symbol_is_gone_can_be_asked_to_end_without_an_error(desk: Desk) -> None:
    gone = "GONEUSDT-PERP.BINANCE"
    oid = adopt(desk, ACCOUNT, symbol=gone)
    desk.ems.amend(oid, price=Decimal(29_000), amount=None, params={})
    desk.ems.cancel(gone, oid, Route.WS, ws_fallback=False, params={})
    desk.venue.result(desk.venue.commands[-1], Conclusion.NOT_SENT, reason="not traded")
    await desk.settle()
    assert desk.names[-1] == "CANCEL_FAILED"
    assert desk.ws_results[0]["symbol"] == gone


@desk_test
async def test_cancelling_all_of_one_account_hides_no_order_of_another(desk: Desk) -> None:
    mine, other = await live(desk), adopt(desk, OTHER)
    desk.ems.cancel_all(ACCOUNT, SYMBOL)
    assert desk.cache.get_open_orders(SYMBOL) == {other}
    assert desk.cache.get_open_orders(SYMBOL, include_canceling=True) == {mine, other}


@desk_test
async def test_a_cancel_under_our_own_id_hides_the_order_under_its_users_name(desk: Desk) -> None:
    await live(desk, client_oid="entry")
    desk.cancel(desk.state("entry").oid)
    assert desk.cache.get_open_orders(SYMBOL) == set()


@desk_test
async def test_a_second_cancel_tells_nothing_twice(desk: Desk) -> None:
    oid = await live(desk)
    for _ in range(2):
        desk.cancel(oid)
        desk.venue.result(desk.venue.commands[-1], Conclusion.ACCEPTED)
    assert desk.names == ["CANCELING"]


@desk_test
async def test_an_amendment_takes_numbers_as_a_create_does(desk: Desk) -> None:
    oid = await live(desk)
    desk.ems.amend(oid, price=29_000.55, amount=0.02, params={})  # type: ignore[arg-type]
    command = desk.venue.commands[-1]
    assert isinstance(command, ev.Amend)
    assert (command.price, command.amount) == (Decimal("29000.5"), Decimal("0.020"))
    desk.ems.amend(oid, price=Decimal("NaN"), amount=None, params={})
    assert desk.venue.commands[-1] is command


@desk_test
async def test_a_refused_amendment_is_known_as_such(desk: Desk) -> None:
    oid = await live(desk)
    desk.ems.amend(oid, price=Decimal(29_000), amount=None, params={})
    assert desk.state(oid).is_amending
    desk.venue.result(desk.venue.commands[-1], Conclusion.NOT_SENT, reason="not connected")
    assert not desk.state(oid).is_amending
    assert desk.names == ["AMEND_FAILED"]


@desk_test
async def test_an_account_without_a_connector_takes_no_order_and_that_is_told(desk: Desk) -> None:
    request = OrderRequest(
        symbol=SYMBOL,
        side=OrderSide.BUY,
        type=OrderType.LIMIT,
        amount=Decimal("0.01"),
        price=Decimal(30_000),
        params={"note": "plain"},
    )
    desk.ems.create(OTHER, request)
    await desk.settle()
    assert desk.names == ["FAILED"]
    assert OTHER in (desk.told[0][1].reason or "")
    desk.ems.create(ACCOUNT, request)
    command = desk.venue.commands[-1]
    assert isinstance(command, ev.Submit)
    assert command.params == {"note": "plain"}


@pytest.mark.parametrize("amount", [Decimal("NaN"), Decimal("1e40"), Decimal(0)])
def test_an_amount_that_cannot_be_is_refused_for_an_order_without_a_price_too(amount: Decimal) -> None:
    @desk_test
    async def run(desk: Desk) -> None:
        desk.create(type=OrderType.MARKET, price=None, amount=amount)
        await desk.settle()
        assert desk.names == ["FAILED"]
        assert desk.venue.commands == []

    run()
