"""What cannot be declared: who trades what, the venue's symbol grammar, what its words mean together."""

from __future__ import annotations

from decimal import Decimal

from nexustrader.constants import AccountType, InstrumentType, OrderType
from nexustrader.domain.instrument import Instrument
from nexustrader.error import EngineBuildError
from nexustrader.exchange.binance.spec import ACCOUNTS, Account, Product
from nexustrader.exchange.binance.words import EXPIRY_REASONS, VENUE_ORDERS


def account_of(account_type: AccountType) -> Account:
    """What is declared of an account type. Raises EngineBuildError for one that no connector trades."""
    try:
        return ACCOUNTS[account_type]
    except KeyError:
        known = ", ".join(member.value for member in ACCOUNTS)
        raise EngineBuildError(
            f"there is no connector for Binance {account_type.value}; use one of {known}"
        ) from None


def product_of(account_type: AccountType, instrument: Instrument) -> Product:
    """How an account trades an instrument. Of an account with one product it is that one."""
    products = account_of(account_type).products.values()
    return next((p for p in products if p.instrument_type is instrument.type), next(iter(products)))


def product_like(account_type: AccountType, is_futures: bool) -> Product:
    """The product of a row that does not name it: USD-M and COIN-M rows are read alike."""
    products = account_of(account_type).products.values()
    return next((p for p in products if p.is_futures is is_futures), next(iter(products)))


def public_product(account_type: AccountType) -> Product:
    """The product whose public data an account type shows. Raises EngineBuildError when it shows none."""
    account = account_of(account_type)
    if len(account.products) > 1:
        shown = ", ".join(member.value for member in account.public_types)
        raise EngineBuildError(f"Binance {account_type.value} shows no public data; use those of {shown}")
    return next(iter(account.products.values()))


def key_of(instrument: Instrument) -> str:
    """Spot and USD-M call different instruments alike."""
    return _key(instrument.type, instrument.venue_symbol)


def _key(instrument_type: InstrumentType, venue_symbol: str) -> str:
    return f"{venue_symbol} spot" if instrument_type is InstrumentType.SPOT else venue_symbol


def key_in(product: Product, venue_symbol: str) -> str:
    """`key_of` the instrument that a message about this product means."""
    return _key(product.instrument_type, venue_symbol)


def symbol_of(base_quote: str, venue_symbol: str, instrument_type: InstrumentType) -> str:
    """Our symbol: BTCUSDT.BINANCE, BTCUSDT-PERP.BINANCE, BTCUSDT-260925.BINANCE (venue: BTCUSDT_260925)."""
    if instrument_type is InstrumentType.SPOT:
        return f"{base_quote}.BINANCE"
    _, _, expiry = venue_symbol.partition("_")
    return f"{base_quote}-{expiry or 'PERP'}.BINANCE"


def order_type_of(product: Product, kind: str, time_in_force: str) -> OrderType | None:
    """Our order type; None for one that we do not have (trailing stops, liquidations)."""
    if kind == "LIMIT" and time_in_force == "GTX":
        return OrderType.POST_ONLY
    return product.order_types.get(kind)


def expiry_reason(code: str | int | None) -> str | None:
    """Why the venue let an order expire, in words."""
    if code is None or str(code) == "0":
        return None
    return EXPIRY_REASONS.get(str(code), str(code))


def venue_order_reason(client_id: str) -> str | None:
    """Why the venue itself placed this order; None for orders of people and programs."""
    for prefix, reason in VENUE_ORDERS.items():
        if client_id.startswith(prefix):
            return reason
    return None


def stated(text: str) -> Decimal | None:
    """The amount or price in a text that is empty, or 0, for "none"."""
    return positive(Decimal(text)) if text else None


def positive(value: Decimal | None) -> Decimal | None:
    """The value, or None where the venue writes 0 for "none"."""
    return value if value is not None and value > 0 else None
