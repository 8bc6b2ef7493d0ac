"""Frames in, public structs out: every kind of stream, and the REST answers of public data."""

from __future__ import annotations

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

from nexustrader.constants import DataType, ExchangeType, KlineInterval, OrderSide
from nexustrader.error import SubscriptionError, WireError
from nexustrader.exchange.binance import VENUE, BinanceAccountType, wire
from nexustrader.market.subscriptions import Stream
from nexustrader.schema import (
    BookL1,
    BookL2,
    BookOrderData,
    FundingRate,
    IndexPrice,
    Kline,
    MarkPrice,
    Ticker,
    Trade,
)
from nexustrader.venue.wire import reader

X = ExchangeType.BINANCE
SPOT, USD_M = BinanceAccountType.SPOT, BinanceAccountType.USD_M_FUTURE
RECEIVED_MS = 1_754_000_000_777


def decoded(account_type, stream, instrument, raw, kinds=None):
    out = []
    deliver = dict.fromkeys(kinds or [stream.kind], out.append)
    VENUE.decoder(account_type, stream, instrument, deliver, lambda: RECEIVED_MS)(raw)
    return out


def frame(topic, data) -> bytes:
    return b'{"stream":"%s","data":%s}' % (topic.encode(), data)


def test_a_futures_book_ticker_carries_the_time_of_the_match(perp):
    raw = frame(
        "btcusdt@bookTicker",
        b'{"e":"bookTicker","u":5123107832006,"s":"BTCUSDT","ps":"BTCUSDT","b":"61800.20","B":"2.507",'
        b'"a":"61800.30","A":"3.330","T":1723161256298,"E":1723161256299,"st":1}',
    )
    assert decoded(USD_M, Stream(DataType.BOOKL1, perp.symbol), perp, raw) == [
        BookL1(X, perp.symbol, 61800.2, 61800.3, 2.507, 3.33, 1723161256298)
    ]


def test_a_spot_book_ticker_has_no_time_and_takes_the_moment_of_receipt(spot):
    raw = frame(
        "btcusdt@bookTicker", b'{"u":4,"s":"BTCUSDT","b":"0.00000638","B":"1","a":"0.00000639","A":"2"}'
    )
    assert decoded(SPOT, Stream(DataType.BOOKL1, spot.symbol), spot, raw) == [
        BookL1(X, spot.symbol, 0.00000638, 0.00000639, 1.0, 2.0, RECEIVED_MS)
    ]


def test_partial_depth_of_both_products(spot, perp):
    spot_raw = frame(
        "btcusdt@depth5@100ms",
        b'{"lastUpdateId":160,"bids":[["1.2","10"],["1.1","0"]],"asks":[["1.3","100"]]}',
    )
    assert decoded(SPOT, Stream(DataType.BOOKL2, spot.symbol, "5"), spot, spot_raw) == [
        BookL2(X, spot.symbol, [BookOrderData(1.2, 10.0), BookOrderData(1.1, 0.0)], [BookOrderData(1.3, 100.0)],
               RECEIVED_MS)
    ]  # fmt: skip
    perp_raw = frame(
        "btcusdt@depth5@100ms",
        b'{"e":"depthUpdate","E":9,"T":8,"s":"BTCUSDT","U":1,"u":2,"pu":0,"b":[["1.2","10"]],"a":[]}',
    )
    assert decoded(USD_M, Stream(DataType.BOOKL2, perp.symbol, "5"), perp, perp_raw) == [
        BookL2(X, perp.symbol, [BookOrderData(1.2, 10.0)], [], 8)
    ]


@pytest.mark.parametrize(("buyer_was_maker", "side"), [(b"true", OrderSide.SELL), (b"false", OrderSide.BUY)])
def test_the_side_of_a_trade_is_the_takers(buyer_was_maker, side, spot, perp):
    single = frame(
        "btcusdt@trade",
        b'{"e":"trade","E":3,"s":"BTCUSDT","t":12345,"p":"0.001","q":"100","T":2,"m":%s,"M":true}'
        % buyer_was_maker,
    )
    assert decoded(SPOT, Stream(DataType.TRADE, spot.symbol), spot, single) == [
        Trade(X, side, spot.symbol, 0.001, 100.0, 2)
    ]
    aggregate = frame(
        "btcusdt@aggTrade",
        b'{"e":"aggTrade","E":3,"s":"BTCUSDT","a":1,"p":"9.5","q":"7","nq":"6","f":1,"l":2,"T":2,"m":%s}'
        % buyer_was_maker,
    )
    assert decoded(USD_M, Stream(DataType.TRADE, perp.symbol), perp, aggregate) == [
        Trade(X, side, perp.symbol, 9.5, 7.0, 2)
    ]


