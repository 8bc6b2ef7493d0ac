"""What a comparison has found."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable
from decimal import Decimal

import msgspec

from nexustrader.backtest.parity.assumed import Cause
from nexustrader.backtest.parity.compare import Difference


class OrderFinding(msgspec.Struct, frozen=True, kw_only=True):
    """One order. `causes` explain all of `differences` together; both are empty when it came out equal."""

    oid: str
    account: str
    symbol: str
    side: str
    type: str
    amount: Decimal
    price: Decimal | None
    at_ms: int
    filled: Decimal
    differences: tuple[Difference, ...] = ()
    causes: tuple[Cause, ...] = ()
    detail: str = ""


class AccountFinding(msgspec.Struct, frozen=True, kw_only=True):
    """A balance, a position or the funding of one account at the end, where it differs."""

    account: str
    what: str
    recorded: Decimal
    simulated: Decimal
    causes: tuple[Cause, ...]
    detail: str = ""


class LatencyFound(msgspec.Struct, frozen=True, kw_only=True):
    """The ways of the commands to the venue, in ms, by the clocks of both ends."""

    commands: int
    median_ms: float
    max_ms: float


class ParityReport(msgspec.Struct, frozen=True, kw_only=True):
    """What a re-simulation has made of a session. `is_explained`: every difference has a cause."""

    session: str
    strategy: str
    assumptions: tuple[str, ...]
    orders: tuple[OrderFinding, ...]
    accounts: tuple[AccountFinding, ...]
    compared: int  # balances, positions and payments
    latency: LatencyFound | None
    notes: tuple[str, ...]

    @property
    def differing(self) -> tuple[OrderFinding, ...]:
        return tuple(one for one in self.orders if one.differences)

    @property
    def equal(self) -> int:
        """How many orders came out as they did."""
        return len(self.orders) - len(self.differing)

    @property
    def by_cause(self) -> dict[str, int]:
        """How many orders differ for which causes, the most frequent first."""
        return dict(Counter(joined(one.causes) for one in self.differing).most_common())

    @property
    def is_explained(self) -> bool:
        named = [*(one.causes for one in self.orders), *(one.causes for one in self.accounts)]
        return not any(Cause.UNEXPLAINED in causes for causes in named)


def joined(causes: Iterable[Cause]) -> str:
    """Several causes in one word."""
    return " + ".join(cause.value for cause in causes)
