"""Every recorded sample decodes to what it says, or is refused by WireError."""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Callable, Iterator
from decimal import Decimal
from pathlib import Path
from typing import Any

import msgspec
import pytest

from nexustrader.constants import DataType
from nexustrader.domain.events import BalanceEvent, EventKind, OrderEvent, PositionEvent
from nexustrader.error import WireError
from nexustrader.exchange.bybit import VENUE, BybitAccountType
from nexustrader.market.subscriptions import Stream

A = BybitAccountType
FOLDER = "wire/bybit/samples"

decode = msgspec.json.decode


def rest(raw: bytes) -> bytes:
    reply = VENUE.parse_rest_reply(200, {}, raw, 1)
    assert reply.ok
    return reply.body


def rows_of(raw: bytes) -> list[dict[str, Any]]:
    found: list[dict[str, Any]] = decode(raw)["result"]["list"]
    return found


def user_events(resolve, raw: bytes) -> tuple[Any, ...]:
    return VENUE.parse_user_event(A.UNIFIED, "acc", resolve, raw)


# -- REST -----------------------------------------------------------------------------------------------


def instruments(raw: bytes, account_type: BybitAccountType) -> None:
    found, problems = VENUE.parse_instruments(account_type, rest(raw))
    rows = [row for row in rows_of(raw) if row["status"] == "Trading"]
    assert problems == ()
    assert [each.venue_symbol for each in found] == [row["symbol"] for row in rows]
    for each, row in zip(found, rows, strict=True):
        lot = row["lotSizeFilter"]
        assert each.tick == Decimal(row["priceFilter"]["tickSize"])
        assert each.lot == Decimal(lot.get("qtyStep") or lot["basePrecision"])
        assert (each.base, each.quote) == (row["baseCoin"], row["quoteCoin"])
        assert each.settle == row.get("settleCoin", row["quoteCoin"])
        assert each.min_notional == Decimal(lot.get("minNotionalValue") or lot.get("minOrderAmt") or 0) or (
            each.min_notional is None
        )


def of_category(category: str) -> Callable[..., None]:
    return lambda raw, resolve, each: instruments(raw, A[category.upper()])


def orders(raw: bytes, resolve, each) -> None:
    found = VENUE.parse_orders(A.LINEAR, "acc", resolve, rest(raw))
    assert [event.eid for event in found] == [row["orderId"] for row in rows_of(raw)]
    for event, row in zip(found, rows_of(raw), strict=True):
        assert event.oid == row["orderLinkId"]
        assert (event.amount, event.filled) == (Decimal(row["qty"]), Decimal(row["cumExecQty"]))
        assert event.timestamp == int(row["updatedTime"])
        assert event.kind is not EventKind.REJECTED or not event.filled


def executions(raw: bytes, resolve, each) -> None:
    found = VENUE.parse_fills(A.LINEAR, "acc", "", resolve, rest(raw))
    rows = sorted(rows_of(raw), key=lambda row: int(row["execTime"]))
    told = [(e.fill.trade_id, e.fill.price, e.fill.amount, e.fill.fee, e.fill.is_maker) for e in found]
    assert told == [
        (r["execId"], Decimal(r["execPrice"]), Decimal(r["execQty"]), Decimal(r["execFee"]), r["isMaker"])
        for r in rows
    ]


def positions(raw: bytes, resolve, each) -> None:
    found = VENUE.parse_positions("acc", resolve, rest(raw), 9)
    sign = {"Buy": 1, "Sell": -1, "": 0}
    assert [(e.signed_amount, e.entry_price, e.unrealized_pnl) for e in found] == [
        (sign[r["side"]] * Decimal(r["size"]), Decimal(r["avgPrice"]), Decimal(r["unrealisedPnl"]))
        for r in rows_of(raw)
    ]


def balances(raw: bytes, resolve, each) -> None:
    found = VENUE.parse_balances("acc", rest(raw), 9)
    coins = [coin for wallet in rows_of(raw) for coin in wallet["coin"]]
    assert [(e.asset, e.free, e.locked) for e in found] == [
        (
            coin["coin"],
            Decimal(coin["walletBalance"]) - Decimal(coin["locked"]) - Decimal(coin.get("spotBorrow", "0")),
            Decimal(coin["locked"]),
        )
        for coin in coins
    ]


