"""Requests about cross and isolated margin: spot orders that may borrow, what is owned and owed, listen tokens."""

from __future__ import annotations

from decimal import Decimal

from nexustrader.emulator.binance.encode.numbers import eight
from nexustrader.emulator.binance.errors import refusal
from nexustrader.emulator.binance.handlers import order_operations as order
from nexustrader.emulator.binance.handlers import requests
from nexustrader.emulator.binance.handlers.operation import Call
from nexustrader.emulator.binance.handlers.rows import Handler, each, without
from nexustrader.emulator.binance.side_accounts import isolated_of
from nexustrader.emulator.errors import VenueError
from nexustrader.emulator.orders.accounts import ZERO, Account
from nexustrader.sim.types import Side

LACKING = frozenset({"orderListId", "workingTime"})
CANCEL_LACKING = frozenset({"transactTime", "selfTradePreventionMode"})
BORROWING = frozenset({"MARGIN_BUY", "AUTO_BORROW_REPAY"})
REPAYING = frozenset({"AUTO_REPAY", "AUTO_BORROW_REPAY"})
EFFECTS = frozenset({"NO_SIDE_EFFECT", *BORROWING, *REPAYING})
BORROWED_MAX = {"USDT": Decimal(500_000)}
BORROWED_MAX_USUAL = Decimal(10)
SLIPPAGE = Decimal("1.01")  # what a market order may cost above the mark
VALIDITY_MS = 86_400_000

Body = dict[str, object]


def place(call: Call) -> object:
    """Places an order on the spot market, with borrowed money where that is asked for and needed."""
    effect = call.params.get("sideEffectType", "NO_SIDE_EFFECT")
    if effect not in EFFECTS:
        raise refusal(-1102, "sideEffectType")
    asset, amount = _missing(call) if effect in BORROWING else ("", ZERO)
    ledger = call.owner.ledgers[call.product.name]
    if amount:
        if call.owner.loans.get(asset, ZERO) + amount > BORROWED_MAX.get(asset, BORROWED_MAX_USUAL):
            raise refusal(-3006)
        ledger.transfer(asset, amount, "loan")
    try:
        reply = order.place(call)
    except VenueError:
        if amount:
            ledger.transfer(asset, -amount, "loan")
        raise
    assert isinstance(reply, dict)
    if amount:
        call.owner.loans[asset] = call.owner.loans.get(asset, ZERO) + amount
        reply |= {"marginBuyBorrowAmount": eight(amount), "marginBuyBorrowAsset": asset}
    if effect in REPAYING:
        _repay(call)
    return reply


def marked(handler: Handler) -> Handler:
    """The same answer, with the kind of account in each row."""
    return each(
        without(handler, LACKING),
        lambda call, row: {**row, "isIsolated": requests.flag(call.params, "isIsolated")},
    )


def cancel(call: Call) -> object:
    """Cancels one order; its id comes back as text here."""
    reply = order.cancel(call)
    assert isinstance(reply, dict)
    return {**reply, "orderId": str(reply["orderId"])}


def open_orders(call: Call) -> object:
    """Of isolated margin by symbol only."""
    if requests.flag(call.params, "isIsolated"):
        requests.required(call.params, "symbol")
    return order.open_orders(call)


def cross_account(call: Call) -> object:
    """What the cross account owns and owes."""
    return {
        "created": True,
        "borrowEnabled": True,
        "marginLevel": "999.00000000",
        "collateralMarginLevel": "999.00000000",
        "tradeEnabled": True,
        "transferInEnabled": True,
        "transferOutEnabled": True,
        "accountType": "MARGIN_1",
        "userAssets": [_asset(call.owner, asset) for asset in call.owner.ledgers[call.product.name].assets()],
    }


def isolated_account(call: Call) -> object:
    """What each isolated account owns and owes."""
    wanted = call.params.get("symbols")
    return {
        "assets": [
            {
                "symbol": symbol,
                "isolatedCreated": True,
                "enabled": True,
                "marginLevel": "999.00000000",
                "marginLevelStatus": "EXCESSIVE",
                "tradeEnabled": True,
                "baseAsset": _asset(account, call.product.listings[symbol].base),
                "quoteAsset": _asset(account, call.product.listings[symbol].quote),
            }
            for symbol, account in isolated_of(call.product.accounts, call.owner).items()
            if symbol in call.product.listings and (wanted is None or symbol in wanted.split(","))
        ]
    }


def listen_token(call: Call) -> object:
    """A token for the private events of one account, for a day at most."""
    validity_ms = requests.integer(call.params, "validity", VALIDITY_MS)
    assert validity_ms is not None
    if not 0 < validity_ms <= VALIDITY_MS:
        raise refusal(-1102, "validity")
    return call.product.listen_tokens.issue(call.owner, call.now_ms + validity_ms)


def _missing(call: Call) -> tuple[str, Decimal]:
    """What the account lacks for the order."""
    request = requests.spot_order(call.params, call.product.listings)
    amount = request.amount or ZERO
    price = request.price or call.product.markets[request.listing.symbol].mark * SLIPPAGE
    asset, need = (
        (request.listing.quote, amount * price)
        if request.side is Side.BUY
        else (request.listing.base, amount)
    )
    return asset, max(ZERO, need - call.owner.ledgers[call.product.name].free(asset))


def _repay(call: Call) -> None:
    """Pays back from what is free of every asset that is owed."""
    ledger = call.owner.ledgers[call.product.name]
    for asset, owed in list(call.owner.loans.items()):
        paid = min(owed, ledger.free(asset))
        if paid > 0:
            ledger.transfer(asset, -paid, "loan")
            call.owner.loans[asset] = owed - paid


def _asset(account: Account, asset: str) -> Body:
    (ledger,) = account.ledgers.values()
    owed = account.loans.get(asset, ZERO)
    return {
        "asset": asset,
        "borrowed": eight(owed),
        "free": eight(ledger.free(asset)),
        "interest": eight(ZERO),
        "locked": eight(ledger.locked(asset)),
        "netAsset": eight(ledger.wallet(asset) - owed),
    }
