"""The private and the trade socket of the emulated Bybit, and the account that they tell of."""

from __future__ import annotations

from decimal import Decimal
from typing import Any

import pytest
from bybit_client import API_KEY, MemoryBybit, MemorySocket, data, sign

from nexustrader.emulator.bybit.venue import BybitSettings
from nexustrader.emulator.venue import STILL


@pytest.fixture
def world() -> MemoryBybit:
    return MemoryBybit()


def topics(frames: list[Any]) -> list[str]:
    return [frame["topic"] for frame in frames]


# -- logging in -----------------------------------------------------------------------------------------------


def test_the_private_socket_says_that_it_is_logged_in(world: MemoryBybit) -> None:
    (answer,) = world.socket("private").auth()
    assert answer.pop("conn_id")
    assert answer == {"success": True, "ret_msg": "", "op": "auth"}


def test_the_trade_socket_says_it_with_other_words(world: MemoryBybit) -> None:
    socket = world.socket("trade")
    (answer,) = socket.auth()
    assert answer.pop("connId")
    assert answer == {"retCode": 0, "retMsg": "OK", "op": "auth"}
    (again,) = socket.auth()
    assert again["retCode"] == 20001


def wrong_logins(world: MemoryBybit) -> list[list[object]]:
    now = world.clock.timestamp_ms()
    good = sign(f"GET/realtime{now + 1_000}")
    return [
        [API_KEY, now + 1_000, "0" * 64],
        [API_KEY, now, sign(f"GET/realtime{now}")],
        ["unknown", now + 1_000, good],
        [API_KEY, "soon", good],
        [API_KEY, now + 1_000],
        [],
    ]


def test_a_wrong_login_is_refused_and_the_private_socket_closed(world: MemoryBybit) -> None:
    for args in wrong_logins(world):
        socket = world.socket("private")
        (answer,) = socket.ask({"op": "auth", "args": args})
        assert (answer["success"], answer["op"]) == (False, "auth")
        assert answer["ret_msg"]
        assert socket.closed


def test_a_wrong_login_is_refused_by_its_code_on_the_trade_socket(world: MemoryBybit) -> None:
    codes = [
        world.socket("trade").ask({"op": "auth", "args": args})[0]["retCode"] for args in wrong_logins(world)
    ]
    assert codes == [10004, 10004, 10003, 10001, 10001, 10001]


def test_nothing_is_told_before_the_login(world: MemoryBybit) -> None:
    socket = world.socket("private")
    (answer,) = socket.subscribe("order")
    assert answer["success"] is False
    world.create()
    assert socket.take() == []
    trade = world.socket("trade")
    assert trade.order("order.create", {})["retCode"] == 10005


def test_pings_are_answered_in_the_form_of_each_socket(world: MemoryBybit) -> None:
    now = str(world.clock.timestamp_ms())
    (private,) = world.socket("private").ask({"op": "ping", "req_id": "p1"})
    assert private.pop("conn_id")
    assert private == {"req_id": "p1", "op": "pong", "args": [now]}
    (trade,) = world.socket("trade").ask({"op": "ping"})
    assert trade.pop("connId")
    assert trade == {"retCode": 0, "retMsg": "OK", "op": "pong", "data": [now]}


# -- topics ---------------------------------------------------------------------------------------------------


def test_there_is_no_snapshot_after_the_subscription(world: MemoryBybit) -> None:
    world.create()
    world.market("Buy", "0.01")
    socket = world.private()
    world.wait(1_000)
    assert socket.take() == []


def test_a_topic_may_be_of_one_category(world: MemoryBybit) -> None:
    socket = world.private("order.spot", "wallet")
    world.create("linear")
    world.create("spot")
    assert [row["category"] for row in data(socket.take("order"))] == ["spot"]


@pytest.mark.parametrize(
    "names", [["order", "order.spot"], ["orders"], ["publicTrade.BTCUSDT"], ["order", "x"]]
)
def test_topics_that_do_not_go_are_refused_together(world: MemoryBybit, names: list[str]) -> None:
    socket = world.socket("private")
    socket.auth()
    (answer,) = socket.subscribe(*names)
    assert answer["success"] is False
    world.create()
    assert socket.take() == []


