"""A market stream that somebody listens to: its listeners, its cadence, and what faults make of its pushes."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Protocol

from nexustrader.emulator.faults import PUSH, FaultPlan
from nexustrader.emulator.market.candles import Candle
from nexustrader.emulator.market.market import DepthUpdate, Market

# What `Stream.push` looks for; `as_told` looks for the other fault of pushes.
MEDDLING = ("drop_push", "freeze_push", "multiply_push", "swap_push")


def as_told(market: Market, update: DepthUpdate, product: str, faults: FaultPlan) -> DepthUpdate:
    """The update that the streams of a market are told; the same when no fault changes it."""
    about = {"on": "depth", "product": product, "symbol": market.symbol}
    if faults.pending and faults.take(PUSH, ("cross_push",), **about) is not None:
        return market.crossed(update)
    return update


class Listener(Protocol):
    """One client of streams."""

    def push(self, name: str, payload: bytes) -> None:
        """Sends one payload of one stream."""


class Stream:
    """One stream. `about` is what faults ask of it; `cadence_ms` 0 is pushed as it happens."""

    def __init__(
        self, name: str, about: Mapping[str, str | None], cadence_ms: int, faults: FaultPlan
    ) -> None:
        self.name = name
        self.about = about
        self.listeners: dict[Listener, None] = {}
        self.due_ms = 0  # when a stream with a cadence may be pushed again
        self.stale = True  # what it tells changed since the last push
        self.bar_open_ms: int | None = None  # klines: open time of the candle pushed last
        self._cadence_ms = cadence_ms
        self.faults = faults
        self._last = b""
        self._held: list[bytes] = []  # to come behind the next push

    def push(self, payload: bytes) -> None:
        """Sends one payload to everybody who listens."""
        if self.faults.pending or self._held:
            held, self._held = self._held, []
            for meddled in [*self._meddled(payload), *held]:
                self._send(meddled)
        else:
            self._send(payload)

    def is_due(self, now_ms: int) -> bool:
        """True when the stream's cadence allows a push; the next is then due one cadence later."""
        if self.due_ms > now_ms:
            return False
        self.due_ms = now_ms - now_ms % self._cadence_ms + self._cadence_ms
        return True

    def due_bars(self, market: Market, length_ms: int, now_ms: int) -> Iterator[Candle]:
        """Candles to push now: one that closed once more, as closed; the open one at the stream's cadence."""
        open_ms = now_ms - now_ms % length_ms
        closed = self.bar_open_ms is not None and self.bar_open_ms < open_ms
        if closed:
            assert self.bar_open_ms is not None
            yield market.candles.at(self.bar_open_ms, length_ms)
        if self.is_due(now_ms) or closed:
            self.bar_open_ms = open_ms
            yield market.candles.at(now_ms, length_ms)

    def _send(self, payload: bytes) -> None:
        self._last = payload
        for listener in list(self.listeners):
            listener.push(self.name, payload)

    def _meddled(self, payload: bytes) -> list[bytes]:
        """What is sent in the place of a payload."""
        fault = self.faults.take(PUSH, MEDDLING, **self.about)
        if fault is None:
            return [payload]
        if fault.action == "swap_push":
            self._held = [payload]
            return []
        if fault.action == "freeze_push":
            return [self._last or payload]
        return [payload] * fault.n if fault.action == "multiply_push" else []
