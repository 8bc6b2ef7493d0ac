"""The table of legal steps is what facts can cause: nothing is missing in it, and nothing is allowed beyond that."""

from __future__ import annotations

from collections.abc import Iterator
from decimal import Decimal

from nexustrader.constants import OrderSide, OrderType
from nexustrader.domain.events import EventKind, OrderEvent, Source, Submit
from nexustrader.domain.order import OrderState, apply
from nexustrader.domain.order_state import LEGAL, Status

OID = "17000000000000010007"
K = EventKind


def facts() -> Iterator[OrderEvent]:
    """Everything that may be said of an order of 2: what happened to it, how much is filled, that it was enlarged."""
    for source in (Source.ACK, Source.STREAM, Source.QUERY):
        for kind in K:
            yield OrderEvent(oid=OID, kind=kind, source=source, timestamp=2)
    for kind in (K.ACCEPTED, K.FILLED, K.CANCELED, K.EXPIRED):
        for filled in (Decimal(1), Decimal(2)):
            yield OrderEvent(oid=OID, kind=kind, source=Source.QUERY, timestamp=2, filled=filled)
    yield OrderEvent(oid=OID, kind=K.AMENDED, source=Source.STREAM, timestamp=3, amount=Decimal(3))


def steps() -> set[tuple[Status, Status]]:
    """Every (before, after) that some fact causes, from every state that an order can come to."""
    intent = Submit(
        oid=OID,
        account="binance:USD_M_FUTURE",
        symbol="BTCUSDT-PERP.BINANCE",
        side=OrderSide.BUY,
        type=OrderType.LIMIT,
        amount=Decimal(2),
        price=Decimal(100),
        timestamp=1,
    )
    said = list(facts())
    found: set[tuple[Status, Status]] = set()
    seen: set[tuple[object, ...]] = set()
    waiting: list[OrderState] = [apply(None, intent).order]
    while waiting:
        order = waiting.pop()
        known = (order.word, order.cancel, order.is_acked, order.is_own_refusal, order.filled, order.amount)
        if known in seen:
            continue
        seen.add(known)
        for fact in said:
            after = apply(order, fact).order
            found.add((order.status, after.status))
            waiting.append(after)
    return found


def test_the_legal_steps_are_exactly_those_that_one_fact_can_cause() -> None:
    assert steps() == LEGAL
