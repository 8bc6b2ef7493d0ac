"""Candles become a market: on every product, point by point, with a book around the price that trades stand on."""

from __future__ import annotations

import asyncio
import gzip
import subprocess
import sys
import time
import zipfile
from itertools import pairwise
from pathlib import Path
from typing import Any, cast

import msgspec
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from venue_client import VenueClient

from nexustrader.emulator.binance.emulator import BinanceEmulator
from nexustrader.emulator.binance.instruments import LISTINGS
from nexustrader.emulator.binance.streams import StreamConnection
from nexustrader.emulator.binance.topics import MARKET, PUBLIC, SPOT, USDM
from nexustrader.emulator.binance.venue import BinanceSettings, BinanceVenue
from nexustrader.emulator.connection import Connection
from nexustrader.emulator.market.bar_replay import LEVELS, bar_recordings
from nexustrader.emulator.market.market import DepthUpdate, Market, PublicTrade
from nexustrader.emulator.orders.accounts import AccountSpec
from nexustrader.emulator.venue import AT_ONCE, STILL, SYNTHETIC
from nexustrader.error import DataError
from nexustrader.kernel.clock import VirtualClock
from nexustrader.sim.types import Side, SimOrder

NS_PER_MS = 1_000_000
START_MS = 1_700_000_040_000  # a minute boundary
OPEN_MS = 1_704_931_200_000
MINUTE_MS = 60_000
MONTH_CANDLES = 44_640
CPU_S_MAX = 60.0

Candle = tuple[float, float, float, float, float]  # open, high, low, close, volume

UP: Candle = (46_000.0, 46_020.0, 45_990.0, 46_010.0, 8.0)  # low, then high
DOWN: Candle = (46_010.0, 46_015.0, 45_900.0, 45_950.0, 4.0)  # high, then low
FLAT: Candle = (45_950.0, 45_950.0, 45_950.0, 45_950.0, 4.0)
EMPTY: Candle = (45_950.0, 45_950.0, 45_950.0, 45_950.0, 0.0)


def row(candle: Candle, number: int = 0, step_ms: int = MINUTE_MS) -> str:
    open_ms = OPEN_MS + number * step_ms
    open_, high, low, close, volume = candle
    return f"{open_ms},{open_},{high},{low},{close},{volume},{open_ms + step_ms - 1},0,0,0,0,0\n"


def text(*candles: Candle, first: int = 0, step_ms: int = MINUTE_MS) -> str:
    return "".join(row(candle, first + place, step_ms) for place, candle in enumerate(candles))


def write(folder: Path, content: str, name: str = "BTCUSDT-1m-test.csv.gz") -> Path:
    path = folder / name
    path.write_bytes(gzip.compress(content.encode()) if name.endswith(".gz") else content.encode())
    return path


class Listener:
    """Keeps what a market tells, and the book that its updates add up to."""

    def __init__(self, market: Market) -> None:
        self.trades: list[PublicTrade] = []
        self.sides: list[dict[str, str]] = [dict(side) for side in market.depth(5_000)]
        self.last_id = market.update_id

    def on_touch(self, market: Market) -> None:
        assert market.touch.ask - market.touch.bid == 1

    def on_depth(self, market: Market, update: DepthUpdate) -> None:
        assert update.previous_id == self.last_id
        self.last_id = update.last_id
        for side, levels in zip(self.sides, (update.bids, update.asks), strict=True):
            for price, lots in levels:
                side[price] = lots

    def on_trade(self, market: Market, trade: PublicTrade) -> None:
        self.trades.append(trade)

    def book(self) -> list[list[list[str]]]:
        return [
            sorted(
                ([price, lots] for price, lots in side.items() if float(lots)),
                key=lambda level: float(level[0]),
                reverse=place == 0,
            )
            for place, side in enumerate(self.sides)
        ]


