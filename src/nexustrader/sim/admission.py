"""What an order must be before a simulated venue looks at the account: pure checks, and its form in ticks and lots.

The limits of a venue are data: `VenueRules`. A refusal begins with the name of what refused, as venues' own do.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Iterable, Iterator
from decimal import Decimal
from typing import NamedTuple

import msgspec

from nexustrader.constants import InstrumentType, OrderType, TimeInForce
from nexustrader.domain import events as ev
from nexustrader.domain.instrument import Instrument, refusal, to_plain
from nexustrader.error import OrderError
from nexustrader.sim.types import Side, SimInstrument, SimOrder

SIMULATED_TYPES = (OrderType.MARKET, OrderType.LIMIT, OrderType.POST_ONLY)


class OrderLimit(NamedTuple):
    """So many orders and amendments within any span of so many milliseconds."""

    orders: int
    interval_ms: int = 10_000


class VenueRules(msgspec.Struct, frozen=True, kw_only=True):
    """What the venue refuses whatever the account holds.

    filters: steps, least and largest amounts, prices and values of the instrument. price_band: how far a limit price
    may lie from the mark, as a fraction; None: anywhere. open_orders_max: open orders of one symbol. order_limits:
    orders in a time; cancels do not count. Raises OrderError for limits that are none.
    """

    filters: bool = True
    price_band: Decimal | None = None
    open_orders_max: int | None = None
    order_limits: tuple[OrderLimit, ...] = ()

    def __post_init__(self) -> None:
        if self.price_band is not None and not 0 < self.price_band < 1:
            raise OrderError(f"VenueRules(price_band={self.price_band}) is none; 0.05 is 5 % either way")
        if self.open_orders_max is not None and self.open_orders_max < 1:
            raise OrderError(f"VenueRules(open_orders_max={self.open_orders_max}) is none; give 1 or more")
        for limit in self.order_limits:
            if limit.orders < 1 or limit.interval_ms < 1:
                raise OrderError(f"{limit} is no limit; give 1 or more orders in 1 or more milliseconds")

    def describe(self) -> Iterator[str]:
        """What is assumed, in sentences."""
        if not self.filters:
            yield "The venue refuses no amount, price or value for its size"
        if self.price_band is None and self.open_orders_max is None and not self.order_limits:
            yield "The venue takes any number of orders, at any distance from the market"
        if self.price_band is not None:
            yield f"Limit prices further than {self.price_band:%} from the mark are refused"
        if self.open_orders_max is not None:
            yield f"At most {self.open_orders_max:,} orders of a symbol are open, further ones are refused"
        for orders, interval_ms in self.order_limits:
            yield f"More than {orders:,} orders within {interval_ms / 1000:g} s are refused; cancels do not count"


BINANCE_USDM_RULES = VenueRules(
    price_band=Decimal("0.05"),
    open_orders_max=200,
    order_limits=(OrderLimit(300, 10_000), OrderLimit(1_200, 60_000)),
)
"""As the exchange information of Binance's USDT-margined futures has long told for its large symbols."""


class Refused(NamedTuple):
    """Why a command was refused. `code` is the venue's word where it has one."""

    reason: str
    code: str | None = None
    retry_after_ms: int | None = None


class OrderMeter:
    """Counts orders against the limits in time. A refused order counts as any other, as it does at venues."""

    def __init__(self, limits: Iterable[OrderLimit]) -> None:
        self._windows = [(limit, deque[int](maxlen=limit.orders)) for limit in limits]

    def refusal(self, now_ms: int) -> Refused | None:
        """Count one order now; returns why it is one too many, or None."""
        refused = None
        for limit, times in self._windows:
            wait_ms = times[0] + limit.interval_ms - now_ms if len(times) == limit.orders else 0
            if wait_ms > 0 and refused is None:
                refused = Refused(
                    f"TOO_MANY_ORDERS: the limit is {limit.orders} orders in {limit.interval_ms / 1000:g} s; wait "
                    f"{wait_ms} ms",
                    "TOO_MANY_ORDERS",
                    wait_ms,
                )
            times.append(now_ms)
        return refused


def not_traded(instrument: Instrument, account: str, kinds: Iterable[InstrumentType]) -> str | None:
    """Why an account does not trade an instrument, or None."""
    if instrument.exchange.value != account.partition(":")[0]:
        return f"{instrument.symbol} is traded on {instrument.exchange.value}, not by {account}"
    if instrument.type in kinds:
        return None
    known = ", ".join(sorted(kind.value for kind in kinds))
    return f"{instrument.symbol} is {instrument.type.value}, and {account} trades {known}"


def unusable(command: ev.Submit) -> str | None:
    """Why an order makes no sense by itself, or None."""
    if command.type not in SIMULATED_TYPES:
        known = ", ".join(kind.value for kind in SIMULATED_TYPES)
        return f"{command.type.value} orders are not simulated yet; use one of {known}"
    if command.amount <= 0:
        return f"the amount must be above 0, it is {to_plain(command.amount)}"
    if command.type is not OrderType.MARKET and (command.price is None or command.price <= 0):
        return f"a {command.type.value} order needs a price above 0, it is {command.price}"
    if command.type is OrderType.POST_ONLY and command.time_in_force is not TimeInForce.GTC:
        return f"a post-only order rests, so it cannot be {command.time_in_force.value}; use GTC"
    return None


def filtered(
    rules: VenueRules, instrument: Instrument, command: ev.Submit, touch: Decimal | None, mark: Decimal | None
) -> Refused | None:
    """Why the filters of the venue refuse an order, or None. `touch` is what a market order would pay."""
    if rules.filters:
        reason = refusal(
            instrument,
            side=command.side,
            type=command.type,
            amount=command.amount,
            price=command.price,
            reduce_only=command.reduce_only,
            reference_price=touch,
        )
        if reason is not None:
            return Refused(reason)
    return None if command.type is OrderType.MARKET else outside_band(rules, command.price, mark)


def outside_band(rules: VenueRules, price: Decimal | None, mark: Decimal | None) -> Refused | None:
    """Why a limit price is too far from the mark, or None."""
    band = rules.price_band
    if band is None or mark is None or price is None:
        return None
    low, high = mark * (1 - band), mark * (1 + band)
    if low <= price <= high:
        return None
    return Refused(
        f"PERCENT_PRICE: the price must lie between {to_plain(low)} and {to_plain(high)}, is {to_plain(price)}",
        "PERCENT_PRICE",
    )


def too_many_open(rules: VenueRules, open_orders: int) -> Refused | None:
    """Why one more order of a symbol cannot rest, or None."""
    most = rules.open_orders_max
    if most is None or open_orders < most:
        return None
    return Refused(
        f"MAX_NUM_ORDERS: {open_orders} orders are open, at most {most} may be; cancel one first",
        "MAX_NUM_ORDERS",
    )


def sim_order(command: ev.Submit, instrument: SimInstrument, order_id: int, now_ms: int) -> SimOrder:
    """The order in ticks and lots. Raises OrderError for a price or amount off the grid."""
    is_market = command.type is OrderType.MARKET
    return SimOrder(
        order_id=order_id,
        account=command.account,
        side=Side.BUY if command.side.is_buy else Side.SELL,
        lots=instrument.to_lots(command.amount),
        kind="market" if is_market else "limit",
        price=None if is_market or command.price is None else instrument.to_ticks(command.price),
        client_id=command.oid,
        tif=command.time_in_force.value,
        post_only=command.type is OrderType.POST_ONLY,
        reduce_only=command.reduce_only,
        timestamp_ms=now_ms,
    )
