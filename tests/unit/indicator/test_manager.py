"""Feeding indicators, and asking for their history without holding up anybody."""

from __future__ import annotations

import asyncio
import threading
from collections.abc import Callable, Coroutine
from typing import Any

import pytest

from indicators import Ema
from nexustrader.constants import DataType, ExchangeType, KlineInterval
from nexustrader.error import (
    InstrumentError,
    NotSent,
    OutcomeUnknown,
    StrategyBuildError,
    SubscriptionError,
)
from nexustrader.indicator import Indicator, IndicatorManager
from nexustrader.indicator.manager import ASK_AGAIN_AFTER_MS
from nexustrader.kernel.bus import MessageBus
from nexustrader.market.cache import Cache
from nexustrader.market.data import MarketData
from nexustrader.market.hub import MarketHub
from nexustrader.market.subscriptions import Stream
from nexustrader.schema import BookL1, BookL2, Kline, Trade
from virtual_time import START_MS, LoopClock, run_virtual

A, B = "AUSDT.BINANCE", "BUSDT.BINANCE"
M1, M5 = KlineInterval.MINUTE_1, KlineInterval.MINUTE_5
MINUTE_MS = 60_000
NOW = START_MS // MINUTE_MS  # number of the bar that is open at the start
KLINE = DataType.KLINE


def bar(number: int, confirm: bool = True, symbol: str = A, interval: KlineInterval = M1) -> Kline:
    start = number * MINUTE_MS
    return Kline(
        exchange=ExchangeType.BINANCE, symbol=symbol, interval=interval, open=1.0, high=1.0, low=1.0,
        close=float(number), start=start, timestamp=start + MINUTE_MS, confirm=confirm,
    )  # fmt: skip


class Port:
    """A venue that answers a second after it was asked: with the bars of then, or with the error given."""

    def __init__(self, clock: LoopClock) -> None:
        self.clock = clock
        self.subscribed: list[Stream] = []
        self.asked: list[tuple[str, str, int | None]] = []
        self.errors: list[Exception] = []

    def subscribe(self, stream: Stream) -> None:
        if stream.detail == "1s":
            raise SubscriptionError("no such stream")
        self.subscribed.append(stream)

    def unsubscribe(self, stream: Stream) -> None:
        if stream in self.subscribed:
            self.subscribed.remove(stream)

    def rows(self, symbol: str, limit: int | None) -> list[Kline]:
        newest = self.clock.timestamp_ms() // MINUTE_MS
        return [bar(n, n < newest, symbol) for n in range(newest - (limit or 0) + 1, newest + 1)]

    async def request_klines(
        self, symbol: str, interval: str, limit: int | None, start_ms: int | None, end_ms: int | None
    ) -> list[Kline]:
        self.asked.append((symbol, interval, limit))
        rows = self.rows(symbol, limit)
        await asyncio.sleep(1)
        if self.errors:
            raise self.errors.pop(0)
        return rows


class Blocking:
    """The way for callers that wait."""

    def __init__(self, port: Port) -> None:
        self.port = port
        self.asked: list[tuple[str, int | None, float]] = []
        self.error: Exception | None = None

    def klines(
        self, symbol: str, interval: KlineInterval, limit: int | None, start: Any, end: Any, timeout_s: float
    ) -> list[Kline]:
        self.asked.append((symbol, limit, timeout_s))
        if self.error is not None:
            raise self.error
        return self.port.rows(symbol, limit)


class Site:
    def __init__(self, clock: LoopClock) -> None:
        self.clock = clock
        self.errors: list[tuple[str, str, str]] = []
        self.bus = MessageBus(lambda topic, handler, _, error: self._on_error(topic, handler, error))
        self.port = Port(clock)
        self.blocking = Blocking(self.port)
        self.hub = MarketHub(self.bus, Cache())
        self.market = MarketData(self.bus, clock.timestamp, {A: self.port, B: self.port}.get)
        self.tasks: list[asyncio.Task[None]] = []
        self.manager = IndicatorManager(self.bus, clock, self.market, self.blocking, ask=self._spawn)

    def _on_error(self, topic: str, handler: Any, error: Exception) -> None:
        self.errors.append((topic, handler.__qualname__, type(error).__name__))

    def _spawn(self, work: Coroutine[Any, Any, None], name: str) -> None:
        self.tasks.append(asyncio.get_running_loop().create_task(work, name=name))

    def register(self, indicator: Any, *symbols: str, kind: DataType = KLINE) -> dict[str, Any]:
        return self.manager.register(symbols or (A,), indicator, kind)

    def kline(self, number: int, confirm: bool = True, **more: Any) -> None:
        self.hub.deliver[KLINE](bar(NOW + number, confirm, **more))


