"""The symbols that one account trades at a simulated venue, each with an engine of its own."""

from __future__ import annotations

from collections.abc import Iterator, Mapping

from nexustrader.domain.instrument import Instrument
from nexustrader.sim.account import SimAccount
from nexustrader.sim.admission import not_traded
from nexustrader.sim.convert import to_sim_instrument
from nexustrader.sim.matching import MatchingEngine
from nexustrader.sim.quoted import QuotedMarket
from nexustrader.sim.settings import SimSettings


class Markets:
    """Markets by symbol. `instruments` is read when a symbol is first needed, and may grow until then.

    `opened` has those that were needed before, None for a symbol that the account does not trade.
    """

    def __init__(
        self, ledger: SimAccount, instruments: Mapping[str, Instrument], settings: SimSettings
    ) -> None:
        self.instruments = instruments
        self._ledger = ledger
        self._settings = settings
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
        engine = MatchingEngine(
            sim,
            settings.first_id,
            position_of=lambda _account, position_side: self._ledger.position_lots(symbol, position_side),
            feed="top",
        )
        return QuotedMarket(instrument, engine)
