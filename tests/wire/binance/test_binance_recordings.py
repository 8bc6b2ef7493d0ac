"""Recorded messages decode exactly: every field we read equals what was on the wire, numbers included."""

from __future__ import annotations

import gzip
from collections.abc import Iterator
from decimal import Decimal
from pathlib import Path
from typing import Any

import msgspec
import pytest

from nexustrader.constants import DataType
from nexustrader.exchange.binance import VENUE, BinanceAccountType, wire
from nexustrader.market.subscriptions import Stream
from nexustrader.venue.wire import reader

SPOT, USD_M = BinanceAccountType.SPOT, BinanceAccountType.USD_M_FUTURE


def assert_exact(value: Any, recorded: Any, where: str = "$") -> None:
    """`value` (decoded by us) says what `recorded` (plain JSON) says, for each key that the struct knows."""
    if isinstance(value, msgspec.Raw):
        assert msgspec.json.decode(value) == recorded, where
    elif isinstance(value, msgspec.Struct):
        info = msgspec.structs.fields(value)
        if isinstance(recorded, list):
            pairs = [(field.name, item) for field, item in zip(info, recorded, strict=False)]
            assert len(pairs) == len(info), f"{where}: the row is too short"
        else:
            pairs = [(f.name, recorded[f.encode_name]) for f in info if f.encode_name in recorded]
            for field in info:
                if field.encode_name not in recorded:
                    assert not field.required, f"{where}.{field.encode_name} was made up"
        for name, item in pairs:
            assert_exact(getattr(value, name), item, f"{where}.{name}")
    elif isinstance(value, list | tuple):
        assert len(value) == len(recorded), where
        for index, (ours, theirs) in enumerate(zip(value, recorded, strict=True)):
            assert_exact(ours, theirs, f"{where}[{index}]")
    elif isinstance(value, Decimal):
        assert format(value, "f") == recorded, where  # also the same number of decimals
    elif isinstance(value, float):
        assert value == float(recorded), where
    else:
        assert value == recorded, where


def lines(path: Path) -> Iterator[bytes]:
    for line in path.read_bytes().splitlines():
        if line.strip():
            yield line


FRAMES = [
    ("ws_spot_aggTrade.jsonl", wire.Frame[wire.Trade], 2),
    ("ws_spot_bookTicker.jsonl", wire.Frame[wire.BookTicker], 40),
    ("ws_spot_kline_1m.jsonl", wire.Frame[wire.Kline], 2),
    ("ws_usdm_aggTrade.jsonl", wire.Frame[wire.Trade], 25),
    ("ws_usdm_bookTicker.jsonl", wire.Frame[wire.BookTicker], 35),
    ("ws_usdm_kline_1m.jsonl", wire.Frame[wire.Kline], 15),
    ("ws_coinm_aggTrade.jsonl", wire.Frame[wire.Trade], 20),
    ("ws_coinm_bookTicker.jsonl", wire.Frame[wire.BookTicker], 30),
    ("ws_coinm_kline_1m.jsonl", wire.Frame[wire.Kline], 15),
]


@pytest.mark.parametrize(("name", "kind", "least"), FRAMES, ids=[name for name, _, _ in FRAMES])
def test_stream_frames(testdata, name, kind, least):
    read = reader(kind, name, lax=True)
    frames = list(lines(testdata / "wire/binance/samples" / name))
    assert len(frames) >= least
    for raw in frames:
        assert_exact(read(raw), msgspec.json.decode(raw))
        assert VENUE.topic_of(raw) == msgspec.json.decode(raw)["stream"]


def test_bare_klines_and_the_confirmations_between_them(testdata):
    read = reader(wire.Kline, "kline", lax=True)
    seen = 0
    for raw in lines(testdata / "wire/binance/samples/ws_usdm_kline_raw.jsonl"):
        if b'"result"' in raw:
            assert VENUE.topic_of(raw) is None
            assert VENUE.control_problem(raw) is None
            continue
        assert_exact(read(raw), msgspec.json.decode(raw))
        seen += 1
    assert seen > 30


