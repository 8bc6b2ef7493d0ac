"""Limits that several programs on one host use up together."""

from __future__ import annotations

import subprocess
import sys
import tempfile
from pathlib import Path

import pytest

from nexustrader.venue.counts import OwnCounts, SharedCounts, counts_for
from nexustrader.venue.ratelimit import BAN_MS_MAX, RateLimiter
from nexustrader.venue.spec import RateLimit

MINUTE = 60_000
NOW_MS = 1_700_000_000_000 // MINUTE * MINUTE
LIMITS = [RateLimit("weight", MINUTE, 100), RateLimit("orders", 10_000, 20)]


@pytest.fixture
def two(tmp_path: Path) -> tuple[RateLimiter, RateLimiter]:
    """The limiters of two programs."""
    first, second = (SharedCounts(tmp_path / "limits", len(LIMITS)) for _ in range(2))
    return RateLimiter(LIMITS, first), RateLimiter(LIMITS, second)


def test_what_one_program_spends_the_other_has_no_longer(two: tuple[RateLimiter, RateLimiter]) -> None:
    one, other = two
    one.spend("weight", 60, NOW_MS)
    assert other.wait_ms("weight", 35, NOW_MS) == 0
    other.spend("weight", 35, NOW_MS)
    assert one.wait_ms("weight", 1, NOW_MS) == MINUTE
    assert one.wait_ms("weight", 1, NOW_MS + MINUTE) == 0


def test_the_venues_own_count_reaches_both(two: tuple[RateLimiter, RateLimiter]) -> None:
    one, other = two
    one.observe("weight", MINUTE, 95, NOW_MS)
    assert other.wait_ms("weight", 1, NOW_MS) > 0


def test_orders_are_the_accounts_and_are_counted_apart(two: tuple[RateLimiter, RateLimiter]) -> None:
    one, other = two
    one.spend("orders", 20, NOW_MS)
    assert one.wait_ms("orders", 1, NOW_MS) > 0
    assert other.wait_ms("orders", 1, NOW_MS) == 0


def test_a_ban_of_one_silences_the_other(two: tuple[RateLimiter, RateLimiter]) -> None:
    one, other = two
    one.ban(90_000, monotonic_ms=5, now_ms=NOW_MS)
    assert other.banned_ms(7_000_000, NOW_MS + 30_000) == 60_000
    assert other.banned_ms(7_000_000, NOW_MS + 90_000) == 0


def test_a_clock_that_was_set_back_makes_no_endless_ban(two: tuple[RateLimiter, RateLimiter]) -> None:
    one, other = two
    one.ban(90_000, monotonic_ms=5, now_ms=NOW_MS)
    assert other.banned_ms(0, NOW_MS + 90_000 - BAN_MS_MAX) == BAN_MS_MAX
    for days_back in (400, 399, 10):  # a limit that moves along with the clock would never end
        assert other.banned_ms(0, NOW_MS - days_back * 86_400_000) == 0
    assert one.banned_ms(5, NOW_MS - 400 * 86_400_000) == 90_000


def test_processes_lose_nothing_of_what_they_count_at_once(tmp_path: Path) -> None:
    program = (
        "import sys; from pathlib import Path; from nexustrader.venue.counts import SharedCounts\n"
        "counts = SharedCounts(Path(sys.argv[1]), 1)\n"
        "for _ in range(2000): counts.add(0, 7, 1)"
    )
    path = tmp_path / "limits"
    running = [subprocess.Popen([sys.executable, "-W", "ignore", "-c", program, str(path)]) for _ in range(3)]
    assert [process.wait(60) for process in running] == [0, 0, 0]
    assert SharedCounts(path, 1).used(0, 7) == 6_000


def test_a_folder_that_is_open_to_others_is_not_used(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(tempfile, "tempdir", str(tmp_path))
    shared = counts_for("venue", 2)
    assert isinstance(shared, SharedCounts)
    (folder,) = tmp_path.iterdir()
    assert folder.stat().st_mode & 0o777 == 0o700
    folder.chmod(0o755)
    assert isinstance(counts_for("venue", 2), OwnCounts)
