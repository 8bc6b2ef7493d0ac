"""Accounts of an emulated venue: who they are and what they own."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from decimal import Decimal

import msgspec

from nexustrader.emulator.signatures import Verifier
from nexustrader.sim.account import SimAccount

LEVERAGE = 20
FIRST_UID = 354_937_868
ZERO = Decimal(0)


class AccountSpec(msgspec.Struct, frozen=True, kw_only=True):
    """An account to be: its key with either an HMAC secret or a public key, and what it starts with.

    `balances` are by the venue's wallets; a wallet that is left out starts with the venue's usual money.
    """

    api_key: str
    secret: str | None = None
    public_key_pem: str | None = None
    name: str = "main"
    balances: Mapping[str, Mapping[str, Decimal]] = {}

    def __repr__(self) -> str:
        return f"AccountSpec(name={self.name!r}, api_key=***, secret=***)"


class Account:
    """One account at the venue. `ledgers` holds one for each product; products may share one."""

    def __init__(
        self, spec: AccountSpec, uid: int, verifier: Verifier, ledgers: Mapping[str, SimAccount]
    ) -> None:
        self.name = spec.name
        self.api_key = spec.api_key
        self.uid = uid
        self.verifier = verifier
        self.ledgers = dict(ledgers)
        self.isolated: set[str] = set()  # symbols set to isolated margin; reckoned as cross all the same
        self.loans: dict[str, Decimal] = {}  # what is borrowed of each asset
        self.updated_ms = dict.fromkeys(ledgers, 0)
        self.position_updated_ms: dict[str, int] = {}


class Accounts:
    """All accounts, found by API key or by name. Raises ValueError when two share one of them."""

    def __init__(
        self, specs: Iterable[AccountSpec], open_account: Callable[[AccountSpec, int], Account]
    ) -> None:
        self.by_key: dict[str, Account] = {}
        self.by_name: dict[str, Account] = {}
        for number, spec in enumerate(specs):
            if spec.api_key in self.by_key or spec.name in self.by_name:
                raise ValueError(
                    f"account {spec.name!r} shares its name or API key with another; make both unique"
                )
            account = open_account(spec, FIRST_UID + number)
            self.by_key[spec.api_key] = self.by_name[spec.name] = account

    def position_lots(self, product: str, key: str, account: str, position_side: str) -> int:
        """Signed lots of a position: what the matching core asks for."""
        return self.by_name[account].ledgers[product].position_lots(key, position_side)
