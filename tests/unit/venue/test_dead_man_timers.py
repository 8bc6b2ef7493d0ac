"""The venue's dead-man timer: set while orders are open, ended when none is, never silent."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Coroutine
from typing import Any

import pytest
from loguru import logger

from desk import BTC, SYMBOL
from nexustrader.constants import OrderSide, OrderType
from nexustrader.domain.order import OrderState
from nexustrader.error import DeadManError
from nexustrader.exchange.binance import VENUE, BinanceAccountType
from nexustrader.venue.dead_man import DeadMan
from nexustrader.venue.transport import HttpAnswer
from venue_account import ACCOUNT, TYPE, Account, http
from virtual_time import LoopClock, run_virtual

COUNTDOWN_MS = 30_000
DONE = http(200, {"symbol": "BTCUSDT", "countdownTime": "0"})


def an_order(*, reduce_only: bool = False, symbol: str = SYMBOL) -> OrderState:
    return OrderState(
        oid="1",
        account=ACCOUNT,
        symbol=symbol,
        side=OrderSide.BUY,
        type=OrderType.LIMIT,
        amount=BTC.lot,
        reduce_only=reduce_only,
        created=0,
        timestamp=0,
    )


class Watch:
    """A dead-man timer on an account in memory; `asked` holds what the venue heard: seconds and countdown."""

    def __init__(self, clock: LoopClock, *, leaves_armed: bool = True) -> None:
        self.clock = clock
        self.account = Account(clock)
        self.account.orders = self._answer
        self.began_ms = clock.timestamp_ms()
        self.asked: list[tuple[int, int]] = []
        self.answer: Callable[[], HttpAnswer] = lambda: DONE
        self.open: list[OrderState] = []
        self.lines: list[str] = []
        self.timer = DeadMan(
            ACCOUNT,
            VENUE,
            TYPE,
            COUNTDOWN_MS,
            self.account.session,
            {SYMBOL: BTC},
            lambda _account: self.open,
            self.account.tasks,
            leaves_armed=leaves_armed,
        )

    def _answer(self, method: str, url: str) -> HttpAnswer:
        assert method == "POST"
        assert "/fapi/v1/countdownCancelAll?symbol=BTCUSDT&" in url
        countdown = int(url.partition("countdownTime=")[2].partition("&")[0])
        self.asked.append(((self.clock.timestamp_ms() - self.began_ms) // 1000, countdown))
        return self.answer()


def watch_test(test: Callable[[Watch], Coroutine[Any, Any, None]], **how: Any) -> Callable[[], None]:
    def run() -> None:
        async def work(clock: LoopClock) -> None:
            watch = Watch(clock, **how)
            sink = logger.add(lambda message: watch.lines.append(str(message)), format="{message}")
            try:
                await test(watch)
            finally:
                logger.remove(sink)

        run_virtual(work)

    run.__name__ = test.__name__
    return run


@watch_test
async def test_it_is_set_anew_at_a_third_of_the_countdown_while_orders_are_open(watch: Watch) -> None:
    watch.open = [an_order(), an_order()]
    watch.timer.start()
    await asyncio.sleep(25)
    assert watch.asked == [(0, COUNTDOWN_MS), (10, COUNTDOWN_MS), (20, COUNTDOWN_MS)]
    assert watch.timer.armed == {SYMBOL}


@watch_test
async def test_without_open_orders_it_is_not_set_and_one_that_runs_is_ended(watch: Watch) -> None:
    watch.timer.start()
    await asyncio.sleep(5)
    assert watch.asked == []
    watch.open = [an_order()]
    await asyncio.sleep(10)
    watch.open = []
    await asyncio.sleep(20)
    # An idle timer would cancel an order that is created just before it ends.
    assert watch.asked == [(10, COUNTDOWN_MS), (20, 0)]
    assert watch.timer.armed == frozenset()


@watch_test
async def test_the_start_says_plainly_what_the_venue_will_cancel(watch: Watch) -> None:
    watch.timer.start()
    assert "orders that protect a position" in watch.lines[0]
    assert "30000 ms" in watch.lines[0]


@watch_test
async def test_it_is_never_set_silently_where_a_position_relies_on_resting_orders(watch: Watch) -> None:
    watch.open = [an_order(), an_order(reduce_only=True)]
    watch.timer.start()
    await asyncio.sleep(25)
    told = [line for line in watch.lines if "the position would then be without" in line]
    assert len(told) == 1
    assert SYMBOL in told[0]


@watch_test
async def test_orders_that_could_not_be_cancelled_keep_their_timer_after_the_stop(watch: Watch) -> None:
    watch.open = [an_order()]
    watch.timer.start()
    await asyncio.sleep(1)
    await watch.timer.stop()
    assert watch.asked == [(0, COUNTDOWN_MS)]
    assert "runs on" in watch.lines[-1]
    await asyncio.sleep(60)
    assert len(watch.asked) == 1


@watch_test
async def test_a_stop_without_open_orders_ends_the_timers(watch: Watch) -> None:
    watch.open = [an_order()]
    watch.timer.start()
    await asyncio.sleep(1)
    watch.open = []
    await watch.timer.stop()
    assert watch.asked == [(0, COUNTDOWN_MS), (1, 0)]


async def _orders_meant_to_stay(watch: Watch) -> None:
    watch.open = [an_order()]
    watch.timer.start()
    await asyncio.sleep(1)
    await watch.timer.stop()
    assert watch.asked == [(0, COUNTDOWN_MS), (1, 0)]


test_orders_that_are_meant_to_stay_lose_their_timer_at_the_stop = watch_test(
    _orders_meant_to_stay, leaves_armed=False
)


@watch_test
async def test_a_venue_that_does_not_answer_is_told_of_and_asked_again(watch: Watch) -> None:
    watch.open = [an_order()]
    watch.answer = lambda: http(503, b"<html>")
    watch.timer.start()
    await asyncio.sleep(15)
    assert len(watch.asked) == 2
    assert any("could not be set to 30000 ms" in line for line in watch.lines)
    # It may have been set all the same, so it is ended like one that was.
    watch.answer = lambda: DONE
    watch.open = []
    await asyncio.sleep(10)
    assert watch.asked[-1] == (20, 0)


@watch_test
async def test_an_end_that_fails_is_asked_for_again(watch: Watch) -> None:
    watch.open = [an_order()]
    watch.timer.start()
    await asyncio.sleep(1)
    watch.open = []
    watch.answer = lambda: http(503, b"")
    await asyncio.sleep(10)
    watch.answer = lambda: DONE
    await asyncio.sleep(10)
    assert [countdown for _, countdown in watch.asked] == [COUNTDOWN_MS, 0, 0]
    assert watch.timer.armed == frozenset()


@watch_test
async def test_an_order_of_a_symbol_that_is_gone_is_left_out(watch: Watch) -> None:
    watch.open = [an_order(symbol="GONEUSDT-PERP.BINANCE")]
    watch.timer.start()
    await asyncio.sleep(1)
    assert watch.asked == []
    await watch.timer.stop()


@watch_test
async def test_a_timer_that_never_started_stops(watch: Watch) -> None:
    await watch.timer.stop()
    assert watch.asked == []


def test_an_account_type_without_a_timer_is_refused_by_name() -> None:
    with pytest.raises(
        DeadManError, match=r"binance:SPOT: SPOT has no dead-man timer.*leave dead_man_ms out"
    ):
        DeadMan(
            "binance:SPOT", VENUE, BinanceAccountType.SPOT, COUNTDOWN_MS, None, {}, lambda _: [], None,  # type: ignore[arg-type]  # refused before they are used
            leaves_armed=True,
        )  # fmt: skip
