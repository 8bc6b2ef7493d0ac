"""Commands and questions as they go out."""

from __future__ import annotations

from decimal import Decimal

import msgspec
import pytest

from nexustrader.constants import OrderSide, OrderType, PositionSide, TimeInForce, TriggerType
from nexustrader.domain import events as ev
from nexustrader.error import KlineSupportedError, OrderError
from nexustrader.exchange.bybit import VENUE, BybitAccountType
from nexustrader.venue.spec import Security

UNIFIED, LINEAR = BybitAccountType.UNIFIED, BybitAccountType.LINEAR
DAY_MS = 86_400_000


def submit(**changes):
    fields = {
        "oid": "17000000000000010001",
        "account": "a",
        "symbol": "s",
        "side": OrderSide.BUY,
        "type": OrderType.LIMIT,
        "amount": Decimal("0.010"),
        "price": Decimal("61800.0"),
        "timestamp": 1,
    }
    return ev.Submit(**(fields | changes))


def body_of(instrument, command):
    request = VENUE.order_request(UNIFIED, instrument, command)
    assert (request.method, request.path, request.params) == ("POST", "/v5/order/create", ())
    assert (request.security, request.orders) == (Security.SIGNED, 1)
    return msgspec.json.decode(request.body)


def query_of(request):
    assert request.method == "GET"
    return f"{request.path}?{'&'.join(f'{name}={value}' for name, value in request.params)}"


# -- creates --------------------------------------------------------------------------------------------


def test_a_limit_order(linear):
    assert body_of(linear, submit()) == {
        "category": "linear",
        "symbol": "BTCUSDT",
        "side": "Buy",
        "orderType": "Limit",
        "qty": "0.010",
        "price": "61800.0",
        "timeInForce": "GTC",
        "orderLinkId": "17000000000000010001",
    }


@pytest.mark.parametrize("time_in_force", [TimeInForce.IOC, TimeInForce.FOK])
def test_a_limit_order_that_ends_at_once(linear, time_in_force):
    assert body_of(linear, submit(time_in_force=time_in_force))["timeInForce"] == time_in_force.value


def test_a_market_order_has_no_price(linear):
    body = body_of(linear, submit(type=OrderType.MARKET, price=None, side=OrderSide.SELL, reduce_only=True))
    assert (body["orderType"], body["side"], body["reduceOnly"]) == ("Market", "Sell", True)
    assert body.keys().isdisjoint({"price", "timeInForce", "marketUnit"})


def test_a_market_order_of_spot_counts_in_base(spot):
    body = body_of(spot, submit(type=OrderType.MARKET, price=None))
    assert (body["category"], body["marketUnit"], body["qty"]) == ("spot", "baseCoin", "0.010")


def test_a_post_only_order(inverse):
    body = body_of(inverse, submit(type=OrderType.POST_ONLY, amount=Decimal(300)))
    assert (body["category"], body["orderType"], body["timeInForce"]) == ("inverse", "Limit", "PostOnly")
    assert body["qty"] == "300"  # contracts of one dollar


def test_an_option_takes_limit_orders_only(option):
    assert body_of(option, submit())["symbol"] == "BTC-13FEB25-89000-P-USDT"
    with pytest.raises(OrderError, match="option"):
        VENUE.order_request(UNIFIED, option, submit(type=OrderType.MARKET, price=None))


@pytest.mark.parametrize(
    ("kind", "side", "direction"),
    [
        (OrderType.STOP_LOSS_MARKET, OrderSide.BUY, 1),
        (OrderType.STOP_LOSS_LIMIT, OrderSide.SELL, 2),
        (OrderType.TAKE_PROFIT_LIMIT, OrderSide.BUY, 2),
        (OrderType.TAKE_PROFIT_MARKET, OrderSide.SELL, 1),
    ],
)
def test_a_conditional_order_says_from_where_the_price_has_to_come(linear, kind, side, direction):
    price = None if kind.is_market else Decimal(61000)
    trigger = {"trigger_price": Decimal("60500.5"), "trigger_type": TriggerType.MARK_PRICE}
    body = body_of(linear, submit(type=kind, side=side, price=price, reduce_only=True, **trigger))
    assert (body["triggerPrice"], body["triggerDirection"], body["triggerBy"]) == (
        "60500.5",
        direction,
        "MarkPrice",
    )
    assert body["orderType"] == ("Market" if kind.is_market else "Limit")
    assert body.get("price") == (None if kind.is_market else "61000")


