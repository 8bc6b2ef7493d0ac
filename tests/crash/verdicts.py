"""What must hold after a crash, as functions of what was said and of the venue's ledger. Silence is good."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from typing import Any

from program import Heard

from nexustrader._engine.books import Books
from nexustrader.testing.comparison import compare

ENDS = {"FILLED": "filled", "CANCELED": "canceled", "EXPIRED": "expired", "EXPIRED_IN_MATCH": "expired"}
# What says of an order what no later word takes back; each is told once.
ONCE = frozenset({"pending", "accepted", "filled", "canceled", "expired", "failed"})


def complaints_of_books(books: Books, truth: Any, suffix: str, *, at_start: bool = False) -> Iterator[str]:
    """I3, I6, I17: orders, fills, fees, positions and balances equal the venue's.

    At the start the single executions of an order, and with them its fees, may still be on their way.
    """
    theirs = {order["client_id"] for order in truth["orders"]}
    for difference in compare(books, truth, suffix).differences:
        what, _, rest = difference.partition(" ")
        if what == "order" and rest.partition(":")[0] not in theirs:
            # It never left. Until that is certain it is unknown, and then it has failed.
            continue
        if at_start and (
            what == "fees" or " fees is " in rest or " trade_ids is " in rest or " cost is " in rest
        ):
            continue
        yield f"I17: {difference}"


def complaints_of_orders(truths: Sequence[Any], keys: Mapping[str, str]) -> Iterator[str]:
    """I1 and the keys: one order of a client id, and none that is not the one of its key."""
    oids = Counter(order["client_id"] for truth in truths for order in truth["orders"])
    for oid, count in oids.items():
        if count > 1:
            yield f"I1: the venue has {count} orders of the client id {oid}"
        if oid not in keys.values():
            yield f"an idempotency key was used twice: no key leads to order {oid}"


def complaints_of_telling(lives: Sequence[Sequence[Heard]], truths: Sequence[Any]) -> Iterator[str]:
    """I8 and I20: every end was told, once; what was told again after a restart says that it is recovered."""
    told: Counter[tuple[str, ...]] = Counter()
    for number, heard in enumerate(lives, 1):
        in_this_life: set[tuple[str, ...]] = set()
        for one in heard:
            # An order that was modified is told as accepted again, at its new price.
            what = (one.oid, one.notice, one.price) if one.notice == "accepted" else (one.oid, one.notice)
            if one.notice in ONCE and what in in_this_life:
                yield f"I8: {one.notice} of order {one.oid} was told twice in life {number}"
            if one.notice in ONCE and told[what] and what not in in_this_life and not one.recovered:
                yield f"I20: {one.notice} of order {one.oid} was told anew in life {number}, not as recovered"
            in_this_life.add(what)
            told[what] += 1
    for truth in truths:
        for order in truth["orders"]:
            end = ENDS.get(order["status"])
            if end is not None and not told[order["client_id"], end]:
                yield f"I20: the end of order {order['client_id']} ({order['status']}) was never told"
            if told[order["client_id"], "failed"]:
                yield f"I8: order {order['client_id']} was told as failed, and the venue has had it"


def complaints_of_retelling(before: Sequence[Heard], after: Sequence[Heard]) -> Iterator[str]:
    """Between an orderly stop and the next start nothing is told twice."""
    heard = {(one.oid, one.notice, one.price, one.filled) for one in before}
    for one in after:
        if one.recovered and (one.oid, one.notice, one.price, one.filled) in heard:
            yield f"I20: {one.notice} of order {one.oid} was told again after an orderly stop"
