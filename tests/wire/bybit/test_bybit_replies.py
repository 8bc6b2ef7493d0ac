"""Replies of REST and of the five kinds of sockets."""

from __future__ import annotations

import msgspec
import pytest

from nexustrader.exchange.bybit import VENUE

OK = b'{"retCode":0,"retMsg":"","result":{"orderId":"1"},"retExtInfo":{},"time":1700000000000}'


def encoded(**message):
    return msgspec.json.encode(message)


PONGS = {
    "spot": {"success": True, "ret_msg": "pong", "conn_id": "c", "op": "ping"},
    "linear": {"success": True, "ret_msg": "pong", "conn_id": "c", "req_id": "p1", "op": "ping"},
    "option": {"args": ["1700000000000"], "op": "pong"},
    "private": {"req_id": "p1", "op": "pong", "args": ["1700000000000"], "conn_id": "c"},
    "trade": {"retCode": 0, "retMsg": "OK", "op": "pong", "data": ["1700000000000"], "connId": "c"},
}
ACKS = {
    "spot": {"success": True, "ret_msg": "subscribe", "conn_id": "c", "req_id": "7", "op": "subscribe"},
    "linear": {"success": True, "ret_msg": "", "conn_id": "c", "req_id": "7", "op": "subscribe"},
    "private": {"success": True, "ret_msg": "", "op": "auth", "conn_id": "c", "req_id": "7"},
    "trade": {"retCode": 0, "retMsg": "OK", "op": "auth", "connId": "c", "reqId": "7"},
}


@pytest.mark.parametrize("family", PONGS)
def test_a_pong_of_any_socket_is_no_reply_and_no_complaint(family):
    raw = msgspec.json.encode(PONGS[family])
    assert VENUE.parse_ws_reply(raw) is None
    assert VENUE.control_problem(raw) is None
    assert VENUE.topic_of(raw) is None


@pytest.mark.parametrize("family", ACKS)
def test_an_ack_answers_its_request(family):
    raw = msgspec.json.encode(ACKS[family])
    answer = VENUE.parse_ws_reply(raw)
    assert answer is not None
    assert (answer.request_id, answer.reply.ok) == ("7", True)
    assert VENUE.control_problem(raw) is None


def test_options_name_the_topics_that_failed():
    data = {"failTopics": [], "successTopics": ["tickers.X"]}
    assert VENUE.control_problem(encoded(success=True, conn_id="c", data=data, type="COMMAND_RESP")) is None
    data = {"failTopics": ["tickers.Y"], "successTopics": []}
    assert "tickers.Y" in VENUE.control_problem(
        encoded(success=False, conn_id="c", data=data, type="COMMAND_RESP")
    )


def test_a_refused_subscription_is_a_complaint_but_not_one_that_is_there_already():
    refused = encoded(
        success=False, ret_msg="error:handler not found,topic:orderbook.7.X", op="subscribe", req_id="1"
    )
    again = encoded(
        success=False, ret_msg="error:already subscribed,topic:orderbook.1.X", op="subscribe", req_id="1"
    )
    assert "orderbook.7.X" in VENUE.control_problem(refused)
    assert VENUE.control_problem(again) is None
    answer = VENUE.parse_ws_reply(refused)
    assert (answer.reply.ok, answer.reply.code) == (False, "subscribe.refused")


@pytest.mark.parametrize(
    ("text", "code"),
    [("Request expired", "auth.expired"), ("Invalid sign", "auth.refused"), ("Params Error", "auth.refused")],
)
def test_a_refused_logon_says_whether_the_clock_was_the_reason(text, code):
    answer = VENUE.parse_ws_reply(encoded(success=False, ret_msg=text, op="auth", conn_id="c", req_id="u1"))
    assert (answer.request_id, answer.reply.code, answer.reply.message) == ("u1", code, text)


def test_a_logon_of_the_order_socket_that_came_too_late_is_no_wrong_key():
    late = encoded(reqId="u1", retCode=10004, retMsg="Request expired", op="auth")
    wrong = encoded(reqId="u1", retCode=10004, retMsg="Invalid sign", op="auth")
    assert VENUE.parse_ws_reply(late).reply.code == "auth.expired"
    assert VENUE.parse_ws_reply(wrong).reply.code == "10004"


def test_the_reply_to_an_order_is_matched_without_the_time_in_its_id():
    raw = encoded(
        reqId="17-1700000000000", retCode=110001, retMsg="too late", op="order.cancel", data={}, connId="c"
    )
    answer = VENUE.parse_ws_reply(raw)
    assert answer.request_id == "17"
    assert (answer.reply.ok, answer.reply.code, answer.reply.message) == (False, "110001", "too late")