@pytest.mark.parametrize("category", ["spot", "option"])
def test_where_a_triggered_order_becomes_another_one_there_is_none(instruments, category):
    command = submit(type=OrderType.STOP_LOSS_LIMIT, trigger_price=Decimal(5))
    with pytest.raises(OrderError, match=f"{category} instrument are not supported"):
        VENUE.order_request(UNIFIED, instruments[category], command)


@pytest.mark.parametrize(("side", "index"), [(PositionSide.LONG, 1), (PositionSide.SHORT, 2)])
def test_a_position_of_a_hedged_pair_has_an_index(linear, side, index):
    assert body_of(linear, submit(position_side=side))["positionIdx"] == index


def test_closing_a_hedged_position_reduces_it(linear):
    body = body_of(linear, submit(side=OrderSide.SELL, position_side=PositionSide.LONG, reduce_only=True))
    assert (body["positionIdx"], body["reduceOnly"]) == (1, True)


def test_what_the_user_passes_on_keeps_its_type(linear):
    body = body_of(
        linear, submit(params={"smpType": "CancelMaker", "closeOnTrigger": False, "x": 1e-7, "n": 2})
    )
    assert (body["smpType"], body["closeOnTrigger"], body["x"], body["n"]) == (
        "CancelMaker",
        False,
        "0.0000001",
        2,
    )


@pytest.mark.parametrize(
    ("changes", "words"),
    [
        ({"price": None}, "needs a price"),
        ({"type": OrderType.POST_ONLY, "price": None}, "needs a price"),
        ({"type": OrderType.POST_ONLY, "time_in_force": TimeInForce.IOC}, "rests on the book"),
        ({"type": OrderType.STOP_LOSS_MARKET, "price": None}, "trigger_price"),
        ({"type": OrderType.TAKE_PROFIT_LIMIT, "price": None, "trigger_price": Decimal(5)}, "needs a price"),
        ({"params": {"triggerPrice": "5"}}, "triggerPrice"),
        ({"position_side": PositionSide.FLAT}, "LONG or SHORT"),
        ({"position_side": PositionSide.LONG, "reduce_only": True}, "cannot reduce"),
        ({"params": {"orderLinkId": "mine"}}, "orderLinkId"),
        ({"params": {"qty": "5", "symbol": "X"}}, "qty, symbol"),
    ],
)
def test_an_order_that_cannot_be_is_refused_with_its_id(linear, changes, words):
    with pytest.raises(OrderError, match=words) as refused:
        VENUE.order_request(UNIFIED, linear, submit(**changes))
    assert "17000000000000010001" in str(refused.value)


def test_spot_has_no_positions(spot):
    with pytest.raises(OrderError, match="spot has no positions"):
        VENUE.order_request(UNIFIED, spot, submit(reduce_only=True))


@pytest.mark.parametrize("category", ["spot", "inverse", "option"])
def test_hedge_mode_is_for_linear_contracts(instruments, category):
    with pytest.raises(OrderError, match=f"{category} has no hedge mode"):
        VENUE.order_request(UNIFIED, instruments[category], submit(position_side=PositionSide.LONG))


def test_each_category_has_its_own_pool_of_orders(instruments):
    pools = {VENUE.order_request(UNIFIED, each, submit()).pool for each in instruments.values()}
    assert pools == {"orders:spot", "orders:linear", "orders:inverse", "orders:option"}
    assert pools == {VENUE.order_pool(each) for each in instruments.values()}
    limits = {limit.pool: (limit.interval_ms, limit.limit) for limit in VENUE.rate_limits(UNIFIED)}
    assert limits == {
        "weight": (5_000, 600),
        "orders:spot": (1_000, 20),
        "orders:linear": (1_000, 10),
        "orders:inverse": (1_000, 10),
        "orders:option": (1_000, 10),
    }
    assert VENUE.rate_limits(LINEAR) == VENUE.rate_limits(UNIFIED)  # whoever counts first counts for all


# -- cancels and amendments -----------------------------------------------------------------------------


def cancel(**changes):
    return ev.Cancel(**({"oid": "c1", "account": "a", "symbol": "s", "timestamp": 1} | changes))


