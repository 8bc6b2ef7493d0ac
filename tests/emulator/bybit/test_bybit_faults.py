"""What may go wrong at the emulated Bybit: requests, orders, user messages, market data, queries, connections."""

from __future__ import annotations

from decimal import Decimal
from typing import Any

import pytest
from bybit_client import MemoryBybit, data

from nexustrader.emulator.bybit.deeds import BYBIT_DEEDS
from nexustrader.emulator.bybit.refusals import CANNED
from nexustrader.emulator.faults import ACTIONS, GARBLES, NOW
from nexustrader.emulator.rest import CUT, HOLD, RestReply

QUERY = {"category": "linear", "symbol": "BTCUSDT"}


@pytest.fixture
def world() -> MemoryBybit:
    return MemoryBybit()


def statuses(frames: list[Any]) -> list[str]:
    return [row["orderStatus"] for row in data([f for f in frames if f["topic"] == "order"])]


def open_orders(world: MemoryBybit) -> list[Any]:
    return world.get("order/realtime", **QUERY).rows


def test_every_deed_is_an_action_of_now() -> None:
    assert set(BYBIT_DEEDS) == {name for name, action in ACTIONS.items() if NOW in action.moments}


# -- requests and replies -------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("action", "kind", "arrived"),
    [
        ("drop_request", HOLD, False),
        ("drop_ack", HOLD, True),
        ("reset_before", CUT, False),
        ("reset_after", CUT, True),
    ],
)
def test_requests_and_replies_are_lost(world: MemoryBybit, action: str, kind: str, arrived: bool) -> None:
    world.inject(action, on="order.place", product="linear", symbol="BTCUSDT")
    assert world.create(orderLinkId="x").delivery.kind == kind
    assert bool(open_orders(world)) == arrived
    assert world.fired(action) == 1
    assert world.create(orderLinkId="y").code == 0


@pytest.mark.parametrize("action", ["drop_request", "drop_ack"])
def test_requests_of_the_socket_are_lost_too(world: MemoryBybit, action: str) -> None:
    world.inject(action, on="order.place", route="ws")
    order = {"category": "linear", "symbol": "BTCUSDT", "side": "Buy", "orderType": "Limit", "qty": "0.01"}
    assert world.create().code == 0
    assert world.trader().order("order.create", {**order, "price": "59000"}) is None
    assert len(open_orders(world)) == (2 if action == "drop_ack" else 1)


def test_an_acknowledgement_comes_after_the_fill(world: MemoryBybit) -> None:
    trader, stream = world.trader(), world.private("order")
    world.inject("delay_ack_ms", delay_ms=5_200)
    order = {"category": "linear", "symbol": "BTCUSDT", "side": "Buy", "orderType": "Market", "qty": "0.01"}
    assert trader.order("order.create", order) is None
    assert statuses(stream.take()) == ["Filled"]
    world.wait(5_200)
    (late,) = trader.take()
    assert late["retCode"] == 0
    world.inject("delay_ack_ms", delay_ms=700)
    assert world.create().delivery.delay_ms == 700


@pytest.mark.parametrize("name", sorted(set(CANNED) - {"not_found"}))
def test_every_documented_refusal_can_follow_an_accepted_order(world: MemoryBybit, name: str) -> None:
    world.inject("http_status_after", reply=name)
    reply = world.create()
    assert reply.status == CANNED[name].status
    if CANNED[name].body is None:
        assert reply.code == CANNED[name].code
    assert len(open_orders(world)) == 1


def test_a_fault_may_say_code_and_text_itself(world: MemoryBybit) -> None:
    world.inject("reject_next", code=110012, msg="Insufficient available balance.")
    reply = world.create()
    assert (reply.status, reply.code, reply.body["retMsg"]) == (
        200,
        110012,
        "Insufficient available balance.",
    )
    assert open_orders(world) == []


@pytest.mark.parametrize("how", GARBLES)
def test_a_garbled_reply_has_status_200_and_the_order_is_there(world: MemoryBybit, how: str) -> None:
    world.inject("garble_reply", on="order.place", how=how)
    reply = world.create()
    assert reply.status == 200
    assert len(open_orders(world)) == 1
    assert world.fired("garble_reply") == 1


def test_maintenance_refuses_everything_until_lifted(world: MemoryBybit) -> None:
    world.inject("maintenance", count=-1)
    assert world.create().status == 503
    assert world.get("market/time", signed=False).status == 503
    refused = world.service.open("/v5/private", world.socket_peer())
    assert isinstance(refused, RestReply)
    world.venue.faults.lift("maintenance")
    assert world.create().code == 0