ANSWERS = [
    ("rest_recorded_spot.json", "GET /api/v3/klines (5m)", list[wire.KlineRow]),
    ("rest_recorded_spot.json", "GET /api/v3/ticker/24hr", wire.Ticker24h),
    ("rest_recorded_usdm.json", "GET /fapi/v1/klines", list[wire.KlineRow]),
    ("rest_recorded_usdm.json", "GET /fapi/v1/ticker/24hr", wire.Ticker24h),
    ("rest_recorded_usdm.json", "GET /fapi/v1/time", wire.ServerTime),
    ("doc_examples/spot_rest_api.json", "GET /api/v3/order", wire.OrderReply),
    ("doc_examples/spot_rest_api.json", "GET /api/v3/openOrders", list[wire.OrderReply]),
    ("doc_examples/spot_rest_api.json", "DELETE /api/v3/order", wire.OrderReply),
    ("doc_examples/spot_rest_api.json", "DELETE /api/v3/openOrders", list[wire.OrderReply]),
    ("doc_examples/spot_rest_api.json", "GET /api/v3/myTrades", list[wire.TradeRow]),
    ("doc_examples/spot_rest_api.json", "GET /api/v3/account", wire.SpotAccount),
    ("doc_examples/usdm_rest_api.json", "POST /fapi/v1/order", wire.OrderReply),
    ("doc_examples/usdm_rest_api.json", "PUT /fapi/v1/order", wire.OrderReply),
    ("doc_examples/usdm_rest_api.json", "DELETE /fapi/v1/order", wire.OrderReply),
    ("doc_examples/usdm_rest_api.json", "GET /fapi/v1/order", wire.OrderReply),
    ("doc_examples/usdm_rest_api.json", "GET /fapi/v1/openOrders", list[wire.OrderReply]),
    ("doc_examples/usdm_rest_api.json", "GET /fapi/v1/userTrades", list[wire.TradeRow]),
    ("doc_examples/usdm_rest_api.json", "GET /fapi/v3/balance", list[wire.FuturesBalance]),
    ("doc_examples/usdm_rest_api.json", "GET /fapi/v3/positionRisk", list[wire.PositionRow]),
    ("doc_examples/usdm_rest_api.json", "GET /fapi/v1/positionSide/dual", wire.PositionMode),
    ("doc_examples/usdm_rest_api.json", "POST /fapi/v1/listenKey", wire.ListenKey),
    ("doc_examples/usdm_rest_api.json", "PUT /fapi/v1/listenKey", wire.ListenKey),
    ("rest_recorded_coinm.json", "GET /dapi/v1/klines", list[wire.KlineRow]),
    ("rest_recorded_coinm.json", "GET /dapi/v1/ticker/24hr", list[wire.Ticker24h]),
    ("doc_examples/coinm_rest_api.json", "POST /dapi/v1/order", wire.OrderReply),
    ("doc_examples/coinm_rest_api.json", "PUT /dapi/v1/order", wire.OrderReply),
    ("doc_examples/coinm_rest_api.json", "DELETE /dapi/v1/order", wire.OrderReply),
    ("doc_examples/coinm_rest_api.json", "GET /dapi/v1/order", wire.OrderReply),
    ("doc_examples/coinm_rest_api.json", "GET /dapi/v1/openOrders", list[wire.OrderReply]),
    ("doc_examples/coinm_rest_api.json", "GET /dapi/v1/userTrades", list[wire.TradeRow]),
    ("doc_examples/coinm_rest_api.json", "GET /dapi/v1/balance", list[wire.FuturesBalance]),
    ("doc_examples/coinm_rest_api.json", "GET /dapi/v1/positionRisk", list[wire.PositionRow]),
    ("doc_examples/coinm_rest_api.json", "POST /dapi/v1/listenKey", wire.ListenKey),
    ("doc_examples/margin_rest_api.json", "POST /sapi/v1/margin/order", wire.OrderReply),
    ("doc_examples/margin_rest_api.json", "DELETE /sapi/v1/margin/order", wire.OrderReply),
    ("doc_examples/margin_rest_api.json", "DELETE /sapi/v1/margin/openOrders", list[wire.OrderReply]),
    ("doc_examples/margin_rest_api.json", "GET /sapi/v1/margin/order", wire.OrderReply),
    ("doc_examples/margin_rest_api.json", "GET /sapi/v1/margin/openOrders", list[wire.OrderReply]),
    ("doc_examples/margin_rest_api.json", "GET /sapi/v1/margin/myTrades", list[wire.TradeRow]),
    ("doc_examples/margin_rest_api.json", "GET /sapi/v1/margin/account", wire.SpotAccount),
    ("doc_examples/margin_rest_api.json", "GET /sapi/v1/margin/isolated/account", wire.SpotAccount),
    ("doc_examples/pm_rest_api.json", "POST /papi/v1/um/order", wire.OrderReply),
    ("doc_examples/pm_rest_api.json", "POST /papi/v1/cm/order", wire.OrderReply),
    ("doc_examples/pm_rest_api.json", "POST /papi/v1/margin/order", wire.OrderReply),
    ("doc_examples/pm_rest_api.json", "GET /papi/v1/um/order", wire.OrderReply),
    ("doc_examples/pm_rest_api.json", "GET /papi/v1/cm/openOrders", list[wire.OrderReply]),
    ("doc_examples/pm_rest_api.json", "GET /papi/v1/margin/openOrders", list[wire.OrderReply]),
    ("doc_examples/pm_rest_api.json", "GET /papi/v1/um/userTrades", list[wire.TradeRow]),
    ("doc_examples/pm_rest_api.json", "GET /papi/v1/margin/myTrades", list[wire.TradeRow]),
    ("doc_examples/pm_rest_api.json", "GET /papi/v1/um/positionRisk", list[wire.PositionRow]),
    ("doc_examples/pm_rest_api.json", "GET /papi/v1/cm/positionRisk", list[wire.PositionRow]),
    ("doc_examples/pm_rest_api.json", "GET /papi/v1/balance", list[wire.FuturesBalance]),
]


