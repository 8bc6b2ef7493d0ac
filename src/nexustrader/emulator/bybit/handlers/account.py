"""Requests about the account: wallet, positions, settings, fees and the key itself."""

from __future__ import annotations

from nexustrader.emulator.bybit.categories import INVERSE, LINEAR, OPTION
from nexustrader.emulator.bybit.dead_man import DEFAULT_GROUP, GROUPS, WINDOW_S_MAX, WINDOW_S_MIN
from nexustrader.emulator.bybit.encode import account as words
from nexustrader.emulator.bybit.errors import bad, refusal
from nexustrader.emulator.bybit.handlers import params as read
from nexustrader.emulator.bybit.handlers.operation import Body, Call
from nexustrader.emulator.bybit.handlers.pages import page
from nexustrader.emulator.bybit.instruments import LEVERAGE_MAX
from nexustrader.sim.money import plain

POSITIONS, POSITIONS_MAX = 20, 200
ONE_WAY, HEDGE = "0", "3"
MARGIN_MODES = ("ISOLATED_MARGIN", "REGULAR_MARGIN", "PORTFOLIO_MARGIN")
UNIFIED = 5  # unifiedMarginStatus
WINDOW_S = 10  # of the end of orders on a disconnect, where none is armed
DERIVATIVES = (LINEAR, INVERSE, OPTION)


def wallet_balance(call: Call) -> Body:
    """The wallet, whole or of some coins."""
    if read.required(call.params, "accountType") != "UNIFIED":
        raise bad("accountType only support UNIFIED.")
    coins = [coin for coin in call.params.get("coin", "").split(",") if coin]
    view = call.view
    return {"list": [words.wallet(view.coins(coins), view.coins())]}


def account_info(call: Call) -> Body:
    """Settings of the account."""
    window_s = call.venue.dead_man.window_s(call.owner)
    return {
        "marginMode": call.owner.margin_mode,
        "updatedTime": str(call.now_ms),
        "unifiedMarginStatus": UNIFIED,
        "dcpStatus": "OFF" if window_s is None else "ON",
        "timeWindow": window_s or WINDOW_S,
        "smpGroup": 0,
        "isMasterTrader": False,
        "spotHedgingStatus": "OFF",
    }


def fee_rate(call: Call) -> Body:
    """Fees of one symbol or of all of a category."""
    product = call.product
    markets = [call.market] if call.params.get("symbol") else list(product.markets.values())
    rows = [
        {
            "symbol": market.symbol,
            "takerFeeRate": plain(market.listing.taker),
            "makerFeeRate": plain(market.listing.maker),
            "baseCoin": "",
        }
        for market in markets
    ]
    return {"category": product.name, "list": rows}


def positions(call: Call) -> Body:
    """The positions of a symbol, flat ones too; of a coin only real ones."""
    params = call.params
    category = read.category(params, DERIVATIVES)
    symbol, settle, base = (params.get(name) or None for name in ("symbol", "settleCoin", "baseCoin"))
    if symbol is None and settle is None and category == LINEAR:
        raise bad("symbol or settleCoin is missing")
    wanted = None if symbol is None else call.market.symbol
    rows = [
        view
        for view in call.view.positions()
        if view.market.listing.product == category
        and wanted in {None, view.market.symbol}
        and (wanted is not None or view.lots)
        and settle in {None, view.market.listing.settle}
        and base in {None, view.market.listing.base}
    ]
    limit = read.limit(params, POSITIONS, POSITIONS_MAX)
    shown, cursor = page(
        rows, limit, params.get("cursor", ""), lambda view: f"{view.market.symbol}:{view.index}"
    )
    sequence = call.venue.next_sequence()
    return {
        "category": category,
        "nextPageCursor": cursor,
        "list": [words.position(view, sequence) for view in shown],
    }


def set_leverage(call: Call) -> Body:
    """Sets the leverage of a symbol, which is one for both sides."""
    read.category(call.params, (LINEAR, INVERSE))
    market, ledger = call.market, call.owner.ledger
    buy, sell = read.amount(call.params, "buyLeverage"), read.amount(call.params, "sellLeverage")
    if buy != sell:
        raise bad("buy leverage must equal sell leverage")
    if not 1 <= buy <= LEVERAGE_MAX:
        raise refusal(110013, buy, LEVERAGE_MAX)
    if buy == ledger.leverage(market.key):
        raise refusal(110043)
    ledger.set_leverage(market.key, buy)
    return {}


def switch_mode(call: Call) -> Body:
    """One-way or hedge mode, of a symbol or of all that settle in a coin."""
    read.category(call.params, (LINEAR,))
    product, account = call.product, call.owner
    wants_hedge = read.choice(call.params, "mode", (ONE_WAY, HEDGE)) == HEDGE
    if call.params.get("symbol"):
        markets = [call.market]
    else:
        coin = read.required(call.params, "coin")
        markets = [one for one in product.markets.values() if one.listing.settle == coin]
    changed = [market for market in markets if (market.symbol in account.hedged) != wants_hedge]
    if not changed:
        raise refusal(110025)
    for market in changed:
        if any(account.ledger.position_lots(market.key, side) for side in ("BOTH", "LONG", "SHORT")):
            raise refusal(110024)
        if product.trading.open_orders(account, market.symbol):
            raise refusal(110028)
    for market in changed:
        (account.hedged.add if wants_hedge else account.hedged.discard)(market.symbol)
    return {}


def set_margin_mode(call: Call) -> Body:
    """Keeps the margin mode; positions are reckoned as cross all the same."""
    call.owner.margin_mode = read.choice(call.params, "setMarginMode", MARGIN_MODES)
    return {"reasons": []}


def disconnected_cancel_all(call: Call) -> Body:
    """Arms the end of all orders for when nobody hears the account's `dcp` topic any more."""
    window_s = read.integer(call.params, "timeWindow")
    if window_s is None or not WINDOW_S_MIN <= window_s <= WINDOW_S_MAX:
        raise bad(f"timeWindow is {WINDOW_S_MIN} to {WINDOW_S_MAX} s")
    group = read.choice(call.params, "product", tuple(GROUPS), DEFAULT_GROUP)
    call.venue.dead_man.arm(call.owner, group, window_s)
    return {}


def query_api(call: Call) -> Body:
    """What the key may do."""
    return {
        "id": str(call.owner.uid),
        "note": "emulated",
        "apiKey": call.owner.api_key,
        "readOnly": 0,
        "secret": "",
        "permissions": {
            "ContractTrade": ["Order", "Position"],
            "Spot": ["SpotTrade"],
            "Wallet": [],
            "Options": ["OptionsTrade"],
            "Derivatives": [],
            "CopyTrading": [],
            "BlockTrade": [],
            "Exchange": [],
            "NFT": [],
            "Affiliate": [],
        },
        "ips": ["*"],
        "type": 1,
        "deadlineDay": 90,
        "expiredAt": "2099-01-01T00:00:00Z",
        "createdAt": "2024-01-01T00:00:00Z",
        "unified": 0,
        "uta": 1,
        "userID": call.owner.uid,
        "inviterID": 0,
        "vipLevel": "No VIP",
        "mktMakerLevel": "0",
        "affiliateID": 0,
        "rsaPublicKey": "",
        "isMaster": True,
        "parentUid": "0",
        "kycLevel": "LEVEL_DEFAULT",
        "kycRegion": "",
    }