class World:
    """A venue that plays candles under virtual time."""

    def __init__(self, *paths: Path, speed: float = 1.0, start: str = AT_ONCE, market: str = STILL) -> None:
        self.clock = VirtualClock(START_MS * NS_PER_MS)
        spec = AccountSpec(api_key="k" * 64, secret="s")
        behaviour = BinanceSettings(data=paths, speed=speed, start=start, market=market)
        self.venue = BinanceVenue([spec], behaviour, self.clock)
        self.spot = self.venue.products[SPOT].markets["BTCUSDT"]
        self.usdm = self.venue.products[USDM].markets["BTCUSDT"]
        self.venue.start()

    def run(self, milliseconds: int) -> None:
        self.clock.advance_to(self.clock.timestamp_ns() + milliseconds * NS_PER_MS)

    def listen(self, product: str, name: str, route: str = PUBLIC) -> Inbox:
        inbox = Inbox()
        hub = self.venue.products[product].hub
        StreamConnection(hub, cast("Connection", inbox), route, combined=False).subscribe([name])
        return inbox

    @property
    def status(self) -> Any:
        return self.venue.status()


class Inbox:
    """The sending end of a connection, kept in a list."""

    def __init__(self) -> None:
        self.messages: list[Any] = []

    def send(self, data: bytes) -> None:
        self.messages.append(msgspec.json.decode(data))


def rest(market: Market, side: Side, ticks: int, lots: int) -> SimOrder:
    """An order in the matching core alone, which no account knows of."""
    market.on_events = lambda _: None
    order = SimOrder(order_id=1, account="main", side=side, lots=lots, price=ticks)
    market.engine.submit(order)
    return order


# -- the path and the book -----------------------------------------------------------------------------------


def test_a_candle_is_four_trades_a_quarter_of_its_interval_apart_on_both_products(tmp_path: Path) -> None:
    world = World(write(tmp_path, text(UP, DOWN)))
    spot, usdm = Listener(world.spot), Listener(world.usdm)
    world.spot.audience, world.usdm.audience = spot, usdm
    world.run(2 * MINUTE_MS)
    start = START_MS
    assert [(t.time_ms - start, t.price, t.lots, t.buyer_is_maker) for t in spot.trades] == [
        (0, 4_600_000, 200_000, False),
        (15_000, 4_599_000, 200_000, True),
        (30_000, 4_602_000, 200_000, False),
        (45_000, 4_601_000, 200_000, True),
        (60_000, 4_601_000, 100_000, False),
        (75_000, 4_601_500, 100_000, False),
        (90_000, 4_590_000, 100_000, True),
        (105_000, 4_595_000, 100_000, False),
    ]
    assert [(t.price, t.lots) for t in usdm.trades[:2]] == [(460_000, 2_000), (459_900, 2_000)]
    assert [t.time_ms for t in usdm.trades] == [t.time_ms for t in spot.trades]


def test_before_it_plays_the_book_stands_at_the_first_price(tmp_path: Path) -> None:
    world = World(write(tmp_path, text(UP)), start="subscription")
    world.run(MINUTE_MS)
    assert (world.spot.touch.bid, world.spot.touch.ask) == (4_600_000, 4_600_001)
    assert (world.usdm.touch.bid, world.usdm.touch.ask) == (460_000, 460_001)
    assert [len(side) for side in world.spot.depth(100)] == [LEVELS, LEVELS]
    assert (world.status["lines"], world.status["finished"]) == (0, False)


def test_the_last_trade_stands_on_the_touch_of_one_tick(tmp_path: Path) -> None:
    world = World(write(tmp_path, text(UP)))
    touches = []
    for _ in range(4):
        world.run(0)
        touches.append((world.usdm.touch.bid, world.usdm.touch.ask))
        world.run(15_000)
    assert touches == [(459_999, 460_000), (459_900, 459_901), (460_199, 460_200), (460_100, 460_101)]


prices = st.integers(45_000, 47_000).map(float)
candles = st.tuples(prices, prices, prices, prices, st.sampled_from([0.0, 0.00003, 1.0, 12.34567])).map(
    lambda c: (c[0], max(c[:4]), min(c[:4]), c[3], c[4])
)


