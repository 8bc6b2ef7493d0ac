"""Whatever goes wrong, in whatever order: the venue itself stays right, and a seed gives the same bytes."""

from __future__ import annotations

from decimal import Decimal
from typing import Any

import pytest
from bybit_client import MemoryBybit
from hypothesis import given, settings
from hypothesis import strategies as st

from nexustrader.emulator.bybit.deeds import BYBIT_DEEDS
from nexustrader.emulator.bybit.venue import BybitSettings
from nexustrader.emulator.faults import ACTIONS
from nexustrader.emulator.venue import STILL

SETTINGS = BybitSettings(market=STILL, limit_factor=1_000, history_ms=2_000)
ARMED = sorted(set(ACTIONS) - set(BYBIT_DEEDS) - {"maintenance", "refuse_connect"})
DEEDS = sorted(set(BYBIT_DEEDS) - {"disconnect"})
PRICES = ("58000", "59000", "60000", "60001", "61000")
CATEGORIES = ("linear", "spot", "linear")
QUERIES = (
    ("order/realtime", {"category": "linear", "symbol": "BTCUSDT"}),
    ("order/history", {"category": "spot"}),
    ("execution/list", {"category": "linear"}),
    ("position/list", {"category": "linear", "symbol": "BTCUSDT"}),
    ("account/wallet-balance", {"accountType": "UNIFIED"}),
)

steps = st.one_of(
    st.tuples(
        st.just("fault"),
        st.sampled_from(ARMED),
        st.integers(0, 8),
        st.sampled_from([1, 2, -1]),
        st.sampled_from([0, 50, 1_500]),
        st.sampled_from(["0.3", "1"]),
    ),
    st.tuples(st.just("deed"), st.sampled_from(DEEDS), st.sampled_from(["BUY", "SELL"])),
    st.tuples(
        st.just("place"),
        st.sampled_from(CATEGORIES),
        st.sampled_from(["Buy", "Sell"]),
        st.sampled_from(["0.01", "0.1"]),
        st.sampled_from(PRICES),
        st.sampled_from(["GTC", "IOC", "FOK", "PostOnly"]),
    ),
    st.tuples(
        st.sampled_from(
            ["market", "conditional", "cancel", "amend", "cancel_all", "query", "move", "wait", "clear"]
        ),
        st.integers(0, 9),
    ),
)


def act(world: MemoryBybit, step: tuple[Any, ...]) -> None:
    match step:
        case ("fault", action, choice, count, delay_ms, part):
            hows = [how for how in ACTIONS[action].hows if how != "oversized"] or [""]
            world.inject(
                action,
                on="*" if choice % 3 == 0 else None,
                n=1 + choice % 3,
                how=hows[choice % len(hows)],
                count=count,
                delay_ms=delay_ms,
                part=Decimal(part),
                lag_ms=1_000,
            )
        case ("deed", action, side):
            product = "linear" if side == "BUY" else "spot"
            details = {"symbol": "BTCUSDT", "side": side, "amount": Decimal("0.01"), "asset": "USDT"}
            world.inject(action, product=product, **details)
        case ("place", category, side, quantity, price, tif):
            world.create(category, side=side, qty=quantity, price=price, timeInForce=tif)
        case ("market", number):
            world.market("Buy" if number % 2 else "Sell", "0.02", reduceOnly=number > 6)
        case ("conditional", number):
            terms = {
                "triggerPrice": f"{60_100 + 300 * number}",
                "triggerDirection": 1,
                "triggerBy": "MarkPrice",
            }
            world.create(side="Sell", price="60500", **terms)
        case ("cancel" | "amend" as name, number):
            records = list(world.venue.products["linear"].trading.records)
            if records:
                about = {"category": "linear", "symbol": "BTCUSDT"}
                link = records[number % len(records)].client_id
                change = {"price": "59500"} if name == "amend" else {}
                world.post(f"order/{name}", **about, orderLinkId=link, **change)
        case ("cancel_all", number):
            world.post("order/cancel-all", category=CATEGORIES[number % 3], symbol="BTCUSDT")
        case ("query", number):
            path, params = QUERIES[number % len(QUERIES)]
            world.get(path, **params)
        case ("move", number):
            world.move(f"{59_000 + 300 * number}.0", f"{59_000 + 300 * number}.1")
        case ("wait", number):
            world.wait(200 * number)
        case ("clear", _):
            world.venue.faults.clear()


def run(plan: list[tuple[Any, ...]]) -> tuple[MemoryBybit, list[bytes]]:
    world = MemoryBybit(SETTINGS)
    public = world.socket("public/linear")
    public.subscribe("orderbook.50.BTCUSDT", "orderbook.1.BTCUSDT", "tickers.BTCUSDT")
    sockets = [world.private(), public]
    for step in plan:
        act(world, step)
    world.wait(3_000)
    return world, [frame for socket in sockets for frame in socket.frames]


@pytest.mark.slow
@settings(max_examples=150, deadline=None)
@given(st.lists(steps, max_size=25))
def test_the_venue_stays_right_and_repeats_itself(plan: list[tuple[Any, ...]]) -> None:
    world, frames = run(plan)
    wrong = world.venue.check_invariants()
    assert not wrong, wrong
    check_books(world)
    again, frames_again = run(plan)
    assert frames == frames_again
    assert again.venue.ledger() == world.venue.ledger()
    assert again.venue.faults.fired == world.venue.faults.fired


def check_books(world: MemoryBybit) -> None:
    """Fills make up orders and positions; what is open here is open in the matching core, or waits."""
    (account,) = world.venue.accounts.by_name.values()
    for product in world.venue.products.values():
        lots: dict[str, int] = {}
        for record in product.trading.records:
            filled = sum((one.amount for one in record.executions), Decimal(0))
            assert filled == record.filled
            signed = record.sim.side * record.sim.filled
            lots[record.symbol] = lots.get(record.symbol, 0) + signed
        for symbol, market in product.markets.items():
            in_core = {order.order_id for order in market.engine.open_orders(account.name)}
            told = {r.order_id for r in product.trading.open_orders(account, symbol) if not r.is_held}
            assert in_core == told
            if market.listing.kind != "spot":
                assert account.ledgers[product.name].position_lots(market.key) == lots.get(symbol, 0)
