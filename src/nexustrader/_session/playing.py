"""The ports of a core that is fed from a recorded session: nothing leaves, and only what was recorded comes back."""

from __future__ import annotations

import asyncio
from collections import Counter, deque
from collections.abc import Callable, Coroutine, Sequence
from contextvars import Context
from datetime import tzinfo
from typing import TYPE_CHECKING, Any, NamedTuple, NoReturn, TypeVar, TypeVarTuple

from nexustrader._session.labels import label_of
from nexustrader.domain import events as ev
from nexustrader.domain.setting import Setting
from nexustrader.domain.stream import Stream
from nexustrader.kernel.clock import NS_PER_MS, Call, EngineClock
from nexustrader.kernel.ports import TimerHandle, VenueSink
from nexustrader.kernel.virtual_loop import VirtualLoop
from nexustrader.schema import Kline, Ticker

if TYPE_CHECKING:
    from nexustrader._session.player import Player

T = TypeVar("T")
Ts = TypeVarTuple("Ts")
Inquire = Callable[[str, str], Coroutine[Any, Any, Any]]

OWN_AFTER_NS = 1_000 * NS_PER_MS  # how late a timer may have been in the session before it is none of it


class Key(NamedTuple):
    """One firing of a timer, as a session names it."""

    label: str
    due_ns: int
    is_soon: bool


class _Waiting:
    """A call that is to be made; `cancel` takes it back."""

    __slots__ = ("_queue", "func")

    def __init__(self, func: Call, queue: deque[_Waiting]) -> None:
        self.func = func
        self._queue = queue

    def cancel(self) -> None:
        if self in self._queue:
            self._queue.remove(self)


class PlayedClock(EngineClock):
    """Reads what the session says; a timer fires when it did in the session.

    `ahead` counts the firings that the session still holds. Timers that are not among them are this run's own, and
    `take_own` gives those that are due.
    """

    def __init__(self, timezone: tzinfo, now_ns: int, ahead: Counter[Key]) -> None:
        super().__init__(None)
        self.timezone = timezone
        self.now_ns = now_ns
        self.steady_ms = 0
        self._ahead = ahead
        self._waiting: dict[Key, deque[_Waiting]] = {}
        self._own: list[tuple[Key, _Waiting]] = []

    def timestamp_ns(self) -> int:
        return self.now_ns

    def timestamp_ms(self) -> int:
        return self.now_ns // NS_PER_MS

    def monotonic_ms(self) -> int:
        return self.steady_ms

    def read(self, now_ns: int, monotonic_ms: int) -> None:
        """Read this from now on."""
        self.now_ns, self.steady_ms = max(self.now_ns, now_ns), monotonic_ms

    def call_soon(self, func: Call) -> TimerHandle:
        return self._add(Key(label_of(func), self.now_ns, is_soon=True), func)

    def call_at(self, when_ns: int, func: Call) -> TimerHandle:
        return self._add(Key(label_of(func), when_ns, is_soon=False), func)

    def _add(self, key: Key, func: Call) -> _Waiting:
        queue = self._waiting.setdefault(key, deque())
        waiting = _Waiting(func, queue)
        queue.append(waiting)
        if len(queue) > self._ahead[key]:
            self._own.append((key, waiting))
        return waiting

    def take(self, key: Key) -> Call | None:
        """The call that fires as `key`; None when there is none."""
        self._ahead[key] -= 1
        queue = self._waiting.get(key)
        if not queue:
            return None
        func = queue.popleft().func
        if not queue:
            del self._waiting[key]
        return func

    def take_own(self, now_ns: int) -> tuple[Key, Call] | None:
        """One call of this run's own that is overdue at `now_ns`, earliest first."""
        if not self._own:
            return None
        self._own = [(key, waiting) for key, waiting in self._own if waiting in self._waiting.get(key, ())]
        due = [one for one in self._own if one[0].is_soon or one[0].due_ns + OWN_AFTER_NS < now_ns]
        if not due:
            return None
        key, waiting = min(due, key=lambda one: one[0].due_ns)
        waiting.cancel()
        return key, waiting.func


class PlayedLoop(VirtualLoop):
    """Reads what the loop of the session read; `now_s`."""

    now_s = 0.0

    def time(self) -> float:
        return self.now_s

    def call_at(
        self, when: float, callback: Callable[[*Ts], object], *args: *Ts, context: Context | None = None
    ) -> asyncio.TimerHandle:
        return self.call_later(when - self.now_s, callback, *args, context=context)


