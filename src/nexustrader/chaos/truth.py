"""The venue's side of a run: what is true, read from the emulator's own records."""

from __future__ import annotations

from collections.abc import Iterator
from decimal import Decimal
from typing import Any

from nexustrader.domain.ids import is_ours
from nexustrader.emulator.binance.accounts import Account
from nexustrader.emulator.binance.ledger import account_ledger
from nexustrader.emulator.binance.records import OrderRecord
from nexustrader.emulator.binance.topics import SPOT, USDM
from nexustrader.emulator.binance.venue import Venue

SUFFIXES = {SPOT: ".BINANCE", USDM: "-PERP.BINANCE"}


class Truth:
    """One account of one product; `shard` tells our orders from strangers'."""

    def __init__(self, venue: Venue, account: Account, shard: int, product: str) -> None:
        self.account = account
        self.product = venue.products[product]
        self.suffix = SUFFIXES[product]
        self._shard = shard

    def records(self) -> list[OrderRecord]:
        """Every order of the account, of whoever's making, oldest first."""
        return self.product.trading.orders(self.account)

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
        return self.product.listings[native].lot * ledger.position(native).lots

    def ledger(self) -> dict[str, Any]:
        """Orders and fills of ours, positions and balances of the whole account, as exact text."""
        body: dict[str, Any] = account_ledger(self.account, self.product)
        for name in ("orders", "fills"):
            body[name] = [row for row in body[name] if is_ours(row["client_id"], self._shard)]
        return body
