"""Requests about accounts: balances, positions, settings, limits and listen keys."""

# All handlers share one signature, though some need nothing of the call.
# ruff: noqa: ARG001

from __future__ import annotations

from nexustrader.emulator.binance.accounts import FuturesView, spot_balances
from nexustrader.emulator.binance.encode import encode_coinm, encode_spot, encode_usdm_account
from nexustrader.emulator.binance.encode.encode_usdm import PositionView
from nexustrader.emulator.binance.encode.encode_usdm_account import NOTIONAL_MAX
from nexustrader.emulator.binance.encode.market_coinm import pair_of
from nexustrader.emulator.binance.errors import ApiError, refusal
from nexustrader.emulator.binance.handlers import requests
from nexustrader.emulator.binance.handlers.operation import Call
from nexustrader.emulator.binance.instruments import ASSETS, LISTINGS
from nexustrader.emulator.binance.limits import ORDERS
from nexustrader.emulator.binance.topics import COINM, SPOT
from nexustrader.emulator.market.listing import LEVERAGE_MAX

SUCCESS = {"code": 200, "msg": "success"}


def spot_account(call: Call) -> object:
    """Balances and rights of the spot account."""
    account = call.owner
    balances = spot_balances(account, dict.fromkeys((*ASSETS[SPOT], *account.ledgers[SPOT].assets())))
    if requests.flag(call.params, "omitZeroBalances"):
        balances = {asset: amounts for asset, amounts in balances.items() if any(amounts)}
    listing = LISTINGS[SPOT]["BTCUSDT"]
    return encode_spot.account(
        account.uid, balances, (listing.maker, listing.taker), account.updated_ms[SPOT]
    )


def spot_commission(call: Call) -> object:
    """Fees of one spot symbol."""
    listing = requests.symbol(call.params, call.product.listings)
    nothing = {"maker": "0.00000000", "taker": "0.00000000", "buyer": "0.00000000", "seller": "0.00000000"}
    return {
        "symbol": listing.symbol,
        "standardCommission": {**nothing, "maker": f"{listing.maker:.8f}", "taker": f"{listing.taker:.8f}"},
        "specialCommission": nothing,
        "taxCommission": nothing,
        "discount": {
            "enabledForAccount": False,
            "enabledForSymbol": False,
            "discountAsset": "BNB",
            "discount": "0.75000000",
        },
    }


def order_limits(call: Call) -> object:
    """Usage of the order limits; futures leave the count out."""
    limiter = call.product.limiter
    rows = []
    for rule in limiter.rules:
        if rule.kind == ORDERS:
            row = rule.view()
            if call.product.name == SPOT:
                row["count"] = limiter.used(rule, call.owner.name, call.now_ms)
            rows.append(row)
    return rows


def usdm_balance(call: Call) -> object:
    """The futures wallet of every asset."""
    return [encode_usdm_account.balance(money) for money in _view(call).moneys()]


def usdm_account_v2(call: Call) -> object:
    """The futures account with every symbol."""
    view = _view(call)
    return encode_usdm_account.account_v2(view.moneys(), view.positions(active=False))


def usdm_account_v3(call: Call) -> object:
    """The futures account with the active symbols."""
    view = _view(call)
    return encode_usdm_account.account_v3(view.moneys(), view.positions(active=True))


def position_risk_v2(call: Call) -> object:
    """Positions of one or of every symbol."""
    return [encode_usdm_account.position_v2(view) for view in positions_of(call, active=False)]


def position_risk_v3(call: Call) -> object:
    """Positions that are not flat or have open orders."""
    return [encode_usdm_account.position_v3(view) for view in positions_of(call, active=True)]


def coinm_balance(call: Call) -> object:
    """The wallet of every coin."""
    return [encode_coinm.balance(money) for money in _view(call).moneys()]


def coinm_position_risk(call: Call) -> object:
    """Positions of every contract, or of those of one pair or one coin."""
    return [encode_coinm.position(view) for view in coinm_positions(call)]


def coinm_positions(call: Call) -> list[PositionView]:
    """The positions that a request for contracts asks for."""
    pair, coin = call.params.get("pair"), call.params.get("marginAsset")
    return [
        view
        for view in _view(call).positions(active=False)
        if pair in {None, pair_of(view.listing)} and coin in {None, view.listing.settle}
    ]


