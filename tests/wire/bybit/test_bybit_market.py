"""Public data: topics, streams and answers to public structs."""

from __future__ import annotations

import msgspec
import pytest

from nexustrader.constants import DataType, ExchangeType, KlineInterval, OrderSide
from nexustrader.error import KlineSupportedError, SubscriptionError, WireError
from nexustrader.exchange.bybit import VENUE, BybitAccountType
from nexustrader.market.subscriptions import Stream
from nexustrader.schema import BookL1, FundingRate, IndexPrice, MarkPrice, Trade
from nexustrader.venue.local_book import BookChange, BookRule

A = BybitAccountType
BYBIT = ExchangeType.BYBIT
PERP = "BTCUSDT-PERP.BYBIT"


def decoded(instrument, kind, *frames, detail="", wanted=None):
    """What the frames of one topic deliver, in order."""
    got = []
    deliver = dict.fromkeys(wanted or (kind,), got.append)
    decode = VENUE.decoder(A.LINEAR, Stream(kind, instrument.symbol, detail), instrument, deliver, lambda: 1)
    for frame in frames:
        decode(msgspec.json.encode(frame))
    return got


# -- topics ---------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("category", "kind", "detail", "topic"),
    [
        ("spot", DataType.BOOKL1, "", "orderbook.1.BTCUSDT"),
        ("linear", DataType.TRADE, "", "publicTrade.BTCUSDT"),
        ("linear", DataType.KLINE, "4h", "kline.240.BTCUSDT"),
        ("inverse", DataType.KLINE, "1M", "kline.M.BTCUSD"),
        ("linear", DataType.MARK_PRICE, "", "tickers.BTCUSDT"),
        ("inverse", DataType.FUNDING_RATE, "", "tickers.BTCUSD"),
        ("option", DataType.INDEX_PRICE, "", "tickers.BTC-13FEB25-89000-P-USDT"),
        ("option", DataType.BOOKL1, "", "tickers.BTC-13FEB25-89000-P-USDT"),
        ("option", DataType.TRADE, "", "publicTrade.BTC"),
        ("option", DataType.BOOKL2, "20", "orderbook.25.BTC-13FEB25-89000-P-USDT"),
        ("option", DataType.BOOKL2, "50", "orderbook.100.BTC-13FEB25-89000-P-USDT"),
        ("linear", DataType.BOOKL2, "5", "orderbook.50.BTCUSDT"),
        ("spot", DataType.BOOKL2, "50", "orderbook.50.BTCUSDT"),
    ],
)
def test_topics(instruments, category, kind, detail, topic):
    instrument = instruments[category]
    stream = Stream(kind, instrument.symbol, detail)
    assert VENUE.stream_topic(A[category.upper()], stream, instrument) == ("", topic)
    assert VENUE.stream_topic(A.UNIFIED, stream, instrument) == (f"/{category}", topic)


@pytest.mark.parametrize(
    ("category", "kind"),
    [
        ("spot", DataType.MARK_PRICE),
        ("spot", DataType.FUNDING_RATE),
        ("option", DataType.KLINE),
        ("option", DataType.FUNDING_RATE),
    ],
)
def test_a_category_streams_what_it_has(instruments, category, kind):
    instrument = instruments[category]
    with pytest.raises(SubscriptionError, match=instrument.symbol):
        VENUE.stream_topic(A[category.upper()], Stream(kind, instrument.symbol, "1m"), instrument)


def test_a_dated_future_pays_no_funding(linear):
    dated = msgspec.structs.replace(linear, expiry_ms=1_740_000_000_000)
    with pytest.raises(SubscriptionError, match="funding_rate"):
        VENUE.stream_topic(A.LINEAR, Stream(DataType.FUNDING_RATE, dated.symbol), dated)
    assert (
        VENUE.stream_topic(A.LINEAR, Stream(DataType.MARK_PRICE, dated.symbol), dated)[1] == "tickers.BTCUSDT"
    )


def test_klines_of_an_unknown_length_are_refused(linear):
    with pytest.raises(KlineSupportedError, match="'8h'"):
        VENUE.stream_topic(A.LINEAR, Stream(DataType.KLINE, PERP, "8h"), linear)


def test_subscriptions():
    frame = VENUE.subscribe_frame(["orderbook.1.X", "kline.1.X"], 7, subscribe=True)
    assert msgspec.json.decode(frame) == {
        "req_id": "7",
        "op": "subscribe",
        "args": ["orderbook.1.X", "kline.1.X"],
    }
    assert b'"unsubscribe"' in VENUE.subscribe_frame(["kline.1.X"], 8, subscribe=False)


def test_the_topic_is_found_wherever_it_stands():
    assert VENUE.topic_of(b'{"ts":1,"data":{"topic":"no"},"topic":"tickers.X"}') == "tickers.X"
    assert VENUE.topic_of(b'{"success":true,"op":"subscribe"}') is None
    with pytest.raises(WireError):
        VENUE.topic_of(b"[]")


