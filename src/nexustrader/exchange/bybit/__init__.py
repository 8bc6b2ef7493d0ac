"""Bybit: account types only. Connectors of this venue are not part of this release yet."""

from nexustrader.exchange.bybit.constants import BybitAccountType

__all__ = ["BybitAccountType"]
