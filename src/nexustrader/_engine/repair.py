"""Venue truth beside a journal's, without running the strategy: what a start would correct, and the correction.

The parts are an engine's own: its connections ask, its reconciler concludes, its order book of record applies. Only
the journal is another: what they write is collected, and reaches the file when it is asked for.
"""

from __future__ import annotations

import asyncio
from collections.abc import Coroutine, Iterator
from decimal import Decimal
from typing import Any

import msgspec

from nexustrader._engine.books import number
from nexustrader._engine.connect import Connections, all_or_none
from nexustrader._engine.core import EngineCore
from nexustrader._engine.storage import DeferredJournal
from nexustrader._engine.world import LiveWorld, World
from nexustrader.config import Config
from nexustrader.domain import events as ev
from nexustrader.domain.order import Applied, OrderState
from nexustrader.domain.position import title
from nexustrader.domain.snapshot import Entry
from nexustrader.error import EngineBuildError
from nexustrader.execution.oms import name_of
from nexustrader.kernel.ports import VenuePort
from nexustrader.kernel.tasks import TaskManager
from nexustrader.persistence.records import encode

FLAT = (Decimal(0), Decimal(0))
PRICE_SHOWN = Decimal("1e-8")  # an average entry is a quotient
TASKS_CANCEL_TIMEOUT_S = 5.0


Holdings = dict[str, tuple[Decimal, Decimal]]
"""Signed amount and entry price by symbol."""


class Line(msgspec.Struct, frozen=True, kw_only=True):
    """One order, position or asset on both sides."""

    name: str
    ours: str
    venue: str
    is_different: bool


class Account(msgspec.Struct, frozen=True, kw_only=True):
    """One account on both sides. Balances are not journalled: of them there is the venue's side alone."""

    key: str
    orders: tuple[Line, ...]
    positions: tuple[Line, ...]
    balances: tuple[Line, ...]
    in_doubt: tuple[str, ...]  # orders of which the venue has not said what they are


class Findings(msgspec.Struct, frozen=True, kw_only=True):
    """What differs, and the records that would make the journal true."""

    accounts: tuple[Account, ...]
    corrections: tuple[ev.Record, ...]


class _Collecting:
    """Replays the journal; what is appended is kept aside."""

    def __init__(self, journal: DeferredJournal) -> None:
        self._journal = journal
        self.collected: list[ev.Record] = []

    def append(self, record: ev.Record) -> int:
        encode(record)
        self.collected.append(record)
        return self._journal.last_seq + len(self.collected)

    def replay(self) -> Iterator[Entry]:
        return self._journal.replay()

    def close(self) -> None:
        """Whoever opened the journal closes it."""


