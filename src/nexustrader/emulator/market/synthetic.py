"""What moves a market: a seeded synthetic one, or nothing."""

from __future__ import annotations

from decimal import Decimal

from nexustrader.emulator.market.market import Market
from nexustrader.kernel.entropy import Entropy
from nexustrader.kernel.ports import Clock, TimerHandle
from nexustrader.sim.market import SyntheticMarket
from nexustrader.sim.types import Side

NS_PER_MS = 1_000_000
STEP_MS = 100


class SyntheticSource:
    """Moves one market by `sim.market`, `step_ms` at a time. `hold` stops it where it is."""

    def __init__(self, market: Market, clock: Clock, entropy: Entropy, step_ms: int = STEP_MS) -> None:
        self._market = market
        self._clock = clock
        self._step_ms = step_ms
        self._timer: TimerHandle | None = None
        self._held = False
        start_price: Decimal = market.instrument.price(market.touch.bid)
        self._synthetic = SyntheticMarket(
            market.instrument, entropy, start_price, start_ms=clock.timestamp_ms()
        )
        market.load_book(market.update_id, *self._synthetic.book())

    def start(self) -> None:
        """Begins to move, or goes on after `hold`."""
        self._held = False
        if self._timer is None:
            self._schedule()

    def stop(self) -> None:
        """Ends it."""
        if self._timer is not None:
            self._timer.cancel()
            self._timer = None

    def hold(self) -> None:
        """Leaves the market to whoever moves it by hand."""
        self._held = True

    def _schedule(self) -> None:
        due_ns = self._clock.timestamp_ns() + self._step_ms * NS_PER_MS
        self._timer = self._clock.call_at(due_ns, self._step)

    def _step(self) -> None:
        self._schedule()
        if self._held:
            return
        step = self._synthetic.step(self._step_ms)
        for trade in step.trades:
            self._market.trade(trade.price, trade.lots, buyer_is_maker=trade.aggressor is Side.SELL)
        if step.bids or step.asks:
            self._market.change_levels(step.bids, step.asks)
            self._market.refresh_touch()
