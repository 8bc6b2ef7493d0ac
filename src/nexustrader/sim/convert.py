"""From the instruments that venues list to those that the simulator trades."""

from __future__ import annotations

from collections.abc import Mapping
from decimal import Decimal

from nexustrader.constants import InstrumentType
from nexustrader.domain.instrument import Instrument
from nexustrader.error import InstrumentError
from nexustrader.sim.types import Kind, SimInstrument

KINDS: Mapping[InstrumentType, Kind] = {
    InstrumentType.SPOT: "spot",
    InstrumentType.LINEAR: "linear",
    InstrumentType.INVERSE: "inverse",
}
ONE = Decimal(1)


def to_sim_instrument(
    instrument: Instrument, *, maker: Decimal | None = None, taker: Decimal | None = None
) -> SimInstrument:
    """The instrument with its own fees, or with those given. Raises InstrumentError for options and the like.

    Amounts stay what they are at the border: base units, for inverse contracts units of `contract_size` quote.
    """
    kind = KINDS.get(instrument.type)
    if kind is None:
        raise InstrumentError(
            f"{instrument.symbol} is of type {instrument.type.value}, which is not simulated; "
            f"choose one of {', '.join(known.value for known in KINDS)}"
        )
    return SimInstrument(
        symbol=instrument.symbol,
        kind=kind,
        tick=instrument.tick,
        lot=instrument.lot,
        base=instrument.base,
        quote=instrument.quote,
        settle=instrument.quote if kind == "spot" else instrument.settle,
        contract_size=instrument.contract_size if kind == "inverse" else ONE,
        maker_fee=instrument.maker if maker is None else maker,
        taker_fee=instrument.taker if taker is None else taker,
    )
