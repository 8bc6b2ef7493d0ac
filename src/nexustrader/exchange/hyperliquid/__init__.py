"""Hyperliquid: account types only. Connectors of this venue are not part of this release yet."""

from nexustrader.exchange.hyperliquid.constants import HyperLiquidAccountType

__all__ = ["HyperLiquidAccountType"]
