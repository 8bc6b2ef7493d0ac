"""Whatever the order and the repetitions in which the facts about one order arrive, it ends the same."""

from __future__ import annotations

from decimal import Decimal
from typing import NamedTuple

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from nexustrader.constants import OrderSide, OrderType
from nexustrader.domain.events import Amend, Cancel, EventKind, Fill, OrderEvent, Source, Submit
from nexustrader.domain.invariants import fills_exactly_once, legal_transitions, told_once_and_in_order
from nexustrader.domain.order import Applied, FillDelta, Notice, OrderState, Told, apply, snapshot
from nexustrader.domain.order_state import OWN_WORD, Status

OID = "17000000000000010007"
SYMBOL = "BTCUSDT-PERP.BINANCE"
K = EventKind


class Story(NamedTuple):
    """The facts about one order, and what it must come to."""

    amount: Decimal
    facts: tuple[OrderEvent, ...]
    commands: tuple[Cancel | Amend, ...]
    status: Status
    filled: Decimal
    cost: Decimal
    fees: dict[str, Decimal]
    final_amount: Decimal
    eid: str | None = None  # the venue's latest id of a triggered order


def event(kind: K, timestamp: int, source: Source = Source.STREAM, **fields: object) -> OrderEvent:
    return OrderEvent(
        oid=OID,
        kind=kind,
        source=source,
        timestamp=timestamp,
        account="binance:USD_M_FUTURE",
        symbol=SYMBOL,
        **fields,
    )


@st.composite
def executed_stories(draw: st.DrawFn) -> Story:
    """Stories of an order that the venue had."""
    amount = Decimal(draw(st.integers(1, 20)))
    enlarged = draw(st.one_of(st.none(), st.integers(1, 10)))
    final_amount = amount + enlarged if enlarged else amount
    sizes = draw(st.lists(st.integers(1, 6), max_size=5))
    while sum(sizes) > final_amount:
        sizes.pop()
    facts: list[OrderEvent] = []
    filled, cost, fees = Decimal(0), Decimal(0), {}
    clock = 1000
    for number, size in enumerate(sizes):
        clock += 10
        price = Decimal(draw(st.integers(90, 110)))
        currency = draw(st.sampled_from(["USDT", "BNB"]))
        fee = Decimal(draw(st.integers(-2, 5))) / 100
        filled, cost = filled + size, cost + price * size
        if fee:
            fees[currency] = fees.get(currency, Decimal(0)) + fee
        fill = Fill(
            trade_id=f"t{number}",
            price=price,
            amount=Decimal(size),
            fee=fee,
            fee_currency=currency,
            timestamp=clock,
        )
        told = draw(st.sampled_from(["fill", "both", "query too"]))
        total = {"filled": filled, "average": cost / filled} if told == "both" else {}
        facts.append(event(K.FILLED, clock, fill=fill, **total))
        if told == "query too":
            facts.append(event(K.FILLED, clock, Source.QUERY, filled=filled, average=cost / filled))
    if draw(st.booleans()):
        facts.append(event(K.ACKED, 1000, Source.ACK, eid="77"))
    if draw(st.booleans()):
        facts.append(event(K.ACCEPTED, 1001, eid="77", amount=amount, price=Decimal(100)))
    is_complete = filled >= final_amount
    end = None if is_complete else draw(st.sampled_from([None, K.CANCELED, K.EXPIRED]))
    if end is not None:
        total = {"filled": filled, "average": cost / filled} if filled and draw(st.booleans()) else {}
        facts.append(event(end, clock + 50, **total))
    commands: list[Cancel | Amend] = []
    cancel = draw(st.sampled_from([None, K.CANCEL_ACKED, K.CANCEL_REJECTED]))
    if cancel is not None:
        commands.append(Cancel(oid=OID, account="binance:USD_M_FUTURE", symbol=SYMBOL, timestamp=clock))
        facts.append(event(cancel, clock + 20, Source.ACK, reason="-2011"))
    if enlarged:
        facts.append(event(K.AMENDED, 1005, amount=final_amount, price=Decimal(101)))
    seen_live = bool(sizes) or end is not None or any(f.kind in (K.ACCEPTED, K.AMENDED) for f in facts)
    if not seen_live:
        facts.append(event(K.ACCEPTED, 1001, Source.QUERY, eid="77"))
    if draw(st.booleans()):
        facts.append(event(K.UNKNOWN, 1002, Source.LOCAL, reason="timeout"))
    status = Status.FILLED if is_complete else Status.PARTIALLY_FILLED if filled else Status.ACCEPTED
    if end is not None:
        status = Status.CANCELED if end is K.CANCELED else Status.EXPIRED
    elif not is_complete and cancel is K.CANCEL_ACKED:
        status = Status.CANCELING
    return Story(
        amount,
        tuple(facts),
        tuple(commands),
        status,
        filled,
        cost,
        {c: f for c, f in fees.items() if f},
        final_amount,
    )


