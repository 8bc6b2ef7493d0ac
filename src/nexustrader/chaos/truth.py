"""The venue's side of a run: what is true, read from the emulator's own records."""

from __future__ import annotations

from collections.abc import Iterator
from decimal import Decimal
from typing import Any

from nexustrader.domain.ids import is_ours
from nexustrader.emulator.orders.accounts import Account
from nexustrader.emulator.orders.ledger import account_ledger
from nexustrader.emulator.orders.records import OrderRecord
from nexustrader.emulator.product import Product

REFUSED = "REJECTED"


class Truth:
    """One account of one product; `suffix` is what our names of its symbols end with, `shard` tells our orders from
    strangers'."""

    def __init__(self, product: Product, suffix: str, account: Account, shard: int) -> None:
        self.account = account
        self.product = product
        self.suffix = suffix
        self._shard = shard

    def records(self) -> list[OrderRecord]:
        """Every order of the account, of whoever's making, oldest first; none that was taken only to be refused."""
        return [r for r in self.product.trading.orders(self.account) if r.status != REFUSED]

    def ours(self) -> Iterator[OrderRecord]:
        return (record for record in self.records() if is_ours(record.client_id, self._shard))

    def foreign(self) -> Iterator[OrderRecord]:
        return (record for record in self.records() if not is_ours(record.client_id, self._shard))

    def find(self, oid: str) -> OrderRecord | None:
        """The venue's order with this client id, the newest of several."""
        found = [record for record in self.records() if record.client_id == oid]
        return found[-1] if found else None

    def position(self, native: str) -> Decimal:
        """Signed amount of one position."""
        ledger = self.account.ledgers[self.product.name]
        listing = self.product.listings[native]
        return listing.lot * ledger.position(listing.key).lots

    def ledger(self) -> dict[str, Any]:
        """Orders and fills of ours, positions and balances of the whole account, as exact text."""
        body: dict[str, Any] = account_ledger(self.account, self.product)
        for name in ("orders", "fills"):
            body[name] = [
                row
                for row in body[name]
                if is_ours(row["client_id"], self._shard) and row.get("status") != REFUSED
            ]
        return body
