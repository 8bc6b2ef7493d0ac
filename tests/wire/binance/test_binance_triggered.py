"""Orders that wait for a price: of spot and margin a type like others, of futures a service of their own."""

from __future__ import annotations

import json
from decimal import Decimal
from pathlib import Path
from typing import Any

import msgspec
import pytest

from nexustrader.constants import (
    ExchangeType,
    InstrumentType,
    OrderSide,
    OrderType,
    PositionSide,
    TimeInForce,
    TriggerType,
)
from nexustrader.domain import events as ev
from nexustrader.domain.events import EventKind, OrderEvent, Source
from nexustrader.domain.instrument import Instrument
from nexustrader.error import NotSent, OrderError, WireError
from nexustrader.exchange.binance import VENUE, BinanceAccountType
from nexustrader.venue.spec import Request, Security

SPOT, USD_M, COIN_M, PM = (
    BinanceAccountType.SPOT,
    BinanceAccountType.USD_M_FUTURE,
    BinanceAccountType.COIN_M_FUTURE,
    BinanceAccountType.PORTFOLIO_MARGIN,
)
ISOLATED = BinanceAccountType.ISOLATED_MARGIN
NOW_MS = 1754000000123
OID = "17540000001230010042"
FUTURES = [USD_M, COIN_M, PM]


def instrument(kind: InstrumentType) -> Instrument:
    return Instrument(
        symbol="BTCUSDT.BINANCE", venue_symbol="BTCUSDT", exchange=ExchangeType.BINANCE, type=kind, base="BTC",
        quote="USDT", settle="USDT", tick=Decimal("0.1"), lot=Decimal("0.001"), maker=Decimal(0), taker=Decimal(0),
    )  # fmt: skip


def traded(account_type: BinanceAccountType) -> Instrument:
    kinds = {SPOT: InstrumentType.SPOT, ISOLATED: InstrumentType.SPOT, COIN_M: InstrumentType.INVERSE}
    return instrument(kinds.get(account_type, InstrumentType.LINEAR))


def submit(kind: OrderType, **changes: Any) -> ev.Submit:
    fields = {
        "oid": OID, "account": "a", "symbol": "x", "side": OrderSide.SELL, "type": kind, "amount": Decimal("0.01"),
        "price": None if kind.is_market else Decimal("59000"), "trigger_price": Decimal("59100.5"), "timestamp": 1,
    }  # fmt: skip
    return ev.Submit(**fields | changes)


def created(account_type: BinanceAccountType, command: ev.Submit) -> Request:
    return VENUE.order_request(account_type, traded(account_type), command)


def cancel(account_type: BinanceAccountType, eid: str | None, **more: Any) -> Request:
    command = ev.Cancel(oid=OID, account="a", symbol="x", eid=eid, is_triggered=True, timestamp=1, **more)
    return VENUE.cancel_request(account_type, traded(account_type), command)


# -- requests --------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("kind", "word"),
    [
        (OrderType.STOP_LOSS_MARKET, "STOP_LOSS"),
        (OrderType.STOP_LOSS_LIMIT, "STOP_LOSS_LIMIT"),
        (OrderType.TAKE_PROFIT_MARKET, "TAKE_PROFIT"),
        (OrderType.TAKE_PROFIT_LIMIT, "TAKE_PROFIT_LIMIT"),
    ],
)
@pytest.mark.parametrize("account_type", [SPOT, ISOLATED])
def test_on_spot_they_are_orders_of_a_type(kind, word, account_type, signer):
    command = submit(kind, time_in_force=TimeInForce.IOC)
    request = created(account_type, command)
    limit = (("timeInForce", "IOC"), ("price", "59000")) if kind.is_limit else ()
    isolated = (("isIsolated", "TRUE"),) if account_type is ISOLATED else ()
    assert request.params == (
        ("symbol", "BTCUSDT"), *isolated, ("side", "SELL"), ("quantity", "0.01"), ("newClientOrderId", OID),
        ("newOrderRespType", "FULL"), ("type", word), ("stopPrice", "59100.5"), *limit,
    )  # fmt: skip
    frame = msgspec.json.decode(
        VENUE.order_frame(account_type, traded(account_type), command, "1", signer, NOW_MS)
    )
    assert frame["method"] == "order.place"
    assert (frame["params"]["type"], frame["params"]["stopPrice"]) == (word, "59100.5")
    ordinary = cancel(account_type, "28")
    assert (ordinary.path, dict(ordinary.params)["orderId"]) == (request.path, "28")