def amend(**changes):
    fields = {"oid": "c1", "account": "a", "symbol": "s", "side": OrderSide.BUY, "timestamp": 1}
    return ev.Amend(**(fields | changes))


@pytest.mark.parametrize(("eid", "name", "value"), [(None, "orderLinkId", "c1"), ("v1", "orderId", "v1")])
def test_a_cancel_names_the_order_by_the_venue_s_id_where_it_is_known(spot, eid, name, value):
    request = VENUE.cancel_request(UNIFIED, spot, cancel(eid=eid))
    assert request.path == "/v5/order/cancel"
    assert msgspec.json.decode(request.body) == {"category": "spot", "symbol": "BTCUSDT", name: value}


def test_an_amendment_changes_what_is_given(linear):
    request = VENUE.amend_request(UNIFIED, linear, amend(price=Decimal("1.50")))
    known = {"category": "linear", "symbol": "BTCUSDT", "orderLinkId": "c1"}
    assert request.path == "/v5/order/amend"
    assert msgspec.json.decode(request.body) == known | {"price": "1.50"}
    request = VENUE.amend_request(UNIFIED, linear, amend(price=Decimal(2), amount=Decimal("0.3"), eid="v1"))
    assert msgspec.json.decode(request.body) == {
        "category": "linear",
        "symbol": "BTCUSDT",
        "orderId": "v1",
        "qty": "0.3",
        "price": "2",
    }


def test_an_amendment_of_nothing_is_refused(linear):
    with pytest.raises(OrderError, match="a price or an amount"):
        VENUE.amend_request(UNIFIED, linear, amend())


def test_cancelling_all_is_of_one_symbol(inverse):
    request = VENUE.cancel_all_request(UNIFIED, inverse, ev.CancelAll(account="a", symbol="s", timestamp=1))
    assert request.path == "/v5/order/cancel-all"
    assert msgspec.json.decode(request.body) == {"category": "inverse", "symbol": "BTCUSD"}


# -- order socket ---------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("command", "operation", "path"),
    [
        (submit(), "order.create", VENUE.order_request),
        (cancel(), "order.cancel", VENUE.cancel_request),
        (amend(price=Decimal(5)), "order.amend", VENUE.amend_request),
    ],
    ids=["create", "cancel", "amend"],
)
def test_the_order_socket_takes_the_bodies_of_rest(linear, signer, command, operation, path):
    frame = msgspec.json.decode(VENUE.order_frame(UNIFIED, linear, command, "17", signer, 1_700_000_000_000))
    assert frame == {
        "reqId": "17-1700000000000",
        "header": {"X-BAPI-TIMESTAMP": "1700000000000", "X-BAPI-RECV-WINDOW": "5000"},
        "op": operation,
        "args": [msgspec.json.decode(path(UNIFIED, linear, command).body)],
    }


def test_private_events_are_asked_for_at_once(signer):
    assert msgspec.json.decode(VENUE.user_subscribe_frame("u2", signer, 1)) == {
        "req_id": "u2",
        "op": "subscribe",
        "args": ["order", "execution", "position", "wallet"],
    }


# -- questions ------------------------------------------------------------------------------------------


def test_instruments_of_each_category(instruments):
    asked = [query_of(request) for request in VENUE.instruments_requests(UNIFIED)]
    assert asked[:4] == [
        "/v5/market/instruments-info?category=spot",
        "/v5/market/instruments-info?category=linear&limit=1000",
        "/v5/market/instruments-info?category=inverse&limit=1000",
        "/v5/market/instruments-info?category=option&baseCoin=BTC&limit=1000",
    ]
    assert len(VENUE.instruments_requests(LINEAR)) == 1


def test_klines(linear):
    request = VENUE.klines_request(LINEAR, linear, "1h", 5, 1_000, 2_000)
    query = "category=linear&symbol=BTCUSDT&interval=60&limit=5&start=1000&end=2000"
    assert query_of(request) == f"/v5/market/kline?{query}"
    request = VENUE.klines_request(LINEAR, linear, "1M", None, None, None)
    assert query_of(request) == "/v5/market/kline?category=linear&symbol=BTCUSDT&interval=M&limit=1000"


@pytest.mark.parametrize("interval", ["1s", "8h", "3d", "volume", "60"])
def test_klines_that_the_venue_does_not_have(linear, interval):
    with pytest.raises(KlineSupportedError, match="1m, 3m, 5m"):
        VENUE.klines_request(LINEAR, linear, interval, None, None, None)


