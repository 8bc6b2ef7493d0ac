"""A symbol that an emulated venue lists, with its filters, as data."""

from __future__ import annotations

from decimal import Decimal
from typing import Literal

import msgspec

from nexustrader.sim.types import Kind, SimInstrument

OPEN_ORDERS_MAX = 200
LEVERAGE_MAX = 125


class Listing(msgspec.Struct, frozen=True, kw_only=True):
    """One symbol of one product. Amounts in base (inverse: contracts), notionals in quote, fees as fractions.

    `key` is what ledgers call the symbol where products share one ledger. `band_down` and `band_up` bound a limit
    price as multiples of the reference price. `reduce_only` and `unfillable_fok` are the rules of the matching core.
    """

    product: str
    symbol: str
    base: str
    quote: str = "USDT"
    settle: str = "USDT"
    kind: Kind
    key: str
    tick: Decimal
    min_price: Decimal
    max_price: Decimal
    lot: Decimal
    min_amount: Decimal
    max_amount: Decimal
    market_max_amount: Decimal
    min_notional: Decimal
    max_notional: Decimal = Decimal(9_000_000)
    band_down: Decimal
    band_up: Decimal
    price_digits: int
    amount_digits: int
    contract_size: Decimal = Decimal(1)  # what one contract is worth: inverse in quote
    expiry_ms: int | None = None
    maker: Decimal
    taker: Decimal
    start_price: Decimal
    reduce_only: Literal["CLIP", "REJECT"] = "CLIP"
    unfillable_fok: Literal["REJECT", "EXPIRE"] = "EXPIRE"

    def to_sim(self) -> SimInstrument:
        """The symbol as the matching core knows it."""
        return SimInstrument(
            symbol=self.key,
            kind=self.kind,
            tick=self.tick,
            lot=self.lot,
            base=self.base,
            quote=self.quote,
            contract_size=self.contract_size,
            settle=self.settle,
            maker_fee=self.maker,
            taker_fee=self.taker,
            max_leverage=LEVERAGE_MAX,
        )


Listings = dict[str, dict[str, Listing]]  # by product, then by symbol
