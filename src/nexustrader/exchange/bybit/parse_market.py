"""Public data: stream frames and REST answers to public structs. The hot path: one decode, one struct."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from datetime import UTC, datetime, timedelta

import msgspec

from nexustrader.constants import AccountType, DataType, KlineInterval
from nexustrader.domain.instrument import Instrument
from nexustrader.error import KlineSupportedError, SubscriptionError, WireError
from nexustrader.exchange.bybit import wire
from nexustrader.exchange.bybit.quirks import SIDES
from nexustrader.exchange.bybit.spec import EXCHANGE, INVERSE, PUBLIC_TYPES, Product, product_of
from nexustrader.market.subscriptions import Stream
from nexustrader.schema import BookL1, FundingRate, IndexPrice, Kline, MarkPrice, Ticker, Trade
from nexustrader.venue.local_book import BookChange, BookRule
from nexustrader.venue.spec import Deliver
from nexustrader.venue.wire import reader

Delivers = Mapping[DataType, Deliver]
OnFrame = Callable[[bytes], None]

_read_head = reader(wire.Head, "a market frame")
_read_book = reader(wire.Frame[wire.Book], "orderbook", lax=True)
_read_trades = reader(wire.Frame[list[wire.Trade]], "publicTrade", lax=True)
_read_candles = reader(wire.Frame[list[wire.Candle]], "kline", lax=True)
_read_ticker = reader(wire.Frame[wire.Ticker], "tickers")
_read_server_time = reader(wire.Answer[wire.ServerTime], "the server time")
_read_klines = reader(wire.Answer[wire.Listing[wire.KlineRow]], "klines", lax=True)
_read_tickers = reader(wire.Answer[wire.Listing[wire.Ticker24h]], "the 24 h ticker", lax=True)

# -- topics ---------------------------------------------------------------------------------------------


def topic_of(raw: bytes) -> str | None:
    """The topic of a data frame; None for other objects. Raises WireError for all else."""
    return _read_head(raw).topic


def checked_interval(product: Product, interval: str) -> str:
    """The venue's word for the interval. Raises KlineSupportedError where the category has no such klines."""
    word = product.intervals.get(interval)
    if word is None:
        raise KlineSupportedError(
            f"Bybit {product.category} has no klines of {interval!r}; "
            f"it has {', '.join(product.intervals) or 'none at all'}"
        )
    return word


def stream_topic(account_type: AccountType, stream: Stream, instrument: Instrument) -> tuple[str, str]:
    """-> (route, topic). Raises SubscriptionError for data that this category does not stream."""
    product, kind = product_of(instrument), stream.kind
    template = product.topics.get(kind)
    if kind is DataType.FUNDING_RATE and instrument.expiry_ms is not None:
        template = None  # what is delivered pays no funding
    if template is None:
        raise SubscriptionError(f"Bybit {product.category} streams no {kind.value} for {stream.symbol}")
    detail = stream.detail
    if kind is DataType.KLINE:
        detail = checked_interval(product, detail)
    elif kind is DataType.BOOKL2:
        detail = _checked_depth(product, stream)
    route = f"/{product.category}" if account_type in PUBLIC_TYPES else ""
    return route, template.format(symbol=instrument.venue_symbol, base=instrument.base, detail=detail)


def _checked_depth(product: Product, stream: Stream) -> str:
    """The venue's depth that holds the levels that are wanted. Raises SubscriptionError."""
    depth = product.depths.get(stream.detail)
    if depth is None:
        raise SubscriptionError(
            f"Bybit has no book of {stream.detail or 'no'} levels for {stream.symbol}; "
            f"use one of {', '.join(product.depths)}"
        )
    return depth


def book_rule(account_type: AccountType, stream: Stream) -> BookRule | None:
    """Books begin with a snapshot, and each change counts one on from the one before it."""
    del account_type  # all have it alike
    if stream.kind is not DataType.BOOKL2:
        return None
    return BookRule(levels=int(stream.detail), by_request=False, exact=True)


def subscribe_frame(topics: list[str], request_id: int, *, subscribe: bool) -> bytes:
    operation = "subscribe" if subscribe else "unsubscribe"
    return msgspec.json.encode({"req_id": str(request_id), "op": operation, "args": topics})


# -- decoders -------------------------------------------------------------------------------------------


def _book_l1(instrument: Instrument, _detail: str, delivers: Delivers) -> OnFrame:
    """The best bid and ask, always whole. A side that is empty makes no reading."""
    deliver, symbol = delivers[DataType.BOOKL1], instrument.symbol

    def on_frame(raw: bytes) -> None:
        frame = _read_book(raw)
        book = frame.data
        if frame.type != "snapshot":
            raise WireError(f"orderbook.1 of {symbol} came as {frame.type!r}, which it never does: left out")
        if book.b and book.a:
            (bid, bid_size), (ask, ask_size) = book.b[0], book.a[0]
            deliver(BookL1(EXCHANGE, symbol, bid, ask, bid_size, ask_size, frame.cts or frame.ts))

    return on_frame


def _book_changes(_instrument: Instrument, _detail: str, delivers: Delivers) -> OnFrame:
    deliver = delivers[DataType.BOOKL2]

    def on_frame(raw: bytes) -> None:
        frame = _read_book(raw)
        book, at = frame.data, frame.cts or frame.ts
        is_snapshot = frame.type == "snapshot"
        deliver(BookChange(book.u - 1, book.u, book.b, book.a, at, is_snapshot=is_snapshot))

    return on_frame


def _trades(instrument: Instrument, _detail: str, delivers: Delivers) -> OnFrame:
    deliver, symbol, native = delivers[DataType.TRADE], instrument.symbol, instrument.venue_symbol

    def on_frame(raw: bytes) -> None:
        for row in _read_trades(raw).data:
            if row.s == native:  # options share a topic
                deliver(Trade(EXCHANGE, SIDES[row.S], symbol, row.p, row.v, row.T))

    return on_frame


