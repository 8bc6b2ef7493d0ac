"""Whatever goes wrong, in whatever order: the venue itself stays right, and a seed gives the same bytes."""

from __future__ import annotations

from decimal import Decimal
from typing import Any

import msgspec
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from memory_venue import QUIET, MemoryVenue

from nexustrader.emulator.binance.deeds import BINANCE_DEEDS
from nexustrader.emulator.faults import ACTIONS

LAGGING = msgspec.structs.replace(QUIET, history_ms=2_000)
PRICES = ("58000", "59000", "60000", "60001", "61000")
ARMED = sorted(set(ACTIONS) - set(BINANCE_DEEDS) - {"maintenance", "refuse_connect"})

faults = st.builds(
    lambda action, choice, count, delay_ms, part: ("fault", action, choice, count, delay_ms, part),
    st.sampled_from(ARMED),
    st.integers(0, 8),
    st.sampled_from([1, 2, -1]),
    st.sampled_from([0, 50, 1_500]),
    st.sampled_from(["0.3", "1"]),
)
deeds = st.tuples(
    st.just("deed"), st.sampled_from(sorted(set(BINANCE_DEEDS) - {"disconnect"})), st.sampled_from("BS")
)
places = st.tuples(
    st.just("place"),
    st.sampled_from(["BUY", "SELL"]),
    st.sampled_from(["0.010", "0.100"]),
    st.sampled_from(PRICES),
    st.sampled_from(["GTC", "IOC", "GTX"]),
)
others = st.tuples(
    st.sampled_from(["cancel", "modify", "cancel_all", "query", "move", "wait", "clear", "spot"]),
    st.integers(0, 9),
)


def act(world: MemoryVenue, step: tuple[Any, ...]) -> None:
    match step:
        case ("fault", action, choice, count, delay_ms, part):
            hows = ACTIONS[action].hows or ("",)
            how = hows[choice % len(hows)] if hows[choice % len(hows)] != "oversized" else hows[0]
            details = {
                "how": how,
                "count": count,
                "delay_ms": delay_ms,
                "part": Decimal(part),
                "lag_ms": 1_000,
            }
            world.inject(action, on="*" if choice % 3 == 0 else None, n=1 + choice % 3, **details)
        case ("deed", action, side):
            amount, buys = Decimal("0.01"), side == "B"
            details = {
                "symbol": "BTCUSDT",
                "side": "BUY" if buys else "SELL",
                "amount": amount,
                "asset": "USDT",
            }
            world.inject(action, product="usdm" if buys else None, **details)
        case ("place", side, quantity, price, tif):
            world.limit(side, quantity, price, timeInForce=tif)
        case ("cancel" | "modify" as name, number):
            orders = world.orders()
            if orders:
                key = {"symbol": "BTCUSDT", "orderId": orders[number % len(orders)]["order_id"]}
                change = {"side": orders[number % len(orders)]["side"], "quantity": "0.02", "price": "59500"}
                method = "DELETE" if name == "cancel" else "PUT"
                world.call(method, "/fapi/v1/order", **key, **(change if name == "modify" else {}))
        case ("cancel_all", _):
            world.call("DELETE", "/fapi/v1/allOpenOrders", symbol="BTCUSDT")
        case ("query", number):
            paths = ("v1/openOrders", "v2/positionRisk", "v3/balance", "v1/userTrades", "v1/allOrders")
            world.call("GET", f"/fapi/{paths[number % len(paths)]}", symbol="BTCUSDT")
        case ("move", number):
            world.move(f"{59_000 + 300 * number}.0", f"{59_000 + 300 * number}.1")
        case ("wait", number):
            world.wait(200 * number)
        case ("clear", _):
            world.venue.faults.clear()
        case ("spot", number):
            world.spot_limit("BUY" if number % 2 else "SELL", "0.01", PRICES[number % len(PRICES)])


def run(steps: list[tuple[Any, ...]]) -> tuple[MemoryVenue, list[bytes]]:
    world = MemoryVenue(LAGGING)
    streams = [
        world.user_stream(),
        world.spot_user_stream(),
        world.socket("/usdm/stream?streams=btcusdt@bookTicker/btcusdt@depth5"),
    ]
    for step in steps:
        act(world, step)
    world.wait(3_000)
    return world, [frame for stream in streams for frame in stream.frames]


@pytest.mark.slow
@settings(max_examples=150, deadline=None)
@given(st.lists(st.one_of(places, faults, deeds, others), max_size=25))
def test_the_venue_stays_right_and_repeats_itself(steps: list[tuple[Any, ...]]) -> None:
    world, frames = run(steps)
    wrong = world.venue.check_invariants()
    assert not wrong, wrong
    check_books(world)
    again, frames_again = run(steps)
    assert frames == frames_again
    assert again.venue.ledger() == world.venue.ledger()
    assert again.venue.faults.fired == world.venue.faults.fired


def check_books(world: MemoryVenue) -> None:
    """Fills make up orders and positions; what is open here is open in the matching core."""
    ledger = world.ledger()
    for order in ledger["orders"]:
        filled = sum(Decimal(f["amount"]) for f in ledger["fills"] if f["order_id"] == order["order_id"])
        assert filled == Decimal(order["filled"]), order
    signs = {"BUY": 1, "SELL": -1}
    held = sum(Decimal(fill["amount"]) * signs[fill["side"]] for fill in ledger["fills"])
    position = ledger["positions"].get("BTCUSDT/BOTH", {"amount": "0"})
    assert held == Decimal(position["amount"])
    for product in world.venue.products.values():
        account = world.venue.accounts.by_name["main"]
        known = {record.order_id for record in product.trading.open_orders(account)}
        books = {o.order_id for market in product.markets.values() for o in market.engine.open_orders("main")}
        assert known == books
