"""A new order: from its parameters to a typed request, or the refusal that names the wrong one."""

from __future__ import annotations

from decimal import ROUND_CEILING, ROUND_FLOOR, Decimal

from nexustrader.emulator.bybit.accounts import BybitAccount
from nexustrader.emulator.bybit.categories import FUTURES, OPTION, POSITION_SIDES, SPOT
from nexustrader.emulator.bybit.errors import bad, refusal, unserved
from nexustrader.emulator.bybit.handlers import params as read
from nexustrader.emulator.bybit.handlers.params import Params
from nexustrader.emulator.market.listing import Listing
from nexustrader.emulator.market.market import Market
from nexustrader.emulator.orders.request import OrderRequest, Trigger
from nexustrader.sim.money import plain
from nexustrader.sim.types import SelfTradePrevention, Side, TimeInForce

SIDES = {"Buy": Side.BUY, "Sell": Side.SELL}
CORE_TIFS: dict[str, TimeInForce] = {"GTC": "GTC", "PostOnly": "GTC", "IOC": "IOC", "FOK": "FOK"}
SELF_TRADE: dict[str, SelfTradePrevention] = {
    "None": "NONE",
    "CancelMaker": "EXPIRE_MAKER",
    "CancelTaker": "EXPIRE_TAKER",
    "CancelBoth": "EXPIRE_BOTH",
}
TRIGGERS = ("LastPrice", "IndexPrice", "MarkPrice")
RISING, FALLING = "1", "2"
MARKET_BOUND = Decimal("0.05")  # how far from the mark the limit lies that a market order becomes
# Terms of orders that the venue has and this emulator has not.
UNSERVED = (
    "takeProfit",
    "stopLoss",
    "slippageTolerance",
    "bboSideType",
    "orderIv",
    "tpLimitPrice",
    "slLimitPrice",
)


def order_request(params: Params, account: BybitAccount, market: Market) -> OrderRequest:
    """A new order of one market. Raises BybitError naming what is missing, malformed or not allowed."""
    listing = market.listing
    side = SIDES[read.choice(params, "side", tuple(SIDES))]
    kind = read.choice(params, "orderType", ("Market", "Limit"))
    for name in UNSERVED:
        if params.get(name, "0") not in {"", "0"}:
            raise unserved(name)
    quantity = _quantity(params, account, market)
    price = read.amount(params, "price") if kind == "Limit" else None
    tif = "IOC" if kind == "Market" else read.choice(params, "timeInForce", tuple(CORE_TIFS), "GTC")
    index = _index(params, account, listing)
    link_id = read.link_id(params)
    if listing.product == OPTION and not link_id:
        raise bad("orderLinkId is required for options")
    smp = read.choice(params, "smpType", tuple(SELF_TRADE), "None")
    terms = {
        "orderLinkId": link_id,
        "smpType": smp,
        "lastPriceOnCreated": market.prices.text(market.candles.last),
    }
    if kind == "Market":
        terms["bound"] = plain(_bound(market, side))
    trigger, more = _trigger(params, market)
    terms |= more
    in_quote = _is_in_quote(params, listing, side, kind)
    if listing.product == SPOT and kind == "Market":
        terms |= {"marketUnit": "quoteCoin" if in_quote else "baseCoin", "qty": plain(quantity)}
    return OrderRequest(
        listing=listing,
        side=side,
        type=kind,
        tif=tif,
        core_tif=CORE_TIFS[tif],
        post_only=tif == "PostOnly",
        amount=None if in_quote else quantity,
        quote_amount=quantity if in_quote else None,
        price=None if price is None else within_bounds(market, side, price),
        client_id=link_id or None,
        stp=SELF_TRADE[smp],
        reduce_only=_reduces(params, listing, side, index),
        position_side=POSITION_SIDES[index],
        trigger=trigger,
        terms=terms,
    )


def within_bounds(market: Market, side: Side, price: Decimal) -> Decimal:
    """The price of a futures order, which the venue silently brings within its bounds."""
    listing = market.listing
    if listing.product not in FUTURES:
        return price
    if side is Side.BUY:
        return min(price, _on_grid(market.mark * listing.band_up, listing.tick, ROUND_FLOOR))
    return max(price, _on_grid(market.mark * listing.band_down, listing.tick, ROUND_CEILING))


def _quantity(params: Params, account: BybitAccount, market: Market) -> Decimal:
    """The amount; 0 of an order that closes on its trigger means the whole position."""
    quantity = read.amount(params, "qty")
    if quantity or not (read.flag(params, "reduceOnly") and read.flag(params, "closeOnTrigger")):
        return quantity
    side = POSITION_SIDES[_index(params, account, market.listing)]
    lots = abs(account.ledger.position_lots(market.key, side))
    if not lots:
        raise refusal(110017)
    return min(market.instrument.amount(lots), market.listing.max_amount)


def _index(params: Params, account: BybitAccount, listing: Listing) -> int:
    index = read.integer(params, "positionIdx", 0)
    assert index is not None
    if listing.kind == "spot":
        return 0
    if index not in account.position_sides(listing.symbol):
        raise bad("position idx not match position mode")
    return index


def _reduces(params: Params, listing: Listing, side: Side, index: int) -> bool:
    """True for an order that may only reduce; in hedge mode every order against its side does."""
    asked = read.flag(params, "reduceOnly")
    if listing.kind == "spot":
        return False
    closes = (index, side) in {(1, Side.SELL), (2, Side.BUY)}
    if index and asked and not closes:
        raise refusal(110017)
    return asked or closes


def _is_in_quote(params: Params, listing: Listing, side: Side, kind: str) -> bool:
    if listing.product != SPOT or kind != "Market":
        return False
    default = "quoteCoin" if side is Side.BUY else "baseCoin"
    return read.choice(params, "marketUnit", ("baseCoin", "quoteCoin"), default) == "quoteCoin"


def _trigger(params: Params, market: Market) -> tuple[Trigger | None, dict[str, str]]:
    """The trigger of a conditional order and its terms; none for any other."""
    if not params.get("triggerPrice") or params["triggerPrice"] == "0":
        return None, {}
    if market.listing.product not in FUTURES:
        raise unserved("triggerPrice")
    direction = read.choice(params, "triggerDirection", (RISING, FALLING))
    by = read.choice(params, "triggerBy", TRIGGERS, "LastPrice")
    price = trigger_price(market, params["triggerPrice"])
    return Trigger(price, direction == RISING, by != "LastPrice"), {
        "triggerDirection": direction,
        "triggerBy": by,
        "stopOrderType": "Stop",
        "closeOnTrigger": "true" if read.flag(params, "closeOnTrigger") else "false",
    }


def trigger_price(market: Market, text: str) -> Decimal:
    """The price of a trigger. Raises BybitError off the grid."""
    price = read.amount({"triggerPrice": text}, "triggerPrice")
    if price % market.listing.tick:
        raise bad("triggerPrice is no multiple of the tick")
    return price


def _bound(market: Market, side: Side) -> Decimal:
    """The limit that a market order becomes."""
    rounding = ROUND_FLOOR if side is Side.BUY else ROUND_CEILING
    return _on_grid(market.mark * (1 + side * MARKET_BOUND), market.listing.tick, rounding)


def _on_grid(value: Decimal, tick: Decimal, rounding: str) -> Decimal:
    return (value / tick).to_integral_value(rounding) * tick
