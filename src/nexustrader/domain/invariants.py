"""Invariants of orders, fills and positions as pure checkers, each of which returns its violations as text.

They run over recorded histories in tests and over the live state in a running engine. The names are those
of the reliability model: I4 legal transitions, I5 fills exactly once, I6 position is the sum of fills, I8 a
rejection is a fact and every notice comes once and in the order of the order's life.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Collection, Iterable, Mapping
from decimal import Decimal

from nexustrader.constants import OrderSide, PositionSide
from nexustrader.domain.order import OrderState
from nexustrader.domain.order_effects import FillDelta, Notice
from nexustrader.domain.order_state import LEGAL, Status

_ZERO = Decimal(0)

PositionKey = tuple[str, str, PositionSide | None]
"""Account, symbol, and the side in hedge mode."""


def legal_transitions(steps: Iterable[tuple[str, Status, Status]]) -> list[str]:
    """I4: every step (oid, before, after) is in the table."""
    return [
        f"I4: order {oid} went from {before.value} to {after.value}, which no single fact may cause"
        for oid, before, after in steps
        if (before, after) not in LEGAL
    ]


def fills_exactly_once(
    orders: Iterable[OrderState],
    fills: Iterable[tuple[str, FillDelta]],
    overfills_told: Collection[str] = (),
) -> list[str]:
    """I5: the deltas told sum up to each order's state, no trade id counts twice, no overfill is hidden.

    `fills`: (oid, delta) of all these orders as they were told. `overfills_told`: oids whose OVERFILL was
    told.
    """
    found: list[str] = []
    by_oid: dict[str, list[FillDelta]] = defaultdict(list)
    for oid, delta in fills:
        by_oid[oid].append(delta)
    traded: dict[tuple[str, str, str, OrderSide], str] = {}  # a trade with ourselves has both sides
    for order in orders:
        deltas = by_oid.pop(order.oid, [])
        amount = sum((delta.amount for delta in deltas), _ZERO)
        if amount != order.filled:
            found.append(f"I5: order {order.oid} is filled {order.filled}, but {amount} was told in fills")
        if any(delta.amount < 0 for delta in deltas):
            found.append(f"I5: order {order.oid} told a fill that takes back an amount")
        if order.is_overfilled and order.oid not in overfills_told:
            found.append(
                f"I5: order {order.oid} is filled {order.filled} of {order.amount}, which was not told"
            )
        for delta in deltas:
            if delta.trade_id is None:
                continue
            key = (order.account, order.symbol, delta.trade_id, order.side)
            if key in traded:
                found.append(
                    f"I5: trade {delta.trade_id} counts for order {traded[key]} and again for {order.oid}"
                )
            traded[key] = order.oid
    found.extend(f"I5: fills were told for order {oid}, which is not known" for oid in by_oid)
    return found


def position_is_sum_of_fills(
    positions: Mapping[PositionKey, Decimal],
    fills: Iterable[tuple[PositionKey, OrderSide, Decimal]],
    adjustments: Mapping[PositionKey, Decimal] | None = None,
) -> list[str]:
    """I6: each signed amount is the sum of its fills and of the named adjustments (e.g. a liquidation)."""
    sums: dict[PositionKey, Decimal] = defaultdict(lambda: _ZERO, adjustments or {})
    for key, side, amount in fills:
        sums[key] += amount if side is OrderSide.BUY else -amount
    return [
        f"I6: position {key} is {positions.get(key, _ZERO)}, its fills and adjustments sum up to {sums[key]}"
        for key in dict.fromkeys([*positions, *sums])
        if positions.get(key, _ZERO) != sums[key]
    ]


# How far along its life an order is when the notice is told. A notice never follows one of a later stage;
# what may come at any time is not listed. A late fill is told when it is heard, so PARTIALLY_FILLED and
# FILLED may follow every stage.
_STAGE = {
    Notice.UNKNOWN: 1,
    Notice.PENDING: 1,
    Notice.ACCEPTED: 2,
    Notice.CANCELED: 5,
    Notice.EXPIRED: 5,
    Notice.FAILED: 5,
}
_ONCE = frozenset({*_STAGE, Notice.FILLED, Notice.OVERFILL})
_GROWING = {Notice.PARTIALLY_FILLED: 3, Notice.FILLED: 6}


def told_once_and_in_order(told: Iterable[tuple[str, Notice]], never_at_venue: Collection[str]) -> list[str]:
    """I8: each notice comes once per order and in life order; FAILED only for orders that never were there.

    `told`: (oid, notice). `never_at_venue`: the oids that the venue never had. A RESURRECTED begins the
    order's life anew, and takes back a FAILED before it.
    """
    found: list[str] = []
    seen: dict[str, set[Notice]] = defaultdict(set)
    stage: dict[str, int] = defaultdict(int)
    failed: dict[str, None] = {}
    for oid, notice in told:
        if notice is Notice.RESURRECTED:
            seen[oid], stage[oid] = set(), 0
            failed.pop(oid, None)
            continue
        if notice in _ONCE and notice in seen[oid]:
            found.append(f"I8: {notice.value} was told twice for order {oid}")
        if _STAGE.get(notice, stage[oid]) < stage[oid]:
            found.append(f"I8: {notice.value} was told for order {oid} after a later stage of its life")
        seen[oid].add(notice)
        stage[oid] = max(stage[oid], _STAGE.get(notice, 0), _GROWING.get(notice, 0))
        if notice is Notice.FAILED:
            failed[oid] = None
    found.extend(
        f"I8: FAILED was told for order {oid}, which the venue had"
        for oid in failed
        if oid not in never_at_venue
    )
    return found
