"""What every world shares: when the strategy hears of what, and that no fact costs the others."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Coroutine, Iterator
from contextlib import contextmanager
from decimal import Decimal
from typing import Any

from loguru import logger

from desk import ACCOUNT, BTC, SYMBOL, ScriptedVenue
from nexustrader._engine.core import EngineCore
from nexustrader.config import BasicConfig, Config
from nexustrader.constants import ExchangeType, OrderSide, OrderType, ParamBackend
from nexustrader.domain import events as ev
from nexustrader.domain.ids import OidGenerator, shard_of
from nexustrader.domain.snapshot import state_hash
from nexustrader.persistence.memory import MemoryJournal
from nexustrader.persistence.params import Params
from nexustrader.schema import AccountBalance, Order
from nexustrader.strategy import Strategy
from virtual_time import LoopClock, run_virtual

K = ev.EventKind


@contextmanager
def seen_by_the_log(lines: list[str]) -> Iterator[None]:
    """Collect what is logged."""
    sink = logger.add(lambda message: lines.append(str(message)), format="{message}")
    try:
        yield
    finally:
        logger.remove(sink)


class Listener(Strategy):
    def __init__(self) -> None:
        super().__init__()
        self.heard: list[str] = []
        self.in_accepted: Callable[[], None] | None = None

    def on_start(self) -> None:
        self.heard.append("start")

    def on_accepted_order(self, order: Order) -> None:
        self.heard.append("accepted")
        if self.in_accepted is not None:
            self.in_accepted()

    def on_filled_order(self, order: Order) -> None:
        self.heard.append("filled")

    def on_balance(self, balance: AccountBalance) -> None:
        self.heard.append("balance")


class Site:
    """An engine's core on a scripted venue."""

    def __init__(self, clock: LoopClock, journal: Any = None, **config: Any) -> None:
        self.clock = clock
        self.strategy = Listener()
        self.journal = MemoryJournal() if journal is None else journal
        self.tasks: set[asyncio.Task[None]] = set()
        self.core = EngineCore(
            Config("core", "test", self.strategy, {ExchangeType.BINANCE: BasicConfig()}, {}, **config),
            clock,
            self.journal,
            spawn=self._spawn,
        )
        self.core.add_market({SYMBOL: BTC}, None)
        requests: Any = None
        self.core.bind_strategy(requests, {ParamBackend.MEMORY: Params()}, lambda: None)
        self.venue = ScriptedVenue(clock)
        self.core.add_account(self.venue)
        self.shard = shard_of("core", "test")

    def _spawn(self, work: Any, name: str) -> None:
        task = asyncio.get_running_loop().create_task(work, name=name)
        self.tasks.add(task)
        task.add_done_callback(self.tasks.discard)

    def submit(self, oid: str) -> ev.Submit:
        return ev.Submit(
            oid=oid,
            account=ACCOUNT,
            symbol=SYMBOL,
            side=OrderSide.BUY,
            type=OrderType.LIMIT,
            amount=Decimal("0.01"),
            price=Decimal(30_000),
            timestamp=self.clock.timestamp_ms(),
        )


def site_test(test: Callable[[Site], Coroutine[Any, Any, None]]) -> Callable[[], None]:
    def run() -> None:
        run_virtual(lambda clock: test(Site(clock)))

    run.__name__ = test.__name__
    return run


@site_test
async def test_what_happened_before_the_start_is_told_after_on_start(site: Site) -> None:
    oid = OidGenerator(site.shard).next(site.clock.timestamp_ms())
    site.journal.append(site.submit(oid))
    site.core.restore()
    site.venue.orders[oid] = site.venue.event(
        oid, K.FILLED, ev.Source.QUERY, eid="7", filled=Decimal("0.01"), average=Decimal(30_000)
    )
    site.venue.balances = [
        ev.BalanceEvent(account=ACCOUNT, asset="USDT", free=Decimal(5), timestamp=site.clock.timestamp_ms())
    ]
    site.venue.positions = [
        ev.PositionEvent(
            account=ACCOUNT,
            symbol=SYMBOL,
            signed_amount=Decimal("0.01"),
            entry_price=Decimal(30_000),
            timestamp=site.clock.timestamp_ms(),
        )
    ]
    await site.core.reconciler.start_up(ACCOUNT)
    assert site.strategy.heard == []
    assert site.core.cache.get_position(SYMBOL) is not None
    site.core.run_start()
    assert site.strategy.heard == ["start", "filled", "balance"]
    site.venue.sink.on_balance(
        ev.BalanceEvent(account=ACCOUNT, asset="USDT", free=Decimal(6), timestamp=site.clock.timestamp_ms())
    )
    assert site.strategy.heard[3:] == ["balance"]


@site_test
async def test_a_fact_that_a_callback_brings_about_is_told_after_that_callback(site: Site) -> None:
    oid = OidGenerator(site.shard).next(site.clock.timestamp_ms())
    site.journal.append(site.submit(oid))
    site.core.restore()
    site.core.run_start()

    def fetch() -> None:  # as a blocking request does
        filled = site.venue.event(oid, K.FILLED, ev.Source.QUERY, filled=Decimal("0.01"), eid="7")
        site.venue.sink.on_order_event(filled)
        order = site.core.cache.get_order(oid)
        assert order is not None
        site.strategy.heard.append(f"saw {order.status.value}")

    site.strategy.in_accepted = fetch
    site.venue.sink.on_order_event(site.venue.event(oid, K.ACCEPTED, eid="7"))
    assert site.strategy.heard == ["start", "accepted", "saw FILLED", "filled"]


