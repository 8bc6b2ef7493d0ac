"""One run of a sweep, wherever it happens: it comes back as figures or as an error, and never takes others with it."""

from __future__ import annotations

import math
import traceback
from typing import Any, Protocol

import msgspec

from nexustrader.backtest.runner import Backtest
from nexustrader.backtest.sweeps.space import Params, Value
from nexustrader.kernel.clock import NS_PER_S, LiveClock
from nexustrader.kernel.redaction import redact

USER_LINES = 3  # of a traceback, the innermost


class Build(Protocol):
    """Makes a new run, with a new strategy, of some parameters. It travels to other processes, so it has to pickle."""

    def __call__(self, params: Params, **changes: Any) -> Backtest:
        """`changes` are keyword arguments of `Backtest` that go before its own."""


class Window(msgspec.Struct, frozen=True):
    """A part of the data, in ms; None is as far as they reach."""

    start_ms: int | None = None
    end_ms: int | None = None

    def changes(self) -> dict[str, Any]:
        found = {"start": self.start_ms, "end": self.end_ms}
        return {name: value for name, value in found.items() if value is not None}


WHOLE = Window()


class Trial(msgspec.Struct, frozen=True, kw_only=True):
    """What one run came to: `figures` by the keys of docs/metrics.md (None: not defined), or an `error`."""

    params: dict[str, Value]
    window: Window = WHOLE
    figures: dict[str, float | None] = {}
    orders: int = 0
    trace_hash: str = ""
    error: str | None = None
    elapsed_s: float = 0.0

    @property
    def key(self) -> str:
        """Equal for equal parameters over equal data."""
        return key_of(self.params, self.window)

    def figure(self, name: str) -> float | None:
        """A figure, or None where it is not defined or the run failed."""
        return self.figures.get(name)


def key_of(params: Params, window: Window) -> str:
    """Names a run: its parameters and its part of the data."""
    return msgspec.json.encode([params, window], order="sorted").decode()


def run_trial(build: Build, params: dict[str, Value], window: Window) -> Trial:
    """Run one point. Whatever the user's program raises is the trial's error; only an interrupt passes."""
    from nexustrader.backtest.metrics_table import measured, sample_of

    clock = LiveClock()
    begun_ns = clock.timestamp_ns()
    try:
        result = build(params, **window.changes()).run()
        figures = measured(sample_of(result))
    except (Exception, SystemExit) as error:  # tidy: ok — one run must not cost the others; it is told
        return Trial(params=params, window=window, error=_said(error), elapsed_s=_since_s(clock, begun_ns))
    return Trial(
        params=params,
        window=window,
        figures={name: value if math.isfinite(value) else None for name, value in figures.items()},
        orders=len(result.orders),
        trace_hash=result.trace_hash,
        elapsed_s=_since_s(clock, begun_ns),
    )


def _since_s(clock: LiveClock, begun_ns: int) -> float:
    return (clock.timestamp_ns() - begun_ns) / NS_PER_S


def _said(error: BaseException) -> str:
    """The error and where it was raised, without any secret."""
    frames = traceback.extract_tb(error.__traceback__)[-USER_LINES:]
    places = ", ".join(f"{frame.filename}:{frame.lineno} in {frame.name}" for frame in frames)
    return redact(f"{type(error).__name__}: {error} ({places})")
