"""Questions that a callback asks and waits for."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from decimal import Decimal

from desk import ACCOUNT, SHARD, SYMBOL, Desk, live
from nexustrader._engine.requests import ThreadedRequests
from nexustrader.constants import OrderSide, OrderStatus, OrderType
from nexustrader.domain import events as ev
from nexustrader.domain.ids import OidGenerator
from nexustrader.kernel.tasks import IoThread
from virtual_time import LoopClock, run_virtual

K = ev.EventKind
QUERY = ev.Source.QUERY


@contextmanager
def requests_of(desk: Desk) -> Iterator[ThreadedRequests]:
    io = IoThread()
    try:
        yield ThreadedRequests(io, desk.oms, {}, {ACCOUNT: desk.venue})
    finally:
        io.stop()


def test_what_the_venue_says_about_an_order_of_ours_moves_it() -> None:
    async def run(clock: LoopClock) -> None:
        desk = Desk(clock)
        oid = await live(desk, client_oid="entry")
        inner = desk.state(oid).oid
        desk.venue.orders[inner] = desk.venue.event(inner, K.CANCELED, QUERY, eid="7")
        with requests_of(desk) as requests:
            order = requests.order(ACCOUNT, SYMBOL, "entry")
        assert order is not None
        assert (order.oid, order.status) == ("entry", OrderStatus.CANCELED)
        assert desk.names == ["CANCELED"]

    run_virtual(run)


def test_asking_for_an_order_of_long_ago_moves_no_position() -> None:
    async def run(clock: LoopClock) -> None:
        desk = Desk(clock)
        oid = OidGenerator(SHARD).next(clock.timestamp_ms() - 86_400_000)
        desk.venue.orders[oid] = desk.venue.event(
            oid,
            K.FILLED,
            QUERY,
            eid="7",
            filled=Decimal(1),
            average=Decimal(30_000),
            amount=Decimal(1),
            side=OrderSide.BUY,
            type=OrderType.MARKET,
        )
        with requests_of(desk) as requests:
            order = requests.order(ACCOUNT, SYMBOL, oid)
        assert order is not None
        assert (order.status, order.filled) == (OrderStatus.FILLED, Decimal(1))
        assert not desk.portfolio.position(ACCOUNT, SYMBOL).is_open
        assert desk.told == []

    run_virtual(run)


def test_orders_of_strangers_are_listed_also_those_of_kinds_that_we_have_no_word_for() -> None:
    async def run(clock: LoopClock) -> None:
        desk = Desk(clock)
        mine = await live(desk)
        terms = {"amount": Decimal(1), "side": OrderSide.BUY}
        desk.venue.orders = {
            mine: desk.venue.event(mine, K.ACCEPTED, QUERY, eid="7"),
            "web_1": desk.venue.event("web_1", K.ACCEPTED, QUERY, eid="8", type=OrderType.LIMIT, **terms),
            "web_2": desk.venue.event(
                "web_2", K.ACCEPTED, QUERY, eid="9", type=None, **terms
            ),  # a trailing stop
        }
        with requests_of(desk) as requests:
            listed = requests.open_orders(ACCOUNT, SYMBOL)
        assert [(order.oid, order.type) for order in listed] == [
            (mine, OrderType.LIMIT),
            ("web_1", OrderType.LIMIT),
            ("web_2", None),
        ]
        assert [state.oid for state in desk.oms.orders()] == [mine]

    run_virtual(run)