@pytest.mark.parametrize(
    ("account_type", "path", "weight"),
    [(USD_M, "/fapi/v1/algoOrder", 0), (COIN_M, "/dapi/v1/algoOrder", 0), (PM, "/papi/v1/um/algo/order", 1)],
)
def test_of_futures_they_go_to_a_service_of_their_own(account_type, path, weight):
    assert created(account_type, submit(OrderType.STOP_LOSS_LIMIT)) == Request(
        "POST",
        path,
        (
            ("algoType", "CONDITIONAL"), ("symbol", "BTCUSDT"), ("side", "SELL"), ("quantity", "0.01"),
            ("type", "STOP"), ("triggerPrice", "59100.5"), ("workingType", "CONTRACT_PRICE"),
            ("timeInForce", "GTC"), ("price", "59000"), ("clientAlgoId", OID),
        ),
        Security.SIGNED,
        weight,
        1,
    )  # fmt: skip


@pytest.mark.parametrize(
    ("kind", "word"),
    [
        (OrderType.STOP_LOSS_MARKET, "STOP_MARKET"),
        (OrderType.STOP_LOSS_LIMIT, "STOP"),
        (OrderType.TAKE_PROFIT_MARKET, "TAKE_PROFIT_MARKET"),
        (OrderType.TAKE_PROFIT_LIMIT, "TAKE_PROFIT"),
    ],
)
def test_kind_trigger_and_position_of_a_futures_order_are_told_in_its_words(kind, word):
    by_mark = dict(created(USD_M, submit(kind, trigger_type=TriggerType.MARK_PRICE, reduce_only=True)).params)
    assert (by_mark["type"], by_mark["workingType"], by_mark["reduceOnly"]) == (word, "MARK_PRICE", "true")
    assert ("price" in by_mark, "timeInForce" in by_mark) == (kind.is_limit, kind.is_limit)
    hedged = dict(created(USD_M, submit(kind, position_side=PositionSide.LONG, reduce_only=True)).params)
    assert (hedged["positionSide"], "reduceOnly" in hedged) == ("LONG", False)


@pytest.mark.parametrize(
    ("account_type", "changes", "words"),
    [
        (SPOT, {"trigger_type": TriggerType.MARK_PRICE}, "MARK_PRICE.*use LAST_PRICE"),
        (USD_M, {"trigger_type": TriggerType.INDEX_PRICE}, "INDEX_PRICE.*LAST_PRICE or MARK_PRICE"),
        (SPOT, {"trigger_price": None}, "needs a trigger_price"),
        (COIN_M, {"trigger_price": None}, "needs a trigger_price"),
        (USD_M, {"price": None}, "needs a price"),
        (SPOT, {"params": {"stopPrice": "1"}}, "stopPrice"),
    ],
)
def test_what_cannot_be_sent_as_it_is_is_denied_by_name(account_type, changes, words, signer):
    command = submit(OrderType.STOP_LOSS_LIMIT, **changes)
    with pytest.raises(OrderError, match=words):
        created(account_type, command)
    with pytest.raises(OrderError, match=words):
        VENUE.order_frame(account_type, traded(account_type), command, "1", signer, NOW_MS)


def test_inverse_contracts_of_portfolio_margin_have_none():
    inverse = instrument(InstrumentType.INVERSE)
    with pytest.raises(OrderError, match="STOP_LOSS_MARKET"):
        VENUE.order_request(PM, inverse, submit(OrderType.STOP_LOSS_MARKET))
    assert len(VENUE.query_order_requests(PM, inverse, OID, None)) == 1
    assert [r.path for r in VENUE.open_orders_requests(PM, inverse)] == ["/papi/v1/cm/openOrders"]


