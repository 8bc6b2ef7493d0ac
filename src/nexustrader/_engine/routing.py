"""Which account an order goes to. Pure over the configured accounts."""

from __future__ import annotations

from collections.abc import Iterator, Mapping

import msgspec

from nexustrader.constants import AccountType, ExchangeType, InstrumentType
from nexustrader.domain.instrument import Instrument
from nexustrader.error import EngineBuildError

# Where an order goes when the strategy does not say: the first that is configured, by kind of instrument.
PRIORITY: Mapping[InstrumentType, tuple[str, ...]] = {
    InstrumentType.SPOT: (
        "is_portfolio_margin",
        "is_isolated_margin",
        "is_margin",
        "is_spot",
        "is_spot_mock",
    ),
    InstrumentType.LINEAR: ("is_portfolio_margin", "is_linear", "is_linear_mock"),
    InstrumentType.INVERSE: ("is_portfolio_margin", "is_inverse", "is_inverse_mock"),
    InstrumentType.OPTION: ("is_option",),
}


class Account(msgspec.Struct, frozen=True):
    """One configured private account. `name` is None in the single-account form."""

    key: str
    exchange: ExchangeType
    type: AccountType
    name: str | None = None


def account_key(exchange: ExchangeType, account_type: AccountType, name: str | None) -> str:
    """The string that names an account everywhere inside: "binance:SPOT" or "binance:SPOT:mm1"."""
    key = f"{exchange.value}:{account_type.value}"
    return f"{key}:{name}" if name else key


class Accounts:
    """The configured accounts and the choice among them."""

    def __init__(self, instruments: Mapping[str, Instrument]) -> None:
        self._instruments = instruments
        self._accounts: list[Account] = []
        self._routes: dict[tuple[str, AccountType | None, str | None], str] = {}

    def add(self, account: Account) -> None:
        """Raises EngineBuildError when the same account is configured twice."""
        if any(known.key == account.key for known in self._accounts):
            raise EngineBuildError(
                f"account {account.key} is configured twice; give each connector its own account= name"
            )
        self._accounts.append(account)
        self._routes.clear()

    def __iter__(self) -> Iterator[Account]:
        return iter(self._accounts)

    def route(self, symbol: str, account_type: AccountType | None = None, name: str | None = None) -> str:
        """The account key for an order on `symbol`. Raises EngineBuildError when nothing fits."""
        choice = (symbol, account_type, name)
        key = self._routes.get(choice)
        if key is None:
            key = self._routes[choice] = self._choose(symbol, account_type, name)
        return key

    def _choose(self, symbol: str, account_type: AccountType | None, name: str | None) -> str:
        instrument = self._instruments.get(symbol)
        fitting = [
            a
            for a in self._accounts
            if (account_type is None or a.type is account_type)
            and (name is None or a.name == name)
            and (instrument is None or a.exchange is instrument.exchange)
        ]
        if account_type is None and instrument is not None:
            fitting = _by_priority(fitting, instrument.type)
        if not fitting:
            known = ", ".join(a.key for a in self._accounts) or "none"
            raise EngineBuildError(
                f"no private connector trades {symbol} (account_type={account_type}, account={name}). "
                f"Configured: {known}. Add one to private_conn_config"
            )
        return fitting[0].key


def _by_priority(accounts: list[Account], kind: InstrumentType) -> list[Account]:
    order = PRIORITY.get(kind, ())
    unified = [
        a
        for a in accounts
        if not any(getattr(a.type, flag, False) for flags in PRIORITY.values() for flag in flags)
    ]
    ranked = [a for flag in order for a in accounts if getattr(a.type, flag, False)]
    return ranked + unified
