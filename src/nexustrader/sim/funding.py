"""What perpetuals pay for being held: rates by time, where they come from, and the clock that calls for payment.

A payment is the position's value at the mark x the rate; a long pays a positive rate, a short receives it.
"""

from __future__ import annotations

import csv
import gzip
from bisect import bisect_right
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from datetime import UTC, datetime
from decimal import Decimal, InvalidOperation
from functools import partial
from itertools import pairwise
from pathlib import Path
from typing import Any, NamedTuple

import msgspec

from nexustrader.constants import InstrumentType
from nexustrader.domain.instrument import Instrument, to_plain
from nexustrader.error import DataError, OrderError
from nexustrader.kernel.clock import NS_PER_MS
from nexustrader.kernel.ports import Clock, TimerHandle

HOUR_MS = 3_600_000
MINUTE_MS = 60_000
USUAL_RATE = Decimal("0.0001")
TIME_NAMES = ("timestamp", "funding_time", "fundingtime", "calc_time", "time", "datetime", "date")
RATE_NAMES = ("funding_rate", "fundingrate", "last_funding_rate", "rate")
# A time in seconds, milliseconds, microseconds or nanoseconds is told by its size: these end in the year 5138.
_SECONDS_MAX, _MS_MAX, _US_MAX = 10**11, 10**14, 10**17


class FundingMoment(NamedTuple):
    """When funding is due, and at what rate."""

    time_ms: int
    rate: Decimal


class FundingRates(msgspec.Struct, frozen=True):
    """Rates of one symbol by time. Times are whole minutes: venues stamp a payment some milliseconds later.

    Raises DataError when there are none, or two of one time.
    """

    moments: tuple[FundingMoment, ...]

    def __post_init__(self) -> None:
        times = [moment.time_ms for moment in self.moments]
        if not times or any(later <= sooner for sooner, later in pairwise(times)):
            raise DataError("funding rates must be one or more, each later than the one before it")

    def after(self, time_ms: int) -> FundingMoment | None:
        """The first moment after this time."""
        place = bisect_right(self.moments, time_ms, key=lambda moment: moment.time_ms)
        return self.moments[place] if place < len(self.moments) else None

    def begins_after(self, time_ms: int) -> bool:
        """True while nothing is recorded up to this time."""
        return self.moments[0].time_ms > time_ms