@pytest.mark.slow
@settings(max_examples=30)
@given(st.lists(candles, min_size=1, max_size=12))
def test_the_updates_add_up_to_the_book_and_equal_files_give_equal_markets(
    tmp_path_factory: pytest.TempPathFactory, bars: list[Candle]
) -> None:
    path = write(tmp_path_factory.mktemp("bars"), text(*bars), "BTCUSDT-1m.csv")
    books = []
    for speed in (1.0, 0.0):
        world = World(path, speed=speed, start="subscription")
        listeners = [Listener(market) for market in (world.spot, world.usdm)]
        world.spot.audience, world.usdm.audience = listeners
        world.venue.sources[SPOT, "BTCUSDT"].start()
        world.run(MINUTE_MS * len(bars))
        assert world.status["finished"]
        assert world.venue.check_invariants() == []
        for market, listener in zip((world.spot, world.usdm), listeners, strict=True):
            book = [[list(level) for level in side] for side in market.depth(5_000)]
            assert listener.book() == book
            assert [len(side) for side in book] == [LEVELS, LEVELS]
            assert market.depth(1)[0][0][0] == market.prices.text(market.touch.bid)
        books.append((world.spot.depth(50), world.usdm.depth(50), world.spot.engine.next_trade_id))
    assert books[0] == books[1]


def test_the_touch_may_come_to_stand_on_a_level_that_was_there_already(tmp_path: Path) -> None:
    # The 83rd point falls onto the 9,981st multiple of the gap, which holds what the 83rd touch does (mod 101).
    bid = 9_981 * 460
    fall = (46_000.0, 46_000.0, bid / 100, bid / 100, 4.0)
    world = World(write(tmp_path, text(*[(46_000.0,) * 4 + (4.0,)] * 20, fall)))
    world.run(20 * MINUTE_MS + 15_000)
    before = dict(world.spot.depth(LEVELS)[0])[world.spot.prices.text(bid)]
    world.run(15_000)
    assert world.spot.touch[:2] == (bid, world.spot.amounts.units(before))
    assert world.spot.depth(1)[0] == [(world.spot.prices.text(bid), before)]


def test_a_candle_without_volume_moves_the_book_and_prints_nothing(tmp_path: Path) -> None:
    world = World(write(tmp_path, text(UP, (46_100.0, 46_100.0, 46_100.0, 46_100.0, 0.0))), speed=0)
    world.run(0)
    assert len(world.spot.trades) == 4
    assert world.spot.touch.ask == 4_610_000


def test_a_resting_order_fills_when_the_path_goes_through_it(tmp_path: Path) -> None:
    world = World(write(tmp_path, text(UP, DOWN)), start="subscription")
    above = rest(world.spot, Side.SELL, 4_601_990, 100)
    world.venue.sources[SPOT, "BTCUSDT"].start()
    world.run(29_000)
    assert above.filled == 0
    world.run(1_000)
    assert above.status == "FILLED"


def test_what_was_taken_at_the_touch_is_there_again_at_the_next_point_even_if_the_price_stands(
    tmp_path: Path,
) -> None:
    world = World(write(tmp_path, text(FLAT, EMPTY)))
    world.run(0)
    for _ in range(7):
        first = world.usdm.engine.cost_to_take(Side.BUY, 10**9, world.usdm.touch.ask)[0]
        assert first > 0
        rest(world.usdm, Side.BUY, world.usdm.touch.ask, first)
        assert world.usdm.engine.cost_to_take(Side.BUY, 10**9, world.usdm.touch.ask)[0] == 0
        world.run(15_000)


def test_a_market_moved_by_hand_is_back_with_the_candles_at_the_next_point(tmp_path: Path) -> None:
    world = World(write(tmp_path, text(UP, DOWN)))
    world.run(0)
    world.spot.move([(4_700_000, 5)], [(4_700_001, 5)])
    world.run(15_000)
    assert (world.spot.touch.bid, world.spot.touch.ask) == (4_599_000, 4_599_001)
    assert world.venue.check_invariants() == []