def test_a_reply_without_an_id_answers_no_request():
    assert VENUE.parse_ws_reply(encoded(retCode=10404, retMsg="op", op="x")).request_id is None
    assert (
        VENUE.parse_ws_reply(encoded(success=True, ret_msg="", op="subscribe", req_id="")).request_id is None
    )


@pytest.mark.parametrize("topic", ["order", "execution", "tickers.BTCUSDT"])
def test_data_are_no_reply(topic):
    assert VENUE.parse_ws_reply(encoded(topic=topic, data=[], creationTime=1)) is None


def test_a_limit_on_the_order_socket_says_when_it_opens_again():
    header = {"X-Bapi-Limit-Reset-Timestamp": "1700000000400", "Timenow": 1700000000100, "X-Bapi-Limit": None}
    raw = encoded(
        reqId="1-2", retCode=10006, retMsg="Too many visits!", op="order.create", data={}, header=header
    )
    assert VENUE.parse_ws_reply(raw).reply.retry_after_ms == 300


# -- REST -----------------------------------------------------------------------------------------------


def test_a_good_reply_keeps_its_body():
    reply = VENUE.parse_rest_reply(200, {}, OK, 1)
    assert (reply.ok, reply.code, reply.body) == (True, None, OK)


def test_the_code_decides_and_not_the_text():
    assert VENUE.parse_rest_reply(200, {}, encoded(retCode=0, retMsg="SUCCESS"), 1).ok
    reply = VENUE.parse_rest_reply(200, {}, encoded(retCode=110007, retMsg="OK", result={}), 1)
    assert (reply.ok, reply.code, reply.retry_after_ms) == (False, "110007", None)


def test_a_limit_says_when_it_opens_again_by_the_venue_s_own_clock():
    headers = {"X-Bapi-Limit-Reset-Timestamp": "1700000001000"}
    body = encoded(retCode=10006, retMsg="Too many visits!", time=1700000000750)
    assert VENUE.parse_rest_reply(200, headers, body, 1).retry_after_ms == 250
    assert VENUE.parse_rest_reply(200, {}, body, 1).retry_after_ms == 1_000
    assert VENUE.parse_rest_reply(200, headers, OK, 1).retry_after_ms is None


def test_a_breached_limit_of_the_ip_asks_for_ten_minutes():
    reply = VENUE.parse_rest_reply(403, {}, b"access too frequent", 1)
    assert (reply.ok, reply.code, reply.retry_after_ms) == (False, "HTTP 403.frequent", 600_000)
    assert reply.message == "access too frequent"


def test_a_firewall_that_says_no_reason_is_tried_again_soon():
    reply = VENUE.parse_rest_reply(403, {}, b"<html>403 Forbidden</html>", 1)
    assert (reply.ok, reply.code, reply.retry_after_ms) == (False, "HTTP 403", 10_000)


def test_too_many_sessions_are_not_a_wrong_key():
    body = encoded(retCode=10003, retMsg="Too many sessions under the same UID")
    assert VENUE.parse_rest_reply(200, {}, body, 1).code == "10003.sessions"
    assert (
        VENUE.parse_rest_reply(200, {}, encoded(retCode=10003, retMsg="API key is invalid."), 1).code
        == "10003"
    )


@pytest.mark.parametrize("body", [b"", b"<html>", b"[]", b'{"result":{}}', b'{"retCode":"0"}', b"\xff"])
def test_what_cannot_be_read_concludes_nothing(body):
    reply = VENUE.parse_rest_reply(200, {}, body, 1)
    assert (reply.ok, reply.code) == (False, None)
    assert VENUE.parse_rest_reply(502, {}, body, 1).code == "HTTP 502"


def test_a_yes_with_a_bad_status_is_no_yes():
    assert not VENUE.parse_rest_reply(500, {}, OK, 1).ok
    assert VENUE.parse_rest_reply(500, {}, OK, 1).code == "HTTP 500"


def test_the_headers_count_a_bucket_that_nobody_names():
    assert tuple(VENUE.used_limits({"x-bapi-limit": "10", "x-bapi-limit-status": "3"})) == ()


def test_the_key_that_a_refused_signature_echoes_is_not_told():
    echoed = "error sign! origin_string[1700000000000MYKEY5000{}]"
    rest = VENUE.parse_rest_reply(200, {}, msgspec.json.encode({"retCode": 10004, "retMsg": echoed}), 0)
    socket = VENUE.parse_ws_reply(msgspec.json.encode({"reqId": "7", "retCode": 10004, "retMsg": echoed}))
    assert socket is not None
    for reply in (rest, socket.reply):
        assert (reply.code, reply.message) == ("10004", "error sign!")
