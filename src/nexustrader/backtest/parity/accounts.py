"""Balances, positions and payments at the end of a session, compared with those of its re-simulation."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from decimal import Decimal
from typing import NamedTuple

from nexustrader.backtest.parity.assumed import GIVEN, Assumed, Cause, Payments
from nexustrader.backtest.parity.causes import Found, Runs, Search
from nexustrader.backtest.parity.compare import FEE_QUANTUM, is_charged_in
from nexustrader.backtest.parity.findings import AccountFinding
from nexustrader.backtest.parity.lives import ZERO, Held, Key
from nexustrader.backtest.parity.recorded import Recorded
from nexustrader.backtest.parity.resimulate import Simulated
from nexustrader.domain.instrument import to_plain

FUNDING_SHARE = Decimal("0.005")  # venues pay on the value at the mark, a backtest on that at the touch
NOTHING_HELD = Held(ZERO, 0)
STRANGERS = "orders of an earlier run, or of somebody else, were executed on this account"


class _Item(NamedTuple):
    """One thing that is compared. `most` is how far the amounts may be apart."""

    what: str
    key: Key
    recorded: Decimal
    most: Decimal

    def of(self, run: Simulated) -> Decimal:
        """What a run says of it."""
        kinds: Mapping[str, Mapping[Key, Decimal]] = {
            "balance": run.wallets,
            "position": run.positions,
            "funding": run.funding,
        }
        return kinds[self.what].get(self.key, ZERO)

    def is_equal(self, run: Simulated) -> bool:
        return abs(self.recorded - self.of(run)) <= self.most


class Compared(NamedTuple):
    """What differs, of how many that were compared."""

    findings: tuple[AccountFinding, ...]
    items: int
    notes: tuple[str, ...]


def compare_accounts(recorded: Recorded, runs: Runs, search: Search) -> Compared:
    """Compare the ends of all accounts whose beginning is known."""
    unknown = [account for account, opening in recorded.opening.items() if opening is None]
    third = _charged_in_a_third_asset(recorded)
    notes = [f"balances and positions of {account} at the start were not recorded" for account in unknown]
    notes += [
        f"{to_plain(amount)} {asset} came to {account} (or went, if negative) without trading: left out of its balance"
        for (account, asset), amount in recorded.lives.moved.items()
    ]
    notes += [
        f"fees and balances of {account} are not compared: fees were charged in another asset"
        for account in third
    ]
    items = [item for item in _items(recorded, runs.of(GIVEN)) if item.key[0] not in unknown]
    items = [item for item in items if item.what != "balance" or item.key[0] not in third]
    findings = []
    for item in items:
        simulated = item.of(runs.of(GIVEN))
        if not item.is_equal(runs.of(GIVEN)):
            found = _explained(item, recorded, runs, search)
            findings.append(
                AccountFinding(
                    account=item.key[0],
                    what=f"{item.what} {item.key[1]}",
                    recorded=item.recorded,
                    simulated=simulated,
                    causes=found.causes,
                    detail=found.detail,
                )
            )
    return Compared(tuple(findings), len(items), tuple(notes))


def _charged_in_a_third_asset(recorded: Recorded) -> list[str]:
    found: dict[str, None] = {}
    for oid in recorded.oids:
        command, life = recorded.lives.submits[oid], recorded.lives.life(oid)
        instrument = recorded.instruments.get(command.symbol)
        if instrument is not None and life.fees and not is_charged_in(life, instrument):
            found[command.account] = None
    return list(found)


def _items(recorded: Recorded, base: Simulated) -> Iterator[_Item]:
    lives = recorded.lives
    executions = sum(len(one.life(oid).fills) for one in (lives, base.lives) for oid in recorded.oids)
    rounding = FEE_QUANTUM * (2 * executions)  # of a fee and of a profit each
    last_ms = _last_executions_ms(recorded)
    for key in sorted(lives.funding.keys() | base.funding.keys()):
        paid = lives.funding.get(key, ZERO)
        yield _Item("funding", key, paid, abs(paid) * FUNDING_SHARE)
    for key, held in sorted(lives.balances.items()):
        if held.timestamp >= last_ms.get((key[0], ""), 0):
            traded = held.amount - lives.moved.get(key, ZERO)
            funding = abs(lives.funding.get(key, ZERO)) * FUNDING_SHARE
            yield _Item("balance", key, traded, rounding + funding)
    told = lives.positions
    for key in sorted(told.keys() | base.positions.keys()):
        held = told.get(key, NOTHING_HELD)
        if held.timestamp >= last_ms.get(key, 0):
            yield _Item("position", key, held.amount, ZERO)


def _last_executions_ms(recorded: Recorded) -> dict[Key, int]:
    """When the last execution was, by account and symbol, and by account and nothing.

    What was told of an asset or a position before says nothing of it at the end.
    """
    found: dict[Key, int] = {}
    for oid, command in recorded.lives.submits.items():
        for fill in recorded.lives.life(oid).fills:
            for key in ((command.account, command.symbol), (command.account, "")):
                found[key] = max(found.get(key, 0), fill.timestamp)
    return found


def _explained(item: _Item, recorded: Recorded, runs: Runs, search: Search) -> Found:
    """By the first run in which it is equal, else by why the account's orders differ."""
    pays = bool(recorded.lives.funding or runs.of(GIVEN).funding)
    for assumed in _candidates(runs, pays=pays):
        if item.is_equal(runs.of(assumed)):
            return Found(assumed.causes, "")
    account, named = item.key
    if account in recorded.lives.strangers:
        return Found((Cause.DATA,), STRANGERS)
    if item.what == "funding" and not recorded.market.funding:
        return Found((Cause.DATA,), "no funding rates were recorded")
    if search.is_reproduced(account):
        return Found((Cause.UNEXPLAINED,), "every order comes out equal, and this does not")
    causes = {
        cause: None
        for oid, found in search.found.items()
        if recorded.lives.submits[oid].account == account
        and (item.what != "position" or recorded.lives.submits[oid].symbol == named)
        for cause in found.causes
    }
    return Found(
        tuple(causes) or (Cause.UNEXPLAINED,), "follows from the orders that differ" if causes else ""
    )


def _candidates(runs: Runs, *, pays: bool) -> list[Assumed]:
    """What was run already, and the same with other payments if there were any: fewest replacements first."""
    made = list(runs.made)
    others = [one._replace(payments=payments) for one in made for payments in Payments] if pays else []
    return sorted(dict.fromkeys(made + others), key=lambda one: len(one.causes))
