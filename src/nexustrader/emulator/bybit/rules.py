"""Bybit's rules of its categories, as trading asks for them: a code for everything, spot with codes of its own."""

# The categories share the signatures of `rules.Rules`, though not all need every argument.

from __future__ import annotations

from decimal import Decimal

from nexustrader.emulator.bybit import ids
from nexustrader.emulator.bybit.categories import CATEGORIES, FUTURES, SPOT
from nexustrader.emulator.bybit.errors import BybitError, bad, by_category, refusal
from nexustrader.emulator.bybit.instruments import POST_ONLY_FACTOR, QUOTE_PRECISION
from nexustrader.emulator.market.listing import Listing
from nexustrader.emulator.market.market import Market
from nexustrader.emulator.orders.records import Execution, OrderRecord
from nexustrader.emulator.orders.request import OrderRequest, Trigger
from nexustrader.sim.types import RejectReason, Side, SimOrder, Status

OPEN_ORDERS_MAX = 500
UNFILLABLE = ("IOC", "FOK", "NO_LIQUIDITY")


class CategoryRules:
    """The rules of one category."""

    client_ids_for_ever = True
    first_held_id: int | None = None

    def __init__(self, category: str) -> None:
        self.first_order_id = ids.FIRST_ORDER_IDS[category]
        self._category = category

    def check(self, request: OrderRequest, market: Market, open_orders: int) -> None:
        """Raises BybitError when the order breaks a filter."""
        if open_orders >= OPEN_ORDERS_MAX:
            raise by_category(self._category, 110020, 170810)
        if self._category == SPOT:
            _check_spot(request, market)
        else:
            _check_derivative(request, market)

    def check_amendment(self, record: OrderRecord, market: Market, price: Decimal, amount: Decimal) -> None:
        """Raises BybitError when the order may not get this price and total."""
        listing = record.listing
        if not record.is_open:
            raise self.unknown_order()
        if (price, amount) == (record.price, record.amount):
            raise bad("order not modified")
        if amount <= record.filled:
            raise by_category(self._category, 110064, 170313)
        if self._category == SPOT:
            _check_spot_price(listing, record.sim.side, price, market)
            _check_spot_amount(listing, amount, listing.max_amount)
        else:
            if record.sim.kind == "limit":
                _check_price(listing, price)
            _check_amount(listing, amount, listing.max_amount)

    def rejection(self, reason: RejectReason) -> BybitError | None:
        """Reduce-only without a position is refused; all else is told by the stream."""
        return refusal(110017) if reason == "REDUCE_ONLY" else None

    def no_lots(self) -> BybitError:
        """The refusal of an amount that is less than one lot."""
        return refusal(170136) if self._category == SPOT else bad("qty is invalid")

    def no_funds(self) -> BybitError:
        """The refusal of what the account cannot pay for."""
        return by_category(self._category, 110007, 170131)

    def would_trigger(self, trigger: Trigger, now: Decimal) -> BybitError:
        """The refusal of a trigger whose price is there already."""
        return refusal(110092 if trigger.rises else 110093, trigger.price, now)

    def duplicate(self) -> BybitError:
        """The refusal of an orderLinkId that was used before."""
        return by_category(self._category, 110072, 170141)

    def unknown_order(self) -> BybitError:
        """The refusal to change what is not open."""
        return by_category(self._category, 110001, 170213)

    def end_status(self, record: OrderRecord, order: SimOrder, reason: str) -> Status:
        """The venue calls every end Cancelled and tells by its reason what a rest or a refusal is."""
        if record.is_held:
            return "CANCELED" if reason == "USER" else "EXPIRED"
        if reason == "POST_ONLY" and not order.filled:
            return "REJECTED"
        return "EXPIRED" if reason in UNFILLABLE else "CANCELED"

    def order_name(self, number: int) -> str:
        """The venue's id of an order."""
        return ids.order_id(self._category, number)

    def fill_name(self, symbol: str, fill: Execution) -> str:
        """The venue's id of an execution."""
        return ids.execution_id(self._category, symbol, fill.trade_id, is_maker=fill.is_maker)

    def plain_order(
        self, listing: Listing, side: Side, amount: Decimal, price: Decimal | None, client_id: str
    ) -> OrderRequest:
        """A limit order, or without a price one at the market, as a user makes it by hand."""
        return OrderRequest(
            listing=listing,
            side=side,
            type="Market" if price is None else "Limit",
            tif="IOC" if price is None else "GTC",
            amount=amount,
            price=price,
            client_id=client_id,
            terms={"orderLinkId": client_id},
        )


RULES = {name: CategoryRules(name) for name in CATEGORIES}


def _check_spot(request: OrderRequest, market: Market) -> None:
    listing = request.listing
    if request.price is not None:
        _check_spot_price(listing, request.side, request.price, market)
    value = request.quote_amount
    if value is not None:
        if value % QUOTE_PRECISION:
            raise refusal(170137)
    else:
        assert request.amount is not None
        most = listing.market_max_amount if request.price is None else listing.max_amount
        _check_spot_amount(listing, request.amount, most * (POST_ONLY_FACTOR if request.post_only else 1))
        value = request.amount * (request.price or market.mark)
    if value < listing.min_notional:
        raise refusal(170140)


def _check_spot_price(listing: Listing, side: Side, price: Decimal, market: Market) -> None:
    if price % listing.tick:
        raise refusal(170134)
    if price > listing.max_price:
        raise refusal(170132)
    if price < listing.min_price:
        raise refusal(170133)
    ceiling, floor = market.mark * listing.band_up, market.mark * listing.band_down
    if side is Side.BUY and price > ceiling:
        raise refusal(170193, f"{ceiling:.{listing.price_digits}f}")
    if side is Side.SELL and price < floor:
        raise refusal(170194, f"{floor:.{listing.price_digits}f}")


def _check_spot_amount(listing: Listing, amount: Decimal, most: Decimal) -> None:
    if amount % listing.lot:
        raise refusal(170137)
    if amount < listing.min_amount:
        raise refusal(170136)
    if amount > most:
        raise refusal(170124)


def _check_derivative(request: OrderRequest, market: Market) -> None:
    listing = request.listing
    assert request.amount is not None
    most = listing.market_max_amount if request.price is None else listing.max_amount
    _check_amount(listing, request.amount, most)
    if request.price is not None:
        _check_price(listing, request.price)
    if listing.product in FUTURES and not request.reduce_only:
        inverse = listing.kind == "inverse"
        value = request.amount * (1 if inverse else request.price or market.mark)
        if value < listing.min_notional:
            raise refusal(110094, listing.min_notional, listing.quote)


def _check_price(listing: Listing, price: Decimal) -> None:
    if price % listing.tick:
        raise bad("price is no multiple of the tick")
    if not listing.min_price <= price <= listing.max_price:
        raise refusal(110003)


def _check_amount(listing: Listing, amount: Decimal, most: Decimal) -> None:
    if not listing.min_amount <= amount <= most or amount % listing.lot:
        raise bad("Qty invalid")
