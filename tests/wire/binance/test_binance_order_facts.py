"""Replies to commands and answers to queries in, facts about orders out."""

from __future__ import annotations

from decimal import Decimal
from typing import Any

import msgspec
import pytest

from nexustrader.constants import InstrumentType, OrderSide, OrderType
from nexustrader.domain import events as ev
from nexustrader.domain.events import EventKind, Fill, Source
from nexustrader.error import WireError
from nexustrader.exchange.binance import VENUE, BinanceAccountType

SPOT, USD_M = BinanceAccountType.SPOT, BinanceAccountType.USD_M_FUTURE
NOW_MS = 1754000000500
OURS = "17540000001230010042"

# -- facts in replies to commands ------------------------------------------------------------------------


def submit(kind=OrderType.LIMIT) -> ev.Submit:
    return ev.Submit(
        oid=OURS, account="binance:x", symbol="x", side=OrderSide.BUY, type=kind, amount=Decimal("0.02"),
        price=Decimal("61800"), timestamp=1,
    )  # fmt: skip


CANCEL = ev.Cancel(oid=OURS, account="binance:x", symbol="x", timestamp=1)
AMEND = ev.Amend(oid=OURS, account="binance:x", symbol="x", side=OrderSide.BUY, timestamp=1)
CANCEL_ALL = ev.CancelAll(account="binance:x", symbol="x", timestamp=1)

PLACED: dict[str, Any] = {
    "symbol": "BTCUSDT", "orderId": 28, "clientOrderId": OURS, "price": "61800.0", "origQty": "0.020",
    "executedQty": "0.000", "status": "NEW", "timeInForce": "GTC", "type": "LIMIT", "side": "BUY",
}  # fmt: skip


def facts(account_type, instrument, command, body) -> tuple[ev.OrderEvent, ...]:
    raw = body if isinstance(body, bytes) else msgspec.json.encode(body)
    return VENUE.parse_order_reply(account_type, instrument, command, raw, NOW_MS)


def test_a_resting_create_is_acked_and_accepted(perp):
    events = facts(USD_M, perp, submit(), PLACED | {"updateTime": 1754000000400, "reduceOnly": False})
    assert [event.kind for event in events] == [EventKind.ACKED, EventKind.ACCEPTED]
    acked, accepted = events
    assert (acked.oid, acked.eid, acked.filled) == (OURS, "28", None)
    assert accepted == ev.OrderEvent(
        oid=OURS, kind=EventKind.ACCEPTED, source=Source.ACK, timestamp=1754000000400, account="binance:x",
        symbol="BTCUSDT-PERP.BINANCE", eid="28", filled=Decimal(0), price=Decimal("61800"),
        amount=Decimal("0.02"), side=OrderSide.BUY, type=OrderType.LIMIT,
        time_in_force=accepted.time_in_force, reduce_only=False,
    )  # fmt: skip


def test_a_bare_ack_says_only_that_the_order_was_taken(spot):
    body = {
        "symbol": "BTCUSDT",
        "orderId": 28,
        "orderListId": -1,
        "clientOrderId": OURS,
        "transactTime": 1754000000400,
    }
    (event,) = facts(SPOT, spot, submit(), body)
    assert (event.kind, event.eid, event.timestamp, event.filled) == (
        EventKind.ACKED,
        "28",
        1754000000400,
        None,
    )


def test_a_market_order_in_state_new_is_not_called_live(perp):
    events = facts(USD_M, perp, submit(OrderType.MARKET), PLACED | {"type": "MARKET", "price": "0"})
    assert [event.kind for event in events] == [EventKind.ACKED]


FILLS = [
    {"price": "61799.0", "qty": "0.005", "commission": "0.000005", "commissionAsset": "BTC", "tradeId": 56},
    {"price": "61800.0", "qty": "0.015", "commission": "0.000015", "commissionAsset": "BTC", "tradeId": 57},
]


def test_the_fills_of_a_full_reply_have_the_trade_ids_of_the_stream(spot):
    body = PLACED | {
        "status": "FILLED", "executedQty": "0.020", "cummulativeQuoteQty": "1235.995", "fills": FILLS,
        "transactTime": 1754000000400,
    }  # fmt: skip
    acked, first, last = facts(SPOT, spot, submit(), body)
    assert acked.kind is EventKind.ACKED
    assert (first.filled, last.filled) == (Decimal("0.005"), Decimal("0.020"))
    assert last.average == Decimal("61799.75")
    assert last.fill == Fill(
        trade_id="57", price=Decimal("61800"), amount=Decimal("0.015"), fee=Decimal("0.000015"), fee_currency="BTC",
        is_maker=False, timestamp=1754000000400,
    )  # fmt: skip


