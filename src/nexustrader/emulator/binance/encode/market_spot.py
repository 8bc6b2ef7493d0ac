"""Spot market data, key for key: stream payloads and REST bodies."""

# Both products share the signatures of `wire.MarketWire`, though spot needs no time in some.
# ruff: noqa: ARG001

from __future__ import annotations

from nexustrader.emulator.binance.encode import numbers
from nexustrader.emulator.binance.encode.klines import kline_payload
from nexustrader.emulator.market.candles import Candle
from nexustrader.emulator.market.market import Book, DepthUpdate, Market, PublicTrade

Body = dict[str, object]

DEPTH_LIMIT = 100
DEPTH_LIMITS: tuple[int, ...] = ()  # any up to the maximum
DEPTH_LIMIT_MAX = 5_000


def book_ticker(market: Market, now_ms: int) -> Body:
    """<symbol>@bookTicker."""
    touch = market.touch
    return {
        "u": market.touch_id,
        "s": market.symbol,
        "b": market.prices.text(touch.bid),
        "B": market.amounts.text(touch.bid_lots),
        "a": market.prices.text(touch.ask),
        "A": market.amounts.text(touch.ask_lots),
    }


def trade(market: Market, trade: PublicTrade) -> Body:
    """<symbol>@trade."""
    return {
        "e": "trade",
        "E": trade.time_ms,
        "s": market.symbol,
        "t": trade.trade_id,
        "p": market.prices.text(trade.price),
        "q": market.amounts.text(trade.lots),
        "T": trade.time_ms,
        "m": trade.buyer_is_maker,
        "M": True,
    }


def agg_trade(market: Market, trade: PublicTrade) -> Body:
    """<symbol>@aggTrade; each trade is an aggregate of its own here."""
    return {"e": "aggTrade", "E": trade.time_ms, "s": market.symbol, **agg_trade_row(market, trade)}


def depth_update(market: Market, update: DepthUpdate, now_ms: int) -> Body:
    """<symbol>@depth."""
    return {
        "e": "depthUpdate",
        "E": now_ms,
        "s": market.symbol,
        "U": update.first_id,
        "u": update.last_id,
        "b": update.bids,
        "a": update.asks,
    }


def partial_depth(market: Market, levels: int, now_ms: int) -> Body:
    """<symbol>@depth<levels>."""
    bids, asks = market.depth(levels)
    return {"lastUpdateId": market.update_id, "bids": bids, "asks": asks}


def kline(market: Market, interval: str, bar: Candle, now_ms: int) -> Body:
    """<symbol>@kline_<interval>."""
    return kline_payload(market, interval, bar, now_ms)


def depth_snapshot(market: Market, book: Book, now_ms: int) -> Body:
    """GET depth; spot tells neither symbol nor time."""
    del market, now_ms
    return {"lastUpdateId": book.update_id, "bids": book.bids, "asks": book.asks}


def trade_row(market: Market, trade: PublicTrade) -> Body:
    """A row of GET trades."""
    return {
        "id": trade.trade_id,
        "price": market.prices.text(trade.price),
        "qty": market.amounts.text(trade.lots),
        "quoteQty": numbers.eight(market.instrument.value(trade.lots, market.instrument.price(trade.price))),
        "time": trade.time_ms,
        "isBuyerMaker": trade.buyer_is_maker,
        "isBestMatch": True,
    }


def agg_trade_row(market: Market, trade: PublicTrade) -> Body:
    """A row of GET aggTrades."""
    return {
        "a": trade.trade_id,
        "p": market.prices.text(trade.price),
        "q": market.amounts.text(trade.lots),
        "f": trade.trade_id,
        "l": trade.trade_id,
        "T": trade.time_ms,
        "m": trade.buyer_is_maker,
        "M": True,
    }


def ticker_price(market: Market, now_ms: int) -> Body:
    """GET ticker/price."""
    return {"symbol": market.symbol, "price": market.prices.text(market.candles.last)}


def ticker_book(market: Market, now_ms: int) -> Body:
    """GET ticker/bookTicker."""
    touch = market.touch
    return {
        "symbol": market.symbol,
        "bidPrice": market.prices.text(touch.bid),
        "bidQty": market.amounts.text(touch.bid_lots),
        "askPrice": market.prices.text(touch.ask),
        "askQty": market.amounts.text(touch.ask_lots),
    }


def ticker_day(market: Market, statistics: Body) -> Body:
    """GET ticker/24hr: the statistics of both products, and what spot adds."""
    touch = market.touch
    return {
        **statistics,
        "prevClosePrice": statistics["openPrice"],
        "bidPrice": market.prices.text(touch.bid),
        "bidQty": market.amounts.text(touch.bid_lots),
        "askPrice": market.prices.text(touch.ask),
        "askQty": market.amounts.text(touch.ask_lots),
    }
