"""Replies: what may be concluded from each, and the facts that they carry."""

from __future__ import annotations

from typing import Any

import msgspec
import pytest

from nexustrader.domain.outcome import Conclusion
from nexustrader.exchange.binance import VENUE, BinanceAccountType
from nexustrader.exchange.binance.errors import ERRORS, RETRY_HINTS_MS
from nexustrader.venue.classify import conclude, rule_of
from nexustrader.venue.spec import Reply

SPOT, USD_M = BinanceAccountType.SPOT, BinanceAccountType.USD_M_FUTURE
NOW_MS = 1754000000500
OURS = "17540000001230010042"


def rest(status: int, body: Any, headers: dict[str, str] | None = None) -> Reply:
    raw = body if isinstance(body, bytes) else msgspec.json.encode(body)
    return VENUE.parse_rest_reply(status, headers or {}, raw, NOW_MS)


def concluded(reply: Reply) -> Conclusion:
    return conclude(VENUE.spec, reply)


# -- conclusions -----------------------------------------------------------------------------------------

UNKNOWN, REJECTED, ACCEPTED = Conclusion.UNKNOWN, Conclusion.REJECTED, Conclusion.ACCEPTED
INTERNAL_ERROR = "Internal error; unable to process your request. Please try again."


@pytest.mark.parametrize(
    ("status", "body", "conclusion"),
    [
        # done
        (200, {"orderId": 1, "status": "NEW"}, ACCEPTED),
        (200, [], ACCEPTED),
        (200, {"code": 200, "msg": "success"}, ACCEPTED),
        (200, {"algoId": 1, "code": "200"}, ACCEPTED),
        # may have been done
        (500, {"code": -1000, "msg": "An unknown error occurred while processing the request."}, UNKNOWN),
        (500, {"code": -1006, "msg": "An unexpected response was received."}, UNKNOWN),
        (408, {"code": -1007, "msg": "Timeout waiting for response from backend server."}, UNKNOWN),
        (408, b"", UNKNOWN),
        (500, b"", UNKNOWN),
        (502, b"<html>Bad Gateway</html>", UNKNOWN),
        (504, {"msg": "timeout"}, UNKNOWN),
        (503, {"msg": "Unknown error, please check your request or try again later."}, UNKNOWN),
        (
            503,
            {"code": -1000, "msg": "Unknown error, please check your request or try again later."},
            UNKNOWN,
        ),
        (503, b"<html><h1>503 Service Unavailable.</h1></html>", UNKNOWN),
        (503, {"code": -1001, "msg": "Disconnected."}, UNKNOWN),
        (400, {"code": -4116, "msg": "ClientOrderId is duplicated."}, UNKNOWN),
        (400, {"code": -4015, "msg": "Client order id duplicated."}, UNKNOWN),
        (400, {"code": -2010, "msg": "Duplicate order sent."}, UNKNOWN),
        (400, {"code": -9999, "msg": "A code of next year."}, UNKNOWN),
        (400, {"message": "no code at all"}, UNKNOWN),
        (200, b"<html>maintenance</html>", UNKNOWN),
        (200, b"", UNKNOWN),
        (200, b'{"orderId":1,"sta', UNKNOWN),
        # certainly not done
        (503, {"code": -1001, "msg": INTERNAL_ERROR}, REJECTED),
        (503, {"msg": "Service Unavailable."}, REJECTED),
        (503, b"Service Unavailable.", REJECTED),
        (503, {"code": -1008, "msg": "Request throttled by system-level protection."}, REJECTED),
        (200, {"code": -2019, "msg": "Margin is insufficient."}, REJECTED),
        (400, {"code": -1013, "msg": "Filter failure: LOT_SIZE"}, REJECTED),
        (400, {"code": -1021, "msg": "Timestamp for this request is outside of the recvWindow."}, REJECTED),
        (400, {"code": -2010, "msg": "Account has insufficient balance for requested action."}, REJECTED),
        (400, {"code": -2010, "msg": "Order would immediately match and take."}, REJECTED),
        (400, {"code": -2011, "msg": "Unknown order sent."}, REJECTED),
        (400, {"code": -4015, "msg": "Client order id is not valid."}, REJECTED),
        (400, {"code": -4164, "msg": "Order's notional must be no smaller than 100"}, REJECTED),
        (400, {"code": -5022, "msg": "Post Only order will be rejected."}, REJECTED),
        (400, {"code": -5021, "msg": "The FOK order has been rejected."}, REJECTED),
        (401, {"code": -2015, "msg": "Invalid API-key, IP, or permissions for action."}, REJECTED),
        (403, b"<html>forbidden by the firewall</html>", REJECTED),
        (418, {"code": -1003, "msg": "Way too many requests"}, REJECTED),
        (418, b"", REJECTED),
        (429, {"code": -1015, "msg": "Too many new orders."}, REJECTED),
        (429, b"slow down", REJECTED),
        (451, {"code": 0, "msg": "Service unavailable from a restricted location."}, REJECTED),
        # already so
        (400, {"code": -4059, "msg": "No need to change position side."}, ACCEPTED),
        (400, {"code": -5027, "msg": "No need to modify the order."}, ACCEPTED),
    ],
)
def test_what_a_rest_reply_permits_to_conclude(status, body, conclusion):
    assert concluded(rest(status, body)) is conclusion


