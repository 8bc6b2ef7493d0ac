"""Public sockets of the emulated Bybit: acknowledgements, books, trades, tickers, candles."""

from __future__ import annotations

from typing import Any

import pytest
from bybit_client import MemoryBybit, MemorySocket

from nexustrader.emulator.peer import Conduct, Pulse

CALL = "BTC-25JUN27-60000-C-USDT"
SYMBOLS = {"spot": "BTCUSDT", "linear": "BTCUSDT", "inverse": "BTCUSD", "option": CALL}


@pytest.fixture
def world() -> MemoryBybit:
    return MemoryBybit()


class Book:
    """A book kept as a client keeps it."""

    def __init__(self) -> None:
        self.sides: dict[str, dict[str, str]] = {"b": {}, "a": {}}
        self.update_id = 0

    def take(self, frame: Any) -> None:
        body = frame["data"]
        if frame["type"] == "snapshot":
            self.sides = {"b": {}, "a": {}}
        else:
            assert body["u"] == self.update_id + 1
        self.update_id = body["u"]
        for side in ("b", "a"):
            for price, size in body[side]:
                if size == "0":
                    self.sides[side].pop(price)
                else:
                    self.sides[side][price] = size

    def best(self, depth: int) -> tuple[list[list[str]], list[list[str]]]:
        bids = sorted(self.sides["b"].items(), key=lambda level: -float(level[0]))[:depth]
        asks = sorted(self.sides["a"].items(), key=lambda level: float(level[0]))[:depth]
        return [list(level) for level in bids], [list(level) for level in asks]


@pytest.mark.parametrize(
    ("category", "ack"),
    [
        ("spot", {"success": True, "ret_msg": "subscribe", "req_id": "r1", "op": "subscribe"}),
        ("linear", {"success": True, "ret_msg": "", "req_id": "r1", "op": "subscribe"}),
        ("inverse", {"success": True, "ret_msg": "", "req_id": "r1", "op": "subscribe"}),
        (
            "option",
            {
                "success": True,
                "data": {"failTopics": [], "successTopics": [f"tickers.{CALL}"]},
                "type": "COMMAND_RESP",
            },
        ),
    ],
)
def test_each_socket_acknowledges_in_its_own_form(
    world: MemoryBybit, category: str, ack: dict[str, object]
) -> None:
    socket = world.socket(f"public/{category}")
    first = socket.subscribe(f"tickers.{SYMBOLS[category]}")[0]
    assert first.pop("conn_id")
    assert first == ack


@pytest.mark.parametrize(
    ("category", "pong"),
    [
        ("spot", {"success": True, "ret_msg": "pong", "op": "ping"}),
        ("linear", {"success": True, "ret_msg": "pong", "op": "ping", "req_id": "p1"}),
        ("inverse", {"success": True, "ret_msg": "pong", "op": "ping", "req_id": "p1"}),
    ],
)
def test_each_socket_answers_pings_in_its_own_form(
    world: MemoryBybit, category: str, pong: dict[str, object]
) -> None:
    (answer,) = world.socket(f"public/{category}").ask({"req_id": "p1", "op": "ping"})
    assert answer.pop("conn_id")
    assert answer == pong


def test_options_answer_pings_with_the_time_alone(world: MemoryBybit) -> None:
    (answer,) = world.socket("public/option").ask({"op": "ping"})
    assert answer == {"args": [str(world.clock.timestamp_ms())], "op": "pong"}


@pytest.mark.parametrize("category", ["spot", "linear", "inverse"])
@pytest.mark.parametrize("depth", [50, 200, 1_000])
def test_a_book_of_deltas_is_the_book_of_the_venue(category: str, depth: int) -> None:
    from nexustrader.emulator.bybit.venue import BybitSettings

    world = MemoryBybit(BybitSettings(seed=7))
    symbol = SYMBOLS[category]
    socket, name = world.socket(f"public/{category}"), f"orderbook.{depth}.{symbol}"
    frames = socket.subscribe(name)[1:]
    assert [frame["type"] for frame in frames] == ["snapshot"]
    world.wait(5_000)
    frames += socket.take(name)
    assert len(frames) > 10
    assert {frame["type"] for frame in frames[1:]} == {"delta"}
    book = Book()
    for frame in frames:
        book.take(frame)
    shown = world.venue.products[category].hub.books[name]
    assert book.best(depth) == ([list(level) for level in shown.bids], [list(level) for level in shown.asks])
    assert book.update_id == shown.update_id
    sequences = [frame["data"]["seq"] for frame in frames]
    assert sequences == sorted(sequences)