# -- playing -------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("product", [SPOT, USDM])
def test_the_first_subscription_on_either_product_starts_both(tmp_path: Path, product: str) -> None:
    world = World(write(tmp_path, text(UP, DOWN)), start="subscription", speed=60)
    world.run(MINUTE_MS)
    assert [replay["started"] for replay in world.status["replays"]] == [False, False]
    inbox = world.listen(product, "btcusdt@bookTicker")
    world.run(1_000)
    assert world.status["lines"] == 1
    world.run(1_000)
    assert world.status["finished"] is True
    assert [(r["product"], r["lines"], r["frames"]) for r in world.status["replays"]] == [
        (SPOT, 2, 0),
        (USDM, 2, 0),
    ]
    assert (world.status["lines"], world.status["frames"]) == (2, 0)
    assert len(inbox.messages) == 8


def test_a_stopped_replay_plays_no_more(tmp_path: Path) -> None:
    world = World(write(tmp_path, text(UP, DOWN)))
    world.run(20_000)
    world.venue.stop()
    world.run(10 * MINUTE_MS)
    assert len(world.spot.trades) == 2


def test_others_get_their_turn_between_the_slices_of_a_replay_without_pauses(tmp_path: Path) -> None:
    world = World(write(tmp_path, text(*[UP] * 100)), speed=0)
    seen: list[int] = []

    def look() -> None:
        seen.append(world.status["lines"])
        if not world.status["finished"]:
            world.clock.call_soon(look)

    world.clock.call_soon(look)
    world.run(0)
    assert seen[-1] == 100
    assert len(seen) > 10


def test_the_own_candles_follow_from_the_trades(tmp_path: Path) -> None:
    world = World(write(tmp_path, text(UP, DOWN)), start="subscription")
    inbox = world.listen(USDM, "btcusdt@kline_1m", MARKET)
    world.run(2 * MINUTE_MS + 100)
    closed = [m["k"] for m in inbox.messages if m["k"]["x"]]
    assert [(k["t"], k["o"], k["h"], k["l"], k["c"], k["v"], k["n"]) for k in closed] == [
        (START_MS, "46000.00", "46020.00", "45990.00", "46010.00", "8.000", 4),
        (START_MS + MINUTE_MS, "46010.00", "46015.00", "45900.00", "45950.00", "4.000", 4),
    ]


def test_several_files_of_a_symbol_are_joined_in_order_of_time_and_holes_take_no_time(tmp_path: Path) -> None:
    late = write(tmp_path, text(DOWN, first=500), "BTCUSDT-1m-2024-02.csv")
    early = write(tmp_path, text(UP), "BTCUSDT-1m-2024-01.csv")
    world = World(late, early)
    world.run(2 * MINUTE_MS)
    assert (world.status["lines"], world.status["finished"]) == (2, True)
    assert [t.price for t in world.spot.trades] == [
        *(4_600_000, 4_599_000, 4_602_000, 4_601_000),
        *(4_601_000, 4_601_500, 4_590_000, 4_595_000),
    ]


def test_other_symbols_move_on_as_they_would(tmp_path: Path) -> None:
    world = World(write(tmp_path, text(UP)), market=SYNTHETIC)
    world.run(5_000)
    assert len(world.spot.trades) == 1
    assert world.venue.products[SPOT].markets["ETHUSDT"].trades


@pytest.mark.parametrize("suffix", [".csv", ".csv.gz", ".zip"])
def test_files_may_be_plain_gzipped_or_zipped(tmp_path: Path, suffix: str) -> None:
    path = tmp_path / f"ETHUSDT-1m-2024-01-11{suffix}"
    content = text((2_500.0, 2_501.0, 2_499.0, 2_500.5, 3.0))
    if suffix == ".zip":
        with zipfile.ZipFile(path, "w") as archive:
            archive.writestr("ETHUSDT-1m-2024-01-11.csv", content)
    else:
        write(tmp_path, content, path.name)
    world = World(path, speed=0)
    world.run(0)
    assert world.status["lines"] == 1
    assert world.venue.products[USDM].markets["ETHUSDT"].trades[-1].price == 250_050