def test_the_fast_executions_have_no_fees_and_for_makers_no_link_id(world: MemoryBybit) -> None:
    socket = world.private("execution", "execution.fast")
    world.market("Buy", "0.01", orderLinkId="taker")
    world.create(orderLinkId="maker", price="60000.0")
    world.trade("59999.9", "20", "SELL", product="linear")
    frames = socket.take()
    slow, fast = (data([f for f in frames if f["topic"] == t]) for t in ("execution", "execution.fast"))
    assert [row["execId"] for row in slow] == [row["execId"] for row in fast]
    assert [row["orderLinkId"] for row in slow] == ["taker", "maker"]
    assert [row["orderLinkId"] for row in fast] == ["taker", ""]
    assert "execFee" not in fast[0]


def test_the_position_is_told_with_every_step_of_an_order_under_a_growing_number(world: MemoryBybit) -> None:
    socket = world.private("position")
    order_id = world.create().result["orderId"]
    world.post("order/amend", category="linear", symbol="BTCUSDT", orderId=order_id, price="58000")
    world.cancel(order_id)
    rows = data(socket.take())
    assert [(row["side"], row["size"], row["entryPrice"]) for row in rows] == [("", "0", "0")] * 3
    assert len({row["updatedTime"] for row in rows}) == 1
    numbers = [row["seq"] for row in rows]
    assert numbers == sorted(set(numbers))


def test_the_wallet_is_told_when_something_happened_and_names_the_coins_of_it(world: MemoryBybit) -> None:
    socket = world.private("wallet")
    world.create("spot")
    (locked,) = data(socket.take())
    assert [(coin["coin"], coin["locked"]) for coin in locked["coin"]] == [("BTC", "0"), ("USDT", "590")]
    world.move("61000.0", "61000.1")
    world.wait(1_000)
    assert socket.take() == []
    world.market("Sell", "0.01", "spot")
    (sold,) = data(socket.take())
    assert [(coin["coin"], coin["walletBalance"]) for coin in sold["coin"]] == [
        ("BTC", "1.99"),
        ("USDT", "100609.39"),
    ]


def test_every_message_of_a_market_order_is_told(world: MemoryBybit) -> None:
    socket = world.private()
    world.market("Buy", "0.01")
    assert sorted(topics(socket.take())) == ["execution", "order", "position", "wallet"]


def test_messages_come_before_and_after_the_reply_and_in_any_order() -> None:
    world = MemoryBybit(BybitSettings(market=STILL, limit_factor=100))
    socket = world.private()
    early, orders = 0, set()
    for _ in range(40):
        world.market("Buy", "0.01")
        early += bool(socket.frames)
        world.wait(10)
        orders.add(tuple(topics(socket.take())))
    assert 5 < early < 35
    assert len(orders) > 5
    assert all(sorted(order) == ["execution", "order", "position", "wallet"] for order in orders)


def test_the_order_of_messages_is_the_same_for_the_same_seed() -> None:
    def told(seed: int) -> list[str]:
        world = MemoryBybit(BybitSettings(market=STILL, seed=seed))
        socket = world.private()
        for _ in range(8):
            world.market("Buy", "0.01")
        world.wait(10)
        return topics(socket.take())

    assert told(1) == told(1)
    assert told(1) != told(2)


# -- the trade socket -----------------------------------------------------------------------------------------


def test_orders_over_the_socket_are_the_same_orders(world: MemoryBybit) -> None:
    trader, stream = world.trader(), world.private("order")
    order = {"category": "linear", "symbol": "BTCUSDT", "side": "Buy", "orderType": "Limit", "qty": "0.01"}
    created = trader.order("order.create", {**order, "price": "59000", "orderLinkId": "ws-1"}, "q1")
    assert (created["retCode"], created["retMsg"], created["op"], created["reqId"]) == (
        0,
        "OK",
        "order.create",
        "q1",
    )
    assert created["header"]["X-Bapi-Limit-Status"] == "9"
    assert created["data"]["orderLinkId"] == "ws-1"
    about = {"category": "linear", "symbol": "BTCUSDT", "orderLinkId": "ws-1"}
    assert trader.order("order.amend", {**about, "price": "58000"}, "q2")["retCode"] == 0
    assert trader.order("order.cancel", about, "q3")["retCode"] == 0
    gone = trader.order("order.cancel", about, "q4")
    assert (gone["retCode"], gone["data"]) == (110001, {})
    assert [row["orderStatus"] for row in data(stream.take())] == ["New", "New", "Cancelled"]


