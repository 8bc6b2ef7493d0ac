"""Recorded frames of Binance's combined streams: `<local ns> <json>` a line, of whatever streams there were.

Depth updates become book deltas, books of 5 to 20 levels snapshots, bookTicker quotes, trade and aggTrade trades, and
klines that have closed bars. A line may be the answer of the REST depth request, which becomes a snapshot of the book;
on spot it has no time of its own and gets that of the frame before it. Where the venue says no time (bookTicker and
shallow books on spot) the local one stands for it.
"""

from __future__ import annotations

import re
from collections import deque
from collections.abc import Callable, Iterator
from pathlib import Path

import msgspec

from nexustrader.data.kinds import (
    AGG_TRADE,
    BOOK_DELTA,
    BUY,
    ID,
    KLINE_PREFIX,
    LOCAL,
    NS_PER_MS,
    QUOTE,
    SELL,
    TIME,
    TRADE,
    Kind,
    kind_of,
)
from nexustrader.data.readers.levels import ROWS_PER_CHUNK, BookRows, RowBuffer
from nexustrader.data.readers.text import blocks
from nexustrader.data.readers.wish import Wish
from nexustrader.data.rows import Chunk
from nexustrader.error import DataError

NO_TRADE = "NA"  # what the futures stream calls an entry that is no trade in the market
PARTIAL_BOOK = re.compile(
    r"(\w+)@depth(?:5|10|20)(?:@|$)"
)  # a stream whose frames are whole books, if shallow ones


class _Bar(msgspec.Struct):
    t: int
    i: str
    o: str
    h: str
    l: str  # noqa: E741 — the wire's name
    c: str
    v: str
    q: str
    V: str
    Q: str
    n: int
    x: bool


class _Data(msgspec.Struct):
    """The payload of a frame; each kind of event uses some of the fields."""

    s: str = ""
    e: str | None = None
    E: int = 0
    T: int = 0
    U: int = 0
    u: int = 0
    pu: int | None = None
    b: str | list[tuple[str, str]] = ""
    a: str | int | list[tuple[str, str]] = ""
    B: str = ""
    A: str = ""
    p: str = ""
    q: str = ""
    t: int = 0
    f: int = 0
    l: int = 0  # noqa: E741 — the wire's name
    m: bool = False
    X: str = ""
    k: _Bar | None = None
    lastUpdateId: int | None = None  # noqa: N815 — the wire's name
    bids: list[tuple[str, str]] = []
    asks: list[tuple[str, str]] = []


class _Line(msgspec.Struct):
    stream: str | None = None
    data: _Data | None = None
    lastUpdateId: int | None = None  # noqa: N815 — the wire's name
    E: int = 0
    T: int = 0
    bids: list[tuple[str, str]] = []
    asks: list[tuple[str, str]] = []


UPDATES_REMEMBERED_MAX = 4_096  # of which an answer to a depth request may be

_decode = msgspec.json.Decoder(_Line).decode
_TRADE_COLUMNS = (TIME, LOCAL, ID, "price", "size", "side")


