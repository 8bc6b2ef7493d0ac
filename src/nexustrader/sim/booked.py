"""One symbol at a simulated venue whose whole book is known: an engine that learns the market from levels and trades.

Nothing is invented behind the levels: an order that takes gets what they hold, and the rest of a market order expires.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from decimal import Decimal
from typing import TYPE_CHECKING

from nexustrader.domain.instrument import Instrument
from nexustrader.sim.kernel.columns import Events
from nexustrader.sim.liquidation import Bounds
from nexustrader.sim.matching import MatchingEngine
from nexustrader.sim.playing import Played, Row, Watch, play
from nexustrader.sim.quoted import QuotedMarket
from nexustrader.sim.slippage import Slippage, slipped
from nexustrader.sim.types import Level, MatchEvent, Side, SimOrder, Touch

if TYPE_CHECKING:
    from nexustrader.sim.kernel.engine import KernelEngine

DOUBLE_TICKS_MAX = float(1 << 61)
CAUTION_TICKS = (
    2  # by which a play stops too early, rather than too late: floating point decides nothing here
)


class BookedMarket(QuotedMarket):
    """An engine of `feed="depth"`, which knows the market at any time. Its levels come by `play` and `set_book`."""

    __slots__ = ("_native", "_plain", "_rows")

    def __init__(self, instrument: Instrument, engine: MatchingEngine | KernelEngine) -> None:
        super().__init__(instrument, engine)  # type: ignore[arg-type]  # the native engine has the plain one's methods
        self._plain = engine if isinstance(engine, MatchingEngine) else None
        self._native = None if isinstance(engine, MatchingEngine) else engine
        self._rows: tuple[Events | None, Sequence[Row]] = (None, ())

    # -- the market ----------------------------------------------------------------------------------------------

    def play(
        self, events: Events, start: int, until_ns: int, listened: int, end: int, watch: Watch
    ) -> Played:
        """As `KernelEngine.play`, with the engine there is."""
        if self._native is not None:
            return self._native.play(events, start, until_ns, listened, end=end, watch=watch)
        assert self._plain is not None
        if self._rows[0] is not events:
            self._rows = events, events.rows.tolist()
        return play(self._plain, self._rows[1], start, end, until_ns, listened, watch)

    def set_book(self, bids: Sequence[Level], asks: Sequence[Level]) -> list[MatchEvent]:
        """Replaces the whole book."""
        return self.engine.set_book(bids, asks)

    @property
    def has_book(self) -> bool:
        """True while anybody bids or asks."""
        return not self.told_touch().is_empty

    def told_touch(self) -> Touch:
        """Best bid and ask of the market, whatever users took."""
        return self.engine.told_touch()

    def told_levels(self, count: int) -> tuple[list[Level], list[Level]]:
        """The market's best levels, whatever users took."""
        return self.engine.told_levels(count)

    def take_news(self) -> list[MatchEvent]:
        """There are none: the engine has been told."""
        return []

    # -- prices --------------------------------------------------------------------------------------------------

    def middle(self) -> float:
        """Middle of the touch, or the one side there is; 0 while the book is empty."""
        touch = self.told_touch()
        if touch.bid_lots and touch.ask_lots:
            return (touch.bid + touch.ask) / 2 * self.tick
        return max(touch.bid, touch.ask) * self.tick

    def mark(self) -> Decimal | None:
        """Middle of the touch, or the one side there is; None while the book is empty."""
        touch = self.told_touch()
        if touch.is_empty:
            return None
        if touch.bid_lots and touch.ask_lots:
            return self.sim.tick * (touch.bid + touch.ask) / 2
        return self.sim.price(max(touch.bid, touch.ask))

    def watch(self, safe: Bounds, touch: Touch | None) -> Watch:
        """Stops where the middle leaves these prices, and where the touch is another one."""
        low, high = (min(max(2 * price / self.tick, -DOUBLE_TICKS_MAX), DOUBLE_TICKS_MAX) for price in safe)
        return Watch(touch, math.ceil(low) + CAUTION_TICKS, math.floor(high) - CAUTION_TICKS)

    # -- what an order meets -------------------------------------------------------------------------------------

    def deepen(self, order: SimOrder, ticks: int) -> list[MatchEvent]:
        """Nothing is behind the levels that are known."""
        del order, ticks
        return []

    def slip(self, order: SimOrder, slippage: Slippage) -> int:
        """Ticks by which an order that takes now is executed worse than the levels that it takes."""
        price, lots = self.told_touch().against(order.side)
        return slippage.slip(price, order.remaining, lots) if lots and order.remaining > 0 else 0

    def price_against(self, side: Side, slip: int = 0) -> Decimal | None:
        """The best price that an order of this side would meet; None when there is nobody to trade with."""
        engine = self.engine
        price = engine.external_best_ask() if side is Side.BUY else engine.external_best_bid()
        return None if price is None else self.sim.price(slipped(price, side, slip, None))

    def price_to_pay(self, order: SimOrder, slippage: Slippage) -> Decimal | None:
        """The average of the levels that a market order would take, rounded up; None when there are none."""
        lots, cost = self.engine.cost_to_take(order.side, order.remaining)
        if not lots:
            return None
        return self.sim.price(slipped(math.ceil(cost / lots), order.side, self.slip(order, slippage), None))
