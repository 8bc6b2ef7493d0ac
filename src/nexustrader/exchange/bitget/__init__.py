"""Bitget: account types only. Connectors of this venue are not part of this release yet."""

from nexustrader.exchange.bitget.constants import BitgetAccountType

__all__ = ["BitgetAccountType"]
