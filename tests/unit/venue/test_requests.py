"""Request/reply correlation: every request ends once, by reply, timeout or disconnect."""

from __future__ import annotations

import pytest

from nexustrader.kernel.clock import VirtualClock
from nexustrader.venue import requests as module
from nexustrader.venue.requests import PendingRequests

MS = 1_000_000


def pending(timeout_ms: int = 5_000) -> tuple[VirtualClock, PendingRequests[str], list[str]]:
    clock = VirtualClock(0)
    timed_out: list[str] = []
    return clock, PendingRequests(clock, timeout_ms, timed_out.append), timed_out


def test_a_reply_is_matched_once() -> None:
    _, requests, _ = pending()
    requests.add("1", "order")
    assert requests.take("1") == "order"
    assert requests.take("1") is None


def test_a_request_without_reply_times_out_at_its_deadline_and_not_before() -> None:
    clock, requests, timed_out = pending()
    requests.add("1", "a")
    clock.advance_to(4_999 * MS)
    assert timed_out == []
    clock.advance_to(5_000 * MS)
    assert timed_out == ["a"]
    assert requests.take("1") is None


def test_each_request_has_its_own_deadline() -> None:
    clock, requests, timed_out = pending()
    requests.add("1", "a")
    clock.advance_to(2_000 * MS)
    requests.add("2", "b")
    clock.advance_to(5_000 * MS)
    assert timed_out == ["a"]
    clock.advance_to(7_000 * MS)
    assert timed_out == ["a", "b"]


def test_an_answered_request_never_times_out() -> None:
    clock, requests, timed_out = pending()
    requests.add("1", "a")
    requests.add("2", "b")
    requests.take("1")
    requests.take("2")
    clock.advance_to(60_000 * MS)
    assert timed_out == []


def test_a_disconnect_hands_out_everything_still_waiting_and_stops_the_timer() -> None:
    clock, requests, timed_out = pending()
    requests.add("1", "a")
    requests.add("2", "b")
    requests.take("1")
    assert requests.take_all() == ["b"]
    clock.advance_to(60_000 * MS)
    assert timed_out == []
    assert len(requests) == 0


def test_a_timeout_callback_may_add_a_request() -> None:
    clock = VirtualClock(0)
    seen: list[str] = []

    def again(item: str) -> None:
        seen.append(item)
        if len(seen) < 3:
            requests.add(f"{len(seen)}", f"again{len(seen)}")

    requests: PendingRequests[str] = PendingRequests(clock, 1_000, again)
    requests.add("first", "first")
    clock.advance_to(10_000 * MS)
    assert seen == ["first", "again1", "again2"]


def test_a_reply_after_the_timeout_is_matched_as_late_and_once() -> None:
    clock, requests, _ = pending()
    requests.add("1", "a")
    assert requests.take_late("1") is None
    clock.advance_to(5_000 * MS)
    assert requests.take_late("1") == "a"
    assert requests.take_late("1") is None


def test_only_the_latest_of_the_requests_without_reply_are_remembered(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(module, "LATE_MAX", 2)
    clock, requests, _ = pending()
    for request_id in "123":
        requests.add(request_id, request_id)
    clock.advance_to(5_000 * MS)
    assert [requests.take_late(request_id) for request_id in "123"] == [None, "2", "3"]


def test_a_disconnect_forgets_requests_whose_reply_can_no_longer_come() -> None:
    clock, requests, _ = pending()
    requests.add("1", "a")
    clock.advance_to(5_000 * MS)
    assert requests.take_all() == []
    assert requests.take_late("1") is None