def test_a_limit_says_when_it_opens_again(world: MemoryBybit) -> None:
    world.inject("http_status_next", on="orders", reply="too_many")
    reply = world.create()
    assert reply.code == 10006
    assert int(reply.headers["X-Bapi-Limit-Reset-Timestamp"]) == world.clock.timestamp_ms() + 1_000
    world.inject("http_status_next", on="orders", reply="banned")
    assert world.create().raw.body == b"access too frequent"


# -- orders that go otherwise than asked ----------------------------------------------------------------------


def test_a_ghost_twin_is_refused_as_a_duplicate_of_itself(world: MemoryBybit) -> None:
    world.inject("ghost_twin", product="linear")
    assert world.create(orderLinkId="twin").code == 110072
    assert [row["orderLinkId"] for row in open_orders(world)] == ["twin"]


def test_an_order_is_acknowledged_and_killed_at_entry(world: MemoryBybit) -> None:
    stream = world.private("order")
    world.inject("killed_at_entry")
    assert world.create().code == 0
    assert statuses(stream.take()) == ["Cancelled"]


@pytest.mark.parametrize("how", ["EXPIRED", "CANCELED", "STP", "POST_ONLY", "REDUCE_ONLY"])
def test_the_venue_ends_an_order_that_it_has_acknowledged(world: MemoryBybit, how: str) -> None:
    stream = world.private("order")
    world.inject("late_end", how=how, delay_ms=500)
    order_id = world.create().result["orderId"]
    world.wait(400)
    assert world.order_row(order_id)["orderStatus"] == "New"
    world.wait(200)
    assert statuses(stream.take()) == ["New", "Cancelled"]


def test_a_fill_wins_over_a_cancel_that_was_acknowledged(world: MemoryBybit) -> None:
    stream = world.private("order")
    order_id = world.create().result["orderId"]
    world.inject("fill_wins", on="order.cancel")
    assert world.cancel(order_id).code == 0
    rows = data(stream.take())
    assert [row["orderStatus"] for row in rows] == ["New", "Filled", "Filled"]
    assert (rows[-1]["cancelType"], rows[-1]["rejectReason"]) == (
        "CancelByUser",
        "EC_OrigClOrdIDDoesNotExist",
    )


def test_a_fill_wins_over_an_amendment(world: MemoryBybit) -> None:
    order_id = world.create().result["orderId"]
    world.inject("fill_wins", on="order.modify")
    assert world.post("order/amend", **QUERY, orderId=order_id, price="58000").code == 110001
    assert world.order_row(order_id)["orderStatus"] == "Filled"


def test_a_cancel_is_refused_although_the_order_is_open(world: MemoryBybit) -> None:
    order_id = world.create().result["orderId"]
    world.inject("cancel_refused")
    assert world.cancel(order_id).code == 110001
    assert world.order_row(order_id)["orderStatus"] == "New"
    assert world.cancel(order_id).code == 0


def test_a_cancel_is_acknowledged_and_a_part_of_the_order_fills(world: MemoryBybit) -> None:
    order_id = world.create().result["orderId"]
    world.inject("false_cancel", part=Decimal("0.5"))
    assert world.cancel(order_id).code == 0
    assert world.order_row(order_id)["orderStatus"] == "PartiallyFilled"


def test_a_cancel_of_all_leaves_some(world: MemoryBybit) -> None:
    for price in (58_000, 58_100, 58_200):
        world.create(price=str(price))
    world.inject("cancel_all_partial", n=2)
    assert len(world.post("order/cancel-all", **QUERY).rows) == 1
    assert len(open_orders(world)) == 2


def test_more_is_executed_than_was_asked_for(world: MemoryBybit) -> None:
    world.inject("overfill", part=Decimal("0.5"))
    order_id = world.market("Buy", "0.1").result["orderId"]
    assert world.order_row(order_id)["cumExecQty"] == "0.15"
    (position,) = world.get("position/list", **QUERY).rows
    assert position["size"] == "0.15"