@pytest.mark.parametrize(
    ("status", "error", "conclusion"),
    [
        (400, {"code": -2010, "msg": "Account has insufficient balance for requested action."}, REJECTED),
        (400, {"code": -2010, "msg": "Duplicate order sent."}, UNKNOWN),
        (400, {"code": -1013, "msg": "Filter failure: NOTIONAL"}, REJECTED),
        (500, {"code": -1000, "msg": "?"}, UNKNOWN),
        (504, {"code": -1007, "msg": "Timeout"}, UNKNOWN),
        (503, {"code": -1008, "msg": "Server is currently overloaded"}, REJECTED),
        (503, {"code": -1001, "msg": INTERNAL_ERROR}, UNKNOWN),
        (500, {}, UNKNOWN),
        (400, {"code": -2035, "msg": "User Data Stream subscription already active."}, ACCEPTED),
    ],
)
def test_what_a_socket_reply_permits_to_conclude(status, error, conclusion):
    raw = msgspec.json.encode({"id": "9", "status": status, "error": error, "rateLimits": []})
    answer = VENUE.parse_ws_reply(raw)
    assert answer is not None
    assert answer.request_id == "9"
    assert answer.reply.status == status
    assert concluded(answer.reply) is conclusion


DOCUMENTED = [
    *range(1000, 1004), *range(1006, 1009), 1010, *range(1013, 1017), 1020, 1021, 1022, 1034, *range(1100, 1109),
    1111, 1112, *range(1114, 1118), 1121, 1125, 1128, 1130, 1136, 1145, *range(2010, 2016), *range(2018, 2029),
    2035, 2036, 2038, 2039, 2042, *range(4001, 4006), *range(4013, 4017), 4021, 4023, 4024, 4028,
    *range(4045, 4056), *range(4059, 4063), 4067, 4068, 4082, 4083, 4087, 4088, *range(4116, 4119), 4120, 4131,
    *range(4135, 4143), 4161, 4164, 4168, 4171, 4183, 4184, 4192, 4210, 4211, *range(4400, 4404), 4531,
    5021, 5022, *range(5024, 5030), *range(5037, 5042),
]  # fmt: skip


@pytest.mark.parametrize("code", DOCUMENTED)
def test_every_documented_code_is_listed_with_a_meaning(code):
    rule = ERRORS[f"-{code}"]
    assert rule.meaning
    assert rule.conclusion in (REJECTED, UNKNOWN, ACCEPTED)


def test_the_doubtful_codes_are_unknown_and_only_these():
    doubtful = {code for code, rule in ERRORS.items() if rule.conclusion is UNKNOWN}
    assert doubtful == {
        "-1000", "-1001", "-1004", "-1006", "-1007", "-1034", "-1112", "-2010.duplicate", "-4015.duplicate", "-3000",
        "-3044", "-4083", "-4116", "-4117",
    }  # fmt: skip


def test_the_rules_that_need_more_than_a_conclusion():
    def having(flag):
        return {code for code, rule in ERRORS.items() if getattr(rule, flag)}

    assert having("retry_after_sync") == {"-1021"}
    assert having("fatal_auth") == {"-1002", "-1022", "-2014", "-2015", "HTTP 451"}
    assert having("limit") == {"-1003", "-1008", "-1015", "-1034", "HTTP 403", "HTTP 418", "HTTP 429"}
    assert set(RETRY_HINTS_MS) <= set(ERRORS)


# -- waiting ---------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("status", "body", "headers", "wait"),
    [
        (429, {"code": -1003, "msg": "Too many requests"}, {"retry-after": "7"}, 7_000),
        (429, {"code": -1003, "msg": "Too many requests"}, {"Retry-After": "7"}, 7_000),
        (418, b"", {"retry-after": "120"}, 120_000),
        (418, b"", {"retry-after": "99999999999999"}, 604_800_000),
        (418, {"code": -1003, "msg": f"IP(1.2.3.4) banned until {NOW_MS + 90_000}. Use streams"}, {}, 90_000),
        (418, {"code": -1003, "msg": f"banned until {NOW_MS - 90_000}."}, {}, 0),
        (429, b"", {"retry-after": "soon"}, 60_000),
        (429, {"code": -1015, "msg": "Too many new orders."}, {}, 10_000),
        (403, b"<html/>", {}, 120_000),
        (503, b"Service Unavailable.", {}, 1_000),
        (503, {"code": -1001, "msg": INTERNAL_ERROR}, {}, 1_000),
        (503, {"code": -1008, "msg": "throttled"}, {}, 5_000),
        (400, {"code": -2010, "msg": "no"}, {}, None),
        (500, b"", {}, None),
    ],
)
def test_how_long_the_venue_wants_us_to_wait(status, body, headers, wait):
    assert rest(status, body, headers).retry_after_ms == wait


