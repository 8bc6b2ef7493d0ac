"""Orders that go otherwise than asked, and replies that say something else than what was done."""

from __future__ import annotations

import json
from collections.abc import Iterator
from decimal import Decimal

import pytest
from memory_venue import MemoryVenue, steps

from nexustrader.emulator.binance.refusals import CANNED
from nexustrader.emulator.faults import GARBLES
from nexustrader.emulator.orders.accounts import AccountSpec


@pytest.fixture
def world() -> Iterator[MemoryVenue]:
    world = MemoryVenue()
    yield world
    wrong = world.venue.check_invariants()
    assert not wrong, wrong


# -- refusals by name -----------------------------------------------------------------------------------------


@pytest.mark.parametrize("name", sorted(CANNED))
def test_every_documented_refusal_can_follow_an_accepted_order(world: MemoryVenue, name: str) -> None:
    world.inject("http_status_after", on="order.place", reply=name)
    reply = world.limit("BUY", "0.01", "59000")
    canned = CANNED[name]
    assert reply.status == canned.status
    if canned.body is None:
        assert reply.code == canned.code
    else:
        assert reply.raw.body.startswith(b"<html>")
        assert reply.headers["Content-Type"].startswith("text/html")
    assert ("Retry-After" in reply.headers) == (canned.retry_after_s is not None)
    assert len(world.orders()) == 1
    assert world.fired("http_status_after") == 1


def test_the_socket_says_the_same_with_the_time_to_wait(world: MemoryVenue) -> None:
    api = world.socket("/ws-fapi/v1")
    world.inject("http_status_next", on="order.place", reply="banned", route="ws")
    reply = api.ask("order.place", symbol="BTCUSDT", side="BUY", type="MARKET", quantity="0.01")
    assert reply["status"] == 418
    assert reply["error"]["data"]["retryAfter"] == world.clock.timestamp_ms() + 120_000
    assert f"banned until {reply['error']['data']['retryAfter']}" in reply["error"]["msg"]
    assert not world.orders()


def test_a_fault_may_say_code_text_and_status_itself(world: MemoryVenue) -> None:
    world.inject("http_status_next", on="order.place", reply="unknown", status=500, msg="Mine", code=-7)
    reply = world.limit("BUY", "0.01", "59000")
    assert (reply.status, reply.body) == (500, {"code": -7, "msg": "Mine"})
    world.inject("reject_next", on="order.place", reply="unknown")
    assert world.limit("BUY", "0.01", "59000").status == 400


@pytest.mark.parametrize(
    "wrong",
    [
        {"action": "http_status_next", "reply": "no such"},
        {"action": "late_end", "how": "no such"},
        {"action": "cut_open_orders", "n": 0},
        {"action": "fill_wins", "part": 2},
        {"action": "stale_reads", "lag_ms": -1},
        {"action": "drop_ack", "skip": -1},
    ],
)
def test_faults_that_cannot_be_are_refused(world: MemoryVenue, wrong: dict[str, object]) -> None:
    with pytest.raises(ValueError, match=r"fault|refusal"):
        world.inject(**wrong)  # type: ignore[arg-type]
    assert not world.venue.faults.pending


# -- garbled bodies -------------------------------------------------------------------------------------------


@pytest.mark.parametrize("how", GARBLES)
def test_a_garbled_reply_has_status_200_and_the_order_is_there(world: MemoryVenue, how: str) -> None:
    clean = world.limit("BUY", "0.01", "58000").raw
    world.inject("garble_reply", on="order.place", how=how)
    reply = world.limit("BUY", "0.01", "59000")
    body = reply.raw.body
    assert (reply.status, len(world.orders())) == (200, 2)
    expected = {
        "html": body.startswith(b"<html>"),
        "empty": body == b"",
        "truncated": len(body) < len(clean.body) and body.startswith(b"{"),
        "oversized": len(body) > 4_000_000,
        "nan": b":NaN" in body,
        "huge_number": b"0" * 5_000 in body,
        "duplicate_key": body.count(b'"orderId"') == 2 and bool(json.loads(body)),
        "unknown_enum": b"NEVER_HEARD_OF" in body,
        "content_type": reply.headers["Content-Type"] == "text/plain",
    }
    assert expected[how]
    assert body != clean.body or how == "content_type"


def test_frames_of_the_socket_are_garbled_too(world: MemoryVenue) -> None:
    api = world.socket("/ws-fapi/v1")
    world.inject("garble_reply", on="account.balance", how="truncated")
    api.say({"id": 1, "method": "ticker.price"})
    world.inject("garble_reply", on="ticker.price", how="empty")
    api.say({"id": 2, "method": "ticker.price"})
    assert api.frames[1] == b""


# -- entry ----------------------------------------------------------------------------------------------------


