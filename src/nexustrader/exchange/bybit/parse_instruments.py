"""`instruments-info` to instruments. A row that cannot be read is reported and left out; the others stay."""

from __future__ import annotations

from decimal import Decimal

import msgspec

from nexustrader.constants import AccountType
from nexustrader.domain.instrument import Instrument, to_plain
from nexustrader.error import WireError
from nexustrader.exchange.bybit import wire
from nexustrader.exchange.bybit.quirks import symbol_of
from nexustrader.exchange.bybit.spec import EXCHANGE, INVERSE, SPOT, Product, product_asked
from nexustrader.exchange.bybit.wire import positive
from nexustrader.venue.wire import reader

_read_info = reader(wire.Answer[wire.Listing[msgspec.Raw]], "instruments-info")
_read_row = reader(wire.SymbolRow, "a symbol")


def parse_instruments(account_type: AccountType, body: bytes) -> tuple[list[Instrument], tuple[str, ...]]:
    """-> (instruments that trade now, problems with rows that were left out). Raises WireError."""
    listing = _read_info(body).result
    product = product_asked(account_type, listing.category)
    instruments: list[Instrument] = []
    problems: list[str] = []
    for raw in listing.rows:
        try:
            row = _read_row(raw)
            if row.status == "Trading":
                instruments.append(_instrument(product, row))
        except WireError as error:
            problems.append(f"{error} ({bytes(raw)[:120].decode('utf-8', 'replace')}…)")
    return instruments, tuple(problems)


def _instrument(product: Product, row: wire.SymbolRow) -> Instrument:
    price, lot = row.priceFilter, row.lotSizeFilter
    is_spot = product is SPOT
    is_perpetual = is_spot or row.contractType.endswith("Perpetual")  # one that ends names a delivery, too
    expiry_ms = None if is_perpetual else wire.millis(row.deliveryTime) or None
    return Instrument(
        symbol=symbol_of(product.category, row.symbol, expiry_ms),
        venue_symbol=row.symbol,
        exchange=EXCHANGE,
        type=product.instrument_type,
        base=row.baseCoin,
        quote=row.quoteCoin,
        settle=row.settleCoin or (row.baseCoin if product is INVERSE else row.quoteCoin),
        tick=_step(row, "tickSize", price.tickSize),
        lot=_step(row, "qtyStep", lot.basePrecision if is_spot else lot.qtyStep),
        min_price=positive(price.minPrice),
        max_price=positive(price.maxPrice),
        # Spot has a minimum in quote; its limits in base are deprecated, and not what the venue looks at.
        min_amount=None if is_spot else positive(lot.minOrderQty),
        max_amount=positive(lot.maxLimitOrderQty if is_spot else lot.maxOrderQty),
        market_max_amount=positive(lot.maxMarketOrderQty if is_spot else lot.maxMktOrderQty),
        min_notional=positive(lot.minOrderAmt if is_spot else lot.minNotionalValue),
        reduce_only_exempt_from_notional=not is_spot,
        maker=Decimal(product.fees[0]),
        taker=Decimal(product.fees[1]),
        expiry_ms=expiry_ms,
        listed_ms=wire.millis(row.launchTime) or None,
    )


def _step(row: wire.SymbolRow, name: str, text: str | None) -> Decimal:
    step = positive(text)
    if step is None:
        raise WireError(f"{row.symbol} has no {name}: it is left out")
    return Decimal(to_plain(step.normalize()))
