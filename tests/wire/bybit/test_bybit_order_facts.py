"""Orders, executions, positions and balances as facts, and what becomes of an order by them."""

from __future__ import annotations

from decimal import Decimal

import msgspec
import pytest

from nexustrader.constants import OrderSide, OrderType, PositionSide, TimeInForce
from nexustrader.domain import events as ev
from nexustrader.domain import order as orders
from nexustrader.domain.events import EventKind, Source
from nexustrader.domain.order_state import Status
from nexustrader.error import WireError
from nexustrader.exchange.bybit import VENUE, BybitAccountType

A = BybitAccountType
OID = "17000000000000010001"

ORDER = {
    "category": "linear", "symbol": "BTCUSDT", "orderId": "v1", "orderLinkId": OID, "side": "Buy", "positionIdx": 0,
    "orderStatus": "New", "cancelType": "UNKNOWN", "rejectReason": "EC_NoError", "timeInForce": "GTC",
    "price": "69000", "qty": "0.01", "avgPrice": "", "leavesQty": "0.01", "cumExecQty": "0", "cumExecValue": "0",
    "orderType": "Limit", "stopOrderType": "", "triggerDirection": 0, "reduceOnly": False, "marketUnit": "",
    "createdTime": "1700000000000", "updatedTime": "1700000000005",
}  # fmt: skip
EXECUTION = {
    "category": "linear", "symbol": "BTCUSDT", "orderId": "v1", "orderLinkId": OID, "side": "Buy",
    "execId": "e1", "execPrice": "69000", "execQty": "0.004", "execType": "Trade", "execTime": "1700000000010",
    "execFee": "0.15", "feeCurrency": "", "isMaker": True, "seq": 7, "orderType": "Limit", "orderQty": "0.01",
    "orderPrice": "69000",
}  # fmt: skip


def user_events(resolve, topic, *rows, account_type=A.UNIFIED):
    raw = msgspec.json.encode({"topic": topic, "id": "x", "creationTime": 1700000000020, "data": rows})
    return VENUE.parse_user_event(account_type, "acc", resolve, raw)


def told(resolve, **changes):
    (event,) = user_events(resolve, "order", ORDER | changes)
    return event


def submitted(kind=OrderType.LIMIT, time_in_force=TimeInForce.GTC, price=Decimal(69000)):
    command = ev.Submit(
        oid=OID, account="acc", symbol="BTCUSDT-PERP.BYBIT", side=OrderSide.BUY, type=kind,
        amount=Decimal("0.01"), price=price, time_in_force=time_in_force, timestamp=1_700_000_000_000,
    )  # fmt: skip
    return orders.apply(None, command).order


def after(state, *events):
    for event in events:
        state = orders.apply(state, event).order
    return state


# -- the order topic ------------------------------------------------------------------------------------


def test_a_resting_order(resolve):
    event = told(resolve)
    assert (event.oid, event.eid, event.kind, event.source) == (OID, "v1", EventKind.ACCEPTED, Source.STREAM)
    assert (event.symbol, event.side, event.type) == ("BTCUSDT-PERP.BYBIT", OrderSide.BUY, OrderType.LIMIT)
    assert (event.price, event.amount, event.filled, event.average) == (69000, Decimal("0.01"), 0, None)
    assert (event.timestamp, event.reason, event.reduce_only) == (1700000000005, None, False)


def test_an_order_without_a_client_id_goes_by_the_venue_s(resolve):
    assert told(resolve, orderLinkId="").oid == "v1"


@pytest.mark.parametrize(
    ("status", "kind"),
    [
        ("New", EventKind.ACCEPTED),
        ("PartiallyFilled", EventKind.FILLED),
        ("Filled", EventKind.FILLED),
        ("Cancelled", EventKind.CANCELED),
        ("PartiallyFilledCanceled", EventKind.CANCELED),
        ("Rejected", EventKind.REJECTED),
        ("Untriggered", EventKind.ACKED),
        ("Triggered", EventKind.ACCEPTED),
        ("Deactivated", EventKind.EXPIRED),
        ("SomethingNew", EventKind.ACCEPTED),
    ],
)
def test_states(resolve, status, kind):
    assert told(resolve, orderStatus=status).kind is kind


