"""The worst case bounds every sequence of fills, and some sequence reaches each bound."""

from __future__ import annotations

from decimal import Decimal

import pytest
from hypothesis import given
from hypothesis import strategies as st

from nexustrader.risk.exposure import Exposure, OpenAmount, totals
from nexustrader.risk.exposure import worst_case as worst_case_of


def worst_case(position: Decimal, orders: list[OpenAmount]) -> Exposure:
    return worst_case_of(position, totals(orders))


lots = st.integers(0, 9).map(Decimal)
orders = st.lists(st.builds(OpenAmount, st.booleans(), lots, st.booleans()), max_size=6)


def fill(position: Decimal, order: OpenAmount, amount: Decimal) -> tuple[Decimal, OpenAmount]:
    """What the venue does with up to `amount` of an order: reduce-only goes no further than flat."""
    room = order.amount
    if order.reduce_only:
        room = min(room, max(-position if order.is_buy else position, Decimal(0)))
    done = min(amount, room)
    return position + (done if order.is_buy else -done), order._replace(amount=order.amount - done)


@given(st.integers(-9, 9).map(Decimal), orders, st.data())
def test_no_sequence_of_partial_fills_leaves_the_bounds(
    position: Decimal, open_orders: list[OpenAmount], data: st.DataObject
) -> None:
    bounds = worst_case(position, open_orders)
    book = list(open_orders)
    for _ in range(data.draw(st.integers(0, 12))):
        if not book:
            break
        place = data.draw(st.integers(0, len(book) - 1))
        position, book[place] = fill(position, book[place], data.draw(lots))
        assert bounds.low <= position <= bounds.high


@given(st.integers(-9, 9).map(Decimal), orders)
def test_each_bound_is_reached_by_filling_what_reduces_first(
    position: Decimal, open_orders: list[OpenAmount]
) -> None:
    bounds = worst_case(position, open_orders)
    for is_buy, bound in ((True, bounds.high), (False, bounds.low)):
        at = position
        for reduces in (True, False):
            for order in open_orders:
                if (order.is_buy, order.reduce_only) == (is_buy, reduces):
                    at, _ = fill(at, order, order.amount)
        assert at == bound


@given(st.integers(-9, 9).map(Decimal), orders, orders)
def test_more_orders_never_narrow_the_bounds(
    position: Decimal, some: list[OpenAmount], more: list[OpenAmount]
) -> None:
    fewer, wider = worst_case(position, some), worst_case(position, some + more)
    assert wider.low <= fewer.low
    assert fewer.high <= wider.high


@pytest.mark.parametrize(
    ("position", "book", "bounds"),
    [
        (5, [(False, 5, True), (False, 5, True)], (0, 5)),  # two exits of which each may close the whole
        (5, [(False, 5, True), (False, 1, False)], (-1, 5)),
        (-5, [(True, 8, False)], (-5, 3)),
        (-5, [(True, 8, False), (True, 5, True)], (-5, 8)),  # closed by the exit first, then opened anew
        (0, [(True, 2, True)], (0, 0)),
    ],
)
def test_reduce_only_orders_count_as_far_as_they_can_go(
    position: int, book: list[tuple[bool, int, bool]], bounds: tuple[int, int]
) -> None:
    found = worst_case(Decimal(position), [OpenAmount(b, Decimal(a), r) for b, a, r in book])
    assert found == Exposure(Decimal(bounds[0]), Decimal(bounds[1]))
