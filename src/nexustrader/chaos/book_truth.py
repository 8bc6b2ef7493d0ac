"""I11: what an engine calls a good book is a book that the venue had, and at the end of a run the one that it has."""

from __future__ import annotations

from collections import deque
from collections.abc import Iterator

from nexustrader.emulator.market.market import DepthUpdate, Market, PublicTrade
from nexustrader.schema import BookL2, BookOrderData

LEVELS = 50
NEWEST_MAX = 8  # a quiet engine holds one of so many: the last updates may still be on their way

View = tuple[tuple[tuple[float, float], ...], ...]


class BookTruth:
    """Every book that one market has had. It listens in front of the market's streams."""

    def __init__(self, market: Market) -> None:
        self._market = market
        self._audience = market.audience
        self._had: set[View] = set()
        self._newest: deque[View] = deque(maxlen=NEWEST_MAX)
        market.audience = self
        self._note()

    def check(self, book: BookL2 | None) -> Iterator[str]:
        """Whether the venue ever had this book, if it is called good."""
        if book is not None and book.ok and _view_of(book) not in self._had:
            yield f"I11: the venue never had the book of {book.symbol} that is called good: {book}"

    def check_at_end(self, book: BookL2 | None) -> Iterator[str]:
        """Whether this is the venue's book now."""
        if book is None or not book.ok:
            yield f"I17: the book is not good: {book}"
        elif _view_of(book) not in self._newest:
            yield f"I17: the book of {book.symbol} is not the venue's: {book}"

    # -- the audience of the market --------------------------------------------------------------------------

    def on_touch(self, market: Market) -> None:
        if self._audience is not None:
            self._audience.on_touch(market)

    def on_depth(self, market: Market, update: DepthUpdate) -> None:
        self._note()
        if self._audience is not None:
            self._audience.on_depth(market, update)

    def on_trade(self, market: Market, trade: PublicTrade) -> None:
        if self._audience is not None:
            self._audience.on_trade(market, trade)

    def _note(self) -> None:
        bids, asks = self._market.depth(LEVELS)
        view = tuple(tuple((float(price), float(size)) for price, size in side) for side in (bids, asks))
        self._had.add(view)
        self._newest.append(view)


def _view_of(book: BookL2) -> View:
    return _side_of(book.bids), _side_of(book.asks)


def _side_of(side: list[BookOrderData]) -> tuple[tuple[float, float], ...]:
    return tuple((level.price, level.size) for level in side)
