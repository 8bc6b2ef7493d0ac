"""Request limits: per address over everything, and per account, operation and category; a window a second."""

from __future__ import annotations

from collections import defaultdict
from typing import NamedTuple

from nexustrader.emulator.bybit.categories import OPTION, SPOT
from nexustrader.emulator.bybit.errors import BybitError, refusal
from nexustrader.emulator.errors import VenueError
from nexustrader.emulator.windows import Count

SECOND_MS = 1_000
IP_WINDOW_MS = 5_000
IP_REQUESTS_MAX = 600
TOO_FREQUENT = "access too frequent"
RESET_HEADER = "X-Bapi-Limit-Reset-Timestamp"

# Requests a second, by operation; some differ by category.
ORDERS = {"order.place": 10, "order.modify": 10, "order.cancel": 10, "order.cancelAll": 10}
SPOT_ORDERS = {"order.place": 20, "order.modify": 10, "order.cancel": 20, "order.cancelAll": 20}
QUERIES_PER_S = 50
OTHERS = {"fee-rate": 5, "setLeverage": 10, "switchMode": 10, "setMarginMode": 10, "query-api": 10}


class Usage(NamedTuple):
    """What one account has of one limit."""

    limit: int
    left: int
    reset_ms: int

    def headers(self) -> dict[str, str]:
        """The usage as a reply tells it."""
        return {
            "X-Bapi-Limit": str(self.limit),
            "X-Bapi-Limit-Status": str(self.left),
            RESET_HEADER: str(self.reset_ms),
        }


def limit_of(operation: str, category: str) -> int:
    """Requests a second that an account may make."""
    if category == OPTION and operation == "order.cancelAll":
        return 1
    orders = SPOT_ORDERS if category == SPOT else ORDERS
    return orders.get(operation) or OTHERS.get(operation, QUERIES_PER_S)


class Limiter:
    """Every limit of the venue, `factor` times as wide."""

    def __init__(self, factor: int) -> None:
        self._factor = factor
        self._addresses: dict[str, Count] = defaultdict(Count)
        self._accounts: dict[tuple[str, str, str], Count] = defaultdict(Count)

    def charge_address(self, address: str, now_ms: int) -> None:
        """Counts one request. Raises BybitError with status 403 beyond the limit."""
        count = self._addresses[address]
        if count.at(IP_WINDOW_MS, now_ms) >= IP_REQUESTS_MAX * self._factor:
            raise BybitError(10006, TOO_FREQUENT, status=403, page=TOO_FREQUENT)
        count.used += 1

    def charge(self, account: str, operation: str, category: str, now_ms: int) -> Usage:
        """Counts one request of an account. Raises BybitError 10006 beyond the limit."""
        limit = limit_of(operation, category) * self._factor
        count = self._accounts[account, operation, category]
        used = count.at(SECOND_MS, now_ms)
        reopens_ms = now_ms - now_ms % SECOND_MS + SECOND_MS
        if used >= limit:
            error = refusal(10006)
            error.headers.update(Usage(limit, 0, reopens_ms).headers())
            raise error
        count.used += 1
        return self.usage(account, operation, category, now_ms)

    def usage(self, account: str, operation: str, category: str, now_ms: int) -> Usage:
        """What an account has of a limit now."""
        limit = limit_of(operation, category) * self._factor
        return Usage(
            limit, limit - self._accounts[account, operation, category].at(SECOND_MS, now_ms), now_ms
        )


def say_wait(error: VenueError, wait_ms: int, now_ms: int) -> None:
    """Tells the client until when it has to wait."""
    error.headers[RESET_HEADER] = str(now_ms + wait_ms)
