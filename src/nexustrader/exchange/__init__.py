"""Venues. The account types are exported lazily, so that importing one venue does not import the others."""

from __future__ import annotations

from importlib import import_module
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from nexustrader.exchange.binance.constants import BinanceAccountType
    from nexustrader.exchange.bitget.constants import BitgetAccountType
    from nexustrader.exchange.bybit.constants import BybitAccountType
    from nexustrader.exchange.hyperliquid.constants import HyperLiquidAccountType
    from nexustrader.exchange.okx.constants import OkxAccountType

__all__ = [
    "BinanceAccountType",
    "BitgetAccountType",
    "BybitAccountType",
    "HyperLiquidAccountType",
    "OkxAccountType",
]

_HOME = {
    "BinanceAccountType": "binance",
    "BitgetAccountType": "bitget",
    "BybitAccountType": "bybit",
    "HyperLiquidAccountType": "hyperliquid",
    "OkxAccountType": "okx",
}


def __getattr__(name: str) -> Any:
    venue = _HOME.get(name)
    if venue is None:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    return getattr(import_module(f"{__name__}.{venue}.constants"), name)
