"""Requests about portfolio margin: the orders of three products under one account, leaner than their own calls."""

from __future__ import annotations

import msgspec

from nexustrader.emulator.binance.encode import encode_coinm, encode_usdm_account
from nexustrader.emulator.binance.encode.numbers import eight
from nexustrader.emulator.binance.errors import refusal
from nexustrader.emulator.binance.handlers import order_operations as order
from nexustrader.emulator.binance.handlers import requests
from nexustrader.emulator.binance.handlers.account_operations import coinm_positions, positions_of
from nexustrader.emulator.binance.handlers.operation import Call
from nexustrader.emulator.binance.topics import COINM, SPOT, USDM
from nexustrader.emulator.orders.accounts import ZERO

CLIENT_ID_LENGTH_MAX = 32
# What rows of other accounts have and these lack.
LACKING = frozenset({"closePosition", "stopPrice", "workingType", "priceProtect"})
REPLIES_LACKING = frozenset({"origType"})
COINM_LACKING = frozenset({"priceMatch", "selfTradePreventionMode"})
TRADES_LACKING = frozenset({"marginAsset", "baseQty"})
POSITIONS_LACKING = frozenset({
    "marginType", "isolatedMargin", "isAutoAddMargin", "isolatedWallet", "breakEvenPrice",
})  # fmt: skip


def place(call: Call) -> object:
    """Places an order of futures, whose client id is shorter than elsewhere."""
    if len(call.params.get("newClientOrderId", "")) > CLIENT_ID_LENGTH_MAX:
        raise refusal(-4015)
    return order.place(call)


def place_margin(call: Call) -> object:
    """Places an order on the spot market; its executions have no ids here."""
    reply = order.place(call)
    assert isinstance(reply, dict)
    for execution in reply.get("fills", ()):
        del execution["tradeId"]
    return reply


def my_trades(call: Call) -> object:
    """Executions of futures cannot be asked for by order."""
    params = {name: value for name, value in call.params.items() if name != "orderId"}
    return order.my_trades(msgspec.structs.replace(call, params=params))


def open_orders(call: Call) -> object:
    """Of margin by symbol only."""
    requests.required(call.params, "symbol")
    return order.open_orders(call)


def balance(call: Call) -> object:
    """The three wallets of every asset."""
    ledgers = call.owner.ledgers
    assets = dict.fromkeys(asset for ledger in ledgers.values() for asset in ledger.assets())
    rows = []
    for asset in assets:
        um, cm = ledgers[USDM].wallet(asset), ledgers[COINM].wallet(asset)
        rows.append({
            "asset": asset,
            "totalWalletBalance": eight(ledgers[SPOT].wallet(asset) + um + cm),
            "crossMarginAsset": eight(ledgers[SPOT].wallet(asset)),
            "crossMarginBorrowed": eight(ZERO),
            "crossMarginFree": eight(ledgers[SPOT].free(asset)),
            "crossMarginInterest": eight(ZERO),
            "crossMarginLocked": eight(ledgers[SPOT].locked(asset)),
            "umWalletBalance": eight(um),
            "umUnrealizedPNL": eight(ledgers[USDM].equity(asset) - um),
            "cmWalletBalance": eight(cm),
            "cmUnrealizedPNL": eight(ledgers[COINM].equity(asset) - cm),
            "updateTime": max(call.owner.updated_ms.values()),
            "negativeBalance": "0",
        })  # fmt: skip
    return rows


def um_positions(call: Call) -> object:
    """Positions of USD-M."""
    return [encode_usdm_account.position_v2(view) for view in positions_of(call, active=False)]


def cm_positions(call: Call) -> object:
    """Positions of COIN-M, and what they are worth."""
    return [
        {**encode_coinm.position(view), "notionalValue": encode_coinm.worth(view)}
        for view in coinm_positions(call)
    ]


def start_listen_key(call: Call) -> object:
    """A listen key, the same while it lives."""
    return {"listenKey": call.product.portfolio_keys.start(call.owner)}


def keep_listen_key(call: Call) -> object:
    """The key's hour begins again."""
    call.product.portfolio_keys.keep_alive(call.owner)
    return {}


def close_listen_key(call: Call) -> object:
    """The key ends."""
    call.product.portfolio_keys.close(call.owner)
    return {}
