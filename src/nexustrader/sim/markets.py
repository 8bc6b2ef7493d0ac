"""The symbols that one account trades at a simulated venue, each with an engine of its own."""

from __future__ import annotations

from collections.abc import Callable, Collection, Iterator, Mapping
from typing import TYPE_CHECKING, Literal, TypedDict

from nexustrader.domain.instrument import Instrument
from nexustrader.sim.account import SimAccount
from nexustrader.sim.admission import not_traded
from nexustrader.sim.booked import BookedMarket
from nexustrader.sim.convert import to_sim_instrument
from nexustrader.sim.matching import MatchingEngine
from nexustrader.sim.queue import QueueModel
from nexustrader.sim.queue_pessimistic import PessimisticQueue
from nexustrader.sim.queue_power import PowerQueue
from nexustrader.sim.quoted import QuotedMarket
from nexustrader.sim.settings import SimSettings
from nexustrader.sim.types import SimInstrument

if TYPE_CHECKING:
    from nexustrader.sim.kernel.engine import KernelEngine


NATIVE_QUEUES = (PessimisticQueue, PowerQueue)

Feed = Literal["depth", "top"]


class Options(TypedDict):
    """What both engines are told alike."""

    position_of: Callable[[str, str], int]
    feed: Feed
    queue: QueueModel


class Markets:
    """Markets by symbol. `instruments` is read when a symbol is first needed, and may grow until then.

    `opened` has those that were needed before, None for a symbol that the account does not trade. `booked` are those
    whose whole books are played.
    """

    def __init__(
        self,
        ledger: SimAccount,
        instruments: Mapping[str, Instrument],
        settings: SimSettings,
        booked: Collection[str] = (),
    ) -> None:
        self.instruments = instruments
        self._ledger = ledger
        self._settings = settings
        self._booked = frozenset(booked)
        self.opened: dict[str, QuotedMarket | None] = {}

    def __iter__(self) -> Iterator[QuotedMarket]:
        """Those that are open."""
        return (market for market in self.opened.values() if market is not None)

    def get(self, symbol: str) -> QuotedMarket | None:
        """The symbol's market; None when this account does not trade it."""
        try:
            return self.opened[symbol]
        except KeyError:
            market = self.opened[symbol] = self._open(symbol)
            return market

    def known(self, symbol: str) -> QuotedMarket:
        """The market of a symbol that has an order or a position."""
        market = self.get(symbol)
        assert market is not None, f"{symbol} has an order or a position and no market"
        return market

    def mark(self, market: QuotedMarket) -> None:
        """Values the account's position at the present price, if there is one."""
        if (mark := market.mark()) is not None:
            self._ledger.set_mark(market.instrument.symbol, mark)

    def _open(self, symbol: str) -> QuotedMarket | None:
        instrument, settings = self.instruments.get(symbol), self._settings
        if instrument is None or not_traded(instrument, self._ledger.account, settings.kinds):
            return None
        sim = to_sim_instrument(instrument, maker=settings.maker_fee, taker=settings.taker_fee)
        self._ledger.add_instrument(sim)
        if symbol in self._booked:
            return BookedMarket(instrument, self._engine(sim, "depth"))
        return QuotedMarket(instrument, self._plain(sim, "top"))

    def _engine(self, sim: SimInstrument, feed: Feed) -> MatchingEngine | KernelEngine:
        """The native engine, unless its queue model is one of the user's own."""
        if not isinstance(self._settings.assumed.queue, NATIVE_QUEUES):
            return self._plain(sim, feed)
        from nexustrader.sim.kernel.engine import KernelEngine

        return KernelEngine(sim, self._settings.first_id, **self._options(sim.symbol, feed))

    def _plain(self, sim: SimInstrument, feed: Feed) -> MatchingEngine:
        return MatchingEngine(sim, self._settings.first_id, **self._options(sim.symbol, feed))

    def _options(self, symbol: str, feed: Feed) -> Options:
        return Options(
            position_of=lambda _account, position_side: self._ledger.position_lots(symbol, position_side),
            feed=feed,
            queue=self._settings.assumed.queue,
        )
