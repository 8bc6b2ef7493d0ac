"""A restart from a snapshot and the records after it ends in the same state as one from all records."""

from __future__ import annotations

from decimal import Decimal
from typing import Any

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

from desk import ACCOUNT, BTC, SHARD, SYMBOL
from nexustrader.constants import OrderSide, OrderType
from nexustrader.domain import events as ev
from nexustrader.domain import snapshot as snapshots
from nexustrader.domain.ids import OidGenerator
from nexustrader.domain.order import OrderState
from nexustrader.domain.position import PositionState
from nexustrader.domain.snapshot import Snapshot, state_hash
from nexustrader.execution import snapshot as execution
from nexustrader.execution.oms import OrderManager
from nexustrader.market.cache import Cache
from nexustrader.persistence.memory import MemoryJournal
from nexustrader.portfolio.portfolio import Portfolio

CLOSED_MAX = 3


class Books:
    """The parts of an engine that have a state to keep."""

    def __init__(self, journal: MemoryJournal) -> None:
        self.journal = journal
        self.cache = Cache()
        self.portfolio = Portfolio(self.cache, {SYMBOL: BTC}, lambda _balance: None)
        self.oms = OrderManager(
            journal,
            self.cache,
            SHARD,
            tell=lambda _news: None,
            on_fill=self.portfolio.on_fill,
            closed_orders_max=CLOSED_MAX,
        )

    def snapshot(self) -> Snapshot:
        return execution.take(self.oms, self.portfolio, self.cache, seq=self.journal.last_seq, timestamp_ms=0)

    @classmethod
    def restored(cls, journal: MemoryJournal) -> Books:
        books = cls(journal)
        execution.restore(journal.replay(), books.oms, books.portfolio, books.cache)
        return books


class TwoJournals(MemoryJournal):
    """Writes the same to another journal that is never rotated."""

    def __init__(self) -> None:
        super().__init__()
        self.whole = MemoryJournal()

    def append(self, record: ev.Record) -> int:
        self.whole.append(record)
        return super().append(record)


amounts = st.integers(1, 5).map(lambda n: Decimal(n) / 1000)
prices = st.integers(100, 104).map(Decimal)
numbers = st.integers(0, 6)  # which order, by its place among those made
kinds = st.sampled_from([kind for kind in ev.EventKind if kind is not ev.EventKind.FILLED])

submits = st.tuples(
    st.just("submit"), st.sampled_from(OrderSide), amounts, prices, st.none() | st.integers(0, 4)
)
facts = st.tuples(st.just("fact"), numbers, kinds)
fills = st.tuples(st.just("fill"), numbers, st.integers(0, 9), amounts, prices)
sums = st.tuples(st.just("sum"), numbers, amounts)
changes = st.tuples(st.just("change"), numbers, st.sampled_from([ev.Cancel, ev.Amend]))
adjustments = st.tuples(st.just("adjust"), st.integers(-3, 3), prices)
rotations = st.tuples(st.just("rotate"))
histories = st.lists(
    st.one_of(submits, facts, fills, sums, changes, adjustments, rotations), min_size=1, max_size=40
)


class History:
    """Lives a drawn history."""

    def __init__(self) -> None:
        self.journal = TwoJournals()
        self.books = Books(self.journal)
        self.ids = OidGenerator(SHARD)
        self.oids: list[str] = []
        self.now = 1_700_000_000_000

    def live(self, step: tuple[Any, ...]) -> None:
        self.now += 1
        name, *values = step
        getattr(self, name)(*values)

    def submit(self, side: OrderSide, amount: Decimal, price: Decimal, key: int | None) -> None:
        oid = self.ids.next(self.now)
        name = None if key is None else f"key{key}"
        if name is not None and self.books.cache.reserve_idempotent_create_order(name, oid) != oid:
            return
        command = ev.Submit(
            oid=oid,
            account=ACCOUNT,
            symbol=SYMBOL,
            side=side,
            type=OrderType.LIMIT,
            amount=amount,
            price=price,
            idempotency_key=name,
            timestamp=self.now,
        )
        self.books.oms.write_ahead(command)
        self.books.oms.know(command)
        self.oids.append(oid)

    def fact(self, number: int, kind: ev.EventKind, **values: Any) -> None:
        if number < len(self.oids):
            event = ev.OrderEvent(
                oid=self.oids[-1 - number],
                kind=kind,
                source=ev.Source.STREAM,
                timestamp=self.now,
                eid="7",
                reason="because",
                **values,
            )
            self.books.oms.apply(event)

    def fill(self, number: int, trade: int, amount: Decimal, price: Decimal) -> None:
        fill = ev.Fill(trade_id=str(trade), price=price, amount=amount, fee=Decimal(1), timestamp=self.now)
        self.fact(number, ev.EventKind.FILLED, fill=fill)

    def sum(self, number: int, amount: Decimal) -> None:
        self.fact(number, ev.EventKind.FILLED, filled=amount)

    def change(self, number: int, kind: Any) -> None:
        if number < len(self.oids):
            side = {"side": OrderSide.BUY} if kind is ev.Amend else {}
            self.books.oms.record(
                kind(oid=self.oids[-1 - number], account=ACCOUNT, symbol=SYMBOL, timestamp=self.now, **side)
            )

    def adjust(self, lots: int, price: Decimal) -> None:
        event = ev.PositionEvent(
            account=ACCOUNT,
            symbol=SYMBOL,
            signed_amount=Decimal(lots) / 1000,
            entry_price=price,
            timestamp=self.now,
        )
        self.books.portfolio.adjust(event)
        self.books.oms.record_adjustment(event)

    def rotate(self) -> None:
        snapshot = self.books.snapshot()
        if snapshot.seq > self.journal._snapshot_seq:
            self.journal.rotate(snapshot)