@st.composite
def refused_stories(draw: st.DrawFn) -> Story:
    """Stories of an order that the venue refused, perhaps after an ACK or after we had given up waiting."""
    source = draw(st.sampled_from(list(Source)))
    facts = [event(K.REJECTED, 1010, source, reason="-2019 margin")]
    if source in OWN_WORD and draw(st.booleans()):
        facts.append(event(K.ACCEPTED, 1003, eid="77"))
    if draw(st.booleans()):
        facts.append(event(K.ACKED, 1001, Source.ACK, eid="77"))
    if draw(st.booleans()):
        facts.append(event(K.UNKNOWN, 1002, Source.LOCAL, reason="timeout"))
    amount = Decimal(draw(st.integers(1, 20)))
    return Story(amount, tuple(facts), (), Status.REJECTED, Decimal(0), Decimal(0), {}, amount)


@st.composite
def triggered_stories(draw: st.DrawFn) -> Story:
    """Stories of an order that waited for a price, under an id of that; its trigger may make another order of it."""
    waiting, live = "algo-5", "77"
    amount, price = Decimal(draw(st.integers(1, 6))), Decimal(100)
    facts = [event(K.ACKED, 1000, Source.ACK, eid=waiting, amount=amount)]
    sources = draw(st.lists(st.sampled_from([Source.STREAM, Source.QUERY]), max_size=2))
    facts += [event(K.ACCEPTED, 1000, source, eid=waiting, amount=amount) for source in sources]
    trigger = draw(st.sampled_from([1000, 1001, 1050]))  # the venue may do it in the same millisecond
    filled, eid, end = Decimal(0), waiting, None
    if draw(st.booleans()):
        eid = live
        facts.append(event(K.ACCEPTED, trigger, eid=live))
        for number in range(draw(st.integers(0, int(amount)))):
            fill = Fill(trade_id=f"t{number}", price=price, amount=Decimal(1), timestamp=trigger)
            facts.append(event(K.FILLED, trigger + number, eid=live, fill=fill))
            filled += 1
    else:
        facts.append(event(K.ACCEPTED, 1000, eid=waiting))
    if filled < amount:
        end = draw(st.sampled_from([None, K.CANCELED, K.EXPIRED]))
    if end is not None:
        facts.append(event(end, trigger + 10, eid=eid))
    if eid == live and draw(st.booleans()):
        facts.append(event(K.ACCEPTED, trigger + 20, Source.QUERY, eid=live))
    status = Status.FILLED if filled >= amount else Status.PARTIALLY_FILLED if filled else Status.ACCEPTED
    if end is not None:
        status = Status.CANCELED if end is K.CANCELED else Status.EXPIRED
    return Story(amount, tuple(facts), (), status, filled, filled * price, {}, amount, eid)


def begin(story: Story) -> OrderState:
    order = apply(
        None,
        Submit(
            oid=OID,
            account="binance:USD_M_FUTURE",
            symbol=SYMBOL,
            side=OrderSide.BUY,
            type=OrderType.LIMIT if story.eid is None else OrderType.STOP_LOSS_LIMIT,
            amount=story.amount,
            price=Decimal(100),
            trigger_price=None if story.eid is None else Decimal(99),
            timestamp=990,
        ),
    ).order
    for command in story.commands:
        order = apply(order, command).order
    return order