def klines(raw: bytes, resolve, each) -> None:
    found = VENUE.parse_klines(each["linear"], "1m", rest(raw), 2_000_000_000_000)
    assert [[k.start, k.open, k.high, k.low, k.close, k.volume, k.turnover] for k in found] == sorted(
        [int(row[0]), *map(float, row[1:])] for row in rows_of(raw)
    )


def not_asked_for(raw: bytes, resolve, each) -> None:
    """An answer to a question that is never put: it is a good reply, and no parser takes it for its own."""
    body = rest(raw)
    for parse in (
        lambda: VENUE.parse_orders(A.LINEAR, "acc", resolve, body),
        lambda: VENUE.parse_fills(A.LINEAR, "acc", "", resolve, body),
        lambda: VENUE.parse_positions("acc", resolve, body, 9),
        lambda: VENUE.parse_klines(each["linear"], "1m", body, 9),
        lambda: VENUE.parse_ticker(each["linear"], body),
        lambda: VENUE.parse_balances("acc", body, 9),
    ):
        with pytest.raises(WireError):
            parse()


# -- sockets --------------------------------------------------------------------------------------------


def order_topic(kind: EventKind) -> Callable[..., None]:
    def check(raw: bytes, resolve, each) -> None:
        (event,) = user_events(resolve, raw)
        (row,) = decode(raw)["data"]
        assert (event.kind, event.oid, event.eid) == (kind, row["orderLinkId"], row["orderId"])
        assert (event.amount, event.filled) == (Decimal(row["qty"]), Decimal(row["cumExecQty"]))
        assert event.price == (Decimal(row["price"]) if row["orderType"] == "Limit" else None)
        if row["orderStatus"] == "Untriggered":
            assert event.type.is_market is (row["orderType"] == "Market")
            wants_better = row["triggerDirection"] == {"Buy": 2, "Sell": 1}[row["side"]]
            assert event.type.is_take_profit is wants_better

    return check


def execution_topic(raw: bytes, resolve, each) -> None:
    (event,) = user_events(resolve, raw)
    (row,) = decode(raw)["data"]
    assert (event.fill.trade_id, event.fill.amount) == (row["execId"], Decimal(row["execQty"]))
    assert (event.fill.fee, event.fill.fee_currency) == (Decimal(row["execFee"]), "USDT")


def says_nothing(raw: bytes, resolve, each) -> None:
    assert user_events(resolve, raw) == ()


def position_topic(raw: bytes, resolve, each) -> None:
    (event,) = user_events(resolve, raw)
    assert (event.signed_amount, event.entry_price) == (Decimal("-0.01"), Decimal("3641.075"))


def wallet_topic(raw: bytes, resolve, each) -> None:
    coins = decode(raw)["data"][0]["coin"]
    told = {event.asset: event.free for event in user_events(resolve, raw)}
    assert told == {coin["coin"]: Decimal(coin["walletBalance"]) for coin in coins}


def market(kind: DataType, category: str, detail: str = "") -> Callable[..., list[Any]]:
    def check(raw: bytes, resolve, each) -> list[Any]:
        message = decode(raw)
        assert VENUE.topic_of(raw) == message["topic"]
        instrument = each[category]
        got: list[Any] = []
        wanted = dict.fromkeys(DataType, got.append)
        stream = Stream(kind, instrument.symbol, detail)
        VENUE.decoder(A[category.upper()], stream, instrument, wanted, lambda: 1)(raw)
        assert got
        assert {datum.symbol for datum in got} == {instrument.symbol}
        return got

    return check


def ticker(category: str) -> Callable[..., None]:
    def check(raw: bytes, resolve, each) -> None:
        got = market(DataType.MARK_PRICE, category)(raw, resolve, each)
        data = decode(raw)["data"]
        prices = [datum.price for datum in got if hasattr(datum, "price")]
        assert prices == [float(data["markPrice"]), float(data["indexPrice"])]
        rates = [datum.rate for datum in got if hasattr(datum, "rate")]
        assert rates == ([float(data["fundingRate"])] if "fundingRate" in data else [])

    return check


