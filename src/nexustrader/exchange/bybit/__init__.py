"""Bybit: spot, linear, inverse and options. The account types are light, the venue is not: it is imported late."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from nexustrader.exchange.bybit.constants import BybitAccountType

if TYPE_CHECKING:
    from nexustrader.exchange.bybit.venue import VENUE

__all__ = ["VENUE", "BybitAccountType"]


def __getattr__(name: str) -> Any:
    if name != "VENUE":
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    from nexustrader.exchange.bybit.venue import VENUE

    return VENUE
