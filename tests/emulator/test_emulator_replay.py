"""Recordings become a market: every line is processed, the book is the recorded one, orders trade against it."""

from __future__ import annotations

import asyncio
import gzip
import json
import time
from pathlib import Path
from typing import Any

import pytest
from venue_client import VenueClient

from nexustrader.emulator.binance.emulator import BinanceEmulator
from nexustrader.emulator.binance.replay import Recording
from nexustrader.emulator.binance.topics import SPOT, USDM
from nexustrader.emulator.binance.venue import BinanceSettings
from nexustrader.emulator.venue import AT_ONCE, STILL
from nexustrader.error import DataError

USDM_LINES, SPOT_LINES = 93_954, 41_249
CPU_S_MAX = 15.0


def depth(
    first: int, last: int, previous: int, bids: list[list[str]], asks: list[list[str]]
) -> dict[str, Any]:
    data = {"e": "depthUpdate", "E": 1, "T": 1, "s": "BTCUSDT", "U": first, "u": last, "pu": previous}
    return {"stream": "btcusdt@depth@0ms", "data": {**data, "b": bids, "a": asks}}


SNAPSHOT = {"lastUpdateId": 10, "bids": [["60000.00", "1.000"]], "asks": [["60000.10", "2.000"]]}
TICKER = {
    "e": "bookTicker",
    "u": 15,
    "s": "BTCUSDT",
    "b": "59999.90",
    "B": "5.000",
    "a": "60000.10",
    "A": "2.000",
}
TRADE = {
    "e": "trade",
    "E": 1,
    "T": 1,
    "s": "BTCUSDT",
    "t": 5266583935,
    "p": "59999.90",
    "q": "0.500",
    "m": True,
}
FRAMES = [
    depth(1, 5, 0, [["60000.00", "9.000"]], []),
    SNAPSHOT,
    depth(6, 12, 5, [["60000.00", "3.000"]], [["60000.20", "4.000"]]),
    depth(14, 15, 12, [["60000.00", "0.000"], ["59999.90", "5.000"]], []),
    {"stream": "btcusdt@bookTicker", "data": TICKER},
    {"stream": "btcusdt@trade", "data": TRADE},
]


def record(path: Path, frames: list[dict[str, Any]], step_ns: int = 10_000_000) -> Path:
    lines = (
        f"{1_000_000_000 + number * step_ns} {json.dumps(frame)}\n" for number, frame in enumerate(frames)
    )
    path.write_bytes(gzip.compress("".join(lines).encode()))
    return path


def settings(path: Path, **more: Any) -> BinanceSettings:
    return BinanceSettings(market=STILL, data=[path], **{"speed": 0.0, "start": AT_ONCE, **more})


async def finish(emulator: BinanceEmulator) -> dict[str, Any]:
    while not emulator.status()["finished"]:
        await asyncio.sleep(0.01)
    return emulator.status()


@pytest.mark.slow
async def test_the_book_is_snapshot_and_later_updates(tmp_path: Path) -> None:
    async with (
        BinanceEmulator(settings(record(tmp_path / "r.gz", FRAMES))) as emulator,
        VenueClient(emulator) as client,
    ):
        status = await finish(emulator)
        assert (status["lines"], status["frames"]) == (6, 5)
        book = (await client.call("GET", "/fapi/v1/depth", symbol="BTCUSDT", limit=5)).body
        assert book["lastUpdateId"] == 15
        assert book["bids"] == [["59999.90", "5.000"]]
        assert book["asks"] == [["60000.10", "2.000"], ["60000.20", "4.000"]]
        taken = await client.usdm_order(side="BUY", type="MARKET", quantity="3", newOrderRespType="RESULT")
        assert taken.body["executedQty"] == "3.000"
        trades = (await client.call("GET", "/fapi/v1/userTrades", signed=True, symbol="BTCUSDT")).body
        assert [(t["price"], t["qty"]) for t in trades] == [("60000.10", "2.000"), ("60000.20", "1.000")]
        assert trades[0]["id"] == 5266583936
        assert emulator.venue.check_invariants() == []


@pytest.mark.slow
async def test_a_recording_that_breaks_off_ends_there_and_says_so(tmp_path: Path) -> None:
    path = record(tmp_path / "r.gz", [*FRAMES, *(depth(n, n, n - 1, [], []) for n in range(16, 2_000))])
    path.write_bytes(path.read_bytes()[:-200])
    async with BinanceEmulator(settings(path)) as emulator:
        replay = (await finish(emulator))["replays"][0]
    assert 6 <= replay["lines"] < 1_990
    assert str(path) in replay["damage"]