@pytest.mark.parametrize("closed", [False, True])
def test_a_kline_is_confirmed_once_the_venue_closed_it(closed, perp):
    bar = (
        b'{"t":1754000000000,"T":1754000059999,"s":"BTCUSDT","i":"1m","f":-1,"L":-1,"o":"1.0","c":"2.0","h":"2.5",'
        b'"l":"0.5","v":"10","n":3,"x":%s,"q":"15","V":"4","Q":"6","B":"0"}'
        % (b"true" if closed else b"false")
    )
    raw = frame("btcusdt@kline_1m", b'{"e":"kline","E":1754000001234,"s":"BTCUSDT","k":%s}' % bar)
    assert decoded(USD_M, Stream(DataType.KLINE, perp.symbol, "1m"), perp, raw) == [
        Kline(
            exchange=X, symbol=perp.symbol, interval=KlineInterval.MINUTE_1, open=1.0, high=2.5, low=0.5, close=2.0,
            volume=10.0, quote_volume=15.0, taker_volume=4.0, taker_quote_volume=6.0,
            start=1754000000000, timestamp=1754000001234, confirm=closed,
        )
    ]  # fmt: skip


MARK = (
    b'{"e":"markPriceUpdate","E":5,"s":"BTCUSDT","p":"11794.15","ap":"11794.20","i":"11784.6","P":"11784.2",'
    b'"r":"-0.00038167","T":1562306400000,"st":1}'
)
MARK_STRUCTS = {
    DataType.MARK_PRICE: MarkPrice(X, "BTCUSDT-PERP.BINANCE", 11794.15, 5),
    DataType.INDEX_PRICE: IndexPrice(X, "BTCUSDT-PERP.BINANCE", 11784.6, 5),
    DataType.FUNDING_RATE: FundingRate(X, "BTCUSDT-PERP.BINANCE", -0.00038167, 5, 1562306400000),
}


@pytest.mark.parametrize("wanted", [[k] for k in MARK_STRUCTS] + [list(MARK_STRUCTS)])
@pytest.mark.parametrize("stream_kind", list(MARK_STRUCTS))
def test_one_mark_price_frame_serves_whoever_wants_a_part_of_it(wanted, stream_kind, perp):
    raw = frame("btcusdt@markPrice@1s", MARK)
    out = decoded(USD_M, Stream(stream_kind, perp.symbol), perp, raw, wanted)
    assert out == [MARK_STRUCTS[kind] for kind in wanted]


def test_a_dated_future_has_no_funding_rate(perp):
    raw = frame(
        "x@markPrice@1s", b'{"e":"markPriceUpdate","E":5,"s":"X","p":"1","i":"1","P":"1","r":"","T":0}'
    )
    out = decoded(USD_M, Stream(DataType.FUNDING_RATE, perp.symbol), perp, raw, list(MARK_STRUCTS))
    assert [type(item) for item in out] == [MarkPrice, IndexPrice]


def test_a_decoder_for_data_that_no_stream_brings_is_refused(perp):
    with pytest.raises(SubscriptionError):
        VENUE.decoder(USD_M, Stream(DataType.VOLUME_KLINE, perp.symbol), perp, {}, lambda: 0)


BAD_NUMBERS = [
    b'"nan"', b'"NaN"', b'"inf"', b'"Infinity"', b'"-1"', b'""', b'"abc"', b"null", b"true", b'"1e400"', b"[]",
    b'" 1"', b'"0x1"', b'"1_0"',
]  # fmt: skip


@pytest.mark.parametrize("bad", BAD_NUMBERS)
def test_a_number_that_is_none_refuses_the_frame(bad, perp):
    raw = frame("x@bookTicker", b'{"b":"1","B":%s,"a":"2","A":"1","T":5}' % bad)
    with pytest.raises(WireError, match="bookTicker"):
        decoded(USD_M, Stream(DataType.BOOKL1, perp.symbol), perp, raw)