def test_a_market_order_is_one_message(resolve):
    event = told(
        resolve, orderStatus="Filled", orderType="Market", timeInForce="IOC", price="77201.1", avgPrice="76500",
        cumExecQty="0.01", cumExecValue="765", leavesQty="0",
    )  # fmt: skip
    assert event.price is None
    state = after(submitted(OrderType.MARKET, price=None), event)
    assert (state.status, state.filled, state.average, state.price) == (
        Status.FILLED,
        Decimal("0.01"),
        76500,
        None,
    )


def test_a_post_only_order_that_would_take_is_refused_with_the_reason(resolve):
    event = told(
        resolve, orderStatus="Cancelled", rejectReason="EC_PostOnlyWillTakeLiquidity", timeInForce="PostOnly"
    )
    assert (event.kind, event.type) == (EventKind.REJECTED, OrderType.POST_ONLY)
    acked = ev.OrderEvent(oid=OID, kind=EventKind.ACKED, source=Source.ACK, timestamp=1)
    for sequence in ((acked, event), (event, acked)):
        state = after(submitted(OrderType.POST_ONLY), *sequence)
        assert (state.status, state.reason) == (Status.REJECTED, "EC_PostOnlyWillTakeLiquidity")


@pytest.mark.parametrize(
    "reason", ["EC_CancelForNoFullFill", "EC_NoEnoughQtyToFill", "EC_NoImmediateQtyToFill"]
)
def test_what_cannot_rest_expires(resolve, reason):
    event = told(resolve, orderStatus="Cancelled", rejectReason=reason, cumExecQty="0.004", avgPrice="69000")
    state = after(submitted(time_in_force=TimeInForce.IOC), event)
    assert (state.status, state.filled, state.reason) == (Status.EXPIRED, Decimal("0.004"), reason)


@pytest.mark.parametrize(
    ("words", "reason"),
    [
        ({"cancelType": "CancelByUser", "rejectReason": "EC_PerCancelRequest"}, None),
        ({"cancelType": "CancelByReduceOnly", "rejectReason": "EC_NoError"}, "CancelByReduceOnly"),
        ({"cancelType": "", "rejectReason": ""}, None),
    ],
)
def test_a_cancel_says_why_unless_somebody_wanted_it(resolve, words, reason):
    event = told(resolve, orderStatus="Cancelled", **words)
    assert (event.kind, event.reason) == (EventKind.CANCELED, reason)


def test_what_was_filled_in_part_was_not_refused(resolve):
    event = told(
        resolve, orderStatus="Rejected", cumExecQty="0.005", avgPrice="1", rejectReason="EC_Whatever"
    )
    assert (event.kind, event.filled, event.reason) == (EventKind.CANCELED, Decimal("0.005"), "EC_Whatever")


def test_a_cancel_that_lost_to_a_fill_changes_nothing_any_more(resolve):
    filled = told(resolve, orderStatus="Filled", cumExecQty="0.01", avgPrice="69000")
    again = told(
        resolve, orderStatus="Filled", cumExecQty="0.01", avgPrice="69000", cancelType="CancelByUser",
        rejectReason="EC_OrigClOrdIDDoesNotExist",
    )  # fmt: skip
    state = after(submitted(), filled)
    applied = orders.apply(state, again)
    assert (applied.order.status, applied.effects) == (Status.FILLED, ())


def test_an_amended_order_is_shown_with_its_new_terms(resolve):
    state = after(submitted(), told(resolve))
    state = after(state, told(resolve, price="68000", qty="0.02", updatedTime="1700000000900"))
    assert (state.status, state.price, state.amount) == (Status.ACCEPTED, 68000, Decimal("0.02"))


def test_the_average_follows_from_the_value_where_the_venue_leaves_it_out(resolve):
    done = {"orderStatus": "Filled", "avgPrice": ""}
    assert told(resolve, **done, cumExecQty="0.01", cumExecValue="690").average == 69000
    assert told(
        resolve, **done, category="inverse", symbol="BTCUSD", cumExecQty="300", cumExecValue="0.01"
    ).average == Decimal(30000)