def set_leverage(call: Call) -> object:
    """Sets the leverage of one symbol."""
    listing = requests.symbol(call.params, call.product.listings)
    requests.required(call.params, "leverage")
    leverage = requests.integer(call.params, "leverage")
    assert leverage is not None
    if not 1 <= leverage <= LEVERAGE_MAX:
        raise refusal(-4028, leverage)
    call.owner.ledgers[call.product.name].set_leverage(listing.symbol, leverage)
    call.product.futures_voice.leverage_changed(call.owner, listing.symbol, leverage)
    most = (
        {"maxQty": encode_coinm.MAX_CONTRACTS}
        if call.product.name == COINM
        else {"maxNotionalValue": NOTIONAL_MAX}
    )
    return {"leverage": leverage, **most, "symbol": listing.symbol}


def set_margin_type(call: Call) -> object:
    """Sets the margin type of one symbol; not while it has orders or a position."""
    listing = requests.symbol(call.params, call.product.listings)
    wanted = requests.required(call.params, "marginType")
    if wanted not in {"ISOLATED", "CROSSED"}:
        raise refusal(-1102, "marginType")
    account = call.owner
    if (wanted == "ISOLATED") == (listing.symbol in account.isolated):
        raise refusal(-4046)
    if call.product.trading.open_orders(account, listing.symbol):
        raise refusal(-4047)
    if account.ledgers[call.product.name].position_lots(listing.symbol):
        raise refusal(-4048)
    (account.isolated.add if wanted == "ISOLATED" else account.isolated.discard)(listing.symbol)
    return SUCCESS


def position_mode(call: Call) -> object:
    """The position mode: always one-way here."""
    return {"dualSidePosition": False}


def set_position_mode(call: Call) -> object:
    """One-way is in force already; hedge mode is not emulated."""
    if requests.flag(call.params, "dualSidePosition"):
        raise ApiError(-1020, "Hedge mode is not emulated; keep dualSidePosition=false.")
    raise refusal(-4059)


def multi_assets_mode(call: Call) -> object:
    """Single-asset mode, always."""
    return {"multiAssetsMargin": False}


def account_config(call: Call) -> object:
    """Settings of the futures account."""
    return {
        "feeTier": 0,
        "canTrade": True,
        "canDeposit": True,
        "canWithdraw": False,
        "dualSidePosition": False,
        "updateTime": 0,
        "multiAssetsMargin": False,
        "tradeGroupId": -1,
    }


def symbol_config(call: Call) -> object:
    """Settings of one or of every futures symbol."""
    return [
        {
            "symbol": view.listing.symbol,
            "marginType": "ISOLATED" if view.isolated else "CROSSED",
            "isAutoAddMargin": False,
            "leverage": int(view.leverage),
            "maxNotionalValue": NOTIONAL_MAX,
        }
        for view in positions_of(call, active=False)
    ]


def usdm_commission(call: Call) -> object:
    """Fees of one futures symbol."""
    listing = requests.symbol(call.params, call.product.listings)
    return {
        "symbol": listing.symbol,
        "makerCommissionRate": str(listing.maker),
        "takerCommissionRate": str(listing.taker),
        "rpiCommissionRate": "0.00005",
    }


def start_listen_key(call: Call) -> object:
    """A listen key, the same while it lives."""
    return {"listenKey": call.product.listen_keys.start(call.owner)}


def keep_listen_key(call: Call) -> object:
    """The key's hour begins again."""
    return {"listenKey": call.product.listen_keys.keep_alive(call.owner)}


def close_listen_key(call: Call) -> object:
    """The key ends."""
    call.product.listen_keys.close(call.owner)
    return {}


def _view(call: Call) -> FuturesView:
    return FuturesView(call.owner, call.product.markets, call.product.name)


def positions_of(call: Call, *, active: bool) -> list[PositionView]:
    """The positions that a request asks for."""
    view = _view(call)
    if not call.params.get("symbol"):
        return view.positions(active=active)
    symbol = requests.symbol(call.params, call.product.listings).symbol
    return [position for position in view.positions(active=active) if position.listing.symbol == symbol]