# -- books and trades -----------------------------------------------------------------------------------


def book(kind="snapshot", bids=(("100.5", "2"),), asks=(("101", "3"),), **more):
    data = {"s": "BTCUSDT", "b": list(bids), "a": list(asks), "u": 5, "seq": 6}
    return {"topic": "orderbook.1.BTCUSDT", "type": kind, "ts": 1700, "data": data, **more}


def test_the_best_bid_and_ask_at_the_time_of_the_matching_engine(linear):
    got = decoded(linear, DataType.BOOKL1, book(cts=1695), book())
    assert got == [BookL1(BYBIT, PERP, 100.5, 101.0, 2.0, 3.0, at) for at in (1695, 1700)]


def test_an_empty_side_makes_no_reading(linear):
    assert decoded(linear, DataType.BOOKL1, book(bids=()), book(asks=())) == []


def test_a_change_of_a_book_that_is_sent_whole_is_refused(linear):
    with pytest.raises(WireError, match="delta"):
        decoded(linear, DataType.BOOKL1, book("delta"))


def test_a_book_is_kept_from_a_snapshot_and_changes_that_count_on(linear):
    changed = book("delta", bids=[("100.5", "0")], asks=[], cts=1800)
    first, second = decoded(linear, DataType.BOOKL2, book(), changed, detail="5")
    assert first == BookChange(4, 5, [(100.5, 2.0)], [(101.0, 3.0)], 1700, is_snapshot=True)
    assert second == BookChange(4, 5, [(100.5, 0.0)], [], 1800)
    rule = VENUE.book_rule(A.LINEAR, Stream(DataType.BOOKL2, PERP, "5"))
    assert rule == BookRule(levels=5, by_request=False, exact=True)
    assert VENUE.book_rule(A.LINEAR, Stream(DataType.BOOKL1, PERP)) is None


def test_a_book_of_other_levels_is_refused(linear):
    with pytest.raises(SubscriptionError, match="5, 10, 20, 50"):
        VENUE.stream_topic(A.LINEAR, Stream(DataType.BOOKL2, PERP, "7"), linear)


def test_trades_tell_the_side_of_the_taker(linear):
    row = {"T": 1699, "s": "BTCUSDT", "S": "Sell", "v": "0.5", "p": "100", "i": "x", "BT": False}
    frame = {
        "topic": "publicTrade.BTCUSDT",
        "type": "snapshot",
        "ts": 1700,
        "data": [row, row | {"s": "OTHER"}],
    }
    assert decoded(linear, DataType.TRADE, frame) == [Trade(BYBIT, OrderSide.SELL, PERP, 100.0, 0.5, 1699)]


# -- tickers --------------------------------------------------------------------------------------------

FUTURES = (DataType.MARK_PRICE, DataType.INDEX_PRICE, DataType.FUNDING_RATE)


def ticker(kind="delta", ts=1700, **fields):
    data = {"symbol": "BTCUSDT", **fields}
    return {"topic": "tickers.BTCUSDT", "type": kind, "data": data, "cs": 1, "ts": ts}


SNAPSHOT = ticker(
    "snapshot", markPrice="100.5", indexPrice="100.25", fundingRate="-0.0001", nextFundingTime="28800000"
)


def test_a_snapshot_tells_mark_index_and_funding(linear):
    assert decoded(linear, DataType.MARK_PRICE, SNAPSHOT, wanted=FUTURES) == [
        MarkPrice(BYBIT, PERP, 100.5, 1700),
        IndexPrice(BYBIT, PERP, 100.25, 1700),
        FundingRate(BYBIT, PERP, -0.0001, 1700, 28_800_000),
    ]


def test_each_kind_goes_to_who_wants_it(linear):
    assert decoded(linear, DataType.INDEX_PRICE, SNAPSHOT) == [IndexPrice(BYBIT, PERP, 100.25, 1700)]


def test_a_delta_tells_what_it_names_and_the_rest_of_funding_stays(linear):
    frames = (
        SNAPSHOT,
        ticker(bid1Price="100"),
        ticker(ts=1800, markPrice="101"),
        ticker(ts=1900, fundingRate="0.0002"),
        ticker(ts=2000, nextFundingTime="57600000"),
    )
    assert decoded(linear, DataType.MARK_PRICE, *frames, wanted=FUTURES)[3:] == [
        MarkPrice(BYBIT, PERP, 101.0, 1800),
        FundingRate(BYBIT, PERP, 0.0002, 1900, 28_800_000),
        FundingRate(BYBIT, PERP, 0.0002, 2000, 57_600_000),
    ]


def test_a_delta_before_its_snapshot_is_left_out(linear):
    frames = (ticker(markPrice="101", fundingRate="0.1"), SNAPSHOT)
    assert decoded(linear, DataType.MARK_PRICE, *frames) == [MarkPrice(BYBIT, PERP, 100.5, 1700)]


