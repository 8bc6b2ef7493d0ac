"""Timers that nobody has heard of: asked for when the stop came, or left behind by a program that crashed."""

from __future__ import annotations

import asyncio
from dataclasses import dataclass
from decimal import Decimal
from typing import Any

import canaries
from desk import BTC, SYMBOL
from nexustrader.constants import OrderSide, OrderType
from nexustrader.domain.order import OrderState
from nexustrader.exchange.binance import VENUE
from nexustrader.kernel.tasks import TaskManager
from nexustrader.venue.dead_man import DeadMan
from nexustrader.venue.ratelimit import RateLimiter
from nexustrader.venue.session import RestSession
from nexustrader.venue.transport import HttpAnswer
from venue_account import ACCOUNT, TYPE, http
from virtual_time import LoopClock, run_virtual

COUNTDOWN_MS = 60_000
ORDER = OrderState(
    oid="1",
    account=ACCOUNT,
    symbol=SYMBOL,
    side=OrderSide.BUY,
    type=OrderType.LIMIT,
    amount=Decimal(1),
    created=0,
    timestamp=0,
)


@dataclass
class SlowVenue:
    """Does what it is asked at once and says so after `delay_s`; `running` is the countdown that it holds."""

    delay_s: float
    running: int = 0
    fails: int = 0
    in_use = False

    def __post_init__(self) -> None:
        self.asked: list[int] = []

    async def request(self, _method: str, url: str, *_rest: Any) -> HttpAnswer:
        countdown_ms = int(url.partition("countdownTime=")[2].partition("&")[0])
        self.asked.append(countdown_ms)
        if self.fails:
            self.fails -= 1
            return http(503, b"")
        self.running = countdown_ms
        await asyncio.sleep(self.delay_s)
        return http(200, {"symbol": "BTCUSDT", "countdownTime": str(countdown_ms)})

    async def connect(self, *_: Any) -> Any:
        raise NotImplementedError

    async def close(self) -> None: ...


def dead_man(
    clock: LoopClock, venue: SlowVenue, *, open_: list[OrderState], known: list[OrderState]
) -> DeadMan:
    session = RestSession(
        VENUE,
        "https://venue",
        VENUE.server_time_request(TYPE),
        venue,
        clock,
        RateLimiter(VENUE.rate_limits(TYPE)),
        signer=VENUE.make_signer(canaries.API_KEY, canaries.SECRET, None),
    )
    return DeadMan(
        ACCOUNT,
        VENUE,
        TYPE,
        COUNTDOWN_MS,
        session,
        {SYMBOL: BTC},
        lambda _account: open_,
        TaskManager(asyncio.get_running_loop()),
        leaves_armed=False,
        known_orders=lambda _account: known,
    )


def test_a_timer_whose_setting_the_stop_interrupts_is_ended_too() -> None:
    async def run(clock: LoopClock) -> None:
        venue = SlowVenue(delay_s=0.2)
        timer = dead_man(clock, venue, open_=[ORDER], known=[])
        timer.start()
        await asyncio.sleep(0.05)
        await timer.stop()
        assert venue.asked == [COUNTDOWN_MS, 0]
        assert venue.running == 0
        assert timer.armed == frozenset()

    run_virtual(run)


def test_the_stop_waits_until_a_beat_at_work_has_let_go() -> None:
    async def run(clock: LoopClock) -> None:
        venue = SlowVenue(delay_s=0.2)
        timer = dead_man(clock, venue, open_=[ORDER], known=[])
        timer.start()
        await asyncio.sleep(0.05)
        task = timer._task
        assert task is not None
        was_done: list[bool] = []
        ask = venue.request

        async def asked(*request: Any) -> HttpAnswer:
            was_done.append(task.done())
            return await ask(*request)

        venue.request = asked  # type: ignore[method-assign]  # looks at the moment at which the end is asked for
        await timer.stop()
        assert was_done == [True]

    run_virtual(run)


def test_a_timer_that_a_crashed_predecessor_left_in_a_flat_symbol_is_ended_at_the_start() -> None:
    async def run(clock: LoopClock) -> None:
        venue = SlowVenue(delay_s=0, running=COUNTDOWN_MS, fails=1)
        timer = dead_man(clock, venue, open_=[], known=[ORDER])
        timer.start()
        await asyncio.sleep(COUNTDOWN_MS / 1000 * 0.9)
        assert venue.asked == [0, 0]  # the first one failed: it is asked for again, and then no more
        assert venue.running == 0
        assert timer.armed == frozenset()

    run_virtual(run)


def test_a_known_symbol_with_open_orders_is_set_and_one_that_is_gone_is_left_out() -> None:
    async def run(clock: LoopClock) -> None:
        venue = SlowVenue(delay_s=0)
        gone = OrderState(
            **{name: getattr(ORDER, name) for name in ("oid", "account", "side", "type", "amount")},
            symbol="GONEUSDT-PERP.BINANCE",
            created=0,
            timestamp=0,
        )
        timer = dead_man(clock, venue, open_=[ORDER], known=[ORDER, gone])
        timer.start()
        await asyncio.sleep(1)
        assert venue.asked == [COUNTDOWN_MS]
        assert timer.armed == {SYMBOL}

    run_virtual(run)