def test_the_user_and_the_venue_do_things_on_their_own(world: MemoryBybit) -> None:
    stream = world.private()
    assert world.inject("manual_order", product="linear", symbol="BTCUSDT", amount=Decimal("0.1")) == 1
    assert "Filled" in statuses(stream.take())
    assert world.inject("funding", product="linear", symbol="BTCUSDT", rate=Decimal("0.0001")) == 1
    funded = stream.take()
    (row,) = data([f for f in funded if f["topic"] == "execution"])
    assert (row["execType"], row["execQty"], row["feeRate"]) == ("Funding", "0.1", "0.0001")
    assert row["execFee"] == "0.6000005"
    assert world.inject("adl", product="linear", symbol="BTCUSDT", part=Decimal("0.5")) == 1
    (row,) = data([f for f in stream.take() if f["topic"] == "execution"])
    assert (row["execType"], row["execQty"]) == ("AdlTrade", "0.05")
    assert world.inject("liquidate", product="linear", symbol="BTCUSDT") == 1
    (row,) = data([f for f in stream.take() if f["topic"] == "execution"])
    assert (row["execType"], row["closedSize"]) == ("BustTrade", "0.05")
    assert world.inject("transfer", asset="USDT", amount=Decimal(-500)) == 1
    assert [f["topic"] for f in stream.take()] == ["wallet"]
    world.create()
    assert world.inject("end_order", product="linear", how="EXPIRED") == 1
    assert not world.venue.check_invariants()


def test_both_sides_of_a_hedged_position_are_liquidated(world: MemoryBybit) -> None:
    world.post("position/switch-mode", category="linear", symbol="BTCUSDT", mode=3)
    world.market("Buy", "0.02", positionIdx=1)
    world.market("Sell", "0.01", positionIdx=2)
    assert world.inject("liquidate", product="linear", symbol="BTCUSDT") == 2
    assert {row["size"] for row in world.get("position/list", **QUERY).rows} == {"0"}


# -- queries --------------------------------------------------------------------------------------------------


def test_queries_see_the_venue_as_it_was(world: MemoryBybit) -> None:
    world.inject("stale_reads", lag_ms=1_000, count=-1)
    world.wait(10)
    world.create(orderLinkId="new")
    world.market("Buy", "0.1")
    assert open_orders(world) == []
    assert world.get("order/realtime", **QUERY, orderLinkId="new").rows == []
    assert world.get("execution/list", category="linear").rows == []
    assert world.get("position/list", category="linear", settleCoin="USDT").rows == []
    assert world.coin("USDT")["walletBalance"] == "100000"
    world.wait(1_100)
    assert len(open_orders(world)) == 1
    assert world.coin("USDT")["walletBalance"] != "100000"


@pytest.mark.parametrize(("action", "shown"), [("cut_open_orders", "1"), ("repeat_open_orders", "32321")])
def test_open_orders_are_cut_or_repeated(world: MemoryBybit, action: str, shown: str) -> None:
    for number in "123":
        world.create(orderLinkId=number)
    world.inject(action, n=2)
    assert [row["orderLinkId"] for row in open_orders(world)] == list(shown)


def test_the_newest_fills_are_missing(world: MemoryBybit) -> None:
    for number in "12":
        world.market("Buy", "0.01", orderLinkId=number)
    world.inject("hide_newest_fills", n=1)
    rows = world.get("execution/list", category="linear").rows
    assert [row["orderLinkId"] for row in rows] == ["1"]


def test_a_live_order_is_not_found(world: MemoryBybit) -> None:
    world.create(orderLinkId="live")
    world.inject("reject_next", on="order.status", reply="not_found", count=2)
    for path in ("order/realtime", "order/history"):
        reply = world.get(path, **QUERY, orderLinkId="live")
        assert (reply.code, reply.rows) == (0, [])
    assert len(world.get("order/realtime", **QUERY, orderLinkId="live").rows) == 1


def test_accounts_fail_while_orders_succeed(world: MemoryBybit) -> None:
    world.inject("http_status_next", on="accounts", reply="unknown", count=2, product="linear")
    assert world.create().code == 0
    assert world.get("account/wallet-balance", accountType="UNIFIED").code == 10016
    assert world.get("position/list", **QUERY).code == 10016
    assert world.get("position/list", **QUERY).code == 0


# -- user messages --------------------------------------------------------------------------------------------


def test_messages_are_lost_doubled_late_and_swapped(world: MemoryBybit) -> None:
    stream = world.private("order")
    world.inject("drop_event", product="linear", step="NEW")
    order_id = world.create().result["orderId"]
    assert stream.take() == []
    world.inject("duplicate_event", on="order", delay_ms=300)
    world.cancel(order_id)
    assert statuses(stream.take()) == ["Cancelled"]
    world.wait(300)
    assert statuses(stream.take()) == ["Cancelled"]
    world.inject("delay_event", on="order", delay_ms=500)
    order_id = world.create().result["orderId"]
    world.cancel(order_id)
    assert statuses(stream.take()) == ["Cancelled"]
    world.wait(500)
    assert statuses(stream.take()) == ["New"]
    everything = world.private()
    world.inject("swap_event", on="order")
    world.create()
    assert [frame["topic"] for frame in everything.take()] == ["position", "order", "wallet"]


