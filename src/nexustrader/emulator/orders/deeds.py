"""What happens at once: the user's own doings at the venue, the venue's deeds against an account, cut connections."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from decimal import Decimal
from typing import TYPE_CHECKING

from nexustrader.emulator.errors import VenueError
from nexustrader.emulator.faults import Fault
from nexustrader.emulator.market.market import Market
from nexustrader.emulator.orders.accounts import Account
from nexustrader.emulator.orders.records import OrderRecord
from nexustrader.emulator.product import Product
from nexustrader.sim.types import Side

if TYPE_CHECKING:
    from nexustrader.emulator.venue import AnyVenue  # which carries the deeds out

ADL_CLIENT_ID = "adl_autoclose"
LIQUIDATION_CLIENT_ID = "autoclose-{}"
MANUAL_CLIENT_ID = "web_{}"
LIQUIDATION_FEE = Decimal("0.0125")
FEE_QUANTUM = Decimal("1e-8")
POSITION_SIDES = ("BOTH", "LONG", "SHORT")

Deed = Callable[["AnyVenue", Fault], int]


# -- connections and user streams -----------------------------------------------------------------------------


def _disconnect(venue: AnyVenue, fault: Fault) -> int:
    return venue.disconnect(fault.kind)


def _replay_events(venue: AnyVenue, fault: Fault) -> int:
    feeds = dict.fromkeys(product.user_feed for product in _products(venue, fault))
    return sum(feed.replay(account, fault.n) for feed in feeds for account in accounts_of(venue, fault))


def _restart_books(venue: AnyVenue, fault: Fault) -> int:
    return sum(product.restart_books(fault.symbol) for product in _products(venue, fault))


# -- orders ---------------------------------------------------------------------------------------------------


def _manual_order(venue: AnyVenue, fault: Fault) -> int:
    product, account = _product(venue, fault), _account(venue, fault)
    client_id = fault.client_id or MANUAL_CLIENT_ID.format(product.new_id())
    request = product.trading.rules.plain_order(
        _market(product, fault).listing, Side[fault.side], fault.amount, fault.price, client_id
    )
    try:
        product.trading.place(account, request)
    except VenueError as refused:
        raise ValueError(f"the venue refuses the manual order: {refused.code} {refused.message}") from None
    return 1


def _manual_cancel(venue: AnyVenue, fault: Fault) -> int:
    chosen = list(_open_orders(venue, fault))
    for product, record in chosen:
        product.trading.cancel(record)
    return len(chosen)


def _end_order(venue: AnyVenue, fault: Fault) -> int:
    chosen = list(_open_orders(venue, fault))
    for product, record in chosen:
        product.trading.end(record, fault.how)
    return len(chosen)


def _fill_order(venue: AnyVenue, fault: Fault) -> int:
    return sum(product.trading.fill(record, fault.part) for product, record in _open_orders(venue, fault))


# -- positions and money --------------------------------------------------------------------------------------


def _liquidate(venue: AnyVenue, fault: Fault) -> int:
    """Open orders of the symbol go, the position is closed at the market, and a fee goes to the insurance fund."""
    product, account = _derivative(venue, fault), _account(venue, fault)
    market = _market(product, fault)
    for record in product.trading.open_orders(account, market.symbol):
        product.trading.end(record, "CANCELED")
    ledger, struck = account.ledgers[product.name], 0
    for position_side in POSITION_SIDES:
        lots = ledger.position_lots(market.key, position_side)
        if not lots:
            continue
        value = abs(market.instrument.value(lots, market.mark))
        stamp = venue.clock.timestamp_ms()
        while product.trading.find(account, market.symbol, None, LIQUIDATION_CLIENT_ID.format(stamp)):
            stamp += 1
        side = Side.SELL if lots > 0 else Side.BUY
        client_id = LIQUIDATION_CLIENT_ID.format(stamp)
        product.trading.close_out(account, market, side, abs(lots), client_id, position_side=position_side)
        asset = market.listing.settle
        fee = min((value * LIQUIDATION_FEE).quantize(FEE_QUANTUM), max(ledger.wallet(asset), Decimal(0)))
        if fee:
            ledger.transfer(asset, -fee, f"liquidation:{market.symbol}")
            product.history.note(account)
            product.voice.money_moved(account, "liquidation", asset, -fee)
        struck += 1
    return struck


def _adl(venue: AnyVenue, fault: Fault) -> int:
    """Closes a part of the position at the mark, against nobody in the book."""
    product, account = _derivative(venue, fault), _account(venue, fault)
    market = _market(product, fault)
    price, struck = (market.touch.bid + market.touch.ask) // 2, 0
    for position_side in POSITION_SIDES:
        lots = account.ledgers[product.name].position_lots(market.key, position_side)
        if lots:
            closed = max(1, int(abs(lots) * fault.part))
            side = Side.SELL if lots > 0 else Side.BUY
            product.trading.close_out(account, market, side, closed, ADL_CLIENT_ID, price, position_side)
            struck += 1
    return struck


def _funding(venue: AnyVenue, fault: Fault) -> int:
    product, struck = _derivative(venue, fault), 0
    market = _market(product, fault)
    for account in accounts_of(venue, fault):
        if product.name not in account.ledgers:
            continue
        entries = account.ledgers[product.name].funding(market.key, fault.rate, market.mark)
        paid = sum((entry.amount for entry in entries), Decimal(0))
        if entries:
            product.history.note(account)
            product.voice.money_moved(account, "funding", market.listing.settle, paid, market)
            struck += 1
    return struck


def _transfer(venue: AnyVenue, fault: Fault) -> int:
    product, account = _product(venue, fault), _account(venue, fault)
    ledger, asset, amount = account.ledgers[product.name], fault.asset, fault.amount
    if not amount or ledger.free(asset) + amount < 0:
        raise ValueError(f"{amount} {asset} cannot be transferred: {ledger.free(asset)} are free")
    ledger.transfer(asset, amount)
    product.history.note(account)
    product.voice.money_moved(account, "transfer", asset, amount)
    return 1


# -- who is meant ---------------------------------------------------------------------------------------------


def _products(venue: AnyVenue, fault: Fault) -> list[Product]:
    return list(venue.products.values()) if fault.product is None else [_product(venue, fault)]


def _derivative(venue: AnyVenue, fault: Fault) -> Product:
    """The product that has positions."""
    product = _product(venue, fault)
    spot = any(listing.kind == "spot" for listing in product.listings.values())
    return venue.products[venue.main_product] if spot else product


def _product(venue: AnyVenue, fault: Fault) -> Product:
    product = venue.products.get(fault.product or venue.main_product)
    if product is None:
        raise ValueError(f"no product is called {fault.product!r}; there are {', '.join(venue.products)}")
    return product


def accounts_of(venue: AnyVenue, fault: Fault) -> list[Account]:
    return list(venue.accounts.by_name.values()) if fault.account is None else [_account(venue, fault)]


def _account(venue: AnyVenue, fault: Fault) -> Account:
    names = venue.accounts.by_name
    account = next(iter(names.values())) if fault.account is None else names.get(fault.account)
    if account is None:
        raise ValueError(f"no account is called {fault.account!r}; there are {', '.join(names)}")
    return account


def _market(product: Product, fault: Fault) -> Market:
    market = product.markets.get(fault.symbol or "")
    if market is None:
        raise ValueError(
            f"fault {fault.action} needs a symbol of {product.name}: {', '.join(product.markets)}"
        )
    return market


def _open_orders(venue: AnyVenue, fault: Fault) -> Iterator[tuple[Product, OrderRecord]]:
    for product in _products(venue, fault):
        for account in accounts_of(venue, fault):
            for record in product.trading.open_orders(account, fault.symbol):
                if fault.client_id in {None, record.client_id}:
                    yield product, record


DEEDS: dict[str, Deed] = {
    "disconnect": _disconnect,
    "replay_events": _replay_events,
    "restart_books": _restart_books,
    "manual_order": _manual_order,
    "manual_cancel": _manual_cancel,
    "end_order": _end_order,
    "fill_order": _fill_order,
    "liquidate": _liquidate,
    "adl": _adl,
    "funding": _funding,
    "transfer": _transfer,
}