class Repair:
    """For one program. Use it as a context: it holds the journal's lock until the end.

    Raises EngineBuildError for a program without real accounts, JournalLockedError while an engine runs, and what
    building and asking raise.
    """

    def __init__(self, config: Config, *, world: World | None = None) -> None:
        if not config.private_conn_config or config.is_mock:
            raise EngineBuildError(
                "the program has no account at a venue: without a PrivateConnectorConfig there is nothing to compare"
            )
        self._config = config
        self._world = world = LiveWorld() if world is None else world
        self._tasks = TaskManager(world.loop)
        self._errands: set[asyncio.Task[Any]] = set()
        self._changing: list[ev.OrderEvent] = []
        self._journal = DeferredJournal()
        self._collecting = _Collecting(self._journal)
        self._core = EngineCore(config, world.clock, self._collecting, spawn=self._spawn)
        self._connections = Connections(self._core, world, self._tasks, self._journal.params)

    def __enter__(self) -> Repair:
        return self

    def __exit__(self, *_: object) -> None:
        self._world.loop.run_until_complete(self._close())
        self._world.close()

    def find(self, wait_s: float) -> Findings:
        """Ask the venues and draw the conclusions of a start; orders in doubt are asked for again for `wait_s`."""
        return self._world.loop.run_until_complete(self._find(wait_s))

    def apply(self, findings: Findings) -> int:
        """Journal the corrections, all or none; returns how many. Raises JournalError."""
        self._journal.append_many(findings.corrections)
        return len(findings.corrections)

    # -- asking ----------------------------------------------------------------------------------------------

    def _spawn(self, work: Coroutine[Any, Any, Any], name: str) -> object:
        task = self._tasks.create_task(work, name=name)
        self._errands.add(task)
        task.add_done_callback(self._errands.discard)
        return task

    async def _find(self, wait_s: float) -> Findings:
        self._world.clock.attach(self._world.loop)
        await self._connections.build()
        self._world.open_storage(self._config, self._journal, self._connections.fingerprints)
        self._core.restore()
        self._core.oms.watch = self._note_change
        ports = self._connections.ports
        before = {port.account: self._known(port.account) for port in ports}
        # Without the streams: what the venue has to say is asked for, and no deadline of its own is started there.
        await all_or_none(*(self._core.reconciler.start_up(port.account) for port in ports))
        if self._errands:
            await asyncio.wait(set(self._errands), timeout=wait_s)
        accounts = [await self._compared(port, *before[port.account]) for port in ports]
        corrections = [record for record in self._collecting.collected if self._is_correction(record)]
        return Findings(accounts=tuple(accounts), corrections=tuple(corrections))

    def _note_change(self, before: OrderState | None, event: ev.OrderEvent, applied: Applied) -> None:
        if before is None or _plain(before) != _plain(applied.order):
            self._changing.append(event)

    def _is_correction(self, record: ev.Record) -> bool:
        """False for answers that only repeat what the journal says."""
        if isinstance(record, ev.OrderEvent):
            return msgspec.structs.replace(record, untold=0) in self._changing
        return isinstance(record, ev.PositionEvent)

    def _known(self, account: str) -> tuple[dict[str, OrderState], Holdings]:
        """Our open orders and positions."""
        orders = {state.oid: state for state in self._core.oms.open_orders(account)}
        positions = {
            title(*key.held): (state.signed_amount, state.entry_price)
            for key, state in self._core.portfolio.positions().items()
            if key.account == account and state.is_open and self._core.portfolio.is_contract(key.symbol)
        }
        return orders, positions

    async def _compared(self, port: VenuePort, orders: dict[str, OrderState], positions: Holdings) -> Account:
        listed = {event.oid: event for event in await port.query_open_orders()}
        held = {
            title(event.symbol, event.position_side): (event.signed_amount, event.entry_price)
            for event in await port.query_positions()
            if event.signed_amount
        }
        return Account(
            key=port.account,
            orders=tuple(
                self._order(oid, orders.get(oid), listed.get(oid))
                for oid in dict.fromkeys([*orders, *listed])
            ),
            positions=tuple(
                Line(
                    name=symbol,
                    ours=_held(positions.get(symbol)),
                    venue=_held(held.get(symbol)),
                    is_different=positions.get(symbol, FLAT)[0] != held.get(symbol, FLAT)[0],
                )
                for symbol in sorted(positions.keys() | held.keys())
            ),
            balances=tuple(
                Line(
                    name=event.place,
                    ours="",
                    venue=f"{number(event.free)} free, {number(event.locked)} locked",
                    is_different=False,
                )
                for event in await port.query_balances()
                if event.free or event.locked
            ),
            in_doubt=tuple(s.oid for s in self._core.oms.open_orders(port.account) if s.is_unknown),
        )

    def _order(self, oid: str, before: OrderState | None, listed: ev.OrderEvent | None) -> Line:
        after = self._core.oms.get(oid)
        name = oid if after is None else f"{name_of(after)} {after.symbol}"
        venue = "not open"
        if listed is not None:
            venue = f"open, {_terms(listed.filled, listed.amount, listed.price)}"
            if after is None:
                name = f"{oid} {listed.symbol}"
                venue += ", not this strategy's: left alone"
        elif after is not None:
            venue += ", in doubt" if after.is_unknown else f": {_shown(after)}"
        return Line(
            name=name,
            ours="not known" if before is None else _shown(before),
            venue=venue,
            is_different=(after is None) != (before is None)
            or (after is not None and before is not None and _plain(after) != _plain(before)),
        )

    async def _close(self) -> None:
        await self._connections.stop()
        await self._tasks.cancel_all(TASKS_CANCEL_TIMEOUT_S)
        await self._world.transport.close()
        self._journal.close()


def _plain(state: OrderState) -> OrderState:
    """An order without the times at which it was spoken of."""
    return msgspec.structs.replace(state, timestamp=0, terms_at=0)


def _shown(state: OrderState) -> str:
    return f"{state.status.value}, {_terms(state.filled, state.amount, state.price)}"


def _held(holding: tuple[Decimal, Decimal] | None) -> str:
    if holding is None:
        return "none"
    amount, entry_price = holding
    return f"{number(amount)} at {number(entry_price.quantize(PRICE_SHOWN))}"


def _terms(filled: Any, amount: Any, price: Any) -> str:
    at = "" if price is None else f" at {number(price)}"
    return f"{number(filled) if filled else '0'} of {'?' if amount is None else number(amount)} filled{at}"