def test_a_ghost_twin_is_refused_as_a_duplicate_of_itself(world: MemoryVenue) -> None:
    world.inject("ghost_twin", count=2)
    refused = world.limit("BUY", "0.01", "59000", newClientOrderId="a")
    assert (refused.status, refused.code) == (400, -4116)
    spot = world.spot_limit("BUY", "0.01", "59000", newClientOrderId="b")
    assert spot.body == {"code": -2010, "msg": "Duplicate order sent."}
    assert [order["status"] for order in (*world.orders(), *world.orders("spot"))] == ["NEW", "NEW"]


def test_an_order_that_is_refused_anyway_is_no_ghost(world: MemoryVenue) -> None:
    world.inject("ghost_twin")
    world.inject("killed_at_entry")
    assert world.limit("BUY", "100", "59000").code == -2019
    assert (world.fired("ghost_twin"), world.fired("killed_at_entry")) == (0, 0)


@pytest.mark.parametrize(("how", "status"), [("told", "EXPIRED"), ("acked", "NEW")])
def test_an_order_killed_at_entry_has_no_new_event(world: MemoryVenue, how: str, status: str) -> None:
    stream = world.user_stream()
    world.inject("killed_at_entry", how=how)
    reply = world.limit("BUY", "0.01", "61000", timeInForce="IOC")
    assert (reply.status, reply.body["status"]) == (200, status)
    assert steps(stream.take()) == ["EXPIRED"]
    assert world.orders()[0]["status"] == "EXPIRED"


@pytest.mark.parametrize(
    ("how", "status", "step"),
    [
        ("EXPIRED", "EXPIRED", "EXPIRED"),
        ("CANCELED", "CANCELED", "CANCELED"),
        ("STP", "EXPIRED_IN_MATCH", "EXPIRED"),
        ("POST_ONLY", "EXPIRED", "EXPIRED"),
        ("REDUCE_ONLY", "EXPIRED", "EXPIRED"),
    ],
)
def test_the_venue_ends_an_order_that_it_has_acknowledged(
    world: MemoryVenue, how: str, status: str, step: str
) -> None:
    stream = world.user_stream()
    world.inject("late_end", delay_ms=2_000, how=how)
    assert world.limit("BUY", "0.01", "59000").body["status"] == "NEW"
    world.wait(1_999)
    assert steps(stream.take()) == ["NEW"]
    world.wait(1)
    assert steps(stream.take()) == [step]
    assert world.orders()[0]["status"] == status
    assert world.fired("late_end") == 1


def test_spot_ends_orders_late_too(world: MemoryVenue) -> None:
    session = world.spot_user_stream()
    world.inject("late_end", delay_ms=10, product="spot", how="STP")
    world.spot_limit("BUY", "0.01", "59000")
    world.wait(10)
    assert steps(session.take()) == ["NEW", "TRADE_PREVENTION"]
    assert world.ledger("spot")["balances"]["USDT"]["locked"] == "0"


def test_an_order_that_ended_before_is_not_ended_again(world: MemoryVenue) -> None:
    world.inject("late_end", delay_ms=10)
    world.limit("BUY", "0.01", "59000", newClientOrderId="a")
    world.cancel("a")
    world.wait(10)
    assert world.fired("late_end") == 0


# -- cancels and amendments -----------------------------------------------------------------------------------


def test_a_fill_wins_over_a_cancel(world: MemoryVenue) -> None:
    stream = world.user_stream()
    world.limit("BUY", "0.010", "59000", newClientOrderId="a")
    world.inject("fill_wins", on="order.cancel")
    assert world.cancel("a").code == -2011
    assert steps(stream.take()) == ["NEW", "TRADE"]
    assert world.orders()[0]["status"] == "FILLED"


def test_a_part_fills_before_the_cancel(world: MemoryVenue) -> None:
    world.limit("BUY", "0.010", "59000", newClientOrderId="a")
    world.inject("fill_wins", on="order.cancel", part=Decimal("0.4"))
    reply = world.cancel("a")
    assert (reply.body["status"], reply.body["executedQty"]) == ("CANCELED", "0.004")


def test_a_fill_wins_over_an_amendment(world: MemoryVenue) -> None:
    world.limit("BUY", "0.010", "59000", newClientOrderId="a")
    world.inject("fill_wins", on="order.modify")
    change = {"symbol": "BTCUSDT", "side": "BUY", "quantity": "0.02", "price": "58000"}
    assert world.call("PUT", "/fapi/v1/order", origClientOrderId="a", **change).code == -2013
    assert world.orders()[0]["status"] == "FILLED"


def test_an_amendment_is_applied_and_its_reply_lost(world: MemoryVenue) -> None:
    world.limit("BUY", "0.010", "59000", newClientOrderId="a")
    world.inject("drop_ack", on="order.modify")
    change = {"symbol": "BTCUSDT", "side": "BUY", "quantity": "0.02", "price": "58000"}
    assert world.call("PUT", "/fapi/v1/order", origClientOrderId="a", **change).delivery.kind == "hold"
    assert (world.orders()[0]["price"], world.orders()[0]["amount"]) == ("58000", "0.02")


