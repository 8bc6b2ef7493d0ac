"""Every reply and message of the emulated Bybit has the fields of the recorded ones."""

from __future__ import annotations

import json
from collections.abc import Iterable
from pathlib import Path
from typing import Any

import pytest
from bybit_client import MemoryBybit, data

CALL = "BTC-25JUN27-60000-C-USDT"

# Fields of older recordings that the venue has no more, or that stand there under a name of the collection's own.
GONE = {"mmrSysUpdateTime", "totalPerpUpl"}


@pytest.fixture
def samples(testdata: Path) -> Path:
    return testdata / "wire/bybit/samples"


@pytest.fixture
def world() -> MemoryBybit:
    """A venue at which everything has happened once."""
    world = MemoryBybit()
    world.create(orderLinkId="open")
    world.market("Buy", "0.02")
    world.market("Sell", "0.01", "spot")
    world.trade("60000.1", "0.5", "BUY")
    return world


def load(path: Path) -> Any:
    return json.loads(path.read_text())


def missing(mine: Any, recorded: Any, path: str = "") -> list[str]:
    """Fields of a recording that are not in ours, or are there of another type; at any depth."""
    if isinstance(recorded, list):
        if not isinstance(mine, list):
            return [f"{path} is no list"]
        return missing(mine[0], recorded[0], f"{path}[0]") if mine and recorded else []
    if not isinstance(recorded, dict):
        same = type(mine) is type(recorded) or recorded is None
        return [] if same else [f"{path} is {type(mine).__name__}, not {type(recorded).__name__}"]
    if not isinstance(mine, dict):
        return [f"{path} is no object"]
    wrong = [f"{path}.{name} is missing" for name in recorded if name not in mine and name not in GONE]
    for name in recorded.keys() & mine.keys():
        wrong += missing(mine[name], recorded[name], f"{path}.{name}")
    return wrong


def unknown(mine: Iterable[str], recorded: Iterable[str], later: set[str]) -> set[str]:
    """Fields of ours that no recording has and the protocol has not added since."""
    return set(mine) - set(recorded) - later


REST = [
    ("instruments_linear", "market/instruments-info", {"category": "linear"}),
    ("instruments_inverse", "market/instruments-info", {"category": "inverse"}),
    ("instruments_option", "market/instruments-info", {"category": "option"}),
    ("instruments_spot", "market/instruments-info", {"category": "spot"}),
    ("klines_linear", "market/kline", {"category": "linear", "symbol": "BTCUSDT", "interval": "1"}),
    ("orderbook", "market/orderbook", {"category": "linear", "symbol": "BTCUSDT"}),
    ("trades_recent", "market/recent-trade", {"category": "linear", "symbol": "BTCUSDT"}),
    ("funding_history", "market/funding/history", {"category": "linear", "symbol": "BTCUSDT"}),
    ("account_info", "account/info", {}),
    ("fee_rate", "account/fee-rate", {"category": "linear"}),
    ("wallet_balance", "account/wallet-balance", {"accountType": "UNIFIED"}),
    ("positions", "position/list", {"category": "linear", "symbol": "BTCUSDT"}),
    ("positions_with_open_time", "position/list", {"category": "linear", "symbol": "BTCUSDT"}),
    ("orders_realtime", "order/realtime", {"category": "linear", "symbol": "BTCUSDT"}),
    ("orders_history", "order/history", {"category": "linear", "symbol": "BTCUSDT"}),
    ("executions", "execution/list", {"category": "linear"}),
]


@pytest.mark.parametrize(("name", "path", "params"), REST, ids=[row[0] for row in REST])
def test_replies_have_the_fields_of_recordings(
    world: MemoryBybit, samples: Path, name: str, path: str, params: dict[str, str]
) -> None:
    recorded = load(samples / f"nt_http_get_{name}.json")
    mine = world.get(path, **params).body
    assert missing(mine, recorded) == []


@pytest.mark.parametrize("category", ["linear", "inverse", "option", "spot"])
def test_instruments_have_the_fields_of_the_venues_own(
    world: MemoryBybit, samples: Path, category: str
) -> None:
    recorded = load(samples / f"cx_http_instruments_{category}_2025.json")
    mine = world.get("market/instruments-info", signed=False, category=category).body
    assert missing(mine["result"]["list"][0], recorded["result"]["list"][0]) == []