def test_the_order_socket_takes_none_of_futures_not_even_by_a_template_made_for_others(perp, signer):
    def frame(command: ev.Submit | ev.Cancel) -> bytes:
        return VENUE.order_frame(USD_M, perp, command, "1", signer, NOW_MS)

    frame(submit(OrderType.MARKET, trigger_price=None))
    for command in (
        submit(OrderType.STOP_LOSS_MARKET),
        submit(OrderType.TAKE_PROFIT_LIMIT, position_side=PositionSide.LONG),
        ev.Cancel(oid=OID, account="a", symbol="x", eid="algo-5", timestamp=1),
        ev.Cancel(oid=OID, account="a", symbol="x", is_triggered=True, timestamp=1),
    ):
        with pytest.raises(NotSent, match="by REST"):
            frame(command)
    assert b"order.cancel" in frame(
        ev.Cancel(oid=OID, account="a", symbol="x", eid="5", is_triggered=True, timestamp=1)
    )


@pytest.mark.parametrize(
    ("account_type", "path", "order"),
    [
        (USD_M, "/fapi/v1/algoOrder", "/fapi/v1/order"),
        (COIN_M, "/dapi/v1/algoOrder", "/dapi/v1/order"),
        (PM, "/papi/v1/um/algo/order", "/papi/v1/um/order"),
    ],
)
def test_a_cancel_goes_where_the_order_is_as_far_as_we_know(account_type, path, order):
    expected = Request("DELETE", path, (("clientAlgoId", OID),), Security.SIGNED, 1)
    assert cancel(account_type, None) == cancel(account_type, "algo-5") == expected
    assert cancel(account_type, None, params={"recv": 1}).params[1:] == (("recv", "1"),)
    after_its_trigger = cancel(account_type, "28")
    assert after_its_trigger.path == order
    assert ("origClientOrderId", OID) in after_its_trigger.params


@pytest.mark.parametrize("account_type", FUTURES)
def test_one_that_waits_cannot_be_amended(account_type):
    command = ev.Amend(
        oid=OID, account="a", symbol="x", side=OrderSide.BUY, price=Decimal(1), amount=Decimal(1), eid="algo-5",
        timestamp=1,
    )  # fmt: skip
    with pytest.raises(OrderError, match="waits for its trigger; cancel it"):
        VENUE.amend_request(account_type, traded(account_type), command)
    VENUE.amend_request(account_type, traded(account_type), msgspec.structs.replace(command, eid="5"))


@pytest.mark.parametrize(
    ("account_type", "root", "query", "listed"),
    [
        (USD_M, "/fapi/v1", "/fapi/v1/algoOrder", "/fapi/v1/openAlgoOrders"),
        (COIN_M, "/dapi/v1", "/dapi/v1/algoOrder", "/dapi/v1/openAlgoOrders"),
        (PM, "/papi/v1/um", "/papi/v1/um/algo/algoOrder", "/papi/v1/um/algo/openAlgoOrders"),
    ],
)
def test_both_places_are_asked_until_the_trigger_is_known(account_type, root, query, listed):
    where = traded(account_type)
    symbol = ("symbol", "BTCUSDT")
    by_ours = Request("GET", f"{root}/order", (symbol, ("origClientOrderId", OID)), Security.SIGNED, 1)
    waiting = Request("GET", query, (("clientAlgoId", OID),), Security.SIGNED, 1)
    for eid in (None, "algo-5"):
        assert VENUE.query_order_requests(account_type, where, OID, eid) == (by_ours, waiting)
    by_theirs = Request("GET", f"{root}/order", (symbol, ("orderId", "28")), Security.SIGNED, 1)
    assert VENUE.query_order_requests(account_type, where, OID, "28") == (by_theirs,)
    assert VENUE.open_orders_requests(account_type, where) == (
        Request("GET", f"{root}/openOrders", (symbol,), Security.SIGNED, 1),
        Request("GET", listed, (symbol,), Security.SIGNED, 1),
    )
    assert VENUE.open_orders_requests(account_type, None)[-1] == Request(
        "GET", listed, (), Security.SIGNED, 40
    )
    assert VENUE.fills_request(account_type, where, "algo-5") is None


# -- facts -----------------------------------------------------------------------------------------------------