# -- what cannot be used -------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    "name",
    ["candles.csv", "BTCUSDT.csv.gz", "BTCUSDT-trades-2024-01.zip", "BTCUSDT-7m-2024.csv", "1m-BTC.csv"],
)
def test_a_file_that_is_not_named_after_symbol_and_interval_is_refused(tmp_path: Path, name: str) -> None:
    path = write(tmp_path, text(UP), name)
    with pytest.raises(DataError, match="name it SYMBOL-INTERVAL-… as in BTCUSDT-1m-2024") as raised:
        bar_recordings([path], LISTINGS)
    assert str(path) in str(raised.value)


HEADER = "open_time,open,high,low,close,volume\n"


@pytest.mark.parametrize(
    ("name", "content", "message"),
    [
        ("DOGEUSDT-1m.csv", text(UP), "DOGEUSDT is not listed"),
        ("BTCUSDT-1m.csv", text(UP) + "1704931260000,x,1,1,1,1,1,1,1,1,1,1\n", "BTCUSDT-1m.csv, row 2: 'x'"),
        ("BTCUSDT-1m.csv", text(UP, (5.0, 4.0, 3.0, 3.5, 1.0)), "BTCUSDT-1m.csv, row 2 has open or close"),
        ("BTCUSDT-1m.csv", f"{HEADER}{OPEN_MS},-1,2,1,1,5\n", "row 2 has no usable open"),
        ("BTCUSDT-1m.csv", "", "is empty"),
        ("BTCUSDT-1m.csv", "1,2,3\n", "has 3 columns"),
        ("BTCUSDT-1m.zip", text(UP), "cannot be read"),
        ("BTCUSDT-1m.csv", text(UP, DOWN, step_ms=3_600_000), "name it after its interval"),
        ("BTCUSDT-1h.csv", text(UP, DOWN), "does not open on the 1h grid"),
        (
            "BTCUSDT-1m.csv",
            text(UP, (30.0, 31.0, 29.0, 30.0, 1.0)),
            "1704931260000 ms has prices from 29 to 31",
        ),
    ],
)
def test_a_file_that_cannot_be_played_is_refused_by_name_and_row(
    tmp_path: Path, name: str, content: str, message: str
) -> None:
    with pytest.raises(DataError, match=message) as raised:
        World(write(tmp_path, content, name))
    assert name in str(raised.value)


def test_candles_of_two_intervals_cannot_move_one_symbol(tmp_path: Path) -> None:
    minutes = write(tmp_path, text(UP), "BTCUSDT-1m.csv")
    hours = write(tmp_path, text(UP), "BTCUSDT-1h.csv")
    with pytest.raises(DataError, match=r"BTCUSDT-1m.csv, BTCUSDT-1h.csv: .* give files of one interval"):
        World(minutes, hours)


def test_candles_and_frames_cannot_move_one_market(tmp_path: Path) -> None:
    snapshot = '{"lastUpdateId":10,"bids":[["60000.00","1"]],"asks":[["60000.10","2"]]}'
    frame = '{"stream":"x","data":{"s":"BTCUSDT","e":"bookTicker"}}'
    frames = write(tmp_path, f"1 {frame}\n2 {snapshot}\n", "frames.gz")
    with pytest.raises(DataError, match=r"BTCUSDT-1m-test\.csv\.gz: another recording plays"):
        World(frames, write(tmp_path, text(UP)))


def test_a_negative_speed_is_refused(tmp_path: Path) -> None:
    with pytest.raises(DataError, match=r"speed -1.0 of BTCUSDT-1m-test.csv.gz is negative"):
        World(write(tmp_path, text(UP)), speed=-1.0)


