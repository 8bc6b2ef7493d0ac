"""Each limit as one pure function: from an order and what is known to why it may not be sent, or None."""

from __future__ import annotations

from collections.abc import Sequence
from decimal import Decimal

import msgspec

from nexustrader.constants import InstrumentType, OrderSide, OrderType, PositionSide
from nexustrader.domain.instrument import Instrument, notional, to_plain
from nexustrader.risk.exposure import Exposure

_ZERO = Decimal(0)
_ONE = Decimal(1)
_SHOWN = Decimal("1e-8")  # figures that are quotients: beyond this their digits say nothing
NO_PRICE = "no price of {} is known; subscribe to its book or mark price"


class Proposal(msgspec.Struct, frozen=True, gc=False):
    """An order as it would be sent, or as it would be after an amendment."""

    side: OrderSide
    type: OrderType
    amount: Decimal
    price: Decimal | None
    reduce_only: bool
    trigger: Decimal | None = None  # it waits until this price is reached
    position_side: PositionSide | None = None  # in hedge mode: which of the two positions it changes


class View(msgspec.Struct, frozen=True, gc=False):
    """What an order is judged by: the worst case without it and with it, and the prices of now.

    `mark` is the price by which positions are valued. None: not known.
    """

    instrument: Instrument
    before: Exposure
    after: Exposure
    bid: Decimal | None = None
    ask: Decimal | None = None
    mark: Decimal | None = None


# -- what an order does --------------------------------------------------------------------------------------


def reduces(order: Proposal, view: View) -> bool:
    """True for an order that cannot open or enlarge a position, whatever else fills before it."""
    if view.instrument.type is InstrumentType.SPOT:
        return order.side.is_sell  # what is not held cannot be sold there
    if order.reduce_only:
        return True
    return view.after.low >= 0 if order.side.is_sell else view.after.high <= 0


def raised_to(order: Proposal, view: View) -> Decimal | None:
    """The amount to which an order raises the worst case of its side; None when it does not."""
    if order.side.is_buy:
        return view.after.high if view.after.high > view.before.high else None
    if view.instrument.type is InstrumentType.SPOT:
        return None
    return -view.after.low if view.after.low < view.before.low else None


def touch(side: OrderSide, view: View) -> Decimal | None:
    """The best price at which an order of this side would trade now."""
    return view.ask if side.is_buy else view.bid


def dearest_price(order: Proposal, view: View) -> Decimal | None:
    """The price by which an order's value is reckoned: never too low, as far as prices are known."""
    now = touch(order.side, view)
    now = view.mark if now is None else now
    if order.trigger is not None:
        now = order.trigger if now is None else max(now, order.trigger)
    if order.type.is_market or order.price is None:
        return now
    if order.side.is_buy or now is None:
        return order.price
    return max(order.price, now)  # a sell trades at the touch even where its limit is far below


# -- limits of an order --------------------------------------------------------------------------------------


def order_notional(order: Proposal, view: View, limit: Decimal) -> str | None:
    """The value of one order. One that reduces is as large as its position has become, and passes."""
    if reduces(order, view):
        return None
    value = _value(view.instrument, order.amount, dearest_price(order, view))
    if value is None:
        return f"ORDER_NOTIONAL: {NO_PRICE.format(view.instrument.symbol)}"
    if value <= limit:
        return None
    quote = view.instrument.quote
    return f"ORDER_NOTIONAL: the order is worth {_shown(value)} {quote}, the limit is {to_plain(limit)}"


def order_rate(sent_ms: Sequence[int], now_ms: int, limit: int, window_ms: int) -> str | None:
    """How many orders are sent within a window. `sent_ms`: when the latest were, oldest first, at least `limit`."""
    if len(sent_ms) < limit or sent_ms[-limit] <= now_ms - window_ms:
        return None
    free_ms = sent_ms[-limit] + window_ms - now_ms
    return f"ORDER_RATE: {limit} orders within {window_ms} ms were sent, the next may be in {free_ms} ms"