@pytest.mark.parametrize("fills", [[], FILLS[:1]])
def test_the_rest_of_an_immediate_order_expires_in_the_reply(fills, spot):
    body = PLACED | {
        "status": "EXPIRED", "executedQty": "0.005" if fills else "0", "fills": fills, "timeInForce": "IOC",
        "expiryReason": "UNFILLED_IOC_QUANTITY_EXPIRED", "cummulativeQuoteQty": "308.995" if fills else "0",
    }  # fmt: skip
    events = facts(SPOT, spot, submit(), body)
    assert [e.kind for e in events] == [EventKind.ACKED, *[EventKind.FILLED] * len(fills), EventKind.EXPIRED]
    assert events[-1].filled == Decimal("0.005" if fills else 0)
    assert events[-1].reason == "UNFILLED_IOC_QUANTITY_EXPIRED"
    assert events[-1].fill is None


def test_a_futures_result_without_trade_ids_tells_the_cumulative_amount(perp):
    body = PLACED | {"status": "FILLED", "executedQty": "0.020", "avgPrice": "61799.50", "type": "MARKET"}
    acked, filled = facts(USD_M, perp, submit(OrderType.MARKET), body)
    assert (acked.kind, filled.kind) == (EventKind.ACKED, EventKind.FILLED)
    assert (filled.filled, filled.average, filled.fill) == (Decimal("0.020"), Decimal("61799.5"), None)
    without = facts(
        USD_M, perp, submit(OrderType.MARKET), PLACED | {"status": "FILLED", "executedQty": "0.020"}
    )
    assert without[-1].average is None, "the average may be left out, then it is not made up"


@pytest.mark.parametrize(
    ("status", "kind"),
    [
        ("CANCELED", EventKind.CANCELED),
        ("EXPIRED", EventKind.EXPIRED),
        ("NEW", EventKind.CANCEL_ACKED),
        ("", EventKind.CANCEL_ACKED),
    ],
)
def test_a_cancel_reply_is_told_under_the_orders_own_id(status, kind, spot):
    body = PLACED | {
        "status": status, "clientOrderId": "the-request", "origClientOrderId": OURS, "executedQty": "0.005",
    }  # fmt: skip
    (event,) = facts(SPOT, spot, CANCEL, body)
    assert (event.oid, event.kind, event.filled) == (OURS, kind, Decimal("0.005"))


def test_an_amend_reply_tells_what_is_now_in_force(perp):
    (event,) = facts(
        USD_M, perp, AMEND, PLACED | {"price": "61700.0", "origQty": "0.030", "executedQty": "0.010"}
    )
    assert (event.kind, event.price, event.amount, event.filled) == (
        EventKind.AMENDED, Decimal("61700"), Decimal("0.03"), Decimal("0.01"),
    )  # fmt: skip


def test_an_amendment_below_the_filled_amount_ends_the_order(perp):
    events = facts(USD_M, perp, AMEND, PLACED | {"status": "CANCELED", "executedQty": "0.010"})
    assert [event.kind for event in events] == [EventKind.AMENDED, EventKind.CANCELED]


def test_already_so_carries_no_facts(perp):
    error = {"code": -5027, "msg": "No need to modify the order."}
    assert facts(USD_M, perp, AMEND, error) == ()
    answer = VENUE.parse_ws_reply(msgspec.json.encode({"id": "1", "status": 400, "error": error}))
    assert answer is not None
    assert facts(USD_M, perp, AMEND, answer.reply.body) == ()


def test_cancel_all_tells_each_order_that_spot_lists(spot, perp):
    order = PLACED | {"status": "CANCELED", "clientOrderId": "the-request", "transactTime": 7}
    body = [
        order | {"origClientOrderId": "a", "orderId": 1, "executedQty": "0.005"},
        {"orderListId": 3, "orders": [], "orderReports": [order | {"origClientOrderId": "b", "orderId": 2}]},
        order | {"origClientOrderId": "c", "status": "NEW"},
    ]
    events = facts(SPOT, spot, CANCEL_ALL, body)
    assert [(e.oid, e.eid, e.kind, e.filled, e.symbol) for e in events] == [
        ("a", "1", EventKind.CANCELED, Decimal("0.005"), "BTCUSDT.BINANCE"),
        ("b", "2", EventKind.CANCELED, Decimal(0), "BTCUSDT.BINANCE"),
    ]
    assert (
        facts(
            USD_M, perp, CANCEL_ALL, {"code": 200, "msg": "The operation of cancel all open order is done."}
        )
        == ()
    )


@pytest.mark.parametrize("body", [b"", b"{}", b"[]", b'{"orderId":"x"}', b'{"status":"NEW"}', b"<html>"])
@pytest.mark.parametrize("command", [submit(), CANCEL, AMEND])
def test_a_reply_without_the_order_is_a_wire_error(command, body, perp):
    with pytest.raises(WireError):
        facts(USD_M, perp, command, body)


