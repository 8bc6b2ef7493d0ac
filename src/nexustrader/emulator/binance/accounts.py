"""Accounts of the emulated venue: who they are, what they own, and what the futures side shows of it."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from decimal import Decimal

import msgspec

from nexustrader.emulator.binance.encode_usdm import MoneyView, PositionView
from nexustrader.emulator.binance.instruments import ASSETS, LISTINGS, Listing
from nexustrader.emulator.binance.market import Market
from nexustrader.emulator.binance.security import Verifier
from nexustrader.emulator.binance.topics import SPOT, USDM
from nexustrader.sim.account import SimAccount
from nexustrader.sim.margin import initial_margin
from nexustrader.sim.types import Side, SimOrder

LEVERAGE = 20
SPOT_BALANCES = {"USDT": Decimal(100_000), "BTC": Decimal(2)}
USDM_BALANCES = {"USDT": Decimal(100_000)}
FIRST_UID = 354_937_868
ZERO = Decimal(0)


class AccountSpec(msgspec.Struct, frozen=True, kw_only=True):
    """An account to be: its key with either an HMAC secret or an Ed25519 public key, and what it starts with."""

    api_key: str
    secret: str | None = None
    public_key_pem: str | None = None
    name: str = "main"
    spot: Mapping[str, Decimal] = msgspec.field(default_factory=SPOT_BALANCES.copy)
    usdm: Mapping[str, Decimal] = msgspec.field(default_factory=USDM_BALANCES.copy)

    def __repr__(self) -> str:
        return f"AccountSpec(name={self.name!r}, api_key=***, secret=***)"


class Account:
    """One account at the venue, with a ledger for each product."""

    def __init__(self, spec: AccountSpec, uid: int) -> None:
        self.name = spec.name
        self.api_key = spec.api_key
        self.uid = uid
        self.verifier = Verifier(secret=spec.secret, public_key_pem=spec.public_key_pem)
        self.ledgers = {
            product: SimAccount(
                spec.name,
                {asset: balances.get(asset, ZERO) for asset in (*ASSETS[product], *balances)},
                [listing.to_sim() for listing in LISTINGS[product].values()],
                leverage=LEVERAGE,
            )
            for product, balances in ((SPOT, spec.spot), (USDM, spec.usdm))
        }
        self.isolated: set[str] = set()  # symbols set to isolated margin; reckoned as cross all the same
        self.updated_ms = {SPOT: 0, USDM: 0}
        self.position_updated_ms: dict[str, int] = {}

    def spot_balances(self, assets: Iterable[str]) -> dict[str, tuple[Decimal, Decimal]]:
        """Free and locked of spot assets."""
        ledger = self.ledgers[SPOT]
        return {asset: (ledger.free(asset), ledger.locked(asset)) for asset in assets}


class Accounts:
    """All accounts, found by API key or by name. Raises ValueError when two share one of them."""

    def __init__(self, specs: Iterable[AccountSpec]) -> None:
        self.by_key: dict[str, Account] = {}
        self.by_name: dict[str, Account] = {}
        for number, spec in enumerate(specs):
            if spec.api_key in self.by_key or spec.name in self.by_name:
                raise ValueError(
                    f"account {spec.name!r} shares its name or API key with another; make both unique"
                )
            account = Account(spec, FIRST_UID + number)
            self.by_key[spec.api_key] = self.by_name[spec.name] = account

    def position_lots(self, product: str, symbol: str, account: str, position_side: str) -> int:
        """Signed lots of a position: what the matching core asks for."""
        return self.by_name[account].ledgers[product].position_lots(symbol, position_side)


class FuturesView:
    """Positions and money of one account as the futures endpoints show them, at the marks of now."""

    def __init__(self, account: Account, markets: Mapping[str, Market]) -> None:
        self.account = account
        self._ledger = account.ledgers[USDM]
        self._markets = markets
        for symbol, market in markets.items():
            self._ledger.set_mark(symbol, market.mark)

    def position(self, symbol: str) -> PositionView:
        """One position, flat or not."""
        market, ledger = self._markets[symbol], self._ledger
        listing = market.listing
        position = ledger.position(symbol)
        mark, leverage = market.mark, ledger.leverage(symbol)
        bids, asks = open_notionals(market, self.account.name)
        value = listing.lot * position.lots * mark
        margin = initial_margin(value, bids, asks, leverage)
        entry = ledger.entry_price(symbol)
        return PositionView(
            listing=listing,
            amount=listing.lot * position.lots,
            entry=entry,
            break_even=break_even(listing, position.lots, entry),
            mark=mark,
            unrealized=ledger.unrealized(symbol),
            realized=position.realized,
            liquidation=ledger.liquidation_price(symbol) if position.lots else None,
            initial_margin=margin,
            order_margin=margin - initial_margin(value, ZERO, ZERO, leverage),
            maintenance=abs(value) * market.instrument.maint_margin,
            bids=bids,
            asks=asks,
            leverage=leverage,
            isolated=symbol in self.account.isolated,
            updated_ms=self.account.position_updated_ms.get(symbol, 0),
        )

    def positions(self, *, active: bool) -> list[PositionView]:
        """All positions; with `active` only those that are not flat or have open orders."""
        views = [self.position(symbol) for symbol in self._markets]
        return [view for view in views if not active or view.amount or view.bids or view.asks]

    def moneys(self) -> list[MoneyView]:
        """The wallet of every asset."""
        positions = self.positions(active=True)
        return [
            MoneyView(
                asset=asset,
                wallet=self._ledger.wallet(asset),
                unrealized=self._ledger.equity(asset) - self._ledger.wallet(asset),
                initial_margin=self._ledger.initial_margin(asset),
                position_margin=sum(
                    (v.initial_margin - v.order_margin for v in positions if v.listing.settle == asset), ZERO
                ),
                maintenance=self._ledger.maintenance_margin(asset),
                available=max(ZERO, self._ledger.available(asset)),
                updated_ms=self.account.updated_ms[USDM],
            )
            for asset in ASSETS[USDM]
        ]


def open_notionals(market: Market, account: str) -> tuple[Decimal, Decimal]:
    """Value of an account's open buys and sells in one market, reduce-only ones left out."""
    totals = {Side.BUY: ZERO, Side.SELL: ZERO}
    for order in market.engine.open_orders(account):
        if not order.reduce_only:
            totals[order.side] += _open_value(market, order)
    return totals[Side.BUY], totals[Side.SELL]


def break_even(listing: Listing, lots: int, entry: Decimal) -> Decimal:
    """Price at which closing as taker brings back the entry fee (as taker) and the exit fee."""
    if lots == 0:
        return ZERO
    factor = (
        (1 + listing.taker) / (1 - listing.taker) if lots > 0 else (1 - listing.taker) / (1 + listing.taker)
    )
    return entry * factor


def _open_value(market: Market, order: SimOrder) -> Decimal:
    assert order.price is not None
    return market.instrument.value(order.remaining, market.instrument.price(order.price))
