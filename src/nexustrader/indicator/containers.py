"""Where a strategy finds its indicators: `strategy.indicator.NAME[symbol]`."""

from __future__ import annotations

from typing import Any


class IndicatorContainer:
    """The indicators of one name, by symbol."""

    def __init__(self) -> None:
        self._found: dict[str, Any] = {}

    def __getitem__(self, symbol: str) -> Any:
        """The indicator of a symbol; None when none is registered."""
        return self._found.get(symbol)

    def __setitem__(self, symbol: str, indicator: Any) -> None:
        self._found[symbol] = indicator

    def __contains__(self, symbol: object) -> bool:
        return symbol in self._found

    def get(self, symbol: str, default: Any = None) -> Any:
        """The indicator of a symbol, else `default`."""
        return self._found.get(symbol, default)

    def symbols(self) -> list[str]:
        """The symbols that have one, in order of registration."""
        return list(self._found)


class IndicatorProxy:
    """Has a container under every name; one that nothing is registered as is empty."""

    def __getattr__(self, name: str) -> IndicatorContainer:
        if name.startswith("_"):
            raise AttributeError(f"{name!r} is no name of an indicator")
        container = IndicatorContainer()
        setattr(self, name, container)
        return container
