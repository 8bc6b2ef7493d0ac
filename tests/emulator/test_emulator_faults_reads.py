"""Queries that lag behind, lose rows, repeat rows, or fail."""

from __future__ import annotations

from collections.abc import Iterator
from decimal import Decimal

import msgspec
import pytest
from memory_venue import QUIET, MemoryVenue

LAGGING = msgspec.structs.replace(QUIET, history_ms=10_000)


@pytest.fixture
def world() -> Iterator[MemoryVenue]:
    world = MemoryVenue(LAGGING)
    yield world
    wrong = world.venue.check_invariants()
    assert not wrong, wrong


def order(world: MemoryVenue, client_id: str) -> object:
    reply = world.call("GET", "/fapi/v1/order", symbol="BTCUSDT", origClientOrderId=client_id)
    return reply.body.get("status", reply.body.get("code"))


def position(world: MemoryVenue) -> str:
    rows = world.get("v2/positionRisk", symbol="BTCUSDT")
    return str(rows[0]["positionAmt"])


def test_queries_see_the_venue_as_it_was(world: MemoryVenue) -> None:
    world.inject("stale_reads", on="queries", lag_ms=1_000, count=-1)
    world.limit("BUY", "0.010", "61000", newClientOrderId="a")
    world.limit("BUY", "0.010", "59000", newClientOrderId="b")
    assert position(world) == "0.000"
    assert world.get("v1/openOrders") == []
    assert world.get("v1/userTrades", symbol="BTCUSDT") == []
    assert (order(world, "a"), order(world, "b")) == (-2013, -2013)
    before = next(row for row in world.get("v3/balance") if row["asset"] == "USDT")["balance"]
    assert before == "100000.00000000"
    world.wait(600)
    world.cancel("b")
    world.wait(400)
    assert (order(world, "a"), order(world, "b")) == ("FILLED", "NEW")
    assert [row["clientOrderId"] for row in world.get("v1/openOrders")] == ["b"]
    assert position(world) == "0.010"
    assert len(world.get("v1/userTrades", symbol="BTCUSDT")) == 1
    world.wait(600)
    assert order(world, "b") == "CANCELED"
    after = next(row for row in world.get("v3/balance") if row["asset"] == "USDT")["balance"]
    assert float(after) < float(before)


def test_the_fills_of_then_are_not_those_of_now(world: MemoryVenue) -> None:
    world.limit("BUY", "0.010", "59000", newClientOrderId="a")
    world.inject("fill_order", part=Decimal("0.5"))
    world.wait(100)
    world.inject("fill_order")
    world.inject("stale_reads", lag_ms=50)
    assert [row["qty"] for row in world.get("v1/userTrades", symbol="BTCUSDT")] == ["0.005"]


def test_only_answers_that_differ_count(world: MemoryVenue) -> None:
    world.inject("stale_reads", lag_ms=1_000, count=2)
    world.limit("BUY", "0.010", "59000", newClientOrderId="a")
    assert order(world, "a") == -2013
    world.wait(1_000)
    assert order(world, "a") == "NEW"
    assert world.fired("stale_reads") == 1
    world.cancel("a")
    assert order(world, "a") == "NEW"
    assert order(world, "a") == "CANCELED"
    assert world.fired("stale_reads") == 2


def test_commands_are_never_stale(world: MemoryVenue) -> None:
    world.inject("stale_reads", on="*", lag_ms=10_000, count=-1)
    world.limit("BUY", "0.010", "59000", newClientOrderId="a")
    assert world.cancel("a").body["status"] == "CANCELED"


def test_spot_lags_too(world: MemoryVenue) -> None:
    world.inject("stale_reads", product="spot", lag_ms=5_000, count=-1)
    world.spot_limit("SELL", "1", "59000")
    body = world.call("GET", "/api/v3/account").body
    assert {row["asset"]: row["free"] for row in body["balances"]}["BTC"] == "2.00000000"
    world.wait(5_000)
    body = world.call("GET", "/api/v3/account").body
    assert {row["asset"]: row["free"] for row in body["balances"]}["BTC"] == "1.00000000"


def test_the_history_forgets_what_is_too_old(world: MemoryVenue) -> None:
    product, account = world.venue.products["usdm"], world.venue.accounts.by_name["main"]
    world.limit("BUY", "0.010", "59000", newClientOrderId="a")
    (record,) = product.trading.orders(account)
    for _ in range(200):
        world.wait(1_000)
        product.history.note(account, record)
    assert len(product.history._orders[record.order_id]._states) <= 12
    assert len(product.history._ledgers["main"]._states) <= 12


def test_without_a_history_queries_lag_from_when_that_was_asked_for() -> None:
    world = MemoryVenue()
    world.limit("BUY", "0.010", "59000", newClientOrderId="a")
    assert not world.venue.products["usdm"].history._orders
    world.wait(1_000)
    world.inject("stale_reads", lag_ms=5_000, count=-1)
    world.limit("BUY", "0.010", "61000", newClientOrderId="b")
    world.cancel("a")
    assert (order(world, "a"), order(world, "b"), position(world)) == ("NEW", -2013, "0.000")
    world.wait(5_000)
    assert (order(world, "a"), order(world, "b"), position(world)) == ("CANCELED", "FILLED", "0.010")


@pytest.mark.parametrize(
    ("action", "left"),
    [("cut_open_orders", ["0", "1"]), ("repeat_open_orders", ["0", "1", "2", "3", "2", "3"])],
)
def test_open_orders_are_cut_or_repeated(world: MemoryVenue, action: str, left: list[str]) -> None:
    world.inject(action, n=2)
    assert world.get("v1/openOrders") == []
    assert world.fired(action) == 0
    for number in range(4):
        world.limit("BUY", "0.010", "59000", newClientOrderId=str(number))
    assert [row["clientOrderId"] for row in world.get("v1/openOrders")] == left
    assert len(world.get("v1/openOrders")) == 4


def test_the_newest_fills_are_missing(world: MemoryVenue) -> None:
    for number in range(3):
        world.limit("BUY", "0.010", "61000", newClientOrderId=str(number))
    world.inject("hide_newest_fills", n=1)
    everything = world.get("v1/userTrades", symbol="BTCUSDT")
    assert len(everything) == 2
    assert world.get("v1/userTrades", symbol="BTCUSDT")[:2] == everything


def test_accounts_fail_while_orders_succeed(world: MemoryVenue) -> None:
    world.inject("http_status_next", on="accounts", reply="unknown", count=-1)
    paths = ("v2/balance", "v3/balance", "v2/account", "v3/account", "v2/positionRisk", "v3/positionRisk")
    assert {world.call("GET", f"/fapi/{path}").status for path in paths} == {503}
    assert world.call("GET", "/api/v3/account").status == 503
    assert world.call("GET", "/fapi/v1/openOrders").status == 200
    assert world.fired("http_status_next") == 7


def test_a_live_order_is_not_found(world: MemoryVenue) -> None:
    world.limit("BUY", "0.010", "59000", newClientOrderId="a")
    world.inject("reject_next", on="order.status", reply="not_found")
    assert [order(world, "a"), order(world, "a")] == [-2013, "NEW"]
