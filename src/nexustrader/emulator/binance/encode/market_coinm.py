"""COIN-M market data, key for key: what differs from USD-M. Amounts are contracts, turnover is in base."""

# All products share the signatures of `wire.MarketWire`, though some need less.

from __future__ import annotations

from decimal import Decimal

from nexustrader.emulator.binance.encode import market_usdm
from nexustrader.emulator.binance.encode.numbers import eight
from nexustrader.emulator.market.listing import Listing
from nexustrader.emulator.market.market import Book, DepthUpdate, Market, PublicTrade

Body = dict[str, object]

COIN_MARGINED = 2  # the `st` of this product

# What both have alike.
DEPTH_LIMIT = market_usdm.DEPTH_LIMIT
DEPTH_LIMITS = market_usdm.DEPTH_LIMITS
DEPTH_LIMIT_MAX = market_usdm.DEPTH_LIMIT_MAX
agg_trade_row = market_usdm.agg_trade_row
kline = market_usdm.kline
trade = market_usdm.trade


def pair_of(listing: Listing) -> str:
    """BTCUSD of BTCUSD_PERP and of BTCUSD_270326."""
    return listing.symbol.partition("_")[0]


def in_base(listing: Listing, contracts: Decimal, price: Decimal) -> Decimal:
    """What so many contracts are worth at a price."""
    return contracts * listing.contract_size / price


def book_ticker(market: Market, now_ms: int) -> Body:
    """<symbol>@bookTicker."""
    return _mine(market, market_usdm.book_ticker(market, now_ms))


def agg_trade(market: Market, trade: PublicTrade) -> Body:
    """<symbol>@aggTrade."""
    return {**market_usdm.agg_trade(market, trade), "st": COIN_MARGINED}


def depth_update(market: Market, update: DepthUpdate, now_ms: int) -> Body:
    """<symbol>@depth."""
    return _mine(market, market_usdm.depth_update(market, update, now_ms))


def partial_depth(market: Market, levels: int, now_ms: int) -> Body:
    """<symbol>@depth<levels>."""
    return _mine(market, market_usdm.partial_depth(market, levels, now_ms))


def mark_price(market: Market, now_ms: int) -> Body:
    """<symbol>@markPrice; dated contracts have no funding."""
    body = {**market_usdm.mark_price(market, now_ms), "st": COIN_MARGINED}
    del body["ap"]
    return body if market.listing.expiry_ms is None else {**body, "r": "", "T": 0}


def depth_snapshot(market: Market, book: Book, now_ms: int) -> Body:
    """GET depth."""
    body = market_usdm.depth_snapshot(market, book, now_ms)
    return {**body, "symbol": market.symbol, "pair": pair_of(market.listing)}


def trade_row(market: Market, trade: PublicTrade) -> Body:
    """A row of GET trades."""
    value = market.instrument.value(trade.lots, market.instrument.price(trade.price))
    return {
        "id": trade.trade_id,
        "price": market.prices.text(trade.price),
        "qty": market.amounts.text(trade.lots),
        "baseQty": eight(value),
        "time": trade.time_ms,
        "isBuyerMaker": trade.buyer_is_maker,
    }


def ticker_price(market: Market, now_ms: int) -> Body:
    """GET ticker/price."""
    return {**market_usdm.ticker_price(market, now_ms), "ps": pair_of(market.listing)}


def ticker_book(market: Market, now_ms: int) -> Body:
    """GET ticker/bookTicker."""
    return {**market_usdm.ticker_book(market, now_ms), "pair": pair_of(market.listing)}


def ticker_day(market: Market, statistics: Body) -> Body:
    """GET ticker/24hr."""
    body = {**statistics, "pair": pair_of(market.listing), "baseVolume": statistics["quoteVolume"]}
    del body["quoteVolume"]
    return body


def premium_index(market: Market, now_ms: int) -> Body:
    """GET premiumIndex."""
    body = {**market_usdm.premium_index(market, now_ms), "pair": pair_of(market.listing)}
    if market.listing.expiry_ms is not None:
        body |= {"lastFundingRate": "", "interestRate": "", "nextFundingTime": 0}
    return body


def funding_rate(market: Market, funding_ms: int) -> Body:
    """A row of GET fundingRate."""
    body = market_usdm.funding_rate(market, funding_ms)
    return {name: body[name] for name in ("symbol", "fundingRate", "fundingTime")}


def _mine(market: Market, body: Body) -> Body:
    return {**body, "ps": pair_of(market.listing), "st": COIN_MARGINED}