DOCUMENTED = [
    ("POST /v5/order/create [PlaceOrder]", None),
    ("GET /v5/order/realtime [GetOrders]", ("order/realtime", {"category": "linear", "symbol": "BTCUSDT"})),
    ("GET /v5/execution/list [GetUserTrades]", ("execution/list", {"category": "linear"})),
    ("GET /v5/position/list [GetPositions]", ("position/list", {"category": "linear", "symbol": "BTCUSDT"})),
    (
        "GET /v5/account/wallet-balance [GetBalances]",
        ("account/wallet-balance", {"accountType": "UNIFIED"}),
    ),
    ("GET /v5/user/query-api [GetApiKeyInfo]", ("user/query-api", {})),
    ("GET /v5/market/kline [GetKlines]",
     ("market/kline", {"category": "inverse", "symbol": "BTCUSD", "interval": "60"})),
    ("GET /v5/market/tickers [GetLinearInverseTickers]", ("market/tickers", {"category": "inverse"})),
    ("GET /v5/market/tickers [GetOptionTickers]", ("market/tickers", {"category": "option"})),
    ("GET /v5/market/tickers [GetSpotTickers]", ("market/tickers", {"category": "spot"})),
    ("GET /v5/market/instruments-info [GetLinearInverseSymbols]",
     ("market/instruments-info", {"category": "linear"})),
    ("GET /v5/market/instruments-info [GetOptionSymbols]", ("market/instruments-info", {"category": "option"})),
    ("GET /v5/market/instruments-info [GetSpotSymbols]", ("market/instruments-info", {"category": "spot"})),
    ("GET /v5/market/orderbook [GetOrderbook]",
     ("market/orderbook", {"category": "spot", "symbol": "BTCUSDT"})),
    ("GET /v5/market/recent-trade [GetTradeHistory]",
     ("market/recent-trade", {"category": "spot", "symbol": "BTCUSDT"})),
]  # fmt: skip


@pytest.mark.parametrize(("name", "query"), DOCUMENTED, ids=[row[0].split(" [")[0] for row in DOCUMENTED])
def test_replies_have_the_fields_of_the_documented_examples(
    world: MemoryBybit, samples: Path, name: str, query: tuple[str, dict[str, str]] | None
) -> None:
    recorded = load(samples / "jk_rest_responses.json")[name]["response"]
    mine = (world.create() if query is None else world.get(query[0], **query[1])).body
    assert missing(mine, recorded) == []


USER = [
    ("nt_ws_account_order.json", "order"),
    ("nt_ws_account_order_filled.json", "order"),
    ("nt_ws_account_order_stop_market.json", "order"),
    ("nt_ws_account_execution.json", "execution"),
    ("nt_ws_account_execution_fast.json", "execution.fast"),
    ("nt_ws_account_position.json", "position"),
    ("nt_ws_account_position_with_open_time.json", "position"),
    ("nt_ws_account_wallet.json", "wallet"),
]


@pytest.mark.parametrize(("file", "topic"), USER, ids=[row[0] for row in USER])
def test_user_messages_have_the_fields_of_recordings(
    world: MemoryBybit, samples: Path, file: str, topic: str
) -> None:
    stream = world.private("order", "execution", "execution.fast", "position", "wallet")
    world.market("Buy", "0.01")
    told = stream.take(topic)
    recorded = load(samples / file)
    assert missing(told[0] if "topic" in recorded else told[0]["data"][0], recorded) == []
    if topic == "execution.fast":
        assert unknown(told[0]["data"][0], recorded["data"][0], set()) == set()


