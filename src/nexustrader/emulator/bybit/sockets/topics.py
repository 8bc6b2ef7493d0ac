"""Topic names of the public sockets: what `orderbook.50.BTCUSDT` asks for."""

from __future__ import annotations

from collections.abc import Mapping

import msgspec

from nexustrader.emulator.bybit.categories import FUTURES, INTERVALS_MS, OPTION, SPOT
from nexustrader.emulator.market.market import Market

BOOK = "orderbook"
TRADES = "publicTrade"
TICKERS = "tickers"
KLINE = "kline"
PRICE_LIMIT = "priceLimit"
LIQUIDATIONS = "allLiquidation"  # served, but nobody is ever liquidated here

DEPTHS_MS = {"1": 10, "50": 20, "200": 100, "1000": 200}
OPTION_DEPTHS_MS = {"25": 20, "100": 100}
TICKERS_MS = {SPOT: 50, OPTION: 100}
FUTURES_TICKERS_MS = 100
KLINE_MS = 1_000
PRICE_LIMIT_MS = 300

# What faults call the kinds of streams, whatever the venue calls them.
_FAULT_NAMES = {TRADES: "trade", TICKERS: "markPrice", KLINE: "kline"}


class Topic(msgspec.Struct, frozen=True):
    """One public topic. `symbol` is a base coin for trades of options; `cadence_ms` 0 is pushed as it happens."""

    kind: str
    symbol: str
    arg: str = ""
    cadence_ms: int = 0

    @property
    def fault_name(self) -> str:
        """What faults call this kind of stream: the best levels alone are `bookTicker`, more are `depth`."""
        if self.kind == BOOK:
            return "bookTicker" if self.arg == "1" else "depth"
        return _FAULT_NAMES.get(self.kind, self.kind)


def parse_topic(category: str, name: str, markets: Mapping[str, Market]) -> Topic | None:
    """What a name asks for; None for one that the socket of this category does not serve."""
    kind, _, rest = name.partition(".")
    if kind == TRADES and category == OPTION:
        bases = {market.listing.base for market in markets.values()}
        return Topic(TRADES, rest) if rest in bases else None
    arg, _, symbol = rest.rpartition(".")
    if symbol not in markets:
        return None
    if kind == BOOK:
        depths = OPTION_DEPTHS_MS if category == OPTION else DEPTHS_MS
        return Topic(BOOK, symbol, arg, depths[arg]) if arg in depths else None
    if kind == KLINE:
        return Topic(KLINE, symbol, arg, KLINE_MS) if arg in INTERVALS_MS and category != OPTION else None
    if arg:
        return None
    if kind == TICKERS:
        return Topic(TICKERS, symbol, "", TICKERS_MS.get(category, FUTURES_TICKERS_MS))
    if kind == TRADES:
        return Topic(TRADES, symbol)
    if kind == PRICE_LIMIT and category != OPTION:
        return Topic(PRICE_LIMIT, symbol, "", PRICE_LIMIT_MS)
    return Topic(LIQUIDATIONS, symbol) if kind == LIQUIDATIONS and category in FUTURES else None