@pytest.mark.parametrize("missing", ["numpy", "polars"])
@pytest.mark.slow
def test_without_the_extra_only_candles_are_refused(tmp_path: Path, missing: str) -> None:
    path = write(tmp_path, text(UP))
    program = (
        f"import sys; sys.modules['{missing}'] = None\n"
        "from nexustrader.cli.main import main\n"
        "import nexustrader.emulator.binance.emulator, nexustrader.emulator.program\n"
        "assert not sys.modules.get('numpy') and not sys.modules.get('polars')\n"
        f"main(['emulate', 'binance', '--data', {str(path)!r}])\n"
    )
    done = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, timeout=60)
    assert done.returncode == 2
    assert f"candles are read with {missing}, which is not installed" in done.stderr
    assert 'pip install "nexustrader[backtest]"' in done.stderr


# -- over sockets --------------------------------------------------------------------------------------------


async def finish(emulator: BinanceEmulator) -> dict[str, Any]:
    while not emulator.status()["finished"]:
        await asyncio.sleep(0.01)
    return emulator.status()


@pytest.mark.slow
async def test_a_client_trades_on_candles(tmp_path: Path) -> None:
    behaviour = BinanceSettings(market=STILL, data=[write(tmp_path, text(UP, DOWN))], speed=600)
    async with BinanceEmulator(behaviour) as emulator, VenueClient(emulator) as client:
        assert (await client.usdm_limit("BUY", "0.2", "45950.5")).body["status"] == "NEW"
        socket = await client.connect("/public/stream?streams=btcusdt@depth/btcusdt@bookTicker")
        pushes = [push["data"] for push in await socket.count(16)]
        updates = [push for push in pushes if push["e"] == "depthUpdate"]
        assert all(later["pu"] == first["u"] for first, later in pairwise(updates))
        assert (await finish(emulator))["lines"] == 2
        book = (await client.call("GET", "/fapi/v1/depth", symbol="BTCUSDT", limit=5)).body
        assert (book["lastUpdateId"], book["asks"][0][0]) == (updates[-1]["u"], "45950.00")
        orders = (await client.call("GET", "/fapi/v1/allOrders", signed=True, symbol="BTCUSDT")).body
        assert [(o["status"], o["executedQty"]) for o in orders] == [("FILLED", "0.200")]
        taken = await client.spot_order(side="BUY", type="MARKET", quantity="2")
        assert taken.body["status"] == "FILLED"
        assert emulator.venue.check_invariants() == []


@pytest.mark.slow
def test_the_demo_on_candles_ends_with_equal_books(tmp_path: Path) -> None:
    path = write(tmp_path, text(*[UP, DOWN] * 30))
    command = [sys.executable, "-m", "nexustrader.cli.main", "demo", "--data", str(path), "--speed", "1200"]
    done = subprocess.run(command, cwd=tmp_path, capture_output=True, text=True, timeout=100)
    assert done.returncode == 0, done.stdout + done.stderr
    assert "60 candles were replayed" in done.stdout
    assert "The books are equal" in done.stdout


@pytest.mark.slow
async def test_a_recorded_month_is_played_to_its_last_price(testdata: Path) -> None:
    path = testdata / "marketdata/klines/binance_spot/BTCUSDT-1m-2024-01.csv.gz"
    with gzip.open(path, "rt") as file:
        rows = [line.split(",") for line in file]
    cpu = time.process_time()
    behaviour = BinanceSettings(market=STILL, data=[path], speed=0, start=AT_ONCE)
    async with BinanceEmulator(behaviour) as emulator:
        status = await finish(emulator)
        cpu = time.process_time() - cpu
        assert (len(rows), status["lines"]) == (MONTH_CANDLES, MONTH_CANDLES)
        assert emulator.venue.check_invariants() == []
        spot = emulator.venue.products[SPOT].markets["BTCUSDT"]
        assert spot.prices.text(spot.candles.last) == rows[-1][4]
        minutes = spot.candles._minutes
        assert max(bar.high for bar in minutes) == max(round(float(row[2]) * 100) for row in rows)
        assert min(bar.low for bar in minutes) == min(round(float(row[3]) * 100) for row in rows)
        assert sum(bar.lots for bar in minutes) == sum(round(float(row[5]) * 1e5) for row in rows)
    assert cpu < CPU_S_MAX
