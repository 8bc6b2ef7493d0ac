"""The order book of record: owns every order's state, applies facts to it, and tells who needs to know.

A fact is journalled before it is applied. What users see are snapshots, sent after the state has moved, in the
order of the order's life.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator

import msgspec

from nexustrader.constants import ExchangeType, OrderStatus, OrderType
from nexustrader.domain import events as ev
from nexustrader.domain import order as orders
from nexustrader.domain.ids import is_ours
from nexustrader.domain.order import OrderState
from nexustrader.domain.order_effects import FillDelta, Notice, Told
from nexustrader.error import JournalError, OrderError
from nexustrader.kernel.log import get_logger
from nexustrader.kernel.ports import Journal
from nexustrader.market.cache import Cache
from nexustrader.schema import Order

FOREIGN_FILLS_REMEMBERED_MAX = 100_000
CLOSED_ORDERS_MAX = 100_000

Tell = Callable[[Notice, Order], None]
OnFill = Callable[[OrderState, FillDelta], None]

_LOGGED = frozenset({Notice.RESURRECTED, Notice.OVERFILL, Notice.UNKNOWN, Notice.AMEND_FAILED})

_log = get_logger("OMS")


class OrderManager:
    """Applies commands and facts to orders; knows nothing of sockets or time."""

    def __init__(
        self,
        journal: Journal,
        cache: Cache,
        shard: int,
        *,
        tell: Tell,
        on_fill: OnFill,
        closed_orders_max: float = CLOSED_ORDERS_MAX,
    ) -> None:
        self._journal = journal
        self._cache = cache
        self._shard = shard
        self._tell = tell
        self._on_fill = on_fill
        self._orders: dict[str, OrderState] = {}
        self._open: dict[str, None] = {}  # oids of those that may still be alive, oldest first
        self._closed: dict[str, None] = {}  # oids of the others, in the order in which they closed
        self._closed_max = closed_orders_max
        self._aliases: dict[str, str] = {}  # the user's client_oid -> our oid
        self._foreign_fills: dict[tuple[str, str], None] = {}
        self.journal_failed = False

    # -- commands --------------------------------------------------------------------------------------------

    def write_ahead(self, command: ev.Submit) -> None:
        """Make an intent durable. Raises JournalError: then nothing may be sent."""
        self._journal.append(command)

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
        self._ask_change(command)

    def _ask_change(self, command: ev.Record) -> None:
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
        self.project(event.oid)
        for effect in applied.effects:
            if isinstance(effect, Told):
                self._announce(applied.order, effect)

    def _fold(self, event: ev.OrderEvent) -> orders.Applied:
        """Move the order, and the position by what was filled."""
        applied = orders.apply(self._orders.get(event.oid), event)
        self._hold(applied.order)
        for effect in applied.effects:
            if isinstance(effect, FillDelta):
                self._on_fill(applied.order, effect)
        return applied

    def _announce(self, order: OrderState, told: Told) -> None:
        if told.notice in _LOGGED:
            _log.warning(f"order {order.oid}: {told.notice.value}: {told.reason}")
        if told.notice is Notice.CANCEL_FAILED:
            self._cache.clear_cancel_intent(name_of(order))
        self._tell(told.notice, self.snapshot(order, told))

    def _may_adopt(self, event: ev.OrderEvent) -> bool:
        """True for an order that our ids claim but the journal does not know; strangers' orders are left alone."""
        if (
            not is_ours(event.oid, self._shard)
            or event.side is None
            or event.type is None
            or event.amount is None
        ):
            return False
        _log.warning(f"order {event.oid} is ours by its id but unknown here: adopted")
        return True

    def _count_foreign_fill(self, event: ev.OrderEvent) -> None:
        """A manual trade moves the account's position, but the order stays its owner's."""
        fill = event.fill
        if fill is None or event.side is None or event.type is None or event.amount is None:
            return
        key = (event.symbol, fill.trade_id)
        if key in self._foreign_fills:
            return
        self._foreign_fills[key] = None
        if len(self._foreign_fills) > FOREIGN_FILLS_REMEMBERED_MAX:
            del self._foreign_fills[next(iter(self._foreign_fills))]
        # Each execution alone: the stranger's cumulative amount may hold executions from before our time.
        stranger = orders.apply(None, msgspec.structs.replace(event, filled=None, average=None))
        for effect in stranger.effects:
            if isinstance(effect, FillDelta):
                self._on_fill(stranger.order, effect)

    def _write(self, record: ev.Record) -> None:
        """A fact that cannot be journalled is still a fact: it is applied, and the failure is shown."""
        try:
            self._journal.append(record)
        except JournalError as error:
            if not self.journal_failed:
                _log.critical(f"the journal cannot be written, no new order is sent until it can: {error}")
            self.journal_failed = True
        else:
            self.journal_failed = False

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
        self._tell(Notice.CANCEL_FAILED, order)

    # -- recovery --------------------------------------------------------------------------------------------

    def restore(self, records: Iterable[ev.Record], adjust: Callable[[ev.PositionEvent], None]) -> int:
        """Fold the journal back into orders and positions, silently; returns how many orders are still open."""
        for record in records:
            if isinstance(record, ev.Submit):
                if record.attempt == 1:
                    self._restore_submit(record)
            elif isinstance(record, ev.OrderEvent):
                self._restore_event(record)
            elif isinstance(record, ev.PositionEvent):
                adjust(record)
            else:
                self._ask_change(record)
        for oid in self._orders:
            self.project(oid)
        return len(self._open)

    def _restore_submit(self, command: ev.Submit) -> None:
        self.know(command)
        if command.idempotency_key is not None:
            self._cache.reserve_idempotent_create_order(command.idempotency_key, name_of(command))

    def _restore_event(self, event: ev.OrderEvent) -> None:
        try:
            self._fold(event)
        except OrderError as error:
            # The journal could not be written when this order became known; the venue is asked for it.
            _log.warning(f"the journal lacks the beginning of order {event.oid}: {error}")

    def last_oid(self) -> str | None:
        """The newest id that we have made, in this run or an earlier one."""
        return max((oid for oid in self._orders if is_ours(oid, self._shard)), default=None)

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

    def project(self, oid: str) -> Order:
        """Write the order's snapshot to the cache and return it."""
        public = self.snapshot(self._orders[oid])
        self._cache.put_order(public)
        return public


def name_of(order: OrderState | ev.Submit) -> str:
    """The id by which the user knows an order."""
    return order.client_oid or order.oid


def exchange_of(symbol: str) -> ExchangeType:
    """The venue in a symbol's suffix. Raises ValueError for a symbol without one."""
    return ExchangeType(symbol.rpartition(".")[2].lower())
