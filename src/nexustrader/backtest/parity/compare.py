"""In what two lives of one order differ. Pure."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import UTC, datetime
from decimal import Decimal

import msgspec

from nexustrader.backtest.parity.lives import ZERO, Life
from nexustrader.domain.instrument import Instrument, to_plain

FEE_QUANTUM = Decimal("1e-8")  # of every execution: venues cut or round a fee there
PRICE_SHARE = Decimal("0.01")  # of a tick: venues round an average price
REFUSED = "REFUSED"  # with nothing filled, some venues say rejected where others say expired
NOTHING = "-"


class Difference(msgspec.Struct, frozen=True):
    """One thing that is not the same: status, filled, average, maker, fee, or time."""

    what: str
    recorded: str
    simulated: str


def differences(
    recorded: Life, simulated: Life, instrument: Instrument, time_ms_max: int
) -> tuple[Difference, ...]:
    """What differs. Executions may come up to `time_ms_max` apart, however the amount is divided among them."""
    return tuple(_differences(recorded, simulated, instrument, time_ms_max))


def _differences(
    recorded: Life, simulated: Life, instrument: Instrument, time_ms_max: int
) -> Iterator[Difference]:
    if (then := status(recorded)) != (now := status(simulated)):
        yield Difference("status", then, now)
    if recorded.filled != simulated.filled:
        yield Difference("filled", to_plain(recorded.filled), to_plain(simulated.filled))
    if not _is_near(recorded.average, simulated.average, instrument.tick * PRICE_SHARE):
        yield Difference("average", shown_price(recorded.average), shown_price(simulated.average))
    if recorded.maker != simulated.maker and recorded.fills:
        yield Difference("maker", to_plain(recorded.maker), to_plain(simulated.maker))
    if is_charged_in(recorded, instrument) and not _is_fee_near(recorded, simulated):
        yield Difference("fee", shown_fees(recorded), shown_fees(simulated))
    yield from _time_difference(recorded, simulated, time_ms_max)


def status(life: Life) -> str:
    """The status, in a word that all venues have in common."""
    return REFUSED if not life.filled and life.status in ("REJECTED", "EXPIRED") else life.status


def is_charged_in(life: Life, instrument: Instrument) -> bool:
    """False for fees in a third asset, which are not simulated, and where the recording tells no execution."""
    own = {instrument.base, instrument.quote, instrument.settle}
    return bool(life.fills) and life.fees.keys() <= own


def _is_near(one: Decimal | None, other: Decimal | None, most: Decimal) -> bool:
    if one is None or other is None:
        return one is other
    return abs(one - other) <= most


def _is_fee_near(one: Life, other: Life) -> bool:
    most = FEE_QUANTUM * max(len(one.fills), len(other.fills), 1)
    currencies = one.fees.keys() | other.fees.keys()
    return all(abs(one.fees.get(c, ZERO) - other.fees.get(c, ZERO)) <= most for c in currencies)


def _time_difference(recorded: Life, simulated: Life, time_ms_max: int) -> Iterator[Difference]:
    """The first amount that was reached at another time; only amounts that both have reached."""
    reached = ZERO
    for fill in recorded.fills:
        reached += fill.amount
        then, now = recorded.reached_ms(reached), simulated.reached_ms(reached)
        if then is not None and now is not None and abs(then - now) > time_ms_max:
            yield Difference("time", shown_time(then), shown_time(now))
            return


# -- words -----------------------------------------------------------------------------------------------------


def shown_price(price: Decimal | None) -> str:
    return NOTHING if price is None else to_plain(round(price, 8).normalize())


def shown_fees(life: Life) -> str:
    return ", ".join(f"{to_plain(fee)} {currency}" for currency, fee in sorted(life.fees.items())) or NOTHING


def shown_time(time_ms: int) -> str:
    """A time of the day, to the millisecond."""
    return datetime.fromtimestamp(time_ms / 1000, UTC).strftime("%H:%M:%S.%f")[:-3]
