"""What a re-simulation assumes, and which of it is replaced by what was recorded."""

from __future__ import annotations

from collections.abc import Iterator
from decimal import Decimal
from enum import Enum
from itertools import product
from typing import NamedTuple

from nexustrader.backtest.parity.lives import ZERO, Lives
from nexustrader.backtest.parity.recorded import Recorded
from nexustrader.domain.instrument import Instrument

RATE_QUANTUM = Decimal("1e-7")  # no venue has finer rates, and a recorded fee is cut at its eighth decimal


class Cause(str, Enum):
    """Why an order came out otherwise than in a backtest."""

    LATENCY = "latency"
    FEE = "fee"
    QUEUE = "queue"
    FUNDING = "funding"
    DATA = "data"
    UNEXPLAINED = "unexplained"


class Timing(Enum):
    """When commands reach the simulated venue."""

    GIVEN = "as assumed"
    MEASURED = "at the venue's own times, after the data of the same millisecond"
    MEASURED_FIRST = "at the venue's own times, before the data of the same millisecond"
    MEASURED_BOTH = (
        "at the venue's own times, with quotes that carry no time of the venue moved back by the latency"
    )


class Fees(Enum):
    """What is charged."""

    GIVEN = "as assumed"
    RECORDED = "at the recorded rates"


class Queue(Enum):
    """What stands before an order that rests."""

    GIVEN = "as assumed"
    EMPTY = "nobody: every trade at its price fills it"
    FULL = "everybody: only quotes beyond its price fill it"


class Payments(Enum):
    """What positions pay for being held."""

    GIVEN = "as assumed"
    RECORDED = "at the recorded rates and times"
    NONE = "nothing"


class Assumed(NamedTuple):
    """One set of assumptions; the default is what the user assumes."""

    timing: Timing = Timing.GIVEN
    fees: Fees = Fees.GIVEN
    queue: Queue = Queue.GIVEN
    payments: Payments = Payments.GIVEN

    @property
    def causes(self) -> tuple[Cause, ...]:
        """What is replaced."""
        return tuple(
            cause for cause, assumption in zip(_CAUSES, self, strict=True) if assumption.name != GIVEN_NAME
        )


GIVEN_NAME = "GIVEN"  # in every one of the four
_CAUSES = (Cause.LATENCY, Cause.FEE, Cause.QUEUE, Cause.FUNDING)
GIVEN = Assumed()


def substitutions(recorded: Recorded) -> Iterator[Assumed]:
    """Every set in which something is replaced that concerns orders: those with the fewest replacements first."""
    timings = [Timing.GIVEN]
    if recorded.arrivals_ms:
        timings += [Timing.MEASURED, Timing.MEASURED_FIRST]
        if recorded.market.stamped_here:
            timings.append(Timing.MEASURED_BOTH)
    fees = list(Fees) if recorded_rates(recorded.lives, recorded.instruments) else [Fees.GIVEN]
    queues = list(Queue) if recorded.market.trades else [Queue.GIVEN]
    sets = [Assumed(*one) for one in product(timings, fees, queues)]
    return (one for one in sorted(sets, key=lambda one: len(one.causes)) if one.causes)


class Rates(NamedTuple):
    """Fractions of the value; None where no execution of the kind was recorded."""

    maker: Decimal | None
    taker: Decimal | None


def recorded_rates(lives: Lives, instruments: dict[str, Instrument]) -> dict[str, Rates]:
    """What was charged by symbol: as its largest executions say, for they say it most exactly."""
    largest: dict[tuple[str, bool], tuple[Decimal, Decimal]] = {}
    for oid, command in lives.submits.items():
        instrument = instruments.get(command.symbol)
        if instrument is None:
            continue
        for fill in lives.life(oid).fills:
            value = charged_value(instrument, fill.price, fill.amount, fill.fee_currency)
            key = (command.symbol, fill.is_maker)
            if value is not None and value > largest.get(key, (ZERO, ZERO))[0]:
                largest[key] = (value, fill.fee)
    rates = {key: (fee / value).quantize(RATE_QUANTUM) for key, (value, fee) in largest.items()}
    return {
        symbol: Rates(rates.get((symbol, True)), rates.get((symbol, False)))
        for symbol in dict.fromkeys(symbol for symbol, _ in rates)
    }


def charged_value(
    instrument: Instrument, price: Decimal, amount: Decimal, currency: str | None
) -> Decimal | None:
    """The value of an execution in the asset of its fee; None when that is a third one, whose price is not known."""
    if currency == instrument.quote or currency is None:
        return price * amount
    if currency == instrument.base:
        return amount if instrument.type.value == "spot" else None
    return None
