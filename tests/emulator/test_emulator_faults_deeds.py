"""What the user does by hand, and what the venue does to an account: the ledger, the events and queries agree."""

from __future__ import annotations

from collections.abc import Iterator
from decimal import Decimal
from typing import Any

import pytest
from memory_venue import MemoryVenue, steps

from nexustrader.emulator.binance.deeds import BINANCE_DEEDS
from nexustrader.emulator.faults import ACTIONS, NOW


@pytest.fixture
def world() -> Iterator[MemoryVenue]:
    world = MemoryVenue()
    yield world
    wrong = world.venue.check_invariants()
    assert not wrong, wrong


def wallet(world: MemoryVenue, asset: str = "USDT", product: str = "usdm") -> Decimal:
    return Decimal(world.ledger(product)["balances"][asset]["wallet"])


def account_update(frames: list[Any]) -> Any:
    return [frame["a"] for frame in frames if frame["e"] == "ACCOUNT_UPDATE"][-1]


def test_every_deed_is_an_action_of_now() -> None:
    assert set(BINANCE_DEEDS) == {name for name, action in ACTIONS.items() if NOW in action.moments}


# -- by hand --------------------------------------------------------------------------------------------------


def test_the_user_trades_at_the_venue(world: MemoryVenue) -> None:
    stream = world.user_stream()
    assert world.inject("manual_order", symbol="BTCUSDT", side="SELL", amount=Decimal("0.02")) == 1
    told = stream.take()
    assert steps(told) == ["NEW", "TRADE"]
    assert told[0]["o"]["c"].startswith("web_")
    assert world.get("v2/positionRisk", symbol="BTCUSDT")[0]["positionAmt"] == "-0.020"


def test_the_user_places_and_cancels_an_order_at_the_venue(world: MemoryVenue) -> None:
    order = {"symbol": "BTCUSDT", "amount": Decimal("0.02"), "price": Decimal(59_000)}
    world.inject("manual_order", product="spot", client_id="mine", **order)
    world.spot_limit("BUY", "0.01", "59000", newClientOrderId="ours")
    assert world.inject("manual_cancel", client_id="ours") == 1
    assert [o["status"] for o in world.orders("spot")] == ["NEW", "CANCELED"]
    assert world.inject("manual_cancel") == 1
    assert world.fired("manual_cancel") == 2


def test_a_manual_order_that_the_venue_refuses_says_why(world: MemoryVenue) -> None:
    with pytest.raises(ValueError, match="-2019"):
        world.inject("manual_order", symbol="BTCUSDT", amount=Decimal(100))
    assert world.fired("manual_order") == 0


@pytest.mark.parametrize(
    "wrong",
    [
        {"action": "manual_order", "symbol": "NOUSDT", "amount": Decimal(1)},
        {"action": "manual_order", "symbol": "BTCUSDT", "product": "coinm"},
        {"action": "transfer", "asset": "USDT", "amount": Decimal(-200_000)},
        {"action": "funding", "symbol": "BTCUSDT", "account": "nobody"},
        {"action": "liquidate"},
    ],
)
def test_deeds_that_cannot_be_are_refused(world: MemoryVenue, wrong: dict[str, Any]) -> None:
    with pytest.raises(ValueError, match=r"symbol|product|account|free"):
        world.inject(**wrong)


def test_the_venue_ends_and_fills_orders(world: MemoryVenue) -> None:
    stream = world.user_stream()
    for client_id in "abc":
        world.limit("BUY", "0.010", "59000", newClientOrderId=client_id)
    stream.take()
    assert world.inject("fill_order", client_id="c", part=Decimal("0.3")) == 1
    assert world.inject("end_order", client_id="a", how="STP") == 1
    assert world.inject("end_order", how="CANCELED") == 2
    orders = {order["client_id"]: order for order in world.orders()}
    assert [orders[name]["status"] for name in "abc"] == ["EXPIRED_IN_MATCH", "CANCELED", "CANCELED"]
    assert orders["c"]["filled"] == "0.003"
    assert steps(stream.take()) == ["TRADE", "EXPIRED", "CANCELED", "CANCELED"]


# -- the venue against an account -----------------------------------------------------------------------------


