"""Whether the data a strategy waits for has arrived."""

from __future__ import annotations

from collections.abc import Callable


class DataReady:
    """Ready once every symbol has had a datum, or `timeout_s` after the first one of any.

    It never gives up while nothing at all has arrived: silence is not readiness.
    """

    def __init__(self, symbols: list[str], timeout_s: float, now_s: Callable[[], float]) -> None:
        self._symbols = frozenset(symbols)
        self._missing = set(symbols)
        self._timeout_s = timeout_s
        self._now_s = now_s
        self._first_s: float | None = None

    def input(self, symbol: str) -> None:
        """Note a datum of `symbol`; those of others do not count."""
        if symbol not in self._symbols:
            return
        if self._first_s is None:
            self._first_s = self._now_s()
        self._missing.discard(symbol)

    @property
    def missing(self) -> frozenset[str]:
        return frozenset(self._missing)

    @property
    def ready(self) -> bool:
        if not self._missing:
            return True
        return self._first_s is not None and self._now_s() - self._first_s >= self._timeout_s
