"""What may be traded and in which steps: instruments, exact quantising, the venue's filters."""

from __future__ import annotations

from datetime import UTC, datetime
from decimal import Context, Decimal, DivisionByZero, InvalidOperation, Overflow
from typing import Literal

import msgspec

from nexustrader.constants import ExchangeType, InstrumentType, OrderSide, OrderType
from nexustrader.schema import BaseMarket, Limit, LimitMinMax, MarginMode, Precision

RoundingMode = Literal["round", "floor", "ceil"]

_ZERO = Decimal(0)
_ONE = Decimal(1)
# Own context: a program that lowers the precision of the thread's context must not change what is sent.
_EXACT = Context(prec=80, traps=[InvalidOperation, DivisionByZero, Overflow])


class Instrument(msgspec.Struct, frozen=True, kw_only=True, gc=False):
    """One tradable instrument. `tick` and `lot` are step sizes; amounts in base units, notional in quote.

    Amounts of inverse instruments count units of `contract_size` quote each.
    """

    symbol: str
    venue_symbol: str
    exchange: ExchangeType
    type: InstrumentType
    base: str
    quote: str
    settle: str
    tick: Decimal
    lot: Decimal
    min_price: Decimal | None = None
    max_price: Decimal | None = None
    min_amount: Decimal | None = None
    max_amount: Decimal | None = None
    market_min_amount: Decimal | None = None
    market_max_amount: Decimal | None = None
    market_lot: Decimal | None = None
    min_notional: Decimal | None = None
    max_notional: Decimal | None = None
    notional_applies_to_market: bool = True
    reduce_only_exempt_from_notional: bool = False
    contract_size: Decimal = _ONE
    maker: Decimal
    taker: Decimal
    active: bool = True
    expiry_ms: int | None = None
    listed_ms: int | None = None


def quantise(value: Decimal, step: Decimal, mode: RoundingMode = "round") -> Decimal:
    """Return the multiple of `step` nearest to `value` (HALF_UP), or not above it, or not below it.

    Exact for any step. The result has the decimals of the step; with steps of 1 and more it never has
    exponent notation. Raises ValueError for a step that is not positive and for a value that is not finite.
    """
    if step <= _ZERO:
        raise ValueError(f"step {step} cannot be used to quantise {value}: it must be above 0")
    remainder = _EXACT.remainder(value, step) if value.is_finite() else None
    if remainder is None:
        raise ValueError(f"cannot quantise {value} to steps of {step}: give a finite number")
    if remainder:
        value = _EXACT.add(_EXACT.subtract(value, remainder), _correction(remainder, step, mode))
    elif value.same_quantum(step) and step < _ONE:
        return value
    quantum = step if step < _ONE or str(step).find("E") < 0 else _ONE
    return value.quantize(quantum, context=_EXACT)


def _correction(remainder: Decimal, step: Decimal, mode: RoundingMode) -> Decimal:
    """What to add to the value truncated towards zero; `remainder` is what was cut off, with its sign."""
    if mode == "round":
        away = abs(remainder) * 2 >= step
        return step.copy_sign(remainder) if away else _ZERO
    if mode == "floor":
        return -step if remainder < 0 else _ZERO
    if mode == "ceil":
        return step if remainder > 0 else _ZERO
    raise ValueError(f"rounding mode {mode!r} is unknown: give 'round', 'floor' or 'ceil'")


def quantise_order(
    instrument: Instrument,
    side: OrderSide,
    type: OrderType,  # noqa: A002 - the public name of the field
    amount: Decimal,
    price: Decimal | None,
) -> tuple[Decimal, Decimal | None]:
    """Return amount and price in the instrument's steps, never worse than asked.

    The amount floors (below one step it becomes 0); the price floors when buying and ceils when selling.
    """
    step = instrument.market_lot if type.is_market and instrument.market_lot is not None else instrument.lot
    amount = quantise(amount, step, "floor")
    if price is not None:
        price = quantise(price, instrument.tick, "floor" if side is OrderSide.BUY else "ceil")
    return amount, price


def refusal(
    instrument: Instrument,
    *,
    side: OrderSide,
    type: OrderType,  # noqa: A002 - the public name of the field
    amount: Decimal,
    price: Decimal | None,
    reduce_only: bool,
    reference_price: Decimal | None,
) -> str | None:
    """Return why the venue's filters would refuse this order, with filter, limit and value, or None.

    `reference_price` (e.g. the best opposite price) stands in for the price of a market order in the notional
    checks; without it they are left to the venue.
    """
    reason = None
    if not instrument.active and not reduce_only:  # a way out is for the venue to refuse
        reason = "STATUS: the instrument is not open for trading; choose another or wait"
    elif type.is_market:
        reason = _market_amount_refusal(instrument, amount)
        price = reference_price if instrument.notional_applies_to_market else None
    elif price is None:
        reason = f"PRICE_FILTER: a {type.value} order needs a price, none was given"
    else:
        reason = _range_refusal(
            "LOT_SIZE", "amount", amount, instrument.lot, instrument.min_amount, instrument.max_amount
        ) or _range_refusal(
            "PRICE_FILTER", "price", price, instrument.tick, instrument.min_price, instrument.max_price
        )
    exempt = reduce_only and instrument.reduce_only_exempt_from_notional
    if reason is None and price is not None and not exempt:
        reason = _notional_refusal(instrument, amount, price)
    return f"{reason} ({side.value} {type.value} {instrument.symbol})" if reason else None


