"""Request limits: windows aligned to the clock, refusals with the time to wait, and a ban for those who go on.

Request weight and raw requests are counted per address, orders per account. The counts reach the client in
headers (REST) and in `rateLimits` (WebSocket API).
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable
from typing import TypeVar

import msgspec

from nexustrader.emulator.binance.errors import BANNED, ApiError, refusal
from nexustrader.emulator.errors import VenueError
from nexustrader.emulator.windows import Count

E = TypeVar("E", bound=VenueError)

SECOND_MS = 1_000
INTERVAL_MS = {"SECOND": SECOND_MS, "MINUTE": 60 * SECOND_MS, "DAY": 86_400 * SECOND_MS}
REFUSALS_BEFORE_BAN = 10  # requests sent on in spite of 429 within one window
BAN_MS_MIN = 120_000
BAN_MS_MAX = 259_200_000  # three days

WEIGHT = "REQUEST_WEIGHT"
ORDERS = "ORDERS"
RAW = "RAW_REQUESTS"


class Rule(msgspec.Struct, frozen=True):
    """One limit as exchangeInfo states it."""

    kind: str
    interval: str
    number: int
    limit: int

    @property
    def length_ms(self) -> int:
        """Length of the window."""
        return INTERVAL_MS[self.interval] * self.number

    @property
    def suffix(self) -> str:
        """How headers name the window: 1M, 10S, 1D."""
        return f"{self.number}{self.interval[0]}"

    def view(self) -> dict[str, object]:
        """The rule as exchangeInfo lists it."""
        return {
            "rateLimitType": self.kind,
            "interval": self.interval,
            "intervalNum": self.number,
            "limit": self.limit,
        }


SPOT_RULES = (
    Rule(WEIGHT, "MINUTE", 1, 6_000),
    Rule(ORDERS, "SECOND", 10, 100),
    Rule(ORDERS, "DAY", 1, 200_000),
    Rule(RAW, "MINUTE", 5, 300_000),
)
USDM_RULES = (
    Rule(WEIGHT, "MINUTE", 1, 2_400),
    Rule(ORDERS, "MINUTE", 1, 1_200),
    Rule(ORDERS, "SECOND", 10, 300),
)

SAPI_RULES = (Rule(WEIGHT, "MINUTE", 1, 12_000), Rule(ORDERS, "SECOND", 10, 10_000))
PAPI_RULES = (Rule(WEIGHT, "MINUTE", 1, 6_000), Rule(ORDERS, "MINUTE", 1, 1_200))
WEIGHT_HEADER = "X-MBX-USED-WEIGHT-"
SAPI_WEIGHT_HEADER = "X-SAPI-USED-IP-WEIGHT-"


def scaled(rules: Iterable[Rule], factor: int) -> tuple[Rule, ...]:
    """The same rules with `factor` times the limits, for load tests."""
    return tuple(msgspec.structs.replace(rule, limit=rule.limit * factor) for rule in rules)


class _Ban:
    __slots__ = ("length_ms", "refusals", "until_ms")

    def __init__(self) -> None:
        self.refusals = 0
        self.until_ms = 0
        self.length_ms = BAN_MS_MIN


class Limiter:
    """The pools of one product."""

    def __init__(self, rules: tuple[Rule, ...], weight_header: str = WEIGHT_HEADER) -> None:
        self.rules = rules
        self._weight_header = weight_header
        self._counts: dict[tuple[Rule, str], Count] = defaultdict(Count)
        self._bans: dict[str, _Ban] = defaultdict(_Ban)

    def used(self, rule: Rule, owner: str, now_ms: int) -> int:
        """What `owner` (an address or an account) has used in the current window."""
        return self._counts[rule, owner].at(rule.length_ms, now_ms)

    def charge_request(self, address: str, weight: int, now_ms: int) -> None:
        """Counts one request. Raises ApiError 429 beyond a limit and 418 while banned."""
        ban = self._bans[address]
        if now_ms < ban.until_ms:
            raise self._banned(address, ban, now_ms)
        charges = [(rule, weight if rule.kind == WEIGHT else 1) for rule in self.rules if rule.kind != ORDERS]
        for rule, amount in charges:
            if self.used(rule, address, now_ms) + amount > rule.limit:
                self._note_refusal(address, ban, now_ms)
                error = refusal(-1003, address, rule.limit)
                raise retry_after(error, rule.length_ms - now_ms % rule.length_ms, now_ms)
        ban.refusals = 0
        for rule, amount in charges:
            self._counts[rule, address].used += amount

    def return_weight(self, address: str, weight: int, now_ms: int) -> None:
        """Gives weight back: a successful order on spot costs none."""
        for rule in self.rules:
            if rule.kind == WEIGHT:
                self._give_back(rule, address, weight, now_ms)

    def charge_order(self, account: str, now_ms: int) -> None:
        """Counts one new order. Raises ApiError -1015 beyond a limit."""
        rules = [rule for rule in self.rules if rule.kind == ORDERS]
        for rule in rules:
            if self.used(rule, account, now_ms) >= rule.limit:
                error = refusal(-1015, rule.limit, f"{rule.number} {rule.interval}")
                raise retry_after(error, rule.length_ms - now_ms % rule.length_ms, now_ms)
        for rule in rules:
            self._counts[rule, account].used += 1

    def return_order(self, account: str, now_ms: int) -> None:
        """Gives one order back: on spot an order that was filled no longer counts."""
        for rule in self.rules:
            if rule.kind == ORDERS:
                self._give_back(rule, account, 1, now_ms)

    def headers(self, address: str, account: str | None, now_ms: int) -> dict[str, str]:
        """Usage as reply headers; the order counts only where `account` is given."""
        headers = {}
        for rule in self.rules:
            if rule.kind == WEIGHT:
                headers[f"{self._weight_header}{rule.suffix}"] = str(self.used(rule, address, now_ms))
            elif rule.kind == ORDERS and account is not None:
                headers[f"X-MBX-ORDER-COUNT-{rule.suffix}"] = str(self.used(rule, account, now_ms))
        return headers

    def view(self, address: str, account: str | None, now_ms: int) -> list[dict[str, object]]:
        """Usage as the `rateLimits` of a WebSocket API reply; the order counts first where they apply."""
        owners = {WEIGHT: address} if account is None else {ORDERS: account, WEIGHT: address}
        return [
            {**rule.view(), "count": self.used(rule, owner, now_ms)}
            for kind, owner in owners.items()
            for rule in self.rules
            if rule.kind == kind
        ]

    def _give_back(self, rule: Rule, owner: str, amount: int, now_ms: int) -> None:
        count = self._counts[rule, owner]
        count.used = max(0, count.at(rule.length_ms, now_ms) - amount)

    def _note_refusal(self, address: str, ban: _Ban, now_ms: int) -> None:
        ban.refusals += 1
        if ban.refusals > REFUSALS_BEFORE_BAN:
            ban.refusals = 0
            ban.until_ms = now_ms + ban.length_ms
            ban.length_ms = min(BAN_MS_MAX, ban.length_ms * 2)
            raise self._banned(address, ban, now_ms)

    @staticmethod
    def _banned(address: str, ban: _Ban, now_ms: int) -> ApiError:
        error = ApiError(-1003, BANNED.format(address, ban.until_ms), status=418)
        return retry_after(error, ban.until_ms - now_ms, now_ms)


def retry_after(error: E, wait_ms: int, now_ms: int) -> E:
    """The refusal with the time to wait."""
    error.headers["Retry-After"] = str(-(-wait_ms // SECOND_MS))
    error.data = {"serverTime": now_ms, "retryAfter": now_ms + wait_ms}
    return error
