"""Binance: spot and USD-M futures. Exports are lazy: the account types are light, the venue is not."""

from __future__ import annotations

from importlib import import_module
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from nexustrader.exchange.binance.constants import BinanceAccountType
    from nexustrader.exchange.binance.venue import VENUE

__all__ = ["VENUE", "BinanceAccountType"]

_HOME = {"BinanceAccountType": "constants", "VENUE": "venue"}


def __getattr__(name: str) -> Any:
    module = _HOME.get(name)
    if module is None:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    return getattr(import_module(f"{__name__}.{module}"), name)