def test_batches_over_the_socket_have_codes_of_their_own(world: MemoryBybit) -> None:
    order = {"symbol": "BTCUSDT", "side": "Buy", "orderType": "Limit", "qty": "0.01", "price": "59000"}
    batch = {"category": "linear", "request": [order, {**order, "side": "?"}]}
    reply = world.trader().order("order.create-batch", batch)
    assert [row["code"] for row in reply["retExtInfo"]["list"]] == [0, 10001]
    assert len(reply["data"]["list"]) == 2


def test_rest_and_socket_share_the_limits(world: MemoryBybit) -> None:
    trader = world.trader()
    for number in range(10):
        assert world.create(price=str(58_000 + number)).code == 0
    refused = trader.order("order.create", {"category": "linear", "symbol": "BTCUSDT"})
    assert refused["retCode"] == 10006
    assert refused["header"]["X-Bapi-Limit-Status"] == "0"


def test_requests_that_do_not_go_are_refused_by_their_code(world: MemoryBybit) -> None:
    trader: MemorySocket = world.trader()
    assert trader.order("order.dance", {}, "a")["retCode"] == 10404
    assert trader.order("order.create", {"category": "x"}, "b")["retCode"] == 10001
    assert trader.order("order.create", {"category": "x"}, "b")["retCode"] == 20006
    assert trader.order("order.create", {}, "c" * 37)["retCode"] == 10001
    old = {"X-BAPI-TIMESTAMP": str(world.clock.timestamp_ms() - 6_000), "X-BAPI-RECV-WINDOW": "5000"}
    request = {"reqId": "d", "header": old, "op": "order.create", "args": [{}]}
    assert trader.ask(request)[0]["retCode"] == 10002
    now = {"X-BAPI-TIMESTAMP": str(world.clock.timestamp_ms())}
    assert trader.ask({"reqId": "e", "header": now, "op": "order.create", "args": []})[0]["retCode"] == 10001
    assert trader.ask("{")[0]["retCode"] == 10001


# -- the account ----------------------------------------------------------------------------------------------


def test_one_wallet_serves_every_category(world: MemoryBybit) -> None:
    world.market("Sell", "1", "spot")
    assert Decimal(world.coin("USDT")["walletBalance"]) == Decimal("159940")
    world.market("Buy", "0.1", "linear")
    usdt = world.coin("USDT")
    assert Decimal(usdt["walletBalance"]) == Decimal("159940") - Decimal("6000.01") * Decimal("0.00055")
    assert Decimal(usdt["totalPositionIM"]) == Decimal("600.0005")
    wallet = world.get("account/wallet-balance", accountType="UNIFIED").rows[0]
    assert {coin["coin"] for coin in wallet["coin"]} == {"BTC", "ETH", "USDT"}
    assert Decimal(wallet["totalEquity"]) == sum(Decimal(coin["usdValue"]) for coin in wallet["coin"])


def test_fees_of_spot_are_taken_of_what_is_received(world: MemoryBybit) -> None:
    stream = world.private("execution")
    world.market("Buy", "0.01", "spot", marketUnit="baseCoin")
    world.market("Sell", "0.01", "spot")
    bought, sold = data(stream.take())
    assert (bought["feeCurrency"], bought["execFee"]) == ("BTC", "0.00001")
    assert (sold["feeCurrency"], sold["execFee"]) == ("USDT", "0.6")


def test_a_position_is_shown_with_profit_fees_and_margin(world: MemoryBybit) -> None:
    world.market("Buy", "0.1")
    world.move("61000.0", "61000.1")
    (row,) = world.get("position/list", category="linear", symbol="BTCUSDT").rows
    assert (row["side"], row["size"], row["avgPrice"]) == ("Buy", "0.1", "60000.1")
    assert Decimal(row["unrealisedPnl"]) == Decimal("99.995")
    assert Decimal(row["positionIM"]) == Decimal("610.0005")
    assert Decimal(row["curRealisedPnl"]) == -Decimal("6000.01") * Decimal("0.00055")
    world.market("Sell", "0.1")
    (flat,) = world.get("position/list", category="linear", symbol="BTCUSDT").rows
    assert (flat["side"], flat["size"], flat["avgPrice"]) == ("", "0", "0")
    gained = Decimal("99.99") - (Decimal("6000.01") + Decimal("6100")) * Decimal("0.00055")
    assert Decimal(flat["cumRealisedPnl"]) == gained
    assert Decimal(world.coin("USDT")["walletBalance"]) == 100_000 + gained