class PlayedPort:
    """Takes commands in silence. What it is asked for is answered when it was in the session."""

    def __init__(self, account: str, absence_horizon_ms: int, query_lag_ms: int, player: Player) -> None:
        self.account = account
        self.absence_horizon_ms = absence_horizon_ms
        self.query_lag_ms = query_lag_ms
        self._player = player

    def attach(self, sink: VenueSink) -> None:
        """The session's facts are given to the core itself."""

    async def start(self) -> None: ...
    async def stop(self) -> None: ...
    def renew(self, reason: str) -> None: ...
    def submit(self, command: ev.Submit) -> None: ...
    def submit_batch(self, commands: Sequence[ev.Submit]) -> None: ...
    def cancel(self, command: ev.Cancel) -> None: ...
    def amend(self, command: ev.Amend) -> None: ...
    def cancel_all(self, command: ev.CancelAll) -> None: ...

    async def query_order(self, _symbol: str, _oid: str, _eid: str | None) -> ev.OrderEvent | None:
        answer: ev.OrderEvent | None = await self._player.inquire("order", self.account)
        return answer

    async def query_fills(self, _symbol: str, _oid: str, _eid: str | None) -> list[ev.OrderEvent]:
        answer: list[ev.OrderEvent] = await self._player.inquire("orders (fills)", self.account)
        return answer

    async def query_fills_since(self, _symbol: str, _since_ms: int) -> list[ev.OrderEvent]:
        answer: list[ev.OrderEvent] = await self._player.inquire("orders (past fills)", self.account)
        return answer

    async def query_open_orders(self, _symbol: str | None = None) -> list[ev.OrderEvent]:
        answer: list[ev.OrderEvent] = await self._player.inquire("orders (open)", self.account)
        return answer

    async def query_balances(self) -> list[ev.BalanceEvent]:
        answer: list[ev.BalanceEvent] = await self._player.inquire("balances", self.account)
        return answer

    async def query_positions(self) -> list[ev.PositionEvent]:
        answer: list[ev.PositionEvent] = await self._player.inquire("positions", self.account)
        return answer

    async def change(self, _setting: Setting) -> None:
        await self._player.inquire("setting", self.account)


class PlayedMarket:
    """Streams that deliver when the session says so, and requests of which the session has the answers."""

    def __init__(self, refuse: Callable[[Stream], None], inquire: Inquire) -> None:
        self._refuse = refuse
        self._inquire = inquire

    async def load_instruments(self) -> NoReturn:
        raise AssertionError("instruments are given to the core by the session")

    def subscribe(self, stream: Stream) -> None:
        """Raises what the session's subscription had raised."""
        self._refuse(stream)

    def unsubscribe(self, stream: Stream) -> None: ...
    async def stop(self) -> None: ...

    async def request_klines(
        self, symbol: str, interval: str, limit: int | None, _start_ms: int | None, _end_ms: int | None
    ) -> list[Kline]:
        """What the session has; one that a callback waits for is answered by PlayedBlocking and not awaited."""
        answer: list[Kline] = await self._inquire(f"klines {interval} limit={limit}", symbol)
        return answer

    async def request_ticker(self, _symbol: str) -> Ticker:
        raise AssertionError("answered by PlayedBlocking")


class PlayedBlocking:
    """Answers at once, from the session."""

    def __init__(self, answer: Callable[[], Any]) -> None:
        self._answer = answer

    def run(self, coro: Coroutine[Any, Any, T], _timeout_s: float) -> T:
        coro.close()
        answer: T = self._answer()
        return answer

    def stop(self) -> None: ...


class Gate:
    """Holds the next step of a task until the session takes it."""

    def __init__(self, loop: asyncio.AbstractEventLoop) -> None:
        self._loop = loop
        self._call: Callable[[], Any] | None = None
        self._is_open = False
        self._held: asyncio.Future[None] | None = None
        self.thrown: str | None = None
        self.task: asyncio.Task[Any] | None = None

    @property
    def is_waiting(self) -> bool:
        """True while the task could go on."""
        return self._call is not None

    def hold(self, thrown: str | None, call: Callable[[], Any]) -> Any:
        """What the task does instead of `call`: it waits, or when it has been let through, it does it."""
        if self._is_open:
            waited, self._call, self._is_open = self._call, None, False
            assert waited is not None
            return waited()
        self._call, self.thrown = call, thrown
        self._held = self._loop.create_future()
        return next(iter(self._held.__await__()))

    def open(self) -> None:
        """Let the task go on, when the loop runs."""
        assert self._held is not None
        self._is_open = True
        if not self._held.done():
            self._held.set_result(None)