@pytest.mark.parametrize(("file", "call", "kind"), ANSWERS, ids=[call for _, call, _ in ANSWERS])
def test_rest_answers(testdata, file, call, kind):
    answer = msgspec.json.decode((testdata / "wire/binance/samples" / file).read_bytes())[call]
    answer = answer["response"] if "sdk_name" in answer else answer
    lax = kind in (list[wire.KlineRow], wire.Ticker24h, list[wire.Ticker24h])
    assert_exact(reader(kind, call, lax=lax)(msgspec.json.encode(answer)), answer)


@pytest.mark.parametrize(
    "name",
    [
        "spot_2021",
        "spot_2025",
        "usdm_2021_with_delivery",
        "usdm_2025",
        "coinm_2021_with_delivery",
        "coinm_2025",
    ],
)
def test_symbols_of_both_eras(testdata, name):
    recorded = msgspec.json.decode((testdata / f"wire/binance/samples/exchangeinfo/{name}.json").read_bytes())
    read = reader(wire.SymbolRow, "a symbol")
    for row in recorded["symbols"]:
        assert_exact(read(msgspec.json.encode(row)), row)


EVENTS = [
    ("pm_account_update.jsonl", wire.AccountUpdate),
    ("pm_execution_report.jsonl", wire.ExecutionReport),
    ("pm_order_trade_update.jsonl", wire.OrderTradeUpdate),
    ("pm_outbound_account_position.jsonl", wire.AccountPosition),
    ("usdm_order_trade_update_2026.jsonl", wire.OrderTradeUpdate),
]


@pytest.mark.parametrize(("name", "kind"), EVENTS, ids=[name for name, _ in EVENTS])
def test_private_events(testdata, name, kind):
    read = reader(kind, name)
    frames = list(lines(testdata / "wire/binance/samples/userdata_recorded" / name))
    assert frames
    for raw in frames:
        assert_exact(read(raw), msgspec.json.decode(raw))


def test_every_recorded_private_event_gives_facts_or_nothing(testdata):
    """None of them raises; orders, balances and positions come out, settings do not."""
    facts = {}
    for path in sorted((testdata / "wire/binance/samples/userdata_recorded").glob("*.jsonl")):
        account_type = SPOT if "execution" in path.name or "outbound" in path.name else USD_M
        facts[path.name] = [
            VENUE.parse_user_event(account_type, "a", lambda _: None, raw) for raw in lines(path)
        ]
    assert all(events == () for events in facts["pm_account_config_update.jsonl"])
    assert all(events == ("balance_update",) for events in facts["pm_balance_update.jsonl"])
    assert all(len(events) == 1 for events in facts["pm_execution_report.jsonl"])
    assert all(len(events) == 1 for events in facts["pm_order_trade_update.jsonl"])
    assert all(events for events in facts["pm_account_update.jsonl"])


def test_every_pushed_private_message_of_the_transcripts_is_read(testdata):
    seen = 0
    for path in sorted((testdata / "wire/binance/samples/transcripts").glob("*.jsonl")):
        if "spot_account" not in path.name and "usdfutures" not in path.name:
            continue
        account_type = SPOT if "spot_account" in path.name else USD_M
        for line in lines(path):
            entry = msgspec.json.decode(line)
            if entry["dir"] == "server_push" and isinstance(entry["msg"].get("data", {}), dict):
                VENUE.parse_user_event(account_type, "a", lambda _: None, msgspec.json.encode(entry["msg"]))
                seen += 1
    assert seen > 20


@pytest.mark.slow
@pytest.mark.parametrize(
    ("file", "account_type", "least"),
    [("spot_btcusdt_20240808.gz", SPOT, 37_000), ("usdm_btcusdt_20240808.gz", USD_M, 87_000)],
)
def test_minutes_of_raw_frames_give_the_numbers_of_the_wire(testdata, file, account_type, least, spot):
    got: list[Any] = []
    decoders = {
        "btcusdt@bookTicker": (DataType.BOOKL1, ("b", "a", "B", "A"), ("bid", "ask", "bid_size", "ask_size")),
        "btcusdt@trade": (DataType.TRADE, ("p", "q", "T"), ("price", "size", "timestamp")),
    }
    bound = {
        topic: VENUE.decoder(account_type, Stream(kind, spot.symbol), spot, {kind: got.append}, lambda: 7)
        for topic, (kind, _, _) in decoders.items()
    }
    count = 0
    with gzip.open(testdata / "marketdata/rawws/binance" / file) as stream:
        for line in stream:
            raw = line.split(b" ", 1)[1].rstrip()
            topic = VENUE.topic_of(raw)
            if topic not in bound:
                continue
            data = msgspec.json.decode(raw)["data"]
            bound[topic](raw)
            _, letters, names = decoders[topic]
            tick = got.pop()
            assert [getattr(tick, name) for name in names] == [float(data[letter]) for letter in letters]
            if topic.endswith("trade"):
                assert tick.side.is_sell is data["m"]
            else:
                assert tick.timestamp == data.get("T", 7)
            count += 1
    assert count >= least
    assert got == []
