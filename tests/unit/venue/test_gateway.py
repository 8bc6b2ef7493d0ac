"""One account over the wire: what each answer and each silence of the venue is concluded to be."""

from __future__ import annotations

import asyncio
import json
from decimal import Decimal
from urllib.parse import parse_qs, urlsplit

import pytest

from memory_transport import answers
from nexustrader.constants import OrderType
from nexustrader.domain.outcome import CommandKind, Conclusion, Route
from nexustrader.error import NotSent, OutcomeUnknown
from nexustrader.exchange.binance import VENUE
from nexustrader.execution.outcome import Step, next_step
from nexustrader.venue.session import RestSession
from nexustrader.venue.transport import HttpAnswer
from venue_account import OID, SYMBOL, TYPE, Account, account_test, http


@account_test
async def test_an_order_reaches_the_socket_in_the_same_call_and_its_ack_is_accepted(a: Account) -> None:
    a.submit()
    assert json.loads(a.order_socket.sent[-1])["method"] == "order.place"
    a.reply(
        {"status": 200, "result": {"orderId": 7, "clientOrderId": OID, "status": "NEW", "symbol": "BTCUSDT"}}
    )
    (result,) = a.results
    assert result.conclusion is Conclusion.ACCEPTED
    assert result.events[0].eid == "7"


@account_test
async def test_no_ack_in_time_is_unknown_and_the_reply_that_comes_later_is_told_as_late(a: Account) -> None:
    a.submit()
    await asyncio.sleep(5.1)
    a.reply({"status": 400, "error": {"code": -2019, "msg": "Margin is insufficient."}})
    a.reply({"status": 400, "error": {"code": -2019, "msg": "Margin is insufficient."}})
    assert [(r.conclusion, r.is_late) for r in a.results] == [
        (Conclusion.UNKNOWN, False),
        (Conclusion.REJECTED, True),
    ]


@account_test
async def test_a_late_ack_carries_the_order_that_the_venue_made(a: Account) -> None:
    a.submit()
    await asyncio.sleep(30)
    a.reply(
        {"status": 200, "result": {"orderId": 7, "clientOrderId": OID, "status": "NEW", "symbol": "BTCUSDT"}}
    )
    assert [(r.conclusion, r.is_late) for r in a.results] == [
        (Conclusion.UNKNOWN, False),
        (Conclusion.ACCEPTED, True),
    ]
    assert a.results[1].events[0].eid == "7"


@account_test
async def test_a_late_reply_that_leaves_the_doubt_is_no_second_conclusion(a: Account) -> None:
    a.submit()
    await asyncio.sleep(5.1)
    a.reply(
        {"status": 503, "error": {"code": -1007, "msg": "Timeout waiting for response from backend server."}}
    )
    assert a.conclusions == [Conclusion.UNKNOWN]


@account_test
async def test_what_was_lost_with_its_socket_has_no_late_reply(a: Account) -> None:
    a.submit()
    await asyncio.sleep(5.1)
    request_id = json.loads(a.order_socket.sent[-1])["id"]
    a.order_socket.break_off()
    await asyncio.sleep(30)
    a.order_socket.push(
        json.dumps({"id": request_id, "status": 400, "error": {"code": -2019, "msg": "no"}}).encode()
    )
    assert a.conclusions == [Conclusion.UNKNOWN]


@account_test
async def test_the_result_of_a_cancel_says_which_of_several_it_concludes(a: Account) -> None:
    a.cancel(attempt=1)
    a.cancel(attempt=2)
    a.reply({"status": 400, "error": {"code": -2011, "msg": "Unknown order sent."}})
    assert [r.attempt for r in a.results] == [2]


@account_test
async def test_a_private_stream_that_is_suspected_of_silence_is_begun_anew(a: Account) -> None:
    a.gateway.renew("it did not tell of an order")
    await asyncio.sleep(30)
    assert a.statuses == ["connected", "disconnected", "connected", "reconnected"]


@account_test
async def test_a_socket_lost_between_send_and_ack_is_unknown_not_failed(a: Account) -> None:
    a.submit()
    a.order_socket.break_off()
    await asyncio.sleep(0.1)
    assert [r.conclusion for r in a.results] == [Conclusion.UNKNOWN]


@account_test
async def test_without_a_socket_nothing_is_sent_and_that_is_said(a: Account) -> None:
    a.transport.refuse_connections = True
    a.order_socket.break_off()
    await asyncio.sleep(0.01)
    a.submit()
    assert [r.conclusion for r in a.results] == [Conclusion.NOT_SENT]


@account_test
async def test_a_definite_refusal_is_rejected_with_the_venues_words(a: Account) -> None:
    a.submit()
    a.reply({"status": 400, "error": {"code": -2019, "msg": "Margin is insufficient."}})
    assert a.results[0].conclusion is Conclusion.REJECTED
    assert "Margin is insufficient" in (a.results[0].reason or "")


