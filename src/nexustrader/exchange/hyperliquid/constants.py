"""Account types of Hyperliquid. Connectors of this venue are not part of this release yet."""

from __future__ import annotations

from nexustrader.constants import AccountType


class HyperLiquidAccountType(AccountType):
    """Accounts of Hyperliquid."""

    MAINNET = "mainnet"
    TESTNET = "testnet"
    LINEAR_MOCK = "linear_mock"
    INVERSE_MOCK = "inverse_mock"
    SPOT_MOCK = "spot_mock"

    @property
    def exchange_id(self) -> str:
        return "hyperliquid"
