"""What the recorder promises a live engine: it changes nothing that matters, and costs nothing when it is off."""

from __future__ import annotations

import asyncio
import errno
from collections.abc import Callable, Coroutine
from datetime import UTC
from decimal import Decimal
from pathlib import Path
from typing import Any

import pytest

from desk import ACCOUNT, BTC, SYMBOL, ScriptedVenue
from nexustrader._engine.core import EngineCore
from nexustrader._engine.routing import Account
from nexustrader._session.file import Session, SessionWriter
from nexustrader._session.recorder import Recorder
from nexustrader._session.records import Data, Decision, Fact, Fired, InVain, Outsider, Status, Step
from nexustrader.config import BasicConfig, Config
from nexustrader.constants import DataType, ExchangeType, OrderSide, OrderType, ParamBackend
from nexustrader.domain import events as ev
from nexustrader.exchange import BinanceAccountType
from nexustrader.kernel.clock import EngineClock
from nexustrader.kernel.entropy import Entropy
from nexustrader.persistence.memory import MemoryJournal
from nexustrader.persistence.params import Params
from nexustrader.schema import BookL1, Order
from nexustrader.strategy import Strategy
from virtual_time import LoopClock, run_virtual

BOOK = BookL1(ExchangeType.BINANCE, SYMBOL, 100.0, 100.5, 1.0, 1.0, 1)


class TickingClock(EngineClock):
    """A clock of which every reading is another one."""

    def __init__(self, clock: LoopClock) -> None:
        super().__init__(None)
        self.timezone = UTC
        self._clock = clock
        self._readings = 0

    def timestamp_ns(self) -> int:
        self._readings += 1
        return self._clock.timestamp_ns() + self._readings

    def timestamp_ms(self) -> int:
        return self.timestamp_ns() // 1_000_000

    def monotonic_ms(self) -> int:
        return self.timestamp_ns()

    def call_soon(self, func: Callable[[], object]) -> Any:
        return self._clock.call_soon(func)

    def call_at(self, when_ns: int, func: Callable[[], object]) -> Any:
        return self._clock.call_at(when_ns, func)


class Maker(Strategy):
    def __init__(self) -> None:
        super().__init__()
        self.on_book: Callable[[], object] = lambda: None
        self.heard: list[str] = []

    def on_bookl1(self, bookl1: BookL1) -> None:
        self.on_book()

    def on_failed_order(self, order: Order) -> None:
        self.heard.append(f"failed {order.oid}")

    def buy(self, amount: str = "0.100") -> str:
        return self.create_order(SYMBOL, OrderSide.BUY, OrderType.LIMIT, Decimal(amount), Decimal(100))


class Recorded:
    """A core that is recorded, on a venue that says nothing by itself."""

    def __init__(self, clock: LoopClock, path: Path) -> None:
        self.loop = asyncio.get_running_loop()
        self.strategy = Maker()
        config = Config("maker", "test", self.strategy, {ExchangeType.BINANCE: BasicConfig()}, {})
        self.recorder = Recorder(path, TickingClock(clock), self.loop, Entropy(1), MemoryJournal())
        self.core = EngineCore(config, self.recorder.clock, self.recorder.journal, spawn=self._spawn)
        self.recorder.bind(self.core)
        requests: Any = None
        self.core.bind_strategy(requests, {ParamBackend.MEMORY: Params()}, lambda: None)
        self.recorder.open(config)
        self.core.add_market({SYMBOL: BTC}, None)
        exchange, _, kind = ACCOUNT.partition(":")
        self.core.accounts.add(Account(ACCOUNT, ExchangeType(exchange), BinanceAccountType(kind)))
        self.venue = ScriptedVenue(clock)
        self.core.add_account(self.venue)
        self.core.run_start()
        self.deliver = self.core.deliver[DataType.BOOKL1]

    def _spawn(self, work: Coroutine[Any, Any, None], name: str) -> object:
        return self.loop.create_task(work, name=name)

    def inputs(self) -> list[tuple[Any, list[Any]]]:
        """What was recorded so far, with what happened in it."""
        self.recorder.close()
        session = Session(self.recorder._path)
        return [(one.what, [kept.part for kept in inner]) for one, inner in session.inputs()]


def recorded(path: Path, work: Callable[[Recorded], Coroutine[Any, Any, None]]) -> None:
    async def run(clock: LoopClock) -> None:
        await work(Recorded(clock, path / "session.nxs"))

    run_virtual(run)


def test_the_clock_of_the_core_stands_still_within_an_input_and_goes_on_between_two(tmp_path: Path) -> None:
    async def work(site: Recorded) -> None:
        clock = site.strategy.clock
        readings: list[int] = []
        steady: list[int] = []
        site.strategy.on_book = lambda: (
            readings.extend(clock.timestamp_ns() for _ in range(3)),
            steady.extend(clock.monotonic_ms() for _ in range(3)),
        )
        site.deliver(BOOK)
        site.deliver(BOOK)
        assert len(set(readings)) == 2
        assert readings == sorted(readings)
        assert steady[0] == steady[1] == steady[2] < steady[3]
        assert clock.timestamp_ns() < clock.timestamp_ns()  # outside of every input it is the true clock
        at = [one.at_ns for one, _ in _session(site).inputs() if isinstance(one.what, Data)]
        assert at == sorted(set(readings))

    recorded(tmp_path, work)


