"""What a recorder and a player have in common: the strategy's side of an engine, its journal, and its tasks."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Callable, Coroutine, Iterator, Mapping, Sequence
from functools import partial
from typing import Any, TypeVar

import msgspec

from nexustrader._engine.requests import REQUEST_TIMEOUT_S, ThreadedRequests
from nexustrader._session import records
from nexustrader._session.labels import label_of_work
from nexustrader._session.records import Asking, Decided, InVain
from nexustrader.constants import KlineInterval
from nexustrader.domain import events as ev
from nexustrader.domain.outcome import Route
from nexustrader.domain.setting import Setting
from nexustrader.domain.snapshot import Entry
from nexustrader.execution.ems import ExecutionManager
from nexustrader.execution.request import OrderRequest
from nexustrader.schema import Kline, Order, Ticker

T = TypeVar("T")
Args = tuple[Any, ...]

_DECIDED = (ev.Submit, ev.Cancel, ev.Amend, ev.CancelAll, ev.RiskEvent)


class Tape(ABC):
    """One run of a core. `decisions` counts what was decided so far."""

    def __init__(self) -> None:
        self.decisions = 0
        self._tasks_born: dict[str, int] = {}

    @abstractmethod
    def decide(self, record: Decided) -> None:
        """A command is about to be issued."""

    @abstractmethod
    def ask_in_vain(self, what: InVain) -> None:
        """Something was asked for and no command came of it."""

    @abstractmethod
    def ask(self, verb: str, args: Args, call: Callable[[], T]) -> T:
        """The strategy asks for something, by `call`."""

    @abstractmethod
    def write(self, record: ev.Record) -> int:
        """Journal a record. Raises JournalError."""

    @abstractmethod
    def replay(self) -> Iterator[Entry]:
        """What the journal has of earlier runs."""

    @abstractmethod
    def put(self, question: str) -> None:
        """The strategy is about to put a question, and to wait for the answer."""

    @abstractmethod
    def step(self, task: Steps, thrown: str | None, call: Callable[[], Any]) -> Any:
        """A task goes on, by `call`; what woke it may be an exception of the class `thrown`."""

    def asked(self, verb: str, args: Args, call: Callable[[], T]) -> T:
        """Carry out what was asked for, and notice when no command comes of it."""
        before = self.decisions
        answer = call()
        if self.decisions == before:
            self.ask_in_vain(InVain(asking_of(verb, args), answer if isinstance(answer, str) else None))
        return answer

    def name_task(self, work: Any) -> str:
        """A name for a new task that it has in every run of the same program."""
        label = label_of_work(work)
        self._tasks_born[label] = number = self._tasks_born.get(label, 0) + 1
        return f"{label}#{number}"


# -- orders --------------------------------------------------------------------------------------------------

ARGUMENTS: Mapping[str, Any] = {  # their types, by verb
    "create": tuple[str, OrderRequest],
    "create_batch": tuple[str, list[OrderRequest]],
    "cancel": tuple[str, str, Route, bool, dict[str, Any]],
    "amend": tuple[str, Any, Any, dict[str, Any]],
    "cancel_all": tuple[str, str],
}


def asking_of(verb: str, args: Args) -> Asking:
    return Asking(verb, records.raw(args))


def args_of(asking: Asking) -> Args:
    """The arguments again. Raises msgspec.MsgspecError for those that no order can have."""
    args: Args = msgspec.msgpack.decode(asking.args, type=ARGUMENTS[asking.verb])
    return args


class Desk:
    """The execution manager as a strategy has it."""

    def __init__(self, ems: ExecutionManager, tape: Tape) -> None:
        self._ems = ems
        self._tape = tape

    def create(self, account: str, request: OrderRequest) -> str:
        oid: str = self._ask("create", account, request)
        return oid

    def create_batch(self, account: str, requests: Sequence[OrderRequest]) -> list[str]:
        oids: list[str] = self._ask("create_batch", account, list(requests))
        return oids

    def cancel(
        self, symbol: str, oid: str, route: Route, *, ws_fallback: bool, params: dict[str, Any]
    ) -> str:
        name: str = self._ask("cancel", symbol, oid, route, ws_fallback, params)
        return name

    def amend(self, oid: str, *, price: Any, amount: Any, params: dict[str, Any]) -> str:
        name: str = self._ask("amend", oid, price, amount, params)
        return name

    def cancel_all(self, account: str, symbol: str) -> None:
        self._ask("cancel_all", account, symbol)

    def _ask(self, verb: str, *args: Any) -> Any:
        return self._tape.ask(verb, args, partial(self.carry_out, verb, args))

    def carry_out(self, verb: str, args: Args) -> Any:
        """Do what one of the methods was asked to do."""
        if verb == "cancel":
            symbol, oid, route, ws_fallback, params = args
            return self._ems.cancel(symbol, oid, route, ws_fallback=ws_fallback, params=params)
        if verb == "amend":
            oid, price, amount, params = args
            return self._ems.amend(oid, price=price, amount=amount, params=params)
        return getattr(self._ems, verb)(*args)


class TapedJournal:
    """The journal as the core has it: every command is seen here, before anything of it leaves."""

    def __init__(self, tape: Tape) -> None:
        self._tape = tape

    def append(self, record: ev.Record) -> int:
        if isinstance(record, _DECIDED):
            self._tape.decide(record if not record.untold else msgspec.structs.replace(record, untold=0))
        return self._tape.write(record)

    def replay(self) -> Iterator[Entry]:
        return self._tape.replay()

    def close(self) -> None:
        """The engine closes the journal itself."""


# -- questions -----------------------------------------------------------------------------------------------


class Questions:
    """The blocking requests as a strategy has them."""

    def __init__(self, requests: ThreadedRequests, tape: Tape) -> None:
        self._requests = requests
        self._tape = tape

    def klines(
        self,
        symbol: str,
        interval: KlineInterval,
        limit: int | None,
        start_ms: int | None,
        end_ms: int | None,
        timeout_s: float = REQUEST_TIMEOUT_S,
    ) -> list[Kline]:
        self._tape.put(f"klines {symbol} {interval.value} limit={limit} from={start_ms} to={end_ms}")
        return self._requests.klines(symbol, interval, limit, start_ms, end_ms, timeout_s)

    def ticker(self, symbol: str) -> Ticker:
        self._tape.put(f"ticker {symbol}")
        return self._requests.ticker(symbol)

    def order(self, account: str, symbol: str, oid: str) -> Order | None:
        self._tape.put(f"order {account} {symbol} {oid}")
        return self._requests.order(account, symbol, oid)

    def open_orders(self, account: str, symbol: str) -> list[Order]:
        self._tape.put(f"orders {account} {symbol}")
        return self._requests.open_orders(account, symbol)

    def change(self, account: str, setting: Setting) -> None:
        self._tape.put(f"change {account} {setting}")
        self._requests.change(account, setting)


# -- tasks ---------------------------------------------------------------------------------------------------


class Steps(Coroutine[Any, Any, Any]):
    """A coroutine of which the tape sees every step that its task takes."""

    def __init__(self, work: Any, tape: Tape) -> None:
        self.name = tape.name_task(work)
        self.__name__ = self.__qualname__ = label_of_work(work)
        self._work = work
        self._tape = tape

    def send(self, value: Any, /) -> Any:
        return self._tape.step(self, None, partial(self._work.send, value))

    def throw(self, exc: Any, *rest: Any) -> Any:  # the older signature has three arguments
        kind = exc if isinstance(exc, type) else type(exc)
        return self._tape.step(self, kind.__name__, partial(self._work.throw, exc, *rest))

    def close(self) -> None:
        self._work.close()

    def __await__(self) -> Any:
        return self._work.__await__()
