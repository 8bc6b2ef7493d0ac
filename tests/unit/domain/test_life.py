"""The life of an order in words. How it is shown is tested with `nexustrader explain`."""

from __future__ import annotations

from decimal import Decimal
from typing import Any

import pytest

from nexustrader.constants import OrderSide, OrderType, TimeInForce
from nexustrader.domain import events as ev
from nexustrader.domain.life import KINDS, SOURCES, Life, Step, cause_of, said
from nexustrader.domain.order import OrderState, apply
from nexustrader.domain.order_state import Status
from nexustrader.domain.snapshot import Snapshot

OID = "17000000000000000042"
K = ev.EventKind


def submit(**changes: Any) -> ev.Submit:
    fields: dict[str, Any] = {
        "oid": OID,
        "account": "a",
        "symbol": "BTCUSDT-PERP.BINANCE",
        "side": OrderSide.SELL,
        "type": OrderType.MARKET,
        "amount": Decimal(2),
        "timestamp": 1,
    }
    return ev.Submit(**(fields | changes))


def event(kind: ev.EventKind, **changes: Any) -> ev.OrderEvent:
    fields: dict[str, Any] = {"oid": OID, "kind": kind, "source": ev.Source.STREAM, "timestamp": 2}
    return ev.OrderEvent(**(fields | changes))


def lived(*entries: Any) -> list[Step]:
    life = Life(OID)
    return [step for seq, entry in enumerate(entries, 1) for step in life.take(seq, entry)]


def test_every_kind_and_source_has_words() -> None:
    assert set(KINDS) == set(ev.EventKind)
    assert set(SOURCES) == set(ev.Source)


@pytest.mark.parametrize(
    ("record", "words"),
    [
        (submit(), "create SELL 2 MARKET GTC, by rest"),
        (
            submit(price=Decimal("1.50"), time_in_force=TimeInForce.IOC, reduce_only=True),
            "create SELL 2 MARKET at 1.50 IOC reduce only, by rest",
        ),
        (submit(attempt=2), "create again, attempt 2, by rest"),
    ],
)
def test_commands_are_told_with_their_terms(record: ev.Submit, words: str) -> None:
    assert [step.what for step in lived(record)] == [words]


@pytest.mark.parametrize(
    ("fact", "words"),
    [
        (event(K.AMENDED, amount=Decimal(3), price=Decimal(5)), "amended to 3 at 5"),
        (event(K.AMENDED), "amended"),
        (event(K.FILLED, filled=Decimal(1), average=Decimal(5)), "filled, 1 in all at 5 on average"),
        (
            event(K.FILLED, fill=ev.Fill(trade_id="9", price=Decimal(5), amount=Decimal(1), timestamp=2)),
            "filled 1 at 5 (trade 9)",
        ),
    ],
)
def test_facts_are_told_with_what_they_say(fact: ev.OrderEvent, words: str) -> None:
    assert said(fact) == words


def test_a_refusal_is_told_with_its_reason_and_the_venues_code() -> None:
    assert cause_of(event(K.REJECTED, reason="no money", code="-1")) == "no money (code -1)"
    assert cause_of(event(K.REJECTED, code="-1")) == "no text (code -1)"
    assert cause_of(event(K.REJECTED, reason="no money")) == "no money"
    assert cause_of(event(K.REJECTED)) is None


def test_records_of_other_orders_are_no_part_of_a_life() -> None:
    other = "17000000000000010042"
    assert not lived(
        submit(oid=other),
        ev.OrderEvent(oid=other, kind=K.CANCELED, source=ev.Source.STREAM, timestamp=1),
        ev.Cancel(oid=other, account="a", symbol="s", timestamp=1),
        ev.CancelAll(account="a", symbol="s", oids=(other,), timestamp=1),
        ev.Delivered(timestamp=1),
    )


def test_an_adopted_order_is_told_as_found() -> None:
    adopted = event(
        K.ACCEPTED,
        account="a",
        symbol="BTCUSDT-PERP.BINANCE",
        side=OrderSide.BUY,
        type=OrderType.LIMIT,
        amount=Decimal(1),
        price=Decimal(5),
    )
    (step,) = lived(adopted)
    assert step.what == "found at the venue and adopted: live on the book"
    assert step.order is not None
    assert step.order.status is Status.ACCEPTED


def test_what_comes_without_a_beginning_is_told_with_the_reason_why_nothing_is_known() -> None:
    steps = lived(
        ev.Cancel(oid=OID, account="a", symbol="s", timestamp=1),
        ev.Amend(oid=OID, account="a", symbol="s", side=OrderSide.BUY, price=Decimal(1), timestamp=1),
        event(K.CANCELED),
    )
    assert [(step.what, step.order) for step in steps] == [
        ("cancel, by rest", None),
        ("amend at 1", None),
        ("canceled", None),
    ]
    assert all(step.because is not None and "not known" in step.because for step in steps)


def test_an_overfill_is_told() -> None:
    fill = ev.Fill(trade_id="9", price=Decimal(5), amount=Decimal(3), timestamp=2)
    assert lived(submit(), event(K.FILLED, fill=fill))[-1].because == "filled 3 of 2"


def kept(*orders: OrderState) -> Snapshot:
    return Snapshot(seq=9, timestamp=8, orders=orders)


def test_a_snapshot_that_keeps_the_order_takes_the_place_of_what_came_before_it() -> None:
    mine = apply(None, submit()).order
    (step,) = lived(kept(apply(None, submit(oid="17000000000000010042")).order, mine))
    assert step.what.startswith("kept in a snapshot")
    assert (step.seq, step.timestamp, step.source, step.order) == (9, 8, "snapshot", mine)


def test_a_snapshot_that_says_nothing_new_of_the_order_is_no_part_of_its_life() -> None:
    mine = apply(None, submit()).order
    other = apply(None, submit(oid="17000000000000010042")).order
    for snapshot in (kept(), kept(other), kept(other, mine)):
        assert [step.seq for step in lived(submit(), snapshot)] == [1]


def test_a_snapshot_that_knows_more_than_the_journal_says_so() -> None:
    canceled = apply(apply(None, submit()).order, event(K.CANCELED, reason="by hand")).order
    step = lived(submit(), kept(canceled))[-1]
    assert step.what.startswith("corrected by a snapshot")
    assert (step.order, step.because) == (canceled, "by hand")
