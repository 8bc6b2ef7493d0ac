"""The local copy of the venue's limits."""

from __future__ import annotations

from nexustrader.venue.ratelimit import Pace, RateLimiter
from nexustrader.venue.spec import RateLimit

MINUTE = 60_000
NOW_MS = 1_700_000_000_000


def limiter() -> RateLimiter:
    return RateLimiter([RateLimit("weight", MINUTE, 100), RateLimit("orders", 10_000, 20)])


def test_there_is_no_wait_while_the_window_has_room() -> None:
    limits = limiter()
    limits.spend("weight", 90, now_ms=1_000)
    assert limits.wait_ms("weight", 5, now_ms=2_000) == 0


def test_a_full_window_makes_wait_until_the_clock_aligned_next_one() -> None:
    limits = limiter()
    limits.spend("weight", 95, now_ms=1_000)
    assert limits.wait_ms("weight", 1, now_ms=20_000) == 40_000
    assert limits.wait_ms("weight", 1, now_ms=60_000) == 0


def test_pools_do_not_share_their_counts() -> None:
    limits = limiter()
    limits.spend("orders", 20, now_ms=0)
    assert limits.wait_ms("weight", 50, now_ms=0) == 0
    assert limits.wait_ms("orders", 1, now_ms=0) == 10_000


def test_the_venues_own_count_is_taken_over() -> None:
    limits = limiter()
    limits.observe("weight", MINUTE, 99, now_ms=5_000)
    assert limits.wait_ms("weight", 1, now_ms=5_000) == 55_000


def test_a_ban_is_never_shortened_by_a_later_one() -> None:
    limits = limiter()
    assert limits.banned_ms(100_000, NOW_MS) == 0
    limits.ban(400_000, monotonic_ms=100_000, now_ms=NOW_MS)
    limits.ban(1_000, monotonic_ms=200_000, now_ms=NOW_MS)
    assert limits.banned_ms(200_000, NOW_MS) == 300_000
    assert limits.banned_ms(500_000, NOW_MS) == 0


def test_a_pace_lets_a_burst_through_and_then_takes_its_share_only():
    pace = Pace([RateLimit("weight", 60_000, 600), RateLimit("orders", 1_000, 1)], "weight", 0.5, 1_000)
    waits = [pace.take(10, 0) for _ in range(5)]  # each is worth two seconds of half the limit
    assert waits == [0, 1_000, 3_000, 5_000, 7_000]
    assert pace.take(10, 60_000) == 0
    assert Pace([], "weight", 0.5, 0).take(10, 0) == 0