@pytest.mark.parametrize(("unit", "amount"), [("quoteCoin", "0.007"), ("", "0.007"), ("baseCoin", "500")])
def test_another_program_s_size_in_quote_is_no_amount(resolve, unit, amount):
    event = told(resolve, category="spot", orderType="Market", marketUnit=unit, qty="500", cumExecQty="0.007")
    assert (event.symbol, event.amount) == ("BTCUSDT.BYBIT", Decimal(amount))


@pytest.mark.parametrize(
    ("cancel_type", "kind"),
    [("CancelByUser", EventKind.CANCELED), ("CancelByTpSlTsClear", EventKind.EXPIRED)],
)
def test_a_conditional_order_ends_as_whoever_ended_it(resolve, cancel_type, kind):
    assert told(resolve, orderStatus="Deactivated", cancelType=cancel_type).kind is kind


@pytest.mark.parametrize(
    ("words", "kind"),
    [
        ({"triggerDirection": 2, "side": "Sell", "orderType": "Market"}, OrderType.STOP_LOSS_MARKET),
        ({"triggerDirection": 2, "side": "Buy", "orderType": "Limit"}, OrderType.TAKE_PROFIT_LIMIT),
        ({"stopOrderType": "PartialTakeProfit", "orderType": "Market"}, OrderType.TAKE_PROFIT_MARKET),
        ({"stopOrderType": "tpslOrder", "orderType": "Limit"}, OrderType.STOP_LOSS_LIMIT),
    ],
)
def test_a_conditional_order_is_told_by_what_it_waits_for(resolve, words, kind):
    event = told(resolve, orderStatus="Untriggered", triggerPrice="65000", positionIdx=2, **words)
    assert (event.type, event.trigger_price, event.position_side) == (kind, 65000, PositionSide.SHORT)


# -- the execution topic --------------------------------------------------------------------------------


def fills(resolve, *rows, **options):
    return user_events(resolve, "execution", *rows, **options)


def test_an_execution_is_a_fill_with_its_fee(resolve):
    (event,) = fills(resolve, EXECUTION)
    assert (event.oid, event.kind, event.filled, event.timestamp) == (
        OID,
        EventKind.FILLED,
        None,
        1700000000010,
    )
    assert event.fill == ev.Fill(
        trade_id="e1", price=Decimal(69000), amount=Decimal("0.004"), fee=Decimal("0.15"), fee_currency="USDT",
        is_maker=True, timestamp=1700000000010,
    )  # fmt: skip


@pytest.mark.parametrize(
    ("changes", "amount"),
    [
        ({}, Decimal("0.01")),
        ({"category": "spot"}, Decimal("0.01")),
        ({"category": "spot", "orderType": "Market"}, None),  # perhaps it is in quote
        ({"orderType": "Market"}, Decimal("0.01")),
    ],
)
def test_an_execution_says_of_how_large_an_order_it_is(resolve, changes, amount):
    (event,) = fills(resolve, EXECUTION | changes)
    assert (event.amount, event.price, event.side) == (amount, 69000, OrderSide.BUY)


@pytest.mark.parametrize(
    "changes", [{"execQty": ""}, {"execPrice": ""}, {"execQty": "-1"}, {"execPrice": None}]
)
def test_an_execution_of_nothing_is_refused(resolve, changes):
    with pytest.raises(WireError):
        fills(resolve, EXECUTION | changes)


def test_fills_count_once_in_whichever_order_the_topics_come(resolve):
    accepted = told(resolve)
    filled = told(
        resolve,
        orderStatus="PartiallyFilled",
        cumExecQty="0.004",
        avgPrice="69000",
        updatedTime="1700000000010",
    )
    (execution,) = fills(resolve, EXECUTION)
    for sequence in (
        (accepted, filled, execution),
        (execution, filled, accepted),
        (filled, execution, execution, accepted),
    ):
        state = after(submitted(), *sequence)
        assert (state.status, state.filled) == (Status.PARTIALLY_FILLED, Decimal("0.004"))
        assert (state.price, state.amount, state.fees) == (
            69000,
            Decimal("0.01"),
            (("USDT", Decimal("0.15")),),
        )


def test_executions_of_one_message_come_in_their_order(resolve):
    later = EXECUTION | {"execId": "e2", "execTime": "1700000000011"}
    same = EXECUTION | {"execId": "e0", "seq": 6}
    assert [event.fill.trade_id for event in fills(resolve, later, EXECUTION, same)] == ["e0", "e1", "e2"]


