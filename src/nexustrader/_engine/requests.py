"""Questions that callbacks ask and wait for: answered on a second thread, so they can never deadlock the loop."""

from __future__ import annotations

from collections.abc import Coroutine, Mapping
from typing import Any, Protocol, TypeVar

from nexustrader.constants import KlineInterval
from nexustrader.domain import events as ev
from nexustrader.domain.setting import Setting
from nexustrader.error import InstrumentError
from nexustrader.execution.oms import OrderManager
from nexustrader.kernel.ports import MarketPort, VenuePort
from nexustrader.schema import Kline, Order, Ticker

REQUEST_TIMEOUT_S = 30.0

T = TypeVar("T")


class Blocking(Protocol):
    """Answers a question while the engine's thread waits."""

    def run(self, coro: Coroutine[Any, Any, T], timeout_s: float) -> T:
        """The result of `coro`. Raises OutcomeUnknown when there is none within `timeout_s`."""

    def stop(self) -> object: ...


class ThreadedRequests:
    """`Requests` over the wire. These ports live on the I/O thread and share no socket with the engine's loop."""

    def __init__(
        self,
        io: Blocking,
        oms: OrderManager,
        market_of: Mapping[str, MarketPort],
        venue_of: Mapping[str, VenuePort],
    ) -> None:
        self._io = io
        self._oms = oms
        self._market_of = market_of
        self._venue_of = venue_of

    def klines(
        self,
        symbol: str,
        interval: KlineInterval,
        limit: int | None,
        start_ms: int | None,
        end_ms: int | None,
        timeout_s: float = REQUEST_TIMEOUT_S,
    ) -> list[Kline]:
        port = self._port(symbol)
        return self._io.run(port.request_klines(symbol, interval.value, limit, start_ms, end_ms), timeout_s)

    def ticker(self, symbol: str) -> Ticker:
        return self._io.run(self._port(symbol).request_ticker(symbol), REQUEST_TIMEOUT_S)

    def order(self, account: str, symbol: str, oid: str) -> Order | None:
        """Ask the venue; what it says also moves our own order, as any other fact does."""
        state = self._oms.get(oid)
        inner = self._oms.resolve(oid)
        port = self._venue_of[account]
        answer = self._io.run(
            port.query_order(symbol, inner, state.eid if state is not None else None), REQUEST_TIMEOUT_S
        )
        return None if answer is None else self._take(answer)

    def open_orders(self, account: str, symbol: str) -> list[Order]:
        answers: list[ev.OrderEvent] = self._io.run(
            self._venue_of[account].query_open_orders(symbol), REQUEST_TIMEOUT_S
        )
        return [self._take(answer) for answer in answers]

    def change(self, account: str, setting: Setting) -> None:
        """Change something about an account. Raises what `VenuePort.change` raises."""
        self._io.run(self._venue_of[account].change(setting), REQUEST_TIMEOUT_S)

    def _take(self, answer: ev.OrderEvent) -> Order:
        """Move an order that is known; one that is not is shown, and never adopted: its fills are in the position."""
        if self._oms.get(answer.oid) is None:
            return self._oms.foreign_snapshot(answer)
        self._oms.apply(answer)
        state = self._oms.get(answer.oid)
        assert state is not None
        return self._oms.snapshot(state)

    def _port(self, symbol: str) -> MarketPort:
        port = self._market_of.get(symbol)
        if port is None:
            raise InstrumentError(
                f"no public connector serves {symbol}. Add its account type to public_conn_config"
            )
        return port
