"""Order requests: from parameters as text to a typed request, or the refusal that names the wrong parameter."""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping
from decimal import Decimal

from nexustrader.emulator.binance.errors import ApiError, refusal
from nexustrader.emulator.binance.topics import COINM, SPOT, USDM
from nexustrader.emulator.market.listing import Listing
from nexustrader.emulator.orders.request import OrderRequest, Trigger
from nexustrader.sim.types import SelfTradePrevention, Side, TimeInForce

Params = Mapping[str, str]

DECIMAL_RANGE = r"^([0-9]{1,20})(\.[0-9]{1,20})?$"
SPOT_ID_RANGE = r"^[a-zA-Z0-9-_]{1,36}$"
USDM_ID_RANGE = r"^[\.A-Z\:/a-z0-9_-]{1,36}$"
ID_LENGTH_MAX = 36
LIST_LIMIT = 500
LIST_LIMIT_MAX = 1_000
CONDITIONAL_TYPES = ("STOP", "STOP_MARKET", "TAKE_PROFIT", "TAKE_PROFIT_MARKET", "TRAILING_STOP_MARKET")
SPOT_CONDITIONAL_TYPES = ("STOP_LOSS", "STOP_LOSS_LIMIT", "TAKE_PROFIT", "TAKE_PROFIT_LIMIT")
STP_MODES: dict[str, SelfTradePrevention] = {
    "NONE": "NONE",
    "EXPIRE_MAKER": "EXPIRE_MAKER",
    "EXPIRE_TAKER": "EXPIRE_TAKER",
    "EXPIRE_BOTH": "EXPIRE_BOTH",
}
FULL_BY_DEFAULT = ("MARKET", "LIMIT")
CORE_TIFS: dict[str, TimeInForce] = {"GTC": "GTC", "GTX": "GTC", "IOC": "IOC", "FOK": "FOK"}

_DECIMAL = re.compile(DECIMAL_RANGE)
_FUTURES_ID = re.compile(r"[.A-Z:/a-z0-9_-]{1,36}\Z")
_IDS = {SPOT: re.compile(r"[a-zA-Z0-9_-]{1,36}\Z"), USDM: _FUTURES_ID, COINM: _FUTURES_ID}


def required(params: Params, name: str) -> str:
    """A parameter that must be there. Raises ApiError -1102."""
    value = params.get(name)
    if not value:
        raise refusal(-1102, name)
    return value


def decimal(params: Params, name: str) -> Decimal | None:
    """A decimal parameter in plain notation; None when it was not sent. Raises ApiError -1100."""
    text = params.get(name)
    if text is None:
        return None
    if not _DECIMAL.match(text):
        raise refusal(-1100, name, DECIMAL_RANGE)
    return Decimal(text)


def integer(params: Params, name: str, default: int | None = None) -> int | None:
    """An integer parameter. Raises ApiError -1102 for anything else."""
    text = params.get(name)
    if text is None or not text:
        return default
    if not text.isascii() or not text.lstrip("-").isdigit():
        raise refusal(-1102, name)
    return int(text)


def limit(params: Params, default: int = LIST_LIMIT, maximum: int = LIST_LIMIT_MAX) -> int:
    """The `limit` of a list, brought into its range."""
    value = integer(params, "limit", default)
    assert value is not None
    return max(1, min(value, maximum))


def flag(params: Params, name: str) -> bool:
    """A boolean parameter, absent meaning false. Raises ApiError -1102."""
    text = params.get(name, "false").lower()
    if text not in {"true", "false"}:
        raise refusal(-1102, name)
    return text == "true"


def symbol(params: Params, listings: Mapping[str, Listing]) -> Listing:
    """The listing named by `symbol`. Raises ApiError -1102 or -1121."""
    listing = listings.get(required(params, "symbol"))
    if listing is None:
        raise refusal(-1121)
    return listing


def client_id(params: Params, name: str, product: str) -> str | None:
    """A client order id. Raises ApiError -1100 or, on futures for one too long, -4015."""
    value = params.get(name)
    if not value:
        return None
    if product != SPOT and len(value) > ID_LENGTH_MAX:
        raise ApiError(-4015, "Client order id length should be less than 36 chars")
    if not _IDS[product].match(value):
        raise refusal(-1100, name, SPOT_ID_RANGE if product == SPOT else USDM_ID_RANGE)
    return value


def order_key(
    params: Params, id_name: str = "orderId", client_name: str = "origClientOrderId"
) -> tuple[int | None, str | None]:
    """How a request names an order: venue id, client id, or both. Raises ApiError when it names none."""
    order_id, cid = integer(params, id_name), params.get(client_name) or None
    if order_id is None and cid is None:
        raise ApiError(-1102, f"Param '{client_name}' or '{id_name}' must be sent, but both were empty/null!")
    return order_id, cid


