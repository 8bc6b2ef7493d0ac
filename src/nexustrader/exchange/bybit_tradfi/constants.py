"""Account types of Bybit TradFi. Connectors of this venue are not part of this release yet."""

from __future__ import annotations

from nexustrader.constants import AccountType


class BybitTradeFiAccountType(AccountType):
    """Accounts of Bybit TradFi."""

    LIVE = "LIVE"
    DEMO = "DEMO"

    @property
    def exchange_id(self) -> str:
        return "bybit_tradfi"

    @property
    def is_demo(self) -> bool:
        return self is BybitTradeFiAccountType.DEMO
