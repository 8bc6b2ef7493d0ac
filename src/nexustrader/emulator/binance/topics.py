"""Stream names: what `btcusdt@depth5@100ms` asks for, and on which route it may be heard."""

from __future__ import annotations

import re

import msgspec

SPOT = "spot"
USDM = "usdm"
COINM = "coinm"
SAPI = "sapi"  # margin accounts: orders on the spot market
PAPI = "papi"  # portfolio margin: orders on all three markets

PUBLIC = "public"
MARKET = "market"
PRIVATE = "private"

INTERVALS_MS: dict[str, int] = {
    "1s": 1_000,
    "1m": 60_000,
    "3m": 180_000,
    "5m": 300_000,
    "15m": 900_000,
    "30m": 1_800_000,
    "1h": 3_600_000,
    "2h": 7_200_000,
    "4h": 14_400_000,
    "6h": 21_600_000,
    "8h": 28_800_000,
    "12h": 43_200_000,
    "1d": 86_400_000,
    "3d": 259_200_000,
    "1w": 604_800_000,
    "1M": 2_592_000_000,  # a month counts 30 days here
}

BOOK_TICKER = "bookTicker"
TRADE = "trade"
AGG_TRADE = "aggTrade"
DEPTH = "depth"
PARTIAL = "partialDepth"
KLINE = "kline"
MARK_PRICE = "markPrice"

# Where a kind of stream is served on USD-M; the trade stream is undocumented there and goes with aggTrade.
USDM_ROUTES = {
    BOOK_TICKER: PUBLIC,
    DEPTH: PUBLIC,
    PARTIAL: PUBLIC,
    TRADE: MARKET,
    AGG_TRADE: MARKET,
    KLINE: MARKET,
    MARK_PRICE: MARKET,
}
PARTIAL_LEVELS = ("5", "10", "20")
_FUTURES_SPEEDS_MS: dict[str | None, int] = {None: 250, "100ms": 100, "500ms": 500}
SPEEDS_MS: dict[str, dict[str | None, int]] = {
    SPOT: {None: 1_000, "100ms": 100},
    USDM: _FUTURES_SPEEDS_MS,
    COINM: _FUTURES_SPEEDS_MS,
}
# Kline pushes while a candle is open.
KLINE_CADENCE_MS = {SPOT: 2_000, USDM: 250, COINM: 250}
MARK_PRICE_SPEEDS_MS = {None: 3_000, "1s": 1_000}

_NAME = re.compile(
    r"(?P<symbol>[a-z0-9_]+)@(?P<kind>[a-zA-Z]+)(?P<arg>[0-9]+|_[0-9]+[smhdwM])?(?:@(?P<speed>\w+))?\Z"
)


class Topic(msgspec.Struct, frozen=True):
    """One market stream of one symbol. `cadence_ms` 0 is pushed as it happens."""

    symbol: str
    kind: str
    arg: str = ""
    cadence_ms: int = 0


def parse_topic(product: str, name: str) -> Topic | None:
    """What a stream name asks for; None for a name that the venue accepts and never serves."""
    if product not in SPEEDS_MS:
        return None  # user events alone
    match = _NAME.match(name)
    if match is None:
        return None
    symbol, kind, arg, speed = match["symbol"].upper(), match["kind"], match["arg"], match["speed"]
    if kind in {BOOK_TICKER, TRADE, AGG_TRADE} and arg is None and speed is None:
        return Topic(symbol, kind)
    if kind == "depth" and speed in SPEEDS_MS[product]:
        if arg is None:
            return Topic(symbol, DEPTH)
        if arg in PARTIAL_LEVELS:
            return Topic(symbol, PARTIAL, arg, SPEEDS_MS[product][speed])
    if kind == "kline" and arg is not None and arg[1:] in INTERVALS_MS and speed is None:
        interval = arg[1:]
        if interval == "1s":
            return Topic(symbol, KLINE, interval, 1_000) if product == SPOT else None
        return Topic(symbol, KLINE, interval, KLINE_CADENCE_MS[product])
    if kind == MARK_PRICE and product != SPOT and arg is None and speed in MARK_PRICE_SPEEDS_MS:
        return Topic(symbol, MARK_PRICE, "", MARK_PRICE_SPEEDS_MS[speed])
    return None


def route_of(product: str, topic: Topic) -> str:
    """The route on which this topic is pushed."""
    return USDM_ROUTES[topic.kind] if product == USDM else PUBLIC