def _session(site: Recorded) -> Session:
    site.recorder.close()
    return Session(site.recorder._path)


def test_what_a_port_says_while_it_is_given_a_command_is_an_input_of_its_own_and_in_order(
    tmp_path: Path,
) -> None:
    async def work(site: Recorded) -> None:
        site.venue.on_command = lambda _: site.venue.sink.on_status(ACCOUNT, "connected")
        site.strategy.on_book = site.strategy.buy
        site.deliver(BOOK)
        site.strategy.on_book = lambda: None
        site.deliver(BOOK)  # behind what has waited, though the loop has not turned
        kinds = [type(what) for what, _ in site.inputs()]
        assert kinds[-3:] == [Data, Status, Data]

    recorded(tmp_path, work)


def test_a_port_that_always_answers_at_once_does_not_hold_up_the_loop(tmp_path: Path) -> None:
    async def work(site: Recorded) -> None:
        told = 0

        def again(account: str, event: str) -> None:
            nonlocal told
            told += 1
            with site.recorder.outside:  # as if the core had given the port one more command
                site.venue.sink.on_status(account, event)

        site.core.on_status = again  # type: ignore[method-assign]
        site.venue.sink.on_status(ACCOUNT, "connected")
        for _ in range(10):
            await asyncio.sleep(0)
        assert 2 <= told <= 12

    recorded(tmp_path, work)


def test_orders_that_are_refused_are_recorded_as_asked_in_vain(tmp_path: Path) -> None:
    async def work(site: Recorded) -> None:
        site.strategy.on_book = lambda: site.strategy.buy("0.00001")
        site.deliver(BOOK)
        site.strategy.on_book = site.strategy.buy
        site.deliver(BOOK)
        await asyncio.sleep(0.01)
        inner = [inner for what, inner in site.inputs() if isinstance(what, Data)]
        assert [[type(part) for part in parts] for parts in inner] == [[InVain], [Decision]]

    recorded(tmp_path, work)


def test_an_order_from_outside_of_every_callback_is_an_input(tmp_path: Path) -> None:
    async def work(site: Recorded) -> None:
        site.strategy.buy()
        (what, inner) = next(one for one in site.inputs() if isinstance(one[0], Outsider))
        assert what.asking.verb == "create"
        assert [type(part) for part in inner] == [Decision]

    recorded(tmp_path, work)


def test_timers_and_steps_of_tasks_are_inputs_and_the_ports_own_are_not(tmp_path: Path) -> None:
    async def work(site: Recorded) -> None:
        async def job() -> None:
            await asyncio.sleep(0.1)

        with site.recorder.outside:
            theirs = site.loop.create_task(job())
        site.strategy.on_book = lambda: (
            site.strategy.clock.call_at(
                site.strategy.clock.timestamp_ns() + 1_000_000, site.strategy.heard.clear
            ),
            site.loop.create_task(job(), name="ours"),
        )
        site.deliver(BOOK)
        await asyncio.sleep(0.2)
        await theirs
        found = [what for what, _ in site.inputs() if isinstance(what, Fired | Step)]
        steps = [what.task for what in found if isinstance(what, Step)]
        assert len(steps) == 2
        assert len(set(steps)) == 1
        assert [what.is_foreign for what in found if isinstance(what, Fired)] == [False]

    recorded(tmp_path, work)


def test_a_disk_that_is_full_ends_the_recording_and_not_the_run(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    async def work(site: Recorded) -> None:
        def full(_self: SessionWriter) -> None:
            raise OSError(errno.ENOSPC, "No space left on device")

        monkeypatch.setattr(SessionWriter, "flush", full)
        site.strategy.on_book = site.strategy.buy
        site.deliver(BOOK)
        site.deliver(BOOK)
        assert len(site.venue.commands) == 2
        assert site.recorder._writer is None

    recorded(tmp_path, work)


def test_facts_are_recorded_as_they_are(tmp_path: Path) -> None:
    async def work(site: Recorded) -> None:
        event = ev.BalanceEvent(account=ACCOUNT, asset="USDT", free=Decimal("1.50"), timestamp=7)
        site.venue.sink.on_balance(event)
        assert Fact(event) in [what for what, _ in site.inputs()]

    recorded(tmp_path, work)


def test_without_a_recording_nothing_is_in_between() -> None:
    async def run(clock: LoopClock) -> None:
        config = Config("maker", "test", Maker(), {ExchangeType.BINANCE: BasicConfig()}, {})
        core = EngineCore(config, clock, MemoryJournal(), spawn=lambda *_: None)
        assert core.deliver is core.hub.deliver
        assert core.desk is None
        venue = ScriptedVenue(clock)
        core.add_account(venue)
        assert venue.sink is core

    run_virtual(run)
