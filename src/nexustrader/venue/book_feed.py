"""Order books of one feed: each is shown only while it is certain, and brought back when it is not.

A book is shown by one call that stores it and then tells of it. A book that cannot be known any more is stored as such
by the same call, in the call stack in which that came out: no callback runs in between.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable

from msgspec.structs import replace

from nexustrader.constants import AccountType
from nexustrader.domain.instrument import Instrument
from nexustrader.error import NotSent, OutcomeUnknown, VenueRejected, WireError
from nexustrader.kernel.entropy import Entropy
from nexustrader.kernel.log import get_logger
from nexustrader.kernel.ports import Clock
from nexustrader.kernel.tasks import TaskManager
from nexustrader.market.subscriptions import Stream
from nexustrader.schema import BookL2
from nexustrader.venue.local_book import BookChange, BookState, LocalBook, Todo
from nexustrader.venue.ratelimit import Pace
from nexustrader.venue.session import RestSession
from nexustrader.venue.spec import Deliver, Venue
from nexustrader.venue.stream import STABLE_AFTER_S, reconnect_delay_ms

SNAPSHOT_SHARE = 0.5  # of the weight limit: the rest is for orders and what is asked about them
SNAPSHOT_BURST_MS = 10_000
FIRST_WORD_S = 5.0  # so long a stream may take to say anything; a quiet market then has its snapshot without
SNAPSHOT_WAIT_S = 10.0
SNAPSHOTS_AT_ONCE = 4

_log = get_logger("Book")

IsFresh = Callable[[BookL2], bool]


class _Shown:
    """What was shown of one book last."""

    def __init__(self, deliver: Deliver, is_fresh: IsFresh) -> None:
        self._deliver = deliver
        self._is_fresh = is_fresh
        self._last: BookL2 | None = None

    def show(self, book: BookL2) -> None:
        if not self._is_fresh(book) or _is_crossed(book):
            book = replace(book, ok=False)
        self._last = book
        self._deliver(book)

    def spoil(self) -> None:
        """What was shown does not count any more."""
        if self._last is not None and self._last.ok:
            self._last = replace(self._last, ok=False)
            self._deliver(self._last)


def _is_crossed(book: BookL2) -> bool:
    return bool(book.bids and book.asks) and book.bids[0].price >= book.asks[0].price


class _Kept:
    """One book that is kept here, and the task that brings it back."""

    def __init__(self, stream: Stream, instrument: Instrument, book: LocalBook, shown: _Shown) -> None:
        self.stream = stream
        self.instrument = instrument
        self.book = book
        self.shown = shown
        self.is_good = False
        self.good_since_ms = 0
        self.attempt = 0
        self.heard = asyncio.Event()  # the stream has brought something that a book can begin with
        self.cure: asyncio.Task[None] | None = None


class BookFeed:
    """Keeps the books of one feed. `begin_anew(stream)` subscribes a stream once more."""

    def __init__(
        self,
        venue: Venue,
        account_type: AccountType,
        session: RestSession,
        clock: Clock,
        tasks: TaskManager,
        entropy: Entropy,
        deliver: Deliver,
        is_fresh: IsFresh,
        begin_anew: Callable[[Stream], None],
    ) -> None:
        self._venue = venue
        self._type = account_type
        self._session = session
        self._clock = clock
        self._tasks = tasks
        self._entropy = entropy
        self._deliver = deliver
        self._is_fresh = is_fresh
        self._begin_anew = begin_anew
        self._shown: dict[Stream, _Shown] = {}
        self._kept: dict[Stream, _Kept] = {}
        self._places = asyncio.Semaphore(SNAPSHOTS_AT_ONCE)
        self._pace = Pace(venue.rate_limits(account_type), "weight", SNAPSHOT_SHARE, SNAPSHOT_BURST_MS)

    def open(self, stream: Stream, instrument: Instrument) -> Deliver:
        """What takes in the frames of a stream of books, decoded."""
        shown = self._shown[stream] = _Shown(self._deliver, self._is_fresh)
        rule = self._venue.book_rule(self._type, stream)
        if rule is None:
            return shown.show
        kept = self._kept[stream] = _Kept(stream, instrument, LocalBook(rule), shown)

        def on_change(change: BookChange) -> None:
            self._take(kept, change)

        return on_change

    def begun(self, stream: Stream) -> None:
        """The subscription of this stream has gone out."""
        kept = self._kept.get(stream)
        if kept is not None and not kept.is_good:
            self._ensure_cure(kept)

    def lost(self, stream: Stream, reason: str) -> None:
        """What this stream told does not count any more: it is silent, or its connection is gone."""
        shown = self._shown.get(stream)
        if shown is not None:
            shown.spoil()
        kept = self._kept.get(stream)
        if kept is not None:
            if kept.cure is not None:
                kept.cure.cancel()
            self._note_bad(kept)
            kept.heard.clear()
            kept.book.restart(reason)

    def close(self, stream: Stream) -> None:
        """Nobody wants it any more; the last that was shown no longer counts."""
        self.lost(stream, "it is not wanted any more")
        self._shown.pop(stream, None)
        self._kept.pop(stream, None)

    # -- one change ------------------------------------------------------------------------------------------

    def _take(self, kept: _Kept, change: BookChange) -> None:
        book = kept.book
        todo = book.take(change)
        if todo is Todo.SHOW:
            bids, asks = book.view()
            instrument = kept.instrument
            if not kept.is_good:
                self._note_good(kept)
            kept.shown.show(BookL2(instrument.exchange, instrument.symbol, bids, asks, book.timestamp))
            if book.is_thin:
                self._ensure_cure(kept)
        elif todo is not Todo.NOTHING:
            kept.shown.spoil()
            self._note_bad(kept)
            if book.state is BookState.BROKEN:
                _log.warning(f"{kept.stream.symbol}: the book cannot be known: {book.reason}")
            kept.heard.set()
            self._ensure_cure(kept)

    def _note_good(self, kept: _Kept) -> None:
        kept.is_good = True
        kept.good_since_ms = self._clock.monotonic_ms()
        kept.heard.set()
        if kept.book.reason:
            _log.warning(f"{kept.stream.symbol}: the book is known again")

    def _note_bad(self, kept: _Kept) -> None:
        self._forgive(kept)
        kept.is_good = False

    def _forgive(self, kept: _Kept) -> None:
        """A book that has been good for a while may be asked for at once."""
        if kept.is_good and self._clock.monotonic_ms() - kept.good_since_ms >= STABLE_AFTER_S * 1000:
            kept.attempt = 0

    # -- bringing it back ------------------------------------------------------------------------------------

    def _ensure_cure(self, kept: _Kept) -> None:
        if kept.cure is None or kept.cure.done() or kept.cure.cancelling():
            self._forgive(kept)
            kept.cure = self._tasks.create_task(self._cure(kept), name=f"book {kept.stream.symbol}")

    async def _cure(self, kept: _Kept) -> None:
        """Ask for what the book needs until it is good; at longer and longer intervals when that is in vain."""
        await self._wait_for_word(kept, FIRST_WORD_S)
        remedy = self._fetch if kept.book.rule.by_request else self._subscribe_anew
        while not kept.is_good or kept.book.is_thin:
            if kept.attempt:
                await asyncio.sleep(reconnect_delay_ms(kept.attempt, self._entropy.random()) / 1000)
            kept.attempt += 1
            try:
                await remedy(kept)
            except (NotSent, OutcomeUnknown, VenueRejected, WireError) as error:
                _log.warning(f"{kept.stream.symbol}: no snapshot of the book, asked for again: {error}")

    async def _wait_for_word(self, kept: _Kept, timeout_s: float) -> None:
        try:
            async with asyncio.timeout(timeout_s):
                await kept.heard.wait()
        except TimeoutError:
            pass  # a quiet market: its snapshot needs nothing to follow it

    async def _fetch(self, kept: _Kept) -> None:
        request = self._venue.depth_request(self._type, kept.instrument)
        async with self._places:
            await asyncio.sleep(self._pace.take(request.weight, self._clock.monotonic_ms()) / 1000)
            reply = await self._session.ask(request)
        self._take(kept, self._venue.parse_depth(self._type, reply.body, self._clock.timestamp_ms()))

    async def _subscribe_anew(self, kept: _Kept) -> None:
        kept.heard.clear()
        self._begin_anew(kept.stream)
        await self._wait_for_word(kept, SNAPSHOT_WAIT_S)