def test_messages_are_chosen_by_category_and_link_id(world: MemoryBybit) -> None:
    stream = world.private("order")
    world.inject("drop_event", product="spot")
    world.inject("drop_event", client_id="this")
    world.create("linear", orderLinkId="that")
    world.create("linear", orderLinkId="this")
    world.create("spot", orderLinkId="other")
    assert [row["orderLinkId"] for row in data(stream.take())] == ["that"]


@pytest.mark.parametrize("how", ["new_fields", "unknown_type", "unknown_enum"])
def test_messages_hold_what_nobody_knows(world: MemoryBybit, how: str) -> None:
    stream = world.private("order", "execution")
    world.inject("alter_event", on="order", how=how)
    world.create()
    text = str(stream.take())
    assert {"new_fields": "'zz'", "unknown_type": "NEVER_HEARD_OF", "unknown_enum": "NEVER_HEARD_OF"}[
        how
    ] in text


def test_the_last_messages_are_told_again_on_demand_and_to_who_comes_back(world: MemoryBybit) -> None:
    stream = world.private("order")
    world.create()
    stream.take()
    assert world.inject("replay_events", n=3, product="linear") == 3
    assert statuses(stream.take()) == ["New"]
    world.inject("replay_on_connect", n=10, product="linear")
    back = world.private("order")
    world.wait(1)
    assert statuses(back.take()) == ["New"]


@pytest.mark.parametrize("action", ["expire_listen_key", "end_user_stream"])
@pytest.mark.parametrize("how", ["told", "silent"])
def test_a_login_ends_while_the_stream_runs(world: MemoryBybit, action: str, how: str) -> None:
    stream = world.private("order")
    assert world.inject(action, how=how) == 1
    assert stream.closed == (how == "told")
    world.create()
    assert stream.take() == []


# -- market data ----------------------------------------------------------------------------------------------


def test_a_delta_is_lost_and_its_number_with_it(world: MemoryBybit) -> None:
    socket = world.socket("public/linear")
    (snapshot,) = socket.subscribe("orderbook.50.BTCUSDT")[1:]
    world.inject("drop_push", on="depth", product="linear")
    for price in (60_010, 60_020):
        world.move(f"{price}.0", f"{price}.1")
        world.wait(100)
    (delta,) = socket.take()
    assert delta["data"]["u"] == snapshot["data"]["u"] + 2


def test_a_feed_is_alive_and_stale(world: MemoryBybit) -> None:
    socket = world.socket("public/linear")
    socket.subscribe("orderbook.1.BTCUSDT")
    world.wait(100)
    socket.take()
    world.inject("freeze_push", on="bookTicker", count=-1)
    world.move("60010.0", "60010.1")
    world.wait(100)
    assert socket.take()[0]["data"]["b"][0][0] == "60000.00"


def test_updates_of_a_book_are_crossed_or_come_in_another_order(world: MemoryBybit) -> None:
    socket = world.socket("public/linear")
    socket.subscribe("orderbook.50.BTCUSDT")
    world.inject("cross_push", product="linear")
    world.move("60010.0", "60010.1")
    world.wait(100)
    (crossed,) = socket.take()
    assert ["60010.10", "0.001"] in crossed["data"]["b"]
    world.inject("swap_push", product="linear")
    for price in (60_020, 60_030):
        world.move(f"{price}.0", f"{price}.1")
        world.wait(100)
    later, earlier = socket.take()
    assert later["data"]["u"] == earlier["data"]["u"] + 1


def test_a_book_that_is_asked_for_is_an_old_one(world: MemoryBybit) -> None:
    world.move("60010.0", "60010.1")
    world.inject("old_snapshot", n=1)
    about = {"category": "linear", "symbol": "BTCUSDT"}
    old, new = (world.get("market/orderbook", signed=False, **about).result for _ in range(2))
    assert (old["b"][0][0], new["b"][0][0]) == ("60000.00", "60010.00")
    assert old["u"] == new["u"] - 1


def test_market_data_bursts(world: MemoryBybit) -> None:
    socket = world.socket("public/linear")
    socket.subscribe("publicTrade.BTCUSDT")
    world.inject("multiply_push", on="trade", n=100)
    world.trade("60000.1", "0.5", "BUY", product="linear")
    assert len(socket.take()) == 100