def live(order: OrderState, facts: list[OrderEvent]) -> tuple[OrderState, list[FillDelta], list[Told]]:
    """Apply the facts one by one, checking what must hold at every step."""
    deltas: list[FillDelta] = []
    told: list[Told] = []
    for fact in facts:
        before = order
        applied: Applied = apply(order, fact)
        order = applied.order
        assert order.filled >= before.filled
        assert legal_transitions([(OID, before.status, order.status)]) == []
        assert apply(order, fact) == (order, ()), "a repeated fact must change and tell nothing"
        for effect in applied.effects:
            if isinstance(effect, FillDelta):
                deltas.append(effect)
            else:
                told.append(effect)
                assert snapshot(order, effect).status is effect.status
    return order, deltas, told


CLOSING = {
    Status.FILLED: Notice.FILLED,
    Status.CANCELED: Notice.CANCELED,
    Status.EXPIRED: Notice.EXPIRED,
    Status.REJECTED: Notice.FAILED,
}


def check_end(story: Story, order: OrderState, deltas: list[FillDelta], told: list[Told]) -> None:
    assert order.status is story.status
    assert order.filled == story.filled
    assert order.cost == story.cost
    assert {currency: fee for currency, fee in order.fees if fee} == story.fees
    assert order.amount == story.final_amount
    assert story.eid in (None, order.eid)
    assert fills_exactly_once([order], [(OID, delta) for delta in deltas], [OID]) == []
    assert sum((delta.cost for delta in deltas), Decimal(0)) == order.cost
    notices = [(OID, one.notice) for one in told]
    assert told_once_and_in_order(notices, [OID]) == []
    assert order.status not in CLOSING or (OID, CLOSING[order.status]) in notices


@pytest.mark.slow
@settings(max_examples=300, deadline=None)
@given(data=st.data(), story=st.one_of(executed_stories(), refused_stories(), triggered_stories()))
def test_any_permutation_and_repetition_of_the_facts_ends_the_same(data: st.DataObject, story: Story) -> None:
    repeated = data.draw(st.lists(st.sampled_from(story.facts), max_size=4))
    arrival = data.draw(st.permutations([*story.facts, *repeated]))
    order, deltas, told = live(begin(story), arrival)
    check_end(story, order, deltas, told)


KINDS = st.sampled_from(list(K))
AMOUNTS = st.one_of(st.none(), st.integers(0, 12).map(Decimal))
PRICES = st.one_of(st.none(), st.integers(0, 200).map(Decimal))
FILLS = st.one_of(
    st.none(),
    st.builds(
        Fill,
        trade_id=st.sampled_from(["a", "b", "c", "d"]),
        price=st.integers(0, 200).map(Decimal),
        amount=st.integers(1, 4).map(Decimal),
        fee=st.integers(-1, 1).map(Decimal),
        fee_currency=st.sampled_from([None, "USDT", "BNB"]),
        timestamp=st.integers(0, 100),
    ),
)
ANY_EVENT = st.builds(
    event,
    KINDS,
    st.integers(0, 100),
    st.sampled_from(list(Source)),
    filled=AMOUNTS,
    average=PRICES,
    fill=FILLS,
    price=PRICES,
    amount=AMOUNTS,
    reason=st.sampled_from([None, "why"]),
)


@pytest.mark.slow
@settings(max_examples=300, deadline=None)
@given(facts=st.lists(ANY_EVENT, max_size=12))
def test_even_contradictory_facts_never_break_the_books(facts: list[OrderEvent]) -> None:
    story = Story(Decimal(8), (), (), Status.INITIALIZED, Decimal(0), Decimal(0), {}, Decimal(8))
    order = begin(story)
    deltas: list[FillDelta] = []
    overfilled: set[str] = set()
    for fact in facts:
        before = order
        order, effects = apply(order, fact)
        assert order.filled >= before.filled
        assert legal_transitions([(OID, before.status, order.status)]) == []
        for effect in effects:
            if isinstance(effect, FillDelta):
                deltas.append(effect)
            elif effect.notice is Notice.OVERFILL:
                overfilled.add(OID)
        sums: dict[str, Decimal] = {}
        for delta in deltas:
            for currency, fee in delta.fees:
                sums[currency] = sums.get(currency, Decimal(0)) + fee
        assert dict(order.fees) == sums
        assert fills_exactly_once([order], [(OID, delta) for delta in deltas], overfilled) == []
        assert abs(sum((delta.cost for delta in deltas), Decimal(0)) - order.cost) < Decimal("1e-20")