def test_who_joins_later_gets_the_book_at_which_the_deltas_go_on(world: MemoryBybit) -> None:
    first, second = world.socket("public/linear"), world.socket("public/linear")
    first.subscribe("orderbook.50.BTCUSDT")
    world.move("60010.0", "60010.1")
    late = Book()
    for frame in second.subscribe("orderbook.50.BTCUSDT")[1:]:
        late.take(frame)
    world.wait(100)
    for frame in second.take("orderbook.50.BTCUSDT"):
        late.take(frame)
    assert late.best(1) == ([["60010.00", "10.000"]], [["60010.10", "10.000"]])


def test_the_best_levels_alone_are_snapshots_and_told_again_when_it_is_quiet(world: MemoryBybit) -> None:
    socket = world.socket("public/linear")
    (snapshot,) = socket.subscribe("orderbook.1.BTCUSDT")[1:]
    world.wait(100)
    socket.take()
    world.move("60010.0", "60010.1")
    world.wait(100)
    (moved,) = socket.take()
    assert moved["type"] == "snapshot"
    assert moved["data"]["b"] == [["60010.00", "10.000"]]
    assert moved["data"]["u"] == snapshot["data"]["u"] + 1
    world.wait(3_100)
    (again,) = socket.take()
    assert again["data"]["u"] == moved["data"]["u"]


def test_rest_shows_the_book_as_the_thousand_levels_tell_it(world: MemoryBybit) -> None:
    socket = world.socket("public/linear")
    (snapshot,) = socket.subscribe("orderbook.1000.BTCUSDT")[1:]
    body = world.get(
        "market/orderbook", signed=False, category="linear", symbol="BTCUSDT", limit=1_000
    ).result
    assert (body["u"], body["b"]) == (snapshot["data"]["u"], snapshot["data"]["b"])


def test_a_level_that_leaves_the_depth_is_deleted(world: MemoryBybit) -> None:
    socket = world.socket("public/option")
    book = Book()
    for frame in socket.subscribe(f"orderbook.25.{CALL}")[1:]:
        book.take(frame)
    world.move("9020", "9025", symbol=CALL)
    world.wait(100)
    for frame in socket.take():
        book.take(frame)
    assert max(len(side) for side in book.sides.values()) <= 25
    assert book.best(1)[0] == [["9020", "10.00"]]


@pytest.mark.parametrize("category", ["spot", "linear"])
def test_trades_are_told_as_they_happen(world: MemoryBybit, category: str) -> None:
    socket = world.socket(f"public/{category}")
    socket.subscribe("publicTrade.BTCUSDT")
    world.trade("60000.1", "0.5", "BUY", product=category)
    (frame,) = socket.take("publicTrade.BTCUSDT")
    (row,) = frame["data"]
    assert (row["S"], float(row["v"]), float(row["p"])) == ("Buy", 0.5, 60000.1)
    assert ("L" in row) == (category == "linear")
    assert row["i"].isdigit() == (category == "spot")
    (rest,) = world.get(
        "market/recent-trade", signed=False, category=category, symbol="BTCUSDT", limit=1
    ).rows
    assert rest["execId"] == row["i"]


def test_trades_of_options_are_told_by_their_base_coin(world: MemoryBybit) -> None:
    socket = world.socket("public/option")
    socket.subscribe("publicTrade.BTC")
    market = world.venue.products["option"].markets[CALL]
    market.trade(1_800, 5, buyer_is_maker=True)
    (frame,) = socket.take("publicTrade.BTC")
    assert frame["data"][0]["s"] == CALL
    assert "mP" in frame["data"][0]


def test_tickers_of_futures_tell_what_changed_alone(world: MemoryBybit) -> None:
    socket = world.socket("public/linear")
    (snapshot,) = socket.subscribe("tickers.BTCUSDT")[1:]
    assert snapshot["type"] == "snapshot"
    assert snapshot["data"]["bid1Price"] == "60000.00"
    world.wait(200)
    assert all(frame["type"] == "delta" for frame in socket.take())
    world.move("60010.0", "60010.1")
    world.wait(200)
    (delta,) = socket.take()
    assert delta["type"] == "delta"
    assert delta["data"]["bid1Price"] == "60010.00"
    assert "fundingRate" not in delta["data"]
    assert delta["data"].keys() < snapshot["data"].keys()


def test_tickers_of_spot_are_whole_and_have_no_touch(world: MemoryBybit) -> None:
    socket = world.socket("public/spot")
    (snapshot,) = socket.subscribe("tickers.BTCUSDT")[1:]
    world.wait(200)
    socket.take()
    world.trade("60000.1", "0.5", "BUY", product="spot")
    world.wait(200)
    (later,) = socket.take()
    assert later["type"] == "snapshot"
    assert later["data"].keys() == snapshot["data"].keys()
    assert "bid1Price" not in later["data"]
    assert later["data"]["lastPrice"] == "60000.1"


