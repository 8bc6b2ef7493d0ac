"""The accounts beside a user's main one: cross margin, one isolated margin for each pair, portfolio margin.

They trade in the markets of the main products under names of their own: "main/margin", "main/isolated/BTCUSDT",
"main/portfolio". Portfolio margin is reckoned market by market here, not as one.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from decimal import Decimal

import msgspec

from nexustrader.emulator.binance.errors import refusal
from nexustrader.emulator.binance.instruments import LISTINGS
from nexustrader.emulator.binance.topics import COINM, SPOT, USDM
from nexustrader.emulator.orders.accounts import LEVERAGE, Account, Accounts, AccountSpec
from nexustrader.sim.account import SimAccount

MARGIN = "margin"
ISOLATED = "isolated"
PORTFOLIO = "portfolio"

_USUAL: dict[str, dict[str, str]] = {
    MARGIN: {"USDT": "100000", "BTC": "2"},
    ISOLATED: {"USDT": "10000"},
    f"{PORTFOLIO}/{SPOT}": {"USDT": "50000", "BTC": "1"},
    f"{PORTFOLIO}/{USDM}": {"USDT": "50000"},
    f"{PORTFOLIO}/{COINM}": {"BTC": "5"},
}


def open_side_accounts(accounts: Accounts, specs: Iterable[AccountSpec]) -> None:
    """Opens them for every user; `balances` of a spec may name them as above, without the user."""
    for spec in specs:
        for side in _sides(accounts.by_name[spec.name], spec):
            accounts.by_name[side.name] = side


def _sides(account: Account, spec: AccountSpec) -> Iterator[Account]:
    yield _side(account, spec, MARGIN, {SPOT: _money(spec, MARGIN)})
    for symbol in LISTINGS[SPOT]:
        kind = f"{ISOLATED}/{symbol}"
        yield _side(account, spec, kind, {SPOT: _money(spec, kind, ISOLATED)})
    wallets = {product: _money(spec, f"{PORTFOLIO}/{product}") for product in (SPOT, USDM, COINM)}
    yield _side(account, spec, PORTFOLIO, wallets)


def _money(spec: AccountSpec, name: str, usual: str = "") -> dict[str, Decimal]:
    wanted = spec.balances.get(name) or _USUAL[usual or name]
    return {asset: Decimal(amount) for asset, amount in wanted.items()}


def _side(
    account: Account, spec: AccountSpec, kind: str, wallets: Mapping[str, dict[str, Decimal]]
) -> Account:
    name = f"{account.name}/{kind}"
    ledgers = {
        product: SimAccount(
            name, money, [one.to_sim() for one in LISTINGS[product].values()], leverage=LEVERAGE
        )
        for product, money in wallets.items()
    }
    return Account(msgspec.structs.replace(spec, name=name), account.uid, account.verifier, ledgers)


def side_of(accounts: Accounts, account: Account, kind: str) -> Account:
    """A user's account beside the main one. Raises ApiError -3003 when there is none such."""
    side = accounts.by_name.get(f"{account.name}/{kind}")
    if side is None:
        raise refusal(-3003)
    return side


def isolated_of(accounts: Accounts, account: Account) -> dict[str, Account]:
    """The isolated accounts of the user of an isolated account, by pair."""
    begin = f"{account.name.partition('/')[0]}/{ISOLATED}/"
    return {
        name.removeprefix(begin): side for name, side in accounts.by_name.items() if name.startswith(begin)
    }