@given(history=histories)
def test_snapshot_and_tail_restore_what_all_records_restore(history: list[tuple[Any, ...]]) -> None:
    lived = History()
    for step in history:
        lived.live(step)
    live = lived.books.snapshot()
    short = Books.restored(lived.journal).snapshot()
    whole = Books.restored(lived.journal.whole).snapshot()
    assert state_hash(short) == state_hash(live)
    assert state_hash(whole) == state_hash(live)
    assert (short.orders, short.open_oids, short.closed_oids) == (
        live.orders,
        live.open_oids,
        live.closed_oids,
    )


@given(history=histories, items=st.integers(1, 3))
def test_a_snapshot_is_the_sum_of_its_parts(history: list[tuple[Any, ...]], items: int) -> None:
    lived = History()
    for step in history:
        lived.live(step)
    live = lived.books.snapshot()
    assert snapshots.join(snapshots.split(live, items)) == live
    assert all(len(part.orders) <= items for part in snapshots.split(live, items))


STATE = OrderState(
    oid="1",
    account="a",
    symbol=SYMBOL,
    side=OrderSide.BUY,
    type=OrderType.LIMIT,
    amount=Decimal(1),
    created=1,
    timestamp=1,
    trade_ids=frozenset({"1", "2", "3"}),
)
WHOLE = Snapshot(
    seq=1,
    timestamp=1,
    orders=(STATE, msgspec.structs.replace(STATE, oid="2")),
    idempotency=(("a", "1"), ("b", "2")),
    positions=(("a", "x", PositionState()), ("a", "y", PositionState(signed_amount=Decimal(1)))),
    fees=(("BNB", Decimal(1)), ("USDT", Decimal(2))),
    sections={"risk": "{}", "x": ""},
)


@pytest.mark.parametrize(
    "changes",
    [
        {"seq": 2, "timestamp": 2, "foreign_fills": (("x", "1"),)},
        {"orders": WHOLE.orders[::-1], "positions": WHOLE.positions[::-1]},
        {"idempotency": WHOLE.idempotency[::-1], "fees": WHOLE.fees[::-1]},
        {"sections": dict(reversed(WHOLE.sections.items()))},
    ],
)
def test_hash_is_of_the_state_and_not_of_when_or_in_which_sequence_it_was_taken(
    changes: dict[str, Any],
) -> None:
    assert state_hash(msgspec.structs.replace(WHOLE, **changes)) == state_hash(WHOLE)


@pytest.mark.parametrize(
    "changes",
    [
        {"orders": WHOLE.orders[:1]},
        {"orders": (msgspec.structs.replace(STATE, filled=Decimal("0.1")), WHOLE.orders[1])},
        {"orders": (msgspec.structs.replace(STATE, trade_ids=frozenset({"1"})), WHOLE.orders[1])},
        {"idempotency": WHOLE.idempotency[:1]},
        {"idempotency": (("a", "2"), ("b", "1"))},
        {"positions": WHOLE.positions[:1]},
        {"positions": (("a", "x", PositionState(basis=Decimal(1))), WHOLE.positions[1])},
        {"fees": (("BNB", Decimal(2)), ("USDT", Decimal(2)))},
        {"sections": {"risk": "{1}", "x": ""}},
    ],
)
def test_hash_differs_when_anything_of_the_state_does(changes: dict[str, Any]) -> None:
    assert state_hash(msgspec.structs.replace(WHOLE, **changes)) != state_hash(WHOLE)


def test_no_part_is_no_snapshot() -> None:
    with pytest.raises(ValueError, match="at least one part"):
        snapshots.join([])


def test_encoding_does_not_depend_on_the_seed_of_hashes() -> None:
    many = msgspec.structs.replace(
        WHOLE, orders=(msgspec.structs.replace(STATE, trade_ids=frozenset(map(str, range(50)))),)
    )
    decoded = msgspec.json.decode(snapshots.encode(many))
    assert decoded["orders"][0]["trade_ids"] == sorted(map(str, range(50)))