def _market_amount_refusal(instrument: Instrument, amount: Decimal) -> str | None:
    step, low, high = instrument.market_lot, instrument.market_min_amount, instrument.market_max_amount
    return _range_refusal(
        "MARKET_LOT_SIZE",
        "amount",
        amount,
        instrument.lot if step is None else step,
        instrument.min_amount if low is None else low,
        instrument.max_amount if high is None else high,
    )


def _range_refusal(
    filter_name: str, what: str, value: Decimal, step: Decimal, low: Decimal | None, high: Decimal | None
) -> str | None:
    if not value.is_finite() or value <= 0:
        return f"{filter_name}: {what} must be above 0, is {value}"
    if low is not None and value < low:
        return f"{filter_name}: {what} must be at least {to_plain(low)}, is {to_plain(value)}"
    if high is not None and value > high:
        return f"{filter_name}: {what} must be at most {to_plain(high)}, is {to_plain(value)}"
    if _EXACT.remainder(value, step):
        return f"{filter_name}: {what} must be a multiple of {to_plain(step)}, is {to_plain(value)}"
    return None


def _notional_refusal(instrument: Instrument, amount: Decimal, price: Decimal) -> str | None:
    value = notional(instrument, amount, price)
    low, high = instrument.min_notional, instrument.max_notional
    if low is not None and value < low:
        return f"NOTIONAL: value must be at least {to_plain(low)} {instrument.quote}, is {to_plain(value)}"
    if high is not None and value > high:
        return f"NOTIONAL: value must be at most {to_plain(high)} {instrument.quote}, is {to_plain(value)}"
    return None


def notional(instrument: Instrument, amount: Decimal, price: Decimal) -> Decimal:
    """Return the value of `amount` in quote currency."""
    if instrument.type is InstrumentType.INVERSE:
        return amount * instrument.contract_size
    return amount * price


def to_plain(value: Decimal) -> str:
    """Return fixed notation for the wire: never an exponent."""
    text = str(value)
    return text if "E" not in text else format(value, "f")


def to_market(instrument: Instrument) -> BaseMarket:
    """Return the public, ccxt-shaped description of the instrument."""
    kind = instrument.type
    is_spot, is_option = kind is InstrumentType.SPOT, kind is InstrumentType.OPTION
    is_contract = not is_spot
    is_future = is_contract and not is_option and instrument.expiry_ms is not None
    is_swap = is_contract and not is_option and instrument.expiry_ms is None
    public = InstrumentType.FUTURE if is_future else InstrumentType.SWAP if is_swap else kind
    is_linear, is_inverse = kind is InstrumentType.LINEAR, kind is InstrumentType.INVERSE
    return BaseMarket(
        id=instrument.venue_symbol,
        lowercaseId=instrument.venue_symbol.lower(),
        symbol=instrument.symbol,
        base=instrument.base,
        quote=instrument.quote,
        settle=instrument.settle if is_contract else None,
        baseId=instrument.base,
        quoteId=instrument.quote,
        settleId=instrument.settle if is_contract else None,
        type=public,
        spot=is_spot,
        swap=is_swap,
        future=is_future,
        option=is_option,
        index=False,
        active=instrument.active,
        contract=is_contract,
        linear=is_linear if is_contract else None,
        inverse=is_inverse if is_contract else None,
        subType=kind if is_linear or is_inverse else None,
        taker=float(instrument.taker),
        maker=float(instrument.maker),
        contractSize=float(instrument.contract_size) if is_contract else None,
        expiry=instrument.expiry_ms,
        expiryDatetime=_iso(instrument.expiry_ms),
        precision=Precision(amount=float(instrument.lot), price=float(instrument.tick)),
        limits=Limit(
            leverage=LimitMinMax(),
            amount=_limits(instrument.min_amount, instrument.max_amount),
            price=_limits(instrument.min_price, instrument.max_price),
            cost=_limits(instrument.min_notional, instrument.max_notional),
            market=_limits(instrument.market_min_amount, instrument.market_max_amount),
        ),
        marginModes=MarginMode(),
        created=instrument.listed_ms,
        percentage=True,
    )


def _limits(low: Decimal | None, high: Decimal | None) -> LimitMinMax:
    return LimitMinMax(min=None if low is None else float(low), max=None if high is None else float(high))


def _iso(timestamp_ms: int | None) -> str | None:
    if timestamp_ms is None:
        return None
    moment = datetime.fromtimestamp(timestamp_ms / 1000, tz=UTC)
    return moment.isoformat(timespec="milliseconds").replace("+00:00", "Z")
