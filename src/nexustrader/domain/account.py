"""The balances of one account, as the venue states them."""

from __future__ import annotations

from collections.abc import Iterator
from decimal import Decimal

from nexustrader.domain.events import BalanceEvent
from nexustrader.schema import AccountBalance, Balance

_ZERO = Decimal(0)


class BalanceBook:
    """The latest word on every asset of one account; an older one never overwrites a newer.

    An asset may lie in several wallets: each has a word of its own, and the balance is their sum.
    """

    __slots__ = ("_latest",)

    def __init__(self) -> None:
        self._latest: dict[tuple[str, str], BalanceEvent] = {}

    def apply(self, event: BalanceEvent) -> bool:
        """Take one word; return True when an amount changed. Of two of one time the later counts."""
        key = (event.asset, event.wallet)
        known = self._latest.get(key)
        if known is not None and event.timestamp < known.timestamp:
            return False
        self._latest[key] = event
        before = (known.free, known.locked) if known is not None else (_ZERO, _ZERO)
        return (event.free, event.locked) != before

    def agrees(self, event: BalanceEvent) -> bool:
        """True when a word, whatever its time, states the amounts that are held."""
        known = self._latest.get((event.asset, event.wallet))
        return known is not None and (known.free, known.locked) == (event.free, event.locked)

    def free(self, asset: str) -> Decimal:
        return sum((word.free for word in self if word.asset == asset), _ZERO)

    def total(self, asset: str) -> Decimal:
        return sum((word.free + word.locked for word in self if word.asset == asset), _ZERO)

    def __iter__(self) -> Iterator[BalanceEvent]:
        return iter(self._latest.values())

    def snapshot(self) -> AccountBalance:
        """Return the public snapshot: a copy of its own, with every asset ever named."""
        balances: dict[str, Balance] = {}
        for word in self:
            balance = balances.setdefault(word.asset, Balance(asset=word.asset))
            balance.free += word.free
            balance.locked += word.locked
        return AccountBalance(balances=balances)
