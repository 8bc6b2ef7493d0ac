"""Each invariant is worth something: an engine that is broken on purpose breaks it within a few runs.

What every defect does is put on the real classes, then plans are run until the invariant that is to catch it does.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator
from decimal import Decimal
from typing import Any, NamedTuple

import loguru
import msgspec
import pytest

from nexustrader._engine.core import EngineCore
from nexustrader.chaos import suite
from nexustrader.chaos.faults import BOOK_FAULTS, FAULTS, Strike
from nexustrader.chaos.plan import Outcome, Plan
from nexustrader.chaos.programs import PRESSING_EVERY
from nexustrader.chaos.run import Run
from nexustrader.chaos.shrink import invariants_of
from nexustrader.chaos.venue_strikes import manual_order
from nexustrader.domain import events as ev
from nexustrader.domain import order as orders
from nexustrader.domain.order import OrderState
from nexustrader.domain.order_effects import FillDelta, Notice
from nexustrader.domain.outcome import CommandKind
from nexustrader.execution.ems import ExecutionManager
from nexustrader.execution.oms import News, OrderManager
from nexustrader.kernel.entropy import Entropy
from nexustrader.portfolio.portfolio import Portfolio
from nexustrader.risk.gate import Gate
from nexustrader.venue import book_feed
from nexustrader.venue.local_book import BookChange, LocalBook, Todo

RUNS_MAX = 12
SEEDS = range(5_000, 5_000 + RUNS_MAX * PRESSING_EVERY)
PRESSING = [seed for seed in SEEDS if seed % PRESSING_EVERY == 1]
OTHERS = [seed for seed in SEEDS if seed % PRESSING_EVERY == 0]

Break = Callable[[pytest.MonkeyPatch], None]


RARELY = [*range(5_015, 5_040)]  # sums without executions have become rare


class Defect(NamedTuple):
    """One way to break an engine; `invariant` is to catch it when these faults strike."""

    breaks: Break
    invariant: str
    faults: tuple[str, ...] = ()
    seeds: list[int] = OTHERS
    strike: Strike | None = None  # the only way for the faults to strike


# -- what is told --------------------------------------------------------------------------------------------


def tells_cancels_twice(patch: pytest.MonkeyPatch) -> None:
    notify = EngineCore._notify

    def broken(self: EngineCore, news: News) -> None:
        notify(self, [each for each in news for _ in range(1 + (each[0] is Notice.CANCELED))])

    patch.setattr(EngineCore, "_notify", broken)


def tells_all_again_after_a_restart(patch: pytest.MonkeyPatch) -> None:
    restore = OrderManager.restore

    def broken(self: OrderManager, records: Iterable[Any], adjust: Any) -> int:
        return restore(self, (msgspec.structs.replace(each, untold=100_000) for each in records), adjust)

    patch.setattr(OrderManager, "restore", broken)


def swallows_partial_fills(patch: pytest.MonkeyPatch) -> None:
    notify = EngineCore._notify

    def broken(self: EngineCore, news: News) -> None:
        notify(self, [each for each in news if each[0] is not Notice.PARTIALLY_FILLED])

    patch.setattr(EngineCore, "_notify", broken)


def drops_what_an_earlier_run_has_not_told(patch: pytest.MonkeyPatch) -> None:
    restore = OrderManager.restore

    def broken(self: OrderManager, records: Iterable[Any], adjust: Any) -> int:
        tell, self._tell = self._tell, lambda _news: None
        open_orders = restore(self, records, adjust)
        self._tell = tell
        return open_orders

    patch.setattr(OrderManager, "restore", broken)


# -- orders and positions ------------------------------------------------------------------------------------


def keeps_the_price_of_an_amended_order(patch: pytest.MonkeyPatch) -> None:
    take_terms = orders._take_terms

    def broken(order: OrderState, event: ev.OrderEvent, changes: dict[str, Any]) -> bool:
        is_told = take_terms(order, event, changes)
        changes.pop("price", None)
        return is_told

    patch.setattr(orders, "_take_terms", broken)


def counts_an_execution_again_for_its_order(patch: pytest.MonkeyPatch) -> None:
    count = orders._count

    def broken(order: OrderState, *rest: Any) -> None:
        count(msgspec.structs.replace(order, trade_ids=frozenset()), *rest)

    patch.setattr(orders, "_count", broken)


def counts_sums_twice_for_the_position(patch: pytest.MonkeyPatch) -> None:
    on_fill = Portfolio.on_fill

    def broken(self: Portfolio, order: OrderState, delta: FillDelta) -> None:
        for _ in range(1 + (delta.trade_id is None)):
            on_fill(self, order, delta)

    patch.setattr(Portfolio, "on_fill", broken)


def takes_orders_in_doubt_for_no_risk(patch: pytest.MonkeyPatch) -> None:
    left_of = Gate._left_of

    def broken(self: Gate, order: OrderState) -> Decimal:
        return Decimal(0) if order.is_unknown else left_of(self, order)

    patch.setattr(Gate, "_left_of", broken)


# -- cancels -------------------------------------------------------------------------------------------------


def cancels_whatever_is_open(patch: pytest.MonkeyPatch) -> None:
    cancel_all = ExecutionManager.cancel_all

    def broken(self: ExecutionManager, account: str, symbol: str) -> None:
        self._is_alone = True
        cancel_all(self, account, symbol)

    patch.setattr(ExecutionManager, "cancel_all", broken)
    patch.setattr(OrderManager, "is_shared", lambda _self, _account: False)


def forgets_a_cancel_that_could_not_leave(patch: pytest.MonkeyPatch) -> None:
    reroute = ExecutionManager._reroute

    def broken(self: ExecutionManager, result: ev.CommandResult, *rest: Any) -> None:
        if result.kind is not CommandKind.CANCEL:
            reroute(self, result, *rest)

    patch.setattr(ExecutionManager, "_reroute", broken)


# -- another reading of the journal --------------------------------------------------------------------------


def reads_no_refused_cancels(patch: pytest.MonkeyPatch) -> None:
    restore_event = OrderManager._restore_event

    def broken(self: OrderManager, event: ev.OrderEvent) -> Iterator[Any]:
        return iter(()) if event.kind is ev.EventKind.CANCEL_REJECTED else restore_event(self, event)

    patch.setattr(OrderManager, "_restore_event", broken)


def reads_no_positions(patch: pytest.MonkeyPatch) -> None:
    restore = OrderManager.restore

    def broken(self: OrderManager, records: Iterable[Any], adjust: Any) -> int:
        on_fill, self._on_fill = self._on_fill, lambda _order, _delta: None
        open_orders = restore(self, records, adjust)
        self._on_fill = on_fill
        return open_orders

    patch.setattr(OrderManager, "restore", broken)


def reads_no_idempotency_keys(patch: pytest.MonkeyPatch) -> None:
    patch.setattr(OrderManager, "_restore_submit", OrderManager.know)


# -- books ---------------------------------------------------------------------------------------------------


def passes_over_a_gap(patch: pytest.MonkeyPatch) -> None:
    follow = LocalBook._follow

    def broken(self: LocalBook, change: BookChange) -> Todo:
        return follow(self, msgspec.structs.replace(change, after=min(change.after, self.last)))

    patch.setattr(LocalBook, "_follow", broken)


def joins_a_snapshot_that_is_too_old(patch: pytest.MonkeyPatch) -> None:
    begin = LocalBook._begin

    def broken(self: LocalBook, snapshot: BookChange) -> Todo:
        last = max([snapshot.last, *(change.after for change in self._held)])
        return begin(self, msgspec.structs.replace(snapshot, last=last))

    patch.setattr(LocalBook, "_begin", broken)


def shows_a_crossed_book(patch: pytest.MonkeyPatch) -> None:
    patch.setattr(LocalBook, "_fault", lambda _self: "")
    patch.setattr(book_feed, "_is_crossed", lambda _book: False)


def never_asks_again_for_a_broken_book(patch: pytest.MonkeyPatch) -> None:
    patch.setattr(LocalBook, "_remedy", Todo.NOTHING)


# -- strikes that go for the spot ----------------------------------------------------------------------------


def kill_between_a_fact_and_its_news(run: Run, entropy: Entropy) -> None:
    hooks = run.disk.after_append

    def on_append(record: ev.Record) -> None:
        if isinstance(record, ev.OrderEvent):
            hooks.remove(on_append)
            run.kill_and_restart(entropy.random() * 8)

    hooks.append(on_append)


DEFECTS = (
    Defect(tells_cancels_twice, "I8"),
    Defect(tells_all_again_after_a_restart, "I8", ("F38", "F42")),
    Defect(swallows_partial_fills, "I20", ("F11",)),
    Defect(drops_what_an_earlier_run_has_not_told, "I20", ("F38",), strike=kill_between_a_fact_and_its_news),
    Defect(keeps_the_price_of_an_amended_order, "I17"),
    Defect(counts_an_execution_again_for_its_order, "I5", ("F15",)),
    Defect(counts_sums_twice_for_the_position, "I6", ("F17",), RARELY),
    Defect(takes_orders_in_doubt_for_no_risk, "I9", ("F2",), PRESSING),
    Defect(cancels_whatever_is_open, "I10", ("F44",), strike=manual_order),
    Defect(forgets_a_cancel_that_could_not_leave, "I19", ("F21",)),
    Defect(reads_no_refused_cancels, "I22", ("F11",)),
    Defect(reads_no_positions, "I22"),
    Defect(reads_no_idempotency_keys, "I22"),
    Defect(passes_over_a_gap, "I11", ("F25",)),
    Defect(joins_a_snapshot_that_is_too_old, "I11", ("F26",)),
    Defect(shows_a_crossed_book, "I11", ("F28",)),
    Defect(never_asks_again_for_a_broken_book, "I17", ("F25",)),
)


def plan_of(defect: Defect, seed: int) -> Plan:
    return Plan(seed=seed, faults=defect.faults, with_book=not BOOK_FAULTS.isdisjoint(defect.faults))


def run_broken(defect: Defect, plan: Plan) -> Outcome:
    with pytest.MonkeyPatch.context() as patch:
        if (strike := defect.strike) is not None:
            for fault in defect.faults:
                patch.setitem(FAULTS, fault, FAULTS[fault]._replace(strikes=(strike,)))
        defect.breaks(patch)
        return suite.run_plan(plan)


@pytest.fixture(autouse=True)
def apart() -> Iterator[None]:
    """What a broken engine logs is of no interest here."""
    loguru.logger.disable("nexustrader")
    yield
    loguru.logger.enable("nexustrader")


@pytest.mark.slow
@pytest.mark.parametrize("defect", DEFECTS, ids=lambda defect: defect.breaks.__name__)
def test_a_defect_breaks_the_invariant_that_is_there_for_it(defect: Defect) -> None:
    for seed in defect.seeds:
        broken = run_broken(defect, plan := plan_of(defect, seed))
        if defect.invariant in invariants_of(broken):
            break
    else:
        pytest.fail(f"{len(defect.seeds)} runs have not noticed it")
    assert not suite.run_plan(plan).violations