@site_test
async def test_a_record_says_how_many_notices_of_orders_wait_and_balances_are_none(site: Site) -> None:
    oid = OidGenerator(site.shard).next(site.clock.timestamp_ms())
    site.journal.append(site.submit(oid))
    site.core.restore()
    sink = site.venue.sink
    sink.on_order_event(site.venue.event(oid, K.ACCEPTED, eid="7"))
    now_ms = site.clock.timestamp_ms()
    sink.on_balance(ev.BalanceEvent(account=ACCOUNT, asset="USDT", free=Decimal(5), timestamp=now_ms))
    part = {"eid": "7", "average": Decimal(30_000)}
    sink.on_order_event(site.venue.event(oid, K.ACCEPTED, filled=Decimal("0.004"), **part))
    sink.on_order_event(site.venue.event(oid, K.CANCELED, filled=Decimal("0.004"), **part))
    site.core.run_start()
    sink.on_order_event(site.venue.event(oid, K.CANCELED, filled=Decimal("0.004"), **part))
    told = [record.untold for record in site.journal.replay() if isinstance(record, ev.OrderEvent)]
    assert told == [0, 1, 2, 0]


@site_test
async def test_ids_of_a_new_run_are_above_those_in_the_journal(site: Site) -> None:
    oid = OidGenerator(site.shard).next(site.clock.timestamp_ms() + 60_000)
    site.journal.append(site.submit(oid))
    assert site.core.restore() == 1
    assert site.core.ids.next(site.clock.timestamp_ms()) > oid


@site_test
async def test_a_fact_that_cannot_be_taken_in_costs_no_other_and_the_venue_is_asked(site: Site) -> None:
    site.core.run_start()
    weird = ev.OrderEvent(
        oid=OidGenerator(site.shard).next(site.clock.timestamp_ms()),
        kind=K.ACCEPTED,
        source=ev.Source.STREAM,
        timestamp=site.clock.timestamp_ms(),
        account=ACCOUNT,
        symbol="NO.SUCH.SYMBOL",
        side=OrderSide.BUY,
        type=OrderType.LIMIT,
        amount=Decimal(1),
    )
    site.venue.sink.on_order_event(weird)
    await asyncio.sleep(5)
    assert site.venue.queries > 0


@site_test
async def test_a_handler_that_always_raises_is_counted_each_time_and_does_not_fill_the_log(
    site: Site,
) -> None:
    lines: list[str] = []

    def clumsy(_message: Any) -> None:
        raise LookupError("a bug of the user's")

    site.core.run_start()
    site.core.bus.subscribe("bookl1", clumsy)
    with seen_by_the_log(lines):
        for _ in range(5_000):
            site.core.bus.publish("bookl1", "a quote")
    assert site.core.user_errors == 5_000
    assert 100 <= len([line for line in lines if "clumsy" in line]) <= 110


@site_test
async def test_a_core_restored_from_a_rotated_journal_is_the_same(site: Site) -> None:
    ids = OidGenerator(site.shard)
    site.core.restore()
    site.core.run_start()
    oids = [ids.next(site.clock.timestamp_ms()) for _ in range(3)]
    for oid in oids:
        site.core.oms.write_ahead(site.submit(oid))
        site.core.oms.know(site.submit(oid))
    fill = ev.Fill(trade_id="1", price=Decimal(30_000), amount=Decimal("0.01"), fee=Decimal(1), timestamp=1)
    site.venue.sink.on_order_event(site.venue.event(oids[0], K.FILLED, eid="7", fill=fill))
    site.core.oms.mark_delivered()
    site.core.gate.reduce_only("by hand")
    snapshot = site.core.snapshot(site.journal.last_seq)
    assert snapshot is not None
    site.journal.rotate(snapshot)
    site.venue.sink.on_order_event(site.venue.event(oids[1], K.CANCELED, eid="8"))
    site.core.oms.mark_delivered()

    again = Site(site.clock)
    again.journal = again.core._journal = again.core.oms._journal = site.journal
    assert again.core.restore() == 1
    live, restored = (core.snapshot(site.journal.last_seq) for core in (site.core, again.core))
    assert live is not None
    assert restored is not None
    assert state_hash(restored) == state_hash(live)
    assert again.core.gate.state is site.core.gate.state
    assert again.core.ids.next(0) > oids[-1]


@site_test
async def test_there_is_no_snapshot_while_the_strategy_has_not_been_told_of_all(site: Site) -> None:
    oid = OidGenerator(site.shard).next(site.clock.timestamp_ms())
    site.core.restore()
    site.core.run_start()
    site.core.oms.write_ahead(site.submit(oid))
    site.core.oms.know(site.submit(oid))
    site.venue.sink.on_order_event(site.venue.event(oid, K.ACCEPTED, eid="7"))
    assert site.core.snapshot(site.journal.last_seq) is None
    site.core.oms.mark_delivered()
    assert site.core.snapshot(site.journal.last_seq) is not None
