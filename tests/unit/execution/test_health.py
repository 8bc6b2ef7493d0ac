"""A running engine notices its own defects, counts them, and goes on."""

from __future__ import annotations

from decimal import Decimal

import msgspec
import pytest

from desk import ACCOUNT, SYMBOL
from nexustrader.constants import OrderSide, OrderType
from nexustrader.domain import events as ev
from nexustrader.domain.order import Applied, OrderState, apply
from nexustrader.domain.order_effects import FillDelta
from nexustrader.domain.order_state import Status
from nexustrader.execution import health as health_module
from nexustrader.execution.health import Health

FACT = ev.OrderEvent(oid="1", kind=ev.EventKind.FILLED, source=ev.Source.STREAM, timestamp=2)


def order(**changes: object) -> OrderState:
    submit = ev.Submit(
        oid="1",
        account=ACCOUNT,
        symbol=SYMBOL,
        side=OrderSide.BUY,
        type=OrderType.LIMIT,
        amount=Decimal(10),
        price=Decimal(100),
        timestamp=1,
    )
    return msgspec.structs.replace(apply(None, submit).order, **changes)


def fill(amount: int) -> FillDelta:
    return FillDelta(amount=Decimal(amount), cost=Decimal(amount * 100), price=Decimal(100), timestamp=2)


def test_sound_facts_are_passed_over_in_silence() -> None:
    health = Health()
    state = order()
    for event in (
        msgspec.structs.replace(FACT, kind=ev.EventKind.ACCEPTED),
        msgspec.structs.replace(FACT, filled=Decimal(4), average=Decimal(100)),
        msgspec.structs.replace(
            FACT, filled=Decimal(12), average=Decimal(100)
        ),  # an overfill, and it is told
    ):
        applied = apply(state, event)
        health.on_fact(state, event, applied)
        state = applied.order
    assert health.violations == []
    assert health.count == 0


@pytest.mark.parametrize(
    ("before", "after", "effects", "named"),
    [
        (order(status=Status.FILLED), order(status=Status.PENDING), (), "I4"),
        (order(filled=Decimal(5)), order(filled=Decimal(4)), (fill(-1),), "fell"),
        (order(filled=Decimal(4)), order(filled=Decimal(5)), (), "0 was told"),
        (order(filled=Decimal(4)), order(filled=Decimal(5)), (fill(2),), "2 was told"),
        (order(filled=Decimal(4)), order(filled=Decimal(11)), (fill(7),), "nobody was told"),
    ],
)
def test_a_defect_is_named(
    before: OrderState, after: OrderState, effects: tuple[FillDelta, ...], named: str
) -> None:
    health = Health()
    health.on_fact(before, FACT, Applied(after, effects))
    assert health.count >= 1
    assert any(named in text for text in health.violations)


def test_the_list_is_bounded_and_the_count_goes_on(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(health_module, "VIOLATIONS_KEPT_MAX", 2)
    health = Health()
    for _ in range(5):
        health.on_fact(order(status=Status.FILLED), FACT, Applied(order(status=Status.PENDING), ()))
    assert len(health.violations) == 2
    assert health.count == 5
