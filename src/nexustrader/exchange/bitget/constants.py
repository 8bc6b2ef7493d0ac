"""Account types of Bitget. Connectors of this venue are not part of this release yet."""

from __future__ import annotations

from nexustrader.constants import AccountType


class BitgetAccountType(AccountType):
    """Accounts of Bitget."""

    UTA = "UTA"
    SPOT = "SPOT"
    FUTURE = "FUTURE"
    UTA_DEMO = "UTA_DEMO"
    SPOT_DEMO = "SPOT_DEMO"
    FUTURE_DEMO = "FUTURE_DEMO"
    LINEAR_MOCK = "LINEAR_MOCK"
    INVERSE_MOCK = "INVERSE_MOCK"
    SPOT_MOCK = "SPOT_MOCK"

    @property
    def exchange_id(self) -> str:
        return "bitget"

    @property
    def is_uta(self) -> bool:
        return self in (BitgetAccountType.UTA, BitgetAccountType.UTA_DEMO)

    @property
    def is_spot(self) -> bool:
        return self in (BitgetAccountType.SPOT, BitgetAccountType.SPOT_DEMO)

    @property
    def is_future(self) -> bool:
        return self in (BitgetAccountType.FUTURE, BitgetAccountType.FUTURE_DEMO)
