"""The emulated countdown: it cancels a symbol's open orders unless it is set anew in time."""

from __future__ import annotations

import pytest
from memory_venue import MemoryVenue

COUNTDOWN = "/fapi/v1/countdownCancelAll"


@pytest.fixture
def venue() -> MemoryVenue:
    return MemoryVenue()


def begin(venue: MemoryVenue, countdown_ms: object, symbol: str = "BTCUSDT") -> object:
    return venue.call("POST", COUNTDOWN, symbol=symbol, countdownTime=countdown_ms).body


def statuses(venue: MemoryVenue) -> list[str]:
    return [order["status"] for order in venue.orders()]


def test_open_orders_are_cancelled_when_the_countdown_ends_and_their_owner_is_told(
    venue: MemoryVenue,
) -> None:
    stream = venue.user_stream()
    assert venue.limit("BUY", "0.010", "50000").status == 200
    assert begin(venue, 30_000) == {"symbol": "BTCUSDT", "countdownTime": "30000"}
    venue.wait(29_999)
    assert statuses(venue) == ["NEW"]
    venue.wait(1)
    assert statuses(venue) == ["CANCELED"]
    assert [e["o"]["X"] for e in stream.take() if e["e"] == "ORDER_TRADE_UPDATE"] == ["NEW", "CANCELED"]
    assert venue.venue.products["usdm"].countdowns.running == []


def test_a_new_countdown_takes_the_place_of_the_one_that_runs(venue: MemoryVenue) -> None:
    venue.limit("BUY", "0.010", "50000")
    begin(venue, 30_000)
    venue.wait(20_000)
    begin(venue, 30_000)
    venue.wait(20_000)
    assert statuses(venue) == ["NEW"]
    venue.wait(10_000)
    assert statuses(venue) == ["CANCELED"]


def test_0_ends_it(venue: MemoryVenue) -> None:
    venue.limit("BUY", "0.010", "50000")
    begin(venue, 30_000)
    assert begin(venue, 0) == {"symbol": "BTCUSDT", "countdownTime": "0"}
    venue.wait(60_000)
    assert statuses(venue) == ["NEW"]


def test_each_symbol_has_its_own(venue: MemoryVenue) -> None:
    venue.limit("BUY", "0.010", "50000")
    begin(venue, 30_000, "ETHUSDT")
    venue.wait(60_000)
    assert statuses(venue) == ["NEW"]


def test_a_stopped_venue_counts_no_further(venue: MemoryVenue) -> None:
    venue.limit("BUY", "0.010", "50000")
    begin(venue, 30_000)
    venue.venue.stop()
    venue.wait(60_000)
    assert statuses(venue) == ["NEW"]


@pytest.mark.parametrize(
    ("symbol", "countdown", "code"),
    [
        ("NOPE", 1_000, -1121),
        ("BTCUSDT", None, -1102),
        ("BTCUSDT", "soon", -1102),
        ("BTCUSDT", "-1", -1102),
    ],
)
def test_wrong_parameters_are_refused(venue: MemoryVenue, symbol: str, countdown: object, code: int) -> None:
    reply = venue.call("POST", COUNTDOWN, symbol=symbol, countdownTime=countdown)
    assert (reply.status, reply.code) == (400, code)
