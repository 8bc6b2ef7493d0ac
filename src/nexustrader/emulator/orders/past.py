"""What the products of one ledger looked like some time ago: what replicas that lag behind answer queries from."""

from __future__ import annotations

import bisect
import copy
from collections.abc import Iterable, Sequence
from typing import Generic, TypeVar

from nexustrader.emulator.orders.accounts import Account
from nexustrader.emulator.orders.records import OrderRecord
from nexustrader.kernel.ports import Clock
from nexustrader.sim.account import SimAccount

T = TypeVar("T")
K = TypeVar("K")


class _Versions(Generic[T]):
    """The states of one thing, each with the time from which it held."""

    def __init__(self) -> None:
        self._since_ms: list[int] = []
        self._states: list[T] = []

    def add(self, now_ms: int, state: T, oldest_ms: int) -> None:
        """Adds the state of now, and forgets what nobody can ask for any more."""
        gone = max(0, bisect.bisect_right(self._since_ms, oldest_ms) - 1)
        del self._since_ms[:gone], self._states[:gone]
        if self._since_ms and self._since_ms[-1] == now_ms:
            self._states[-1] = state
            return
        self._since_ms.append(now_ms)
        self._states.append(state)

    def at(self, time_ms: int) -> T | None:
        """The state that held at a time; None when there was none."""
        number = bisect.bisect_right(self._since_ms, time_ms)
        return self._states[number - 1] if number else None


class History:
    """Keeps the states of orders and ledgers of the last `span_ms`; with 0 it keeps nothing.

    The `products` share one ledger of each account.
    """

    def __init__(self, products: Sequence[str], clock: Clock) -> None:
        self.span_ms = 0
        self._products = products
        self._clock = clock
        self._orders: dict[int, _Versions[OrderRecord]] = {}
        self._ledgers: dict[str, _Versions[SimAccount]] = {}

    def reach(self, span_ms: int, accounts: Iterable[Account], records: Iterable[OrderRecord]) -> None:
        """Keeps the last `span_ms` from now on; what was before is not known, and counts as it is now."""
        if span_ms <= self.span_ms:
            return
        begins, self.span_ms = self.span_ms == 0, span_ms
        if begins:
            for account in accounts:
                if self._products[0] not in account.ledgers:
                    continue
                self._add(self._ledgers, account.name, account.ledgers[self._products[0]].snapshot(), 0)
            for record in records:
                self._add(self._orders, record.key, _copy(record), 0)

    def note(self, account: Account, record: OrderRecord | None = None) -> None:
        """Keeps an account's ledger as it is now, and the order that changed it."""
        if self.span_ms:
            now_ms = self._clock.timestamp_ms()
            self._add(self._ledgers, account.name, account.ledgers[self._products[0]].snapshot(), now_ms)
            if record is not None:
                self._add(self._orders, record.key, _copy(record), now_ms)

    def at(self, time_ms: int) -> Past:
        """Everything as it was."""
        states = (versions.at(time_ms) for versions in self._orders.values())
        records = {state.order_id: state for state in states if state is not None}
        ledgers = {name: versions.at(time_ms) for name, versions in self._ledgers.items()}
        return Past(self._products, records, ledgers)

    def _add(self, kept: dict[K, _Versions[T]], key: K, state: T, now_ms: int) -> None:
        kept.setdefault(key, _Versions()).add(now_ms, state, now_ms - self.span_ms)


def _copy(record: OrderRecord) -> OrderRecord:
    state = copy.copy(record)
    state.executions = list(record.executions)
    return state


class Past:
    """Everything at one time. The readings are those of `Trading`."""

    def __init__(
        self,
        products: Sequence[str],
        records: dict[int, OrderRecord],
        ledgers: dict[str, SimAccount | None],
    ) -> None:
        self._products = products
        self._records = records
        self._ledgers = ledgers

    def of(self, product: str) -> Past:
        """The same with the orders of one product alone."""
        records = {number: r for number, r in self._records.items() if r.listing.product == product}
        return Past(self._products, records, self._ledgers)

    def account(self, account: Account) -> Account:
        """The account with the ledger of then."""
        ledger = self._ledgers.get(account.name)
        if ledger is None:
            return account
        then = copy.copy(account)
        then.ledgers = {**account.ledgers, **dict.fromkeys(self._products, ledger)}
        return then

    def find(
        self, account: Account, symbol: str, order_id: int | None, client_id: str | None
    ) -> OrderRecord | None:
        """An order by venue id, or the latest of a client id; None when there was none, or it is another's."""
        found = [
            record
            for record in self.orders(account, symbol)
            if (record.order_id == order_id if order_id is not None else record.client_id == client_id)
        ]
        return found[-1] if found else None

    def orders(self, account: Account, symbol: str | None = None) -> list[OrderRecord]:
        """Every order of an account, oldest first."""
        return [
            record
            for record in self._records.values()
            if record.account == account.name and symbol in {None, record.symbol}
        ]

    def open_orders(self, account: Account, symbol: str | None = None) -> list[OrderRecord]:
        """The orders of an account that were open, oldest first."""
        return [record for record in self.orders(account, symbol) if record.is_open]