def test_a_candle_is_told_while_it_is_open_and_once_when_it_closed(world: MemoryBybit) -> None:
    socket = world.socket("public/linear")
    socket.subscribe("kline.1.BTCUSDT")
    world.trade("60000.1", "0.5", "BUY", product="linear")
    world.wait(61_000)
    rows = [frame["data"][0] for frame in socket.take("kline.1.BTCUSDT")]
    closed = [row for row in rows if row["confirm"]]
    assert len(closed) == 1
    assert closed[0]["end"] == closed[0]["start"] + 59_999
    assert len(rows) > 30
    (_, rest) = world.get(
        "market/kline", signed=False, category="linear", symbol="BTCUSDT", interval="1", limit=2
    ).rows
    assert [rest[0], rest[4], rest[5]] == [str(closed[0]["start"]), closed[0]["close"], closed[0]["volume"]]


def test_bounds_of_prices_are_told(world: MemoryBybit) -> None:
    socket = world.socket("public/linear")
    socket.subscribe("priceLimit.BTCUSDT")
    world.wait(400)
    told = socket.take("priceLimit.BTCUSDT")
    assert told[0]["data"]["buyLmt"] == "66000.06"


@pytest.mark.parametrize(
    ("category", "topic"),
    [
        ("linear", "orderbook.500.BTCUSDT"),
        ("linear", "orderbook.50.btcusdt"),
        ("linear", "tickers.NOPE"),
        ("linear", "order"),
        ("linear", "tickers"),
        ("linear", "kline.7.BTCUSDT"),
        ("spot", "allLiquidation.BTCUSDT"),
        ("option", f"orderbook.50.{CALL}"),
    ],
)
def test_one_topic_that_is_not_served_fails_the_whole_request(
    world: MemoryBybit, category: str, topic: str
) -> None:
    socket = world.socket(f"public/{category}")
    (answer,) = socket.subscribe(f"tickers.{SYMBOLS[category]}", topic)
    assert answer["success"] is False
    assert answer["ret_msg"] == f"error:handler not found,topic:{topic}"
    world.move("60010.0", "60010.1")
    world.wait(300)
    assert socket.take() == []


def test_a_topic_twice_is_refused_and_goes_on(world: MemoryBybit) -> None:
    socket = world.socket("public/linear")
    socket.subscribe("publicTrade.BTCUSDT")
    (answer,) = socket.subscribe("publicTrade.BTCUSDT")
    assert answer["ret_msg"] == "error:already subscribed,topic:publicTrade.BTCUSDT"
    world.trade("60000.1", "0.5", "BUY", product="linear")
    assert len(socket.take("publicTrade.BTCUSDT")) == 1


def test_what_is_no_request_is_refused_and_the_socket_lives(world: MemoryBybit) -> None:
    socket = world.socket("public/linear")
    (answer,) = socket.ask("{")
    assert answer["ret_msg"].startswith("Failed to decode")
    (answer,) = socket.ask({"op": "dance", "req_id": "x"})
    assert (answer["ret_msg"], answer["req_id"]) == ("error:invalid op", "x")
    spot = world.socket("public/spot")
    (answer,) = spot.subscribe(*[f"kline.{number}.BTCUSDT" for number in range(11)])
    assert answer["ret_msg"] == "args size >10"
    assert not socket.closed


def test_nothing_is_heard_after_the_unsubscription_or_the_end(world: MemoryBybit) -> None:
    def topics(socket: MemorySocket) -> list[Any]:
        world.move("60010.0", "60010.1")
        world.move("60020.0", "60020.1")
        world.wait(300)
        return socket.take()

    socket = world.socket("public/linear")
    socket.subscribe("orderbook.50.BTCUSDT", "tickers.BTCUSDT")
    assert topics(socket)
    (answer,) = socket.ask({"op": "unsubscribe", "args": ["orderbook.50.BTCUSDT", "tickers.BTCUSDT"]})
    assert (answer["op"], answer["success"]) == ("unsubscribe", True)
    assert topics(socket) == []
    assert world.venue.products["linear"].stream_count == 0


def test_who_never_pings_is_cut_without_a_closing_frame(world: MemoryBybit) -> None:
    socket = world.socket("public/linear")
    opened = world.service.open("/v5/private?max_active_time=45s", socket)
    assert opened.conduct.idle_ms == 45_000  # type: ignore[union-attr]
    pulse = Pulse(socket, Conduct(idle_ms=45_000), world.clock, lambda _: None)
    pulse.start()
    world.wait(44_000)
    assert pulse.may_speak()
    world.wait(44_000)
    assert not socket.closed
    world.wait(1_100)
    assert socket.closed
