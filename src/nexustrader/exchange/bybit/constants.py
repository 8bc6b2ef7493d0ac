"""Account types of Bybit. Connectors of this venue are not part of this release yet."""

from __future__ import annotations

from nexustrader.constants import AccountType


class BybitAccountType(AccountType):
    """Accounts of Bybit."""

    SPOT = "SPOT"
    LINEAR = "LINEAR"
    INVERSE = "INVERSE"
    OPTION = "OPTION"
    UNIFIED = "UNIFIED"
    SPOT_TESTNET = "SPOT_TESTNET"
    LINEAR_TESTNET = "LINEAR_TESTNET"
    INVERSE_TESTNET = "INVERSE_TESTNET"
    OPTION_TESTNET = "OPTION_TESTNET"
    UNIFIED_TESTNET = "UNIFIED_TESTNET"
    LINEAR_MOCK = "LINEAR_MOCK"
    INVERSE_MOCK = "INVERSE_MOCK"
    SPOT_MOCK = "SPOT_MOCK"

    @property
    def exchange_id(self) -> str:
        return "bybit"

    @property
    def is_spot(self) -> bool:
        return self in (BybitAccountType.SPOT, BybitAccountType.SPOT_TESTNET)

    @property
    def is_linear(self) -> bool:
        return self in (BybitAccountType.LINEAR, BybitAccountType.LINEAR_TESTNET)

    @property
    def is_inverse(self) -> bool:
        return self in (BybitAccountType.INVERSE, BybitAccountType.INVERSE_TESTNET)

    @property
    def is_option(self) -> bool:
        return self in (BybitAccountType.OPTION, BybitAccountType.OPTION_TESTNET)

    @property
    def is_unified(self) -> bool:
        return self in (BybitAccountType.UNIFIED, BybitAccountType.UNIFIED_TESTNET)
