"""One symbol of one product: the matching core behind it, and the market data that everybody sees.

What is public is the market alone, as its source tells it. Users' orders trade against it in the matching core but
do not show in it: they are small, and the recorded update ids stay true.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Callable, Iterable, Sequence
from decimal import Decimal
from typing import NamedTuple, Protocol

from nexustrader.emulator.market.candles import Candle, Candles, PricePath
from nexustrader.emulator.market.grid import Grid
from nexustrader.emulator.market.listing import Listing
from nexustrader.kernel.entropy import Entropy
from nexustrader.kernel.ports import Clock
from nexustrader.sim.ladder import ExternalSide
from nexustrader.sim.matching import MatchingEngine
from nexustrader.sim.types import Level, MatchEvent, Side

TRADES_KEPT_MAX = 1_000
UPDATES_KEPT_MAX = 100  # how far back a book can be told
PATH_VALUE_PER_MINUTE = 500_000  # quote volume of the candles before the start
FIRST_UPDATE_ID = 1_000_000_001
FIRST_TRADE_ID = 100_000_001
HOUR_MS = 3_600_000
DAY_HOURS = 24
FUNDING_INTERVAL_MS = 8 * HOUR_MS
FUNDING_RATE = "0.00010000"

TextLevel = Sequence[str]


class Touch(NamedTuple):
    """Best bid and ask, in ticks and lots."""

    bid: int
    bid_lots: int
    ask: int
    ask_lots: int


class PublicTrade(NamedTuple):
    """One trade of the market."""

    trade_id: int
    price: int
    lots: int
    time_ms: int
    buyer_is_maker: bool


class DepthUpdate(NamedTuple):
    """Absolute quantities of changed levels, as text, with the ids that chain updates together."""

    first_id: int
    last_id: int
    previous_id: int
    bids: Sequence[TextLevel]
    asks: Sequence[TextLevel]


class Book(NamedTuple):
    """Levels as text, best first, as of an update."""

    update_id: int
    bids: list[TextLevel]
    asks: list[TextLevel]


class _Past(NamedTuple):
    """What an update has put away: its predecessor, and (rank, lots) of the levels that it changed."""

    update_id: int
    bids: list[Level]
    asks: list[Level]


class Audience(Protocol):
    """Who hears of what happens in a market."""

    def on_touch(self, market: Market) -> None: ...
    def on_depth(self, market: Market, update: DepthUpdate) -> None: ...
    def on_trade(self, market: Market, trade: PublicTrade) -> None: ...


class Market:
    """The market of one symbol. The methods that change it take ticks and lots and tell the audience."""

    def __init__(
        self,
        listing: Listing,
        clock: Clock,
        entropy: Entropy,
        position_of: Callable[[str, str], int],
        start_price: int | None = None,
    ) -> None:
        self.listing = listing
        self.symbol = listing.symbol
        self.key = listing.key
        self.instrument = listing.to_sim()
        self.prices = Grid(listing.tick, listing.price_digits)
        self.amounts = Grid(listing.lot, listing.amount_digits)
        self.engine = MatchingEngine(
            self.instrument,
            FIRST_TRADE_ID,
            position_of=position_of,
            reduce_only=listing.reduce_only,
            unfillable_fok=listing.unfillable_fok,
        )
        self._clock = clock
        price = start_price or self.instrument.to_ticks(listing.start_price)
        now_ms = clock.timestamp_ms()
        lot_value = listing.lot * (1 if listing.kind == "inverse" else self.instrument.price(price))
        minute_lots = max(1, int(PATH_VALUE_PER_MINUTE / lot_value))
        path = PricePath(entropy.child(listing.symbol), now_ms, price, minute_lots)
        self.candles = Candles(path, now_ms, price)
        self.trades: deque[PublicTrade] = deque(maxlen=TRADES_KEPT_MAX)
        self.update_id = self.touch_id = FIRST_UPDATE_ID
        self.touch = Touch(price, 0, price + 1, 0)
        self.audience: Audience | None = None
        self.on_events: Callable[[list[MatchEvent]], None] = lambda _: None
        self.on_moved: Callable[[Market], None] = lambda _: None  # a trade, or another touch
        self._bids, self._asks = ExternalSide(), ExternalSide()
        self._past: deque[_Past] = deque(maxlen=UPDATES_KEPT_MAX)

    # -- readings -----------------------------------------------------------------------------------------

    @property
    def mark(self) -> Decimal:
        """The mark price: half way between best bid and ask."""
        return self.listing.tick * (self.touch.bid + self.touch.ask) / 2

    def depth(self, count: int) -> tuple[list[TextLevel], list[TextLevel]]:
        """The best `count` bids and asks of the market as text, best first."""
        return self._side_text(self._bids, count), self._side_text(self._asks, count)

    def book(self, count: int, updates_ago: int = 0) -> Book:
        """The best `count` levels now, or so many updates ago, as far as the market remembers."""
        past = list(self._past)[-updates_ago:] if updates_ago else []
        if not past:
            return Book(self.update_id, *self.depth(count))
        sides = [
            {rank: side.available(rank) for rank in side.best_first()} for side in (self._bids, self._asks)
        ]
        for step in reversed(past):
            for side, levels in zip(sides, (step.bids, step.asks), strict=True):
                side.update(levels)
        bids, asks = (
            [self._level_text(abs(rank), lots) for rank, lots in sorted(side.items(), reverse=True) if lots]
            for side in sides
        )
        return Book(past[0].update_id, bids[:count], asks[:count])

    def crossed(self, update: DepthUpdate) -> DepthUpdate:
        """The same update with a bid as good as the best ask: what a faulty feed tells."""
        best_ask = abs(self._asks.best() or self.touch.ask)
        return update._replace(bids=[*update.bids, self._level_text(best_ask, 1)])

    def day(self, now_ms: int) -> Candle:
        """The last 24 hours as one bar, made of full hours and the one that runs."""
        first, *later = self.candles.window(HOUR_MS, DAY_HOURS, None, None, now_ms)
        for bar in later:
            first.merge(bar)
        return first

    def check_invariants(self) -> list[str]:
        """What is wrong inside, as texts."""
        return [*self.engine.check_invariants(), *self._bids.check(), *self._asks.check()]

    # -- what the source tells ----------------------------------------------------------------------------

    def load_book(self, update_id: int, bids: Iterable[Level], asks: Iterable[Level]) -> None:
        """Replaces the book by a snapshot of this id. Nobody is told: it is where depth updates begin."""
        bids, asks = list(bids), list(asks)
        self._bids.replace(bids)
        self._asks.replace((-price, lots) for price, lots in asks)
        self.update_id = update_id
        self._past.clear()
        if bids and asks:
            best_bid, best_ask = max(bids), min(asks)
            self.touch = Touch(*best_bid, *best_ask)
        self.on_events(self.engine.set_book(bids, asks))

    def change_levels(
        self, bids: Sequence[Level], asks: Sequence[Level], ids: tuple[int, int] | None = None
    ) -> DepthUpdate:
        """Sets levels absolutely and returns the update that says so; `ids` are those of a recorded update."""
        previous_id = self.update_id
        first_id, last_id = ids or (previous_id + 1, previous_id + 1)
        update = DepthUpdate(
            first_id,
            last_id,
            previous_id,
            [self._level_text(price, lots) for price, lots in bids],
            [self._level_text(price, lots) for price, lots in asks],
        )
        self.apply(update, bids, asks)
        return update

    def apply(self, update: DepthUpdate, bids: Sequence[Level], asks: Sequence[Level]) -> None:
        """Applies an update whose text is known already, and tells the audience."""
        self._past.append(
            _Past(
                self.update_id,
                [(price, self._bids.available(price)) for price, _ in bids],
                [(-price, self._asks.available(-price)) for price, _ in asks],
            )
        )
        for price, lots in bids:
            self._bids.set(price, lots)
        for price, lots in asks:
            self._asks.set(-price, lots)
        self.update_id = update.last_id
        events = self.engine.set_levels(bids, asks)
        if self.audience is not None:
            self.audience.on_depth(self, update)
        if events:
            self.on_events(events)

    def set_touch(self, touch: Touch, update_id: int) -> None:
        """Tells the best bid and ask without changing the book (a recorded bookTicker)."""
        self.touch, self.touch_id = touch, update_id
        if self.audience is not None:
            self.audience.on_touch(self)
        self.on_moved(self)

    def refresh_touch(self) -> None:
        """Takes best bid and ask from the book and tells them if they changed."""
        bid, ask = self._bids.best(), self._asks.best()
        if bid is None or ask is None:
            return
        touch = Touch(bid, self._bids.available(bid), -ask, self._asks.available(ask))
        if touch != self.touch:
            self.set_touch(touch, self.update_id)

    def move(self, bids: Sequence[Level], asks: Sequence[Level]) -> None:
        """Moves the touch: what is better than the best of these levels goes, these are set."""
        gone_bids = [(price, 0) for price in self._better(self._bids, max(bids)[0])]
        gone_asks = [(-rank, 0) for rank in self._better(self._asks, -min(asks)[0])]
        self.change_levels([*gone_bids, *bids], [*gone_asks, *asks])
        self.refresh_touch()

    def trade(self, price: int, lots: int, *, buyer_is_maker: bool, trade_id: int = 0) -> PublicTrade:
        """A trade of the market: fills resting orders that it meets, and is told to the audience.

        A recorded `trade_id` is kept as long as users' own executions have not used it up.
        """
        trade_id = max(self.engine.next_trade_id, trade_id)
        self.engine.next_trade_id = trade_id + 1
        now_ms = self._clock.timestamp_ms()
        trade = PublicTrade(trade_id, price, lots, now_ms, buyer_is_maker)
        self.trades.append(trade)
        self.candles.add(now_ms, price, lots, trade_id, taker_buys=not buyer_is_maker)
        events = self.engine.public_trade(price, lots, Side.SELL if buyer_is_maker else Side.BUY)
        if self.audience is not None:
            self.audience.on_trade(self, trade)
        if events:
            self.on_events(events)
        self.on_moved(self)
        return trade

    def next_funding_ms(self, now_ms: int) -> int:
        """When funding is due next."""
        return (now_ms // FUNDING_INTERVAL_MS + 1) * FUNDING_INTERVAL_MS

    def _level_text(self, price: int, lots: int) -> TextLevel:
        return self.prices.text(price), self.amounts.text(lots)

    def _side_text(self, side: ExternalSide, count: int) -> list[TextLevel]:
        levels: list[TextLevel] = []
        for rank in side.best_first():
            if len(levels) == count:
                break
            levels.append(self._level_text(abs(rank), side.available(rank)))
        return levels

    @staticmethod
    def _better(side: ExternalSide, rank: int) -> list[int]:
        better = []
        for known in side.best_first():
            if known <= rank:
                break
            better.append(known)
        return better
