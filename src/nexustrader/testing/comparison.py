"""An emulator's truth beside an engine's books: every difference, in words."""

from __future__ import annotations

from collections.abc import Callable
from decimal import Decimal
from typing import Any

import msgspec

from nexustrader._engine.books import Books, number

STATUSES = {
    "NEW": "ACCEPTED",
    "PARTIALLY_FILLED": "PARTIALLY_FILLED",
    "FILLED": "FILLED",
    "CANCELED": "CANCELED",
    "EXPIRED": "EXPIRED",
    "EXPIRED_IN_MATCH": "EXPIRED",
    "REJECTED": "FAILED",
}
OPEN = frozenset({"NEW", "PARTIALLY_FILLED"})  # at the venue: only there terms still mean anything


class Comparison(msgspec.Struct, frozen=True):
    """What was compared and what differs; equal books have no differences."""

    orders: int
    fills: int
    positions: int
    balances: int
    differences: tuple[str, ...]


def compare(ours: Books, truth: dict[str, Any], suffix: str | Callable[[str], str]) -> Comparison:
    """Compare one account with one product of the ledger.

    `suffix` makes our symbols of theirs ("-PERP.BINANCE"), or is the function that does.
    """
    name_of = suffix if callable(suffix) else lambda symbol: f"{symbol}{suffix}"
    differences: list[str] = []
    theirs = {order["client_id"]: order for order in truth["orders"]}
    fills: dict[str, set[str]] = {}
    for fill in truth["fills"]:
        fills.setdefault(fill["client_id"], set()).add(fill["trade_id"])
    for oid, order in theirs.items():
        differences += _compare_order(oid, ours, order, fills.get(oid, set()), name_of)
    differences += [
        f"order {oid}: {order.status} here, the venue has never had it"
        for oid, order in ours.orders.items()
        if oid not in theirs and order.status != "FAILED"
    ]
    positions = {
        name_of(name.partition("/")[0]): _amount(value) for name, value in truth["positions"].items()
    }
    positions = {symbol: amount for symbol, amount in positions.items() if amount != "0"}
    differences += _compare_maps("position", ours.positions, positions)
    balances = {a: number(Decimal(b["wallet"])) for a, b in truth["balances"].items()}
    differences += _compare_maps("balance", ours.balances, balances)
    fees: dict[str, Decimal] = {}
    for fill in truth["fills"]:
        fees[fill["fee_asset"]] = fees.get(fill["fee_asset"], Decimal(0)) + Decimal(fill["fee"])
    differences += _compare_maps("fees", ours.fees, {a: number(f) for a, f in fees.items()})
    return Comparison(len(theirs), len(truth["fills"]), len(positions), len(balances), tuple(differences))


def _compare_order(
    oid: str, ours: Books, theirs: dict[str, Any], trade_ids: set[str], name_of: Callable[[str], str]
) -> list[str]:
    mine = ours.orders.get(oid)
    if mine is None:
        return [f"order {oid}: {theirs['status']} at the venue, not known here"]
    expected = {
        "symbol": name_of(theirs["symbol"]),
        "side": theirs["side"],
        "status": STATUSES.get(theirs["status"], theirs["status"]),
        "filled": number(Decimal(theirs["filled"])),
        "cost": number(Decimal(theirs["cost"])),
        "fees": {asset: number(Decimal(fee)) for asset, fee in theirs["fees"].items()},
        "trade_ids": tuple(sorted(trade_ids)),
    }
    if theirs["status"] in OPEN:
        expected["amount"] = number(Decimal(theirs["amount"]))
        if mine.price is not None:
            expected["price"] = number(Decimal(theirs["price"]))
    return [
        f"order {oid}: {name} is {getattr(mine, name)} here, {value} at the venue"
        for name, value in expected.items()
        if getattr(mine, name) != value
    ]


def _compare_maps(what: str, ours: dict[str, str], theirs: dict[str, str]) -> list[str]:
    return [
        f"{what} {key}: {ours.get(key, '0')} here, {theirs.get(key, '0')} at the venue"
        for key in sorted(ours.keys() | theirs.keys())
        if ours.get(key, "0") != theirs.get(key, "0")
    ]


def _amount(position: dict[str, Any]) -> str:
    return number(Decimal(position["amount"]))