def _klines(instrument: Instrument, detail: str, delivers: Delivers) -> OnFrame:
    deliver, interval = delivers[DataType.KLINE], KlineInterval(detail)

    def on_frame(raw: bytes) -> None:
        for bar in _read_candles(raw).data:
            deliver(_bar(instrument, interval, bar, bar.timestamp, confirm=bar.confirm))

    return on_frame


def _bar(
    instrument: Instrument, interval: KlineInterval, bar: wire.Candle | wire.KlineRow, at: int, *, confirm: bool
) -> Kline:  # fmt: skip
    """The volume of inverse contracts is in quote and the turnover in base, all others the other way round."""
    return Kline(
        exchange=EXCHANGE, symbol=instrument.symbol, interval=interval,
        open=bar.open, high=bar.high, low=bar.low, close=bar.close, volume=bar.volume, turnover=bar.turnover,
        quote_volume=bar.volume if product_of(instrument) is INVERSE else bar.turnover,
        start=bar.start, timestamp=at, confirm=confirm,
    )  # fmt: skip


def _ticker(instrument: Instrument, _detail: str, delivers: Delivers) -> OnFrame:
    """One topic, several kinds: each goes out to who wants it, and when the venue names it.

    A delta holds what has changed. What it does not name is as it was, which nobody knows before a snapshot.
    """
    symbol = instrument.symbol
    mark, index, funding, book = map(
        delivers.get, (DataType.MARK_PRICE, DataType.INDEX_PRICE, DataType.FUNDING_RATE, DataType.BOOKL1)
    )
    known = False
    rate, due = "", ""

    def on_frame(raw: bytes) -> None:
        nonlocal known, rate, due
        frame = _read_ticker(raw)
        tick, at = frame.data, frame.ts
        if frame.type == "snapshot":
            known, rate, due = True, "", ""
        if not known:
            return
        rate = rate if tick.fundingRate is None else tick.fundingRate
        due = due if tick.nextFundingTime is None else tick.nextFundingTime
        if mark is not None and tick.markPrice:
            mark(MarkPrice(EXCHANGE, symbol, float(tick.markPrice), at))
        if index is not None and tick.indexPrice:
            index(IndexPrice(EXCHANGE, symbol, float(tick.indexPrice), at))
        if funding is not None and rate and due and (tick.fundingRate or tick.nextFundingTime):
            funding(FundingRate(EXCHANGE, symbol, float(rate), at, int(due)))
        if book is not None:
            _deliver_best(book, symbol, tick, at)

    return on_frame


def _deliver_best(deliver: Deliver, symbol: str, tick: wire.Ticker, at: int) -> None:
    """Best bid and ask of an option, which has no book of one level. 0 is a side without orders."""
    bid, ask = float(tick.bidPrice or 0), float(tick.askPrice or 0)
    if bid > 0 and ask > 0:
        sizes = float(tick.bidSize or 0), float(tick.askSize or 0)
        deliver(BookL1(EXCHANGE, symbol, bid, ask, *sizes, at))


_MAKERS: Mapping[DataType, Callable[[Instrument, str, Delivers], OnFrame]] = {
    DataType.BOOKL1: _book_l1,
    DataType.BOOKL2: _book_changes,
    DataType.TRADE: _trades,
    DataType.KLINE: _klines,
}


def decoder(
    _account_type: AccountType,
    stream: Stream,
    instrument: Instrument,
    deliver: Delivers,
    _now_ms: Callable[[], int],
) -> OnFrame:
    """A function for the frames of one topic, symbol bound. It raises WireError for what it cannot read."""
    template = product_of(instrument).topics.get(stream.kind, "")
    make = _ticker if template.startswith("tickers") else _MAKERS.get(stream.kind)
    if make is None:
        raise SubscriptionError(f"Bybit has no stream of {stream.kind.value} for {stream.symbol}")
    return make(instrument, stream.detail, deliver)


# -- REST -----------------------------------------------------------------------------------------------


def parse_server_time(body: bytes) -> int:
    return int(_read_server_time(body).result.timeNano) // 1_000_000


def parse_klines(instrument: Instrument, interval: str, body: bytes, now_ms: int) -> list[Kline]:
    """Oldest first. A bar whose end is still to come is not confirmed and has `now_ms` as its timestamp."""
    length = KlineInterval(interval)
    klines = []
    for row in sorted(_read_klines(body).result.rows, key=lambda row: row.start):
        last_ms = _end_ms(length, row.start) - 1
        klines.append(_bar(instrument, length, row, min(last_ms, now_ms), confirm=last_ms < now_ms))
    return klines


def _end_ms(interval: KlineInterval, start_ms: int) -> int:
    """When the next bar begins. Months have their own lengths."""
    if interval is not KlineInterval.MONTH_1:
        return start_ms + interval.milliseconds
    first = datetime.fromtimestamp(start_ms / 1000, tz=UTC).replace(day=1)
    return int((first + timedelta(days=32)).replace(day=1).timestamp() * 1000)


def parse_ticker(instrument: Instrument, body: bytes) -> Ticker:
    """Raises WireError when the answer shows another symbol."""
    answer = _read_tickers(body)
    for row in answer.result.rows:
        if row.symbol == instrument.venue_symbol:
            return Ticker(
                exchange=EXCHANGE, symbol=instrument.symbol, last_price=row.lastPrice, timestamp=answer.time,
                volume=row.volume24h, volumeCcy=row.turnover24h,
            )  # fmt: skip
    raise WireError(f"the answer holds no ticker of {instrument.venue_symbol}")
