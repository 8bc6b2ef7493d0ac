"""USD-M market data, key for key: stream payloads and REST bodies."""

# Both products share the signatures of `wire.MarketWire`, though futures need no market in one.
# ruff: noqa: ARG001

from __future__ import annotations

from nexustrader.emulator.binance.encode import numbers
from nexustrader.emulator.binance.encode.klines import kline_payload
from nexustrader.emulator.market.candles import Candle
from nexustrader.emulator.market.market import (
    FUNDING_INTERVAL_MS,
    FUNDING_RATE,
    Book,
    DepthUpdate,
    Market,
    PublicTrade,
)

Body = dict[str, object]

DEPTH_LIMIT = 500
DEPTH_LIMITS: tuple[int, ...] = (5, 10, 20, 50, 100, 500, 1_000)
DEPTH_LIMIT_MAX = 1_000
USD_MARGINED = 1  # the `st` of this product


def book_ticker(market: Market, now_ms: int) -> Body:
    """<symbol>@bookTicker."""
    touch = market.touch
    return {
        "e": "bookTicker",
        "u": market.touch_id,
        "E": now_ms,
        "T": now_ms,
        "s": market.symbol,
        "ps": market.symbol,
        "b": market.prices.text(touch.bid),
        "B": market.amounts.text(touch.bid_lots),
        "a": market.prices.text(touch.ask),
        "A": market.amounts.text(touch.ask_lots),
        "st": USD_MARGINED,
    }


def trade(market: Market, trade: PublicTrade) -> Body:
    """<symbol>@trade: undocumented on this product, as recorded."""
    return {
        "e": "trade",
        "E": trade.time_ms,
        "T": trade.time_ms,
        "s": market.symbol,
        "t": trade.trade_id,
        "p": market.prices.text(trade.price),
        "q": market.amounts.text(trade.lots),
        "X": "MARKET",
        "m": trade.buyer_is_maker,
    }


def agg_trade(market: Market, trade: PublicTrade) -> Body:
    """<symbol>@aggTrade; each trade is an aggregate of its own here."""
    return {
        "e": "aggTrade",
        "E": trade.time_ms,
        "s": market.symbol,
        **agg_trade_row(market, trade),
        "st": USD_MARGINED,
    }


def depth_update(market: Market, update: DepthUpdate, now_ms: int) -> Body:
    """<symbol>@depth."""
    return {
        "e": "depthUpdate",
        "E": now_ms,
        "T": now_ms,
        "s": market.symbol,
        "U": update.first_id,
        "u": update.last_id,
        "pu": update.previous_id,
        "b": update.bids,
        "a": update.asks,
        "ps": market.symbol,
        "st": USD_MARGINED,
    }


def partial_depth(market: Market, levels: int, now_ms: int) -> Body:
    """<symbol>@depth<levels>: shaped like an update, but a full replacement."""
    bids, asks = market.depth(levels)
    update = DepthUpdate(market.update_id, market.update_id, market.update_id, bids, asks)
    return depth_update(market, update, now_ms)


def kline(market: Market, interval: str, bar: Candle, now_ms: int) -> Body:
    """<symbol>@kline_<interval>."""
    return kline_payload(market, interval, bar, now_ms)


def mark_price(market: Market, now_ms: int) -> Body:
    """<symbol>@markPrice."""
    mark = numbers.eight(market.mark)
    return {
        "e": "markPriceUpdate",
        "E": now_ms,
        "s": market.symbol,
        "p": mark,
        "ap": mark,
        "i": mark,
        "P": mark,
        "r": FUNDING_RATE,
        "T": market.next_funding_ms(now_ms),
        "st": USD_MARGINED,
    }


def depth_snapshot(market: Market, book: Book, now_ms: int) -> Body:
    """GET depth, which does not name its symbol."""
    del market
    times = {"E": now_ms, "T": now_ms}
    return {"lastUpdateId": book.update_id} | times | {"bids": book.bids, "asks": book.asks}


def trade_row(market: Market, trade: PublicTrade) -> Body:
    """A row of GET trades."""
    value = market.instrument.value(trade.lots, market.instrument.price(trade.price))
    return {
        "id": trade.trade_id,
        "price": market.prices.text(trade.price),
        "qty": market.amounts.text(trade.lots),
        "quoteQty": numbers.notional(market.listing, value),
        "time": trade.time_ms,
        "isBuyerMaker": trade.buyer_is_maker,
        "isRPITrade": False,
    }


def agg_trade_row(market: Market, trade: PublicTrade) -> Body:
    """A row of GET aggTrades."""
    amount = market.amounts.text(trade.lots)
    return {
        "a": trade.trade_id,
        "p": market.prices.text(trade.price),
        "q": amount,
        "nq": amount,
        "f": trade.trade_id,
        "l": trade.trade_id,
        "T": trade.time_ms,
        "m": trade.buyer_is_maker,
    }


def ticker_price(market: Market, now_ms: int) -> Body:
    """GET ticker/price."""
    return {"symbol": market.symbol, "price": market.prices.text(market.candles.last), "time": now_ms}


def ticker_book(market: Market, now_ms: int) -> Body:
    """GET ticker/bookTicker."""
    touch = market.touch
    return {
        "symbol": market.symbol,
        "bidPrice": market.prices.text(touch.bid),
        "bidQty": market.amounts.text(touch.bid_lots),
        "askPrice": market.prices.text(touch.ask),
        "askQty": market.amounts.text(touch.ask_lots),
        "time": now_ms,
    }


def ticker_day(market: Market, statistics: Body) -> Body:
    """GET ticker/24hr."""
    return statistics


def premium_index(market: Market, now_ms: int) -> Body:
    """GET premiumIndex."""
    mark = numbers.eight(market.mark)
    return {
        "symbol": market.symbol,
        "markPrice": mark,
        "indexPrice": mark,
        "estimatedSettlePrice": mark,
        "lastFundingRate": FUNDING_RATE,
        "interestRate": "0.00010000",
        "nextFundingTime": market.next_funding_ms(now_ms),
        "time": now_ms,
    }


def funding_rate(market: Market, funding_ms: int) -> Body:
    """A row of GET fundingRate."""
    assert funding_ms % FUNDING_INTERVAL_MS == 0
    return {
        "symbol": market.symbol,
        "fundingRate": FUNDING_RATE,
        "fundingTime": funding_ms,
        "markPrice": numbers.eight(market.mark),
        "rateType": "Regular",
    }
