"""`exchangeInfo` to instruments. A row that cannot be read is reported and left out; the others stay."""

from __future__ import annotations

from collections.abc import Mapping
from decimal import Decimal
from typing import TypedDict

from nexustrader.constants import AccountType
from nexustrader.domain.instrument import Instrument, to_plain
from nexustrader.error import WireError
from nexustrader.exchange.binance import wire
from nexustrader.exchange.binance.quirks import positive, public_product, symbol_of
from nexustrader.exchange.binance.spec import EXCHANGE, Product
from nexustrader.exchange.binance.words import PERPETUAL_DELIVERY_MS
from nexustrader.venue.wire import reader

_read_info = reader(wire.ExchangeInfo, "exchangeInfo")
_read_row = reader(wire.SymbolRow, "a symbol")

_NO_FILTER = wire.Filter(filterType="")


class _Notional(TypedDict):
    min_notional: Decimal | None
    max_notional: Decimal | None
    notional_applies_to_market: bool


def parse_instruments(account_type: AccountType, body: bytes) -> tuple[list[Instrument], tuple[str, ...]]:
    """-> (instruments that trade now, problems with rows that were left out). Raises WireError."""
    product = public_product(account_type)
    instruments: list[Instrument] = []
    problems: list[str] = []
    for raw in _read_info(body).symbols:
        try:
            row = _read_row(raw)
            if _state_of(row) == "TRADING" and row.isSpotTradingAllowed:
                instruments.append(_instrument(product, row))
        except WireError as error:
            problems.append(f"{error} ({bytes(raw)[:120].decode('utf-8', 'replace')}…)")
    return instruments, tuple(problems)


def _state_of(row: wire.SymbolRow) -> str:
    """COIN-M has another name for it."""
    state = row.contractStatus if row.status is None else row.status
    if state is None:
        raise WireError(f"{row.symbol} has no status: it is left out")
    return state


def _instrument(product: Product, row: wire.SymbolRow) -> Instrument:
    filters = {rule.filterType: rule for rule in row.filters}
    price = filters.get("PRICE_FILTER", _NO_FILTER)
    lot = filters.get("LOT_SIZE", _NO_FILTER)
    market = filters.get("MARKET_LOT_SIZE", _NO_FILTER)
    kind = product.instrument_type
    return Instrument(
        symbol=symbol_of(row.baseAsset + row.quoteAsset, row.symbol, kind),
        venue_symbol=row.symbol,
        exchange=EXCHANGE,
        type=kind,
        base=row.baseAsset,
        quote=row.quoteAsset,
        settle=row.marginAsset or row.quoteAsset,
        tick=_step(row, price, price.tickSize),
        lot=_step(row, lot, lot.stepSize),
        min_price=positive(price.minPrice),
        max_price=positive(price.maxPrice),
        min_amount=positive(lot.minQty),
        max_amount=positive(lot.maxQty),
        market_min_amount=positive(market.minQty),
        market_max_amount=positive(market.maxQty),
        market_lot=_plain(step) if (step := positive(market.stepSize)) is not None else None,
        **_notional(filters),
        contract_size=Decimal(row.contractSize),
        reduce_only_exempt_from_notional=product.is_futures,
        maker=Decimal(product.fees[0]),
        taker=Decimal(product.fees[1]),
        expiry_ms=row.deliveryDate if 0 < row.deliveryDate < PERPETUAL_DELIVERY_MS else None,
        listed_ms=row.onboardDate or None,
    )


def _notional(filters: Mapping[str, wire.Filter]) -> _Notional:
    """Spot has NOTIONAL, formerly MIN_NOTIONAL with another flag; futures have it with another key.

    An instrument has one flag for both limits. Where the venue exempts market orders from the maximum only,
    the maximum is left to the venue: refusing here what it would take is the worse mistake.
    """
    both = filters.get("NOTIONAL")
    if both is not None:
        alike = both.applyMinToMarket is both.applyMaxToMarket
        return {
            "min_notional": positive(both.minNotional),
            "max_notional": positive(both.maxNotional) if alike else None,
            "notional_applies_to_market": both.applyMinToMarket,
        }
    least = filters.get("MIN_NOTIONAL", _NO_FILTER)
    return {
        "min_notional": positive(least.notional if least.notional is not None else least.minNotional),
        "max_notional": None,
        "notional_applies_to_market": least.applyToMarket,
    }


def _step(row: wire.SymbolRow, rule: wire.Filter, step: Decimal | None) -> Decimal:
    if step is None or step <= 0:
        raise WireError(f"{row.symbol} has no step in {rule.filterType or 'its filters'}: it is left out")
    return _plain(step)


def _plain(step: Decimal) -> Decimal:
    """The step without trailing zeros and without an exponent: 0.01000000 -> 0.01, 1E+1 -> 10."""
    return Decimal(to_plain(step.normalize()))
