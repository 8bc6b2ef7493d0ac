"""Orders that stay UNKNOWN for long: said once and loudly, and their symbol takes no new risk until they are known."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from functools import partial

from nexustrader.execution.errands import Errands
from nexustrader.execution.oms import OrderManager
from nexustrader.kernel.log import get_logger
from nexustrader.risk.limits import UNKNOWN_QUARANTINE_MS

__all__ = ["UNKNOWN_QUARANTINE_MS", "Quarantine", "Release", "Unknowns"]

LOOK_AGAIN_S = 1.0

Quarantine = Callable[[str, str], None]  # symbol, reason
Release = Callable[[str], None]  # symbol

_log = get_logger("Unknowns")


class Unknowns:
    """Calls `quarantine(symbol, reason)` for an order that is UNKNOWN for longer than `limit_ms` (None: never).

    `release(symbol)` follows when the last such order of the symbol is known again.
    """

    def __init__(
        self,
        oms: OrderManager,
        errands: Errands,
        *,
        limit_ms: int | None,
        quarantine: Quarantine | None,
        release: Release | None,
    ) -> None:
        self._oms = oms
        self._errands = errands
        self._limit_ms = limit_ms
        self._quarantine = quarantine
        self._release = release
        self._held: dict[str, set[str]] = {}  # symbol -> the orders that hold it

    def watch(self, oid: str) -> None:
        """An order has become UNKNOWN."""
        if self._limit_ms is not None:
            self._errands.begin("unknown", oid, partial(self._watch, oid, self._limit_ms))

    async def _watch(self, oid: str, limit_ms: int) -> None:
        await asyncio.sleep(limit_ms / 1000)
        state = self._oms.get(oid)
        if state is None or not state.is_unknown:
            return
        symbol = state.symbol
        reason = f"order {oid} has been UNKNOWN for {limit_ms / 1000:g} s ({state.reason})"
        _log.critical(
            f"{reason}: it may be live at the venue. {symbol} takes no new risk until the venue has said "
            "what became of it; look at the venue's own pages, and cancel it there if it must not live"
        )
        self._held.setdefault(symbol, set()).add(oid)
        if self._quarantine is not None:
            self._quarantine(symbol, reason)
        while state is not None and state.is_unknown:
            await asyncio.sleep(LOOK_AGAIN_S)
            state = self._oms.get(oid)
        self._let_go(symbol, oid)

    def _let_go(self, symbol: str, oid: str) -> None:
        held = self._held[symbol]
        held.discard(oid)
        if held:
            return
        del self._held[symbol]
        _log.warning(f"{symbol}: no order is in doubt any more")
        if self._release is not None:
            self._release(symbol)