@pytest.mark.parametrize("product", ["usdm", "spot"])
def test_a_cancel_is_refused_although_the_order_is_open(world: MemoryVenue, product: str) -> None:
    place = world.limit if product == "usdm" else world.spot_limit
    place("BUY", "0.010", "59000", newClientOrderId="a")
    world.inject("cancel_refused", client_id="a")
    path = "/fapi/v1/order" if product == "usdm" else "/api/v3/order"
    assert world.call("DELETE", path, symbol="BTCUSDT", origClientOrderId="a").code == -2011
    assert world.orders(product)[0]["status"] == "NEW"
    assert world.call("DELETE", path, symbol="BTCUSDT", origClientOrderId="a").status == 200


def test_a_cancel_that_is_refused_anyway_is_no_strike(world: MemoryVenue) -> None:
    world.inject("cancel_refused")
    world.limit("BUY", "0.010", "61000", newClientOrderId="filled")
    assert [world.cancel(name).code for name in ("unknown", "filled")] == [-2011, -2011]
    assert world.fired("cancel_refused") == 0


@pytest.mark.parametrize("part", ["1", "0.5"])
def test_a_cancel_is_confirmed_and_the_order_fills(world: MemoryVenue, part: str) -> None:
    stream = world.user_stream()
    world.limit("BUY", "0.010", "59000", newClientOrderId="a")
    world.inject("false_cancel", part=Decimal(part))
    reply = world.cancel("a")
    assert (reply.status, reply.body["status"], reply.body["executedQty"]) == (200, "CANCELED", "0.000")
    assert steps(stream.take()) == ["NEW", "TRADE"]
    assert world.orders()[0]["status"] == ("FILLED" if part == "1" else "PARTIALLY_FILLED")


def test_a_cancel_of_all_leaves_some(world: MemoryVenue) -> None:
    for number in range(4):
        world.limit("BUY", "0.010", f"5900{number}")
    world.inject("cancel_all_partial", n=2)
    reply = world.call("DELETE", "/fapi/v1/allOpenOrders", symbol="BTCUSDT")
    assert reply.body["code"] == 200
    assert [order["status"] for order in world.orders()] == ["CANCELED", "CANCELED", "NEW", "NEW"]


# -- executions -----------------------------------------------------------------------------------------------


def test_more_is_executed_than_was_asked_for(world: MemoryVenue) -> None:
    stream = world.user_stream()
    world.inject("overfill", part=Decimal("0.5"), count=-1)
    world.limit("BUY", "0.010", "61000")
    assert steps(stream.take()) == ["NEW", "TRADE", "TRADE"]
    order = world.orders()[0]
    assert (order["filled"], order["status"]) == ("0.015", "FILLED")
    assert world.ledger()["positions"]["BTCUSDT/BOTH"]["amount"] == "0.015"
    assert world.get("v1/order", symbol="BTCUSDT", orderId=order["order_id"])["executedQty"] == "0.015"


def test_what_the_account_cannot_pay_is_not_overfilled(world: MemoryVenue) -> None:
    world.inject("overfill")
    world.spot_limit("SELL", "1.5", "59000")
    assert world.fired("overfill") == 0
    world.spot_limit("SELL", "0.1", "59000")
    assert world.fired("overfill") == 1


def test_a_fee_is_taken_in_a_third_currency() -> None:
    rich = {"USDT": Decimal(100_000), "BNB": Decimal(1), "BTC": Decimal(1)}
    world = MemoryVenue(
        accounts=[AccountSpec(api_key="k" * 64, secret="s" * 64, balances={"spot": rich, "usdm": rich})]
    )
    stream, session = world.user_stream(), world.spot_user_stream()
    world.inject("fee_asset", asset="BNB", count=2)
    world.limit("BUY", "0.010", "61000")
    world.spot_limit("BUY", "0.010", "61000")
    trade = next(e["o"] for e in stream.take() if e["e"] == "ORDER_TRADE_UPDATE" and e["o"]["x"] == "TRADE")
    assert trade["N"] == "BNB"
    spent = Decimal(1) - Decimal(world.ledger()["balances"]["BNB"]["wallet"])
    assert spent == Decimal(trade["n"]) == Decimal("0.0005")  # of 600 USDT, in BNB at 600
    assert world.ledger()["balances"]["USDT"]["wallet"] == "100000"
    events = [frame["event"] for frame in session.take()]
    assert [(e["n"], e["N"]) for e in events if e.get("x") == "TRADE"] == [("0.00100000", "BNB")]
    assert {row["a"] for row in events[-1]["B"]} == {"BTC", "USDT", "BNB"}
    assert not world.venue.check_invariants()


def test_a_fee_that_the_account_does_not_have_stays_as_it_is(world: MemoryVenue) -> None:
    world.inject("fee_asset", asset="BNB")
    world.limit("BUY", "0.010", "61000")
    assert world.fired("fee_asset") == 0