def test_an_error_of_the_receiver_is_not_taken_for_a_bad_frame(perp):
    def deliver(_tick):
        raise ValueError("the strategy's own mistake")

    on_frame = VENUE.decoder(
        USD_M, Stream(DataType.BOOKL1, perp.symbol), perp, {DataType.BOOKL1: deliver}, lambda: 0
    )
    with pytest.raises(ValueError, match="own mistake") as caught:
        on_frame(frame("x", b'{"b":"1","B":"1","a":"2","A":"1","T":5}'))
    assert not isinstance(caught.value, WireError)


numbers = st.from_regex(r"(0|[1-9][0-9]{0,20})(\.[0-9]{1,20})?", fullmatch=True)


@given(bid=numbers, size=numbers)
def test_floats_are_exactly_those_of_python(bid, size):
    """The fast conversion rounds correctly: it agrees with float() in every bit."""
    read = reader(wire.Frame[wire.BookTicker], "bookTicker", lax=True)
    out = read(frame("x", b'{"b":"%s","B":"%s","a":"1","A":"1"}' % (bid.encode(), size.encode()))).data
    assert out.b.hex() == float(bid).hex()
    assert out.B.hex() == float(size).hex()


# -- topics ----------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("raw", "topic"),
    [
        (b'{"stream":"btcusdt@bookTicker","data":{}}', "btcusdt@bookTicker"),
        (b'{"data":{"x":[1,{"stream":"no"}]},"stream":"btcusdt@trade"}', "btcusdt@trade"),
        (b'{ "stream" : "btcusdt@trade" , "data" : {} }', "btcusdt@trade"),
        (b'{"stream":"btcusdt\\u0040trade","data":{}}', "btcusdt@trade"),
        (b'{"stream":"\\"@trade","data":{}}', '"@trade'),
        (b'{"result":null,"id":1}', None),
        (b'{"code":2,"msg":"Invalid request","id":1}', None),
        (b'{"e":"serverShutdown","E":1}', None),
    ],
)
def test_the_topic_is_found_in_any_order_of_keys(raw, topic):
    assert VENUE.topic_of(raw) == topic


@pytest.mark.parametrize(
    "raw", [b"", b"pong", b"[]", b"null", b'{"stream":"x', b'{"stream":1}', b'{"stream":"\xff"}', b"\x00\x01"]
)
def test_what_is_no_frame_has_no_topic(raw):
    with pytest.raises(WireError):
        VENUE.topic_of(raw)


# -- REST ------------------------------------------------------------------------------------------------


def test_klines_are_confirmed_when_their_end_has_passed(perp):
    body = (
        b'[[1000,"1","2","0.5","1.5","10",1999,"15",3,"4","6","0"],'
        b'[2000,"1.5","2","0.5","1.5","10",2999,"15",3,"4","6","0"]]'
    )
    klines = VENUE.parse_klines(perp, "1s", body, 2500)
    assert [(k.start, k.timestamp, k.confirm) for k in klines] == [(1000, 1999, True), (2000, 2500, False)]
    assert klines[0] == Kline(
        exchange=X, symbol=perp.symbol, interval=KlineInterval.SECOND_1, open=1.0, high=2.0, low=0.5, close=1.5,
        volume=10.0, quote_volume=15.0, taker_volume=4.0, taker_quote_volume=6.0,
        start=1000, timestamp=1999, confirm=True,
    )  # fmt: skip
    assert VENUE.parse_klines(perp, "1s", body, 1999)[0].confirm is False, (
        "the last millisecond still belongs to it"
    )


def test_the_ticker_and_the_server_time(perp):
    body = b'{"symbol":"BTCUSDT","lastPrice":"4.5","volume":"8","quoteVolume":"36","closeTime":99,"count":7}'
    assert VENUE.parse_ticker(perp, body) == Ticker(
        exchange=X, symbol=perp.symbol, last_price=4.5, timestamp=99, volume=8.0, volumeCcy=36.0
    )
    assert VENUE.parse_server_time(b'{"serverTime":1620099477465}') == 1620099477465
    for parse in (VENUE.parse_server_time, lambda raw: VENUE.parse_ticker(perp, raw)):
        with pytest.raises(WireError):
            parse(msgspec.json.encode({"something": "else"}))