def test_only_real_positions_are_listed_by_coin(world: MemoryBybit) -> None:
    assert world.get("position/list", category="linear").code == 10001
    assert world.get("position/list", category="linear", settleCoin="USDT").rows == []
    world.market("Buy", "0.01")
    rows = world.get("position/list", category="linear", settleCoin="USDT").rows
    assert [row["symbol"] for row in rows] == ["BTCUSDT"]


def test_a_leverage_that_is_set_already_is_said_to_be(world: MemoryBybit) -> None:
    def set_leverage(buy: str, sell: str) -> int:
        about = {"category": "linear", "symbol": "BTCUSDT"}
        return world.post("position/set-leverage", **about, buyLeverage=buy, sellLeverage=sell).code

    assert [set_leverage(*pair) for pair in (("20", "20"), ("20", "20"), ("20", "10"), ("101", "101"))] == [
        0,
        110043,
        10001,
        110013,
    ]
    (row,) = world.get("position/list", category="linear", symbol="BTCUSDT").rows
    assert row["leverage"] == "20"


def test_settings_fees_and_rights_can_be_asked_for(world: MemoryBybit) -> None:
    assert world.get("account/info").result["unifiedMarginStatus"] == 5
    assert world.post("account/set-margin-mode", setMarginMode="ISOLATED_MARGIN").result == {"reasons": []}
    assert world.get("account/info").result["marginMode"] == "ISOLATED_MARGIN"
    assert world.post("account/set-margin-mode", setMarginMode="X").code == 10001
    (row,) = world.get("account/fee-rate", category="linear", symbol="BTCUSDT").rows
    assert (row["takerFeeRate"], row["makerFeeRate"]) == ("0.00055", "0.0002")
    rights = world.get("user/query-api").result
    assert (rights["readOnly"], rights["uta"], rights["permissions"]["Spot"]) == (0, 1, ["SpotTrade"])


# -- the dead man's switch ------------------------------------------------------------------------------------


def arm(world: MemoryBybit, window_s: int, product: str = "DERIVATIVES") -> int:
    return world.post("order/disconnected-cancel-all", timeWindow=window_s, product=product).code


def test_orders_end_when_nobody_listens_any_more(world: MemoryBybit) -> None:
    assert arm(world, 10) == 0
    assert world.get("account/info").result["dcpStatus"] == "ON"
    first, second = world.private("dcp.future"), world.private("dcp.future")
    world.create("linear")
    world.create("spot")
    first.abort()
    world.wait(11_000)
    assert len(world.get("order/realtime", category="linear", settleCoin="USDT").rows) == 1
    second.abort()
    world.wait(9_900)
    assert len(world.get("order/realtime", category="linear", settleCoin="USDT").rows) == 1
    world.wait(200)
    assert world.get("order/realtime", category="linear", settleCoin="USDT").rows == []
    assert len(world.get("order/realtime", category="spot").rows) == 1


def test_orders_stay_when_somebody_comes_back_in_time(world: MemoryBybit) -> None:
    arm(world, 10, "SPOT")
    world.create("spot")
    world.private("dcp.spot").abort()
    world.wait(9_000)
    world.private("dcp.spot")
    world.wait(20_000)
    assert len(world.get("order/realtime", category="spot").rows) == 1


def test_windows_have_their_bounds(world: MemoryBybit) -> None:
    assert [arm(world, window) for window in (2, 3, 300, 301)] == [10001, 0, 0, 10001]
    assert arm(world, 10, "ALL") == 10001


# -- queries --------------------------------------------------------------------------------------------------


def test_open_orders_come_newest_first_in_pages(world: MemoryBybit) -> None:
    ids = [world.create(price=str(58_000 + number)).result["orderId"] for number in range(5)]
    seen, cursor = [], None
    for _ in range(3):
        reply = world.get("order/realtime", category="linear", symbol="BTCUSDT", limit=2, cursor=cursor)
        seen += [row["orderId"] for row in reply.rows]
        cursor = reply.result["nextPageCursor"]
    assert seen == ids[::-1]
    assert cursor == ""
    assert world.get("order/realtime", category="linear", symbol="BTCUSDT", cursor="nope").code == 10001