def test_an_order_is_looked_for_among_the_live_ones_and_then_in_the_history(linear):
    by_ours = VENUE.query_order_requests(UNIFIED, linear, "c1", None)
    assert [query_of(request) for request in by_ours] == [
        "/v5/order/realtime?category=linear&symbol=BTCUSDT&orderLinkId=c1",
        "/v5/order/history?category=linear&symbol=BTCUSDT&orderLinkId=c1",
    ]
    assert query_of(VENUE.query_order_requests(UNIFIED, linear, "c1", "v1")[0]).endswith("&orderId=v1")


def test_open_orders_of_all_take_a_question_for_each_coin_that_contracts_settle_in(linear):
    assert [query_of(request) for request in VENUE.open_orders_requests(UNIFIED, None)] == [
        "/v5/order/realtime?category=spot&limit=50",
        "/v5/order/realtime?category=linear&settleCoin=USDT&limit=50",
        "/v5/order/realtime?category=linear&settleCoin=USDC&limit=50",
        "/v5/order/realtime?category=inverse&limit=50",
        "/v5/order/realtime?category=option&limit=50",
    ]
    assert [query_of(request) for request in VENUE.open_orders_requests(UNIFIED, linear)] == [
        "/v5/order/realtime?category=linear&symbol=BTCUSDT&limit=50"
    ]


def test_positions_are_asked_for_where_there_are_any():
    assert [query_of(request) for request in VENUE.positions_requests(UNIFIED)] == [
        "/v5/position/list?category=linear&settleCoin=USDT&limit=200",
        "/v5/position/list?category=linear&settleCoin=USDC&limit=200",
        "/v5/position/list?category=inverse&limit=200",
        "/v5/position/list?category=option&limit=200",
    ]
    assert VENUE.positions_requests(BybitAccountType.SPOT) == ()
    assert VENUE.position_mode_request(BybitAccountType.SPOT) is None
    assert VENUE.position_mode_request(UNIFIED) is not None


def test_balances():
    assert query_of(VENUE.balances_request(UNIFIED)) == "/v5/account/wallet-balance?accountType=UNIFIED"


# -- the rest of an answer ------------------------------------------------------------------------------


def page(rows, cursor="", time=0):
    return msgspec.json.encode(
        {"retCode": 0, "result": {"list": rows, "nextPageCursor": cursor}, "time": time}
    )


def test_a_cursor_leads_to_the_next_page_and_an_empty_page_ends_it(linear):
    first = VENUE.open_orders_requests(UNIFIED, linear)[0]
    second = VENUE.next_page(first, page([{}], "a%3A1"))
    assert query_of(second) == f"{query_of(first)}&cursor=a%3A1"
    third = VENUE.next_page(second, page([{}], "b"))
    assert query_of(third) == f"{query_of(first)}&cursor=b"
    assert VENUE.next_page(third, page([{}])) is None
    assert VENUE.next_page(third, page([{}], "b")) is None
    assert VENUE.next_page(third, page([], "c")) is None
    assert VENUE.next_page(first, b'{"retCode":0,"result":{"list":[],"nextPageCursor":null}}') is None


def test_executions_are_asked_for_week_by_week_up_to_now(linear):
    since, now = 1_700_000_000_000, 1_700_000_000_000 + 10 * DAY_MS
    first = VENUE.fills_since_request(UNIFIED, linear, since)
    assert dict(first.params) == {
        "category": "linear",
        "symbol": "BTCUSDT",
        "limit": "100",
        "startTime": str(since),
        "endTime": str(since + 7 * DAY_MS - 1),
    }
    second = VENUE.next_page(first, page([{}], "x", now))
    assert dict(second.params)["cursor"] == "x"
    third = VENUE.next_page(second, page([], "", now))
    assert "cursor" not in dict(third.params)
    assert dict(third.params)["startTime"] == str(since + 7 * DAY_MS)
    assert VENUE.next_page(third, page([], "", now)) is None


def test_executions_of_one_order(linear):
    request = VENUE.fills_request(UNIFIED, linear, "v1")
    query = "category=linear&symbol=BTCUSDT&orderId=v1&limit=100"
    assert query_of(request) == f"/v5/execution/list?{query}"
    assert VENUE.next_page(request, page([{}], "", 5)) is None