@pytest.mark.slow
async def test_a_recording_waits_for_its_first_listener_and_is_told_with_its_ids_and_times_of_now(
    tmp_path: Path,
) -> None:
    path = record(tmp_path / "r.gz", FRAMES)
    async with (
        BinanceEmulator(settings(path, start="subscription", speed=1.0)) as emulator,
        VenueClient(emulator) as client,
    ):
        before = (await client.call("GET", "/fapi/v1/depth", symbol="BTCUSDT", limit=5)).body
        assert (before["lastUpdateId"], before["bids"]) == (10, [["60000.00", "1.000"]])
        await asyncio.sleep(0.1)
        assert emulator.status()["lines"] == 0
        socket = await client.connect("/public/stream?streams=btcusdt@depth/btcusdt@bookTicker")
        started_ms = time.time_ns() // 1_000_000
        market = await client.connect("/market/ws/btcusdt@aggTrade")
        pushes = [push["data"] for push in await socket.count(3)]
        assert [(p["U"], p["u"], p["pu"]) for p in pushes[:2]] == [(6, 12, 5), (14, 15, 12)]
        assert (pushes[2]["b"], pushes[2]["u"]) == ("59999.90", 15)
        trade = await market.next()
        assert (trade["a"], trade["p"], trade["q"], trade["m"]) == (5266583935, "59999.90", "0.500", True)
        assert all(0 <= p["E"] - started_ms < 2_000 for p in (*pushes, trade))
        assert (await finish(emulator))["replays"][0]["finished"] is True


@pytest.mark.slow
async def test_resting_orders_fill_as_the_recording_trades(tmp_path: Path) -> None:
    path = record(tmp_path / "r.gz", FRAMES)
    async with (
        BinanceEmulator(settings(path, start="subscription")) as emulator,
        VenueClient(emulator) as client,
    ):
        assert (await client.usdm_limit("BUY", "0.2", "59999.9")).body["status"] == "NEW"
        await client.connect("/public/ws/btcusdt@bookTicker")
        await finish(emulator)
        orders = (await client.call("GET", "/fapi/v1/allOrders", signed=True, symbol="BTCUSDT")).body
        assert [(o["status"], o["executedQty"]) for o in orders] == [("FILLED", "0.200")]


@pytest.mark.parametrize(
    ("content", "message"),
    [
        (b"not gzip", "cannot be read as gzip"),
        (gzip.compress(b"12 {broken\n", mtime=0), "line 1: not a recorded frame"),
        (
            gzip.compress(b'12 {"stream":"x","data":{"s":"BTCUSDT","e":"bookTicker"}}\n', mtime=0),
            "no depth snapshot",
        ),
    ],
)
def test_files_that_are_no_recordings_are_refused_by_name(
    tmp_path: Path, content: bytes, message: str
) -> None:
    path = tmp_path / "bad.gz"
    path.write_bytes(content)
    with pytest.raises(DataError, match=message) as raised:
        Recording(path)
    assert str(path) in str(raised.value)


def test_recordings_tell_their_product_and_symbol(testdata: Path) -> None:
    folder = testdata / "marketdata/rawws/binance"
    usdm = Recording(folder / "usdm_btcusdt_20240808.gz")
    spot = Recording(folder / "spot_btcusdt_20240808.gz")
    assert (usdm.product, usdm.symbol, usdm.first_price) == (USDM, "BTCUSDT", 618_002)
    assert (spot.product, spot.symbol, spot.first_price) == (SPOT, "BTCUSDT", 6_183_763)


@pytest.mark.slow
@pytest.mark.parametrize(
    ("name", "lines"), [("usdm_btcusdt_20240808.gz", USDM_LINES), ("spot_btcusdt_20240808.gz", SPOT_LINES)]
)
async def test_every_recorded_line_is_processed_and_the_book_ends_as_recorded(
    testdata: Path, name: str, lines: int
) -> None:
    path = testdata / "marketdata/rawws/binance" / name
    cpu = time.process_time()
    async with BinanceEmulator(settings(path)) as emulator:
        status = await finish(emulator)
        cpu = time.process_time() - cpu
        assert (status["lines"], status["frames"], status["replays"][0]["snapshots"]) == (lines, lines - 1, 1)
        product = USDM if name.startswith("usdm") else SPOT
        market = emulator.venue.products[product].markets["BTCUSDT"]
        assert market.check_invariants() == []
        assert expected_book(path) == market.depth(20)
    assert cpu < CPU_S_MAX


def expected_book(path: Path) -> tuple[list[Any], list[Any]]:
    """The book by the plainest reckoning: a dictionary of prices for each side."""
    sides: dict[str, dict[float, tuple[str, str]]] = {"b": {}, "a": {}}
    with gzip.open(path) as file:
        frames = [json.loads(line.split(b" ", 1)[1]) for line in file]
    snapshot = next(frame for frame in frames if "lastUpdateId" in frame)
    last = snapshot["lastUpdateId"]
    for key, name in (("b", "bids"), ("a", "asks")):
        sides[key] = {float(price): (price, quantity) for price, quantity in snapshot[name]}
    for frame in frames:
        data = frame.get("data", {})
        if data.get("e") == "depthUpdate" and data["u"] > last:
            for key in ("b", "a"):
                for price, quantity in data[key]:
                    sides[key][float(price)] = (price, quantity)
    best = [
        sorted(((k, v) for k, v in sides[key].items() if float(v[1])), reverse=key == "b") for key in "ba"
    ]
    return [level for _, level in best[0][:20]], [level for _, level in best[1][:20]]