@pytest.mark.parametrize("kind", ["Funding", "AdlTrade", "BustTrade", "Delivery", "Settle", "BlockTrade"])
def test_what_is_no_trade_moves_no_order(resolve, kind):
    assert fills(resolve, EXECUTION | {"execType": kind}) == ()


@pytest.mark.parametrize(
    ("changes", "currency"),
    [
        ({"category": "spot"}, "BTC"),
        ({"category": "spot", "side": "Sell"}, "USDT"),
        ({"category": "spot", "execFee": "-0.1"}, "USDT"),
        ({"category": "spot", "feeCurrency": "MNT"}, "MNT"),
        ({"category": "inverse", "symbol": "BTCUSD"}, "BTC"),
        ({"symbol": "UNKNOWN"}, None),
    ],
)
def test_the_currency_of_a_fee(resolve, changes, currency):
    (event,) = fills(resolve, EXECUTION | changes)
    assert event.fill.fee_currency == currency


def test_the_fast_executions_tell_nothing(resolve):
    assert user_events(resolve, "execution.fast", EXECUTION) == ()
    assert user_events(resolve, "greeks", {"baseCoin": "ETH"}) == ()


def test_an_account_of_one_category_is_told_of_its_own(resolve):
    spot = EXECUTION | {"category": "spot"}
    assert len(fills(resolve, EXECUTION, spot)) == 2
    assert [e.symbol for e in fills(resolve, EXECUTION, spot, account_type=A.SPOT)] == ["BTCUSDT.BYBIT"]
    assert [e.symbol for e in fills(resolve, EXECUTION, spot, account_type=A.LINEAR)] == [
        "BTCUSDT-PERP.BYBIT"
    ]
    assert user_events(resolve, "order", ORDER, account_type=A.INVERSE) == ()
    assert len(user_events(resolve, "order.linear", ORDER)) == 1


def test_a_row_without_a_category_is_refused(resolve):
    with pytest.raises(WireError, match="category"):
        user_events(resolve, "order", ORDER | {"category": ""})


def test_an_instrument_that_is_not_loaded_has_a_name_all_the_same(resolve):
    assert fills(resolve, EXECUTION | {"symbol": "ETHPERP"})[0].symbol == "ETHUSDC-PERP.BYBIT"


# -- positions and balances -----------------------------------------------------------------------------

POSITION = {
    "category": "linear", "symbol": "BTCUSDT", "side": "Sell", "size": "0.006", "positionIdx": 0,
    "entryPrice": "96423.3", "unrealisedPnl": "-0.52002", "updatedTime": "1", "seq": 5,
}  # fmt: skip


@pytest.mark.parametrize(
    ("changes", "amount", "side"),
    [
        ({}, "-0.006", None),
        ({"side": "Buy", "positionIdx": 1}, "0.006", PositionSide.LONG),
        ({"side": "", "size": "0", "entryPrice": "0", "positionIdx": 2}, "0", PositionSide.SHORT),
    ],
)
def test_positions(resolve, changes, amount, side):
    (event,) = user_events(resolve, "position", POSITION | changes)
    assert (event.signed_amount, event.position_side) == (Decimal(amount), side)
    assert (event.symbol, event.timestamp, event.snapshot) == ("BTCUSDT-PERP.BYBIT", 1700000000020, False)


def answer(category, *rows):
    result = {"category": category, "list": rows, "nextPageCursor": ""}
    return msgspec.json.encode({"retCode": 0, "result": result, "time": 5})


def test_positions_by_query(resolve):
    row = {"symbol": "BTCUSD", "side": "Buy", "size": "300", "avgPrice": "27464.5", "positionIdx": 0}
    (event,) = VENUE.parse_positions("acc", resolve, answer("inverse", row), 99)
    assert (event.symbol, event.signed_amount, event.entry_price) == (
        "BTCUSD-PERP.BYBIT",
        300,
        Decimal("27464.5"),
    )
    assert (event.timestamp, event.snapshot) == (99, True)
    with pytest.raises(WireError, match="category"):
        VENUE.parse_positions("acc", resolve, answer("", row), 99)


