"""Limits count in windows of the clock, refuse with the time to wait, and ban who does not wait."""

from __future__ import annotations

import pytest

from nexustrader.emulator.binance.errors import ApiError
from nexustrader.emulator.binance.limits import (
    BAN_MS_MIN,
    REFUSALS_BEFORE_BAN,
    SPOT_RULES,
    USDM_RULES,
    Limiter,
    scaled,
)

MINUTE_MS = 60_000
START_MS = 1_700_000_000_000 // MINUTE_MS * MINUTE_MS


def test_usage_is_counted_and_forgotten_at_the_minute() -> None:
    limiter = Limiter(USDM_RULES)
    limiter.charge_request("a", 5, START_MS)
    limiter.charge_request("a", 2, START_MS + MINUTE_MS - 1)
    assert limiter.headers("a", None, START_MS + MINUTE_MS - 1) == {"X-MBX-USED-WEIGHT-1M": "7"}
    assert limiter.headers("b", None, START_MS) == {"X-MBX-USED-WEIGHT-1M": "0"}
    assert limiter.headers("a", None, START_MS + MINUTE_MS) == {"X-MBX-USED-WEIGHT-1M": "0"}


def test_beyond_the_weight_limit_the_reply_is_429_until_the_window_ends() -> None:
    limiter = Limiter(USDM_RULES)
    limiter.charge_request("a", 2_399, START_MS)
    with pytest.raises(ApiError) as raised:
        limiter.charge_request("a", 2, START_MS + 10_500)
    assert (raised.value.code, raised.value.status) == (-1003, 429)
    assert raised.value.headers["Retry-After"] == "50"
    assert raised.value.data == {"serverTime": START_MS + 10_500, "retryAfter": START_MS + MINUTE_MS}
    limiter.charge_request("a", 1, START_MS + 11_000)
    limiter.charge_request("a", 2, START_MS + MINUTE_MS)


def test_who_ignores_429_is_banned_with_418_and_longer_each_time() -> None:
    limiter = Limiter(USDM_RULES)
    now_ms = START_MS
    for length_ms in (BAN_MS_MIN, 2 * BAN_MS_MIN):
        limiter.charge_request("a", 2_400, now_ms)
        statuses = []
        for _ in range(REFUSALS_BEFORE_BAN + 2):
            with pytest.raises(ApiError) as raised:
                limiter.charge_request("a", 1, now_ms)
            statuses.append(raised.value.status)
        assert statuses == [429] * REFUSALS_BEFORE_BAN + [418, 418]
        assert raised.value.headers["Retry-After"] == str(length_ms // 1_000)
        assert f"banned until {now_ms + length_ms}" in raised.value.message
        with pytest.raises(ApiError):
            limiter.charge_request("a", 1, now_ms + length_ms - 1)
        now_ms += length_ms
    limiter.charge_request("a", 1, now_ms)


def test_order_limits_have_two_windows_per_account() -> None:
    limiter = Limiter(USDM_RULES)
    for _ in range(300):
        limiter.charge_order("main", START_MS)
    with pytest.raises(ApiError) as raised:
        limiter.charge_order("main", START_MS + 9_999)
    assert (raised.value.code, raised.value.status) == (-1015, 429)
    assert raised.value.headers["Retry-After"] == "1"
    limiter.charge_order("other", START_MS)
    limiter.charge_order("main", START_MS + 10_000)
    headers = limiter.headers("a", "main", START_MS + 10_000)
    assert headers["X-MBX-ORDER-COUNT-10S"] == "1"
    assert headers["X-MBX-ORDER-COUNT-1M"] == "301"


def test_spot_gives_filled_orders_and_the_weight_of_success_back() -> None:
    limiter = Limiter(SPOT_RULES)
    limiter.charge_order("main", START_MS)
    limiter.return_order("main", START_MS)
    limiter.return_order("main", START_MS)
    limiter.charge_request("a", 1, START_MS)
    limiter.return_weight("a", 1, START_MS)
    assert limiter.headers("a", "main", START_MS) == {
        "X-MBX-USED-WEIGHT-1M": "0",
        "X-MBX-ORDER-COUNT-10S": "0",
        "X-MBX-ORDER-COUNT-1D": "0",
    }


def test_the_websocket_view_names_the_order_limits_first() -> None:
    view = Limiter(USDM_RULES).view("a", "main", START_MS)
    assert [(row["rateLimitType"], row["interval"], row["limit"]) for row in view] == [
        ("ORDERS", "MINUTE", 1_200),
        ("ORDERS", "SECOND", 300),
        ("REQUEST_WEIGHT", "MINUTE", 2_400),
    ]
    assert [row["rateLimitType"] for row in Limiter(USDM_RULES).view("a", None, START_MS)] == [
        "REQUEST_WEIGHT"
    ]


def test_limits_can_be_raised_for_load_tests() -> None:
    assert [rule.limit for rule in scaled(USDM_RULES, 10)] == [24_000, 12_000, 3_000]
