"""The ports of a live engine as its recorded core has them."""

from __future__ import annotations

from collections.abc import Coroutine, Sequence
from typing import TYPE_CHECKING, Any, TypeVar

from nexustrader._engine.requests import Blocking
from nexustrader._session.labels import label_of
from nexustrader._session.records import Fact, Fired, Status
from nexustrader.domain import events as ev
from nexustrader.domain.setting import Setting
from nexustrader.domain.stream import Stream
from nexustrader.error import NexusTraderError
from nexustrader.kernel.clock import NS_PER_MS, Call, EngineClock
from nexustrader.kernel.ports import TimerHandle, VenuePort, VenueSink
from nexustrader.market.data import StreamPort
from nexustrader.schema import Kline

if TYPE_CHECKING:
    from nexustrader._session.recorder import Recorder

T = TypeVar("T")


class RecordingClock(EngineClock):
    """Stands still while an input runs. Timers are those of the true clock; each firing is an input."""

    def __init__(self, clock: Any, recorder: Recorder) -> None:
        super().__init__(clock.on_error)
        self.timezone = clock.timezone
        self._clock = clock
        self._recorder = recorder

    def timestamp_ns(self) -> int:
        now_ns = self._recorder.now_ns
        return int(self._clock.timestamp_ns()) if now_ns is None else now_ns

    def timestamp_ms(self) -> int:
        return self.timestamp_ns() // NS_PER_MS

    def monotonic_ms(self) -> int:
        recorder = self._recorder
        return int(self._clock.monotonic_ms()) if recorder.now_ns is None else recorder.monotonic_ms

    def call_soon(self, func: Call) -> TimerHandle:
        handle: TimerHandle = self._clock.call_soon(self._firing(func, self.timestamp_ns(), is_soon=True))
        return handle

    def call_at(self, when_ns: int, func: Call) -> TimerHandle:
        handle: TimerHandle = self._clock.call_at(when_ns, self._firing(func, when_ns, is_soon=False))
        return handle

    def _firing(self, func: Call, due_ns: int, *, is_soon: bool) -> Call:
        is_foreign = not self._recorder.is_inside
        fired = Fired(label_of(func), due_ns, is_soon, is_foreign)
        return lambda: self._recorder.arrive(fired, func)


class RecordingSink:
    """What a port reports to: every fact is an input."""

    def __init__(self, sink: VenueSink, recorder: Recorder) -> None:
        self._sink = sink
        self._arrive = recorder.arrive

    def on_result(self, result: ev.CommandResult) -> None:
        self._arrive(Fact(result), lambda: self._sink.on_result(result))

    def on_order_event(self, event: ev.OrderEvent) -> None:
        self._arrive(Fact(event), lambda: self._sink.on_order_event(event))

    def on_balance(self, event: ev.BalanceEvent) -> None:
        self._arrive(Fact(event), lambda: self._sink.on_balance(event))

    def on_position(self, event: ev.PositionEvent) -> None:
        self._arrive(Fact(event), lambda: self._sink.on_position(event))

    def on_status(self, account: str, event: str) -> None:
        self._arrive(Status(account, event), lambda: self._sink.on_status(account, event))


class RecordingPort:
    """A venue port of which the answers are inputs; commands go on as they are."""

    def __init__(self, port: VenuePort, recorder: Recorder) -> None:
        self._port = port
        self._recorder = recorder
        self.account = port.account
        self.absence_horizon_ms = port.absence_horizon_ms
        self.query_lag_ms = port.query_lag_ms

    def attach(self, sink: VenueSink) -> None:
        self._port.attach(RecordingSink(sink, self._recorder))

    async def start(self) -> None:
        await self._port.start()

    async def stop(self) -> None:
        await self._port.stop()

    def renew(self, reason: str) -> None:
        with self._recorder.outside:
            self._port.renew(reason)

    def submit(self, command: ev.Submit) -> None:
        with self._recorder.outside:
            self._port.submit(command)

    def submit_batch(self, commands: Sequence[ev.Submit]) -> None:
        with self._recorder.outside:
            self._port.submit_batch(commands)

    def cancel(self, command: ev.Cancel) -> None:
        with self._recorder.outside:
            self._port.cancel(command)

    def amend(self, command: ev.Amend) -> None:
        with self._recorder.outside:
            self._port.amend(command)

    def cancel_all(self, command: ev.CancelAll) -> None:
        with self._recorder.outside:
            self._port.cancel_all(command)

    def _inquire(self, kind: str, work: Coroutine[Any, Any, T]) -> Coroutine[Any, Any, T]:
        return self._recorder.inquire(kind, self.account, work)

    async def query_order(self, symbol: str, oid: str, eid: str | None) -> ev.OrderEvent | None:
        return await self._inquire("order", self._port.query_order(symbol, oid, eid))

    async def query_fills(self, symbol: str, oid: str, eid: str | None) -> list[ev.OrderEvent]:
        return await self._inquire("orders (fills)", self._port.query_fills(symbol, oid, eid))

    async def query_fills_since(self, symbol: str, since_ms: int) -> list[ev.OrderEvent]:
        return await self._inquire("orders (past fills)", self._port.query_fills_since(symbol, since_ms))

    async def query_open_orders(self, symbol: str | None = None) -> list[ev.OrderEvent]:
        return await self._inquire("orders (open)", self._port.query_open_orders(symbol))

    async def query_balances(self) -> list[ev.BalanceEvent]:
        return await self._inquire("balances", self._port.query_balances())

    async def query_positions(self) -> list[ev.PositionEvent]:
        return await self._inquire("positions", self._port.query_positions())

    async def change(self, setting: Setting) -> None:
        await self._inquire("setting", self._port.change(setting))


class RecordingStreams:
    """A market port of which refusals are kept: what is not refused was subscribed."""

    def __init__(self, port: StreamPort, recorder: Recorder) -> None:
        self._port = port
        self._recorder = recorder

    def subscribe(self, stream: Stream) -> None:
        try:
            with self._recorder.outside:
                self._port.subscribe(stream)
        except NexusTraderError as error:
            self._recorder.refuse(stream, error)
            raise

    def unsubscribe(self, stream: Stream) -> None:
        with self._recorder.outside:
            self._port.unsubscribe(stream)

    async def request_klines(
        self, symbol: str, interval: str, limit: int | None, start_ms: int | None, end_ms: int | None
    ) -> list[Kline]:
        question = self._port.request_klines(symbol, interval, limit, start_ms, end_ms)
        return await self._recorder.inquire(f"klines {interval} limit={limit}", symbol, question)


class RecordingBlocking:
    """Answers for which the engine's thread waits."""

    def __init__(self, io: Blocking, recorder: Recorder) -> None:
        self._io = io
        self._recorder = recorder

    def run(self, coro: Coroutine[Any, Any, T], timeout_s: float) -> T:
        return self._recorder.block(self._io, coro, timeout_s)

    def stop(self) -> object:
        return self._io.stop()
