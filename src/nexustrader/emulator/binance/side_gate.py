"""Requests about the accounts beside the main one: whose account is meant, and in which product."""

from __future__ import annotations

from collections.abc import Mapping

from nexustrader.emulator.binance.gate import Gate
from nexustrader.emulator.binance.handlers import requests
from nexustrader.emulator.binance.handlers.operation import Operation
from nexustrader.emulator.binance.handlers.side_operations import SIDE_REST
from nexustrader.emulator.binance.limits import Limiter
from nexustrader.emulator.binance.product import BinanceProduct
from nexustrader.emulator.binance.side_accounts import ISOLATED, MARGIN, PORTFOLIO, isolated_of, side_of
from nexustrader.emulator.binance.topics import SAPI
from nexustrader.emulator.faults import FaultPlan
from nexustrader.emulator.orders.accounts import Account, Accounts


class SideGate(Gate):
    """Margin (`SAPI`) or portfolio margin (`PAPI`)."""

    def __init__(
        self,
        name: str,
        products: Mapping[str, BinanceProduct],
        accounts: Accounts,
        faults: FaultPlan,
        limiter: Limiter,
    ) -> None:
        super().__init__(next(iter(products.values())), accounts, faults)
        self.name = name
        self.limiter = limiter
        self.table = SIDE_REST[name]
        self._products = products

    def desk(
        self, operation: Operation, params: Mapping[str, str], account: Account | None
    ) -> tuple[BinanceProduct, Account | None]:
        """The product of the operation, and the account that the parameters mean. Raises ApiError -3003."""
        assert account is not None
        product = self._products[operation.product]
        if self.name != SAPI:
            return product, side_of(self._accounts, account, PORTFOLIO)
        if operation.handler is SIDE_REST[SAPI]["GET", "/sapi/v1/margin/isolated/account"].handler:
            return product, next(iter(isolated_of(self._accounts, account).values()))
        if requests.flag(params, "isIsolated"):
            return product, side_of(
                self._accounts, account, f"{ISOLATED}/{requests.required(params, 'symbol')}"
            )
        return product, side_of(self._accounts, account, MARGIN)
