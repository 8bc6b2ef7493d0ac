"""The invariants of the reliability model over one run. Each checker says what is wrong, in words; silence is good.

Two moments: `step_checker` looks at every fact as it is applied, the others at a quiet moment after all faults have
stopped. None of them looks into the engine's own reasoning: only at what it holds, told and sent, and at the venue.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Collection, Iterator, Mapping
from decimal import Decimal

from nexustrader._engine.books import books_of
from nexustrader._engine.core import EngineCore
from nexustrader.chaos.history import History, Life
from nexustrader.chaos.truth import Truth
from nexustrader.domain import events as ev
from nexustrader.domain import invariants as inv
from nexustrader.domain.order import OrderState
from nexustrader.domain.order_effects import Notice
from nexustrader.domain.order_state import Status
from nexustrader.execution.oms import OrderManager
from nexustrader.execution.snapshot import restore
from nexustrader.market.cache import Cache
from nexustrader.persistence.memory import MemoryJournal
from nexustrader.portfolio.portfolio import Portfolio
from nexustrader.testing.comparison import compare

NEVER_THERE = frozenset({Status.REJECTED, Status.NOT_SENT, Status.ABSENT})
CREATES = (b'"order.place"', b"POST /fapi/v1/order", b"POST /api/v3/order")


def write_ahead(intents: Collection[str], violate: Callable[[str], None]) -> Callable[[bytes], None]:
    """I2: a checker of every send: no order leaves before its intent is on the disk."""

    def before_send(what: bytes) -> None:
        if any(word in what for word in CREATES):
            oid = client_id_in(what)
            if oid is None or oid not in intents:
                violate(f"I2: an order left before its intent was durable: {oid}")

    return before_send


def client_id_in(what: bytes) -> str | None:
    """The client id of a request for an order, in either encoding."""
    for mark, stop in ((b'"newClientOrderId":"', b'"'), (b"newClientOrderId=", b"&")):
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


def check_fills(history: History, life: Life, core: EngineCore) -> Iterator[str]:
    """I5: what the orders of the last process hold is what was told, each trade once."""
    overfills = {o for each in history.lives for o, told in each.notices if told.notice is Notice.OVERFILL}
    known = {state.oid for state in core.oms.orders()}
    fills = [(oid, delta) for oid, delta in life.fills if oid in known]
    yield from inv.fills_exactly_once(core.oms.orders(), fills, overfills)


def check_replay(journal: MemoryJournal, core: EngineCore) -> Iterator[str]:
    """I22: the journal, folded anew, gives the orders that the engine holds."""
    cache = Cache()
    portfolio = Portfolio(cache, core.instruments, lambda _balance: None)
    oms = OrderManager(
        MemoryJournal(),
        cache,
        core.ids.shard,
        tell=lambda _notice, _order: None,
        on_fill=portfolio.on_fill,
    )
    restore(journal.replay(), oms, portfolio, cache)
    for state in core.oms.orders():
        again = oms.get(state.oid)
        if again is None and state.status is Status.REJECTED and state.eid is None:
            continue  # refused here, before it was anything to journal
        if again != state:
            yield f"I22: order {state.oid} is {state} here and {again} by the journal"


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
        if difference.startswith("fees") or _is_about_absent(difference, known_at_venue):
            continue
        yield f"I17: {difference}"


def check_position_limit(truth: Truth, native: str, limit: Decimal) -> Iterator[str]:
    """I9: the limit holds at the venue, whatever was in doubt here."""
    held = truth.position(native)
    if abs(held) > limit:
        yield f"I9: the position is {held} at the venue, the limit is {limit}"


def _is_about_absent(difference: str, known_at_venue: set[str]) -> bool:
    """An order that the venue has never had may have ended here in more ways than FAILED."""
    return difference.startswith("order ") and difference.split()[1].rstrip(":") not in known_at_venue


def _word(record: object) -> str:
    return str(getattr(record, "status", "not known"))
