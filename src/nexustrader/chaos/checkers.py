"""The invariants of the reliability model over one run. Each checker says what is wrong, in words; silence is good.

Two moments: `step_checker` looks at every fact as it is applied, the others at a quiet moment after all faults have
stopped. None of them looks into the engine's own reasoning: only at what it holds, told and sent, and at the venue.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Collection, Iterable, Iterator, Mapping
from decimal import Decimal

from nexustrader._engine.books import Books, books_of
from nexustrader._engine.core import ENDPOINTS, EngineCore
from nexustrader.chaos.history import History, Life
from nexustrader.chaos.truth import Truth
from nexustrader.constants import OrderStatus
from nexustrader.domain import events as ev
from nexustrader.domain import invariants as inv
from nexustrader.domain.order import OrderState
from nexustrader.domain.order_effects import Notice, Told
from nexustrader.domain.order_state import Status
from nexustrader.execution.oms import OrderManager
from nexustrader.execution.snapshot import restore
from nexustrader.market.cache import Cache
from nexustrader.persistence.memory import MemoryJournal
from nexustrader.portfolio.portfolio import Portfolio
from nexustrader.testing.comparison import compare

EMPTY_ENDS = frozenset({"CANCELED", "EXPIRED", "FAILED"})
CANCEL_FAILED = "cancel_failed"
NEVER_THERE = frozenset({Status.REJECTED, Status.NOT_SENT, Status.ABSENT})
ORDER_ENDPOINTS = frozenset(ENDPOINTS.values())
END_ENDPOINTS: Mapping[OrderStatus, str] = {
    OrderStatus.FILLED: "filled",
    OrderStatus.CANCELED: "canceled",
    OrderStatus.EXPIRED: "expired",
    OrderStatus.FAILED: "failed",
}
ENDS = frozenset(END_ENDPOINTS.values())
TOLD_ONCE = frozenset({*ENDS, "pending", "partially_filled"})  # in one life, for one filled amount
PROOF_S_MAX = 10.0  # until it is durable that something was told; a strategy may block for most of it
# How venues' requests for a new order begin, and where its client id stands in them.
CREATES = (
    *(b'"order.place"', b"POST /fapi/v1/order", b"POST /api/v3/order"),
    *(b'"order.create"', b"POST /v5/order/create"),
)
CLIENT_IDS = ((b'"newClientOrderId":"', b'"'), (b"newClientOrderId=", b"&"), (b'"orderLinkId":"', b'"'))


def write_ahead(intents: Collection[str], violate: Callable[[str], None]) -> Callable[[bytes], None]:
    """I2: a checker of every send: no order leaves before its intent is on the disk."""

    def before_send(what: bytes) -> None:
        if any(word in what for word in CREATES):
            oid = client_id_in(what)
            if oid is None or oid not in intents:
                violate(f"I2: an order left before its intent was durable: {oid}")

    return before_send


def client_id_in(what: bytes) -> str | None:
    """The client id of a request for an order, in whatever encoding."""
    for mark, stop in CLIENT_IDS:
        _, found, rest = what.partition(mark)
        if found:
            return rest.partition(stop)[0].split(b" ")[0].decode()
    return None


def step_checker(
    truths: Mapping[str, Truth], history: History
) -> Callable[[OrderState | None, ev.OrderEvent, OrderState], None]:
    """I3 at every step: what we call ended has ended at the venue, or never was there."""

    def on_step(before: OrderState | None, event: ev.OrderEvent, after: OrderState) -> None:
        if not after.is_closed or (before is not None and before.is_closed):
            return
        record = truths[after.account].find(after.oid)
        if record is not None and record.is_open:
            history.violate(
                f"I3: order {after.oid} is {after.status.value} here by {event.kind.value} from "
                f"{event.source.value} ({event.reason}) and {record.status} at the venue"
            )

    return on_step


def check_lives(history: History, truths: Collection[Truth]) -> Iterator[str]:
    """I4 and I8 for every process of the run."""
    never_there = {step.oid for life in history.lives for step in life.steps} - {
        record.client_id for truth in truths for record in truth.records()
    }
    for life in history.lives:
        yield from inv.legal_transitions((s.oid, s.before, s.after) for s in life.steps)
        yield from inv.told_once_and_in_order(((oid, told.notice) for oid, told in life.notices), never_there)


def check_told(history: History, core: EngineCore, *, has_lost_records: bool) -> Iterator[str]:
    """I8 and I20: the strategy was told what happened: each thing once a life, the end of every order at last.

    With `has_lost_records` a later life cannot know of all that an earlier one has told.
    """
    begun: set[str] = set()  # orders that the strategy knows to be at the venue
    ended: dict[str, str] = {}  # the last end told
    for life in history.lives:
        yield from _told_by(life)
        for _, endpoint, order in life.told:
            oid = core.oms.resolve(str(order.oid))
            if endpoint in ENDS:
                is_again = ended.get(oid) == endpoint and oid not in _resurrected(life)
                if is_again and not order.recovered and not has_lost_records:
                    yield f"I8: {endpoint} was told again for order {oid}, and not as recovered"
                ended[oid] = endpoint
            elif endpoint in ("accepted", "partially_filled"):
                begun.add(oid)
    if history.lives[-1].is_whole and not has_lost_records:
        told_ever = Counter(
            (str(order.oid), endpoint) for life in history.lives for _, endpoint, order in life.told
        )
        for (oid, endpoint), count in _due(history.lives[-1].happened).items():
            if told_ever[oid, endpoint] < count:
                yield f"I20: {endpoint} happened to order {oid} and the strategy was never told"
    for state in core.oms.orders():
        if state.is_closed and ended.get(state.oid) != END_ENDPOINTS[state.public_status]:
            told = ended.get(state.oid, "nothing")
            yield f"I20: order {state.oid} is {state.status.value} here, and {told} was told of its end"
        elif state.status is Status.ACCEPTED and state.oid not in begun:
            yield f"I20: order {state.oid} is open, and the strategy was never told"


def check_told_again(history: History) -> Iterator[str]:
    """I8: the end that a process told of well before it was killed is not told again, not even as recovered."""
    told: set[tuple[str, str]] = set()
    for life in history.lives:
        resurrected = _resurrected(life)
        for _, endpoint, order in life.told:
            if (str(order.oid), endpoint) in told and order.oid not in resurrected:
                yield f"I8: {endpoint} was told again for order {order.oid}, although it was long told"
        if life.killed_at_s is not None:
            proven_at_s = life.killed_at_s - PROOF_S_MAX
            told |= {(str(order.oid), what) for at_s, what, order in life.told if at_s < proven_at_s}
        told = {(oid, what) for oid, what in told if what in ENDS and oid not in resurrected}


def _told_by(life: Life) -> Iterator[str]:
    """One life: nothing twice, nothing that did not happen, and, if it came to its end, all that happened.

    What a process that was killed, or could not start, has not told is for the next one to tell.
    """
    resurrected = _resurrected(life)
    once: Counter[tuple[str, str, Decimal | None]] = Counter()
    told: Counter[tuple[str, str]] = Counter()
    told_live: Counter[tuple[str, str]] = Counter()
    for _, endpoint, order in life.told:
        oid = str(order.oid)
        told[oid, endpoint] += 1
        told_live[oid, endpoint] += not order.recovered
        if endpoint in TOLD_ONCE and oid not in resurrected:
            once[oid, endpoint, order.filled] += 1
    yield from (
        f"I8: {what} was told {n} times for order {oid}" for (oid, what, _), n in once.items() if n > 1
    )
    due = _due(life.notices)
    for (oid, endpoint), count in told_live.items():
        if (
            endpoint != CANCEL_FAILED and count > due[oid, endpoint]
        ):  # of an ended order it is told without a fact
            yield f"I8: {endpoint} was told {count} times for order {oid} and happened {due[oid, endpoint]} times"
    if life.has_started and not life.was_killed:
        for (oid, endpoint), count in due.items():
            if told[oid, endpoint] < count:
                yield f"I20: {endpoint} happened to order {oid} and the strategy was not told"


def _due(notices: Iterable[tuple[str, Told]]) -> Counter[tuple[str, str]]:
    return Counter((oid, ENDPOINTS[each.notice]) for oid, each in notices if each.notice in ENDPOINTS)


def _resurrected(life: Life) -> set[str]:
    return {oid for oid, each in life.notices if each.notice is Notice.RESURRECTED}


def check_fills(history: History, life: Life, core: EngineCore) -> Iterator[str]:
    """I5: what the orders of the last process hold is what was told, each trade once."""
    overfills = {o for each in history.lives for o, told in each.notices if told.notice is Notice.OVERFILL}
    yield from inv.fills_exactly_once(core.oms.orders(), life.fills, overfills)


def check_replay(journal: MemoryJournal, core: EngineCore, truths: Mapping[str, Truth]) -> Iterator[str]:
    """I22: the journal, folded anew, gives the orders, positions and idempotency keys that the engine holds.

    What strangers trade moves a position too, and is in no journal: after a restart the venue's word stands for it.
    """
    cache = Cache()
    portfolio = Portfolio(cache, core.instruments, lambda _balance: None)
    oms = OrderManager(
        MemoryJournal(),
        cache,
        core.ids.shard,
        tell=lambda _news: None,
        on_fill=portfolio.on_fill,
    )
    restore(journal.replay(), oms, portfolio, cache)
    for state in core.oms.orders():
        again = oms.get(state.oid)
        if again is None and state.status is Status.REJECTED and state.eid is None:
            continue  # refused here, before it was anything to journal
        if again != state:
            yield f"I22: order {state.oid} is {state} here and {again} by the journal"
    shared = _shared(truths)
    held, folded = core.portfolio.positions(), portfolio.positions()
    yield from (
        f"I22: position {key} is {held.get(key)} here and {folded.get(key)} by the journal"
        for key in dict.fromkeys([*held, *folded])
        if key[0] not in shared and held.get(key) != folded.get(key)
    )
    kept, read = dict(core.cache.idempotency_keys()), dict(cache.idempotency_keys())
    yield from (
        f"I22: the idempotency key {key} belongs to order {kept.get(key)} here and {read.get(key)} by the journal"
        for key in dict.fromkeys([*kept, *read])
        if kept.get(key) != read.get(key)
    )


def check_restated(restated: Iterable[ev.PositionEvent], truths: Mapping[str, Truth]) -> Iterator[str]:
    """I6: where nobody else trades, fills alone make the position; a venue's word in their place hides a wrong sum."""
    shared = _shared(truths)
    for event in restated:
        if event.account not in shared:
            yield f"I6: position {event.symbol} was set to {event.signed_amount}, as if somebody else had traded"


