"""Accounts at Binance: a wallet for each product, and what the futures side shows of it."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from decimal import Decimal

from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PublicKey

from nexustrader.emulator.binance.encode.encode_usdm import MoneyView, PositionView
from nexustrader.emulator.binance.instruments import ASSETS, LISTINGS
from nexustrader.emulator.binance.topics import COINM, SPOT, USDM
from nexustrader.emulator.market.listing import Listing
from nexustrader.emulator.market.market import Market
from nexustrader.emulator.orders.accounts import LEVERAGE, ZERO, Account, AccountSpec
from nexustrader.emulator.signatures import verifier_of
from nexustrader.sim.account import SimAccount
from nexustrader.sim.margin import initial_margin
from nexustrader.sim.types import Side, SimOrder

BALANCES = {
    SPOT: {"USDT": Decimal(100_000), "BTC": Decimal(2)},
    USDM: {"USDT": Decimal(100_000)},
    COINM: {"BTC": Decimal(10), "ETH": Decimal(100)},
}


def open_account(spec: AccountSpec, uid: int) -> Account:
    """An account with a ledger for each product. Raises ValueError for a key that the venue does not know."""
    ledgers = {}
    for product, usual in BALANCES.items():
        balances = spec.balances.get(product, usual)
        ledgers[product] = SimAccount(
            spec.name,
            {asset: balances.get(asset, ZERO) for asset in (*ASSETS[product], *balances)},
            [listing.to_sim() for listing in LISTINGS[product].values()],
            leverage=LEVERAGE,
        )
    return Account(spec, uid, verifier_of(spec.secret, spec.public_key_pem, Ed25519PublicKey), ledgers)


def spot_balances(account: Account, assets: Iterable[str]) -> dict[str, tuple[Decimal, Decimal]]:
    """Free and locked of spot assets."""
    ledger = account.ledgers[SPOT]
    return {asset: (ledger.free(asset), ledger.locked(asset)) for asset in assets}


class FuturesView:
    """Positions and money of one account as the futures endpoints show them, at the marks of now."""

    def __init__(self, account: Account, markets: Mapping[str, Market], product: str) -> None:
        self.account = account
        self._product = product
        self._ledger = account.ledgers[product]
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
        value = market.instrument.value(position.lots, mark)
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
                updated_ms=self.account.updated_ms[self._product],
            )
            for asset in ASSETS[self._product]
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