def test_a_second_snapshot_forgets_the_first(linear):
    frames = (SNAPSHOT, ticker("snapshot", markPrice="1"), ticker(fundingRate="0.5"))
    assert decoded(linear, DataType.FUNDING_RATE, *frames) == [
        FundingRate(BYBIT, PERP, -0.0001, 1700, 28_800_000)
    ]


def test_what_has_no_funding_names_none(linear):
    frame = ticker("snapshot", markPrice="100.5", fundingRate="", nextFundingTime="")
    assert decoded(linear, DataType.FUNDING_RATE, frame) == []


def test_an_option_tells_its_best_prices_in_its_ticker(option):
    fields = {"bidPrice": "5", "bidSize": "1.5", "askPrice": "10", "askSize": "5.1", "markPrice": "7.8"}
    frames = [
        ticker("snapshot", **fields),
        ticker("snapshot", **fields | {"bidPrice": "0"}),
        ticker("snapshot", **fields | {"askPrice": ""}),
        ticker("snapshot", **fields | {"bidSize": "", "askSize": ""}),
    ]
    got = decoded(option, DataType.BOOKL1, *frames)
    assert got == [
        BookL1(BYBIT, option.symbol, 5.0, 10.0, bid_size, ask_size, 1700)
        for bid_size, ask_size in ((1.5, 5.1), (0.0, 0.0))
    ]


# -- klines and the ticker by REST ----------------------------------------------------------------------

ROWS = [
    ["1700000060000", "2", "3", "1", "2.5", "10", "25"],
    ["1700000000000", "1", "2", "0.5", "2", "20", "30"],
]


def klines_of(instrument, interval, now_ms, rows=ROWS):
    body = msgspec.json.encode({"retCode": 0, "result": {"category": "x", "list": rows}, "time": 1})
    return VENUE.parse_klines(instrument, interval, body, now_ms)


def test_klines_are_turned_oldest_first_and_the_last_one_may_be_open(linear):
    first, last = klines_of(linear, "1m", 1_700_000_090_000)
    assert (first.start, first.timestamp, first.confirm) == (1_700_000_000_000, 1_700_000_059_999, True)
    assert (last.start, last.timestamp, last.confirm) == (1_700_000_060_000, 1_700_000_090_000, False)
    assert (first.open, first.high, first.low, first.close) == (1.0, 2.0, 0.5, 2.0)
    assert (first.volume, first.turnover, first.quote_volume) == (20.0, 30.0, 30.0)


def test_contracts_of_an_inverse_count_quote(inverse):
    assert [(k.volume, k.turnover, k.quote_volume) for k in klines_of(inverse, "1m", 1)] == [
        (20.0, 30.0, 20.0),
        (10.0, 25.0, 10.0),
    ]


def test_a_month_ends_where_the_next_begins(linear):
    february = 1_738_368_000_000  # 2025-02-01
    march = 1_740_787_200_000
    rows = [[str(february), "1", "1", "1", "1", "1", "1"]]
    assert klines_of(linear, "1M", march, rows)[0].confirm
    assert not klines_of(linear, "1M", march - 1, rows)[0].confirm


def test_a_streamed_kline_is_final_when_the_venue_says_so(linear):
    bar = {
        "start": 1672324800000, "end": 1672325099999, "interval": "5", "open": "16649.5", "close": "16677",
        "high": "16677", "low": "16608", "volume": "2.081", "turnover": "34666.4005", "confirm": True,
        "timestamp": 1672325100001,
    }  # fmt: skip
    frame = {"topic": "kline.5.BTCUSDT", "data": [bar, bar | {"confirm": False}], "ts": 1, "type": "snapshot"}
    first, second = decoded(linear, DataType.KLINE, frame, detail="5m")
    assert (first.interval, first.confirm, first.timestamp) == (KlineInterval.MINUTE_5, True, 1672325100001)
    assert not second.confirm


def test_the_ticker_is_the_one_that_was_asked_for(linear):
    row = {"symbol": "BTCUSDT", "lastPrice": "5", "volume24h": "2", "turnover24h": "10"}
    body = msgspec.json.encode({"retCode": 0, "result": {"list": [row | {"symbol": "X"}, row]}, "time": 1700})
    ticker_ = VENUE.parse_ticker(linear, body)
    assert (ticker_.last_price, ticker_.volume, ticker_.volumeCcy, ticker_.timestamp) == (
        5.0,
        2.0,
        10.0,
        1700,
    )
    with pytest.raises(WireError, match="no ticker of BTCUSDT"):
        VENUE.parse_ticker(linear, b'{"retCode":0,"result":{"list":[]},"time":1}')


def test_the_server_s_time_is_in_milliseconds():
    body = b'{"retCode":0,"result":{"timeSecond":"1700000000","timeNano":"1700000000123456789"},"time":1700000000124}'
    assert VENUE.parse_server_time(body) == 1_700_000_000_123
