"""What happens at once: the user's own doings at the venue, the venue's deeds against an account, cut connections."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from decimal import Decimal
from typing import TYPE_CHECKING

from nexustrader.emulator.binance.accounts import Account, FuturesView
from nexustrader.emulator.binance.errors import ApiError
from nexustrader.emulator.binance.market import Market
from nexustrader.emulator.binance.product import Product
from nexustrader.emulator.binance.records import OrderRecord
from nexustrader.emulator.binance.requests import OrderRequest
from nexustrader.emulator.binance.topics import SPOT, USDM
from nexustrader.emulator.faults import Fault
from nexustrader.sim.types import Side

if TYPE_CHECKING:
    from nexustrader.emulator.binance.venue import Venue  # which carries the deeds out

ADL_CLIENT_ID = "adl_autoclose"
LIQUIDATION_CLIENT_ID = "autoclose-{}"
MANUAL_CLIENT_ID = "web_{}"
LIQUIDATION_FEE = Decimal("0.0125")
FEE_QUANTUM = Decimal("1e-8")

Deed = Callable[["Venue", Fault], int]


# -- connections and user streams -----------------------------------------------------------------------------


def _disconnect(venue: Venue, fault: Fault) -> int:
    return venue.disconnect(fault.kind)


def _expire_listen_key(venue: Venue, fault: Fault) -> int:
    keys = venue.products[USDM].listen_keys
    return sum(keys.expire(account, silent=fault.how == "silent") for account in _accounts(venue, fault))


def _end_user_stream(venue: Venue, fault: Fault) -> int:
    subscriptions, now_ms = venue.products[SPOT].subscriptions, venue.clock.timestamp_ms()
    silent = fault.how == "silent"
    return sum(subscriptions.end(account, now_ms, silent=silent) for account in _accounts(venue, fault))


def _replay_events(venue: Venue, fault: Fault) -> int:
    return sum(
        product.user_feed.replay(account, fault.n)
        for product in _products(venue, fault)
        for account in _accounts(venue, fault)
    )


# -- orders ---------------------------------------------------------------------------------------------------


def _manual_order(venue: Venue, fault: Fault) -> int:
    product, account = _product(venue, fault), _account(venue, fault)
    request = OrderRequest(
        listing=_market(product, fault).listing,
        side=Side[fault.side],
        type="MARKET" if fault.price is None else "LIMIT",
        tif="GTC",
        amount=fault.amount,
        price=fault.price,
        client_id=fault.client_id or MANUAL_CLIENT_ID.format(product.new_id()),
        response="ACK",
    )
    try:
        product.trading.place(account, request)
    except ApiError as refused:
        raise ValueError(f"the venue refuses the manual order: {refused.code} {refused.message}") from None
    return 1


def _manual_cancel(venue: Venue, fault: Fault) -> int:
    chosen = list(_open_orders(venue, fault))
    for product, record in chosen:
        product.trading.cancel(record)
    return len(chosen)


def _end_order(venue: Venue, fault: Fault) -> int:
    chosen = list(_open_orders(venue, fault))
    for product, record in chosen:
        product.trading.end(record, fault.how)
    return len(chosen)


def _fill_order(venue: Venue, fault: Fault) -> int:
    return sum(product.trading.fill(record, fault.part) for product, record in _open_orders(venue, fault))


# -- positions and money --------------------------------------------------------------------------------------


def _liquidate(venue: Venue, fault: Fault) -> int:
    """Open orders of the symbol go, the position is closed at the market, and a fee goes to the insurance fund."""
    product, account = venue.products[USDM], _account(venue, fault)
    market = _market(product, fault)
    for record in product.trading.open_orders(account, market.symbol):
        product.trading.end(record, "CANCELED")
    ledger = account.ledgers[USDM]
    lots, value = ledger.position_lots(market.symbol), abs(_position_value(account, market))
    if not lots:
        return 0
    stamp = venue.clock.timestamp_ms()
    while product.trading.find(account, market.symbol, None, LIQUIDATION_CLIENT_ID.format(stamp)):
        stamp += 1
    side = Side.SELL if lots > 0 else Side.BUY
    product.trading.close_out(account, market, side, abs(lots), LIQUIDATION_CLIENT_ID.format(stamp))
    asset = market.listing.settle
    fee = min((value * LIQUIDATION_FEE).quantize(FEE_QUANTUM), max(ledger.wallet(asset), Decimal(0)))
    if fee:
        ledger.transfer(asset, -fee, f"liquidation:{market.symbol}")
        product.history.note(account)
        product.usdm_voice.money_moved(account, "INSURANCE_CLEAR", asset, -fee, [])
    return 1


def _adl(venue: Venue, fault: Fault) -> int:
    """Closes a part of the position at the mark, against nobody in the book."""
    product, account = venue.products[USDM], _account(venue, fault)
    market = _market(product, fault)
    lots = account.ledgers[USDM].position_lots(market.symbol)
    if not lots:
        return 0
    closed = max(1, int(abs(lots) * fault.part))
    side = Side.SELL if lots > 0 else Side.BUY
    price = (market.touch.bid + market.touch.ask) // 2
    product.trading.close_out(account, market, side, closed, ADL_CLIENT_ID, price)
    return 1


def _funding(venue: Venue, fault: Fault) -> int:
    product, struck = venue.products[USDM], 0
    market = _market(product, fault)
    for account in _accounts(venue, fault):
        entries = account.ledgers[USDM].funding(market.symbol, fault.rate, market.mark)
        paid = sum((entry.amount for entry in entries), Decimal(0))
        if entries:
            product.history.note(account)
            isolated = market.symbol in account.isolated
            view = FuturesView(account, {market.symbol: market})
            positions = [view.position(market.symbol)] if isolated else []
            product.usdm_voice.money_moved(account, "FUNDING_FEE", market.listing.settle, paid, positions)
            struck += 1
    return struck


def _transfer(venue: Venue, fault: Fault) -> int:
    product, account = _product(venue, fault), _account(venue, fault)
    ledger, asset, amount = account.ledgers[product.name], fault.asset, fault.amount
    if not amount or ledger.free(asset) + amount < 0:
        raise ValueError(f"{amount} {asset} cannot be transferred: {ledger.free(asset)} are free")
    ledger.transfer(asset, amount)
    product.history.note(account)
    if product.name == SPOT:
        product.spot_voice.money_moved(account, asset, amount)
    else:
        product.usdm_voice.money_moved(account, "DEPOSIT" if amount > 0 else "WITHDRAW", asset, amount, [])
    return 1


# -- who is meant ---------------------------------------------------------------------------------------------


def _products(venue: Venue, fault: Fault) -> list[Product]:
    return list(venue.products.values()) if fault.product is None else [_product(venue, fault)]


def _product(venue: Venue, fault: Fault) -> Product:
    product = venue.products.get(fault.product or USDM)
    if product is None:
        raise ValueError(f"no product is called {fault.product!r}; there are {', '.join(venue.products)}")
    return product


def _accounts(venue: Venue, fault: Fault) -> list[Account]:
    return list(venue.accounts.by_name.values()) if fault.account is None else [_account(venue, fault)]


def _account(venue: Venue, fault: Fault) -> Account:
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


def _open_orders(venue: Venue, fault: Fault) -> Iterator[tuple[Product, OrderRecord]]:
    for product in _products(venue, fault):
        for account in _accounts(venue, fault):
            for record in product.trading.open_orders(account, fault.symbol):
                if fault.client_id in {None, record.client_id}:
                    yield product, record


def _position_value(account: Account, market: Market) -> Decimal:
    return market.listing.lot * account.ledgers[USDM].position_lots(market.symbol) * market.mark


DEEDS: dict[str, Deed] = {
    "disconnect": _disconnect,
    "expire_listen_key": _expire_listen_key,
    "end_user_stream": _end_user_stream,
    "replay_events": _replay_events,
    "manual_order": _manual_order,
    "manual_cancel": _manual_cancel,
    "end_order": _end_order,
    "fill_order": _fill_order,
    "liquidate": _liquidate,
    "adl": _adl,
    "funding": _funding,
    "transfer": _transfer,
}