def refused(kind: DataType) -> Callable[..., None]:
    def check(raw: bytes, resolve, each) -> None:
        instrument = each["linear"]
        decoder = VENUE.decoder(
            A.LINEAR, Stream(kind, instrument.symbol), instrument, {kind: print}, lambda: 1
        )
        with pytest.raises(WireError):
            decoder(raw)

    return check


def ack(raw: bytes, resolve, each) -> None:
    answer = VENUE.parse_ws_reply(raw)
    assert (answer.request_id, answer.reply.ok) == ("sub", True)  # an id of ours has no dash before the time


# -- files with many messages ---------------------------------------------------------------------------


def lines(raw: bytes) -> Iterator[bytes]:
    return (line for line in raw.splitlines() if line.strip())


def order_stream(raw: bytes, resolve, each) -> None:
    acks, *frames = lines(raw)
    assert VENUE.parse_ws_reply(acks).reply.ok
    kinds = Counter(
        e.kind for frame in frames for e in user_events(resolve, frame) if isinstance(e, OrderEvent)
    )
    assert kinds == {EventKind.FILLED: 10, EventKind.ACCEPTED: 8, EventKind.CANCELED: 8}


def position_stream(raw: bytes, resolve, each) -> None:
    events = [event for frame in lines(raw) for event in user_events(resolve, frame)]
    assert [str(event.signed_amount) for event in events] == (
        [
            "0.002",
            "0.003",
            "0.004",
            "0.005",
            "0.006",
            "0",
            "0",
            "-0.006",
            "0",
            "0",
            "0",
            "0",
            "0.006",
            "0.005",
            "0",
        ]
    )
    assert events[-2].entry_price == 96705


def private_mixed(raw: bytes, resolve, each) -> None:
    kinds = Counter(type(event) for frame in lines(raw) for event in user_events(resolve, frame))
    assert kinds == {PositionEvent: 1, OrderEvent: 3, BalanceEvent: 7}


def tickers_of_four(raw: bytes, resolve, each) -> None:
    """Spot names no mark price, and the first delta of each contract changes what its snapshot said."""
    native = {"BTCUSDT": "linear", "BTCPERP": "linear", "BTCUSD": "inverse"}
    told: dict[str, list[float]] = {}
    decoders: dict[str, Any] = {}
    for frame in lines(raw):
        message = decode(frame)
        symbol = message["data"]["symbol"]
        category = native.get(symbol, "option")
        prices = told.setdefault(message["topic"], [])
        if message["topic"] not in decoders:
            wanted = {DataType.MARK_PRICE: lambda mark, prices=prices: prices.append(mark.price)}
            stream = Stream(DataType.MARK_PRICE, "s")
            decoders[message["topic"]] = VENUE.decoder(A.LINEAR, stream, each[category], wanted, lambda: 1)
        decoders[message["topic"]](frame)
    assert told == {
        "tickers.BTC-USDT": [],
        "tickers.BTC-28JUN24-60000-P": [3502.0715721],
        "tickers.BTCUSDT": [61875.25, 61875.06],
        "tickers.BTCPERP": [61943.58],
        "tickers.BTCUSD": [61894.0],
    }


PARSED = {
    "GET /v5/order/realtime": orders,
    "GET /v5/order/history": orders,
    "GET /v5/execution/list": executions,
    "GET /v5/position/list": positions,
    "GET /v5/account/wallet-balance": balances,
    "GET /v5/market/kline": klines,
}


