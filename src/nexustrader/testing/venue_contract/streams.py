"""Market data: subscriptions in any order, and what is left of them after a reconnect."""

from __future__ import annotations

from collections.abc import Callable

import pytest

from nexustrader.constants import BookLevel, DataType, KlineInterval
from nexustrader.domain.stream import Stream
from nexustrader.kernel.entropy import Entropy
from nexustrader.testing.venue_contract.case import Case, on_desk
from nexustrader.testing.venue_contract.desk import SELL, Desk
from nexustrader.venue.capabilities import Capability, capability

STEPS = 40
STEADY_S = 1.5
SEEDS = (1, 2, 3, 4, 5)


class Streams(Case):
    """The part of the contract that is about market data."""

    @pytest.mark.parametrize("seed", SEEDS)
    @on_desk()
    async def test_subscriptions_in_any_order_leave_what_is_wanted_and_so_does_a_reconnect(
        self, desk: Desk, seed: int
    ) -> None:
        await desk.start()
        market, entropy = desk.core.market, Entropy(seed)
        wanted = {Stream(DataType.BOOKL1, desk.place.symbol)}
        offered = self._offered(desk)
        for _ in range(STEPS):
            stream = entropy.choice(offered)
            if stream in wanted:
                wanted.discard(stream)
                market.unsubscribe(stream.kind, [stream.symbol], stream.detail)
            else:
                wanted.add(stream)
                market.subscribe(stream.kind, [stream.symbol], stream.detail, ready=True, ready_timeout_s=60)
            if entropy.random() < 0.3:
                await desk.pass_s(entropy.random() * 0.3)
            if entropy.random() < 0.05:
                desk.venue.inject("disconnect", kind="market")
        await self._are(desk, wanted)
        desk.venue.inject("disconnect", kind="market")
        await self._are(desk, wanted)

    def _offered(self, desk: Desk) -> list[Stream]:
        """What may be wanted besides the quotes that the desk lives by."""
        can = self._can(desk)
        return [
            Stream(kind, desk.place.name_of(native), detail)
            for native in desk.place.symbols
            for kind, details in can.streams.items()
            for detail in details[:3]
            if (kind, native) != (DataType.BOOKL1, desk.place.native)
        ]

    def _can(self, desk: Desk) -> Capability:
        return capability(self.venue, self.account_type, desk.instrument.type, desk.instrument)

    async def _are(self, desk: Desk, wanted: set[Stream]) -> None:
        """Wait until the venue pushes exactly what is wanted, and a quote comes."""
        topics = {
            self.venue.stream_topic(self.public_type, stream, desk.core.instruments[stream.symbol])
            for stream in wanted
        }
        await desk.steady(
            lambda: desk.venue.streams(desk.place.product) == len(topics),
            f"{len(topics)} topics are subscribed to",
            STEADY_S,
        )
        await desk.quoted_anew()

    @on_desk()
    async def test_every_kind_of_data_that_is_offered_arrives(self, desk: Desk) -> None:
        strategy = await desk.start()
        can, symbol = self._can(desk), desk.place.symbol
        if DataType.BOOKL2 in can.streams:
            level = BookLevel(can.streams[DataType.BOOKL2][0])
            strategy.subscribe_bookl2(symbol, level)
        if DataType.KLINE in can.streams:
            strategy.subscribe_kline(symbol, KlineInterval("1m"))
        if DataType.TRADE in can.streams:
            strategy.subscribe_trade(symbol)
        cache = strategy.cache
        readings: dict[DataType, Callable[[], object]] = {
            DataType.BOOKL2: lambda: cache.bookl2(symbol),
            DataType.KLINE: lambda: cache.kline(symbol, KlineInterval("1m")),
            DataType.TRADE: lambda: cache.trade(symbol),
        }
        wanted = {kind: read for kind, read in readings.items() if kind in can.streams}

        def missing() -> list[str]:
            return [kind.value for kind, read in wanted.items() if read() is None]

        for _ in range(100):
            if not missing():
                break
            desk.move(desk.bid)
            desk.trade(SELL, desk.amount, desk.bid)
            await desk.pass_s(0.1)
        assert not missing()
