"""OKX: account types only. Connectors of this venue are not part of this release yet."""

from nexustrader.exchange.okx.constants import OkxAccountType

__all__ = ["OkxAccountType"]