def position_amount(order: Proposal, view: View, limit: Decimal) -> str | None:
    """How large a position may become if everything open fills. An order that does not raise that passes."""
    amount = raised_to(order, view)
    if amount is None or amount <= limit:
        return None
    return (
        f"POSITION: with all open orders filled it could be {_signed(order, amount)} {view.instrument.symbol}, "
        f"the limit is {to_plain(limit)}; cancel open orders or reduce first"
    )


def position_notional(order: Proposal, view: View, limit: Decimal) -> str | None:
    """As `position_amount`, in quote currency at the price of now."""
    amount = raised_to(order, view)
    if amount is None or amount <= 0:
        return None
    price = dearest_price(order, view) if view.mark is None else view.mark
    value = _value(view.instrument, amount, price)
    if value is None:
        return f"POSITION_NOTIONAL: {NO_PRICE.format(view.instrument.symbol)}"
    if value <= limit:
        return None
    return (
        f"POSITION_NOTIONAL: with all open orders filled it could be {_signed(order, amount)} "
        f"{view.instrument.symbol}, worth {_shown(value)} {view.instrument.quote}; the limit is {to_plain(limit)}"
    )


def price_collar(order: Proposal, view: View, fraction: Decimal) -> str | None:
    """How far beyond the touch and the mark price an order may trade. A better price always passes.

    One that waits for a price trades when that is the price: it is compared with its trigger.
    """
    now = touch(order.side, view) if order.trigger is None else order.trigger
    price = now if order.type.is_market else order.price
    references = {"the touch": now, "the mark price": view.mark if order.trigger is None else None}
    known = {name: value for name, value in references.items() if value is not None}
    if not known:
        return f"PRICE_COLLAR: {NO_PRICE.format(view.instrument.symbol)}"
    for name, value in known.items():
        bound = value * (_ONE + fraction if order.side.is_buy else _ONE - fraction)
        if price is not None and (price > bound if order.side.is_buy else price < bound):
            beyond = "above" if order.side.is_buy else "below"
            return (
                f"PRICE_COLLAR: {to_plain(price)} is more than {_percent(fraction)} {beyond} {name} of "
                f"{_shown(value)}"
            )
    return None


# -- limits of losses ----------------------------------------------------------------------------------------


def daily_loss(opening: Decimal, profit: Decimal, limit: Decimal, currency: str) -> str | None:
    """The loss since the day began. `opening`: the profit when it did."""
    loss = opening - profit
    if loss < limit:
        return None
    return f"DAILY_LOSS: {_shown(loss)} {currency} are lost today, the limit is {to_plain(limit)}"


def drawdown(peak: Decimal, profit: Decimal, capital: Decimal, fraction: Decimal) -> str | None:
    """The loss from the highest equity. `capital` is what equity was when profit was 0.

    Equity that has never been above 0 has no fraction: then any loss is over the limit.
    """
    fallen, highest = peak - profit, capital + peak
    if fallen <= 0 or fallen < fraction * highest:
        return None
    share = _percent(fallen / highest) if highest > 0 else "all"
    return f"DRAWDOWN: {share} of the highest equity is lost, the limit is {_percent(fraction)}"


def _value(instrument: Instrument, amount: Decimal, price: Decimal | None) -> Decimal | None:
    if instrument.type is InstrumentType.INVERSE:
        return notional(instrument, amount, _ZERO)  # its contracts are worth a fixed amount of quote
    return None if price is None else notional(instrument, amount, price)


def _signed(order: Proposal, amount: Decimal) -> str:
    return to_plain(amount if order.side.is_buy else -amount)


def _shown(value: Decimal) -> str:
    return to_plain(value.quantize(_SHOWN).normalize()) if value else "0"


def _percent(fraction: Decimal) -> str:
    return f"{float(fraction) * 100:.4g} %"
