"""From what happens in the markets to the streams that somebody listens to, at the cadence each stream has."""

from __future__ import annotations

from collections.abc import Mapping

import msgspec

from nexustrader.emulator.binance import topics
from nexustrader.emulator.binance.encode.wire import FUNDED_WIRES, MarketWire
from nexustrader.emulator.binance.streams import Hub
from nexustrader.emulator.binance.topics import INTERVALS_MS
from nexustrader.emulator.market.market import DepthUpdate, Market, PublicTrade
from nexustrader.emulator.market.publishing import MarketPublisher
from nexustrader.emulator.market.streams import as_told
from nexustrader.kernel.ports import Clock

encode = msgspec.json.encode


class Publisher(MarketPublisher):
    """The audience of all markets of one product. Nothing is encoded for nobody."""

    def __init__(
        self, hub: Hub, markets: Mapping[str, Market], wire: MarketWire, clock: Clock, push_ms: int
    ) -> None:
        super().__init__(markets, clock, push_ms)
        self._hub = hub
        self._wire = wire

    # -- as it happens ------------------------------------------------------------------------------------

    def on_touch(self, market: Market) -> None:
        """Best bid or ask changed."""
        streams = self._hub.of(market.symbol, topics.BOOK_TICKER)
        if streams:
            payload = encode(self._wire.book_ticker(market, self._clock.timestamp_ms()))
            for stream in streams:
                stream.push(payload)

    def on_depth(self, market: Market, update: DepthUpdate) -> None:
        """Levels changed. Diff depth is pushed as the source tells it, whatever speed the name asks for."""
        for stream in self._hub.of(market.symbol, topics.PARTIAL):
            stream.stale = True
        streams = self._hub.of(market.symbol, topics.DEPTH)
        if streams:
            told = as_told(market, update, self._hub.product, self._hub.faults)
            payload = encode(self._wire.depth_update(market, told, self._clock.timestamp_ms()))
            for stream in streams:
                stream.push(payload)

    def on_trade(self, market: Market, trade: PublicTrade) -> None:
        """Somebody traded."""
        for kind, build in ((topics.TRADE, self._wire.trade), (topics.AGG_TRADE, self._wire.agg_trade)):
            streams = self._hub.of(market.symbol, kind)
            if streams:
                payload = encode(build(market, trade))
                for stream in streams:
                    stream.push(payload)

    # -- at a cadence -------------------------------------------------------------------------------------

    def _push_due(self, now_ms: int) -> None:
        for symbol, market in self._markets.items():
            for stream in self._hub.of(symbol, topics.PARTIAL):
                if stream.stale and stream.is_due(now_ms):
                    stream.stale = False
                    stream.push(encode(self._wire.partial_depth(market, int(stream.topic.arg), now_ms)))
            for stream in self._hub.of(symbol, topics.KLINE):
                interval = stream.topic.arg
                for bar in stream.due_bars(market, INTERVALS_MS[interval], now_ms):
                    stream.push(encode(self._wire.kline(market, interval, bar, now_ms)))
            for stream in self._hub.of(symbol, topics.MARK_PRICE):
                if stream.is_due(now_ms):
                    stream.push(encode(FUNDED_WIRES[self._hub.product].mark_price(market, now_ms)))
