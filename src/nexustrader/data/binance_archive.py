"""What Binance Vision offers: which files hold a span of days, and where they are. Pure; nothing is fetched here."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import date, timedelta
from typing import NamedTuple

from nexustrader.constants import ExchangeType, InstrumentType
from nexustrader.data.kinds import AGG_TRADE, FUNDING, KLINE_PREFIX, QUOTE, TRADE, Kind
from nexustrader.error import DataError
from nexustrader.schema import InstrumentId

BASE_URL = "https://data.binance.vision/data"
MARKETS = {
    InstrumentType.SPOT: "spot",
    InstrumentType.LINEAR: "futures/um",
    InstrumentType.INVERSE: "futures/cm",
}
NAMES = {TRADE: "trades", AGG_TRADE: "aggTrades", QUOTE: "bookTicker", FUNDING: "fundingRate"}
FUTURES_ONLY = (QUOTE, FUNDING)
MONTHLY_ONLY = (FUNDING,)
DAY = timedelta(days=1)


class RemoteFile(NamedTuple):
    """A file under the base URL; `first` to `last` are the days that it covers."""

    path: str
    first: date
    last: date

    @property
    def name(self) -> str:
        return self.path.rpartition("/")[2]

    @property
    def is_monthly(self) -> bool:
        return "/monthly/" in self.path


class Archive:
    """The files of one symbol and kind. Raises DataError for what Binance Vision does not have."""

    def __init__(self, symbol: str, kind: Kind) -> None:
        try:
            named = InstrumentId.from_str(symbol)
        except ValueError as error:
            raise DataError(str(error)) from error
        self._kind = kind
        market = MARKETS.get(named.type)
        if named.exchange is not ExchangeType.BINANCE or market is None:
            raise DataError(f"{symbol} is not of Binance; only Binance's archive can be downloaded from")
        if kind in FUTURES_ONLY and named.is_spot:
            raise DataError(f"the archive has no {kind.name} of spot symbols; give a futures symbol")
        name = venue_symbol(named)
        if kind.name.startswith(KLINE_PREFIX):
            folder = part = kind.name.removeprefix(KLINE_PREFIX).replace("1M", "1mo")
            self._folder = f"{market}/{{period}}/klines/{name}/{folder}"
        elif kind in NAMES:
            part = NAMES[kind]
            self._folder = f"{market}/{{period}}/{part}/{name}"
        else:
            raise DataError(
                f"the archive has no {kind.name}; give a kline, or one of {', '.join(k.name for k in NAMES)}"
            )
        self._stem = f"{name}-{part}"

    def files(self, first: date, last: date) -> Iterator[RemoteFile]:
        """What covers the days from `first` to `last`: months where a whole one is wanted, days for the rest."""
        if last < first:
            raise DataError(
                f"the span from {first} to {last} has no day; give an earlier --start or a later --end"
            )
        day = first
        while day <= last:
            end = _month_end(day)
            if self._kind in MONTHLY_ONLY or (day.day == 1 and end <= last):
                yield self._file("monthly", f"{day:%Y-%m}", day.replace(day=1), end)
                day = end + DAY
            else:
                yield self._day(day)
                day += DAY

    def days_of(self, month: RemoteFile, last: date) -> Iterator[RemoteFile]:
        """The files of single days in place of a month's, which appears only when the month is over."""
        if self._kind in MONTHLY_ONLY:
            return
        day = month.first
        while day <= min(month.last, last):
            yield self._day(day)
            day += DAY

    def _day(self, day: date) -> RemoteFile:
        return self._file("daily", day.isoformat(), day, day)

    def _file(self, period: str, when: str, first: date, last: date) -> RemoteFile:
        return RemoteFile(f"{self._folder.format(period=period)}/{self._stem}-{when}.zip", first, last)


def venue_symbol(named: InstrumentId) -> str:
    """Binance's own name of a symbol."""
    pair, _, tail = named.id.partition("-")
    if named.is_spot or (named.is_linear and tail == "PERP"):
        return pair
    return f"{pair}_{tail}"


def _month_end(day: date) -> date:
    return (day.replace(day=28) + timedelta(days=4)).replace(day=1) - DAY
