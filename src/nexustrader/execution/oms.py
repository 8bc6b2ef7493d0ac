"""The order book of record: owns every order's state, applies facts to it, and tells who needs to know.

A fact is journalled before it is applied. What users see are snapshots, sent after the state has moved, in the
order of the order's life.

A process may die after a fact was journalled and before the strategy was told of it. So every record says how many
notices of earlier facts were still untold when it was written (`Record.untold`), and a while after the last fact a
record says nothing but that (`Delivered`). A restart tells what no later record proves to have been told. Whatever
the strategy did in answer is such a record: a notice is told again only if the answer to it was lost as well, and
only when the process died within `later` of it. Never told is impossible, told twice is possible then; both sides
of a restart are told apart by `Order.recovered`.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Sequence
from functools import partial
from typing import TypeVar

import msgspec

from nexustrader.constants import ExchangeType, OrderStatus, OrderType
from nexustrader.domain import events as ev
from nexustrader.domain import order as orders
from nexustrader.domain.ids import is_ours
from nexustrader.domain.order import OrderState
from nexustrader.domain.order_effects import UNTOLD_NOTICES, FillDelta, Notice, Told
from nexustrader.domain.snapshot import Snapshot
from nexustrader.error import JournalError, OrderError
from nexustrader.kernel.log import get_logger
from nexustrader.kernel.ports import Journal
from nexustrader.market.cache import Cache
from nexustrader.schema import Order

FOREIGN_FILLS_REMEMBERED_MAX = 100_000
CLOSED_ORDERS_MAX = 100_000

News = Sequence[tuple[Notice, Order | None]]
Tell = Callable[[News], None]
OnFill = Callable[[OrderState, FillDelta], None]
Watch = Callable[[OrderState | None, ev.OrderEvent, orders.Applied], None]
Later = Callable[[Callable[[], None]], object]
R = TypeVar("R", bound=ev.Record)

_log = get_logger("OMS")


class OrderManager:
    """Applies commands and facts to orders; knows nothing of sockets or time.

    `untold()` is how many notices given to `tell` have not reached the strategy yet (those of UNTOLD_NOTICES never
    do and do not count); `later` calls back after a short while. A notice that nobody `hears` is told without its
    order, and counts like any other. With `adopt_foreign` the orders of strangers are kept and shown like ours, except
    that they are neither cancelled nor amended until `claim_foreign`.
    """

    def __init__(
        self,
        journal: Journal,
        cache: Cache,
        shard: int,
        *,
        tell: Tell,
        on_fill: OnFill,
        untold: Callable[[], int] = lambda: 0,
        hears: Callable[[Notice], bool] = lambda _notice: True,
        later: Later | None = None,
        adopt_foreign: bool = False,
        closed_orders_max: float = CLOSED_ORDERS_MAX,
    ) -> None:
        self._journal = journal
        self._cache = cache
        self._shard = shard
        self._tell = tell
        self._on_fill = on_fill
        self._untold = untold
        self._hears = hears
        self._later = later
        self._adopts_foreign = adopt_foreign
        self._orders: dict[str, OrderState] = {}
        self._open: dict[str, None] = {}  # oids of those that may still be alive, oldest first
        self._closed: dict[str, None] = {}  # oids of the others, in the order in which they closed
        self._closed_max = closed_orders_max
        self._aliases: dict[str, str] = {}  # the user's client_oid -> our oid
        self._foreign_fills: dict[tuple[str, str], None] = {}
        self._claimed: set[str] = set()  # oids of strangers that the user has taken over
        self._shared: set[str] = set()  # accounts on which orders of strangers were seen
        self._recovering: set[str] = set()  # accounts whose facts happened, or were told, in an earlier run
        self._unsettled: set[str] = set()  # oids of an earlier run that are in doubt beyond the start
        self._unproven_at: int | None = None  # time of the latest fact whose telling no record proves yet
        self._is_mark_due = False
        self._started_above: str | None = None  # ids up to this one may have been given by an earlier run
        self.journal_failed = False
        self.on_sum: Callable[[OrderState], None] | None = None  # hears of amounts without their executions
        self.watch: Watch | None = None  # sees every fact with the order before and after it

    # -- commands --------------------------------------------------------------------------------------------

    def write_ahead(self, command: ev.Submit | ev.Amend) -> None:
        """Make an intent durable. Raises JournalError: then nothing may be sent."""
        self._append(command)

    def know(self, command: ev.Submit) -> None:
        """Hold the order of an intent from now on, and show it in the cache."""
        self.claim(command)
        self._hold(orders.apply(self._orders.get(command.oid), command).order)
        self.project(command.oid)

    def claim(self, command: ev.Submit) -> None:
        """Give the user's name for an order to this one, so that no other can have it."""
        if command.client_oid is not None:
            self._aliases[command.client_oid] = command.oid

    def refuse(self, command: ev.Submit, event: ev.OrderEvent) -> None:
        """Know an order that was refused here, before any byte of it could leave. Nothing to journal."""
        self.know(command)
        self._move(event)

    def record(self, command: ev.Submit | ev.Cancel | ev.Amend | ev.CancelAll) -> None:
        """Journal a command on orders that are known already; a full disk never stops a cancel."""
        self._write(command)
        self.ask_change(command)

    def ask_change(self, command: ev.Record) -> None:
        """Let an order know what was asked of it, live and in a replay alike."""
        if isinstance(command, ev.Cancel | ev.Amend) and command.oid in self._orders:
            self._hold(orders.apply(self._orders[command.oid], command).order)

    def record_adjustment(self, event: ev.PositionEvent) -> None:
        """Journal that the venue's word on a position took the place of our fold."""
        self._write(event)

    # -- facts -----------------------------------------------------------------------------------------------

    def apply(self, event: ev.OrderEvent) -> None:
        """Journal one fact, move its order, tell the strategy. Facts about strangers' orders only count as fills."""
        if event.oid not in self._orders and not self._may_adopt(event):
            if event.fill is not None:
                self._count_foreign_fill(event)
            return
        self._write(event)
        self._move(event)

    def _hold(self, state: OrderState) -> None:
        self._orders[state.oid] = state
        if not state.is_closed:
            self._open[state.oid] = None
            self._closed.pop(state.oid, None)  # it was given up, and lives
            return
        self._open.pop(state.oid, None)
        self._closed[state.oid] = None
        if len(self._closed) > self._closed_max:
            self._forget(next(iter(self._closed)))

    def _forget(self, oid: str) -> None:
        """Drop the oldest closed order; the journal still has it. Open orders are never dropped."""
        del self._closed[oid]
        state = self._orders.pop(oid)
        if state.client_oid is not None:
            self._aliases.pop(state.client_oid, None)

    def _move(self, event: ev.OrderEvent) -> None:
        applied = self._fold(event)
        if not applied.effects:
            return
        if applied.order.filled > applied.order.fills_amount and self.on_sum is not None:
            self.on_sum(applied.order)
        self.project(event.oid)
        told = [effect for effect in applied.effects if isinstance(effect, Told)]
        if not UNTOLD_NOTICES.issuperset(effect.notice for effect in told):
            self._begin_telling(event.timestamp)
        # Race: within the first callback the strategy may act, and the process die. All are given before it runs, so
        # that they are told in their order, and count as untold until they are.
        if told:
            self._tell([(effect.notice, self._announced(applied.order, effect)) for effect in told])
        if event.oid in self._unsettled and not applied.order.is_unknown:
            self._unsettled.discard(event.oid)

    def _fold(self, event: ev.OrderEvent) -> orders.Applied:
        """Move the order, and the position by what was filled."""
        before = self._orders.get(event.oid)
        applied = orders.apply(before, event)
        if self.watch is not None:
            self.watch(before, event, applied)
        self._hold(applied.order)
        for effect in applied.effects:
            if isinstance(effect, FillDelta):
                self._on_fill(applied.order, effect)
        return applied

    def _announced(self, order: OrderState, told: Told) -> Order | None:
        """What the strategy is told of it; None when it has no ear for that."""
        if told.notice in UNTOLD_NOTICES:
            _log.warning(f"order {order.oid}: {told.notice.value}: {told.reason}")
        if told.notice is Notice.CANCEL_FAILED:
            self._cache.clear_cancel_intent(name_of(order))
        if not self._hears(told.notice):
            return None
        public = self.snapshot(order, told)
        public.recovered = order.account in self._recovering or order.oid in self._unsettled
        return public

    def _may_adopt(self, event: ev.OrderEvent) -> bool:
        """True for an order that our ids claim but the journal does not know; strangers' are left alone by default."""
        is_own = is_ours(event.oid, self._shard)
        if not is_own:
            self._shared.add(event.account)
        if event.side is None or event.type is None or event.amount is None:
            return False
        if is_own:
            _log.warning(f"order {event.oid} is ours by its id but unknown here: adopted")
        return is_own or self._adopts_foreign

    def _count_foreign_fill(self, event: ev.OrderEvent) -> None:
        """A manual trade, or a liquidation, moves the account's position, but the order stays its owner's."""
        fill = event.fill
        if fill is None or event.side is None:
            return
        # Both sides of a trade have the same id, and both may be ours to count: by hand against one's own order, or
        # between two accounts.
        key = (event.symbol, f"{event.account} {event.side.value} {fill.trade_id}")
        if key in self._foreign_fills:
            return
        self._foreign_fills[key] = None
        if len(self._foreign_fills) > FOREIGN_FILLS_REMEMBERED_MAX:
            del self._foreign_fills[next(iter(self._foreign_fills))]
        # Each execution alone: the stranger's cumulative amount may hold executions from before our time.
        alone = msgspec.structs.replace(
            event,
            filled=None,
            average=None,
            type=event.type or OrderType.MARKET,  # liquidations have types of their own
            amount=event.amount or fill.amount,
        )
        stranger = orders.apply(None, alone)
        for effect in stranger.effects:
            if isinstance(effect, FillDelta):
                self._on_fill(stranger.order, effect)

    def _write(self, record: ev.Record) -> None:
        """A fact that cannot be journalled is still a fact: it is applied, and the failure is shown."""
        try:
            self._append(record)
        except JournalError as error:
            if not self.journal_failed:
                _log.critical(f"the journal cannot be written, no new order is sent until it can: {error}")
            self.journal_failed = True
        else:
            self.journal_failed = False

    # -- what was told ---------------------------------------------------------------------------------------

    def _append(self, record: ev.Record) -> None:
        """Journal a record that says how much of what came before it is untold. Raises JournalError."""
        untold = self._untold()
        self._journal.append(msgspec.structs.replace(record, untold=untold) if untold else record)
        if not untold:
            self._unproven_at = None

    def _begin_telling(self, timestamp: int) -> None:
        self._unproven_at = timestamp
        if self._later is not None and not self._is_mark_due:
            self._is_mark_due = True
            self._later(self.mark_delivered)

    def mark_delivered(self) -> None:
        """Make durable that the strategy was told of all that it was told of, unless a record proves it already."""
        self._is_mark_due = False
        if self._unproven_at is None:
            return
        if not self._untold():
            self._write(ev.Delivered(timestamp=self._unproven_at))
        elif self._later is not None:
            self._begin_telling(self._unproven_at)

    @property
    def is_all_told(self) -> bool:
        """True when a record proves that the strategy has been told of all: what came before may be archived."""
        return self._unproven_at is None and not self._untold()

    def begin_recovery(self, account: str) -> None:
        """From now on what is told of this account is marked: it happened, or was to be told, in an earlier run."""
        self._recovering.add(account)

    def end_recovery(self, account: str) -> None:
        """What is told from now on happens now, except for orders in doubt, until their doubt ends."""
        self._recovering.discard(account)
        self._unsettled |= {state.oid for state in self.open_orders(account) if state.is_unknown}

    def tell_cancel_failed(self, symbol: str, oid: str, state: OrderState | None, reason: str | None) -> None:
        """Tell of a cancel that cannot be: the order is unknown here or already closed. Its state stays."""
        if state is None:
            order = Order(
                exchange=exchange_of(symbol), symbol=symbol, status=OrderStatus.CANCEL_FAILED, oid=oid
            )
        else:
            order = self.snapshot(state)
            order.status = OrderStatus.CANCEL_FAILED
        order.reason = reason
        self._tell([(Notice.CANCEL_FAILED, order)])

    # -- recovery --------------------------------------------------------------------------------------------

    def restore(self, records: Iterable[ev.Record], adjust: Callable[[ev.PositionEvent], None]) -> int:
        """Fold the journal back into orders and positions; returns how many orders are still open.

        What the strategy may not have been told yet is given to `tell`, marked as recovered; the rest is silent.
        """
        untold: list[tuple[OrderState, Told]] = []
        for record in records:
            if not isinstance(record, ev.RiskEvent):  # that is written elsewhere, and proves nothing
                del untold[: max(0, len(untold) - record.untold)]
            if isinstance(record, ev.Submit):
                if record.attempt == 1:
                    self._restore_submit(record)
            elif isinstance(record, ev.OrderEvent):
                untold += self._restore_event(record)
            elif isinstance(record, ev.PositionEvent):
                adjust(record)
            elif isinstance(record, ev.Started):
                self._started_above = record.oid
            else:
                self.ask_change(record)
        for oid in self._orders:
            self.project(oid)
        for state, told in untold:
            public = self.snapshot(state, told)
            public.recovered = True
            self._tell([(told.notice, public)])
        return len(self._open)

    def capture(self, snapshot: Snapshot) -> Snapshot:
        """`snapshot` with every order known and the strangers' fills that were counted."""
        return msgspec.structs.replace(
            snapshot,
            orders=tuple(self._orders.values()),
            open_oids=tuple(self._open),
            closed_oids=tuple(self._closed),
            foreign_fills=tuple(self._foreign_fills),
        )

    def load(self, snapshot: Snapshot) -> None:
        """Know what was captured; call it before anything else is known."""
        self._orders.update((state.oid, state) for state in snapshot.orders)
        self._open.update(dict.fromkeys(snapshot.open_oids))
        self._closed.update(dict.fromkeys(snapshot.closed_oids))
        self._aliases.update((s.client_oid, s.oid) for s in snapshot.orders if s.client_oid is not None)
        self._foreign_fills.update(dict.fromkeys(snapshot.foreign_fills))

    def _restore_submit(self, command: ev.Submit) -> None:
        self.know(command)
        if command.idempotency_key is not None:
            self._cache.reserve_idempotent_create_order(command.idempotency_key, name_of(command))

    def _restore_event(self, event: ev.OrderEvent) -> Iterator[tuple[OrderState, Told]]:
        """Fold one fact; gives what it has to be told of."""
        try:
            applied = self._fold(event)
        except OrderError as error:
            # The journal could not be written when this order became known; the venue is asked for it.
            _log.warning(f"the journal lacks the beginning of order {event.oid}: {error}")
            return
        for effect in applied.effects:
            if isinstance(effect, Told) and effect.notice not in UNTOLD_NOTICES:
                yield applied.order, effect

    def last_oid(self) -> str | None:
        """The newest id that may have been given, in this run or an earlier one."""
        own = (oid for oid in self._orders if is_ours(oid, self._shard))
        given = (self._started_above,) if self._started_above is not None else ()
        return max((*own, *given), default=None)

    def record_start(self, oid: str, timestamp_ms: int) -> None:
        """Journal that a run begins whose ids are above `oid`."""
        self._write(ev.Started(oid=oid, timestamp=timestamp_ms))

    # -- strangers -------------------------------------------------------------------------------------------

    def is_foreign(self, oid: str) -> bool:
        """True for an order that neither this strategy made nor its user has claimed: it must not be touched."""
        return not is_ours(oid, self._shard) and oid not in self._claimed

    def claim_foreign(self, oid: str) -> None:
        """Take over a stranger's order, for this run: it may be cancelled and amended. Raises OrderError."""
        if oid not in self._orders:
            raise OrderError(
                f"order {oid} is not known: foreign orders are kept with foreign_orders='adopt', and only open ones"
            )
        self._claimed.add(oid)

    def own_open_orders(self, account: str) -> list[OrderState]:
        """As `open_orders`, without those of strangers."""
        return [state for state in self.open_orders(account) if not self.is_foreign(state.oid)]

    def is_shared(self, account: str) -> bool:
        """True once an order of somebody else was seen on the account."""
        return account in self._shared

    # -- reading ---------------------------------------------------------------------------------------------

    def resolve(self, oid: str) -> str:
        """Our oid for what the user calls the order."""
        return self._aliases.get(oid, oid)

    def is_taken(self, name: str) -> bool:
        """True when an order has this name: our own id, or a user's `client_oid`."""
        return name in self._aliases or name in self._orders

    def get(self, oid: str) -> OrderState | None:
        return self._orders.get(self._aliases.get(oid, oid))

    def open_orders(self, account: str | None = None) -> list[OrderState]:
        """Every order that may still be alive, UNKNOWN ones included, oldest first."""
        known = (self._orders[oid] for oid in self._open)
        return [state for state in known if account is None or state.account == account]

    def own_orders(self, account: str) -> Iterator[OrderState]:
        """Every order of ours on an account, ended ones included, oldest first."""
        return (state for state in self.orders(account) if not self.is_foreign(state.oid))

    def orders(self, account: str | None = None) -> Iterator[OrderState]:
        """Every order known, oldest first."""
        for state in self._orders.values():
            if account is None or state.account == account:
                yield state

    def snapshot(self, state: OrderState, told: Told | None = None) -> Order:
        """The public view of an order, under the name by which the user knows it."""
        public = orders.snapshot(state, told)
        public.oid = name_of(state)
        return public

    def foreign_snapshot(self, event: ev.OrderEvent) -> Order:
        """The public view of an order that is not kept here; without a type where we have no word for it."""
        shown = msgspec.structs.replace(event, type=event.type or OrderType.LIMIT)
        public = orders.snapshot(orders.apply(None, shown).order)
        public.type = event.type
        return public

    def project(self, oid: str) -> None:
        """Show the order in the cache as it is now."""
        state = self._orders[oid]
        self._cache.note_order(
            name_of(state),
            state.symbol,
            is_closed=state.is_closed,
            is_acked=state.eid is not None,
            make=partial(self.snapshot, state),
        )


def name_of(order: OrderState | ev.Submit) -> str:
    """The id by which the user knows an order."""
    return order.client_oid or order.oid


def exchange_of(symbol: str) -> ExchangeType:
    """The venue in a symbol's suffix. Raises ValueError for a symbol without one."""
    return ExchangeType(symbol.rpartition(".")[2].lower())