def answers(raw: bytes, resolve, each) -> None:
    """Forty-two answers of the venue's documentation: those that are asked for here are read, all are replies."""
    found = decode(raw)
    assert len(found) == 42
    seen = Counter()
    for name, case in found.items():
        question = name.split(" [")[0]
        body = msgspec.json.encode(case["response"])
        reply = VENUE.parse_rest_reply(200, {}, body, 1)
        if question == "POST /v5/account/set-margin-mode":
            assert (reply.ok, reply.code) == (False, "3400045")
            continue
        assert reply.ok, name
        seen[question] += 1
        if question in PARSED:
            PARSED[question](body, resolve, each)
        elif question == "GET /v5/market/instruments-info":
            instruments(body, A[case["response"]["result"]["category"].upper()])
        elif question == "GET /v5/market/tickers":
            category = case["response"]["result"]["category"]
            row = rows_of(body)[0]
            named = msgspec.structs.replace(each[category], venue_symbol=row["symbol"])
            assert VENUE.parse_ticker(named, body).last_price == float(row["lastPrice"])
    assert seen.keys() >= PARSED.keys()


MARKET_DIALOGUES = {
    "Linear/Ticker": ticker("linear"),
    "Linear/Trades": market(DataType.TRADE, "linear"),
    "Spot/Trades": market(DataType.TRADE, "spot"),
    "Option/Ticker": ticker("option"),
}


def dialogues(raw: bytes, resolve, each) -> None:
    """Twenty dialogues: each answer is an ack of its request, each push is data of its topic."""
    sections = re.split(r"^### ", raw.decode(), flags=re.MULTILINE)[1:]
    assert len(sections) == 20
    for section in sections:
        title, _, text = section.partition("\n")
        messages = re.findall(r"^([<=>])\s*(\{.*?\})\s*(?=^[<=>]|\Z)", text, re.MULTILINE | re.DOTALL)
        for mark, message in messages:
            frame = msgspec.json.encode(decode(message))
            if mark == "<":
                assert VENUE.parse_ws_reply(frame).reply.ok, title
                assert VENUE.control_problem(frame) is None, title
            elif mark == "=" and "topic" not in decode(frame):
                assert VENUE.parse_ws_reply(frame).request_id == "|2|", title
            elif mark == "=":
                assert VENUE.parse_ws_reply(frame) is None, title
                assert VENUE.topic_of(frame) == decode(frame)["topic"], title
                told = user_events(resolve, frame)
                private = {
                    "Balance": BalanceEvent,
                    "Order": OrderEvent,
                    "Position": PositionEvent,
                    "UserTrades": OrderEvent,
                }
                wanted = (
                    private.get(title.split("/")[-1].removesuffix(".txt")) if "/Private/" in title else None
                )
                assert [type(event) for event in told] == ([wanted] if wanted else []), title
                for name, check in MARKET_DIALOGUES.items():
                    if name in title:
                        check(frame, resolve, dialogue_instruments(each, frame))


def dialogue_instruments(each, frame: bytes):
    """Instruments of the symbol that the dialogue speaks of: one names it in a way of its own."""
    data = decode(frame)["data"]
    symbol = data["symbol"] if isinstance(data, dict) else data[0]["s"]
    return {name: msgspec.structs.replace(one, venue_symbol=symbol) for name, one in each.items()}


def vectors(raw: bytes, resolve, each) -> None:
    """Prehashes and signatures, which the tests of signing hold; no message of the venue."""
    with pytest.raises(WireError):
        VENUE.parse_server_time(raw)
    assert VENUE.topic_of(raw) is None


