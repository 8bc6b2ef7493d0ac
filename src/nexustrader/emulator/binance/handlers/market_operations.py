"""Requests for public market data, of both products."""

# All handlers share one signature, though some need nothing of the call.
# ruff: noqa: ARG001

from __future__ import annotations

from collections.abc import Callable

import msgspec

from nexustrader.emulator.binance.encode.klines import day_statistics, kline_row
from nexustrader.emulator.binance.encode.wire import FUNDED_WIRES
from nexustrader.emulator.binance.errors import refusal
from nexustrader.emulator.binance.handlers import requests
from nexustrader.emulator.binance.handlers.operation import Call, Params
from nexustrader.emulator.binance.instruments import spot_exchange_info, usdm_exchange_info
from nexustrader.emulator.binance.instruments_coinm import coinm_exchange_info
from nexustrader.emulator.binance.topics import COINM, INTERVALS_MS, SPOT, USDM
from nexustrader.emulator.market.market import FUNDING_INTERVAL_MS, Market, PublicTrade

Body = dict[str, object]

AVERAGE_MINUTES = 5
FUNDING_LIMIT = 100
KLINES_MAX = {SPOT: 1_000, USDM: 1_500, COINM: 1_500}


def ping(call: Call) -> object:
    """Nothing, to be answered."""
    return {}


def server_time(call: Call) -> object:
    """The venue's clock."""
    return {"serverTime": call.now_ms}


def exchange_info(call: Call) -> object:
    """Symbols, filters and limits; on spot of one or several symbols where asked."""
    product = call.product
    listings = list(product.listings.values())
    if product.name == SPOT:
        if "symbol" in call.params or "symbols" in call.params:
            listings = [market.listing for market in _selected(call)]
        return spot_exchange_info(listings, product.limiter.rules, call.now_ms)
    make = coinm_exchange_info if product.name == COINM else usdm_exchange_info
    return make(listings, product.limiter.rules, call.now_ms)


def depth(call: Call) -> object:
    """The book's best levels."""
    market, wire = _market(call), call.product.wire
    limit = requests.integer(call.params, "limit", wire.DEPTH_LIMIT)
    assert limit is not None
    if limit < 1 or (wire.DEPTH_LIMITS and limit not in wire.DEPTH_LIMITS):
        raise refusal(-4021, limit)
    fault = call.strike("old_snapshot")
    book = market.book(min(limit, wire.DEPTH_LIMIT_MAX), fault.n if fault else 0)
    return wire.depth_snapshot(market, book, call.now_ms)


def klines(call: Call) -> object:
    """Candles, ascending; the last one may still be open."""
    market, params = _market(call), call.params
    interval = requests.required(params, "interval")
    if interval not in INTERVALS_MS or (interval == "1s" and call.product.name != SPOT):
        raise refusal(-1120)
    bars = market.candles.window(
        INTERVALS_MS[interval],
        requests.limit(params, maximum=KLINES_MAX[call.product.name]),
        requests.integer(params, "startTime"),
        requests.integer(params, "endTime"),
        call.now_ms,
    )
    return [kline_row(market, bar, INTERVALS_MS[interval]) for bar in bars]


def trades(call: Call) -> object:
    """The latest trades, oldest first."""
    market = _market(call)
    rows = list(market.trades)[-requests.limit(call.params) :]
    return [call.product.wire.trade_row(market, trade) for trade in rows]


def agg_trades(call: Call) -> object:
    """Trades from an id or within a time, else the latest; oldest first."""
    market, params = _market(call), call.params
    first_id = requests.integer(params, "fromId")
    start_ms, end_ms = requests.integer(params, "startTime"), requests.integer(params, "endTime")

    def wanted(trade: PublicTrade) -> bool:
        return (
            (first_id is None or trade.trade_id >= first_id)
            and (start_ms is None or trade.time_ms >= start_ms)
            and (end_ms is None or trade.time_ms <= end_ms)
        )

    rows, limit = [trade for trade in market.trades if wanted(trade)], requests.limit(params)
    rows = rows[-limit:] if first_id is None and start_ms is None else rows[:limit]
    return [call.product.wire.agg_trade_row(market, trade) for trade in rows]


