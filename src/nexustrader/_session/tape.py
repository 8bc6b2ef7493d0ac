"""What a recorder and a player have in common: the strategy's side of an engine, and the tasks within it."""

from __future__ import annotations

import asyncio
from abc import ABC, abstractmethod
from collections.abc import Callable, Coroutine, Iterator, Mapping
from functools import partial
from typing import Any, Generic, TypeVar

import msgspec

from nexustrader import error as errors
from nexustrader._engine.requests import ThreadedRequests
from nexustrader._session import records
from nexustrader._session.records import Asking, Decided, Decision, Failure, InVain
from nexustrader.constants import KlineInterval
from nexustrader.domain import events as ev
from nexustrader.domain.outcome import Route
from nexustrader.domain.snapshot import Entry
from nexustrader.error import JournalError, NexusTraderError
from nexustrader.execution.ems import ExecutionManager
from nexustrader.execution.request import OrderRequest
from nexustrader.kernel.ports import Journal
from nexustrader.kernel.redaction import redact
from nexustrader.schema import Kline, Order, Ticker

T = TypeVar("T")
DECIDED = (ev.Submit, ev.Cancel, ev.Amend, ev.CancelAll, ev.RiskEvent)


class Tape(ABC):
    """One run of a core. `decisions` counts what was decided so far."""

    def __init__(self) -> None:
        self.decisions = 0
        self._tasks_born: dict[str, int] = {}

    @abstractmethod
    def decide(self, record: Decided) -> None:
        """A command is issued."""

    @abstractmethod
    def note_in_vain(self, in_vain: InVain) -> None:
        """Something was asked for and nothing was issued."""

    @abstractmethod
    def ask(self, verb: str, args: tuple[Any, ...], call: Callable[[], T]) -> T:
        """The strategy asks for something by `call`."""

    @abstractmethod
    def step(self, task: str, thrown: str | None, call: Callable[[], Any]) -> Any:
        """A task goes on by `call`."""

    def asked(self, verb: str, args: tuple[Any, ...], call: Callable[[], T]) -> T:
        """Carry out what was asked for, and notice when no decision came of it."""
        before = self.decisions
        answer = call()
        if self.decisions == before:
            shown = answer if isinstance(answer, str) else None
            self.note_in_vain(InVain(asking_of(verb, args), shown))
        return answer

    def name_task(self, work: Coroutine[Any, Any, Any]) -> str:
        """A name for a new task that it has in every run of the same program."""
        label = str(getattr(work, "__qualname__", type(work).__name__))
        self._tasks_born[label] = number = self._tasks_born.get(label, 0) + 1
        return f"{label}#{number}"


class Desk:
    """The execution manager as a strategy has it."""

    def __init__(self, ems: ExecutionManager, tape: Tape) -> None:
        self._ems = ems
        self._tape = tape
        self.calls: Mapping[str, Callable[..., Any]] = {
            "create": ems.create,
            "cancel": self._cancel,
            "amend": self._amend,
            "cancel_all": ems.cancel_all,
        }

    def create(self, account: str, request: OrderRequest) -> str:
        args = (account, request)
        return self._tape.ask("create", args, partial(self._ems.create, *args))

    def cancel(self, symbol: str, oid: str, route: Route, *, ws_fallback: bool, params: dict[str, Any]) -> str:
        args = (symbol, oid, route, ws_fallback, params)
        return self._tape.ask("cancel", args, partial(self._cancel, *args))

    def _cancel(self, symbol: str, oid: str, route: Route, ws_fallback: bool, params: dict[str, Any]) -> str:
        return self._ems.cancel(symbol, oid, route, ws_fallback=ws_fallback, params=params)

    def amend(self, oid: str, *, price: Any, amount: Any, params: dict[str, Any]) -> str:
        args = (oid, price, amount, params)
        return self._tape.ask("amend", args, partial(self._amend, *args))

    def _amend(self, oid: str, price: Any, amount: Any, params: dict[str, Any]) -> str:
        return self._ems.amend(oid, price=price, amount=amount, params=params)

    def cancel_all(self, account: str, symbol: str) -> None:
        args = (account, symbol)
        self._tape.ask("cancel_all", args, partial(self._ems.cancel_all, *args))


ASKED: Mapping[str, Any] = {  # by verb, the types of the arguments
    "create": tuple[str, OrderRequest],
    "cancel": tuple[str, str, Route, bool, dict[str, Any]],
    "amend": tuple[str, Any, Any, dict[str, Any]],
    "cancel_all": tuple[str, str],
}


def asking_of(verb: str, args: tuple[Any, ...]) -> Asking:
    return Asking(verb, records.raw(args))


