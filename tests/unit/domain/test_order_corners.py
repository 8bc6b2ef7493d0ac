"""`domain.order.apply` where two facts meet: what is shown of fills, old terms, refusals that nobody waits for."""

from __future__ import annotations

from decimal import Decimal

import pytest

from nexustrader.constants import OrderSide, OrderType, TimeInForce
from nexustrader.domain.events import Amend, EventKind, Fill, OrderEvent, Source, Submit
from nexustrader.domain.order import Notice, OrderState, Told, apply
from nexustrader.domain.order_state import ENDED, LEGAL, CancelState, Status

OID = "17000000000000010007"
K = EventKind


def event(kind: K, timestamp: int, source: Source = Source.STREAM, **fields: object) -> OrderEvent:
    return OrderEvent(oid=OID, kind=kind, source=source, timestamp=timestamp, **fields)


def live(**fields: object) -> OrderState:
    """An order of 10 at 100 that was accepted at 10."""
    terms: dict[str, object] = {"amount": Decimal(10), "price": Decimal(100)}
    record = Submit(
        oid=OID,
        account="binance:USD_M_FUTURE",
        symbol="BTCUSDT-PERP.BINANCE",
        timestamp=1,
        side=OrderSide.BUY,
        type=OrderType.LIMIT,
        **(terms | fields),
    )
    return apply(apply(None, record).order, event(K.ACCEPTED, 10)).order


def notices(order: OrderState, *events: OrderEvent) -> list[Notice]:
    told: list[Notice] = []
    for one in events:
        order, effects = apply(order, one)
        told += [effect.notice for effect in effects if isinstance(effect, Told)]
    return told


def fill(trade_id: str, amount: int, price: int) -> Fill:
    return Fill(trade_id=trade_id, price=Decimal(price), amount=Decimal(amount), timestamp=20)


@pytest.mark.parametrize("source", [Source.STREAM, Source.QUERY])
def test_terms_that_are_older_than_those_in_force_are_neither_taken_nor_told(source: Source) -> None:
    order = apply(live(), event(K.AMENDED, 20, price=Decimal(101))).order
    for stale in (
        event(K.ACCEPTED, 15, source, price=Decimal(100), amount=Decimal(10)),
        event(K.ACCEPTED, 20, source, price=Decimal(100), amount=Decimal(10)),
        event(K.AMENDED, 15, source, price=Decimal(99)),
    ):
        assert apply(order, stale).order.price == Decimal(101)
        assert notices(order, stale) == []


@pytest.mark.parametrize("source", [Source.STREAM, Source.QUERY])
def test_new_terms_of_the_same_millisecond_as_a_fill_before_them_are_taken(source: Source) -> None:
    """A venue that has no word of its own for an amendment tells the new terms with the order's status."""
    change = Amend(oid=OID, account="", symbol="", side=OrderSide.BUY, price=Decimal(99), timestamp=15)
    asked = apply(live(), change)
    before = event(
        K.FILLED, 20, filled=Decimal(4), average=Decimal(100), price=Decimal(100), amount=Decimal(10)
    )
    partly = apply(asked.order, before).order
    changed = apply(
        partly, event(K.FILLED, 20, source, filled=Decimal(4), average=Decimal(100), price=Decimal(99))
    )
    assert (changed.order.price, changed.order.is_amending) == (Decimal(99), False)
    assert apply(changed.order, before).order.price == Decimal(99)  # it comes again


def test_a_refusal_of_a_cancel_that_is_not_known_here_is_told() -> None:
    refused = event(K.CANCEL_REJECTED, 20, reason="no")
    assert apply(live(), refused).order.cancel is CancelState.REFUSED
    assert notices(live(), refused, refused) == [Notice.CANCEL_FAILED]


def test_a_better_word_on_the_cost_is_no_fill() -> None:
    order = apply(live(), event(K.FILLED, 20, filled=Decimal(4))).order
    assert (order.last_filled, order.last_price, order.cost) == (Decimal(4), Decimal(100), Decimal(400))
    order = apply(order, event(K.FILLED, 21, filled=Decimal(4), average=Decimal(99))).order
    assert (order.last_filled, order.last_price, order.cost) == (Decimal(4), Decimal(100), Decimal(396))


def test_the_last_fill_is_the_execution_even_when_more_has_been_filled_before_it() -> None:
    order = apply(live(), event(K.FILLED, 20, fill=fill("9", 1, 98), filled=Decimal(4))).order
    assert order.filled == Decimal(4)
    assert (order.last_filled, order.last_price) == (Decimal(1), Decimal(98))


def test_an_enlargement_that_is_heard_after_the_fill_may_leave_the_order_in_any_state_with_fills() -> None:
    reopened = {after for before, after in LEGAL if before is Status.FILLED}
    assert reopened == {Status.FILLED, Status.PARTIALLY_FILLED, Status.CANCELING, *ENDED}


@pytest.mark.parametrize(
    ("said", "kept"),
    [
        ({}, (None, TimeInForce.GTC, False)),
        (
            {"price": Decimal(0), "time_in_force": TimeInForce.IOC, "reduce_only": True},
            (None, TimeInForce.IOC, True),
        ),
        ({"price": Decimal(100)}, (Decimal(100), TimeInForce.GTC, False)),
    ],
)
def test_an_adopted_order_has_the_terms_that_the_venue_names(
    said: dict[str, object], kept: tuple[object, ...]
) -> None:
    shown = event(
        K.ACCEPTED,
        10,
        account="binance:USD_M_FUTURE",
        symbol="BTCUSDT-PERP.BINANCE",
        side=OrderSide.BUY,
        type=OrderType.LIMIT,
        amount=Decimal(10),
        **said,
    )
    order = apply(None, shown).order
    assert (order.price, order.time_in_force, order.reduce_only) == kept