def test_a_limit_on_the_socket_is_a_difference_of_the_venues_own_times():
    error = {"code": -1003, "msg": "Too many", "data": {"serverTime": 1_000_000, "retryAfter": 1_007_500}}
    answer = VENUE.parse_ws_reply(msgspec.json.encode({"id": "1", "status": 429, "error": error}))
    assert answer is not None
    assert answer.reply.retry_after_ms == 7_500
    assert rule_of(VENUE.spec, answer.reply).limit


def test_used_limits_are_read_from_the_headers():
    headers = {
        "x-mbx-used-weight": "12",
        "x-mbx-used-weight-1m": "34",
        "x-mbx-order-count-10s": "5",
        "x-mbx-order-count-1d": "678",
        "x-mbx-used-weight-5h": "9",
        "x-mbx-order-count-1w": "1",
        "x-mbx-used-weight-xm": "1",
        "x-mbx-used-weight-1m2": "bad",
        "content-type": "json",
    }
    assert set(VENUE.used_limits(headers)) == {
        ("weight", 60_000, 34), ("orders", 10_000, 5), ("orders", 86_400_000, 678), ("weight", 18_000_000, 9),
    }  # fmt: skip


# -- reading replies -------------------------------------------------------------------------------------


def test_the_message_of_a_page_is_bounded_and_of_an_error_is_the_venues():
    assert rest(403, b"<html>" + b"x" * 5_000).message.startswith("<html>xxx")
    assert len(rest(403, b"<html>" + b"x" * 5_000).message) <= 300
    assert rest(400, {"code": -1121, "msg": "Invalid symbol."}) == Reply(
        ok=False,
        status=400,
        code="-1121",
        message="Invalid symbol.",
        body=b'{"code":-1121,"msg":"Invalid symbol."}',
    )


def test_not_found_is_told_from_everything_else():
    assert VENUE.is_not_found(rest(400, {"code": -2013, "msg": "Order does not exist."}))
    assert not VENUE.is_not_found(rest(400, {"code": -2011, "msg": "Unknown order sent."}))
    assert not VENUE.is_not_found(rest(500, b""))
    assert not VENUE.is_not_found(rest(200, {"orderId": 1}))


@pytest.mark.parametrize(
    ("raw", "request_id", "ok"),
    [
        (b'{"id":"a1","status":200,"result":{"orderId":8389765739703625592}}', "a1", True),
        (b'{"id":17,"status":200,"result":{}}', "17", True),
        (b'{"id":"2","status":200,"result":{},"error":null}', "2", True),
        (b'{"result":null,"id":1}', "1", True),
        (b'{"code":2,"msg":"Invalid request","id":1}', "1", False),
        (b'{"code":0,"msg":"Unknown property","id":1}', "1", False),
        (b'{"error":{"code":3,"msg":"Invalid JSON"},"id":1}', "1", False),
        (b'{"id":null,"status":401,"error":{"code":-2015,"msg":"Invalid API-key"}}', None, False),
        (b'{"id":"1","status":200,"error":{"code":-2013,"msg":"x"}}', "1", False),
    ],
)
def test_a_socket_reply_is_matched_by_its_id(raw, request_id, ok):
    answer = VENUE.parse_ws_reply(raw)
    assert answer is not None
    assert (answer.request_id, answer.reply.ok) == (request_id, ok)
    if raw.startswith(b'{"id":"a1"'):
        assert answer.reply.body == b'{"orderId":8389765739703625592}'


@pytest.mark.parametrize(
    "raw",
    [b'{"subscriptionId":0,"event":{"e":"executionReport"}}', b'{"event":{"e":"serverShutdown"}}', b"{}"],
)
def test_what_is_not_a_reply_is_left_to_others(raw):
    assert VENUE.parse_ws_reply(raw) is None


def test_control_frames_complain_in_words():
    assert VENUE.control_problem(b'{"result":null,"id":1}') is None
    assert VENUE.control_problem(b'{"e":"serverShutdown","E":1}') is None
    problem = VENUE.control_problem(b'{"code":2,"msg":"Invalid request: bad stream","id":1}')
    assert problem is not None
    assert "bad stream" in problem