@account_test
async def test_a_5xx_on_the_order_socket_is_unknown(a: Account) -> None:
    a.submit()
    a.reply(
        {"status": 503, "error": {"code": -1007, "msg": "Timeout waiting for response from backend server."}}
    )
    assert a.results[0].conclusion is Conclusion.UNKNOWN


@account_test
async def test_a_rest_order_without_a_readable_answer_is_unknown(a: Account) -> None:
    for answer in (
        OutcomeUnknown("reset"),
        http(502, b"<html>Bad gateway</html>"),
        http(200, b'{"orderId": '),
        http(200, b"<html>ok</html>"),
        http(503, {"code": -1000, "msg": "Unknown error, please check your request or try again later."}),
    ):
        a.results.clear()
        a.orders = answers(answer)
        a.submit(Route.REST)
        await asyncio.sleep(1)
        assert [r.conclusion for r in a.results] == [Conclusion.UNKNOWN], answer


@account_test
async def test_a_rest_order_without_a_connection_was_not_sent(a: Account) -> None:
    a.orders = answers(NotSent("connection refused"))
    a.submit(Route.REST)
    await asyncio.sleep(1)
    assert [r.conclusion for r in a.results] == [Conclusion.NOT_SENT]


@account_test
async def test_an_order_refused_for_clock_skew_is_sent_again_after_the_clock_was_read(a: Account) -> None:
    skew = http(400, {"code": -1021, "msg": "Timestamp for this request is outside of the recvWindow."})
    done = http(200, {"orderId": 7, "clientOrderId": OID, "status": "NEW", "symbol": "BTCUSDT"})
    a.orders = answers(skew, done)
    a.submit(Route.REST)
    await asyncio.sleep(1)
    assert [r.conclusion for r in a.results] == [Conclusion.ACCEPTED]
    sent = [url for method, url in a.transport.requests if method == "POST" and "order" in url]
    assert len(sent) == 2
    assert all(OID in url for url in sent)


@account_test
async def test_after_a_ban_nothing_leaves_until_it_ends(a: Account) -> None:
    a.orders = answers(
        http(418, {"code": -1003, "msg": "Way too many requests; IP banned."}, retry_after="120")
    )
    a.submit(Route.REST)
    await asyncio.sleep(1)
    assert a.results[-1].conclusion is Conclusion.REJECTED
    before = len(a.transport.requests)
    a.submit(Route.REST)
    await asyncio.sleep(1)
    assert a.results[-1].conclusion is Conclusion.NOT_SENT
    assert len(a.transport.requests) == before


@account_test
async def test_private_events_are_delivered_and_an_unreadable_one_asks_for_a_resync(a: Account) -> None:
    assert a.statuses == ["connected"]
    a.user_socket.push(b'{"e":"ORDER_TRADE_UPDATE","o":{"s":17}}')
    assert a.statuses[-1] == "resync_needed"
    a.user_socket.push(b'{"e":"SOMETHING_NEW","E":1}')
    assert a.facts == []


@account_test
async def test_an_expired_listen_key_is_replaced_by_a_new_connection(a: Account) -> None:
    a.user_socket.push(b'{"e":"listenKeyExpired","E":1,"listenKey":"abc"}')
    await asyncio.sleep(60)
    assert a.statuses == ["connected", "listen_key_expired", "disconnected", "connected", "reconnected"]
    assert sum("listenKey" in url for _, url in a.transport.requests) == 2


@account_test
async def test_the_listen_key_is_kept_alive(a: Account) -> None:
    await asyncio.sleep(2 * 3600)
    kept = [m for m, url in a.transport.requests if "listenKey" in url and m == "PUT"]
    assert len(kept) >= 3


@account_test
async def test_clock_skew_on_the_order_socket_corrects_the_clock_for_the_orders_after_it(a: Account) -> None:
    a.time = lambda: http(200, {"serverTime": a.clock.timestamp_ms() + 90_000})
    a.submit()
    a.reply({"status": 400, "error": {"code": -1021, "msg": "Timestamp is outside of the recvWindow."}})
    assert a.results[-1].conclusion is Conclusion.REJECTED
    await asyncio.sleep(0.1)
    assert a.session.time.offset_ms == 90_000


@account_test
async def test_a_ban_told_on_the_order_socket_silences_the_requests_after_it(a: Account) -> None:
    a.submit()
    now = a.clock.timestamp_ms()
    data = {"serverTime": now, "retryAfter": now + 60_000}
    error = {"code": -1003, "msg": "Too many requests; current limit is 6000.", "data": data}
    a.reply({"status": 418, "error": error})
    await asyncio.sleep(0.1)
    assert a.session.banned_ms() > 50_000
    assert a.statuses[-1] == "banned"