ROW: dict[str, Any] = {
    "algoId": 2146760, "clientAlgoId": OID, "algoType": "CONDITIONAL", "orderType": "TAKE_PROFIT",
    "symbol": "BTCUSDT", "side": "SELL", "positionSide": "BOTH", "timeInForce": "GTC", "quantity": "0.01",
    "algoStatus": "NEW", "actualOrderId": "", "triggerPrice": "750.000", "price": "749.000",
    "icebergQuantity": "None", "reduceOnly": False, "activatePrice": "", "createTime": 1750485492076,
    "updateTime": 1750485492076, "triggerTime": 0,
}  # fmt: skip


def queried(resolve, account_type=USD_M, **changes: Any) -> OrderEvent:
    (event,) = VENUE.parse_orders(account_type, "a", resolve, msgspec.json.encode([{**ROW, **changes}]))
    return event


def test_a_waiting_order_in_an_answer_is_known_in_full(resolve):
    assert queried(resolve) == OrderEvent(
        oid=OID, kind=EventKind.ACCEPTED, source=Source.QUERY, timestamp=1750485492076, account="a",
        symbol="BTCUSDT-PERP.BINANCE", eid="algo-2146760", price=Decimal(749), amount=Decimal("0.01"),
        side=OrderSide.SELL, type=OrderType.TAKE_PROFIT_LIMIT, time_in_force=TimeInForce.GTC, reduce_only=False,
        trigger_price=Decimal(750),
    )  # fmt: skip
    hedged = queried(resolve, orderType="STOP_MARKET", price="", positionSide="SHORT", reduceOnly=True)
    assert (hedged.type, hedged.price, hedged.position_side, hedged.reduce_only) == (
        OrderType.STOP_LOSS_MARKET, None, PositionSide.SHORT, True,
    )  # fmt: skip


@pytest.mark.parametrize("status", ["TRIGGERED", "FINISHED"])
def test_one_that_has_triggered_is_only_told_what_it_has_become(status, resolve):
    event = queried(resolve, algoStatus=status, actualOrderId="28", updateTime=1750485493000)
    assert (event.kind, event.eid, event.timestamp) == (EventKind.ACCEPTED, "28", 1750485493000)
    assert (event.filled, event.fill, event.price, event.amount) == (None, None, None, None)


@pytest.mark.parametrize(
    ("status", "kind"),
    [
        ("NEW", EventKind.ACCEPTED),
        ("TRIGGERING", EventKind.ACCEPTED),
        ("CANCELED", EventKind.CANCELED),
        ("EXPIRED", EventKind.EXPIRED),
        ("REJECTED", EventKind.REJECTED),
        ("A_STATE_OF_NEXT_YEAR", EventKind.ACCEPTED),
    ],
)
def test_states_of_the_service_are_told_with_the_reason_for_an_end(status, kind, resolve):
    event = queried(resolve, algoStatus=status, rm="Margin is insufficient.")
    ended = kind is not EventKind.ACCEPTED
    assert (event.kind, event.eid) == (kind, "algo-2146760")
    assert event.reason == ("Margin is insufficient." if ended else None)


def test_the_reply_to_a_create_says_that_it_waits(perp):
    command = submit(OrderType.TAKE_PROFIT_LIMIT)
    body = {name: value for name, value in ROW.items() if name != "actualOrderId"} | {"clientAlgoId": "other"}
    acked, accepted = VENUE.parse_order_reply(USD_M, perp, command, msgspec.json.encode(body), NOW_MS)
    assert (acked.kind, accepted.kind) == (EventKind.ACKED, EventKind.ACCEPTED)
    assert {(event.oid, event.eid, event.source) for event in (acked, accepted)} == {
        (OID, "algo-2146760", Source.ACK)
    }


def test_the_reply_to_a_cancel_is_done_or_cannot_be_read(perp):
    command = ev.Cancel(oid=OID, account="a", symbol="x", eid="algo-5", is_triggered=True, timestamp=1)

    def facts(body: dict[str, Any]) -> tuple[OrderEvent, ...]:
        return VENUE.parse_order_reply(USD_M, perp, command, msgspec.json.encode(body), NOW_MS)

    assert facts({"algoId": 5, "clientAlgoId": OID, "code": "200", "msg": "success"}) == ()
    assert facts({"complete": True}) == ()
    for body in ({}, {"complete": False}, {"code": "1"}):
        with pytest.raises(WireError):
            facts(body)