def test_a_restarted_service_tells_the_book_anew_from_one(world: MemoryBybit) -> None:
    socket = world.socket("public/linear")
    socket.subscribe("orderbook.50.BTCUSDT", "orderbook.1.BTCUSDT")
    assert world.inject("restart_books", product="linear", symbol="BTCUSDT") == 2
    frames = socket.take()
    assert [(frame["type"], frame["data"]["u"]) for frame in frames] == [("snapshot", 1)] * 2
    world.move("60010.0", "60010.1")
    world.wait(100)
    assert [frame["data"]["u"] for frame in socket.take("orderbook.50.BTCUSDT")] == [2]


def test_a_snapshot_comes_behind_deltas(world: MemoryBybit) -> None:
    socket = world.socket("public/linear")
    world.inject("late_snapshot", product="linear", delay_ms=500)
    assert len(socket.subscribe("orderbook.50.BTCUSDT")) == 1
    world.move("60010.0", "60010.1")
    world.wait(600)
    assert [frame["type"] for frame in socket.take("orderbook.50.BTCUSDT")] == ["delta", "snapshot"]


def test_a_subscription_is_carried_out_and_never_answered(world: MemoryBybit) -> None:
    world.inject("drop_subscribe_ack", product="linear", count=2)
    public = world.socket("public/linear")
    assert public.subscribe("publicTrade.BTCUSDT") == []
    world.trade("60000.1", "0.5", "BUY", product="linear")
    assert len(public.take()) == 1
    private = world.socket("private")
    private.auth()
    assert private.subscribe("order") == []
    world.create()
    assert statuses(private.take()) == ["New"]


def test_one_topic_stays_silent(world: MemoryBybit) -> None:
    world.inject("mute_topic", on="bookTicker", product="linear")
    public = world.socket("public/linear")
    answers = public.subscribe("orderbook.1.BTCUSDT", "publicTrade.BTCUSDT")
    assert [answer["success"] for answer in answers] == [True]
    world.move("60010.0", "60010.1")
    world.trade("60010.1", "0.5", "BUY", product="linear")
    world.wait(200)
    assert {frame["topic"] for frame in public.take()} == {"publicTrade.BTCUSDT"}


# -- connections ----------------------------------------------------------------------------------------------


def test_connections_of_one_kind_are_cut_or_refused(world: MemoryBybit) -> None:
    public, private, trade = world.socket("public/spot"), world.private(), world.trader()
    assert world.inject("disconnect", kind="user") == 1
    assert [socket.closed for socket in (public, private, trade)] == [False, True, False]
    world.inject("refuse_connect", kind="api")
    refused = world.service.open("/v5/trade", world.socket_peer())
    assert isinstance(refused, RestReply)
    assert refused.status == 503
    assert world.trader().closed is False


def test_the_truth_is_told_by_category_over_one_wallet(world: MemoryBybit) -> None:
    world.market("Buy", "0.01", "linear", orderLinkId="l")
    world.market("Sell", "0.01", "spot", orderLinkId="s")
    ledger: Any = world.venue.ledger()
    main = ledger["accounts"]["main"]
    assert [row["client_id"] for row in main["linear"]["orders"]] == ["l"]
    assert [row["client_id"] for row in main["spot"]["fills"]] == ["s"]
    (fill,) = world.get("execution/list", category="linear").rows
    told = main["linear"]["fills"][0]
    assert (told["trade_id"], told["order_id"]) == (fill["execId"], fill["orderId"])
    assert main["linear"]["positions"]["BTCUSDT/BOTH"]["amount"] == "0.01"
    assert main["spot"]["positions"] == {}
    assert main["linear"]["balances"] == main["spot"]["balances"]
    status: Any = world.venue.status()
    assert (status["venue"], status["orders"]["linear"]) == ("bybit", 1)


def test_the_truth_tells_refusals_and_rests_from_cancels_though_the_venue_calls_all_cancelled(
    world: MemoryBybit,
) -> None:
    world.create(orderLinkId="crosses", timeInForce="PostOnly", price="60100")
    world.create(orderLinkId="rest", timeInForce="IOC", price="59000")
    world.cancel(world.create(orderLinkId="cancelled").result["orderId"])
    rows = world.get("order/history", category="linear").rows
    assert {row["orderStatus"] for row in rows} == {"Cancelled"}
    ledger: Any = world.venue.ledger()
    told = {row["client_id"]: row["status"] for row in ledger["accounts"]["main"]["linear"]["orders"]}
    assert told == {"crosses": "REJECTED", "rest": "EXPIRED", "cancelled": "CANCELED"}