def test_orders_are_told_as_the_venue_was_recorded_to_tell_them(world: MemoryBybit, samples: Path) -> None:
    """Every message of a real account: what stands in a field that says nothing of this order is the same."""
    lines = (samples / "nx_ws_private_order_stream.jsonl").read_text().splitlines()
    recorded = [row for line in lines for row in json.loads(line).get("data", [])]
    stream = world.private("order")
    world.market("Buy", "0.01")
    order_id = world.create().result["orderId"]
    world.cancel(order_id)
    mine = {(row["orderType"], row["orderStatus"]): row for row in data(stream.take())}
    fields = ("cancelType", "rejectReason", "timeInForce", "leavesQty", "leavesValue", "positionIdx",
              "triggerPrice", "triggerDirection", "blockTradeId", "orderIv", "smpType", "smpGroup", "createType",
              "closeOnTrigger", "marketUnit", "isLeverage", "takeProfit", "stopLoss", "placeType")  # fmt: skip
    seen = set()
    for row in recorded:
        kind = (row["orderType"], row["orderStatus"])
        seen.add(kind)
        assert missing(mine[kind], row) == []
        skipped = {"leavesQty", "leavesValue"} if row["orderStatus"] == "New" else set()
        assert {f: mine[kind][f] for f in fields if f not in skipped} == {
            f: row[f] for f in fields if f not in skipped
        }
    assert seen == {("Market", "Filled"), ("Limit", "New"), ("Limit", "Cancelled")}


def test_positions_are_told_as_the_venue_was_recorded_to_tell_them(world: MemoryBybit, samples: Path) -> None:
    lines = (samples / "nx_ws_private_position_stream.jsonl").read_text().splitlines()
    recorded = [json.loads(line) for line in lines]
    stream = world.private("position")
    world.market("Buy", "0.01")
    (mine,) = stream.take("position")
    positions = [frame for frame in recorded if frame.get("topic") == "position"]
    assert positions
    for frame in positions:
        assert missing(mine, frame) == []
    assert mine["id"].split("_")[1] == positions[0]["id"].split("_")[1] == "position"


PUBLIC = [
    ("nt_ws_kline.json", "linear", "kline.5.BTCUSDT"),
    ("nt_ws_orderbook_snapshot.json", "linear", "orderbook.50.BTCUSDT"),
    ("nt_ws_public_trade.json", "linear", "publicTrade.BTCUSDT"),
    ("nt_ws_ticker_linear.json", "linear", "tickers.BTCUSDT"),
    ("nt_ws_ticker_option.json", "option", f"tickers.{CALL}"),
]


@pytest.mark.parametrize(("file", "category", "topic"), PUBLIC, ids=[row[0] for row in PUBLIC])
def test_public_messages_have_the_fields_of_recordings(
    world: MemoryBybit, samples: Path, file: str, category: str, topic: str
) -> None:
    socket = world.socket(f"public/{category}")
    frames = socket.subscribe(topic)
    world.trade("60000.1", "0.5", "BUY", product="linear")
    world.wait(1_500)
    frames += socket.take()
    first = next(frame for frame in frames if frame.get("topic") == topic)
    recorded = load(samples / file)
    recorded.pop("id", None)  # options alone, and then not always
    assert missing(first, recorded) == []


def test_tickers_of_every_category_have_the_fields_of_recordings(world: MemoryBybit, samples: Path) -> None:
    lines = (samples / "gct_ws_tickers_4_categories.jsonl").read_text().splitlines()
    recorded = [json.loads(line) for line in lines]
    wanted = {"spot": "BTCUSDT", "linear": "BTCUSDT", "inverse": "BTCUSD", "option": CALL}
    mine = {}
    for category, symbol in wanted.items():
        mine[category] = world.socket(f"public/{category}").subscribe(f"tickers.{symbol}")[1]
    kinds = {"usdIndexPrice": "spot", "bidIv": "option", "fundingRate": "linear"}
    checked = set()
    for frame in recorded:
        category = next((kind for field, kind in kinds.items() if field in frame["data"]), None)
        if category is not None:
            checked.add(category)
            assert missing(mine[category]["data"], frame["data"]) == []
    assert checked == {"spot", "linear", "option"}
    assert mine["inverse"]["data"].keys() == mine["linear"]["data"].keys()


def test_an_acknowledgement_is_the_recorded_one(world: MemoryBybit, samples: Path) -> None:
    recorded = load(samples / "nt_ws_subscription_ack.json")
    (mine, *_) = world.socket("public/linear").subscribe("tickers.BTCUSDT")
    assert mine.keys() == recorded.keys()
    assert {k: mine[k] for k in ("success", "ret_msg", "op")} == {
        k: recorded[k] for k in ("success", "ret_msg", "op")
    }
