"""Where a message came from: what is needed to name its account and symbol."""

from __future__ import annotations

from typing import NamedTuple

from nexustrader.domain.instrument import Instrument
from nexustrader.exchange.binance import quirks
from nexustrader.exchange.binance.spec import Product
from nexustrader.venue.spec import Resolve


class Origin(NamedTuple):
    """The product and account that a message is about."""

    product: Product
    account: str
    resolve: Resolve
    wallet: str | None = ""  # where its balances lie; None: it does not say

    def instrument(self, venue_symbol: str) -> Instrument | None:
        return self.resolve(quirks.key_in(self.product, venue_symbol))

    def symbol(self, venue_symbol: str) -> str:
        """Our symbol, also when the instrument is not (or no longer) loaded."""
        instrument = self.instrument(venue_symbol)
        if instrument is not None:
            return instrument.symbol
        base_quote = venue_symbol.partition("_")[0]
        return quirks.symbol_of(base_quote, venue_symbol, self.product.instrument_type)
