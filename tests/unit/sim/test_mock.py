"""Paper accounts: what feeds them, what they keep, and which instruments they trade."""

from __future__ import annotations

from decimal import Decimal
from pathlib import Path
from typing import Any

import pytest
from exchange_setup import BUY, INSTRUMENTS, LIMIT, MARKET, PERP, SPOT, START_MS, Bench, Listener

from nexustrader.config import MockConnectorConfig
from nexustrader.constants import AccountType, DataType, ExchangeType, InstrumentType
from nexustrader.domain import events as ev
from nexustrader.domain.ids import OidGenerator
from nexustrader.error import OrderError
from nexustrader.exchange import (
    BinanceAccountType,
    BitgetAccountType,
    BybitAccountType,
    HyperLiquidAccountType,
    OkxAccountType,
)
from nexustrader.kernel.bus import MessageBus
from nexustrader.kernel.clock import NS_PER_MS, VirtualClock
from nexustrader.market.data import MarketData
from nexustrader.market.subscriptions import Stream
from nexustrader.persistence.params import Params
from nexustrader.persistence.sqlite import SqliteJournal
from nexustrader.schema import BookL1, Trade
from nexustrader.sim.mock import build_mock, mock_kinds

KEY = "binance:LINEAR_MOCK"


class Streams:
    """Remembers what was subscribed."""

    def __init__(self) -> None:
        self.wanted: list[Stream] = []

    def subscribe(self, stream: Stream) -> None:
        self.wanted.append(stream)

    def unsubscribe(self, stream: Stream) -> None:
        self.wanted.remove(stream)


class MockBench(Bench):
    """A mock account on a bus; `store` is what outlives it."""

    def __init__(self, store: Any, start_ms: int = START_MS, **changes: Any) -> None:
        super().__init__(KEY)
        self.clock = VirtualClock(start_ms * NS_PER_MS)
        self.bus = MessageBus()
        self.streams = Streams()
        self.market = MarketData(
            self.bus, self.clock.timestamp, lambda symbol: self.streams if symbol in INSTRUMENTS else None
        )
        connector = MockConnectorConfig(
            **{
                "initial_balance": {"USDT": 1_000},
                "account_type": BinanceAccountType.LINEAR_MOCK,
                "leverage": 5,
                **changes,
            }
        )
        self.listener = Listener()
        self.venue = build_mock(
            KEY, connector, INSTRUMENTS, self.clock, bus=self.bus, market=self.market, store=store
        )
        self.venue.attach(self.listener)

    def publish_book(self, bid: float, ask: float) -> None:
        self.bus.publish("bookl1", BookL1(ExchangeType.BINANCE, PERP, bid, ask, 5.0, 5.0, self.now()))


async def ran_and_stopped(store: Any) -> MockBench:
    """A run that bought one unit at 100.1 and ended."""
    bench = MockBench(store)
    await bench.venue.start()
    bench.publish_book(100.0, 100.1)
    bench.order(BUY, MARKET, "1")
    await bench.venue.stop()
    return bench


async def test_it_trades_on_the_book_and_the_trades_of_the_bus() -> None:
    bench = MockBench(Params())
    await bench.venue.start()
    bench.publish_book(100.0, 100.1)
    oid = bench.order(BUY, LIMIT, "1", "99")
    bench.bus.publish("trade", Trade(ExchangeType.BINANCE, BUY, PERP, 98.0, 9.0, 0))
    assert bench.fills(oid) == []  # a buyer's trade does not hit bids
    bench.publish_book(97.9, 98.0)
    assert bench.fills(oid) == [("99.0", "1.000")]
    assert bench.facts(oid)[-1].fill.fee == Decimal("0.0495")  # type: ignore[union-attr]  # it has one


async def test_the_first_order_of_a_symbol_subscribes_its_data_once_and_says_what_is_missing() -> None:
    bench = MockBench(Params())
    bench.order(BUY, MARKET, "1")
    assert f"subscribe_bookl1('{PERP}')" in bench.refusal()
    bench.order(BUY, MARKET, "1")
    assert bench.streams.wanted == [Stream(DataType.BOOKL1, PERP), Stream(DataType.TRADE, PERP)]
    bench.market.unsubscribe(DataType.BOOKL1, [PERP], "")
    assert bench.streams.wanted == [Stream(DataType.TRADE, PERP)]  # wanted once, so given up once


