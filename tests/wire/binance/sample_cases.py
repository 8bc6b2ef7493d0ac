"""What each sample of Binance's messages means: reading one ends in its meaning or in WireError."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator, Mapping
from decimal import Decimal
from functools import partial
from pathlib import Path
from typing import Any

import msgspec

from nexustrader.constants import AccountType, DataType, ExchangeType, InstrumentType, OrderSide, OrderType
from nexustrader.domain import events as ev
from nexustrader.domain.instrument import Instrument
from nexustrader.error import WireError
from nexustrader.exchange.binance import VENUE, BinanceAccountType
from nexustrader.exchange.binance.errors import ERRORS
from nexustrader.market.subscriptions import Stream
from nexustrader.venue.local_book import BookChange

SPOT, USD_M, COIN_M = (
    BinanceAccountType.SPOT,
    BinanceAccountType.USD_M_FUTURE,
    BinanceAccountType.COIN_M_FUTURE,
)
CROSS, ISOLATED, PM = (
    BinanceAccountType.MARGIN,
    BinanceAccountType.ISOLATED_MARGIN,
    BinanceAccountType.PORTFOLIO_MARGIN,
)
KINDS = {SPOT: InstrumentType.SPOT, USD_M: InstrumentType.LINEAR, COIN_M: InstrumentType.INVERSE}
NOW_MS = 2_000_000_000_000

encode, decode = msgspec.json.encode, msgspec.json.decode


def instrument(account_type: AccountType, venue_symbol: str = "BTCUSDT") -> Instrument:
    return Instrument(
        symbol=f"{venue_symbol}.BINANCE", venue_symbol=venue_symbol, exchange=ExchangeType.BINANCE,
        type=KINDS.get(account_type, InstrumentType.SPOT), base="BTC", quote="USDT", settle="USDT",
        tick=Decimal("0.1"), lot=Decimal("0.001"), contract_size=Decimal(100), maker=Decimal(0), taker=Decimal(0),
    )  # fmt: skip


def refused(read: Callable[[], Any]) -> bool:
    """True when the reading ended in WireError; whatever else is raised fails the test."""
    try:
        read()
    except WireError:
        return True
    return False


def lines(path: Path) -> Iterator[bytes]:
    return (line for line in path.read_bytes().splitlines() if line.strip())


# -- market streams -------------------------------------------------------------------------------------------

_STREAM = re.compile(
    r"/?(?P<symbol>[^@/]+)@(?P<name>bookTicker|aggTrade|trade|markPrice|depth|kline_)(?P<detail>[^@]*)"
)
_KINDS = {
    "bookTicker": DataType.BOOKL1, "aggTrade": DataType.TRADE, "trade": DataType.TRADE, "depth": DataType.BOOKL2,
    "kline_": DataType.KLINE, "markPrice": DataType.MARK_PRICE,
}  # fmt: skip
# What is told (public field) and where it stands in the payload.
_MEANINGS: Mapping[DataType, Mapping[str, str]] = {
    DataType.BOOKL1: {"bid": "b", "bid_size": "B", "ask": "a", "ask_size": "A"},
    DataType.TRADE: {"price": "p", "size": "q", "timestamp": "T"},
    DataType.KLINE: {
        "open": "o", "high": "h", "low": "l", "close": "c", "volume": "v", "quote_volume": "q", "start": "t",
    },
    DataType.MARK_PRICE: {"price": "p", "timestamp": "E"},
}  # fmt: skip


def push(account_type: AccountType, name: str, data: Any) -> str:
    """One payload of one stream: "told" with its meaning, "refused", or "not streamed" to us."""
    found = _STREAM.match(name)
    if found is None or not isinstance(data, dict):
        return "not streamed"
    kind, detail = _KINDS[found["name"]], found["detail"]
    if kind is DataType.KLINE:
        detail = data["k"].get("i", "1m")
    told: list[Any] = []
    stream = Stream(kind, "s", detail)
    on_frame = VENUE.decoder(account_type, stream, instrument(account_type), {kind: told.append}, lambda: 7)
    raw = encode({"stream": name, "data": data})
    assert VENUE.topic_of(raw) == name
    if refused(lambda: on_frame(raw)):
        assert told == []
        return "refused"
    (tick,) = told
    source = data["k"] if kind is DataType.KLINE else data
    for field, key in _MEANINGS.get(kind, {}).items():
        assert getattr(tick, field) == float(source[key]), (name, field)
    if kind is DataType.TRADE:
        assert tick.side is (OrderSide.SELL if data["m"] else OrderSide.BUY)
    if kind is DataType.BOOKL2:
        kept = isinstance(tick, BookChange)
        assert not kept or (tick.last, tick.after) == (data["u"], data.get("pu", data["U"] - 1))
        sides = (data.get("bids", data.get("b")), data.get("asks", data.get("a")))
        for side, levels in zip((tick.bids, tick.asks), sides, strict=True):
            shown = [(float(p), float(q)) for p, q in levels]
            assert [level if kept else (level.price, level.size) for level in side] == shown
    return "told"


def market_lines(account_type: AccountType) -> Callable[[Path], None]:
    def check(path: Path) -> None:
        frames = [decode(line) for line in lines(path)]
        assert frames
        assert {push(account_type, f["stream"], f["data"]) for f in frames} == {"told"}

    return check


def bare_lines(path: Path) -> None:
    """Without the envelope a frame has no topic, and a decoder refuses it; confirmations are no complaints."""
    on_frame = VENUE.decoder(
        USD_M, Stream(DataType.KLINE, "s", "1m"), instrument(USD_M), {DataType.KLINE: print}, lambda: 7
    )
    for raw in lines(path):
        assert VENUE.topic_of(raw) is None
        if b'"result"' in raw:
            assert VENUE.control_problem(raw) is None
        else:
            assert refused(lambda raw=raw: on_frame(raw))


def book_sync(account_type: AccountType) -> Callable[[Path], None]:
    """A snapshot and the changes after it."""

    def check(path: Path) -> None:
        recorded = decode(path.read_bytes())
        changes = [event["data"] for event in recorded["events"]]
        assert changes
        assert {push(account_type, f"{c['s'].lower()}@depth@100ms", c) for c in changes} == {"told"}
        snapshot = recorded["snapshot"]
        book = VENUE.parse_depth(account_type, encode(snapshot), NOW_MS)
        assert book.is_snapshot
        assert book.last == snapshot["lastUpdateId"]
        assert list(book.bids) == [(float(p), float(q)) for p, q in snapshot["bids"]]

    return check


def stream_examples(account_type: AccountType, told: int) -> Callable[[Path], None]:
    """Examples may be cut short: those are refused."""

    def check(path: Path) -> None:
        ends = []
        for name, example in decode(path.read_bytes()).items():
            topic = name.lstrip("/").replace("<symbol>", "btcusdt").replace("<levels>", "5")
            topic = topic.replace("<interval>", "1m").replace("<updateSpeed>", "1s")
            ends.append(push(account_type, topic, example["response"]))
        assert ends.count("told") >= told, ends

    return check


# -- REST and the order socket --------------------------------------------------------------------------------

SUBMIT = ev.Submit(
    oid="1", account="a", symbol="s", side=OrderSide.BUY, type=OrderType.LIMIT, amount=Decimal(1), timestamp=1
)
COMMANDS: Mapping[str, ev.Command] = {
    "POST": SUBMIT,
    "order.place": SUBMIT,
    "PUT": ev.Amend(oid="1", account="a", symbol="s", side=OrderSide.BUY, timestamp=1),
    "order.modify": ev.Amend(oid="1", account="a", symbol="s", side=OrderSide.BUY, timestamp=1),
    "DELETE": ev.Cancel(oid="1", account="a", symbol="s", timestamp=1),
    "order.cancel": ev.Cancel(oid="1", account="a", symbol="s", timestamp=1),
}
_CANCEL_ALL = ev.CancelAll(account="a", symbol="s", timestamp=1)


def call_of(name: str, account_type: AccountType, answer: Any) -> str:
    """The answer to one call: "read" with its meaning, "refused", or "not asked" by us."""
    method, _, path = name.partition(" (")[0].partition(" ")
    body, what = encode(answer), instrument(account_type)
    end = path.removeprefix("/").split("/", 2)[-1]
    line = end.split("/")[0]
    traded = {"um": instrument(USD_M), "cm": instrument(COIN_M)}.get(line, what)
    end = end.removeprefix(f"{line}/") if line in {"um", "cm", "margin"} else end
    if end in {"order", "openOrder"} and method in COMMANDS:
        return _read(lambda: VENUE.parse_order_reply(account_type, traded, COMMANDS[method], body, NOW_MS))
    if end in {"openOrders", "allOpenOrders"} and method == "DELETE":
        return _read(lambda: VENUE.parse_order_reply(account_type, traded, _CANCEL_ALL, body, NOW_MS))
    rows = answer if isinstance(answer, list) else [answer]
    if end in {"order", "openOrder", "openOrders"}:
        return _orders(account_type, body, rows)
    if end in {"myTrades", "userTrades"}:
        return _fills(account_type, body, rows)
    readers: Mapping[str, Callable[[], Any]] = {
        "balance": lambda: VENUE.parse_balances("a", body, NOW_MS),
        "account": lambda: VENUE.parse_balances("a", body, NOW_MS),
        "isolated/account": lambda: VENUE.parse_balances("a", body, NOW_MS),
        "positionRisk": lambda: VENUE.parse_positions("a", lambda _: None, body, NOW_MS),
        "klines": lambda: VENUE.parse_klines(what, "1m", body, NOW_MS),
        "ticker/24hr": lambda: VENUE.parse_ticker(what, body),
        "time": lambda: VENUE.parse_server_time(body),
    }
    if method == "GET" and end in readers:
        return _read(readers[end])
    if method == "GET" and end == "positionSide/dual":
        assert VENUE.parse_is_hedge_mode(body) is answer["dualSidePosition"]
        return "read"
    if end == "listenKey" and method != "DELETE":
        return _read(lambda: VENUE.parse_listen_key(body))
    return "not asked"


def _read(read: Callable[[], Any]) -> str:
    return "refused" if refused(read) else "read"


def _orders(account_type: AccountType, body: bytes, rows: list[Any]) -> str:
    events = VENUE.parse_orders(account_type, "a", lambda _: None, body)
    assert [(e.eid, e.oid, e.amount, e.filled) for e in events] == [
        (str(r["orderId"]), r["clientOrderId"], Decimal(r["origQty"]), Decimal(r["executedQty"]))
        for r in rows
    ]
    return "read"


def _fills(account_type: AccountType, body: bytes, rows: list[Any]) -> str:
    events = VENUE.parse_fills(account_type, "a", "1", lambda _: None, body)
    assert [
        (e.eid, e.fill and (e.fill.trade_id, e.fill.price, e.fill.amount, e.fill.fee)) for e in events
    ] == [
        (str(r["orderId"]), (str(r["id"]), *(Decimal(r[n]) for n in ("price", "qty", "commission"))))
        for r in rows
    ]
    return "read"


def rest_answers(*account_types: AccountType, read: int) -> Callable[[Path], None]:
    """Examples may be cut short, or speak of other accounts: those may be refused."""

    def check(path: Path) -> None:
        for account_type in account_types:
            ends = {}
            for name, answer in decode(path.read_bytes()).items():
                body = answer["response"] if isinstance(answer, dict) and "sdk_name" in answer else answer
                ends[name] = call_of(name, account_type, body)
            assert list(ends.values()).count("read") >= read, ends

    return check


def socket_answers(account_type: AccountType) -> Callable[[Path], None]:
    def check(path: Path) -> None:
        for name, example in decode(path.read_bytes()).items():
            answer = VENUE.parse_ws_reply(encode(example["response"]))
            if answer is None:
                assert "id" not in example["response"], name
                continue
            assert answer.reply.ok is (example["response"].get("status", 200) == 200), name
            method = name.lstrip("/")
            if method in COMMANDS:
                body, traded = answer.reply.body, instrument(account_type)
                read = partial(VENUE.parse_order_reply, account_type, traded, COMMANDS[method], body, NOW_MS)
                if not refused(read):
                    assert read()[0].eid == str(decode(body)["orderId"])

    return check


def errors(path: Path) -> None:
    for entry in decode(path.read_bytes()):
        reply = VENUE.parse_rest_reply(400, {}, encode(entry["body"]), NOW_MS)
        assert (reply.ok, reply.code, reply.message) == (
            False,
            str(entry["body"]["code"]),
            entry["body"]["msg"],
        )
        assert reply.code in ERRORS


def symbols(account_type: AccountType) -> Callable[[Path], None]:
    def check(path: Path) -> None:
        rows = decode(path.read_bytes())["symbols"]
        trading = [
            row for row in rows
            if row.get("status", row.get("contractStatus")) == "TRADING" and row.get("isSpotTradingAllowed", True)
        ]  # fmt: skip
        found, problems = VENUE.parse_instruments(account_type, path.read_bytes())
        assert problems == ()
        assert [i.venue_symbol for i in found] == [row["symbol"] for row in trading]
        assert [i.contract_size for i in found] == [row.get("contractSize", 1) for row in trading]
        assert [i.expiry_ms is not None for i in found] == ["_2" in row["symbol"] for row in trading]

    return check


# -- private events -------------------------------------------------------------------------------------------


def user_lines(account_type: AccountType, *kinds: str) -> Callable[[Path], None]:
    """Every line gives facts of these kinds and no others."""

    def check(path: Path) -> None:
        seen = set()
        for raw in lines(path):
            for fact in VENUE.parse_user_event(account_type, "a", lambda _: None, raw):
                seen.add(fact if isinstance(fact, str) else type(fact).__name__)
        assert seen == set(kinds)

    return check


def transcript(account_type: AccountType) -> Callable[[Path], None]:
    """What the venue says in a conversation: replies, pushes of the market, private events."""

    def check(path: Path) -> None:
        for line in lines(path):
            entry = decode(line)
            raw = encode(entry["msg"])
            if entry["dir"] == "server_reply":
                answer = VENUE.parse_ws_reply(raw)
                assert answer is None or answer.reply.ok
                assert VENUE.control_problem(raw) is None
            elif entry["dir"] == "server_push":
                message = entry["msg"]
                if "@" in message.get("stream", ""):
                    push(account_type, message["stream"], message["data"])
                else:
                    refused(lambda raw=raw: VENUE.parse_user_event(account_type, "a", lambda _: None, raw))

    return check


def index(path: Path) -> None:
    """A list of the others."""
    named = set(re.findall(r"^\| ([\w./]+\.jsonl?) \|", path.read_text(), re.MULTILINE))
    assert named
    assert all((path.parent / name).exists() for name in named)


TRANSCRIPTS = (
    ("spot_account", SPOT, "AccountPosition Balance Liability MarginCall OcoOrder Order"),
    ("spot_exchangedata", SPOT, "AggregatedTrades BookTicker Concurrent Klines MiniTicker PartialBook"),
    ("spot_exchangedata", SPOT, "RollingWindowTicker Ticker Trades"),
    ("usdfutures", USD_M, "AccountUpdate AggTrades AlgoOrderUpdate AssetIndex Book BookTicker CompositIndex"),
    ("usdfutures", USD_M, "Concurrent ConditionalTrigger ContKlines GridUpdate Klines Leverage Liquidations"),
    ("usdfutures", USD_M, "MarginUpdate MarkPrice MiniTicker MultiAssetMode OrderUpdate PartialBook"),
    ("usdfutures", USD_M, "StrategyUpdate SymbolUpdates Ticker TradeUpdate"),
)

CASES: Mapping[str, Callable[[Path], None]] = {
    "INDEX.md": index,
    **{
        f"ws_{name}_{stream}.jsonl": market_lines(account_type)
        for name, account_type in (("spot", SPOT), ("usdm", USD_M), ("coinm", COIN_M))
        for stream in ("aggTrade", "bookTicker", "kline_1m")
    },
    "ws_usdm_kline_raw.jsonl": bare_lines,
    "depth_sync_spot.json": book_sync(SPOT),
    "depth_sync_usdm.json": book_sync(USD_M),
    "depth_sync_coinm.json": book_sync(COIN_M),
    "rest_recorded_spot.json": rest_answers(SPOT, read=2),
    "rest_recorded_usdm.json": rest_answers(USD_M, read=3),
    "rest_recorded_coinm.json": rest_answers(COIN_M, read=2),
    "rest_recorded_errors.json": errors,
    "exchangeinfo/spot_2021.json": symbols(SPOT),
    "exchangeinfo/spot_2025.json": symbols(SPOT),
    "exchangeinfo/usdm_2021_with_delivery.json": symbols(USD_M),
    "exchangeinfo/usdm_2025.json": symbols(USD_M),
    "exchangeinfo/coinm_2021_with_delivery.json": symbols(COIN_M),
    "exchangeinfo/coinm_2025.json": symbols(COIN_M),
    "doc_examples/spot_rest_api.json": rest_answers(SPOT, read=7),
    "doc_examples/usdm_rest_api.json": rest_answers(USD_M, read=12),
    "doc_examples/coinm_rest_api.json": rest_answers(COIN_M, read=10),
    "doc_examples/margin_rest_api.json": rest_answers(CROSS, ISOLATED, read=8),
    "doc_examples/pm_rest_api.json": rest_answers(PM, read=20),
    "doc_examples/spot_websocket_api.json": socket_answers(SPOT),
    "doc_examples/usdm_websocket_api.json": socket_answers(USD_M),
    "doc_examples/coinm_websocket_api.json": socket_answers(COIN_M),
    "doc_examples/spot_websocket_streams.json": stream_examples(SPOT, told=1),
    "doc_examples/usdm_websocket_streams.json": stream_examples(USD_M, told=4),
    "doc_examples/coinm_websocket_streams.json": stream_examples(COIN_M, told=4),
    "userdata_recorded/pm_account_config_update.jsonl": user_lines(PM),
    "userdata_recorded/pm_account_update.jsonl": user_lines(PM, "BalanceEvent", "PositionEvent"),
    "userdata_recorded/pm_balance_update.jsonl": user_lines(PM, "balance_update"),
    "userdata_recorded/pm_execution_report.jsonl": user_lines(PM, "OrderEvent"),
    "userdata_recorded/pm_order_trade_update.jsonl": user_lines(PM, "OrderEvent"),
    "userdata_recorded/pm_outbound_account_position.jsonl": user_lines(PM, "BalanceEvent"),
    "userdata_recorded/usdm_order_trade_update_2026.jsonl": user_lines(USD_M, "OrderEvent"),
    **{
        f"transcripts/{group}__{name}.jsonl": transcript(account_type)
        for group, account_type, names in TRANSCRIPTS
        for name in names.split()
    },
}