CASES: dict[str, Callable[..., Any]] = {
    "cx_http_instruments_inverse_2025.json": of_category("inverse"),
    "cx_http_instruments_linear_2025.json": of_category("linear"),
    "cx_http_instruments_option_2025.json": of_category("option"),
    "cx_http_instruments_spot_2025.json": of_category("spot"),
    "gct_ws_private_mixed.jsonl": private_mixed,
    "gct_ws_tickers_4_categories.jsonl": tickers_of_four,
    "jk_rest_responses.json": answers,
    "jk_ws_dialogues.txt": dialogues,
    "nt_http_get_account_info.json": not_asked_for,
    "nt_http_get_executions.json": executions,
    "nt_http_get_fee_rate.json": not_asked_for,
    "nt_http_get_funding_history.json": not_asked_for,
    "nt_http_get_instruments_inverse.json": of_category("inverse"),
    "nt_http_get_instruments_inverse_symbol_type.json": of_category("inverse"),
    "nt_http_get_instruments_linear.json": of_category("linear"),
    "nt_http_get_instruments_linear_symbol_type.json": of_category("linear"),
    "nt_http_get_instruments_option.json": of_category("option"),
    "nt_http_get_instruments_option_symbol_id.json": of_category("option"),
    "nt_http_get_instruments_spot.json": of_category("spot"),
    "nt_http_get_instruments_spot_xstocks.json": of_category("spot"),
    "nt_http_get_klines_linear.json": klines,
    "nt_http_get_order_partially_filled_rejected.json": orders,
    "nt_http_get_orderbook.json": not_asked_for,
    "nt_http_get_orders_history.json": orders,
    "nt_http_get_orders_history_with_duplicate.json": orders,
    "nt_http_get_orders_realtime.json": orders,
    "nt_http_get_orders_realtime_tp_sl.json": orders,
    "nt_http_get_positions.json": positions,
    "nt_http_get_positions_with_open_time.json": positions,
    "nt_http_get_trades_recent.json": not_asked_for,
    "nt_http_get_wallet_balance.json": balances,
    "nt_http_get_wallet_balance_spot_short.json": balances,
    "nt_http_get_wallet_balance_with_spot_borrow.json": balances,
    "nt_ws_account_execution.json": execution_topic,
    "nt_ws_account_execution_adl.json": says_nothing,
    "nt_ws_account_execution_fast.json": says_nothing,
    "nt_ws_account_order.json": order_topic(EventKind.CANCELED),
    "nt_ws_account_order_buy_stop_market.json": order_topic(EventKind.ACKED),
    "nt_ws_account_order_filled.json": order_topic(EventKind.FILLED),
    "nt_ws_account_order_limit_if_touched.json": order_topic(EventKind.ACKED),
    "nt_ws_account_order_market_if_touched.json": order_topic(EventKind.ACKED),
    "nt_ws_account_order_partially_filled_rejected.json": order_topic(EventKind.CANCELED),
    "nt_ws_account_order_sell_market_if_touched.json": order_topic(EventKind.ACKED),
    "nt_ws_account_order_stop_limit.json": order_topic(EventKind.ACKED),
    "nt_ws_account_order_stop_loss.json": order_topic(EventKind.ACKED),
    "nt_ws_account_order_stop_market.json": order_topic(EventKind.ACKED),
    "nt_ws_account_order_take_profit.json": order_topic(EventKind.ACKED),
    "nt_ws_account_position.json": position_topic,
    "nt_ws_account_position_short.json": position_topic,
    "nt_ws_account_position_with_open_time.json": says_nothing,  # a row without its frame
    "nt_ws_account_wallet.json": wallet_topic,
    "nt_ws_account_wallet_locked_exceeds_total.json": wallet_topic,
    "nt_ws_account_wallet_small_order.json": wallet_topic,
    "nt_ws_kline.json": market(DataType.KLINE, "linear", "5m"),
    "nt_ws_orderbook_delta.json": refused(DataType.BOOKL1),
    "nt_ws_orderbook_snapshot.json": market(DataType.BOOKL1, "linear"),
    "nt_ws_public_trade.json": market(DataType.TRADE, "linear"),
    "nt_ws_subscription_ack.json": ack,
    "nt_ws_ticker_linear.json": ticker("linear"),
    "nt_ws_ticker_option.json": ticker("option"),
    "nx_ws_private_order_stream.jsonl": order_stream,
    "nx_ws_private_position_stream.jsonl": position_stream,
    "signing_vectors.json": vectors,
}


def test_every_sample_has_a_case(testdata: Path):
    assert CASES.keys() == {path.name for path in (testdata / FOLDER).iterdir()} - {"INDEX.md"}


@pytest.mark.parametrize("name", CASES)
def test_samples(testdata: Path, name: str, resolve, instruments):
    raw = (testdata / FOLDER / name).read_bytes()
    each = dict(instruments)
    CASES[name](raw, resolve, each)