async def test_a_symbol_without_public_data_is_refused_by_name() -> None:
    bench = MockBench(Params())
    bench.venue._want_data = lambda symbol: MarketData(
        bench.bus, bench.clock.timestamp, lambda _: None
    ).subscribe(DataType.BOOKL1, [symbol], "", ready=True, ready_timeout_s=0)
    bench.order(BUY, MARKET, "1")
    assert f"no public connector serves {PERP}" in bench.refusal()


async def test_other_kinds_are_refused() -> None:
    bench = MockBench(Params())
    bench.order(BUY, MARKET, "1", symbol=SPOT)
    assert "is spot, and binance:LINEAR_MOCK trades linear" in bench.refusal()


async def test_balances_and_positions_outlive_a_restart(tmp_path: Path) -> None:
    def journal() -> SqliteJournal:
        return SqliteJournal(tmp_path / "cache.db", "s", "u", {}, VirtualClock())

    with journal() as first:
        before = await ran_and_stopped(first.params)
    with journal() as second:
        after = MockBench(second.params, start_ms=START_MS + 1_000)
        await after.venue.start()
        assert after.free("USDT") == before.free("USDT") == 1000 - Decimal("0.05005")
        (position,) = await after.venue.query_positions()
        assert (position.signed_amount, position.entry_price) == (Decimal(1), Decimal("100.1"))


async def test_a_fill_is_kept_without_a_clean_end() -> None:
    store = Params()
    bench = MockBench(store)
    await bench.venue.start()
    bench.publish_book(100.0, 100.1)
    bench.order(BUY, MARKET, "1")
    bench.clock.run_soon()
    after = MockBench(store)
    await after.venue.start()
    assert [p.signed_amount for p in await after.venue.query_positions()] == [1]


@pytest.mark.parametrize(
    ("overwrite", "usdt", "positions"),
    [
        ({}, Decimal("999.94995"), 1),
        ({"overwrite_balance": True}, Decimal(500), 1),
        ({"overwrite_position": True}, Decimal("999.94995"), 0),
        ({"overwrite_balance": True, "overwrite_position": True}, Decimal(500), 0),
    ],
)
async def test_overwriting_begins_anew_with_what_it_names(
    overwrite: dict[str, bool], usdt: Decimal, positions: int
) -> None:
    store = Params()
    await ran_and_stopped(store)
    after = MockBench(store, initial_balance={"USDT": 500}, **overwrite)
    await after.venue.start()
    assert after.free("USDT") == usdt
    assert len(await after.venue.query_positions()) == positions


async def test_an_asset_that_is_new_in_the_config_is_added_to_what_was_kept() -> None:
    store = Params()
    await ran_and_stopped(store)
    after = MockBench(store, initial_balance={"USDT": 1, "USDC": 7})
    await after.venue.start()
    assert (after.free("USDC"), after.free("USDT")) == (Decimal(7), Decimal("999.94995"))


async def test_a_kept_position_of_an_unknown_symbol_stops_the_start() -> None:
    store = Params()
    await ran_and_stopped(store)
    after = MockBench(store)
    after.venue._markets.instruments = {}
    with pytest.raises(OrderError, match="overwrite_position=True"):
        await after.venue.start()


async def test_ids_of_two_runs_never_meet() -> None:
    store = Params()
    first = await ran_and_stopped(store)
    second = MockBench(store, start_ms=START_MS + 1)
    await second.venue.start()
    second.publish_book(100.0, 100.1)
    second.order(BUY, MARKET, "1")
    one, other = first.facts()[-1], second.facts()[-1]
    assert one.fill is not None
    assert other.fill is not None
    assert one.fill.trade_id != other.fill.trade_id
    assert one.eid != other.eid


async def test_an_order_of_an_earlier_run_is_told_as_canceled_and_a_later_one_as_unknown() -> None:
    ids = OidGenerator(7)
    bench = MockBench(Params())
    earlier = await bench.venue.query_order(PERP, ids.next(START_MS - 1), "5")
    assert earlier is not None
    assert (earlier.kind, earlier.eid) == (ev.EventKind.CANCELED, "5")
    assert await bench.venue.query_order(PERP, ids.next(START_MS + 1), None) is None


@pytest.mark.parametrize(
    "venue", [BinanceAccountType, BitgetAccountType, BybitAccountType, HyperLiquidAccountType, OkxAccountType]
)
def test_the_mock_types_of_every_venue_trade_their_kind(venue: type[AccountType]) -> None:
    for name, kind in (
        ("SPOT_MOCK", InstrumentType.SPOT),
        ("LINEAR_MOCK", InstrumentType.LINEAR),
        ("INVERSE_MOCK", InstrumentType.INVERSE),
    ):
        assert mock_kinds(venue[name]) == {kind}