def update(**changes: Any) -> bytes:
    order = {
        "caid": OID, "aid": 2148719, "at": "CONDITIONAL", "o": "STOP_MARKET", "s": "BTCUSDT", "S": "SELL",
        "ps": "BOTH", "f": "GTC", "q": "0.01", "X": "NEW", "ai": "", "tp": "750", "p": "0", "R": True, "tt": 0,
    }  # fmt: skip
    return msgspec.json.encode(
        {"e": "ALGO_UPDATE", "T": 1750515742297, "E": 1750515742303, "o": order | changes}
    )


@pytest.mark.parametrize(
    ("changes", "kind", "eid", "reason"),
    [
        ({}, EventKind.ACCEPTED, "algo-2148719", None),
        ({"X": "TRIGGERING"}, EventKind.ACCEPTED, "algo-2148719", None),
        ({"X": "TRIGGERED", "ai": "28"}, EventKind.ACCEPTED, "28", None),
        ({"X": "FINISHED", "ai": 28}, EventKind.ACCEPTED, "28", None),
        ({"X": "CANCELED", "ai": "0"}, EventKind.CANCELED, "algo-2148719", None),
        ({"X": "REJECTED", "rm": "no margin"}, EventKind.REJECTED, "algo-2148719", "no margin"),
    ],
)
def test_an_event_of_the_service_is_a_fact_about_the_order(changes, kind, eid, reason, resolve):
    (event,) = VENUE.parse_user_event(USD_M, "a", resolve, update(**changes))
    assert (event.oid, event.kind, event.source, event.timestamp) == (OID, kind, Source.STREAM, 1750515742297)
    assert (event.eid, event.reason, event.trigger_price) == (eid, reason, Decimal(750))
    assert (event.type, event.price, event.reduce_only) == (OrderType.STOP_LOSS_MARKET, None, True)


def test_an_event_that_lacks_what_it_is_about_cannot_be_read(resolve):
    for body in (
        {"caid": "x"},
        {"aid": 1, "caid": "x", "s": "BTCUSDT", "S": "BUY", "o": "STOP", "X": "NEW", "q": "nan"},
    ):
        raw = msgspec.json.encode({"e": "ALGO_UPDATE", "T": 1, "E": 1, "o": body})
        with pytest.raises(WireError):
            VENUE.parse_user_event(USD_M, "a", resolve, raw)


@pytest.fixture
def recorded(testdata: Path) -> bytes:
    path = testdata / "wire/binance/samples/transcripts/usdfutures__AlgoOrderUpdate.jsonl"
    pushes = [json.loads(line) for line in path.read_text().splitlines()]
    return json.dumps(next(push["msg"] for push in pushes if push["dir"] == "server_push")).encode()


def test_the_recorded_event_is_read(recorded):
    (event,) = VENUE.parse_user_event(USD_M, "a", lambda _: None, recorded)
    assert event == OrderEvent(
        oid="Q5xaq5EGKgXXa0fD7fs0Ip", kind=EventKind.CANCELED, source=Source.STREAM, timestamp=1750515742297,
        account="a", symbol="BNBUSDT-PERP.BINANCE", eid="algo-2148719", price=Decimal(750), amount=Decimal("0.01"),
        side=OrderSide.SELL, type=OrderType.TAKE_PROFIT_LIMIT, time_in_force=TimeInForce.GTC, reduce_only=False,
        trigger_price=Decimal(750),
    )  # fmt: skip


def test_spot_tells_the_trigger_of_its_own_orders(resolve_spot):
    row = {
        "symbol": "BTCUSDT", "orderId": 28, "clientOrderId": OID, "price": "59000", "origQty": "0.01",
        "executedQty": "0", "status": "NEW", "timeInForce": "GTC", "type": "STOP_LOSS_LIMIT", "side": "SELL",
        "stopPrice": "59100.50000000", "time": 5,
    }  # fmt: skip
    (event,) = VENUE.parse_orders(SPOT, "a", resolve_spot, msgspec.json.encode([row]))
    assert (event.type, event.trigger_price, event.eid) == (
        OrderType.STOP_LOSS_LIMIT,
        Decimal("59100.5"),
        "28",
    )
    (plain,) = VENUE.parse_orders(
        SPOT, "a", resolve_spot, msgspec.json.encode([{**row, "stopPrice": "0.00000000"}])
    )
    assert plain.trigger_price is None