def test_futures_must_be_asked_for_by_symbol_or_coin(world: MemoryBybit) -> None:
    order_id = world.create().result["orderId"]
    assert world.get("order/realtime", category="linear", orderId=order_id).code == 10001
    assert len(world.get("order/realtime", category="linear", settleCoin="USDT").rows) == 1
    assert len(world.get("order/realtime", category="linear", baseCoin="ETH").rows) == 0


def test_closed_orders_are_found_by_id_by_flag_and_in_the_history(world: MemoryBybit) -> None:
    order_id = world.create(orderLinkId="gone").result["orderId"]
    world.cancel(order_id)
    about = {"category": "linear", "symbol": "BTCUSDT"}
    assert world.get("order/realtime", **about).rows == []
    for query in ({"orderLinkId": "gone"}, {"orderId": order_id}, {"openOnly": 1}):
        assert [row["orderStatus"] for row in world.get("order/realtime", **about, **query).rows] == [
            "Cancelled"
        ]
    assert len(world.get("order/history", **about).rows) == 1
    assert len(world.get("order/history", **about, orderStatus="Filled").rows) == 0
    assert world.get("order/realtime", **about, orderLinkId="never").rows == []


def test_executions_come_newest_first_in_pages(world: MemoryBybit) -> None:
    for _ in range(3):
        world.market("Buy", "0.01")
        world.wait(5)
    first = world.get("execution/list", category="linear", limit=2)
    rest = world.get("execution/list", category="linear", limit=2, cursor=first.result["nextPageCursor"])
    rows = first.rows + rest.rows
    times = [int(row["execTime"]) for row in rows]
    assert times == sorted(times, reverse=True)
    assert len({row["execId"] for row in rows}) == 3
    assert rest.result["nextPageCursor"] == ""
    day = 86_400_000
    now = world.clock.timestamp_ms()
    assert world.get("execution/list", category="linear", startTime=now - 8 * day, endTime=now).code == 10001


def test_instruments_come_in_pages_but_for_spot(world: MemoryBybit) -> None:
    first = world.get("market/instruments-info", signed=False, category="linear", limit=1)
    cursor = first.result["nextPageCursor"]
    second = world.get("market/instruments-info", signed=False, category="linear", limit=1, cursor=cursor)
    assert [row["symbol"] for row in first.rows + second.rows] == ["BTCUSDT", "ETHUSDT"]
    assert second.result["nextPageCursor"] == ""
    spot = world.get("market/instruments-info", signed=False, category="spot", limit=1)
    assert len(spot.rows) == 2
    assert spot.result["nextPageCursor"] == ""
    options = world.get("market/instruments-info", signed=False, category="option", baseCoin="BTC")
    assert [row["optionsType"] for row in options.rows] == ["Call", "Put"]


def test_candles_come_newest_first(world: MemoryBybit) -> None:
    def starts(**more: object) -> list[int]:
        about = {"category": "linear", "symbol": "BTCUSDT", "interval": "1"}
        rows = world.get("market/kline", signed=False, **about, **more).rows
        return [int(row[0]) for row in rows]

    minute = 60_000
    now = world.clock.timestamp_ms() // minute * minute
    assert starts(limit=3) == [now, now - minute, now - 2 * minute]
    assert starts(start=now - 10 * minute, limit=2) == [now - 9 * minute, now - 10 * minute]
    assert starts(start=now - 10 * minute, end=now - 5 * minute, limit=2) == [
        now - 5 * minute,
        now - 6 * minute,
    ]
    assert (
        world.get("market/kline", signed=False, category="linear", symbol="BTCUSDT", interval="7").code
        == 10001
    )


def test_funding_is_of_futures_and_its_start_needs_an_end(world: MemoryBybit) -> None:
    about = {"category": "linear", "symbol": "BTCUSDT"}
    rows = world.get("market/funding/history", signed=False, **about, limit=3).rows
    times = [int(row["fundingRateTimestamp"]) for row in rows]
    assert [times[0] - time for time in times] == [0, 8 * 3_600_000, 16 * 3_600_000]
    assert world.get("market/funding/history", signed=False, **about, startTime=1).code == 10001
    assert world.get("market/funding/history", signed=False, category="spot", symbol="BTCUSDT").code == 10001
