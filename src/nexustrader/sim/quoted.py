"""One symbol at a simulated venue: a matching engine that learns the market from quotes, trades and bars."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from decimal import Decimal

from nexustrader.domain.instrument import Instrument
from nexustrader.schema import BookL1, Kline
from nexustrader.sim.facts import Placed
from nexustrader.sim.liquidation import EVERYWHERE, Bounds
from nexustrader.sim.matching import MatchingEngine
from nexustrader.sim.slippage import Slippage, slipped
from nexustrader.sim.ticks import POINTS, Tick, closing_tick
from nexustrader.sim.types import Level, MatchEvent, Side, SimOrder, Touch

News = BookL1 | Kline | Tick

NO_ASK = 1 << 60  # the price of an empty side: every known level is better, and goes


Trail = Callable[[], tuple[Iterable[Level], Iterable[Level]]]
"""Gives the bids and asks that quotes left behind before the last one came."""


class QuotedMarket:
    """An engine of `feed="top"` and what is known of its market.

    `news` is the last quote. The engine is told of it by `take_news`, at the latest before an order enters; while no
    order rests it need not know.
    """

    __slots__ = ("engine", "instrument", "lot", "news", "resting", "safe", "sim", "tick", "touch", "volume")

    def __init__(self, instrument: Instrument, engine: MatchingEngine) -> None:
        self.instrument = instrument
        self.engine = engine
        self.sim = engine.instrument
        self.tick = float(instrument.tick)
        self.lot = float(instrument.lot)
        self.news: News | None = None
        self.touch: Touch | None = None  # as the engine knows it
        self.resting: dict[int, Placed] = {}
        self.safe = EVERYWHERE  # prices that liquidate nothing
        self.volume: int | None = (
            None  # lots traded in the bar of the last quote; None where there are no bars
        )

    @property
    def has_book(self) -> bool:
        """True once there was a quote."""
        return self.news is not None or self.touch is not None

    def take_news(self) -> list[MatchEvent]:
        """Tells the engine the last quote, if it does not know it yet."""
        news, self.news = self.news, None
        if news is None:
            return []
        self.touch = touch = self._touch_of(news)
        return self.engine.set_top(*touch)

    def _touch_of(self, news: News) -> Touch:
        if isinstance(news, BookL1):
            self.volume = None
            return Touch(
                round(news.bid / self.tick),
                max(1, round(news.bid_size / self.lot)) if news.bid > 0 else 0,
                round(news.ask / self.tick) if news.ask > 0 else NO_ASK,
                max(1, round(news.ask_size / self.lot)) if news.ask > 0 else 0,
            )
        tick = news if isinstance(news, Tick) else closing_tick(news, self.tick, self.lot)
        self.volume = (
            POINTS * tick.touch_lots if isinstance(news, Tick) else round((news.volume or 0) / self.lot)
        )
        states = (placed.state for placed in self.resting.values())
        if any(state.price == tick.price and state.side is tick.aggressor for state in states):
            # A price that is only touched fills nobody: the order that rests there keeps the other side away.
            tick = tick._replace(aggressor=tick.aggressor.opposite)
        return Touch(tick.bid, tick.touch_lots if tick.bid > 0 else 0, tick.ask, tick.touch_lots)

    def untouched(self, reach_ticks: float) -> Bounds:
        """Prices between which a quote or trade liquidates nothing and comes not so many ticks near to any order."""
        low, high = self.safe
        for placed in self.resting.values():
            order = placed.state
            if order.price is None:
                continue
            price = (order.price + order.side * reach_ticks) * self.tick
            if order.side is Side.BUY:
                low = max(low, price)
            else:
                high = min(high, price)
        return Bounds(low, high)

    def pass_over(self, last: News, trail: Trail) -> None:
        """Takes in quotes that touch nothing: the last of them, and the levels that others leave behind it."""
        if self.resting:
            self.engine.pass_over(*trail())
        self.news = last
        if self.resting:
            self.take_news()

    def public_trade(self, price: float, size: float, aggressor: Side) -> list[MatchEvent]:
        """Lets a public trade meet the resting orders."""
        ticks, lots = round(price / self.tick), round(size / self.lot)
        return self.engine.public_trade(ticks, lots, aggressor) if lots else []

    def deepen(self, order: SimOrder, ticks: int) -> list[MatchEvent]:
        """What lies behind the touch is unknown: makes it deep enough for the order, so many ticks behind."""
        side = order.side
        if self.touch is None or order.remaining <= 0:
            return []
        price, lots = self.touch.against(side)
        behind = price + side * ticks
        out_of_reach = order.price is not None and side * (order.price - behind) < 0
        if not lots or behind <= 0 or out_of_reach:
            return []
        if self.engine.cost_to_take(side, order.remaining, price)[0] >= order.remaining:
            return []
        # Removed first: to tell a level the quantity that it has is no news, and what was taken would stay taken.
        removed = self.engine.set_level(side.opposite, behind, 0)
        return removed + self.engine.set_level(side.opposite, behind, order.remaining)

    def slip(self, order: SimOrder, slippage: Slippage) -> int:
        """Ticks by which an order that takes now is executed worse than the book shows."""
        price, lots = (0, 0) if self.touch is None else self.touch.against(order.side)
        if not lots or order.remaining <= 0:
            return 0
        return slippage.slip(price, order.remaining, lots if self.volume is None else self.volume)

    def price_against(self, side: Side, slip: int = 0) -> Decimal | None:
        """Price that a market order of this side is reckoned at; None when there is nobody to trade with."""
        price, lots = (0, 0) if self.touch is None else self.touch.against(side)
        return self.sim.price(slipped(price, side, slip, None)) if lots else None

    def price_to_pay(self, order: SimOrder, slippage: Slippage) -> Decimal | None:
        """Price that a market order is reckoned at before it enters; None when there is nobody to trade with."""
        return self.price_against(order.side, self.slip(order, slippage))

    def mark(self) -> Decimal | None:
        """Middle of the touch, or the one side there is; None before the first quote."""
        touch = self.touch if self.news is None else self._touch_of(self.news)
        if touch is None or not (touch.bid_lots or touch.ask_lots):
            return None
        if touch.bid_lots and touch.ask_lots:
            return self.sim.tick * (touch.bid + touch.ask) / 2
        return self.sim.price(touch.bid if touch.bid_lots else touch.ask)