class Funding(msgspec.Struct, frozen=True, kw_only=True):
    """Where the rates of perpetuals come from: `series` by symbol, and `constant` each `interval_ms` where none is.

    A series counts from its first to its last moment. With `constant=None` nothing is paid outside of the series:
    `NO_FUNDING` has neither. Of what is due, `paid_share` is paid and `received_share` received. Raises OrderError for
    a rate, an interval or a share that is none.
    """

    series: Mapping[str, FundingRates] = {}
    constant: Decimal | None = USUAL_RATE
    interval_ms: int = 8 * HOUR_MS
    paid_share: Decimal = Decimal(1)
    received_share: Decimal = Decimal(1)

    def __post_init__(self) -> None:
        if self.constant is not None and not -1 < self.constant < 1:
            raise OrderError(f"Funding(constant={self.constant}) is no rate; give a fraction such as 0.0001")
        if self.interval_ms <= 0:
            raise OrderError(f"Funding(interval_ms={self.interval_ms}) is no interval; 8 hours are 28800000")
        if min(self.paid_share, self.received_share) < 0:
            raise OrderError(
                f"Funding(paid_share={self.paid_share}, received_share={self.received_share}) are no shares; give 0 or "
                "more, 1 for what is due"
            )

    def rate_for(self, lots: int, rate: Decimal) -> Decimal:
        """The rate that a position of so many (signed) lots meets."""
        return rate * (self.paid_share if lots * rate > 0 else self.received_share)

    def next(self, symbol: str, after_ms: int) -> FundingMoment | None:
        """The next payment after this time; None when none is known."""
        rates = self.series.get(symbol)
        recorded = None if rates is None else rates.after(after_ms)
        if self.constant is None:
            return recorded
        regular = FundingMoment((after_ms // self.interval_ms + 1) * self.interval_ms, self.constant)
        if recorded is None or rates is None:
            return regular
        return recorded if not rates.begins_after(after_ms) else min(recorded, regular)

    def describe(self, perpetuals: Iterable[str]) -> Iterator[str]:
        """What is assumed for these symbols, in sentences."""
        symbols = sorted(perpetuals)
        recorded = [symbol for symbol in symbols if symbol in self.series]
        assumed = [symbol for symbol in symbols if symbol not in self.series]
        if recorded:
            moments = sum(len(self.series[symbol].moments) for symbol in recorded)
            beyond = (
                "nothing is paid"
                if self.constant is None
                else f"{to_plain(self.constant)} is assumed each {self._hours} h"
            )
            yield (
                f"Funding of {', '.join(recorded)} is paid at {moments:,} recorded rates, on the value at the last "
                f"price instead of the index; outside of the record {beyond}"
            )
        if assumed and self.constant is not None:
            yield (
                f"Funding of {', '.join(assumed)} is assumed, not recorded: longs pay {to_plain(self.constant)} of the "
                f"value at the last price each {self._hours} h, shorts receive it"
            )
        elif assumed:
            yield f"Funding of {', '.join(assumed)} is neither paid nor received"
        if (
            symbols
            and not self.paid_share == self.received_share == 1
            and (recorded or self.constant is not None)
        ):
            yield (
                f"Of the funding that is due, {to_plain(self.paid_share)} is paid and {to_plain(self.received_share)} "
                "received"
            )

    @property
    def _hours(self) -> str:
        return f"{self.interval_ms / HOUR_MS:g}"


NO_FUNDING = Funding(constant=None)


class FundingClock:
    """Calls `settle(symbol, rate)` at every payment of the symbols that are watched.

    `settle` says whether the symbol is still held; when it is not, the clock forgets it until it is watched anew.
    """

    def __init__(self, clock: Clock, funding: Funding, settle: Callable[[str, Decimal], bool]) -> None:
        self._clock = clock
        self._funding = funding
        self._settle = settle
        self._timers: dict[str, TimerHandle] = {}

    def watch(self, symbol: str) -> None:
        """Want the payments of a symbol from now on."""
        if symbol in self._timers:
            return
        moment = self._funding.next(symbol, self._clock.timestamp_ms())
        if moment is not None:
            due = partial(self._pay, symbol, moment.rate)
            self._timers[symbol] = self._clock.call_at(moment.time_ms * NS_PER_MS, due)

    def stop(self) -> None:
        """Want nothing any more."""
        for timer in self._timers.values():
            timer.cancel()
        self._timers.clear()

    def _pay(self, symbol: str, rate: Decimal) -> None:
        del self._timers[symbol]
        if self._settle(symbol, rate):
            self.watch(symbol)


def is_perpetual(instrument: Instrument) -> bool:
    """True for contracts without an end, which alone pay funding."""
    is_contract = instrument.type in (InstrumentType.LINEAR, InstrumentType.INVERSE)
    name = instrument.symbol.partition(".")[0]
    return is_contract and instrument.expiry_ms is None and name.endswith("-PERP")


# -- reading ---------------------------------------------------------------------------------------------------


def funding_of(given: Any) -> Funding:
    """What a user says of funding: a `Funding`, False for none, a rate per 8 hours, or sources of rates by symbol.

    Raises OrderError for what says nothing, DataError for a source that cannot be read.
    """
    if isinstance(given, Funding):
        return given
    if given is None or given is True:
        return Funding()
    if given is False:
        return NO_FUNDING
    if isinstance(given, Mapping):
        return Funding(series={symbol: read_rates(source, symbol) for symbol, source in given.items()})
    try:
        return Funding(constant=Decimal(str(given)))
    except InvalidOperation:
        raise OrderError(
            f"funding={given!r} says nothing; give False, a rate per 8 hours, or {{symbol: csv file, frame or pairs}}"
        ) from None


def read_rates(source: Any, symbol: str) -> FundingRates:
    """Rates of one symbol from a csv file (also .gz), a polars or pandas frame, or pairs of (time, rate).

    Columns are found by name, such as timestamp and funding_rate; times are numbers of any unit or datetimes. Rows may
    come in any order; of two for one minute the last counts. Raises DataError naming what is missing or unreadable.
    """
    if isinstance(source, FundingRates):
        return source
    if isinstance(source, str | Path):
        name, columns = str(source), _csv_columns(Path(source), symbol)
    elif hasattr(source, "columns"):
        name = f"the funding frame of {symbol}"
        columns = {str(column).strip().lower(): list(source[column]) for column in source.columns}
    else:
        name = f"the funding rates of {symbol}"
        pairs = list(source)
        columns = {TIME_NAMES[0]: [time for time, _ in pairs], RATE_NAMES[0]: [rate for _, rate in pairs]}
    times, rates = (_column(columns, names, name) for names in (TIME_NAMES, RATE_NAMES))
    found: dict[int, Decimal] = {}
    for row, (time, rate) in enumerate(zip(times, rates, strict=True), 1):
        try:
            found[_minute_ms(time)] = _rate(rate)
        except (ValueError, TypeError, InvalidOperation):
            raise DataError(f"{name}, row {row}: time {time!r} and rate {rate!r} are no such") from None
    if not found:
        raise DataError(f"{name} has no row; give one or more funding rates")
    return FundingRates(tuple(FundingMoment(time_ms, found[time_ms]) for time_ms in sorted(found)))


def _csv_columns(path: Path, symbol: str) -> dict[str, list[Any]]:
    """Columns of a csv file by name; rows of other symbols are left out where a column tells the symbol."""
    opened = gzip.open if path.suffix == ".gz" else open
    try:
        with opened(path, "rt", encoding="utf-8-sig", newline="") as lines:
            rows = [
                {str(name).strip().lower(): cell for name, cell in row.items()}
                for row in csv.DictReader(lines)
            ]
    except OSError as error:
        raise DataError(f"{path} cannot be read: {error}") from error
    venue_symbol = symbol.partition(".")[0].partition("-")[0]
    mine = [row for row in rows if row.get("symbol", venue_symbol) in (venue_symbol, symbol)]
    if rows and not mine:
        raise DataError(f"{path} has no row of {venue_symbol}; it is of {rows[0]['symbol']}")
    return {name: [row[name] for row in mine] for name in (mine[0] if mine else ())}


def _column(columns: Mapping[str, Sequence[Any]], names: Sequence[str], source: str) -> Sequence[Any]:
    for name in names:
        if name in columns:
            return columns[name]
    seen = ", ".join(columns) or "none"
    raise DataError(f"{source} has no column {' or '.join(names)}; it has {seen}")


def _minute_ms(time: Any) -> int:
    """A time as the whole minute at or before it, in ms."""
    if isinstance(time, datetime):
        aware = time if time.tzinfo is not None else time.replace(tzinfo=UTC)
        ms = round(aware.timestamp() * 1000)
    elif isinstance(time, str) and not time.strip().lstrip("-").replace(".", "", 1).isdigit():
        return _minute_ms(datetime.fromisoformat(time.strip()))
    else:
        ms = _scaled_ms(int(float(time)) if isinstance(time, str) and "." in time else int(time))
    return ms // MINUTE_MS * MINUTE_MS


def _scaled_ms(time: int) -> int:
    if time < _SECONDS_MAX:
        return time * 1_000
    return time // 1_000_000 if time >= _US_MAX else time // 1_000 if time >= _MS_MAX else time


def _rate(given: Any) -> Decimal:
    rate = Decimal(str(given))
    if not -1 < rate < 1:
        raise ValueError(rate)
    return rate