def average_price(call: Call) -> object:
    """The average price that spot filters use: here the middle of the book."""
    market = _market(call)
    return {"mins": AVERAGE_MINUTES, "price": f"{market.mark:.8f}", "closeTime": call.now_ms}


def ticker_day(call: Call) -> object:
    """Statistics of 24 hours."""
    return _for_each(
        call, lambda market: call.product.wire.ticker_day(market, day_statistics(market, call.now_ms))
    )


def ticker_price(call: Call) -> object:
    """Last price."""
    return _for_each(call, lambda market: call.product.wire.ticker_price(market, call.now_ms))


def ticker_book(call: Call) -> object:
    """Best bid and ask."""
    return _for_each(call, lambda market: call.product.wire.ticker_book(market, call.now_ms))


def ticker_book_with_id(call: Call) -> object:
    """Best bid and ask with the book's id, as the WebSocket API of futures tells it."""
    return _for_each(
        call,
        lambda market: {
            "lastUpdateId": market.touch_id,
            **call.product.wire.ticker_book(market, call.now_ms),
        },
    )


def premium_index(call: Call) -> object:
    """Mark price, index price and funding."""
    return _for_each(call, lambda market: FUNDED_WIRES[call.product.name].premium_index(market, call.now_ms))


def funding_rate(call: Call) -> object:
    """Past funding, ascending."""
    params, markets = call.params, list(call.product.markets.values())
    if "symbol" in params:
        markets = [_market(call)]
    end_ms = min(call.now_ms, requests.integer(params, "endTime", call.now_ms) or call.now_ms)
    limit = requests.limit(params, FUNDING_LIMIT)
    last = end_ms // FUNDING_INTERVAL_MS
    start_ms = requests.integer(params, "startTime")
    first = last - limit + 1 if start_ms is None else -(-start_ms // FUNDING_INTERVAL_MS)
    last = min(last, first + limit - 1)
    return [
        FUNDED_WIRES[call.product.name].funding_rate(market, number * FUNDING_INTERVAL_MS)
        for number in range(first, last + 1)
        for market in markets
    ]


def spot_depth_weight(params: Params) -> int:
    """5 to 250 by the number of levels."""
    limit = requests.integer(params, "limit", 100) or 100
    return next((weight for most, weight in ((100, 5), (500, 25), (1_000, 50)) if limit <= most), 250)


def usdm_depth_weight(params: Params) -> int:
    """2 to 20 by the number of levels."""
    limit = requests.integer(params, "limit", 500) or 500
    return next((weight for most, weight in ((50, 2), (100, 5), (500, 10)) if limit <= most), 20)


def usdm_klines_weight(params: Params) -> int:
    """1 to 10 by the number of candles."""
    limit = requests.integer(params, "limit", 500) or 500
    return next((weight for most, weight in ((99, 1), (499, 2), (1_000, 5)) if limit <= most), 10)


def by_symbol(one: int, every: int) -> Callable[[Params], int]:
    """Weight of a request that costs more without a symbol."""
    return lambda params: one if "symbol" in params else every


def _market(call: Call) -> Market:
    return call.product.markets[requests.symbol(call.params, call.product.listings).symbol]


def _selected(call: Call) -> list[Market]:
    """The markets named by `symbol`, or by `symbols` on spot, or all."""
    if "symbol" in call.params:
        return [_market(call)]
    if "symbols" not in call.params:
        return list(call.product.markets.values())
    try:
        names = msgspec.json.decode(call.params["symbols"], type=list[str])
    except msgspec.MsgspecError:
        raise refusal(-1102, "symbols") from None
    return [
        call.product.markets[requests.symbol({"symbol": name}, call.product.listings).symbol]
        for name in names
    ]


def _for_each(call: Call, build: Callable[[Market], Body]) -> object:
    """One object for one symbol, else a list; COIN-M has lists only."""
    bodies = [build(market) for market in _selected(call)]
    return bodies[0] if "symbol" in call.params and call.product.name != COINM else bodies
