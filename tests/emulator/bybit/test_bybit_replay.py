"""Recorded candles at the emulated Bybit: they move a symbol in every category that lists it."""

from __future__ import annotations

from decimal import Decimal
from pathlib import Path

import pytest
from bybit_client import MemoryBybit

from nexustrader.emulator.bybit.venue import BybitSettings
from nexustrader.emulator.venue import AT_ONCE, ON_SUBSCRIPTION, STILL
from nexustrader.error import DataError

OPEN_MS = 1_700_000_040_000
MINUTE_MS = 60_000
PATH = ((46_000, 46_020, 45_990, 46_010), (46_010, 46_015, 45_900, 45_950))  # open, high, low, close


@pytest.fixture
def candles(tmp_path: Path) -> Path:
    rows = [
        f"{OPEN_MS + number * MINUTE_MS},{','.join(map(str, bar))},8,{OPEN_MS + (number + 1) * MINUTE_MS - 1},0,0,0,0,0"
        for number, bar in enumerate(PATH)
    ]
    path = tmp_path / "BTCUSDT-1m-test.csv"
    path.write_text("\n".join(rows) + "\n")
    return path


def last(world: MemoryBybit, category: str) -> Decimal:
    (row,) = world.get("market/tickers", signed=False, category=category, symbol="BTCUSDT").rows
    return Decimal(row["lastPrice"])


def test_candles_move_spot_and_linear_alike_and_fill_orders(candles: Path) -> None:
    world = MemoryBybit(BybitSettings(market=STILL, data=[candles], start=AT_ONCE))
    buy = world.create(price="45950", side="Buy").result["orderId"]
    world.wait(3 * MINUTE_MS)
    assert (last(world, "spot"), last(world, "linear")) == (Decimal(45_950), Decimal(45_950))
    assert world.order_row(buy)["orderStatus"] == "Filled"
    status = world.venue.status()
    assert (status["finished"], status["lines"]) == (True, len(PATH))
    assert not world.venue.check_invariants()


def test_a_replay_begins_when_somebody_subscribes(candles: Path) -> None:
    world = MemoryBybit(BybitSettings(market=STILL, data=[candles], start=ON_SUBSCRIPTION))
    world.wait(3 * MINUTE_MS)
    assert last(world, "linear") != Decimal(45_950)
    socket = world.socket("public/linear")
    socket.subscribe("publicTrade.BTCUSDT")
    world.wait(3 * MINUTE_MS)
    assert len(socket.take("publicTrade.BTCUSDT")) > 4
    assert last(world, "linear") == Decimal(45_950)


def test_frames_that_were_recorded_elsewhere_are_refused(tmp_path: Path) -> None:
    with pytest.raises(DataError, match="give candles"):
        MemoryBybit(BybitSettings(data=[tmp_path / "frames.jsonl.gz"]))


def test_symbols_that_are_not_listed_are_refused() -> None:
    with pytest.raises(DataError, match="NOPE"):
        MemoryBybit(BybitSettings(symbols=("NOPE",)))
