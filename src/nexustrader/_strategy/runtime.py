"""What an engine gives a strategy. A strategy never holds more of the engine than this."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from decimal import Decimal
from typing import Any, Protocol

from nexustrader.constants import AccountType, KlineInterval, ParamBackend
from nexustrader.domain.instrument import Instrument
from nexustrader.domain.outcome import Route
from nexustrader.domain.setting import Setting
from nexustrader.execution.oms import OrderManager
from nexustrader.execution.reconciler import Reconciler
from nexustrader.execution.request import OrderRequest
from nexustrader.indicator import IndicatorManager
from nexustrader.kernel.bus import MessageBus
from nexustrader.kernel.scheduler import Scheduler
from nexustrader.market.cache import Cache
from nexustrader.market.data import MarketData
from nexustrader.risk.gate import Gate
from nexustrader.schema import Kline, Order, Ticker


class Requests(Protocol):
    """Questions that a callback may ask and wait for. Over the wire they run on a second thread."""

    def klines(
        self,
        symbol: str,
        interval: KlineInterval,
        limit: int | None,
        start_ms: int | None,
        end_ms: int | None,
        timeout_s: float = ...,
    ) -> list[Kline]: ...
    def ticker(self, symbol: str) -> Ticker: ...
    def order(self, account: str, symbol: str, oid: str) -> Order | None: ...
    def open_orders(self, account: str, symbol: str) -> list[Order]: ...
    def change(self, account: str, setting: Setting) -> None: ...


class Desk(Protocol):
    """Where a strategy sends its orders; see `ExecutionManager`."""

    def create(self, account: str, request: OrderRequest, /) -> str: ...
    def create_batch(self, account: str, requests: Sequence[OrderRequest], /) -> list[str]: ...
    def cancel(
        self, symbol: str, oid: str, route: Route, /, *, ws_fallback: bool, params: dict[str, Any]
    ) -> str: ...
    def amend(
        self, oid: str, /, *, price: Decimal | None, amount: Decimal | None, params: dict[str, Any]
    ) -> str: ...
    def cancel_all(self, account: str, symbol: str, /) -> None: ...


class Params(Protocol):
    """Named values that outlive a restart. Decimal stays Decimal."""

    def get(self, name: str, default: Any = None) -> Any: ...
    def set(self, name: str, value: Any) -> None: ...
    def clear(self, name: str | None = None) -> None: ...


@dataclass(frozen=True, slots=True)
class Runtime:
    """The running engine, as a strategy sees it."""

    clock: Any  # LiveClock or VirtualClock: the port plus the named timers
    cache: Cache
    bus: MessageBus
    heard: set[str]  # endpoints for which it has a callback of its own
    ems: Desk
    oms: OrderManager
    reconciler: Reconciler
    market: MarketData
    indicators: IndicatorManager
    instruments: Mapping[str, Instrument]
    scheduler: Scheduler
    requests: Requests
    params: Mapping[ParamBackend, Params]
    route: Callable[
        [str, AccountType | None, str | None], str
    ]  # symbol -> account key; raises EngineBuildError
    stop: Callable[[], None]
    gate: Gate


Number = Decimal | int | float | str
