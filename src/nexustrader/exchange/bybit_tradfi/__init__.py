"""Bybit TradFi: account types only. Connectors of this venue are not part of this release yet."""

from nexustrader.exchange.bybit_tradfi.constants import BybitTradeFiAccountType

__all__ = ["BybitTradeFiAccountType"]