@pytest.mark.parametrize(("side", "closing"), [("BUY", "SELL"), ("SELL", "BUY")])
def test_a_position_is_liquidated(world: MemoryVenue, side: str, closing: str) -> None:
    world.limit(side, "0.100", "61000" if side == "BUY" else "59000")
    world.limit("BUY", "0.010", "58000", newClientOrderId="resting")
    before, stream = wallet(world), world.user_stream()
    assert world.inject("liquidate", symbol="BTCUSDT") == 1
    told = stream.take()
    assert steps(told) == ["CANCELED", "NEW", "CALCULATED"]
    assert "TRADE_LITE" not in {frame["e"] for frame in told}
    order = told[-2]["o"]
    assert order["c"] == f"autoclose-{world.clock.timestamp_ms()}"
    assert (order["o"], order["S"], order["X"], order["z"]) == ("LIQUIDATION", closing, "FILLED", "0.100")
    update = told[-1]["a"]
    assert update["m"] == "INSURANCE_CLEAR"
    assert Decimal(update["B"][0]["bc"]) < 0
    assert Decimal(update["B"][0]["wb"]) == wallet(world) < before
    assert world.get("v2/positionRisk", symbol="BTCUSDT")[0]["positionAmt"] == "0.000"
    assert len(world.get("v1/userTrades", symbol="BTCUSDT")) == 2


def test_two_liquidations_at_one_moment_have_two_ids(world: MemoryVenue) -> None:
    for _ in range(2):
        world.limit("BUY", "0.100", "61000")
        world.inject("liquidate", symbol="BTCUSDT")
    assert len({order["client_id"] for order in world.orders()}) == 4


def test_a_position_is_deleveraged_in_part(world: MemoryVenue) -> None:
    world.limit("BUY", "0.100", "61000")
    stream = world.user_stream()
    assert world.inject("adl", symbol="BTCUSDT", part=Decimal("0.25")) == 1
    told = stream.take()
    assert steps(told) == ["NEW", "CALCULATED"]
    assert told[-1]["o"]["c"] == "adl_autoclose"
    assert account_update(told)["P"][0]["pa"] == "0.075"
    assert world.ledger()["positions"]["BTCUSDT/BOTH"]["amount"] == "0.075"


def test_reduce_only_orders_go_with_the_position(world: MemoryVenue) -> None:
    world.limit("BUY", "0.100", "61000")
    world.limit("SELL", "0.100", "65000", reduceOnly="true", newClientOrderId="exit")
    world.inject("adl", symbol="BTCUSDT")
    assert {order["client_id"]: order["status"] for order in world.orders()}["exit"] == "EXPIRED"


@pytest.mark.parametrize("deed", ["liquidate", "adl", "funding"])
def test_a_flat_account_is_left_alone(world: MemoryVenue, deed: str) -> None:
    assert world.inject(deed, symbol="BTCUSDT") == 0
    assert world.fired(deed) == 0


def test_funding_is_paid(world: MemoryVenue) -> None:
    world.limit("BUY", "0.100", "61000")
    before, stream = wallet(world), world.user_stream()
    assert world.inject("funding", symbol="BTCUSDT", rate=Decimal("0.001")) == 1
    update = account_update(stream.take())
    assert (update["m"], update["P"]) == ("FUNDING_FEE", [])
    assert Decimal(update["B"][0]["bc"]) == wallet(world) - before
    assert wallet(world) < before


def test_funding_of_an_isolated_position_shows_it(world: MemoryVenue) -> None:
    world.call("POST", "/fapi/v1/marginType", symbol="BTCUSDT", marginType="ISOLATED")
    world.limit("SELL", "0.100", "59000")
    stream = world.user_stream()
    world.inject("funding", symbol="BTCUSDT")
    update = account_update(stream.take())
    assert [row["pa"] for row in update["P"]] == ["-0.100"]
    assert Decimal(update["B"][0]["bc"]) > 0


@pytest.mark.parametrize(("amount", "reason"), [("500", "DEPOSIT"), ("-500", "WITHDRAW")])
def test_money_comes_and_goes_on_futures(world: MemoryVenue, amount: str, reason: str) -> None:
    stream = world.user_stream()
    world.inject("transfer", asset="USDT", amount=Decimal(amount))
    update = account_update(stream.take())
    assert update["m"] == reason
    assert Decimal(update["B"][0]["bc"]) == Decimal(amount)
    assert wallet(world) == 100_000 + Decimal(amount)


def test_money_comes_on_spot(world: MemoryVenue) -> None:
    session = world.spot_user_stream()
    world.inject("transfer", product="spot", asset="BTC", amount=Decimal("-0.5"))
    events = [frame["event"] for frame in session.take()]
    assert [event["e"] for event in events] == ["outboundAccountPosition", "balanceUpdate"]
    assert (events[1]["a"], events[1]["d"]) == ("BTC", "-0.50000000")
    assert events[0]["B"] == [{"a": "BTC", "f": "1.50000000", "l": "0.00000000"}]