@pytest.mark.parametrize(("index", "is_hedged"), [(0, False), (1, True), (2, True)])
def test_positions_tell_the_mode(index, is_hedged):
    row = {"symbol": "BTCUSDT", "side": "Buy", "size": "1", "positionIdx": index}
    assert VENUE.parse_is_hedge_mode(answer("linear", row)) is is_hedged
    assert not VENUE.parse_is_hedge_mode(answer("linear"))


def test_what_is_borrowed_and_what_is_locked_is_not_free(resolve):
    coin = {"coin": "USDT", "walletBalance": "1200", "spotBorrow": "200", "locked": "50", "equity": ""}
    wallet = {
        "accountType": "UNIFIED",
        "totalEquity": "",
        "coin": [coin, {"coin": "BTC", "walletBalance": "2"}],
    }
    usdt, btc = user_events(resolve, "wallet", wallet)
    assert (usdt.asset, usdt.free, usdt.locked, usdt.timestamp) == ("USDT", 950, 50, 1700000000020)
    assert (btc.free, btc.locked) == (2, 0)
    asked = VENUE.parse_balances("acc", answer("", wallet), 99)
    assert [(event.free, event.timestamp) for event in asked] == [(950, 99), (2, 99)]


# -- queries and replies --------------------------------------------------------------------------------


def test_a_query_tells_as_much_as_the_stream(resolve):
    row = {name: value for name, value in ORDER.items() if name != "category"}
    (event,) = VENUE.parse_orders(A.UNIFIED, "acc", resolve, answer("linear", row))
    assert event == msgspec.structs.replace(told(resolve), source=Source.QUERY)
    assert VENUE.parse_orders(A.LINEAR, "acc", resolve, answer("", row)) == [event]
    assert VENUE.parse_orders(A.UNIFIED, "acc", resolve, answer("")) == []
    for account_type, category in ((A.UNIFIED, ""), (A.SPOT, "linear"), (A.UNIFIED, "spread")):
        with pytest.raises(WireError, match="category"):
            VENUE.parse_orders(account_type, "acc", resolve, answer(category, row))


def test_executions_by_query(resolve):
    later = EXECUTION | {"execId": "e2", "execTime": "1700000000011"}
    funding = EXECUTION | {"execType": "Funding"}
    found = VENUE.parse_fills(A.UNIFIED, "acc", "", resolve, answer("linear", later, funding, EXECUTION))
    assert [(event.oid, event.eid, event.fill.trade_id) for event in found] == [
        ("", "v1", "e1"),
        ("", "v1", "e2"),
    ]
    assert VENUE.parse_fills(A.UNIFIED, "acc", "", resolve, answer("")) == []


COMMANDS = [
    ev.Submit(
        oid=OID,
        account="acc",
        symbol="s",
        side=OrderSide.BUY,
        type=OrderType.LIMIT,
        amount=Decimal(1),
        timestamp=1,
    ),
    ev.Amend(oid=OID, account="acc", symbol="s", side=OrderSide.BUY, timestamp=1),
    ev.Cancel(oid=OID, account="acc", symbol="s", timestamp=1),
]


@pytest.mark.parametrize("place", ["result", "data"])
@pytest.mark.parametrize(
    ("command", "kind"),
    list(zip(COMMANDS, [EventKind.ACKED, EventKind.ACKED, EventKind.CANCEL_ACKED], strict=True)),
    ids=["create", "amend", "cancel"],
)
def test_a_reply_says_that_the_command_was_taken_and_no_more(linear, place, command, kind):
    body = msgspec.json.encode({"retCode": 0, place: {"orderId": "v1", "orderLinkId": OID}})
    (event,) = VENUE.parse_order_reply(A.UNIFIED, linear, command, body, 42)
    assert (event.oid, event.eid, event.kind, event.source) == (OID, "v1", kind, Source.ACK)
    assert (event.timestamp, event.price, event.amount, event.filled) == (42, None, None, None)


def test_cancelling_all_tells_no_ends(linear):
    body = msgspec.json.encode({"retCode": 0, "result": {"list": [{"orderId": "v1"}], "success": "1"}})
    command = ev.CancelAll(account="acc", symbol="s", timestamp=1)
    assert VENUE.parse_order_reply(A.UNIFIED, linear, command, body, 42) == ()