class _Rows:
    """What was read so far, by kind."""

    def __init__(self, wish: Wish) -> None:
        self._size = wish.contract_size
        self._time_ns = 0  # of the last frame that has one
        self._updates: deque[tuple[int, int]] = deque(maxlen=UPDATES_REMEMBERED_MAX)  # id and time of each
        self._book = BookRows()
        self._quotes = RowBuffer((TIME, LOCAL, ID, "bid", "bid_size", "ask", "ask_size"), QUOTE.schema)
        self._trades = RowBuffer(_TRADE_COLUMNS, TRADE.schema)
        self._aggregates = RowBuffer((*_TRADE_COLUMNS, "first_trade_id", "last_trade_id"), AGG_TRADE.schema)
        self._buffers: list[tuple[Kind, RowBuffer]] = [
            (BOOK_DELTA, self._book),
            (QUOTE, self._quotes),
            (TRADE, self._trades),
            (AGG_TRADE, self._aggregates),
        ]
        self._bars: dict[str, RowBuffer] = {}
        self._adders: dict[str, Callable[[int, int, int, _Data], None]] = {
            "depthUpdate": self._add_update,
            "bookTicker": self._add_quote,
            "trade": self._add_trade,
            "aggTrade": self._add_aggregate,
            "kline": self._add_bar,
        }

    def add_frame(self, row: int, local_ns: int, data: _Data, *, is_whole_book: bool) -> None:
        """One event; streams that are not kept are left out. Raises ValueError for a number that is none."""
        time_ns = (data.T or data.E) * NS_PER_MS
        self._time_ns = time_ns or self._time_ns
        if is_whole_book:
            update_id = data.u if data.lastUpdateId is None else data.lastUpdateId
            bids = data.bids if data.lastUpdateId is not None else data.b
            asks = data.asks if data.lastUpdateId is not None else data.a
            self._add_book(row, time_ns or local_ns, local_ns, (update_id, None), bids, asks)
            return
        add = self._adders.get(data.e or ("bookTicker" if data.B else ""))
        if add is not None:
            add(row, time_ns or local_ns, local_ns, data)

    def _add_update(self, row: int, time_ns: int, local_ns: int, data: _Data) -> None:
        ids = data.u, data.U - 1 if data.pu is None else data.pu
        self._updates.append((data.u, time_ns))
        self._add_book(row, time_ns, local_ns, ids, data.b, data.a)

    def _add_book(
        self, row: int, time_ns: int, local_ns: int, ids: tuple[int, int | None], bids: object, asks: object
    ) -> None:
        """Levels with their id and the one before it; a whole book has none before it."""
        if not isinstance(bids, list) or not isinstance(asks, list):
            raise ValueError("a book without levels")  # noqa: TRY004 — text is at fault, not a type of ours
        self._book.add_event(
            row,
            time_ns,
            local_ns,
            ids[0],
            ids[1],
            bids,
            asks,
            is_snapshot=ids[1] is None,
            contract_size=self._size,
        )

    def _add_quote(self, row: int, time_ns: int, local_ns: int, data: _Data) -> None:
        sizes = float(data.B) * self._size, float(data.A) * self._size
        bid, ask = float(str(data.b)), float(str(data.a))
        self._quotes.add(row, time_ns, local_ns, data.u, bid, sizes[0], ask, sizes[1])

    def _add_trade(self, row: int, time_ns: int, local_ns: int, data: _Data) -> None:
        if data.X != NO_TRADE:
            self._trades.add(row, time_ns, local_ns, str(data.t), *self._trade(data))

    def _add_aggregate(self, row: int, time_ns: int, local_ns: int, data: _Data) -> None:
        self._aggregates.add(row, time_ns, local_ns, str(data.a), *self._trade(data), data.f, data.l)

    def _trade(self, data: _Data) -> tuple[float, float, int]:
        return float(data.p), float(data.q) * self._size, SELL if data.m else BUY

    def _add_bar(self, row: int, _time_ns: int, _local_ns: int, data: _Data) -> None:
        """A bar that has closed; what is told of it before is no bar yet."""
        bar = data.k
        if bar is None or not bar.x:
            return
        kind = kind_of(f"{KLINE_PREFIX}{bar.i}")
        rows = self._bars.get(bar.i)
        if rows is None:
            rows = self._bars[bar.i] = RowBuffer(kind.names, kind.schema)
            self._buffers.append((kind, rows))
        prices = (float(text) for text in (bar.o, bar.h, bar.l, bar.c))
        volumes = (float(bar.v) * self._size, float(bar.q), float(bar.V) * self._size, float(bar.Q))
        rows.add(row, bar.t * NS_PER_MS, *prices, *volumes, bar.n)

    def add_answer(self, row: int, local_ns: int, line: _Line) -> None:
        """The answer of a depth request, which may come behind updates that are newer than it."""
        time_ns = (line.T or line.E) * NS_PER_MS or self._time_of(line.lastUpdateId or 0) or local_ns
        self._add_book(row, time_ns, local_ns, (line.lastUpdateId or 0, None), line.bids, line.asks)

    def _time_of(self, update_id: int) -> int:
        """When the book was that of an update: the time of the last one that it has, else of the first one known."""
        known = next((time_ns for one, time_ns in reversed(self._updates) if one <= update_id), None)
        if known is None:
            known = self._updates[0][1] if self._updates else self._time_ns
        return known

    def chunks(self, least: int) -> Iterator[Chunk]:
        """What has at least so many rows."""
        for kind, rows in self._buffers:
            if len(rows) >= least:
                yield Chunk(kind, rows.take())


def read_frames(path: Path, wish: Wish, progress: Callable[[int], None] | None = None) -> Iterator[Chunk]:
    """The rows of the wished symbol and, if wished, kind. Raises DataError naming file and line."""
    rows, seen, found = _Rows(wish), set[str](), False
    for block in blocks(path, progress):
        for row, raw in enumerate(block.content.splitlines(), block.first_row):
            if not raw.strip():
                continue
            time, _, frame = raw.partition(b" ")
            try:
                local_ns, line = int(time), _decode(frame)
                if line.lastUpdateId is not None:
                    rows.add_answer(row, local_ns, line)
                elif line.data is not None:
                    partial = PARTIAL_BOOK.match(line.stream or "")
                    symbol = line.data.s or (partial[1].upper() if partial else "")
                    seen.add(symbol)
                    if wish.is_meant(symbol):
                        found = True
                        rows.add_frame(row, local_ns, line.data, is_whole_book=partial is not None)
            except (ValueError, DataError, msgspec.MsgspecError) as error:
                raise DataError(
                    f"{path.name}, row {row} is no recorded frame: {error}; correct or remove the row"
                ) from error
        yield from _wished(rows.chunks(ROWS_PER_CHUNK), wish)
    if not found and seen and wish.is_required:
        raise wish.nothing_found(path, seen)
    yield from _wished(rows.chunks(1), wish)


def _wished(chunks: Iterator[Chunk], wish: Wish) -> Iterator[Chunk]:
    return (chunk for chunk in chunks if wish.kind is None or chunk.kind is wish.kind)