def args_of(asking: Asking) -> tuple[Any, ...]:
    """The arguments again. Raises msgspec.MsgspecError for those that no order can have."""
    args: tuple[Any, ...] = msgspec.msgpack.decode(asking.args, type=ASKED[asking.verb])
    return args


class TapedJournal(ABC):
    """The journal as the core has it: every command is seen here before it is sent."""

    def __init__(self, tape: Tape) -> None:
        self._tape = tape

    def append(self, record: ev.Record) -> int:
        if isinstance(record, DECIDED):
            self._tape.decide(record if not record.untold else msgspec.structs.replace(record, untold=0))
        return self._write(record)

    @abstractmethod
    def _write(self, record: ev.Record) -> int: ...

    @abstractmethod
    def replay(self) -> Iterator[Entry]: ...

    def close(self) -> None:
        """The engine closes the journal itself."""


class RecordingJournal(TapedJournal):
    """Over the journal of the run. `note` hears of what it gave back and of what it could not write."""

    def __init__(
        self,
        journal: Journal,
        tape: Tape,
        note_entry: Callable[[Entry], None],
        note_failure: Callable[[int, JournalError], None],
    ) -> None:
        super().__init__(tape)
        self._journal = journal
        self._note_entry = note_entry
        self._note_failure = note_failure
        self.appends = 0  # within the present input

    def _write(self, record: ev.Record) -> int:
        self.appends += 1
        try:
            return self._journal.append(record)
        except JournalError as error:
            self._note_failure(self.appends, error)
            raise

    def replay(self) -> Iterator[Entry]:
        for entry in self._journal.replay():
            self._note_entry(entry)
            yield entry


class Questions:
    """`Requests` whose questions are announced by `announce(text)` before they are put."""

    def __init__(self, requests: ThreadedRequests, announce: Callable[[str], None]) -> None:
        self._requests = requests
        self._announce = announce

    def klines(
        self,
        symbol: str,
        interval: KlineInterval,
        limit: int | None,
        start_ms: int | None,
        end_ms: int | None,
    ) -> list[Kline]:
        self._announce(f"klines {symbol} {interval.value} limit={limit} start={start_ms} end={end_ms}")
        return self._requests.klines(symbol, interval, limit, start_ms, end_ms)

    def ticker(self, symbol: str) -> Ticker:
        self._announce(f"ticker {symbol}")
        return self._requests.ticker(symbol)

    def order(self, account: str, symbol: str, oid: str) -> Order | None:
        self._announce(f"order {account} {symbol} {oid}")
        return self._requests.order(account, symbol, oid)

    def open_orders(self, account: str, symbol: str) -> list[Order]:
        self._announce(f"orders {account} {symbol}")
        return self._requests.open_orders(account, symbol)


class Steps(Coroutine[Any, Any, T], Generic[T]):
    """A coroutine of which the tape sees every step that its task takes."""

    def __init__(self, work: Coroutine[Any, Any, T], name: str, tape: Tape) -> None:
        self.name = name
        self.__name__ = self.__qualname__ = str(getattr(work, "__qualname__", type(work).__name__))
        self._work = work
        self._tape = tape

    def send(self, value: Any, /) -> Any:
        return self._tape.step(self.name, None, partial(self._work.send, value))

    def throw(self, exc: Any, *rest: Any) -> Any:  # the older signature has three arguments
        kind = exc if isinstance(exc, type) else type(exc)
        return self._tape.step(self.name, kind.__name__, partial(self._work.throw, exc, *rest))

    def close(self) -> None:
        self._work.close()

    def __await__(self) -> Any:
        return self._work.__await__()


def new_task(loop: asyncio.AbstractEventLoop, work: Any, **kwargs: Any) -> asyncio.Task[Any]:
    """A task as asyncio makes it by itself."""
    return asyncio.Task(work, loop=loop, **kwargs)


# -- exceptions ----------------------------------------------------------------------------------------------


def failure_of(error: BaseException) -> Failure:
    """What can be kept of an exception."""
    plain = {
        name: value
        for name, value in vars(error).items()
        if name != "message" and isinstance(value, str | int | float | None)
    }
    return Failure(type(error).__name__, redact(str(error)), plain)


def error_of(failure: Failure) -> Exception:
    """The exception again, of its own class where that is known."""
    found = getattr(errors, failure.kind, None)
    if isinstance(found, type) and issubclass(found, NexusTraderError):
        error: Exception = found.__new__(found)
        NexusTraderError.__init__(error, failure.message)  # type: ignore[arg-type]  # it is one: the line above
    else:
        import builtins

        plain = getattr(builtins, failure.kind, None)
        is_plain = isinstance(plain, type) and issubclass(plain, Exception)
        error = plain(failure.message) if is_plain else NexusTraderError(failure.message)  # type: ignore[misc]  # as checked
    for name, value in failure.attributes.items():
        setattr(error, name, value)
    return error
