"""Ids as the venue writes them: UUIDs for futures and options, numbers for spot. The numbers inside stay small."""

from __future__ import annotations

from nexustrader.emulator.bybit.categories import CATEGORIES, SPOT

ORDERS_APART = 10**9
MAKERS_APART = 10**15
FIRST_ORDER_IDS = {name: (number + 1) * ORDERS_APART for number, name in enumerate(CATEGORIES)}
SPOT_ORDERS = 1_890_000_000_000_000_000  # larger than 2**53, as the venue's own
SPOT_TRADES = 2_290_000_000_000_000_000

_BITS = 128
_FACTOR = 0x9E3779B97F4A7C15F39CC0605CEDC835  # odd, so that it has an inverse
_SALTS = {name: number * 0x5851F42D4C957F2D for number, name in enumerate(CATEGORIES)}


def order_id(category: str, number: int) -> str:
    """The venue's id of an order."""
    return str(SPOT_ORDERS + number) if category == SPOT else _uuid(number)


def order_number(category: str, text: str) -> int | None:
    """The number behind an order's id; None for what can be none."""
    if category == SPOT:
        return int(text) - SPOT_ORDERS if text.isascii() and text.isdigit() else None
    plain = text.replace("-", "")
    try:
        return int(plain, 16) * pow(_FACTOR, -1, 1 << _BITS) % (1 << _BITS) if len(text) == 36 else None
    except ValueError:
        return None


def trade_id(category: str, symbol: str, number: int) -> str:
    """The venue's id of a trade, and of the execution of who took."""
    if category == SPOT:
        return str(SPOT_TRADES + number)
    return _uuid(number + _SALTS[category] + sum(symbol.encode()) * ORDERS_APART)


def execution_id(category: str, symbol: str, number: int, *, is_maker: bool) -> str:
    """The venue's id of an execution: who trades with himself has two of one trade."""
    return trade_id(category, symbol, number + MAKERS_APART if is_maker else number)


def _uuid(number: int) -> str:
    text = f"{number * _FACTOR % (1 << _BITS):032x}"
    return f"{text[:8]}-{text[8:12]}-{text[12:16]}-{text[16:20]}-{text[20:]}"
