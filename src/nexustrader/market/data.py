"""What the strategy's subscriptions become: readiness, reference counts, and one port per account type."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from typing import Any, Protocol

from nexustrader.constants import DataType, KlineInterval
from nexustrader.error import InstrumentError, NexusTraderError
from nexustrader.kernel.bus import MessageBus
from nexustrader.market.readiness import DataReady
from nexustrader.market.subscriptions import DesiredStreams, Stream
from nexustrader.schema import Kline


class StreamPort(Protocol):
    """The part of a market port that subscriptions need, and what comes before them."""

    def subscribe(self, stream: Stream) -> None: ...
    def unsubscribe(self, stream: Stream) -> None: ...
    async def request_klines(
        self, symbol: str, interval: str, limit: int | None, start_ms: int | None, end_ms: int | None, /
    ) -> list[Kline]: ...


class MarketData:
    """Subscribes through the port that serves the symbol, once per stream however many ask for it."""

    def __init__(
        self, bus: MessageBus, now_s: Callable[[], float], port_of: Callable[[str], StreamPort | None]
    ) -> None:
        self._bus = bus
        self._now_s = now_s
        self._port_of = port_of
        self._desired = DesiredStreams()
        self._gates: list[DataReady] = []

    def subscribe(
        self, kind: DataType, symbols: Iterable[str], detail: str, *, ready: bool, ready_timeout_s: float
    ) -> None:
        """Want these streams, all or none.

        Raises InstrumentError naming every unknown symbol, and SubscriptionError for what the venue does not stream.
        """
        wanted = list(symbols)
        ports = {symbol: self._port_of(symbol) for symbol in wanted}
        unknown = [symbol for symbol, port in ports.items() if port is None]
        if unknown:
            raise _unserved(unknown)
        asked: list[str] = []
        try:
            for symbol, port in ports.items():
                asked.append(symbol)
                stream = Stream(kind, symbol, detail)
                if self._desired.add(stream) and port is not None:
                    port.subscribe(stream)
        except NexusTraderError:
            self.unsubscribe(kind, asked, detail)
            raise
        if not ready:
            self._gate(kind, wanted, ready_timeout_s)

    def unsubscribe(self, kind: DataType, symbols: Iterable[str], detail: str) -> None:
        """Want them no longer. A stream that nobody wants is no error."""
        for symbol in symbols:
            stream = Stream(kind, symbol, detail)
            port = self._port_of(symbol)
            if stream in self._desired and self._desired.drop(stream) and port is not None:
                port.unsubscribe(stream)

    def detail_of(self, kind: DataType, symbol: str) -> str | None:
        """The interval or level in which this kind of data is wanted already; None when it is not."""
        return next((one.detail for one in self._desired if (one.kind, one.symbol) == (kind, symbol)), None)

    async def request_klines(self, symbol: str, interval: KlineInterval, limit: int) -> list[Kline]:
        """The latest klines, without holding up the loop. Raises what the port raises."""
        port = self._port_of(symbol)
        if port is None:
            raise _unserved([symbol])
        return await port.request_klines(symbol, interval.value, limit, None, None)

    def _gate(self, kind: DataType, symbols: list[str], timeout_s: float) -> None:
        gate = DataReady(symbols, timeout_s, self._now_s)
        self._gates.append(gate)

        def note(datum: Any) -> None:
            gate.input(datum.symbol)
            if not gate.missing:
                self._bus.unsubscribe(kind.value, note)

        self._bus.subscribe(kind.value, note)

    @property
    def ready(self) -> bool:
        """True when every gate that a subscription asked for is open."""
        return all(gate.ready for gate in self._gates)


def _unserved(symbols: list[str]) -> InstrumentError:
    return InstrumentError(
        f"no public connector serves {', '.join(symbols)}. Add the account type to public_conn_config, "
        "or check the spelling"
    )


def resolve_symbols(symbols: str | Iterable[str]) -> list[str]:
    """One symbol or several, without repeats, in order."""
    return [symbols] if isinstance(symbols, str) else list(dict.fromkeys(symbols))