def _shared(truths: Mapping[str, Truth]) -> set[str]:
    """The accounts on which strangers trade."""
    return {account for account, truth in truths.items() if any(r.executions for r in truth.foreign())}


def check_venue_orders(truth: Truth, history: History) -> Iterator[str]:
    """I1 and I10: one order an intent; strangers' orders are left alone."""
    for oid, count in Counter(record.client_id for record in truth.ours()).items():
        if count > 1:
            yield f"I1: the venue has {count} orders of the one intent {oid}"
    for record in truth.foreign():
        if record.status == "CANCELED" and record.client_id not in history.cancelled_by_others:
            yield f"I10: the order {record.client_id} is a stranger's and was cancelled"


def check_known(core: EngineCore, truth: Truth, account: str) -> Iterator[str]:
    """I3, I16, I19 at the end: every order is as it is at the venue, none is in doubt, no cancel is forgotten."""
    theirs = {record.client_id: record for record in truth.ours()}
    for state in core.oms.orders(account):
        record = theirs.get(state.oid)
        if state.is_unknown or state.status is Status.INITIALIZED:
            yield f"I16: order {state.oid} is still {state.status.value}: {state.reason}"
        elif state.is_open and (record is None or not record.is_open):
            yield f"I16: order {state.oid} is {state.status.value} here and {_word(record)} at the venue"
        elif state.is_closed and record is not None and record.is_open:
            yield f"I3: order {state.oid} is {state.status.value} here and {record.status} at the venue"
        elif state.is_open and state.has_cancel_intent:
            yield f"I19: the cancel of order {state.oid} was neither done nor refused"
        elif state.is_open and state.is_amending:
            yield f"I19: the amendment of order {state.oid} was neither done nor refused"
        elif state.status in NEVER_THERE and record is not None:
            yield f"I8: order {state.oid} was called {state.status.value} and is {record.status} at the venue"
    known = {state.oid for state in core.oms.orders(account)}
    for oid, record in theirs.items():
        if oid not in known:
            yield f"I16: the venue has order {oid} ({record.status}), which is not known here"


