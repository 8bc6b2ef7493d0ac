"""The filters of exchangeInfo as the venue applies them: pure checks that raise the refusal with its code.

Spot names the failed filter in one code (-1013); futures have a code for each rule.
"""

from __future__ import annotations

from decimal import Decimal

from nexustrader.emulator.binance.errors import refusal
from nexustrader.emulator.binance.instruments import SPOT_DIGITS
from nexustrader.emulator.binance.topics import SPOT
from nexustrader.emulator.market.listing import OPEN_ORDERS_MAX, Listing
from nexustrader.emulator.orders.request import OrderRequest
from nexustrader.sim.types import Side

ZERO = Decimal(0)


def check(request: OrderRequest, reference: Decimal, open_orders: int) -> None:
    """Raises ApiError when the order breaks a filter of its product.

    `reference` is the average price on spot and the mark price on futures; `open_orders` counts the account's
    open orders of this symbol.
    """
    if request.listing.product == SPOT:
        check_spot(request, reference, open_orders)
    else:
        check_usdm(request, reference, open_orders)


def check_spot(request: OrderRequest, average: Decimal, open_orders: int) -> None:
    """Raises ApiError -1013 naming the filter, or -1111 for more than eight decimals."""
    listing, price, amount = request.listing, request.price, request.amount
    for value in (price, amount, request.quote_amount):
        if value is not None and digits(value) > SPOT_DIGITS:
            raise refusal(-1111)
    if price is not None:
        if not listing.min_price <= price <= listing.max_price or price % listing.tick:
            raise refusal(-1013, "PRICE_FILTER")
        if not average * listing.band_down <= price <= average * listing.band_up:
            raise refusal(-1013, "PERCENT_PRICE_BY_SIDE")
    if amount is not None:
        if not listing.min_amount <= amount <= listing.max_amount or amount % listing.lot:
            raise refusal(-1013, "LOT_SIZE")
        if request.type == "MARKET" and amount > listing.market_max_amount:
            raise refusal(-1013, "MARKET_LOT_SIZE")
    notional = request.quote_amount
    if notional is None:
        assert amount is not None
        notional = amount * (price if price is not None else average)
    if notional < listing.min_notional or (request.type != "MARKET" and notional > listing.max_notional):
        raise refusal(-1013, "NOTIONAL")
    if request.type != "MARKET" and open_orders >= OPEN_ORDERS_MAX:
        raise refusal(-1013, "MAX_NUM_ORDERS")


def check_usdm(request: OrderRequest, mark: Decimal, open_orders: int) -> None:
    """Raises ApiError with the futures code of the broken rule."""
    listing, price = request.listing, request.price
    assert request.amount is not None
    check_usdm_amount(listing, request.amount, market=request.type == "MARKET")
    if price is not None:
        check_usdm_price(listing, request.side, price, mark)
    if not request.reduce_only:
        check_usdm_notional(listing, request.amount, price, mark, code=-4164)
    if request.type != "MARKET" and open_orders >= OPEN_ORDERS_MAX:
        raise refusal(-2025)


def check_usdm_amount(listing: Listing, amount: Decimal, *, market: bool) -> None:
    """Raises ApiError -4003, -1111, -4004, -4005 or -4023."""
    if amount <= ZERO:
        raise refusal(-4003)
    if digits(amount) > listing.amount_digits:
        raise refusal(-1111)
    if amount < listing.min_amount:
        raise refusal(-4004)
    if amount > (listing.market_max_amount if market else listing.max_amount):
        raise refusal(-4005)
    if (amount - listing.min_amount) % listing.lot:
        raise refusal(-4023)


def check_usdm_price(listing: Listing, side: Side, price: Decimal, mark: Decimal) -> None:
    """Raises ApiError -4001, -1111, -4013, -4002, -4014, -4016 or -4024."""
    if price <= ZERO:
        raise refusal(-4001)
    if digits(price) > listing.price_digits:
        raise refusal(-1111)
    if price < listing.min_price:
        raise refusal(-4013)
    if price > listing.max_price:
        raise refusal(-4002)
    if (price - listing.min_price) % listing.tick:
        raise refusal(-4014)
    ceiling, floor = mark * listing.band_up, mark * listing.band_down
    if side is Side.BUY and price > ceiling:
        raise refusal(-4016, f"{ceiling:.{listing.price_digits}f}")
    if side is Side.SELL and price < floor:
        raise refusal(-4024, f"{floor:.{listing.price_digits}f}")


def check_usdm_notional(
    listing: Listing, amount: Decimal, price: Decimal | None, mark: Decimal, *, code: int
) -> None:
    """Raises ApiError `code` when amount x price (mark for a market order) is below the minimum."""
    if amount * (mark if price is None else price) < listing.min_notional:
        raise refusal(code, listing.min_notional)


def digits(value: Decimal) -> int:
    """Decimals that matter: 1.500 has one."""
    exponent = value.normalize().as_tuple().exponent
    assert isinstance(exponent, int)
    return max(0, -exponent)
