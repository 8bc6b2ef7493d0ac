"""What an instrument is taken to be when nobody says: steps read off the data, fees and limits by kind."""

from __future__ import annotations

import math
from collections.abc import Mapping
from decimal import Decimal
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from nexustrader.constants import InstrumentType
from nexustrader.data.bars import PRICES, Bars, Floats, spans
from nexustrader.data.depth import Depth
from nexustrader.data.shelf import Release, keep
from nexustrader.data.ticks import Quotes, Trades
from nexustrader.domain.instrument import Instrument
from nexustrader.error import InstrumentError
from nexustrader.schema import USD_STABLECOINS, InstrumentId

DECIMALS_MAX = 8
SAMPLE_ROWS_MAX = 20_000
QUOTES = ("USDT", "USDC", "USDE", *USD_STABLECOINS, "USD", "BTC", "ETH", "BNB", "EUR", "TRY", "JPY")


class Terms(NamedTuple):
    """Fees as fractions, and the least value of an order in quote."""

    maker: Decimal
    taker: Decimal
    min_notional: Decimal


TERMS: Mapping[InstrumentType, Terms] = {
    InstrumentType.SPOT: Terms(Decimal("0.001"), Decimal("0.001"), Decimal(5)),
    InstrumentType.LINEAR: Terms(Decimal("0.0002"), Decimal("0.0005"), Decimal(5)),
    InstrumentType.INVERSE: Terms(Decimal("0.0002"), Decimal("0.0005"), Decimal(0)),
}
INVERSE_CONTRACT = Decimal(100)  # quote units of one contract, as most are


class Shown(NamedTuple):
    """The columns of prices that the data of a symbol have, and the sizes."""

    prices: tuple[Floats, ...]
    sizes: Floats
    release: Release = keep


def shown_by(data: Bars | Quotes | Trades | Depth) -> Shown:
    """Every price and size in the data. The side of a quote that is empty repeats the other one.

    Of a book only the first part is looked at: what it does not show is not known.
    """
    if isinstance(data, Depth):
        first = next(data.parts())
        return Shown((first.price,), first.size)
    if isinstance(data, Bars):
        return Shown(tuple(getattr(data, name) for name in PRICES), data.volume, data.release)
    if isinstance(data, Trades):
        return Shown((data.price,), data.size)
    bid, ask = np.where(data.bid > 0, data.bid, data.ask), np.where(data.ask > 0, data.ask, data.bid)
    return Shown((bid, ask), data.bid_size)


def default_instrument(symbol: str, shown: Shown) -> Instrument:
    """An instrument for the symbol: tick and lot are the finest steps that its data show.

    Raises InstrumentError for a symbol whose parts or kind cannot be told.
    """
    try:
        named = InstrumentId.from_str(symbol)
    except ValueError as error:
        raise InstrumentError(str(error)) from error
    terms = TERMS.get(named.type)
    if terms is None:
        raise InstrumentError(f"{symbol} is of type {named.type.value}; give instruments={{{symbol!r}: ...}}")
    pair = named.id.partition("-")[0]
    is_inverse = named.type is InstrumentType.INVERSE
    quotes = ("USD",) if is_inverse else QUOTES
    quote = next((q for q in quotes if pair.endswith(q) and len(pair) > len(q)), None)
    if quote is None:
        raise InstrumentError(
            f"base and quote of {symbol} cannot be told; give instruments={{{symbol!r}: ...}}"
        )
    base = pair[: -len(quote)]
    return Instrument(
        symbol=symbol,
        venue_symbol=pair,
        exchange=named.exchange,
        type=named.type,
        base=base,
        quote=quote,
        settle=base if is_inverse else quote,
        tick=finest_step(np.concatenate([column[-SAMPLE_ROWS_MAX:] for column in shown.prices])),
        lot=Decimal(1) if is_inverse else _lot(shown),
        min_notional=terms.min_notional or None,
        contract_size=INVERSE_CONTRACT if is_inverse else Decimal(1),
        maker=terms.maker,
        taker=terms.taker,
    )


def _lot(shown: Shown) -> Decimal:
    """The step of the sizes; whole ones say little of it, then what costs up to one quote unit is traded."""
    step = finest_step(shown.sizes[-SAMPLE_ROWS_MAX:])
    price = float(shown.prices[-1][-1])
    if step < 1 or price <= 1:
        return step
    return Decimal(1).scaleb(-min(DECIMALS_MAX, math.ceil(math.log10(price))))


def finest_step(values: Floats) -> Decimal:
    """The largest power of ten, at most 1, of which all values are multiples: 0.01 for prices in cents."""
    for decimals in range(DECIMALS_MAX):
        scaled = values * 10**decimals
        if _is_whole(scaled).all():
            return Decimal(1).scaleb(-decimals)
    return Decimal(1).scaleb(-DECIMALS_MAX)


def off_grid(shown: Shown, tick: Decimal) -> int:
    """How many rows have a price that is no multiple of the tick, and is therefore rounded."""
    count = 0
    for rows in spans(len(shown.prices[0]), shown.release):
        is_on = np.ones(rows.stop - rows.start, dtype=np.bool_)
        for column in shown.prices:
            is_on &= _is_whole(column[rows] / float(tick))
        count += int(np.count_nonzero(~is_on))
    return count


def _is_whole(values: Floats) -> NDArray[np.bool_]:
    """Where a value is a whole number, but for what binary fractions cannot hold."""
    return np.isclose(values, np.rint(values), rtol=1e-12, atol=1e-9)