# -- queries ---------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("status", "kind"),
    [
        ("NEW", EventKind.ACCEPTED),
        ("PENDING_NEW", EventKind.ACKED),
        ("PARTIALLY_FILLED", EventKind.FILLED),
        ("FILLED", EventKind.FILLED),
        ("CANCELED", EventKind.CANCELED),
        ("PENDING_CANCEL", EventKind.ACCEPTED),
        ("REJECTED", EventKind.REJECTED),
        ("EXPIRED", EventKind.EXPIRED),
        ("EXPIRED_IN_MATCH", EventKind.EXPIRED),
        ("NEW_INSURANCE", EventKind.ACCEPTED),
    ],
)
def test_a_queried_order_is_told_with_its_state_and_what_adoption_needs(status, kind, resolve):
    body = PLACED | {
        "status": status, "executedQty": "0.010", "cumQuote": "617.99", "avgPrice": "0.00000", "time": 5,
        "updateTime": 6, "orderId": 8389765739703625592, "reduceOnly": True,
    }  # fmt: skip
    (event,) = VENUE.parse_orders(USD_M, "a", resolve, msgspec.json.encode(body))
    assert (event.kind, event.source, event.timestamp) == (kind, Source.QUERY, 6)
    assert (event.oid, event.eid, event.symbol) == (OURS, "8389765739703625592", "BTCUSDT-PERP.BINANCE")
    assert (event.filled, event.average) == (Decimal("0.010"), Decimal("61799"))
    assert (event.side, event.type, event.reduce_only) == (OrderSide.BUY, OrderType.LIMIT, True)
    assert event.fill is None


def test_open_orders_are_a_list_and_foreign_ones_are_in_it(resolve_spot):
    foreign = PLACED | {"clientOrderId": "ios_1", "type": "TRAILING_THING", "timeInForce": "GTD", "time": 5}
    events = VENUE.parse_orders(SPOT, "a", resolve_spot, msgspec.json.encode([PLACED, foreign]))
    assert [(e.oid, e.type, e.time_in_force and e.time_in_force.value) for e in events] == [
        (OURS, OrderType.LIMIT, "GTC"),
        ("ios_1", None, None),
    ]
    assert VENUE.parse_orders(SPOT, "a", resolve_spot, b"[]") == []


def test_queried_fills_come_in_the_order_of_their_ids(resolve, resolve_spot):
    spot = (
        b'[{"symbol":"BTCUSDT","id":58,"orderId":28,"price":"2","qty":"3","commission":"0.1","commissionAsset":"BNB",'
        b'"time":9,"isBuyer":true,"isMaker":false},'
        b'{"symbol":"BTCUSDT","id":57,"orderId":28,"price":"1","qty":"4","commission":"0.2","commissionAsset":"BNB",'
        b'"time":8,"isBuyer":true,"isMaker":true}]'
    )
    events = VENUE.parse_fills(SPOT, "a", OURS, resolve_spot, spot)
    assert [event.fill for event in events] == [
        Fill(trade_id="57", price=Decimal(1), amount=Decimal(4), fee=Decimal("0.2"), fee_currency="BNB",
             is_maker=True, timestamp=8),
        Fill(trade_id="58", price=Decimal(2), amount=Decimal(3), fee=Decimal("0.1"), fee_currency="BNB", timestamp=9),
    ]  # fmt: skip
    assert {(e.oid, e.eid, e.kind, e.source, e.symbol) for e in events} == {
        (OURS, "28", EventKind.FILLED, Source.QUERY, "BTCUSDT.BINANCE")
    }
    futures = (
        b'[{"symbol":"BTCUSDT","id":57,"orderId":28,"price":"1","qty":"4","commission":"-0.2","commissionAsset":"USDT",'
        b'"time":8,"buyer":true,"maker":true,"realizedPnl":"0"}]'
    )
    (event,) = VENUE.parse_fills(USD_M, "a", OURS, resolve, futures)
    assert event.fill is not None
    assert (event.fill.fee, event.fill.is_maker) == (Decimal("-0.2"), True)


def test_an_order_that_was_filled_at_a_price_that_is_not_told_is_not_told_as_filled(perp):
    """It would be told as filled at 0; the stream tells the executions with their prices."""
    filled = PLACED | {"executedQty": "0.020", "status": "FILLED", "type": "MARKET", "price": "0"}
    assert [e.kind for e in facts(USD_M, perp, submit(OrderType.MARKET), filled)] == [EventKind.ACKED]
    told = facts(USD_M, perp, submit(OrderType.MARKET), filled | {"avgPrice": "61800.5"})
    assert [(e.kind, e.average) for e in told[1:]] == [(EventKind.FILLED, Decimal("61800.5"))]


def test_a_cancel_of_inverse_contracts_whose_price_is_not_told_leaves_its_fills_to_the_stream(perp):
    inverse = msgspec.structs.replace(
        perp, symbol="BTCUSD-PERP.BINANCE", venue_symbol="BTCUSD_PERP", type=InstrumentType.INVERSE
    )
    command = ev.Cancel(oid="17", account="a", symbol=inverse.symbol, timestamp=1)
    body = {"symbol": "BTCUSD_PERP", "orderId": 7, "status": "CANCELED", "executedQty": "3", "updateTime": 5}
    (event,) = VENUE.parse_order_reply(
        BinanceAccountType.COIN_M_FUTURE, inverse, command, msgspec.json.encode(body), 9
    )
    assert (event.kind, event.filled) == (ev.EventKind.CANCELED, None)