def site_test(test: Callable[[Site], Coroutine[Any, Any, None]]) -> Callable[[], None]:
    def run() -> None:
        run_virtual(lambda clock: test(Site(clock)))

    run.__name__ = test.__name__
    return run


def numbers(ema: Any) -> list[int]:
    return [start // MINUTE_MS - NOW for start in ema.starts]


@site_test
async def test_registering_subscribes_and_asks_without_waiting(site: Site) -> None:
    ema = Ema(3)
    assert site.register(ema)[A] is ema
    assert site.port.subscribed == [Stream(KLINE, A, "1m")]
    assert (numbers(ema), ema.is_warmed_up) == ([], False)
    site.kline(0, confirm=False)
    await asyncio.sleep(2)
    assert numbers(ema) == [-3, -2, -1]
    assert ema.is_warmed_up
    site.kline(0)
    site.kline(1)
    assert numbers(ema) == [-3, -2, -1, 0, 1]


@site_test
async def test_what_comes_while_history_is_on_its_way_is_given_after_it(site: Site) -> None:
    ema = Ema(3)
    site.register(ema)
    site.kline(-1)
    site.kline(0)
    await asyncio.sleep(2)
    assert numbers(ema) == [-3, -2, -1, 0]


@site_test
async def test_questions_of_one_symbol_and_interval_are_one(site: Site) -> None:
    few, many, other, far = Ema(3), Ema(9), Ema(4), Ema(4, M5)
    for one in (few, many):
        site.register(one)
    site.register(other, B)
    site.register(far, B)
    await asyncio.sleep(2)
    assert site.port.asked == [(A, "1m", 11), (B, "1m", 6), (B, "5m", 6)]
    assert (len(few.starts), len(many.starts)) == (3, 9)


@site_test
async def test_a_question_that_fails_is_put_again(site: Site) -> None:
    site.port.errors = [NotSent("no way"), ValueError("not JSON")]
    ema = Ema(3)
    site.register(ema)
    await asyncio.sleep(10)
    assert len(site.port.asked) == 3
    assert numbers(ema) == [-3, -2, -1]


@site_test
async def test_and_given_up_when_it_has_failed_often_enough(site: Site) -> None:
    times = len(ASK_AGAIN_AFTER_MS) + 1
    site.port.errors = [NotSent("no way")] * times
    ema = Ema(2)
    site.register(ema)
    site.kline(0)
    await asyncio.sleep(sum(ASK_AGAIN_AFTER_MS) / 1000 + times + 1)
    assert len(site.port.asked) == times
    assert (numbers(ema), ema.is_warmed_up) == ([0], False)
    site.kline(1)
    assert ema.is_warmed_up


@site_test
async def test_a_bar_that_was_missed_is_asked_for_and_the_indicator_is_behind_meanwhile(site: Site) -> None:
    ema = Ema(3)
    site.register(ema)
    await asyncio.sleep(121)
    site.kline(2, confirm=False)
    assert not ema.is_warmed_up
    await asyncio.sleep(2)
    assert numbers(ema) == [-3, -2, -1, 0, 1]
    assert ema.is_warmed_up
    assert len(site.port.asked) == 2


@site_test
async def test_a_reset_asks_anew_and_what_was_asked_before_is_late(site: Site) -> None:
    ema = Ema(3)
    site.register(ema)
    await asyncio.sleep(2)
    ema.reset_warmup()
    assert not ema.is_warmed_up
    site.kline(0, confirm=False)
    ema.reset_warmup()
    site.kline(0, confirm=False)
    assert len(site.tasks) == 2
    await asyncio.sleep(2)
    assert numbers(ema) == [-3, -2, -1] * 2
    assert ema.is_warmed_up


@site_test
async def test_a_reset_does_not_take_the_answer_to_an_older_and_smaller_question(site: Site) -> None:
    ema = Ema(9)
    site.register(ema)
    await asyncio.sleep(121)
    site.kline(2, confirm=False)  # asks for the few bars that were missed
    await asyncio.sleep(0.5)
    ema.reset_warmup()
    ema.starts.clear()
    site.kline(2, confirm=False)
    await asyncio.sleep(2)
    assert numbers(ema) == list(range(-7, 2))
    assert [limit for *_, limit in site.port.asked] == [11, 5, 11]


@site_test
async def test_open_bars_are_given_and_do_not_count_for_the_warm_up(site: Site) -> None:
    site.port.errors = [NotSent("no way")] * (len(ASK_AGAIN_AFTER_MS) + 1)
    ema = Ema(1)
    site.register(ema)
    await asyncio.sleep(45)
    site.kline(0, confirm=False)
    assert not ema.is_warmed_up
    site.kline(0)
    assert ema.is_warmed_up


@site_test
async def test_other_intervals_and_symbols_are_not_fed(site: Site) -> None:
    ema = Ema(1)
    site.register(ema)
    await asyncio.sleep(2)
    site.kline(0, interval=M5)
    site.kline(0, symbol=B)
    assert numbers(ema) == [-1]


@site_test
async def test_indicators_come_before_whoever_listened_before(site: Site) -> None:
    order: list[str] = []

    class First(Ema):
        def handle_kline(self, kline: Kline) -> None:
            order.append("indicator")

    site.bus.subscribe(KLINE.value, lambda _: order.append("strategy"))
    site.register(First(0))
    site.kline(0, confirm=False)
    assert order == ["indicator", "strategy"]


class Bad(Ema):
    def handle_kline(self, kline: Kline) -> None:
        raise ZeroDivisionError


@site_test
async def test_one_that_raises_is_reported_and_costs_no_other(site: Site) -> None:
    ema = Ema(2)
    site.register(Bad(2))
    site.register(ema)
    await asyncio.sleep(2)
    site.kline(0)
    assert site.errors == [("kline", "Bad.handle_kline", "ZeroDivisionError")] * 3
    assert numbers(ema) == [-2, -1, 0]


@site_test
async def test_waiting_fetches_what_is_wanted_and_what_was_asked_before_is_late(site: Site) -> None:
    ema, other = Ema(3), Ema(2)
    site.register(ema)
    site.register(other, B)
    assert site.manager.wait(60)
    assert [(symbol, limit) for symbol, limit, _ in site.blocking.asked] == [(A, 5), (B, 4)]
    site.kline(0)
    await asyncio.sleep(2)
    assert site.port.asked == []
    assert numbers(ema) == [-3, -2, -1, 0]


@site_test
async def test_waiting_keeps_to_its_time_and_leaves_the_rest_to_the_question_under_way(site: Site) -> None:
    ema = Ema(3)
    site.register(ema)
    assert not site.manager.wait(0)
    site.blocking.error = OutcomeUnknown("no answer")
    assert not site.manager.wait(0.5)
    assert [timeout_s for _, _, timeout_s in site.blocking.asked] == [0.5]
    await asyncio.sleep(2)
    assert site.manager.wait(0.5)
    assert numbers(ema) == [-3, -2, -1]


@site_test
async def test_what_is_known_of_the_warm_up(site: Site) -> None:
    manager = site.manager
    site.register(Ema(3))
    site.register(Ema(8))
    site.register(Ema(2), A, B)
    site.register(Ema(0), A)
    assert manager.get_warmup_requirements() == {(A, M1): 8, (B, M1): 2}
    assert manager.warmup_pending_symbols() == [A, B]
    assert manager.has_warmup_pending(A, M1)
    assert not manager.has_warmup_pending(A, M5)
    assert manager.warmup_status() == {A: False, B: False}
    await asyncio.sleep(2)
    assert manager.warmup_status() == {A: True, B: True}
    assert not manager.has_warmup_pending(A, M1)
    assert manager.kline_subscribed_symbols == [A, B]
    assert manager.bookl1_subscribed_symbols == manager.mark_price_subscribed_symbols == []


class Quotes(Indicator):
    def __init__(self) -> None:
        super().__init__()
        self.seen: list[Any] = []

    def handle_bookl1(self, bookl1: BookL1) -> None:
        self.seen.append(bookl1)

    def handle_trade(self, trade: Trade) -> None:
        self.seen.append(trade)

    def handle_bookl2(self, bookl2: BookL2) -> None:
        self.seen.append(bookl2)


@site_test
async def test_kinds_without_klines_need_nothing_else(site: Site) -> None:
    quotes = Quotes()
    for kind in (DataType.BOOKL1, DataType.TRADE, DataType.BOOKL1):
        assert site.register(quotes, kind=kind)[A] is quotes
    book = BookL1(ExchangeType.BINANCE, A, 1.0, 2.0, 1.0, 1.0, 1)
    site.hub.deliver[DataType.BOOKL1](book)
    assert quotes.seen == [book]
    assert site.manager.trade_subscribed_symbols == [A]
    assert site.tasks == []


@site_test
async def test_levels_of_a_book_are_those_that_are_wanted_already_else_five(site: Site) -> None:
    site.register(Quotes(), A, kind=DataType.BOOKL2)
    site.market.subscribe(DataType.BOOKL2, [B], "20", ready=True, ready_timeout_s=0)
    site.register(Quotes(), B, kind=DataType.BOOKL2)
    assert site.port.subscribed == [Stream(DataType.BOOKL2, A, "5"), Stream(DataType.BOOKL2, B, "20")]


class Named(Indicator):
    name = "not a name"

    def __init__(self) -> None: ...
    def handle_trade(self, trade: Trade) -> None: ...


@site_test
async def test_what_cannot_be_fed_is_refused_before_anything_is_subscribed(site: Site) -> None:
    for wrong, kind, error, says in (
        ("ema", KLINE, StrategyBuildError, "needs an Indicator, got 'ema'"),
        (Quotes(), KLINE, StrategyBuildError, "does not define handle_kline"),
        (Ema(3), "kline", SubscriptionError, "there are KLINE"),
        (Ema(3), DataType.VOLUME_KLINE, SubscriptionError, "cannot be registered for"),
        (Ema(3, None), KLINE, StrategyBuildError, "its kline_interval is None"),  # type: ignore[arg-type]
        (Named(), DataType.TRADE, ValueError, "cannot be called"),
        (Ema(3, KlineInterval.SECOND_1), KLINE, SubscriptionError, "no such stream"),
    ):
        with pytest.raises(error, match=says):
            site.register(wrong, kind=kind)  # type: ignore[arg-type]
    with pytest.raises(InstrumentError, match="NOPE"):
        site.register(Ema(3), "NOPE.BINANCE")
    assert (site.port.subscribed, site.tasks) == ([], [])


class Locked(Quotes):
    def __init__(self) -> None:
        super().__init__()
        self.lock = threading.Lock()


@site_test
async def test_one_that_cannot_be_copied_is_for_one_symbol_only(site: Site) -> None:
    locked = Locked()
    assert site.register(locked, kind=DataType.TRADE)[A] is locked
    with pytest.raises(StrategyBuildError, match="cannot be copied"):
        site.register(locked, B, kind=DataType.TRADE)


@site_test
async def test_a_later_symbol_gets_a_fresh_one(site: Site) -> None:
    ema = Ema(2)
    site.register(ema)
    await asyncio.sleep(2)
    other = site.register(ema, B)[B]
    assert other is not ema
    assert (numbers(other), other.is_warmed_up) == ([], False)
    assert site.register(ema, A, B) == {A: ema, B: other}


class Books(Indicator):
    def handle_bookl2(self, bookl2: object) -> None: ...


@site_test
async def test_each_symbol_gets_the_levels_that_it_has(site: Site) -> None:
    for symbol, levels in ((A, "20"), (B, "10")):
        site.market.subscribe(DataType.BOOKL2, [symbol], levels, ready=True, ready_timeout_s=0)
    site.register(Books(), A, B, kind=DataType.BOOKL2)
    assert [(one.symbol, one.detail) for one in site.port.subscribed] == [(A, "20"), (B, "10")]
