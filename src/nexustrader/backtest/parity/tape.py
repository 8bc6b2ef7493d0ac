"""The public data of a session, in columns: what moves a simulated venue."""

from __future__ import annotations

from array import array
from collections import defaultdict
from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from functools import partial
from typing import Any, TypeVar

import numpy as np

from nexustrader.constants import DataType
from nexustrader.data.bars import Bars
from nexustrader.data.readers.frames import from_klines
from nexustrader.data.ticks import Quotes, Ticks, Trades, build_quotes, build_trades
from nexustrader.kernel.clock import NS_PER_MS
from nexustrader.schema import BookL1, BookL2, FundingRate, Kline, Trade
from nexustrader.sim.funding import Funding, FundingRates, read_rates

SOURCE = "the session"
TAKEN = frozenset(
    kind.value
    for kind in (DataType.BOOKL1, DataType.BOOKL2, DataType.TRADE, DataType.KLINE, DataType.FUNDING_RATE)
)
"""Kinds of data that move a simulated venue, or its funding."""

QUOTE_COLUMNS = ("bid", "ask", "bid_size", "ask_size")
TRADE_COLUMNS = ("price", "size", "is_buy")

T = TypeVar("T", bound=Ticks)


@dataclass(frozen=True, slots=True, kw_only=True)
class Market:
    """Public data by symbol. Symbols in `stamped_here` have quotes that carry no time of the venue."""

    quotes: Mapping[str, Quotes] = field(default_factory=dict)
    trades: Mapping[str, Trades] = field(default_factory=dict)
    bars: Mapping[str, Bars] = field(default_factory=dict)
    funding: Mapping[str, FundingRates] = field(default_factory=dict)
    stamped_here: frozenset[str] = frozenset()

    def ticks(self, symbol: str) -> Quotes | Trades | None:
        """What makes the touch of a symbol; None where there are bars at best."""
        return self.quotes.get(symbol) or self.trades.get(symbol)

    def recorded_funding(self) -> Funding:
        """Funding as it was told, and none where nothing was."""
        return Funding(series=self.funding, constant=None)


class _Rows:
    """Rows that are still growing: times, and one column each."""

    def __init__(self, columns: tuple[str, ...]) -> None:
        self.times_ns = array("q")
        self.columns = {name: array("d") for name in columns}

    def add(self, time_ns: int, *values: float) -> None:
        self.times_ns.append(time_ns)
        for column, value in zip(self.columns.values(), values, strict=True):
            column.append(value)

    def table(self) -> dict[str, Any]:
        columns = {name: np.array(column) for name, column in self.columns.items()}
        return {"time_ns": np.array(self.times_ns, dtype=np.int64), **columns}


class Tape:
    """Collects the data of a session one by one."""

    def __init__(self) -> None:
        self._quotes = defaultdict[str, _Rows](partial(_Rows, QUOTE_COLUMNS))
        self._tops = defaultdict[str, _Rows](partial(_Rows, QUOTE_COLUMNS))
        self._trades = defaultdict[str, _Rows](partial(_Rows, TRADE_COLUMNS))
        self._klines: dict[str, dict[int, list[Kline]]] = {}
        self._rates: dict[str, dict[int, float]] = {}
        self._with_venue_time: set[str] = set()
        self.last_ms = 0

    def add(self, datum: Any, at_ns: int) -> None:
        """Take one datum of a kind in TAKEN that came at this time."""
        self.last_ms = max(self.last_ms, datum.timestamp)
        symbol, time_ns = datum.symbol, datum.timestamp * NS_PER_MS
        if isinstance(datum, BookL1):
            self._quotes[symbol].add(time_ns, datum.bid, datum.ask, datum.bid_size, datum.ask_size)
            self._note_stamp(symbol, datum.timestamp, at_ns)
        elif isinstance(datum, BookL2):
            self._add_top(datum, time_ns)
            self._note_stamp(symbol, datum.timestamp, at_ns)
        elif isinstance(datum, Trade):
            self._trades[symbol].add(time_ns, datum.price, datum.size, datum.side.is_buy)
        elif isinstance(datum, Kline):
            by_length = self._klines.setdefault(symbol, {})
            by_length.setdefault(datum.interval.milliseconds, []).append(datum)
        elif isinstance(datum, FundingRate):
            self._rates.setdefault(symbol, {})[datum.next_funding_time] = datum.rate

    def _add_top(self, book: BookL2, time_ns: int) -> None:
        bid, ask = (levels[0] if levels else None for levels in (book.bids, book.asks))
        if not book.ok or (bid is None and ask is None):
            return
        prices = (0.0 if level is None else level.price for level in (bid, ask))
        sizes = (0.0 if level is None else level.size for level in (bid, ask))
        self._tops[book.symbol].add(time_ns, *prices, *sizes)

    def _note_stamp(self, symbol: str, stamp_ms: int, at_ns: int) -> None:
        if stamp_ms != at_ns // NS_PER_MS:
            self._with_venue_time.add(symbol)

    def market(self) -> Market:
        """What was collected. Quotes are of the best-bid-and-ask stream, else of the book's best levels.

        Raises DataError naming the first row that makes no sense.
        """
        tops = self._tops | self._quotes
        quotes = {symbol: build_quotes(rows.table(), symbol, SOURCE) for symbol, rows in tops.items()}
        trades = {symbol: build_trades(rows.table(), symbol, SOURCE) for symbol, rows in self._trades.items()}
        rates = {symbol: read_rates(told.items(), symbol) for symbol, told in self._rates.items()}
        return Market(
            quotes=quotes,
            trades=trades,
            bars=self._bars(),
            funding=rates,
            stamped_here=frozenset(quotes.keys() - self._with_venue_time),
        )

    def _bars(self) -> dict[str, Bars]:
        """Closed klines of the shortest interval that a symbol has."""
        finest = [by_length[min(by_length)] for by_length in self._klines.values()]
        closed = [kline for klines in finest for kline in klines if kline.confirm]
        return from_klines(closed) if closed else {}


def shifted(ticks: T, ms: float) -> T:
    """The same rows so much later; earlier when negative."""
    return replace(ticks, time_ns=ticks.time_ns + round(ms * NS_PER_MS))
