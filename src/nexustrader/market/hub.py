"""Where decoded market data enters the engine: cache slot first, then whoever listens.

The functions in `deliver` are what the decoders call: one dictionary store and a loop over a tuple per datum.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

from nexustrader.constants import DataType
from nexustrader.kernel.bus import MessageBus
from nexustrader.market.cache import Cache
from nexustrader.schema import BookL2, Kline

Deliver = Callable[[Any], None]


class MarketHub:
    """Delivers each kind of data under its topic name (`DataType` value)."""

    def __init__(self, bus: MessageBus, cache: Cache) -> None:
        self._bus = bus
        self._cache = cache
        self.deliver: Mapping[DataType, Deliver] = {
            kind: self._delivery(kind)
            for kind in (
                DataType.BOOKL1,
                DataType.TRADE,
                DataType.FUNDING_RATE,
                DataType.INDEX_PRICE,
                DataType.MARK_PRICE,
            )
        } | {DataType.BOOKL2: self._book_delivery(), DataType.KLINE: self._kline_delivery()}

    def _delivery(self, kind: DataType) -> Deliver:
        slots = self._cache.slots(kind)
        topic = self._bus.topic(kind.value)
        report = self._bus.report

        def deliver(datum: Any) -> None:
            slots[datum.symbol] = datum
            for handler in topic.handlers:
                try:
                    handler(datum)
                except Exception as error:  # tidy: ok — one user error does not stop the house
                    report(topic.name, handler, datum, error)

        return deliver

    def _book_delivery(self) -> Deliver:
        slots = self._cache.slots(DataType.BOOKL2)
        publish = self._bus.topic(DataType.BOOKL2.value).publish

        def deliver(book: BookL2) -> None:
            slots[book.symbol] = book
            if book.ok:
                publish(book)

        return deliver

    def _kline_delivery(self) -> Deliver:
        put = self._cache.put_kline
        publish = self._bus.topic(DataType.KLINE.value).publish

        def deliver(kline: Kline) -> None:
            put(kline)
            publish(kline)

        return deliver
