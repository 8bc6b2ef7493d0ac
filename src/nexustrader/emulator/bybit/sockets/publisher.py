"""From what happens in the markets of one category to the topics that somebody listens to."""

from __future__ import annotations

from collections.abc import Mapping

import msgspec

from nexustrader.emulator.bybit.categories import FUTURES, INTERVALS_MS, OPTION
from nexustrader.emulator.bybit.encode import market as words
from nexustrader.emulator.bybit.sockets.hub import Hub, TopicStream
from nexustrader.emulator.bybit.sockets.topics import KLINE, PRICE_LIMIT, TICKERS, TRADES
from nexustrader.emulator.market.market import DepthUpdate, Market, PublicTrade
from nexustrader.emulator.market.publishing import MarketPublisher
from nexustrader.emulator.market.streams import Listener
from nexustrader.kernel.ports import Clock

Body = dict[str, object]

encode = msgspec.json.encode


class Publisher(MarketPublisher):
    """The audience of all markets of one category. Nothing is encoded for nobody."""

    def __init__(self, hub: Hub, markets: Mapping[str, Market], clock: Clock, push_ms: int) -> None:
        super().__init__(markets, clock, push_ms)
        self._hub = hub
        hub.on_joined = self._begin_ticker

    # -- as it happens ------------------------------------------------------------------------------------

    def on_touch(self, market: Market) -> None:
        """Best bid or ask changed."""
        for stream in self._hub.of(TICKERS, market.symbol):
            stream.stale = True

    def on_depth(self, market: Market, update: DepthUpdate) -> None:  # noqa: ARG002 — the audience's signature
        """Levels changed."""
        for book in self._hub.books.values():
            if book.about["symbol"] == market.symbol:
                book.stale = True

    def on_trade(self, market: Market, trade: PublicTrade) -> None:
        """Somebody traded."""
        listing = market.listing
        heard = self._hub.of(TRADES, listing.base if listing.product == OPTION else market.symbol)
        now_ms = self._clock.timestamp_ms()
        for stream in heard:
            row = words.trade(market, trade, market.update_id)
            stream.push(encode({"topic": stream.name, "type": "snapshot", "ts": now_ms, "data": [row]}))
        for ticker in self._hub.of(TICKERS, market.symbol):
            ticker.stale = True

    # -- at a cadence -------------------------------------------------------------------------------------

    def _push_due(self, now_ms: int) -> None:
        for book in list(self._hub.books.values()):
            book.push_changes(now_ms)
        for stream in list(self._hub.others.values()):
            market = self._markets.get(stream.topic.symbol)
            if market is None:
                continue
            if stream.topic.kind == TICKERS and stream.stale and stream.is_due(now_ms):
                self._push_ticker(market, stream, now_ms)
            elif stream.topic.kind == KLINE:
                self._push_bars(market, stream, now_ms)
            elif stream.topic.kind == PRICE_LIMIT and stream.is_due(now_ms):
                data = words.price_limit(market)
                stream.push(encode({"topic": stream.name, "ts": now_ms, "data": data}))

    def _push_bars(self, market: Market, stream: TopicStream, now_ms: int) -> None:
        interval = stream.topic.arg
        length_ms = INTERVALS_MS[interval]
        for bar in stream.due_bars(market, length_ms, now_ms):
            row = words.kline(market, interval, length_ms, bar, now_ms)
            stream.push(encode({"topic": stream.name, "data": [row], "ts": now_ms, "type": "snapshot"}))

    def _push_ticker(self, market: Market, stream: TopicStream, now_ms: int) -> None:
        """Futures tell what changed alone."""
        stream.stale = False
        fields = words.ticker(market, now_ms)
        if market.listing.product not in FUTURES:
            stream.push(_ticker(stream.name, "snapshot", fields, market, now_ms))
            return
        changed = {name: value for name, value in fields.items() if stream.told.get(name) != value}
        stream.told = fields
        if changed:
            changed = {"symbol": market.symbol, **changed}
            stream.push(_ticker(stream.name, "delta", changed, market, now_ms))

    def _begin_ticker(self, stream: TopicStream, listener: Listener) -> None:
        """A new listener gets everything; what the others were told stays what they were told."""
        market, now_ms = self._markets[stream.topic.symbol], self._clock.timestamp_ms()
        fields = stream.told or words.ticker(market, now_ms)
        stream.told = fields
        listener.push(stream.name, _ticker(stream.name, "snapshot", fields, market, now_ms))


def _ticker(name: str, kind: str, data: Body, market: Market, now_ms: int) -> bytes:
    return encode({"topic": name, "type": kind, "data": data, "cs": market.update_id, "ts": now_ms})
