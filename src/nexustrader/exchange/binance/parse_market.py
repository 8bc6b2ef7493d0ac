"""Public data: stream frames and REST answers to public structs. The hot path: one decode, one struct."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import NamedTuple

import msgspec

from nexustrader.constants import AccountType, DataType, KlineInterval, OrderSide
from nexustrader.domain.instrument import Instrument
from nexustrader.error import KlineSupportedError, SubscriptionError, WireError
from nexustrader.exchange.binance import wire
from nexustrader.exchange.binance.quirks import product_of, public_product
from nexustrader.exchange.binance.spec import BOOK_DEPTHS, BOOK_LEVELS, EXCHANGE, Product
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
from nexustrader.venue.local_book import BookChange, BookRule
from nexustrader.venue.spec import Deliver
from nexustrader.venue.wire import reader

Delivers = Mapping[DataType, Deliver]
NowMs = Callable[[], int]
OnFrame = Callable[[bytes], None]

_read_head = reader(wire.Head, "a market frame")
_read_book = reader(wire.Frame[wire.BookTicker], "bookTicker", lax=True)
_read_spot_depth = reader(wire.Frame[wire.SpotDepth], "depth", lax=True)
_read_depth = reader(wire.Frame[wire.Depth], "depth", lax=True)
_read_spot_diff = reader(wire.Frame[wire.SpotDiff], "depth changes", lax=True)
_read_diff = reader(wire.Frame[wire.Diff], "depth changes", lax=True)
_read_snapshot = reader(wire.DepthSnapshot, "a depth snapshot", lax=True)
_read_trade = reader(wire.Frame[wire.Trade], "trade", lax=True)
_read_kline = reader(wire.Frame[wire.Kline], "kline", lax=True)
_read_mark_price = reader(wire.Frame[wire.MarkPrice], "markPrice", lax=True)
_read_server_time = reader(wire.ServerTime, "the server time")
_read_klines = reader(list[wire.KlineRow], "klines", lax=True)
_read_ticker = reader(wire.Ticker24h, "the 24 h ticker", lax=True)
_read_tickers = reader(list[wire.Ticker24h], "the 24 h tickers", lax=True)

# -- topics ---------------------------------------------------------------------------------------------


def topic_of(raw: bytes) -> str | None:
    """The topic of a combined-stream frame; None for other objects. Raises WireError for all else."""
    return _read_head(raw).stream


def checked_interval(product: Product, interval: str) -> str:
    """The interval, if the product has klines of it. Raises KlineSupportedError."""
    if interval not in product.intervals:
        raise KlineSupportedError(
            f"Binance {product.instrument_type.value} has no klines of {interval!r}; "
            f"it has {', '.join(sorted(product.intervals))}"
        )
    return interval


def stream_topic(account_type: AccountType, stream: Stream, instrument: Instrument) -> tuple[str, str]:
    """-> (route, topic). Raises SubscriptionError for data that this product does not stream."""
    product = product_of(account_type, instrument)
    channel = product.channels.get(stream.kind)
    if channel is None:
        raise SubscriptionError(
            f"Binance {product.instrument_type.value} streams no {stream.kind.value} for {stream.symbol}"
        )
    if stream.kind is DataType.KLINE:
        checked_interval(product, stream.detail)
    detail = stream.detail
    if stream.kind is DataType.BOOKL2:
        if detail not in BOOK_LEVELS:
            raise SubscriptionError(
                f"Binance has no book of {detail or 'no'} levels for {stream.symbol}; "
                f"use one of {', '.join(BOOK_LEVELS)}"
            )
        detail = detail if detail in BOOK_DEPTHS else ""  # the stream of changes has no number
    return channel.route, f"{instrument.venue_symbol.lower()}@{channel.name.format(detail)}"


def book_rule(account_type: AccountType, stream: Stream) -> BookRule | None:
    """The rule of a book that is kept here; None for books that are streamed whole, and for other data."""
    is_whole = stream.kind is not DataType.BOOKL2 or stream.detail in BOOK_DEPTHS
    return None if is_whole else public_product(account_type).book_rule


def subscribe_frame(topics: list[str], request_id: int, *, subscribe: bool) -> bytes:
    method = "SUBSCRIBE" if subscribe else "UNSUBSCRIBE"
    return msgspec.json.encode({"method": method, "params": topics, "id": request_id})


# -- decoders -------------------------------------------------------------------------------------------


class _Bind(NamedTuple):
    """What a decoder is specialised for."""

    product: Product
    symbol: str
    detail: str
    deliver: Delivers
    now_ms: NowMs


def _book_l1(bind: _Bind) -> OnFrame:
    deliver, exchange, symbol, now_ms = bind.deliver[DataType.BOOKL1], EXCHANGE, bind.symbol, bind.now_ms

    def on_frame(raw: bytes) -> None:
        tick = _read_book(raw).data
        deliver(BookL1(exchange, symbol, tick.b, tick.a, tick.B, tick.A, tick.T or now_ms()))

    return on_frame


def _book_l2(bind: _Bind) -> OnFrame:
    return _whole_book(bind) if bind.detail in BOOK_DEPTHS else _book_changes(bind)


def _book_changes(bind: _Bind) -> OnFrame:
    deliver = bind.deliver[DataType.BOOKL2]
    read: Callable[[bytes], wire.Frame[wire.Diff] | wire.Frame[wire.SpotDiff]] = (
        _read_diff if bind.product.is_futures else _read_spot_diff
    )

    def on_frame(raw: bytes) -> None:
        diff = read(raw).data
        deliver(BookChange(diff.after, diff.u, diff.bids, diff.asks, diff.time))

    return on_frame


def _whole_book(bind: _Bind) -> OnFrame:
    deliver, symbol = bind.deliver[DataType.BOOKL2], bind.symbol
    read = _read_depth if bind.product.is_futures else _read_spot_depth

    def on_frame(raw: bytes) -> None:
        book = read(raw).data
        deliver(BookL2(EXCHANGE, symbol, _levels(book.bids), _levels(book.asks), book.time or bind.now_ms()))

    return on_frame


def _levels(side: list[wire.Level]) -> list[BookOrderData]:
    return [BookOrderData(level.price, level.size) for level in side]


def _trade(bind: _Bind) -> OnFrame:
    deliver, symbol = bind.deliver[DataType.TRADE], bind.symbol
    buy, sell = OrderSide.BUY, OrderSide.SELL

    def on_frame(raw: bytes) -> None:
        trade = _read_trade(raw).data
        side = sell if trade.m else buy  # m: the buyer was the maker, so a seller took
        deliver(Trade(EXCHANGE, side, symbol, trade.p, trade.q, trade.T))

    return on_frame


def _kline(bind: _Bind) -> OnFrame:
    deliver, symbol, interval = bind.deliver[DataType.KLINE], bind.symbol, KlineInterval(bind.detail)

    def on_frame(raw: bytes) -> None:
        event = _read_kline(raw).data
        bar = event.k
        deliver(
            Kline(
                exchange=EXCHANGE, symbol=symbol, interval=interval,
                open=bar.o, high=bar.h, low=bar.l, close=bar.c,
                volume=bar.v, quote_volume=bar.q, taker_volume=bar.V, taker_quote_volume=bar.Q,
                start=bar.t, timestamp=event.E, confirm=bar.x,
            )
        )  # fmt: skip

    return on_frame


def _mark_price(bind: _Bind) -> OnFrame:
    """One stream, three kinds: each goes out only to who wants it."""
    symbol = bind.symbol
    mark, index, funding = map(
        bind.deliver.get, (DataType.MARK_PRICE, DataType.INDEX_PRICE, DataType.FUNDING_RATE)
    )

    def on_frame(raw: bytes) -> None:
        tick = _read_mark_price(raw).data
        if mark is not None:
            mark(MarkPrice(EXCHANGE, symbol, tick.p, tick.E))
        if index is not None:
            index(IndexPrice(EXCHANGE, symbol, tick.i, tick.E))
        if funding is not None and tick.r:  # dated futures have none
            funding(FundingRate(EXCHANGE, symbol, float(tick.r), tick.E, tick.T))

    return on_frame


_MAKERS: Mapping[DataType, Callable[[_Bind], OnFrame]] = {
    DataType.BOOKL1: _book_l1,
    DataType.BOOKL2: _book_l2,
    DataType.TRADE: _trade,
    DataType.KLINE: _kline,
    DataType.MARK_PRICE: _mark_price,
    DataType.INDEX_PRICE: _mark_price,
    DataType.FUNDING_RATE: _mark_price,
}


def decoder(
    account_type: AccountType, stream: Stream, instrument: Instrument, deliver: Delivers, now_ms: NowMs
) -> OnFrame:
    """A function for the frames of one stream, symbol bound. It raises WireError for what it cannot read."""
    make = _MAKERS.get(stream.kind)
    if make is None:
        raise SubscriptionError(f"Binance has no stream of {stream.kind.value} for {stream.symbol}")
    return make(
        _Bind(product_of(account_type, instrument), instrument.symbol, stream.detail, deliver, now_ms)
    )


# -- REST -----------------------------------------------------------------------------------------------


def parse_server_time(body: bytes) -> int:
    return _read_server_time(body).serverTime


def parse_depth(account_type: AccountType, body: bytes, now_ms: int) -> BookChange:
    """A snapshot; one of spot tells no time and has `now_ms`."""
    del account_type  # both products write it alike
    depth = _read_snapshot(body)
    last = depth.lastUpdateId
    return BookChange(last, last, depth.bids, depth.asks, depth.time or now_ms, is_snapshot=True)


def parse_klines(instrument: Instrument, interval: str, body: bytes, now_ms: int) -> list[Kline]:
    """Oldest first. A bar whose end is still to come is not confirmed and has `now_ms` as its timestamp."""
    bar_length = KlineInterval(interval)
    return [
        Kline(
            exchange=EXCHANGE, symbol=instrument.symbol, interval=bar_length,
            open=row.open, high=row.high, low=row.low, close=row.close,
            volume=row.volume, quote_volume=row.quote_volume,
            taker_volume=row.taker_volume, taker_quote_volume=row.taker_quote_volume,
            start=row.open_time, timestamp=min(row.close_time, now_ms), confirm=row.close_time < now_ms,
        )
        for row in _read_klines(body)
    ]  # fmt: skip


def parse_ticker(instrument: Instrument, body: bytes) -> Ticker:
    """COIN-M answers with a list, and says the turnover in base."""
    tickers = _read_tickers(body) if body.lstrip()[:1] == b"[" else [_read_ticker(body)]
    ticker = tickers[0] if len(tickers) == 1 else wire.Ticker24h(0, 0, 0)
    turnover = ticker.baseVolume if ticker.quoteVolume is None else ticker.quoteVolume
    if turnover is None:
        raise WireError(f"the answer is no ticker of {instrument.symbol}. Nothing is concluded from it")
    return Ticker(
        exchange=EXCHANGE,
        symbol=instrument.symbol,
        last_price=ticker.lastPrice,
        timestamp=ticker.closeTime,
        volume=ticker.volume,
        volumeCcy=turnover,
    )
