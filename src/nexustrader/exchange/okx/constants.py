"""Account types of OKX. Connectors of this venue are not part of this release yet."""

from __future__ import annotations

from nexustrader.constants import AccountType


class OkxAccountType(AccountType):
    """Accounts of OKX."""

    LIVE = "live"
    DEMO = "demo"
    LINEAR_MOCK = "linear_mock"
    INVERSE_MOCK = "inverse_mock"
    SPOT_MOCK = "spot_mock"

    @property
    def exchange_id(self) -> str:
        return "okx"

    @property
    def is_demo(self) -> bool:
        return self is OkxAccountType.DEMO