def spot_order(params: Params, listings: Mapping[str, Listing]) -> OrderRequest:
    """A new spot order. Raises ApiError naming what is missing, malformed or not allowed."""
    listing, side = symbol(params, listings), side_of(params)
    kind = required(params, "type")
    waits = kind in SPOT_CONDITIONAL_TYPES
    if not waits and kind not in {"LIMIT", "MARKET", "LIMIT_MAKER"}:
        raise refusal(-1116)
    has_price = kind != "MARKET" if not waits else kind.endswith("_LIMIT")
    amount, quote_amount, price = (decimal(params, name) for name in ("quantity", "quoteOrderQty", "price"))
    if not has_price:
        refuse(params, "price", "timeInForce")
    if kind == "MARKET":
        if (amount is None) == (quote_amount is None):
            raise refusal(-1102, "quantity") if amount is None else refusal(-1128)
    else:
        refuse(params, "quoteOrderQty", *(("timeInForce",) if kind == "LIMIT_MAKER" else ()))
        required(params, "quantity")
        if has_price:
            required(params, "price")
    tif = required(params, "timeInForce") if has_price and kind != "LIMIT_MAKER" else "GTC"
    if tif not in {"GTC", "IOC", "FOK"}:
        raise refusal(-1115)
    return OrderRequest(
        listing=listing,
        side=side,
        type=kind,
        tif=tif,
        core_tif=CORE_TIFS[tif],
        post_only=kind == "LIMIT_MAKER",
        amount=amount,
        quote_amount=quote_amount,
        price=price,
        client_id=client_id(params, "newClientOrderId", SPOT),
        trigger=_spot_trigger(params, listing, kind, side) if waits else None,
        response=_response(params, "FULL" if kind in FULL_BY_DEFAULT else "ACK", ("ACK", "RESULT", "FULL")),
        stp=stp_of(params),
    )


def _spot_trigger(params: Params, listing: Listing, kind: str, side: Side) -> Trigger:
    required(params, "stopPrice")
    price = decimal(params, "stopPrice")
    assert price is not None
    if not listing.min_price <= price <= listing.max_price or price % listing.tick:
        raise refusal(-1013, "PRICE_FILTER")
    return Trigger(price, rises=(side is Side.BUY) is kind.startswith("STOP_LOSS"))


def usdm_order(params: Params, listings: Mapping[str, Listing]) -> OrderRequest:
    """A new order of futures. Raises ApiError naming what is missing, malformed or not allowed."""
    listing, side = symbol(params, listings), side_of(params)
    kind = required(params, "type")
    if kind in CONDITIONAL_TYPES:
        raise refusal(-4120)
    if kind not in {"LIMIT", "MARKET"}:
        raise refusal(-1116)
    check_position_side(params)
    if params.get("priceMatch", "NONE") != "NONE":
        raise refusal(-1106, "priceMatch")
    required(params, "quantity")
    tif = "GTC"
    if kind == "LIMIT":
        tif = required(params, "timeInForce")
        required(params, "price")
    else:
        refuse(params, "price", "timeInForce")
    if tif not in {"GTC", "IOC", "FOK", "GTX"}:
        raise refusal(-1115)
    return OrderRequest(
        listing=listing,
        side=side,
        type=kind,
        tif=tif,
        core_tif=CORE_TIFS[tif],
        post_only=tif == "GTX",
        amount=decimal(params, "quantity"),
        price=decimal(params, "price"),
        client_id=client_id(params, "newClientOrderId", listing.product),
        response=_response(params, "ACK", ("ACK", "RESULT")),
        stp=stp_of(params),
        reduce_only=flag(params, "reduceOnly"),
    )


def check_position_side(params: Params) -> None:
    """Raises ApiError -4060 or -4061 unless the request fits one-way mode."""
    side = params.get("positionSide", "BOTH")
    if side not in {"BOTH", "LONG", "SHORT"}:
        raise refusal(-4060)
    if side != "BOTH":
        raise refusal(-4061)


def side_of(params: Params) -> Side:
    """The side. Raises ApiError -1102 or -1117."""
    text = required(params, "side")
    if text not in {"BUY", "SELL"}:
        raise refusal(-1117)
    return Side[text]


def refuse(params: Params, *names: str) -> None:
    """Raises ApiError -1106 when one of these was sent."""
    for name in names:
        if name in params:
            raise refusal(-1106, name)


def _response(params: Params, default: str, allowed: tuple[str, ...]) -> str:
    value = params.get("newOrderRespType", default)
    if value not in allowed:
        raise refusal(-1136)
    return value


def stp_of(params: Params) -> SelfTradePrevention:
    """The self-trade prevention mode. Raises ApiError -1102."""
    value = params.get("selfTradePreventionMode", "EXPIRE_MAKER")
    if value not in STP_MODES:
        raise refusal(-1102, "selfTradePreventionMode")
    return STP_MODES[value]


Parser = Callable[[Params, Mapping[str, Listing]], OrderRequest]
