"""Requests for public market data."""

from __future__ import annotations

from decimal import Decimal

from nexustrader.emulator.bybit.categories import FUTURES, INTERVALS_MS, OPTION, SPOT
from nexustrader.emulator.bybit.encode import market as words
from nexustrader.emulator.bybit.errors import bad
from nexustrader.emulator.bybit.handlers import params as read
from nexustrader.emulator.bybit.handlers.operation import Body, Call
from nexustrader.emulator.bybit.handlers.pages import page
from nexustrader.emulator.bybit.instruments import instrument
from nexustrader.emulator.bybit.sockets.topics import BOOK
from nexustrader.emulator.market.market import FUNDING_INTERVAL_MS, FUNDING_RATE, Market
from nexustrader.sim.money import plain

INSTRUMENTS, INSTRUMENTS_MAX = 500, 1_000
KLINES, KLINES_MAX = 200, 1_000
FUNDING_MAX = 200
# The usual and the largest number of levels or trades, by category.
DEPTHS = {SPOT: (1, 1_000), OPTION: (1, 25)}
FUTURES_DEPTHS = (25, 1_000)
TRADES = {SPOT: (60, 60)}
OTHER_TRADES = (500, 1_000)
FULL_DEPTH = "1000"


def server_time(call: Call) -> Body:
    """The venue's clock."""
    return {"timeSecond": str(call.now_ms // 1_000), "timeNano": str(call.now_ms * 1_000_000)}


def instruments_info(call: Call) -> Body:
    """What is listed; futures and options by pages."""
    category, params = read.category(call.params), call.params
    listings = list(call.product.listings.values())
    if params.get("symbol"):
        listings = [call.market.listing]
    base = params.get("baseCoin") or ("BTC" if category == OPTION else None)
    rows = [one for one in listings if base in {None, one.base}]
    if params.get("status", "Trading") != "Trading":
        rows = []
    if category == SPOT:
        return {"category": category, "list": [instrument(one) for one in rows], "nextPageCursor": ""}
    limit = read.limit(params, INSTRUMENTS, INSTRUMENTS_MAX)
    shown, cursor = page(rows, limit, params.get("cursor", ""), lambda one: one.symbol)
    return {
        "category": category,
        "list": [instrument(one) for one in shown],
        "nextPageCursor": cursor,
    }


def orderbook(call: Call) -> Body:
    """The book's best levels; where somebody listens to all of it, as that was told last."""
    market, category = call.market, call.product.name
    usual, most = DEPTHS.get(category, FUTURES_DEPTHS)
    limit = read.limit(call.params, usual, most)
    told = call.product.hub.books.get(f"{BOOK}.{FULL_DEPTH}.{market.symbol}")
    old = call.strike("old_snapshot")
    if told is not None and old is None:
        bids, asks, update_id = told.bids[:limit], told.asks[:limit], told.update_id
    else:
        update_id, bids, asks = market.book(limit, 0 if old is None else old.n)
    return {
        "s": market.symbol,
        "b": bids,
        "a": asks,
        "ts": call.now_ms,
        "u": update_id,
        "seq": market.update_id,
        "cts": call.now_ms,
    }


def kline(call: Call) -> Body:
    """Candles, newest first; the first may still be open."""
    market, params = call.market, call.params
    interval = read.required(params, "interval")
    if interval not in INTERVALS_MS:
        raise bad("interval is invalid")
    start_ms, end_ms = read.integer(params, "start"), read.integer(params, "end")
    limit = read.limit(params, KLINES, KLINES_MAX)
    length_ms = INTERVALS_MS[interval]
    if start_ms is not None and end_ms is not None:
        # With both bounds the venue gives the newest of what lies between.
        start_ms = max(start_ms, end_ms - end_ms % length_ms - (limit - 1) * length_ms)
    bars = market.candles.window(length_ms, limit, start_ms, end_ms, call.now_ms)
    rows = [words.kline_row(market, bar) for bar in reversed(bars)]
    return {"category": call.product.name, "symbol": market.symbol, "list": rows}


def price_kline(call: Call) -> Body:
    """The same for mark and index, which are the market's own here and have no volume."""
    body = kline(call)
    rows = body["list"]
    assert isinstance(rows, list)
    return {**body, "list": [row[:5] for row in rows]}


def tickers(call: Call) -> Body:
    """Statistics of 24 hours, of one symbol or of all."""
    product, base = call.product, call.params.get("baseCoin")
    markets = [call.market] if call.params.get("symbol") else list(product.markets.values())
    rows = [words.rest_ticker(m, call.now_ms) for m in markets if base in {None, "", m.listing.base}]
    return {"category": product.name, "list": rows}


def recent_trade(call: Call) -> Body:
    """The latest trades, newest first."""
    product, market = call.product, call.market
    limit = read.limit(call.params, *TRADES.get(product.name, OTHER_TRADES))
    newest = list(reversed(market.trades))[:limit]
    rows = [words.recent_trade(market, one, market.update_id) for one in newest]
    return {"category": product.name, "list": rows}


def funding_history(call: Call) -> Body:
    """Past funding, newest first. A start without an end is refused."""
    read.category(call.params, FUTURES)
    market, params = call.market, call.params
    start_ms, end_ms = read.integer(params, "startTime"), read.integer(params, "endTime")
    if start_ms is not None and end_ms is None:
        raise bad("startTime needs an endTime")
    last = min(call.now_ms, call.now_ms if end_ms is None else end_ms) // FUNDING_INTERVAL_MS
    first = last - read.limit(params, FUNDING_MAX, FUNDING_MAX) + 1
    if start_ms is not None:
        first = max(first, -(-start_ms // FUNDING_INTERVAL_MS))
    rows = [_funding(market, number * FUNDING_INTERVAL_MS) for number in range(last, first - 1, -1)]
    return {"category": call.product.name, "list": rows}


def price_limit(call: Call) -> Body:
    """The bounds of a limit price."""
    market = call.market
    return {**words.price_limit(market), "ts": str(call.now_ms)}


def system_status(call: Call) -> Body:  # noqa: ARG001 — every handler gets the call
    """No maintenance is announced here."""
    return {"list": []}


def _funding(market: Market, time_ms: int) -> Body:
    rate = plain(Decimal(FUNDING_RATE))
    return {"symbol": market.symbol, "fundingRate": rate, "fundingRateTimestamp": str(time_ms)}