@account_test
async def test_past_executions_are_read_page_by_page_until_one_is_not_full(a: Account) -> None:
    def trades(_method: str, url: str) -> HttpAnswer:
        query = parse_qs(urlsplit(url).query)
        first = int(query["fromId"][0]) if "fromId" in query else 1
        rows = [
            {"symbol": "BTCUSDT", "id": trade, "orderId": 7, "price": "1", "qty": "1", "commission": "0",
             "commissionAsset": "USDT", "time": 5}
            for trade in range(first, min(first + int(query["limit"][0]), 2_501))
        ]  # fmt: skip
        return HttpAnswer(200, {}, json.dumps(rows).encode())

    a.transport.answer = trades
    fills = await a.gateway.query_fills_since(SYMBOL, 4)
    assert [fill.fill.trade_id for fill in fills if fill.fill] == [str(n) for n in range(1, 2_501)]
    assert {fill.eid for fill in fills} == {"7"}
    asked = [parse_qs(urlsplit(url).query) for _, url in a.transport.requests if "Trades" in url]
    assert [("startTime" in query, query.get("fromId")) for query in asked] == [
        (True, None),
        (False, ["1001"]),
        (False, ["2001"]),
    ]


@account_test
async def test_a_past_without_end_is_no_answer(a: Account) -> None:
    row = {"symbol": "BTCUSDT", "orderId": 7, "price": "1", "qty": "1", "commission": "0", "time": 5}
    a.transport.answer = lambda _method, _url: HttpAnswer(
        200, {}, json.dumps([{**row, "id": n} for n in range(1_000)]).encode()
    )
    with pytest.raises(OutcomeUnknown, match="more than 20 pages"):
        await a.gateway.query_fills_since(SYMBOL, 4)


@account_test
async def test_executions_of_other_orders_in_an_answer_are_not_taken_for_the_order(a: Account) -> None:
    """Some venues can be asked for the executions of all orders only."""
    row = {"symbol": "BTCUSDT", "price": "1", "qty": "1", "commission": "0", "time": 5}
    a.orders = lambda _method, _url: HttpAnswer(
        200, {}, json.dumps([{**row, "id": n, "orderId": 7 + n % 2} for n in range(6)]).encode()
    )
    fills = await a.gateway.query_fills(SYMBOL, OID, "7")
    assert [(fill.eid, fill.oid, fill.fill and fill.fill.trade_id) for fill in fills] == [
        ("7", OID, "0"),
        ("7", OID, "2"),
        ("7", OID, "4"),
    ]


@account_test
async def test_a_clock_elsewhere_is_read_there(a: Account) -> None:
    session = RestSession(
        VENUE, "https://venue", VENUE.server_time_request(TYPE), a.transport, a.clock, a.session.limiter,
        clock_url="https://clock/",
    )  # fmt: skip
    await session.sync_time()
    assert a.transport.requests[-1] == ("GET", "https://clock/fapi/v1/time")
    assert session.time.synced_at_ms is not None


STOP = {"type": OrderType.STOP_LOSS_MARKET, "price": None, "trigger_price": Decimal(29_000)}


@account_test
async def test_what_has_to_go_by_rest_is_not_sent_by_the_order_socket_and_may_go_by_rest_then(
    a: Account,
) -> None:
    sent = len(a.order_socket.sent)
    a.submit(**STOP)
    a.cancel(eid="algo-5", is_triggered=True)
    assert [(r.kind, r.conclusion, r.reason) for r in a.results] == [
        (kind, Conclusion.NOT_SENT, "orders that wait for a price go by REST")
        for kind in (CommandKind.CREATE, CommandKind.CANCEL)
    ]
    assert len(a.order_socket.sent) == sent
    assert next_step(a.results[0], ws_fallback=True) is Step.REROUTE
    asked = []
    row = {"algoId": 5, "clientAlgoId": OID, "symbol": "BTCUSDT", "side": "BUY", "orderType": "STOP_MARKET"}

    def answer(method: str, url: str) -> HttpAnswer:
        asked.append((method, urlsplit(url).path))
        return http(200, {**row, "algoStatus": "NEW", "triggerPrice": "29000"})

    a.orders = answer
    a.submit(Route.REST, **STOP)
    await asyncio.sleep(0.1)
    assert asked == [("POST", "/fapi/v1/algoOrder")]
    assert [event.eid for event in a.results[-1].events] == ["algo-5", "algo-5"]


@account_test
async def test_an_order_that_waits_for_a_price_is_looked_for_in_both_places_and_has_no_executions(
    a: Account,
) -> None:
    asked = []
    row = {"algoId": 5, "clientAlgoId": OID, "symbol": "BTCUSDT", "side": "BUY", "orderType": "STOP_MARKET"}

    def answer(_method: str, url: str) -> HttpAnswer:
        asked.append(urlsplit(url).path)
        if asked[-1] == "/fapi/v1/order":
            return http(400, {"code": -2013, "msg": "Order does not exist."})
        return http(200, {**row, "algoStatus": "NEW", "quantity": "0.01"})

    a.orders = answer
    found = await a.gateway.query_order(SYMBOL, OID, "algo-5")
    assert found is not None
    assert (found.eid, found.type) == ("algo-5", OrderType.STOP_LOSS_MARKET)
    assert asked == ["/fapi/v1/order", "/fapi/v1/algoOrder"]
    assert await a.gateway.query_fills(SYMBOL, OID, "algo-5") == []
    assert len(asked) == 2