def check_converged(core: EngineCore, truth: Truth, account: str) -> Iterator[str]:
    """I6 and I17: orders, fills, fees, positions and balances equal the venue's to the last digit."""
    known_at_venue = {record.client_id for record in truth.ours()}
    ours = books_of(core, account)
    comparison = compare(ours, truth.ledger(), truth.suffix)
    for difference in comparison.differences:
        if difference.startswith("fees") or _is_about_absent(difference, known_at_venue, ours):
            continue
        yield f"I17: {difference}"
    yield from _check_terms(core, truth, account)


def _check_terms(core: EngineCore, truth: Truth, account: str) -> Iterator[str]:
    """I17: the terms of an ended order are those it had at the venue, too, amendments included."""
    for record in truth.ours():
        state = core.oms.get(record.client_id)
        if state is None or state.price is None or state.account != account or record.is_open:
            continue  # what is open is compared with everything else
        if (state.price, state.amount) != (record.price, record.amount):
            yield (
                f"I17: order {state.oid} ended with {state.amount} at {state.price} here, with {record.amount} at "
                f"{record.price} at the venue"
            )


def check_position_limit(truth: Truth, native: str, limit: Decimal) -> Iterator[str]:
    """I9: the limit holds at the venue, whatever was in doubt here."""
    held = truth.position(native)
    if abs(held) > limit:
        yield f"I9: the position is {held} at the venue, the limit is {limit}"


def _is_about_absent(difference: str, known_at_venue: set[str], ours: Books) -> bool:
    """An order that the venue has never had may have ended here in more ways than FAILED, but not with a fill."""
    if not difference.startswith("order "):
        return False
    oid = difference.split()[1].rstrip(":")
    order = ours.orders.get(oid)
    return (
        oid not in known_at_venue and order is not None and order.status in EMPTY_ENDS and order.filled == "0"
    )


def _word(record: object) -> str:
    return str(getattr(record, "status", "not known"))
